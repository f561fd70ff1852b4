//! Rows of tables: reading them page by page, and adding some.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use tidemill_warehouse::rows::{Cell, JsonRules, RowsBuilder, row_of_json};
use tidemill_warehouse::tables::{Change, Snapshot, TableError, TableId, Target, Warehouse};

use super::json::{flag, given, text, wrong};
use super::paging::{self, Wanted};
use super::refusal::{blocking, of_table};
use super::schema;
use super::tables::{etag, found, named};
use crate::call::{Answer, Call, Refusal, Reply};
use crate::services::fields::{object, only};
use crate::state::State;

/// How long, and how many, identifiers of rows are remembered for each table.
const REMEMBERED: TimeDelta = TimeDelta::minutes(10);
const IDENTIFIERS: usize = 100_000;
/// Rows of one request, as in `BigQuery`.
const ROWS: usize = 50_000;

/// `GET …/tables/{tableId}/data`
pub(super) async fn list(state: Arc<State>, call: Call) -> Answer {
    let (id, partition) = named(&call);
    // Says so if there is no such partition.
    found(&state.bigquery, (&id, partition.as_deref()))?;
    let whole = found(&state.bigquery, (&id, None))?;
    if whole.meta.view.is_some() {
        return Err(Refusal::invalid("Cannot list a table of type VIEW."));
    }
    let wanted = Wanted::of(&call)?;
    let whole = state.bigquery.moments.of(whole, wanted)?;
    let columns = match call
        .query("selectedFields")
        .filter(|names| !names.is_empty())
    {
        Some(names) => schema::selected(&whole.meta.schema, names)?,
        None => whole.meta.schema.clone(),
    };
    let mut table = whole.clone();
    if let Some(name) = partition.as_deref() {
        table
            .files
            .retain(|file| file.partition.as_deref() == Some(name));
    }
    let (tag, total) = (etag(&table), table.rows());
    let (rows, next) = blocking(move || paging::rows(&table, &columns, wanted))
        .await?
        .map_err(|error| of_table(&error))?;
    if next.is_some() {
        state.bigquery.moments.keep(&whole);
    }
    let mut shown = super::json::object(json!({
        "kind": "bigquery#tableDataList",
        "etag": tag,
        "totalRows": total.to_string(),
        "pageToken": next,
    }));
    if !rows.is_empty() {
        shown.insert("rows".into(), Value::Array(rows));
    }
    Ok(Reply::json(&Value::Object(shown)))
}

/// Identifiers of rows that came lately.
#[derive(Default)]
pub(super) struct Seen {
    tables: Mutex<HashMap<TableId, Lately>>,
}

#[derive(Default)]
struct Lately {
    order: VecDeque<(DateTime<Utc>, String)>,
    known: std::collections::HashSet<String>,
}

impl Seen {
    /// Which of these are new; they are known from then on.
    fn take(&self, table: &TableId, ids: &[Option<String>], now: DateTime<Utc>) -> Vec<bool> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = tables.entry(table.clone()).or_default();
        while let Some((at, _)) = lately.order.front() {
            if lately.order.len() <= IDENTIFIERS && now - *at < REMEMBERED {
                break;
            }
            if let Some((_, old)) = lately.order.pop_front() {
                lately.known.remove(&old);
            }
        }
        ids.iter()
            .map(|id| match id {
                None => true,
                Some(id) => {
                    let new = lately.known.insert(id.clone());
                    if new {
                        lately.order.push_back((now, id.clone()));
                    }
                    new
                }
            })
            .collect()
    }

    /// They were not written after all.
    fn forget(&self, table: &TableId, ids: &[Option<String>]) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lately) = tables.get_mut(table) {
            for id in ids.iter().flatten() {
                lately.known.remove(id);
            }
            lately.order.retain(|(_, id)| lately.known.contains(id));
        }
    }
}

