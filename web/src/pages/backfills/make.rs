//! Making a backfill: a form, then exactly the runs that it would make, then the button.

use std::sync::Arc;

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use chrono::{Days, NaiveDate, TimeDelta};
use chrono_tz::Tz;
use ring::digest::{SHA256, digest};
use tidemill_core::id::DagId;
use tidemill_core::spec::{DagSpec, parse_date};
use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::{Backfill, Changed, Command, DatePlan};
use tidemill_store::record::Reprocess;

use crate::door::DoorError;
use crate::frame::Frame;
use crate::html::{When, hex};
use crate::input::Sent;
use crate::oops::{Oops, finished};
use crate::pages::field::{Field, Given, Input, fields, fill};
use crate::pages::page;
use crate::pages::rows::written;
use crate::pages::trigger;
use crate::paths;
use crate::routes::ThisDag;
use crate::said::Done;
use crate::shown::ask;

/// So many dates are listed; the rest is a number.
const LISTED_MAX: usize = 500;

/// What happens to dates that have a run: the word, and for people.
const REPROCESS: [(&str, &str); 3] = [
    ("none", "are left out"),
    ("failed", "run again if they failed or were cancelled"),
    ("completed", "run again"),
];

/// A field that every backfill has.
#[derive(Default)]
struct Plain {
    text: String,
    wrong: Option<String>,
}

impl Plain {
    fn of(text: String) -> Self {
        Self { text, wrong: None }
    }
}

/// A date of the preview.
struct DateLine {
    start: When,
    end: When,
    says: String,
}

/// What would be made.
struct Preview {
    made: usize,
    again: usize,
    left_out: usize,
    first: Option<When>,
    last: Option<When>,
    lines: Vec<DateLine>,
    rest: usize,
    /// Tables that the runs write, and those that they write again.
    writes: Vec<String>,
    shown: String,
    /// The form, as it was filled in.
    hidden: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "backfill_form.html")]
pub(crate) struct FormPage {
    frame: Frame,
    dag: DagId,
    href: String,
    zone: Tz,
    version: String,
    from: Plain,
    to: Plain,
    active: Plain,
    reprocess: String,
    choices: &'static [(&'static str, &'static str)],
    backwards: bool,
    fields: Vec<Field>,
    wrong: Vec<String>,
    preview: Option<Preview>,
}

page!(FormPage);

impl FormPage {
    /// Whether anything is wrong with what was sent.
    fn is_refused(&self) -> bool {
        let plain = [&self.from, &self.to, &self.active];
        !self.wrong.is_empty()
            || plain.iter().any(|field| field.wrong.is_some())
            || self.fields.iter().any(|field| !field.wrong.is_empty())
    }
}

fn blank(frame: Frame, dag: DagId, spec: &DagSpec) -> FormPage {
    let definition = &spec.definition;
    FormPage {
        href: paths::dag(&dag),
        zone: definition.schedule.zone(),
        version: spec.version().short().to_owned(),
        from: Plain::default(),
        to: Plain::default(),
        active: Plain::of(Backfill::ACTIVE_RUNS_MAX_DEFAULT.to_string()),
        reprocess: Reprocess::None.word().to_owned(),
        choices: &REPROCESS,
        backwards: false,
        fields: fields(&definition.params, None),
        wrong: match definition.schedule.timing() {
            Some(_) => Vec::new(),
            None => vec!["this DAG has no timetable, so there are no dates to fill".to_owned()],
        },
        preview: None,
        dag,
        frame,
    }
}

pub(crate) async fn form(frame: Frame, ThisDag(dag): ThisDag) -> Result<FormPage, Oops> {
    let (spec, _) = trigger::spec(&frame, &dag).await?;
    Ok(blank(frame, dag, &spec))
}

/// Shows the form again, what it would make, or makes it: by its `step`.
pub(crate) async fn send(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Sent(pairs): Sent<Vec<(String, String)>>,
) -> Result<Response, Oops> {
    let given: Given = pairs.iter().cloned().collect();
    let (spec, _) = trigger::spec(&frame, &dag).await?;
    let (mut page, asked) = read(blank(frame, dag, &spec), &spec, &given);
    let step = given.get("step").map_or("", String::as_str);
    if step == "form" {
        return Ok(page.into_response());
    }
    let Some(asked) = asked else {
        let oops = Oops::invalid("some of what was sent cannot be taken; the form says what");
        return Ok(finished(oops, page.into_response()));
    };
    let hidden: Vec<(String, String)> = pairs
        .into_iter()
        .filter(|(name, _)| !matches!(name.as_str(), "csrf" | "step" | "shown"))
        .collect();
    let command = Command::Backfill(asked);
    let planned = match ask(&page.frame, (None, true), command.clone()).await {
        Ok(changed) => preview(&spec, changed, hidden),
        Err(error) => return refused(page, error),
    };
    if step != "make" {
        page.preview = Some(planned);
        return Ok(page.into_response());
    }
    if given.get("shown") != Some(&planned.shown) {
        let says = "it would make other runs by now than you were shown; nothing was made: look again below";
        page.wrong.push(says.to_owned());
        page.preview = Some(planned);
        let oops = DoorError::Stale(says.to_owned()).into();
        return Ok(finished(oops, page.into_response()));
    }
    match ask(&page.frame, (None, false), command).await {
        Ok(changed) => {
            let id = changed.remarks.iter().find_map(|says| {
                let id: i64 = says.strip_prefix("backfill ")?.parse().ok()?;
                Some(super::href(id))
            });
            let to = id.unwrap_or_else(|| format!("/backfills?dag={}", page.dag));
            let says = format!("The backfill of {} is made.", page.dag);
            Ok(Done::at(&to, says).into_response())
        }
        Err(error) => refused(page, error),
    }
}

