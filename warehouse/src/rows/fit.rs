//! Columns of one schema as those of another.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, RecordBatch, RecordBatchOptions, StructArray,
    new_null_array,
};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field as ArrowField, SchemaRef};
use datafusion::arrow::error::ArrowError;

use crate::schema::{Field, Kind, Mode, Schema};

/// The rows of a batch in the columns of a schema, found by their names; a column that is not there is NULL.
pub(crate) fn fitted(
    batch: &RecordBatch,
    schema: &Schema,
    arrow: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    let given = batch.schema();
    let columns = schema
        .fields
        .iter()
        .map(|field| {
            let found = given
                .fields()
                .iter()
                .position(|one| one.name().eq_ignore_ascii_case(&field.name));
            match found {
                Some(at) => fit(batch.column(at), field),
                None => Ok(new_null_array(
                    field.to_arrow().data_type(),
                    batch.num_rows(),
                )),
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(arrow), columns, &options)
}

/// A column in the type of a field.
pub(crate) fn fit(array: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == field.to_arrow().data_type() {
        return Ok(Arc::clone(array));
    }
    if field.mode != Mode::Repeated {
        return one(array, &field.kind).map_err(|error| said(&error, field));
    }
    let list = match array.data_type() {
        DataType::List(_) => Arc::clone(array),
        DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => cast(array, &DataType::List(Arc::clone(item)))?,
        other => {
            return Err(ArrowError::CastError(format!(
                "Field {} is REPEATED, and {other} is no list",
                field.name
            )));
        }
    };
    let list = list.as_list::<i32>();
    let values = one(list.values(), &field.kind).map_err(|error| said(&error, field))?;
    let mut item = field.clone();
    item.mode = Mode::Nullable;
    let item = item.to_arrow();
    let item = ArrowField::new("item", item.data_type().clone(), true)
        .with_metadata(item.metadata().clone());
    Ok(Arc::new(ListArray::try_new(
        Arc::new(item),
        list.offsets().clone(),
        values,
        list.nulls().cloned(),
    )?))
}

fn one(array: &ArrayRef, kind: &Kind) -> Result<ArrayRef, ArrowError> {
    let Kind::Struct(fields) = kind else {
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        return cast_with_options(array, &kind.to_arrow(), &strict);
    };
    let Some(given) = array.as_struct_opt() else {
        return Err(ArrowError::CastError(format!(
            "{} is no record",
            array.data_type()
        )));
    };
    let columns = fields
        .iter()
        .map(|field| {
            let found = given
                .fields()
                .iter()
                .position(|one| one.name().eq_ignore_ascii_case(&field.name));
            match found {
                Some(at) => fit(given.column(at), field),
                None => Ok(new_null_array(field.to_arrow().data_type(), array.len())),
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    let fields = fields.iter().map(Field::to_arrow).collect();
    Ok(Arc::new(StructArray::try_new(
        fields,
        columns,
        given.nulls().cloned(),
    )?))
}

fn said(error: &ArrowError, field: &Field) -> ArrowError {
    let text = error.to_string();
    let text = text.strip_prefix("Cast error: ").unwrap_or(&text);
    ArrowError::CastError(format!("Field {}: {text}", field.name))
}
