//! Jobs on clusters.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::Method as Verb;
use serde_json::{Value, json};

use super::{clusters, driver, exists, precondition, request_id, spark};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::jobs::{Job, NewJob, Phase, Task, Work, stem};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

pub(super) fn methods() -> Vec<Method> {
    let all = "/v1/projects/{project}/regions/{region}/jobs";
    let one = "/v1/projects/{project}/regions/{region}/jobs/{job}";
    let service = Service::Dataproc;
    vec![
        Method::new(
            service,
            "dataproc.projects.regions.jobs.submit",
            Verb::POST,
            "/v1/projects/{project}/regions/{region}/jobs:submit",
            submit,
        ),
        Method::new(
            service,
            "dataproc.projects.regions.jobs.list",
            Verb::GET,
            all,
            list,
        ),
        Method::new(
            service,
            "dataproc.projects.regions.jobs.get",
            Verb::GET,
            one,
            get,
        ),
        Method::new(
            service,
            "dataproc.projects.regions.jobs.delete",
            Verb::DELETE,
            one,
            delete,
        ),
        Method::new(
            service,
            "dataproc.projects.regions.jobs.cancel",
            Verb::POST,
            "/v1/projects/{project}/regions/{region}/jobs/{job}:cancel",
            cancel,
        ),
    ]
}

fn key(call: &Call, job: &str) -> String {
    format!(
        "dataproc/projects/{}/regions/{}/jobs/{job}",
        call.part("project"),
        call.part("region")
    )
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Queued => "PENDING",
        Phase::Pending => "SETUP_DONE",
        Phase::Running | Phase::Draining => "RUNNING",
        Phase::Stopping => "CANCEL_STARTED",
        Phase::Cancelled | Phase::Drained | Phase::Skipped | Phase::Replaced => "CANCELLED",
        Phase::Succeeded => "DONE",
        Phase::Failed => "ERROR",
    }
}

fn shown(job: &Job) -> Value {
    let mut history: Vec<Value> = job
        .history
        .iter()
        .map(|(phase, at)| json!({ "state": word(*phase), "stateStartTime": fields::time(*at) }))
        .collect();
    let mut status = history.pop().unwrap_or_default();
    if let Some(message) = &job.message {
        status["details"] = json!(message);
    }
    let mut shown = job.body["job"].clone();
    let uuid = fields::uuid(job.number);
    let place = driver::folder(job);
    shown["status"] = status;
    shown["statusHistory"] = json!(history);
    shown["jobUuid"] = json!(uuid);
    shown["done"] = json!(!job.active());
    shown["driverControlFilesUri"] = json!(format!("{place}/"));
    shown["driverOutputResourceUri"] = json!(driver::output(job));
    if job.started.is_some() {
        let state = match job.phase {
            Phase::Succeeded => "FINISHED",
            Phase::Failed => "FAILED",
            phase if phase.ended() => "KILLED",
            _ => "RUNNING",
        };
        shown["yarnApplications"] =
            json!([{ "name": job.name, "state": state, "progress": job.progress }]);
    }
    shown
}

/// What a job runs, and with what.
fn work(job: &Value) -> Result<(Work, BTreeMap<String, String>), Refusal> {
    let kinds = [
        ("pysparkJob", &["mainPythonFileUri"][..]),
        ("sparkJob", &["mainJarFileUri", "mainClass"]),
        ("hadoopJob", &["mainJarFileUri", "mainClass"]),
    ];
    for (kind, names) in kinds {
        if job.get(kind).is_some_and(Value::is_object) {
            return spark(job, &format!("/{kind}"), names);
        }
    }
    if job.get("sparkSqlJob").is_some_and(Value::is_object) {
        let variables = fields::strings(job, "/sparkSqlJob/scriptVariables")?;
        if let Some(file) = fields::text(job, "/sparkSqlJob/queryFileUri") {
            return Ok((Work::Program(stem(file).to_owned()), variables));
        }
        let queries = fields::list(job, "/sparkSqlJob/queryList/queries")?;
        if queries.is_empty() {
            return Err(Refusal::invalid(
                "sparkSqlJob needs queryFileUri or queryList",
            ));
        }
        return Ok((Work::Sql(queries.join(";\n")), variables));
    }
    Err(Refusal::unsupported(
        "jobs other than pysparkJob, sparkJob, sparkSqlJob and hadoopJob",
    ))
}

