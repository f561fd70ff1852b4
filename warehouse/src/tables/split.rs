//! Rows by the partitions that they belong to.

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::datatypes::{DataType, Date32Type, Int64Type, TimestampMicrosecondType};
use datafusion::arrow::error::ArrowError;

use super::meta::Partitioning;
use super::partition::Partition;

/// The rows of a batch by partition; `column` is the one that decides.
pub(super) fn split(
    batch: &RecordBatch,
    column: usize,
    partitioning: &Partitioning,
) -> Result<Vec<(Partition, RecordBatch)>, ArrowError> {
    let of = partitions(batch.column(column).as_ref(), partitioning);
    let Some(first) = of.first() else {
        return Ok(Vec::new());
    };
    if of.iter().all(|one| one == first) {
        return Ok(vec![(*first, batch.clone())]);
    }
    let mut rows = BTreeMap::<Partition, Vec<u32>>::new();
    for (row, partition) in (0..).zip(&of) {
        rows.entry(*partition).or_default().push(row);
    }
    rows.into_iter()
        .map(|(partition, rows)| {
            take_record_batch(batch, &UInt32Array::from(rows)).map(|batch| (partition, batch))
        })
        .collect()
}

fn partitions(array: &dyn Array, partitioning: &Partitioning) -> Vec<Partition> {
    let of_row = |row: usize| match (partitioning, array.data_type()) {
        (Partitioning::Range { range, .. }, _) => {
            range.of(array.as_primitive::<Int64Type>().value(row))
        }
        (Partitioning::Time { unit, .. }, DataType::Date32) => {
            let days = array.as_primitive::<Date32Type>().value(row);
            Partition::At(unit.of_days(i64::from(days)))
        }
        (Partitioning::Time { unit, .. }, _) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            Partition::At(unit.of_micros(micros))
        }
    };
    (0..array.len())
        .map(|row| {
            if array.is_null(row) {
                Partition::Null
            } else {
                of_row(row)
            }
        })
        .collect()
}
