//! The cells of one row, the same on both databases.

use sqlx::error::BoxDynError;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Row as _, ValueRef as _};
use tidemill_core::time::Timestamp;

use crate::bind::PG_EPOCH;

/// One row.
pub(crate) trait Cells {
    /// The column's name.
    fn name(&self, at: usize) -> &str;
    /// A whole number, however wide.
    fn int(&self, at: usize) -> Result<Option<i64>, BoxDynError>;
    /// A text.
    fn text(&self, at: usize) -> Result<Option<&str>, BoxDynError>;
    /// An instant.
    fn time(&self, at: usize) -> Result<Option<Timestamp>, BoxDynError>;
    /// A truth.
    fn flag(&self, at: usize) -> Result<Option<bool>, BoxDynError>;
}

fn bytes(row: &PgRow, at: usize) -> Result<Option<&[u8]>, BoxDynError> {
    let value = row.try_get_raw(at)?;
    Ok(if value.is_null() {
        None
    } else {
        Some(value.as_bytes()?)
    })
}

fn number(bytes: &[u8]) -> Result<i64, BoxDynError> {
    Ok(match *bytes {
        [a, b] => i16::from_be_bytes([a, b]).into(),
        [a, b, c, d] => i32::from_be_bytes([a, b, c, d]).into(),
        _ => i64::from_be_bytes(bytes.try_into().map_err(|_| "is no whole number")?),
    })
}

impl Cells for PgRow {
    fn name(&self, at: usize) -> &str {
        self.columns().get(at).map_or("?", |column| column.name())
    }

    fn int(&self, at: usize) -> Result<Option<i64>, BoxDynError> {
        bytes(self, at)?.map(number).transpose()
    }

    fn text(&self, at: usize) -> Result<Option<&str>, BoxDynError> {
        Ok(bytes(self, at)?.map(std::str::from_utf8).transpose()?)
    }

    fn time(&self, at: usize) -> Result<Option<Timestamp>, BoxDynError> {
        let micros = bytes(self, at)?.map(number).transpose()?;
        Ok(micros.map(|micros| Timestamp::from_micros(micros.saturating_add(PG_EPOCH))))
    }

    fn flag(&self, at: usize) -> Result<Option<bool>, BoxDynError> {
        Ok(bytes(self, at)?.map(|bytes| bytes != [0]))
    }
}

impl Cells for SqliteRow {
    fn name(&self, at: usize) -> &str {
        self.columns().get(at).map_or("?", |column| column.name())
    }

    fn int(&self, at: usize) -> Result<Option<i64>, BoxDynError> {
        Ok(self.try_get_unchecked(at)?)
    }

    fn text(&self, at: usize) -> Result<Option<&str>, BoxDynError> {
        Ok(self.try_get_unchecked(at)?)
    }

    fn time(&self, at: usize) -> Result<Option<Timestamp>, BoxDynError> {
        Ok(self.int(at)?.map(Timestamp::from_micros))
    }

    fn flag(&self, at: usize) -> Result<Option<bool>, BoxDynError> {
        Ok(self.int(at)?.map(|flag| flag != 0))
    }
}
