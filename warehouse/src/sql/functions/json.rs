//! Functions of JSON, which is text here.

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::ReturnFieldArgs;
use datafusion::scalar::ScalarValue;
use serde_json::Value;

use super::row::{RowFunction, is_json, json_field, list_of, of, row};
use super::value::{V, fail};
use super::{cast, civil, hash};

/// The functions of this module.
pub(super) const ALL: &[RowFunction] = &[
    row("parse_json", "S->J", |a| {
        Ok(V::Json(read(a[0].str()?)?.to_string()))
    }),
    row("to_json", "A->J", |a| {
        Ok(V::Json(written(&a[0])?.to_string()))
    })
    .lax(),
    row("to_json_string", "A->S", |a| {
        Ok(V::Str(written(&a[0])?.to_string()))
    })
    .lax(),
    row("json_value", "J[S]->S|S[S]->S", |a| value(a, false)),
    row("json_extract_scalar", "J[S]->S|S[S]->S", |a| value(a, true)),
    row("json_query", "J[S]->J|S[S]->S", |a| query(a, false)),
    row("json_extract", "J[S]->J|S[S]->S", |a| query(a, true)),
    row("json_query_array", "J[S]->@J|S[S]->@S", |a| array(a, false)).gives(array_gives),
    row("json_extract_array", "J[S]->@J|S[S]->@S", |a| {
        array(a, true)
    })
    .gives(array_gives),
    row("json_value_array", "J[S]->@S|S[S]->@S", |a| {
        strings(a, false)
    }),
    row("json_extract_string_array", "J[S]->@S|S[S]->@S", |a| {
        strings(a, true)
    }),
    row("json_type", "J->S", |a| {
        Ok(V::Str(
            match read(a[0].str()?)? {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            }
            .to_owned(),
        ))
    }),
    row("bool", "J->B", |a| strict_scalar(&a[0], "BOOL")),
    row("int64", "J->I", |a| strict_scalar(&a[0], "INT64")),
    row("float64", "J->F", |a| strict_scalar(&a[0], "FLOAT64")),
    row("json_field$", "JS->J|JI->J", |a| {
        let found = read(a[0].str()?)?;
        let inner = match &a[1] {
            V::Int(index) => usize::try_from(*index)
                .ok()
                .and_then(|index| found.get(index)),
            name => found.get(name.str()?),
        };
        Ok(inner.map_or(V::Null, |inner| V::Json(inner.to_string())))
    }),
];

fn read(text: &str) -> Result<Value> {
    serde_json::from_str(text).or_else(|error| fail(format!("Invalid input to JSON: {error}")))
}

/// A scalar of exactly the wanted type.
pub(super) fn strict_scalar(v: &V, kind: &str) -> Result<V> {
    let found = read(v.str()?)?;
    let value = match (&found, kind) {
        (Value::Bool(v), "BOOL") => Some(V::Bool(*v)),
        (Value::String(v), "STRING") => Some(V::Str(v.clone())),
        (Value::Number(v), "INT64") => v
            .as_i64()
            .or_else(|| {
                v.as_f64()
                    .filter(|v| v.fract() == 0.0 && v.abs() < 9e15)
                    .map(|v| v as i64)
            })
            .map(V::Int),
        (Value::Number(v), "FLOAT64") => v.as_f64().map(V::Float),
        _ => None,
    };
    value.map_or_else(
        || fail(format!("The provided JSON input is not a {kind}")),
        Ok,
    )
}

/// The steps of a path.
fn steps(path: &str, legacy: bool) -> Result<Vec<Step>> {
    let bad = || fail(format!("Invalid token in JSONPath at: {path}"));
    let Some(mut rest) = path.strip_prefix('$') else {
        return fail(format!("JSONPath must start with '$': {path}"));
    };
    let mut found = Vec::new();
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix('.') {
            let (name, next) = match behind.strip_prefix('"') {
                Some(quoted) if !legacy => match quoted.split_once('"') {
                    Some(parts) => parts,
                    None => return bad(),
                },
                _ => behind.split_at(behind.find(['.', '[']).unwrap_or(behind.len())),
            };
            if name.is_empty() || name.contains(['*', '@', '?']) {
                return bad();
            }
            found.push(Step::Name(name.to_owned()));
            rest = next;
        } else if let Some(behind) = rest.strip_prefix('[') {
            let Some((inner, next)) = behind.split_once(']') else {
                return bad();
            };
            match inner
                .strip_prefix('\'')
                .and_then(|inner| inner.strip_suffix('\''))
            {
                Some(name) if legacy => found.push(Step::Name(name.to_owned())),
                _ => match inner.trim().parse() {
                    Ok(index) => found.push(Step::Index(index)),
                    Err(_) => return bad(),
                },
            }
            rest = next;
        } else {
            return bad();
        }
    }
    Ok(found)
}

