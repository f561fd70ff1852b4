//! Expressions that a column is given: literals become values of its type, as `BigQuery` coerces them.

use datafusion::sql::sqlparser::ast::{Expr, UnaryOperator, Value};

use super::tree::{bared, null};
use crate::schema::{Field, Kind, Mode};
use crate::sql::error::SqlError;
use crate::sql::rewrite::make::{call, text};

/// The expression as it is given to a field; none is NULL. `DEFAULT` is the field's default.
pub(super) fn given(expr: Expr, field: &Field) -> Result<Option<Expr>, SqlError> {
    match bared(expr) {
        Expr::Identifier(ident)
            if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default") =>
        {
            default(field)
        }
        expr => coerced(expr, field),
    }
}

/// The default of a field; none is NULL.
pub(super) fn default(field: &Field) -> Result<Option<Expr>, SqlError> {
    match &field.default {
        None => Ok(None),
        Some(text) => coerced(super::tree::expression(text)?, field),
    }
}

fn coerced(expr: Expr, field: &Field) -> Result<Option<Expr>, SqlError> {
    let expr = bared(expr);
    if let Expr::Value(value) = &expr
        && value.value == Value::Null
    {
        return Ok(None);
    }
    if field.mode == Mode::Repeated {
        return array(expr, field);
    }
    Ok(Some(match (&field.kind, expr) {
        (Kind::Struct(fields), Expr::Tuple(values)) => record(values, fields)?,
        (
            Kind::Struct(fields),
            Expr::Struct {
                values,
                fields: typed,
            },
        ) if typed.is_empty() => record(values, fields)?,
        (kind, expr) => scalar(kind, expr),
    }))
}

fn array(expr: Expr, field: &Field) -> Result<Option<Expr>, SqlError> {
    let Expr::Array(mut array) = expr else {
        return Ok(Some(expr));
    };
    if array.elem.is_empty() {
        return Ok(None);
    }
    let mut one = field.clone();
    one.mode = Mode::Nullable;
    for item in &mut array.elem {
        *item = inner(std::mem::replace(item, null()), &one)?;
    }
    Ok(Some(Expr::Array(array)))
}

fn record(values: Vec<Expr>, fields: &[Field]) -> Result<Expr, SqlError> {
    if values.len() != fields.len() {
        return Err(SqlError::invalid(format!(
            "A STRUCT with {} fields was given where one with {} is expected",
            values.len(),
            fields.len()
        )));
    }
    let mut args = Vec::new();
    for (value, field) in values.into_iter().zip(fields) {
        let value = match value {
            Expr::Named { expr, .. } => *expr,
            value => value,
        };
        args.push(text(field.name.clone()));
        args.push(inner(value, field)?);
    }
    Ok(call("named_struct", args))
}

/// A value within another: NULL has a type there where it can have one.
pub(super) fn inner(expr: Expr, field: &Field) -> Result<Expr, SqlError> {
    Ok(match given(expr, field)? {
        Some(expr) => expr,
        None => typed_null(field),
    })
}

fn typed_null(field: &Field) -> Expr {
    match (&field.kind, field.mode) {
        (Kind::Struct(_) | Kind::Json | Kind::Interval, _) => null(),
        (kind, Mode::Repeated) => call(
            "cast_to",
            vec![null(), text(format!("ARRAY<{}>", bare(kind)))],
        ),
        (kind, _) => call("cast_to", vec![null(), text(bare(kind))]),
    }
}

/// The name of a type without bounds: those are looked at when the value is written.
fn bare(kind: &Kind) -> String {
    match kind {
        Kind::String(_) => Kind::String(None).to_string(),
        Kind::Bytes(_) => Kind::Bytes(None).to_string(),
        Kind::Numeric(_) => Kind::Numeric(None).to_string(),
        Kind::BigNumeric(_) => Kind::BigNumeric(None).to_string(),
        other => other.to_string(),
    }
}

fn scalar(kind: &Kind, expr: Expr) -> Expr {
    let wanted = match (&expr, kind) {
        (Expr::Value(value), Kind::Date | Kind::Datetime | Kind::Timestamp | Kind::Time) => {
            match value.value.clone().into_string() {
                Some(value) => text(value),
                None => return expr,
            }
        }
        (_, Kind::Numeric(_) | Kind::BigNumeric(_) | Kind::Float64) => match number(&expr) {
            Some(digits) => text(digits),
            None => return expr,
        },
        _ => return expr,
    };
    call("cast_to", vec![wanted, text(bare(kind))])
}

/// The digits of a literal number, with its sign.
fn number(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => Some(digits.clone()),
            _ => None,
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => number(expr).map(|digits| format!("-{digits}")),
        Expr::Nested(inner) => number(inner),
        _ => None,
    }
}

/// An expression among rows of `VALUES`: of its own type, and not of one that all rows can be read as.
pub(super) fn alone(expr: Option<Expr>, field: &Field) -> Expr {
    match expr {
        // Rows have to agree that it is JSON.
        None if field.kind == Kind::Json && field.mode != Mode::Repeated => call(
            "assign$",
            vec![null(), text("JSON"), text(field.name.clone())],
        ),
        None => null(),
        Some(expr)
            if field.mode == Mode::Repeated
                || matches!(field.kind, Kind::Struct(_) | Kind::Interval) =>
        {
            expr
        }
        Some(expr) => call(
            "assign$",
            vec![expr, text(bare(&field.kind)), text(field.name.clone())],
        ),
    }
}
