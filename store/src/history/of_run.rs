//! The tasks of a run, as its page lists them.

use std::sync::Arc;

use tidemill_core::protocol::{MapIndex, NOT_MAPPED, RunNo, TaskNo};

use super::limit;
use crate::bind::Args;
use crate::read::{BadCell, Read, Reader};
use crate::record::TaskRow;
use crate::{Store, StoreError, sql};

/// Which task instances of a run, and from where in their list on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tasks {
    /// Every task as a whole, those after this one; all of them after none.
    Whole(Option<TaskNo>),
    /// The instances of a mapped task after this one; all of them after [`NOT_MAPPED`].
    Of(TaskNo, MapIndex),
    /// Every task as a whole and every instance of those that are mapped, those after this one; all of them after none.
    All(Option<(TaskNo, MapIndex)>),
}

/// A task instance of a run, with what there is to say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskOfRun {
    /// The instance.
    pub task: TaskRow,
    /// What it waits for, or why it ended as it did.
    pub why: Option<Arc<str>>,
    /// What a person wrote.
    pub note: Option<Arc<str>>,
    /// What its last attempt that is over said.
    pub message: Option<Arc<str>>,
}

impl Read for TaskOfRun {
    const TABLE: &'static str = "task";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            task: TaskRow::read(from)?,
            why: from.opt_text()?,
            note: from.opt_text()?,
            message: from.opt_text()?,
        })
    }
}

impl Store {
    /// A page of the task instances of a run, by number and index.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn tasks_of_run(
        &self,
        run: RunNo,
        which: Tasks,
        rows: u32,
    ) -> Result<Vec<TaskOfRun>, StoreError> {
        let ((task, index), (task_max, index_max)) = match which {
            Tasks::Whole(None) => ((0, MapIndex::MIN), (i32::MAX, NOT_MAPPED)),
            Tasks::Whole(Some(after)) => ((after.0, NOT_MAPPED), (i32::MAX, NOT_MAPPED)),
            Tasks::All(after) => {
                let (task, index) =
                    after.map_or((0, MapIndex::MIN), |(task, index)| (task.0, index));
                ((task, index), (i32::MAX, MapIndex::MAX))
            }
            Tasks::Of(of, after) => {
                let last = i32::try_from(of.0).unwrap_or(i32::MAX);
                ((of.0, after), (last, MapIndex::MAX))
            }
        };
        let args = Args::NONE
            .int(run.0)
            .int(i64::from(task))
            .int(i64::from(index))
            .int(i64::from(task_max))
            .int(i64::from(index_max))
            .int(limit(rows));
        self.db().rows(&sql::TASKS_OF_RUN, args).await
    }

    /// These tasks of a run as wholes, by number. One that the run does not have is left out.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn whole_tasks(
        &self,
        run: RunNo,
        tasks: &[TaskNo],
    ) -> Result<Vec<TaskOfRun>, StoreError> {
        let numbers = tasks.iter().map(|task| i64::from(task.0)).collect();
        let args = Args::NONE.int(run.0).ints(numbers);
        self.db().rows(&sql::WHOLE_TASKS, args).await
    }
}
