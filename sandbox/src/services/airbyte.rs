//! Airbyte: syncs of connections. A connection that is syncing refuses another sync; there is no other key.
//!
//! The program of a connection is registered under the connection's identifier.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{Method as Verb, StatusCode};
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal, Reply};
use crate::jobs::{Job, NewJob, Phase, Task, Work, stem};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

pub(super) fn methods() -> Vec<Method> {
    let mut all = Vec::new();
    for (jobs, job) in [
        ("/api/public/v1/jobs", "/api/public/v1/jobs/{job}"),
        ("/v1/jobs", "/v1/jobs/{job}"),
    ] {
        let service = Service::Airbyte;
        all.extend([
            Method::new(service, "airbyte.jobs.create", Verb::POST, jobs, create),
            Method::new(service, "airbyte.jobs.list", Verb::GET, jobs, list),
            Method::new(service, "airbyte.jobs.get", Verb::GET, job, get),
            Method::new(service, "airbyte.jobs.cancel", Verb::DELETE, job, cancel),
        ]);
    }
    all
}

const JOBS: &str = "airbyte/jobs/";

fn shown(job: &Job) -> Value {
    let status = match job.phase {
        Phase::Queued | Phase::Pending => "pending",
        Phase::Running | Phase::Draining | Phase::Stopping => "running",
        Phase::Succeeded | Phase::Drained => "succeeded",
        Phase::Failed => "failed",
        _ => "cancelled",
    };
    let result = job.result();
    let rows = result["rows"]
        .as_u64()
        .or_else(|| result["affected"].as_u64())
        .or_else(|| result["row_count"].as_u64());
    let took = job
        .ended
        .map(|ended| format!("PT{}S", (ended - job.created).num_seconds()));
    fields::without_nulls(json!({
        "jobId": job.number, "status": status, "jobType": job.body["jobType"], "connectionId": job.name,
        "startTime": fields::time(job.created), "lastUpdatedAt": fields::time(job.since()),
        "duration": took, "rowsSynced": rows, "bytesSynced": result["bytes"].as_u64(),
    }))
}

fn find(state: &State, call: &Call) -> Result<(String, Arc<Job>), Refusal> {
    let text = call.part("job");
    let number: u64 = text
        .parse()
        .map_err(|_| Refusal::invalid(format!("jobId has to be a number, not {text:?}")))?;
    let key = format!("{JOBS}{number:020}");
    let found = state.jobs.get(&key);
    found
        .map(|job| (key, job))
        .ok_or_else(|| Refusal::not_found(format!("Could not find a job with jobId {number}")))
}

async fn create(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    let connection = fields::need(&body, "/connectionId")?;
    let kind = fields::need(&body, "/jobType")?;
    if kind != "sync" {
        return Err(Refusal::unsupported(&format!("jobType {kind}")));
    }
    let _alone = state.jobs.alone();
    let busy = state
        .jobs
        .under(JOBS)
        .iter()
        .any(|job| job.active() && job.name == connection);
    if busy {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "try-again-later",
            format!("A sync is already running for: {connection}"),
        ));
    }
    let number = state.jobs.number(0);
    let new = NewJob {
        key: format!("{JOBS}{number:020}"),
        number,
        id: number.to_string(),
        name: connection.to_owned(),
        tasks: vec![Task::new(
            Work::Program(stem(connection).to_owned()),
            BTreeMap::new(),
        )],
        body: json!({ "jobType": kind }),
        streaming: false,
        fault: state.faults.of_job(Service::Airbyte, call.method),
    };
    let job = state
        .jobs
        .start(new)
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&shown(&job)).effect(format!("airbyte job {number} of {connection} started")))
}

async fn get(state: Arc<State>, call: Call) -> Answer {
    Ok(Reply::json(&shown(&find(&state, &call)?.1)))
}

async fn list(state: Arc<State>, call: Call) -> Answer {
    let mut all = state.jobs.under(JOBS);
    all.reverse();
    if let Some(connection) = call.query("connectionId") {
        all.retain(|job| job.name == connection);
    }
    let all: Vec<Value> = all.iter().map(|job| shown(job)).collect();
    let (data, _) = fields::page(&call, "limit", "offset", all)?;
    Ok(Reply::json(
        &json!({ "data": data, "previous": "", "next": "" }),
    ))
}

async fn cancel(state: Arc<State>, call: Call) -> Answer {
    let (key, job) = find(&state, &call)?;
    if !state.jobs.cancel(&key) && !job.active() {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "try-again-later",
            format!("Job is not currently running: {}", job.number),
        ));
    }
    let (_, job) = find(&state, &call)?;
    Ok(Reply::json(&shown(&job)).effect(format!("airbyte job {} asked to stop", job.number)))
}
