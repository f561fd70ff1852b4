//! Values that a statement is given: `@name` and `?`.

use std::collections::HashMap;

use datafusion::sql::sqlparser::ast::{Expr, Value};

use super::error::SqlError;
use super::request::Request;
use super::rewrite::{Context, make};
use super::scope::Scope;
use super::variable;
use crate::schema::{Field, Kind, Mode};

/// A value for `@name` or `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// None for a positional one.
    pub name: Option<String>,
    /// Its type; an ARRAY is REPEATED. The field's name is nothing.
    pub field: Field,
    /// Its value.
    pub value: ParameterValue,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterValue {
    /// NULL.
    Null,
    /// One value as text.
    Text(String),
    /// Those of an ARRAY.
    List(Vec<ParameterValue>),
    /// Those of a STRUCT in the order of its fields.
    Struct(Vec<ParameterValue>),
}

/// What a statement is rewritten with.
pub(super) fn context(request: &Request, scope: &Scope) -> Result<Context, SqlError> {
    let mut values: HashMap<String, Expr> = scope
        .system
        .keys()
        .map(|name| format!("@@{name}"))
        .chain(scope.parameters.iter().flat_map(|all| all.keys().cloned()))
        .map(|name| (name.clone(), variable::call(&name)))
        .collect();
    let given = match scope.parameters {
        Some(_) => &[],
        None => request.parameters.as_slice(),
    };
    let mut position = 0;
    for parameter in given {
        let value = expr(&parameter.field, &parameter.value)?;
        match &parameter.name {
            Some(name) => values.insert(format!("@{}", name.to_lowercase()), value),
            None => {
                position += 1;
                values.insert(position.to_string(), value)
            }
        };
    }
    Ok(Context {
        values,
        now: request.now.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string(),
    })
}

fn expr(field: &Field, value: &ParameterValue) -> Result<Expr, SqlError> {
    if field.mode != Mode::Repeated {
        return one(field, value);
    }
    let record = matches!(field.kind, Kind::Struct(_));
    let items = match value {
        ParameterValue::List(items) => items.as_slice(),
        ParameterValue::Null => &[],
        _ => return Err(unfit(field)),
    };
    if record && items.is_empty() {
        return Err(SqlError::unsupported(
            "a parameter that is an ARRAY of no STRUCT",
        ));
    }
    let items = items
        .iter()
        .map(|item| one(field, item))
        .collect::<Result<_, _>>()?;
    let list = make::call("array$", items);
    if record {
        return Ok(list);
    }
    let kind = make::text(format!("ARRAY<{}>", field.kind));
    Ok(make::call("cast_to", vec![list, kind]))
}

fn one(field: &Field, value: &ParameterValue) -> Result<Expr, SqlError> {
    let kind = make::text(field.kind.to_string());
    match (&field.kind, value) {
        (Kind::Struct(fields), ParameterValue::Struct(values)) if fields.len() == values.len() => {
            let mut args = Vec::new();
            for (field, value) in fields.iter().zip(values) {
                args.push(make::text(field.name.clone()));
                args.push(expr(field, value)?);
            }
            Ok(make::call("named_struct", args))
        }
        (Kind::Struct(_), ParameterValue::Null) => Err(SqlError::unsupported(
            "a parameter of the type STRUCT that is NULL",
        )),
        (Kind::Struct(_), _) => Err(unfit(field)),
        (_, ParameterValue::Null) => Ok(make::call(
            "cast_to",
            vec![Expr::Value(Value::Null.into()), kind],
        )),
        (_, ParameterValue::Text(text)) => {
            Ok(make::call("cast_to", vec![make::text(text.clone()), kind]))
        }
        _ => Err(unfit(field)),
    }
}

fn unfit(field: &Field) -> SqlError {
    SqlError::invalid(format!(
        "Invalid value for a parameter of the type {}{}",
        if field.mode == Mode::Repeated {
            "ARRAY of "
        } else {
            ""
        },
        field.kind
    ))
}
