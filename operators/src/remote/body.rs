//! A request as data.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidemill_core::text::Text;

/// The JSON that a service is sent, as its author described it. Strings may hold placeholders: they are marked as texts, so
/// that they are checked when the DAG is built and filled in before the operator sees them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Body(Value);

impl Default for Body {
    fn default() -> Self {
        Self(Value::Object(Map::new()))
    }
}

impl Body {
    /// What is there under this path, such as `sparkJob/args`; null if nothing is.
    pub(crate) fn get(&self, path: &str) -> &Value {
        path.split('/').fold(&self.0, |value, name| &value[name])
    }

    /// Puts a value there; what is not there on the way is made.
    pub(crate) fn put(&mut self, path: &str, value: impl Into<Value>) {
        *self.at(path) = marked(value.into());
    }

    /// Puts a text there.
    pub(crate) fn text(&mut self, path: &str, text: impl Into<Text>) {
        *self.at(path) = of_text(text);
    }

    /// Puts a text under a name of the map that is there: the name may hold anything, such as `spark.executor.memory`.
    pub(crate) fn entry(&mut self, path: &str, name: impl Into<String>, text: impl Into<Text>) {
        let map = self.at(path);
        if !map.is_object() {
            *map = Value::Object(Map::new());
        }
        if let Value::Object(map) = map {
            map.insert(name.into(), of_text(text));
        }
    }

    /// Adds a value to the list that is there.
    pub(crate) fn push(&mut self, path: &str, value: impl Into<Value>) {
        let list = self.at(path);
        if !list.is_array() {
            *list = Value::Array(Vec::new());
        }
        if let Value::Array(list) = list {
            list.push(marked(value.into()));
        }
    }

    /// Adds a text to the list that is there.
    pub(crate) fn push_text(&mut self, path: &str, text: impl Into<Text>) {
        self.push(path, Value::String(text.into().as_str().to_owned()));
    }

    /// Lays other JSON over it: maps are merged, everything else is replaced.
    pub(crate) fn merge(&mut self, other: Value) {
        lay(&mut self.0, marked(other));
    }

    /// The JSON itself, in a running operator.
    pub(crate) const fn value(&self) -> &Value {
        &self.0
    }

    pub(crate) fn into_value(self) -> Value {
        self.0
    }

    fn at(&mut self, path: &str) -> &mut Value {
        let mut value = &mut self.0;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            value = &mut value[name];
        }
        value
    }
}

fn of_text(text: impl Into<Text>) -> Value {
    marked(Value::String(text.into().as_str().to_owned()))
}

/// Marks strings that may hold placeholders, as a [`Text`] does itself.
fn marked(value: Value) -> Value {
    match value {
        // A text is always JSON.
        Value::String(text) => serde_json::to_value(Text::new(text)).unwrap_or_default(),
        Value::Array(items) => items.into_iter().map(marked).collect(),
        // It is marked already.
        Value::Object(map) if is_text(&map) => Value::Object(map),
        Value::Object(map) => map
            .into_iter()
            .map(|(name, value)| (name, marked(value)))
            .collect(),
        other => other,
    }
}

fn is_text(map: &Map<String, Value>) -> bool {
    map.len() == 1 && map.contains_key(tidemill_core::text::TEXT_KEY)
}

fn lay(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) if !is_text(&over) && !is_text(under) => {
            for (name, value) in over {
                lay(under.entry(name).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_made_bit_by_bit_and_its_placeholders_are_marked() {
        let mut body = Body::default();
        body.text("sparkJob/mainClass", "shop.Load");
        body.push_text("sparkJob/args", "--day={ds}");
        body.push_text("sparkJob/args", "--full");
        body.entry("sparkJob/properties", "spark.executor.memory", "4g");
        body.merge(json!({"sparkJob": {"properties": {"a/b": "{run_id}"}}, "n": 1}));
        assert_eq!(
            body.value(),
            &json!({
                "sparkJob": {
                    "mainClass": "shop.Load", "args": [{"$text": "--day={ds}"}, "--full"],
                    "properties": {"spark.executor.memory": "4g", "a/b": {"$text": "{run_id}"}},
                },
                "n": 1,
            })
        );
        assert!(body.get("sparkJob/jars").is_null());
        // What is written and read again is the same.
        let again: Body = serde_json::from_value(json!(body)).unwrap();
        assert_eq!(again, body);
        body.merge(json!({"sparkJob": {"mainClass": "{params.main}"}}));
        body.merge(json!({"sparkJob": {"mainClass": "shop.Other"}}));
        assert_eq!(body.get("sparkJob/mainClass"), "shop.Other");
    }
}
