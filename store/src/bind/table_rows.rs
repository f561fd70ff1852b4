//! A batch for PostgreSQL: an array of rows of a table, in the binary form in which it travels.
//!
//! Every table is a type of its own name, so one argument carries whole rows: `unnest($1::task[])`. An array for each column
//! would do, too, but PostgreSQL unpacks each into a heap of its own, cell by cell, and that cost more than writing the
//! rows.

use std::collections::HashMap;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{Encode, Postgres, Type};
use tidemill_core::time::Timestamp;

use super::{Sheet, fit};

/// PostgreSQL counts from the year 2000.
pub(crate) const PG_EPOCH: i64 = 946_684_800_000_000;

// The numbers of PostgreSQL's own types never change.
const BOOL: u32 = 16;
pub(super) const INT8: u32 = 20;
const INT4: u32 = 23;
const TEXT: u32 = 25;
pub(super) const TIMESTAMPTZ: u32 = 1184;
const INT8_ARRAY: u32 = 1016;

/// A cell that is null has this for a length.
const NULL: i32 = -1;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct TableRows {
    bytes: Vec<u8>,
    count: i32,
    cells: i32,
    row_at: Option<usize>,
}

impl TableRows {
    fn put(&mut self, kind: u32, value: Option<&[u8]>) {
        self.cells += 1;
        self.bytes.extend_from_slice(&kind.to_be_bytes());
        match value {
            Some(value) => {
                // A text of two gigabytes fits no batch.
                let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
                self.bytes.extend_from_slice(&length.to_be_bytes());
                self.bytes.extend_from_slice(value);
            }
            None => self.bytes.extend_from_slice(&NULL.to_be_bytes()),
        }
    }

    /// As an argument, once it is known which types these are.
    pub(crate) fn of(&self, table: TableType) -> Array<'_> {
        Array {
            element: table.row,
            array: table.array,
            count: self.count,
            bytes: Bytes::Lent(&self.bytes),
        }
    }
}

impl Sheet for TableRows {
    fn row(&mut self) {
        self.end();
        self.row_at = Some(self.bytes.len());
        self.count += 1;
        // The length of the row and how many cells it has are known at its end.
        self.bytes.extend_from_slice(&[0; 8]);
    }

    fn end(&mut self) {
        if let Some(at) = self.row_at.take() {
            let length = i32::try_from(self.bytes.len() - at - 4).unwrap_or(i32::MAX);
            self.bytes[at..at + 4].copy_from_slice(&length.to_be_bytes());
            self.bytes[at + 4..at + 8].copy_from_slice(&self.cells.to_be_bytes());
            self.cells = 0;
        }
    }

    fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn int(&mut self, value: Option<i64>) {
        self.put(INT8, value.map(i64::to_be_bytes).as_ref().map(|v| &v[..]));
    }

    fn small(&mut self, value: Option<i32>) {
        self.put(INT4, value.map(i32::to_be_bytes).as_ref().map(|v| &v[..]));
    }

    fn text(&mut self, value: Option<&str>) {
        let value = value.map(fit::text);
        self.put(TEXT, value.as_ref().map(|text| text.as_bytes()));
    }

    fn time(&mut self, value: Option<Timestamp>) {
        let value = value.map(|time| (fit::time(time) - PG_EPOCH).to_be_bytes());
        self.put(TIMESTAMPTZ, value.as_ref().map(|v| &v[..]));
    }

    fn flag(&mut self, value: Option<bool>) {
        let value = value.map(|flag| [u8::from(flag)]);
        self.put(BOOL, value.as_ref().map(|v| &v[..]));
    }
}

/// The numbers that a database gave to the types of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TableType {
    /// Of one row.
    pub(crate) row: u32,
    /// Of an array of them.
    pub(crate) array: u32,
}

/// Those of all tables.
pub(crate) type TableTypes = HashMap<String, TableType>;

#[derive(Debug)]
enum Bytes<'a> {
    Lent(&'a [u8]),
    Owned(Vec<u8>),
}

/// An array as an argument.
#[derive(Debug)]
pub(crate) struct Array<'a> {
    element: u32,
    array: u32,
    count: i32,
    bytes: Bytes<'a>,
}

impl Array<'static> {
    /// Of numbers.
    pub(crate) fn ints(values: impl IntoIterator<Item = i64>) -> Self {
        let (mut bytes, mut count) = (Vec::new(), 0);
        for value in values {
            bytes.extend_from_slice(&8_i32.to_be_bytes());
            bytes.extend_from_slice(&value.to_be_bytes());
            count += 1;
        }
        Self {
            element: INT8,
            array: INT8_ARRAY,
            count,
            bytes: Bytes::Owned(bytes),
        }
    }
}

impl Type<Postgres> for Array<'_> {
    fn type_info() -> PgTypeInfo {
        // Never asked: each array says itself what it is, in `produces`.
        PgTypeInfo::with_oid(Oid(INT8_ARRAY))
    }
}

impl Encode<'_, Postgres> for Array<'_> {
    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.array)))
    }

    fn encode_by_ref(&self, to: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let dimensions = i32::from(self.count > 0);
        to.extend_from_slice(&dimensions.to_be_bytes());
        // No element is null as a whole.
        to.extend_from_slice(&0_i32.to_be_bytes());
        to.extend_from_slice(&self.element.to_be_bytes());
        if self.count > 0 {
            to.extend_from_slice(&self.count.to_be_bytes());
            // Arrays begin at 1.
            to.extend_from_slice(&1_i32.to_be_bytes());
        }
        to.extend_from_slice(match &self.bytes {
            Bytes::Lent(bytes) => bytes,
            Bytes::Owned(bytes) => bytes,
        });
        Ok(IsNull::No)
    }

    fn size_hint(&self) -> usize {
        20 + match &self.bytes {
            Bytes::Lent(bytes) => bytes.len(),
            Bytes::Owned(bytes) => bytes.len(),
        }
    }
}
