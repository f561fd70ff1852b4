//! Loading files of Cloud Storage into a table: what an author says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidemill_core::spec::{Dedup, Destination, Table, WriteMode};
use tidemill_core::text::Text;

use super::schema::Column;
use super::shape::{Partitioning, Shape};

/// What files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    Parquet,
    Csv,
    Json,
    Avro,
    Orc,
}

impl Format {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Parquet => "PARQUET",
            Self::Csv => "CSV",
            Self::Json => "NEWLINE_DELIMITED_JSON",
            Self::Avro => "AVRO",
            Self::Orc => "ORC",
        }
    }

    /// Whether files say themselves which columns they have.
    pub(super) const fn has_schema(self) -> bool {
        matches!(self, Self::Parquet | Self::Avro | Self::Orc)
    }
}

/// What a load does where it finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IfNone {
    /// The task fails as an error of the data, which is not tried again. The table stays as it is.
    Fail,
    /// The task is skipped, and so are those after it. The table stays as it is.
    Skip,
    /// It goes on: there was nothing, and that is fine.
    GoOn,
}

/// Where the columns of a load come from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Columns {
    /// The files, or the table.
    #[default]
    There,
    /// BigQuery guesses.
    Guessed,
    /// The author.
    Declared(Vec<Column>),
    /// An object with the JSON of a schema.
    File(Text),
}

/// Files that are in no table yet: say into which one.
#[derive(Debug, Clone)]
#[must_use = "say into which table: `.into(\"dataset.table\")`"]
pub struct LoadFrom {
    files: Vec<Text>,
    format: Format,
}

/// Files and a table: say how it is written.
#[derive(Debug, Clone)]
#[must_use = "say how the table is written: `.append(Dedup::…)`, `.truncate()` or `.merge([\"key\"])`"]
pub struct LoadInto {
    from: LoadFrom,
    table: Text,
}

impl LoadFrom {
    fn new(files: impl IntoIterator<Item = impl Into<Text>>, format: Format) -> Self {
        Self {
            files: files.into_iter().map(Into::into).collect(),
            format,
        }
    }

    /// More files, of the same format.
    pub fn and(mut self, pattern: impl Into<Text>) -> Self {
        self.files.push(pattern.into());
        self
    }

    /// The table that they are loaded into: `dataset.table` or `project.dataset.table`.
    pub fn into(self, table: impl Into<Text>) -> LoadInto {
        LoadInto {
            from: self,
            table: table.into(),
        }
    }
}

impl LoadInto {
    /// Adds rows, once; `dedup` says how a second try is kept from adding them again.
    pub fn append(self, dedup: Dedup) -> LoadToBigQuery {
        let into = Table::named(self.table).append(dedup);
        LoadToBigQuery::new(self.from, into)
    }

    /// Replaces the whole table in one atomic step.
    pub fn truncate(self) -> LoadToBigQuery {
        let into = Table::named(self.table).truncate();
        LoadToBigQuery::new(self.from, into)
    }

    /// Updates the rows with the same key, and inserts the others, in one atomic step.
    pub fn merge<C: Into<String>>(self, columns: impl IntoIterator<Item = C>) -> LoadToBigQuery {
        let into = Table::named(self.table).merge(columns);
        LoadToBigQuery::new(self.from, into)
    }
}

/// Loads files of Cloud Storage into a table of BigQuery, once a launch, and puts the load on record.
///
/// ```
/// use tidemill_core::prelude::*;
/// use tidemill_operators::bigquery::{LoadToBigQuery, Partitioning};
///
/// let dag = Dag::build("crm_daily", |dag| {
///     dag.schedule(Cron::daily());
///     dag.add(
///         "load",
///         LoadToBigQuery::parquet("gs://crm/{ds}/*.parquet")
///             .into("crm.tickets")
///             .append(Dedup::partition("{ds}"))
///             .partitioned_by(Partitioning::day("opened_at"))
///             .clustered_by(["customer_id"]),
///     );
/// });
/// assert!(dag.problems().is_empty());
/// ```
///
/// One job loads straight into the table where that is atomic. Merges, more than 10,000 files and
/// `.if_no_rows(IfNone::Fail)` go through a staging table beside it, which is deleted afterwards; what changes the table itself is
/// always one job, and its identifier is the launch key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct LoadToBigQuery {
    pub(super) files: Vec<Text>,
    pub(super) format: Format,
    pub(super) into: Destination,
    #[serde(default = "crate::storage::connection")]
    pub(super) connection: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) project: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) location: Option<String>,
    #[serde(default)]
    pub(super) columns: Columns,
    #[serde(default)]
    pub(super) shape: Shape,
    #[serde(default)]
    pub(super) allow_new_columns: bool,
    #[serde(default)]
    pub(super) allow_nulls: bool,
    pub(super) if_no_files: IfNone,
    pub(super) if_no_rows: IfNone,
    #[serde(default)]
    pub(super) max_bad_records: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) files_per_job: Option<usize>,
    #[serde(default)]
    pub(super) must_exist: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) latest_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) matching_only: Option<Text>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) labels: BTreeMap<String, Text>,
    /// Options of the format, as the API has them.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) options: Map<String, Value>,
}

impl LoadToBigQuery {
    /// Parquet files, which say themselves which columns they have.
    pub fn parquet(pattern: impl Into<Text>) -> LoadFrom {
        LoadFrom::new([pattern], Format::Parquet)
    }

    /// Files of values separated by commas. `.skip_rows(1)` leaves a line of headings out.
    pub fn csv(pattern: impl Into<Text>) -> LoadFrom {
        LoadFrom::new([pattern], Format::Csv)
    }

    /// Files with a JSON object on each line.
    pub fn json(pattern: impl Into<Text>) -> LoadFrom {
        LoadFrom::new([pattern], Format::Json)
    }

