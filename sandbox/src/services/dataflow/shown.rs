//! Jobs, messages and metrics as Dataflow writes them.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::ends_in;
use crate::jobs::{Job, Phase};
use crate::services::fields;

/// A phase in Dataflow's words; only jobs of flex templates are queued.
pub(super) fn state(job: &Job, phase: Phase) -> &'static str {
    match phase {
        Phase::Queued if job.body["flex"] == json!(true) => "JOB_STATE_QUEUED",
        Phase::Queued | Phase::Pending => "JOB_STATE_PENDING",
        Phase::Running => "JOB_STATE_RUNNING",
        Phase::Stopping => "JOB_STATE_CANCELLING",
        Phase::Draining => "JOB_STATE_DRAINING",
        Phase::Succeeded => "JOB_STATE_DONE",
        Phase::Failed => "JOB_STATE_FAILED",
        Phase::Cancelled | Phase::Skipped => "JOB_STATE_CANCELLED",
        Phase::Drained => "JOB_STATE_DRAINED",
        Phase::Replaced => "JOB_STATE_UPDATED",
    }
}

pub(super) fn job(job: &Job) -> Value {
    let body = &job.body;
    let requested = match &body["requestedState"] {
        Value::Null => ends_in(job).map_or(Value::Null, |word| json!(word)),
        word => word.clone(),
    };
    let parameters: Vec<Value> = job
        .tasks
        .iter()
        .flat_map(|task| &task.parameters)
        .map(|(name, value)| json!({ "namespace": "template", "key": name, "strValue": value }))
        .collect();
    fields::without_nulls(json!({
        "id": job.id,
        "projectId": body["project"],
        "location": body["location"],
        "name": job.name,
        "type": if job.streaming { "JOB_TYPE_STREAMING" } else { "JOB_TYPE_BATCH" },
        "currentState": state(job, job.phase),
        "currentStateTime": fields::time(job.since()),
        "createTime": fields::time(job.created),
        "startTime": fields::time(job.started.unwrap_or(job.created)),
        "requestedState": requested,
        "labels": body["labels"],
        "transformNameMapping": body["mapping"],
        "replaceJobId": body["replaces"],
        "replacedByJobId": body["replacedBy"],
        "environment": { "version": { "major": "1", "job_type": "sandbox" } },
        "pipelineDescription": { "displayData": parameters },
    }))
}

/// What happened to a job and what its program said, oldest first.
pub(super) fn messages(job: &Job) -> Vec<Value> {
    let mut all: Vec<(DateTime<Utc>, String, &str)> = job
        .history
        .iter()
        .filter(|(phase, _)| !matches!(phase, Phase::Failed))
        .map(|(phase, at)| {
            let text = format!("Job {} is in state {}.", job.name, state(job, *phase));
            (*at, text, "JOB_MESSAGE_BASIC")
        })
        .collect();
    for line in &job.log {
        let importance = if line.error {
            "JOB_MESSAGE_ERROR"
        } else {
            "JOB_MESSAGE_DETAILED"
        };
        all.push((line.at, line.text.clone(), importance));
    }
    all.sort_by_key(|(at, ..)| *at);
    all.into_iter()
        .enumerate()
        .map(|(number, (at, text, importance))| {
            json!({
                "id": format!("{}-{number:06}", job.id), "time": fields::time(at),
                "messageText": text, "messageImportance": importance,
            })
        })
        .collect()
}

/// Progress, what a streaming job has moved, and every number of the program's result by its name.
pub(super) fn metrics(
    job: &Job,
    moved: Option<Vec<(&'static str, Value)>>,
    now: DateTime<Utc>,
) -> Value {
    let one = |name: &str, value: Value| {
        json!({
            "name": { "origin": "user", "name": name, "context": {} },
            "scalar": value, "updateTime": fields::time(now), "cumulative": true, "kind": "Sum",
        })
    };
    let mut all = vec![one("Progress", json!(job.progress))];
    let streams = moved.is_some();
    for (name, value) in moved.into_iter().flatten() {
        let mut metric = one(name, value);
        metric["name"]["origin"] = json!("dataflow/v1b3");
        all.push(metric);
    }
    if let (Value::Object(result), false) = (job.result(), streams) {
        for (name, value) in result.iter().filter(|(_, value)| value.is_number()) {
            all.push(one(name, value.clone()));
        }
    }
    json!({ "metricTime": fields::time(now), "metrics": all })
}