enum Step {
    Name(String),
    Index(usize),
}

/// What the path leads to. Text that is no JSON leads nowhere.
fn lookup(a: &[V], legacy: bool) -> Result<Option<Value>> {
    let path = a.get(1).map_or(Ok("$"), V::str)?;
    let steps = steps(path, legacy)?;
    let Ok(root) = serde_json::from_str::<Value>(a[0].str()?) else {
        return Ok(None);
    };
    let mut at = &root;
    for step in &steps {
        let next = match step {
            Step::Name(name) => at.as_object().and_then(|map| map.get(name)),
            Step::Index(index) => at.as_array().and_then(|list| list.get(*index)),
        };
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at.clone()))
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(v) => Some(v.to_string()),
        Value::Number(v) => Some(v.to_string()),
        _ => None,
    }
}

fn value(a: &[V], legacy: bool) -> Result<V> {
    Ok(lookup(a, legacy)?
        .as_ref()
        .and_then(scalar_text)
        .map_or(V::Null, V::Str))
}

fn query(a: &[V], legacy: bool) -> Result<V> {
    let typed = matches!(a[0], V::Json(_));
    Ok(match lookup(a, legacy)? {
        None => V::Null,
        Some(Value::Null) if !typed => V::Null,
        Some(found) if typed => V::Json(found.to_string()),
        Some(found) => V::Str(found.to_string()),
    })
}

fn array_gives(args: &ReturnFieldArgs<'_>) -> Result<FieldRef> {
    Ok(if is_json(&args.arg_fields[0]) {
        list_of(json_field().as_ref())
    } else {
        list_of(of(DataType::Utf8).as_ref())
    })
}

fn array(a: &[V], legacy: bool) -> Result<V> {
    Ok(match lookup(a, legacy)? {
        Some(Value::Array(items)) => {
            V::List(items.iter().map(|item| V::Str(item.to_string())).collect())
        }
        _ => V::Null,
    })
}

fn strings(a: &[V], legacy: bool) -> Result<V> {
    let Some(Value::Array(items)) = lookup(a, legacy)? else {
        return Ok(V::Null);
    };
    let mut found = Vec::new();
    for item in &items {
        match (scalar_text(item), item) {
            (Some(text), _) => found.push(V::Str(text)),
            (None, Value::Null) => found.push(V::Null),
            (None, _) => return Ok(V::Null),
        }
    }
    Ok(V::List(found))
}

/// A value as the text of JSON.
pub(super) fn text(v: &V) -> Result<String> {
    Ok(written(v)?.to_string())
}

/// A value as JSON.
fn written(v: &V) -> Result<Value> {
    Ok(match v {
        V::Null => Value::Null,
        V::Bool(v) => Value::Bool(*v),
        // Beyond what a double holds exactly, a number is text.
        V::Int(v) if v.unsigned_abs() > 1 << 53 => Value::String(v.to_string()),
        V::Int(v) => Value::from(*v),
        V::Float(v) if v.fract() == 0.0 && v.abs() < 1e15 => Value::from(*v as i64),
        V::Float(v) => serde_json::Number::from_f64(*v)
            .map_or_else(|| Value::String(cast::float_text(*v)), Value::Number),
        V::Str(v) => Value::String(v.clone()),
        V::Json(v) => read(v)?,
        V::Bytes(v) => Value::String(hash::base64(v)),
        V::Numeric(_) | V::Big(_) => {
            let text = cast::text(v)?;
            match text.parse::<i64>() {
                Ok(v) if v.unsigned_abs() <= 1 << 53 => Value::from(v),
                _ => match text.parse::<f64>() {
                    Ok(float) if cast::float_text(float) == text => Value::from(float),
                    _ => Value::String(text),
                },
            }
        }
        V::Datetime(_) => Value::String(cast::text(v)?.replacen(' ', "T", 1)),
        V::Timestamp(v) => Value::String(format!(
            "{}Z",
            civil::datetime_text(*v).replacen(' ', "T", 1)
        )),
        V::Date(_) | V::Time(_) => Value::String(cast::text(v)?),
        V::List(items) => Value::Array(items.iter().map(written).collect::<Result<_>>()?),
        V::Record(_) => return fail("a STRUCT without names as JSON is not covered here"),
        V::Other(ScalarValue::Struct(found)) => {
            let mut map = serde_json::Map::new();
            for (field, column) in found.fields().iter().zip(found.columns()) {
                let inner = V::at(column, 0)?.json_if(is_json(field));
                map.insert(field.name().clone(), written(&inner)?);
            }
            Value::Object(map)
        }
        V::Other(other) => {
            return fail(format!("{} as JSON is not covered here", other.data_type()));
        }
    })
}
