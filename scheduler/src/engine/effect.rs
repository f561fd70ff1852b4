//! What the engine wants done once its changes are durable, and what it answers.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidemill_core::id::TaskId;
use tidemill_core::protocol::{AttemptRef, Duty, InstanceRef, RunNo, Verdict};
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_store::record::{Changes, Touch};

use super::input::Wanted;

/// What came of the inputs since the last time: what to commit, and what to do after that.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// To be committed, all or nothing.
    pub changes: Changes,
    /// To be done once that is durable, in this order, and not before.
    pub effects: Vec<Effect>,
}

/// Something to be done once the changes are durable.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Give an attempt to a worker; [`super::Engine::assignment`] says all about it.
    Assign {
        /// The worker.
        worker: Arc<str>,
        /// The attempt.
        attempt: AttemptRef,
        /// What it is to do.
        duty: Duty,
    },
    /// Have a worker stop an attempt, and cancel what it started outside. It answers [`Report::Stopped`].
    ///
    /// [`Report::Stopped`]: tidemill_core::protocol::Report::Stopped
    Stop {
        /// The worker.
        worker: Arc<str>,
        /// The attempt.
        attempt: AttemptRef,
    },
    /// Tell a worker what became of its report.
    Answer {
        /// The worker.
        worker: Arc<str>,
        /// The attempt it was about.
        attempt: AttemptRef,
        /// What became of it.
        verdict: Verdict,
    },
    /// Tell a worker to take nothing new, or to take orders again. Of the latter it says itself when it does.
    Drain {
        /// The worker.
        worker: Arc<str>,
        /// Whether it stops taking orders.
        drain: bool,
    },
    /// Tell whoever asked.
    Reply {
        /// The request's id.
        to: u64,
        /// What changed, or why nothing did.
        result: Result<Changed, Refusal>,
    },
    /// Read runs back that have ended, and give them to [`Input::Loaded`].
    ///
    /// [`Input::Loaded`]: super::Input::Loaded
    Load(Wanted),
}

impl Effect {
    /// The worker that is told, if it is one.
    #[must_use]
    pub fn worker(&self) -> Option<&Arc<str>> {
        match self {
            Self::Assign { worker, .. }
            | Self::Stop { worker, .. }
            | Self::Drain { worker, .. }
            | Self::Answer { worker, .. } => Some(worker),
            Self::Reply { .. } | Self::Load(_) => None,
        }
    }
}

/// What exactly a command changed, or would change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Changed {
    /// Runs that were made, with their names.
    pub runs_made: Vec<(RunNo, Arc<str>)>,
    /// Runs that were changed.
    pub runs: Vec<RunNo>,
    /// Task instances that were changed, from which state to which.
    pub tasks: Vec<TaskChange>,
    /// Tables that will be written again, with how: `append into crm.tickets`.
    pub writes_again: Vec<Arc<str>>,
    /// Dates of a backfill, with what becomes of each.
    pub dates: Vec<DatePlan>,
    /// Anything else worth saying, for people.
    pub remarks: Vec<String>,
    /// How many runs the filter of a bulk command found beyond its limit.
    pub runs_left: u32,
}

/// One task instance that a command changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskChange {
    /// Which.
    pub of: InstanceRef,
    /// Its name.
    pub name: TaskId,
    /// The state it had.
    pub from: TaskState,
    /// The state it has.
    pub to: TaskState,
}

/// What becomes of one date of a backfill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatePlan {
    /// The start of what its run covers.
    pub start: Timestamp,
    /// The end.
    pub end: Timestamp,
    /// Nothing if a run is made, else why none is.
    pub left_out: Option<Arc<str>>,
    /// The run that is run again, if there is one.
    pub again: Option<RunNo>,
}

/// Why a command changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such thing.
    Unknown {
        /// What kind of thing: `DAG`, `run`, `task`, `pool`.
        what: &'static str,
        /// Its name.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// Its author saw something older than there is now.
    Stale {
        /// The `edits` that there are now.
        now: u32,
        /// The last change by a person, if it was one.
        touched: Option<Touch>,
        /// How things stand, for people.
        stands: String,
    },
    /// It makes no sense as it is.
    Invalid(Vec<String>),
    /// It has to be read back first; the request is to be sent again after that.
    Load(Box<Wanted>),
}

impl Refusal {
    pub(super) fn invalid(why: impl Into<String>) -> Self {
        Self::Invalid(vec![why.into()])
    }

    pub(super) fn run(run: RunNo) -> Self {
        Self::Unknown {
            what: "run",
            name: run.to_string(),
            nearest: None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown {
                what,
                name,
                nearest,
            } => {
                write!(f, "there is no {what} `{name}`")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
                    None => Ok(()),
                }
            }
            Self::Stale {
                touched: Some(touch),
                stands,
                ..
            } => write!(
                f,
                "{} {} it at {}; {stands}. Look again before you change it",
                touch.by, touch.how, touch.at
            ),
            Self::Stale { stands, .. } => {
                write!(
                    f,
                    "it changed since you looked: {stands}. Look again before you change it"
                )
            }
            Self::Invalid(why) => f.write_str(&why.join("; ")),
            Self::Load(_) => f.write_str("it is being read back; try again"),
        }
    }
}
