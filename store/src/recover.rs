//! Reading back what a leader has in mind, in one snapshot.

use std::collections::HashSet;

use tidemill_core::id::DagId;
use tidemill_core::protocol::RunNo;
use tidemill_core::time::Timestamp;

use crate::bind::Args;
use crate::db::{Snapshot, apart};
use crate::read::{BadCell, Read, Reader};
use crate::record::{Highest, Recovered, VersionRow};
use crate::sql::{self, Sql};
use crate::{Store, StoreError};

impl Read for (DagId, Timestamp) {
    const TABLE: &'static str = "run";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok((from.name()?, from.time()?))
    }
}

impl Read for Highest {
    const TABLE: &'static str = "leader";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            run: from.int()?,
            attempt: from.int()?,
            backfill: from.int()?,
            asset_event: from.int()?,
            outbox: from.int()?,
            audit: from.int()?,
        })
    }
}

impl Store {
    /// Reads back everything active, as it stands at one moment.
    ///
    /// # Errors
    /// If the database cannot be read, or a row does not read.
    pub async fn recover(&self) -> Result<Recovered, StoreError> {
        let db = self.db().clone();
        apart(async move {
            let mut view = db.snapshot().await?;
            let active: Vec<i64> = view.rows(&sql::ACTIVE_RUNS, Args::NONE).await?;
            let mut found = runs(&mut view, active, &sql::VERSIONS).await?;
            found.task_names = view.rows(&sql::TASK_NAMES, Args::NONE).await?;
            found.dags = view.rows(&sql::DAGS, Args::NONE).await?;
            found.pools = view.rows(&sql::POOLS, Args::NONE).await?;
            found.connections = view.rows(&sql::CONNECTION_HEADS, Args::NONE).await?;
            found.variables = view.rows(&sql::VARIABLE_HEADS, Args::NONE).await?;
            found.backfills = view.rows(&sql::BACKFILLS, Args::NONE).await?;
            found.backfill_dates = view.rows(&sql::BACKFILL_DATES, Args::NONE).await?;
            found.cleanups = view.rows(&sql::CLEANUPS, Args::NONE).await?;
            found.asset_waits = view.rows(&sql::ASSET_WAITS, Args::NONE).await?;
            let ever = Args::NONE.time(Timestamp::from_micros(i64::MIN));
            found.dates_taken = view.rows(&sql::DATES_TAKEN, ever).await?;
            let highest: Vec<Highest> = view.rows(&sql::HIGHEST, Args::NONE).await?;
            found.highest = highest.into_iter().next().ok_or(StoreError::NoLeaderRow)?;
            view.end().await?;
            Ok(found)
        })
        .await
    }

    /// Reads back these runs, whether they have ended or not: `versions`, `runs`, `tasks`, `task_details` and `outputs`.
    /// One that is not there is left out.
    ///
    /// # Errors
    /// If the database cannot be read, or a row does not read.
    pub async fn load_runs(&self, of: &[RunNo]) -> Result<Recovered, StoreError> {
        let db = self.db().clone();
        let of: HashSet<i64> = of.iter().map(|run| run.0).collect();
        apart(async move {
            let mut view = db.snapshot().await?;
            let of = of.into_iter().collect();
            let found = runs(&mut view, of, &sql::VERSIONS_OF_RUNS).await?;
            view.end().await?;
            Ok(found)
        })
        .await
    }
}

async fn runs(
    view: &mut Snapshot,
    of: Vec<i64>,
    versions: &'static Sql,
) -> Result<Recovered, StoreError> {
    let of = Args::NONE.ints(of);
    let versions: Vec<VersionRow> = view.rows(versions, of.clone()).await?;
    Ok(Recovered {
        versions,
        runs: view.rows(&sql::RUNS, of.clone()).await?,
        tasks: view.rows(&sql::TASKS, of.clone()).await?,
        task_details: view.rows(&sql::TASK_DETAILS, of.clone()).await?,
        outputs: view.rows(&sql::LISTED_OUTPUTS, of).await?,
        ..Recovered::default()
    })
}
