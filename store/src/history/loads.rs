//! What was loaded.

use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::{MapIndex, RunNo};

use super::filter::listed;
use super::{Cursor, LoadFilter, limit};
use crate::bind::Args;
use crate::read::{BadCell, Read, Reader};
use crate::record::LoadRow;
use crate::{Store, StoreError, sql};

/// The status of a load that did what it should.
const WELL: &str = "success";

/// Where a job outside loaded something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfJob {
    /// Into what.
    pub destination: String,
    /// The DAG.
    pub dag: DagId,
    /// The name of the run.
    pub run: String,
    /// The task.
    pub task: TaskId,
    /// Which instance of it.
    pub index: MapIndex,
}

impl Read for OfJob {
    const TABLE: &'static str = "load";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            destination: from.string()?,
            dag: from.name()?,
            run: from.string()?,
            task: from.name()?,
            index: from.count()?,
        })
    }
}

impl Store {
    /// What the job outside with exactly this id loaded, the last first; if `among` is given, by these DAGs alone.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn loads_of_job(
        &self,
        job: &str,
        among: Option<&[DagId]>,
        rows: u32,
    ) -> Result<Vec<OfJob>, StoreError> {
        let args = Args::NONE
            .text(job)
            .text(listed(among).as_deref())
            .int(limit(rows));
        self.db().rows(&sql::LOADS_BY_JOB, args).await
    }

    /// A page of loads, the last first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn loads(
        &self,
        of: &LoadFilter,
        after: Cursor,
        rows: u32,
    ) -> Result<Vec<LoadRow>, StoreError> {
        let statement = match (&of.destination, &of.dag, &of.status) {
            (Some(_), ..) => &sql::LOADS_INTO,
            (None, Some(_), _) => &sql::LOADS_OF_DAG,
            (None, None, Some(status)) if status != WELL => &sql::LOADS_FAILED,
            (None, None, _) => &sql::LOADS_ALL,
        };
        let args = Args::NONE
            .time(after.at)
            .int(after.id)
            .int(i64::from(after.nth))
            .time(of.ended.start)
            .time(of.ended.end)
            .text(of.dag.as_ref().map(DagId::as_str))
            .text(of.destination.as_deref())
            .text(of.status.as_deref())
            .text(listed(of.among.as_deref()).as_deref())
            .int(limit(rows));
        self.db().rows(statement, args).await
    }

    /// A page of what a run loaded, in the order of its attempts: after load `nth` of `attempt`; -1 for the first of it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn loads_of_run(
        &self,
        run: RunNo,
        (attempt, nth): (i64, i64),
        rows: u32,
    ) -> Result<Vec<LoadRow>, StoreError> {
        let args = Args::NONE.int(run.0).int(attempt).int(nth).int(limit(rows));
        self.db().rows(&sql::LOADS_OF_RUN, args).await
    }
}
