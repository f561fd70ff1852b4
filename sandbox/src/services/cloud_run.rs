//! Cloud Run jobs v2, and calls of services and functions over HTTP: a path that runs a program and answers what it gave.
//!
//! A job that is run again makes another execution; there is no key of a request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method as Verb, StatusCode};
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal, Reply};
use crate::jobs::{Job, NewJob, Phase, Task, Work, arguments};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

/// How long a call over HTTP may take.
const CALL: Duration = Duration::from_secs(540);

pub(super) fn methods() -> Vec<Method> {
    let service = Service::CloudRun;
    let one = "/v2/projects/{project}/locations/{location}/jobs/{job}/executions/{execution}";
    vec![
        Method::new(
            service,
            "run.projects.locations.jobs.run",
            Verb::POST,
            "/v2/projects/{project}/locations/{location}/jobs/{job}:run",
            run,
        ),
        Method::new(
            service,
            "run.projects.locations.operations.get",
            Verb::GET,
            "/v2/projects/{project}/locations/{location}/operations/{operation}",
            operation,
        ),
        Method::new(
            service,
            "run.projects.locations.jobs.executions.list",
            Verb::GET,
            "/v2/projects/{project}/locations/{location}/jobs/{job}/executions",
            list,
        ),
        Method::new(
            service,
            "run.projects.locations.jobs.executions.get",
            Verb::GET,
            one,
            get,
        ),
        Method::new(
            service,
            "run.projects.locations.jobs.executions.cancel",
            Verb::POST,
            "/v2/projects/{project}/locations/{location}/jobs/{job}/executions/{execution}:cancel",
            cancel,
        ),
        Method::new(
            service,
            "run.services.call",
            Verb::POST,
            "/run/{project}/{location}/{name}",
            over_http,
        ),
        Method::new(
            Service::Functions,
            "functions.http",
            Verb::POST,
            "/functions/{project}/{location}/{name}",
            over_http,
        ),
        Method::new(
            Service::Functions,
            "cloudfunctions.projects.locations.functions.call",
            Verb::POST,
            "/v1/projects/{project}/locations/{location}/functions/{name}:call",
            call_function,
        ),
    ]
}

fn place(call: &Call) -> String {
    format!(
        "projects/{}/locations/{}",
        call.part("project"),
        call.part("location")
    )
}

/// The beginning of the keys of a job's executions.
fn prefix(call: &Call, job: &str) -> String {
    format!("cloud_run/{}/jobs/{job}", place(call))
}

fn execution(job: &Job) -> Value {
    let name = job.body["name"].as_str().unwrap_or_default();
    let parent = name.split("/executions/").next().unwrap_or_default();
    let (state, reason) = match job.phase {
        Phase::Queued | Phase::Pending => ("CONDITION_PENDING", None),
        Phase::Succeeded | Phase::Drained => ("CONDITION_SUCCEEDED", None),
        Phase::Failed => ("CONDITION_FAILED", Some("NON_ZERO_EXIT_CODE")),
        phase if phase.ended() => ("CONDITION_FAILED", Some("CANCELLED")),
        _ => ("CONDITION_RECONCILING", None),
    };
    let one = |is: bool| i32::from(is);
    fields::without_nulls(json!({
        "name": name, "uid": fields::uuid(job.number), "generation": "1", "job": parent,
        "createTime": fields::time(job.created), "startTime": job.started.map(fields::time),
        "completionTime": job.ended.map(fields::time), "updateTime": fields::time(job.since()),
        "taskCount": 1, "parallelism": 1,
        "runningCount": one(job.phase == Phase::Running),
        "succeededCount": one(job.phase == Phase::Succeeded),
        "failedCount": one(job.phase == Phase::Failed),
        "cancelledCount": one(job.phase == Phase::Cancelled),
        "conditions": [fields::without_nulls(json!({
            "type": "Completed", "state": state, "message": job.message, "executionReason": reason,
            "lastTransitionTime": fields::time(job.since()),
        }))],
    }))
}

fn shown(job: &Job) -> Value {
    let mut metadata = execution(job);
    metadata["@type"] = json!("type.googleapis.com/google.cloud.run.v2.Execution");
    let mut shown = json!({
        "name": job.body["operation"], "metadata": metadata, "done": !job.active(),
    });
    match job.phase {
        Phase::Succeeded => shown["response"] = shown["metadata"].clone(),
        Phase::Cancelled => {
            shown["error"] = json!({ "code": 1, "message": "The execution was cancelled." })
        }
        phase if phase.ended() => shown["error"] = json!({ "code": 13, "message": job.message }),
        _ => {}
    }
    shown
}

/// Arguments and variables that a run is given instead of the job's own.
fn overrides(body: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let mut all = BTreeMap::new();
    let containers = body
        .pointer("/overrides/containerOverrides")
        .and_then(Value::as_array);
    for container in containers.into_iter().flatten() {
        all.extend(arguments(&fields::list(container, "/args")?));
        for variable in container["env"].as_array().into_iter().flatten() {
            let value = fields::text(variable, "/value").unwrap_or_default();
            all.insert(
                fields::need(variable, "/name")?.to_owned(),
                value.to_owned(),
            );
        }
    }
    Ok(all)
}