    /// Avro files.
    pub fn avro(pattern: impl Into<Text>) -> LoadFrom {
        LoadFrom::new([pattern], Format::Avro)
    }

    /// ORC files.
    pub fn orc(pattern: impl Into<Text>) -> LoadFrom {
        LoadFrom::new([pattern], Format::Orc)
    }

    fn new(from: LoadFrom, into: Destination) -> Self {
        Self {
            files: from.files,
            format: from.format,
            into,
            connection: crate::storage::connection(),
            project: None,
            location: None,
            columns: Columns::There,
            shape: Shape::default(),
            allow_new_columns: false,
            allow_nulls: false,
            if_no_files: IfNone::Fail,
            if_no_rows: IfNone::GoOn,
            max_bad_records: 0,
            files_per_job: None,
            must_exist: false,
            latest_by: None,
            matching_only: None,
            labels: BTreeMap::new(),
            options: Map::new(),
        }
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

    /// The location of the dataset. It is looked up if nothing is said.
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// The columns. They are compared with those of a table that is there before anything is loaded, and each that differs is
    /// named.
    pub fn columns(mut self, columns: impl IntoIterator<Item = Column>) -> Self {
        self.columns = Columns::Declared(columns.into_iter().collect());
        self
    }

    /// The columns are in an object of Cloud Storage, in the JSON that `bq show --schema` writes.
    pub fn columns_from(mut self, object: impl Into<Text>) -> Self {
        self.columns = Columns::File(object.into());
        self
    }

    /// BigQuery guesses the columns of CSV and JSON from the first rows. Good for a first look; a file that happens to have no
    /// decimals changes a type.
    pub fn guess_columns(mut self) -> Self {
        self.columns = Columns::Guessed;
        self
    }

    /// Columns that the table does not have are added to it.
    pub const fn allow_new_columns(mut self) -> Self {
        self.allow_new_columns = true;
        self
    }

    /// Columns of the table that are never NULL may become so.
    pub const fn allow_nulls(mut self) -> Self {
        self.allow_nulls = true;
        self
    }

    /// How a new table is partitioned.
    pub fn partitioned_by(mut self, by: Partitioning) -> Self {
        self.shape.partitioning = Some(by);
        self
    }

    /// By which columns, up to four, a new table is clustered.
    pub fn clustered_by<C: Into<String>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.shape.clustering = columns.into_iter().map(Into::into).collect();
        self
    }

    /// What to do where there are no files; the task fails if nothing is said.
    pub const fn if_no_files(mut self, then: IfNone) -> Self {
        self.if_no_files = then;
        self
    }

    /// What to do where the files have no rows; it goes on if nothing is said. Otherwise they are loaded into a staging table
    /// first, so that the table stays as it is.
    pub const fn if_no_rows(mut self, then: IfNone) -> Self {
        self.if_no_rows = then;
        self
    }

    /// So many rows that cannot be read are left out, and counted; one is an error if nothing is said.
    pub const fn max_bad_records(mut self, count: u64) -> Self {
        self.max_bad_records = count;
        self
    }

    /// How many files one job loads; 10,000, which is what the service takes, if nothing is said. More are loaded by several jobs
    /// into a staging table first.
    pub const fn files_per_job(mut self, count: usize) -> Self {
        self.files_per_job = Some(count);
        self
    }

    /// The table has to be there; else it is made.
    pub const fn must_exist(mut self) -> Self {
        self.must_exist = true;
        self
    }

    /// Of rows with the same key the one with the greatest value in this column counts. Without it, a key that is there twice in
    /// the files is an error.
    pub fn latest_by(mut self, column: impl Into<String>) -> Self {
        self.latest_by = Some(column.into());
        self
    }

    /// A merge looks for keys only among the rows of the table that fit, so that it reads, and is billed for, only their partitions:
    /// `.matching_only("T.day >= '{ds}'")`. `T` is the table and `S` the files. A key that is only in other rows is inserted again.
    pub fn matching_only(mut self, condition: impl Into<Text>) -> Self {
        self.matching_only = Some(condition.into());
        self
    }

    /// A label of the job, for bills.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// Lines at the beginning of each CSV file that are no rows.
    pub fn skip_rows(self, count: u32) -> Self {
        self.option("skipLeadingRows", json!(count))
    }

    /// What separates the values of CSV: `;`, or `\t` for a tab.
    pub fn delimiter(self, text: impl Into<String>) -> Self {
        self.option("fieldDelimiter", json!(text.into()))
    }

    /// What stands for NULL in CSV.
    pub fn null_marker(self, text: impl Into<String>) -> Self {
        self.option("nullMarker", json!(text.into()))
    }

    /// Values of CSV in quotes may go over several lines.
    pub fn quoted_newlines(self) -> Self {
        self.option("allowQuotedNewlines", json!(true))
    }

    /// Values that belong to no column are left out.
    pub fn ignore_unknown(self) -> Self {
        self.option("ignoreUnknownValues", json!(true))
    }

    /// Lists of Parquet become arrays. Without it they become records with a field `list`, as BigQuery has always done it.
    pub fn lists_as_arrays(self) -> Self {
        self.option("parquetOptions", json!({ "enableListInference": true }))
    }

    /// Any other option of load jobs, by the name that the API has for it: `.option("encoding", json!("ISO-8859-1"))`.
    pub fn option(mut self, name: impl Into<String>, value: Value) -> Self {
        self.options.insert(name.into(), value);
        self
    }

    /// The columns by which rows are merged.
    pub(super) fn keys(&self) -> Option<&[String]> {
        match &self.into.mode {
            WriteMode::Append(Dedup::Key(keys)) | WriteMode::Merge(keys) => Some(keys),
            _ => None,
        }
    }
}
