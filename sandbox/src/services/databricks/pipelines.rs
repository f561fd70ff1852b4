//! Pipelines and their updates: one active update a pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{Method as Verb, StatusCode};
use serde_json::{Value, json};

use super::millis;
use crate::call::{Answer, Call, Refusal, Reply};
use crate::jobs::{Job, NewJob, Phase, Task, Work, stem};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

pub(super) fn methods() -> Vec<Method> {
    let all = "/api/2.0/pipelines";
    let one = "/api/2.0/pipelines/{pipeline}";
    let updates = "/api/2.0/pipelines/{pipeline}/updates";
    let service = Service::Databricks;
    vec![
        Method::new(
            service,
            "databricks.pipelines.create",
            Verb::POST,
            all,
            create,
        ),
        Method::new(service, "databricks.pipelines.list", Verb::GET, all, list),
        Method::new(service, "databricks.pipelines.get", Verb::GET, one, get),
        Method::new(
            service,
            "databricks.pipelines.delete",
            Verb::DELETE,
            one,
            delete,
        ),
        Method::new(
            service,
            "databricks.pipelines.updates.start",
            Verb::POST,
            updates,
            start,
        ),
        Method::new(
            service,
            "databricks.pipelines.updates.list",
            Verb::GET,
            updates,
            list_updates,
        ),
        Method::new(
            service,
            "databricks.pipelines.updates.get",
            Verb::GET,
            "/api/2.0/pipelines/{pipeline}/updates/{update}",
            get_update,
        ),
        Method::new(
            service,
            "databricks.pipelines.stop",
            Verb::POST,
            "/api/2.0/pipelines/{pipeline}/stop",
            stop,
        ),
        Method::new(
            service,
            "databricks.pipelines.events.list",
            Verb::GET,
            "/api/2.0/pipelines/{pipeline}/events",
            events,
        ),
    ]
}

fn record(id: &str) -> String {
    format!("databricks/pipelines/{id}")
}

fn prefix(pipeline: &str) -> String {
    format!("databricks/updates/{pipeline}/")
}

fn missing(id: &str) -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "RESOURCE_DOES_NOT_EXIST",
        format!("The specified pipeline {id} was not found."),
    )
}

fn find(state: &State, call: &Call) -> Result<Arc<Value>, Refusal> {
    let id = call.part("pipeline");
    state.records.get(&record(id)).ok_or_else(|| missing(id))
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Queued => "QUEUED",
        Phase::Pending => "INITIALIZING",
        Phase::Running | Phase::Draining => "RUNNING",
        Phase::Stopping => "STOPPING",
        Phase::Succeeded | Phase::Drained => "COMPLETED",
        Phase::Failed => "FAILED",
        _ => "CANCELED",
    }
}

fn shown(job: &Job) -> Value {
    json!({
        "pipeline_id": job.body["pipeline_id"], "update_id": job.id, "state": word(job.phase),
        "creation_time": millis(job.created), "cause": "API_CALL", "full_refresh": job.body["full_refresh"],
        "validate_only": false, "config": job.body["spec"],
    })
}

/// Updates of a pipeline, the newest first.
fn updates(state: &State, pipeline: &str) -> Vec<Arc<Job>> {
    let mut all = state.jobs.under(&prefix(pipeline));
    all.sort_by_key(|job| std::cmp::Reverse(job.number));
    all
}

async fn create(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    let name = fields::need(&body, "/name")?;
    if body["dry_run"] == json!(true) {
        return Err(Refusal::unsupported("dry_run of a pipeline"));
    }
    let _alone = state.jobs.alone();
    let same = |value: &Value| value["spec"]["name"].as_str() == Some(name);
    let taken = state
        .records
        .under(&record(""))
        .iter()
        .any(|(_, one)| same(one));
    if taken && body["allow_duplicate_names"] != json!(true) {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "RESOURCE_CONFLICT",
            format!("The pipeline name '{name}' is already used by another pipeline."),
        ));
    }
    let id = fields::uuid(state.jobs.number(0));
    let mut spec = body.clone();
    spec["id"] = json!(id);
    state
        .records
        .put(&record(&id), json!({ "pipeline_id": id, "spec": spec }))
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&json!({ "pipeline_id": id })).effect(format!("pipeline {id} created")))
}

fn described(state: &State, pipeline: &Value) -> Value {
    let id = pipeline["pipeline_id"].as_str().unwrap_or_default();
    let updates = updates(state, id);
    let word_of = match updates.first() {
        Some(job) if job.active() => "RUNNING",
        Some(job) if job.phase == Phase::Failed => "FAILED",
        _ => "IDLE",
    };
    let latest: Vec<Value> = updates
        .iter()
        .take(5)
        .map(|job| {
            json!({ "update_id": job.id, "state": word(job.phase), "creation_time": fields::time(job.created) })
        })
        .collect();
    json!({
        "pipeline_id": id, "name": pipeline["spec"]["name"], "state": word_of, "latest_updates": latest,
        "creator_user_name": "sandbox@example.com", "run_as_user_name": "sandbox@example.com",
    })
}

async fn get(state: Arc<State>, call: Call) -> Answer {
    let pipeline = find(&state, &call)?;
    let mut shown = described(&state, &pipeline);
    shown["spec"] = pipeline["spec"].clone();
    Ok(Reply::json(&shown))
}

