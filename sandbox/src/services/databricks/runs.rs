//! Runs of jobs, and runs without a job.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::Method as Verb;
use serde_json::{Value, json};

use super::{asked, definitions, no_such, number, shown, tasks, wrong, wrong_state};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::jobs::{Job, NewJob, Phase, Task};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

macro_rules! both {
    ($all:ident, $id:literal, $verb:ident, $path:literal, $handler:expr) => {
        for path in [
            concat!("/api/2.1/jobs/", $path),
            concat!("/api/2.2/jobs/", $path),
        ] {
            $all.push(Method::new(
                Service::Databricks,
                $id,
                Verb::$verb,
                path,
                $handler,
            ));
        }
    };
}

pub(super) fn methods() -> Vec<Method> {
    let mut all = Vec::new();
    both!(all, "databricks.jobs.runNow", POST, "run-now", run_now);
    both!(
        all,
        "databricks.jobs.runs.submit",
        POST,
        "runs/submit",
        submit
    );
    both!(all, "databricks.jobs.runs.get", GET, "runs/get", get);
    both!(all, "databricks.jobs.runs.list", GET, "runs/list", list);
    both!(
        all,
        "databricks.jobs.runs.cancel",
        POST,
        "runs/cancel",
        cancel
    );
    both!(
        all,
        "databricks.jobs.runs.cancelAll",
        POST,
        "runs/cancel-all",
        cancel_all
    );
    both!(
        all,
        "databricks.jobs.runs.repair",
        POST,
        "runs/repair",
        repair
    );
    both!(
        all,
        "databricks.jobs.runs.delete",
        POST,
        "runs/delete",
        delete
    );
    both!(
        all,
        "databricks.jobs.runs.getOutput",
        GET,
        "runs/get-output",
        output
    );
    both!(
        all,
        "databricks.jobs.runs.export",
        GET,
        "runs/export",
        export
    );
    all
}

const RUNS: &str = "databricks/runs/";

fn key(id: u64) -> String {
    format!("{RUNS}{id:020}")
}

/// A run, and which of its tasks it is if `id` is the run of a task.
fn find(state: &State, id: u64) -> Result<(Arc<Job>, Option<usize>), Refusal> {
    if let Some(job) = state.jobs.get(&key(id)) {
        return Ok((job, None));
    }
    state
        .jobs
        .under(RUNS)
        .into_iter()
        .find_map(|job| {
            let at = usize::try_from(id.checked_sub(job.number + 1)?).ok()?;
            (at < job.tasks.len()).then_some((job, Some(at)))
        })
        .ok_or_else(|| no_such("Run", id))
}

/// The run that a token has begun; an error if that was deleted.
fn by_token(state: &State, scope: &str, body: &Value) -> Result<Option<u64>, Refusal> {
    let Some(token) = fields::text(body, "/idempotency_token") else {
        return Ok(None);
    };
    if token.len() > 64 {
        return Err(wrong("idempotency_token has more than 64 characters"));
    }
    let Some(run) = state.records.get(&token_key(scope, token)) else {
        return Ok(None);
    };
    let id = run.as_u64().unwrap_or_default();
    if state.jobs.get(&key(id)).is_none() {
        return Err(wrong(format!(
            "The run {id} that idempotency_token {token:?} began was deleted"
        )));
    }
    Ok(Some(id))
}

fn token_key(scope: &str, token: &str) -> String {
    format!("databricks/tokens/{scope}/{token}")
}

/// What `start` has to know beside the tasks.
struct Start<'a> {
    scope: String,
    name: String,
    settings: &'a Value,
    body: &'a Value,
    job_id: Option<u64>,
    /// The job has as many runs as it may have.
    full: bool,
}

