//! Reading back what the engine asks for.

use tidemill_core::protocol::RunNo;
use tidemill_core::time::Timestamp;
use tidemill_store::history::{Cursor, RunFilter};
use tidemill_store::record::{Recovered, RunRow};
use tidemill_store::{Before, Store, StoreError};

use crate::engine::{Filter, Wanted};

/// How many runs are read at once when many are looked through.
const PAGE_ROWS: u32 = 500;

/// Reads back what is wanted.
///
/// # Errors
/// If the database cannot be read.
pub(super) async fn read_back(store: &Store, wanted: &Wanted) -> Result<Recovered, StoreError> {
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
        Wanted::Matching(filter) => matching(store, filter).await?,
    };
    store.load_runs(&runs).await
}

/// The runs that a filter finds: as many as it is for, and one more if there are more.
async fn matching(store: &Store, filter: &Filter) -> Result<Vec<RunNo>, StoreError> {
    if !filter.runs.is_empty() {
        return Ok(filter.runs.clone());
    }
    let end = filter
        .to
        .map_or(i64::MAX, |to| to.micros().saturating_add(1));
    let one = |all: usize| all == 1;
    let query = RunFilter {
        dag: filter.dag.clone(),
        state: filter
            .states
            .first()
            .copied()
            .filter(|_| one(filter.states.len())),
        kind: filter
            .kinds
            .first()
            .copied()
            .filter(|_| one(filter.kinds.len())),
        start: filter.from.unwrap_or(Timestamp::from_micros(i64::MIN))..Timestamp::from_micros(end),
        name: None,
    };
    let enough = filter.runs_max as usize + 1;
    let (mut found, mut place) = (Vec::new(), Cursor::START);
    loop {
        let page = store.runs(&query, place, PAGE_ROWS).await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        place = Cursor::from(last);
        let full = page.len() == PAGE_ROWS as usize;
        found.extend(
            page.iter()
                .filter(|run| fits(filter, run))
                .map(|run| run.id),
        );
        if !full || found.len() >= enough {
            return Ok(found);
        }
    }
}

fn fits(filter: &Filter, run: &RunRow) -> bool {
    let state = filter.states.is_empty() || filter.states.contains(&run.state);
    state && (filter.kinds.is_empty() || filter.kinds.contains(&run.kind))
}
