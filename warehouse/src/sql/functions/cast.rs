//! CAST, and how values are written and read as text.

use datafusion::arrow::datatypes::{DataType, FieldRef, i256};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ReturnFieldArgs;
use datafusion::scalar::ScalarValue;

use super::civil::{self, DAY};
use super::row::{RowFunction, is_json, json_field, list_of, of, row, type_name};
use super::shape;
use super::value::{NANO, V, divide_half_away, fail, numeric_to_big, rounded_big};
use crate::schema::{Digits, Kind};

/// The functions of this module.
pub(super) const ALL: &[RowFunction] = &[
    row("cast_to", "AS[SS]", cast).gives(cast_gives).lax(),
    row("string", "J->S|T[S]->S|D->S|M->S|O->S", string),
];

fn string(a: &[V]) -> Result<V> {
    match &a[0] {
        V::Json(_) => super::json::strict_scalar(&a[0], "STRING"),
        V::Timestamp(at) => {
            let zone = a.get(1).map_or(Ok("UTC"), V::str)?;
            Ok(V::Str(civil::timestamp_text(*at, zone)?))
        }
        other => text(other).map(V::Str),
    }
}

/// The type that a name in SQL stands for.
pub(super) fn kind_of(name: &str) -> Result<FieldRef> {
    let name = name.trim();
    let upper = name.to_ascii_uppercase();
    if let Some(inner) = shape::inside(name, "ARRAY") {
        return Ok(list_of(kind_of(inner)?.as_ref()));
    }
    if let Some(within) = shape::within(name) {
        return shape::kind(within).map(of);
    }
    match Kind::from_name(&upper) {
        Some(Kind::Json) => Ok(json_field()),
        Some(Kind::Interval) | None => Err(DataFusionError::Plan(format!(
            "Type not supported here: {name}"
        ))),
        Some(kind) => Ok(of(kind.to_arrow())),
    }
}

fn cast_gives(args: &ReturnFieldArgs<'_>) -> Result<FieldRef> {
    let Some(Some(ScalarValue::Utf8(Some(name)))) = args.scalar_arguments.get(1) else {
        return Err(DataFusionError::Plan("CAST needs a type".to_owned()));
    };
    let target = kind_of(name)?;
    let source = &args.arg_fields[0];
    if !castable(source, &target) {
        return Err(DataFusionError::Plan(format!(
            "Invalid cast from {} to {}",
            type_name(source),
            type_name(&target)
        )));
    }
    Ok(target)
}

fn castable(source: &FieldRef, target: &FieldRef) -> bool {
    use DataType as T;
    if is_json(source) != is_json(target) {
        return matches!(source.data_type(), T::Null);
    }
    let text = |kind: &T| matches!(kind, T::Utf8 | T::LargeUtf8 | T::Utf8View);
    let bytes = |kind: &T| matches!(kind, T::Binary | T::LargeBinary | T::BinaryView);
    let number = |kind: &T| {
        matches!(
            kind,
            T::Int64 | T::Int32 | T::UInt64 | T::Float64 | T::Float32
        ) || kind.is_decimal()
    };
    let day = |kind: &T| matches!(kind, T::Date32 | T::Timestamp(..));
    match (source.data_type(), target.data_type()) {
        (T::Null, _) => true,
        (T::List(from), T::List(to)) => castable(from, to),
        (T::Struct(from), T::Struct(to)) => {
            from.len() == to.len() && from.iter().zip(to).all(|(from, to)| castable(from, to))
        }
        (T::List(_) | T::Struct(_), _) | (_, T::List(_)) => false,
        (from, to) if text(from) || text(to) => true,
        (from, to) if bytes(from) || bytes(to) => bytes(from) && bytes(to),
        (from, to) if number(from) && number(to) => true,
        (T::Int64, T::Boolean) | (T::Boolean, T::Int64 | T::Boolean) => true,
        (T::Time64(_), T::Time64(_)) | (T::Timestamp(..), T::Time64(_)) => true,
        (from, to) => day(from) && day(to),
    }
}

fn cast(a: &[V]) -> Result<V> {
    let format = match a.get(2) {
        None => None,
        Some(V::Null) => return Ok(V::Null),
        Some(format) => Some(format.str()?),
    };
    let name = a[1].str()?;
    if let Some(format) = format {
        return super::cast_format::cast(&a[0], &name.to_ascii_uppercase(), format, a.get(3));
    }
    to(&a[0], name)
}

