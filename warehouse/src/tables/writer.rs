//! Rows on their way to files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::WriterProperties;

use super::error::TableError;
use super::files::DataFile;
use super::meta::{Partitioning, TableMeta};
use super::names::{TableId, folder_name};
use super::partition::Partition;
use super::size::logical_bytes;
use super::split::split;
use super::warehouse::Warehouse;
use crate::schema::{Kind, Mode, Schema};

/// Rows of a row group.
const GROUP_ROWS: usize = 256 << 10;
/// Bytes of a row group, if its rows are large.
const GROUP_BYTES: usize = 64 << 20;
/// Rows and bytes of one partition that are encoded together.
const CHUNK_ROWS: usize = 64 << 10;
const CHUNK_BYTES: usize = 8 << 20;
/// Bytes that a writer holds before it ends its largest file.
const HELD_BYTES: usize = 128 << 20;
/// Files that a writer has open.
const OPEN_FILES: usize = 64;
/// Partitions of one job, as in `BigQuery`.
const PARTITIONS: usize = 4_000;

/// Which partitions rows may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Target {
    /// Each row to its own; those of a table by ingestion time to the present one.
    #[default]
    Rows,
    /// All to this one: `table$20260131`. A row that belongs elsewhere is an error.
    Only(Partition),
}

/// Writes rows to files that belong to nobody until they are committed. What is not committed is removed.
pub struct Writer {
    folder: PathBuf,
    warehouse: Warehouse,
    schema: Schema,
    arrow: SchemaRef,
    partitioning: Option<Partitioning>,
    column: Option<usize>,
    /// The partition of rows that do not say theirs.
    present: Partition,
    only: Option<Partition>,
    parts: BTreeMap<Partition, Part>,
    held: usize,
    seen: std::collections::BTreeSet<Partition>,
    done: Vec<Arc<DataFile>>,
}

/// What is under way for one partition.
#[derive(Default)]
struct Part {
    waiting: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
    open: Option<Open>,
}

struct Open {
    parquet: ArrowWriter<BufWriter<File>>,
    file: DataFile,
    sizes: Vec<u64>,
}

impl Writer {
    pub(super) fn new(
        warehouse: &Warehouse,
        id: &TableId,
        meta: &TableMeta,
        target: Target,
    ) -> Result<Self, TableError> {
        let column = match meta.partitioning.as_ref().and_then(Partitioning::field) {
            None => None,
            Some(name) => meta
                .schema
                .fields
                .iter()
                .position(|field| field.name.eq_ignore_ascii_case(name)),
        };
        let present = match &meta.partitioning {
            None => Partition::Whole,
            Some(Partitioning::Time { unit, .. }) => Partition::at_instant(*unit, warehouse.now()),
            Some(Partitioning::Range { .. }) => Partition::Unpartitioned,
        };
        let only = match target {
            Target::Rows => None,
            Target::Only(partition) => Some(partition),
        };
        Ok(Self {
            folder: id.folder(warehouse.root()),
            warehouse: warehouse.clone(),
            arrow: Arc::new(meta.schema.to_arrow()),
            schema: meta.schema.clone(),
            partitioning: meta.partitioning.clone(),
            column,
            present: only.unwrap_or(present),
            only,
            parts: BTreeMap::new(),
            held: 0,
            seen: std::collections::BTreeSet::new(),
            done: Vec::new(),
        })
    }

