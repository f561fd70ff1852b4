//! The list of loads, with what was loaded day by day. Its filters and its place are in the address.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use askama::Template;
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_core::time::Timestamp;
use tidemill_store::history::{Cursor, LoadDay, LoadFilter};

use super::lines::{LoadLine, address, dag_of, dags, place, placed};
use super::page;
use crate::frame::Frame;
use crate::html::{DayColumn, Html, Unit, bytes, days, grouped, short, took};
use crate::input::Asking;
use crate::oops::Oops;
use crate::pages::runs::day;

const ROWS: u32 = 50;
const DAY: Duration = Duration::from_secs(86_400);
const DAY_MICROS: i64 = 86_400_000_000;
/// How many days are drawn if nobody says which.
const DAYS: i64 = 14;
/// More are not drawn: a column would be too narrow to be seen.
const DAYS_MAX: i64 = 92;

/// What the list is narrowed to, and after which load it goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LoadsQuery {
    dag: String,
    table: String,
    status: String,
    /// The first day on which a load ended, in UTC: `2025-01-31`.
    from: String,
    /// The last one.
    to: String,
    after: String,
}

impl LoadsQuery {
    fn narrow(&self) -> [(&'static str, &str); 5] {
        [
            ("dag", self.dag.trim()),
            ("table", self.table.trim()),
            ("status", &self.status),
            ("from", &self.from),
            ("to", &self.to),
        ]
    }

    fn is_narrow(&self) -> bool {
        self.narrow().iter().any(|(_, value)| !value.is_empty())
    }

    async fn filter(&self, frame: &Frame) -> Result<LoadFilter, Oops> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut of = LoadFilter {
            dag: dag_of(&self.dag)?,
            among: frame.among().await?,
            destination: given(self.table.trim()),
            status: given(&self.status),
            ..LoadFilter::default()
        };
        if let Some(from) = day("from", &self.from)? {
            of.ended.start = from;
        }
        if let Some(to) = day("to", &self.to)? {
            of.ended.end = to.after(DAY);
        }
        Ok(of)
    }

    /// The same for one day.
    fn of_day(&self, date: &str) -> String {
        let [dag, table, status, ..] = self.narrow();
        address(
            "/loads",
            &[dag, table, status, ("from", date), ("to", date)],
        )
    }
}

#[derive(Template)]
#[template(path = "loads.html")]
pub(crate) struct LoadsPage {
    frame: Frame,
    query: LoadsQuery,
    dags: Vec<DagId>,
    statuses: [&'static str; 2],
    facts: Vec<(&'static str, String)>,
    drawn: Option<[Html; 2]>,
    rows: Vec<LoadLine>,
    older: Option<String>,
}

page!(LoadsPage);

pub(crate) async fn show(
    frame: Frame,
    Asking(query): Asking<LoadsQuery>,
) -> Result<LoadsPage, Oops> {
    let store = frame.web.store();
    let of = query.filter(&frame).await?;
    let loads = store.loads_named(&of, place(&query.after)?, ROWS).await?;
    let older = loads.last().filter(|_| loads.len() == ROWS as usize);
    let older = older.map(|last| {
        let after = placed(Cursor::from(&last.row));
        let pairs = [&query.narrow()[..], &[("after", &*after)]].concat();
        address("/loads", &pairs)
    });
    let drawn = drawn_days(&of.ended, frame.now);
    let days = LoadFilter {
        ended: drawn.clone(),
        ..of.clone()
    };
    let mut days = store.load_days(&days).await?;
    days.retain(|day| {
        of.status
            .as_ref()
            .is_none_or(|status| *status == day.status)
    });
    Ok(LoadsPage {
        dags: dags(&frame).await?,
        statuses: ["success", "failed"],
        facts: facts(&days, &drawn),
        drawn: (!days.is_empty()).then(|| charts(&query, &days, &drawn)),
        rows: loads
            .iter()
            .filter(|load| frame.sees(&load.row.dag))
            .map(LoadLine::new)
            .collect(),
        older,
        query,
        frame,
    })
}

const fn day_of(at: Timestamp) -> i64 {
    at.micros().div_euclid(DAY_MICROS)
}

const fn begin(day: i64) -> Timestamp {
    Timestamp::from_micros(day.saturating_mul(DAY_MICROS))
}

/// The days that are drawn: those that were asked for, but not too many, and up to today.
fn drawn_days(asked: &Range<Timestamp>, now: Timestamp) -> Range<Timestamp> {
    let ever = LoadFilter::default().ended;
    let end = if asked.end == ever.end {
        day_of(now) + 1
    } else {
        day_of(asked.end)
    };
    let start = if asked.start == ever.start {
        end - DAYS
    } else {
        day_of(asked.start).max(end - DAYS_MAX)
    };
    begin(start.min(end))..begin(end)
}

/// Sums of a day.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    well: i64,
    bad: i64,
    rows: i64,
    bytes: i64,
    took: i64,
}

impl Sum {
    fn add(&mut self, day: &LoadDay) {
        if day.status == "success" {
            self.well += day.loads;
            self.rows += day.rows;
        } else {
            self.bad += day.loads;
        }
        self.bytes += day.bytes;
        self.took += day.took;
    }

