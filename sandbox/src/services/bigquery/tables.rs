//! Tables and views.

use std::sync::Arc;

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use tidemill_warehouse::sql::Request;
use tidemill_warehouse::tables::{
    Change, DatasetId, Partitioning, Snapshot, TableError, TableId, TableMeta,
};
use tidemill_warehouse::{Located, Schema};

use super::json::{change_labels, decorated, flag, given, int, labels, table_id, text, wrong};
use super::paging::listed;
use super::refusal::{missing, not_met, of_reason, of_table};
use super::{Bigquery, schema, shape};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::services::fields::{object, only};
use crate::state::State;

/// Fields that can be set.
const SET: [&str; 12] = [
    "tableReference",
    "schema",
    "timePartitioning",
    "rangePartitioning",
    "clustering",
    "view",
    "friendlyName",
    "description",
    "labels",
    "expirationTime",
    "requirePartitionFilter",
    "defaultCollation",
];
/// Fields that come back from a client that read them.
const SHOWN: [&str; 16] = [
    "kind",
    "etag",
    "id",
    "selfLink",
    "type",
    "creationTime",
    "lastModifiedTime",
    "location",
    "numBytes",
    "numLongTermBytes",
    "numRows",
    "numTotalLogicalBytes",
    "numActiveLogicalBytes",
    "numLongTermLogicalBytes",
    "numPartitions",
    "streamingBuffer",
];

pub(super) fn etag(table: &Snapshot) -> String {
    format!("t{}-{}", table.created.timestamp_micros(), table.version)
}

/// The table that a path names, and what stands behind its `$`.
pub(super) fn named(call: &Call) -> (TableId, Option<String>) {
    let dataset = DatasetId::new(call.part("projectId"), call.part("datasetId"));
    decorated(&dataset, call.part("tableId"))
}

/// The table with only the files of a partition.
pub(super) fn found(
    bigquery: &Bigquery,
    (id, partition): (&TableId, Option<&str>),
) -> Result<Snapshot, Refusal> {
    let mut table = bigquery
        .warehouse
        .table(id)
        .map_err(|error| of_table(&error))?;
    if let Some(name) = partition {
        let by = table.meta.partitioning.as_ref();
        let known = by.and_then(|by| tidemill_warehouse::tables::Partition::from_name(name, by));
        if known.is_none() {
            return Err(Refusal::invalid(format!(
                "Invalid partition decorator ${name} for table {id}"
            )));
        }
        table
            .files
            .retain(|file| file.partition.as_deref() == Some(name));
    }
    Ok(table)
}

fn shown(state: &State, table: &Snapshot) -> Value {
    let (id, meta) = (&table.id, &table.meta);
    let dataset = state.bigquery.warehouse.dataset(&id.of()).ok();
    let bytes = table.logical_bytes().to_string();
    let view = meta.view.is_some();
    let mut shown = super::json::object(json!({
        "kind": "bigquery#table",
        "etag": etag(table),
        "id": id.to_string(),
        "selfLink": format!(
            "{}/bigquery/v2/projects/{}/datasets/{}/tables/{}", state.public, id.project, id.dataset, id.table
        ),
        "tableReference": super::json::table_reference(id),
        "type": if view { "VIEW" } else { "TABLE" },
        "schema": schema::shown(&meta.schema),
        "friendlyName": meta.friendly_name,
        "description": meta.description,
        "labels": (!meta.labels.is_empty()).then_some(&meta.labels),
        "creationTime": table.created.timestamp_millis().to_string(),
        "lastModifiedTime": table.modified.timestamp_millis().to_string(),
        "expirationTime": meta.expires.map(|at| at.timestamp_millis().to_string()),
        "location": dataset.map(|dataset| dataset.meta.location),
        "numBytes": bytes,
        "numLongTermBytes": "0",
        "numRows": table.rows().to_string(),
        "numTotalLogicalBytes": bytes,
        "numActiveLogicalBytes": bytes,
        "numLongTermLogicalBytes": "0",
        "view": meta.view.as_ref().map(|query| json!({ "query": query, "useLegacySql": false })),
    }));
    cut(&mut shown, meta);
    if meta.partitioning.is_some() {
        let number = table.partitions().len().to_string();
        shown.insert("numPartitions".into(), json!(number));
    }
    Value::Object(shown)
}