/// `POST …/tables/{tableId}/insertAll`
pub(super) async fn insert_all(state: Arc<State>, mut call: Call) -> Answer {
    let body: Value = call.json().await?;
    object(&body)?;
    only(
        &body,
        "",
        &[
            "kind",
            "rows",
            "skipInvalidRows",
            "ignoreUnknownValues",
            "templateSuffix",
            "traceId",
        ],
    )?;
    if text(&body, "templateSuffix")?.is_some_and(|suffix| !suffix.is_empty()) {
        return Err(Refusal::unsupported("templateSuffix of insertAll"));
    }
    let (id, partition) = named(&call);
    let table = found(&state.bigquery, (&id, partition.as_deref()))?;
    if table.meta.view.is_some() {
        return Err(Refusal::invalid(format!("Cannot add rows to a view: {id}")));
    }
    let given = rows(&body)?;
    let rules = JsonRules {
        ignore_unknown: flag(&body, "ignoreUnknownValues")?.unwrap_or(false),
        json_as_text: true,
    };
    let skip = flag(&body, "skipInvalidRows")?.unwrap_or(false);
    let (mut cells, mut ids, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (insert_id, row)) in given.iter().enumerate() {
        match row_of_json(&table.meta.schema, row, rules) {
            Ok(row) => {
                cells.push(row);
                ids.push(insert_id.clone());
            }
            Err(wrong) => errors.push(failed(
                index,
                "invalid",
                &wrong.field,
                &wrong.insert_message(),
            )),
        }
    }
    if !errors.is_empty() && !skip {
        // One bad row stops the others.
        let bad: Vec<u64> = errors
            .iter()
            .filter_map(|one| one["index"].as_u64())
            .collect();
        for index in 0..given.len() {
            if !bad.contains(&(index as u64)) {
                errors.push(failed(index, "stopped", "", ""));
            }
        }
        cells.clear();
        ids.clear();
    }
    let count = write(&state, table, partition, (cells, ids)).await?;
    let mut shown = Map::new();
    shown.insert("kind".into(), json!("bigquery#tableDataInsertAllResponse"));
    if !errors.is_empty() {
        shown.insert("insertErrors".into(), Value::Array(errors));
    }
    let reply = Reply::json(&Value::Object(shown));
    Ok(match count {
        0 => reply,
        count => reply.effect(format!("{count} rows added to {id}")),
    })
}

/// A row as it was sent, with its `insertId`.
type Given<'a> = (Option<String>, &'a Map<String, Value>);

fn rows(body: &Value) -> Result<Vec<Given<'_>>, Refusal> {
    let rows = match given(body, "rows") {
        Some(Value::Array(rows)) if !rows.is_empty() => rows,
        None | Some(Value::Array(_)) => {
            return Err(Refusal::invalid("No rows present in the request."));
        }
        Some(_) => return Err(wrong("rows", "a list is expected")),
    };
    if rows.len() > ROWS {
        return Err(Refusal::invalid(format!(
            "too many rows present in the request, limit: {ROWS} row count: {}.",
            rows.len()
        )));
    }
    rows.iter()
        .map(|row| {
            only(row, "", &["insertId", "json"])?;
            let Some(Value::Object(cells)) = row.get("json") else {
                return Err(wrong("rows.json", "an object is expected"));
            };
            Ok((text(row, "insertId")?.map(str::to_owned), cells))
        })
        .collect()
}

fn failed(index: usize, reason: &str, location: &str, message: &str) -> Value {
    json!({ "index": index, "errors": [
        { "reason": reason, "location": location, "debugInfo": "", "message": message },
    ] })
}

async fn write(
    state: &State,
    table: Snapshot,
    partition: Option<String>,
    (cells, ids): (Vec<Vec<Cell>>, Vec<Option<String>>),
) -> Result<usize, Refusal> {
    let bigquery = &state.bigquery;
    let new = bigquery.seen.take(&table.id, &ids, state.now());
    let cells: Vec<_> = cells
        .into_iter()
        .zip(new)
        .filter_map(|(row, new)| new.then_some(row))
        .collect();
    if cells.is_empty() {
        return Ok(0);
    }
    let count = cells.len();
    let warehouse = bigquery.warehouse.clone();
    let id = table.id.clone();
    let done = blocking(move || added(&warehouse, &table, partition.as_deref(), &cells)).await?;
    if done.is_err() {
        bigquery.seen.forget(&id, &ids);
    }
    done.map_err(|error| of_table(&error))?;
    Ok(count)
}

fn added(
    warehouse: &Warehouse,
    table: &Snapshot,
    partition: Option<&str>,
    cells: &[Vec<Cell>],
) -> Result<(), TableError> {
    let meta = &table.meta;
    let by = meta.partitioning.as_ref();
    let target = by
        .zip(partition)
        .and_then(|(by, name)| tidemill_warehouse::tables::Partition::from_name(name, by))
        .map_or(Target::Rows, Target::Only);
    let mut rows = RowsBuilder::new(&meta.schema);
    for row in cells {
        rows.push(row);
    }
    let batch = rows
        .batch()
        .map_err(|error| TableError::Invalid(error.to_string()))?;
    let mut writer = warehouse.writer(&table.id, meta, target)?;
    writer.write(&batch)?;
    let files = writer.finish()?;
    warehouse.commit(&table.id, table.version, Change::Append(files))?;
    if let Err(error) = warehouse.compact(&table.id) {
        tracing::warn!("small files of {} stay as they are: {error}", table.id);
    }
    Ok(())
}
