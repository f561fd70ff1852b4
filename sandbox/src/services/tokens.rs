//! Tokens: what the login servers of Google and Databricks, the metadata server and IAM credentials answer.
//!
//! A token carries the time at which it ends, so it is judged after a restart, too. Tokens that the sandbox did not give
//! are taken as they are: most clients come with a fixed one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{Method as Verb, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::call::{Answer, Call, Refusal, Reply};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

/// What tokens of the sandbox begin with.
const PREFIX: &str = "ya29.sandbox.";
/// Seconds that a token is good for.
const LIFE: i64 = 3_600;
/// A form of a login is short.
const FORM: usize = 64 << 10;

/// The tokens that a fault has ended before their time.
#[derive(Default)]
pub(crate) struct Tokens {
    expired: Mutex<BTreeSet<String>>,
    count: AtomicU64,
}

/// The token that a request brings along, if the sandbox gave it.
fn bearer(call: &Call) -> Option<&str> {
    call.header("authorization")?
        .strip_prefix("Bearer ")
        .filter(|token| token.starts_with(PREFIX))
}

impl Tokens {
    fn issue(&self, now: DateTime<Utc>, life: i64) -> (String, DateTime<Utc>) {
        let ends = now + TimeDelta::seconds(life);
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let nanos = now.timestamp_nanos_opt().unwrap_or(0);
        (
            format!("{PREFIX}{}.{nanos:x}{number:x}", ends.timestamp()),
            ends,
        )
    }

    /// Ends the token of this request; the next request with it is refused, too.
    pub(crate) fn expire(&self, call: &Call) {
        if let Some(token) = bearer(call) {
            self.expired
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(token.to_owned());
        }
    }

    /// Fails for a token that has ended.
    pub(crate) fn check(&self, call: &Call, now: DateTime<Utc>) -> Result<(), Refusal> {
        let Some(token) = bearer(call) else {
            return Ok(());
        };
        let ends = token[PREFIX.len()..].split('.').next();
        let ends = ends.and_then(|ends| ends.parse::<i64>().ok()).unwrap_or(0);
        let expired = self.expired.lock().unwrap_or_else(PoisonError::into_inner);
        if now.timestamp() < ends && !expired.contains(token) {
            return Ok(());
        }
        Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "authError",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
        ))
    }
}

pub(super) fn methods() -> Vec<Method> {
    let service = Service::Tokens;
    vec![
        Method::new(service, "oauth2.token", Verb::POST, "/token", token),
        Method::new(
            service,
            "oauth2.token",
            Verb::POST,
            "/oauth2/v4/token",
            token,
        ),
        Method::new(service, "sts.token", Verb::POST, "/v1/token", exchanged),
        Method::new(
            service,
            "databricks.token",
            Verb::POST,
            "/oidc/v1/token",
            databricks,
        ),
        Method::new(
            service,
            "databricks.wellKnown",
            Verb::GET,
            "/oidc/.well-known/oauth-authorization-server",
            well_known,
        ),
        Method::new(
            service,
            "databricks.config",
            Verb::GET,
            "/.well-known/databricks-config",
            config,
        ),
        Method::new(
            service,
            "metadata.token",
            Verb::GET,
            "/computeMetadata/v1/instance/service-accounts/default/token",
            metadata_token,
        ),
        Method::new(
            service,
            "metadata.email",
            Verb::GET,
            "/computeMetadata/v1/instance/service-accounts/default/email",
            metadata_email,
        ),
        Method::new(
            service,
            "metadata.projectId",
            Verb::GET,
            "/computeMetadata/v1/project/project-id",
            metadata_project,
        ),
        Method::new(
            service,
            "iamcredentials.projects.serviceAccounts.generateAccessToken",
            Verb::POST,
            "/v1/projects/{project}/serviceAccounts/{account}:generateAccessToken",
            generate,
        ),
    ]
}

/// The fields of a form.
async fn form(call: &mut Call) -> Result<Vec<(String, String)>, Refusal> {
    let bytes = call.bytes(FORM).await?;
    Ok(form_urlencoded::parse(&bytes).into_owned().collect())
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = form.iter().find(|(own, _)| own == name);
    found
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}

/// An error as RFC 6749 writes it.
fn oauth(error: &str, description: &str) -> Answer {
    let body = json!({ "error": error, "error_description": description });
    Ok(Reply::json(&body).status(StatusCode::BAD_REQUEST))
}

fn granted(state: &State, scope: Option<&str>) -> Reply {
    let (token, _) = state.tokens.issue(state.now(), LIFE);
    let body = json!({
        "access_token": token, "token_type": "Bearer", "expires_in": LIFE - 1, "scope": scope,
    });
    Reply::json(&fields::without_nulls(body))
}

