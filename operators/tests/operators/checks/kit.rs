//! The same tables in both databases.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, TimeZone, Utc};
use datafusion::datasource::MemTable;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row as _};
use tidemill::prelude::*;
use tidemill_operators::checks::{Background, CheckReport, Checks, Column, Dialect, Query, Row};
use tidemill_postgres::Cluster;
use tidemill_warehouse::rows::{CellText, JsonRules, RowsBuilder, row_of_json, text_of};
use tidemill_warehouse::sql::{Catalog, Engine, Relation, Request, SqlError, TableName};
use tidemill_warehouse::{Field, Kind, Schema};

pub(crate) type Cell = Option<String>;

/// A table of a test.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<(String, String)>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl Table {
    /// `id:INT64|name:STRING`, then rows; `\N` is null.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let mut lines = text
            .lines()
            .map(str::trim_start)
            .filter(|line| !line.is_empty());
        let columns = lines.next().expect("columns").split('|');
        let columns = columns.map(|column| column.split_once(':').expect("a type"));
        Self {
            name: name.to_owned(),
            columns: columns.map(|(a, b)| (a.to_owned(), b.to_owned())).collect(),
            rows: lines
                .map(|line| line.split('|').map(cell).collect())
                .collect(),
        }
    }
}

fn cell(text: &str) -> Cell {
    (text != "\\N").then(|| {
        text.replace("\\\\", "\0")
            .replace("\\u0301", "\u{301}")
            .replace('\0', "\\")
    })
}

pub(crate) fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 2, 1, 12, 0, 0)
        .single()
        .expect("a moment")
}

/// BigQuery's SQL over tables in memory.
pub(crate) struct Farm {
    engine: Engine,
    tables: BTreeMap<String, Schema>,
    _spill: tempfile::TempDir,
}

struct Memory(BTreeMap<String, Arc<MemTable>>);

impl Catalog for Memory {
    fn relation(&self, name: &TableName) -> BoxFuture<'_, Result<Option<Relation>, SqlError>> {
        let found = self.0.get(&name.table).cloned();
        async move { Ok(found.map(|table| Relation::Rows(table, 0))) }.boxed()
    }
}

impl Farm {
    fn new(tables: &[Table]) -> Self {
        let (mut schemas, mut memory) = (BTreeMap::new(), BTreeMap::new());
        for table in tables {
            let fields = table
                .columns
                .iter()
                .map(|(name, kind)| Field::new(name, Kind::from_name(kind).expect("a type")));
            let schema = Schema {
                fields: fields.collect(),
            };
            let mut rows = RowsBuilder::new(&schema);
            let rules = JsonRules {
                ignore_unknown: false,
                json_as_text: true,
            };
            for row in &table.rows {
                let cells = table.columns.iter().zip(row);
                let json: Map<String, Value> = cells
                    .map(|((name, _), cell)| {
                        (
                            name.clone(),
                            cell.clone().map_or(Value::Null, Value::String),
                        )
                    })
                    .collect();
                rows.push(&row_of_json(&schema, &json, rules).expect("a row"));
            }
            let batch = rows.batch().expect("rows");
            let mem = MemTable::try_new(batch.schema(), vec![vec![batch]]).expect("a table");
            memory.insert(table.name.clone(), Arc::new(mem));
            schemas.insert(table.name.clone(), schema);
        }
        let spill = tempfile::tempdir().expect("a folder");
        let engine = Engine::new(Arc::new(Memory(memory)), spill.path()).expect("an engine");
        Self {
            engine,
            tables: schemas,
            _spill: spill,
        }
    }
}

impl Query for Farm {
    fn dialect(&self) -> Dialect {
        Dialect::BigQuery
    }

    fn columns<'a>(
        &'a self,
        table: &'a str,
    ) -> tidemill_core::operator::BoxFuture<'a, TaskResult<Vec<Column>>> {
        let name = table.rsplit('.').next().unwrap_or(table);
        let fields = self.tables.get(name).map(|schema| schema.fields.as_slice());
        let columns = fields.unwrap_or_default().iter();
        let columns = columns.map(|field| Column::new(&field.name, field.kind.to_string()));
        let columns = columns.collect();
        async move { Ok(columns) }.boxed()
    }

    fn rows<'a>(
        &'a self,
        sql: &'a str,
    ) -> tidemill_core::operator::BoxFuture<'a, TaskResult<Vec<Row>>> {
        async move {
            let request = Request {
                text: sql.to_owned(),
                parameters: Vec::new(),
                project: "p".to_owned(),
                default_dataset: None,
                dry_run: false,
                maximum_bytes_billed: None,
                now: noon(),
                job: None,
                diary: None,
            };
            let outcome = self.engine.run(&request).await;
            let outcome = outcome
                .map_err(|error| TaskError::permanent(format!("{}\n{sql}", error.message)))?;
            let mut rows = Vec::new();
            for batch in &outcome.batches {
                for row in 0..batch.num_rows() {
                    let cells = batch.columns().iter();
                    rows.push(
                        cells
                            .map(|column| text_of(column, row, CellText::File))
                            .collect(),
                    );
                }
            }
            Ok(rows)
        }
        .boxed()
    }
}

/// A database of a real PostgreSQL.
pub(crate) struct Postgres {
    url: String,
}

fn cluster() -> &'static Cluster {
    static HERE: OnceLock<Cluster> = OnceLock::new();
    HERE.get_or_init(|| {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        Cluster::start(
            free.expect("a port").port(),
            "-c fsync=off -c max_connections=100",
        )
    })
}

