//! SQL statements: run by what runs SQL in this sandbox, answered at once if they end in time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method as Verb, StatusCode};
use serde_json::{Value, json};

use super::{millis, wrong};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::jobs::{Job, NewJob, Phase, Task, Work};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

/// Rows of one piece of a result.
const CHUNK: usize = 1_000;

pub(super) fn methods() -> Vec<Method> {
    let service = Service::Databricks;
    vec![
        Method::new(
            service,
            "databricks.statements.execute",
            Verb::POST,
            "/api/2.0/sql/statements",
            execute,
        ),
        Method::new(
            service,
            "databricks.statements.execute",
            Verb::POST,
            "/api/2.0/sql/statements/",
            execute,
        ),
        Method::new(
            service,
            "databricks.statements.get",
            Verb::GET,
            "/api/2.0/sql/statements/{statement}",
            get,
        ),
        Method::new(
            service,
            "databricks.queryHistory.list",
            Verb::GET,
            "/api/2.0/sql/history/queries",
            history,
        ),
        Method::new(
            service,
            "databricks.statements.cancel",
            Verb::POST,
            "/api/2.0/sql/statements/{statement}/cancel",
            cancel,
        ),
        Method::new(
            service,
            "databricks.statements.getChunk",
            Verb::GET,
            "/api/2.0/sql/statements/{statement}/result/chunks/{chunk}",
            chunk,
        ),
    ]
}

fn key(id: &str) -> String {
    format!("databricks/statements/{id}")
}

/// How long the first answer may wait: `0s`, or from 5 to 50 seconds.
fn wait(body: &Value) -> Result<Duration, Refusal> {
    let text = fields::text(body, "/wait_timeout").unwrap_or("10s");
    let seconds = text
        .strip_suffix('s')
        .and_then(|text| text.parse::<u64>().ok());
    match seconds {
        Some(seconds) if seconds == 0 || (5..=50).contains(&seconds) => {
            Ok(Duration::from_secs(seconds))
        }
        _ => Err(wrong(format!(
            "wait_timeout is 0s, or from 5s to 50s, not {text:?}"
        ))),
    }
}

async fn execute(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    let text = fields::need(&body, "/statement")?.to_owned();
    fields::need(&body, "/warehouse_id")?;
    let wait = wait(&body)?;
    for (name, only) in [("disposition", "INLINE"), ("format", "JSON_ARRAY")] {
        let given = body[name].as_str().unwrap_or(only);
        if given != only {
            return Err(Refusal::unsupported(&format!("{name} {given}")));
        }
    }
    let mut parameters = BTreeMap::new();
    for one in body["parameters"].as_array().into_iter().flatten() {
        let name = fields::need(one, "/name")?;
        let value = fields::text(one, "/value").unwrap_or_default();
        parameters.insert(name.to_owned(), value.to_owned());
    }
    let number = state.jobs.number(0);
    let id = fields::uuid(number);
    let new = NewJob {
        key: key(&id),
        number,
        id: id.clone(),
        name: id.clone(),
        tasks: vec![Task::new(Work::Sql(text.clone()), parameters)],
        body: json!({
            "text": text, "warehouse": body["warehouse_id"],
            "row_limit": body["row_limit"], "project": body["catalog"], "dataset": body["schema"],
        }),
        streaming: false,
        fault: state.faults.of_job(Service::Databricks, call.method),
    };
    let job = state
        .jobs
        .start(new)
        .map_err(|error| Refusal::internal(&error))?;
    let mut job = state.jobs.ended(&key(&id), wait).await.unwrap_or(job);
    if job.active() && body["on_wait_timeout"] == json!("CANCEL") {
        state.jobs.cancel(&key(&id));
        job = state.jobs.get(&key(&id)).unwrap_or(job);
    }
    Ok(Reply::json(&shown(&job)).effect(format!("statement {id} started")))
}

fn find(state: &State, call: &Call) -> Result<Arc<Job>, Refusal> {
    let id = call.part("statement");
    state.jobs.get(&key(id)).ok_or_else(|| {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            format!("The statement {id} was not found."),
        )
    })
}

async fn get(state: Arc<State>, call: Call) -> Answer {
    let found = find(&state, &call)?;
    Ok(Reply::json(&shown(&found)))
}

async fn cancel(state: Arc<State>, call: Call) -> Answer {
    let job = find(&state, &call)?;
    let mut reply = Reply::json(&json!({}));
    if state.jobs.cancel(&key(&job.id)) {
        reply = reply.effect(format!("statement {} asked to stop", job.id));
    }
    Ok(reply)
}

