//! A task in a run, and the instances of a mapped one.

use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::{InstanceRef, MapIndex, RunNo, TaskNo};
use tidemill_core::state::TaskState;

use super::limit;
use crate::bind::Args;
use crate::read::{BadCell, Read, Reader};
use crate::record::{TaskDetailRow, TaskRow};
use crate::{Store, StoreError, sql};

/// The instances of a mapped task that are in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InState {
    /// The state.
    pub state: TaskState,
    /// How many there are.
    pub count: u32,
    /// The first of them in its list.
    pub first: u32,
}

impl Read for InState {
    const TABLE: &'static str = "task";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            state: from.word()?,
            count: from.count()?,
            first: from.count()?,
        })
    }
}

impl Store {
    /// An instance of a task in a run, by the task's name; of a mapped task, with [`NOT_MAPPED`](tidemill_core::protocol::NOT_MAPPED),
    /// the task as a whole.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn task_named(
        &self,
        run: RunNo,
        (dag, task): (&DagId, &TaskId),
        map_index: MapIndex,
    ) -> Result<Option<TaskRow>, StoreError> {
        let args = Args::NONE.int(run.0).text(dag.as_str());
        let args = args.text(task.as_str()).int(i64::from(map_index));
        self.db().row(&sql::TASK_NAMED, args).await
    }

    /// What only some instances have: what it waits for, why it ended, what it is mapped over, notes.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn task_detail(&self, of: InstanceRef) -> Result<Option<TaskDetailRow>, StoreError> {
        let args = Args::NONE.int(of.run.0).int(i64::from(of.task.0));
        let args = args.int(i64::from(of.map_index));
        self.db().row(&sql::TASK_DETAIL_OF, args).await
    }

    /// A page of the instances of a mapped task, by their place in its list, after this one; −1 for the first page.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn instances(
        &self,
        (run, task): (RunNo, TaskNo),
        after: MapIndex,
        rows: u32,
    ) -> Result<Vec<TaskRow>, StoreError> {
        let args = Args::NONE.int(run.0).int(i64::from(task.0));
        let args = args.int(i64::from(after)).int(limit(rows));
        self.db().rows(&sql::TASK_INSTANCES, args).await
    }

    /// How many instances of a mapped task are in each state.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn instance_states(
        &self,
        (run, task): (RunNo, TaskNo),
    ) -> Result<Vec<InState>, StoreError> {
        let args = Args::NONE.int(run.0).int(i64::from(task.0));
        self.db().rows(&sql::INSTANCE_STATES, args).await
    }
}
