//! Extracting tables into files: CSV, JSON and Parquet.
//!
//! All of it waits for the disk: call it where a thread may wait.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::arrow::array::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, GzipLevel, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use flate2::write::GzEncoder;

use crate::rows::{CellText, json_rows, page, text_of};
use crate::schema::{Kind, Mode, Schema};
use crate::tables::{ObjectError, Snapshot, TableError, Warehouse};

/// Logical bytes that go into one file where there is a `*`.
const SHARD: u64 = 256 << 20;
/// More logical bytes do not go into a single file, as in `BigQuery`.
const SINGLE: u64 = 1 << 30;
/// Rows that are read at once.
const PAGE: usize = 65_536;

/// An extract job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extract {
    /// Where to; each with at most one `*`.
    pub uris: Vec<String>,
    /// How.
    pub format: ExtractFormat,
    /// How it is packed.
    pub pack: Pack,
    /// Only this partition, by its name.
    pub partition: Option<String>,
}

/// How files are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtractFormat {
    /// CSV.
    Csv {
        /// Between values.
        delimiter: String,
        /// A first line with the names of columns.
        header: bool,
    },
    /// One JSON object a line.
    Json,
    /// Parquet.
    Parquet,
}

/// How files are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pack {
    /// Not at all.
    None,
    /// As a whole, or each page of Parquet.
    Gzip,
    /// Each page of Parquet.
    Snappy,
    /// Each page of Parquet.
    Zstd,
}

/// Why nothing more was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExtractError {
    /// `invalid`, `notFound`, `stopped`, `backendError`.
    pub reason: &'static str,
    /// What happened.
    pub message: String,
}

/// What an extract did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extracted {
    /// Files for each address.
    pub files: Vec<u64>,
    /// Logical bytes that were read.
    pub input_bytes: u64,
    /// The objects that were written.
    pub objects: Vec<String>,
}

impl From<TableError> for ExtractError {
    fn from(error: TableError) -> Self {
        Self {
            reason: error.reason(),
            message: error.to_string(),
        }
    }
}

impl From<ObjectError> for ExtractError {
    fn from(error: ObjectError) -> Self {
        Self {
            reason: error.reason,
            message: error.message,
        }
    }
}

fn invalid(message: impl Into<String>) -> ExtractError {
    ExtractError {
        reason: "invalid",
        message: message.into(),
    }
}

fn failed(error: &dyn std::fmt::Display) -> ExtractError {
    ExtractError {
        reason: "backendError",
        message: format!("the extract failed: {error}"),
    }
}

/// Writes the rows of a table to objects.
///
/// # Errors
/// The table or the addresses do not allow it, or the disk fails. Objects that were written stay.
pub fn extract(
    warehouse: &Warehouse,
    table: &Snapshot,
    job: &Extract,
    stop: &AtomicBool,
) -> Result<Extracted, ExtractError> {
    let mut table = table.clone();
    if let Some(name) = &job.partition {
        table
            .files
            .retain(|file| file.partition.as_ref() == Some(name));
    }
    check(&table, job)?;
    let mut done = Extracted {
        input_bytes: table.logical_bytes(),
        ..Extracted::default()
    };
    let rows = table.rows();
    let shares = u64::try_from(job.uris.len()).unwrap_or(1).max(1);
    let share = rows.div_ceil(shares);
    let mut from = 0;
    for uri in &job.uris {
        let to = (from + share).min(rows);
        let objects = part(warehouse, (&table, job), uri, (from, to), stop)?;
        done.files.push(objects.len() as u64);
        done.objects.extend(objects);
        from = to;
    }
    Ok(done)
}

fn check(table: &Snapshot, job: &Extract) -> Result<(), ExtractError> {
    if job.uris.is_empty() {
        return Err(invalid("Required parameter is missing: destinationUris"));
    }
    if table.meta.view.is_some() {
        return Err(invalid(format!(
            "{} is not allowed for this operation because it is currently a VIEW.",
            table.id
        )));
    }
    if let Some(uri) = job.uris.iter().find(|uri| uri.matches('*').count() > 1) {
        return Err(invalid(format!(
            "Invalid destination URI {uri}: at most one wildcard is allowed"
        )));
    }
    if let ExtractFormat::Csv { .. } = job.format
        && let Some(field) = table
            .meta
            .schema
            .fields
            .iter()
            .find(|field| field.mode == Mode::Repeated || matches!(field.kind, Kind::Struct(_)))
    {
        return Err(invalid(format!(
            "Operation cannot be performed on a nested schema. Field: {}",
            field.name
        )));
    }
    let packed =
        matches!(job.pack, Pack::None | Pack::Gzip) || job.format == ExtractFormat::Parquet;
    if !packed {
        return Err(invalid(format!(
            "The compression {:?} is for Parquet alone",
            job.pack
        )));
    }
    let single = job.uris.iter().any(|uri| !uri.contains('*'));
    if single && table.logical_bytes() > SINGLE {
        return Err(invalid(format!(
            "Table {} too large to be exported to a single file. Specify a uri including a * to shard export. See 'Exporting data into one or more files' in https://cloud.google.com/bigquery/docs/exporting-data.",
            table.id
        )));
    }
    Ok(())
}