fn start(state: &State, call: &Call, tasks: Vec<Task>, start: Start<'_>) -> Result<Reply, Refusal> {
    let id = state.jobs.number(tasks.len());
    let fault = state.faults.of_job(Service::Databricks, call.method);
    let vanished = matches!(fault, Some(crate::faults::FaultKind::JobVanishes));
    if let Some(token) = fields::text(start.body, "/idempotency_token").filter(|_| !vanished) {
        // Before the run: after a kill in between the token is an error, never a second run.
        state
            .records
            .put(&token_key(&start.scope, token), json!(id))
            .map_err(|error| Refusal::internal(&error))?;
    }
    let overriding: BTreeMap<&str, &Value> = [
        "notebook_params",
        "python_params",
        "jar_params",
        "python_named_params",
        "sql_params",
    ]
    .into_iter()
    .filter_map(|name| Some((name, start.body.get(name)?)))
    .collect();
    let new = NewJob {
        key: key(id),
        number: id,
        id: id.to_string(),
        name: start.name,
        tasks,
        body: json!({
            "job_id": start.job_id.unwrap_or(id), "settings": { "tasks": start.settings["tasks"] }, "public": state.public,
            "run_type": if start.job_id.is_some() { "JOB_RUN" } else { "SUBMIT_RUN" }, "overriding": overriding,
        }),
        streaming: false,
        fault,
    };
    if start.full {
        // The run is there and is skipped, as on the service when its queue is off.
        let why = "Skipped: the job has as many runs as max_concurrent_runs allows";
        state.jobs.skip(new, why)
    } else {
        state.jobs.start(new)
    }
    .map_err(|error| Refusal::internal(&error))?;
    let reply = match start.job_id {
        Some(_) => json!({ "run_id": id, "number_in_job": id }),
        None => json!({ "run_id": id }),
    };
    Ok(Reply::json(&reply).effect(format!("databricks run {id} started")))
}

async fn submit(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    let _alone = state.jobs.alone();
    if let Some(id) = by_token(&state, "submit", &body)? {
        return Ok(Reply::json(&json!({ "run_id": id })));
    }
    let tasks = tasks::read(&body, &tasks::Given::default())?;
    let new = Start {
        scope: "submit".into(),
        name: fields::text(&body, "/run_name")
            .unwrap_or("Untitled")
            .to_owned(),
        settings: &body,
        body: &body,
        job_id: None,
        full: false,
    };
    start(&state, &call, tasks, new)
}

async fn run_now(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    let id = number(body.get("job_id"), "job_id")?;
    let _alone = state.jobs.alone();
    let job = definitions::find(&state, id)?;
    let scope = id.to_string();
    if let Some(run) = by_token(&state, &scope, &body)? {
        return Ok(Reply::json(&json!({ "run_id": run, "number_in_job": run })));
    }
    if body.get("only").is_some_and(|only| !only.is_null()) {
        return Err(Refusal::unsupported("only, for a part of a job's tasks"));
    }
    let settings = &job["settings"];
    let given = tasks::Given::read(settings, &body)?;
    let tasks = tasks::read(settings, &given)?;
    let most = settings["max_concurrent_runs"].as_u64().unwrap_or(1);
    let active = state
        .jobs
        .under(RUNS)
        .iter()
        .filter(|run| run.active() && run.body["job_id"] == json!(id))
        .count();
    let new = Start {
        scope,
        name: fields::text(settings, "/name")
            .unwrap_or("Untitled")
            .to_owned(),
        settings,
        body: &body,
        job_id: Some(id),
        full: active as u64 >= most,
    };
    start(&state, &call, tasks, new)
}

async fn get(state: Arc<State>, call: Call) -> Answer {
    let (job, at) = find(&state, asked(&call, "run_id")?)?;
    Ok(Reply::json(&match at {
        None => shown::run(&job, true),
        Some(at) => shown::of_task(&job, at),
    }))
}

