//! `PARTITION BY` and `CLUSTER BY`.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::SqlError;
use crate::schema::{Kind, Schema};
use crate::sql::cursor::Cursor;
use crate::tables::{Partitioning, RangeBounds, Unit};

/// `PARTITION BY` as it was written.
pub(super) struct By {
    /// The column; none: when the row came in.
    field: Option<String>,
    how: How,
    place: String,
}

enum How {
    /// The column as it is.
    Plain,
    /// `DATE(…)`
    Date,
    /// `TIMESTAMP_TRUNC(…)` and its like.
    Trunc(Kind, Unit),
    Range(RangeBounds),
}

impl By {
    /// Reads what stands behind `PARTITION BY`.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, SqlError> {
        let place = cursor.place();
        let call = cursor.word();
        let unit = |cursor: &mut Cursor<'_>| {
            let found = Unit::from_name(&cursor.word()).ok_or_else(|| cursor.unexpected())?;
            cursor.step();
            Ok::<_, SqlError>(found)
        };
        let mut ahead = cursor.clone();
        ahead.step();
        let how = if ahead.is(&Token::LParen) {
            *cursor = ahead;
            cursor.need(&Token::LParen)?;
            let field = cursor.name()?;
            let how = match call.as_str() {
                "DATE" => How::Date,
                "TIMESTAMP_TRUNC" | "DATETIME_TRUNC" | "DATE_TRUNC" => {
                    cursor.need(&Token::Comma)?;
                    let kind = match call.as_str() {
                        "TIMESTAMP_TRUNC" => Kind::Timestamp,
                        "DATETIME_TRUNC" => Kind::Datetime,
                        _ => Kind::Date,
                    };
                    How::Trunc(kind, unit(cursor)?)
                }
                "RANGE_BUCKET" => {
                    cursor.need(&Token::Comma)?;
                    How::Range(range(cursor)?)
                }
                _ => return Err(wrong(&place)),
            };
            cursor.need(&Token::RParen)?;
            (field, how)
        } else {
            (cursor.name()?, How::Plain)
        };
        let (field, how) = how;
        let (field, how) = match (field.to_uppercase().as_str(), how) {
            ("_PARTITIONDATE", How::Plain) => (None, How::Trunc(Kind::Timestamp, Unit::Day)),
            ("_PARTITIONTIME", How::Date) => (None, How::Trunc(Kind::Timestamp, Unit::Day)),
            ("_PARTITIONTIME", How::Trunc(Kind::Timestamp, unit)) => {
                (None, How::Trunc(Kind::Timestamp, unit))
            }
            ("_PARTITIONDATE" | "_PARTITIONTIME", _) => return Err(wrong(&place)),
            (_, how) => (Some(field), how),
        };
        Ok(Self { field, how, place })
    }

    /// For a table whose columns are not known yet.
    pub(super) fn untold(self) -> Partitioning {
        let unit = match self.how {
            How::Range(range) => {
                return Partitioning::Range {
                    field: self.field.unwrap_or_default(),
                    range,
                };
            }
            How::Plain | How::Date => Unit::Day,
            How::Trunc(_, unit) => unit,
        };
        Partitioning::Time {
            unit,
            field: self.field,
            expiration_ms: None,
        }
    }

    /// For a table of these columns.
    pub(super) fn of(self, schema: &Schema) -> Result<Partitioning, SqlError> {
        let kind = match &self.field {
            None => None,
            Some(name) => match schema.field(name) {
                Some(field) => Some(&field.kind),
                None => {
                    return Err(SqlError::invalid(format!(
                        "Unrecognized name: {name}{}",
                        self.place
                    )));
                }
            },
        };
        let unit = match (self.how, kind) {
            (How::Range(range), _) => {
                return Ok(Partitioning::Range {
                    field: self.field.unwrap_or_default(),
                    range,
                });
            }
            (How::Plain, Some(Kind::Date)) => Unit::Day,
            (How::Date, Some(Kind::Timestamp | Kind::Datetime)) => Unit::Day,
            (How::Trunc(_, unit), None) => unit,
            (How::Trunc(trunc, unit), Some(kind)) if trunc == *kind => unit,
            _ => return Err(wrong(&self.place)),
        };
        Ok(Partitioning::Time {
            unit,
            field: self.field,
            expiration_ms: None,
        })
    }
}

fn range(cursor: &mut Cursor<'_>) -> Result<RangeBounds, SqlError> {
    cursor.expect("GENERATE_ARRAY")?;
    cursor.need(&Token::LParen)?;
    let start = cursor.number()?;
    cursor.need(&Token::Comma)?;
    let end = cursor.number()?;
    let interval = if cursor.sign(&Token::Comma) {
        cursor.number()?
    } else {
        1
    };
    cursor.need(&Token::RParen)?;
    Ok(RangeBounds {
        start,
        end,
        interval,
    })
}

fn wrong(place: &str) -> SqlError {
    SqlError::invalid(format!(
        "PARTITION BY expression must be DATE(<timestamp_column>), DATE(<datetime_column>), DATETIME_TRUNC(<datetime_column>, DAY/HOUR/MONTH/YEAR), a DATE column, TIMESTAMP_TRUNC(<timestamp_column>, DAY/HOUR/MONTH/YEAR), DATE_TRUNC(<date_column>, MONTH/YEAR), or RANGE_BUCKET(<int64_column>, GENERATE_ARRAY(<int64_value>, <int64_value>[, <int64_value>])){place}"
    ))
}

/// The names behind `CLUSTER BY`.
pub(super) fn clustering(cursor: &mut Cursor<'_>) -> Result<Vec<String>, SqlError> {
    let mut names = vec![cursor.name()?];
    while cursor.sign(&Token::Comma) {
        names.push(cursor.name()?);
    }
    Ok(names)
}
