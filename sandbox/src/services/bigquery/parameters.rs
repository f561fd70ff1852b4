//! Parameters of queries.

use serde_json::Value;
use tidemill_warehouse::Kind;
use tidemill_warehouse::sql::Parameter;

use super::json::{given, text, wrong};
use super::refusal::missing;
use crate::call::Refusal;
use crate::services::fields::only;

/// Reads one parameter.
pub(super) fn read(name: Option<&str>, kind: &Value, value: &Value) -> Result<Parameter, Refusal> {
    only(
        kind,
        "",
        &["type", "arrayType", "structTypes", "rangeElementType"],
    )?;
    only(
        value,
        "",
        &["value", "arrayValues", "structValues", "rangeValue"],
    )?;
    let word = text(kind, "type")?.ok_or_else(|| missing("parameterType.type"))?;
    let name = name.map(str::to_owned);
    match word.to_ascii_uppercase().as_str() {
        "ARRAY" => {
            let item = given(kind, "arrayType").ok_or_else(|| missing("arrayType"))?;
            let word = text(item, "type")?.ok_or_else(|| missing("arrayType.type"))?;
            let value = match given(value, "arrayValues") {
                None => Some(Vec::new()),
                Some(Value::Array(items)) => Some(
                    items
                        .iter()
                        .map(|item| {
                            single(item)?.ok_or_else(|| wrong("arrayValues", "an item is NULL"))
                        })
                        .collect::<Result<Vec<_>, _>>()?,
                ),
                Some(_) => return Err(wrong("arrayValues", "a list is expected")),
            };
            Ok(Parameter {
                name,
                kind: format!("ARRAY<{}>", plain(word)?),
                value,
            })
        }
        other => Ok(Parameter {
            name,
            kind: plain(other)?,
            value: single(value)?.map(|one| vec![one]),
        }),
    }
}

fn single(value: &Value) -> Result<Option<String>, Refusal> {
    Ok(match given(value, "value") {
        None => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other @ (Value::Number(_) | Value::Bool(_))) => Some(other.to_string()),
        Some(_) => return Err(wrong("parameterValue.value", "text is expected")),
    })
}

fn plain(word: &str) -> Result<String, Refusal> {
    match Kind::from_name(word) {
        Some(kind) => Ok(kind.to_string()),
        None if ["STRUCT", "RECORD", "RANGE", "GEOGRAPHY", "ARRAY"]
            .contains(&word.to_ascii_uppercase().as_str()) =>
        {
            Err(Refusal::unsupported(&format!(
                "parameters of the type {word}"
            )))
        }
        None => Err(wrong("parameterType.type", word)),
    }
}
