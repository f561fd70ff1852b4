//! Batches: Spark without a cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::Method as Verb;
use serde_json::{Value, json};

use super::{driver, exists, operations, precondition, request_id, spark};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::jobs::{Job, NewJob, Phase, Task, Work, stem};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

pub(super) fn methods() -> Vec<Method> {
    let all = "/v1/projects/{project}/locations/{region}/batches";
    let one = "/v1/projects/{project}/locations/{region}/batches/{batch}";
    let service = Service::Dataproc;
    vec![
        Method::new(
            service,
            "dataproc.projects.locations.batches.create",
            Verb::POST,
            all,
            create,
        ),
        Method::new(
            service,
            "dataproc.projects.locations.batches.list",
            Verb::GET,
            all,
            list,
        ),
        Method::new(
            service,
            "dataproc.projects.locations.batches.get",
            Verb::GET,
            one,
            get,
        ),
        Method::new(
            service,
            "dataproc.projects.locations.batches.delete",
            Verb::DELETE,
            one,
            delete,
        ),
    ]
}

fn key(call: &Call, batch: &str) -> String {
    format!(
        "dataproc/projects/{}/locations/{}/batches/{batch}",
        call.part("project"),
        call.part("region")
    )
}

/// The batch that the operation in the path has begun.
pub(super) fn of_operation(state: &State, call: &Call) -> Option<(String, Arc<Job>)> {
    let operation = format!(
        "projects/{}/regions/{}/operations/{}",
        call.part("project"),
        call.part("region"),
        call.part("operation")
    );
    state
        .jobs
        .keyed(&key(call, ""))
        .into_iter()
        .find(|(_, job)| fields::text(&job.body, "/operation") == Some(&operation))
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Queued | Phase::Pending => "PENDING",
        Phase::Running | Phase::Draining => "RUNNING",
        Phase::Stopping => "CANCELLING",
        Phase::Succeeded => "SUCCEEDED",
        Phase::Failed => "FAILED",
        _ => "CANCELLED",
    }
}

fn shown(job: &Job) -> Value {
    let mut shown = job.body["batch"].clone();
    shown["name"] = job.body["name"].clone();
    shown["uuid"] = json!(fields::uuid(job.number));
    if job.started.is_some() {
        shown["runtimeInfo"] = json!({ "outputUri": driver::output(job) });
    }
    shown["createTime"] = json!(fields::time(job.created));
    shown["operation"] = job.body["operation"].clone();
    shown["state"] = json!(word(job.phase));
    shown["stateTime"] = json!(fields::time(job.since()));
    let before = job.history.len().saturating_sub(1);
    let history: Vec<Value> = job.history[..before]
        .iter()
        .map(|(phase, at)| json!({ "state": word(*phase), "stateStartTime": fields::time(*at) }))
        .collect();
    shown["stateHistory"] = json!(history);
    if let Some(message) = &job.message {
        shown["stateMessage"] = json!(message);
    }
    shown
}

pub(super) fn operation(job: &Job) -> Value {
    let metadata = json!({
        "@type": "type.googleapis.com/google.cloud.dataproc.v1.BatchOperationMetadata",
        "batch": job.body["name"],
        "batchUuid": fields::uuid(job.number),
        "createTime": fields::time(job.created),
        "operationType": "BATCH",
        "description": "Batch",
    });
    let name = fields::text(&job.body, "/operation").unwrap_or_default();
    operations::shown(name, metadata, job, || {
        let mut batch = shown(job);
        batch["@type"] = json!("type.googleapis.com/google.cloud.dataproc.v1.Batch");
        batch
    })
}

fn work(batch: &Value) -> Result<(Work, BTreeMap<String, String>), Refusal> {
    let kinds = [
        ("pysparkBatch", &["mainPythonFileUri"][..]),
        ("sparkBatch", &["mainJarFileUri", "mainClass"]),
    ];
    for (kind, names) in kinds {
        if batch.get(kind).is_some_and(Value::is_object) {
            return spark(batch, &format!("/{kind}"), names);
        }
    }
    if batch.get("sparkSqlBatch").is_some_and(Value::is_object) {
        let file = fields::need(batch, "/sparkSqlBatch/queryFileUri")?;
        let variables = fields::strings(batch, "/sparkSqlBatch/queryVariables")?;
        return Ok((Work::Program(stem(file).to_owned()), variables));
    }
    Err(Refusal::unsupported(
        "batches other than pysparkBatch, sparkBatch and sparkSqlBatch",
    ))
}

