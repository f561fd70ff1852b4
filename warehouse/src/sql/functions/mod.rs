//! Functions of our own: whatever `BigQuery` does otherwise than `DataFusion`, and what only `BigQuery` has.

mod array;
mod assign;
mod cast;
mod cast_format;
mod civil;
mod date;
mod date_format;
mod farm;
mod format;
mod hash;
mod json;
mod math;
pub(crate) mod percentile;
mod record;
mod row;
mod shape;
mod string;
mod sum;
pub(crate) mod texts;
mod value;

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use datafusion::logical_expr::ScalarUDF;

pub(crate) use assign::assignable;
pub(crate) use row::type_name;
pub(crate) use value::rounded_big;

const ALL: &[&[row::RowFunction]] = &[
    array::ALL,
    assign::ALL,
    cast::ALL,
    date::ALL,
    date_format::ALL,
    format::ALL,
    hash::ALL,
    json::ALL,
    math::ALL,
    record::ALL,
    string::ALL,
];

/// Every function, and each once more as `safe.…`, whose errors are NULL.
pub(crate) static SCALARS: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(|| {
    ALL.iter()
        .flat_map(|module| module.iter())
        .flat_map(|function| {
            [false, true]
                .map(|safe| Arc::new(ScalarUDF::new_from_impl(row::RowUdf::new(*function, safe))))
        })
        .chain(sum::all())
        .collect()
});

/// Their names in small letters, as statements may write them.
pub(crate) static NAMES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    ALL.iter()
        .flat_map(|module| module.iter())
        .map(|function| function.name)
        .collect()
});

/// A function of our own by its name.
pub(crate) fn scalar(name: &str) -> Option<Arc<ScalarUDF>> {
    SCALARS.iter().find(|one| one.name() == name).cloned()
}

/// What a message calls a function.
fn shown(name: &str) -> String {
    match name {
        "add$" => "operator +".to_owned(),
        "subtract$" => "operator -".to_owned(),
        "multiply$" => "operator *".to_owned(),
        "divide$" => "operator /".to_owned(),
        "negate$" => "operator -".to_owned(),
        "like$" => "operator LIKE".to_owned(),
        "in_array$" => "operator IN UNNEST".to_owned(),
        "cast_to" => "CAST".to_owned(),
        "extract_part" => "EXTRACT".to_owned(),
        "array$" => "ARRAY".to_owned(),
        "offset$" | "ordinal$" | "safe_offset$" | "safe_ordinal$" => "operator []".to_owned(),
        other => format!("function {}", other.trim_end_matches('$').to_uppercase()),
    }
}
