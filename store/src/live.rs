//! What whoever shows something live looks at: whether anything was committed, and then what it changed.
//!
//! A mark is no truth about what it stands for. All that matters of two of them is whether they are the same.

use tidemill_core::id::DagId;
use tidemill_core::protocol::RunNo;
use tidemill_core::state::RunState;

use crate::bind::Args;
use crate::read::{BadCell, Read, Reader};
use crate::{Store, StoreError, sql};

/// How far the commits are. While it stays the same, nothing of DAGs and runs has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// The term of the last leader.
    pub term: i64,
    /// The last batch of that term.
    pub batch: i64,
    /// The highest number that a run was ever given.
    pub newest: RunNo,
}

/// A DAG, by what changes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DagMark {
    /// Which.
    pub dag: DagId,
    version: Option<String>,
    paused: bool,
    last_due: Option<i64>,
    numbers: [i64; 2],
}

/// A run, by what changes with it; its tasks have a mark of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunMark {
    /// Which.
    pub run: RunNo,
    /// Of which DAG.
    pub dag: DagId,
    /// How it stands.
    pub state: RunState,
    edits: i64,
    paused: bool,
    words: i64,
}

/// The tasks of a run, by sums that change with any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TasksMark {
    /// Of which run.
    pub run: RunNo,
    sums: [i64; 4],
}

impl Read for Pulse {
    const TABLE: &'static str = "leader";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            term: from.int()?,
            batch: from.int()?,
            newest: RunNo(from.int()?),
        })
    }
}

impl Read for DagMark {
    const TABLE: &'static str = "dag";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            dag: from.name()?,
            version: from.opt_string()?,
            paused: from.flag()?,
            last_due: from.opt_time()?.map(|at| at.micros()),
            numbers: [from.int()?, from.int()?],
        })
    }
}

impl Read for RunMark {
    const TABLE: &'static str = "run";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            run: RunNo(from.int()?),
            dag: from.name()?,
            state: from.word()?,
            edits: from.int()?,
            paused: from.flag()?,
            words: from.int()?,
        })
    }
}

impl Read for TasksMark {
    const TABLE: &'static str = "task";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            run: RunNo(from.int()?),
            sums: [from.int()?, from.int()?, from.int()?, from.int()?],
        })
    }
}

impl RunMark {
    /// Whether it has not ended.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(self.state, RunState::Queued | RunState::Running)
    }
}

impl Store {
    /// How far the commits are: one row, however much there is.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn pulse(&self) -> Result<Pulse, StoreError> {
        let pulse = self.db().row(&sql::PULSE, Args::NONE).await?;
        pulse.ok_or(StoreError::NoLeaderRow)
    }

    /// The marks of all DAGs.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn dag_marks(&self) -> Result<Vec<DagMark>, StoreError> {
        self.db().rows(&sql::DAG_MARKS, Args::NONE).await
    }

    /// The marks of the runs that have not ended, of these, and of those with a higher number than `above`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn run_marks(
        &self,
        runs: &[RunNo],
        above: RunNo,
    ) -> Result<Vec<RunMark>, StoreError> {
        let args = Args::NONE.ints(numbers(runs)).int(above.0);
        self.db().rows(&sql::RUN_MARKS, args).await
    }

    /// The marks of the tasks of these runs. A run without tasks has none.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn tasks_marks(&self, runs: &[RunNo]) -> Result<Vec<TasksMark>, StoreError> {
        let args = Args::NONE.ints(numbers(runs));
        self.db().rows(&sql::TASK_MARKS, args).await
    }
}

fn numbers(runs: &[RunNo]) -> Vec<i64> {
    runs.iter().map(|run| run.0).collect()
}
