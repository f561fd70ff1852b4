//! The sandbox's own methods: faults and the journal.

use std::sync::Arc;

use axum::http::Method as Verb;
use serde_json::json;

use crate::call::{Answer, Call, Refusal, Reply};
use crate::faults::Fault;
use crate::route::Method;
use crate::services::Service;
use crate::state::State;

pub(crate) fn methods() -> Vec<Method> {
    vec![
        Method::new(
            Service::Sandbox,
            "sandbox.health",
            Verb::GET,
            "/healthz",
            health,
        ),
        Method::new(
            Service::Sandbox,
            "sandbox.faults.list",
            Verb::GET,
            "/sandbox/faults",
            list,
        ),
        Method::new(
            Service::Sandbox,
            "sandbox.faults.add",
            Verb::POST,
            "/sandbox/faults",
            add,
        ),
        Method::new(
            Service::Sandbox,
            "sandbox.faults.clear",
            Verb::DELETE,
            "/sandbox/faults",
            clear,
        ),
        Method::new(
            Service::Sandbox,
            "sandbox.faults.remove",
            Verb::DELETE,
            "/sandbox/faults/{id}",
            clear,
        ),
        Method::new(
            Service::Sandbox,
            "sandbox.journal",
            Verb::GET,
            "/sandbox/journal",
            journal,
        ),
    ]
}

async fn health(_: Arc<State>, _: Call) -> Answer {
    Ok(Reply::json(&json!({ "status": "ok" })))
}

async fn list(state: Arc<State>, _: Call) -> Answer {
    Ok(Reply::json(&json!({ "faults": state.faults.all() })))
}

async fn add(state: Arc<State>, mut call: Call) -> Answer {
    let fault: Fault = call.json().await?;
    let id = state.faults.add(fault);
    Ok(Reply::json(&json!({ "id": id })))
}

async fn clear(state: Arc<State>, call: Call) -> Answer {
    let id = match call.part("id") {
        "" => None,
        id => Some(
            id.parse()
                .map_err(|_| Refusal::invalid(format!("a fault has a number, not {id:?}")))?,
        ),
    };
    let gone = state.faults.clear(id);
    if id.is_some() && gone == 0 {
        return Err(Refusal::not_found(
            "there is no such fault; it may have been used up",
        ));
    }
    Ok(Reply::json(&json!({ "removed": gone })))
}

/// Lines of one answer, if nothing else is said, and at most.
const LINES: usize = 10_000;
const MOST: usize = 100_000;

/// `?after=number&limit=100&service=storage&method=storage.objects.insert&effects=true`
async fn journal(state: Arc<State>, call: Call) -> Answer {
    let after = call.parsed("after")?.unwrap_or(0);
    let effects = call.parsed("effects")?.unwrap_or(false);
    let service: Option<Service> = call
        .query("service")
        .map(|name| serde_json::from_value(json!(name)))
        .transpose()
        .map_err(|error| Refusal::invalid(error.to_string()))?;
    let limit = call.parsed("limit")?.unwrap_or(LINES).clamp(1, MOST);
    let method = call.query("method").map(str::to_owned);
    let journal = Arc::clone(&state.journal);
    let found = tokio::task::spawn_blocking(move || {
        journal.page(after, limit, |entry| {
            service.is_none_or(|service| entry.service == service)
                && method.as_ref().is_none_or(|method| entry.method == *method)
                && (!effects || !entry.effects.is_empty())
        })
    })
    .await
    .map_err(|error| Refusal::internal(&error))?;
    let (lines, next) = found.map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&json!({ "entries": lines, "next": next })))
}
