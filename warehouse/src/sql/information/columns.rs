//! Columns, and the fields within them.

use datafusion::arrow::array::RecordBatch;

use super::{Found, STRING, SqlError, batch, maybe, named, number, of_named, text, yes};
use crate::rows::Cell;
use crate::schema::{Field, Kind, Mode};
use crate::tables::{PARTITION_DATE, PARTITION_TIME, Partitioning, Snapshot, Unit};

/// A type as SQL writes it.
fn kind(field: &Field) -> String {
    match field.mode {
        Mode::Repeated => format!("ARRAY<{}>", field.kind),
        _ => field.kind.to_string(),
    }
}

pub(super) fn columns(found: &Found<'_>) -> Result<RecordBatch, SqlError> {
    let schema = of_named(&[
        ("column_name", STRING),
        ("ordinal_position", Kind::Int64),
        ("is_nullable", STRING),
        ("data_type", STRING),
        ("is_generated", STRING),
        ("generation_expression", STRING),
        ("is_stored", STRING),
        ("is_hidden", STRING),
        ("is_updatable", STRING),
        ("is_system_defined", STRING),
        ("is_partitioning_column", STRING),
        ("clustering_ordinal_position", Kind::Int64),
        ("collation_name", STRING),
        ("column_default", STRING),
        ("rounding_mode", STRING),
    ]);
    let mut rows = Vec::new();
    for table in found.tables()? {
        let by = table.meta.partitioning.as_ref();
        for (at, field) in table.meta.schema.fields.iter().enumerate() {
            let cut = by
                .and_then(Partitioning::field)
                .is_some_and(|name| name.eq_ignore_ascii_case(&field.name));
            rows.push(column(&table, Some(at), field, cut));
        }
        // The columns of a table by ingestion time that nobody wrote.
        if let Some(Partitioning::Time {
            field: None, unit, ..
        }) = by
        {
            let time = Field::new(PARTITION_TIME, Kind::Timestamp);
            rows.push(column(&table, None, &time, true));
            if *unit == Unit::Day {
                let date = Field::new(PARTITION_DATE, Kind::Date);
                rows.push(column(&table, None, &date, false));
            }
        }
    }
    batch(&schema, rows)
}

fn column(table: &Snapshot, at: Option<usize>, field: &Field, cut: bool) -> Vec<Cell> {
    let clustered = table
        .meta
        .clustering
        .iter()
        .position(|name| name.eq_ignore_ascii_case(&field.name));
    let hidden = at.is_none();
    let mut row = named(table);
    row.extend([
        text(&field.name),
        maybe(at.map(|at| number(at as u64 + 1))),
        yes(field.mode == Mode::Nullable),
        text(kind(field)),
        text("NEVER"),
        Cell::Null,
        Cell::Null,
        yes(hidden),
        Cell::Null,
        yes(hidden),
        yes(cut),
        maybe(clustered.map(|at| number(at as u64 + 1))),
        text("NULL"),
        text(field.default.as_deref().unwrap_or("NULL")),
        Cell::Null,
    ]);
    row
}

pub(super) fn paths(found: &Found<'_>) -> Result<RecordBatch, SqlError> {
    let schema = of_named(&[
        ("column_name", STRING),
        ("field_path", STRING),
        ("data_type", STRING),
        ("description", STRING),
        ("collation_name", STRING),
        ("rounding_mode", STRING),
    ]);
    let mut rows = Vec::new();
    for table in found.tables()? {
        for field in &table.meta.schema.fields {
            within(&table, (&field.name, &field.name), field, &mut rows);
        }
    }
    batch(&schema, rows)
}

fn within(
    table: &Snapshot,
    (column, path): (&str, &str),
    field: &Field,
    rows: &mut Vec<Vec<Cell>>,
) {
    let mut row = named(table);
    row.extend([
        text(column),
        text(path),
        text(kind(field)),
        maybe(field.description.as_deref().map(text)),
        text("NULL"),
        Cell::Null,
    ]);
    rows.push(row);
    if let Kind::Struct(fields) = &field.kind {
        for inner in fields {
            let path = format!("{path}.{}", inner.name);
            within(table, (column, &path), inner, rows);
        }
    }
}
