//! What lists can be narrowed to, and where they go on.

use std::ops::Range;

use tidemill_core::id::DagId;
use tidemill_core::state::{RunState, RunType};
use tidemill_core::time::Timestamp;

use crate::record::{CheckRow, LoadRow, RunHead, RunRow};

/// These DAGs as one text, for statements that narrow a list to them: no name has a `/` in it.
pub(crate) fn listed(among: Option<&[DagId]>) -> Option<String> {
    let among = among?;
    let mut text = String::from("/");
    for dag in among {
        text.push_str(dag.as_str());
        text.push('/');
    }
    Some(text)
}

/// All times.
pub(super) const EVER: Range<Timestamp> =
    Timestamp::from_micros(i64::MIN)..Timestamp::from_micros(i64::MAX);

/// The last row of a page; the next page begins after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The start of a run, the end of a load, or the time of a check.
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

impl From<&CheckRow> for Cursor {
    fn from(check: &CheckRow) -> Self {
        Self {
            at: check.result.at,
            id: check.attempt.0,
            nth: check.nth,
        }
    }
}

/// Which runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this DAG.
    pub dag: Option<DagId>,
    /// Of these DAGs alone: those that somebody may see, if that is not all.
    pub among: Option<Vec<DagId>>,
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
            among: None,
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
    /// Of these DAGs alone: those that somebody may see, if that is not all.
    pub among: Option<Vec<DagId>>,
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
            among: None,
            destination: None,
            ended: EVER,
            status: None,
        }
    }
}

/// Which results of checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFilter {
    /// Of this DAG.
    pub dag: Option<DagId>,
    /// Of these DAGs alone: those that somebody may see, if that is not all.
    pub among: Option<Vec<DagId>>,
    /// Of this table.
    pub table: Option<String>,
    /// Of checks that are called like this.
    pub name: Option<String>,
    /// Which were found within.
    pub at: Range<Timestamp>,
    /// With this status.
    pub status: Option<String>,
}

impl Default for CheckFilter {
    fn default() -> Self {
        Self {
            dag: None,
            among: None,
            table: None,
            name: None,
            at: EVER,
            status: None,
        }
    }
}