/// How the table is cut and ordered.
fn cut(shown: &mut Map<String, Value>, meta: &TableMeta) {
    if let Some(by) = &meta.partitioning {
        let (name, value) = shape::shown(by, meta.require_partition_filter);
        shown.insert(name.into(), value);
        if meta.require_partition_filter {
            shown.insert("requirePartitionFilter".into(), json!(true));
        }
    }
    if !meta.clustering.is_empty() {
        let fields = json!({ "fields": meta.clustering });
        shown.insert("clustering".into(), fields);
    }
}

/// Refuses what would be another table than the one that is made.
fn covered(body: &Value) -> Result<(), Refusal> {
    object(body)?;
    for name in [
        "externalDataConfiguration",
        "materializedView",
        "model",
        "snapshotDefinition",
        "cloneDefinition",
        "encryptionConfiguration",
        "tableConstraints",
        "biglakeConfiguration",
        "resourceTags",
        "maxStaleness",
        "tableReplicationInfo",
    ] {
        if given(body, name).is_some() {
            return Err(Refusal::unsupported(&format!("{name} of tables")));
        }
    }
    if given(body, "defaultCollation").is_some_and(|collation| collation != "") {
        return Err(Refusal::unsupported("defaultCollation of tables"));
    }
    let known: Vec<&str> = SET.iter().chain(&SHOWN).copied().collect();
    only(body, "", &known)
}

fn expires(body: &Value) -> Result<Option<DateTime<Utc>>, Refusal> {
    match int(body, "expirationTime")? {
        None | Some(0) => Ok(None),
        Some(ms) => DateTime::from_timestamp_millis(ms)
            .map(Some)
            .ok_or_else(|| wrong("expirationTime", "it is out of range")),
    }
}

fn view(body: &Value) -> Result<Option<String>, Refusal> {
    let Some(view) = given(body, "view") else {
        return Ok(None);
    };
    only(
        view,
        "view",
        &["query", "useLegacySql", "useExplicitColumnNames"],
    )?;
    // As in the real API, a view is of legacy SQL unless it says otherwise.
    if flag(view, "useLegacySql")? != Some(false) {
        return Err(Refusal::unsupported(
            "views in legacy SQL; set view.useLegacySql to false",
        ));
    }
    let query = text(view, "query")?.ok_or_else(|| missing("view.query"))?;
    Ok(Some(query.to_owned()))
}

/// The columns of a view: those of its query.
async fn columns(state: &State, id: &TableId, query: &str) -> Result<Schema, Refusal> {
    let bigquery = &state.bigquery;
    let dataset = bigquery
        .warehouse
        .dataset(&id.of())
        .map_err(|error| of_table(&error))?;
    let catalog = Located::new(bigquery.warehouse.clone(), dataset.meta.location);
    let request = Request {
        text: query.to_owned(),
        parameters: Vec::new(),
        project: id.project.clone(),
        default_dataset: None,
        dry_run: true,
        maximum_bytes_billed: None,
        now: state.now(),
        job: None,
        diary: None,
    };
    let engine = bigquery.engine.over(Arc::new(catalog));
    let outcome = engine
        .run(&request)
        .await
        .map_err(|error| of_reason(error.reason, error.message))?;
    if outcome.statement_type != "SELECT" {
        return Err(Refusal::invalid("view.query: a view is a query"));
    }
    Ok(outcome.schema)
}

/// The columns of a view with what a body says of them.
fn described(mut columns: Schema, said: &Schema) -> Schema {
    for field in &mut columns.fields {
        if let Some(said) = said.field(&field.name) {
            field.description.clone_from(&said.description);
        }
    }
    columns
}

