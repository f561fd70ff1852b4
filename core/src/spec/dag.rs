//! A whole DAG as data: its definition, which makes its version, and its notes, which do not.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use super::{AlertRule, Mapping, Schedule, TaskSpec, is_default};
use crate::id::{DagId, GroupId, TaskId};
use crate::params::ParamSpec;
use crate::span::as_optional_text;
use crate::version::Version;

/// What happens to a tick that comes while the last run is still on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// The new run waits.
    #[default]
    Queue,
    /// No run is made for it; the DAG's history says so.
    Skip,
    /// The old run is cancelled.
    CancelOld,
}

/// A group of tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSpec {
    /// Its full name.
    pub id: GroupId,
    /// The group around it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub parent: Option<GroupId>,
    /// How it becomes many.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mapping: Option<Mapping>,
}

/// Everything about a DAG that matters to a run. All of it goes into the version: what must not does not belong here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The DAG's name.
    pub id: DagId,
    /// When it runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub schedule: Schedule,
    /// The zone of its dates, where it is not the schedule's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub zone: Option<chrono_tz::Tz>,
    /// No run covers a time before this.
    #[serde(default, skip_serializing_if = "is_default")]
    pub start: Option<DateTime<Utc>>,
    /// No run covers a time after this.
    #[serde(default, skip_serializing_if = "is_default")]
    pub end: Option<DateTime<Utc>>,
    /// Whether every missed interval is made up for, or only the newest.
    #[serde(default, skip_serializing_if = "is_default")]
    pub catchup: bool,
    /// What can be given to a run.
    #[serde(default, skip_serializing_if = "is_default")]
    pub params: Vec<ParamSpec>,
    /// How many runs are active at once.
    pub active_runs_max: u32,
    /// How many tasks are active at once, over all runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub active_tasks_max: Option<u32>,
    /// How many tasks of one run are active at once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub active_tasks_per_run_max: Option<u32>,
    /// What happens to a tick that comes while the last run is still on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overlap: Overlap,
    /// Whether the first failed task ends the run.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fail_fast: bool,
    /// After so many failed runs in a row the DAG is paused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pause_after_failures: Option<u32>,
    /// A run that takes longer fails.
    #[serde(default, with = "as_optional_text", skip_serializing_if = "is_default")]
    pub run_timeout: Option<Duration>,
    /// A run is late when it is not done so long after it was due.
    #[serde(default, with = "as_optional_text", skip_serializing_if = "is_default")]
    pub deadline: Option<Duration>,
    /// Who is told what.
    #[serde(default, skip_serializing_if = "is_default")]
    pub alerts: Vec<AlertRule>,
    /// Its groups, sorted by name.
    #[serde(
        default,
        skip_serializing_if = "is_default",
        deserialize_with = "sorted_groups"
    )]
    pub groups: Vec<GroupSpec>,
    /// Its tasks, sorted by name: the order in which they were written does not matter.
    #[serde(deserialize_with = "sorted_tasks")]
    pub tasks: Vec<TaskSpec>,
}

/// A definition that was edited by hand may have them in any order; looking one up relies on it.
fn sorted_tasks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<TaskSpec>, D::Error> {
    let mut tasks = Vec::<TaskSpec>::deserialize(from)?;
    tasks.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(tasks)
}

fn sorted_groups<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<GroupSpec>, D::Error> {
    let mut groups = Vec::<GroupSpec>::deserialize(from)?;
    groups.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(groups)
}

impl Definition {
    /// How many runs are active at once when the author says nothing.
    pub const ACTIVE_RUNS_MAX_DEFAULT: u32 = 16;

    /// The time zone of its dates.
    #[must_use]
    pub fn zone(&self) -> chrono_tz::Tz {
        self.zone.unwrap_or_else(|| self.schedule.zone())
    }

    /// The task of this name.
    #[must_use]
    pub fn task(&self, id: &str) -> Option<&TaskSpec> {
        self.position(id).map(|at| &self.tasks[at])
    }

    /// Where the task of this name stands in [`Self::tasks`].
    #[must_use]
    pub fn position(&self, id: &str) -> Option<usize> {
        self.tasks
            .binary_search_by(|task| task.id.as_str().cmp(id))
            .ok()
    }

    /// The group of this name.
    #[must_use]
    pub fn group(&self, id: &str) -> Option<&GroupSpec> {
        self.groups
            .binary_search_by(|group| group.id.as_str().cmp(id))
            .ok()
            .map(|at| &self.groups[at])
    }

    /// A group and the groups around it, innermost first.
    pub fn groups_around(&self, group: Option<&GroupId>) -> impl Iterator<Item = &GroupSpec> {
        let first = group.and_then(|id| self.group(id.as_str()));
        // A hand-made definition can name groups in a circle; no honest nesting is deeper than this.
        std::iter::successors(first, |group| {
            group.parent.as_ref().and_then(|id| self.group(id.as_str()))
        })
        .take(64)
    }
}

/// A place in the author's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file, as the compiler knows it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

impl Source {
    #[track_caller]
    pub(crate) fn caller() -> Self {
        let at = std::panic::Location::caller();
        Self {
            file: at.file().to_owned(),
            line: at.line(),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What people read about a task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskNotes {
    /// Markdown.
    #[serde(skip_serializing_if = "is_default")]
    pub doc: String,
    /// Who answers for it.
    #[serde(skip_serializing_if = "is_default")]
    pub owner: String,
    /// Words to find it by.
    #[serde(skip_serializing_if = "is_default")]
    pub tags: Vec<String>,
    /// Where it was added.
    #[serde(skip_serializing_if = "is_default")]
    pub source: Option<Source>,
}

/// What people read about a DAG. Nothing here changes a run, so nothing here changes the version.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DagNotes {
    /// Markdown.
    #[serde(skip_serializing_if = "is_default")]
    pub doc: String,
    /// Who answers for it.
    #[serde(skip_serializing_if = "is_default")]
    pub owner: String,
    /// Words to find it by.
    #[serde(skip_serializing_if = "is_default")]
    pub tags: Vec<String>,
    /// Where it was built.
    #[serde(skip_serializing_if = "is_default")]
    pub source: Option<Source>,
    /// Notes on its tasks, in the order in which they were written.
    #[serde(skip_serializing_if = "is_default")]
    pub tasks: Vec<(TaskId, TaskNotes)>,
}

impl DagNotes {
    /// The notes on this task.
    #[must_use]
    pub fn task(&self, id: &str) -> Option<&TaskNotes> {
        self.tasks
            .iter()
            .find(|(known, _)| known == id)
            .map(|(_, notes)| notes)
    }
}

/// A DAG as data: what the scheduler gets, what a snapshot holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DagSpec {
    /// What matters to a run.
    pub definition: Definition,
    /// What people read.
    #[serde(default, skip_serializing_if = "is_default")]
    pub notes: DagNotes,
}

impl DagSpec {
    /// The DAG's name.
    #[must_use]
    pub const fn id(&self) -> &DagId {
        &self.definition.id
    }

    /// The version: the same on every machine, changed by everything that matters to a run and by nothing else.
    #[must_use]
    pub fn version(&self) -> Version {
        Version::of(&self.definition)
    }
}