    /// What batches have to look like.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.arrow
    }

    /// Takes rows. It may wait for the disk: call it where a thread may wait.
    ///
    /// # Errors
    /// A row does not fit the table, or the disk fails.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), TableError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.check(batch)?;
        let batch = RecordBatch::try_new(Arc::clone(&self.arrow), batch.columns().to_vec())
            .map_err(|error| TableError::invalid(error.to_string()))?;
        let pieces = match (self.column, &self.partitioning) {
            (Some(column), Some(partitioning)) => split(&batch, column, partitioning)
                .map_err(|error| TableError::invalid(error.to_string()))?,
            _ => vec![(self.present, batch)],
        };
        for (partition, piece) in pieces {
            if let (Some(only), Some(partitioning)) = (self.only, &self.partitioning)
                && only != partition
            {
                return Err(TableError::invalid(format!(
                    "Some rows belong to different partitions rather than destination partition {}",
                    only.name(partitioning).unwrap_or_default()
                )));
            }
            self.take(partition, piece)?;
        }
        self.shrink()
    }

    /// Takes rows of which somebody else knows the partition. It may wait for the disk.
    ///
    /// # Errors
    /// A row does not fit the table, or the disk fails.
    pub(crate) fn write_at(
        &mut self,
        partition: Partition,
        batch: &RecordBatch,
    ) -> Result<(), TableError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.check(batch)?;
        let batch = RecordBatch::try_new(Arc::clone(&self.arrow), batch.columns().to_vec())
            .map_err(|error| TableError::invalid(error.to_string()))?;
        self.take(partition, batch)?;
        self.shrink()
    }

    /// Ends all files.
    ///
    /// # Errors
    /// The disk fails.
    pub fn finish(mut self) -> Result<Vec<Arc<DataFile>>, TableError> {
        let partitions: Vec<Partition> = self.parts.keys().copied().collect();
        for partition in partitions {
            self.end(partition)?;
        }
        Ok(std::mem::take(&mut self.done))
    }

    fn check(&self, batch: &RecordBatch) -> Result<(), TableError> {
        for (field, column) in self.schema.fields.iter().zip(batch.columns()) {
            if field.mode == Mode::Required && column.null_count() > 0 {
                return Err(TableError::invalid(format!(
                    "Required field {} cannot be null",
                    field.name
                )));
            }
            let (Kind::String(Some(most)), false) = (&field.kind, field.mode == Mode::Repeated)
            else {
                continue;
            };
            let texts = column.as_string::<i32>();
            if let Some(long) = texts
                .iter()
                .flatten()
                .find(|text| text.len() > *most as usize && text.chars().count() > *most as usize)
            {
                return Err(TableError::invalid(format!(
                    "Field {}: STRING({most}) has maximum length {most} but got a value with length {}",
                    field.name,
                    long.chars().count()
                )));
            }
        }
        Ok(())
    }

    fn take(&mut self, partition: Partition, piece: RecordBatch) -> Result<(), TableError> {
        if self.seen.insert(partition) && self.seen.len() > PARTITIONS {
            return Err(TableError::invalid(format!(
                "Too many partitions produced by query, allowed {PARTITIONS}, query produces at least {} partitions",
                self.seen.len()
            )));
        }
        // A slice keeps the whole it is of: its size is what its rows take.
        let bytes: usize = piece
            .columns()
            .iter()
            .map(|column| column.to_data().get_slice_memory_size().unwrap_or(0))
            .sum();
        let part = self.parts.entry(partition).or_default();
        part.rows += piece.num_rows();
        part.bytes += bytes;
        part.waiting.push(piece);
        self.held += bytes;
        if part.rows >= CHUNK_ROWS || part.bytes >= CHUNK_BYTES {
            self.encode(partition)?;
        }
        Ok(())
    }

    /// Ends the largest files until few enough are open and little enough is held.
    fn shrink(&mut self) -> Result<(), TableError> {
        loop {
            let open = self
                .parts
                .values()
                .filter(|part| part.open.is_some())
                .count();
            let encoding: usize = self.parts.values().map(Part::encoding).sum();
            if open <= OPEN_FILES && self.held + encoding <= HELD_BYTES {
                return Ok(());
            }
            let largest = self
                .parts
                .iter()
                .filter(|(_, part)| open <= OPEN_FILES || part.open.is_some())
                .max_by_key(|(_, part)| part.bytes + part.encoding())
                .map(|(partition, _)| *partition);
            match largest {
                Some(partition) => self.end(partition)?,
                None => return Ok(()),
            }
        }
    }

    fn encode(&mut self, partition: Partition) -> Result<(), TableError> {
        let Some(part) = self.parts.get_mut(&partition) else {
            return Ok(());
        };
        if part.open.is_none() {
            let name = match &self.partitioning {
                None => None,
                Some(partitioning) => partition.name(partitioning),
            };
            let folder = self
                .folder
                .join("data")
                .join(name.as_deref().map_or("all".to_owned(), folder_name));
            let (path, file) = self.warehouse.new_file(&folder)?;
            part.open = Some(Open::new(path, file, &self.arrow, name)?);
        }
        let Some(open) = &mut part.open else {
            return Ok(());
        };
        for piece in part.waiting.drain(..) {
            open.add(&piece)?;
        }
        self.held = self.held.saturating_sub(part.bytes);
        (part.rows, part.bytes) = (0, 0);
        Ok(())
    }

    fn end(&mut self, partition: Partition) -> Result<(), TableError> {
        self.encode(partition)?;
        if let Some(open) = self.parts.remove(&partition).and_then(|part| part.open) {
            self.done.push(Arc::new(open.end(&self.schema)?));
        }
        Ok(())
    }
}

impl Part {
    fn encoding(&self) -> usize {
        self.open
            .as_ref()
            .map_or(0, |open| open.parquet.memory_size())
    }
}

impl Open {
    fn new(
        path: PathBuf,
        file: File,
        arrow: &SchemaRef,
        partition: Option<String>,
    ) -> Result<Self, TableError> {
        let file_value = DataFile::written(path.clone(), partition);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_max_row_group_bytes(Some(GROUP_BYTES))
            .build();
        let parquet =
            ArrowWriter::try_new(BufWriter::new(file), Arc::clone(arrow), Some(properties))
                .map_err(TableError::broken(&path))?;
        Ok(Self {
            parquet,
            file: file_value,
            sizes: vec![0; arrow.fields().len()],
        })
    }

    fn add(&mut self, piece: &RecordBatch) -> Result<(), TableError> {
        for (size, column) in self.sizes.iter_mut().zip(piece.columns()) {
            *size += logical_bytes(column.as_ref());
        }
        self.file.rows += piece.num_rows() as u64;
        self.parquet
            .write(piece)
            .map_err(TableError::broken(&self.file.path))
    }

    fn end(mut self, schema: &Schema) -> Result<DataFile, TableError> {
        self.parquet
            .finish()
            .map_err(TableError::broken(&self.file.path))?;
        self.file.bytes = fs::metadata(&self.file.path)
            .map_err(TableError::disk(&self.file.path))?
            .len();
        self.file.columns = schema
            .fields
            .iter()
            .map(|field| field.name.clone())
            .zip(self.sizes)
            .collect();
        Ok(self.file)
    }
}
