//! Copying tables, and writing them into files.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidemill_core::operator::{Operator, Outcome, TaskContext, TaskError, TaskResult};
use tidemill_core::spec::{Dedup, Destination, Touches, WriteMode};
use tidemill_core::text::Text;

use super::client::{BigQuery, JobRequest};
use super::job::{Job, number, print};
use super::record::{Figures, Said, record, rows_written};
use super::table::{TableName, partition};
use super::watch::{Stands, Waiting, release, waiting};

/// What a copy did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// The table that was written.
    pub table: String,
    /// How many rows were copied.
    pub rows: i64,
    /// The rows of the table before.
    pub rows_before: Option<i64>,
    /// The rows of the table after.
    pub rows_after: Option<i64>,
    /// Its job.
    pub job: String,
    /// Where a person can look at it.
    pub link: String,
}

/// Copies tables into one, in one atomic step, without reading or billing their rows.
///
/// ```
/// use tidemill_operators::bigquery::BigQueryCopy;
///
/// BigQueryCopy::of("staging.sales").replacing_partition("sales.orders", "{ds}");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct BigQueryCopy {
    from: Vec<Text>,
    to: Option<Destination>,
    empty_only: bool,
    #[serde(default = "crate::storage::connection")]
    connection: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
}

impl BigQueryCopy {
    /// This table.
    pub fn of(table: impl Into<Text>) -> Self {
        Self {
            from: vec![table.into()],
            to: None,
            empty_only: false,
            connection: crate::storage::connection(),
            project: None,
            location: None,
        }
    }

    /// And this one.
    pub fn and(mut self, table: impl Into<Text>) -> Self {
        self.from.push(table.into());
        self
    }

    fn to(mut self, table: impl Into<Text>, mode: WriteMode) -> Self {
        let table = table.into();
        self.to = Some(Destination { table, mode });
        self
    }

    /// They replace this table.
    pub fn replacing(self, table: impl Into<Text>) -> Self {
        self.to(table, WriteMode::Truncate)
    }

    /// They replace a partition of this table.
    pub fn replacing_partition(self, table: impl Into<Text>, partition: impl Into<Text>) -> Self {
        self.to(table, WriteMode::Append(Dedup::Partition(partition.into())))
    }

    /// They are added to this table, once a launch.
    pub fn appending_to(self, table: impl Into<Text>) -> Self {
        self.to(table, WriteMode::Append(Dedup::JobId))
    }

    /// They become this table, which must not be there or be empty.
    pub fn creating(mut self, table: impl Into<Text>) -> Self {
        self.empty_only = true;
        self.appending_to(table)
    }

    /// Through another connection than `google`.
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.connection = name.into();
        self
    }

    /// The project that runs the job; that of the connection if nothing is said.
    pub fn billed_to(mut self, project: impl Into<Text>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// The location of the datasets. It is looked up if nothing is said.
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    async fn open(&self, ctx: &TaskContext) -> TaskResult<(BigQuery, TableName, Option<String>)> {
        let to = self.to.as_ref().ok_or_else(|| {
            TaskError::permanent("the copy has no destination")
                .help("say `.replacing(…)`, `.replacing_partition(…)`, `.appending_to(…)` or `.creating(…)`")
        })?;
        let project = self.project.as_ref().map(Text::as_str);
        let bq = BigQuery::open(ctx, &self.connection, project).await?;
        let table = TableName::of(&to.table)?.in_project(bq.project());
        let partition = match &to.mode {
            WriteMode::Append(Dedup::Partition(text)) => Some(partition(text.as_str())?),
            _ => None,
        };
        Ok((bq, table, partition))
    }

    fn configuration(&self, bq: &BigQuery, to: &Value, replaces: bool) -> TaskResult<Value> {
        let from = self.from.iter().map(|table| {
            let table = TableName::of(table)?.in_project(bq.project());
            Ok(table.reference(None))
        });
        let from: Vec<Value> = from.collect::<TaskResult<_>>()?;
        let write = match (replaces, self.empty_only) {
            (true, _) => "WRITE_TRUNCATE",
            (false, true) => "WRITE_EMPTY",
            (false, false) => "WRITE_APPEND",
        };
        Ok(json!({ "copy": {
            "sourceTables": from, "destinationTable": to,
            "createDisposition": "CREATE_IF_NEEDED", "writeDisposition": write,
        } }))
    }

    fn said<'j>(&self, (table, partition): (&TableName, Option<String>), job: &'j Job) -> Said<'j> {
        let replaces = self
            .to
            .as_ref()
            .is_some_and(|to| to.mode == WriteMode::Truncate);
        let rows = rows_written(job);
        Said {
            sources: self.from.iter().map(ToString::to_string).collect(),
            destination: table.to_string(),
            partition,
            mode: if replaces { "truncate" } else { "append" },
            job: Some(job),
            figures: Figures {
                rows,
                ..Figures::of(job)
            },
            rows_loaded: rows,
            rows_after: None,
            error: None,
        }
    }
}

