//! PostgreSQL: one connection for commits, a few for other writes, some for reads.

mod commit;

use std::str::FromStr as _;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Executor as _, SqlSafeStr as _};
use tokio::sync::Mutex;
use tokio::time::timeout;

use self::commit::Committer;
use super::{Changed, Part, Snapshot, Step, failed, step};
use crate::audit::AccessLine;
use crate::bind::Args;
use crate::commit::{Batch, Tried};
use crate::read::{Read, read};
use crate::sql::{ACCESS_LAST, Sql};
use crate::{Options, StoreError};

/// Other writes than commits: leases, the outbox, cleaning.
const WRITERS_MAX: u32 = 2;

/// How many composed statements a connection keeps prepared. Which parts a commit has varies, but not much.
const PREPARED_MAX: usize = 256;

/// No answer for so long, and the connection is given up. Longer than `statement_timeout`, so that the server has its
/// say first.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// How long one more attempt to connect may take that is made to hear why none succeeded.
const ASKED_WITHIN: Duration = Duration::from_secs(2);

/// What every session asks for.
const SESSION: [(&str, &str); 7] = [
    ("idle_in_transaction_session_timeout", "10s"),
    ("lock_timeout", "3s"),
    ("statement_timeout", "15s"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
    // Compiling pays for queries of seconds; we have none.
    ("jit", "off"),
];

/// Queries for pages have many filters that are mostly not set: a plan for the values at hand sees that.
const READS: [(&str, &str); 2] = [
    ("plan_cache_mode", "force_custom_plan"),
    ("default_transaction_read_only", "on"),
];

/// See the module.
#[derive(Debug)]
pub(crate) struct Postgres {
    /// For connections of the caller's own, such as a listener's.
    pub(crate) options: PgConnectOptions,
    name: String,
    commit_options: PgConnectOptions,
    commits: Mutex<Option<Committer>>,
    writes: PgPool,
    reads: PgPool,
}

impl Postgres {
    pub(super) async fn open(url: &str, options: &Options) -> Result<Self, StoreError> {
        let base = PgConnectOptions::from_str(url)
            .map_err(|error| StoreError::Address {
                why: error.to_string(),
            })?
            .application_name(&options.application)
            .statement_cache_capacity(PREPARED_MAX)
            .options(SESSION)
            .disable_statement_logging();
        let name = format!(
            "`{}` at {}:{}",
            base.get_database().unwrap_or(base.get_username()),
            base.get_host(),
            base.get_port()
        );
        let new = Self {
            name,
            commit_options: Committer::options(&base),
            commits: Mutex::new(None),
            writes: pool(WRITERS_MAX, options).connect_lazy_with(base.clone()),
            reads: pool(options.readers_max, options)
                .connect_lazy_with(base.clone().options(READS)),
            options: base,
        };
        // Whether the address is right shows now and not at the first page.
        match new.reads.acquire().await {
            Ok(_) => Ok(new),
            Err(sqlx::Error::PoolTimedOut) => Err(new.refused(new.what_stands_in_the_way().await)),
            Err(source) => Err(new.refused(source)),
        }
    }

    /// The pool tries again until its time is over, and then does not say why it had to.
    async fn what_stands_in_the_way(&self) -> sqlx::Error {
        let tried = timeout(ASKED_WITHIN, self.options.connect()).await;
        match tried {
            Ok(Err(source)) => source,
            Ok(Ok(_)) | Err(_) => sqlx::Error::PoolTimedOut,
        }
    }

    fn refused(&self, source: sqlx::Error) -> StoreError {
        StoreError::Open {
            database: self.name.clone(),
            source,
        }
    }

    pub(super) async fn rows<T: Read>(
        &self,
        sql: &'static Sql,
        args: &Args,
    ) -> Result<Vec<T>, StoreError> {
        collect(&self.reads, sql, args).await
    }

    pub(super) async fn write_rows<T: Read>(
        &self,
        sql: &'static Sql,
        args: &Args,
    ) -> Result<Vec<T>, StoreError> {
        collect(&self.writes, sql, args).await
    }

    pub(super) async fn write(&self, steps: &[Step]) -> Result<Vec<u64>, StoreError> {
        let mut tx = self.writes.begin().await.map_err(step("begin to write"))?;
        let mut changed = Vec::with_capacity(steps.len());
        for step in steps {
            changed.push(execute(&mut tx, step).await?);
        }
        tx.commit().await.map_err(step("commit what was written"))?;
        Ok(changed)
    }

    pub(super) async fn change(
        &self,
        parts: &[Part],
        line: &AccessLine,
    ) -> Result<Changed, StoreError> {
        let mut tx = self.writes.begin().await.map_err(step("begin a change"))?;
        for (at, part) in parts.iter().enumerate() {
            let rows = execute(&mut tx, part.step()).await?;
            if !part.holds(rows) {
                tx.rollback().await.map_err(step("undo a change"))?;
                return Ok(Changed::Refused(at));
            }
        }
        let held = collect(&mut *tx, &ACCESS_LAST, &Args::NONE).await?;
        for step in line.steps(held.first().ok_or(StoreError::NoAccessRow)?) {
            execute(&mut tx, &step).await?;
        }
        tx.commit().await.map_err(step("commit a change"))?;
        Ok(Changed::Done)
    }

    pub(super) async fn script(
        &self,
        texts: Vec<&'static str>,
        (sql, args): &Step,
    ) -> Result<(), sqlx::Error> {
        let mut tx = self.writes.begin().await?;
        // A step may take long, and wait long for another process that takes it.
        tx.execute("SET LOCAL statement_timeout = 0").await?;
        tx.execute("SET LOCAL lock_timeout = 0").await?;
        for text in texts {
            sqlx::raw_sql(text).execute(&mut *tx).await?;
        }
        let last = sqlx::query_with(sql.postgres, args.postgres()?);
        last.execute(&mut *tx).await?;
        tx.commit().await
    }

    pub(super) async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let failed = step("begin a snapshot");
        let mut tx = self.reads.begin_with(BEGIN).await.map_err(&failed)?;
        // Reading back everything active may take longer than a page ever should.
        let patience = tx.execute("SET LOCAL statement_timeout = '10min'").await;
        patience.map_err(&failed)?;
        Ok(Snapshot::Postgres(tx))
    }

    pub(super) async fn prepare(&self, all: &'static [&'static Sql]) -> Result<(), StoreError> {
        let acquired = self.writes.acquire().await;
        let mut connection = acquired.map_err(step("prepare statements"))?;
        for sql in all {
            let prepared = connection.prepare(sql.postgres.into_sql_str()).await;
            prepared.map_err(failed(sql))?;
        }
        Ok(())
    }

    pub(super) async fn close(&self) {
        if let Some(committer) = self.commits.lock().await.take() {
            // Whether it closes in good order matters to nobody any more.
            let _ = committer.close().await;
        }
        self.writes.close().await;
        self.reads.close().await;
    }

    /// Sends a batch.
    pub(super) async fn commit(&self, batch: &Batch) -> Tried {
        let mut slot = self.commits.lock().await;
        let mut committer = match slot.take() {
            Some(committer) => committer,
            None => match Committer::connect(&self.commit_options).await {
                Ok(committer) => committer,
                // Nothing was sent.
                Err(source) => return Tried::Failed(self.refused(source)),
            },
        };
        let sent = timeout(ANSWER_WITHIN, committer.send(batch)).await;
        let (tried, usable) = sent.unwrap_or_else(|_| {
            let error = StoreError::Step {
                step: "hear the end of a commit",
                source: sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
            };
            (Tried::Unknown(error), false)
        });
        if usable {
            *slot = Some(committer);
        }
        tried
    }
}

