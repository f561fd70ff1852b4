//! One value of a row, as functions of our own see it, and the way from Arrow and back.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::{DataType, TimeUnit, i256};
use datafusion::error::{DataFusionError, Result};
use datafusion::scalar::ScalarValue;

use crate::schema::Digits;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum V {
    /// NULL of any type.
    Null,
    /// BOOL.
    Bool(bool),
    /// INT64.
    Int(i64),
    /// FLOAT64.
    Float(f64),
    /// STRING.
    Str(String),
    /// JSON, as text.
    Json(String),
    /// BYTES.
    Bytes(Vec<u8>),
    /// DATE: days since 1970.
    Date(i32),
    /// DATETIME: microseconds.
    Datetime(i64),
    /// TIMESTAMP: microseconds.
    Timestamp(i64),
    /// TIME: microseconds.
    Time(i64),
    /// NUMERIC: billionths.
    Numeric(i128),
    /// BIGNUMERIC: with 38 digits behind the point.
    Big(i256),
    /// ARRAY.
    List(Vec<V>),
    /// A STRUCT that is made, whose type says what its fields are called.
    Record(Vec<V>),
    /// STRUCT and what no function looks into.
    Other(ScalarValue),
}

/// An error of a function, shown to the user as it is.
pub(super) fn fail<T>(message: impl Into<String>) -> Result<T> {
    Err(DataFusionError::Execution(message.into()))
}

impl V {
    /// The value at a row of an array.
    pub(super) fn at(array: &ArrayRef, row: usize) -> Result<Self> {
        Self::from_scalar(ScalarValue::try_from_array(array, row)?)
    }

    /// The value of a scalar.
    pub(super) fn from_scalar(scalar: ScalarValue) -> Result<Self> {
        if scalar.is_null() {
            return Ok(Self::Null);
        }
        Ok(match scalar {
            ScalarValue::Boolean(Some(v)) => Self::Bool(v),
            ScalarValue::Int64(Some(v)) => Self::Int(v),
            ScalarValue::Int32(Some(v)) => Self::Int(v.into()),
            ScalarValue::Int16(Some(v)) => Self::Int(v.into()),
            ScalarValue::Int8(Some(v)) => Self::Int(v.into()),
            ScalarValue::UInt32(Some(v)) => Self::Int(v.into()),
            ScalarValue::UInt64(Some(v)) => match i64::try_from(v) {
                Ok(v) => Self::Int(v),
                Err(_) => return fail(format!("Invalid integer literal: {v}")),
            },
            ScalarValue::Float64(Some(v)) => Self::Float(v),
            ScalarValue::Float32(Some(v)) => Self::Float(v.into()),
            ScalarValue::Utf8(Some(v))
            | ScalarValue::LargeUtf8(Some(v))
            | ScalarValue::Utf8View(Some(v)) => Self::Str(v),
            ScalarValue::Binary(Some(v))
            | ScalarValue::LargeBinary(Some(v))
            | ScalarValue::BinaryView(Some(v)) => Self::Bytes(v),
            ScalarValue::Date32(Some(v)) => Self::Date(v),
            ScalarValue::TimestampMicrosecond(Some(v), None) => Self::Datetime(v),
            ScalarValue::TimestampMicrosecond(Some(v), Some(_)) => Self::Timestamp(v),
            ScalarValue::Time64Microsecond(Some(v)) => Self::Time(v),
            ScalarValue::Decimal128(Some(v), _, scale) => Self::Numeric(rescale(v, scale)?),
            ScalarValue::Decimal256(Some(v), _, scale) => {
                let Ok(missing) = u32::try_from(38 - i32::from(scale)) else {
                    return fail("BIGNUMERIC has more than 38 digits behind its point");
                };
                let grown = i256::from_i128(10).wrapping_pow(missing);
                match v.checked_mul(grown) {
                    Some(v) => Self::Big(v),
                    None => return fail("BIGNUMERIC overflow"),
                }
            }
            ScalarValue::List(list) => {
                let inner = list.value(0);
                let json = match list.data_type() {
                    DataType::List(item) => super::row::is_json(item),
                    _ => false,
                };
                Self::List(
                    (0..inner.len())
                        .map(|row| Ok(Self::at(&inner, row)?.json_if(json)))
                        .collect::<Result<_>>()?,
                )
            }
            ScalarValue::Dictionary(_, value) => return Self::from_scalar(*value),
            other => Self::Other(other),
        })
    }

