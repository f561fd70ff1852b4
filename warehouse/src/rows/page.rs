//! Pages of a table: its rows in a fixed order, from one on.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::fit::fitted;
use crate::schema::Schema;
use crate::tables::{DataFile, Snapshot, TableError};

/// The rows of a table from `from` on, at most `most`, with the columns of `schema`. It waits for the disk.
///
/// # Errors
/// The disk fails, or a file does not read.
pub fn page(
    table: &Snapshot,
    schema: &Schema,
    from: u64,
    most: usize,
) -> Result<Vec<RecordBatch>, TableError> {
    page_of(&table.files, schema, from, most)
}

/// The same of some files.
///
/// # Errors
/// The disk fails, or a file does not read.
pub fn page_of(
    files: &[Arc<DataFile>],
    schema: &Schema,
    mut from: u64,
    mut most: usize,
) -> Result<Vec<RecordBatch>, TableError> {
    let mut batches = Vec::new();
    for file in files {
        if from >= file.rows {
            from -= file.rows;
            continue;
        }
        if most == 0 {
            break;
        }
        let found = read(&file.path, schema, from, most)?;
        most -= found
            .iter()
            .map(RecordBatch::num_rows)
            .sum::<usize>()
            .min(most);
        batches.extend(found);
        from = 0;
    }
    Ok(batches)
}

fn read(
    path: &Path,
    schema: &Schema,
    from: u64,
    most: usize,
) -> Result<Vec<RecordBatch>, TableError> {
    opened(path, schema, from, most)?.collect()
}

/// All rows of a file, a few at a time, with the columns of `schema`. It waits for the disk.
///
/// # Errors
/// The disk fails, or the file does not read.
pub(crate) fn whole<'a>(
    file: &'a DataFile,
    schema: &'a Schema,
) -> Result<impl Iterator<Item = Result<RecordBatch, TableError>> + 'a, TableError> {
    opened(&file.path, schema, 0, usize::MAX)
}

fn opened<'a>(
    path: &'a Path,
    schema: &'a Schema,
    from: u64,
    most: usize,
) -> Result<impl Iterator<Item = Result<RecordBatch, TableError>> + 'a, TableError> {
    let file = File::open(path).map_err(TableError::disk(path))?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(TableError::broken(path))?;
    let wanted: Vec<usize> = builder
        .schema()
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, field)| schema.field(field.name()).is_some())
        .map(|(at, _)| at)
        .collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let reader = builder
        .with_projection(mask)
        .with_offset(usize::try_from(from).unwrap_or(usize::MAX))
        .with_limit(most)
        .with_batch_size(8_192)
        .build()
        .map_err(TableError::broken(path))?;
    let arrow = Arc::new(schema.to_arrow());
    Ok(reader.map(move |batch| {
        batch
            .and_then(|batch| fitted(&batch, schema, &arrow))
            .map_err(TableError::broken(path))
    }))
}