/// Statements as the history of queries has them, the newest first.
async fn history(state: Arc<State>, call: Call) -> Answer {
    let warehouse = call.query("filter_by.warehouse_ids");
    let since: Option<i64> = call.parsed("filter_by.query_start_time_range.start_time_ms")?;
    let mut all = state.jobs.under(&key(""));
    all.sort_by_key(|job| std::cmp::Reverse(job.number));
    all.retain(|job| {
        let of_it = |id| job.body["warehouse"] == json!(id);
        warehouse.is_none_or(of_it) && since.is_none_or(|at| millis(job.created) >= at)
    });
    let (queries, next) = fields::page(&call, "max_results", "page_token", all)?;
    let queries: Vec<Value> = queries
        .iter()
        .map(|job| {
            json!({
                "query_id": job.id, "query_text": job.body["text"], "warehouse_id": job.body["warehouse"],
                "query_start_time_ms": millis(job.created), "is_final": !job.active(),
                "status": match shown(job)["status"]["state"].as_str() {
                    Some("SUCCEEDED") => "FINISHED",
                    Some("PENDING") => "QUEUED",
                    Some("FAILED") => "FAILED",
                    Some("CANCELED") => "CANCELED",
                    _ => "RUNNING",
                },
            })
        })
        .collect();
    let body = json!({ "res": queries, "has_next_page": next.is_some(), "next_page_token": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

/// The rows that a statement gave, as far as they were wanted.
fn rows(job: &Job) -> &[Value] {
    let rows = job.result()["rows"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let limit = job.body["row_limit"]
        .as_u64()
        .and_then(|limit| usize::try_from(limit).ok());
    &rows[..limit.unwrap_or(usize::MAX).min(rows.len())]
}

fn piece(job: &Job, at: usize) -> Option<Value> {
    let all = rows(job);
    let from = at.checked_mul(CHUNK)?;
    if from >= all.len() && at > 0 {
        return None;
    }
    let to = (from + CHUNK).min(all.len());
    let next = (to < all.len()).then_some(at + 1);
    let link = next.map(|next| format!("/api/2.0/sql/statements/{}/result/chunks/{next}", job.id));
    Some(fields::without_nulls(json!({
        "chunk_index": at, "row_offset": from, "row_count": to - from, "data_array": all[from..to],
        "next_chunk_index": next, "next_chunk_internal_link": link,
    })))
}

async fn chunk(state: Arc<State>, call: Call) -> Answer {
    let job = find(&state, &call)?;
    let at = call
        .part("chunk")
        .parse()
        .map_err(|_| wrong("chunk_index has to be a number"))?;
    if job.phase != Phase::Succeeded {
        return Err(wrong(format!("The statement {} has no result", job.id)));
    }
    piece(&job, at)
        .map(|piece| Reply::json(&piece))
        .ok_or_else(|| wrong(format!("The statement {} has no chunk {at}", job.id)))
}

/// A type of `BigQuery` in Databricks' words: the enum and the text.
fn of_type(kind: &str) -> (&'static str, String) {
    let (name, text) = match kind.split(['(', '<']).next().unwrap_or(kind) {
        "INT64" => ("LONG", "BIGINT"),
        "FLOAT64" => ("DOUBLE", "DOUBLE"),
        "BOOL" => ("BOOLEAN", "BOOLEAN"),
        "BYTES" => ("BINARY", "BINARY"),
        "DATE" => ("DATE", "DATE"),
        "TIMESTAMP" => ("TIMESTAMP", "TIMESTAMP"),
        "DATETIME" => ("TIMESTAMP", "TIMESTAMP_NTZ"),
        "NUMERIC" => ("DECIMAL", "DECIMAL(38,9)"),
        "BIGNUMERIC" => ("DECIMAL", "DECIMAL(38,18)"),
        "ARRAY" => return ("ARRAY", kind.to_owned()),
        "STRUCT" => return ("STRUCT", kind.to_owned()),
        _ => ("STRING", "STRING"),
    };
    (name, text.to_owned())
}

fn shown(job: &Job) -> Value {
    let state = match job.phase {
        Phase::Queued | Phase::Pending => "PENDING",
        Phase::Running | Phase::Draining | Phase::Stopping => "RUNNING",
        Phase::Succeeded => "SUCCEEDED",
        Phase::Failed => "FAILED",
        _ => "CANCELED",
    };
    let mut shown = json!({ "statement_id": job.id, "status": { "state": state } });
    if job.phase == Phase::Failed {
        shown["status"]["error"] = json!({ "error_code": "BAD_REQUEST", "message": job.message });
    }
    if job.phase == Phase::Succeeded {
        let all = rows(job);
        let columns: Vec<Value> = job.result()["columns"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(at, column)| {
                let (name, text) = of_type(column[1].as_str().unwrap_or_default());
                json!({ "name": column[0], "type_name": name, "type_text": text, "position": at })
            })
            .collect();
        let chunks = all.len().div_ceil(CHUNK).max(1);
        shown["manifest"] = json!({
            "format": "JSON_ARRAY", "schema": { "column_count": columns.len(), "columns": columns },
            "total_row_count": all.len(), "total_chunk_count": chunks,
            "truncated": (all.len() as u64) < job.result()["row_count"].as_u64().unwrap_or(0),
        });
        shown["result"] = piece(job, 0).unwrap_or_default();
    }
    shown
}
