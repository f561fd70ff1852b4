//! Errors in the formats of the services.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::call::{Refusal, Reply};

/// Cloud Storage, `BigQuery`, Cloud SQL: `error.errors[]`, which their clients read.
pub(super) fn google_old(refusal: &Refusal) -> Reply {
    let mut one =
        json!({ "domain": "global", "reason": refusal.reason, "message": refusal.message });
    if let (Some(location), Value::Object(one)) = (&refusal.location, &mut one) {
        one.insert("location".into(), json!(location));
        one.insert("locationType".into(), json!("parameter"));
    }
    let body = json!({ "error": {
        "code": refusal.status.as_u16(), "message": refusal.message, "errors": [one], "status": status(refusal.status),
    } });
    Reply::json(&body).status(refusal.status)
}

/// The newer services of Google: `error.status` is a word of gRPC.
pub(super) fn google(refusal: &Refusal) -> Reply {
    let word = if refusal
        .reason
        .chars()
        .all(|c| c.is_ascii_uppercase() || c == '_')
        && !refusal.reason.is_empty()
    {
        refusal.reason.as_str()
    } else {
        status(refusal.status)
    };
    let body = json!({ "error": { "code": refusal.status.as_u16(), "message": refusal.message, "status": word } });
    Reply::json(&body).status(refusal.status)
}

/// `error_code` and `message`.
pub(super) fn databricks(refusal: &Refusal) -> Reply {
    let code = match (refusal.reason.as_str(), refusal.status) {
        ("invalid", _) => "INVALID_PARAMETER_VALUE",
        ("notFound", _) => "RESOURCE_DOES_NOT_EXIST",
        ("notImplemented", _) => "FEATURE_DISABLED",
        (_, StatusCode::TOO_MANY_REQUESTS) => "REQUEST_LIMIT_EXCEEDED",
        (_, StatusCode::SERVICE_UNAVAILABLE) => "TEMPORARILY_UNAVAILABLE",
        (_, StatusCode::INTERNAL_SERVER_ERROR) => "INTERNAL_ERROR",
        (_, StatusCode::UNAUTHORIZED) => "UNAUTHENTICATED",
        (_, StatusCode::FORBIDDEN) => "PERMISSION_DENIED",
        (reason, _) => reason,
    };
    Reply::json(&json!({ "error_code": code, "message": refusal.message })).status(refusal.status)
}

/// `status` with a message for people.
pub(super) fn dbt_cloud(refusal: &Refusal) -> Reply {
    let body = json!({
        "status": { "code": refusal.status.as_u16(), "is_success": false, "user_message": refusal.message, "developer_message": "" },
        "data": null,
    });
    Reply::json(&body).status(refusal.status)
}

/// A problem of RFC 7807, as Airbyte's public API writes them.
pub(super) fn airbyte(refusal: &Refusal) -> Reply {
    let title = match refusal.reason.as_str() {
        "invalid" => "bad-request",
        "notFound" => "resource-not-found",
        other => other,
    };
    let body = json!({
        "type": format!("https://reference.airbyte.com/reference/errors#{title}"), "title": title,
        "status": refusal.status.as_u16(), "detail": refusal.message,
    });
    Reply::json(&body).status(refusal.status)
}

fn status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 | 405 | 413 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ALREADY_EXISTS",
        412 => "FAILED_PRECONDITION",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    }
}
