//! Clusters: a record with the operation that made it what it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::Method as Verb;
use serde_json::{Value, json};

use super::{exists, operations, precondition, request_id};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::jobs::{Job, NewJob, Phase, Task, Work};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

pub(super) fn methods() -> Vec<Method> {
    let all = "/v1/projects/{project}/regions/{region}/clusters";
    let one = "/v1/projects/{project}/regions/{region}/clusters/{cluster}";
    let service = Service::Dataproc;
    vec![
        Method::new(
            service,
            "dataproc.projects.regions.clusters.create",
            Verb::POST,
            all,
            create,
        ),
        Method::new(
            service,
            "dataproc.projects.regions.clusters.list",
            Verb::GET,
            all,
            list,
        ),
        Method::new(
            service,
            "dataproc.projects.regions.clusters.get",
            Verb::GET,
            one,
            get,
        ),
        Method::new(
            service,
            "dataproc.projects.regions.clusters.delete",
            Verb::DELETE,
            one,
            delete,
        ),
        Method::new(
            service,
            "dataproc.projects.regions.clusters.start",
            Verb::POST,
            "/v1/projects/{project}/regions/{region}/clusters/{cluster}:start",
            start,
        ),
        Method::new(
            service,
            "dataproc.projects.regions.clusters.stop",
            Verb::POST,
            "/v1/projects/{project}/regions/{region}/clusters/{cluster}:stop",
            stop,
        ),
    ]
}

fn place(call: &Call) -> String {
    format!(
        "projects/{}/regions/{}",
        call.part("project"),
        call.part("region")
    )
}

fn record(call: &Call, cluster: &str) -> String {
    format!("dataproc/{}/clusters/{cluster}", place(call))
}

pub(super) fn operation_key(call: &Call, operation: &str) -> String {
    format!("dataproc/{}/operations/{operation}", place(call))
}

/// The state of a cluster, from the operation that was the last; none: it is gone.
fn status(state: &State, cluster: &Value) -> Option<(&'static str, String)> {
    let key = fields::text(cluster, "/operation").unwrap_or_default();
    let kind = fields::text(cluster, "/kind").unwrap_or_default();
    let job = state.jobs.get(key);
    let since = job.as_ref().map_or_else(|| state.now(), |job| job.since());
    let word = match (job.map(|job| job.phase), kind) {
        (Some(Phase::Succeeded) | None, "DELETE") => return None,
        (Some(Phase::Succeeded) | None, "STOP") => "STOPPED",
        (Some(Phase::Succeeded) | None, _) => "RUNNING",
        (Some(phase), _) if phase.ended() => "ERROR",
        (_, "CREATE") => "CREATING",
        (_, "DELETE") => "DELETING",
        (_, "STOP") => "STOPPING",
        _ => "STARTING",
    };
    Some((word, fields::time(since)))
}

/// A cluster that is there, as it is answered.
fn shown(state: &State, cluster: &Value) -> Option<Value> {
    let (word, since) = status(state, cluster)?;
    let mut shown = cluster["cluster"].clone();
    shown["status"] = json!({ "state": word, "stateStartTime": since });
    Some(shown)
}

/// The state of the cluster that a job is for, with its own name for itself.
pub(super) fn for_job(state: &State, call: &Call, name: &str) -> Result<String, Refusal> {
    let cluster = state.records.get(&record(call, name));
    let found = cluster
        .as_deref()
        .and_then(|cluster| Some((status(state, cluster)?.0, cluster)));
    match found {
        None => Err(missing(call, name)),
        Some(("RUNNING", cluster)) => Ok(fields::text(cluster, "/cluster/clusterUuid")
            .unwrap_or_default()
            .to_owned()),
        Some((word, _)) => Err(precondition(format!(
            "Cluster {name} is not in state RUNNING but {word}; it cannot take jobs"
        ))),
    }
}

fn missing(call: &Call, name: &str) -> Refusal {
    Refusal::not_found(format!(
        "Not found: Cluster {}/clusters/{name}",
        place(call)
    ))
}

/// Begins an operation on a cluster; the same request again gives the first.
fn begin(state: &State, call: &Call, kind: &str, cluster: Value) -> Result<Reply, Refusal> {
    let name = fields::need(&cluster, "/clusterName")?.to_owned();
    let number = state.jobs.number(0);
    let id = fields::uuid(number);
    let key = operation_key(call, &id);
    let method = call.method;
    let job = state
        .jobs
        .start(NewJob {
            key: key.clone(),
            number,
            id: id.clone(),
            name: name.clone(),
            tasks: vec![Task::new(Work::Nothing, BTreeMap::new())],
            body: json!({
                "name": format!("{}/operations/{id}", place(call)), "kind": kind, "cluster": cluster,
                "requestId": call.query("requestId"),
            }),
            streaming: false,
            fault: state.faults.of_job(Service::Dataproc, method),
        })
        .map_err(|error| Refusal::internal(&error))?;
    let value = json!({ "cluster": cluster, "operation": key, "kind": kind });
    state
        .records
        .put(&record(call, &name), value)
        .map_err(|error| Refusal::internal(&error))?;
    let effect = format!("cluster {}/clusters/{name}: {kind}", place(call));
    Ok(Reply::json(&operation(&job)).effect(effect))
}

