//! What the engine is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::id::{DagId, GroupId, TaskId};
use tidemill_core::protocol::{AttemptRef, Hello, InstanceRef, MapIndex, Report, RunNo};
use tidemill_core::spec::{DagSpec, Severity};
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;
use tidemill_store::record::{ConnectionRow, Recovered, Reprocess, VariableRow};

/// What the engine is told. Time is told with each of them, see [`super::Engine::apply`].
#[derive(Debug, Clone)]
pub enum Input {
    /// Nothing but that time has passed.
    Tick,
    /// A worker connected, or came back.
    Hello(Hello),
    /// A worker is alive.
    Beat {
        /// Which.
        worker: Arc<str>,
    },
    /// A worker takes nothing new; what it watches is handed over.
    Draining {
        /// Which.
        worker: Arc<str>,
    },
    /// A worker that took nothing new takes orders again.
    Ready {
        /// Which.
        worker: Arc<str>,
    },
    /// A worker left in order: it holds nothing any more.
    Left {
        /// Which.
        worker: Arc<str>,
    },
    /// A worker tells about an attempt.
    Report {
        /// Which worker.
        worker: Arc<str>,
        /// Which attempt.
        attempt: AttemptRef,
        /// What.
        report: Report,
    },
    /// A worker cannot stop an attempt yet, and tries again.
    Stuck {
        /// Which worker.
        worker: Arc<str>,
        /// Which attempt.
        attempt: AttemptRef,
        /// What stands in the way, for people.
        why: Arc<str>,
        /// How long until it tries again.
        again: Duration,
    },
    /// DAG versions came, by a worker or by `dags deploy`.
    Deploy {
        /// What they are.
        specs: Vec<Arc<DagSpec>>,
        /// Who brought them.
        by: Arc<str>,
    },
    /// A person, or an API call, asks for something.
    Ask(Request),
    /// Runs that had ended were read back, because [`super::Effect::Load`] asked for them.
    Loaded {
        /// What was asked for.
        asked: Wanted,
        /// Them.
        rows: Box<Recovered>,
        /// The numbers of those that match as well, beyond the limit of [`Wanted::Matching`]: they were not read.
        beyond: Vec<RunNo>,
    },
    /// The process around the engine has something to tell the world outside: that no worker takes a task, say.
    Tell(Notice),
    /// The scheduler could not commit for a while: no worker's silence counts from before this.
    BackFromOutage,
}

/// Something about the platform itself that somebody should know.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Says what it is about: the same is told once.
    pub key: String,
    /// Where it goes.
    pub route: String,
    /// How loud it is.
    pub severity: Severity,
    /// What it says.
    pub body: Value,
}

/// Runs that the engine does not hold, because they have ended, and needs to decide something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// These.
    Runs(Vec<RunNo>),
    /// The last run of a DAG that covers a time before this one.
    Before {
        /// The DAG.
        dag: DagId,
        /// The start of the run that asks.
        start: Timestamp,
        /// Whether only runs by the timetable and backfills count.
        scheduled_only: bool,
    },
    /// The runs of a DAG that cover times from here to there.
    Between {
        /// The DAG.
        dag: DagId,
        /// The first start.
        from: Timestamp,
        /// The last.
        to: Timestamp,
    },
    /// The run of a DAG with this name, if there is one.
    Named {
        /// The DAG.
        dag: DagId,
        /// The run's name.
        name: Arc<str>,
    },
    /// The runs that a filter finds, newest first, as many as it is for. The numbers of all others are told with them.
    Matching(Filter),
}

/// A command, and what its author knew.
#[derive(Debug, Clone)]
pub struct Request {
    /// The reply bears it.
    pub id: u64,
    /// Who asks.
    pub by: Arc<str>,
    /// The `edits` of the command's target as its author saw them. If they have changed since, it is refused with who
    /// changed what.
    pub seen: Option<u32>,
    /// Whether only to say what would change.
    pub dry_run: bool,
    /// What they ask for.
    pub command: Command,
}

