//! Rows of tables, of results and of files.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::shown::cut;

/// Characters of a value that are shown.
const VALUE: usize = 400;

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// `STRING`, `RECORD`, …
    pub(super) kind: String,
    number: bool,
}

/// A value.
#[derive(Debug)]
pub(super) struct Cell {
    /// None is NULL.
    pub(super) text: Option<String>,
    pub(super) number: bool,
}

/// Columns and rows.
#[derive(Debug, Default)]
pub(super) struct Grid {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

impl Grid {
    /// Of a schema and rows as REST has them.
    pub(super) fn of(schema: Option<&Value>, rows: Option<&Value>) -> Self {
        let fields = fields(schema);
        let rows = rows
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        Self {
            rows: rows.iter().map(|row| cells(fields, row)).collect(),
            columns: fields.iter().map(Column::of).collect(),
        }
    }
}

impl Column {
    fn of(field: &Value) -> Self {
        let kind = text(field, "type");
        Self {
            name: text(field, "name").to_owned(),
            number: is_number(field),
            kind: match text(field, "mode") {
                "REPEATED" => format!("ARRAY of {kind}"),
                _ => kind.to_owned(),
            },
        }
    }

    pub(super) fn number(&self) -> bool {
        self.number
    }
}

fn fields(schema: Option<&Value>) -> &[Value] {
    schema
        .and_then(|schema| schema.get("fields"))
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

fn is_number(field: &Value) -> bool {
    let kind = text(field, "type");
    let number = [
        "INTEGER",
        "INT64",
        "FLOAT",
        "FLOAT64",
        "NUMERIC",
        "BIGNUMERIC",
    ];
    text(field, "mode") != "REPEATED" && number.contains(&kind)
}

fn cells(fields: &[Value], row: &Value) -> Vec<Cell> {
    let values = row.get("f").and_then(Value::as_array);
    let values = values.map_or(&[][..], Vec::as_slice);
    let cell = |(field, value): (&Value, &Value)| Cell {
        text: shown(field, value.get("v").unwrap_or(&Value::Null)).map(|text| cut(&text, VALUE)),
        number: is_number(field),
    };
    fields.iter().zip(values).map(cell).collect()
}

/// A value as text. None is NULL.
fn shown(field: &Value, value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        // A REPEATED column; one that is read from JSON is a text already.
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| single(field, item.get("v").unwrap_or(&Value::Null)))
                .collect();
            Some(format!("[{}]", items.join(", ")))
        }
        value => Some(single(field, value)),
    }
}

fn single(field: &Value, value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) if field.get("type").is_some_and(|kind| kind == "TIMESTAMP") => {
            moment(text).unwrap_or_else(|| text.clone())
        }
        Value::String(text) => text.clone(),
        Value::Object(record) => {
            let values = record.get("f").and_then(Value::as_array);
            let values = values.map_or(&[][..], Vec::as_slice);
            let inner = fields(Some(field)).iter().zip(values);
            let inner: Vec<String> = inner
                .map(|(field, value)| {
                    let value = shown(field, value.get("v").unwrap_or(&Value::Null));
                    let value = value.unwrap_or_else(|| "NULL".to_owned());
                    format!("{}: {value}", text(field, "name"))
                })
                .collect();
            format!("{{{}}}", inner.join(", "))
        }
        other => other.to_string(),
    }
}

/// Microseconds since 1970 as a moment.
fn moment(micros: &str) -> Option<String> {
    let at: DateTime<Utc> = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
    Some(format!("{} UTC", at.format("%Y-%m-%d %H:%M:%S%.f")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_shown_by_their_types() {
        let schema = json!({ "fields": [
            { "name": "n", "type": "INTEGER" },
            { "name": "at", "type": "TIMESTAMP" },
            { "name": "l", "type": "STRING", "mode": "REPEATED" },
            { "name": "r", "type": "RECORD", "fields": [{ "name": "x", "type": "INTEGER" }, { "name": "y", "type": "STRING" }] },
            { "name": "none", "type": "STRING" },
        ] });
        let rows = json!([{ "f": [
            { "v": "7" }, { "v": "1500000" }, { "v": [{ "v": "a" }, { "v": "b" }] },
            { "v": { "f": [{ "v": "1" }, { "v": null }] } }, { "v": null },
        ] }]);
        let grid = Grid::of(Some(&schema), Some(&rows));
        let shown: Vec<Option<&str>> = grid.rows[0]
            .iter()
            .map(|cell| cell.text.as_deref())
            .collect();
        assert_eq!(
            shown,
            [
                Some("7"),
                Some("1970-01-01 00:00:01.500 UTC"),
                Some("[a, b]"),
                Some("{x: 1, y: NULL}"),
                None
            ]
        );
        assert!(grid.columns[0].number());
        assert_eq!(grid.columns[2].kind, "ARRAY of STRING");
    }

    #[test]
    fn what_does_not_fit_is_no_panic() {
        for (schema, rows) in [
            (json!(null), json!(null)),
            (json!({ "fields": 1 }), json!([1, {}, { "f": 2 }])),
            (
                json!({ "fields": [1, {}] }),
                json!([{ "f": [1, { "v": [1] }] }]),
            ),
        ] {
            Grid::of(Some(&schema), Some(&rows));
        }
    }
}
