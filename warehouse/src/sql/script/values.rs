//! Values of variables.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StructArray, new_empty_array, new_null_array,
};
use datafusion::arrow::datatypes::DataType;

use super::SqlError;
use crate::rows::fit;
use crate::schema::{Field, Kind, Mode, Schema};
use crate::sql::coerce::assignable;
use crate::sql::request::Outcome;
use crate::sql::scope::Variable;
use crate::tables::DatasetId;

/// Where the temporary tables of a job are: a dataset that no list shows.
#[must_use]
pub fn hidden_dataset(project: &str, job: &str) -> DatasetId {
    let sum = job.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let plain: String = job
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .take(200)
        .collect();
    DatasetId::new(project, format!("_script_{plain}_{sum:016x}"))
}

/// NULL; an ARRAY has no items instead.
pub(super) fn nothing(field: Field) -> Variable {
    let kind = field.to_arrow().data_type().clone();
    let value = match &kind {
        DataType::List(item) => Arc::new(datafusion::arrow::array::ListArray::new(
            Arc::clone(item),
            datafusion::arrow::buffer::OffsetBuffer::from_lengths([0]),
            new_empty_array(item.data_type()),
            None,
        )) as ArrayRef,
        other => new_null_array(other, 1),
    };
    Variable { field, value }
}

/// A value as one of another type, if it becomes so without being asked to.
pub(super) fn coerced(value: &Variable, to: &Field) -> Result<Variable, SqlError> {
    let (from, array) = (&value.field, &value.value);
    let bare = array.is_null(0)
        || (from.mode == Mode::Repeated
            && to.mode == Mode::Repeated
            && array.as_list::<i32>().value_length(0) == 0);
    if bare {
        return Ok(nothing(to.clone()));
    }
    if !assignable(from, to) {
        return Err(SqlError::invalid(format!(
            "Cannot coerce expression of type {} to type {}",
            shown(from),
            shown(to)
        )));
    }
    let value = fit(array, to).map_err(|error| SqlError::invalid(error.to_string()))?;
    Ok(Variable {
        field: to.clone(),
        value,
    })
}

fn shown(field: &Field) -> String {
    match field.mode {
        Mode::Repeated => format!("ARRAY<{}>", field.kind),
        _ => field.kind.to_string(),
    }
}

/// Whether a value is TRUE; it must be a BOOL.
pub(super) fn truth(value: &Variable, what: &str) -> Result<bool, SqlError> {
    if value.field.kind != Kind::Bool || value.field.mode == Mode::Repeated {
        if value.value.is_null(0) {
            return Ok(false);
        }
        return Err(SqlError::invalid(format!(
            "{what} should return type BOOL, but returns {}",
            shown(&value.field)
        )));
    }
    let found = value.value.as_boolean();
    Ok(!found.is_null(0) && found.value(0))
}

/// One row as a STRUCT.
pub(super) fn record(schema: &Schema, batch: &RecordBatch, row: usize) -> Variable {
    let columns = batch.slice(row, 1).columns().to_vec();
    let kind = Kind::Struct(schema.fields.clone());
    let field = Field::new("", kind);
    let value: ArrayRef = match field.to_arrow().data_type() {
        DataType::Struct(fields) => Arc::new(StructArray::new(fields.clone(), columns, None)),
        other => new_null_array(other, 1),
    };
    Variable { field, value }
}

/// The columns of a STRUCT.
pub(super) fn parts(value: &Variable) -> Option<Vec<Variable>> {
    let Kind::Struct(fields) = &value.field.kind else {
        return None;
    };
    if value.field.mode == Mode::Repeated {
        return None;
    }
    if value.value.is_null(0) {
        return Some(fields.iter().cloned().map(nothing).collect());
    }
    let columns = value.value.as_struct();
    Some(
        fields
            .iter()
            .zip(columns.columns())
            .map(|(field, column)| Variable {
                field: field.clone(),
                value: Arc::clone(column),
            })
            .collect(),
    )
}

/// The columns of the only row of a query; NULL if it gave none.
pub(super) fn only_row(outcome: &Outcome) -> Result<Vec<Variable>, SqlError> {
    let rows: usize = outcome.batches.iter().map(RecordBatch::num_rows).sum();
    if rows > 1 {
        return Err(SqlError::invalid(
            "Scalar subquery produced more than one element",
        ));
    }
    let found = outcome.batches.iter().find(|batch| batch.num_rows() == 1);
    Ok(outcome
        .schema
        .fields
        .iter()
        .enumerate()
        .map(|(at, field)| match found {
            None => nothing(field.clone()),
            Some(batch) => Variable {
                field: field.clone(),
                value: Arc::clone(batch.column(at)),
            },
        })
        .collect())
}
