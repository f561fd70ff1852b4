//! Buckets.

use std::fs;
use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::conditions::Conditions;
use super::record::Bucket;
use super::{fields, names, no_content, not_modified, tokens};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::state::State;

pub(super) async fn insert(state: Arc<State>, mut call: Call) -> Answer {
    fields::check_call(&call)?;
    let body: Map<String, Value> = call.json().await?;
    let Some(project) = call.query("project") else {
        return Err(required("project"));
    };
    let name = body.get("name").and_then(Value::as_str).unwrap_or("");
    names::check_bucket(name)?;
    let bucket = Bucket {
        project: project.to_owned(),
        metageneration: 1,
        created: state.now(),
        updated: state.now(),
        fields: fields::of_bucket(&body)?,
    };
    let storage = &state.storage;
    let _changing = storage.changing();
    if storage.buckets.get(name).is_some() {
        return Err(conflict(
            "Your previous request to create the named bucket succeeded and you already own it.",
        ));
    }
    fs::create_dir_all(storage.bucket_folder(name)).map_err(|error| Refusal::internal(&error))?;
    let shown = bucket.shown(name, &state.public);
    put(&state, name, bucket)?;
    Ok(Reply::json(&shown).effect(format!("bucket gs://{name} created")))
}

pub(super) async fn get(state: Arc<State>, call: Call) -> Answer {
    fields::check_call(&call)?;
    let (name, conditions) = (call.part("bucket"), Conditions::of(&call)?);
    let bucket = state.storage.bucket(name)?;
    if !conditions.of_bucket(bucket.metageneration, &bucket.etag())? {
        return Ok(not_modified(&bucket.etag()));
    }
    Ok(Reply::json(&bucket.shown(name, &state.public)))
}

pub(super) async fn list(state: Arc<State>, call: Call) -> Answer {
    fields::check_call(&call)?;
    let Some(project) = call.query("project") else {
        return Err(required("project"));
    };
    let prefix = call.query("prefix").unwrap_or("");
    let limit = tokens::limit(&call)?;
    let after: Option<String> = tokens::read(call.query("pageToken"))?;
    let mut items = Vec::new();
    let mut last = None;
    for (name, bucket) in state.storage.buckets.under(prefix) {
        if bucket.project != project || after.as_ref().is_some_and(|after| name <= *after) {
            continue;
        }
        if items.len() == limit {
            let mut shown = json!({ "kind": "storage#buckets", "items": items });
            shown["nextPageToken"] = json!(tokens::write(&last));
            return Ok(Reply::json(&shown));
        }
        items.push(bucket.shown(&name, &state.public));
        last = Some(name);
    }
    Ok(Reply::json(
        &json!({ "kind": "storage#buckets", "items": items }),
    ))
}

pub(super) async fn patch(state: Arc<State>, call: Call) -> Answer {
    change(state, call, fields::patch_bucket).await
}

/// What is not given is as on a new bucket; where it is cannot be changed.
pub(super) async fn update(state: Arc<State>, call: Call) -> Answer {
    change(state, call, |fields, body| {
        let location = fields.get("location").cloned();
        *fields = fields::of_bucket(body)?;
        if let (Some(location), false) = (location, body.contains_key("location")) {
            fields.insert("location".into(), location);
        }
        Ok(())
    })
    .await
}

async fn change(state: Arc<State>, mut call: Call, change: fields::Change) -> Answer {
    fields::check_call(&call)?;
    let body: Map<String, Value> = call.json().await?;
    let (name, conditions) = (call.part("bucket"), Conditions::of(&call)?);
    let _changing = state.storage.changing();
    let mut bucket = (*state.storage.bucket(name)?).clone();
    if !conditions.of_bucket(bucket.metageneration, &bucket.etag())? {
        return Err(super::conditions::not_met());
    }
    let location = bucket.fields.get("location").cloned();
    change(&mut bucket.fields, &body)?;
    if bucket.fields.get("location").cloned() != location {
        return Err(Refusal::invalid(
            "The location of a bucket cannot be changed.",
        ));
    }
    bucket.metageneration += 1;
    bucket.updated = state.now();
    let shown = bucket.shown(name, &state.public);
    put(&state, name, bucket)?;
    Ok(Reply::json(&shown).effect(format!("bucket gs://{name} changed")))
}

pub(super) async fn delete(state: Arc<State>, call: Call) -> Answer {
    let (name, conditions) = (call.part("bucket"), Conditions::of(&call)?);
    let storage = &state.storage;
    let _changing = storage.changing();
    let bucket = storage.bucket(name)?;
    if !conditions.of_bucket(bucket.metageneration, &bucket.etag())? {
        return Err(super::conditions::not_met());
    }
    if storage.objects.any_under(&format!("{name}/")) {
        return Err(conflict("The bucket you tried to delete is not empty."));
    }
    let internal = |error: std::io::Error| Refusal::internal(&error);
    storage.buckets.remove(name).map_err(internal)?;
    // Files that are no objects were put there by somebody: they stay, and so does the folder.
    let _ = fs::remove_dir(storage.bucket_folder(name));
    Ok(no_content().effect(format!("bucket gs://{name} deleted")))
}

fn put(state: &State, name: &str, bucket: Bucket) -> Result<(), Refusal> {
    let put = state.storage.buckets.put(name, bucket);
    put.map(drop).map_err(|error| Refusal::internal(&error))
}

fn required(name: &str) -> Refusal {
    let mut refusal = Refusal::new(
        StatusCode::BAD_REQUEST,
        "required",
        format!("Required parameter: {name}"),
    );
    refusal.location = Some(name.to_owned());
    refusal
}

fn conflict(message: &str) -> Refusal {
    Refusal::new(StatusCode::CONFLICT, "conflict", message)
}
