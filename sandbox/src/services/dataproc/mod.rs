//! Dataproc v1: clusters, jobs on them, and batches without a cluster.
//!
//! A `requestId` that was seen gives what it gave the first time; a `jobId` or `batchId` is taken until it is deleted.

mod batches;
mod clusters;
pub(crate) mod driver;
mod jobs;
mod operations;

use axum::http::{Method as Verb, StatusCode};
use serde_json::Value;

use crate::call::Refusal;
use crate::jobs::{Work, arguments, stem};
use crate::route::Method;
use crate::services::{Service, fields};

pub(super) fn methods() -> Vec<Method> {
    let mut all = vec![
        Method::new(
            Service::Dataproc,
            "dataproc.projects.regions.operations.get",
            Verb::GET,
            "/v1/projects/{project}/regions/{region}/operations/{operation}",
            operations::get,
        ),
        Method::new(
            Service::Dataproc,
            "dataproc.projects.regions.operations.cancel",
            Verb::POST,
            "/v1/projects/{project}/regions/{region}/operations/{operation}:cancel",
            operations::cancel,
        ),
    ];
    all.extend(clusters::methods());
    all.extend(jobs::methods());
    all.extend(batches::methods());
    all
}

fn exists(message: String) -> Refusal {
    Refusal::new(StatusCode::CONFLICT, "ALREADY_EXISTS", message)
}

fn precondition(message: String) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "FAILED_PRECONDITION", message)
}

/// Checks a `requestId`; empty is none.
fn request_id(id: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(id) = id.filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !fields::named(id, 1, 40, fits) {
        return Err(Refusal::invalid(
            "requestId has to have at most 40 letters, digits, underscores and hyphens",
        ));
    }
    Ok(Some(id.to_owned()))
}

/// Work of a Spark job or batch at `pointer`, by the file or class that it names.
fn spark(
    body: &Value,
    pointer: &str,
    names: &[&str],
) -> Result<(Work, std::collections::BTreeMap<String, String>), Refusal> {
    let main = names
        .iter()
        .find_map(|name| fields::text(body, &format!("{pointer}/{name}")));
    let Some(main) = main else {
        return Err(Refusal::invalid(format!(
            "{} needs one of {}",
            pointer.trim_start_matches('/'),
            names.join(", ")
        )));
    };
    let words = fields::list(body, &format!("{pointer}/args"))?;
    Ok((Work::Program(stem(main).to_owned()), arguments(&words)))
}
