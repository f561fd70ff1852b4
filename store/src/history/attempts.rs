//! What was tried.

use tidemill_core::id::DagId;
use tidemill_core::protocol::{AttemptNo, InstanceRef, MapIndex, RunNo, TaskNo};
use tidemill_core::time::Timestamp;

use super::{Cursor, limit};
use crate::bind::Args;
use crate::read::{BadCell, Read, Reader};
use crate::record::{AttemptEnd, AttemptRow, RunHead, TaskRow};
use crate::{Store, StoreError, sql};

/// The last row of a page of a run's attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptCursor {
    /// The task.
    pub task: TaskNo,
    /// Which instance of it.
    pub map_index: MapIndex,
    /// The attempt.
    pub id: AttemptNo,
}

impl AttemptCursor {
    /// Before everything.
    pub const START: Self = Self {
        task: TaskNo(0),
        map_index: MapIndex::MIN,
        id: AttemptNo(0),
    };
}

impl From<&AttemptRow> for AttemptCursor {
    fn from(row: &AttemptRow) -> Self {
        Self {
            task: row.of.task,
            map_index: row.of.map_index,
            id: row.id,
        }
    }
}

/// When an attempt that is over was on, and how it ended. What it said is left out: of thousands nobody reads that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Its number over all tasks.
    pub id: AttemptNo,
    /// Of which instance.
    pub of: InstanceRef,
    /// Its number within the task: 1 for the first.
    pub number: u32,
    /// How it ended.
    pub end: AttemptEnd,
    /// When it was assigned.
    pub queued_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// When the next attempt begins, if one was decided.
    pub retry_at: Option<Timestamp>,
    /// Since when it waited for something outside, until it ended.
    pub deferred_at: Option<Timestamp>,
}

impl From<&Tried> for AttemptCursor {
    fn from(row: &Tried) -> Self {
        Self {
            task: row.of.task,
            map_index: row.of.map_index,
            id: row.id,
        }
    }
}

impl Read for Tried {
    const TABLE: &'static str = "attempt";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            id: AttemptNo(from.int()?),
            of: from.instance()?,
            number: from.count()?,
            end: from.word()?,
            queued_at: from.time()?,
            started_at: from.opt_time()?,
            ended_at: from.time()?,
            retry_at: from.opt_time()?,
            deferred_at: from.opt_time()?,
        })
    }
}

/// A task in one run of its DAG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPast {
    /// The run.
    pub run: RunHead,
    /// The task.
    pub task: TaskRow,
}

impl Read for TaskPast {
    const TABLE: &'static str = "task";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            run: RunHead::read(from)?,
            task: TaskRow::read(from)?,
        })
    }
}

impl Store {
    /// The attempts of an instance that are over, the last first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn attempts(&self, of: InstanceRef) -> Result<Vec<AttemptRow>, StoreError> {
        let args = instance(Args::NONE.int(of.run.0), of.task, of.map_index);
        self.db().rows(&sql::ATTEMPTS_OF_TASK, args).await
    }

    /// A page of the attempts of a run that are over, in the order of its tasks.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn attempts_of_run(
        &self,
        run: RunNo,
        after: AttemptCursor,
        rows: u32,
    ) -> Result<Vec<AttemptRow>, StoreError> {
        let args = instance(Args::NONE.int(run.0), after.task, after.map_index)
            .int(after.id.0)
            .int(limit(rows));
        self.db().rows(&sql::ATTEMPTS_OF_RUN, args).await
    }

    /// The same, without what they said.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn tries_of_run(
        &self,
        run: RunNo,
        after: AttemptCursor,
        rows: u32,
    ) -> Result<Vec<Tried>, StoreError> {
        let args = instance(Args::NONE.int(run.0), after.task, after.map_index)
            .int(after.id.0)
            .int(limit(rows));
        self.db().rows(&sql::TRIES_OF_RUN, args).await
    }

    /// A task over the last `runs` runs of its DAG, from a place in the list on; a run in which it is not is left out.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn task_past(
        &self,
        dag: &DagId,
        (task, map_index): (TaskNo, MapIndex),
        after: Cursor,
        runs: u32,
    ) -> Result<Vec<TaskPast>, StoreError> {
        let place = Args::NONE.text(dag.as_str()).time(after.at).int(after.id);
        let args = instance(place.int(limit(runs)), task, map_index);
        self.db().rows(&sql::TASK_PAST, args).await
    }
}

fn instance(args: Args, task: TaskNo, map_index: MapIndex) -> Args {
    args.int(i64::from(task.0)).int(i64::from(map_index))
}
