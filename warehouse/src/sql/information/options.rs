//! Options of datasets and tables, with their values as SQL writes them.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::arrow::array::RecordBatch;

use super::{Found, STRING, SqlError, batch, named, of_named, schema, text};
use crate::rows::Cell;
use crate::tables::{Partitioning, TableMeta};

const DAY_MS: f64 = 86_400_000.0;

/// A name, a type and a value.
type Option3 = (&'static str, &'static str, String);

/// A literal text.
fn quoted(value: &str) -> String {
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

fn words(
    description: Option<&String>,
    friendly: Option<&String>,
    labels: &BTreeMap<String, String>,
) -> Vec<Option3> {
    let mut found = Vec::new();
    if let Some(text) = description {
        found.push(("description", "STRING", quoted(text)));
    }
    if let Some(text) = friendly {
        found.push(("friendly_name", "STRING", quoted(text)));
    }
    if !labels.is_empty() {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("STRUCT({}, {})", quoted(name), quoted(value)))
            .collect();
        let value = format!("[{}]", labels.join(", "));
        found.push(("labels", "ARRAY<STRUCT<STRING, STRING>>", value));
    }
    found
}

#[expect(clippy::cast_precision_loss, reason = "days are shown as a FLOAT64")]
fn days(millis: i64) -> String {
    format!("{:?}", millis as f64 / DAY_MS)
}

fn timestamp(at: DateTime<Utc>) -> String {
    format!(
        "TIMESTAMP \"{}\"",
        at.to_rfc3339_opts(SecondsFormat::Millis, true)
    )
}

fn of_table(meta: &TableMeta) -> Vec<Option3> {
    let mut found = words(
        meta.description.as_ref(),
        meta.friendly_name.as_ref(),
        &meta.labels,
    );
    if let Some(at) = meta.expires {
        found.push(("expiration_timestamp", "TIMESTAMP", timestamp(at)));
    }
    if let Some(Partitioning::Time {
        expiration_ms: Some(millis),
        ..
    }) = meta.partitioning
    {
        found.push(("partition_expiration_days", "FLOAT64", days(millis)));
    }
    if meta.require_partition_filter {
        found.push(("require_partition_filter", "BOOL", "true".to_owned()));
    }
    found
}

fn cells((name, kind, value): Option3) -> [Cell; 3] {
    [text(name), text(kind), text(value)]
}

pub(super) fn of_tables(found: &Found<'_>) -> Result<RecordBatch, SqlError> {
    let columns = of_named(&[
        ("option_name", STRING),
        ("option_type", STRING),
        ("option_value", STRING),
    ]);
    let mut rows = Vec::new();
    for table in found.tables()? {
        for option in of_table(&table.meta) {
            let mut row = named(&table);
            row.extend(cells(option));
            rows.push(row);
        }
    }
    batch(&columns, rows)
}

pub(super) fn of_datasets(found: &Found<'_>) -> Result<RecordBatch, SqlError> {
    let columns = schema(&[
        ("catalog_name", STRING),
        ("schema_name", STRING),
        ("option_name", STRING),
        ("option_type", STRING),
        ("option_value", STRING),
    ]);
    let mut rows = Vec::new();
    for dataset in found.datasets() {
        let meta = &dataset.meta;
        let mut all = words(
            meta.description.as_ref(),
            meta.friendly_name.as_ref(),
            &meta.labels,
        );
        if let Some(millis) = meta.table_expiration_ms {
            all.push(("default_table_expiration_days", "FLOAT64", days(millis)));
        }
        if let Some(millis) = meta.partition_expiration_ms {
            all.push(("default_partition_expiration_days", "FLOAT64", days(millis)));
        }
        for option in all {
            let mut row = vec![text(&dataset.id.project), text(&dataset.id.dataset)];
            row.extend(cells(option));
            rows.push(row);
        }
    }
    batch(&columns, rows)
}