async fn submit(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    fields::only(&body, "", &["job", "requestId"])?;
    let known = [
        "reference",
        "placement",
        "pysparkJob",
        "sparkJob",
        "sparkSqlJob",
        "hadoopJob",
        "labels",
        "scheduling",
        "driverSchedulingConfig",
        "hiveJob",
        "pigJob",
        "prestoJob",
        "trinoJob",
        "flinkJob",
        "sparkRJob",
    ];
    fields::only(&body, "/job", &known)?;
    let mut job = body.get("job").cloned().unwrap_or_default();
    let request = request_id(fields::text(&body, "/requestId"))?;
    let (work, parameters) = work(&job)?;
    let cluster = fields::need(&job, "/placement/clusterName")?.to_owned();
    let _alone = state.jobs.alone();
    if let Some(request) = &request {
        let same = |job: &Arc<Job>| fields::text(&job.body, "/requestId") == Some(request);
        if let Some(job) = state.jobs.under(&key(&call, "")).into_iter().find(same) {
            return Ok(Reply::json(&shown(&job)));
        }
    }
    let number = state.jobs.number(0);
    let id = match fields::text(&job, "/reference/jobId") {
        Some(id) => id.to_owned(),
        None => fields::uuid(number),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !fields::named(&id, 1, 100, fits) {
        return Err(Refusal::invalid(format!(
            "Invalid job ID {id:?}: at most 100 letters, digits, underscores and hyphens"
        )));
    }
    if state.jobs.get(&key(&call, &id)).is_some() {
        return Err(exists(format!(
            "Already exists: Failed to submit job: Job projects/{}/regions/{}/jobs/{id}",
            call.part("project"),
            call.part("region")
        )));
    }
    let uuid = clusters::for_job(&state, &call, &cluster)?;
    job["reference"] = json!({ "projectId": call.part("project"), "jobId": id });
    job["placement"] = json!({ "clusterName": cluster, "clusterUuid": uuid });
    let new = NewJob {
        key: key(&call, &id),
        number,
        id: id.clone(),
        name: id.clone(),
        tasks: vec![Task::new(work, parameters)],
        body: json!({ "job": job, "requestId": request, "region": call.part("region") }),
        streaming: false,
        fault: state.faults.of_job(Service::Dataproc, call.method),
    };
    let job = state
        .jobs
        .start(new)
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&shown(&job)).effect(format!("dataproc job {id} started")))
}

fn find(state: &State, call: &Call) -> Result<Arc<Job>, Refusal> {
    let id = call.part("job");
    state.jobs.get(&key(call, id)).ok_or_else(|| {
        Refusal::not_found(format!(
            "Not found: Job projects/{}/regions/{}/jobs/{id}",
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
    if call
        .query("filter")
        .is_some_and(|filter| !filter.is_empty())
    {
        return Err(Refusal::unsupported(
            "filter of jobs.list; jobStateMatcher and clusterName are there",
        ));
    }
    let wanted = call.query("jobStateMatcher").unwrap_or("ALL");
    if !["ALL", "ACTIVE", "NON_ACTIVE"].contains(&wanted) {
        return Err(Refusal::invalid(format!(
            "Invalid value for jobStateMatcher: {wanted:?}"
        )));
    }
    let mut all = state.jobs.under(&key(&call, ""));
    all.sort_by_key(|job| std::cmp::Reverse(job.number));
    all.retain(|job| match wanted {
        "ACTIVE" => job.active(),
        "NON_ACTIVE" => !job.active(),
        _ => true,
    });
    if let Some(cluster) = call.query("clusterName") {
        all.retain(|job| fields::text(&job.body, "/job/placement/clusterName") == Some(cluster));
    }
    let (jobs, next) = fields::page(&call, "pageSize", "pageToken", all)?;
    let jobs: Vec<Value> = jobs.iter().map(|job| shown(job)).collect();
    let body = json!({ "jobs": jobs, "nextPageToken": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

async fn cancel(state: Arc<State>, call: Call) -> Answer {
    let job = find(&state, &call)?;
    if !state.jobs.cancel(&key(&call, &job.id)) && !job.active() {
        return Err(precondition(format!(
            "Job {} is already in state {} and cannot be cancelled",
            job.id,
            word(job.phase)
        )));
    }
    let job = find(&state, &call)?;
    Ok(Reply::json(&shown(&job)).effect(format!("dataproc job {} asked to stop", job.id)))
}

async fn delete(state: Arc<State>, call: Call) -> Answer {
    let job = find(&state, &call)?;
    if job.active() {
        return Err(precondition(format!(
            "Job {} is {}; only a job that has ended can be deleted",
            job.id,
            word(job.phase)
        )));
    }
    state
        .jobs
        .remove(&key(&call, &job.id))
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&json!({})).effect(format!("dataproc job {} deleted", job.id)))
}
