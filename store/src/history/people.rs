//! What people set and ask for: DAGs, pools, backfills.

use tidemill_core::id::DagId;

use super::limit;
use crate::bind::Args;
use crate::record::{BackfillDateRow, BackfillRow, DagRow, PoolRow};
use crate::{Store, StoreError, sql};

impl Store {
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

    /// A page of backfills, the newest first, from before number `before` on; `i64::MAX` for the first page.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn backfills(
        &self,
        dag: Option<&DagId>,
        before: i64,
        rows: u32,
    ) -> Result<Vec<BackfillRow>, StoreError> {
        let args = Args::NONE
            .int(before)
            .text(dag.map(DagId::as_str))
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
