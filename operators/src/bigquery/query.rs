//! A query or a script, launched once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidemill_core::operator::{Operator, Outcome, TaskContext, TaskError, TaskResult};
use tidemill_core::spec::{Destination, Touches, WriteMode};
use tidemill_core::text::Text;

use super::client::{BigQuery, JobRequest};
use super::job::{Job, JobAt, number, print};
use super::parameter::Parameter;
use super::record::{Figures, Said, record};
use super::shape::{Partitioning, Shape};
use super::table::{TableFacts, TableName, partition};
use super::watch::{Stands, Waiting, release, waiting};
use crate::remote::label;

/// Rows that a task may return; a task returns at most a mebibyte.
const ROWS_MAX: u32 = 1_000;

/// What a query did.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct QueryDone {
    /// What it was: `SELECT`, `INSERT`, `MERGE`, `CREATE_TABLE`, `SCRIPT` …
    pub statement: String,
    /// How many rows it returned or wrote into its destination.
    pub rows: i64,
    /// How many rows it inserted, updated or deleted.
    pub changed: i64,
    /// The first rows, as objects by the names of columns, if the author asked for them.
    pub returned: Vec<Value>,
    /// How many bytes it read.
    pub bytes: i64,
    /// How many bytes are billed.
    pub billed: i64,
    /// The slot time it took, in milliseconds.
    pub slot_ms: i64,
    /// Its job; none of a dry run.
    pub job: Option<String>,
    /// Where a person can look at it.
    pub link: Option<String>,
}

/// Where the rows of a query go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    table: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition: Option<Text>,
    write: String,
}

/// Runs a query or a script of several statements, once a launch: a retry after a crash finds the first job.
///
/// ```
/// use tidemill_core::prelude::*;
/// use tidemill_operators::bigquery::BigQueryQuery;
///
/// let dag = Dag::build("sales", |dag| {
///     dag.schedule(Cron::daily());
///     dag.add(
///         "by_shop",
///         BigQueryQuery::of("SELECT shop, SUM(amount) AS amount FROM sales.orders WHERE day = @day GROUP BY shop")
///             .parameter("day", "DATE", "{ds}")
///             .replacing_partition("sales.by_shop", "{ds}")
///             .bill_at_most(10 << 30),
///     );
/// });
/// assert!(dag.problems().is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct BigQueryQuery {
    sql: Text,
    #[serde(default = "crate::storage::connection")]
    connection: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dataset: Option<Text>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parameters: Vec<Parameter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    into: Option<Target>,
    #[serde(default)]
    shape: Shape,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_bytes: Option<u64>,
    #[serde(default)]
    returning: u32,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    batch: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, Text>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    options: Map<String, Value>,
}

impl BigQueryQuery {
    /// This query, in `GoogleSQL`. Braces of its own are written `{{` and `}}`. Values belong into [parameters](Self::parameter).
    pub fn of(sql: impl Into<Text>) -> Self {
        Self {
            sql: sql.into(),
            connection: crate::storage::connection(),
            project: None,
            location: None,
            dataset: None,
            parameters: Vec::new(),
            into: None,
            shape: Shape::default(),
            max_bytes: None,
            returning: 0,
            dry_run: false,
            batch: false,
            labels: BTreeMap::new(),
            options: Map::new(),
        }
    }

    /// Keeps a table as it is now in a table of its own, which costs only what changes: `BigQueryQuery::snapshot("crm.t", "crm.t_{ds_nodash}")`.
    pub fn snapshot(table: impl std::fmt::Display, to: impl std::fmt::Display) -> Self {
        Self::of(format!(
            "CREATE SNAPSHOT TABLE IF NOT EXISTS `{to}` CLONE `{table}`"
        ))
    }

