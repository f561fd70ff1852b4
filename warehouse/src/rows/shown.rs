//! Values as clients are shown them.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int64Type,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use serde_json::{Map, Value, json};

use crate::schema::{Field, Kind, Mode, Schema};
use crate::sql::texts;

/// How single values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellText {
    /// As REST writes them; a TIMESTAMP is seconds since 1970 as a float.
    Rest,
    /// The same with a TIMESTAMP in microseconds.
    RestMicros,
    /// As files that are extracted have them.
    File,
}

/// Rows as REST has them: `{"f": [{"v": …}]}`.
#[must_use]
pub fn shown_rows(schema: &Schema, batch: &RecordBatch, how: CellText) -> Vec<Value> {
    (0..batch.num_rows())
        .map(|row| {
            let cells: Vec<Value> = schema
                .fields
                .iter()
                .zip(batch.columns())
                .map(|(field, column)| json!({ "v": shown(field, column.as_ref(), row, how) }))
                .collect();
            json!({ "f": cells })
        })
        .collect()
}

fn shown(field: &Field, column: &dyn Array, row: usize, how: CellText) -> Value {
    if field.mode == Mode::Repeated {
        let items = column.as_list::<i32>().value(row);
        if column.is_null(row) {
            return json!([]);
        }
        return (0..items.len())
            .map(|at| json!({ "v": single(&field.kind, items.as_ref(), at, how) }))
            .collect();
    }
    single(&field.kind, column, row, how)
}

fn single(kind: &Kind, column: &dyn Array, row: usize, how: CellText) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match kind {
        Kind::Struct(fields) => {
            let inner = column.as_struct();
            let cells: Vec<Value> = fields
                .iter()
                .zip(inner.columns())
                .map(|(field, column)| json!({ "v": shown(field, column.as_ref(), row, how) }))
                .collect();
            json!({ "f": cells })
        }
        _ => text_of(column, row, how).map_or(Value::Null, Value::String),
    }
}

/// One value as text; none is NULL.
#[must_use]
pub fn text_of(column: &dyn Array, row: usize, how: CellText) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    let moment = |micros: i64| texts::datetime_text(micros);
    Some(match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => texts::float_text(column.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Binary => texts::base64(column.as_binary::<i32>().value(row)),
        DataType::Decimal128(..) => {
            texts::numeric_text(column.as_primitive::<Decimal128Type>().value(row))
        }
        DataType::Decimal256(..) => {
            texts::big_text(column.as_primitive::<Decimal256Type>().value(row))
        }
        DataType::Date32 => texts::date_text(column.as_primitive::<Date32Type>().value(row)),
        DataType::Time64(_) => long(&texts::time_text(
            column.as_primitive::<Time64MicrosecondType>().value(row),
        )),
        DataType::Timestamp(_, zone) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            match (zone, how) {
                (None, _) => long(&moment(micros).replacen(' ', "T", 1)),
                (Some(_), CellText::File) => format!("{} UTC", moment(micros)),
                (Some(_), CellText::RestMicros) => micros.to_string(),
                #[expect(clippy::cast_precision_loss, reason = "REST has floats there")]
                (Some(_), CellText::Rest) => format!("{:E}", micros as f64 / 1e6),
            }
        }
        DataType::Interval(_) => {
            let value = column.as_primitive::<IntervalMonthDayNanoType>().value(row);
            interval(value.months, value.days, value.nanoseconds)
        }
        other => format!("a value of {other}"),
    })
}

/// Six digits behind the point where there are three.
fn long(text: &str) -> String {
    match text.rsplit_once('.') {
        Some((_, part)) if part.len() == 3 => format!("{text}000"),
        _ => text.to_owned(),
    }
}

/// `1-2 3 4:5:6.789`.
fn interval(months: i32, days: i32, nanos: i64) -> String {
    let sign = |negative: bool| if negative { "-" } else { "" };
    let micros = nanos / 1_000;
    let seconds = micros.abs() / 1_000_000;
    let part = micros.abs() % 1_000_000;
    let part = match part {
        0 => String::new(),
        some => format!(".{some:06}"),
    };
    format!(
        "{}{}-{} {days} {}{}:{}:{}{part}",
        sign(months < 0),
        months.abs() / 12,
        months.abs() % 12,
        sign(micros < 0),
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Rows as objects, the way files of JSON have them: INT64 and NUMERIC are text, NULL is left out.
#[must_use]
pub fn json_rows(schema: &Schema, batch: &RecordBatch) -> Vec<Value> {
    (0..batch.num_rows())
        .map(|row| Value::Object(object(&schema.fields, batch.columns(), row)))
        .collect()
}

fn object(
    fields: &[Field],
    columns: &[datafusion::arrow::array::ArrayRef],
    row: usize,
) -> Map<String, Value> {
    let mut map = Map::new();
    for (field, column) in fields.iter().zip(columns) {
        let value = if field.mode == Mode::Repeated {
            let items = column.as_list::<i32>().value(row);
            (0..items.len())
                .map(|at| plain(&field.kind, items.as_ref(), at))
                .collect()
        } else {
            plain(&field.kind, column.as_ref(), row)
        };
        if !value.is_null() {
            map.insert(field.name.clone(), value);
        }
    }
    map
}

fn plain(kind: &Kind, column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match kind {
        Kind::Struct(fields) => Value::Object(object(fields, column.as_struct().columns(), row)),
        Kind::Bool => Value::Bool(column.as_boolean().value(row)),
        Kind::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            serde_json::Number::from_f64(value)
                .map_or_else(|| json!(texts::float_text(value)), Value::Number)
        }
        _ => text_of(column, row, CellText::File).map_or(Value::Null, Value::String),
    }
}
