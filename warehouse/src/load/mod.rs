//! Loading files into tables: Parquet, CSV and JSON, as `BigQuery`'s load jobs do it.
//!
//! All of it waits for the disk: call it where a thread may wait. A load is seen as a whole or not at all.

mod csv;
mod destination;
mod detect;
mod error;
mod hive;
mod json;
mod parquet;
mod preview;
mod reading;
mod rows;
mod run;
mod source;

pub use csv::CsvOptions;
pub(crate) use destination::said;
pub use error::{LoadError, RowError};
pub use hive::{HiveMode, HiveOptions};
pub use preview::{Preview, preview};
pub use reading::Files;
pub use rows::write_rows;
pub use run::{Loaded, load};
pub use source::Source;

use std::collections::BTreeMap;

use crate::schema::Schema;
use crate::tables::{Partitioning, TableId};

/// A load job.
#[derive(Debug, Clone)]
pub struct Load {
    /// What is loaded.
    pub source: Source,
    /// How it is written.
    pub format: Format,
    /// Where to.
    pub destination: TableId,
    /// What stands behind `$` in the destination.
    pub partition: Option<String>,
    /// The columns, if they are said.
    pub schema: Option<Schema>,
    /// Look into the files for the columns.
    pub autodetect: bool,
    /// Make the table if it is not there.
    pub create: bool,
    /// What becomes of the rows that are there.
    pub write: WriteMode,
    /// Rows that may be left out because they do not fit.
    pub max_bad_records: u64,
    /// Values that the table has no column for are left out.
    pub ignore_unknown: bool,
    /// The table may get new columns.
    pub allow_addition: bool,
    /// Columns of the table may become NULLABLE.
    pub allow_relaxation: bool,
    /// How a new table is cut.
    pub partitioning: Option<Partitioning>,
    /// Whether queries of a new table need a filter.
    pub require_partition_filter: Option<bool>,
    /// By which columns a new table is clustered.
    pub clustering: Vec<String>,
    /// Of a new table.
    pub description: Option<String>,
    /// Of a new table.
    pub labels: BTreeMap<String, String>,
    /// Columns that names of folders say.
    pub hive: Option<HiveOptions>,
}

/// How files are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Parquet.
    Parquet {
        /// A LIST is REPEATED, not a record with a field `list`.
        list_inference: bool,
    },
    /// CSV.
    Csv(CsvOptions),
    /// One JSON object a line.
    Json,
}

/// What becomes of the rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// They stay.
    Append,
    /// They go, and the schema with them.
    Truncate,
    /// They go.
    TruncateData,
    /// There must be none.
    Empty,
}

impl Load {
    /// A load of such files into a table, with what `BigQuery` does if nothing else is said.
    #[must_use]
    pub fn new(source: Source, format: Format, destination: TableId) -> Self {
        Self {
            source,
            format,
            destination,
            partition: None,
            schema: None,
            autodetect: false,
            create: true,
            write: WriteMode::Append,
            max_bad_records: 0,
            ignore_unknown: false,
            allow_addition: false,
            allow_relaxation: false,
            partitioning: None,
            require_partition_filter: None,
            clustering: Vec::new(),
            description: None,
            labels: BTreeMap::new(),
            hive: None,
        }
    }
}