    /// Through another connection than `google`.
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.connection = name.into();
        self
    }

    /// The project that runs and pays the job; that of the connection if nothing is said.
    pub fn billed_to(mut self, project: impl Into<Text>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// Where it runs. The service finds it by the tables if nothing is said.
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// The dataset of tables that name none.
    pub fn dataset(mut self, dataset: impl Into<Text>) -> Self {
        self.dataset = Some(dataset.into());
        self
    }

    /// The value of `@name`, of a type such as `DATE`, `INT64` or `STRING`. It is a value and never part of the statement.
    pub fn parameter(
        mut self,
        name: impl Into<String>,
        kind: impl Into<String>,
        value: impl Into<Text>,
    ) -> Self {
        self.parameters
            .push(Parameter::one(name, kind, value.into()));
        self
    }

    /// The values of `@name`, an array: `WHERE shop IN UNNEST(@shops)`.
    pub fn list<T: Into<Text>>(
        mut self,
        name: impl Into<String>,
        kind: impl Into<String>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let values = values.into_iter().map(Into::into);
        self.parameters
            .push(Parameter::list(name, kind, values.collect()));
        self
    }

    fn write(mut self, table: Text, partition: Option<Text>, write: &str) -> Self {
        self.into = Some(Target {
            table,
            partition,
            write: write.to_owned(),
        });
        self
    }

    /// Its rows replace this table in one atomic step.
    pub fn replacing(self, table: impl Into<Text>) -> Self {
        self.write(table.into(), None, "WRITE_TRUNCATE")
    }

    /// Its rows replace a partition of this table in one atomic step.
    pub fn replacing_partition(self, table: impl Into<Text>, partition: impl Into<Text>) -> Self {
        self.write(table.into(), Some(partition.into()), "WRITE_TRUNCATE")
    }

    /// Its rows are added to this table, once a launch. Clearing the task adds them again: replacing a partition does not.
    pub fn appending_to(self, table: impl Into<Text>) -> Self {
        self.write(table.into(), None, "WRITE_APPEND")
    }

    /// Its rows become this table, which must not be there or be empty.
    pub fn creating(self, table: impl Into<Text>) -> Self {
        self.write(table.into(), None, "WRITE_EMPTY")
    }

    /// How a new destination is partitioned.
    pub fn partitioned_by(mut self, by: Partitioning) -> Self {
        self.shape.partitioning = Some(by);
        self
    }

    /// By which columns, up to four, a new destination is clustered.
    pub fn clustered_by<C: Into<String>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.shape.clustering = columns.into_iter().map(Into::into).collect();
        self
    }

    /// It fails, and costs nothing, rather than being billed for more bytes.
    pub const fn bill_at_most(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// The task returns so many of its rows, up to a thousand.
    pub const fn returning(mut self, rows: u32) -> Self {
        self.returning = if rows > ROWS_MAX { ROWS_MAX } else { rows };
        self
    }

    /// It is only looked at: whether it is right, and how many bytes it would read.
    pub const fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// It waits for slots that are idle, instead of counting among the queries that run at once.
    pub const fn when_idle(mut self) -> Self {
        self.batch = true;
        self
    }

    /// A label of the job, for bills.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// Any other option of query jobs, by the name that the API has for it.
    pub fn option(mut self, name: impl Into<String>, value: Value) -> Self {
        self.options.insert(name.into(), value);
        self
    }

    async fn open(&self, ctx: &TaskContext) -> TaskResult<BigQuery> {
        let project = self.project.as_ref().map(Text::as_str);
        BigQuery::open(ctx, &self.connection, project).await
    }

    fn target(&self, bq: &BigQuery) -> TaskResult<Option<(TableName, Option<String>)>> {
        let Some(into) = &self.into else {
            return Ok(None);
        };
        let table = TableName::of(&into.table)?.in_project(bq.project());
        let name = into.partition.as_ref().map(|text| partition(text.as_str()));
        Ok(Some((table, name.transpose()?)))
    }

    fn configuration(&self, bq: &BigQuery, there: Option<&TableFacts>) -> TaskResult<Value> {
        let mut query = self.options.clone();
        let mut set = |name: &str, value: Value| query.insert(name.to_owned(), value);
        set("query", json!(self.sql.as_str()));
        set("useLegacySql", json!(false));
        if let Some(dataset) = &self.dataset {
            // A dataset is named like a table of it.
            let name: TableName = TableName::of(&Text::new(format!("{dataset}.t")))?;
            let project = name.project.as_deref().unwrap_or(bq.project());
            set(
                "defaultDataset",
                json!({ "projectId": project, "datasetId": name.dataset }),
            );
        }
        if !self.parameters.is_empty() {
            set("parameterMode", json!("NAMED"));
            set(
                "queryParameters",
                self.parameters.iter().map(Parameter::json).collect(),
            );
        }
        if let Some(bytes) = self.max_bytes {
            set("maximumBytesBilled", json!(bytes.to_string()));
        }
        if self.batch {
            set("priority", json!("BATCH"));
        }
        if let (Some(into), Some((table, partition))) = (&self.into, self.target(bq)?) {
            set("destinationTable", table.reference(partition.as_deref()));
            set("writeDisposition", json!(into.write));
            set("createDisposition", json!("CREATE_IF_NEEDED"));
            query.extend(self.shape.over(there, partition.as_deref()));
        }
        Ok(json!({ "query": query }))
    }

    fn request(
        &self,
        ctx: &TaskContext,
        (bq, there): (&BigQuery, Option<&TableFacts>),
    ) -> TaskResult<JobRequest> {
        let own = self.labels.iter();
        let own = own.map(|(name, value)| (label(name), label(value.as_str())));
        Ok(JobRequest::new(self.configuration(bq, there)?, &print(self)?, ctx).labels(own))
    }

    async fn dry(&self, ctx: &TaskContext, bq: &BigQuery, at: &JobAt) -> TaskResult<QueryDone> {
        let told = bq.dry(at, &self.request(ctx, (bq, None))?).await?;
        let bytes = told.pointer("/statistics/totalBytesProcessed");
        let bytes = bytes.or_else(|| told.pointer("/statistics/query/totalBytesProcessed"));
        let bytes = bytes.and_then(number).unwrap_or(0);
        let statement = told.pointer("/statistics/query/statementType");
        ctx.info(format!("the query is right, and would read {bytes} bytes"));
        Ok(QueryDone {
            statement: statement
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            bytes,
            ..QueryDone::default()
        })
    }

    async fn done(&self, ctx: &TaskContext, bq: &BigQuery, job: &Job) -> TaskResult<QueryDone> {
        let count = |name: &str| job.number(&format!("/statistics/query/{name}"));
        let statement = job
            .text("/statistics/query/statementType")
            .unwrap_or_default();
        let has_rows = matches!(statement, "SELECT" | "SCRIPT");
        let mut done = QueryDone {
            statement: statement.to_owned(),
            changed: count("numDmlAffectedRows").unwrap_or(0),
            bytes: count("totalBytesProcessed").unwrap_or(0),
            billed: job.bytes_billed().unwrap_or(0),
            slot_ms: job.slot_ms().unwrap_or(0),
            job: Some(job.at().to_string()),
            link: Some(job.at().link()),
            ..QueryDone::default()
        };
        if has_rows {
            let most = self.returning as usize;
            let rows = bq.rows(job.at(), most).await?;
            done.rows = rows.total;
            done.returned = rows.objects();
            done.returned.truncate(most);
        }
        if let Some((table, partition)) = self.target(bq)? {
            let after = bq.table(&table).await?.and_then(|table| table.rows());
            let said = Said {
                rows_loaded: done.rows,
                rows_after: after,
                ..self.said((&table, partition), job)
            };
            record(ctx, said);
        }
        ctx.info(format!(
            "{statement}: {} rows, {} changed, {} bytes read, {} billed",
            done.rows, done.changed, done.bytes, done.billed
        ));
        Ok(done)
    }

    fn said<'j>(&self, (table, partition): (&TableName, Option<String>), job: &'j Job) -> Said<'j> {
        let write = self.into.as_ref().map(|into| into.write.as_str());
        let named = job
            .value("/statistics/query/referencedTables")
            .and_then(Value::as_array);
        let name = |table: &Value| {
            let part = |name: &str| table.get(name)?.as_str();
            Some(format!(
                "{}.{}.{}",
                part("projectId")?,
                part("datasetId")?,
                part("tableId")?
            ))
        };
        Said {
            sources: named.into_iter().flatten().filter_map(name).collect(),
            destination: table.to_string(),
            mode: if write == Some("WRITE_TRUNCATE") && partition.is_none() {
                "truncate"
            } else {
                "append"
            },
            partition,
            job: Some(job),
            figures: Figures {
                bytes: job
                    .number("/statistics/query/totalBytesProcessed")
                    .unwrap_or(0),
                ..Figures::of(job)
            },
            rows_loaded: 0,
            rows_after: None,
            error: None,
        }
    }

    async fn failed(&self, ctx: &TaskContext, bq: &BigQuery, (job, error): (&Job, &TaskError)) {
        let Ok(Some((table, partition))) = self.target(bq) else {
            return;
        };
        let now = bq.table(&table).await.ok().flatten();
        let said = Said {
            rows_after: now.and_then(|table| table.rows()),
            error: Some(error),
            ..self.said((&table, partition), job)
        };
        record(ctx, said);
    }
}

