//! Finding what a path names.

use tidemill_core::id::DagId;
use tidemill_core::protocol::{MapIndex, NOT_MAPPED, RunNo};
use tidemill_store::history::{Cursor, RunFilter};
use tidemill_store::record::{BackfillRow, DagRow, RunRow};

use crate::frame::Frame;
use crate::oops::Oops;
use crate::pages::Place;

/// The word for the run that covers the newest time.
const LATEST: &str = "latest";

/// A DAG, also one that was removed.
pub(crate) async fn dag(frame: &Frame, dag: &DagId) -> Result<DagRow, Oops> {
    let rows = frame.web.store().dags().await?;
    let gone = || Oops::not_found(format!("there is no DAG `{dag}`, or you may not see it"));
    rows.into_iter().find(|row| row.id == *dag).ok_or_else(gone)
}

/// A run of a DAG by its name; if none has it, by its number, or the newest.
pub(crate) async fn run(frame: &Frame, dag: &DagId, name: &str) -> Result<RunRow, Oops> {
    let store = frame.web.store();
    if let Some(named) = store.run_named(dag, name).await? {
        return Ok(named);
    }
    let found = if name == LATEST {
        let of = RunFilter {
            dag: Some(dag.clone()),
            ..RunFilter::default()
        };
        store.runs(&of, Cursor::START, 1).await?
    } else {
        match name.parse::<i64>() {
            Ok(number) => store.runs_numbered(&[RunNo(number)]).await?,
            Err(_) => Vec::new(),
        }
    };
    let mine = found.into_iter().find(|run| run.dag == *dag);
    mine.ok_or_else(|| Oops::not_found(format!("`{dag}` has no run of this name or number")))
}

/// An instance of a task of a run.
pub(crate) async fn place(
    frame: &Frame,
    dag: &DagId,
    (run_name, task): (&str, &str),
    index: Option<MapIndex>,
) -> Result<Place, Oops> {
    let run = run(frame, dag, run_name).await?;
    let index = index.unwrap_or(NOT_MAPPED);
    Place::find(frame, dag, (&run.name, task, index)).await
}

/// A backfill of a DAG.
pub(crate) async fn backfill(frame: &Frame, dag: &DagId, no: &str) -> Result<BackfillRow, Oops> {
    let found = match no.parse::<i64>() {
        Ok(no) => backfill_numbered(frame, no).await?,
        Err(_) => None,
    };
    let mine = found.filter(|row| row.dag == *dag);
    mine.ok_or_else(|| Oops::not_found(format!("`{dag}` has no backfill of this number")))
}

/// A backfill of any DAG.
pub(crate) async fn backfill_numbered(frame: &Frame, no: i64) -> Result<Option<BackfillRow>, Oops> {
    let before = no.saturating_add(1);
    let found = frame.web.store().backfills(None, before, 1).await?;
    Ok(found.into_iter().find(|row| row.id == no))
}
