//! Many reads of one moment.

use futures_util::TryStreamExt as _;
use sqlx::{Postgres, Sqlite, Transaction};

use super::{failed, step};
use crate::StoreError;
use crate::bind::Args;
use crate::read::{Read, read};
use crate::sql::Sql;

/// A read-only transaction. What others commit meanwhile is not seen.
pub(crate) enum Snapshot {
    /// Of PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
    /// Of SQLite.
    Sqlite(Transaction<'static, Sqlite>),
}

impl Snapshot {
    /// Reads rows.
    pub(crate) async fn rows<T: Read>(
        &mut self,
        sql: &'static Sql,
        args: Args,
    ) -> Result<Vec<T>, StoreError> {
        let mut out = Vec::new();
        match self {
            Self::Postgres(tx) => {
                let args = args.postgres().map_err(failed(sql))?;
                let mut rows = sqlx::query_with(sql.postgres, args).fetch(&mut **tx);
                while let Some(row) = rows.try_next().await.map_err(failed(sql))? {
                    out.push(read(&row)?);
                }
            }
            Self::Sqlite(tx) => {
                let args = args.sqlite().map_err(failed(sql))?;
                let mut rows = sqlx::query_with(sql.sqlite, args).fetch(&mut **tx);
                while let Some(row) = rows.try_next().await.map_err(failed(sql))? {
                    out.push(read(&row)?);
                }
            }
        }
        Ok(out)
    }

    /// Ends it.
    pub(crate) async fn end(self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(tx) => tx.rollback().await,
            Self::Sqlite(tx) => tx.rollback().await,
        }
        .map_err(step("end a snapshot"))
    }
}
