//! Triggering a DAG: a form made of its params, and what is wrong beside each of them.

use std::sync::Arc;

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use tidemill_core::id::DagId;
use tidemill_core::spec::DagSpec;
use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::{Command, Trigger};

use super::field::{Field, Given, Input, fields, fill};
use super::page;
use super::rows::written;
use crate::door::{Asked, DoorError};
use crate::frame::Frame;
use crate::input::{Asking, Sent};
use crate::oops::{Oops, finished};
use crate::paths;
use crate::routes::ThisDag;
use crate::said::Done;

const NOTE_CHARS_MAX: usize = 4_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TriggerQuery {
    /// The name of a run whose params are taken.
    like: String,
}

/// A field that every DAG has.
#[derive(Default)]
struct Plain {
    text: String,
    wrong: Option<String>,
}

#[derive(Template)]
#[template(path = "trigger.html")]
pub(crate) struct TriggerPage {
    frame: Frame,
    dag: DagId,
    href: String,
    paused: bool,
    version: String,
    name: Plain,
    start: Plain,
    end: Plain,
    note: Plain,
    fields: Vec<Field>,
    /// The tables that its tasks write.
    writes: Vec<String>,
    /// What is wrong with no field in particular.
    wrong: Vec<String>,
}

page!(TriggerPage);

impl TriggerPage {
    /// Whether anything is wrong with what was sent.
    fn is_refused(&self) -> bool {
        let plain = [&self.name, &self.start, &self.end, &self.note];
        !self.wrong.is_empty()
            || plain.iter().any(|field| field.wrong.is_some())
            || self.fields.iter().any(|field| !field.wrong.is_empty())
    }
}

pub(super) async fn spec(frame: &Frame, dag: &DagId) -> Result<(Arc<DagSpec>, bool), Oops> {
    let store = frame.web.store();
    let gone = || Oops::not_found(format!("there is no DAG `{dag}`, or you may not see it"));
    let row = store.dags().await?.into_iter().find(|row| row.id == *dag);
    let row = row.ok_or_else(gone)?;
    let version = row.version.ok_or_else(|| {
        Oops::invalid(format!("the DAG `{dag}` was removed; it makes no new runs"))
    })?;
    let spec = frame.web.specs().of(store, dag, &version).await?;
    Ok((spec.ok_or_else(gone)?, row.paused))
}

fn blank(frame: Frame, dag: DagId, (spec, paused): (&DagSpec, bool)) -> TriggerPage {
    let definition = &spec.definition;
    let writes = written(definition);
    TriggerPage {
        href: paths::dag(&dag),
        paused,
        version: spec.version().short().to_owned(),
        // A second click of an impatient hand asks for a name that is taken.
        name: Plain {
            text: format!("manual__{}", frame.now),
            wrong: None,
        },
        start: Plain::default(),
        end: Plain::default(),
        note: Plain::default(),
        fields: Vec::new(),
        writes,
        wrong: Vec::new(),
        dag,
        frame,
    }
}

pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Asking(query): Asking<TriggerQuery>,
) -> Result<TriggerPage, Oops> {
    let (spec, paused) = spec(&frame, &dag).await?;
    let like = match query.like.as_str() {
        "" => None,
        name => frame.web.store().run_named(&dag, name).await?,
    };
    let like = like.and_then(|run| serde_json::from_str::<Value>(&run.params).ok());
    let fields = fields(&spec.definition.params, like.as_ref());
    let page = blank(frame, dag, (&spec, paused));
    Ok(TriggerPage { fields, ..page })
}

