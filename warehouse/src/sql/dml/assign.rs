//! Values of queries as those of columns.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array, ListArray, StructArray,
    UInt64Array, new_null_array,
};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options, take};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Field as ArrowField, TimeUnit,
};
use datafusion::arrow::error::ArrowError;

use crate::schema::{Digits, Field, Kind, Mode};
use crate::sql::error::SqlError;
use crate::sql::functions::{assignable, rounded_big, type_name};

/// Whether values of a type can be given to a column, and what `BigQuery` says if not.
pub(super) fn check(
    given: &ArrowField,
    field: &Field,
    refused: impl FnOnce(&str, &str) -> String,
) -> Result<(), SqlError> {
    if fits(given, field) {
        return Ok(());
    }
    let wanted = type_name(&field.to_arrow());
    Err(SqlError::invalid(refused(&type_name(given), &wanted)))
}

fn fits(given: &ArrowField, field: &Field) -> bool {
    if given.data_type() == &DataType::Null {
        return true;
    }
    let mut one = field.clone();
    one.mode = Mode::Nullable;
    match (given.data_type(), field.mode, &field.kind) {
        (DataType::List(item), Mode::Repeated, _) => fits(item, &one),
        (DataType::List(_), ..) | (_, Mode::Repeated, _) => false,
        (DataType::Struct(given), _, Kind::Struct(wanted)) => {
            given.len() == wanted.len() && given.iter().zip(wanted).all(|(a, b)| fits(a, b))
        }
        (DataType::Struct(_), ..) | (.., Kind::Struct(_)) => false,
        _ => assignable(given, &one.to_arrow()),
    }
}

/// The values as those of a column; they fit it.
pub(super) fn assigned(array: &ArrayRef, field: &Field) -> Result<ArrayRef, SqlError> {
    convert(array, field).map_err(|error| {
        let text = error.to_string();
        let text = text
            .split_once("error: ")
            .map_or(text.as_str(), |(_, text)| text);
        SqlError::invalid(text)
    })
}

fn convert(array: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
    // What a column that may be missing looks like: who writes them says that it must not.
    let mut loose = field.clone();
    if loose.mode == Mode::Required {
        loose.mode = Mode::Nullable;
    }
    let wanted = loose.to_arrow();
    if array.data_type() == &DataType::Null {
        return missing(field, array.len());
    }
    if let (DataType::List(item), Mode::Repeated) = (wanted.data_type(), field.mode) {
        let list = cast(array, &DataType::List(Arc::new(item_of(array))))?;
        let list = list.as_list::<i32>();
        let mut one = loose.clone();
        one.mode = Mode::Nullable;
        // Items that no row has may be NULL.
        let first = usize::try_from(list.offsets().first().copied().unwrap_or(0)).unwrap_or(0);
        let last = usize::try_from(list.offsets().last().copied().unwrap_or(0)).unwrap_or(0);
        if list.values().slice(first, last - first).null_count() > 0 {
            return Err(ArrowError::InvalidArgumentError(format!(
                "error: Array cannot have a null element; error in writing field {}",
                field.name
            )));
        }
        let values = convert(list.values(), &one)?;
        let list = ListArray::try_new(
            Arc::clone(item),
            list.offsets().clone(),
            values,
            list.nulls().cloned(),
        )?;
        return emptied(list);
    }
    if let (DataType::Struct(fields), Kind::Struct(inner)) = (wanted.data_type(), &field.kind) {
        let given = array.as_struct();
        let columns = inner
            .iter()
            .enumerate()
            .map(|(at, field)| convert(given.column(at), field))
            .collect::<Result<Vec<_>, _>>()?;
        return Ok(Arc::new(StructArray::try_new(
            fields.clone(),
            columns,
            given.nulls().cloned(),
        )?));
    }
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let values = match (array.data_type(), wanted.data_type()) {
        (DataType::Date32, DataType::Timestamp(TimeUnit::Microsecond, None)) => {
            cast_with_options(array, &DataType::Date64, &strict)?
        }
        _ => Arc::clone(array),
    };
    let values = cast_with_options(&values, wanted.data_type(), &strict)?;
    match field.kind {
        Kind::Numeric(Some(digits)) => rounded(&values, digits, &field.name),
        Kind::BigNumeric(Some(digits)) => big(&values, digits, &field.name),
        _ => Ok(values),
    }
}

/// The values of a column that is given none.
pub(super) fn missing(field: &Field, rows: usize) -> Result<ArrayRef, ArrowError> {
    let array = new_null_array(field.to_arrow().data_type(), rows);
    match array.as_list_opt::<i32>() {
        Some(list) => emptied(list.clone()),
        None => Ok(array),
    }
}

/// An ARRAY that is NULL is an empty one in a table.
fn emptied(list: ListArray) -> Result<ArrayRef, ArrowError> {
    if list.null_count() == 0 {
        return Ok(Arc::new(list));
    }
    // What is NULL may still have items, which nobody sees: those go.
    let rows: UInt64Array = (0..list.len() as u64).collect();
    let list = take(&list, &rows, None)?;
    let (item, offsets, values, _) = list.as_list::<i32>().clone().into_parts();
    Ok(Arc::new(ListArray::try_new(item, offsets, values, None)?))
}

fn item_of(array: &ArrayRef) -> ArrowField {
    match array.data_type() {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item) => item.as_ref().clone(),
        other => ArrowField::new("item", other.clone(), true),
    }
}

fn rounded(values: &ArrayRef, digits: Digits, name: &str) -> Result<ArrayRef, ArrowError> {
    let power = |digits: i32| 10_i128.pow(u32::try_from(digits).unwrap_or(0));
    let unit = power(9 - i32::from(digits.scale));
    let most = power(i32::from(digits.precision) - i32::from(digits.scale) + 9);
    let values = values.as_primitive::<Decimal128Type>();
    let rounded = values
        .iter()
        .map(|value| {
            let Some(value) = value else { return Ok(None) };
            let half = if value < 0 { -unit / 2 } else { unit / 2 };
            let value = (value + half) / unit * unit;
            if value.abs() >= most {
                return Err(ArrowError::InvalidArgumentError(format!(
                    "error: Field {name}: a value is out of range of NUMERIC({}, {})",
                    digits.precision, digits.scale
                )));
            }
            Ok(Some(value))
        })
        .collect::<Result<Decimal128Array, _>>()?;
    Ok(Arc::new(rounded.with_precision_and_scale(38, 9)?))
}

fn big(values: &ArrayRef, digits: Digits, name: &str) -> Result<ArrayRef, ArrowError> {
    let kind = values.data_type().clone();
    let values = values.as_primitive::<Decimal256Type>();
    let rounded = values
        .iter()
        .map(|value| {
            let Some(value) = value else { return Ok(None) };
            match rounded_big(value, digits) {
                Some(value) => Ok(Some(value)),
                None => Err(ArrowError::InvalidArgumentError(format!(
                    "error: Field {name}: a value is out of range of BIGNUMERIC({}, {})",
                    digits.precision, digits.scale
                ))),
            }
        })
        .collect::<Result<Decimal256Array, _>>()?;
    Ok(Arc::new(rounded.with_data_type(kind)))
}
