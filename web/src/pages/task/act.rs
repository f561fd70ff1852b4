//! What people do with a task: run it again, mark it. Each is shown first, exactly as it will be, and refused if by then it would
//! be something else.

use std::sync::Arc;

use askama::Template;
use serde::Deserialize;
use tidemill_core::protocol::{MapIndex, NOT_MAPPED};
use tidemill_core::state::TaskState;
use tidemill_scheduler::engine::{
    Around, Changed, Command, RunVersion, Select, Selected, TaskChange,
};

use super::super::page;
use super::place::Place;
use crate::frame::Frame;
use crate::html::Chip;
use crate::input::{Asking, At, Sent};
use crate::oops::Oops;
use crate::paths;
use crate::routes::ThisDag;
use crate::said::Done;
use crate::shown::{ask, carry_out, fingerprint};

/// So many tasks are listed; the others are counted.
const LISTED_MAX: usize = 500;
const NOTE_CHARS_MAX: usize = 2_000;

/// What else is meant besides the task: the word in the address, and for people.
const SCOPES: [(&str, &str); 6] = [
    ("this", "This task only"),
    ("blocked", "This task and what could not run because of it"),
    ("downstream", "This task and everything after it"),
    ("upstream", "This task and everything before it"),
    ("failed", "Everything that failed in this run"),
    ("run", "The whole run"),
];
/// What can be marked besides the task.
const MARKED: [(&str, &str); 2] = [SCOPES[0], SCOPES[2]];
const STATES: [(&str, &str); 3] = [
    ("success", "Success: what follows can run"),
    ("failed", "Failed: an attempt that is on is ended"),
    ("skipped", "Skipped: what follows is decided by its rules"),
];

/// What is to be done, in an address or a form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Act {
    index: Option<MapIndex>,
    scope: String,
    /// `newest`: with the newest version of the DAG.
    code: String,
    /// What it is marked as.
    state: String,
    note: String,
    /// The `edits` that its author saw.
    seen: Option<u32>,
    /// What its author was shown, as a hash.
    shown: String,
}

/// A task that would be changed.
pub(crate) struct ChangeLine {
    name: String,
    href: Option<String>,
    from: Chip,
    to: Chip,
}

#[derive(Template)]
#[template(path = "act.html")]
pub(crate) struct ActPage {
    frame: Frame,
    place: Place,
    act: Act,
    is_mark: bool,
    action: String,
    scopes: &'static [(&'static str, &'static str)],
    states: &'static [(&'static str, &'static str)],
    lines: Vec<ChangeLine>,
    total: usize,
    writes_again: Vec<Arc<str>>,
    writes: Vec<String>,
    remarks: Vec<String>,
    seen: u32,
    shown: String,
    button: String,
}

page!(ActPage);

impl Act {
    fn scope(&self) -> &str {
        if self.scope.is_empty() {
            "this"
        } else {
            &self.scope
        }
    }

    fn state_word(&self) -> &str {
        if self.state.is_empty() {
            "success"
        } else {
            &self.state
        }
    }

    fn note(&self) -> Option<Arc<str>> {
        let note = self.note.trim();
        (!note.is_empty()).then(|| note.chars().take(NOTE_CHARS_MAX).collect::<String>().into())
    }

    fn select(&self, place: &Place) -> Result<(Select, Around), Oops> {
        let this = || Selected::Tasks(vec![(place.task.clone(), place.wanted_index())]);
        let mut around = Around::default();
        let tasks = match self.scope() {
            "this" => this(),
            "blocked" => {
                (around.downstream, around.only_failed) = (true, true);
                this()
            }
            "downstream" => {
                around.downstream = true;
                this()
            }
            "upstream" => {
                around.upstream = true;
                this()
            }
            "failed" => {
                around.only_failed = true;
                Selected::All
            }
            "run" => Selected::All,
            _ => {
                let says = "a scope is this, blocked, downstream, upstream, failed or run";
                return Err(Oops::invalid(says));
            }
        };
        let run = place.run.id;
        Ok((Select { run, tasks }, around))
    }

    fn clear(&self, place: &Place) -> Result<Command, Oops> {
        let (select, around) = self.select(place)?;
        Ok(Command::Clear {
            select,
            around,
            params: None,
            version: match self.code.as_str() {
                "" | "same" => RunVersion::Keep,
                "newest" => RunVersion::Newest,
                _ => return Err(Oops::invalid("code is same or newest")),
            },
            note: self.note(),
        })
    }

    fn mark(&self, place: &Place) -> Result<Command, Oops> {
        let (select, around) = self.select(place)?;
        let state = match self.state_word() {
            "success" => TaskState::Success,
            "failed" => TaskState::Failed,
            "skipped" => TaskState::Skipped,
            _ => {
                let says = "a task is marked as success, failed or skipped";
                return Err(Oops::invalid(says));
            }
        };
        Ok(Command::Mark {
            select,
            around,
            state,
            note: self.note(),
        })
    }

