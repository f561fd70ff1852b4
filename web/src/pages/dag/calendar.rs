//! A year of a DAG: weeks across, days down, each with how its runs went, or with what is planned.

use std::collections::BTreeMap;

use askama::Template;
use chrono::{Datelike as _, Days, NaiveDate, NaiveTime};
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_core::state::RunState;
use tidemill_core::time::Timestamp;
use tidemill_store::history::DayCount;

use super::super::page;
use super::head::{Head, View};
use super::planned::{self, Planned};
use crate::frame::Frame;
use crate::html::{Chip, Tone};
use crate::input::Asking;
use crate::oops::Oops;
use crate::paths;
use crate::routes::ThisDag;

/// The years that schedules know.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2100;
/// How many days with failures are listed in words.
const BAD_DAYS_MAX: usize = 15;
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CalendarQuery {
    year: String,
}

/// A day of the year.
struct Cell {
    class: String,
    /// The runs of the day; none where there are none.
    href: Option<String>,
    /// The day and what there is to say of it.
    says: String,
    /// How many runs, if it is more than one.
    count: String,
}

/// A day on which something failed.
struct BadDay {
    says: String,
    href: String,
    counts: Vec<(Chip, u32)>,
}

#[derive(Template)]
#[template(path = "dag_calendar.html")]
pub(crate) struct CalendarPage {
    frame: Frame,
    head: Head,
    year: i32,
    before: Option<i32>,
    after: Option<i32>,
    /// Each month and how many weeks it has here.
    months: Vec<(String, usize)>,
    rows: Vec<(&'static str, Vec<Option<Cell>>)>,
    totals: Vec<(Chip, u32)>,
    bad: Vec<BadDay>,
    bad_more: usize,
    /// What there is to say of what is planned.
    plan: String,
}

page!(CalendarPage);

pub(super) type Counts = BTreeMap<NaiveDate, Vec<(RunState, u32)>>;

pub(super) fn midnight(day: NaiveDate) -> Timestamp {
    day.and_time(NaiveTime::MIN).and_utc().into()
}

/// The days by their dates, in each the worst state first.
pub(super) fn counts(days: &[DayCount]) -> Counts {
    let mut counts = Counts::new();
    for of in days {
        let day = u64::try_from(of.day)
            .ok()
            .and_then(|day| NaiveDate::from_ymd_opt(1970, 1, 1)?.checked_add_days(Days::new(day)));
        if let Some(day) = day {
            counts.entry(day).or_default().push((of.state, of.count));
        }
    }
    for of_day in counts.values_mut() {
        of_day.sort_by_key(|(state, _)| Tone::from(*state));
    }
    counts
}

fn words(counts: &[(RunState, u32)]) -> String {
    let words = counts
        .iter()
        .map(|(state, count)| format!("{count} {}", Chip::from(*state).word()));
    words.collect::<Vec<_>>().join(", ")
}

fn runs_of(dag: &DagId, day: NaiveDate) -> String {
    format!("{}/runs?from={day}&to={day}", paths::dag(dag))
}

fn cell(
    (dag, day, today): (&DagId, NaiveDate, NaiveDate),
    counts: Option<&Vec<(RunState, u32)>>,
    planned: Option<Planned>,
) -> Cell {
    let date = day.format("%A, %-d %B %Y");
    let on = if day == today { " today" } else { "" };
    let plan = match planned {
        Some(Planned::Runs(1)) => "1 planned".to_owned(),
        Some(Planned::Runs(count)) => format!("{count} planned"),
        Some(Planned::Some) => "runs planned".to_owned(),
        None => String::new(),
    };
    let many = |count: u32| {
        if count > 1 {
            count.to_string()
        } else {
            String::new()
        }
    };
    match (counts, planned) {
        (Some(counts), planned) => {
            let worst = counts
                .first()
                .map_or(Tone::None, |(state, _)| (*state).into());
            let plan = planned.map(|_| format!(", {plan}")).unwrap_or_default();
            Cell {
                class: format!("{}{on}", worst.class()),
                href: Some(runs_of(dag, day)),
                says: format!("{date}: {}{plan}", words(counts)),
                count: many(counts.iter().map(|(_, count)| count).sum()),
            }
        }
        (None, Some(planned)) => Cell {
            class: format!("plan{on}"),
            href: None,
            says: format!("{date}: {plan}"),
            count: match planned {
                Planned::Runs(count) => many(count),
                Planned::Some => String::new(),
            },
        },
        (None, None) => Cell {
            class: on.trim().to_owned(),
            href: None,
            says: format!("{date}: no runs"),
            count: String::new(),
        },
    }
}

pub(super) fn year(frame: &Frame, text: &str) -> Result<i32, Oops> {
    if text.is_empty() {
        return Ok(frame.now.date().year().clamp(*YEARS.start(), *YEARS.end()));
    }
    let year = text.parse().ok().filter(|year| YEARS.contains(year));
    year.ok_or_else(|| Oops::field("year", "it is a number from 1970 to 2100"))
}

pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Asking(query): Asking<CalendarQuery>,
) -> Result<CalendarPage, Oops> {
    let year = year(&frame, &query.year)?;
    let (head, known) = Head::read(&frame, &dag, View::Calendar).await?;
    let no_year = || Oops::invalid("year: there is no such year");
    let first = NaiveDate::from_ymd_opt(year, 1, 1).ok_or_else(no_year)?;
    let last = NaiveDate::from_ymd_opt(year, 12, 31).ok_or_else(no_year)?;
    let next = last.succ_opt().ok_or_else(no_year)?;
    let days = frame.web.store();
    let days = days.run_days(&dag, midnight(first)..midnight(next)).await?;
    let today = frame.now.date().date_naive();
    let planned = if known.row.paused || last < today {
        BTreeMap::new()
    } else {
        planned::by_day(&known, frame.now, last)
    };
    let plan = match (&known.row.version, known.row.paused, planned.is_empty()) {
        (None, _, _) => "The DAG was removed: no runs are planned.",
        (_, true, _) => "The DAG is paused: no runs are planned until it goes on.",
        (_, _, true) => "",
        _ => "Days with a dotted frame have planned runs.",
    };
    let counts = counts(&days);
    let (bad, bad_more) = bad_days(&dag, &counts);
    Ok(CalendarPage {
        head,
        year,
        before: Some(year - 1).filter(|year| YEARS.contains(year)),
        after: Some(year + 1).filter(|year| YEARS.contains(year)),
        months: months(first, last),
        rows: rows((first, last), |day| {
            let planned = planned.get(&day).copied();
            cell((&dag, day, today), counts.get(&day), planned)
        }),
        totals: totals(&counts),
        bad,
        bad_more,
        plan: plan.to_owned(),
        frame,
    })
}

