//! What lists show of runs and DAGs.

use std::collections::HashMap;
use std::sync::Arc;

use tidemill_core::id::DagId;
use tidemill_core::spec::{DagSpec, Definition, Schedule, Timing};
use tidemill_core::time::Timestamp;
use tidemill_core::timetable::Due;
use tidemill_store::history::Cursor;
use tidemill_store::record::{DagRow, RunHead, RunRow};

use crate::frame::Frame;
use crate::html::{Bar, Chip, Html, Since, Until, When, bars, took};
use crate::oops::Oops;
use crate::paths;

/// How many recent runs a list shows as bars.
pub(crate) const BARS: u32 = 14;

/// A run in a list.
pub(crate) struct RunLine {
    pub(crate) dag: DagId,
    pub(crate) name: Arc<str>,
    pub(crate) href: String,
    pub(crate) chip: Chip,
    pub(crate) kind: &'static str,
    pub(crate) start: When,
    pub(crate) started: Option<When>,
    pub(crate) took: Html,
    pub(crate) why: Option<Arc<str>>,
}

impl RunLine {
    pub(crate) fn new(run: &RunRow, now: Timestamp) -> Self {
        Self {
            href: paths::run(&run.dag, &run.name),
            dag: run.dag.clone(),
            name: Arc::clone(&run.name),
            chip: run.state.into(),
            kind: run.kind.word(),
            start: When(run.start),
            started: run.started_at.map(When),
            took: time(run.started_at, run.ended_at, now),
            why: run.quarantine.clone().or_else(|| run.why.clone()),
        }
    }

    pub(crate) fn of_head(run: &RunHead) -> Self {
        Self {
            href: paths::run(&run.dag, &run.name),
            dag: run.dag.clone(),
            name: Arc::clone(&run.name),
            chip: run.state.into(),
            kind: run.kind.word(),
            start: When(run.start),
            started: run.started_at.map(When),
            took: Html::default(),
            why: None,
        }
    }
}

/// How long a run took, so far.
pub(crate) fn lasted(
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    now: Timestamp,
) -> Option<std::time::Duration> {
    started.map(|started| ended.unwrap_or(now).since(started))
}

/// The bar of a run.
pub(crate) fn bar(run: &RunHead, now: Timestamp) -> Bar {
    Bar {
        chip: run.state.into(),
        took: lasted(run.started_at, run.ended_at, now),
        name: run.name.to_string(),
        href: paths::run(&run.dag, &run.name),
    }
}

/// A DAG, with what it is.
pub(crate) struct Known {
    pub(crate) row: DagRow,
    pub(crate) spec: Arc<DagSpec>,
}

/// The DAGs that are there and that this person may see, by name.
pub(crate) async fn known(frame: &Frame) -> Result<Vec<Known>, Oops> {
    let mut known = Vec::new();
    for row in frame.web.store().dags().await? {
        if let Some(version) = row.version.as_ref().filter(|_| frame.sees(&row.id)) {
            let spec = frame.web.specs();
            if let Some(spec) = spec.of(frame.web.store(), &row.id, version).await? {
                known.push(Known { row, spec });
            }
        }
    }
    Ok(known)
}

/// The recent runs of all DAGs, the newest first.
pub(crate) async fn recent(frame: &Frame) -> Result<HashMap<DagId, Vec<RunHead>>, Oops> {
    let mut recent: HashMap<DagId, Vec<RunHead>> = HashMap::new();
    for run in frame.web.store().recent_runs(BARS).await? {
        recent.entry(run.dag.clone()).or_default().push(run);
    }
    Ok(recent)
}

/// Recent runs as bars, the newest on the right.
pub(crate) fn recent_bars(runs: &[RunHead], now: Timestamp) -> Html {
    let runs: Vec<Bar> = runs.iter().rev().map(|run| bar(run, now)).collect();
    bars(&runs, (7, 9, 26))
}

/// When the next run of a DAG is due by its timetable.
pub(crate) fn next_due(known: &Known, now: Timestamp) -> Option<Timestamp> {
    if known.row.paused {
        return None;
    }
    let definition = &known.spec.definition;
    if matches!(definition.schedule, Schedule::Once | Schedule::Continuous) {
        return None;
    }
    let last = known.row.last_due.map(|(start, end, run_after)| Due {
        start: start.date(),
        end: end.date(),
        run_after: run_after.date(),
    });
    let due = definition
        .schedule
        .next_due(&definition.window(), last, now.date())?;
    Some(due.run_after.into())
}

/// The tables that a DAG's tasks write, with how.
pub(crate) fn written(definition: &Definition) -> Vec<String> {
    let tasks = definition.tasks.iter();
    let writes = tasks.flat_map(|task| &task.touches.writes);
    let mut writes: Vec<String> = writes
        .map(|to| format!("{} {}", to.mode, to.table))
        .collect();
    writes.sort();
    writes.dedup();
    writes
}

/// When a DAG runs, in words.
pub(crate) fn schedule(schedule: &Schedule) -> String {
    let timed = |timing: &Timing| match timing {
        Timing::Cron { crons, zone, .. } => {
            let crons: Vec<String> = crons.iter().map(|cron| cron.describe()).collect();
            format!("{} {zone}", crons.join("; "))
        }
        Timing::Every { period, .. } => format!("every {}", took(*period)),
        Timing::Dates { at } => format!("at {} dates", at.len()),
    };
    match schedule {
        Schedule::Manual => "by hand".to_owned(),
        Schedule::Once => "once".to_owned(),
        Schedule::Continuous => "again and again".to_owned(),
        Schedule::Timed(timing) => timed(timing),
        Schedule::Assets(_) => "when assets change".to_owned(),
        Schedule::AssetsOrTimed(_, timing) => format!("when assets change, and {}", timed(timing)),
    }
}

/// When it runs next, in words that stay current.
pub(crate) fn next(known: &Known, now: Timestamp) -> Html {
    match next_due(known, now) {
        Some(at) => Html::of_until(Until { now, at }),
        None => Html::text("–"),
    }
}

/// How long a run took; of one that is on, in words that stay current.
pub(crate) fn time(started: Option<Timestamp>, ended: Option<Timestamp>, now: Timestamp) -> Html {
    match (started, ended) {
        (None, _) => Html::text("–"),
        (Some(at), None) => Html::of_since(Since { now, at }),
        (Some(started), Some(ended)) => Html::text(&took(ended.since(started))),
    }
}

/// A place in a list of runs, as an address has it; the top if there is none.
pub(crate) fn place(text: &str) -> Result<Cursor, Oops> {
    if text.is_empty() {
        return Ok(Cursor::START);
    }
    let parts = text.split_once('.');
    let parts = parts.and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    let wrong = || Oops::invalid("this place in the list cannot be read; begin at its top");
    let (at, id) = parts.ok_or_else(wrong)?;
    Ok(Cursor {
        at: Timestamp::from_micros(at),
        id,
        nth: 0,
    })
}

/// A place as [`place`] reads it.
pub(crate) fn placed(at: Cursor) -> String {
    format!("{}.{}", at.at.micros(), at.id)
}

/// Refuses whoever may not change a DAG, of what is found by something else than its path.
pub(crate) fn must_operate(frame: &Frame, dag: &DagId) -> Result<(), Oops> {
    let who = frame.who().ok_or(Oops::SignIn)?;
    let may = who.may_to(tidemill_access::Action::Operate, dag);
    may.map_err(|denied| Oops::from(crate::access::Refused::Denied(denied)))
}
