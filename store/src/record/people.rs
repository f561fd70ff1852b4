//! What people set and do: pools, backfills, the audit log.

use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidemill_core::id::DagId;
use tidemill_core::protocol::RunNo;
use tidemill_core::time::Timestamp;

use super::Touch;

/// Table `pool`, key `name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRow {
    /// Its name.
    pub name: Arc<str>,
    /// How many slots it has; none for any number.
    pub slots: Option<u32>,
    /// Whether deferred tasks keep their slots.
    pub holds_deferred: bool,
    /// Whether nothing gets a slot.
    pub paused: bool,
    /// Grows with every change.
    pub edits: u32,
    /// The last change by a person.
    pub touched: Option<Touch>,
    /// What it is for, for people.
    pub note: Option<Arc<str>>,
}

/// Which dates of a backfill that have a run already are run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reprocess {
    /// None.
    #[default]
    None,
    /// Those whose run failed or was cancelled.
    Failed,
    /// All whose run has ended.
    Completed,
}

impl Reprocess {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::None, Self::Failed, Self::Completed];

    /// The word for it in the database and on pages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Failed => "failed",
            Self::Completed => "completed",
        }
    }
}

impl FromStr for Reprocess {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|value| value.word() == word);
        found.ok_or_else(|| format!("`{word}` is none of its words"))
    }
}

/// Where a backfill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackfillState {
    /// It makes runs.
    Active,
    /// It makes none for now.
    Paused,
    /// Every date has been dealt with.
    Done,
    /// A person ended it.
    Cancelled,
}

impl BackfillState {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::Active, Self::Paused, Self::Done, Self::Cancelled];

    /// The word for it in the database and on pages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for BackfillState {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|value| value.word() == word);
        found.ok_or_else(|| format!("`{word}` is none of its words"))
    }
}

/// Table `backfill`, key `id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillRow {
    /// Its number.
    pub id: i64,
    /// The DAG.
    pub dag: DagId,
    /// The first instant that it covers.
    pub from: Timestamp,
    /// The last.
    pub to: Timestamp,
    /// What happens to dates that have a run.
    pub reprocess: Reprocess,
    /// How many of its runs are active at once.
    pub active_runs_max: u32,
    /// The params of its runs; JSON.
    pub params: Arc<str>,
    /// Where it stands.
    pub state: BackfillState,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Grows with every change by a person.
    pub edits: u32,
    /// The last change by a person.
    pub touched: Option<Touch>,
}

/// Where one date of a backfill stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DateState {
    /// Its run is not made yet. The run that is to be run again, if there is one.
    Waiting(Option<RunNo>),
    /// This is its run.
    Made(RunNo),
    /// It has none, and this is why.
    LeftOut(Arc<str>),
}

/// Table `backfill_date`, key `(backfill, start)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillDateRow {
    /// The backfill.
    pub backfill: i64,
    /// The place in the order in which its runs are made, from 0.
    pub nth: u32,
    /// The start of what the run covers.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// Where it stands.
    pub state: DateState,
}

/// Table `skipped_tick`, key `(dag, start)`: a tick that made no run, by the DAG's own policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedTickRow {
    /// The DAG.
    pub dag: DagId,
    /// The start of what its run would have covered.
    pub start: Timestamp,
    /// When it was skipped.
    pub at: Timestamp,
    /// Why, for people.
    pub why: Arc<str>,
}

/// Table `audit`: what a person did, or what was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who; the engine itself is `tidemill`.
    pub actor: Arc<str>,
    /// What was done: `task.clear`, `run.cancel`, `report.superseded`.
    pub action: Arc<str>,
    /// To what, for people: `crm_daily / scheduled__… / load`.
    pub target: Arc<str>,
    /// The DAG it concerns.
    pub dag: Option<DagId>,
    /// The run it concerns.
    pub run: Option<RunNo>,
    /// What exactly changed, or why it was refused; JSON.
    pub details: Arc<str>,
}
