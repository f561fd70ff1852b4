//! How large values are as `BigQuery` counts them, whatever they take on the disk.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::DataType;

/// The logical bytes of a column: INT64 and times 8, STRING 2 and its UTF-8, NUMERIC 16, and so on; NULL has none.
#[must_use]
pub fn logical_bytes(array: &dyn Array) -> u64 {
    let present = (array.len() - array.null_count()) as u64;
    match array.data_type() {
        DataType::Boolean => present,
        DataType::Int64
        | DataType::Float64
        | DataType::Date32
        | DataType::Timestamp(..)
        | DataType::Time64(_) => 8 * present,
        DataType::Decimal128(..) | DataType::Interval(_) => 16 * present,
        DataType::Decimal256(..) => 32 * present,
        DataType::Utf8 => {
            let strings = array.as_string::<i32>();
            2 * present
                + text_bytes(strings, strings.value_offsets(), |row| {
                    strings.value(row).len()
                })
        }
        DataType::Binary => {
            let binary = array.as_binary::<i32>();
            2 * present
                + text_bytes(binary, binary.value_offsets(), |row| {
                    binary.value(row).len()
                })
        }
        DataType::Struct(_) => {
            let fields = array.as_struct();
            fields
                .columns()
                .iter()
                .map(|column| logical_bytes(column.as_ref()))
                .sum()
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offsets = list.value_offsets();
            let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
                return 0;
            };
            let (first, last) = (*first as usize, *last as usize);
            logical_bytes(list.values().slice(first, last - first).as_ref())
        }
        _ => 0,
    }
}

fn text_bytes(array: &dyn Array, offsets: &[i32], length: impl Fn(usize) -> usize) -> u64 {
    if array.null_count() == 0 {
        let ends = (offsets.first(), offsets.last());
        return match ends {
            (Some(first), Some(last)) => u64::from(last.abs_diff(*first)),
            _ => 0,
        };
    }
    // A row that is NULL may still have bytes in the buffer.
    (0..array.len())
        .filter(|row| array.is_valid(*row))
        .map(|row| length(row) as u64)
        .sum()
}
