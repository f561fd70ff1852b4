//! Looking at jobs, cancelling and forgetting them.

use std::sync::Arc;

use axum::http::StatusCode;
use chrono::DateTime;
use serde_json::{Value, json};

use super::super::json::wrong;
use super::super::paging::listed;
use super::super::{Bigquery, datasets, json::object};
use super::record::{Job, Phase, key};
use super::shown;
use crate::call::{Answer, Call, Refusal, Reply};
use crate::state::State;

/// The job that a path names. Without a location it is one in `US`, as in the real API.
pub(super) fn found(bigquery: &Bigquery, call: &Call) -> Result<Arc<Job>, Refusal> {
    let (project, id) = (call.part("projectId"), call.part("jobId"));
    let said = call
        .query("location")
        .filter(|location| !location.is_empty());
    let location = said.map_or("US".to_owned(), datasets::location);
    let key = key(project, &location, id);
    bigquery
        .jobs
        .shelf
        .get(&key)
        .filter(|job| !job.vanished())
        .ok_or_else(|| {
            let name = said.map_or_else(|| format!("{project}:{id}"), |_| key);
            Refusal::not_found(format!("Not found: Job {name}"))
        })
}

/// `GET …/jobs/{jobId}`
pub(super) async fn get(state: Arc<State>, call: Call) -> Answer {
    let job = found(&state.bigquery, &call)?;
    Ok(Reply::json(&shown::job(&job, &state.public)))
}

/// `POST …/jobs/{jobId}/cancel`: it is asked to end; whether it did is seen when it is done.
pub(super) async fn cancel(state: Arc<State>, call: Call) -> Answer {
    let jobs = &state.bigquery.jobs;
    let job = found(&state.bigquery, &call)?;
    let key = job.key();
    jobs.cancel(&key, "User requested cancellation");
    let most = std::time::Duration::from_millis(200);
    let job = jobs.wait(&key, most).await.unwrap_or(job);
    let reply = Reply::json(&json!({
        "kind": "bigquery#jobCancelResponse",
        "job": shown::job(&job, &state.public),
    }));
    Ok(reply.effect(format!("job {key} asked to end")))
}

/// `DELETE …/jobs/{jobId}/delete`
pub(super) async fn delete(state: Arc<State>, call: Call) -> Answer {
    let job = found(&state.bigquery, &call)?;
    if job.phase != Phase::Done {
        return Err(Refusal::invalid(format!(
            "Job {} cannot be deleted while it runs",
            job.key()
        )));
    }
    state
        .bigquery
        .jobs
        .shelf
        .remove(&job.key())
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::new(
        StatusCode::NO_CONTENT,
        "application/json; charset=UTF-8",
        "",
    )
    .effect(format!("job {} deleted", job.key())))
}

/// `GET …/jobs`
pub(super) async fn list(state: Arc<State>, call: Call) -> Answer {
    let full = match call.query("projection") {
        None | Some("" | "minimal" | "MINIMAL") => false,
        Some("full" | "FULL") => true,
        Some(other) => return Err(wrong("projection", other)),
    };
    let states: Vec<String> = call
        .query
        .iter()
        .filter(|(name, _)| name == "stateFilter")
        .map(|(_, value)| value.to_ascii_uppercase())
        .collect();
    if let Some(other) = states
        .iter()
        .find(|state| !["DONE", "PENDING", "RUNNING"].contains(&state.as_str()))
    {
        return Err(wrong("stateFilter", other));
    }
    let moment = |name: &str| {
        call.parsed::<i64>(name).map(|millis| {
            millis.map(|millis| {
                DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<chrono::Utc>::MAX_UTC)
            })
        })
    };
    let (from, to) = (moment("minCreationTime")?, moment("maxCreationTime")?);
    let parent = call
        .query("parentJobId")
        .filter(|parent| !parent.is_empty());
    let project = call.part("projectId");
    let mut found: Vec<Arc<Job>> = state
        .bigquery
        .jobs
        .shelf
        .under(&format!("{project}:"))
        .into_iter()
        .map(|(_, job)| job)
        .filter(|job| {
            job.project == project
                && job.parent.as_deref() == parent
                && !job.vanished()
                && (states.is_empty() || states.iter().any(|one| one == job.phase.name()))
                && from.is_none_or(|from| job.created >= from)
                && to.is_none_or(|to| job.created <= to)
        })
        .collect();
    // The newest first.
    found.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
    let (page, next) = listed(&call, found)?;
    let jobs: Vec<Value> = page
        .iter()
        .map(|job| shown::listed(job, &state.public, full))
        .collect();
    Ok(Reply::json(&Value::Object(object(json!({
        "kind": "bigquery#jobList",
        "etag": format!("l{}", jobs.len()),
        "jobs": jobs,
        "nextPageToken": next,
    })))))
}
