//! Examples, made of schemas: what a page shows beside an operation.

use serde_json::{Map, Value, json};

/// No schema is followed deeper: some hold themselves.
const DEPTH_MAX: usize = 12;

/// A value that this schema of the document takes.
pub(super) fn of(document: &Value, schema: &Value) -> Value {
    example(document, schema, 0)
}

fn example(document: &Value, schema: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    if let Some(named) = schema.get("$ref").and_then(Value::as_str) {
        let found = named.strip_prefix('#').and_then(|at| document.pointer(at));
        return found.map_or(Value::Null, |schema| example(document, schema, depth + 1));
    }
    for one in ["example", "default", "const"] {
        if let Some(given) = schema.get(one) {
            return given.clone();
        }
    }
    if let Some(given) = schema["enum"].get(0).or_else(|| schema["examples"].get(0)) {
        return given.clone();
    }
    for many in ["oneOf", "anyOf"] {
        let choices = schema.get(many).and_then(Value::as_array);
        let mut choices = choices.into_iter().flatten();
        if let Some(choice) = choices.find(|choice| choice["type"] != "null") {
            return example(document, choice, depth + 1);
        }
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        let mut all = Map::new();
        for part in parts {
            if let Value::Object(fields) = example(document, part, depth + 1) {
                all.extend(fields);
            }
        }
        return Value::Object(all);
    }
    typed(document, schema, depth)
}

fn typed(document: &Value, schema: &Value, depth: usize) -> Value {
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds
            .iter()
            .find(|kind| *kind != "null")
            .and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kind {
        Some("string") if schema["format"] == "date-time" => json!("2025-01-31T06:00:00Z"),
        Some("string") => json!("…"),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(false),
        Some("array") => match schema.get("items") {
            Some(items) => json!([example(document, items, depth + 1)]),
            None => json!([]),
        },
        Some("object") => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            let fields =
                fields.map(|(name, schema)| (name.clone(), example(document, schema, depth + 1)));
            Value::Object(fields.collect())
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_follows_names_and_ends() {
        let document = json!({"components": {"schemas": {"A": {
            "type": "object",
            "properties": {"name": {"type": ["string", "null"]}, "inner": {"$ref": "#/components/schemas/A"}},
        }}}});
        let example = of(&document, &json!({"$ref": "#/components/schemas/A"}));
        assert_eq!(example["name"], "…");
        assert_eq!(example["inner"]["name"], "…");
    }
}
