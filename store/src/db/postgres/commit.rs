//! The connection that commits.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection};
use sqlx::{Arguments as _, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::super::compose::compose;
use crate::StoreError;
use crate::bind::{TableRows, TableType, TableTypes};
use crate::commit::{Batch, Mark, Part, Tried};
use crate::error::is_connection;
use crate::sql::LEADER_STEP;

/// How much is sent in one statement.
const STATEMENT_BYTES_MAX: usize = 32 << 20;

/// Commits find rows by their keys and by nothing else. The plan is made once, and must not depend on how small a table
/// was that day.
const SESSION: [(&str, &str); 4] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
];

/// Run whenever this connection is opened.
const TABLE_TYPES: &str = include_str!("../../../sql/postgres/schema/table_types.sql");

/// A connection with what it knows of its database.
#[derive(Debug)]
pub(super) struct Committer {
    connection: PgConnection,
    types: TableTypes,
    /// The statements made so far, by the names of their parts.
    composed: HashMap<Vec<&'static str>, Arc<str>>,
}

impl Committer {
    /// What its sessions ask for beyond what all do.
    pub(super) fn options(base: &PgConnectOptions) -> PgConnectOptions {
        base.clone().options(SESSION)
    }

    pub(super) async fn connect(options: &PgConnectOptions) -> Result<Self, sqlx::Error> {
        let mut connection = options.connect().await?;
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(TABLE_TYPES)
            .fetch_all(&mut connection)
            .await?;
        // Types are numbered with 32 bits.
        let number = |oid: i64| u32::try_from(oid).unwrap_or_default();
        let types = rows.into_iter().map(|(table, row, array)| {
            let (row, array) = (number(row), number(array));
            (table, TableType { row, array })
        });
        Ok(Self {
            connection,
            types: types.collect(),
            composed: HashMap::new(),
        })
    }

    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }

    /// Sends a batch: as one statement if it is not huge, which is a transaction by itself, else as several in one. Also
    /// says whether the connection can be used again.
    pub(super) async fn send(&mut self, batch: &Batch) -> (Tried, bool) {
        let groups = batch.postgres_groups(STATEMENT_BYTES_MAX);
        let [all] = &groups[..] else {
            return self.send_in_turn(batch, &groups).await;
        };
        match self.run(Some(batch.mark()), all).await {
            Ok(()) => (Tried::Done, true),
            Err(error) => told(error, "commit a batch"),
        }
    }

    async fn send_in_turn(
        &mut self,
        batch: &Batch,
        groups: &[Vec<&Part<TableRows>>],
    ) -> (Tried, bool) {
        let mut mark = Some(batch.mark());
        let sending = async {
            self.connection.execute("BEGIN").await?;
            for parts in groups {
                self.run(mark.take(), parts).await?;
            }
            Ok(())
        };
        if let Err(error) = sending.await {
            // COMMIT was not sent, so nothing can have been committed, whatever broke. The connection goes, and the
            // transaction with it.
            return match told(error, "write a batch") {
                (Tried::Unknown(error), _) => (Tried::Failed(error), false),
                (tried, _) => (tried, false),
            };
        }
        match self.connection.execute("COMMIT").await {
            Ok(_) => (Tried::Done, true),
            Err(error) => told(error, "commit a batch"),
        }
    }

    async fn run(
        &mut self,
        mark: Option<&Mark>,
        parts: &[&Part<TableRows>],
    ) -> Result<(), sqlx::Error> {
        let text = self.composed(mark.is_some(), parts);
        let mut args = PgArguments::default();
        self.arguments(&mut args, mark, parts)
            .map_err(sqlx::Error::Encode)?;
        let query = sqlx::query_with(AssertSqlSafe(text), args);
        query.execute(&mut self.connection).await.map(drop)
    }

    fn arguments(
        &self,
        to: &mut PgArguments,
        mark: Option<&Mark>,
        parts: &[&Part<TableRows>],
    ) -> Result<(), sqlx::error::BoxDynError> {
        if let Some(mark) = mark {
            for number in mark.numbers() {
                to.add(number)?;
            }
            to.add(mark.audit_hash.as_deref())?;
        }
        for part in parts {
            if part.counted {
                to.add(part.rows_wanted())?;
            }
            let types = self.types.get(part.table);
            let types = types.ok_or_else(|| format!("there is no table {}", part.table))?;
            to.add(part.sheet.of(*types))?;
        }
        Ok(())
    }

    /// The statement for these parts; made once and kept.
    fn composed(&mut self, first: bool, parts: &[&Part<TableRows>]) -> Arc<str> {
        let leader = if first { "leader" } else { "" };
        let key: Vec<_> = std::iter::once(leader)
            .chain(parts.iter().map(|part| part.sql.name))
            .collect();
        let text = self.composed.entry(key).or_insert_with(|| {
            let parts: Vec<_> = parts.iter().map(|part| (part.sql, part.counted)).collect();
            compose(first.then_some(&LEADER_STEP), &parts).into()
        });
        text.clone()
    }
}

/// What an error of a commit means, and whether the connection can be used again.
fn told(source: sqlx::Error, step: &'static str) -> (Tried, bool) {
    /// What `expect_rows` says when the leader's row is another's.
    const NOT_LEADING: &str = "TM001";
    /// What it says when rows that were to change are not there.
    const MISSING: &str = "TM002";
    if let Some(error) = source.as_database_error() {
        match error.code().as_deref() {
            Some(NOT_LEADING) => return (Tried::NotNext, true),
            Some(MISSING) => {
                let what = error.message().to_owned();
                return (Tried::Failed(StoreError::Missing { what }), true);
            }
            _ => {}
        }
    }
    // The server said no, and what it says no to is undone. Anything else leaves open whether it said yes.
    let refused = source.as_database_error().is_some() && !is_connection(&source);
    let unsent = matches!(source, sqlx::Error::Encode(_));
    let error = StoreError::Step { step, source };
    if refused || unsent {
        (Tried::Failed(error), true)
    } else {
        (Tried::Unknown(error), false)
    }
}
