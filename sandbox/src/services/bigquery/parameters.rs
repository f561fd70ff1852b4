//! Parameters of queries.

use serde_json::Value;
use tidemill_warehouse::sql::{Parameter, ParameterValue};
use tidemill_warehouse::{Field, Kind, Mode};

use super::json::{given, text, wrong};
use super::refusal::missing;
use crate::call::Refusal;
use crate::services::fields::only;

/// Deeper types are refused.
const DEPTH: usize = 15;

/// Reads one parameter.
pub(super) fn read(name: Option<&str>, kind: &Value, value: &Value) -> Result<Parameter, Refusal> {
    let field = typed("", kind, DEPTH)?;
    Ok(Parameter {
        name: name.map(str::to_owned),
        value: valued(&field, value)?,
        field,
    })
}

fn typed(name: &str, kind: &Value, depth: usize) -> Result<Field, Refusal> {
    if depth == 0 {
        return Err(wrong("parameterType", "it is nested too deep"));
    }
    only(
        kind,
        "",
        &["type", "arrayType", "structTypes", "rangeElementType"],
    )?;
    let word = text(kind, "type")?.ok_or_else(|| missing("parameterType.type"))?;
    let found = match word.to_ascii_uppercase().as_str() {
        "ARRAY" => {
            let item = given(kind, "arrayType").ok_or_else(|| missing("arrayType"))?;
            let item = typed(name, item, depth - 1)?;
            if item.mode == Mode::Repeated {
                return Err(wrong("arrayType", "an ARRAY has no ARRAY in it"));
            }
            return Ok(item.mode(Mode::Repeated));
        }
        "STRUCT" | "RECORD" => {
            let Some(Value::Array(fields)) = given(kind, "structTypes") else {
                return Err(missing("structTypes"));
            };
            let fields = fields.iter().enumerate().map(|(at, one)| {
                only(one, "", &["name", "type", "description"])?;
                let name = text(one, "name")?.filter(|name| !name.is_empty());
                let name = name.map_or_else(|| format!("_field_{}", at + 1), str::to_owned);
                let kind = given(one, "type").ok_or_else(|| missing("structTypes.type"))?;
                typed(&name, kind, depth - 1)
            });
            Kind::Struct(fields.collect::<Result<_, _>>()?)
        }
        word @ ("RANGE" | "GEOGRAPHY") => {
            return Err(Refusal::unsupported(&format!(
                "parameters of the type {word}"
            )));
        }
        word => Kind::from_name(word).ok_or_else(|| wrong("parameterType.type", word))?,
    };
    Ok(Field::new(name, found))
}

fn valued(field: &Field, value: &Value) -> Result<ParameterValue, Refusal> {
    only(
        value,
        "",
        &["value", "arrayValues", "structValues", "rangeValue"],
    )?;
    if field.mode == Mode::Repeated {
        let mut item = field.clone();
        item.mode = Mode::Nullable;
        return match given(value, "arrayValues") {
            None => Ok(ParameterValue::List(Vec::new())),
            Some(Value::Array(items)) => items
                .iter()
                .map(|one| valued(&item, one))
                .collect::<Result<_, _>>()
                .map(ParameterValue::List),
            Some(_) => Err(wrong("arrayValues", "a list is expected")),
        };
    }
    if let Kind::Struct(fields) = &field.kind {
        let none = Value::Null;
        let values = match given(value, "structValues") {
            None => return Ok(ParameterValue::Null),
            Some(Value::Object(values)) => values,
            Some(_) => return Err(wrong("structValues", "an object is expected")),
        };
        if let Some(name) = values
            .keys()
            .find(|name| !fields.iter().any(|field| field.name == **name))
        {
            return Err(wrong("structValues", &format!("there is no field {name}")));
        }
        return fields
            .iter()
            .map(|field| valued(field, values.get(&field.name).unwrap_or(&none)))
            .collect::<Result<_, _>>()
            .map(ParameterValue::Struct);
    }
    Ok(match given(value, "value") {
        None => ParameterValue::Null,
        Some(Value::String(text)) => ParameterValue::Text(text.clone()),
        Some(other @ (Value::Number(_) | Value::Bool(_))) => {
            ParameterValue::Text(other.to_string())
        }
        Some(_) => return Err(wrong("parameterValue.value", "text is expected")),
    })
}
