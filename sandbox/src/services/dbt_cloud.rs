//! dbt Cloud v2: runs of jobs and their artifacts.
//!
//! There is no key of a request: a trigger that is repeated starts a second run. `cause` is kept and answered. The program
//! of job 12 is `dbt_job_12`; what it gives under `artifacts` are the run's artifacts.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{Method as Verb, StatusCode};
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal, Reply};
use crate::jobs::{Job, NewJob, Phase, Task, Work};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

pub(super) fn methods() -> Vec<Method> {
    let mut all = Vec::new();
    for (run_at, list_at, get_at, cancel_at, artifacts_at) in [
        (
            "/api/v2/accounts/{account}/jobs/{job}/run/",
            "/api/v2/accounts/{account}/runs/",
            "/api/v2/accounts/{account}/runs/{run}/",
            "/api/v2/accounts/{account}/runs/{run}/cancel/",
            "/api/v2/accounts/{account}/runs/{run}/artifacts/",
        ),
        (
            "/api/v2/accounts/{account}/jobs/{job}/run",
            "/api/v2/accounts/{account}/runs",
            "/api/v2/accounts/{account}/runs/{run}",
            "/api/v2/accounts/{account}/runs/{run}/cancel",
            "/api/v2/accounts/{account}/runs/{run}/artifacts",
        ),
    ] {
        let service = Service::DbtCloud;
        all.extend([
            Method::new(service, "dbt.jobs.run", Verb::POST, run_at, run),
            Method::new(service, "dbt.runs.list", Verb::GET, list_at, list),
            Method::new(service, "dbt.runs.get", Verb::GET, get_at, get),
            Method::new(service, "dbt.runs.cancel", Verb::POST, cancel_at, cancel),
            Method::new(
                service,
                "dbt.runs.artifacts.list",
                Verb::GET,
                artifacts_at,
                artifacts,
            ),
        ]);
    }
    all.push(Method::new(
        Service::DbtCloud,
        "dbt.runs.artifacts.get",
        Verb::GET,
        "/api/v2/accounts/{account}/runs/{run}/artifacts/{+artifact}",
        artifact,
    ));
    all
}

fn prefix(call: &Call) -> String {
    format!("dbt/{}/runs/", call.part("account"))
}

fn wrapped(data: &Value) -> Reply {
    Reply::json(&json!({
        "status": { "code": 200, "is_success": true, "user_message": "Success!", "developer_message": "" },
        "data": data,
    }))
}

fn shown(job: &Job) -> Value {
    let (status, word) = match job.phase {
        Phase::Queued => (1, "Queued"),
        Phase::Pending => (2, "Starting"),
        Phase::Running | Phase::Draining | Phase::Stopping => (3, "Running"),
        Phase::Succeeded | Phase::Drained => (10, "Success"),
        Phase::Failed => (20, "Error"),
        _ => (30, "Cancelled"),
    };
    let body = &job.body;
    json!({
        "id": job.number, "account_id": body["account"], "job_id": body["job"], "job_definition_id": body["job"],
        "trigger": { "cause": body["cause"], "job_definition_id": body["job"], "git_sha": body["git_sha"] },
        "status": status, "status_humanized": word, "status_message": job.message,
        "in_progress": job.active(), "is_complete": !job.active(), "is_success": status == 10,
        "is_error": status == 20, "is_cancelled": status == 30, "is_running": status == 3,
        "created_at": fields::time(job.created), "started_at": job.started.map(fields::time),
        "finished_at": job.ended.map(fields::time), "updated_at": fields::time(job.since()),
        "artifacts_saved": job.phase == Phase::Succeeded || job.phase == Phase::Failed,
    })
}

fn number(call: &Call, name: &str) -> Result<u64, Refusal> {
    let text = call.part(name);
    text.parse()
        .map_err(|_| Refusal::invalid(format!("{name} has to be a number, not {text:?}")))
}

fn key(call: &Call) -> Result<String, Refusal> {
    Ok(format!("{}{:020}", prefix(call), number(call, "run")?))
}

fn find(state: &State, call: &Call) -> Result<Arc<Job>, Refusal> {
    let found = state.jobs.get(&key(call)?);
    found.ok_or_else(|| Refusal::not_found("Not found."))
}

