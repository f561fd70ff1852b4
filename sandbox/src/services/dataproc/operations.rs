//! Long-running operations of clusters and batches.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{batches, clusters};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::jobs::{Job, Phase};
use crate::state::State;

/// An operation, as it is answered.
pub(super) fn shown(
    name: &str,
    metadata: Value,
    job: &Job,
    response: impl FnOnce() -> Value,
) -> Value {
    let mut shown = json!({ "name": name, "metadata": metadata, "done": !job.active() });
    match job.phase {
        Phase::Succeeded => shown["response"] = response(),
        Phase::Cancelled => {
            shown["error"] = json!({ "code": 1, "message": "Operation was cancelled" });
        }
        phase if phase.ended() => {
            let message = job.message.as_deref().unwrap_or("the operation failed");
            shown["error"] = json!({ "code": 13, "message": message });
        }
        _ => {}
    }
    shown
}

pub(super) async fn get(state: Arc<State>, call: Call) -> Answer {
    let operation = call.part("operation");
    let key = clusters::operation_key(&call, operation);
    if let Some(job) = state.jobs.get(&key) {
        return Ok(Reply::json(&clusters::operation(&job)));
    }
    if let Some((_, job)) = batches::of_operation(&state, &call) {
        return Ok(Reply::json(&batches::operation(&job)));
    }
    Err(unknown(&call))
}

/// Stops a batch; what is done to a cluster goes on, as there.
pub(super) async fn cancel(state: Arc<State>, call: Call) -> Answer {
    let key = clusters::operation_key(&call, call.part("operation"));
    if state.jobs.get(&key).is_some() {
        return Ok(Reply::json(&json!({})));
    }
    let Some((key, job)) = batches::of_operation(&state, &call) else {
        return Err(unknown(&call));
    };
    let mut reply = Reply::json(&json!({}));
    if state.jobs.cancel(&key) {
        reply = reply.effect(format!("batch {} asked to stop", job.id));
    }
    Ok(reply)
}

fn unknown(call: &Call) -> Refusal {
    Refusal::not_found(format!("Operation not found: {}", call.part("operation")))
}
