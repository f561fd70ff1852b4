//! Who did what, which assets changed, which ticks made no run.

use std::ops::Range;

use tidemill_core::id::DagId;
use tidemill_core::protocol::RunNo;
use tidemill_core::time::Timestamp;

use super::filter::EVER;
use super::{Cursor, limit};
use crate::bind::Args;
use crate::record::{AssetEventRow, AuditRow, SkippedTickRow};
use crate::{Store, StoreError, sql};

/// What a part of the audit log is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditOf {
    /// Everything.
    All,
    /// A DAG, with its runs and tasks.
    Dag(DagId),
    /// A run, with its tasks.
    Run(RunNo),
}

/// Which lines of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFilter {
    /// By this name.
    pub actor: Option<String>,
    /// Whose action begins like this: `task.`, `run.cancel`.
    pub action: Option<String>,
    /// Of this DAG.
    pub dag: Option<DagId>,
    /// Done within.
    pub within: Range<Timestamp>,
}

impl Default for AuditFilter {
    fn default() -> Self {
        Self {
            actor: None,
            action: None,
            dag: None,
            within: EVER,
        }
    }
}

impl Store {
    /// A page of the audit log as it is narrowed, the last line first, after a line with this time and number;
    /// [`Cursor::START`] for the first page.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn audits_like(
        &self,
        of: &AuditFilter,
        after: Cursor,
        rows: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let args = Args::NONE
            .time(after.at)
            .int(after.id)
            .time(of.within.start)
            .time(of.within.end)
            .text(of.actor.as_deref())
            .text(of.action.as_deref())
            .text(of.dag.as_ref().map(DagId::as_str))
            .int(limit(rows));
        self.db().rows(&sql::AUDITS_LIKE, args).await
    }

    /// A page of the audit log, the last line first, from before line `before` on; `i64::MAX` for the first page. Lines about
    /// access have numbers below 0 (the store's own), those of the leader above: which came first, their times say.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn audits(
        &self,
        of: &AuditOf,
        before: i64,
        rows: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let page = Args::NONE.int(before).int(limit(rows));
        let (statement, args) = match of {
            AuditOf::All if before == i64::MAX => (&sql::AUDITS_LAST, Args::NONE.int(limit(rows))),
            AuditOf::All => (&sql::AUDITS_ALL, page),
            AuditOf::Dag(dag) => (&sql::AUDITS_OF_DAG, page.text(dag.as_str())),
            AuditOf::Run(run) => (&sql::AUDITS_OF_RUN, page.int(run.0)),
        };
        self.db().rows(statement, args).await
    }

    /// A page of the changes of an asset, the last first, from before change `before` on; `i64::MAX` for the first page.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn asset_events(
        &self,
        asset: &str,
        before: i64,
        rows: u32,
    ) -> Result<Vec<AssetEventRow>, StoreError> {
        let args = Args::NONE.key(asset).int(before).int(limit(rows));
        self.db().rows(&sql::ASSET_EVENTS, args).await
    }

    /// The ticks of a DAG within that made no run, the last first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn skipped_ticks(
        &self,
        dag: &DagId,
        within: Range<Timestamp>,
        rows: u32,
    ) -> Result<Vec<SkippedTickRow>, StoreError> {
        let args = Args::NONE
            .text(dag.as_str())
            .time(within.start)
            .time(within.end)
            .int(limit(rows));
        self.db().rows(&sql::SKIPPED_TICKS, args).await
    }
}
