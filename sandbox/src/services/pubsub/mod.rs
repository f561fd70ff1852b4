//! Pub/Sub over REST: topics, subscriptions that are pulled, deadlines, ordering and dead letters.
//!
//! A publish that is repeated makes new messages, as on the service: its messages have no key of the sender.

mod inside;
mod queue;
mod seen;
mod subscriptions;
mod topics;

use axum::http::StatusCode;
use serde_json::Value;

use crate::call::Refusal;
use crate::route::Method;
use crate::services::fields;

pub(crate) use inside::Taken;
pub(crate) use queue::Pubsub;
pub(crate) use seen::{MessageSeen, SubscriptionSeen};

pub(super) fn methods() -> Vec<Method> {
    let mut all = topics::methods();
    all.extend(subscriptions::methods());
    all
}

/// Checks the last part of the name of a topic or a subscription.
fn check_name(name: &str) -> Result<(), Refusal> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.~+%".contains(c);
    if fields::named(name, 3, 255, fits)
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !name.starts_with("goog")
    {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "Invalid resource name given (name={name}): 3 to 255 letters, digits and -_.~+%, a letter first, not goog"
    )))
}

/// Seconds of `10s`.
fn seconds(value: &Value, pointer: &str) -> Result<Option<i64>, Refusal> {
    let Some(text) = fields::text(value, pointer) else {
        return Ok(None);
    };
    let parsed = text
        .strip_suffix('s')
        .and_then(|text| text.parse::<f64>().ok());
    match parsed {
        Some(seconds) if (0.0..=2_678_400.0).contains(&seconds) => Ok(Some(seconds as i64)),
        _ => Err(Refusal::invalid(format!(
            "{pointer}: {text:?} is no duration such as 600s, of at most 31 days"
        ))),
    }
}

/// Fails for what the sandbox would have to leave out.
fn refuse(value: &Value, names: &[&str]) -> Result<(), Refusal> {
    for name in names {
        let given = value.get(name).filter(|given| !given.is_null());
        if given.is_some_and(|given| given.as_object().is_none_or(|map| !map.is_empty())) {
            return Err(Refusal::unsupported(name));
        }
    }
    Ok(())
}

fn missing(name: &str) -> Refusal {
    Refusal::not_found(format!("Resource not found (resource={name})."))
}

fn exists(name: &str) -> Refusal {
    Refusal::new(
        StatusCode::CONFLICT,
        "ALREADY_EXISTS",
        format!("Resource already exists in the project (resource={name})."),
    )
}