impl Operator for BigQueryCopy {
    const NAME: &'static str = "bigquery_copy";
    type Output = Copied;

    fn touches(&self) -> Touches {
        let touches = Touches::nothing().connection(&self.connection);
        match &self.to {
            Some(to) => touches.writes(to.clone()),
            None => touches,
        }
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<Copied>> {
        let (bq, table, partition) = self.open(ctx).await?;
        let location = match &self.location {
            Some(location) => Some(location.clone()),
            None => bq.location(&table).await?,
        };
        let replaces = partition.is_some()
            || self
                .to
                .as_ref()
                .is_some_and(|to| to.mode == WriteMode::Truncate);
        let to = table.reference(partition.as_deref());
        let configuration = self.configuration(&bq, &to, replaces)?;
        let before = bq.table(&table).await?.and_then(|table| table.rows());
        let figures = Figures {
            rows_before: Some(before.unwrap_or(0)),
            ..Figures::default()
        };
        let request = JobRequest::new(configuration, &print(self)?, ctx).labels(figures.labels());
        let at = bq.at(ctx.launch_key().as_str(), location.as_deref());
        let (job, was_there) = bq.launch(&at, &request).await?;
        let how = if was_there { "adopted" } else { "launched" };
        ctx.info(format!("{how} copy job {}: {}", job.at(), job.at().link()));
        Waiting::new(ctx, &job, Value::Null).first(how)
    }

    async fn resume(&self, ctx: &TaskContext, handle: Value) -> TaskResult<Outcome<Copied>> {
        let (bq, table, partition) = self.open(ctx).await?;
        let waits: Waiting<Value> = waiting(handle)?;
        let stands = waits.look(ctx, &bq).await?;
        let (job, error) = match stands {
            Stands::Waits(waits, wait, why) => return waits.deferred(wait, why),
            Stands::Lost(error) => return Ok(Outcome::Failed(again_by_hand(error))),
            Stands::Done(job) => (job, None),
            Stands::Failed(job, error) => (job, Some(error)),
        };
        let after = bq.table(&table).await;
        let after = if error.is_some() {
            after.ok().flatten()
        } else {
            after?
        };
        let after = after.and_then(|table| table.rows());
        let said = Said {
            rows_after: after,
            error: error.as_ref(),
            ..self.said((&table, partition), &job)
        };
        let load = record(ctx, said);
        Ok(match error {
            Some(error) => Outcome::Failed(error),
            None => Outcome::Done(Copied {
                table: table.to_string(),
                rows: load.rows_loaded,
                rows_before: load.rows_before,
                rows_after: after,
                job: job.at().to_string(),
                link: job.at().link(),
            }),
        })
    }

    async fn cancel(&self, ctx: &TaskContext, handle: Option<Value>) -> TaskResult<()> {
        let (bq, ..) = self.open(ctx).await?;
        release(ctx, &bq, handle, self.location.as_deref()).await
    }
}

fn again_by_hand(error: TaskError) -> TaskError {
    TaskError::permanent(error.message)
        .help("look whether it did its work; if it did not, clear the task, which runs it again")
}

/// What an extract wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extracted {
    /// Where the files are.
    pub uri: String,
    /// How many there are.
    pub files: i64,
    /// How many bytes were read.
    pub bytes: i64,
    /// Its job.
    pub job: String,
    /// Where a person can look at it.
    pub link: String,
}

/// Writes a table into files of Cloud Storage.
///
/// ```
/// use tidemill_operators::bigquery::BigQueryExtract;
///
/// BigQueryExtract::of("sales.orders").to_parquet("gs://out/orders/{ds}/part-*.parquet");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct BigQueryExtract {
    from: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition: Option<Text>,
    to: Text,
    format: String,
    #[serde(default = "crate::storage::connection")]
    connection: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    options: Map<String, Value>,
}

impl BigQueryExtract {
    /// This table. Say into which files: there is no extract without.
    pub fn of(table: impl Into<Text>) -> ExtractFrom {
        ExtractFrom {
            from: table.into(),
            partition: None,
        }
    }

