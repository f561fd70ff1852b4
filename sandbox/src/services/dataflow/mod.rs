//! Dataflow v1b3: jobs from classic and flex templates.
//!
//! The name of a job is unique among active jobs only; when one has ended its name may be used again, so the name is no
//! key of a request. There is no other key on the launch of a template.

mod launch;
mod shown;

use std::sync::Arc;

use axum::http::{Method as Verb, StatusCode};
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal, Reply};
use crate::jobs::{Job, Phase};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

pub(super) fn methods() -> Vec<Method> {
    let jobs = "/v1b3/projects/{project}/locations/{location}/jobs";
    let job = "/v1b3/projects/{project}/locations/{location}/jobs/{job}";
    let service = Service::Dataflow;
    let mut all = launch::methods();
    all.extend([
        Method::new(
            service,
            "dataflow.projects.locations.jobs.list",
            Verb::GET,
            jobs,
            list,
        ),
        Method::new(
            service,
            "dataflow.projects.locations.jobs.create",
            Verb::POST,
            jobs,
            create,
        ),
        Method::new(
            service,
            "dataflow.projects.locations.jobs.get",
            Verb::GET,
            job,
            get,
        ),
        Method::new(
            service,
            "dataflow.projects.locations.jobs.update",
            Verb::PUT,
            job,
            update,
        ),
        Method::new(
            service,
            "dataflow.projects.locations.jobs.getMetrics",
            Verb::GET,
            "/v1b3/projects/{project}/locations/{location}/jobs/{job}/metrics",
            metrics,
        ),
        Method::new(
            service,
            "dataflow.projects.locations.jobs.messages.list",
            Verb::GET,
            "/v1b3/projects/{project}/locations/{location}/jobs/{job}/messages",
            messages,
        ),
        Method::new(
            service,
            "dataflow.projects.jobs.aggregated",
            Verb::GET,
            "/v1b3/projects/{project}/jobs:aggregated",
            aggregated,
        ),
    ]);
    all
}

/// `location` empty: the beginning of the keys of all of a project's jobs.
fn prefix(call: &Call, location: &str) -> String {
    let project = call.part("project");
    if location.is_empty() {
        format!("dataflow/projects/{project}/locations/")
    } else {
        format!("dataflow/projects/{project}/locations/{location}/jobs/")
    }
}

fn key(call: &Call, job: &str) -> String {
    format!("{}{job}", prefix(call, call.part("location")))
}

fn find(state: &State, call: &Call) -> Result<Arc<Job>, Refusal> {
    let id = call.part("job");
    state.jobs.get(&key(call, id)).ok_or_else(|| {
        Refusal::not_found(format!(
            "({id}): Information about job {id} could not be found in our system. Please double check the id is correct."
        ))
    })
}

fn precondition(message: String) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "FAILED_PRECONDITION", message)
}

async fn create(_: Arc<State>, _: Call) -> Answer {
    Err(Refusal::unsupported(
        "jobs.create with a graph of steps; launch a template instead",
    ))
}

async fn get(state: Arc<State>, call: Call) -> Answer {
    let found = find(&state, &call)?;
    Ok(Reply::json(&shown::job(&found)))
}

async fn list(state: Arc<State>, call: Call) -> Answer {
    listed(&state, &call, call.part("location"))
}

async fn aggregated(state: Arc<State>, call: Call) -> Answer {
    listed(&state, &call, "")
}

