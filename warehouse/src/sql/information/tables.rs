//! Datasets, tables, views and partitions.

use std::time::UNIX_EPOCH;

use datafusion::arrow::array::RecordBatch;

use super::{
    Found, STRING, SqlError, batch, maybe, moment, named, number, of_named, schema, text, yes,
};
use crate::rows::Cell;
use crate::schema::Kind;
use crate::tables::Snapshot;

pub(super) fn schemata(found: &Found<'_>) -> Result<RecordBatch, SqlError> {
    let columns = schema(&[
        ("catalog_name", STRING),
        ("schema_name", STRING),
        ("schema_owner", STRING),
        ("creation_time", Kind::Timestamp),
        ("last_modified_time", Kind::Timestamp),
        ("location", STRING),
        ("default_collation_name", STRING),
    ]);
    let rows = found
        .datasets()
        .into_iter()
        .map(|dataset| {
            vec![
                text(&dataset.id.project),
                text(&dataset.id.dataset),
                Cell::Null,
                moment(dataset.created),
                moment(dataset.modified),
                text(&dataset.meta.location),
                text("NULL"),
            ]
        })
        .collect();
    batch(&columns, rows)
}

fn kind(table: &Snapshot) -> &'static str {
    if table.meta.view.is_some() {
        "VIEW"
    } else {
        "BASE TABLE"
    }
}

pub(super) fn tables(found: &Found<'_>) -> Result<RecordBatch, SqlError> {
    let columns = of_named(&[
        ("table_type", STRING),
        ("is_insertable_into", STRING),
        ("is_typed", STRING),
        ("creation_time", Kind::Timestamp),
        ("base_table_catalog", STRING),
        ("base_table_schema", STRING),
        ("base_table_name", STRING),
        ("snapshot_time_ms", Kind::Timestamp),
        ("default_collation_name", STRING),
    ]);
    let rows = found
        .tables()?
        .iter()
        .map(|table| {
            let mut row = named(table);
            row.extend([
                text(kind(table)),
                yes(table.meta.view.is_none()),
                yes(false),
                moment(table.created),
                Cell::Null,
                Cell::Null,
                Cell::Null,
                Cell::Null,
                text("NULL"),
            ]);
            row
        })
        .collect();
    batch(&columns, rows)
}

pub(super) fn views(found: &Found<'_>) -> Result<RecordBatch, SqlError> {
    let columns = of_named(&[
        ("view_definition", STRING),
        ("check_option", STRING),
        ("use_standard_sql", STRING),
    ]);
    let rows = found
        .tables()?
        .iter()
        .filter_map(|table| {
            let mut row = named(table);
            row.extend([text(table.meta.view.clone()?), Cell::Null, yes(true)]);
            Some(row)
        })
        .collect();
    batch(&columns, rows)
}

/// There are none.
pub(super) fn materialized(found: &Found<'_>) -> Result<RecordBatch, SqlError> {
    found.tables()?;
    let columns = of_named(&[
        ("last_refresh_time", Kind::Timestamp),
        ("refresh_watermark", Kind::Timestamp),
    ]);
    batch(&columns, Vec::new())
}

/// When the newest file of a partition was written.
fn written(table: &Snapshot, partition: Option<&str>) -> Cell {
    let newest = table
        .files
        .iter()
        .filter(|file| file.partition.as_deref() == partition)
        .filter_map(|file| file.path.metadata().ok()?.modified().ok())
        .max();
    let micros = newest
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_micros()).ok());
    micros.map_or_else(|| moment(table.modified), Cell::Micros)
}

pub(super) fn partitions(found: &Found<'_>) -> Result<RecordBatch, SqlError> {
    let columns = of_named(&[
        ("partition_id", STRING),
        ("total_rows", Kind::Int64),
        ("total_logical_bytes", Kind::Int64),
        ("total_billable_bytes", Kind::Int64),
        ("last_modified_time", Kind::Timestamp),
        ("storage_tier", STRING),
    ]);
    let mut rows = Vec::new();
    for table in found.tables()? {
        if table.meta.view.is_some() {
            continue;
        }
        let mut add = |name: Option<&str>, count: u64, bytes: u64, at: Cell| {
            let mut row = named(&table);
            row.extend([
                maybe(name.map(text)),
                number(count),
                number(bytes),
                number(bytes),
                at,
                text("ACTIVE"),
            ]);
            rows.push(row);
        };
        if table.meta.partitioning.is_none() {
            let at = moment(table.modified);
            add(None, table.rows(), table.logical_bytes(), at);
            continue;
        }
        for (name, count, bytes) in table.partitions() {
            let at = written(&table, Some(&name));
            add(Some(&name), count, bytes, at);
        }
    }
    batch(&columns, rows)
}

pub(super) fn storage(found: &Found<'_>) -> Result<RecordBatch, SqlError> {
    let mut columns = vec![("project_id", STRING), ("project_number", Kind::Int64)];
    columns.extend(super::NAMED);
    columns.push(("creation_time", Kind::Timestamp));
    columns.extend(
        [
            "total_rows",
            "total_partitions",
            "total_logical_bytes",
            "active_logical_bytes",
            "long_term_logical_bytes",
            "total_physical_bytes",
            "active_physical_bytes",
            "long_term_physical_bytes",
            "time_travel_physical_bytes",
        ]
        .map(|name| (name, Kind::Int64)),
    );
    columns.extend([
        ("storage_last_modified_time", Kind::Timestamp),
        ("deleted", Kind::Bool),
        ("table_type", STRING),
    ]);
    let mut rows = Vec::new();
    for table in found.tables()? {
        if table.meta.view.is_some() {
            continue;
        }
        let bytes = number(table.logical_bytes());
        let physical = number(table.files.iter().map(|file| file.bytes).sum());
        let partitions = match table.meta.partitioning {
            Some(_) => table.partitions().len() as u64,
            None => 0,
        };
        let mut row = vec![text(&table.id.project), Cell::Int(1)];
        row.extend(named(&table));
        row.extend([
            moment(table.created),
            number(table.rows()),
            number(partitions),
            bytes.clone(),
            bytes,
            Cell::Int(0),
            physical.clone(),
            physical,
            Cell::Int(0),
            Cell::Int(0),
            moment(table.modified),
            Cell::Bool(false),
            text(kind(&table)),
        ]);
        rows.push(row);
    }
    batch(&schema(&columns), rows)
}

/// `__TABLES__`.
pub(super) fn summary(found: &Found<'_>) -> Result<RecordBatch, SqlError> {
    let columns = schema(&[
        ("project_id", STRING),
        ("dataset_id", STRING),
        ("table_id", STRING),
        ("creation_time", Kind::Int64),
        ("last_modified_time", Kind::Int64),
        ("row_count", Kind::Int64),
        ("size_bytes", Kind::Int64),
        ("type", Kind::Int64),
    ]);
    let rows = found
        .tables()?
        .iter()
        .map(|table| {
            let mut row = named(table);
            row.extend([
                Cell::Int(table.created.timestamp_millis()),
                Cell::Int(table.modified.timestamp_millis()),
                number(table.rows()),
                number(table.logical_bytes()),
                Cell::Int(if table.meta.view.is_some() { 2 } else { 1 }),
            ]);
            row
        })
        .collect();
    batch(&columns, rows)
}
