//! The types of `BigQuery` and what they are in Arrow.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::{
    DataType, Field as ArrowField, Fields, IntervalUnit, Schema as ArrowSchema, TimeUnit,
};
use serde::{Deserialize, Serialize};

/// Key of the metadata of an Arrow field that says what Arrow's own types cannot: `JSON`, `NUMERIC(10,2)`, `STRING(5)`.
pub const TYPE_KEY: &str = "bigquery:type";

/// The columns of a table, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schema {
    /// The columns.
    pub fields: Vec<Field>,
}

/// A column, or a field of a STRUCT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// As it was written; names are compared without regard to case.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may be missing, or holds many.
    pub mode: Mode,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// An expression for rows that do not name the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// How many values a column has in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mode {
    /// One or none.
    #[default]
    Nullable,
    /// One.
    Required,
    /// Any number: an ARRAY.
    Repeated,
}

/// A type, without its mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    /// 64 bits with a sign.
    Int64,
    /// IEEE 754, 64 bits.
    Float64,
    /// 38 digits, 9 of them behind the point; with bounds of its own if it was declared with them.
    Numeric(Option<Digits>),
    /// 76 digits, 38 of them behind the point.
    BigNumeric(Option<Digits>),
    /// True or false.
    Bool,
    /// Unicode; with a greatest length in characters if it was declared with one.
    String(Option<u32>),
    /// Bytes; with a greatest length.
    Bytes(Option<u32>),
    /// A day.
    Date,
    /// A day and a time, of no zone.
    Datetime,
    /// A time of day.
    Time,
    /// An instant, to the microsecond.
    Timestamp,
    /// Any JSON.
    Json,
    /// Months, days and microseconds.
    Interval,
    /// Fields with names.
    Struct(Vec<Field>),
}

/// Precision and scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digits {
    /// Digits in all.
    pub precision: u8,
    /// Digits behind the point.
    pub scale: i8,
}

/// A type of Arrow that no type of `BigQuery` stands for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: the type {found} has no counterpart in BigQuery")]
pub struct NoCounterpart {
    /// The column with the names of the structs around it.
    pub column: String,
    /// What it is.
    pub found: String,
}

impl Field {
    /// A column that may be missing.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            mode: Mode::Nullable,
            description: None,
            default: None,
        }
    }

    /// The same column in another mode.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The field as Arrow has it.
    #[must_use]
    pub fn to_arrow(&self) -> ArrowField {
        let of_one = self.kind.to_arrow();
        let metadata = self.kind.note().map(|note| (TYPE_KEY.to_owned(), note));
        match self.mode {
            Mode::Repeated => {
                let item = ArrowField::new("item", of_one, true)
                    .with_metadata(metadata.into_iter().collect());
                // An ARRAY that is NULL reads as an empty one, so it may be missing here.
                ArrowField::new(&self.name, DataType::List(Arc::new(item)), true)
            }
            mode => ArrowField::new(&self.name, of_one, mode != Mode::Required)
                .with_metadata(metadata.into_iter().collect()),
        }
    }

    /// The field that an Arrow field stands for.
    ///
    /// # Errors
    /// Its type has no counterpart.
    pub fn from_arrow(field: &ArrowField) -> Result<Self, NoCounterpart> {
        let (mode, one) = match field.data_type() {
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::FixedSizeList(item, _)
            | DataType::ListView(item) => (Mode::Repeated, item.as_ref()),
            _ if field.is_nullable() => (Mode::Nullable, field),
            _ => (Mode::Required, field),
        };
        let kind = Kind::from_arrow(one).map_err(|mut error| {
            error.column = match error.column.as_str() {
                "" => field.name().clone(),
                inner => format!("{}.{inner}", field.name()),
            };
            error
        })?;
        Ok(Self {
            name: field.name().clone(),
            kind,
            mode,
            description: None,
            default: None,
        })
    }
}

impl Kind {
    /// The type of one value in Arrow.
    #[must_use]
    pub fn to_arrow(&self) -> DataType {
        match self {
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Numeric(_) => DataType::Decimal128(38, 9),
            Self::BigNumeric(_) => DataType::Decimal256(76, 38),
            Self::Bool => DataType::Boolean,
            Self::String(_) | Self::Json => DataType::Utf8,
            Self::Bytes(_) => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Datetime => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Struct(fields) => {
                DataType::Struct(fields.iter().map(Field::to_arrow).collect::<Fields>())
            }
        }
    }

