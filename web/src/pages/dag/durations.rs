//! How long the runs of a DAG take, and which of its tasks make them so.

use std::collections::HashMap;
use std::time::Duration;

use askama::Template;
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_core::protocol::{NOT_MAPPED, RunNo};
use tidemill_core::spec::DagSpec;
use tidemill_core::state::RunState;
use tidemill_store::history::{Cursor, RunFilter};
use tidemill_store::record::RunRow;

use super::super::page;
use super::super::rows::lasted;
use super::head::{Head, View};
use super::runs::waited;
use super::tasks::{Spans, TaskTimes, Trend, times, trend};
use crate::frame::Frame;
use crate::html::{Column, Html, chart, took};
use crate::input::Asking;
use crate::oops::Oops;
use crate::paths;
use crate::routes::ThisDag;

/// How many runs can be looked at.
const CHOICES: [u32; 5] = [20, 50, 100, 200, 500];
const RUNS: u32 = 50;
/// The times of tasks are read from about so many squares: of a wide DAG fewer runs are looked at.
const SQUARES_MAX: usize = 10_000;
const TASK_RUNS_MIN: usize = 3;
const TASK_RUNS_MAX: usize = 50;
/// Tasks on a page.
const ROWS: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DurationsQuery {
    /// How many runs are looked at.
    last: Option<u32>,
    /// Which task of the list is the first.
    from: usize,
}

/// A task in the list.
struct Line {
    name: String,
    href: Option<String>,
    runs: usize,
    failed: usize,
    median: String,
    most: String,
    last: String,
    trend: String,
    trend_class: &'static str,
    waited: String,
}

#[derive(Template)]
#[template(path = "dag_durations.html")]
pub(crate) struct DurationsPage {
    frame: Frame,
    head: Head,
    last: u32,
    choices: [u32; 5],
    /// None if no run has begun.
    drawn: Option<Html>,
    facts: Vec<(&'static str, String)>,
    lines: Vec<Line>,
    task_runs: usize,
    shown: String,
    before: Option<String>,
    after: Option<String>,
}

page!(DurationsPage);

pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Asking(query): Asking<DurationsQuery>,
) -> Result<DurationsPage, Oops> {
    let wanted = query.last.unwrap_or(RUNS);
    let last = CHOICES.iter().rev().find(|choice| **choice <= wanted);
    let last = last.copied().unwrap_or(CHOICES[0]);
    let (head, known) = Head::read(&frame, &dag, View::Durations).await?;
    let store = frame.web.store();
    let of = RunFilter {
        dag: Some(dag.clone()),
        ..RunFilter::default()
    };
    let runs = store.runs(&of, Cursor::START, last).await?;
    let task_runs = task_runs(&known.spec, last);
    let grid = store.grid(&dag, Cursor::START, task_runs).await?;
    let times = times(&known.spec, &grid);
    let from = query.from.min(times.len());
    let to = times.len().min(from.saturating_add(ROWS));
    let at = |from: usize| format!("{}/durations?last={last}&from={from}", paths::dag(&dag));
    let names: HashMap<RunNo, &str> = grid.runs.iter().map(|run| (run.id, &*run.name)).collect();
    let spans = well(&runs);
    let median = Spans::of(spans.iter().copied()).median();
    let began = runs.iter().any(|run| run.started_at.is_some());
    let lines = times[from..to]
        .iter()
        .map(|times| line(&dag, times, &names));
    Ok(DurationsPage {
        last,
        choices: CHOICES,
        drawn: began.then(|| chart(&columns(&frame, &runs), median)),
        facts: facts(&runs, &spans),
        lines: lines.collect(),
        task_runs: grid.runs.len(),
        shown: match times.len() {
            many if many > ROWS => format!("tasks {} to {to} of {many}", from + 1),
            _ => String::new(),
        },
        before: (from > 0).then(|| at(from.saturating_sub(ROWS))),
        after: (to < times.len()).then(|| at(to)),
        head,
        frame,
    })
}

/// Over how many of the last runs the tasks of a DAG are looked at.
pub(super) fn task_runs(spec: &DagSpec, last: u32) -> u32 {
    let tasks = spec.definition.tasks.len().max(1);
    let most = (last as usize).min(TASK_RUNS_MAX);
    let runs = (SQUARES_MAX / tasks).clamp(TASK_RUNS_MIN, TASK_RUNS_MAX);
    u32::try_from(runs.min(most)).unwrap_or(last)
}

/// How long the runs took that ended well, the newest first.
pub(super) fn well(runs: &[RunRow]) -> Vec<Duration> {
    let well = runs.iter().filter(|run| run.state == RunState::Success);
    let span = |run: &RunRow| Some(run.ended_at?.since(run.started_at?));
    well.filter_map(span).collect()
}

fn columns(frame: &Frame, runs: &[RunRow]) -> Vec<Column> {
    let column = |at: usize| {
        let run = &runs[at];
        let before = runs.get(at + 1);
        let before = before.filter(|before| before.version != run.version);
        Column {
            chip: run.state.into(),
            name: run.name.to_string(),
            href: paths::run(&run.dag, &run.name),
            ran: lasted(run.started_at, run.ended_at, frame.now),
            waited: waited(run),
            changed: before.map(|before| paths::diff(&run.dag, (&before.version, &run.version))),
        }
    };
    (0..runs.len()).rev().map(column).collect()
}

fn facts(runs: &[RunRow], spans: &[Duration]) -> Vec<(&'static str, String)> {
    let sorted = Spans::of(spans.iter().copied());
    let waits = Spans::of(runs.iter().filter_map(waited));
    let failed = runs.iter().filter(|run| run.state == RunState::Failed);
    let mut facts = Vec::new();
    let mut length =
        |word, span: Option<Duration>| facts.extend(span.map(|span| (word, took(span))));
    length("Median of those that were well", sorted.median());
    length("95 of 100 took at most", sorted.hundredth(95));
    length("The last took", spans.first().copied());
    length("Median wait before they began", waits.median());
    let trend = say(trend(spans)).0;
    if !trend.is_empty() {
        facts.push(("Newer half against older", trend));
    }
    facts.push(("Failed", format!("{} of {}", failed.count(), runs.len())));
    facts
}

fn say(trend: Trend) -> (String, &'static str) {
    match trend {
        Trend::Unknown => (String::new(), ""),
        Trend::Steady => ("steady".to_owned(), "muted"),
        Trend::Slower(by) => (format!("↑ slower by {by} %"), "slower"),
        Trend::Faster(by) => (format!("↓ faster by {by} %"), "faster"),
    }
}

fn line(dag: &DagId, times: &TaskTimes, names: &HashMap<RunNo, &str>) -> Line {
    let said = |span: Option<Duration>| span.map_or_else(|| "–".to_owned(), took);
    let last = times.last.and_then(|(run, _)| names.get(&run));
    let (trend, trend_class) = say(times.trend);
    Line {
        href: last.map(|run| paths::task(dag, run, &times.name, NOT_MAPPED)),
        name: times.name.clone(),
        runs: times.runs,
        failed: times.failed,
        median: said(times.median),
        most: said(times.most),
        last: said(times.last.map(|(_, span)| span)),
        trend,
        trend_class,
        waited: said(times.waited),
    }
}
