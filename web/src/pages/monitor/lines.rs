//! What lists and pages show of a load, and of what came of a check.

use tidemill_core::id::DagId;
use tidemill_core::protocol::NOT_MAPPED;
use tidemill_store::history::{CheckMark, Cursor, Named};
use tidemill_store::record::{CheckRow, LoadRow};

use crate::html::{Chip, Mark, Tone, When, bytes, grouped, took};
use crate::oops::Oops;
use crate::paths;

/// A link: words, and where it leads.
pub(super) type Link = (String, String);

/// A load in a list.
pub(crate) struct LoadLine {
    pub(crate) href: String,
    pub(crate) into: String,
    pub(crate) partition: Option<String>,
    pub(crate) mode: String,
    pub(crate) dag: DagId,
    pub(crate) dag_href: String,
    pub(crate) task: Option<Link>,
    pub(crate) run: Option<Link>,
    pub(crate) chip: Chip,
    /// The first line of what went wrong.
    pub(crate) error: String,
    pub(crate) before: String,
    pub(crate) loaded: String,
    pub(crate) after: String,
    pub(crate) rejected: Option<String>,
    pub(crate) read: String,
    pub(crate) at: When,
    pub(crate) took: String,
    pub(crate) job: Option<Link>,
}

/// A number that may not be known.
pub(super) fn number(value: Option<i64>) -> String {
    value.map_or_else(|| "–".to_owned(), grouped)
}

pub(super) fn load_chip(status: &str) -> Chip {
    if status == "success" {
        Chip::new(Tone::Ok, "Success")
    } else {
        Chip::new(Tone::Fail, "Failed")
    }
}

pub(super) fn check_chip(status: &str) -> Chip {
    match status {
        "passed" => Chip::new(Tone::Ok, "Passed"),
        "warned" => Chip::new(Tone::Retry, "Warning"),
        "failed" => Chip::new(Tone::Fail, "Failed"),
        _ => Chip::new(Tone::Up, "Error"),
    }
}

/// Where the task is that left a row behind; none once its run was cleaned away.
pub(super) fn task_of<T>(
    named: &Named<T>,
    dag: &DagId,
    of: tidemill_core::protocol::InstanceRef,
) -> Option<Link> {
    let (run, task) = (named.run.as_deref()?, named.task.as_ref()?);
    let words = match of.map_index {
        NOT_MAPPED => task.to_string(),
        index => format!("{task}[{index}]"),
    };
    Some((words, paths::task(dag, run, task.as_str(), of.map_index)))
}

fn run_of<T>(named: &Named<T>, dag: &DagId) -> Option<Link> {
    let run = named.run.as_deref()?;
    Some((run.to_owned(), paths::run(dag, run)))
}

/// The job outside. A task said where it is: nothing else than a web page is a link.
pub(super) fn job_of(row: &LoadRow) -> Option<Link> {
    let href = row.load.job_url.clone()?;
    let words = row.load.job_id.as_deref().unwrap_or("Job outside");
    href.starts_with("https://")
        .then(|| (words.to_owned(), href))
}

pub(super) fn load_href(row: &LoadRow) -> String {
    format!("{}/loads/{}.{}", paths::dag(&row.dag), row.attempt, row.nth)
}

