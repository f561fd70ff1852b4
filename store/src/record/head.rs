//! The few fields of a run that lists and decisions need.

use std::sync::Arc;

use tidemill_core::id::DagId;
use tidemill_core::protocol::RunNo;
use tidemill_core::state::{RunState, RunType};
use tidemill_core::time::Timestamp;

/// A run, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunHead {
    /// Its number.
    pub id: RunNo,
    /// The DAG.
    pub dag: DagId,
    /// Its name within the DAG.
    pub name: Arc<str>,
    /// How it came about.
    pub kind: RunType,
    /// Where it stands.
    pub state: RunState,
    /// The start of what it covers.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}
