//! The rows of a table in other columns.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, ListArray, RecordBatch, RecordBatchOptions, new_empty_array, new_null_array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::DataType;

use super::SqlError;
use crate::rows::{fit, page_of};
use crate::schema::{Field, Mode};
use crate::tables::{DataFile, Partition, Partitioning, Snapshot, TableMeta, Target, Warehouse};

/// Rows that are read at once.
const PAGE: usize = 65_536;

/// A column of a table that is changed.
pub(super) struct Column {
    /// Which one of the old table it is; none: it is new.
    pub(super) from: Option<usize>,
    /// What it is from now on.
    pub(super) field: Field,
}

/// Writes the rows of a table anew for what it will be; each stays in its partition. It waits for the disk.
pub(super) fn rewritten(
    warehouse: &Warehouse,
    old: &Snapshot,
    new: &TableMeta,
    columns: &[Column],
) -> Result<Vec<Arc<DataFile>>, SqlError> {
    let mut files = Vec::new();
    let partitions: BTreeSet<Option<&str>> = old
        .files
        .iter()
        .map(|file| file.partition.as_deref())
        .collect();
    for name in partitions {
        let target = new
            .partitioning
            .as_ref()
            .filter(|by| by.by_ingestion())
            .zip(name)
            .and_then(|(by, name): (&Partitioning, &str)| Partition::from_name(name, by))
            .map_or(Target::Rows, Target::Only);
        let part: Vec<_> = old
            .files
            .iter()
            .filter(|file| file.partition.as_deref() == name)
            .cloned()
            .collect();
        let mut writer = warehouse.writer(&old.id, new, target)?;
        let mut from = 0;
        loop {
            let batches = page_of(&part, &old.meta.schema, from, PAGE)?;
            let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
            if rows == 0 {
                break;
            }
            for batch in &batches {
                writer.write(&changed(batch, columns)?)?;
            }
            from += rows;
        }
        files.extend(writer.finish()?);
    }
    Ok(files)
}

/// Lists without items.
fn empty(field: &datafusion::arrow::datatypes::Field, rows: usize) -> ArrayRef {
    let DataType::List(item) = field.data_type() else {
        return new_null_array(field.data_type(), rows);
    };
    let values = new_empty_array(item.data_type());
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(0, rows));
    Arc::new(ListArray::new(Arc::clone(item), offsets, values, None))
}

fn changed(batch: &RecordBatch, columns: &[Column]) -> Result<RecordBatch, SqlError> {
    let failed = |error: datafusion::arrow::error::ArrowError| SqlError::backend(error.to_string());
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for column in columns {
        // A writer refuses itself what must not be missing.
        let mut loose = column.field.clone();
        if loose.mode == Mode::Required {
            loose.mode = Mode::Nullable;
        }
        let arrow = loose.to_arrow();
        arrays.push(match column.from {
            Some(at) => fit(batch.column(at), &loose).map_err(failed)?,
            None if loose.mode == Mode::Repeated => empty(&arrow, batch.num_rows()),
            None => new_null_array(arrow.data_type(), batch.num_rows()),
        });
        fields.push(arrow);
    }
    let schema = datafusion::arrow::datatypes::Schema::new(fields);
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(schema), arrays, &options).map_err(failed)
}
