//! Suites of Great Expectations 1.x, as JSON, into checks that mean the same.
//!
//! ```
//! use tidemill_operators::checks::gx;
//!
//! let suite = r#"{"name": "orders", "expectations": [
//!     {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "order_id", "mostly": 0.99}}
//! ]}"#;
//! let checks = gx::suite(suite, "shop.orders")?;
//! assert_eq!(checks.ids(), ["not_null(order_id)"]);
//! # Ok::<(), tidemill_operators::checks::gx::ImportError>(())
//! ```

mod args;
mod conditions;
mod expectation;

use serde_json::Value;
use tidemill_core::text::Text;

use super::builder::{Check, Checks, Severity};

use args::Args;
pub(super) use expectation::rule;

/// Why a suite, or a schema of dbt, cannot be read. Nothing of it is left out silently.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {why}")]
pub struct ImportError {
    /// Where it is: `expectations[3]`.
    pub place: String,
    /// What is wrong there.
    pub why: String,
}

impl ImportError {
    pub(super) fn new(place: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            why: why.into(),
        }
    }
}

/// Reads a suite as checks of this table. An expectation of severity `critical`, which is the default, blocks; others
/// warn.
///
/// # Errors
/// It is no suite, or has an expectation, an argument or a condition that is not known: its name and its place.
pub fn suite(json: &str, table: impl Into<Text>) -> Result<Checks, ImportError> {
    let suite: Value = serde_json::from_str(json)
        .map_err(|error| ImportError::new("the suite", format!("it is no JSON: {error}")))?;
    let expectations = suite
        .get("expectations")
        .and_then(Value::as_array)
        .ok_or_else(|| ImportError::new("the suite", "it has no list `expectations`"))?;
    let mut checks = Checks::on(table);
    for (index, expectation) in expectations.iter().enumerate() {
        let place = format!("expectations[{index}]");
        let check = one(expectation).map_err(|why| ImportError::new(place, why))?;
        checks.checks.push(check);
    }
    Ok(checks)
}

fn one(expectation: &Value) -> Result<Check, String> {
    let map = expectation.as_object().ok_or("it is no object")?;
    // Suites before 1.0 call it otherwise.
    let kind = map
        .get("type")
        .or_else(|| map.get("expectation_type"))
        .and_then(Value::as_str)
        .ok_or("it has no `type`")?;
    let none = serde_json::Map::new();
    let kwargs = match map.get("kwargs") {
        None => &none,
        Some(kwargs) => kwargs
            .as_object()
            .ok_or_else(|| format!("`{kind}`: its `kwargs` are no object"))?,
    };
    let mut args = Args::new(kwargs);
    let mut check = check(kind, &mut args).map_err(|why| format!("`{kind}`: {why}"))?;
    if let Some(severity) = map.get("severity").or_else(|| args.take("severity"))
        && severity.as_str() != Some("critical")
    {
        check.severity = Severity::Warn;
    }
    args.done().map_err(|why| format!("`{kind}`: {why}"))?;
    Ok(check)
}

/// An expectation by its name and arguments, those of every kind included.
pub(super) fn check(kind: &str, args: &mut Args<'_>) -> Result<Check, String> {
    let rule = rule(kind, args)?;
    let takes_mostly = rule.takes_mostly();
    let compares = rule.compares_columns();
    let mut check = Check::new(rule);
    if let Some(mostly) = args.number("mostly")? {
        if !(0.0..=1.0).contains(&mostly) {
            return Err(format!("`mostly` is a part of 1, not {mostly}"));
        }
        if takes_mostly {
            check.mostly = mostly;
        } else if mostly < 1.0 {
            return Err("it takes no `mostly`".to_owned());
        }
    }
    if compares {
        check.ignore = args.ignore()?;
    }
    let parser = args.text("condition_parser")?;
    if let Some(condition) = args.take("row_condition")
        && !condition.is_null()
    {
        check.row_condition = Some(conditions::read(condition, parser.as_deref())?);
    }
    Ok(check)
}

/// Arguments of a test of dbt-expectations, which are called as those of Great Expectations are.
pub(super) fn of_map(kind: &str, map: &serde_json::Map<String, Value>) -> Result<Check, String> {
    let mut args = Args::new(map);
    let check = check(kind, &mut args)?;
    args.done()?;
    Ok(check)
}