async fn token(state: Arc<State>, mut call: Call) -> Answer {
    let form = form(&mut call).await?;
    let needs = match field(&form, "grant_type") {
        Some("refresh_token") => "refresh_token",
        Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => "assertion",
        Some(other) => {
            return oauth(
                "unsupported_grant_type",
                &format!("Invalid grant_type: {other}"),
            );
        }
        None => return oauth("invalid_request", "Missing required parameter: grant_type"),
    };
    match field(&form, needs) {
        Some(_) => Ok(granted(&state, field(&form, "scope"))),
        None => oauth(
            "invalid_request",
            &format!("Missing required parameter: {needs}"),
        ),
    }
}

/// The exchange of workload identity federation (RFC 8693).
async fn exchanged(state: Arc<State>, mut call: Call) -> Answer {
    let form = form(&mut call).await?;
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    if field(&form, "grant_type") != Some(exchange) {
        return oauth("unsupported_grant_type", "Invalid grant_type");
    }
    for needs in ["audience", "subject_token", "subject_token_type"] {
        if field(&form, needs).is_none() {
            return oauth(
                "invalid_request",
                &format!("Missing required parameter: {needs}"),
            );
        }
    }
    Ok(granted(&state, field(&form, "scope")))
}

async fn databricks(state: Arc<State>, mut call: Call) -> Answer {
    let form = form(&mut call).await?;
    match field(&form, "grant_type") {
        Some("client_credentials") => {}
        Some(other) => {
            return oauth(
                "unsupported_grant_type",
                &format!("grant_type {other} is not supported"),
            );
        }
        None => return oauth("invalid_request", "grant_type is required"),
    }
    let basic = call
        .header("authorization")
        .is_some_and(|value| value.starts_with("Basic "));
    if !basic && field(&form, "client_id").is_none() {
        return oauth("invalid_client", "Client authentication failed");
    }
    Ok(granted(&state, Some("all-apis")))
}

async fn well_known(state: Arc<State>, _: Call) -> Answer {
    let base = &state.public;
    Ok(Reply::json(&json!({
        "issuer": format!("{base}/oidc"),
        "authorization_endpoint": format!("{base}/oidc/v1/authorize"),
        "token_endpoint": format!("{base}/oidc/v1/token"),
        "grant_types_supported": ["client_credentials"],
    })))
}

/// Where the clients of Databricks look first: without it they know no login server.
async fn config(state: Arc<State>, _: Call) -> Answer {
    Ok(Reply::json(&json!({
        "oidc_endpoint": format!("{}/oidc", state.public), "workspace_id": "1",
    })))
}

/// The metadata server answers nobody who does not name it.
fn flavour(call: &Call) -> Result<(), Refusal> {
    if call.header("metadata-flavor") == Some("Google") {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        "PERMISSION_DENIED",
        "Missing Metadata-Flavor:Google header.",
    ))
}

fn flavoured(reply: Reply) -> Reply {
    reply.header(
        axum::http::HeaderName::from_static("metadata-flavor"),
        "Google",
    )
}

async fn metadata_token(state: Arc<State>, call: Call) -> Answer {
    flavour(&call)?;
    Ok(flavoured(granted(&state, None)))
}

async fn metadata_email(_: Arc<State>, call: Call) -> Answer {
    flavour(&call)?;
    let email = "sandbox@sandbox.iam.gserviceaccount.com";
    Ok(flavoured(Reply::new(
        StatusCode::OK,
        "application/text",
        email,
    )))
}

async fn metadata_project(_: Arc<State>, call: Call) -> Answer {
    flavour(&call)?;
    Ok(flavoured(Reply::new(
        StatusCode::OK,
        "application/text",
        "sandbox",
    )))
}

async fn generate(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    fields::only(&body, "", &["scope", "lifetime", "delegates"])?;
    if fields::list(&body, "/scope")?.is_empty() {
        return Err(Refusal::invalid("scope is required"));
    }
    let life = match fields::text(&body, "/lifetime") {
        None => LIFE,
        Some(text) => text
            .strip_suffix('s')
            .and_then(|text| text.parse().ok())
            .filter(|life| (1..=43_200).contains(life))
            .ok_or_else(|| Refusal::invalid("lifetime has to be from 1s to 43200s"))?,
    };
    let (token, ends) = state.tokens.issue(state.now(), life);
    Ok(Reply::json(
        &json!({ "accessToken": token, "expireTime": fields::time(ends) }),
    ))
}
