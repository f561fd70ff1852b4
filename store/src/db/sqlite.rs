//! SQLite: one connection writes, others read beside it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, SqlSafeStr as _};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

use super::{Changed, Part, Snapshot, Step, failed, step};
use crate::audit::AccessLine;
use crate::bind::Args;
use crate::commit::{Batch, Tried};
use crate::options::Schema;
use crate::read::{Read, read};
use crate::sql::{ACCESS_LAST, LEADER_STEP, Sql};
use crate::{Options, StoreError};

/// The file beside the database does not stay longer than this: 64 MiB.
const WAL_BYTES_MAX: usize = 64 << 20;

/// After so many pages of 4 KiB the file beside the database is written back into it: 16 MiB.
const CHECKPOINT_PAGES: usize = 4_096;

/// What the connection that writes keeps of the file: 4 MiB, below 0 in KiB. The pages that changes go to lie near each other,
/// and the system keeps the file in memory, too: more made no commit faster, and whoever is idle would weigh it still.
const WRITER_CACHE: &str = "-4096";

/// What each connection that reads keeps of it: 1 MiB. Whatever it lets go of is still in the memory of the system.
const READER_CACHE: &str = "-1024";

/// So many rows are read before they are asked for: the thread that reads and the one that takes seldom wait for each other.
const ROWS_AHEAD: usize = 1_000;

/// Other processes (the command line beside the engine) may write, too, for so long.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// When a file that another process is just making is opened once more.
const BUSY_AGAIN: Duration = Duration::from_millis(10);

/// See the module.
#[derive(Debug)]
pub(crate) struct Sqlite {
    /// The file.
    pub(crate) path: PathBuf,
    options: SqliteConnectOptions,
    /// Whoever writes holds it; waiting is in order of arrival. Empty after a connection broke.
    writer: Mutex<Option<SqliteConnection>>,
    reads: SqlitePool,
}

impl Sqlite {
    pub(super) async fn open(path: &str, options: &Options) -> Result<Self, StoreError> {
        if path.is_empty() || path.starts_with(':') || path.contains('?') {
            return Err(StoreError::Address {
                why: format!(
                    "`{path}` is no path of a file, and a database in memory would lose everything"
                ),
            });
        }
        let base = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // NORMAL would lose the last commits when the power goes.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_WAIT)
            .foreign_keys(true)
            .disable_statement_logging();
        let writing = base
            .clone()
            .create_if_missing(options.schema == Schema::Migrate)
            .pragma("journal_size_limit", WAL_BYTES_MAX.to_string())
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
            .pragma("cache_size", WRITER_CACHE);
        let reading = base
            .row_buffer_size(ROWS_AHEAD)
            .pragma("query_only", "1")
            .pragma("cache_size", READER_CACHE);
        let open = |source| StoreError::Open {
            database: format!("`{path}`"),
            source,
        };
        // The writer comes first: it makes the file.
        let writer = connect(&writing, options.connect_within).await;
        let writer = writer.map_err(open)?;
        let reads = SqlitePoolOptions::new()
            .max_connections(options.readers_max)
            .acquire_timeout(options.connect_within)
            .connect_lazy_with(reading);
        Ok(Self {
            path: Path::new(path).to_owned(),
            options: writing,
            writer: Mutex::new(Some(writer)),
            reads,
        })
    }

    pub(super) async fn rows<T: Read>(
        &self,
        sql: &'static Sql,
        args: &Args,
    ) -> Result<Vec<T>, StoreError> {
        let mut connection = self.reads.acquire().await.map_err(step("begin to read"))?;
        collect(&mut connection, sql, args).await
    }