fn listed(state: &State, call: &Call, location: &str) -> Answer {
    let filter = call.query("filter").unwrap_or("ALL");
    if !["UNKNOWN", "ALL", "TERMINATED", "ACTIVE"].contains(&filter) {
        return Err(Refusal::invalid(format!(
            "Invalid value at 'filter': {filter:?}; it is ALL, TERMINATED or ACTIVE"
        )));
    }
    let mut all = state.jobs.under(&prefix(call, location));
    all.sort_by_key(|job| std::cmp::Reverse(job.number));
    all.retain(|job| match filter {
        "TERMINATED" => !job.active(),
        "ACTIVE" => job.active(),
        _ => true,
    });
    if let Some(name) = call.query("name").filter(|name| !name.is_empty()) {
        all.retain(|job| job.name == name);
    }
    let (jobs, next) = fields::page(call, "pageSize", "pageToken", all)?;
    let jobs: Vec<Value> = jobs.iter().map(|job| shown::job(job)).collect();
    let body = json!({ "jobs": jobs, "nextPageToken": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

/// Asks for another state; labels may be set beside it.
async fn update(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    let wanted = fields::need(&body, "/requestedState")?;
    let job = find(&state, &call)?;
    let key = key(&call, &job.id);
    let stopped = match wanted {
        "JOB_STATE_CANCELLED" => state.jobs.cancel(&key),
        "JOB_STATE_DRAINED" if !job.streaming => {
            return Err(precondition(format!(
                "({}): Drain is only there for streaming jobs; {} is a batch job",
                job.id, job.name
            )));
        }
        "JOB_STATE_DRAINED" => state.jobs.drain(&key),
        other => {
            return Err(Refusal::invalid(format!(
                "requestedState is JOB_STATE_CANCELLED or JOB_STATE_DRAINED here, not {other:?}"
            )));
        }
    };
    if !stopped && !job.active() {
        return Err(precondition(format!(
            "({}): Cannot modify a job in terminal state {}",
            job.id,
            shown::state(&job, job.phase)
        )));
    }
    let wanted = wanted.to_owned();
    let job = state
        .jobs
        .edit(&key, |job| job.body["requestedState"] = json!(wanted))
        .unwrap_or(job);
    let effect = format!("dataflow job {} asked for {wanted}", job.id);
    Ok(Reply::json(&shown::job(&job)).effect(effect))
}

async fn metrics(state: Arc<State>, call: Call) -> Answer {
    let job = find(&state, &call)?;
    let beside = state.jobs.beside();
    let now = state.now();
    let moved = beside
        .streams
        .metrics(&beside.pubsub, &key(&call, &job.id), now);
    Ok(Reply::json(&shown::metrics(&job, moved, now)))
}

async fn messages(state: Arc<State>, call: Call) -> Answer {
    let job = find(&state, &call)?;
    let all: Vec<Value> = shown::messages(&job)
        .into_iter()
        .filter(|message| important(&call, message))
        .collect();
    let (messages, next) = fields::page(&call, "pageSize", "pageToken", all)?;
    let body = json!({ "jobMessages": messages, "nextPageToken": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

/// Whether a message is as important as is asked for, or more.
fn important(call: &Call, message: &Value) -> bool {
    let ranks = [
        "JOB_MESSAGE_DEBUG",
        "JOB_MESSAGE_DETAILED",
        "JOB_MESSAGE_BASIC",
        "JOB_MESSAGE_WARNING",
        "JOB_MESSAGE_ERROR",
    ];
    let rank = |word: &str| ranks.iter().position(|rank| *rank == word);
    let wanted = call.query("minimumImportance").and_then(rank).unwrap_or(0);
    let own = message["messageImportance"].as_str().and_then(rank);
    own.is_some_and(|own| own >= wanted) && after(call, message)
}

fn after(call: &Call, message: &Value) -> bool {
    let parsed = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok();
    let at = message["time"].as_str().and_then(parsed);
    let from = call.query("startTime").and_then(parsed);
    let to = call.query("endTime").and_then(parsed);
    at.is_some_and(|at| from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to))
}

/// The state that a job was asked for, or the one that it ends in by itself.
fn ends_in(job: &Job) -> Option<&'static str> {
    match job.phase {
        Phase::Stopping => Some("JOB_STATE_CANCELLED"),
        Phase::Draining => Some("JOB_STATE_DRAINED"),
        _ => None,
    }
}
