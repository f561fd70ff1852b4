//! One value, read from text or JSON as `BigQuery` reads it.

use datafusion::arrow::datatypes::i256;
use serde_json::{Map, Value};

use crate::schema::{Digits, Field, Kind, Mode, Schema};
use crate::sql::texts;

/// A value that fits its column.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// NULL.
    Null,
    /// BOOL.
    Bool(bool),
    /// INT64.
    Int(i64),
    /// FLOAT64.
    Float(f64),
    /// STRING and JSON.
    Text(String),
    /// BYTES.
    Bytes(Vec<u8>),
    /// NUMERIC: billionths.
    Numeric(i128),
    /// BIGNUMERIC: with 38 digits behind the point.
    Big(i256),
    /// DATE: since 1970.
    Days(i32),
    /// DATETIME, TIMESTAMP, TIME.
    Micros(i64),
    /// ARRAY.
    List(Vec<Cell>),
    /// STRUCT.
    Struct(Vec<Cell>),
}

/// A value that does not fit its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The column with the names of the records around it.
    pub field: String,
    /// In which way.
    pub kind: WrongKind,
}

/// In which way a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongKind {
    /// It cannot be read as the type: the type's name, and the value.
    Value(&'static str, String),
    /// The table has no such column.
    Unknown,
    /// It is missing, and required.
    Missing,
    /// A list where one value is to be.
    NotRepeated,
    /// One value where a list is to be.
    Repeated,
    /// NULL within a list.
    NullItem,
    /// No object where a record is to be.
    NotRecord,
}

/// How JSON is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JsonRules {
    /// Names that the table does not have are left out.
    pub ignore_unknown: bool,
    /// A STRING for a JSON column is the text of JSON, not a JSON string.
    pub json_as_text: bool,
}

impl Wrong {
    fn new(field: impl Into<String>, kind: WrongKind) -> Self {
        Self {
            field: field.into(),
            kind,
        }
    }

    /// As a load job says it.
    #[must_use]
    pub fn load_message(&self) -> String {
        let field = &self.field;
        match &self.kind {
            WrongKind::Value(name, value) => {
                format!("Could not convert value to {name}. Field: {field}; Value: {value}")
            }
            WrongKind::Unknown => format!("No such field: {field}."),
            WrongKind::Missing => format!("Missing required field: {field}."),
            WrongKind::NotRepeated => {
                format!("Array specified for non-repeated field: {field}.")
            }
            WrongKind::Repeated => {
                format!("Repeated field must be imported as a JSON array. Field: {field}.")
            }
            WrongKind::NullItem => {
                format!("Only optional fields can be set to NULL. Field: {field}; Value: NULL")
            }
            WrongKind::NotRecord => format!("This field: {field} is not a record."),
        }
    }

    /// As a streaming insert says it.
    #[must_use]
    pub fn insert_message(&self) -> String {
        let field = &self.field;
        match &self.kind {
            WrongKind::Value(name, value) => {
                format!("Cannot convert value to {name} (bad value): {value}")
            }
            WrongKind::Unknown => format!("no such field: {field}."),
            WrongKind::Missing => format!("Missing required field: {field}."),
            WrongKind::NotRepeated => {
                format!("Array specified for non-repeated field: {field}.")
            }
            WrongKind::Repeated => format!("Field value of {field} cannot be a single value."),
            WrongKind::NullItem => format!("Field value of {field} cannot be empty."),
            WrongKind::NotRecord => format!("This field: {field} is not a record."),
        }
    }
}

/// What messages call a type.
fn said(kind: &Kind) -> &'static str {
    match kind {
        Kind::Int64 => "integer",
        Kind::Float64 => "float",
        Kind::Numeric(_) => "numeric",
        Kind::BigNumeric(_) => "bignumeric",
        Kind::Bool => "boolean",
        Kind::String(_) => "string",
        Kind::Bytes(_) => "bytes",
        Kind::Date => "date",
        Kind::Datetime => "datetime",
        Kind::Time => "time",
        Kind::Timestamp => "timestamp",
        Kind::Json => "json",
        Kind::Interval => "interval",
        Kind::Struct(_) => "record",
    }
}

