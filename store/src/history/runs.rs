//! Lists of runs, and finding things by their names.

use tidemill_core::id::DagId;
use tidemill_core::state::RunState;

use super::filter::listed;
use super::{Cursor, RunFilter, limit};
use crate::bind::Args;
use crate::read::{BadCell, Read, Reader};
use crate::record::{RunHead, RunRow};
use crate::{Store, StoreError, sql};

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// DAGs with the text in their name.
    pub dags: Vec<DagId>,
    /// Runs whose name begins with the text, newest first.
    pub runs: Vec<RunHead>,
}

impl Read for DagId {
    const TABLE: &'static str = "dag";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        from.name()
    }
}

impl Store {
    /// A page of runs: of one DAG the newest start first, of all DAGs the newest run first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn runs(
        &self,
        of: &RunFilter,
        after: Cursor,
        rows: u32,
    ) -> Result<Vec<RunRow>, StoreError> {
        let (statement, place) = match (&of.dag, of.state) {
            (Some(dag), _) => (
                &sql::RUNS_OF_DAG,
                Args::NONE.text(dag.as_str()).time(after.at).int(after.id),
            ),
            (None, state) => (
                match state {
                    Some(RunState::Queued | RunState::Running) => &sql::RUNS_ACTIVE,
                    Some(RunState::Failed | RunState::Cancelled) => &sql::RUNS_FAILED,
                    Some(RunState::Success) | None => &sql::RUNS_ALL,
                },
                Args::NONE.int(after.id),
            ),
        };
        let args = place
            .time(of.start.start)
            .time(of.start.end)
            .text(of.state.map(RunState::word))
            .text(of.kind.map(|kind| kind.word()))
            .text(of.name.as_deref())
            .text(listed(of.among.as_deref()).as_deref())
            .int(limit(rows));
        self.db().rows(statement, args).await
    }

    /// The last `runs` runs of every DAG that is there, by DAG, the newest start first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn recent_runs(&self, runs: u32) -> Result<Vec<RunHead>, StoreError> {
        let args = Args::NONE.int(limit(runs));
        self.db().rows(&sql::RECENT_RUNS, args).await
    }

    /// DAGs and runs by their names, at most so many of each; if `among` is given, of these DAGs alone.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn search(
        &self,
        text: &str,
        among: Option<&[DagId]>,
        rows: u32,
    ) -> Result<Found, StoreError> {
        let among = listed(among);
        let args = Args::NONE
            .text(&*text.to_lowercase())
            .text(among.as_deref())
            .int(limit(rows));
        let dags = self.db().rows(&sql::SEARCH_DAGS, args).await?;
        // Names sort by their bytes: all that begin with the text come before the text with the last character added.
        let end = format!("{text}{}", char::MAX);
        let args = Args::NONE
            .text(text)
            .text(&*end)
            .text(among.as_deref())
            .int(limit(rows));
        let runs = self.db().rows(&sql::SEARCH_RUNS, args).await?;
        Ok(Found { dags, runs })
    }
}
