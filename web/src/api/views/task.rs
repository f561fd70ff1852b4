//! Tasks of a run, what was tried, and what holds them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::id::TaskId;
use tidemill_core::operator::ErrorKind;
use tidemill_core::protocol::{AttemptNo, InstanceRef, MapIndex, NOT_MAPPED, RunNo, TaskNo};
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::{Gate, Held, Holder, Why};
use tidemill_store::record::{AttemptRow, TaskDetailRow, TaskRow};
use utoipa::ToSchema;

use super::{TouchView, json, text};

/// A task of a run, or an instance of a mapped one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskView {
    /// Its name, with its groups.
    #[schema(value_type = String)]
    pub task: TaskId,
    /// Which instance of a mapped task; null for a task as a whole.
    pub index: Option<MapIndex>,
    /// The number of the run.
    pub run: i64,
    /// The number of the task's name within its DAG.
    pub no: u32,
    /// Where it stands.
    #[schema(value_type = String)]
    pub state: TaskState,
    /// The number of its current or last attempt, over all tasks; 0 before the first.
    pub attempt: i64,
    /// The number of that attempt within the task: 1 for the first.
    pub number: u32,
    /// The last attempt whose end was recorded, over all tasks.
    pub ended_attempt: i64,
    /// How many attempts count against its retries since it was last cleared.
    pub tries: u32,
    /// How many attempts the platform lost since then.
    pub losses: u32,
    /// How many launches were decided.
    pub epoch: u32,
    /// The worker that has it, or had it last.
    pub worker: Option<String>,
    /// Since when it stands like this.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When it was given to a worker.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub queued_at: Option<Timestamp>,
    /// When it began.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it is tried again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub retry_at: Option<Timestamp>,
    /// When its attempt must be over.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deadline: Option<Timestamp>,
    /// How many instances it was expanded to, of a mapped task as a whole.
    pub instances: Option<u32>,
    /// What it waits for, or why it ended as it did.
    pub why: Option<String>,
    /// What its last attempt that is over said.
    pub message: Option<String>,
    /// What a person wrote.
    pub note: Option<String>,
    /// Grows with every change by a person; the `ETag`.
    pub edits: u32,
    /// The last change by a person; only where a single task is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touched: Option<TouchView>,
    /// What it is mapped over; only where a single instance is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Value>,
}

impl From<&TaskRow> for TaskView {
    fn from(row: &TaskRow) -> Self {
        Self {
            task: row.name.clone(),
            index: (row.of.map_index != NOT_MAPPED).then_some(row.of.map_index),
            run: row.of.run.0,
            no: row.of.task.0,
            state: row.state,
            attempt: row.attempt.0,
            number: row.number,
            ended_attempt: row.ended_attempt.0,
            tries: row.tries,
            losses: row.losses,
            epoch: row.epoch,
            worker: text(&row.worker),
            since: row.since,
            queued_at: row.queued_at,
            started_at: row.started_at,
            retry_at: row.retry_at,
            deadline: row.deadline,
            instances: row.instances,
            why: None,
            message: None,
            note: None,
            edits: row.edits,
            touched: None,
            item: None,
        }
    }
}

impl TaskView {
    /// With what only some instances have.
    #[must_use]
    pub fn with(mut self, detail: Option<&TaskDetailRow>) -> Self {
        if let Some(detail) = detail {
            self.why = text(&detail.why);
            self.note = text(&detail.note);
            self.touched = detail.touched.as_ref().map(Into::into);
            self.item = detail.item.as_deref().map(json);
        }
        self
    }

    /// As the database has it, as far as it is known here.
    #[must_use]
    pub fn rows(self) -> (TaskRow, TaskDetailRow) {
        let of = InstanceRef {
            run: RunNo(self.run),
            task: TaskNo(self.no),
            map_index: self.index.unwrap_or(NOT_MAPPED),
        };
        let detail = TaskDetailRow {
            of,
            handle: None,
            why: self.why.map(Into::into),
            item: self.item.map(|item| item.to_string().into()),
            said: None,
            note: self.note.map(Into::into),
            touched: self.touched.map(Into::into),
        };
        let row = TaskRow {
            of,
            name: self.task,
            state: self.state,
            attempt: AttemptNo(self.attempt),
            hand: 0,
            ended_attempt: AttemptNo(self.ended_attempt),
            number: self.number,
            tries: self.tries,
            losses: self.losses,
            requeues: 0,
            epoch: self.epoch,
            edits: self.edits,
            worker: self.worker.map(Into::into),
            since: self.since,
            queued_at: self.queued_at,
            started_at: self.started_at,
            retry_at: self.retry_at,
            deadline: self.deadline,
            instances: self.instances,
        };
        (row, detail)
    }
}

/// How many instances of a mapped task are in a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InstancesView {
    /// The state.
    #[schema(value_type = String)]
    pub state: TaskState,
    /// How many there are.
    pub count: u32,
}

/// An attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttemptView {
    /// Its number over all tasks.
    pub attempt: i64,
    /// Its number within the task: 1 for the first.
    pub number: u32,
    /// Its launch.
    pub epoch: u32,
    /// How it ended: `success`, `failed`, `skipped`, `timed_out`, `lost`, `cancelled`; null while it is on.
    pub end: Option<String>,
    /// The worker.
    pub worker: Option<String>,
    /// When it was given to a worker.
    #[schema(value_type = String, format = DateTime)]
    pub queued_at: Timestamp,
    /// When it began.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// What kind of failure it was.
    #[schema(value_type = Option<String>)]
    pub error_kind: Option<ErrorKind>,
    /// What happened.
    pub message: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// When the next attempt begins, if one was decided.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub retry_at: Option<Timestamp>,
}