/// A run, as the form says. Without a form it has its params' defaults and covers the last complete interval.
pub(crate) async fn send(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Sent(pairs): Sent<Vec<(String, String)>>,
) -> Result<Response, Oops> {
    let given: Given = pairs.into_iter().collect();
    let is_form = given.contains_key("form");
    let to = given.get("to").cloned();
    if !is_form {
        let asked = asked(&frame, plain_trigger(&dag));
        let changed = frame.web.door().ask(asked).await?;
        return Ok(done(
            &dag,
            changed.runs_made.first().map(|(_, name)| name),
            to,
        ));
    }
    let (spec, paused) = spec(&frame, &dag).await?;
    let (mut page, trigger) = read(blank(frame, dag.clone(), (&spec, paused)), &spec, &given);
    let Some(trigger) = trigger else {
        let oops = Oops::invalid("some of what was sent cannot be taken; the form says what");
        return Ok(finished(oops, page.into_response()));
    };
    let name = trigger.name.clone();
    let asked = asked(&page.frame, trigger);
    match page.frame.web.door().ask(asked).await {
        Ok(changed) => {
            let made = changed.runs_made.first().map(|(_, name)| name);
            Ok(done(&dag, made.or(name.as_ref()), to))
        }
        Err(error @ (DoorError::Invalid(_) | DoorError::Stale(_))) => {
            page.wrong.push(error.to_string());
            Ok(finished(error.into(), page.into_response()))
        }
        Err(error) => Err(error.into()),
    }
}

fn asked(frame: &Frame, trigger: Trigger) -> Asked {
    Asked {
        by: frame.name(),
        seen: None,
        dry_run: false,
        command: Command::Trigger(trigger),
    }
}

/// A run with its params' defaults that covers the last complete interval.
pub(super) fn plain_trigger(dag: &DagId) -> Trigger {
    Trigger {
        dag: dag.clone(),
        name: None,
        covers: None,
        params: Value::Object(Map::new()),
        version: None,
        note: None,
    }
}

/// Goes where the form was, or else to the run.
fn done(dag: &DagId, name: Option<&Arc<str>>, to: Option<String>) -> Response {
    let says = match name {
        Some(name) => format!("{dag} runs: {name}."),
        None => format!("{dag} runs: the run was there already."),
    };
    let to = to.filter(|to| !to.is_empty());
    let run = || name.map_or_else(|| paths::dag(dag), |name| paths::run(dag, name));
    Done::at(&to.unwrap_or_else(run), says).into_response()
}

/// What the form says, and the form with what is wrong with it: no trigger then.
fn read(mut page: TriggerPage, spec: &DagSpec, given: &Given) -> (TriggerPage, Option<Trigger>) {
    let text = |name: &str| given.get(name).map_or("", |text| text.trim()).to_owned();
    page.name.text = text("name");
    page.note.text = text("note");
    (page.start.text, page.end.text) = (text("start"), text("end"));
    if page.note.text.chars().count() > NOTE_CHARS_MAX {
        page.note.wrong = Some(format!("a note has at most {NOTE_CHARS_MAX} characters"));
    }
    let covers = covers(&mut page.start, &mut page.end);
    let filled = fill(&spec.definition.params, given);
    (page.fields, page.wrong) = (filled.fields, filled.wrong);
    let right = filled.params;
    let plain = [&page.name, &page.start, &page.end, &page.note];
    let right = right.filter(|_| plain.iter().all(|field| field.wrong.is_none()));
    let some = |text: &str| (!text.is_empty()).then(|| Arc::from(text));
    let trigger = right.map(|params| Trigger {
        name: some(&page.name.text),
        covers,
        params,
        note: some(&page.note.text),
        ..plain_trigger(&page.dag)
    });
    (page, trigger)
}

/// What the run covers: both ends, or neither.
fn covers(start: &mut Plain, end: &mut Plain) -> Option<(Timestamp, Timestamp)> {
    for field in [&mut *start, &mut *end] {
        if !field.text.is_empty() && instant(&field.text).is_none() {
            field.wrong = Some(
                "this is no time; write it as 2025-01-31 or 2025-01-31T06:00, in UTC".to_owned(),
            );
        }
    }
    let (from, to) = (instant(&start.text), instant(&end.text));
    match (start.text.is_empty(), end.text.is_empty()) {
        (true, false) => start.wrong = Some("give both ends, or neither".to_owned()),
        (false, true) => end.wrong = Some("give both ends, or neither".to_owned()),
        _ => {}
    }
    let (from, to) = (from?, to?);
    if from > to {
        end.wrong = Some("it ends before it begins".to_owned());
    }
    Some((from, to))
}

/// A date, or a time of UTC, however exactly it is written.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.with_timezone(&Utc).into());
    }
    let forms = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"];
    let timed = forms
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let dated = || {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
    };
    let at = timed.or_else(dated)?;
    Some(at.and_utc().into())
}