    pub(super) async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let tx = self.reads.begin().await;
        Ok(Snapshot::Sqlite(tx.map_err(step("begin a snapshot"))?))
    }

    pub(super) async fn write_rows<T: Read>(
        &self,
        sql: &'static Sql,
        args: &Args,
    ) -> Result<Vec<T>, StoreError> {
        let mut writer = self.begin().await.map_err(step("begin to write"))?;
        let rows = collect(&mut writer.connection, sql, args).await?;
        writer
            .commit()
            .await
            .map_err(step("commit what was written"))?;
        Ok(rows)
    }

    pub(super) async fn write(&self, steps: &[Step]) -> Result<Vec<u64>, StoreError> {
        let mut writer = self.begin().await.map_err(step("begin to write"))?;
        let mut changed = Vec::with_capacity(steps.len());
        for step in steps {
            changed.push(execute(&mut writer.connection, step).await?);
        }
        writer
            .commit()
            .await
            .map_err(step("commit what was written"))?;
        Ok(changed)
    }

    pub(super) async fn change(
        &self,
        parts: &[Part],
        line: &AccessLine,
    ) -> Result<Changed, StoreError> {
        let mut writer = self.begin().await.map_err(step("begin a change"))?;
        for (at, part) in parts.iter().enumerate() {
            let rows = execute(&mut writer.connection, part.step()).await?;
            if !part.holds(rows) {
                writer.undo().await;
                return Ok(Changed::Refused(at));
            }
        }
        let held = collect(&mut writer.connection, &ACCESS_LAST, &Args::NONE).await?;
        for step in line.steps(held.first().ok_or(StoreError::NoAccessRow)?) {
            execute(&mut writer.connection, &step).await?;
        }
        writer.commit().await.map_err(step("commit a change"))?;
        Ok(Changed::Done)
    }

    pub(super) async fn script(
        &self,
        texts: Vec<&'static str>,
        (sql, args): &Step,
    ) -> Result<(), sqlx::Error> {
        let mut writer = self.begin().await?;
        for text in texts {
            let script = sqlx::raw_sql(text);
            script.execute(&mut writer.connection).await?;
        }
        let last = sqlx::query_with(sql.sqlite, args.sqlite()?);
        last.execute(&mut writer.connection).await?;
        writer.commit().await
    }

    pub(super) async fn prepare(&self, all: &'static [&'static Sql]) -> Result<(), StoreError> {
        let mut writer = self.begin().await.map_err(step("prepare statements"))?;
        for sql in all {
            let prepared = writer.connection.prepare(sql.sqlite.into_sql_str()).await;
            prepared.map_err(failed(sql))?;
        }
        writer.undo().await;
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.reads.close().await;
        if let Some(connection) = self.writer.lock().await.take() {
            // What was committed is safe; whether the file beside the database was tidied away matters little.
            let _ = connection.close().await;
        }
    }

    /// Sends a batch, a statement a table, in one transaction.
    pub(super) async fn commit(&self, batch: &Batch) -> Tried {
        let mut writer = match self.begin().await {
            Ok(writer) => writer,
            Err(source) => {
                return Tried::Failed(StoreError::Step {
                    step: "begin a commit",
                    source,
                });
            }
        };
        match write_batch(&mut writer.connection, batch).await {
            Ok(true) => {}
            Ok(false) => {
                writer.undo().await;
                return Tried::NotNext;
            }
            Err(error) => {
                writer.undo().await;
                return Tried::Failed(error);
            }
        }
        match writer.commit().await {
            Ok(()) => Tried::Done,
            Err(source) => {
                let unclear = is_io(&source);
                let error = StoreError::Step {
                    step: "commit a batch",
                    source,
                };
                if unclear {
                    Tried::Unknown(error)
                } else {
                    Tried::Failed(error)
                }
            }
        }
    }

    async fn begin(&self) -> Result<Writer<'_>, sqlx::Error> {
        let mut slot = self.writer.lock().await;
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        // A transaction that begins by reading can fail at its first write; this one waits for its turn here.
        match connection.execute("BEGIN IMMEDIATE").await {
            Ok(_) => Ok(Writer { connection, slot }),
            Err(error) => {
                *slot = Some(connection);
                Err(error)
            }
        }
    }
}

/// Whoever holds this writes. Dropped before it committed, its connection is closed, and the transaction with it: the
/// next writer opens another.
struct Writer<'a> {
    connection: SqliteConnection,
    slot: MutexGuard<'a, Option<SqliteConnection>>,
}

impl Writer<'_> {
    async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.connection.execute("COMMIT").await?;
        *self.slot = Some(self.connection);
        Ok(())
    }

    /// Does at once, and with the connection kept, what dropping does.
    async fn undo(mut self) {
        if self.connection.execute("ROLLBACK").await.is_ok() {
            *self.slot = Some(self.connection);
        }
    }
}

/// Whether the leader's row was the expected one.
async fn write_batch(connection: &mut SqliteConnection, batch: &Batch) -> Result<bool, StoreError> {
    let mut query = sqlx::query(LEADER_STEP.sqlite);
    for number in batch.mark().numbers() {
        query = query.bind(number);
    }
    let query = query.bind(batch.mark().audit_hash.clone());
    let led = query.execute(&mut *connection).await;
    if led.map_err(failed(&LEADER_STEP))?.rows_affected() != 1 {
        return Ok(false);
    }
    for part in batch.sqlite_parts() {
        let query = sqlx::query(part.sql.sqlite).bind(part.sheet.clone());
        let done = query.execute(&mut *connection).await;
        let changed = done.map_err(failed(part.sql))?.rows_affected();
        if part.counted && changed != part.rows {
            return Err(StoreError::Missing {
                what: format!(
                    "{}: {} rows were to change, {changed} were there",
                    part.sql.name, part.rows
                ),
            });
        }
    }
    Ok(true)
}

/// Runs a statement; says how many rows it changed.
async fn execute(connection: &mut SqliteConnection, (sql, args): &Step) -> Result<u64, StoreError> {
    let args = args.sqlite().map_err(failed(sql))?;
    let done = sqlx::query_with(sql.sqlite, args).execute(connection).await;
    Ok(done.map_err(failed(sql))?.rows_affected())
}

async fn collect<T: Read>(
    connection: &mut SqliteConnection,
    sql: &'static Sql,
    args: &Args,
) -> Result<Vec<T>, StoreError> {
    let args = args.sqlite().map_err(failed(sql))?;
    let mut rows = sqlx::query_with(sql.sqlite, args).fetch(connection);
    let mut out = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(failed(sql))? {
        out.push(read(&row)?);
    }
    Ok(out)
}

/// Connects. A new file is made one that keeps a log beside it by whoever opens it first, and SQLite does not wait for that as
/// it does for other locks: who comes at the same moment tries again.
async fn connect(
    options: &SqliteConnectOptions,
    within: Duration,
) -> Result<SqliteConnection, sqlx::Error> {
    let late = Instant::now() + within;
    loop {
        match options.connect().await {
            Err(error) if is_busy(&error) && Instant::now() < late => sleep(BUSY_AGAIN).await,
            done => return done,
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    const BUSY: i32 = 5;
    let error = error.as_database_error();
    error.and_then(|error| sqlite_code(error.code().as_deref())) == Some(BUSY)
}

/// Whether the disk failed: then it is open what it kept.
fn is_io(error: &sqlx::Error) -> bool {
    const IOERR: i32 = 10;
    match error.as_database_error() {
        Some(error) => sqlite_code(error.code().as_deref()) == Some(IOERR),
        None => true,
    }
}

/// SQLite's primary result code.
pub(crate) fn sqlite_code(code: Option<&str>) -> Option<i32> {
    code?.parse::<i32>().ok().map(|code| code & 0xff)
}
