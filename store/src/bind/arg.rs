//! The arguments of a query.

use sqlx::postgres::PgArguments;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, Encode, Postgres, Type, encode::IsNull, error::BoxDynError};
use tidemill_core::time::Timestamp;

use super::table_rows::{Array, PG_EPOCH, TIMESTAMPTZ};
use super::{Jsonb, fit};

#[derive(Debug, Clone)]
enum Arg {
    Int(Option<i64>),
    Text(Option<String>),
    Time(Option<Timestamp>),
    Ints(Vec<i64>),
    Flag(bool),
}

/// The arguments of a query, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Args(Vec<Arg>);

impl Args {
    /// None.
    pub(crate) const NONE: Self = Self(Vec::new());

    /// A number.
    pub(crate) fn int(mut self, value: impl Into<Option<i64>>) -> Self {
        self.0.push(Arg::Int(value.into()));
        self
    }

    /// A text.
    pub(crate) fn text<'a>(mut self, value: impl Into<Option<&'a str>>) -> Self {
        let value = value.into().map(|text| fit::text(text).into_owned());
        self.0.push(Arg::Text(value));
        self
    }

    /// A text as an index holds it.
    pub(crate) fn key(self, value: &str) -> Self {
        let value = fit::key(value);
        self.text(&*value)
    }

    /// An instant.
    pub(crate) fn time(mut self, value: impl Into<Option<Timestamp>>) -> Self {
        self.0.push(Arg::Time(value.into()));
        self
    }

    /// A truth.
    pub(crate) fn flag(mut self, value: bool) -> Self {
        self.0.push(Arg::Flag(value));
        self
    }

    /// Many numbers.
    pub(crate) fn ints(mut self, values: Vec<i64>) -> Self {
        self.0.push(Arg::Ints(values));
        self
    }

    /// In PostgreSQL's form.
    pub(crate) fn postgres(&self) -> Result<PgArguments, sqlx::Error> {
        let mut out = PgArguments::default();
        for arg in &self.0 {
            match arg {
                Arg::Int(value) => out.add(value),
                Arg::Text(value) => out.add(value.as_deref()),
                Arg::Time(value) => out.add(Instant(*value)),
                Arg::Ints(values) => out.add(Array::ints(values.iter().copied())),
                Arg::Flag(value) => out.add(value),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok(out)
    }

    /// In SQLite's form.
    pub(crate) fn sqlite(&self) -> Result<SqliteArguments, sqlx::Error> {
        let mut out = SqliteArguments::default();
        for arg in &self.0 {
            match arg {
                Arg::Int(value) => out.add(value),
                Arg::Text(value) => out.add(value.clone()),
                Arg::Time(value) => out.add(value.map(fit::time)),
                Arg::Ints(values) => out.add(Jsonb::ints(values)),
                Arg::Flag(value) => out.add(value),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok(out)
    }
}

struct Instant(Option<Timestamp>);

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(TIMESTAMPTZ))
    }
}

impl Encode<'_, Postgres> for Instant {
    fn encode_by_ref(&self, to: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let Some(at) = self.0 else {
            return Ok(IsNull::Yes);
        };
        to.extend_from_slice(&(fit::time(at) - PG_EPOCH).to_be_bytes());
        Ok(IsNull::No)
    }
}