async fn list(state: Arc<State>, call: Call) -> Answer {
    if call
        .query("filter")
        .is_some_and(|filter| !filter.is_empty())
    {
        return Err(Refusal::unsupported("filter of a list of pipelines"));
    }
    let all = state.records.under(&record(""));
    let all = all.iter().map(|(_, one)| described(&state, one)).collect();
    let (statuses, next) = fields::page(&call, "max_results", "page_token", all)?;
    let body = json!({ "statuses": statuses, "next_page_token": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

async fn delete(state: Arc<State>, call: Call) -> Answer {
    find(&state, &call)?;
    let id = call.part("pipeline");
    for job in updates(&state, id) {
        state.jobs.cancel(&format!("{}{}", prefix(id), job.id));
    }
    state
        .records
        .remove(&record(id))
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&json!({})).effect(format!("pipeline {id} deleted")))
}

/// The program of a pipeline: one under its identifier, else its notebook or file, else its name.
fn program(state: &State, pipeline: &Value) -> String {
    let id = pipeline["pipeline_id"].as_str().unwrap_or_default();
    if state.jobs.programs().has(id) {
        return id.to_owned();
    }
    [
        "/spec/libraries/0/notebook/path",
        "/spec/libraries/0/file/path",
        "/spec/name",
    ]
    .iter()
    .find_map(|pointer| fields::text(pipeline, pointer))
    .map_or(id, stem)
    .to_owned()
}

async fn start(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    let _alone = state.jobs.alone();
    let pipeline = find(&state, &call)?;
    if body["validate_only"] == json!(true) {
        return Err(Refusal::unsupported("validate_only"));
    }
    let id = call.part("pipeline").to_owned();
    if let Some(active) = updates(&state, &id).iter().find(|job| job.active()) {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "RESOURCE_CONFLICT",
            format!(
                "An active update {} already exists for pipeline '{id}'.",
                active.id
            ),
        ));
    }
    let mut parameters: BTreeMap<String, String> =
        fields::strings(&pipeline, "/spec/configuration")?;
    for (name, pointer) in [
        ("refresh_selection", "/refresh_selection"),
        ("full_refresh_selection", "/full_refresh_selection"),
    ] {
        let tables = fields::list(&body, pointer)?;
        if !tables.is_empty() {
            parameters.insert(name.to_owned(), tables.join(","));
        }
    }
    let full = body["full_refresh"] == json!(true);
    parameters.insert("full_refresh".into(), full.to_string());
    let number = state.jobs.number(0);
    let update = fields::uuid(number);
    let new = NewJob {
        key: format!("{}{update}", prefix(&id)),
        number,
        id: update.clone(),
        name: pipeline["spec"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        tasks: vec![Task::new(
            Work::Program(program(&state, &pipeline)),
            parameters,
        )],
        body: json!({ "pipeline_id": id, "full_refresh": full, "spec": pipeline["spec"] }),
        streaming: false,
        fault: state.faults.of_job(Service::Databricks, call.method),
    };
    state
        .jobs
        .start(new)
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&json!({ "update_id": update }))
        .effect(format!("update {update} of pipeline {id} started")))
}

async fn get_update(state: Arc<State>, call: Call) -> Answer {
    find(&state, &call)?;
    let update = call.part("update");
    state
        .jobs
        .get(&format!("{}{update}", prefix(call.part("pipeline"))))
        .map(|job| Reply::json(&json!({ "update": shown(&job) })))
        .ok_or_else(|| {
            Refusal::new(
                StatusCode::NOT_FOUND,
                "RESOURCE_DOES_NOT_EXIST",
                format!("The specified update {update} was not found."),
            )
        })
}

async fn list_updates(state: Arc<State>, call: Call) -> Answer {
    find(&state, &call)?;
    let all = updates(&state, call.part("pipeline"));
    let all = all.iter().map(|job| shown(job)).collect();
    let (updates, next) = fields::page(&call, "max_results", "page_token", all)?;
    let body = json!({ "updates": updates, "next_page_token": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

async fn stop(state: Arc<State>, call: Call) -> Answer {
    find(&state, &call)?;
    let id = call.part("pipeline");
    let mut reply = Reply::json(&json!({}));
    for job in updates(&state, id) {
        if state.jobs.cancel(&format!("{}{}", prefix(id), job.id)) {
            reply = reply.effect(format!("update {} of pipeline {id} asked to stop", job.id));
        }
    }
    Ok(reply)
}

/// What the updates went through, the newest first.
async fn events(state: Arc<State>, call: Call) -> Answer {
    let pipeline = find(&state, &call)?;
    let mut all = Vec::new();
    for job in updates(&state, call.part("pipeline")) {
        let origin = json!({ "pipeline_id": pipeline["pipeline_id"], "update_id": job.id });
        for (at, (phase, since)) in job.history.iter().enumerate().rev() {
            let error = (*phase == Phase::Failed)
                .then(|| json!({ "exceptions": [{ "message": job.message }], "fatal": true }));
            all.push(fields::without_nulls(json!({
                "id": format!("{}-{at}", job.id), "origin": origin, "timestamp": fields::time(*since),
                "message": format!("Update {} is {}.", job.id, word(*phase)), "event_type": "update_progress",
                "level": if error.is_some() { "ERROR" } else { "INFO" }, "error": error,
            })));
        }
    }
    let (events, next) = fields::page(&call, "max_results", "page_token", all)?;
    let body = json!({ "events": events, "next_page_token": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}