async fn all(url: &str, sql: &str) -> Result<Vec<Row>, sqlx::Error> {
    let options: sqlx::postgres::PgConnectOptions = url.parse()?;
    let mut connection: PgConnection = options.connect().await?;
    let rows = sqlx::query(AssertSqlSafe(sql))
        .fetch_all(&mut connection)
        .await;
    connection.close().await?;
    rows?
        .iter()
        .map(|row| {
            (0..row.len())
                .map(|at| row.try_get::<Cell, _>(at))
                .collect()
        })
        .collect()
}

impl Postgres {
    async fn new(tables: &[Table]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("k{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let cluster = cluster();
        all(&cluster.url("postgres"), &format!("CREATE DATABASE {name}"))
            .await
            .expect("a database");
        let new = Self {
            url: cluster.url(&name),
        };
        new.run("CREATE SCHEMA shop").await;
        for table in tables {
            let columns: Vec<String> = table
                .columns
                .iter()
                .map(|(name, kind)| format!("\"{name}\" {}", of_postgres(kind)))
                .collect();
            new.run(&format!(
                "CREATE TABLE shop.\"{}\" ({})",
                table.name,
                columns.join(", ")
            ))
            .await;
            let mut sql = String::new();
            for row in &table.rows {
                let cells: Vec<String> = row
                    .iter()
                    .map(|cell| match cell {
                        Some(text) => format!("'{}'", text.replace('\'', "''")),
                        None => "NULL".to_owned(),
                    })
                    .collect();
                let comma = if sql.is_empty() { "" } else { ", " };
                let _ = write!(sql, "{comma}({})", cells.join(", "));
            }
            if !sql.is_empty() {
                new.run(&format!("INSERT INTO shop.\"{}\" VALUES {sql}", table.name))
                    .await;
            }
        }
        new
    }

    async fn run(&self, sql: &str) {
        all(&self.url, sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

fn of_postgres(kind: &str) -> &str {
    match kind {
        "INT64" => "BIGINT",
        "FLOAT64" => "DOUBLE PRECISION",
        "STRING" => "TEXT",
        "BOOL" => "BOOLEAN",
        "DATETIME" => "TIMESTAMP",
        "TIMESTAMP" => "TIMESTAMPTZ",
        other => other,
    }
}

fn failed(error: &sqlx::Error, sql: &str) -> TaskError {
    match error {
        sqlx::Error::Database(error) => TaskError::permanent(format!("{error}\n{sql}")),
        other => TaskError::transient(other.to_string()),
    }
}

impl Query for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn columns<'a>(
        &'a self,
        table: &'a str,
    ) -> tidemill_core::operator::BoxFuture<'a, TaskResult<Vec<Column>>> {
        async move {
            let sql = Dialect::Postgres
                .columns_of(table)
                .map_err(TaskError::permanent)?;
            let rows = all(&self.url, &sql)
                .await
                .map_err(|error| failed(&error, &sql))?;
            let text = |cell: &Cell| cell.clone().unwrap_or_default();
            Ok(rows
                .iter()
                .map(|row| Column::new(text(&row[0]), text(&row[1])))
                .collect())
        }
        .boxed()
    }

    fn rows<'a>(
        &'a self,
        sql: &'a str,
    ) -> tidemill_core::operator::BoxFuture<'a, TaskResult<Vec<Row>>> {
        async move {
            all(&self.url, sql)
                .await
                .map_err(|error| failed(&error, sql))
        }
        .boxed()
    }
}

/// Both databases with the same tables.
pub(crate) struct Both {
    pub(crate) farm: Arc<Farm>,
    pub(crate) postgres: Arc<Postgres>,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl Both {
    pub(crate) fn new(tables: &[Table]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let postgres = runtime.block_on(Postgres::new(tables));
        Self {
            farm: Arc::new(Farm::new(tables)),
            postgres: Arc::new(postgres),
            runtime,
        }
    }

    pub(crate) fn on(&self, database: &dyn Query, checks: &Checks) -> CheckReport {
        self.with(database, checks, &Background::at(noon()))
    }

    pub(crate) fn with(
        &self,
        database: &dyn Query,
        checks: &Checks,
        background: &Background,
    ) -> CheckReport {
        let asked = self.runtime.block_on(checks.ask(database, background));
        asked.expect("the database answers")
    }

    /// What both say, which has to be the same.
    pub(crate) fn ask(&self, checks: &Checks) -> CheckReport {
        self.ask_with(checks, &Background::at(noon()))
    }

    pub(crate) fn ask_with(&self, checks: &Checks, background: &Background) -> CheckReport {
        let ours = self.with(self.farm.as_ref(), checks, background);
        let theirs = self.with(self.postgres.as_ref(), checks, background);
        for (a, b) in ours.results.iter().zip(&theirs.results) {
            let counts = |of: &tidemill_operators::checks::CheckResult| {
                (of.status, of.rows, of.missing, of.checked, of.unexpected)
            };
            assert_eq!(
                counts(a),
                counts(b),
                "{}\nBigQuery: {a:#?}\nPostgreSQL: {b:#?}",
                a.id
            );
            // The farm knows no JSON of a whole row.
            if a.kind == "no_rows" {
                continue;
            }
            assert_eq!(
                a.sample.is_empty(),
                b.sample.is_empty(),
                "{}\n{a:#?}\n{b:#?}",
                a.id
            );
        }
        ours
    }
}