    const fn loads(self) -> i64 {
        self.well + self.bad
    }

    /// How long one took on the average.
    fn mean(self) -> Duration {
        let micros = self.took.checked_div(self.loads()).unwrap_or_default();
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    }
}

fn many(loads: i64) -> String {
    if loads == 1 {
        "1 load".to_owned()
    } else {
        format!("{} loads", grouped(loads))
    }
}

fn facts(days: &[LoadDay], drawn: &Range<Timestamp>) -> Vec<(&'static str, String)> {
    let mut all = Sum::default();
    days.iter().for_each(|day| all.add(day));
    let count = day_of(drawn.end) - day_of(drawn.start);
    let over = if count == 1 {
        "1 day".to_owned()
    } else {
        format!("{count} days")
    };
    vec![
        ("Over", over),
        ("Loads", grouped(all.loads())),
        ("Failed", grouped(all.bad)),
        ("Rows loaded", grouped(all.rows)),
        ("Read", bytes(all.bytes)),
        ("One took", took(all.mean())),
    ]
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a drawing has a few hundred dots"
)]
fn charts(query: &LoadsQuery, rows: &[LoadDay], drawn: &Range<Timestamp>) -> [Html; 2] {
    let mut sums: BTreeMap<i64, Sum> = BTreeMap::new();
    for row in rows {
        sums.entry(row.day).or_default().add(row);
    }
    let columns = |parts: fn(Sum) -> Vec<(&'static str, f64)>| -> Vec<DayColumn> {
        let column = |day: i64| {
            let sum = sums.get(&day).copied().unwrap_or_default();
            let date = begin(day).date();
            let label = date.format("%-d %b").to_string();
            let mut says = format!("{label}: {}", many(sum.loads()));
            if sum.loads() > 0 {
                let rows = grouped(sum.rows);
                says = format!("{says}, {rows} rows, {} each", took(sum.mean()));
            }
            if sum.bad > 0 {
                says = format!("{says}, {} failed", grouped(sum.bad));
            }
            DayColumn {
                label,
                parts: parts(sum),
                crossed: sum.bad > 0,
                says,
                href: query.of_day(&date.format("%Y-%m-%d").to_string()),
            }
        };
        (day_of(drawn.start)..day_of(drawn.end))
            .map(column)
            .collect()
    };
    let rows = columns(|sum| vec![("ok", sum.rows as f64)]);
    let times = columns(|sum| vec![("time", sum.mean().as_secs_f64())]);
    [
        days("Rows loaded, day by day", &rows, (Unit::Count, rows_shown)),
        days(
            "How long a load took, day by day",
            &times,
            (Unit::Seconds, time_shown),
        ),
    ]
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "ticks of an axis are whole"
)]
fn rows_shown(rows: f64) -> String {
    short(rows.round() as i64)
}

/// A tick of an axis: no more units than it has.
fn time_shown(seconds: f64) -> String {
    let span = Duration::from_secs_f64(seconds.max(0.0));
    if span.is_zero() {
        "0".to_owned()
    } else {
        tidemill_core::span::text(span)
    }
}

/// What was loaded today, in short.
pub(crate) struct Today {
    pub(crate) loads: String,
    pub(crate) rows: String,
    pub(crate) failed: Option<String>,
    pub(crate) href: String,
}

impl Today {
    /// What whoever asks may see of it; none if nothing was loaded yet.
    pub(crate) async fn read(
        frame: &Frame,
        among: Option<Vec<DagId>>,
    ) -> Result<Option<Self>, Oops> {
        let today = day_of(frame.now);
        let of = LoadFilter {
            among,
            ended: begin(today)..begin(today + 1),
            ..LoadFilter::default()
        };
        let mut sum = Sum::default();
        let days = frame.web.store().load_days(&of).await?;
        days.iter().for_each(|day| sum.add(day));
        let date = begin(today).date().format("%Y-%m-%d").to_string();
        Ok((sum.loads() > 0).then(|| Self {
            loads: many(sum.loads()),
            rows: grouped(sum.rows),
            failed: (sum.bad > 0).then(|| grouped(sum.bad)),
            href: address("/loads", &[("from", &date), ("to", &date)]),
        }))
    }
}