/// The value as another type.
pub(super) fn to(v: &V, name: &str) -> Result<V> {
    if let Some(inner) = shape::inside(name, "ARRAY") {
        return match v {
            V::Null => Ok(V::Null),
            list => Ok(V::List(
                list.list()?
                    .iter()
                    .map(|item| to(item, inner))
                    .collect::<Result<_>>()?,
            )),
        };
    }
    if matches!(v, V::Null) {
        return Ok(V::Null);
    }
    if let Some(within) = shape::within(name) {
        return record(v, within);
    }
    let Some(kind) = Kind::from_name(&name.to_ascii_uppercase()) else {
        return fail(format!("Type not found: {name}"));
    };
    match kind {
        Kind::Int64 => int(v).map(V::Int),
        Kind::Float64 => float(v).map(V::Float),
        Kind::Numeric(digits) => {
            let value = numeric(v)?;
            bounded(value, digits)
        }
        Kind::BigNumeric(None) => big(v).map(V::Big),
        Kind::BigNumeric(Some(digits)) => {
            let value = big(v)?;
            match rounded_big(value, digits) {
                Some(value) => Ok(V::Big(value)),
                None => fail(format!(
                    "Value of type BIGNUMERIC({}, {}) out of range: {}",
                    digits.precision,
                    digits.scale,
                    big_text(value)
                )),
            }
        }
        Kind::Bool => boolean(v).map(V::Bool),
        Kind::String(most) => {
            let text = text(v)?;
            match most {
                Some(most) if text.chars().count() > most as usize => fail(format!(
                    "{name} has maximum length {most} but got a value with length {}",
                    text.chars().count()
                )),
                _ => Ok(V::Str(text)),
            }
        }
        Kind::Bytes(_) => Ok(V::Bytes(v.bytes()?.to_vec())),
        Kind::Date => civil::to_date(v, None).map(V::Date),
        Kind::Datetime => civil::to_datetime(v, None).map(V::Datetime),
        Kind::Time => civil::to_time(v).map(V::Time),
        Kind::Timestamp => civil::to_timestamp(v, None).map(V::Timestamp),
        Kind::Json => match v {
            V::Json(text) => Ok(V::Json(text.clone())),
            _ => fail("Invalid cast to JSON"),
        },
        Kind::Interval | Kind::Struct(_) => fail(format!("Invalid cast to {name}")),
    }
}

/// A STRUCT as another, field by field.
fn record(v: &V, within: &str) -> Result<V> {
    let (V::Other(ScalarValue::Struct(found)), DataType::Struct(fields)) =
        (v, shape::kind(within)?)
    else {
        return fail("Invalid cast to STRUCT");
    };
    let values = shape::values(found)?
        .iter()
        .zip(shape::parts(within))
        .map(|(value, (_, kind))| to(value, kind))
        .collect::<Result<Vec<_>>>()?;
    shape::record(values, &fields).map(V::Other)
}

