//! What workers say about the logs of their attempts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Assignment, AttemptNo, AttemptRef, MapIndex, RunNo};
use crate::id::{DagId, TaskId};
use crate::time::Timestamp;

/// Where the log of an attempt is found, in names and numbers that people know.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogPlace {
    /// The DAG.
    pub dag: DagId,
    /// The run's name.
    pub run: Arc<str>,
    /// Its number: after a clean there may be another run of that name.
    #[serde(default)]
    pub run_no: RunNo,
    /// The task.
    pub task: TaskId,
    /// Which instance of it, or [`NOT_MAPPED`](super::NOT_MAPPED).
    pub map_index: MapIndex,
    /// 1 for the first attempt.
    pub number: u32,
    /// The attempt.
    pub attempt: AttemptNo,
}

impl From<&Assignment> for LogPlace {
    fn from(assignment: &Assignment) -> Self {
        Self {
            dag: assignment.dag.clone(),
            run: Arc::clone(&assignment.run),
            run_no: assignment.attempt.of.run,
            task: assignment.task.clone(),
            map_index: assignment.attempt.of.map_index,
            number: assignment.number,
            attempt: assignment.attempt.attempt,
        }
    }
}

/// A piece of an attempt's log.
///
/// Attempt, hand and the instant at which the worker opened the log name one sequence of chunks; `nth` grows in it. A
/// number may be missing: the worker had no more room for that chunk, and the next one begins with a line that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    /// Whose log.
    pub attempt: AttemptRef,
    /// When the worker opened it: an attempt that comes back to a worker begins another sequence.
    pub opened: Timestamp,
    /// The number of the chunk in its sequence, from 0.
    pub nth: u32,
    /// Where the log belongs.
    pub place: LogPlace,
    /// Lines of JSON, each with its line feed.
    pub lines: Arc<str>,
    /// Whether it is the last of its sequence.
    #[serde(default)]
    pub last: bool,
}

impl LogChunk {
    /// The answer that it is kept.
    #[must_use]
    pub fn ack(&self) -> LogAck {
        LogAck {
            attempt: self.attempt,
            opened: self.opened,
            nth: self.nth,
        }
    }
}

/// That a chunk, and all before it in its sequence, is kept: the worker may forget it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogAck {
    /// Whose log.
    pub attempt: AttemptRef,
    /// When the worker opened it.
    pub opened: Timestamp,
    /// The number of the chunk.
    pub nth: u32,
}