/// Writes rows to one address: to one object, or to as many as they need where there is a `*`.
fn part(
    warehouse: &Warehouse,
    (table, job): (&Snapshot, &Extract),
    uri: &str,
    (from, to): (u64, u64),
    stop: &AtomicBool,
) -> Result<Vec<String>, ExtractError> {
    let schema = &table.meta.schema;
    let rows = to - from;
    let each = if uri.contains('*') && table.rows() > 0 {
        let bytes = table.logical_bytes() * rows / table.rows();
        rows.div_ceil(bytes.div_ceil(SHARD).max(1)).max(1)
    } else {
        rows.max(1)
    };
    let mut written = Vec::new();
    let mut at = from;
    loop {
        let end = (at + each).min(to);
        let name = uri.replace('*', &format!("{:012}", written.len()));
        let scratch = warehouse.objects().scratch();
        let mut out = Out::new(&scratch, schema, job)?;
        while at < end {
            if stop.load(Ordering::SeqCst) {
                let _ = std::fs::remove_file(&scratch);
                return Err(ExtractError {
                    reason: "stopped",
                    message: "Job execution was cancelled: User requested cancellation".to_owned(),
                });
            }
            let most = usize::try_from(end - at).unwrap_or(PAGE).min(PAGE);
            let batches = page(table, schema, at, most)?;
            let found: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
            if found == 0 {
                break;
            }
            for batch in &batches {
                out.write(batch, schema, job)?;
            }
            at += found;
        }
        out.end()?;
        warehouse.objects().adopt(&name, &scratch, kind_of(job))?;
        written.push(name);
        if at >= to || end == to {
            return Ok(written);
        }
    }
}

fn kind_of(job: &Extract) -> &'static str {
    match (&job.format, job.pack) {
        (ExtractFormat::Parquet, _) => "application/octet-stream",
        (_, Pack::Gzip) => "application/gzip",
        (ExtractFormat::Csv { .. }, _) => "text/csv",
        (ExtractFormat::Json, _) => "application/json",
    }
}

/// A file that is being written.
enum Out {
    Text(BufWriter<File>),
    Packed(Box<GzEncoder<BufWriter<File>>>),
    Parquet(Box<ArrowWriter<BufWriter<File>>>),
}

impl Out {
    fn new(path: &Path, schema: &Schema, job: &Extract) -> Result<Self, ExtractError> {
        let file = BufWriter::new(File::create(path).map_err(|error| failed(&error))?);
        let mut out = match (&job.format, job.pack) {
            (ExtractFormat::Parquet, pack) => {
                let compression = match pack {
                    Pack::None => Compression::UNCOMPRESSED,
                    Pack::Gzip => Compression::GZIP(GzipLevel::default()),
                    Pack::Snappy => Compression::SNAPPY,
                    Pack::Zstd => Compression::ZSTD(ZstdLevel::default()),
                };
                let properties = WriterProperties::builder()
                    .set_compression(compression)
                    .build();
                let arrow = Arc::new(schema.to_arrow());
                let writer = ArrowWriter::try_new(file, arrow, Some(properties))
                    .map_err(|error| failed(&error))?;
                Self::Parquet(Box::new(writer))
            }
            (_, Pack::Gzip) => {
                Self::Packed(Box::new(GzEncoder::new(file, flate2::Compression::fast())))
            }
            _ => Self::Text(file),
        };
        if let ExtractFormat::Csv {
            delimiter,
            header: true,
        } = &job.format
        {
            let names: Vec<String> = schema
                .fields
                .iter()
                .map(|field| quoted(&field.name, delimiter))
                .collect();
            out.text(&format!("{}\n", names.join(delimiter)))?;
        }
        Ok(out)
    }

    fn text(&mut self, text: &str) -> Result<(), ExtractError> {
        match self {
            Self::Text(file) => file.write_all(text.as_bytes()),
            Self::Packed(file) => file.write_all(text.as_bytes()),
            Self::Parquet(_) => Ok(()),
        }
        .map_err(|error| failed(&error))
    }

    fn write(
        &mut self,
        batch: &RecordBatch,
        schema: &Schema,
        job: &Extract,
    ) -> Result<(), ExtractError> {
        if let Self::Parquet(writer) = self {
            return writer.write(batch).map_err(|error| failed(&error));
        }
        let mut text = String::new();
        match &job.format {
            ExtractFormat::Csv { delimiter, .. } => {
                for row in 0..batch.num_rows() {
                    for (at, column) in batch.columns().iter().enumerate() {
                        if at > 0 {
                            text.push_str(delimiter);
                        }
                        let value = text_of(column.as_ref(), row, CellText::File);
                        text.push_str(&quoted(&value.unwrap_or_default(), delimiter));
                    }
                    text.push('\n');
                }
            }
            _ => {
                for row in json_rows(schema, batch) {
                    text.push_str(&row.to_string());
                    text.push('\n');
                }
            }
        }
        self.text(&text)
    }

    fn end(self) -> Result<(), ExtractError> {
        match self {
            Self::Text(mut file) => file.flush(),
            Self::Packed(file) => file.finish().and_then(|mut file| file.flush()),
            Self::Parquet(writer) => {
                return writer.close().map(drop).map_err(|error| failed(&error));
            }
        }
        .map_err(|error| failed(&error))
    }
}

/// A value of CSV, in quotes where it needs them.
fn quoted(text: &str, delimiter: &str) -> String {
    let needs =
        text.contains(['"', '\n', '\r']) || (!delimiter.is_empty() && text.contains(delimiter));
    if needs {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