async fn run(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    fields::only(&body, "", &["overrides", "etag", "validateOnly"])?;
    if body["validateOnly"] == json!(true) {
        return Err(Refusal::unsupported("validateOnly of a run"));
    }
    let parameters = overrides(&body)?;
    let job = call.part("job").to_owned();
    let number = state.jobs.number(0);
    let id = format!("{job}-{number:x}");
    let new = NewJob {
        key: format!("{}/{id}", prefix(&call, &job)),
        number,
        id: id.clone(),
        name: job.clone(),
        tasks: vec![Task::new(Work::Program(job.clone()), parameters)],
        body: json!({
            "name": format!("{}/jobs/{job}/executions/{id}", place(&call)),
            "operation": format!("{}/operations/{}", place(&call), fields::uuid(number)),
        }),
        streaming: false,
        fault: state.faults.of_job(Service::CloudRun, call.method),
    };
    let started = state
        .jobs
        .start(new)
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&shown(&started)).effect(format!("execution {id} started")))
}

async fn operation(state: Arc<State>, call: Call) -> Answer {
    let name = format!("{}/operations/{}", place(&call), call.part("operation"));
    state
        .jobs
        .under(&prefix(&call, ""))
        .iter()
        .find(|job| job.body["operation"] == json!(name))
        .map(|job| Reply::json(&shown(job)))
        .ok_or_else(|| Refusal::not_found(format!("Operation {name} not found")))
}

fn find(state: &State, call: &Call) -> Result<(String, Arc<Job>), Refusal> {
    let key = format!(
        "{}/{}",
        prefix(call, call.part("job")),
        call.part("execution")
    );
    let found = state.jobs.get(&key);
    found.map(|job| (key, job)).ok_or_else(|| {
        Refusal::not_found(format!(
            "Resource '{}' was not found",
            call.part("execution")
        ))
    })
}

async fn get(state: Arc<State>, call: Call) -> Answer {
    Ok(Reply::json(&execution(&find(&state, &call)?.1)))
}

async fn list(state: Arc<State>, call: Call) -> Answer {
    let mut all = state
        .jobs
        .under(&format!("{}/", prefix(&call, call.part("job"))));
    all.sort_by_key(|job| std::cmp::Reverse(job.number));
    let all: Vec<Value> = all.iter().map(|job| execution(job)).collect();
    let (executions, next) = fields::page(&call, "pageSize", "pageToken", all)?;
    let body = json!({ "executions": executions, "nextPageToken": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

async fn cancel(state: Arc<State>, call: Call) -> Answer {
    let (key, job) = find(&state, &call)?;
    if !state.jobs.cancel(&key) && !job.active() {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "FAILED_PRECONDITION",
            format!("Execution {} has completed and cannot be cancelled", job.id),
        ));
    }
    let (_, job) = find(&state, &call)?;
    Ok(Reply::json(&shown(&job)).effect(format!("execution {} asked to stop", job.id)))
}

/// Runs the program `name` for a call of `method` and waits for it.
async fn called(
    state: &State,
    service: Service,
    method: &str,
    name: String,
    data: &Value,
) -> Result<Arc<Job>, Refusal> {
    let parameters = fields::strings(data, "")?;
    let number = state.jobs.number(0);
    let key = format!("calls/{name}/{number:020}");
    let new = NewJob {
        key: key.clone(),
        number,
        id: number.to_string(),
        name: name.clone(),
        tasks: vec![Task::new(Work::Program(name), parameters)],
        body: Value::Null,
        streaming: false,
        fault: state.faults.of_job(service, method),
    };
    let job = state
        .jobs
        .start(new)
        .map_err(|error| Refusal::internal(&error))?;
    Ok(state.jobs.ended(&key, CALL).await.unwrap_or(job))
}

async fn over_http(state: Arc<State>, mut call: Call) -> Answer {
    let data: Value = call.json().await?;
    let service = if call.method == "functions.http" {
        Service::Functions
    } else {
        Service::CloudRun
    };
    let name = call.part("name").to_owned();
    let job = called(&state, service, call.method, name, &data).await?;
    let effect = format!("{} called as {}", job.name, job.id);
    if job.phase == Phase::Succeeded {
        return Ok(Reply::json(job.result()).effect(effect));
    }
    let message = job
        .message
        .clone()
        .unwrap_or_else(|| "it did not end in time".into());
    let reply = Reply::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "text/plain; charset=utf-8",
        message,
    );
    Ok(reply.effect(effect))
}

/// `data` is text with JSON in it, as the method has it.
async fn call_function(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    fields::only(&body, "", &["data"])?;
    let data: Value = match fields::text(&body, "/data") {
        None => json!({}),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| Refusal::invalid(format!("data is no JSON: {error}")))?,
    };
    let name = call.part("name").to_owned();
    let job = called(&state, Service::Functions, call.method, name, &data).await?;
    let mut shown = json!({ "executionId": job.id });
    if job.phase == Phase::Succeeded {
        shown["result"] = json!(job.result().to_string());
    } else {
        shown["error"] = json!(job.message.as_deref().unwrap_or("it did not end in time"));
    }
    Ok(Reply::json(&shown).effect(format!("{} called as {}", job.name, job.id)))
}
