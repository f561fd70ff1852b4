//! `jobs.query`: a query whose first rows are in the reply.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::super::json::{count, flag, given, object, text};
use super::super::paging::Wanted;
use super::super::refusal::of_reason;
use super::super::{datasets, schema};
use super::insert::New;
use super::record::{Job, Kind};
use super::results::{patience, results};
use super::select;
use crate::call::{Answer, Call, Refusal, Reply};
use crate::services::fields::{self, only};
use crate::state::State;

/// What goes into the configuration of the job as it is.
const QUERY: [&str; 11] = [
    "query",
    "defaultDataset",
    "useQueryCache",
    "useLegacySql",
    "parameterMode",
    "queryParameters",
    "maximumBytesBilled",
    "connectionProperties",
    "createSession",
    "preserveNulls",
    "destinationEncryptionConfiguration",
];
/// What is about the request.
const REQUEST: [&str; 12] = [
    "kind",
    "maxResults",
    "timeoutMs",
    "dryRun",
    "location",
    "formatOptions",
    "labels",
    "requestId",
    "jobCreationMode",
    "jobTimeoutMs",
    "reservation",
    "writeIncrementalResults",
];

/// `POST …/queries`
pub(super) async fn query(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    let known: Vec<&str> = QUERY.iter().chain(&REQUEST).copied().collect();
    only(&body, "", &known)?;
    let most = count(&body, "maxResults")?.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
    let micros = match given(&body, "formatOptions") {
        None => false,
        Some(options) => {
            only(options, "", &["useInt64Timestamp", "timestampOutputFormat"])?;
            text(options, "timestampOutputFormat")? == Some("INT64")
                || flag(options, "useInt64Timestamp")?.unwrap_or(false)
        }
    };
    let patience = patience(count(&body, "timeoutMs")?);
    let project = call.part("projectId");
    let new = asked(&body, project)?;
    if flag(&body, "dryRun")?.unwrap_or(false) {
        return dry(&state, &new).await;
    }
    let bigquery = &state.bigquery;
    let again = new
        .request
        .as_ref()
        .and_then(|request| earlier(&state, project, request));
    let (job, effect) = match again {
        Some(job) => (job, None),
        None => {
            let job = new.start(&state).await?;
            let effect = format!("job {} started", job.key());
            (job, Some(effect))
        }
    };
    let job = bigquery
        .jobs
        .wait(&job.key(), patience)
        .await
        .unwrap_or(job);
    let mut shown = object(json!({ "kind": "bigquery#queryResponse", "location": job.location }));
    shown.extend(results(bigquery, &job, Wanted::first(most, micros)).await?);
    let reply = Reply::json(&Value::Object(shown));
    Ok(match effect {
        Some(effect) => reply.effect(effect),
        None => reply,
    })
}

fn asked(body: &Value, project: &str) -> Result<New, Refusal> {
    let mut query = Map::new();
    for name in QUERY {
        if let Some(value) = given(body, name) {
            query.insert(name.to_owned(), value.clone());
        }
    }
    let mut configuration = object(json!({ "query": {} }));
    configuration.insert("query".into(), Value::Object(query));
    for name in ["labels", "jobTimeoutMs"] {
        if let Some(value) = given(body, name) {
            configuration.insert(name.to_owned(), value.clone());
        }
    }
    super::super::json::labels(body)?;
    count(body, "jobTimeoutMs")?;
    Ok(New {
        project: project.to_owned(),
        id: None,
        said: text(body, "location")?
            .filter(|location| !location.is_empty())
            .map(datasets::location),
        kind: Kind::Query,
        configuration: Value::Object(configuration),
        upload: None,
        request: text(body, "requestId")?
            .filter(|request| !request.is_empty())
            .map(str::to_owned),
        method: "bigquery.jobs.query",
    })
}

/// The job of a request that came before with the same `requestId`, within fifteen minutes.
fn earlier(state: &State, project: &str, request: &str) -> Option<Arc<Job>> {
    let now = state.now();
    state
        .bigquery
        .jobs
        .shelf
        .under(&format!("{project}:"))
        .into_iter()
        .map(|(_, job)| job)
        .find(|job| {
            job.request.as_deref() == Some(request)
                && now - job.created < chrono::TimeDelta::minutes(15)
        })
}

async fn dry(state: &State, new: &New) -> Answer {
    let bigquery = &state.bigquery;
    let part = new.configuration.get("query").unwrap_or(&Value::Null);
    let query = select::read(part, bigquery, &new.project)?;
    let location = query.location(bigquery, new.said.as_deref())?;
    let planned = query
        .plan(bigquery, location.as_deref())
        .await
        .map_err(|(error, _)| of_reason(error.reason, error.message))?;
    Ok(Reply::json(&json!({
        "kind": "bigquery#queryResponse",
        "schema": schema::shown(&planned.outcome.schema),
        "jobReference": { "projectId": new.project, "location": planned.location },
        "totalBytesProcessed": planned.outcome.bytes_processed.to_string(),
        "jobComplete": true,
        "cacheHit": false,
    })))
}
