//! Columns as an author declares them, and how they differ from those of a table.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Whether a column may be empty, or has many values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ColumnMode {
    /// It may be NULL.
    #[default]
    Nullable,
    /// It is never NULL.
    Required,
    /// It is an array.
    Repeated,
}

impl ColumnMode {
    const fn word(self) -> &'static str {
        match self {
            Self::Nullable => "NULLABLE",
            Self::Required => "REQUIRED",
            Self::Repeated => "REPEATED",
        }
    }
}

/// A column: `Column::required("ticket_id", "INT64")`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type in BigQuery's words, such as `INT64`, `STRING`, `NUMERIC` or `STRUCT`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it may be empty.
    #[serde(default)]
    pub mode: ColumnMode,
    /// What it means.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The fields of a `STRUCT`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Self>,
}

impl Column {
    fn new(name: impl Into<String>, kind: impl Into<String>, mode: ColumnMode) -> Self {
        Self {
            name: name.into(),
            kind: kind.into(),
            mode,
            description: String::new(),
            fields: Vec::new(),
        }
    }

    /// One that may be NULL.
    pub fn nullable(name: impl Into<String>, kind: impl Into<String>) -> Self {
        Self::new(name, kind, ColumnMode::Nullable)
    }

    /// One that is never NULL.
    pub fn required(name: impl Into<String>, kind: impl Into<String>) -> Self {
        Self::new(name, kind, ColumnMode::Required)
    }

    /// An array.
    pub fn repeated(name: impl Into<String>, kind: impl Into<String>) -> Self {
        Self::new(name, kind, ColumnMode::Repeated)
    }

    /// What it means; BigQuery shows it.
    pub fn described(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// The fields of a `STRUCT`.
    pub fn with(mut self, fields: impl IntoIterator<Item = Self>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// The columns in the JSON of a schema.
    pub(super) fn all_of(fields: &Value) -> Vec<Self> {
        let all = fields.as_array().into_iter().flatten();
        all.map(Self::read).collect()
    }

    fn read(field: &Value) -> Self {
        let text = |name: &str| field.get(name).and_then(Value::as_str).unwrap_or_default();
        let mode = match text("mode").to_ascii_uppercase().as_str() {
            "REQUIRED" => ColumnMode::Required,
            "REPEATED" => ColumnMode::Repeated,
            _ => ColumnMode::Nullable,
        };
        Self {
            name: text("name").to_owned(),
            kind: text("type").to_owned(),
            mode,
            description: text("description").to_owned(),
            fields: field.get("fields").map(Self::all_of).unwrap_or_default(),
        }
    }

    /// As requests have it.
    pub(super) fn json(&self) -> Value {
        let mut field = json!({ "name": self.name, "type": self.kind, "mode": self.mode.word() });
        if !self.description.is_empty() {
            field["description"] = json!(self.description);
        }
        if !self.fields.is_empty() {
            field["fields"] = self.fields.iter().map(Self::json).collect();
        }
        field
    }

    fn words(&self) -> String {
        format!("{} {}", plain(&self.kind), self.mode.word())
    }
}

/// One name for one type, without its size.
fn plain(kind: &str) -> String {
    let name = kind.split(['(', '<']).next().unwrap_or_default();
    let name = name.trim().to_ascii_uppercase();
    match name.as_str() {
        "INTEGER" | "INT" | "BIGINT" | "SMALLINT" | "TINYINT" | "BYTEINT" => "INT64".to_owned(),
        "FLOAT" => "FLOAT64".to_owned(),
        "BOOLEAN" => "BOOL".to_owned(),
        "RECORD" => "STRUCT".to_owned(),
        "DECIMAL" => "NUMERIC".to_owned(),
        "BIGDECIMAL" => "BIGNUMERIC".to_owned(),
        _ => name,
    }
}

/// What of a schema may change without being an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Allowed {
    /// Columns that the table does not have are added.
    pub(super) new_columns: bool,
    /// Columns that are never NULL in the table may be.
    pub(super) nulls: bool,
}

/// How declared columns differ from those of a table: a line for each that does, in words. Columns that only the table has are a
/// difference if they must not be NULL.
pub(super) fn drift(declared: &[Column], table: &[Column], allowed: Allowed) -> Vec<String> {
    let mut lines = Vec::new();
    within("", (declared, table), allowed, &mut lines);
    lines
}

fn within(
    path: &str,
    (declared, table): (&[Column], &[Column]),
    allowed: Allowed,
    lines: &mut Vec<String>,
) {
    let is = |a: &Column, b: &Column| a.name.eq_ignore_ascii_case(&b.name);
    for column in declared {
        let name = format!("{path}{}", column.name);
        let Some(there) = table.iter().find(|there| is(there, column)) else {
            match (allowed.new_columns, column.mode) {
                (true, ColumnMode::Required) => lines.push(format!(
                    "`{name}`: the table does not have it, and a new column cannot be REQUIRED"
                )),
                (true, _) => {}
                (false, _) => lines.push(format!(
                    "`{name}`: {} here, and the table does not have it",
                    column.words()
                )),
            }
            continue;
        };
        let relaxed = (there.mode, column.mode) == (ColumnMode::Required, ColumnMode::Nullable);
        let same_mode = there.mode == column.mode || (relaxed && allowed.nulls);
        if plain(&there.kind) != plain(&column.kind) || !same_mode {
            lines.push(format!(
                "`{name}`: {} here, and {} in the table",
                column.words(),
                there.words()
            ));
        }
        within(
            &format!("{name}."),
            (&column.fields, &there.fields),
            allowed,
            lines,
        );
    }
    for there in table {
        let missing = !declared.iter().any(|column| is(column, there));
        if missing && there.mode == ColumnMode::Required {
            lines.push(format!(
                "`{path}{}`: {} in the table, and missing here",
                there.name,
                there.words()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_told_column_by_column() {
        let table = [
            Column::required("id", "INTEGER"),
            Column::nullable("amount", "FLOAT"),
            Column::nullable("note", "STRING"),
            Column::required("at", "TIMESTAMP"),
            Column::nullable("who", "RECORD").with([Column::nullable("name", "STRING")]),
        ];
        let declared = [
            Column::nullable("ID", "INT64"),
            Column::nullable("amount", "NUMERIC"),
            Column::nullable("extra", "STRING"),
            Column::nullable("who", "STRUCT").with([Column::nullable("name", "INT64")]),
        ];
        let lines = drift(&declared, &table, Allowed::default());
        assert_eq!(
            lines,
            [
                "`ID`: INT64 NULLABLE here, and INT64 REQUIRED in the table",
                "`amount`: NUMERIC NULLABLE here, and FLOAT64 NULLABLE in the table",
                "`extra`: STRING NULLABLE here, and the table does not have it",
                "`who.name`: INT64 NULLABLE here, and STRING NULLABLE in the table",
                "`at`: TIMESTAMP REQUIRED in the table, and missing here",
            ]
        );
        let all = Allowed {
            new_columns: true,
            nulls: true,
        };
        assert_eq!(drift(&declared, &table, all).len(), 3);
        assert_eq!(
            drift(&table, &table, Allowed::default()),
            Vec::<String>::new()
        );
    }
}