pub(super) fn check_href(
    dag: &DagId,
    attempt: tidemill_core::protocol::AttemptNo,
    nth: u32,
) -> String {
    format!("{}/checks/{attempt}.{nth}", paths::dag(dag))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

impl LoadLine {
    pub(super) fn new(named: &Named<LoadRow>) -> Self {
        let row = &named.row;
        let load = &row.load;
        let files = match load.files {
            0 => String::new(),
            1 => "1 file, ".to_owned(),
            many => format!("{} files, ", grouped(many)),
        };
        Self {
            href: load_href(row),
            into: load.destination.clone(),
            partition: load.partition.clone(),
            mode: load.mode.clone(),
            dag: row.dag.clone(),
            dag_href: paths::dag(&row.dag),
            task: task_of(named, &row.dag, row.of),
            run: run_of(named, &row.dag),
            chip: load_chip(&load.status),
            error: first_line(load.error.as_deref().unwrap_or_default()),
            before: number(load.rows_before),
            loaded: grouped(load.rows_loaded),
            after: number(load.rows_after),
            rejected: (load.rows_rejected != 0).then(|| grouped(load.rows_rejected)),
            read: format!("{files}{}", bytes(load.bytes_read)),
            at: When(load.ended_at),
            took: took(load.ended_at.since(load.started_at)),
            job: job_of(row),
        }
    }
}

/// What came of a check, in a list.
pub(crate) struct CheckLine {
    pub(crate) href: String,
    pub(crate) name: String,
    pub(crate) table: String,
    pub(crate) chip: Chip,
    pub(crate) cause: String,
    pub(crate) failing: String,
}

impl CheckLine {
    pub(super) fn new(row: &CheckRow) -> Self {
        let result = &row.result;
        Self {
            href: check_href(&row.dag, row.attempt, row.nth),
            name: result.name.clone(),
            table: result.table.clone(),
            chip: check_chip(&result.status),
            cause: first_line(&result.cause),
            failing: failing(result.rows_failed, result.rows_checked),
        }
    }
}

/// How many rows failed of how many.
pub(super) fn failing(failed: Option<i64>, checked: Option<i64>) -> String {
    match (failed, checked) {
        (None, _) => "–".to_owned(),
        (Some(failed), None) => grouped(failed),
        (Some(failed), Some(checked)) => format!("{} of {}", grouped(failed), grouped(checked)),
    }
}

/// Results of a check as squares: the newest comes first in what is given, and last in the drawing.
pub(super) fn history(dag: &DagId, last: &[CheckMark]) -> Vec<Mark> {
    let mark = |mark: &CheckMark| {
        let chip = check_chip(&mark.status);
        let at = mark.at.date().format("%-d %b %H:%M");
        let rows = match mark.rows_failed {
            Some(rows) if rows > 0 => format!(", {} rows failed", grouped(rows)),
            _ => String::new(),
        };
        Mark {
            tone: chip.tone,
            says: format!("{at} UTC: {}{rows}", chip.word()),
            href: check_href(dag, mark.attempt, mark.nth),
        }
    };
    last.iter().rev().map(mark).collect()
}

/// A place in a list of loads, as an address has it; the top if there is none.
pub(super) fn place(text: &str) -> Result<Cursor, Oops> {
    if text.is_empty() {
        return Ok(Cursor::START);
    }
    let mut parts = text.split('.').map(|part| part.parse::<i64>().ok());
    let mut next = || parts.next().flatten();
    let wrong = || Oops::invalid("this place in the list cannot be read; begin at its top");
    match (next(), next(), next()) {
        (Some(at), Some(id), Some(nth)) => Ok(Cursor {
            at: tidemill_core::time::Timestamp::from_micros(at),
            id,
            nth: u32::try_from(nth).map_err(|_| wrong())?,
        }),
        _ => Err(wrong()),
    }
}

/// A place as [`place`] reads it.
pub(super) fn placed(at: Cursor) -> String {
    format!("{}.{}.{}", at.at.micros(), at.id, at.nth)
}

/// An address with these parts in its query, those that are not empty.
pub(super) fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    let given = pairs.iter().filter(|(_, value)| !value.is_empty());
    let given: Vec<String> = given
        .map(|(name, value)| format!("{name}={}", paths::part(value)))
        .collect();
    if given.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", given.join("&"))
    }
}

/// A DAG that somebody typed.
pub(super) fn dag_of(text: &str) -> Result<Option<DagId>, Oops> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let dag = DagId::parse(text);
    dag.map(Some)
        .map_err(|error| Oops::invalid(format!("DAG: {error}")))
}

/// The DAGs that somebody may choose from.
pub(super) async fn dags(frame: &crate::frame::Frame) -> Result<Vec<DagId>, Oops> {
    let dags = frame.web.store().dags().await?.into_iter();
    Ok(dags
        .map(|row| row.id)
        .filter(|dag| frame.sees(dag))
        .collect())
}
