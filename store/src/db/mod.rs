//! The two databases, behind the few things that all verbs are made of: read rows, write in one transaction, read much
//! in one snapshot, commit a batch.
//!
//! Everything that talks to a database runs in a task of its own. A caller that goes away (a page that nobody waits for,
//! a time-out) then cuts nothing: in sqlx 0.9 a future that is dropped while it begins a transaction gives back a
//! connection with that transaction open.

mod compose;
mod postgres;
mod snapshot;
mod sqlite;

use std::sync::Arc;

use crate::audit::AccessLine;
use crate::bind::Args;
use crate::commit::{Batch, Tried};
use crate::read::Read;
use crate::sql::Sql;
use crate::{Options, StoreError};

pub(crate) use postgres::Postgres;
pub(crate) use snapshot::Snapshot;
pub(crate) use sqlite::{Sqlite, sqlite_code};

/// One statement of a transaction.
pub(crate) type Step = (&'static Sql, Args);

/// One statement of a change that may be refused.
#[derive(Debug)]
pub(crate) enum Part {
    /// It must change a row, else nothing of the change is done.
    Must(Step),
    /// It changes what there is.
    May(Step),
}

impl Part {
    const fn step(&self) -> &Step {
        match self {
            Self::Must(step) | Self::May(step) => step,
        }
    }

    /// Whether it may have changed so many rows.
    const fn holds(&self, rows: u64) -> bool {
        matches!(self, Self::May(_)) || rows > 0
    }
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changed {
    /// It was committed.
    Done,
    /// The part at this place changed none, and nothing was done.
    Refused(usize),
}

/// Either of the two.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    /// PostgreSQL.
    Postgres(Arc<Postgres>),
    /// SQLite.
    Sqlite(Arc<Sqlite>),
}

impl Database {
    /// Opens the database at this address.
    pub(crate) async fn open(url: &str, options: &Options) -> Result<Self, StoreError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let opened = Postgres::open(url, options).await?;
            Ok(Self::Postgres(Arc::new(opened)))
        } else if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            Ok(Self::Sqlite(Arc::new(Sqlite::open(path, options).await?)))
        } else {
            // The address may hold a password, so only its beginning is shown.
            let scheme = url.split(':').next().unwrap_or_default();
            Err(StoreError::Address {
                why: format!("`{scheme}:` is no database that Tidemill knows"),
            })
        }
    }

    /// Reads rows.
    pub(crate) async fn rows<T: Read>(
        &self,
        sql: &'static Sql,
        args: Args,
    ) -> Result<Vec<T>, StoreError> {
        let this = self.clone();
        apart(async move {
            match this {
                Self::Postgres(db) => db.rows(sql, &args).await,
                Self::Sqlite(db) => db.rows(sql, &args).await,
            }
        })
        .await
    }

    /// Reads the first row.
    pub(crate) async fn row<T: Read>(
        &self,
        sql: &'static Sql,
        args: Args,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }

    /// Runs the statements in one transaction; says how many rows each changed.
    pub(crate) async fn write(&self, steps: Vec<Step>) -> Result<Vec<u64>, StoreError> {
        let this = self.clone();
        apart(async move {
            match this {
                Self::Postgres(db) => db.write(&steps).await,
                Self::Sqlite(db) => db.write(&steps).await,
            }
        })
        .await
    }

    /// Runs the parts, of which the first takes the turn, and adds the line, in one transaction; undoes it at the first part
    /// that must change a row and does not.
    pub(crate) async fn change(
        &self,
        parts: Vec<Part>,
        line: AccessLine,
    ) -> Result<Changed, StoreError> {
        let this = self.clone();
        apart(async move {
            match this {
                Self::Postgres(db) => db.change(&parts, &line).await,
                Self::Sqlite(db) => db.change(&parts, &line).await,
            }
        })
        .await
    }

    /// Runs one statement that changes rows and returns them.
    pub(crate) async fn write_rows<T: Read>(
        &self,
        sql: &'static Sql,
        args: Args,
    ) -> Result<Vec<T>, StoreError> {
        let this = self.clone();
        apart(async move {
            match this {
                Self::Postgres(db) => db.write_rows(sql, &args).await,
                Self::Sqlite(db) => db.write_rows(sql, &args).await,
            }
        })
        .await
    }

    /// A view of everything as it stands now. To be used inside [`apart`].
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        match self {
            Self::Postgres(db) => db.snapshot().await,
            Self::Sqlite(db) => db.snapshot().await,
        }
    }

    /// Sends a batch once.
    pub(crate) async fn commit(&self, batch: Arc<Batch>) -> Tried {
        let this = self.clone();
        let work = async move {
            Ok(match this {
                Self::Postgres(db) => db.commit(&batch).await,
                Self::Sqlite(db) => db.commit(&batch).await,
            })
        };
        apart(work).await.unwrap_or_else(Tried::Unknown)
    }

    /// Runs texts of many statements each, such as a step of the schema, and a last statement, in one transaction.
    pub(crate) async fn script(
        &self,
        texts: Vec<&'static str>,
        last: Step,
    ) -> Result<(), sqlx::Error> {
        let this = self.clone();
        let work = async move {
            Ok(match this {
                Self::Postgres(db) => db.script(texts, &last).await,
                Self::Sqlite(db) => db.script(texts, &last).await,
            })
        };
        apart(work).await.unwrap_or(Err(sqlx::Error::PoolClosed))
    }

    /// Has the database understand every one of these statements, and says which it does not.
    pub(crate) async fn prepare(&self, all: &'static [&'static Sql]) -> Result<(), StoreError> {
        let this = self.clone();
        apart(async move {
            match this {
                Self::Postgres(db) => db.prepare(all).await,
                Self::Sqlite(db) => db.prepare(all).await,
            }
        })
        .await
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        match self {
            Self::Postgres(db) => db.close().await,
            Self::Sqlite(db) => db.close().await,
        }
    }
}

/// Runs work where a caller that goes away does not cut it.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(StoreError::Shutdown),
    }
}

/// Names the statement that failed.
pub(crate) fn failed(sql: &'static Sql) -> impl Fn(sqlx::Error) -> StoreError {
    |source| StoreError::Statement {
        statement: sql.name,
        source,
    }
}

/// Names the step around statements that failed.
pub(crate) fn step(step: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| StoreError::Step { step, source }
}