async fn create(state: Arc<State>, mut call: Call) -> Answer {
    let batch: Value = call.json().await?;
    fields::object(&batch)?;
    let known = [
        "name",
        "labels",
        "runtimeConfig",
        "environmentConfig",
        "pysparkBatch",
        "sparkBatch",
        "sparkSqlBatch",
        "sparkRBatch",
        "pysparkNotebookBatch",
    ];
    fields::only(&batch, "", &known)?;
    let request = request_id(call.query("requestId"))?;
    let (work, parameters) = work(&batch)?;
    let _alone = state.jobs.alone();
    if let Some(request) = &request {
        let same = |job: &Arc<Job>| fields::text(&job.body, "/requestId") == Some(request);
        if let Some(job) = state.jobs.under(&key(&call, "")).into_iter().find(same) {
            return Ok(Reply::json(&operation(&job)));
        }
    }
    let number = state.jobs.number(0);
    let id = match call.query("batchId").filter(|id| !id.is_empty()) {
        Some(id) => id.to_owned(),
        None => fields::uuid(number),
    };
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !fields::named(&id, 4, 63, fits) {
        return Err(Refusal::invalid(format!(
            "Invalid batch ID {id:?}: 4 to 63 lower case letters, digits and hyphens"
        )));
    }
    let place = format!(
        "projects/{}/locations/{}",
        call.part("project"),
        call.part("region")
    );
    if state.jobs.get(&key(&call, &id)).is_some() {
        return Err(exists(format!(
            "Already exists: Failed to create batch: Batch {place}/batches/{id}"
        )));
    }
    let operation_name = format!(
        "projects/{}/regions/{}/operations/{}",
        call.part("project"),
        call.part("region"),
        fields::uuid(state.jobs.number(0))
    );
    let new = NewJob {
        key: key(&call, &id),
        number,
        id: id.clone(),
        name: id.clone(),
        tasks: vec![Task::new(work, parameters)],
        body: json!({
            "batch": batch, "name": format!("{place}/batches/{id}"), "operation": operation_name, "region": call.part("region"),
            "requestId": request,
        }),
        streaming: false,
        fault: state.faults.of_job(Service::Dataproc, call.method),
    };
    let job = state
        .jobs
        .start(new)
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&operation(&job)).effect(format!("batch {id} started")))
}

fn find(state: &State, call: &Call) -> Result<Arc<Job>, Refusal> {
    let id = call.part("batch");
    state.jobs.get(&key(call, id)).ok_or_else(|| {
        Refusal::not_found(format!(
            "Not found: Batch projects/{}/locations/{}/batches/{id}",
            call.part("project"),
            call.part("region")
        ))
    })
}

async fn get(state: Arc<State>, call: Call) -> Answer {
    let found = find(&state, &call)?;
    Ok(Reply::json(&shown(&found)))
}

async fn list(state: Arc<State>, call: Call) -> Answer {
    for name in ["filter", "orderBy"] {
        if call.query(name).is_some_and(|value| !value.is_empty()) {
            return Err(Refusal::unsupported(&format!("{name} of batches.list")));
        }
    }
    let mut all = state.jobs.under(&key(&call, ""));
    all.sort_by_key(|job| std::cmp::Reverse(job.number));
    let (batches, next) = fields::page(&call, "pageSize", "pageToken", all)?;
    let batches: Vec<Value> = batches.iter().map(|job| shown(job)).collect();
    let body = json!({ "batches": batches, "nextPageToken": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

async fn delete(state: Arc<State>, call: Call) -> Answer {
    let job = find(&state, &call)?;
    if job.active() {
        return Err(precondition(format!(
            "Batch {} is {}; cancel its operation first",
            job.id,
            word(job.phase)
        )));
    }
    state
        .jobs
        .remove(&key(&call, &job.id))
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&json!({})).effect(format!("batch {} deleted", job.id)))
}
