//! Making a run.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value};
use tidemill_core::id::DagId;
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;
use tidemill_scheduler::engine::{Changed, Command, Trigger};
use tidemill_store::record::RunRow;
use utoipa::{IntoParams, ToSchema};

use super::given::{Body, Change, Query, if_match, note};
use super::views::{ChangedView, RunView, TriggeredView};
use super::{once, wait};
use crate::door::DoorError;
use crate::frame::Frame;
use crate::oops::{Oops, after};
use crate::paths;
use crate::routes::ThisDag;

/// The run that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct TriggerBody {
    /// Its name; one is made of the time if none. Not with an `Idempotency-Key`, which is a name itself.
    name: Option<String>,
    /// The start of what it covers; the last complete interval without it.
    #[schema(value_type = Option<String>, format = DateTime)]
    start: Option<Timestamp>,
    /// Its end, which is not in it.
    #[schema(value_type = Option<String>, format = DateTime)]
    end: Option<Timestamp>,
    /// Its params, completed from their defaults.
    #[schema(value_type = Object)]
    #[serde(default)]
    params: Map<String, Value>,
    /// The version of the DAG, all of it; the newest without it.
    #[schema(value_type = Option<String>)]
    version: Option<Version>,
    /// Why, for people.
    note: Option<String>,
}

/// How it is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TriggerQuery {
    /// Make no run, only say what would be made.
    dry_run: Option<bool>,
    /// Answer when the run has ended, or after this time: `30s`, `60s` at the most.
    wait: Option<String>,
}

impl TriggerBody {
    fn ask(self, dag: DagId) -> Result<Trigger, Oops> {
        let covers = match (self.start, self.end) {
            (None, None) => None,
            (Some(start), Some(end)) if start <= end => Some((start, end)),
            (Some(_), Some(_)) => return Err(Oops::field("end", "it ends before it begins")),
            (None, Some(_)) => return Err(Oops::field("start", "give both ends, or neither")),
            (Some(_), None) => return Err(Oops::field("end", "give both ends, or neither")),
        };
        Ok(Trigger {
            dag,
            name: self.name.map(Into::into),
            covers,
            params: Value::Object(self.params),
            version: self.version,
            note: note(self.note.as_deref())?,
        })
    }
}

/// Makes a run.
pub(crate) async fn trigger(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Query(query): Query<TriggerQuery>,
    headers: HeaderMap,
    Body(body): Body<TriggerBody>,
) -> Result<Response, Oops> {
    let span = wait::span(query.wait.as_deref())?;
    if if_match(&headers)?.is_some() {
        let says = "a run that is to be made has no `ETag`";
        return Err(Oops::field("If-Match", says));
    }
    let change = Change {
        frame,
        seen: None,
        dry_run: query.dry_run.unwrap_or(false),
    };
    let mut ask = body.ask(dag)?;
    let key = once::key(&headers)?;
    if let Some(key) = key {
        if ask.name.is_some() {
            let says = "a name makes a run unique as a key does: leave one of them out";
            return Err(Oops::field("name", says));
        }
        let name: Arc<str> = once::run_name(&change.frame, &ask.dag, key).into();
        ask.name = Some(Arc::clone(&name));
        if let Some(run) = made_before(&change.frame, &ask).await? {
            return made(&change, (Some(run), Changed::default()), span).await;
        }
    }
    let asked = change.carry_out(Command::Trigger(ask.clone())).await;
    let changed = match asked {
        Ok(changed) => changed,
        // The same request may have come twice at the same moment.
        Err(error @ DoorError::Invalid(_)) if key.is_some() => {
            let run = made_before(&change.frame, &ask).await?;
            let run = run.ok_or_else(|| change.refused(error))?;
            return made(&change, (Some(run), Changed::default()), span).await;
        }
        Err(error) => return Err(change.refused(error)),
    };
    let name = changed.runs_made.first().map(|(_, name)| Arc::clone(name));
    let run = match name.filter(|_| !change.dry_run) {
        Some(name) => {
            let made = change.frame.web.store().run_named(&ask.dag, &name);
            made.await.map_err(after)?
        }
        None => None,
    };
    made(&change, (run, changed), span).await
}

/// The run that the same request made, if it did.
async fn made_before(frame: &Frame, ask: &Trigger) -> Result<Option<RunRow>, Oops> {
    let Some(name) = &ask.name else {
        return Ok(None);
    };
    let run = frame.web.store().run_named(&ask.dag, name).await?;
    match run {
        Some(run) if once::is_same(frame, &run, ask).await? => Ok(Some(run)),
        Some(_) => Err(once::used()),
        None => Ok(None),
    }
}

async fn made(
    change: &Change,
    (run, mut changed): (Option<RunRow>, Changed),
    span: std::time::Duration,
) -> Result<Response, Oops> {
    let run = match run {
        Some(run) => Some(wait::until_ended(&change.frame, run, span).await?),
        None => None,
    };
    if let Some(run) = run.as_ref().filter(|_| changed.runs_made.is_empty()) {
        changed.runs_made.push((run.id, Arc::clone(&run.name)));
    }
    let location = run.as_ref().map(|run| {
        let path = format!("/api/v1{}", paths::run(&run.dag, &run.name));
        HeaderValue::from_str(&path)
    });
    let triggered = TriggeredView {
        run: run.as_ref().map(RunView::from),
        changed: ChangedView::of(changed, change.dry_run),
    };
    let status = if change.dry_run {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let mut response = (status, Json(triggered)).into_response();
    if let Some(Ok(location)) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
