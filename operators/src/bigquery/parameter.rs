//! Parameters of a query: values, never parts of the statement.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_core::text::Text;

/// A named parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameter {
    name: String,
    kind: String,
    value: ParameterValue,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ParameterValue {
    One(Text),
    List(Vec<Text>),
}

impl Parameter {
    pub(super) fn one(name: impl Into<String>, kind: impl Into<String>, value: Text) -> Self {
        Self {
            name: name.into(),
            kind: kind.into(),
            value: ParameterValue::One(value),
        }
    }

    pub(super) fn list(
        name: impl Into<String>,
        kind: impl Into<String>,
        values: Vec<Text>,
    ) -> Self {
        Self {
            name: name.into(),
            kind: kind.into(),
            value: ParameterValue::List(values),
        }
    }

    /// As requests have it.
    pub(super) fn json(&self) -> Value {
        let kind = self.kind.to_ascii_uppercase();
        let (kind, value) = match &self.value {
            ParameterValue::One(value) => {
                (json!({ "type": kind }), json!({ "value": value.as_str() }))
            }
            ParameterValue::List(values) => {
                let values: Vec<Value> = values
                    .iter()
                    .map(|value| json!({ "value": value.as_str() }))
                    .collect();
                let kind = json!({ "type": "ARRAY", "arrayType": { "type": kind } });
                (kind, json!({ "arrayValues": values }))
            }
        };
        json!({ "name": self.name, "parameterType": kind, "parameterValue": value })
    }
}
