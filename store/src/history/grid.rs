//! The grid: the last runs of a DAG, and how each of its tasks went in each.

use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::{RunNo, TaskNo};
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;

use super::{Cursor, RunFilter};
use crate::bind::Args;
use crate::read::{BadCell, Read, Reader};
use crate::record::RunRow;
use crate::{Store, StoreError, sql};

/// The last runs of a DAG.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// The runs, the newest start first.
    pub runs: Vec<RunRow>,
    /// Their tasks, by run, task, whether it is of instances, and state.
    pub cells: Vec<GridCell>,
}

/// A task in a run, or the instances of a mapped task that are in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridCell {
    /// The run.
    pub run: RunNo,
    /// The task.
    pub task: TaskNo,
    /// Its name.
    pub name: TaskId,
    /// Whether these are instances of a mapped task; else it is the task, mapped or not, as a whole.
    pub instances: bool,
    /// Where they stand.
    pub state: TaskState,
    /// How many there are.
    pub count: u32,
    /// The highest number of an attempt.
    pub number: u32,
    /// When the first of them was assigned.
    pub queued_at: Option<Timestamp>,
    /// When the first of them began.
    pub started_at: Option<Timestamp>,
    /// When the last of them came into this state.
    pub since: Timestamp,
}

impl Read for GridCell {
    const TABLE: &'static str = "task";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            run: RunNo(from.int()?),
            task: TaskNo(from.count()?),
            name: from.name()?,
            instances: from.int()? != 0,
            state: from.word()?,
            count: from.count()?,
            number: from.count()?,
            queued_at: from.opt_time()?,
            started_at: from.opt_time()?,
            since: from.time()?,
        })
    }
}

/// What people noted on a task of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The run.
    pub run: RunNo,
    /// The task.
    pub task: TaskNo,
    /// How the note begins; of several on the instances of a mapped task, one.
    pub note: String,
}

impl Read for Noted {
    const TABLE: &'static str = "task_detail";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            run: RunNo(from.int()?),
            task: TaskNo(from.count()?),
            note: from.string()?,
        })
    }
}

impl Store {
    /// The notes on tasks of these runs, each with its first two hundred letters.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn noted(&self, runs: &[RunNo]) -> Result<Vec<Noted>, StoreError> {
        let ids = runs.iter().map(|run| run.0).collect();
        self.db().rows(&sql::NOTED, Args::NONE.ints(ids)).await
    }

    /// The last `runs` runs of a DAG, from a place in the list on, with their tasks.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn grid(&self, dag: &DagId, after: Cursor, runs: u32) -> Result<Grid, StoreError> {
        let of = RunFilter {
            dag: Some(dag.clone()),
            ..RunFilter::default()
        };
        let runs = self.runs(&of, after, runs).await?;
        let ids = runs.iter().map(|run| run.id.0).collect();
        let cells = self.db().rows(&sql::GRID_CELLS, Args::NONE.ints(ids));
        let mut cells: Vec<GridCell> = cells.await?;
        let place = |cell: &GridCell| (cell.run, cell.task, cell.instances);
        cells.sort_by(|a, b| {
            let words = || a.state.word().cmp(b.state.word());
            place(a).cmp(&place(b)).then_with(words)
        });
        Ok(Grid { runs, cells })
    }
}
