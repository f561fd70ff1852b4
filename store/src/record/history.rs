//! What happened. These rows are added and never changed.

use std::str::FromStr;
use std::sync::Arc;

use tidemill_core::id::DagId;
use tidemill_core::operator::ErrorKind;
use tidemill_core::protocol::{AttemptNo, CheckResult, InstanceRef, Load, RunNo};
use tidemill_core::spec::Severity;
use tidemill_core::time::Timestamp;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttemptEnd {
    /// It did its work.
    Success,
    /// It failed.
    Failed,
    /// There was nothing to do.
    Skipped,
    /// It took too long.
    TimedOut,
    /// Its worker vanished, or never began it.
    Lost,
    /// A person, or the end of its run, ended it.
    Cancelled,
}

impl AttemptEnd {
    /// Every way to end.
    pub const ALL: [Self; 6] = [
        Self::Success,
        Self::Failed,
        Self::Skipped,
        Self::TimedOut,
        Self::Lost,
        Self::Cancelled,
    ];

    /// The word for it in the database and on pages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for AttemptEnd {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|end| end.word() == word);
        found.ok_or_else(|| format!("`{word}` is none of its words"))
    }
}

/// Table `attempt`, key `id`: an attempt that is over. The one that is on is in `task`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// Its number over all tasks.
    pub id: AttemptNo,
    /// Of which instance.
    pub of: InstanceRef,
    /// Its number within the task: 1 for the first.
    pub number: u32,
    /// Its launch epoch.
    pub epoch: u32,
    /// How it ended.
    pub end: AttemptEnd,
    /// The worker that held it last.
    pub worker: Option<Arc<str>>,
    /// When it was assigned.
    pub queued_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What kind of failure it was.
    pub error_kind: Option<ErrorKind>,
    /// What happened, for people.
    pub message: Option<Arc<str>>,
    /// What to do about it.
    pub help: Option<Arc<str>>,
    /// When the next attempt begins, if one was decided.
    pub retry_at: Option<Timestamp>,
    /// Since when it waited for something outside, until it ended. None if it did not, and for attempts of before this was kept.
    pub deferred_at: Option<Timestamp>,
}

/// Table `output`, key `attempt`: what an attempt returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputRow {
    /// The attempt.
    pub attempt: AttemptNo,
    /// Of which instance.
    pub of: InstanceRef,
    /// What it returned; JSON.
    pub value: Arc<str>,
    /// Whether the engine needs it to expand a mapped task; only these are read back at a start.
    pub listed: bool,
}

/// Table `load`: what an attempt loaded, in the commit that ended it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadRow {
    /// The attempt.
    pub attempt: AttemptNo,
    /// Which of the attempt's loads, from 0; `(attempt, nth)` is unique.
    pub nth: u32,
    /// Of which instance.
    pub of: InstanceRef,
    /// The DAG, for people and for the Loads page.
    pub dag: DagId,
    /// What was loaded.
    pub load: Load,
}

/// Table `check_result`: what came of a check that an attempt made, in the commit that ended it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRow {
    /// The attempt.
    pub attempt: AttemptNo,
    /// Which of the attempt's checks, from 0; `(attempt, nth)` is unique.
    pub nth: u32,
    /// Of which instance.
    pub of: InstanceRef,
    /// The DAG.
    pub dag: DagId,
    /// What came of it.
    pub result: CheckResult,
}

/// Table `asset_event`, key `id`: an asset changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetEventRow {
    /// Its number.
    pub id: i64,
    /// The asset.
    pub asset: Arc<str>,
    /// The instance that changed it; none if it came from outside.
    pub by: Option<InstanceRef>,
    /// When.
    pub at: Timestamp,
}

/// Table `outbox`, key `id`, `key` unique: something to be told to the world outside, written in the commit that
/// decided it. The relay delivers it; this is how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its number.
    pub id: i64,
    /// Says what it is about, so that the same is not told twice.
    pub key: Arc<str>,
    /// Where it goes: a route of alerts, or a mirror.
    pub route: Arc<str>,
    /// How loud it is.
    pub severity: Severity,
    /// The run it is about.
    pub run: Option<RunNo>,
    /// What it says; JSON.
    pub body: Arc<str>,
    /// When it was decided.
    pub at: Timestamp,
    /// The DAG it is about.
    pub dag: Option<DagId>,
}
