//! Alerts: what the world was to be told, whether it was, and once more.

use std::sync::Arc;

use askama::Template;
use serde::Deserialize;
use serde_json::Value;
use tidemill_access::Action;
use tidemill_core::id::DagId;
use tidemill_store::access::By;
use tidemill_store::outbox::{Letter, OutboxState};

use super::page;
use crate::frame::Frame;
use crate::html::{Chip, Tone, When, in_time};
use crate::input::{Asking, At, Sent};
use crate::oops::Oops;
use crate::paths;
use crate::said::Done;

const ROWS: u32 = 100;
const STATES: [(&str, &str); 4] = [
    ("", "All"),
    ("dead", "Not delivered"),
    ("pending", "To be delivered"),
    ("sent", "Delivered"),
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AlertsQuery {
    state: String,
    before: Option<i64>,
}

/// An alert.
struct Line {
    id: i64,
    at: When,
    severity: &'static str,
    route: String,
    about: String,
    href: Option<String>,
    says: Vec<String>,
    chip: Chip,
    tries: u32,
    next: Option<String>,
    error: Option<Arc<str>>,
    is_dead: bool,
}

#[derive(Template)]
#[template(path = "alerts.html")]
pub(crate) struct AlertsPage {
    frame: Frame,
    filters: Vec<(&'static str, String, bool)>,
    lines: Vec<Line>,
    older: Option<String>,
    shares: bool,
    is_all: bool,
}

page!(AlertsPage);

/// The DAG and run that an alert names.
fn about(body: &Value) -> Option<(DagId, Option<&str>)> {
    let dag = DagId::parse(body.get("dag")?.as_str()?).ok()?;
    Some((dag, body.get("run").and_then(Value::as_str)))
}

/// Whether somebody may know of an alert: of its DAG, or of the platform if it is about no DAG.
pub(crate) fn sees(frame: &Frame, letter: &Letter) -> bool {
    let body = serde_json::from_str(&letter.due.row.body).unwrap_or(Value::Null);
    match about(&body) {
        Some((dag, _)) => frame.sees(&dag),
        None => frame.who().is_some_and(crate::access::Principal::sees_all),
    }
}

pub(crate) async fn show(
    frame: Frame,
    Asking(query): Asking<AlertsQuery>,
) -> Result<AlertsPage, Oops> {
    let state = match query.state.as_str() {
        "" => None,
        state => Some(state.parse::<OutboxState>().map_err(Oops::invalid)?),
    };
    let before = query.before.unwrap_or(i64::MAX);
    let among = frame.among().await?;
    let store = frame.web.store();
    let letters = store.letters(state, among.as_deref(), before, ROWS);
    let letters = letters.await?;
    let older = letters.last().filter(|_| letters.len() == ROWS as usize);
    let older =
        older.map(|last| format!("/alerts?state={}&before={}", query.state, last.due.row.id));
    let seen = letters.into_iter().filter(|letter| sees(&frame, letter));
    let filter = |(state, word): &(&'static str, &'static str)| {
        (
            *word,
            format!("/alerts?state={state}"),
            *state == query.state,
        )
    };
    Ok(AlertsPage {
        lines: seen.map(|letter| line(&frame, letter)).collect(),
        filters: STATES.iter().map(filter).collect(),
        older,
        shares: frame.may(Action::Share),
        is_all: query.state.is_empty(),
        frame,
    })
}

fn line(frame: &Frame, letter: Letter) -> Line {
    let row = letter.due.row;
    let body: Value = serde_json::from_str(&row.body).unwrap_or(Value::Null);
    let text = |name: &str| {
        let found = body.get(name).and_then(Value::as_str);
        found.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let about = about(&body);
    let task = text("task");
    let mut says: Vec<String> = ["on", "why", "says", "note"]
        .iter()
        .filter_map(|name| text(name))
        .collect();
    if says.is_empty() && about.is_none() {
        says.push(row.body.to_string());
    }
    Line {
        id: row.id,
        at: When(row.at),
        severity: row.severity.word(),
        route: row.route.to_string(),
        href: about.as_ref().map(|(dag, run)| match (run, &task) {
            (Some(run), Some(task)) => {
                paths::task(dag, run, task, tidemill_core::protocol::NOT_MAPPED)
            }
            (Some(run), None) => paths::run(dag, run),
            (None, _) => paths::dag(dag),
        }),
        about: match about {
            Some((dag, run)) => {
                let parts = [Some(dag.to_string()), run.map(str::to_owned), task];
                parts.into_iter().flatten().collect::<Vec<_>>().join(" / ")
            }
            None => row.key.to_string(),
        },
        says,
        chip: match letter.state {
            OutboxState::Pending => Chip::new(Tone::Queue, "To be delivered"),
            OutboxState::Sent => Chip::new(Tone::Ok, "Delivered"),
            OutboxState::Dead => Chip::new(Tone::Fail, "Not delivered"),
        },
        tries: letter.due.tries,
        next: (letter.state == OutboxState::Pending && letter.due.tries > 0)
            .then(|| in_time(frame.now, letter.next_at)),
        error: letter.last_error,
        is_dead: letter.state == OutboxState::Dead,
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct AgainForm {
    /// Which try was the last that was seen.
    seen: u32,
}

/// Has one delivered once more that could not be.
pub(crate) async fn again(
    frame: Frame,
    At(id): At<i64>,
    Sent(form): Sent<AgainForm>,
) -> Result<Done, Oops> {
    let store = frame.web.store();
    let gone = || Oops::not_found("there is no such alert, or you may not see it");
    let found = store.letters(None, None, id.saturating_add(1), 1).await?;
    let found = found.into_iter().find(|letter| letter.due.row.id == id);
    let letter = found
        .filter(|letter| sees(&frame, letter))
        .ok_or_else(gone)?;
    let (who, at) = (frame.name(), frame.now);
    let by = By { who: &who, at };
    // A second click finds it on its way already.
    if letter.due.tries != form.seen || !store.outbox_again(&letter.due, by).await? {
        let says = "Somebody had it delivered once more already; nothing was changed.";
        return Ok(Done::at("/alerts", says));
    }
    Ok(Done::at("/alerts", "It is delivered once more."))
}