/// The Monday of the week that a day is in.
fn monday(day: NaiveDate) -> NaiveDate {
    let days = Days::new(day.weekday().num_days_from_monday().into());
    day.checked_sub_days(days).unwrap_or(day)
}

/// The Mondays of the weeks of a year.
fn weeks(first: NaiveDate, last: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    let next = |monday: &NaiveDate| monday.checked_add_days(Days::new(7));
    std::iter::successors(Some(monday(first)), next).take_while(move |monday| *monday <= last)
}

fn months(first: NaiveDate, last: NaiveDate) -> Vec<(String, usize)> {
    let mut months: Vec<(String, usize)> = Vec::new();
    for monday in weeks(first, last) {
        let name = monday.max(first).format("%b").to_string();
        match months.last_mut() {
            Some((month, weeks)) if *month == name => *weeks += 1,
            _ => months.push((name, 1)),
        }
    }
    months
}

fn rows(
    (first, last): (NaiveDate, NaiveDate),
    cell: impl Fn(NaiveDate) -> Cell,
) -> Vec<(&'static str, Vec<Option<Cell>>)> {
    let row = |(at, word): (u64, &'static str)| {
        let days = weeks(first, last).map(|monday| {
            let day = monday.checked_add_days(Days::new(at));
            let day = day.filter(|day| (first..=last).contains(day));
            day.map(&cell)
        });
        (word, days.collect())
    };
    (0..).zip(WEEKDAYS).map(row).collect()
}

fn totals(counts: &Counts) -> Vec<(Chip, u32)> {
    let mut totals: Vec<(RunState, u32)> = Vec::new();
    for (state, count) in counts.values().flatten() {
        match totals.iter_mut().find(|(known, _)| known == state) {
            Some((_, total)) => *total += count,
            None => totals.push((*state, *count)),
        }
    }
    totals.sort_by_key(|(state, _)| Tone::from(*state));
    let chips = totals.into_iter();
    chips.map(|(state, count)| (state.into(), count)).collect()
}

/// The days with failures, the newest first, and how many more there are.
fn bad_days(dag: &DagId, counts: &Counts) -> (Vec<BadDay>, usize) {
    let failed = |of: &Vec<(RunState, u32)>| of.iter().any(|(state, _)| *state == RunState::Failed);
    let bad = || counts.iter().rev().filter(|(_, of)| failed(of));
    let shown = bad().take(BAD_DAYS_MAX).map(|(day, of)| BadDay {
        says: day.format("%a %-d %b").to_string(),
        href: runs_of(dag, *day),
        counts: of
            .iter()
            .map(|(state, count)| ((*state).into(), *count))
            .collect(),
    });
    (shown.collect(), bad().count().saturating_sub(BAD_DAYS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_of_a_year_is_in_its_week_once() {
        for year in 1970..=2100 {
            let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
            let last = NaiveDate::from_ymd_opt(year, 12, 31).unwrap();
            let rows = rows((first, last), |day| {
                cell((&DagId::parse("a").unwrap(), day, day), None, None)
            });
            let columns: usize = months(first, last).iter().map(|(_, weeks)| weeks).sum();
            assert!(rows.iter().all(|(_, days)| days.len() == columns), "{year}");
            let mut days: Vec<&str> = Vec::new();
            for week in 0..columns {
                days.extend(
                    rows.iter()
                        .filter_map(|(_, days)| days[week].as_ref())
                        .map(|cell| &*cell.says),
                );
            }
            let expected = first.iter_days().take_while(|day| *day <= last);
            let expected: Vec<String> = expected
                .map(|day| format!("{}: no runs", day.format("%A, %-d %B %Y")))
                .collect();
            assert_eq!(days, expected, "{year}");
            for (at, (word, days)) in rows.iter().enumerate() {
                assert_eq!(*word, WEEKDAYS[at]);
                assert!(
                    days.iter()
                        .flatten()
                        .all(|cell| cell.says.starts_with(word)),
                    "{year}"
                );
            }
        }
    }
}
