//! A database for one test, on either side.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::sqlite::SqliteRow;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _, SqliteConnection,
};
use tempfile::TempDir;
use tidemill_store::{Options, Schema, Store};
use tokio::sync::OnceCell;

use crate::cluster;

/// All tables.
pub(crate) const TABLES: [&str; 30] = [
    "access_turn",
    "api_token",
    "asset_event",
    "asset_wait",
    "attempt",
    "audit",
    "audit_start",
    "backfill",
    "backfill_date",
    "cleanup",
    "connection",
    "dag",
    "dag_grant",
    "dag_task",
    "dag_version",
    "leader",
    "load",
    "log_left",
    "login_attempt",
    "outbox",
    "output",
    "pool",
    "run",
    "session",
    "skipped_tick",
    "task",
    "task_detail",
    "user_account",
    "variable",
    "schema_step",
];

/// A database of one test, its schema in place.
pub(crate) struct Place {
    /// Opened with the usual options.
    pub(crate) store: Store,
    /// Where it is.
    pub(crate) url: String,
    /// Goes when the test ends.
    dir: Option<TempDir>,
}

impl Place {
    /// One on PostgreSQL.
    pub(crate) async fn postgres() -> Self {
        let url = empty_or_ready(true).await;
        Self {
            store: open(&url).await,
            url,
            dir: None,
        }
    }

    /// One on SQLite.
    pub(crate) async fn sqlite() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", dir.path().join("tidemill.db").display());
        Self {
            store: open(&url).await,
            url,
            dir: Some(dir),
        }
    }

    /// The address of a database without any tables, on the same side.
    pub(crate) async fn empty_url(&self) -> String {
        match &self.dir {
            None => empty_or_ready(false).await,
            Some(dir) => {
                let name = format!("empty-{}.db", next());
                format!("sqlite://{}", dir.path().join(name).display())
            }
        }
    }

    /// Whether it is on PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        self.dir.is_none()
    }

    /// The same again, apart. Nothing of this one is open meanwhile.
    pub(crate) async fn copied(&self) -> Self {
        if self.is_postgres() {
            self.store.close().await;
            let name = self
                .url
                .split('/')
                .nth(3)
                .and_then(|path| path.split('?').next());
            let url = new_database(name.expect("a database")).await;
            return Self {
                store: open(&url).await,
                url,
                dir: None,
            };
        }
        let new = tempfile::tempdir().expect("a folder");
        let to = new.path().join("tidemill.db");
        self.by_hand(&format!("VACUUM INTO '{}'", to.display()))
            .await;
        let url = format!("sqlite://{}", to.display());
        Self {
            store: open(&url).await,
            url,
            dir: Some(new),
        }
    }

    /// Another process, as it were.
    pub(crate) async fn reopened(&self) -> Store {
        open(&self.url).await
    }

    /// What somebody does by hand.
    pub(crate) async fn by_hand(&self, sql: &str) {
        by_hand(&self.url, sql).await;
    }

    /// A number that somebody asks for by hand.
    pub(crate) async fn ask(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        let done = if self.is_postgres() {
            let mut connection = postgres(&self.url).await;
            sqlx::query_scalar(sql).fetch_one(&mut connection).await
        } else {
            let mut connection = sqlite(&self.url).await;
            sqlx::query_scalar(sql).fetch_one(&mut connection).await
        };
        done.expect("a number")
    }

    /// Every row of every table, as text: two of these are equal if nothing has changed.
    pub(crate) async fn picture(&self) -> Vec<String> {
        let mut picture = Vec::new();
        if self.is_postgres() {
            let mut connection = postgres(&self.url).await;
            for table in TABLES {
                let sql = AssertSqlSafe(format!(
                    "SELECT '{table}: ' || t::text FROM {table} AS t ORDER BY 1"
                ));
                let rows: Result<Vec<String>, _> =
                    sqlx::query_scalar(sql).fetch_all(&mut connection).await;
                picture.extend(rows.expect("rows"));
            }
        } else {
            let mut connection = sqlite(&self.url).await;
            for table in TABLES {
                let sql = AssertSqlSafe(format!("SELECT * FROM {table}"));
                let rows = sqlx::query(sql).fetch_all(&mut connection).await;
                let cell = |row: &SqliteRow, at| row.try_get_unchecked::<Option<String>, _>(at);
                let line = |row: &SqliteRow| {
                    let cells: Vec<_> = (0..row.len()).map(|at| cell(row, at).ok()).collect();
                    format!("{table}: {cells:?}")
                };
                picture.extend(rows.expect("rows").iter().map(line));
            }
        }
        picture.sort();
        picture
    }

    /// The lines in which the database tells how it would run a statement.
    pub(crate) async fn plan(&self, sql: &str) -> String {
        let rows: Vec<String> = if self.is_postgres() {
            let mut connection = postgres(&self.url).await;
            let sql = AssertSqlSafe(format!("EXPLAIN {sql}"));
            sqlx::query_scalar(sql).fetch_all(&mut connection).await
        } else {
            let mut connection = sqlite(&self.url).await;
            let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let rows = sqlx::query_as::<_, (i64, i64, i64, String)>(sql);
            let rows = rows.fetch_all(&mut connection).await;
            rows.map(|rows| rows.into_iter().map(|row| row.3).collect())
        }
        .expect("a plan");
        rows.join("\n")
    }
}

/// What somebody does by hand to the database at this address.
pub(crate) async fn by_hand(url: &str, sql: &str) {
    let text = AssertSqlSafe(sql.to_owned());
    let done = if url.starts_with("postgres") {
        sqlx::raw_sql(text)
            .execute(&mut postgres(url).await)
            .await
            .map(drop)
    } else {
        sqlx::raw_sql(text)
            .execute(&mut sqlite(url).await)
            .await
            .map(drop)
    };
    done.unwrap_or_else(|why| panic!("{sql}: {why}"));
}

/// Opens it with the usual options.
pub(crate) async fn open(url: &str) -> Store {
    open_with(url, Options::default()).await
}

/// Opens it with these options.
pub(crate) async fn open_with(url: &str, options: Options) -> Store {
    let opened = Store::open(url, options).await;
    opened.unwrap_or_else(|why| panic!("{why}: {:?}", std::error::Error::source(&why)))
}

/// A connection beside the store.
pub(crate) async fn postgres(url: &str) -> PgConnection {
    PgConnection::connect(url)
        .await
        .expect("PostgreSQL answers")
}

/// A connection beside the store.
pub(crate) async fn sqlite(url: &str) -> SqliteConnection {
    let options: sqlx::sqlite::SqliteConnectOptions = url.parse().expect("an address");
    options
        .create_if_missing(true)
        .connect()
        .await
        .expect("SQLite opens the file")
}

fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A new database: empty, or copied from one whose schema is in place.
async fn empty_or_ready(ready: bool) -> String {
    static READY: OnceCell<()> = OnceCell::const_new();
    let cluster = cluster::here();
    let template = if ready {
        let make = || async {
            by_hand(&cluster.url("postgres"), "CREATE DATABASE ready").await;
            let options = Options {
                schema: Schema::Migrate,
                ..Options::default()
            };
            open_with(&cluster.url("ready"), options)
                .await
                .close()
                .await;
        };
        READY.get_or_init(make).await;
        "ready"
    } else {
        "template0"
    };
    new_database(template).await
}

async fn new_database(template: &str) -> String {
    let (cluster, name) = (cluster::here(), format!("test_{}", next()));
    let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
    by_hand(&cluster.url("postgres"), &sql).await;
    cluster.url(&name)
}