/// Reads text as one value of a type; none if it is not one.
pub(crate) fn read(kind: &Kind, text: &str) -> Option<Cell> {
    let bare = text.trim();
    Some(match kind {
        Kind::String(most) => {
            let fits = most.is_none_or(|most| text.chars().count() <= most as usize);
            fits.then(|| Cell::Text(text.to_owned()))?
        }
        Kind::Int64 => Cell::Int(bare.parse().ok()?),
        Kind::Float64 => Cell::Float(bare.parse().ok()?),
        Kind::Bool => match bare.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" => Cell::Bool(true),
            "false" | "f" | "no" | "n" | "0" => Cell::Bool(false),
            _ => return None,
        },
        Kind::Numeric(digits) => Cell::Numeric(bounded(texts::numeric(bare)?, *digits)?),
        Kind::BigNumeric(_) => Cell::Big(texts::big(bare)?),
        Kind::Bytes(most) => {
            let bytes = texts::bytes(bare)?;
            let fits = most.is_none_or(|most| bytes.len() <= most as usize);
            fits.then_some(Cell::Bytes(bytes))?
        }
        Kind::Date => Cell::Days(texts::date(&dashed(bare))?),
        Kind::Datetime => Cell::Micros(texts::datetime(&dashed(bare))?),
        Kind::Timestamp => Cell::Micros(texts::timestamp(&dashed(bare))?),
        Kind::Time => Cell::Micros(texts::time(bare)?),
        Kind::Json => Cell::Text(serde_json::from_str::<Value>(text).ok()?.to_string()),
        Kind::Interval | Kind::Struct(_) => return None,
    })
}

/// `2026/01/31` as `2026-01-31`.
fn dashed(text: &str) -> String {
    match text.as_bytes() {
        [_, _, _, _, b'/', ..] => text.replacen('/', "-", 2),
        _ => text.to_owned(),
    }
}

/// The value with the digits that the column has; none if it is too large.
fn bounded(value: i128, digits: Option<Digits>) -> Option<i128> {
    let Some(Digits { precision, scale }) = digits else {
        return Some(value);
    };
    let unit = 10_i128.checked_pow(u32::try_from(9 - i32::from(scale)).ok()?)?;
    let half = if value < 0 { -(unit / 2) } else { unit / 2 };
    let rounded = (value + half) / unit * unit;
    let whole = u32::try_from(i32::from(precision) - i32::from(scale)).ok()?;
    let most = 10_i128.checked_pow(whole + 9)?;
    (rounded.abs() < most).then_some(rounded)
}

/// A row of JSON as values of the columns in their order.
///
/// # Errors
/// The first thing that does not fit.
pub fn row_of_json(
    schema: &Schema,
    row: &Map<String, Value>,
    rules: JsonRules,
) -> Result<Vec<Cell>, Wrong> {
    record(&schema.fields, row, rules, "")
}

fn record(
    fields: &[Field],
    row: &Map<String, Value>,
    rules: JsonRules,
    path: &str,
) -> Result<Vec<Cell>, Wrong> {
    let mut cells: Vec<Option<Cell>> = vec![None; fields.len()];
    for (name, value) in row {
        let found = fields
            .iter()
            .position(|field| field.name.eq_ignore_ascii_case(name));
        match found {
            Some(at) => cells[at] = Some(of_json(&fields[at], value, rules, path)?),
            None if rules.ignore_unknown => {}
            None => return Err(Wrong::new(format!("{path}{name}"), WrongKind::Unknown)),
        }
    }
    fields
        .iter()
        .zip(cells)
        .map(|(field, cell)| match (cell, field.mode) {
            (None | Some(Cell::Null), Mode::Required) => Err(Wrong::new(
                format!("{path}{}", field.name),
                WrongKind::Missing,
            )),
            (Some(cell), _) => Ok(cell),
            (None, Mode::Repeated) => Ok(Cell::List(Vec::new())),
            (None, _) => Ok(Cell::Null),
        })
        .collect()
}

fn of_json(field: &Field, value: &Value, rules: JsonRules, path: &str) -> Result<Cell, Wrong> {
    let name = format!("{path}{}", field.name);
    match (field.mode, value) {
        (Mode::Repeated, Value::Null) => Ok(Cell::List(Vec::new())),
        (Mode::Repeated, Value::Array(items)) => items
            .iter()
            .map(|item| match item {
                Value::Null => Err(Wrong::new(&name, WrongKind::NullItem)),
                item => one(&field.kind, item, rules, &name),
            })
            .collect::<Result<_, _>>()
            .map(Cell::List),
        (Mode::Repeated, _) => Err(Wrong::new(name, WrongKind::Repeated)),
        (_, Value::Null) => Ok(Cell::Null),
        (_, Value::Array(_)) if field.kind != Kind::Json => {
            Err(Wrong::new(name, WrongKind::NotRepeated))
        }
        (_, value) => one(&field.kind, value, rules, &name),
    }
}

