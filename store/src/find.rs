//! What a scheduler looks up beyond what it has in mind.

use std::ops::Range;

use tidemill_core::id::DagId;
use tidemill_core::protocol::{AttemptNo, RunNo};
use tidemill_core::state::{RunState, RunType};
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;

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

/// Which runs many verbs are for. What is not given does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching {
    /// Of this DAG.
    pub dag: Option<DagId>,
    /// In one of these states.
    pub states: Vec<RunState>,
    /// Of one of these kinds.
    pub kinds: Vec<RunType>,
    /// Whose start lies within.
    pub start: Range<Timestamp>,
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

    /// Runs by their numbers; one that is not there is left out.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn runs_numbered(&self, of: &[RunNo]) -> Result<Vec<RunRow>, StoreError> {
        let of = of.iter().map(|run| run.0).collect();
        self.db().rows(&sql::RUNS, Args::NONE.ints(of)).await
    }

    /// The numbers of all runs that match: of one DAG the newest start first, of all DAGs the newest run first. It reads
    /// nothing else of them, so that there may be very many.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn run_numbers(&self, of: &Matching) -> Result<Vec<RunNo>, StoreError> {
        let args = Args::NONE
            .time(of.start.start)
            .time(of.start.end)
            .text(listed(of.states.iter().map(|state| state.word())).as_deref())
            .text(listed(of.kinds.iter().map(|kind| kind.word())).as_deref());
        let failed = |state: &RunState| matches!(state, RunState::Failed | RunState::Cancelled);
        let found: Vec<i64> = match &of.dag {
            Some(dag) => {
                let args = args.text(dag.as_str());
                self.db().rows(&sql::RUN_NUMBERS_OF_DAG, args).await?
            }
            None if !of.states.is_empty() && of.states.iter().all(failed) => {
                self.db().rows(&sql::RUN_NUMBERS_FAILED, args).await?
            }
            None => self.db().rows(&sql::RUN_NUMBERS, args).await?,
        };
        Ok(found.into_iter().map(RunNo).collect())
    }

    /// All versions of a DAG, newest first.
    ///
    /// # Errors
    /// If the database cannot be read, or one does not read.
    pub async fn versions(&self, dag: &DagId) -> Result<Vec<VersionRow>, StoreError> {
        let args = Args::NONE.text(dag.as_str());
        self.db().rows(&sql::VERSIONS_OF_DAG, args).await
    }

    /// A version of a DAG.
    ///
    /// # Errors
    /// If the database cannot be read, or it does not read.
    pub async fn version(
        &self,
        dag: &DagId,
        version: &Version,
    ) -> Result<Option<VersionRow>, StoreError> {
        let args = Args::NONE.text(dag.as_str()).text(version.as_str());
        self.db().row(&sql::VERSION_OF_DAG, args).await
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

/// Words as the statements look for them: `,failed,success,`. None if there are none.
fn listed<'a>(words: impl Iterator<Item = &'a str>) -> Option<String> {
    let words: Vec<&str> = words.collect();
    (!words.is_empty()).then(|| format!(",{},", words.join(",")))
}

fn dates(dag: &DagId, within: Range<Timestamp>) -> Args {
    Args::NONE
        .text(dag.as_str())
        .time(within.start)
        .time(within.end)
}