async fn run(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    let Some(cause) = fields::text(&body, "/cause") else {
        return Err(Refusal::invalid("{'cause': ['This field is required.']}"));
    };
    let job = number(&call, "job")?;
    let account = number(&call, "account")?;
    let steps = fields::list(&body, "/steps_override")?;
    let mut parameters = BTreeMap::new();
    if let Some(schema) = fields::text(&body, "/schema_override") {
        parameters.insert("schema".to_owned(), schema.to_owned());
    }
    if !steps.is_empty() {
        parameters.insert("steps".to_owned(), steps.join("\n"));
    }
    let number = state.jobs.number(0);
    let new = NewJob {
        key: format!("{}{number:020}", prefix(&call)),
        number,
        id: number.to_string(),
        name: format!("job {job}"),
        tasks: vec![Task::new(
            Work::Program(format!("dbt_job_{job}")),
            parameters,
        )],
        body: json!({ "account": account, "job": job, "cause": cause, "git_sha": body["git_sha"] }),
        streaming: false,
        fault: state.faults.of_job(Service::DbtCloud, call.method),
    };
    let started = state
        .jobs
        .start(new)
        .map_err(|error| Refusal::internal(&error))?;
    Ok(wrapped(&shown(&started)).effect(format!("dbt run {number} of job {job} started")))
}

async fn list(state: Arc<State>, call: Call) -> Answer {
    let mut all = state.jobs.under(&prefix(&call));
    match call.query("order_by") {
        None | Some("id") => {}
        Some("-id" | "-created_at") => all.reverse(),
        Some(other) => return Err(Refusal::unsupported(&format!("order_by={other}"))),
    }
    if let Some(job) = call.parsed::<u64>("job_definition_id")? {
        all.retain(|run| run.body["job"] == json!(job));
    }
    let all: Vec<Value> = all.iter().map(|job| shown(job)).collect();
    if let Some(status) = call.parsed::<u64>("status")? {
        let all: Vec<Value> = all
            .into_iter()
            .filter(|run| run["status"] == json!(status))
            .collect();
        return Ok(wrapped(&json!(
            fields::page(&call, "limit", "offset", all)?.0
        )));
    }
    Ok(wrapped(&json!(
        fields::page(&call, "limit", "offset", all)?.0
    )))
}

async fn get(state: Arc<State>, call: Call) -> Answer {
    let found = find(&state, &call)?;
    Ok(wrapped(&shown(&found)))
}

async fn cancel(state: Arc<State>, call: Call) -> Answer {
    let key = key(&call)?;
    find(&state, &call)?;
    let stopped = state.jobs.cancel(&key);
    let job = find(&state, &call)?;
    if !stopped && !job.active() {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "invalid",
            format!("The run {} has ended and cannot be cancelled.", job.number),
        ));
    }
    Ok(wrapped(&shown(&job)).effect(format!("dbt run {} asked to stop", job.number)))
}

/// What the program gave, and the two files that every run has.
fn files(job: &Job) -> BTreeMap<String, Value> {
    if job.active() {
        return BTreeMap::new();
    }
    let program = match job.tasks.first().map(|task| &task.work) {
        Some(Work::Program(name)) => name.as_str(),
        _ => "unknown",
    };
    let id = format!("model.sandbox.{program}");
    let good = job.phase == Phase::Succeeded;
    let seconds = match (job.started, job.ended) {
        (Some(from), Some(to)) => (to - from).as_seconds_f64(),
        _ => 0.0,
    };
    let metadata = json!({ "generated_at": job.ended.map(fields::time), "invocation_id": fields::uuid(job.number) });
    let result = json!({
        "unique_id": id, "status": if good { "success" } else { "error" }, "execution_time": seconds,
        "message": job.message, "failures": null, "adapter_response": {}, "timing": [], "thread_id": "Thread-1",
    });
    let mut all = BTreeMap::from([
        (
            "run_results.json".to_owned(),
            json!({ "metadata": metadata, "results": [result], "elapsed_time": seconds, "args": {} }),
        ),
        (
            "manifest.json".to_owned(),
            json!({
                "metadata": metadata, "sources": {}, "parent_map": { &id: [] }, "child_map": { &id: [] },
                "nodes": { &id: { "unique_id": id, "name": program, "resource_type": "model", "depends_on": { "nodes": [] } } },
            }),
        ),
    ]);
    if let Some(given) = job.result()["artifacts"].as_object() {
        all.extend(given.clone());
    }
    all
}

async fn artifacts(state: Arc<State>, call: Call) -> Answer {
    let job = find(&state, &call)?;
    let names: Vec<String> = files(&job).into_keys().collect();
    Ok(wrapped(&json!(names)))
}

async fn artifact(state: Arc<State>, call: Call) -> Answer {
    let job = find(&state, &call)?;
    files(&job)
        .get(call.part("artifact").trim_end_matches('/'))
        .map(Reply::json)
        .ok_or_else(|| Refusal::not_found("The requested artifact was not found."))
}
