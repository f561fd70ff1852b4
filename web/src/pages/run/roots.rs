//! What failed of itself in a run: those tasks come first, and what could not run because of them is a number.

use std::collections::{BTreeMap, HashSet};

use tidemill_core::protocol::{NOT_MAPPED, TaskNo};
use tidemill_core::state::TaskState;
use tidemill_store::history::{GridCell, TaskOfRun};

use super::read::{Of, Rows};
use crate::frame::Frame;
use crate::oops::Oops;
use crate::pages::home::alike;

/// So many causes are named.
const CAUSES_MAX: usize = 8;
/// Of so many failed tasks, those that failed first, the messages are read.
const FAILED_MAX: usize = 100;

/// A cause, and the tasks that failed for it.
pub(super) struct Root {
    pub(super) says: String,
    /// The tasks, each with its address.
    pub(super) tasks: Vec<(String, String)>,
    pub(super) log: String,
    pub(super) blocked: usize,
}

/// Causes, the one that holds most back first. `more` are not named.
pub(super) struct Roots {
    pub(super) roots: Vec<Root>,
    pub(super) more: usize,
}

/// None if nothing failed.
pub(super) async fn read(frame: &Frame, of: &Of, rows: &Rows) -> Result<Option<Roots>, Oops> {
    let cells = rows.whole();
    let mut first: Vec<&GridCell> = cells.values().copied().collect();
    first.retain(|cell| cell.state == TaskState::Failed);
    first.sort_unstable_by_key(|cell| (cell.since, cell.task));
    first.truncate(FAILED_MAX);
    let numbers: Vec<TaskNo> = first.iter().map(|cell| cell.task).collect();
    let whole = of.whole(frame, &numbers).await?;
    let mut failed: Vec<&TaskOfRun> = whole.values().collect();
    failed.sort_unstable_by_key(|row| (row.task.since, row.task.of.task));
    let mut causes: BTreeMap<String, Vec<&TaskOfRun>> = BTreeMap::new();
    for row in failed {
        let says = row.message.as_deref().or(row.why.as_deref());
        let says = says.unwrap_or("It failed without a message");
        causes.entry(alike(says)).or_default().push(row);
    }
    let root = |tasks: Vec<&TaskOfRun>| {
        let first = tasks.first()?;
        let says = first.message.as_deref().or(first.why.as_deref());
        let named = |row: &&TaskOfRun| {
            let name = row.task.name.as_str();
            (name.to_owned(), of.task_href(name, NOT_MAPPED))
        };
        let names = tasks.iter().map(|row| row.task.name.as_str());
        Some(Root {
            says: says
                .and_then(|says| says.lines().next())
                .unwrap_or("It failed without a message")
                .to_owned(),
            log: format!("{}#log", of.task_href(first.task.name.as_str(), NOT_MAPPED)),
            blocked: blocked(of, rows, names),
            tasks: tasks.iter().map(named).collect(),
        })
    };
    let mut roots: Vec<Root> = causes.into_values().filter_map(root).collect();
    roots.sort_by_key(|root| std::cmp::Reverse(root.blocked));
    let more = roots.len().saturating_sub(CAUSES_MAX);
    roots.truncate(CAUSES_MAX);
    Ok((!roots.is_empty()).then_some(Roots { roots, more }))
}

/// How many tasks after these could not run.
fn blocked<'a>(of: &'a Of, rows: &Rows, names: impl Iterator<Item = &'a str>) -> usize {
    let tasks = &of.spec.definition.tasks;
    let mut after: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for task in tasks {
        for before in &task.upstream {
            let after = after.entry(before.task.as_str()).or_default();
            after.push(task.id.as_str());
        }
    }
    let cells = rows.whole();
    let mut open: Vec<&str> = names.collect();
    let mut seen: HashSet<&str> = open.iter().copied().collect();
    let mut blocked = 0;
    while let Some(name) = open.pop() {
        for next in after.get(name).into_iter().flatten().copied() {
            let cell = cells.get(next);
            let is_blocked = cell.is_some_and(|cell| cell.state == TaskState::UpstreamFailed);
            if is_blocked && seen.insert(next) {
                blocked += 1;
                open.push(next);
            }
        }
    }
    blocked
}