impl From<&AttemptRow> for AttemptView {
    fn from(row: &AttemptRow) -> Self {
        Self {
            attempt: row.id.0,
            number: row.number,
            epoch: row.epoch,
            end: Some(row.end.word().to_owned()),
            worker: text(&row.worker),
            queued_at: row.queued_at,
            started_at: row.started_at,
            ended_at: Some(row.ended_at),
            error_kind: row.error_kind,
            message: text(&row.message),
            help: text(&row.help),
            retry_at: row.retry_at,
        }
    }
}

impl AttemptView {
    /// The attempt that is on, if one is.
    #[must_use]
    pub fn live(row: &TaskRow) -> Option<Self> {
        let is_on = row.attempt.0 != 0 && row.attempt != row.ended_attempt;
        is_on.then(|| Self {
            attempt: row.attempt.0,
            number: row.number,
            epoch: row.epoch,
            end: None,
            worker: text(&row.worker),
            queued_at: row.queued_at.unwrap_or(row.since),
            started_at: row.started_at,
            ended_at: None,
            error_kind: None,
            message: None,
            help: None,
            retry_at: None,
        })
    }
}

/// What an attempt returned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OutputView {
    /// The attempt, over all tasks.
    pub attempt: i64,
    /// What it returned; null if that is nothing.
    pub output: Value,
}

/// Why a task, or a run, does not go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhyView {
    /// Where it stands; null for a run.
    #[schema(value_type = Option<String>)]
    pub state: Option<TaskState>,
    /// The first gate that is shut, in words; null if all are open, or nobody holds it any more.
    pub says: Option<String>,
    /// Every gate, in the order in which they are looked at. None once it is over.
    pub gates: Vec<GateView>,
    /// How many tasks are before it in the line for its pool.
    pub ahead: u64,
}

/// One gate before a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GateView {
    /// Which.
    #[schema(value_type = String)]
    pub gate: Gate,
    /// Whether it lets the task pass.
    pub open: bool,
    /// How many it lets pass at once; null if it has no limit.
    pub limit: Option<u64>,
    /// How many there are now.
    pub used: u64,
    /// In words.
    pub says: String,
    /// Who holds it, those that you may see.
    pub holders: Vec<HolderView>,
}

/// Somebody who holds a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HolderView {
    /// The number of the run.
    pub run: i64,
    /// Its name.
    pub run_name: String,
    /// The task; null if the run as a whole holds it.
    #[schema(value_type = Option<String>)]
    pub task: Option<TaskId>,
    /// Which instance of it.
    pub index: Option<MapIndex>,
    /// Its state.
    #[schema(value_type = String)]
    pub state: TaskState,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
}

impl WhyView {
    /// As the leader says it; `sees` says of which holders the reader may know.
    pub(crate) fn of(
        (state, gates, ahead): (Option<TaskState>, &[Held], u64),
        sees: &dyn Fn(&Holder) -> bool,
    ) -> Self {
        Self {
            state,
            says: gates
                .iter()
                .find(|held| !held.open)
                .map(|held| held.says.clone()),
            gates: gates.iter().map(|held| GateView::of(held, sees)).collect(),
            ahead,
        }
    }

    /// As the leader says it. None if nobody holds it any more.
    #[must_use]
    pub fn why(self) -> Option<Why> {
        if self.gates.is_empty() {
            return None;
        }
        Some(Why {
            state: self.state.unwrap_or(TaskState::None),
            gates: self.gates.into_iter().map(GateView::held).collect(),
            ahead: usize::try_from(self.ahead).unwrap_or(usize::MAX),
        })
    }
}

impl GateView {
    fn of(held: &Held, sees: &dyn Fn(&Holder) -> bool) -> Self {
        Self {
            gate: held.gate,
            open: held.open,
            limit: held.limit,
            used: held.used,
            says: held.says.clone(),
            holders: held
                .holders
                .iter()
                .filter(|holder| sees(holder))
                .map(Into::into)
                .collect(),
        }
    }

    fn held(self) -> Held {
        Held {
            gate: self.gate,
            open: self.open,
            limit: self.limit,
            used: self.used,
            holders: self.holders.into_iter().map(HolderView::holder).collect(),
            says: self.says,
        }
    }
}

impl From<&Holder> for HolderView {
    fn from(holder: &Holder) -> Self {
        let index = holder.task.as_ref().map(|(_, index)| *index);
        Self {
            run: holder.run.0,
            run_name: holder.run_name.to_string(),
            task: holder.task.as_ref().map(|(task, _)| task.clone()),
            index: index.filter(|index| *index != NOT_MAPPED),
            state: holder.state,
            since: holder.since,
        }
    }
}

impl HolderView {
    fn holder(self) -> Holder {
        let index = self.index.unwrap_or(NOT_MAPPED);
        Holder {
            run: RunNo(self.run),
            run_name: self.run_name.into(),
            task: self.task.map(|task| (task, index)),
            state: self.state,
            since: self.since,
        }
    }
}