    /// What Arrow's type does not say.
    fn note(&self) -> Option<String> {
        match self {
            Self::Json
            | Self::Numeric(Some(_))
            | Self::BigNumeric(Some(_))
            | Self::String(Some(_))
            | Self::Bytes(Some(_)) => Some(self.to_string()),
            _ => None,
        }
    }

    /// The type of one value of an Arrow field. Types of other sizes are taken as those that hold them.
    ///
    /// # Errors
    /// There is none that holds it.
    pub fn from_arrow(field: &ArrowField) -> Result<Self, NoCounterpart> {
        if let Some(kind) = field
            .metadata()
            .get(TYPE_KEY)
            .and_then(|note| Self::from_name(note))
        {
            return Ok(kind);
        }
        Ok(match field.data_type() {
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64 => Self::Int64,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Self::Float64,
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
            | DataType::Decimal256(precision, scale) => {
                let before = i16::from(*precision) - i16::from(*scale);
                if (0..=9).contains(scale) && before <= 29 {
                    Self::Numeric(None)
                } else {
                    Self::BigNumeric(None)
                }
            }
            DataType::Boolean => Self::Bool,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => {
                Self::String(None)
            }
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Self::Bytes(None),
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Timestamp(_, None) => Self::Datetime,
            DataType::Timestamp(_, Some(_)) => Self::Timestamp,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Interval(_) => Self::Interval,
            DataType::Dictionary(_, value) => {
                Self::from_arrow(&ArrowField::new("", value.as_ref().clone(), true))?
            }
            DataType::Struct(fields) => Self::Struct(
                fields
                    .iter()
                    .map(|field| Field::from_arrow(field))
                    .collect::<Result<_, _>>()?,
            ),
            other => {
                return Err(NoCounterpart {
                    column: String::new(),
                    found: other.to_string(),
                });
            }
        })
    }

    /// Reads a name as REST and SQL write it: `INTEGER`, `INT64`, `NUMERIC(10, 2)`. STRUCT has fields and is not read here.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let upper = name.trim().to_ascii_uppercase();
        let (word, bounds) = match upper.split_once('(') {
            None => (upper.as_str(), Vec::new()),
            Some((word, rest)) => {
                let inner = rest.strip_suffix(')')?;
                let numbers = inner
                    .split(',')
                    .map(|number| number.trim().parse::<u32>().ok())
                    .collect::<Option<Vec<_>>>()?;
                (word.trim(), numbers)
            }
        };
        let digits = || match bounds.as_slice() {
            [] => Some(None),
            [precision] => Some(Some(Digits {
                precision: u8::try_from(*precision).ok()?,
                scale: 0,
            })),
            [precision, scale] => Some(Some(Digits {
                precision: u8::try_from(*precision).ok()?,
                scale: i8::try_from(*scale).ok()?,
            })),
            _ => None,
        };
        let length = || match bounds.as_slice() {
            [] => Some(None),
            [length] => Some(Some(*length)),
            _ => None,
        };
        let kind = match word {
            "STRING" => return Some(Self::String(length()?)),
            "BYTES" => return Some(Self::Bytes(length()?)),
            "NUMERIC" | "DECIMAL" => return Some(Self::Numeric(digits()?)),
            "BIGNUMERIC" | "BIGDECIMAL" => return Some(Self::BigNumeric(digits()?)),
            "INT64" | "INTEGER" | "INT" | "SMALLINT" | "BIGINT" | "TINYINT" | "BYTEINT" => {
                Self::Int64
            }
            "FLOAT64" | "FLOAT" => Self::Float64,
            "BOOL" | "BOOLEAN" => Self::Bool,
            "DATE" => Self::Date,
            "DATETIME" => Self::Datetime,
            "TIME" => Self::Time,
            "TIMESTAMP" => Self::Timestamp,
            "JSON" => Self::Json,
            "INTERVAL" => Self::Interval,
            _ => return None,
        };
        bounds.is_empty().then_some(kind)
    }

    /// The name that REST has in `schema.fields[].type`: `INTEGER`, `FLOAT`, `BOOLEAN`, `RECORD`.
    #[must_use]
    pub fn rest_name(&self) -> &'static str {
        match self {
            Self::Int64 => "INTEGER",
            Self::Float64 => "FLOAT",
            Self::Numeric(_) => "NUMERIC",
            Self::BigNumeric(_) => "BIGNUMERIC",
            Self::Bool => "BOOLEAN",
            Self::String(_) => "STRING",
            Self::Bytes(_) => "BYTES",
            Self::Date => "DATE",
            Self::Datetime => "DATETIME",
            Self::Time => "TIME",
            Self::Timestamp => "TIMESTAMP",
            Self::Json => "JSON",
            Self::Interval => "INTERVAL",
            Self::Struct(_) => "RECORD",
        }
    }
}