/// `POST …/tables`
pub(super) async fn insert(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    covered(&body)?;
    let reference = given(&body, "tableReference").ok_or_else(|| missing("tableReference"))?;
    let project = call.part("projectId");
    let mut reference = reference.clone();
    if let Value::Object(map) = &mut reference {
        map.entry("datasetId")
            .or_insert_with(|| json!(call.part("datasetId")));
    }
    let (id, partition) = table_id(&reference, project)?;
    if id.of() != DatasetId::new(project, call.part("datasetId")) || partition.is_some() {
        return Err(wrong(
            "tableReference",
            "it is not in the dataset of the path",
        ));
    }
    let (partitioning, filter) = shape::partitioning(&body)?;
    let mut meta = TableMeta {
        schema: given(&body, "schema").map_or(Ok(Schema::default()), schema::read)?,
        partitioning,
        require_partition_filter: filter.unwrap_or(false),
        clustering: shape::clustering(&body)?,
        view: view(&body)?,
        view_columns: Vec::new(),
        friendly_name: text(&body, "friendlyName")?.map(str::to_owned),
        description: text(&body, "description")?.map(str::to_owned),
        labels: labels(&body)?,
        expires: expires(&body)?,
    };
    if meta.expires.is_some_and(|expires| expires <= state.now()) {
        return Err(wrong("expirationTime", "it is in the past"));
    }
    if let Some(query) = &meta.view {
        // What is there already is said first.
        if state.bigquery.warehouse.table(&id).is_ok() {
            return Err(of_table(&TableError::TableExists(id)));
        }
        meta.schema = described(columns(&state, &id, query).await?, &meta.schema);
    }
    let kind = if meta.view.is_some() { "view" } else { "table" };
    let made = state
        .bigquery
        .warehouse
        .create_table(&id, meta, Vec::new())
        .map_err(|error| of_table(&error))?;
    Ok(Reply::json(&shown(&state, &made)).effect(format!("{kind} {id} created")))
}

/// `GET …/tables/{tableId}`
pub(super) async fn get(state: Arc<State>, call: Call) -> Answer {
    let (id, partition) = named(&call);
    let mut table = found(&state.bigquery, (&id, partition.as_deref()))?;
    if let Some(names) = call
        .query("selectedFields")
        .filter(|names| !names.is_empty())
    {
        let mut meta = (*table.meta).clone();
        meta.schema = schema::selected(&meta.schema, names)?;
        table.meta = Arc::new(meta);
    }
    let tag = etag(&table);
    if call.header("if-none-match") == Some(&tag) {
        return Ok(Reply::new(
            StatusCode::NOT_MODIFIED,
            "application/json; charset=UTF-8",
            "",
        ));
    }
    Ok(Reply::json(&shown(&state, &table)))
}

/// `GET …/tables`
pub(super) async fn list(state: Arc<State>, call: Call) -> Answer {
    let dataset = DatasetId::new(call.part("projectId"), call.part("datasetId"));
    let found = state
        .bigquery
        .warehouse
        .tables(&dataset)
        .map_err(|error| of_table(&error))?;
    let total = found.len();
    let (page, next) = listed(&call, found)?;
    let tables: Vec<Value> = page
        .iter()
        .map(|table| {
            let meta = &table.meta;
            let view = meta.view.as_ref().map(|_| json!({ "useLegacySql": false }));
            let mut shown = super::json::object(json!({
                "kind": "bigquery#table",
                "id": table.id.to_string(),
                "tableReference": super::json::table_reference(&table.id),
                "type": if view.is_some() { "VIEW" } else { "TABLE" },
                "friendlyName": meta.friendly_name,
                "labels": (!meta.labels.is_empty()).then_some(&meta.labels),
                "view": view,
                "creationTime": table.created.timestamp_millis().to_string(),
                "expirationTime": meta.expires.map(|at| at.timestamp_millis().to_string()),
            }));
            cut(&mut shown, meta);
            Value::Object(shown)
        })
        .collect();
    Ok(Reply::json(&Value::Object(super::json::object(json!({
        "kind": "bigquery#tableList",
        "etag": format!("l{total}"),
        "tables": tables,
        "totalItems": total,
        "nextPageToken": next,
    })))))
}

/// `PATCH …/tables/{tableId}`
pub(super) async fn patch(state: Arc<State>, call: Call) -> Answer {
    change(state, call, false).await
}

