//! Datasets.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tidemill_warehouse::tables::{Dataset, DatasetId, DatasetMeta};

use super::json::{asked, change_labels, dataset_id, given, int, labels, text, wrong};
use super::paging::listed;
use super::refusal::{missing, not_met, of_table};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::services::fields::{object, only};
use crate::state::State;

/// Fields that can be set, and those that come back from a client that read them.
const KNOWN: [&str; 22] = [
    "kind",
    "etag",
    "id",
    "selfLink",
    "datasetReference",
    "friendlyName",
    "description",
    "defaultTableExpirationMs",
    "defaultPartitionExpirationMs",
    "labels",
    "access",
    "creationTime",
    "lastModifiedTime",
    "location",
    "type",
    "isCaseInsensitive",
    "maxTimeTravelHours",
    "defaultCollation",
    "defaultRoundingMode",
    "storageBillingModel",
    "satisfiesPzi",
    "satisfiesPzs",
];

fn id(call: &Call) -> DatasetId {
    DatasetId::new(call.part("projectId"), call.part("datasetId"))
}

/// A location as it is kept: the large ones in capitals, the others in small letters.
pub(super) fn location(text: &str) -> String {
    match text.to_ascii_uppercase().as_str() {
        large @ ("US" | "EU") => large.to_owned(),
        _ => text.to_ascii_lowercase(),
    }
}

fn etag(dataset: &Dataset) -> String {
    format!(
        "d{}-{}",
        dataset.created.timestamp_micros(),
        dataset.version
    )
}

fn shown(dataset: &Dataset, public: &str) -> Value {
    let (id, meta) = (&dataset.id, &dataset.meta);
    let access = json!([
        { "role": "WRITER", "specialGroup": "projectWriters" },
        { "role": "OWNER", "specialGroup": "projectOwners" },
        { "role": "READER", "specialGroup": "projectReaders" },
    ]);
    Value::Object(super::json::object(json!({
        "kind": "bigquery#dataset",
        "etag": etag(dataset),
        "id": id.to_string(),
        "selfLink": format!("{public}/bigquery/v2/projects/{}/datasets/{}", id.project, id.dataset),
        "datasetReference": { "projectId": id.project, "datasetId": id.dataset },
        "friendlyName": meta.friendly_name,
        "description": meta.description,
        "labels": (!meta.labels.is_empty()).then_some(&meta.labels),
        "defaultTableExpirationMs": meta.table_expiration_ms.map(|ms| ms.to_string()),
        "defaultPartitionExpirationMs": meta.partition_expiration_ms.map(|ms| ms.to_string()),
        "access": meta.access.as_ref().unwrap_or(&access),
        "creationTime": dataset.created.timestamp_millis().to_string(),
        "lastModifiedTime": dataset.modified.timestamp_millis().to_string(),
        "location": meta.location,
        "type": "DEFAULT",
        "isCaseInsensitive": false,
        "maxTimeTravelHours": "168",
    })))
}

/// Refuses what would be another dataset than the one that is made.
fn covered(body: &Value) -> Result<(), Refusal> {
    object(body)?;
    only(body, "", &KNOWN)?;
    let plain = [
        ("isCaseInsensitive", json!(false)),
        ("maxTimeTravelHours", json!("168")),
        ("defaultCollation", json!("")),
        ("defaultRoundingMode", json!("ROUNDING_MODE_UNSPECIFIED")),
        ("storageBillingModel", json!("LOGICAL")),
        ("type", json!("DEFAULT")),
    ];
    for (name, value) in plain {
        if given(body, name).is_some_and(|found| *found != value) {
            return Err(Refusal::unsupported(&format!("{name} of datasets")));
        }
    }
    Ok(())
}

fn expiration(body: &Value, name: &str) -> Result<Option<i64>, Refusal> {
    let found = int(body, name)?;
    if found.is_some_and(|ms| ms < 0) {
        return Err(wrong(name, "it is below 0"));
    }
    // No time is no end.
    Ok(found.filter(|ms| *ms > 0))
}

fn access(body: &Value) -> Result<Option<Value>, Refusal> {
    match given(body, "access") {
        None => Ok(None),
        Some(list @ Value::Array(_)) => Ok(Some(list.clone())),
        Some(_) => Err(wrong("access", "a list is expected")),
    }
}

/// `POST …/datasets`
pub(super) async fn insert(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    covered(&body)?;
    let reference = given(&body, "datasetReference").ok_or_else(|| missing("datasetReference"))?;
    let id = dataset_id(reference, call.part("projectId"))?;
    if id.project != call.part("projectId") {
        return Err(wrong("datasetReference.projectId", "it is another project"));
    }
    let owned = |name: &str| Ok::<_, Refusal>(text(&body, name)?.map(str::to_owned));
    let meta = DatasetMeta {
        location: location(text(&body, "location")?.unwrap_or("US")),
        friendly_name: owned("friendlyName")?,
        description: owned("description")?,
        labels: labels(&body)?,
        table_expiration_ms: expiration(&body, "defaultTableExpirationMs")?,
        partition_expiration_ms: expiration(&body, "defaultPartitionExpirationMs")?,
        access: access(&body)?,
    };
    let made = state
        .bigquery
        .warehouse
        .create_dataset(&id, meta)
        .map_err(|error| of_table(&error))?;
    Ok(Reply::json(&shown(&made, &state.public)).effect(format!("dataset {id} created")))
}

