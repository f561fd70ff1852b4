//! Rows of the monitoring table and of checks, with the names that people know.

use tidemill_core::id::TaskId;

use crate::read::{BadCell, Read, Reader};

/// A row of what attempts left behind, and whose it is. What is kept longer than its run has no names any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<T> {
    /// The row.
    pub row: T,
    /// The name of its run.
    pub run: Option<String>,
    /// The name of its task.
    pub task: Option<TaskId>,
}

impl<T: Read> Read for Named<T> {
    const TABLE: &'static str = T::TABLE;

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            row: T::read(from)?,
            run: from.opt_string()?,
            task: from.opt_name()?,
        })
    }
}
