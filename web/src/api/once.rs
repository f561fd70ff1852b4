//! The same request, sent again, is carried out once: by an `Idempotency-Key`. Nothing is kept for it here: the key becomes the
//! name of the run, which is unique in its DAG, and the leader alone gives names. So it holds over restarts, and for any number
//! of web processes.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use tidemill_core::id::DagId;
use tidemill_core::params::complete;
use tidemill_scheduler::engine::Trigger;
use tidemill_store::record::RunRow;

use super::operation::KEY;
use crate::frame::Frame;
use crate::html::hex;
use crate::oops::Oops;

/// A key is no longer.
const CHARS_MAX: usize = 255;

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

/// Refuses a key where nothing could keep what it promises: only a run has a name that a key can become.
pub(crate) async fn without_key(request: Request, next: Next) -> Result<Response, Oops> {
    if key(request.headers())?.is_none() {
        return Ok(next.run(request).await);
    }
    let says = if request.uri().path().ends_with("/backfills") {
        "a backfill has no name that a key could become, so it takes none: look at `GET` of this address whether it is there before \
         you repeat it; dates that have a run get no second one unless `reprocess` says so"
    } else {
        "only making a run takes a key, which becomes its name. Send `If-Match` with the `ETag` that you saw instead: the same \
         request changes nothing the second time"
    };
    Err(Oops::field(KEY.0, says))
}

/// What somebody is told who uses a key for something else.
pub(crate) fn used() -> Oops {
    let says = "this key was used for another request already; use a new one";
    Oops::field(KEY.0, says)
}
