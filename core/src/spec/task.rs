//! One task as data.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AlertRule, Asset, Destination, Input, Mapping, Retry, is_default};
use crate::id::{GroupId, TaskId};
use crate::span::{as_optional_text, as_text};
use crate::state::TriggerRule;
use crate::text::Text;

/// Why one task comes after another.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// Because the author said so.
    #[default]
    Order,
    /// Because it uses what the other returned.
    Data,
}

/// A task that comes directly before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Upstream {
    /// The task before.
    pub task: TaskId,
    /// Why it comes before.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kind: EdgeKind,
}

/// One way out of a branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BranchArm {
    /// What the branch returns to choose it.
    pub label: String,
    /// The tasks that then run.
    pub tasks: Vec<TaskId>,
}

/// What the scheduler has to know about a task beyond running its operator.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Nothing.
    #[default]
    Work,
    /// It chooses which of its downstream tasks run.
    Branch {
        /// The ways out.
        arms: Vec<BranchArm>,
        /// Whether it always chooses exactly one.
        exclusive: bool,
    },
    /// When it returns false, what follows is skipped.
    ShortCircuit {
        /// Whether everything downstream is skipped, or only the direct downstream, leaving the rest to their rules.
        everything: bool,
    },
    /// It waits until something is there.
    Sensor {
        /// How often it looks.
        #[serde(with = "as_text")]
        every: Duration,
        /// Whether it ends as skipped instead of failed when its timeout passes.
        skip_on_timeout: bool,
    },
    /// It waits for a person's answer; no worker runs it.
    Approval {
        /// What is asked.
        question: Text,
        /// The answers to choose from.
        choices: Vec<String>,
        /// The answers after which the task counts as failed.
        rejecting: Vec<String>,
        /// Who may answer; anybody with the right to if empty.
        assignees: Vec<String>,
        /// The answer taken when the timeout passes; without one the task fails.
        default: Option<String>,
    },
    /// It does nothing; no worker runs it.
    Empty,
}

/// Whether a task prepares, works or cleans up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It works.
    #[default]
    Work,
    /// It prepares something that a teardown removes.
    Setup,
    /// It removes what its setups made, also when the work between failed.
    Teardown {
        /// The setups it cleans up after.
        setups: Vec<TaskId>,
        /// Whether its own failure fails the run.
        fails_run: bool,
    },
}

/// How a task's priority is made of the numbers that the author gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Its own number and those of everything downstream: long chains start first.
    #[default]
    Downstream,
    /// Its own number and those of everything upstream.
    Upstream,
    /// Its own number.
    Absolute,
}

/// Whether a task runs inside the worker or in a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Inside the worker: no start-up cost.
    #[default]
    Inline,
    /// In a process of its own, without the worker's credentials.
    Process,
}

/// Where and in which order a task is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// The pool whose slots it takes.
    pub pool: String,
    /// How many of them.
    pub slots: u32,
    /// Its number for [`Weight`].
    pub priority: i32,
    /// How the numbers make a priority.
    #[serde(default, skip_serializing_if = "is_default")]
    pub weight: Weight,
    /// Only workers of this queue take it.
    pub queue: String,
    /// Whether it runs inside the worker.
    #[serde(default, skip_serializing_if = "is_default")]
    pub isolation: Isolation,
}

/// The pool of a task that names none.
pub(crate) const DEFAULT_POOL: &str = "default";
/// The queue of a task that names none.
pub(crate) const DEFAULT_QUEUE: &str = "default";

impl Default for Placement {
    fn default() -> Self {
        Self {
            pool: DEFAULT_POOL.to_owned(),
            slots: 1,
            priority: 1,
            weight: Weight::default(),
            queue: DEFAULT_QUEUE.to_owned(),
            isolation: Isolation::default(),
        }
    }
}

/// How many instances of a task may be active at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Concurrency {
    /// Over all runs of the DAG.
    #[serde(skip_serializing_if = "is_default")]
    pub active_max: Option<u32>,
    /// Within one run.
    #[serde(skip_serializing_if = "is_default")]
    pub active_per_run_max: Option<u32>,
    /// Only so many tasks with the same key run at once, over all DAGs.
    #[serde(skip_serializing_if = "is_default")]
    pub key: Option<Text>,
    /// How many that is.
    #[serde(skip_serializing_if = "is_default")]
    pub key_active_max: u32,
}

/// Whether a task waits for its own earlier runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Past {
    /// It waits until the same task of the run before succeeded or was skipped.
    #[serde(skip_serializing_if = "is_default")]
    pub depends_on_past: bool,
    /// It also waits for what comes directly after the same task in the run before.
    #[serde(skip_serializing_if = "is_default")]
    pub wait_for_downstream: bool,
    /// It waits for its past even before it is skipped.
    #[serde(skip_serializing_if = "is_default")]
    pub wait_before_skipping: bool,
}

