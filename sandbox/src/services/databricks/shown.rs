//! Runs as Databricks writes them.

use serde_json::{Value, json};

use super::millis;
use crate::jobs::{Job, Phase, Task};
use crate::services::fields;

/// `life_cycle_state` and `result_state` of the older form, `state` of the newer.
fn words(phase: Phase) -> (&'static str, Option<&'static str>, &'static str) {
    match phase {
        Phase::Queued => ("PENDING", None, "PENDING"),
        Phase::Pending => ("PENDING", None, "PENDING"),
        Phase::Running | Phase::Draining => ("RUNNING", None, "RUNNING"),
        Phase::Stopping => ("TERMINATING", Some("CANCELED"), "TERMINATING"),
        Phase::Succeeded | Phase::Drained => ("TERMINATED", Some("SUCCESS"), "TERMINATED"),
        Phase::Failed => ("TERMINATED", Some("FAILED"), "TERMINATED"),
        Phase::Cancelled | Phase::Replaced => ("TERMINATED", Some("CANCELED"), "TERMINATED"),
        Phase::Skipped => (
            "SKIPPED",
            Some("MAXIMUM_CONCURRENT_RUNS_REACHED"),
            "TERMINATED",
        ),
    }
}

fn states(shown: &mut Value, phase: Phase, message: Option<&str>, upstream: bool) {
    let (mut life, mut result, state) = words(phase);
    if upstream && phase == Phase::Skipped {
        (life, result) = ("TERMINATED", Some("UPSTREAM_FAILED"));
    }
    let mut old = json!({
        "life_cycle_state": life, "state_message": message.unwrap_or_default(),
        "user_cancelled_or_timedout": phase == Phase::Cancelled || phase == Phase::Stopping,
    });
    let mut new = json!({ "state": state });
    if let Some(result) = result {
        old["result_state"] = json!(result);
        let (code, kind) = match phase {
            Phase::Succeeded | Phase::Drained => ("SUCCESS", "SUCCESS"),
            Phase::Failed => ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
            Phase::Skipped if upstream => ("UPSTREAM_FAILED", "CLIENT_ERROR"),
            Phase::Skipped => ("MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR"),
            _ => ("USER_CANCELED", "SUCCESS"),
        };
        new["termination_details"] =
            json!({ "code": code, "type": kind, "message": message.unwrap_or_default() });
    }
    shown["state"] = old;
    shown["status"] = new;
}

/// The number of the run that task `at` of a job is.
pub(super) fn task_run(job: &Job, at: usize) -> u64 {
    job.number + 1 + at as u64
}

fn task(job: &Job, at: usize, task: &Task) -> Value {
    let mut shown = job.body["settings"]["tasks"][at].clone();
    shown["run_id"] = json!(task_run(job, at));
    shown["start_time"] = json!(task.started.map_or(0, millis));
    shown["end_time"] = json!(task.ended.map_or(0, millis));
    shown["attempt_number"] = json!(0);
    shown["setup_duration"] = json!(0);
    shown["cleanup_duration"] = json!(0);
    let took = match (task.started, task.ended) {
        (Some(from), Some(to)) => (to - from).num_milliseconds(),
        _ => 0,
    };
    shown["execution_duration"] = json!(took);
    let waits = task.phase == Phase::Queued && !task.needs.is_empty() && job.active();
    states(&mut shown, task.phase, task.message.as_deref(), true);
    if waits {
        shown["state"]["life_cycle_state"] = json!("BLOCKED");
        shown["status"]["state"] = json!("BLOCKED");
    }
    shown
}

/// A run, with its tasks if they are asked for.
pub(super) fn run(job: &Job, tasks: bool) -> Value {
    let body = &job.body;
    let mut shown = json!({
        "run_id": job.number,
        "job_id": body["job_id"],
        "number_in_job": job.number,
        "original_attempt_run_id": job.number,
        "run_name": job.name,
        "run_type": body["run_type"],
        "trigger": "ONE_TIME",
        "format": "MULTI_TASK",
        "creator_user_name": "sandbox@example.com",
        "start_time": millis(job.created),
        "end_time": job.ended.map_or(0, millis),
        "setup_duration": 0,
        "execution_duration": 0,
        "cleanup_duration": 0,
        "run_duration": job.ended.map_or(0, |ended| (ended - job.created).num_milliseconds()),
        "run_page_url": format!("{}/#job/{}/run/{}", body["public"].as_str().unwrap_or_default(), body["job_id"], job.number),
        "job_parameters": body["job_parameters"],
        "overriding_parameters": body["overriding"],
        "repair_history": body["repairs"],
    });
    states(&mut shown, job.phase, job.message.as_deref(), false);
    if tasks {
        let all = job.tasks.iter().enumerate();
        shown["tasks"] = all.map(|(at, one)| task(job, at, one)).collect();
    }
    fields::without_nulls(shown)
}

/// One task of a run as a run of its own.
pub(super) fn of_task(job: &Job, at: usize) -> Value {
    let mut shown = run(job, false);
    let own = task(job, at, &job.tasks[at]);
    for name in [
        "run_id",
        "start_time",
        "end_time",
        "state",
        "status",
        "task_key",
        "execution_duration",
    ] {
        shown[name] = own[name].clone();
    }
    shown["tasks"] = json!([own]);
    shown
}

/// What a task gave and said.
pub(super) fn output(job: &Job, at: usize) -> Value {
    let own = &job.tasks[at];
    let lines: Vec<&str> = job.log.iter().map(|line| line.text.as_str()).collect();
    let result = match &own.result {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    fields::without_nulls(json!({
        "metadata": of_task(job, at),
        "notebook_output": { "result": result, "truncated": false },
        "logs": lines.join("\n"),
        "logs_truncated": false,
        "error": own.message,
        "error_trace": own.message,
    }))
}
