//! DAGs, runs and task instances.

use std::sync::Arc;

use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::{AttemptNo, AttemptRef, InstanceRef, RunNo, TaskNo};
use tidemill_core::spec::DagSpec;
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;

/// Who changed something last, and how. A command that was written against an older state is told this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// Who.
    pub by: Arc<str>,
    /// What they did, for people: `cleared`, `marked failed`.
    pub how: Arc<str>,
    /// When.
    pub at: Timestamp,
}

/// Table `dag`, key `id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DagRow {
    /// Its name.
    pub id: DagId,
    /// The version that new runs take; none once it was removed.
    pub version: Option<Version>,
    /// Whether nothing of it starts.
    pub paused: bool,
    /// The last run that its timetable made or skipped: start, end, and when it was due.
    pub last_due: Option<(Timestamp, Timestamp, Timestamp)>,
    /// How many runs in a row failed.
    pub failures_in_row: u32,
    /// Grows with every change by a person.
    pub edits: u32,
    /// The last such change.
    pub touched: Option<Touch>,
}

/// Table `dag_version`, key `(dag, version)`. Never changed.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionRow {
    /// The DAG.
    pub dag: DagId,
    /// The version.
    pub version: Version,
    /// What it is.
    pub spec: Arc<DagSpec>,
    /// When it came.
    pub deployed_at: Timestamp,
}

/// Table `dag_task`, key `(dag, task_no)`: the numbers of a DAG's task names, over all its versions. Never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskNameRow {
    /// The DAG.
    pub dag: DagId,
    /// The number.
    pub task: TaskNo,
    /// The name.
    pub name: TaskId,
}

/// Table `run`, key `id`; `(dag, name)` is unique, and so is `(dag, start)` among runs of the kinds scheduled and
/// backfill: a date has one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its number.
    pub id: RunNo,
    /// The DAG.
    pub dag: DagId,
    /// Its name within the DAG, such as `scheduled__2025-01-01T00:00:00Z`.
    pub name: Arc<str>,
    /// How it came about.
    pub kind: RunType,
    /// Where it stands.
    pub state: RunState,
    /// The version that it runs.
    pub version: Version,
    /// The start of what it covers.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// When it was due.
    pub due_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it began; anew after it was cleared.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its params, complete; JSON.
    pub params: Arc<str>,
    /// The backfill that it belongs to.
    pub backfill: Option<i64>,
    /// Whether nothing of it starts.
    pub paused: bool,
    /// Added to the priority of its tasks.
    pub priority: i32,
    /// The pool that its tasks take slots of, instead of their own.
    pub pool: Option<Arc<str>>,
    /// The state it will end in although its tasks would say otherwise, while its teardowns still run: a person cancelled
    /// it, or it took too long.
    pub ending: Option<RunState>,
    /// Why it cannot be evaluated; nothing more happens to it until a person acts.
    pub quarantine: Option<Arc<str>>,
    /// Why it ended as it did, where the tasks do not say it: timed out, cancelled by whom.
    pub why: Option<Arc<str>>,
    /// What a person wrote.
    pub note: Option<Arc<str>>,
    /// Grows with every end, and every change by a person, of the run or of one of its tasks.
    pub edits: u32,
    /// The last change by a person.
    pub touched: Option<Touch>,
}

/// Table `task`, key `(run_id, task_no, map_index)`: the narrow row of a task instance that is written with every change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRow {
    /// Which instance.
    pub of: InstanceRef,
    /// The task's name; written once.
    pub name: TaskId,
    /// Where it stands.
    pub state: TaskState,
    /// Its current attempt, or its last; 0 before the first.
    pub attempt: AttemptNo,
    /// How often that attempt was handed to another worker.
    pub hand: u16,
    /// The last attempt whose end was recorded; 0 before the first. A repeated report of it gets the same answer.
    pub ended_attempt: AttemptNo,
    /// The number of that attempt, for people: 1 for the first.
    pub number: u32,
    /// How many attempts count against the task's retries since it was last cleared.
    pub tries: u32,
    /// How many attempts the platform lost since it was last cleared.
    pub losses: u32,
    /// How often it was given to a worker that did not begin it, in a row.
    pub requeues: u32,
    /// How many launches were decided before the present one.
    pub epoch: u32,
    /// Grows with every new attempt, every end, and every change by a person.
    pub edits: u32,
    /// The worker that holds it.
    pub worker: Option<Arc<str>>,
    /// When it came into its state.
    pub since: Timestamp,
    /// When its current attempt was assigned.
    pub queued_at: Option<Timestamp>,
    /// When its current attempt began.
    pub started_at: Option<Timestamp>,
    /// When it is tried again, while it waits for that.
    pub retry_at: Option<Timestamp>,
    /// When its current attempt must be over.
    pub deadline: Option<Timestamp>,
    /// How many instances it was expanded to, of a mapped task as a whole; none before that.
    pub instances: Option<u32>,
}

/// What a task told its run about the way on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A branch chose these ways; JSON list of labels.
    Ways(Arc<str>),
    /// A short circuit did or did not let what follows run.
    Pass(bool),
}

/// Table `task_detail`, key as `task`: what only some instances have. Written only when it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskDetailRow {
    /// Which instance.
    pub of: InstanceRef,
    /// What its attempt waits for; JSON. Kept for the next attempt of the same launch epoch.
    pub handle: Option<Arc<str>>,
    /// What it waits for, or why it ended as it did, for people.
    pub why: Option<Arc<str>>,
    /// What this instance is mapped over; JSON.
    pub item: Option<Arc<str>>,
    /// What it said about the way on.
    pub said: Option<Said>,
    /// What a person wrote.
    pub note: Option<Arc<str>>,
    /// The last change by a person.
    pub touched: Option<Touch>,
}

/// Table `cleanup`, key `attempt`: an attempt that was given up and may still hold something, here or outside. It is on
/// record until a worker says that nothing of it is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanupRow {
    /// Which attempt, and how often it was handed on.
    pub of: AttemptRef,
    /// Its number, for people.
    pub number: u32,
    /// Its launch epoch.
    pub epoch: u32,
    /// What it waited for; JSON.
    pub handle: Option<Arc<str>>,
    /// The worker that is to do it.
    pub worker: Option<Arc<str>>,
    /// Since when.
    pub since: Timestamp,
}

/// Table `asset_wait`, key `(dag, asset)`: a change of an asset that a DAG has not used yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingAssetRow {
    /// The DAG that waits.
    pub dag: DagId,
    /// The asset.
    pub asset: Arc<str>,
    /// The first change since the DAG's last run by assets.
    pub first_event: i64,
    /// The last.
    pub last_event: i64,
    /// How many there were.
    pub count: u32,
}