/// What can be asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A new run by hand.
    Trigger(Trigger),
    /// Tasks run again. With `params` or another version this is "restart from here".
    Clear {
        /// Which.
        select: Select,
        /// And which around them.
        #[serde(default)]
        around: Around,
        /// The params that the run has from now on; those it has if none.
        #[serde(default)]
        params: Option<Value>,
        /// The version that the run has from now on.
        #[serde(default)]
        version: RunVersion,
        /// Why, for people.
        #[serde(default)]
        note: Option<Arc<str>>,
    },
    /// Tasks count as having ended like this.
    Mark {
        /// Which.
        select: Select,
        /// And which around them.
        #[serde(default)]
        around: Around,
        /// How: success, failed or skipped.
        state: TaskState,
        /// Why, for people.
        #[serde(default)]
        note: Option<Arc<str>>,
    },
    /// A run ends, its remote jobs with it.
    CancelRun {
        /// Which.
        run: RunNo,
        /// Why, for people.
        #[serde(default)]
        note: Option<Arc<str>>,
    },
    /// The attempt that is on ends; the task fails.
    CancelAttempt {
        /// Of which instance.
        of: InstanceRef,
    },
    /// The stop of a task's last attempt is waited for no longer. What that attempt started outside may go on.
    Forget {
        /// Of which instance.
        of: InstanceRef,
        /// Why, for people: what became of the job outside.
        note: Arc<str>,
    },
    /// Nothing of it starts any more, or it does again.
    Pause {
        /// What.
        what: Pausable,
        /// Whether it stops, or goes on.
        pause: bool,
    },
    /// A pool is made or changed.
    SetPool {
        /// Its name.
        name: Arc<str>,
        /// How many slots it has; none for any number.
        #[serde(default)]
        slots: Option<u32>,
        /// Whether deferred tasks keep their slots.
        #[serde(default)]
        holds_deferred: bool,
        /// What it is for, for people; none leaves what there is, an empty one takes it away.
        #[serde(default)]
        note: Option<Arc<str>>,
    },
    /// A pool goes; what waits for it waits until it is back.
    RemovePool {
        /// Its name.
        name: Arc<str>,
    },
    /// A connection is made or changed. It comes sealed, by the scheduler's own hand: this is no message of the wire.
    #[serde(skip)]
    SetConnection(SealedConnection),
    /// A connection goes.
    RemoveConnection {
        /// Its name.
        name: Arc<str>,
    },
    /// A variable is made or changed, likewise.
    #[serde(skip)]
    SetVariable(SealedVariable),
    /// A variable goes.
    RemoveVariable {
        /// Its name.
        name: Arc<str>,
    },
    /// A variable's value is about to be shown to a person. Nothing changes, but the audit log says so.
    #[serde(skip)]
    RevealVariable {
        /// Its name.
        name: Arc<str>,
    },
    /// Connections and variables are written as they are, sealed under another key. A row that was changed since it was
    /// read is left out.
    #[serde(skip)]
    Reseal {
        /// Connections.
        connections: Vec<ConnectionRow>,
        /// Variables.
        variables: Vec<VariableRow>,
    },
    /// A run's tasks come earlier or later than others, or use another pool.
    Reprioritise {
        /// Which run.
        run: RunNo,
        /// Added to the priority of its tasks.
        priority: i32,
        /// The pool for all of them; their own if none.
        #[serde(default)]
        pool: Option<Arc<str>>,
    },
    /// Runs for the past.
    Backfill(Backfill),
    /// A backfill ends, and its runs with it.
    CancelBackfill {
        /// Which.
        backfill: i64,
    },
    /// A person answers an approval.
    Answer {
        /// Which task.
        of: InstanceRef,
        /// What they choose.
        choice: Arc<str>,
    },
    /// A note on a run or a task.
    Note {
        /// The run.
        run: RunNo,
        /// The instance; the run itself if none.
        #[serde(default)]
        task: Option<(TaskId, MapIndex)>,
        /// What they write.
        text: Arc<str>,
    },
    /// The same for many runs.
    Bulk {
        /// Which.
        filter: Filter,
        /// What.
        action: BulkAction,
        /// Why, for people.
        #[serde(default)]
        note: Option<Arc<str>>,
    },
    /// An asset was changed by something that Tidemill does not run.
    AssetChanged {
        /// Which.
        asset: Arc<str>,
    },
    /// A worker takes nothing new, or takes orders again. What it runs goes on; what it only watches is handed over.
    Drain {
        /// Which.
        worker: Arc<str>,
        /// Whether it stops taking orders.
        drain: bool,
    },
    /// A DAG makes no new runs any more. Its history stays; runs that are on go on.
    RemoveDag {
        /// Which.
        dag: DagId,
    },
}

/// A connection, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedConnection {
    /// Its name.
    pub name: Arc<str>,
    /// What kind of system it leads to.
    pub kind: Arc<str>,
    /// What everybody may see; JSON.
    pub fields: Arc<str>,
    /// What nobody may see, encrypted.
    pub sealed: Arc<str>,
}

/// A variable, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedVariable {
    /// Its name.
    pub name: Arc<str>,
    /// Its value, encrypted.
    pub sealed: Arc<str>,
    /// What it is for, for people.
    pub note: Option<Arc<str>>,
}

/// A new run by hand.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Trigger {
    /// Of which DAG.
    pub dag: DagId,
    /// Its name; made from the time if none.
    #[serde(default)]
    pub name: Option<Arc<str>>,
    /// What it covers; the last complete interval if none.
    #[serde(default)]
    pub covers: Option<(Timestamp, Timestamp)>,
    /// Its params, completed from their defaults.
    #[serde(default)]
    pub params: Value,
    /// Its version; the newest if none.
    #[serde(default)]
    pub version: Option<Version>,
    /// Why, for people.
    #[serde(default)]
    pub note: Option<Arc<str>>,
}