/// The operation that the same request began before.
fn begun(state: &State, call: &Call, id: Option<&str>) -> Option<Arc<Job>> {
    let id = id?;
    let prefix = operation_key(call, "");
    state
        .jobs
        .under(&prefix)
        .into_iter()
        .find(|job| fields::text(&job.body, "/requestId") == Some(id))
}

pub(super) fn operation(job: &Job) -> Value {
    let kind = fields::text(&job.body, "/kind").unwrap_or_default();
    let state = match job.phase {
        Phase::Queued | Phase::Pending => "PENDING",
        phase if phase.ended() => "DONE",
        _ => "RUNNING",
    };
    let metadata = json!({
        "@type": "type.googleapis.com/google.cloud.dataproc.v1.ClusterOperationMetadata",
        "clusterName": job.name,
        "clusterUuid": job.body["cluster"]["clusterUuid"],
        "operationType": kind,
        "status": { "state": state, "stateStartTime": fields::time(job.since()) },
    });
    let name = fields::text(&job.body, "/name").unwrap_or_default();
    operations::shown(name, metadata, job, || {
        if kind == "DELETE" {
            return json!({ "@type": "type.googleapis.com/google.protobuf.Empty" });
        }
        let mut cluster = job.body["cluster"].clone();
        cluster["@type"] = json!("type.googleapis.com/google.cloud.dataproc.v1.Cluster");
        cluster["status"] = json!({
            "state": if kind == "STOP" { "STOPPED" } else { "RUNNING" },
            "stateStartTime": fields::time(job.since()),
        });
        cluster
    })
}

async fn create(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::object(&body)?;
    let known = [
        "projectId",
        "clusterName",
        "config",
        "virtualClusterConfig",
        "labels",
    ];
    fields::only(&body, "", &known)?;
    let request = request_id(call.query("requestId"))?;
    let name = fields::need(&body, "/clusterName")?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !fields::named(name, 2, 51, fits) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(Refusal::invalid(format!(
            "Invalid cluster name {name:?}: lower case letters, digits and hyphens, a letter first, at most 51"
        )));
    }
    let _alone = state.jobs.alone();
    if let Some(job) = begun(&state, &call, request.as_deref()) {
        return Ok(Reply::json(&operation(&job)));
    }
    let old = state.records.get(&record(&call, name));
    if old.is_some_and(|old| status(&state, &old).is_some()) {
        return Err(exists(format!(
            "Already exists: Failed to create cluster: Cluster {}/clusters/{name}",
            place(&call)
        )));
    }
    let cluster = json!({
        "projectId": call.part("project"), "clusterName": name,
        "clusterUuid": fields::uuid(state.jobs.number(0)),
        "config": body.get("config").cloned().unwrap_or_else(|| json!({})),
        "labels": fields::strings(&body, "/labels")?,
    });
    begin(&state, &call, "CREATE", cluster)
}

async fn list(state: Arc<State>, call: Call) -> Answer {
    if call
        .query("filter")
        .is_some_and(|filter| !filter.is_empty())
    {
        return Err(Refusal::unsupported("filter of clusters.list"));
    }
    let all = state
        .records
        .under(&record(&call, ""))
        .iter()
        .filter_map(|(_, cluster)| shown(&state, cluster))
        .collect();
    let (clusters, next) = fields::page(&call, "pageSize", "pageToken", all)?;
    let body = json!({ "clusters": clusters, "nextPageToken": next });
    Ok(Reply::json(&fields::without_nulls(body)))
}

async fn get(state: Arc<State>, call: Call) -> Answer {
    let name = call.part("cluster");
    state
        .records
        .get(&record(&call, name))
        .and_then(|cluster| shown(&state, &cluster))
        .map(|cluster| Reply::json(&cluster))
        .ok_or_else(|| missing(&call, name))
}

async fn delete(state: Arc<State>, call: Call) -> Answer {
    change(
        &state,
        &call,
        "DELETE",
        &["CREATING", "RUNNING", "STOPPED", "ERROR"],
    )
}

async fn start(state: Arc<State>, call: Call) -> Answer {
    change(&state, &call, "START", &["STOPPED"])
}

async fn stop(state: Arc<State>, call: Call) -> Answer {
    change(&state, &call, "STOP", &["RUNNING"])
}

fn change(state: &State, call: &Call, kind: &str, from: &[&str]) -> Answer {
    let name = call.part("cluster");
    let request = request_id(call.query("requestId"))?;
    let _alone = state.jobs.alone();
    if let Some(job) = begun(state, call, request.as_deref()) {
        return Ok(Reply::json(&operation(&job)));
    }
    let cluster = state
        .records
        .get(&record(call, name))
        .ok_or_else(|| missing(call, name))?;
    let (word, _) = status(state, &cluster).ok_or_else(|| missing(call, name))?;
    if !from.contains(&word) {
        return Err(precondition(format!(
            "Cluster {name} is {word}; for this it has to be {}",
            from.join(" or ")
        )));
    }
    begin(state, call, kind, cluster["cluster"].clone())
}
