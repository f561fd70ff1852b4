//! Comparing what is answered with what the document says: strictly, so that a field that is not described is wrong, too.

use serde_json::{Map, Value};

/// What is wrong with a value; nothing if it is as the schema says.
pub(crate) fn check(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    compare(document, (schema, value), "", &mut wrong);
    wrong
}

fn compare(document: &Value, (schema, value): (&Value, &Value), at: &str, wrong: &mut Vec<String>) {
    if let Some(named) = schema.get("$ref").and_then(Value::as_str) {
        let found = named.strip_prefix('#').and_then(|at| document.pointer(at));
        match found {
            Some(found) => compare(document, (found, value), at, wrong),
            None => wrong.push(format!("{at}: there is no {named}")),
        }
        return;
    }
    for many in ["oneOf", "anyOf"] {
        if let Some(choices) = schema.get(many).and_then(Value::as_array) {
            let fits = |choice| check(document, choice, value).is_empty();
            if !choices.iter().any(fits) {
                wrong.push(format!("{at}: {value} is none of its choices"));
            }
            return;
        }
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        wrong.push(format!("{at}: {value} is none of its words"));
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        Value::String(kind) => vec![kind],
        _ => return,
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let counts = is == "integer" && kinds.contains(&"number");
    if !kinds.contains(&is) && !counts {
        wrong.push(format!("{at}: {value} is no {kinds:?}"));
        return;
    }
    match value {
        Value::String(text)
            if schema["format"] == "date-time"
                && chrono::DateTime::parse_from_rfc3339(text).is_err() =>
        {
            wrong.push(format!("{at}: {text} is no time"));
        }
        Value::Array(items) => {
            for (nth, item) in items.iter().enumerate() {
                compare(
                    document,
                    (&schema["items"], item),
                    &format!("{at}/{nth}"),
                    wrong,
                );
            }
        }
        Value::Object(fields) => object(document, (schema, fields), at, wrong),
        _ => {}
    }
}

fn object(
    document: &Value,
    (schema, fields): (&Value, &Map<String, Value>),
    at: &str,
    wrong: &mut Vec<String>,
) {
    let known = schema.get("properties");
    for (name, field) in fields {
        let at = format!("{at}/{name}");
        match known.and_then(|known| known.get(name)) {
            Some(schema) => compare(document, (schema, field), &at, wrong),
            None if known.is_some() && schema.get("additionalProperties").is_none() => {
                wrong.push(format!("{at} is not described"));
            }
            None => {}
        }
    }
    let required = schema["required"].as_array().into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            wrong.push(format!("{at}/{name} is missing"));
        }
    }
}
