//! What was loaded.

use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::{AttemptNo, MapIndex, RunNo};

use super::filter::listed;
use super::{Cursor, LoadFilter, Named, limit};
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

/// What was loaded on a day, with one status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadDay {
    /// The day in UTC on which it ended, counted from 1970.
    pub day: i64,
    /// `success`, `failed`.
    pub status: String,
    /// How many loads.
    pub loads: i64,
    /// How many rows.
    pub rows: i64,
    /// How many bytes were read.
    pub bytes: i64,
    /// How many microseconds they took, all together.
    pub took: i64,
}

impl Read for LoadDay {
    const TABLE: &'static str = "load";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            day: from.int()?,
            status: from.string()?,
            loads: from.int()?,
            rows: from.int()?,
            bytes: from.int()?,
            took: from.int()?,
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
        let rows = self.loads_named(of, after, rows).await?;
        Ok(rows.into_iter().map(|named| named.row).collect())
    }

    /// One load of an attempt.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn load_of(
        &self,
        attempt: AttemptNo,
        nth: u32,
    ) -> Result<Option<Named<LoadRow>>, StoreError> {
        let args = Args::NONE.int(attempt.0).int(i64::from(nth));
        let rows = self.db().rows(&sql::LOAD_OF, args).await?;
        Ok(rows.into_iter().next())
    }

    /// What an attempt loaded, in the order in which it did.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn loads_of_attempt(
        &self,
        attempt: AttemptNo,
        rows: u32,
    ) -> Result<Vec<Named<LoadRow>>, StoreError> {
        let args = Args::NONE.int(attempt.0).int(limit(rows));
        self.db().rows(&sql::LOADS_OF_ATTEMPT, args).await
    }

    /// What was loaded day by day, of what matches and ended within; by day. The status is not looked at.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn load_days(&self, of: &LoadFilter) -> Result<Vec<LoadDay>, StoreError> {
        let args = Args::NONE
            .time(of.ended.start)
            .time(of.ended.end)
            .text(of.dag.as_ref().map(DagId::as_str))
            .text(of.destination.as_deref())
            .text(listed(of.among.as_deref()).as_deref());
        self.db().rows(&sql::LOAD_DAYS, args).await
    }

    /// A page of loads with the names of their runs and tasks, the last first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn loads_named(
        &self,
        of: &LoadFilter,
        after: Cursor,
        rows: u32,
    ) -> Result<Vec<Named<LoadRow>>, StoreError> {
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
        after: (i64, i64),
        rows: u32,
    ) -> Result<Vec<LoadRow>, StoreError> {
        let rows = self.loads_of_run_named(run, after, rows).await?;
        Ok(rows.into_iter().map(|named| named.row).collect())
    }

    /// The same with the names of the run and of tasks.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn loads_of_run_named(
        &self,
        run: RunNo,
        (attempt, nth): (i64, i64),
        rows: u32,
    ) -> Result<Vec<Named<LoadRow>>, StoreError> {
        let args = Args::NONE.int(run.0).int(attempt).int(nth).int(limit(rows));
        self.db().rows(&sql::LOADS_OF_RUN, args).await
    }
}
