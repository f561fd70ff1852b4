//! The rows of queries.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tidemill_warehouse::tables::{Snapshot, TableId};

use super::super::json::object;
use super::super::paging::{self, Wanted};
use super::super::refusal::{blocking, of_reason, of_table};
use super::super::{Bigquery, schema};
use super::look::found;
use super::record::{Job, Kind, Phase};
use super::shown;
use crate::call::{Answer, Call, Refusal, Reply};
use crate::state::State;

/// How long a request waits for a query, if it does not say.
const WAIT: Duration = Duration::from_secs(10);
/// However long a client wants to wait.
const WAIT_MOST: Duration = Duration::from_secs(200);

/// `timeoutMs`.
pub(super) fn patience(millis: Option<u64>) -> Duration {
    millis.map_or(WAIT, Duration::from_millis).min(WAIT_MOST)
}

/// `GET …/queries/{jobId}`
pub(super) async fn get(state: Arc<State>, call: Call) -> Answer {
    let bigquery = &state.bigquery;
    let job = found(bigquery, &call)?;
    if job.kind != Kind::Query {
        return Err(Refusal::invalid(format!(
            "Cannot get the results of job {}: it is no query",
            job.key()
        )));
    }
    let wanted = Wanted::of(&call)?;
    let most = patience(call.parsed("timeoutMs")?);
    let job = bigquery.jobs.wait(&job.key(), most).await.unwrap_or(job);
    let body = results(bigquery, &job, wanted).await?;
    let mut shown = object(json!({
        "kind": "bigquery#getQueryResultsResponse",
        "etag": format!("r{}-{}", job.created.timestamp_micros(), job.version),
    }));
    shown.extend(body);
    Ok(Reply::json(&Value::Object(shown)))
}

/// What both ways to the rows of a query answer.
pub(super) async fn results(
    bigquery: &Bigquery,
    job: &Job,
    wanted: Wanted,
) -> Result<Map<String, Value>, Refusal> {
    let mut shown = object(json!({ "jobReference": shown::reference(job) }));
    if job.phase != Phase::Done {
        shown.insert("jobComplete".into(), json!(false));
        return Ok(shown);
    }
    if let Some(error) = job.error() {
        return Err(of_reason(&error.reason, error.message.clone()));
    }
    shown.insert("jobComplete".into(), json!(true));
    shown.insert("cacheHit".into(), json!(false));
    let bytes = job.done.bytes_processed.unwrap_or(0).to_string();
    shown.insert("totalBytesProcessed".into(), json!(bytes));
    for name in ["numDmlAffectedRows", "dmlStats"] {
        if let Some(value) = job.done.statistics.get(name) {
            shown.insert(name.into(), value.clone());
        }
    }
    if !job.errors.is_empty() {
        shown.insert("errors".into(), json!(shown::errors(job)));
    }
    let Some(id) = &job.done.result else {
        shown.insert("totalRows".into(), json!("0"));
        return Ok(shown);
    };
    let table = kept(bigquery, id)?;
    shown.insert("totalRows".into(), json!(table.rows().to_string()));
    shown.insert("schema".into(), schema::shown(&table.meta.schema));
    let found = blocking(move || paging::rows(&table, &table.meta.schema, wanted)).await?;
    let (rows, next) = found.map_err(|error| of_table(&error))?;
    if !rows.is_empty() {
        shown.insert("rows".into(), Value::Array(rows));
    }
    if let Some(next) = next {
        shown.insert("pageToken".into(), json!(next));
    }
    Ok(shown)
}

fn kept(bigquery: &Bigquery, id: &TableId) -> Result<Snapshot, Refusal> {
    bigquery
        .warehouse
        .table(id)
        .map_err(|error| of_table(&error))
}
