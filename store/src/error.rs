//! What can go wrong, named for the step that failed; each message follows "failed to".

use std::path::PathBuf;

use sqlx::sqlite::SqliteError;

use crate::db::sqlite_code;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is none that we know.
    #[error(
        "understand the address of the database: {why}; it is `postgres://user@host/name` or `sqlite://path/to/file.db`"
    )]
    Address {
        /// What is wrong with it.
        why: String,
    },
    /// The database did not let us in.
    #[error("open the database {database}")]
    Open {
        /// Which; without its password.
        database: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A statement failed.
    #[error("run the statement {statement}")]
    Statement {
        /// Its name, which is the name of its file.
        statement: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A step around statements failed.
    #[error("{step}")]
    Step {
        /// Which.
        step: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A commit was to change rows that are not there; all of it was undone.
    #[error("find what a commit changes: {what}")]
    Missing {
        /// Which statement, and how many rows.
        what: String,
    },
    /// A row is not as it was written: somebody changed it by hand, or it is from another release.
    #[error("read row {row} of table {table}: column {column} {why}")]
    BadRow {
        /// The table.
        table: &'static str,
        /// The column.
        column: String,
        /// The row's key.
        row: String,
        /// What is wrong.
        why: String,
    },
    /// The database's schema is not the one of this release.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Another engine runs on this SQLite file.
    #[error(
        "lead: another engine runs on {file}; stop that one first, or use PostgreSQL, where others can stand by"
    )]
    OtherEngine {
        /// The file.
        file: PathBuf,
    },
    /// The lock beside a SQLite file cannot be used.
    #[error("lock {file}, which keeps a second engine off the database")]
    Lock {
        /// The lock file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A commit skipped a number, or repeats an old one with other contents.
    #[error("commit batch {batch}: the last one was {last}")]
    OutOfOrder {
        /// The batch that was to be committed.
        batch: i64,
        /// The last that is there.
        last: i64,
    },
    /// It is not known within the given time whether a batch was committed.
    #[error("find out within {seconds} s whether batch {batch} was committed")]
    StillUnknown {
        /// The batch.
        batch: i64,
        /// How long was tried.
        seconds: u64,
        /// The last thing that went wrong.
        #[source]
        source: Box<StoreError>,
    },
    /// The row that says who leads is gone.
    #[error("find who leads: the row of table leader is gone; restore it from a backup")]
    NoLeaderRow,
    /// The row that gives the turn to change access is gone.
    #[error(
        "change access: the row of table access_turn is gone; restore it from a backup, or insert one whose audit_last is the \
         lowest id of table audit, or 0, and whose audit_hash is the hash of that line"
    )]
    NoAccessRow,
    /// A row that says where a chain of the audit log begins is gone.
    #[error(
        "find where the audit log begins: rows of table audit_start are gone; restore them from a backup"
    )]
    NoAuditStart,
    /// The process is shutting down.
    #[error("finish: the process is shutting down")]
    Shutdown,
}

/// Why a schema is refused.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// Tables of something else are there.
    #[error(
        "use the database: it holds tables that are not Tidemill's ({tables}); give Tidemill a database of its own"
    )]
    NotOurs {
        /// Some of them.
        tables: String,
    },
    /// A newer release was here.
    #[error(
        "use the database: its schema has step {found}, this release knows steps up to {known}; use the newer release, or \
         restore the backup from before it"
    )]
    Newer {
        /// The highest step there.
        found: i64,
        /// The highest step here.
        known: i64,
    },
    /// A step differs from ours.
    #[error(
        "use the database: its schema's step {number} ({name}) is not the one of this release; it was made by a changed build, \
         restore a backup or use that build"
    )]
    Changed {
        /// Which step.
        number: i64,
        /// Its name.
        name: String,
    },
    /// Steps are missing, and nobody allowed to take them.
    #[error("use the database: its schema lacks {count} steps; run `tidemill db migrate` first")]
    Behind {
        /// How many.
        count: usize,
    },
    /// A step failed; it was undone.
    #[error("take step {number} ({name}) of the schema; it was undone")]
    Step {
        /// Which step.
        number: i64,
        /// Its name.
        name: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
}

impl StoreError {
    /// Whether the same may work a moment later: the database was busy, restarted, or out of reach.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Open { source, .. }
            | Self::Statement { source, .. }
            | Self::Step { source, .. } => is_retryable(source),
            Self::StillUnknown { .. } => true,
            _ => false,
        }
    }

    /// Whether a unique constraint of this name was broken. SQLite names the columns instead, so they are compared
    /// where it has no name: `run.dag, run.interval_start`.
    #[must_use]
    pub fn broke(&self, constraint: Constraint) -> bool {
        let (Self::Statement { source, .. } | Self::Step { source, .. }) = self else {
            return false;
        };
        let Some(error) = source.as_database_error() else {
            return false;
        };
        let (name, columns) = constraint.names();
        error.constraint() == Some(name)
            || (error.constraint().is_none() && error.message().contains(columns))
    }
}

/// The rules of uniqueness that people can run into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    /// A DAG has one run of a name.
    RunName,
    /// A DAG has one run for a date.
    RunDate,
    /// Nobody elsewhere is two users here.
    UserSso,
}

impl Constraint {
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::RunName => ("run_name_unique", "run.dag, run.name"),
            Self::UserSso => ("user_account_sso_unique", "user_account.sso"),
            Self::RunDate => ("run_date_unique", "run.dag, run.interval_start"),
        }
    }
}

/// Whether the connection, and not what was asked of it, is what failed.
pub(crate) fn is_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("08") || code.starts_with("57P")),
        _ => false,
    }
}

fn is_retryable(error: &sqlx::Error) -> bool {
    /// Serialization failure, deadlock, lock not available, statement cancelled.
    const AGAIN: [&str; 4] = ["40001", "40P01", "55P03", "57014"];
    /// SQLite's busy, locked and out of room.
    const LATER: [i32; 3] = [5, 6, 13];
    if is_connection(error) {
        return true;
    }
    let Some(error) = error.as_database_error() else {
        return false;
    };
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<SqliteError>().is_some() {
        return sqlite_code(Some(&code)).is_some_and(|code| LATER.contains(&code));
    }
    // 53: out of connections, memory or disk.
    AGAIN.contains(&&*code) || code.starts_with("53")
}
