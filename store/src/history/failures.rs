//! What failed, with the words of the attempt that failed last.

use std::sync::Arc;

use tidemill_core::id::{DagId, TaskId};
use tidemill_core::operator::ErrorKind;
use tidemill_core::protocol::InstanceRef;
use tidemill_core::time::Timestamp;

use super::filter::listed;
use super::limit;
use crate::bind::Args;
use crate::read::{BadCell, Read, Reader};
use crate::record::RunHead;
use crate::{Store, StoreError, sql};

/// A task that failed for good, in a run that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The run.
    pub run: RunHead,
    /// Which instance.
    pub of: InstanceRef,
    /// The task's name.
    pub task: TaskId,
    /// When it failed.
    pub since: Timestamp,
    /// The number of its last attempt; none if it failed without one.
    pub number: Option<u32>,
    /// What kind of failure it was.
    pub kind: Option<ErrorKind>,
    /// What happened, for people.
    pub message: Option<Arc<str>>,
}

impl Read for Failure {
    const TABLE: &'static str = "task";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            run: RunHead::read(from)?,
            of: from.instance()?,
            task: from.name()?,
            since: from.time()?,
            number: from.opt_count()?,
            kind: from.opt_word()?,
            message: from.opt_text()?,
        })
    }
}

impl Store {
    /// The failed tasks of the last `runs` runs that failed since then, the newest run first; at the most
    /// `rows`, and if `among` is given, of these DAGs alone.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn failures(
        &self,
        since: Timestamp,
        among: Option<&[DagId]>,
        (runs, rows): (u32, u32),
    ) -> Result<Vec<Failure>, StoreError> {
        let args = Args::NONE
            .time(since)
            .int(limit(runs))
            .text(listed(among).as_deref())
            .int(limit(rows));
        self.db().rows(&sql::FAILURES, args).await
    }
}