/// A backfill.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Backfill {
    /// Of which DAG.
    pub dag: DagId,
    /// The first start that it covers.
    pub from: Timestamp,
    /// The last.
    pub to: Timestamp,
    /// What happens to dates that have a run.
    #[serde(default)]
    pub reprocess: Reprocess,
    /// Whether the newest date comes first.
    #[serde(default)]
    pub backwards: bool,
    /// How many of its runs are active at once.
    #[serde(default = "Backfill::active_runs_max_default")]
    pub active_runs_max: u32,
    /// The params of its runs.
    #[serde(default)]
    pub params: Value,
}

impl Backfill {
    /// How many of its runs are active at once if nobody says.
    pub const ACTIVE_RUNS_MAX_DEFAULT: u32 = 10;
    /// The most dates that one backfill covers.
    pub const DATES_MAX: usize = 100_000;

    const fn active_runs_max_default() -> u32 {
        Self::ACTIVE_RUNS_MAX_DEFAULT
    }
}

/// Which tasks of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Select {
    /// The run.
    pub run: RunNo,
    /// Which of its tasks.
    pub tasks: Selected,
}

/// Which tasks of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selected {
    /// All.
    All,
    /// These. A mapped task without an index means all its instances.
    Tasks(Vec<(TaskId, Option<MapIndex>)>),
    /// All in this group and in the groups inside it.
    Group(GroupId),
}

/// Which tasks around the selected ones are meant, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "five independent ticks of a form"
)]
pub struct Around {
    /// Everything before them.
    pub upstream: bool,
    /// Everything after them.
    pub downstream: bool,
    /// The same tasks in earlier runs of the DAG.
    pub past: bool,
    /// The same tasks in later runs.
    pub future: bool,
    /// Of all these only what failed, or could not run because something failed.
    pub only_failed: bool,
}

/// Which version a run has after it was cleared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunVersion {
    /// The one it has.
    #[default]
    Keep,
    /// The newest.
    Newest,
    /// This one.
    This(Version),
}

/// What can be paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pausable {
    /// A DAG: no new runs, no new attempts.
    Dag(DagId),
    /// A run: no new attempts.
    Run(RunNo),
    /// A pool: nothing gets a slot.
    Pool(Arc<str>),
    /// A backfill: no new runs, no new attempts in those that are on.
    Backfill(i64),
}

/// Which runs a bulk command is for. What is not given does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", default)]
pub struct Filter {
    /// These, whatever else is given.
    pub runs: Vec<RunNo>,
    /// Of this DAG.
    pub dag: Option<DagId>,
    /// In one of these states.
    pub states: Vec<RunState>,
    /// Of one of these kinds.
    pub kinds: Vec<RunType>,
    /// Covering a time from here …
    pub from: Option<Timestamp>,
    /// … to here.
    pub to: Option<Timestamp>,
    /// Only these tasks of them; all if empty.
    pub tasks: Vec<TaskId>,
    /// At the most so many runs.
    pub runs_max: u32,
}

/// What a bulk command does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkAction {
    /// What failed runs again.
    RetryFailed,
    /// Everything runs again.
    Clear,
    /// They end.
    Cancel,
    /// Their tasks count as having ended like this.
    Mark(TaskState),
}

/// How the engine is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which Tidemill this is: part of every launch key.
    pub deployment: Arc<str>,
    /// How long a worker may be silent before its attempts are lost.
    pub lease: Duration,
    /// How long an attempt may be with a worker that does not begin it.
    pub queued_max: Duration,
    /// How often the platform may lose a task's attempts before the task fails.
    pub losses_max: u32,
    /// How long a task waits after its attempt was lost, doubling with each.
    pub loss_wait: Duration,
    /// How many slots the pool has that tasks use which name none.
    pub default_pool_slots: Option<u32>,
    /// How many runs are made for missed ticks of one DAG before others have their turn.
    pub catchup_batch: u32,
    /// How many task instances of ended runs are kept at hand, so that a retry right after needs no reading back.
    pub ended_tasks_kept: usize,
    /// How long a run that ended is kept at hand at the least: longer than a commit and a reading take. What is let go of
    /// before its end is stored would be read back as it was.
    pub ended_kept_for: Duration,
    /// Deliberate faults, to prove that the simulator sees them. Empty in every real process.
    pub defects: Defects,
    /// Values of variables that keys of concurrency may use.
    pub variables: BTreeMap<String, String>,
}

/// Deliberate faults, to prove that the simulator sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of tests"
)]
pub struct Defects {
    /// A report of a superseded attempt is taken for the current one.
    pub no_fence: bool,
    /// A date can get a second run.
    pub no_unique_date: bool,
    /// Alerts are decided but not written.
    pub no_outbox: bool,
    /// Slots of pools are not counted.
    pub no_pool_count: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            deployment: "tidemill".into(),
            lease: Duration::from_secs(30),
            queued_max: Duration::from_secs(120),
            losses_max: 3,
            loss_wait: Duration::from_secs(1),
            default_pool_slots: Some(128),
            catchup_batch: 100,
            ended_tasks_kept: 50_000,
            ended_kept_for: Duration::from_secs(60),
            defects: Defects::default(),
            variables: BTreeMap::new(),
        }
    }
}