/// What a task needs and touches outside Tidemill, declared so that CI, `plan` and the UI know it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Touches {
    /// Connections it uses.
    #[serde(skip_serializing_if = "is_default")]
    pub connections: Vec<String>,
    /// Tables it writes, and how.
    #[serde(skip_serializing_if = "is_default")]
    pub writes: Vec<Destination>,
    /// Assets it reads.
    #[serde(skip_serializing_if = "is_default")]
    pub inlets: Vec<Asset>,
    /// Assets that have changed when it succeeds.
    #[serde(skip_serializing_if = "is_default")]
    pub outlets: Vec<Asset>,
}

impl Touches {
    /// Nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// It uses this connection.
    #[must_use]
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.connections.push(name.into());
        self
    }

    /// It writes this table.
    #[must_use]
    pub fn writes(mut self, destination: Destination) -> Self {
        self.writes.push(destination);
        self
    }

    /// It reads this asset.
    #[must_use]
    pub fn inlet(mut self, asset: Asset) -> Self {
        self.inlets.push(asset);
        self
    }

    /// It changes this asset.
    #[must_use]
    pub fn outlet(mut self, asset: Asset) -> Self {
        self.outlets.push(asset);
        self
    }
}

/// One task as data. Everything here matters to a run and goes into the DAG's version; what only people read is in
/// [`super::TaskNotes`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// Its full name.
    pub id: TaskId,
    /// The operator that runs it.
    pub operator: String,
    /// The operator's own data; strings with placeholders are marked.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub config: Value,
    /// The arguments of a function.
    #[serde(default, skip_serializing_if = "is_default")]
    pub inputs: Vec<Input>,
    /// The tasks directly before it, sorted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub upstream: Vec<Upstream>,
    /// When it may run.
    #[serde(default = "all_success", skip_serializing_if = "is_all_success")]
    pub rule: TriggerRule,
    /// What the scheduler has to know beyond running it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kind: TaskKind,
    /// Whether it prepares, works or cleans up.
    #[serde(default, skip_serializing_if = "is_default")]
    pub role: Role,
    /// The group it is in.
    #[serde(default, skip_serializing_if = "is_default")]
    pub group: Option<GroupId>,
    /// How it becomes many.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mapping: Option<Mapping>,
    /// How often it is tried again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry: Retry,
    /// An attempt that takes longer fails; time spent waiting for a remote job counts.
    #[serde(default, with = "as_optional_text", skip_serializing_if = "is_default")]
    pub timeout: Option<Duration>,
    /// It is late when it is not done so long after its run was due.
    #[serde(default, with = "as_optional_text", skip_serializing_if = "is_default")]
    pub deadline: Option<Duration>,
    /// Where and in which order it runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub placement: Placement,
    /// How many of it run at once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub concurrency: Concurrency,
    /// Whether it waits for its own earlier runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub past: Past,
    /// What it needs and touches.
    #[serde(default, skip_serializing_if = "is_default")]
    pub touches: Touches,
    /// Who is told what, besides the DAG's own alerts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub alerts: Vec<AlertRule>,
}

const fn all_success() -> TriggerRule {
    TriggerRule::AllSuccess
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands the field over like this"
)]
fn is_all_success(rule: &TriggerRule) -> bool {
    *rule == TriggerRule::AllSuccess
}

impl TaskSpec {
    pub(crate) fn new(id: TaskId, operator: &str, config: Value) -> Self {
        Self {
            id,
            operator: operator.to_owned(),
            config,
            inputs: Vec::new(),
            upstream: Vec::new(),
            rule: TriggerRule::AllSuccess,
            kind: TaskKind::Work,
            role: Role::Work,
            group: None,
            mapping: None,
            retry: Retry::never(),
            timeout: None,
            deadline: None,
            placement: Placement::default(),
            concurrency: Concurrency::default(),
            past: Past::default(),
            touches: Touches::default(),
            alerts: Vec::new(),
        }
    }

    /// What the task runs, for people: the function's name, or the operator's.
    #[must_use]
    pub fn what(&self) -> &str {
        match self.config.get("function").and_then(Value::as_str) {
            Some(path) if self.kind.is_function(&self.operator) => {
                path.rsplit("::").next().unwrap_or(path)
            }
            _ => self.operator.trim_start_matches("tidemill."),
        }
    }
}

impl TaskKind {
    /// Whether an operator of this name and kind runs a function of the author's.
    fn is_function(&self, operator: &str) -> bool {
        operator == "function"
            || matches!(
                self,
                Self::Branch { .. } | Self::ShortCircuit { .. } | Self::Sensor { .. }
            )
    }
}