/// `PUT …/tables/{tableId}`
pub(super) async fn update(state: Arc<State>, call: Call) -> Answer {
    change(state, call, true).await
}

async fn change(state: Arc<State>, mut call: Call, whole: bool) -> Answer {
    let body: Value = call.json().await?;
    covered(&body)?;
    let (id, partition) = named(&call);
    if partition.is_some() {
        return Err(wrong(
            "tableId",
            "a partition has nothing of its own to change",
        ));
    }
    let old = found(&state.bigquery, (&id, None))?;
    let tag = etag(&old);
    if call
        .header("if-match")
        .is_some_and(|one| one != tag && one != "*")
    {
        return Err(not_met());
    }
    let meta = Box::new(changed(&state, &old, &body, whole).await?);
    let new = state
        .bigquery
        .warehouse
        .commit(&id, old.version, Change::Meta(meta))
        .map_err(|error| match error {
            TableError::Conflict(_) => not_met(),
            other => of_table(&other),
        })?;
    Ok(Reply::json(&shown(&state, &new)).effect(format!("table {id} changed")))
}

async fn changed(
    state: &State,
    old: &Snapshot,
    body: &Value,
    whole: bool,
) -> Result<TableMeta, Refusal> {
    let mut meta = (*old.meta).clone();
    let named = |name: &str| whole || body.get(name).is_some();
    if named("friendlyName") {
        meta.friendly_name = text(body, "friendlyName")?.map(str::to_owned);
    }
    if named("description") {
        meta.description = text(body, "description")?.map(str::to_owned);
    }
    if named("expirationTime") {
        meta.expires = expires(body)?;
    }
    if whole {
        meta.labels = labels(body)?;
    } else {
        change_labels(&mut meta.labels, body)?;
    }
    if body.get("clustering").is_some() {
        meta.clustering = shape::clustering(body)?;
    }
    let (by, filter) = shape::partitioning(body)?;
    match (by, &mut meta.partitioning) {
        (None, _) => {}
        (
            Some(Partitioning::Time {
                unit,
                field,
                expiration_ms,
            }),
            Some(Partitioning::Time {
                unit: same,
                field: of,
                expiration_ms: life,
            }),
        ) if unit == *same && (field.is_none() || field == *of) => *life = expiration_ms,
        (by, before) => {
            if by != *before {
                return Err(Refusal::invalid(format!(
                    "Cannot change partitioning of table {}",
                    old.id
                )));
            }
        }
    }
    if let Some(filter) = filter {
        meta.require_partition_filter = filter;
    }
    let said = given(body, "schema").map(schema::read).transpose()?;
    match (view(body)?, &said) {
        (Some(query), None) if meta.view.as_ref() == Some(&query) => {}
        (Some(query), said) => {
            let none = Schema::default();
            let found = columns(state, &old.id, &query).await?;
            meta.schema = described(found, said.as_ref().unwrap_or(&none));
            meta.view = Some(query);
            meta.view_columns = Vec::new();
        }
        (None, Some(said)) if meta.view.is_some() => {
            meta.schema = described(meta.schema, said);
        }
        (None, Some(said)) => meta.schema = said.clone(),
        (None, None) => {}
    }
    Ok(meta)
}

/// `DELETE …/tables/{tableId}`; of `table$20260131` the partition alone.
pub(super) async fn delete(state: Arc<State>, call: Call) -> Answer {
    let (id, partition) = named(&call);
    let warehouse = &state.bigquery.warehouse;
    let effect = match &partition {
        None => {
            warehouse
                .delete_table(&id)
                .map_err(|error| of_table(&error))?;
            format!("table {id} deleted")
        }
        Some(name) => {
            let old = found(&state.bigquery, (&id, Some(name)))?;
            let change = Change::ReplacePartitions([name.clone()].into(), Vec::new());
            warehouse
                .commit(&id, old.version, change)
                .map_err(|error| of_table(&error))?;
            format!("partition {id}${name} deleted")
        }
    };
    Ok(Reply::new(
        StatusCode::NO_CONTENT,
        "application/json; charset=UTF-8",
        "",
    )
    .effect(effect))
}
