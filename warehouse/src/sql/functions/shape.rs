//! STRUCT: what several of them have in common, and one as another with as many fields.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::error::{DataFusionError, Result};
use datafusion::scalar::ScalarValue;

use super::cast::kind_of;
use super::row::is_json;
use super::value::{V, fail};

/// What stands between `STRUCT<` and its end, if a type is one.
pub(super) fn within(name: &str) -> Option<&str> {
    inside(name, "STRUCT")
}

/// What stands between `name<` and its end, whatever its case.
pub(super) fn inside<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let head = text.get(..name.len())?;
    let rest = text.get(name.len()..)?.trim_start();
    let rest = rest.strip_prefix('<')?.trim_end().strip_suffix('>')?;
    head.eq_ignore_ascii_case(name).then_some(rest)
}

/// The fields of a STRUCT's type: name and type of each.
pub(super) fn parts(within: &str) -> Vec<(Option<&str>, &str)> {
    let mut parts = Vec::new();
    let (mut depth, mut from) = (0_i32, 0);
    for (at, sign) in within.char_indices() {
        match sign {
            '<' | '(' => depth += 1,
            '>' | ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&within[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&within[from..]);
    parts
        .into_iter()
        .map(str::trim)
        .map(|part| {
            let end = part.find(|sign: char| sign.is_whitespace() || "<(".contains(sign));
            match end {
                Some(end) if part[end..].starts_with(char::is_whitespace) => {
                    (Some(part[..end].trim_matches('`')), part[end..].trim())
                }
                _ => (None, part),
            }
        })
        .collect()
}

/// The type of a STRUCT with such fields.
pub(super) fn kind(within: &str) -> Result<DataType> {
    let fields = parts(within)
        .into_iter()
        .enumerate()
        .map(|(at, (name, kind))| {
            let name = name.map_or_else(|| format!("_field_{}", at + 1), str::to_owned);
            Ok(kind_of(kind)?.as_ref().clone().with_name(name))
        })
        .collect::<Result<Vec<Field>>>()?;
    Ok(DataType::Struct(fields.into()))
}

/// The type that values of two types are read as; the names of fields are those of the first.
pub(super) fn both(first: &FieldRef, next: &FieldRef) -> Option<FieldRef> {
    use DataType as T;
    let rank = |kind: &T| match kind {
        T::Int64 => Some(0),
        T::Decimal128(..) => Some(1),
        T::Decimal256(..) => Some(2),
        T::Float64 => Some(3),
        _ => None,
    };
    let wider = |kind: &T| {
        Arc::new(
            Field::new(first.name(), kind.clone(), true).with_metadata(first.metadata().clone()),
        )
    };
    match (first.data_type(), next.data_type()) {
        (_, T::Null) => Some(Arc::clone(first)),
        (T::Null, _) => Some(Arc::new(next.as_ref().clone().with_name(first.name()))),
        (T::Struct(first), T::Struct(next)) if first.len() == next.len() => {
            let fields = first
                .iter()
                .zip(next)
                .map(|(first, next)| both(first, next))
                .collect::<Option<Vec<_>>>()?;
            Some(wider(&T::Struct(fields.into())))
        }
        (T::List(first), T::List(next)) => Some(wider(&T::List(both(first, next)?))),
        (a, b) if a == b && is_json(first) == is_json(next) => Some(Arc::clone(first)),
        (a, b) => {
            let kind = if rank(a)? >= rank(b)? { a } else { b };
            Some(wider(kind))
        }
    }
}

/// A STRUCT of these values.
pub(super) fn record(values: Vec<V>, fields: &Fields) -> Result<ScalarValue> {
    let columns = values
        .into_iter()
        .zip(fields)
        .map(|(value, field)| value.into_scalar(field.data_type())?.to_array())
        .collect::<Result<Vec<ArrayRef>>>()?;
    let made = StructArray::try_new(fields.clone(), columns, None)
        .map_err(|error| DataFusionError::ArrowError(Box::new(error), None))?;
    Ok(ScalarValue::Struct(Arc::new(made)))
}

/// The values of a STRUCT's fields.
pub(super) fn values(found: &StructArray) -> Result<Vec<V>> {
    found
        .fields()
        .iter()
        .zip(found.columns())
        .map(|(field, column)| Ok(V::at(column, 0)?.json_if(is_json(field))))
        .collect()
}

/// A STRUCT with the fields of another type, by their places.
pub(super) fn fitted(found: &StructArray, fields: &Fields) -> Result<ScalarValue> {
    if found.columns().len() != fields.len() {
        return fail(format!(
            "a STRUCT with {} fields where one with {} is due",
            found.columns().len(),
            fields.len()
        ));
    }
    record(values(found)?, fields)
}
