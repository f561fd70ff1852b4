//! Jobs: settings that runs are made of.

use std::sync::Arc;

use axum::http::Method as Verb;
use serde_json::{Value, json};

use super::{asked, millis, no_such, number, tasks, wrong};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

pub(super) fn methods() -> Vec<Method> {
    let mut all = Vec::new();
    for (create_at, list_at, get_at, delete_at, reset_at, update_at) in [
        (
            "/api/2.1/jobs/create",
            "/api/2.1/jobs/list",
            "/api/2.1/jobs/get",
            "/api/2.1/jobs/delete",
            "/api/2.1/jobs/reset",
            "/api/2.1/jobs/update",
        ),
        (
            "/api/2.2/jobs/create",
            "/api/2.2/jobs/list",
            "/api/2.2/jobs/get",
            "/api/2.2/jobs/delete",
            "/api/2.2/jobs/reset",
            "/api/2.2/jobs/update",
        ),
    ] {
        let service = Service::Databricks;
        all.extend([
            Method::new(
                service,
                "databricks.jobs.create",
                Verb::POST,
                create_at,
                create,
            ),
            Method::new(service, "databricks.jobs.list", Verb::GET, list_at, list),
            Method::new(service, "databricks.jobs.get", Verb::GET, get_at, get),
            Method::new(
                service,
                "databricks.jobs.delete",
                Verb::POST,
                delete_at,
                delete,
            ),
            Method::new(
                service,
                "databricks.jobs.reset",
                Verb::POST,
                reset_at,
                reset,
            ),
            Method::new(
                service,
                "databricks.jobs.update",
                Verb::POST,
                update_at,
                update,
            ),
        ]);
    }
    all
}

fn key(id: u64) -> String {
    format!("databricks/jobs/{id:020}")
}

/// The job `id` as it is kept: `job_id`, `settings`, `created_time`.
pub(super) fn find(state: &State, id: u64) -> Result<Arc<Value>, Refusal> {
    state
        .records
        .get(&key(id))
        .ok_or_else(|| no_such("Job", id))
}

fn checked(mut settings: Value) -> Result<Value, Refusal> {
    fields::object(&settings)?;
    if let Some(map) = settings.as_object_mut() {
        map.remove("access_control_list");
        map.entry("name").or_insert(json!("Untitled"));
        map.entry("max_concurrent_runs").or_insert(json!(1));
        map.entry("format").or_insert(json!("MULTI_TASK"));
    }
    if settings.get("tasks").is_some() {
        tasks::read(&settings, &tasks::Given::default())?;
    }
    Ok(settings)
}

async fn create(state: Arc<State>, mut call: Call) -> Answer {
    let settings = checked(call.json().await?)?;
    let id = state.jobs.number(0);
    let job = json!({
        "job_id": id, "created_time": millis(state.now()), "creator_user_name": "sandbox@example.com", "settings": settings,
    });
    state
        .records
        .put(&key(id), job)
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&json!({ "job_id": id })).effect(format!("databricks job {id} created")))
}

async fn get(state: Arc<State>, call: Call) -> Answer {
    let found = find(&state, asked(&call, "job_id")?)?;
    Ok(Reply::json(&found))
}

async fn list(state: Arc<State>, call: Call) -> Answer {
    let expand = call.parsed("expand_tasks")?.unwrap_or(false);
    let mut all: Vec<Value> = state
        .records
        .under("databricks/jobs/")
        .into_iter()
        .rev()
        .map(|(_, job)| Value::clone(&job))
        .filter(|job| {
            call.query("name").is_none_or(|name| {
                let own = fields::text(job, "/settings/name").unwrap_or_default();
                own.eq_ignore_ascii_case(name)
            })
        })
        .collect();
    if !expand {
        for job in &mut all {
            if let Some(settings) = job["settings"].as_object_mut() {
                settings.remove("tasks");
            }
        }
    }
    let (jobs, next) = fields::page(&call, "limit", "page_token", all)?;
    let body = json!({ "jobs": jobs, "has_more": next.is_some(), "next_page_token": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

async fn delete(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    let id = number(body.get("job_id"), "job_id")?;
    find(&state, id)?;
    state
        .records
        .remove(&key(id))
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&json!({})).effect(format!("databricks job {id} deleted")))
}

async fn reset(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    change(&state, &body, |_, new| new.clone())
}

async fn update(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    let gone = fields::list(&body, "/fields_to_remove")?;
    if gone.iter().any(|name| name.contains('/')) {
        return Err(Refusal::unsupported(
            "fields_to_remove below the first level",
        ));
    }
    change(&state, &body, |old, new| {
        let mut all = old.clone();
        if let (Some(all), Some(new)) = (all.as_object_mut(), new.as_object()) {
            all.extend(new.clone());
            all.retain(|name, _| !gone.contains(name));
        }
        all
    })
}

fn change(state: &State, body: &Value, make: impl FnOnce(&Value, &Value) -> Value) -> Answer {
    let id = number(body.get("job_id"), "job_id")?;
    let mut job = Value::clone(&*find(state, id)?);
    let new = body.get("new_settings").cloned().unwrap_or(json!({}));
    if !new.is_object() {
        return Err(wrong("new_settings has to be an object"));
    }
    job["settings"] = checked(make(&job["settings"], &new))?;
    state
        .records
        .put(&key(id), job)
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&json!({})).effect(format!("databricks job {id} changed")))
}
