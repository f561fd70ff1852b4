//! What lists can be narrowed to, and where they go on.

use std::ops::Range;

use tidemill_core::id::DagId;
use tidemill_core::state::{RunState, RunType};
use tidemill_core::time::Timestamp;

use crate::record::{LoadRow, RunHead, RunRow};

/// All times.
pub(super) const EVER: Range<Timestamp> =
    Timestamp::from_micros(i64::MIN)..Timestamp::from_micros(i64::MAX);

/// The last row of a page; the next page begins after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The start of a run, or the end of a load.
    pub at: Timestamp,
    /// The number of the run, or of the attempt.
    pub id: i64,
    /// Which load of the attempt.
    pub nth: u32,
}

impl Cursor {
    /// Before everything.
    pub const START: Self = Self {
        at: Timestamp::from_micros(i64::MAX),
        id: i64::MAX,
        nth: i32::MAX as u32,
    };
}

impl From<&RunRow> for Cursor {
    fn from(run: &RunRow) -> Self {
        Self {
            at: run.start,
            id: run.id.0,
            nth: 0,
        }
    }
}

impl From<&RunHead> for Cursor {
    fn from(run: &RunHead) -> Self {
        Self {
            at: run.start,
            id: run.id.0,
            nth: 0,
        }
    }
}

impl From<&LoadRow> for Cursor {
    fn from(load: &LoadRow) -> Self {
        Self {
            at: load.load.ended_at,
            id: load.attempt.0,
            nth: load.nth,
        }
    }
}

/// Which runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this DAG.
    pub dag: Option<DagId>,
    /// In this state.
    pub state: Option<RunState>,
    /// That came about like this.
    pub kind: Option<RunType>,
    /// Whose start lies within.
    pub start: Range<Timestamp>,
    /// Whose name begins like this.
    pub name: Option<String>,
}

impl Default for RunFilter {
    fn default() -> Self {
        Self {
            dag: None,
            state: None,
            kind: None,
            start: EVER,
            name: None,
        }
    }
}

/// Which loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadFilter {
    /// Of this DAG.
    pub dag: Option<DagId>,
    /// Into this table.
    pub destination: Option<String>,
    /// Which ended within.
    pub ended: Range<Timestamp>,
    /// With this status.
    pub status: Option<String>,
}

impl Default for LoadFilter {
    fn default() -> Self {
        Self {
            dag: None,
            destination: None,
            ended: EVER,
            status: None,
        }
    }
}