impl Operator for BigQueryQuery {
    const NAME: &'static str = "bigquery_query";
    type Output = QueryDone;

    fn touches(&self) -> Touches {
        let touches = Touches::nothing().connection(&self.connection);
        let Some(into) = &self.into else {
            return touches;
        };
        let mode = match (&*into.write, &into.partition) {
            (_, Some(partition)) => {
                WriteMode::Append(tidemill_core::spec::Dedup::Partition(partition.clone()))
            }
            ("WRITE_TRUNCATE", None) => WriteMode::Truncate,
            _ => WriteMode::Append(tidemill_core::spec::Dedup::JobId),
        };
        let table = into.table.clone();
        touches.writes(Destination { table, mode })
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<QueryDone>> {
        let bq = self.open(ctx).await?;
        let at = bq.at(ctx.launch_key().as_str(), self.location.as_deref());
        if self.dry_run {
            return self.dry(ctx, &bq, &at).await.map(Outcome::Done);
        }
        let there = match self.target(&bq)? {
            Some((table, _)) => bq.table(&table).await?,
            None => None,
        };
        let mut request = self.request(ctx, (&bq, there.as_ref()))?;
        if self.into.is_some() {
            let before = there.and_then(|table| table.rows());
            let figures = Figures {
                rows_before: Some(before.unwrap_or(0)),
                ..Figures::default()
            };
            request = request.labels(figures.labels());
        }
        let (job, was_there) = bq.launch(&at, &request).await?;
        let how = if was_there { "adopted" } else { "launched" };
        ctx.info(format!("{how} query job {}: {}", job.at(), job.at().link()));
        Waiting::new(ctx, &job, Value::Null).first(how)
    }

    async fn resume(&self, ctx: &TaskContext, handle: Value) -> TaskResult<Outcome<QueryDone>> {
        let bq = self.open(ctx).await?;
        let waits: Waiting<Value> = waiting(handle)?;
        Ok(match waits.look(ctx, &bq).await? {
            Stands::Waits(waits, wait, why) => return waits.deferred(wait, why),
            Stands::Done(job) => Outcome::Done(self.done(ctx, &bq, &job).await?),
            Stands::Failed(job, error) => {
                self.failed(ctx, &bq, (&job, &error)).await;
                Outcome::Failed(error)
            }
            // What a statement may have changed is not done again by itself.
            Stands::Lost(error) => Outcome::Failed(TaskError::permanent(error.message).help(
                "look whether the statement did its work; if it did not, clear the task, which runs it again",
            )),
        })
    }

    async fn cancel(&self, ctx: &TaskContext, handle: Option<Value>) -> TaskResult<()> {
        let bq = self.open(ctx).await?;
        release(ctx, &bq, handle, self.location.as_deref()).await
    }
}
