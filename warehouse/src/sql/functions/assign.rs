//! Values that become those of a column without CAST.

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ReturnFieldArgs;
use datafusion::scalar::ScalarValue;

use super::cast::{kind_of, to};
use super::row::{RowFunction, row, type_name};
use super::value::V;
use crate::schema::Kind;

/// The functions of this module.
pub(super) const ALL: &[RowFunction] = &[row("assign$", "ASS", assign).gives(gives).lax()];

/// Whether a value of one type becomes one of another by itself.
pub(crate) fn assignable(given: &Field, wanted: &Field) -> bool {
    if given.data_type() == &DataType::Null {
        return true;
    }
    let (Ok(given), Ok(wanted)) = (Kind::from_arrow(given), Kind::from_arrow(wanted)) else {
        return false;
    };
    std::mem::discriminant(&given) == std::mem::discriminant(&wanted)
        || matches!(
            (given, wanted),
            (
                Kind::Int64,
                Kind::Float64 | Kind::Numeric(_) | Kind::BigNumeric(_)
            ) | (Kind::Numeric(_), Kind::BigNumeric(_) | Kind::Float64)
                | (Kind::BigNumeric(_), Kind::Float64)
                | (Kind::Date, Kind::Datetime)
        )
}

fn gives(args: &ReturnFieldArgs<'_>) -> Result<FieldRef> {
    let text = |at: usize| match args.scalar_arguments.get(at) {
        Some(Some(ScalarValue::Utf8(Some(text)))) => text.as_str(),
        _ => "",
    };
    let wanted = kind_of(text(1))?;
    let given = &args.arg_fields[0];
    if !assignable(given, &wanted) {
        return Err(DataFusionError::Plan(format!(
            "Value has type {} which cannot be inserted into column {}, which has type {}",
            type_name(given),
            text(2),
            type_name(&wanted)
        )));
    }
    Ok(wanted)
}

fn assign(a: &[V]) -> Result<V> {
    to(&a[0], a[1].str()?)
}