    /// The `edits` that its target has: those of the task if it alone is named, else of the run.
    fn edits(&self, place: &Place) -> u32 {
        let of_task = matches!(self.scope(), "this" | "blocked" | "downstream" | "upstream");
        let row = place.row.as_ref().filter(|_| of_task);
        row.map_or(place.run.edits, |row| row.edits)
    }
}

type Named = At<(String, String, String)>;

async fn found(frame: &Frame, dag: &ThisDag, named: &Named, act: &Act) -> Result<Place, Oops> {
    let At((_, run, task)) = named;
    let index = act.index.unwrap_or(NOT_MAPPED);
    Place::find(frame, &dag.0, (run, task, index)).await
}

/// Shows what would run again.
pub(crate) async fn preview_clear(
    frame: Frame,
    dag: ThisDag,
    named: Named,
    Asking(act): Asking<Act>,
) -> Result<ActPage, Oops> {
    let place = found(&frame, &dag, &named, &act).await?;
    let changed = ask(&frame, (None, true), act.clear(&place)?).await?;
    Ok(preview(frame, place, (act, false), changed))
}

/// Has it run again.
pub(crate) async fn clear(
    frame: Frame,
    dag: ThisDag,
    named: Named,
    Sent(act): Sent<Act>,
) -> Result<Done, Oops> {
    let place = found(&frame, &dag, &named, &act).await?;
    let changed = carry_out(&frame, (act.seen, &act.shown), act.clear(&place)?).await?;
    let says = format!("{} again.", counted(changed.tasks.len(), "runs", "run"));
    Ok(Done::at(&place.href(), says))
}

/// Shows what would be marked.
pub(crate) async fn preview_mark(
    frame: Frame,
    dag: ThisDag,
    named: Named,
    Asking(act): Asking<Act>,
) -> Result<ActPage, Oops> {
    let place = found(&frame, &dag, &named, &act).await?;
    let changed = ask(&frame, (None, true), act.mark(&place)?).await?;
    Ok(preview(frame, place, (act, true), changed))
}

/// Marks it. A note is wanted: whoever looks later has to know why.
pub(crate) async fn mark(
    frame: Frame,
    dag: ThisDag,
    named: Named,
    Sent(act): Sent<Act>,
) -> Result<Done, Oops> {
    if act.note().is_none() {
        return Err(Oops::invalid(
            "a note is missing: say why this is marked, for whoever looks later",
        ));
    }
    let place = found(&frame, &dag, &named, &act).await?;
    let changed = carry_out(&frame, (act.seen, &act.shown), act.mark(&place)?).await?;
    let says = counted(changed.tasks.len(), "was", "were");
    Ok(Done::at(
        &place.href(),
        format!("{says} changed: marked {}.", act.state_word()),
    ))
}

fn counted(many: usize, one: &str, more: &str) -> String {
    if many == 1 {
        format!("1 task {one}")
    } else {
        format!("{many} tasks {more}")
    }
}

fn preview(frame: Frame, place: Place, (act, is_mark): (Act, bool), changed: Changed) -> ActPage {
    let line = |change: &TaskChange| {
        let index = change.of.map_index;
        let name = match index {
            NOT_MAPPED => change.name.to_string(),
            index => format!("{}[{index}]", change.name),
        };
        let ours = change.of.run == place.run.id;
        ChangeLine {
            name,
            href: ours
                .then(|| paths::task(&place.dag, &place.run.name, change.name.as_str(), index)),
            from: change.from.into(),
            to: change.to.into(),
        }
    };
    // What had not succeeded is not written again, but it is written.
    let unfinished = changed
        .tasks
        .iter()
        .filter(|change| !is_mark && change.from != TaskState::Success);
    let mut writes: Vec<String> = unfinished
        .filter_map(|change| place.spec.definition.task(change.name.as_str()))
        .flat_map(|spec| &spec.touches.writes)
        .map(|to| format!("{} {}", to.mode, to.table))
        .filter(|to| !changed.writes_again.iter().any(|again| **again == **to))
        .collect();
    writes.sort_unstable();
    writes.dedup();
    let total = changed.tasks.len();
    let noun = if total == 1 { "task" } else { "tasks" };
    ActPage {
        action: place.sub(if is_mark { "mark" } else { "clear" }),
        scopes: if is_mark { &MARKED } else { &SCOPES },
        states: &STATES,
        lines: changed.tasks.iter().take(LISTED_MAX).map(line).collect(),
        total,
        shown: fingerprint(&changed),
        writes_again: changed.writes_again,
        writes,
        remarks: changed.remarks,
        seen: act.edits(&place),
        button: if is_mark {
            format!("Mark {total} {noun}")
        } else {
            format!("Run {total} {noun} again")
        },
        is_mark,
        act,
        place,
        frame,
    }
}
