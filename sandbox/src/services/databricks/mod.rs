//! Databricks: jobs and runs (2.1 and 2.2), pipelines, SQL statements, and as much of a workspace as its client asks for.
//!
//! An `idempotency_token` gives the run that it began, whether that has ended or not; when that run was deleted it is an
//! error. A pipeline has no such token: a second update while one is active is a conflict.

mod definitions;
mod pipelines;
mod runs;
mod shown;
mod statements;
mod tasks;
mod workspace;

use axum::http::StatusCode;

use crate::call::{Call, Refusal};
use crate::route::Method;

pub(super) fn methods() -> Vec<Method> {
    let mut all = definitions::methods();
    all.extend(runs::methods());
    all.extend(pipelines::methods());
    all.extend(statements::methods());
    all.extend(workspace::methods());
    all
}

fn wrong(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE", message)
}

fn wrong_state(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "INVALID_STATE", message)
}

/// What does not exist; for jobs and runs Databricks says so with 400.
fn no_such(what: &str, id: impl std::fmt::Display) -> Refusal {
    let message = format!("{what} {id} does not exist.");
    Refusal::new(StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE", message)
}

/// A number that has to be there, in the body or behind the question mark.
fn number(value: Option<&serde_json::Value>, name: &str) -> Result<u64, Refusal> {
    match value {
        Some(serde_json::Value::Number(number)) => number.as_u64(),
        Some(serde_json::Value::String(text)) => text.parse().ok(),
        _ => None,
    }
    .ok_or_else(|| wrong(format!("{name} is required and has to be a number")))
}

fn asked(call: &Call, name: &str) -> Result<u64, Refusal> {
    call.parsed(name)?
        .ok_or_else(|| wrong(format!("{name} is required")))
}

fn millis(at: chrono::DateTime<chrono::Utc>) -> i64 {
    at.timestamp_millis()
}