fn one(kind: &Kind, value: &Value, rules: JsonRules, name: &str) -> Result<Cell, Wrong> {
    let wrong = || {
        let shown = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Wrong::new(name, WrongKind::Value(said(kind), shown))
    };
    match (kind, value) {
        (Kind::Struct(fields), Value::Object(row)) => {
            record(fields, row, rules, &format!("{name}.")).map(Cell::Struct)
        }
        (Kind::Struct(_), _) => Err(Wrong::new(name, WrongKind::NotRecord)),
        (Kind::Json, Value::String(text)) if rules.json_as_text => {
            read(kind, text).ok_or_else(wrong)
        }
        (Kind::Json, value) => Ok(Cell::Text(value.to_string())),
        (kind, Value::String(text)) => read(kind, text).ok_or_else(wrong),
        (Kind::String(_), Value::Number(number)) => {
            read(kind, &number.to_string()).ok_or_else(wrong)
        }
        (Kind::String(_), Value::Bool(flag)) => read(kind, &flag.to_string()).ok_or_else(wrong),
        (Kind::Bool, Value::Bool(flag)) => Ok(Cell::Bool(*flag)),
        (Kind::Int64, Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Ok(Cell::Int(number)),
            // 1.0 is a whole number, too, as far as a float can say.
            (None, Some(float)) if float.fract() == 0.0 && float.abs() < 9e15 => {
                #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
                let whole = float as i64;
                Ok(Cell::Int(whole))
            }
            _ => Err(wrong()),
        },
        (Kind::Float64, Value::Number(number)) => {
            number.as_f64().map(Cell::Float).ok_or_else(wrong)
        }
        (Kind::Numeric(_) | Kind::BigNumeric(_), Value::Number(number)) => {
            read(kind, &number.to_string()).ok_or_else(wrong)
        }
        (Kind::Timestamp, Value::Number(number)) => seconds(&number.to_string())
            .map(Cell::Micros)
            .ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

/// Seconds since 1970 as microseconds.
fn seconds(text: &str) -> Option<i64> {
    let billionths = texts::numeric(text)?;
    i64::try_from(billionths / 1_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(field: &Field, value: &Value) -> Result<Cell, String> {
        of_json(field, value, JsonRules::default(), "").map_err(|wrong| wrong.load_message())
    }

    #[test]
    fn json_is_read_by_the_type_of_its_column() {
        use serde_json::json;
        let one = |kind: Kind, value: Value| cell(&Field::new("x", kind), &value);
        assert_eq!(one(Kind::Int64, json!("-7")), Ok(Cell::Int(-7)));
        assert_eq!(one(Kind::Int64, json!(1.0)), Ok(Cell::Int(1)));
        assert_eq!(
            one(Kind::Int64, json!(1.5)),
            Err("Could not convert value to integer. Field: x; Value: 1.5".to_owned())
        );
        assert_eq!(
            one(Kind::Timestamp, json!(1.5)),
            Ok(Cell::Micros(1_500_000))
        );
        assert_eq!(
            one(Kind::Timestamp, json!("1970-01-01T00:00:01+01:00")),
            Ok(Cell::Micros(-3_599_000_000))
        );
        assert_eq!(one(Kind::Date, json!("1970/01/02")), Ok(Cell::Days(1)));
        assert_eq!(
            one(
                Kind::Numeric(Some(Digits {
                    precision: 3,
                    scale: 1
                })),
                json!("99.96")
            ),
            Err("Could not convert value to numeric. Field: x; Value: 99.96".to_owned())
        );
        assert_eq!(
            one(
                Kind::Numeric(Some(Digits {
                    precision: 3,
                    scale: 1
                })),
                json!(12.34)
            ),
            Ok(Cell::Numeric(12_300_000_000))
        );
        assert_eq!(
            one(Kind::Json, json!({"a": [1]})),
            Ok(Cell::Text("{\"a\":[1]}".to_owned()))
        );
        assert_eq!(
            one(Kind::Bytes(None), json!("YWJj")),
            Ok(Cell::Bytes(b"abc".to_vec()))
        );
    }

    #[test]
    fn records_and_lists_are_looked_into() {
        use serde_json::json;
        let fields = vec![
            Field::new("sku", Kind::String(None)).mode(Mode::Required),
            Field::new("n", Kind::Int64),
        ];
        let items = Field::new("items", Kind::Struct(fields)).mode(Mode::Repeated);
        assert_eq!(
            cell(&items, &json!([{"SKU": "a", "n": 1}])),
            Ok(Cell::List(vec![Cell::Struct(vec![
                Cell::Text("a".to_owned()),
                Cell::Int(1)
            ])]))
        );
        for (value, message) in [
            (json!([{"n": 1}]), "Missing required field: items.sku."),
            (json!([{"sku": "a", "z": 1}]), "No such field: items.z."),
            (
                json!({"sku": "a"}),
                "Repeated field must be imported as a JSON array. Field: items.",
            ),
            (json!([1]), "This field: items is not a record."),
            (
                json!([null]),
                "Only optional fields can be set to NULL. Field: items; Value: NULL",
            ),
        ] {
            assert_eq!(cell(&items, &value), Err(message.to_owned()));
        }
    }
}