    /// Through another connection than `google`.
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.connection = name.into();
        self
    }

    /// The project that runs the job; that of the connection if nothing is said.
    pub fn billed_to(mut self, project: impl Into<Text>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// The location of the dataset. It is looked up if nothing is said.
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// How files are packed: `GZIP`, `SNAPPY` or `ZSTD`.
    pub fn packed(self, how: impl Into<String>) -> Self {
        self.option("compression", json!(how.into()))
    }

    /// Any other option of extract jobs, by the name that the API has for it.
    pub fn option(mut self, name: impl Into<String>, value: Value) -> Self {
        self.options.insert(name.into(), value);
        self
    }

    async fn open(&self, ctx: &TaskContext) -> TaskResult<(BigQuery, TableName)> {
        let project = self.project.as_ref().map(Text::as_str);
        let bq = BigQuery::open(ctx, &self.connection, project).await?;
        let table = TableName::of(&self.from)?.in_project(bq.project());
        Ok((bq, table))
    }
}

/// A table that is to be written into files: say into which.
#[derive(Debug, Clone)]
#[must_use = "say into which files: `.to_parquet(\"gs://…\")`"]
pub struct ExtractFrom {
    from: Text,
    partition: Option<Text>,
}

impl ExtractFrom {
    /// Only this partition.
    pub fn partition(mut self, partition: impl Into<Text>) -> Self {
        self.partition = Some(partition.into());
        self
    }

    fn to(self, uri: impl Into<Text>, format: &str) -> BigQueryExtract {
        BigQueryExtract {
            from: self.from,
            partition: self.partition,
            to: uri.into(),
            format: format.to_owned(),
            connection: crate::storage::connection(),
            project: None,
            location: None,
            options: Map::new(),
        }
    }

    /// Into Parquet files; a `*` in the name stands for their numbers.
    pub fn to_parquet(self, uri: impl Into<Text>) -> BigQueryExtract {
        self.to(uri, "PARQUET")
    }

    /// Into CSV files.
    pub fn to_csv(self, uri: impl Into<Text>) -> BigQueryExtract {
        self.to(uri, "CSV")
    }

    /// Into files with a JSON object on each line.
    pub fn to_json(self, uri: impl Into<Text>) -> BigQueryExtract {
        self.to(uri, "NEWLINE_DELIMITED_JSON")
    }

    /// Into Avro files.
    pub fn to_avro(self, uri: impl Into<Text>) -> BigQueryExtract {
        self.to(uri, "AVRO")
    }
}

impl Operator for BigQueryExtract {
    const NAME: &'static str = "bigquery_extract";
    type Output = Extracted;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<Extracted>> {
        let (bq, table) = self.open(ctx).await?;
        let location = match &self.location {
            Some(location) => Some(location.clone()),
            None => bq.location(&table).await?,
        };
        let name = self.partition.as_ref().map(|text| partition(text.as_str()));
        let mut extract = self.options.clone();
        let own = [
            ("sourceTable", table.reference(name.transpose()?.as_deref())),
            ("destinationUris", json!([self.to.as_str()])),
            ("destinationFormat", json!(self.format)),
        ];
        extract.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let request = JobRequest::new(json!({ "extract": extract }), &print(self)?, ctx);
        let at = bq.at(ctx.launch_key().as_str(), location.as_deref());
        let (job, was_there) = bq.launch(&at, &request).await?;
        let how = if was_there { "adopted" } else { "launched" };
        ctx.info(format!(
            "{how} extract job {}: {}",
            job.at(),
            job.at().link()
        ));
        Waiting::new(ctx, &job, Value::Null).first(how)
    }

    async fn resume(&self, ctx: &TaskContext, handle: Value) -> TaskResult<Outcome<Extracted>> {
        let (bq, _) = self.open(ctx).await?;
        let waits: Waiting<Value> = waiting(handle)?;
        Ok(match waits.look(ctx, &bq).await? {
            Stands::Waits(waits, wait, why) => return waits.deferred(wait, why),
            // Files are written again as they were.
            Stands::Failed(_, error) | Stands::Lost(error) => Outcome::Failed(error),
            Stands::Done(job) => {
                let counts = job.value("/statistics/extract/destinationUriFileCounts");
                let counts = counts.and_then(Value::as_array).into_iter().flatten();
                Outcome::Done(Extracted {
                    uri: self.to.to_string(),
                    files: counts.filter_map(number).sum(),
                    bytes: job.number("/statistics/extract/inputBytes").unwrap_or(0),
                    job: job.at().to_string(),
                    link: job.at().link(),
                })
            }
        })
    }

    async fn cancel(&self, ctx: &TaskContext, handle: Option<Value>) -> TaskResult<()> {
        let (bq, _) = self.open(ctx).await?;
        release(ctx, &bq, handle, self.location.as_deref()).await
    }
}