fn int(v: &V) -> Result<i64> {
    let whole = |v: i128| i64::try_from(v).or_else(|_| fail(format!("int64 out of range: {v}")));
    match v {
        V::Int(v) => Ok(*v),
        V::Bool(v) => Ok(i64::from(*v)),
        V::Float(v) => {
            // Half away from zero, as `round` has it.
            let rounded = v.round();
            if rounded.is_nan()
                || !(-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(&rounded)
            {
                return fail(format!(
                    "Illegal conversion of non-finite or too large floating point number to an integer: {}",
                    float_text(*v)
                ));
            }
            Ok(rounded as i64)
        }
        V::Numeric(v) => whole(divide_half_away(*v, NANO)),
        V::Big(_) => {
            let value = numeric(v)?;
            whole(divide_half_away(value, NANO))
        }
        V::Str(text) => {
            let bare = text.trim();
            let (negative, digits) = match bare.strip_prefix('-') {
                Some(rest) => (true, rest),
                None => (false, bare.strip_prefix('+').unwrap_or(bare)),
            };
            let hex = digits
                .strip_prefix("0x")
                .or_else(|| digits.strip_prefix("0X"));
            let parsed = match hex {
                Some(hex) => i128::from_str_radix(hex, 16).ok(),
                None if digits.starts_with(['+', '-']) => None,
                None => digits.parse::<i128>().ok(),
            };
            match parsed
                .map(|v| if negative { -v } else { v })
                .map(i64::try_from)
            {
                Some(Ok(v)) => Ok(v),
                _ => fail(format!("Bad int64 value: {text}")),
            }
        }
        other => fail(format!("Invalid cast of {other:?} to INT64")),
    }
}

fn float(v: &V) -> Result<f64> {
    match v {
        V::Str(text) => {
            let bare = text.trim();
            match bare.to_ascii_lowercase().trim_start_matches('+') {
                "inf" | "infinity" => Ok(f64::INFINITY),
                "-inf" | "-infinity" => Ok(f64::NEG_INFINITY),
                "nan" => Ok(f64::NAN),
                _ => bare
                    .parse()
                    .or_else(|_| fail(format!("Bad double value: {text}"))),
            }
        }
        other => other.float(),
    }
}

/// The value as billionths.
pub(super) fn numeric(v: &V) -> Result<i128> {
    const LIMIT: i128 = 10_i128.pow(38);
    let value = match v {
        V::Int(v) => i128::from(*v) * NANO,
        V::Numeric(v) => *v,
        V::Float(v) => {
            if !v.is_finite() {
                return fail(format!(
                    "Illegal conversion of non-finite floating point number to numeric: {}",
                    float_text(*v)
                ));
            }
            return parse_numeric(&format!("{v:.10}"), &float_text(*v));
        }
        V::Big(v) => return parse_numeric(&big_text(*v), &big_text(*v)),
        V::Str(text) => return parse_numeric(text.trim(), text),
        other => return fail(format!("Invalid cast of {other:?} to NUMERIC")),
    };
    if value.abs() >= LIMIT {
        return fail("numeric out of range");
    }
    Ok(value)
}

fn parse_numeric(text: &str, shown: &str) -> Result<i128> {
    let (digits, scale) = split_digits(text).ok_or_else(|| bad_numeric(shown))?;
    let value: i128 = digits.parse().map_err(|_| bad_numeric(shown))?;
    let value = if scale <= 9 {
        10_i128
            .checked_pow(u32::try_from(9 - scale).unwrap_or(0))
            .and_then(|grow| value.checked_mul(grow))
            .ok_or_else(|| bad_numeric(shown))?
    } else {
        match 10_i128.checked_pow(u32::try_from(scale - 9).unwrap_or(0)) {
            Some(by) => divide_half_away(value, by),
            None => 0,
        }
    };
    if value.abs() >= 10_i128.pow(38) {
        return Err(bad_numeric(shown));
    }
    Ok(value)
}

fn bad_numeric(text: &str) -> DataFusionError {
    DataFusionError::Execution(format!("Invalid NUMERIC value: {text}"))
}

/// The digits without the point, and how many stood behind it.
fn split_digits(text: &str) -> Option<(String, i32)> {
    let lower = text.to_ascii_lowercase();
    let (mantissa, exponent) = match lower.split_once('e') {
        None => (lower.as_str(), 0),
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let bare = whole.trim_start_matches(['+', '-']);
    let right = |digits: &str| digits.chars().all(|c| c.is_ascii_digit());
    if !right(bare) || !right(part) || (bare.is_empty() && part.is_empty()) || exponent.abs() > 80 {
        return None;
    }
    let sign = if whole.starts_with('-') { "-" } else { "" };
    // A long tail is cut: no more than one digit behind the last that counts decides.
    let part = if part.len() > 60 { &part[..60] } else { part };
    let digits = format!("{sign}{bare}{part}");
    Some((digits, i32::try_from(part.len()).ok()? - exponent))
}

fn bounded(value: i128, digits: Option<Digits>) -> Result<V> {
    let Some(Digits { precision, scale }) = digits else {
        return Ok(V::Numeric(value));
    };
    let unit = 10_i128.pow(u32::try_from(9 - i32::from(scale)).unwrap_or(0));
    let rounded = divide_half_away(value, unit) * unit;
    let most =
        10_i128.pow(u32::try_from(i32::from(precision) - i32::from(scale) + 9).unwrap_or(38));
    if rounded.abs() >= most {
        return fail(format!(
            "Value of type NUMERIC({precision}, {scale}) out of range: {}",
            numeric_text(value)
        ));
    }
    Ok(V::Numeric(rounded))
}

/// The value with 38 digits behind the point.
pub(super) fn big(v: &V) -> Result<i256> {
    match v {
        V::Big(v) => Ok(*v),
        V::Str(text) => parse_big(text),
        V::Float(v) => parse_big(&format!("{v}")),
        other => numeric(other).map(numeric_to_big),
    }
}

fn parse_big(text: &str) -> Result<i256> {
    let bad = || DataFusionError::Execution(format!("Invalid BIGNUMERIC value: {text}"));
    let (digits, scale) = split_digits(text.trim()).ok_or_else(bad)?;
    let value = i256::from_string(&digits).ok_or_else(bad)?;
    let ten = i256::from_i128(10);
    if scale <= 38 {
        let grow = ten.wrapping_pow(u32::try_from(38 - scale).unwrap_or(0));
        return value.checked_mul(grow).ok_or_else(bad);
    }
    let by = ten.wrapping_pow(u32::try_from(scale - 38).unwrap_or(0));
    let half = by.wrapping_div(i256::from_i128(2));
    let half = if value.is_negative() {
        half.wrapping_neg()
    } else {
        half
    };
    Ok(value.wrapping_add(half).wrapping_div(by))
}

fn boolean(v: &V) -> Result<bool> {
    match v {
        V::Bool(v) => Ok(*v),
        V::Int(v) => Ok(*v != 0),
        V::Str(text) => match text.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => fail(format!("Bad bool value: {text}")),
        },
        other => fail(format!("Invalid cast of {other:?} to BOOL")),
    }
}

/// The value as CAST to STRING writes it.
pub(super) fn text(v: &V) -> Result<String> {
    Ok(match v {
        V::Str(v) => v.clone(),
        V::Int(v) => v.to_string(),
        V::Bool(v) => v.to_string(),
        V::Float(v) => float_text(*v),
        V::Numeric(v) => numeric_text(*v),
        V::Big(v) => big_text(*v),
        V::Date(v) => civil::date_text(*v),
        V::Datetime(v) => civil::datetime_text(*v),
        V::Timestamp(v) => civil::timestamp_text(*v, "UTC")?,
        V::Time(v) => civil::time_text(v.rem_euclid(DAY)),
        V::Bytes(v) => match std::str::from_utf8(v) {
            Ok(text) => text.to_owned(),
            Err(_) => return fail("Invalid cast of bytes to UTF8 string"),
        },
        other => return fail(format!("Invalid cast of {other:?} to STRING")),
    })
}

/// A NUMERIC without zeros at its end.
pub(crate) fn numeric_text(v: i128) -> String {
    let sign = if v < 0 { "-" } else { "" };
    let (whole, part) = (
        v.unsigned_abs() / 1_000_000_000,
        v.unsigned_abs() % 1_000_000_000,
    );
    if part == 0 {
        return format!("{sign}{whole}");
    }
    let part = format!("{part:09}");
    format!("{sign}{whole}.{}", part.trim_end_matches('0'))
}

/// A BIGNUMERIC without zeros at its end.
pub(crate) fn big_text(v: i256) -> String {
    let digits = v.to_string();
    let (sign, bare) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits.as_str()),
    };
    let padded = format!("{bare:0>39}");
    let (whole, part) = padded.split_at(padded.len() - 38);
    let part = part.trim_end_matches('0');
    if part.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{part}")
    }
}

/// The fewest digits of 15 and 17 that come back as the same number.
pub(crate) fn float_text(v: f64) -> String {
    if v.is_nan() {
        return "NaN".to_owned();
    }
    if v.is_infinite() {
        return if v > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let mut text = general(v, 15);
    if text.parse::<f64>() != Ok(v) {
        text = general(v, 17);
    }
    if text.contains(['.', 'e']) {
        text
    } else {
        format!("{text}.0")
    }
}

/// `%g` of C.
pub(super) fn general(v: f64, precision: usize) -> String {
    if v == 0.0 {
        return if v.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let precision = precision.max(1);
    let scientific = format!("{v:.*e}", precision - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if exponent < -4 || exponent >= i32::try_from(precision).unwrap_or(i32::MAX) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trim(mantissa), exponent.abs());
    }
    let places = usize::try_from(i32::try_from(precision).unwrap_or(1) - 1 - exponent).unwrap_or(0);
    trim(&format!("{v:.places$}"))
}