    /// The value as a scalar of a type.
    pub(super) fn into_scalar(self, kind: &DataType) -> Result<ScalarValue> {
        Ok(match (self, kind) {
            (Self::Null, kind) => ScalarValue::try_from(kind)?,
            (Self::Bool(v), _) => ScalarValue::Boolean(Some(v)),
            (Self::Int(v), DataType::Float64) => ScalarValue::Float64(Some(v as f64)),
            (Self::Int(v), DataType::Decimal128(..)) => {
                ScalarValue::Decimal128(Some(i128::from(v) * NANO), 38, 9)
            }
            (Self::Int(v), _) => ScalarValue::Int64(Some(v)),
            (Self::Float(v), _) => ScalarValue::Float64(Some(v)),
            (Self::Str(v) | Self::Json(v), _) => ScalarValue::Utf8(Some(v)),
            (Self::Bytes(v), _) => ScalarValue::Binary(Some(v)),
            (Self::Date(v), _) => ScalarValue::Date32(Some(v)),
            (Self::Datetime(v), _) => ScalarValue::TimestampMicrosecond(Some(v), None),
            (Self::Timestamp(v), _) => {
                ScalarValue::TimestampMicrosecond(Some(v), Some("UTC".into()))
            }
            (Self::Time(v), _) => ScalarValue::Time64Microsecond(Some(v)),
            (Self::Numeric(v), DataType::Float64) => ScalarValue::Float64(Some(v as f64 / 1e9)),
            (Self::Numeric(v), DataType::Decimal256(..)) => {
                ScalarValue::Decimal256(Some(numeric_to_big(v)), 76, 38)
            }
            (Self::Numeric(v), _) => ScalarValue::Decimal128(Some(v), 38, 9),
            (Self::Big(v), _) => ScalarValue::Decimal256(Some(v), 76, 38),
            (Self::List(items), DataType::List(item)) => {
                let items = items
                    .into_iter()
                    .map(|value| value.into_scalar(item.data_type()))
                    .collect::<Result<Vec<_>>>()?;
                let array = if items.is_empty() {
                    datafusion::arrow::array::new_empty_array(item.data_type())
                } else {
                    ScalarValue::iter_to_array(items)?
                };
                let array = if array.data_type() == item.data_type() {
                    array
                } else {
                    datafusion::arrow::compute::cast(&array, item.data_type())?
                };
                let offsets = datafusion::arrow::buffer::OffsetBuffer::from_lengths([array.len()]);
                ScalarValue::List(Arc::new(datafusion::arrow::array::ListArray::new(
                    Arc::clone(item),
                    offsets,
                    array,
                    None,
                )))
            }
            (Self::List(_), other) => return fail(format!("an ARRAY where {other} is due")),
            (Self::Record(values), DataType::Struct(fields)) => {
                super::shape::record(values, fields)?
            }
            (Self::Record(_), other) => return fail(format!("a STRUCT where {other} is due")),
            (Self::Other(ScalarValue::Struct(found)), DataType::Struct(fields))
                if found.fields() != fields =>
            {
                super::shape::fitted(&found, fields)?
            }
            (Self::Other(scalar), _) => scalar,
        })
    }

    /// Text is JSON if its field says so.
    pub(super) fn json_if(self, json: bool) -> Self {
        match self {
            Self::Str(text) if json => Self::Json(text),
            other => other,
        }
    }