fn refused(mut page: FormPage, error: DoorError) -> Result<Response, Oops> {
    match error {
        error @ (DoorError::Invalid(_) | DoorError::Stale(_)) => {
            page.wrong.push(error.to_string());
            Ok(finished(error.into(), page.into_response()))
        }
        error => Err(error.into()),
    }
}

/// What the form says, and the form with what is wrong with it: no backfill then.
fn read(mut page: FormPage, spec: &DagSpec, given: &Given) -> (FormPage, Option<Backfill>) {
    let text = |name: &str| given.get(name).map_or("", |text| text.trim()).to_owned();
    (page.from, page.to) = (Plain::of(text("from")), Plain::of(text("to")));
    let from = begins(&mut page.from, page.zone);
    let to = ends(&mut page.to, (page.zone, page.frame.now));
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        page.to.wrong = Some("it ends before it begins".to_owned());
    }
    if given.contains_key("active") {
        page.active = Plain::of(text("active"));
    }
    let active: Option<u32> = page.active.text.parse().ok().filter(|active| *active > 0);
    if active.is_none() {
        page.active.wrong = Some("a whole number from 1 on".to_owned());
    }
    page.backwards = given.contains_key("backwards");
    if given.contains_key("reprocess") {
        page.reprocess = text("reprocess");
    }
    let reprocess: Result<Reprocess, _> = page.reprocess.parse();
    if reprocess.is_err() {
        page.wrong
            .push("dates that have a run are none, failed or completed".to_owned());
    }
    let filled = fill(&spec.definition.params, given);
    page.fields = filled.fields;
    page.wrong.extend(filled.wrong);
    let plain = [&page.from, &page.to, &page.active];
    let is_right = page.wrong.is_empty() && plain.iter().all(|field| field.wrong.is_none());
    let asked = || {
        Some(Backfill {
            dag: page.dag.clone(),
            from: from?,
            to: to?,
            reprocess: reprocess.ok()?,
            backwards: page.backwards,
            active_runs_max: active?,
            params: filled.params?,
        })
    };
    let asked = if is_right { asked() } else { None };
    (page, asked)
}

fn begins(field: &mut Plain, zone: Tz) -> Option<Timestamp> {
    match parse_date(&field.text, zone) {
        Ok(at) => Some(at.into()),
        Err(_) => {
            let says = "write a day, as 2025-01-31, or a time, as 2025-01-31T06:00:00Z";
            field.wrong = Some(says.to_owned());
            None
        }
    }
}

/// A day is meant with all its hours, as far as they are over.
fn ends(field: &mut Plain, (zone, now): (Tz, Timestamp)) -> Option<Timestamp> {
    let begins = begins(field, zone)?;
    let day = NaiveDate::parse_from_str(&field.text, "%Y-%m-%d").ok();
    let Some(next) = day.and_then(|day| day.checked_add_days(Days::new(1))) else {
        return Some(begins);
    };
    let next = parse_date(&next.to_string(), zone).ok()?;
    let end = Timestamp::from(next - TimeDelta::microseconds(1));
    Some(if begins <= now { end.min(now) } else { end })
}

fn preview(spec: &DagSpec, changed: Changed, hidden: Vec<(String, String)>) -> Preview {
    let dates = &changed.dates;
    let runs = || dates.iter().filter(|date| date.left_out.is_none());
    let again = runs().filter(|date| date.again.is_some()).count();
    let line = |date: &DatePlan| DateLine {
        start: When(date.start),
        end: When(date.end),
        says: match (&date.left_out, date.again) {
            (Some(why), _) => format!("left out: {why}"),
            (None, Some(run)) => format!("run {run} runs again"),
            (None, None) => "a new run".to_owned(),
        },
    };
    Preview {
        made: runs().count() - again,
        again,
        left_out: dates.len() - runs().count(),
        first: runs().map(|date| date.start).min().map(When),
        last: runs().map(|date| date.start).max().map(When),
        lines: dates.iter().take(LISTED_MAX).map(line).collect(),
        rest: dates.len().saturating_sub(LISTED_MAX),
        writes: written(&spec.definition),
        shown: fingerprint(dates, &hidden),
        hidden,
    }
}

/// What was asked for and what it would make, as a hash.
fn fingerprint(dates: &[DatePlan], hidden: &[(String, String)]) -> String {
    let date = |date: &DatePlan| {
        let why: Option<&Arc<str>> = date.left_out.as_ref();
        let again = date.again.map_or(0, |run| run.0);
        format!("{} {} {again} {why:?}\n", date.start, date.end)
    };
    let mut text: String = dates.iter().map(date).collect();
    // A browser sends lines with other ends than those that were written into a hidden field.
    let field =
        |(name, value): &(String, String)| format!("{name:?}={:?}\n", value.replace("\r\n", "\n"));
    text.extend(hidden.iter().map(field));
    hex(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}