async fn list(state: Arc<State>, call: Call) -> Answer {
    let mut all = state.jobs.under(RUNS);
    all.reverse();
    let active: bool = call.parsed("active_only")?.unwrap_or(false);
    let completed: bool = call.parsed("completed_only")?.unwrap_or(false);
    if active && completed {
        return Err(wrong("active_only and completed_only exclude each other"));
    }
    let job_id: Option<u64> = call.parsed("job_id")?;
    let from: Option<i64> = call.parsed("start_time_from")?;
    let to: Option<i64> = call.parsed("start_time_to")?;
    all.retain(|job| {
        let at = super::millis(job.created);
        (!active || job.active())
            && (!completed || !job.active())
            && job_id.is_none_or(|id| job.body["job_id"] == json!(id))
            && from.is_none_or(|from| at >= from)
            && to.is_none_or(|to| at <= to)
            && call
                .query("run_type")
                .is_none_or(|kind| job.body["run_type"] == json!(kind))
    });
    let tasks = call.parsed("expand_tasks")?.unwrap_or(false);
    let (runs, next) = fields::page(&call, "limit", "page_token", all)?;
    let runs: Vec<Value> = runs.iter().map(|job| shown::run(job, tasks)).collect();
    let body = json!({ "runs": runs, "has_more": next.is_some(), "next_page_token": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

/// Also for a run that has ended, as on the service: then nothing happens.
async fn cancel(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    let (job, _) = find(&state, number(body.get("run_id"), "run_id")?)?;
    let reply = Reply::json(&json!({}));
    if state.jobs.cancel(&key(job.number)) {
        return Ok(reply.effect(format!("databricks run {} asked to stop", job.number)));
    }
    Ok(reply)
}

async fn cancel_all(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    let id = number(body.get("job_id"), "job_id")?;
    definitions::find(&state, id)?;
    let mut reply = Reply::json(&json!({}));
    for job in state.jobs.under(RUNS) {
        if job.body["job_id"] == json!(id) && state.jobs.cancel(&key(job.number)) {
            reply = reply.effect(format!("databricks run {} asked to stop", job.number));
        }
    }
    Ok(reply)
}

async fn repair(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    let id = number(body.get("run_id"), "run_id")?;
    let _alone = state.jobs.alone();
    let (job, _) = find(&state, id)?;
    if job.active() {
        return Err(wrong_state(format!(
            "Run {id} is active; only a run that has ended can be repaired"
        )));
    }
    let latest = job.body["repairs"]
        .as_array()
        .and_then(|all| all.last())
        .map(|one| one["id"].clone());
    if let Some(latest) = latest.filter(|latest| body.get("latest_repair_id") != Some(latest)) {
        return Err(wrong(format!(
            "latest_repair_id has to be {latest}: the run was repaired before"
        )));
    }
    let mut wanted: BTreeSet<String> = fields::list(&body, "/rerun_tasks")?.into_iter().collect();
    if body["rerun_all_failed_tasks"] == json!(true) {
        let bad = job
            .tasks
            .iter()
            .filter(|task| task.phase != Phase::Succeeded);
        wanted.extend(bad.map(|task| task.key.clone()));
    }
    if let Some(unknown) = wanted
        .iter()
        .find(|key| !job.tasks.iter().any(|task| task.key == **key))
    {
        return Err(wrong(format!(
            "rerun_tasks names {unknown:?}, which is no task of run {id}"
        )));
    }
    if wanted.is_empty() {
        return Err(wrong(
            "nothing to repair: name rerun_tasks, or set rerun_all_failed_tasks",
        ));
    }
    let repair = state.jobs.number(0);
    let now = super::millis(state.now());
    state.jobs.edit(&key(job.number), |job| {
        let mut all = job.body["repairs"].as_array().cloned().unwrap_or_default();
        all.push(json!({ "id": repair, "type": "REPAIR", "start_time": now }));
        job.body["repairs"] = json!(all);
    });
    state.jobs.rerun(&key(job.number), &wanted);
    Ok(Reply::json(&json!({ "repair_id": repair }))
        .effect(format!("databricks run {id} repaired: {wanted:?}")))
}

async fn delete(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    let id = number(body.get("run_id"), "run_id")?;
    let (job, _) = find(&state, id)?;
    if job.active() {
        return Err(wrong_state(format!("Run {id} is active; cancel it first")));
    }
    state
        .jobs
        .remove(&key(job.number))
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&json!({})).effect(format!("databricks run {id} deleted")))
}

async fn output(state: Arc<State>, call: Call) -> Answer {
    let (job, at) = find(&state, asked(&call, "run_id")?)?;
    match at {
        Some(at) => Ok(Reply::json(&shown::output(&job, at))),
        None if job.tasks.len() == 1 => Ok(Reply::json(&shown::output(&job, 0))),
        None => Err(wrong(
            "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each individual task run instead.",
        )),
    }
}

async fn export(state: Arc<State>, call: Call) -> Answer {
    let (job, at) = find(&state, asked(&call, "run_id")?)?;
    let views: Vec<Value> = job
        .tasks
        .iter()
        .enumerate()
        .filter(|(number, _)| at.is_none_or(|at| at == *number))
        .map(|(_, task)| {
            let name = format!("{}{}", job.name, task.key);
            json!({ "type": "NOTEBOOK", "name": name, "content": "<!doctype html><title>run</title>" })
        })
        .collect();
    Ok(Reply::json(&json!({ "views": views })))
}