    /// As a number with a point.
    pub(super) fn float(&self) -> Result<f64> {
        match self {
            Self::Int(v) => Ok(*v as f64),
            Self::Float(v) => Ok(*v),
            Self::Numeric(v) => Ok(numeric_to_float(*v)),
            Self::Big(v) => super::cast::big_text(*v)
                .parse()
                .or_else(|_| fail("Bad BIGNUMERIC value")),
            other => fail(format!("{other:?} is no number")),
        }
    }

    /// As a whole number.
    pub(super) fn int(&self) -> Result<i64> {
        match self {
            Self::Int(v) => Ok(*v),
            other => fail(format!("{other:?} is no INT64")),
        }
    }

    /// As text.
    pub(super) fn str(&self) -> Result<&str> {
        match self {
            Self::Str(v) | Self::Json(v) => Ok(v),
            other => fail(format!("{other:?} is no STRING")),
        }
    }

    /// As bytes, of BYTES and of STRING.
    pub(super) fn bytes(&self) -> Result<&[u8]> {
        match self {
            Self::Bytes(v) => Ok(v),
            Self::Str(v) => Ok(v.as_bytes()),
            other => fail(format!("{other:?} is no BYTES")),
        }
    }

    /// As the values of an array.
    pub(super) fn list(&self) -> Result<&[V]> {
        match self {
            Self::List(v) => Ok(v),
            other => fail(format!("{other:?} is no ARRAY")),
        }
    }
}

/// One, in a NUMERIC.
pub(super) const NANO: i128 = 1_000_000_000;

/// The nearest number with a point: by way of its digits, so that 0.1 is 0.1.
pub(super) fn numeric_to_float(v: i128) -> f64 {
    super::cast::numeric_text(v).parse().unwrap_or(f64::NAN)
}

/// A NUMERIC as a BIGNUMERIC.
pub(super) fn numeric_to_big(v: i128) -> i256 {
    i256::from_i128(v).wrapping_mul(i256::from_i128(10_i128.pow(29)))
}

/// Half away from zero.
pub(super) fn rescale(v: i128, scale: i8) -> Result<i128> {
    let scale = i32::from(scale);
    if scale <= 9 {
        let grow = 10_i128.pow(u32::try_from(9 - scale).unwrap_or(0));
        return v
            .checked_mul(grow)
            .map_or_else(|| fail("numeric overflow"), Ok);
    }
    Ok(divide_half_away(
        v,
        10_i128.pow(u32::try_from(scale - 9).unwrap_or(0)),
    ))
}

/// A quotient, rounded half away from zero.
pub(super) fn divide_half_away(v: i128, by: i128) -> i128 {
    let (quotient, rest) = (v / by, v % by);
    if rest.unsigned_abs() >= by.unsigned_abs() - rest.unsigned_abs() {
        quotient + if (v < 0) == (by < 0) { 1 } else { -1 }
    } else {
        quotient
    }
}

/// A BIGNUMERIC with as many digits as its type has, rounded half away from zero; none if it has too many before the point.
pub(crate) fn rounded_big(v: i256, digits: Digits) -> Option<i256> {
    let power = |digits: i32| {
        let digits = u32::try_from(digits).unwrap_or(0);
        i256::from_i128(10).wrapping_pow(digits)
    };
    let (precision, scale) = (i32::from(digits.precision), i32::from(digits.scale));
    let unit = power(38 - scale);
    let half = unit.wrapping_div(i256::from_i128(2));
    let half = if v < i256::ZERO {
        half.wrapping_neg()
    } else {
        half
    };
    let value = v.checked_add(half)?.wrapping_div(unit).wrapping_mul(unit);
    let most = power(precision - scale + 38);
    (value.wrapping_abs() < most).then_some(value)
}

/// The type of NUMERIC.
pub(super) const NUMERIC: DataType = DataType::Decimal128(38, 9);
/// The type of BIGNUMERIC.
pub(super) const BIG: DataType = DataType::Decimal256(76, 38);
/// The type of DATETIME.
pub(super) const DATETIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// The type of TIMESTAMP.
pub(super) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}
