//! What clients ask a workspace beside its jobs: who they are, and clusters.

use std::sync::Arc;

use axum::http::Method as Verb;
use serde_json::{Value, json};

use super::wrong;
use crate::call::{Answer, Call, Refusal, Reply};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

pub(super) fn methods() -> Vec<Method> {
    let service = Service::Databricks;
    let mut all = vec![Method::new(
        service,
        "databricks.scim.me",
        Verb::GET,
        "/api/2.0/preview/scim/v2/Me",
        me,
    )];
    for (list_at, get_at) in [
        ("/api/2.0/clusters/list", "/api/2.0/clusters/get"),
        ("/api/2.1/clusters/list", "/api/2.1/clusters/get"),
    ] {
        all.push(Method::new(
            service,
            "databricks.clusters.list",
            Verb::GET,
            list_at,
            list,
        ));
        all.push(Method::new(
            service,
            "databricks.clusters.get",
            Verb::GET,
            get_at,
            get,
        ));
    }
    all
}

async fn me(_: Arc<State>, _: Call) -> Answer {
    Ok(Reply::json(&json!({
        "id": "1", "userName": "sandbox@example.com", "displayName": "Sandbox", "active": true,
        "emails": [{ "value": "sandbox@example.com", "primary": true, "type": "work" }],
    })))
}

/// One cluster, that is always there.
fn cluster() -> Value {
    json!({
        "cluster_id": "sandbox", "cluster_name": "sandbox", "state": "RUNNING", "state_message": "",
        "spark_version": "sandbox", "node_type_id": "local", "num_workers": 0, "cluster_source": "API",
    })
}

async fn list(_: Arc<State>, _: Call) -> Answer {
    Ok(Reply::json(&json!({ "clusters": [cluster()] })))
}

async fn get(_: Arc<State>, call: Call) -> Answer {
    match call.query("cluster_id") {
        Some("sandbox") => Ok(Reply::json(&fields::without_nulls(cluster()))),
        Some(other) => Err(Refusal::new(
            axum::http::StatusCode::BAD_REQUEST,
            "INVALID_PARAMETER_VALUE",
            format!("Cluster {other} does not exist"),
        )),
        None => Err(wrong("cluster_id is required")),
    }
}