/// As SQL writes it.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bounded = |f: &mut fmt::Formatter<'_>, word: &str, digits: &Option<Digits>| match digits
        {
            None => f.write_str(word),
            Some(Digits {
                precision,
                scale: 0,
            }) => write!(f, "{word}({precision})"),
            Some(Digits { precision, scale }) => write!(f, "{word}({precision}, {scale})"),
        };
        match self {
            Self::Int64 => f.write_str("INT64"),
            Self::Float64 => f.write_str("FLOAT64"),
            Self::Numeric(digits) => bounded(f, "NUMERIC", digits),
            Self::BigNumeric(digits) => bounded(f, "BIGNUMERIC", digits),
            Self::Bool => f.write_str("BOOL"),
            Self::String(None) => f.write_str("STRING"),
            Self::String(Some(length)) => write!(f, "STRING({length})"),
            Self::Bytes(None) => f.write_str("BYTES"),
            Self::Bytes(Some(length)) => write!(f, "BYTES({length})"),
            Self::Struct(fields) => {
                f.write_str("STRUCT<")?;
                for (index, field) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    match field.mode {
                        Mode::Repeated => write!(f, "{comma}{} ARRAY<{}>", field.name, field.kind)?,
                        _ => write!(f, "{comma}{} {}", field.name, field.kind)?,
                    }
                }
                f.write_str(">")
            }
            other => f.write_str(match other {
                Self::Bool => "BOOL",
                one => one.rest_name(),
            }),
        }
    }
}

impl Schema {
    /// All columns as Arrow has them.
    #[must_use]
    pub fn to_arrow(&self) -> ArrowSchema {
        ArrowSchema::new(self.fields.iter().map(Field::to_arrow).collect::<Vec<_>>())
    }

    /// The columns that a schema of Arrow stands for.
    ///
    /// # Errors
    /// A column's type has no counterpart.
    pub fn from_arrow(schema: &ArrowSchema) -> Result<Self, NoCounterpart> {
        let fields = schema
            .fields()
            .iter()
            .map(|field| Field::from_arrow(field))
            .collect::<Result<_, _>>()?;
        Ok(Self { fields })
    }

    /// The column of this name, whatever its case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_comes_back_from_arrow() {
        let inner = vec![
            Field::new("sku", Kind::String(None)),
            Field::new("tags", Kind::Json).mode(Mode::Repeated),
        ];
        let schema = Schema {
            fields: vec![
                Field::new("id", Kind::Int64).mode(Mode::Required),
                Field::new(
                    "price",
                    Kind::Numeric(Some(Digits {
                        precision: 10,
                        scale: 2,
                    })),
                ),
                Field::new("big", Kind::BigNumeric(None)),
                Field::new("at", Kind::Timestamp),
                Field::new("local", Kind::Datetime),
                Field::new("doc", Kind::Json),
                Field::new("name", Kind::String(Some(5))),
                Field::new("items", Kind::Struct(inner)).mode(Mode::Repeated),
            ],
        };
        assert_eq!(Schema::from_arrow(&schema.to_arrow()).unwrap(), schema);
    }

    #[test]
    fn names_are_read_as_written() {
        for name in [
            "INT64",
            "NUMERIC(10, 2)",
            "NUMERIC(5)",
            "STRING(3)",
            "JSON",
            "TIMESTAMP",
            "FLOAT",
        ] {
            let kind = Kind::from_name(name).unwrap();
            assert_eq!(Kind::from_name(&kind.to_string()), Some(kind));
        }
        assert_eq!(Kind::from_name("INT64(3)"), None);
        assert_eq!(Kind::from_name("GEOGRAPHY"), None);
    }
}
