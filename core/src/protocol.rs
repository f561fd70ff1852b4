//! What scheduler and workers say to each other. The engine, the simulator and the wire use these very types.

mod check;
mod facts;
mod log;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{DagId, TaskId};
use crate::operator::{LaunchKey, TaskError};
use crate::span::as_text;
use crate::spec::is_default;
use crate::state::word_enum;
use crate::time::Timestamp;
use crate::version::Version;

pub use check::CheckResult;
pub use facts::read_json;
pub use log::{LogAck, LogChunk, LogPlace};

macro_rules! number_type {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_type! {
    /// The number of a run, over all DAGs; never used twice.
    RunNo(i64)
}
number_type! {
    /// The number of a task's name within its DAG. It stays the same over all versions of the DAG.
    TaskNo(u32)
}
number_type! {
    /// The number of an attempt, over all tasks; never used twice, always growing. It is the fence: a report for an
    /// attempt that is no longer its task's current one changes nothing.
    AttemptNo(i64)
}

/// Which instance of a task: its index, or [`NOT_MAPPED`].
pub type MapIndex = i32;

/// The index of a task that is not mapped, and of a mapped task as a whole.
pub const NOT_MAPPED: MapIndex = -1;

/// A task instance: a task of a run, or one instance of a mapped one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstanceRef {
    /// The run.
    pub run: RunNo,
    /// The task.
    pub task: TaskNo,
    /// Which instance of it.
    pub map_index: MapIndex,
}

/// An attempt, and who holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptRef {
    /// The task instance.
    #[serde(flatten)]
    pub of: InstanceRef,
    /// The attempt.
    pub attempt: AttemptNo,
    /// How often it was handed from one worker to another. A report with an older number is too late.
    pub hand: u16,
}

/// What a worker says when it connects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its name, unique among the workers that are up.
    pub worker: Arc<str>,
    /// What it was built from, for people.
    pub build: Arc<str>,
    /// How many attempts it runs at once.
    pub slots: u32,
    /// The queues that it serves.
    pub queues: Vec<Arc<str>>,
    /// What else there is to say about it, for people: where it is, whose it is. Nothing is placed by it. An older worker
    /// says none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Whether it knows [`ToWorker::Drain`](crate::wire::ToWorker::Drain); an older worker does not, and would end the connection.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hears_drain: bool,
    /// The DAG versions that it holds.
    pub versions: Vec<(DagId, Version)>,
    /// The attempts that it holds: after a reconnect both sides compare.
    pub holds: Vec<AttemptRef>,
}

/// What a worker tells about one attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// It began.
    Started,
    /// It waits for something outside and holds no slot any more.
    Deferred {
        /// What is needed to go on, possibly on another worker; JSON.
        handle: Arc<str>,
        /// How long until it is looked at again.
        #[serde(with = "as_text")]
        wait: Duration,
        /// What it waits for, for people.
        why: Arc<str>,
    },
    /// It is done.
    Done {
        /// What it returns; JSON.
        #[serde(default, skip_serializing_if = "is_default")]
        output: Option<Arc<str>>,
        /// What it loaded.
        #[serde(default, skip_serializing_if = "is_default")]
        loads: Vec<Load>,
        /// What came of checks of data.
        #[serde(default, skip_serializing_if = "is_default")]
        checks: Vec<CheckResult>,
    },
    /// There was nothing to do.
    Skipped {
        /// Why, for people.
        why: Arc<str>,
    },
    /// It failed.
    Failed {
        /// How.
        error: Box<TaskError>,
        /// Whether its remote job is known to have ended: then, and only then, another try is another job.
        job_ended: bool,
        /// What it had loaded by then.
        #[serde(default, skip_serializing_if = "is_default")]
        loads: Vec<Load>,
        /// What came of checks of data by then.
        #[serde(default, skip_serializing_if = "is_default")]
        checks: Vec<CheckResult>,
    },
    /// The worker is leaving: somebody else has to watch what this attempt waits for.
    HandedOver,
    /// The worker will not run it: it does not hold the version, or has no room.
    Refused {
        /// Why, for people.
        why: Arc<str>,
    },
    /// The order to stop it was carried out: nothing of it runs any more, here or outside.
    Stopped,
}

impl Report {
    /// It failed, and whether something of it runs outside is open.
    #[must_use]
    pub fn failed(error: TaskError) -> Self {
        Self::Failed {
            error: Box::new(error),
            job_ended: false,
            loads: Vec::new(),
            checks: Vec::new(),
        }
    }
}

/// What became of a report. It is said again, word for word, when the report is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is on record.
    Recorded,
    /// The attempt is no longer its task's current one, or somebody else holds it now: the report changed nothing. The
    /// worker drops the attempt and leaves its remote job alone.
    Superseded,
}

word_enum! {
    /// What a worker is to do with an attempt.
    Duty {
        /// Run it.
        Run = "run",
        /// Watch what it waits for, with its handle.
        Watch = "watch",
        /// Cancel what it may have started outside; the worker that ran it is gone or was told to stop.
        Release = "release",
    }
}

/// One attempt for one worker: everything the worker needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// Which attempt.
    pub attempt: AttemptRef,
    /// What to do.
    pub duty: Duty,
    /// The DAG.
    pub dag: DagId,
    /// Its version.
    pub version: Version,
    /// The run's name.
    pub run: Arc<str>,
    /// How the run came about.
    pub run_type: crate::state::RunType,
    /// The task.
    pub task: TaskId,
    /// 1 for the first attempt.
    pub number: u32,
    /// The key of this launch epoch.
    pub key: LaunchKey,
    /// The start of what the run covers.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// The run's params; JSON.
    pub params: Arc<str>,
    /// What this instance is mapped over; JSON.
    #[serde(default, skip_serializing_if = "is_default")]
    pub item: Option<Arc<str>>,
    /// What the attempt, or the one before it in the same launch epoch, waited for; JSON.
    #[serde(default, skip_serializing_if = "is_default")]
    pub handle: Option<Arc<str>>,
    /// When the attempt must be over.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deadline: Option<Timestamp>,
}

/// One load, for the monitoring table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Load {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Where the data came from.
    pub sources: Vec<String>,
    /// How many files were read.
    pub files: i64,
    /// How many bytes were read.
    pub bytes_read: i64,
    /// How many records were read.
    pub rows_read: i64,
    /// The table.
    pub destination: String,
    /// Its partition, if one was written.
    pub partition: Option<String>,
    /// `append`, `truncate` or `merge`.
    pub mode: String,
    /// Rows in the destination before.
    pub rows_before: Option<i64>,
    /// Rows that were loaded.
    pub rows_loaded: i64,
    /// Rows in the destination after.
    pub rows_after: Option<i64>,
    /// Rows that were left out.
    pub rows_rejected: i64,
    /// The job that did it.
    pub job_id: Option<String>,
    /// Where a person can look at the job.
    pub job_url: Option<String>,
    /// What it cost in time.
    pub slot_ms: Option<i64>,
    /// What it cost in bytes.
    pub bytes_billed: Option<i64>,
    /// `success` or `failed`.
    pub status: String,
    /// Why it failed.
    pub error: Option<String>,
}
