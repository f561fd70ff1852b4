//! Reading back what the engine asks for.

use tidemill_core::protocol::RunNo;
use tidemill_core::time::Timestamp;
use tidemill_store::record::Recovered;
use tidemill_store::{Before, Matching, Store, StoreError};

use crate::engine::{Filter, Wanted};

/// What was read back.
#[derive(Debug)]
pub(super) struct ReadBack {
    /// The runs.
    pub(super) rows: Box<Recovered>,
    /// Runs that match as well, beyond as many as were wanted: only their numbers.
    pub(super) beyond: Vec<RunNo>,
}

/// Reads back what is wanted.
///
/// # Errors
/// If the database cannot be read.
pub(super) async fn read_back(store: &Store, wanted: &Wanted) -> Result<ReadBack, StoreError> {
    let mut beyond = Vec::new();
    let runs = match wanted {
        Wanted::Runs(runs) => runs.clone(),
        Wanted::Before {
            dag,
            start,
            scheduled_only,
        } => {
            let which = if *scheduled_only {
                Before::Dated
            } else {
                Before::Any
            };
            let found = store.run_before(dag, *start, which).await?;
            found.into_iter().map(|run| run.id).collect()
        }
        Wanted::Between { dag, from, to } => {
            let end = Timestamp::from_micros(to.micros().saturating_add(1));
            let found = store.run_heads(dag, *from..end).await?;
            found.into_iter().map(|run| run.id).collect()
        }
        Wanted::Named { dag, name } => {
            let found = store.run_named(dag, name).await?;
            found.into_iter().map(|run| run.id).collect()
        }
        Wanted::Matching(filter) => {
            let mut found = matching(store, filter).await?;
            beyond = found.split_off(found.len().min(filter.runs_max.max(1) as usize));
            found
        }
    };
    Ok(ReadBack {
        rows: Box::new(store.load_runs(&runs).await?),
        beyond,
    })
}

/// All runs that a filter finds, newest first.
async fn matching(store: &Store, filter: &Filter) -> Result<Vec<RunNo>, StoreError> {
    if !filter.runs.is_empty() {
        return Ok(filter.runs.clone());
    }
    let end = filter
        .to
        .map_or(i64::MAX, |to| to.micros().saturating_add(1));
    let of = Matching {
        dag: filter.dag.clone(),
        states: filter.states.clone(),
        kinds: filter.kinds.clone(),
        start: filter.from.unwrap_or(Timestamp::from_micros(i64::MIN))..Timestamp::from_micros(end),
    };
    store.run_numbers(&of).await
}
