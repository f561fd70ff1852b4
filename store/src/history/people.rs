//! What people set and ask for: DAGs, pools, backfills.

use std::sync::Arc;

use tidemill_core::id::DagId;
use tidemill_core::state::RunState;

use super::filter::listed;
use super::limit;
use crate::bind::Args;
use crate::read::{BadCell, Read, Reader};
use crate::record::{BackfillDateRow, BackfillRow, DagRow, PoolRow};
use crate::{Store, StoreError, sql};

/// How many dates of a backfill stand how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The backfill.
    pub backfill: i64,
    /// Whether their runs are made, or never will be. Neither: they wait.
    pub left_out: bool,
    /// Where their runs stand, if they are made.
    pub run: Option<RunState>,
    /// How many.
    pub count: u64,
}

/// The run that a date of a backfill has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateRun {
    /// The date's place.
    pub nth: u32,
    /// The run's name.
    pub name: Arc<str>,
    /// Where the run stands.
    pub state: RunState,
}

impl Read for Progress {
    const TABLE: &'static str = "backfill_date";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            backfill: from.int()?,
            left_out: &*from.text()? == "left_out",
            run: from.opt_word()?,
            count: from.count()?,
        })
    }
}

impl Read for DateRun {
    const TABLE: &'static str = "run";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            nth: from.count()?,
            name: from.text()?,
            state: from.word()?,
        })
    }
}

impl Store {
    /// How far the backfills are whose numbers lie within, both ends included.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn backfill_progress(
        &self,
        (first, last): (i64, i64),
    ) -> Result<Vec<Progress>, StoreError> {
        let args = Args::NONE.int(first).int(last);
        self.db().rows(&sql::DATES_COUNTED, args).await
    }

    /// The runs that dates of a backfill have, in their order, after place `after`; -1 for the first page.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn backfill_runs(
        &self,
        backfill: i64,
        after: i64,
        rows: u32,
    ) -> Result<Vec<DateRun>, StoreError> {
        let args = Args::NONE.int(backfill).int(after).int(limit(rows));
        self.db().rows(&sql::RUNS_OF_DATES, args).await
    }

    /// All DAGs by name, those that were removed included.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn dags(&self) -> Result<Vec<DagRow>, StoreError> {
        self.db().rows(&sql::DAGS, Args::NONE).await
    }

    /// All pools by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn pools(&self) -> Result<Vec<PoolRow>, StoreError> {
        self.db().rows(&sql::POOLS, Args::NONE).await
    }

    /// A page of backfills, the newest first, from before number `before` on; `i64::MAX` for the first page. If
    /// `among` is given, of these DAGs alone.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn backfills(
        &self,
        among: Option<&[DagId]>,
        before: i64,
        rows: u32,
    ) -> Result<Vec<BackfillRow>, StoreError> {
        let args = Args::NONE
            .int(before)
            .text(listed(among).as_deref())
            .int(limit(rows));
        self.db().rows(&sql::BACKFILLS_ALL, args).await
    }

    /// A page of the dates of a backfill in the order of its runs, after place `after`; -1 for the first page.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn backfill_dates(
        &self,
        backfill: i64,
        after: i64,
        rows: u32,
    ) -> Result<Vec<BackfillDateRow>, StoreError> {
        let args = Args::NONE.int(backfill).int(after).int(limit(rows));
        self.db().rows(&sql::DATES_OF_BACKFILL, args).await
    }
}