/// Runs a statement; says how many rows it changed.
async fn execute(connection: &mut PgConnection, (sql, args): &Step) -> Result<u64, StoreError> {
    let args = args.postgres().map_err(failed(sql))?;
    let done = sqlx::query_with(sql.postgres, args)
        .execute(connection)
        .await;
    Ok(done.map_err(failed(sql))?.rows_affected())
}

async fn collect<'c, T: Read>(
    on: impl sqlx::Executor<'c, Database = sqlx::Postgres>,
    sql: &'static Sql,
    args: &Args,
) -> Result<Vec<T>, StoreError> {
    let args = args.postgres().map_err(failed(sql))?;
    let mut rows = sqlx::query_with(sql.postgres, args).fetch(on);
    let mut out = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(failed(sql))? {
        out.push(read(&row)?);
    }
    Ok(out)
}

/// A pool that never hands out a connection inside a transaction.
fn pool(connections_max: u32, options: &Options) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(options.connect_within)
        .after_release(|connection, _| {
            Box::pin(async move {
                // A plain ROLLBACK would do, but makes the server log a warning each time there is nothing to undo.
                const OUTSIDE: &str =
                    "SELECT 1 WHERE transaction_timestamp() = statement_timestamp()";
                let outside = sqlx::raw_sql(OUTSIDE)
                    .fetch_optional(&mut *connection)
                    .await?;
                if outside.is_none() {
                    connection.execute("ROLLBACK").await?;
                }
                Ok(true)
            })
        })
}
