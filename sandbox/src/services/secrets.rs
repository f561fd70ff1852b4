//! Secret Manager, reading only: a version is the file `secrets/PROJECT/SECRET/NUMBER` in the sandbox's folder.

use std::path::PathBuf;
use std::sync::Arc;

use axum::http::Method as Verb;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::call::{Answer, Call, Refusal, Reply};
use crate::route::Method;
use crate::services::{Service, fields};
use crate::state::State;

pub(super) fn methods() -> Vec<Method> {
    vec![
        Method::new(
            Service::Secrets,
            "secretmanager.projects.secrets.versions.access",
            Verb::GET,
            "/v1/projects/{project}/secrets/{secret}/versions/{version}:access",
            access,
        ),
        Method::new(
            Service::Secrets,
            "secretmanager.projects.secrets.versions.get",
            Verb::GET,
            "/v1/projects/{project}/secrets/{secret}/versions/{version}",
            get,
        ),
    ]
}

/// The name and the file of the version that is asked for.
fn find(state: &State, call: &Call) -> Result<(String, PathBuf), Refusal> {
    let (project, secret) = (call.part("project"), call.part("secret"));
    let name = format!("projects/{project}/secrets/{secret}");
    let missing = || Refusal::not_found(format!("Secret [{name}] not found or has no versions."));
    // What is no name of a secret could be a way out of the folder.
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !fields::named(project, 1, 63, fits) || !fields::named(secret, 1, 255, fits) {
        return Err(missing());
    }
    let folder = state.folder.join("secrets").join(project).join(secret);
    let version = match call.part("version") {
        "latest" => std::fs::read_dir(&folder)
            .map_err(|_| missing())?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u64>().ok())
            .max()
            .ok_or_else(missing)?,
        number => number.parse().map_err(|_| {
            Refusal::invalid(format!("{number:?} is no version: a number or latest"))
        })?,
    };
    let file = folder.join(version.to_string());
    if !file.is_file() {
        return Err(Refusal::not_found(format!(
            "Secret Version [{name}/versions/{version}] not found."
        )));
    }
    Ok((format!("{name}/versions/{version}"), file))
}

async fn access(state: Arc<State>, call: Call) -> Answer {
    let (name, file) = find(&state, &call)?;
    let data = tokio::fs::read(&file)
        .await
        .map_err(|error| Refusal::internal(&error))?;
    Ok(Reply::json(&json!({ "name": name, "payload": {
        "data": STANDARD.encode(&data), "dataCrc32c": crc32c::crc32c(&data).to_string(),
    } })))
}

async fn get(state: Arc<State>, call: Call) -> Answer {
    let (name, _) = find(&state, &call)?;
    Ok(Reply::json(&json!({ "name": name, "state": "ENABLED" })))
}
