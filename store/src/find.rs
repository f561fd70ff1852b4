//! What a scheduler looks up beyond what it has in mind.

use std::ops::Range;

use tidemill_core::id::DagId;
use tidemill_core::protocol::AttemptNo;
use tidemill_core::time::Timestamp;

use crate::bind::Args;
use crate::read::{BadCell, Read, Reader};
use crate::record::{OutputRow, RunHead, RunRow, VersionRow};
use crate::{Store, StoreError, sql};

/// Which runs count as the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Those that a date has: scheduled and of backfills.
    Dated,
    /// All, also those by hand and by assets.
    Any,
}

impl Read for Timestamp {
    const TABLE: &'static str = "run";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        from.time()
    }
}

impl Store {
    /// The runs of a DAG whose start lies within, by start.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn run_heads(
        &self,
        dag: &DagId,
        within: Range<Timestamp>,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.db().rows(&sql::RUN_HEADS, dates(dag, within)).await
    }

    /// The last run of a DAG that starts before this.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn run_before(
        &self,
        dag: &DagId,
        start: Timestamp,
        which: Before,
    ) -> Result<Option<RunHead>, StoreError> {
        let statement = match which {
            Before::Dated => &sql::DATED_RUN_BEFORE,
            Before::Any => &sql::RUN_BEFORE,
        };
        let args = Args::NONE.text(dag.as_str()).time(start);
        self.db().row(statement, args).await
    }

    /// The starts within which a DAG has a run that is scheduled or of a backfill, in order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn dates_taken(
        &self,
        dag: &DagId,
        within: Range<Timestamp>,
    ) -> Result<Vec<Timestamp>, StoreError> {
        let args = dates(dag, within);
        self.db().rows(&sql::DATES_TAKEN_OF, args).await
    }

    /// The run of this name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn run_named(&self, dag: &DagId, name: &str) -> Result<Option<RunRow>, StoreError> {
        let args = Args::NONE.text(dag.as_str()).key(name);
        self.db().row(&sql::RUN_NAMED, args).await
    }

    /// All versions of a DAG, newest first.
    ///
    /// # Errors
    /// If the database cannot be read, or one does not read.
    pub async fn versions(&self, dag: &DagId) -> Result<Vec<VersionRow>, StoreError> {
        let args = Args::NONE.text(dag.as_str());
        self.db().rows(&sql::VERSIONS_OF_DAG, args).await
    }

    /// What these attempts returned, those that returned something; by attempt.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn outputs(&self, of: &[AttemptNo]) -> Result<Vec<OutputRow>, StoreError> {
        let args = Args::NONE.ints(of.iter().map(|attempt| attempt.0).collect());
        self.db().rows(&sql::OUTPUTS, args).await
    }
}

fn dates(dag: &DagId, within: Range<Timestamp>) -> Args {
    Args::NONE
        .text(dag.as_str())
        .time(within.start)
        .time(within.end)
}
