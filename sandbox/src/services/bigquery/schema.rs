//! Schemas as REST has them.

use serde_json::{Value, json};
use tidemill_warehouse::{Digits, Field, Kind, Mode, Schema};

use super::json::{given, int, text, wrong};
use super::refusal::missing;
use crate::call::Refusal;
use crate::services::fields::only;

const KNOWN: [&str; 11] = [
    "name",
    "type",
    "mode",
    "fields",
    "description",
    "maxLength",
    "precision",
    "scale",
    "defaultValueExpression",
    "policyTags",
    "roundingMode",
];

/// Deeper records are refused, as in `BigQuery`.
const DEPTH: usize = 15;

/// Reads `{"fields": […]}`.
pub(super) fn read(value: &Value) -> Result<Schema, Refusal> {
    only(value, "", &["fields"])?;
    Ok(Schema {
        fields: list(value, DEPTH)?,
    })
}

fn list(value: &Value, depth: usize) -> Result<Vec<Field>, Refusal> {
    if depth == 0 {
        return Err(wrong("schema.fields", "records are nested too deep"));
    }
    match given(value, "fields") {
        None => Ok(Vec::new()),
        Some(Value::Array(fields)) => fields.iter().map(|field| one(field, depth)).collect(),
        Some(_) => Err(wrong("schema.fields", "a list is expected")),
    }
}

fn one(value: &Value, depth: usize) -> Result<Field, Refusal> {
    only(value, "", &KNOWN)?;
    let tags = value.pointer("/policyTags/names").and_then(Value::as_array);
    if tags.is_some_and(|names| !names.is_empty()) {
        return Err(Refusal::unsupported("policyTags of columns"));
    }
    if given(value, "roundingMode").is_some_and(|mode| mode != "ROUNDING_MODE_UNSPECIFIED") {
        return Err(Refusal::unsupported("roundingMode of columns"));
    }
    let name = text(value, "name")?.ok_or_else(|| missing("schema.fields.name"))?;
    let kind = text(value, "type")?.ok_or_else(|| missing("schema.fields.type"))?;
    let mut field = Field::new(name, typed(name, kind, value, depth)?);
    field.mode = match text(value, "mode")?.map(str::to_ascii_uppercase).as_deref() {
        None | Some("" | "NULLABLE") => Mode::Nullable,
        Some("REQUIRED") => Mode::Required,
        Some("REPEATED") => Mode::Repeated,
        Some(other) => return Err(wrong("mode", &format!("{other} of field {name}"))),
    };
    field.description = text(value, "description")?.map(str::to_owned);
    field.default = text(value, "defaultValueExpression")?.map(str::to_owned);
    Ok(field)
}

fn typed(name: &str, kind: &str, value: &Value, depth: usize) -> Result<Kind, Refusal> {
    let upper = kind.to_ascii_uppercase();
    if upper == "RECORD" || upper == "STRUCT" {
        return Ok(Kind::Struct(list(value, depth - 1)?));
    }
    if upper == "GEOGRAPHY" || upper == "RANGE" {
        return Err(Refusal::unsupported(&format!("the type {upper}")));
    }
    let found = Kind::from_name(&upper).ok_or_else(|| {
        wrong(
            "type",
            &format!("{kind} is not a valid value (field {name})"),
        )
    })?;
    let length = int(value, "maxLength")?
        .map(|length| u32::try_from(length).map_err(|_| wrong("maxLength", "out of range")))
        .transpose()?;
    let digits = match (int(value, "precision")?, int(value, "scale")?) {
        (None, None) => None,
        (None, Some(_)) => return Err(wrong("scale", "it needs a precision")),
        (Some(precision), scale) => Some(digits(&found, precision, scale.unwrap_or(0))?),
    };
    Ok(match found {
        Kind::String(before) => Kind::String(length.or(before)),
        Kind::Bytes(before) => Kind::Bytes(length.or(before)),
        Kind::Numeric(before) => Kind::Numeric(digits.or(before)),
        Kind::BigNumeric(before) => Kind::BigNumeric(digits.or(before)),
        other => other,
    })
}

fn digits(kind: &Kind, precision: i64, scale: i64) -> Result<Digits, Refusal> {
    let (whole, behind) = match kind {
        Kind::BigNumeric(_) => (38, 38),
        _ => (29, 9),
    };
    let fits =
        (0..=behind).contains(&scale) && precision >= scale.max(1) && precision - scale <= whole;
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision), Ok(scale)) if fits => Ok(Digits { precision, scale }),
        _ => Err(wrong("precision", "precision and scale are out of range")),
    }
}

