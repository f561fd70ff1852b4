//! Cloud SQL admin: exports and imports as operations, one at a time on an instance.
//!
//! The program is named by the file: `gs://raw/orders.csv.gz` is `orders`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{Method as Verb, StatusCode};
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal, Reply};
use crate::jobs::{Job, NewJob, Phase, Task, Work, stem};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

macro_rules! both {
    ($all:ident, $id:literal, $verb:ident, $path:literal, $handler:expr) => {
        for path in [concat!("/v1", $path), concat!("/sql/v1beta4", $path)] {
            $all.push(Method::new(
                Service::CloudSql,
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
    both!(
        all,
        "sql.instances.export",
        POST,
        "/projects/{project}/instances/{instance}/export",
        export
    );
    both!(
        all,
        "sql.instances.import",
        POST,
        "/projects/{project}/instances/{instance}/import",
        import
    );
    both!(
        all,
        "sql.operations.get",
        GET,
        "/projects/{project}/operations/{operation}",
        get
    );
    both!(
        all,
        "sql.operations.list",
        GET,
        "/projects/{project}/operations",
        list
    );
    both!(
        all,
        "sql.operations.cancel",
        POST,
        "/projects/{project}/operations/{operation}/cancel",
        cancel
    );
    all
}

fn key(call: &Call, operation: &str) -> String {
    format!("cloud_sql/{}/{operation}", call.part("project"))
}

fn shown(state: &State, job: &Job) -> Value {
    let status = match job.phase {
        Phase::Queued | Phase::Pending => "PENDING",
        phase if phase.ended() => "DONE",
        _ => "RUNNING",
    };
    let body = &job.body;
    let project = body["project"].as_str().unwrap_or_default();
    let place = format!("{}/v1/projects/{project}", state.public);
    let wrong = match job.phase {
        Phase::Failed => job.message.clone(),
        Phase::Cancelled => Some("The operation was cancelled.".to_owned()),
        _ => None,
    };
    let error = wrong.map(|message| {
        let code = if job.phase == Phase::Cancelled { "CANCELLED" } else { "INTERNAL_ERROR" };
        json!({ "kind": "sql#operationErrors", "errors": [{ "kind": "sql#operationError", "code": code, "message": message }] })
    });
    let mut shown = json!({
        "kind": "sql#operation", "name": job.id, "operationType": body["kind"], "status": status,
        "user": "sandbox@example.com", "targetId": job.name, "targetProject": project,
        "targetLink": format!("{place}/instances/{}", job.name), "selfLink": format!("{place}/operations/{}", job.id),
        "insertTime": fields::time(job.created), "startTime": job.started.map(fields::time),
        "endTime": job.ended.map(fields::time), "error": error,
    });
    let context = if body["kind"] == json!("EXPORT") {
        "exportContext"
    } else {
        "importContext"
    };
    shown[context] = body["context"].clone();
    fields::without_nulls(shown)
}

async fn export(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    begin(&state, &call, "EXPORT", body.pointer("/exportContext"))
}

async fn import(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    begin(&state, &call, "IMPORT", body.pointer("/importContext"))
}

fn begin(state: &State, call: &Call, kind: &str, context: Option<&Value>) -> Answer {
    let context = context
        .filter(|context| context.is_object())
        .ok_or_else(|| Refusal::invalid("exportContext or importContext is required"))?;
    let uri = fields::need(context, "/uri")?;
    if !uri.starts_with("gs://") {
        return Err(Refusal::invalid(format!(
            "uri {uri:?} does not begin with gs://"
        )));
    }
    let mut parameters = BTreeMap::from([
        ("uri".to_owned(), uri.to_owned()),
        ("instance".to_owned(), call.part("instance").to_owned()),
        (
            "databases".to_owned(),
            fields::list(context, "/databases")?.join(","),
        ),
    ]);
    for (name, pointer) in [
        ("query", "/csvExportOptions/selectQuery"),
        ("database", "/database"),
        ("table", "/csvImportOptions/table"),
    ] {
        if let Some(value) = fields::text(context, pointer) {
            parameters.insert(name.to_owned(), value.to_owned());
        }
    }
    let instance = call.part("instance").to_owned();
    let _alone = state.jobs.alone();
    let busy = state.jobs.under(&key(call, ""));
    if busy.iter().any(|job| job.active() && job.name == instance) {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "operationInProgress",
            "Operation failed because another operation was already in progress. Try your request after the current operation is complete.",
        ));
    }
    let number = state.jobs.number(0);
    let id = fields::uuid(number);
    let new = NewJob {
        key: key(call, &id),
        number,
        id: id.clone(),
        name: instance.clone(),
        tasks: vec![Task::new(Work::Program(stem(uri).to_owned()), parameters)],
        body: json!({ "kind": kind, "context": context, "project": call.part("project") }),
        streaming: false,
        fault: state.faults.of_job(Service::CloudSql, call.method),
    };
    let job = state
        .jobs
        .start(new)
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&shown(state, &job)).effect(format!("{kind} of {instance} as {id} started")))
}

fn find(state: &State, call: &Call) -> Result<Arc<Job>, Refusal> {
    let id = call.part("operation");
    let found = state.jobs.get(&key(call, id));
    found.ok_or_else(|| {
        let mut refusal = Refusal::not_found(format!("The operation {id} does not exist."));
        refusal.reason = "operationDoesNotExist".into();
        refusal
    })
}

async fn get(state: Arc<State>, call: Call) -> Answer {
    let found = find(&state, &call)?;
    Ok(Reply::json(&shown(&state, &found)))
}

async fn list(state: Arc<State>, call: Call) -> Answer {
    let mut all = state.jobs.under(&key(&call, ""));
    all.sort_by_key(|job| std::cmp::Reverse(job.number));
    if let Some(instance) = call.query("instance") {
        all.retain(|job| job.name == instance);
    }
    let all: Vec<Value> = all.iter().map(|job| shown(&state, job)).collect();
    let (items, next) = fields::page(&call, "maxResults", "pageToken", all)?;
    let body = json!({ "kind": "sql#operationsList", "items": items, "nextPageToken": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

async fn cancel(state: Arc<State>, call: Call) -> Answer {
    let job = find(&state, &call)?;
    let mut reply = Reply::json(&json!({}));
    if state.jobs.cancel(&key(&call, &job.id)) {
        reply = reply.effect(format!("operation {} asked to stop", job.id));
    }
    Ok(reply)
}
