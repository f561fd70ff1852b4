//! The same request, sent again, is carried out once: by an `Idempotency-Key`. Nothing is kept for it here: the key becomes the
//! name of the run, which is unique in its DAG, and the leader alone gives names. So it holds over restarts, and for any number
//! of web processes.

use axum::http::HeaderMap;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use tidemill_core::id::DagId;
use tidemill_core::params::complete;
use tidemill_scheduler::engine::{Backfill, Trigger};
use tidemill_store::record::{BackfillRow, RunRow};

use super::operation::KEY;
use crate::frame::Frame;
use crate::html::hex;
use crate::oops::Oops;

/// A key is no longer.
const CHARS_MAX: usize = 255;
/// Over so many backfills of a DAG is looked for one that was asked for already.
const BACKFILLS: u32 = 200;
/// And not further back than this.
const SECONDS_MAX: u64 = 24 * 3_600;

/// The key of a request, if it has one.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<&str>, Oops> {
    let Some(given) = headers.get(KEY.0) else {
        return Ok(None);
    };
    let given = given.to_str().unwrap_or("").trim();
    if given.is_empty() || given.len() > CHARS_MAX {
        let says = "a key has 1 to 255 characters of ASCII";
        return Err(Oops::field(KEY.0, says));
    }
    Ok(Some(given))
}

/// The name of the run that this key makes. Keys of others, and for other DAGs, make others.
pub(crate) fn run_name(frame: &Frame, dag: &DagId, key: &str) -> String {
    let all = format!("{}\n{dag}\n{key}", frame.name());
    format!(
        "api__{}",
        hex(&digest(&SHA256, all.as_bytes()).as_ref()[..16])
    )
}

/// Whether a run is what a trigger asks for. Params and version are compared until somebody changes the run.
pub(crate) async fn is_same(frame: &Frame, run: &RunRow, ask: &Trigger) -> Result<bool, Oops> {
    if ask
        .covers
        .is_some_and(|covers| covers != (run.start, run.end))
    {
        return Ok(false);
    }
    if run.touched.is_some() {
        return Ok(true);
    }
    if ask
        .version
        .as_ref()
        .is_some_and(|version| *version != run.version)
    {
        return Ok(false);
    }
    let (store, specs) = (frame.web.store(), frame.web.specs());
    let Some(spec) = specs.of(store, &run.dag, &run.version).await? else {
        return Ok(true);
    };
    let has: Value = serde_json::from_str(&run.params).unwrap_or_default();
    Ok(complete(&spec.definition.params, &ask.params).is_ok_and(|asked| asked == has))
}

/// What somebody is told who uses a key for something else.
pub(crate) fn used() -> Oops {
    let says = "this key was used for another request already; use a new one";
    Oops::field(KEY.0, says)
}

/// The backfill that was asked for already, within a day and word for word. Backfills have no names, so this is by what they are.
pub(crate) async fn backfill(frame: &Frame, ask: &Backfill) -> Result<Option<BackfillRow>, Oops> {
    let store = frame.web.store();
    let row = super::find::dag(frame, &ask.dag).await?;
    let Some(version) = row.version else {
        return Ok(None);
    };
    let Some(spec) = frame.web.specs().of(store, &ask.dag, &version).await? else {
        return Ok(None);
    };
    let Ok(params) = complete(&spec.definition.params, &ask.params) else {
        return Ok(None);
    };
    let rows = store.backfills(Some(&ask.dag), i64::MAX, BACKFILLS).await?;
    let same = |row: &BackfillRow| {
        let has: Value = serde_json::from_str(&row.params).unwrap_or_default();
        let asked = (ask.from, ask.to, ask.reprocess, ask.active_runs_max);
        (row.from, row.to, row.reprocess, row.active_runs_max) == asked
            && has == params
            && frame.now.since(row.created_at).as_secs() < SECONDS_MAX
    };
    Ok(rows.into_iter().find(same))
}
