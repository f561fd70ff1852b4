//! Runs in which a task failed for one reason: since when, how often, and the way to each.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use serde::Deserialize;
use tidemill_core::protocol::{MapIndex, NOT_MAPPED};
use tidemill_core::time::Timestamp;
use tidemill_store::history::Failure;

use super::super::home::alike;
use super::super::page;
use super::log::Named;
use super::place::Place;
use super::tries::Tries;
use crate::frame::Frame;
use crate::html::When;
use crate::input::{Asking, At};
use crate::oops::Oops;
use crate::paths;
use crate::routes::ThisDag;

/// How far back, over how many failed runs, and how many tasks of them are compared.
const WITHIN: Duration = Duration::from_secs(7 * 86_400);
const RUNS: u32 = 200;
const TASKS: u32 = 1_000;

/// Which instance, and which attempt's message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AlikeQuery {
    index: Option<MapIndex>,
    attempt: Option<u32>,
}

struct RunLine {
    name: Arc<str>,
    href: String,
    log: String,
    covers: When,
    failed: When,
    attempts: u32,
    says: String,
    is_this: bool,
}

#[derive(Template)]
#[template(path = "alike.html")]
pub(crate) struct AlikePage {
    frame: Frame,
    place: Place,
    says: String,
    lines: Vec<RunLine>,
    since: Option<When>,
    /// The failed runs of these days, where something can be done with all of them.
    all: Option<String>,
}

page!(AlikePage);

/// Failures of this task with a message like this, one a run, the newest first.
pub(super) async fn failures(
    frame: &Frame,
    place: &Place,
    message: &str,
) -> Result<Vec<Failure>, Oops> {
    let within = i64::try_from(WITHIN.as_micros()).unwrap_or(i64::MAX);
    let since = Timestamp::from_micros(frame.now.micros().saturating_sub(within));
    let dag = std::slice::from_ref(&place.dag);
    let store = frame.web.store();
    let found = store.failures(since, Some(dag), (RUNS, TASKS)).await?;
    let this = alike(message);
    let mut like: Vec<Failure> = found
        .into_iter()
        .filter(|one| one.run.dag == place.dag && one.task == place.task)
        .filter(|one| {
            let says = one.message.as_deref();
            says.is_some_and(|says| alike(says) == this)
        })
        .collect();
    // Of a mapped task the first instance of each run stands for all.
    like.sort_by_key(|one| (std::cmp::Reverse(one.run.id), one.of.map_index));
    like.dedup_by_key(|one| one.run.id);
    like.sort_by_key(|one| std::cmp::Reverse(one.since));
    Ok(like)
}

pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, run, task)): Named,
    Asking(query): Asking<AlikeQuery>,
) -> Result<AlikePage, Oops> {
    let index = query.index.unwrap_or(NOT_MAPPED);
    let place = Place::find(&frame, &dag, (&run, &task, index)).await?;
    let tries = Tries::read(&frame, &place, query.attempt).await?;
    let says = tries.selected().filter(|one| one.failed);
    let says = says.and_then(|one| one.message.clone());
    let says = says.ok_or_else(|| Oops::not_found("this attempt did not fail with a message"))?;
    let found = failures(&frame, &place, &says).await?;
    let line = |one: &Failure| {
        let task = paths::task(&dag, &one.run.name, one.task.as_str(), one.of.map_index);
        RunLine {
            name: Arc::clone(&one.run.name),
            href: paths::run(&dag, &one.run.name),
            log: format!("{task}#log"),
            covers: When(one.run.start),
            failed: When(one.since),
            attempts: one.number.unwrap_or(0),
            says: one.message.as_deref().unwrap_or_default().to_owned(),
            is_this: one.run.id == place.run.id,
        }
    };
    let days = |at: Timestamp| at.date().format("%Y-%m-%d").to_string();
    let starts = || found.iter().map(|one| one.run.start);
    let all = starts().min().zip(starts().max()).map(|(from, to)| {
        let (from, to) = (days(from), days(to));
        format!("/runs?dag={dag}&state=failed&from={from}&to={to}")
    });
    Ok(AlikePage {
        says: says.to_string(),
        since: found.last().map(|one| When(one.since)),
        lines: found.iter().map(line).collect(),
        all,
        place,
        frame,
    })
}
