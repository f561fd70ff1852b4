//! Vertex AI: pipeline jobs. A `pipelineJobId` is taken until the job is deleted.

use std::sync::Arc;

use axum::http::{Method as Verb, StatusCode};
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal, Reply};
use crate::jobs::{Job, NewJob, Phase, Task, Work, stem};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

pub(super) fn methods() -> Vec<Method> {
    let all = "/v1/projects/{project}/locations/{location}/pipelineJobs";
    let one = "/v1/projects/{project}/locations/{location}/pipelineJobs/{job}";
    let service = Service::Vertex;
    vec![
        Method::new(
            service,
            "aiplatform.projects.locations.pipelineJobs.create",
            Verb::POST,
            all,
            create,
        ),
        Method::new(
            service,
            "aiplatform.projects.locations.pipelineJobs.list",
            Verb::GET,
            all,
            list,
        ),
        Method::new(
            service,
            "aiplatform.projects.locations.pipelineJobs.get",
            Verb::GET,
            one,
            get,
        ),
        Method::new(
            service,
            "aiplatform.projects.locations.pipelineJobs.cancel",
            Verb::POST,
            "/v1/projects/{project}/locations/{location}/pipelineJobs/{job}:cancel",
            cancel,
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

fn key(call: &Call, job: &str) -> String {
    format!("vertex/{}/{job}", place(call))
}

fn shown(job: &Job) -> Value {
    let state = match job.phase {
        Phase::Queued => "PIPELINE_STATE_QUEUED",
        Phase::Pending => "PIPELINE_STATE_PENDING",
        Phase::Running | Phase::Draining => "PIPELINE_STATE_RUNNING",
        Phase::Stopping => "PIPELINE_STATE_CANCELLING",
        Phase::Succeeded | Phase::Drained => "PIPELINE_STATE_SUCCEEDED",
        Phase::Failed => "PIPELINE_STATE_FAILED",
        _ => "PIPELINE_STATE_CANCELLED",
    };
    let error = (job.phase == Phase::Failed).then(|| json!({ "code": 9, "message": job.message }));
    let mut shown = job.body["request"].clone();
    shown["name"] = job.body["name"].clone();
    shown["state"] = json!(state);
    shown["createTime"] = json!(fields::time(job.created));
    shown["startTime"] = json!(job.started.map(fields::time));
    shown["endTime"] = json!(job.ended.map(fields::time));
    shown["updateTime"] = json!(fields::time(job.since()));
    shown["error"] = json!(error);
    fields::without_nulls(shown)
}

async fn create(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    let known = [
        "name",
        "displayName",
        "pipelineSpec",
        "runtimeConfig",
        "templateUri",
        "labels",
        "serviceAccount",
        "network",
        "encryptionSpec",
        "reservedIpRanges",
        "preflightValidations",
    ];
    fields::only(&body, "", &known)?;
    let program = fields::text(&body, "/templateUri")
        .or_else(|| fields::text(&body, "/pipelineSpec/pipelineInfo/name"))
        .map(stem)
        .ok_or_else(|| {
            Refusal::invalid(
                "templateUri or pipelineSpec.pipelineInfo.name has to name the pipeline",
            )
        })?
        .to_owned();
    let parameters = fields::strings(&body, "/runtimeConfig/parameterValues")?;
    let _alone = state.jobs.alone();
    let number = state.jobs.number(0);
    let id = match call.query("pipelineJobId").filter(|id| !id.is_empty()) {
        Some(id) => id.to_owned(),
        None => format!("{program}-{number}")
            .to_lowercase()
            .replace('_', "-"),
    };
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !fields::named(&id, 1, 128, fits) {
        return Err(Refusal::invalid(format!(
            "pipelineJobId {id:?}: at most 128 lower case letters, digits and hyphens"
        )));
    }
    let name = format!("{}/pipelineJobs/{id}", place(&call));
    if state.jobs.get(&key(&call, &id)).is_some() {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "ALREADY_EXISTS",
            format!("The PipelineJob \"{name}\" already exists."),
        ));
    }
    let new = NewJob {
        key: key(&call, &id),
        number,
        id: id.clone(),
        name: id.clone(),
        tasks: vec![Task::new(Work::Program(program), parameters)],
        body: json!({ "request": body, "name": name }),
        streaming: false,
        fault: state.faults.of_job(Service::Vertex, call.method),
    };
    let job = state
        .jobs
        .start(new)
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&shown(&job)).effect(format!("pipeline job {id} started")))
}

fn find(state: &State, call: &Call) -> Result<Arc<Job>, Refusal> {
    let id = call.part("job");
    let found = state.jobs.get(&key(call, id));
    found.ok_or_else(|| Refusal::not_found(format!("The PipelineJob {id} does not exist.")))
}

async fn get(state: Arc<State>, call: Call) -> Answer {
    let found = find(&state, &call)?;
    Ok(Reply::json(&shown(&found)))
}

async fn list(state: Arc<State>, call: Call) -> Answer {
    for name in ["filter", "orderBy"] {
        if call.query(name).is_some_and(|value| !value.is_empty()) {
            return Err(Refusal::unsupported(&format!(
                "{name} of pipelineJobs.list"
            )));
        }
    }
    let mut all = state.jobs.under(&key(&call, ""));
    all.sort_by_key(|job| std::cmp::Reverse(job.number));
    let all: Vec<Value> = all.iter().map(|job| shown(job)).collect();
    let (jobs, next) = fields::page(&call, "pageSize", "pageToken", all)?;
    let body = json!({ "pipelineJobs": jobs, "nextPageToken": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

async fn cancel(state: Arc<State>, call: Call) -> Answer {
    let job = find(&state, &call)?;
    if !state.jobs.cancel(&key(&call, &job.id)) && !job.active() {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "FAILED_PRECONDITION",
            format!(
                "The PipelineJob {} has ended and cannot be cancelled.",
                job.id
            ),
        ));
    }
    Ok(Reply::json(&json!({})).effect(format!("pipeline job {} asked to stop", job.id)))
}