/// Writes `{"fields": […]}`.
pub(super) fn shown(schema: &Schema) -> Value {
    json!({ "fields": schema.fields.iter().map(field).collect::<Vec<_>>() })
}

fn field(field: &Field) -> Value {
    let mut shown = json!({
        "name": field.name,
        "type": field.kind.rest_name(),
        "mode": match field.mode {
            Mode::Nullable => "NULLABLE",
            Mode::Required => "REQUIRED",
            Mode::Repeated => "REPEATED",
        },
    });
    let Value::Object(map) = &mut shown else {
        return shown;
    };
    if let Some(description) = &field.description {
        map.insert("description".into(), json!(description));
    }
    if let Some(default) = &field.default {
        map.insert("defaultValueExpression".into(), json!(default));
    }
    match &field.kind {
        Kind::Struct(inner) => {
            let inner: Vec<Value> = inner.iter().map(self::field).collect();
            map.insert("fields".into(), json!(inner));
        }
        Kind::String(Some(length)) | Kind::Bytes(Some(length)) => {
            map.insert("maxLength".into(), json!(length.to_string()));
        }
        Kind::Numeric(Some(digits)) | Kind::BigNumeric(Some(digits)) => {
            map.insert("precision".into(), json!(digits.precision.to_string()));
            if digits.scale != 0 {
                map.insert("scale".into(), json!(digits.scale.to_string()));
            }
        }
        _ => {}
    }
    shown
}

/// The columns that `selectedFields` names, a field within a record as `a.b`.
pub(super) fn selected(schema: &Schema, names: &str) -> Result<Schema, Refusal> {
    let names: Vec<&str> = names
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    for name in &names {
        if !within(&schema.fields, name) {
            return Err(wrong(
                "selectedFields",
                &format!("there is no field {name}"),
            ));
        }
    }
    Ok(Schema {
        fields: kept(&schema.fields, &names),
    })
}

fn within(fields: &[Field], name: &str) -> bool {
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    fields.iter().any(|field| {
        field.name.eq_ignore_ascii_case(first)
            && match &field.kind {
                _ if rest.is_empty() => true,
                Kind::Struct(inner) => within(inner, rest),
                _ => false,
            }
    })
}

fn kept(fields: &[Field], names: &[&str]) -> Vec<Field> {
    let mut found = Vec::new();
    for field in fields {
        let mut inside = Vec::new();
        let mut whole = false;
        for name in names {
            let (first, rest) = name.split_once('.').unwrap_or((name, ""));
            if field.name.eq_ignore_ascii_case(first) {
                if rest.is_empty() {
                    whole = true;
                } else {
                    inside.push(rest);
                }
            }
        }
        match &field.kind {
            _ if whole => found.push(field.clone()),
            Kind::Struct(inner) if !inside.is_empty() => {
                let mut part = field.clone();
                part.kind = Kind::Struct(kept(inner, &inside));
                found.push(part);
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_comes_back() {
        let given = json!({ "fields": [
            { "name": "id", "type": "INTEGER", "mode": "REQUIRED", "description": "which" },
            { "name": "price", "type": "NUMERIC", "mode": "NULLABLE", "precision": "10", "scale": "2" },
            { "name": "sku", "type": "STRING", "mode": "NULLABLE", "maxLength": "5" },
            { "name": "items", "type": "RECORD", "mode": "REPEATED", "fields": [
                { "name": "n", "type": "FLOAT", "mode": "NULLABLE" },
                { "name": "at", "type": "TIMESTAMP", "mode": "NULLABLE", "defaultValueExpression": "CURRENT_TIMESTAMP()" },
            ] },
        ] });
        let schema = read(&given).unwrap();
        assert_eq!(shown(&schema), given);
        let part = selected(&schema, "id, items.at").unwrap();
        assert_eq!(part.fields.len(), 2);
        assert_eq!(part.fields[1].kind.to_string(), "STRUCT<at TIMESTAMP>");
        selected(&schema, "items.no").unwrap_err();
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for given in [
            json!({ "fields": [{ "name": "a" }] }),
            json!({ "fields": [{ "name": "a", "type": "WORD" }] }),
            json!({ "fields": [{ "name": "a", "type": "GEOGRAPHY" }] }),
            json!({ "fields": [{ "name": "a", "type": "NUMERIC", "precision": "50" }] }),
            json!({ "fields": [{ "name": "a", "type": "STRING", "mode": "SOME" }] }),
            json!({ "fields": { "name": "a" } }),
            json!({ "fields": [7] }),
        ] {
            read(&given).unwrap_err();
        }
    }
}