/// `GET …/datasets/{datasetId}`
pub(super) async fn get(state: Arc<State>, call: Call) -> Answer {
    let found = state
        .bigquery
        .warehouse
        .dataset(&id(&call))
        .map_err(|error| of_table(&error))?;
    Ok(Reply::json(&shown(&found, &state.public)))
}

/// `GET …/datasets`
pub(super) async fn list(state: Arc<State>, call: Call) -> Answer {
    let hidden = asked(&call, "all")?.unwrap_or(false);
    let filter = call.query("filter").unwrap_or("");
    let mut found = Vec::new();
    for dataset in state.bigquery.warehouse.datasets(call.part("projectId")) {
        if (hidden || !dataset.id.dataset.starts_with('_')) && fits(&dataset, filter)? {
            found.push(dataset);
        }
    }
    let (page, next) = listed(&call, found)?;
    let datasets: Vec<Value> = page
        .iter()
        .map(|dataset| {
            Value::Object(super::json::object(json!({
                "kind": "bigquery#dataset",
                "id": dataset.id.to_string(),
                "datasetReference": { "projectId": dataset.id.project, "datasetId": dataset.id.dataset },
                "friendlyName": dataset.meta.friendly_name,
                "labels": (!dataset.meta.labels.is_empty()).then_some(&dataset.meta.labels),
                "location": dataset.meta.location,
            })))
        })
        .collect();
    Ok(Reply::json(&Value::Object(super::json::object(json!({
        "kind": "bigquery#datasetList",
        "etag": format!("l{}", datasets.len()),
        "datasets": datasets,
        "nextPageToken": next,
    })))))
}

/// `labels.team:ops labels.env`
fn fits(dataset: &Dataset, filter: &str) -> Result<bool, Refusal> {
    for part in filter.split_whitespace() {
        let label = part
            .strip_prefix("labels.")
            .ok_or_else(|| wrong("filter", part))?;
        let fits = match label.split_once(':') {
            Some((name, value)) => dataset
                .meta
                .labels
                .get(name)
                .is_some_and(|one| one == value),
            None => dataset.meta.labels.contains_key(label),
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `PATCH …/datasets/{datasetId}`
pub(super) async fn patch(state: Arc<State>, call: Call) -> Answer {
    change(state, call, false).await
}

/// `PUT …/datasets/{datasetId}`
pub(super) async fn update(state: Arc<State>, call: Call) -> Answer {
    change(state, call, true).await
}

async fn change(state: Arc<State>, mut call: Call, whole: bool) -> Answer {
    let body: Value = call.json().await?;
    covered(&body)?;
    let warehouse = &state.bigquery.warehouse;
    let old = warehouse
        .dataset(&id(&call))
        .map_err(|error| of_table(&error))?;
    if call
        .header("if-match")
        .is_some_and(|tag| tag != etag(&old) && tag != "*")
    {
        return Err(not_met());
    }
    let mut meta = old.meta.clone();
    if let Some(given) = text(&body, "location")?
        && location(given) != meta.location
    {
        return Err(wrong("location", "a dataset stays where it is"));
    }
    let named = |name: &str| whole || body.get(name).is_some();
    if named("friendlyName") {
        meta.friendly_name = text(&body, "friendlyName")?.map(str::to_owned);
    }
    if named("description") {
        meta.description = text(&body, "description")?.map(str::to_owned);
    }
    if named("defaultTableExpirationMs") {
        meta.table_expiration_ms = expiration(&body, "defaultTableExpirationMs")?;
    }
    if named("defaultPartitionExpirationMs") {
        meta.partition_expiration_ms = expiration(&body, "defaultPartitionExpirationMs")?;
    }
    if named("access") {
        meta.access = access(&body)?;
    }
    if whole {
        meta.labels = labels(&body)?;
    } else {
        change_labels(&mut meta.labels, &body)?;
    }
    let changed = warehouse
        .change_dataset(&old.id, old.version, meta)
        .map_err(|error| match error {
            tidemill_warehouse::tables::TableError::Conflict(_) => not_met(),
            other => of_table(&other),
        })?;
    let effect = format!("dataset {} changed", changed.id);
    Ok(Reply::json(&shown(&changed, &state.public)).effect(effect))
}

/// `DELETE …/datasets/{datasetId}?deleteContents=true`
pub(super) async fn delete(state: Arc<State>, call: Call) -> Answer {
    let contents = asked(&call, "deleteContents")?.unwrap_or(false);
    let id = id(&call);
    state
        .bigquery
        .warehouse
        .delete_dataset(&id, contents)
        .map_err(|error| of_table(&error))?;
    Ok(Reply::new(
        StatusCode::NO_CONTENT,
        "application/json; charset=UTF-8",
        "",
    )
    .effect(format!("dataset {id} deleted")))
}
