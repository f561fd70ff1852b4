//! The version of a DAG: a hash of its definition in a canonical form.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::spec::Definition;

/// A hash of everything about a DAG that matters to a run, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(String);

/// Changed when the canonical form itself changes, so that an old and a new form never meet under one hash.
const FORM: &str = "tidemill dag 1\n";

impl Version {
    /// The version of a definition.
    #[must_use]
    pub fn of(definition: &Definition) -> Self {
        let mut bytes = FORM.as_bytes().to_vec();
        // A definition is made of names, numbers and JSON: there is nothing in it that JSON cannot hold.
        let json = serde_json::to_value(definition).unwrap_or(Value::Null);
        write_canonical(&mut bytes, &json);
        Self(hex(&Sha256::digest(&bytes)))
    }

    /// All 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Twelve digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// JSON without spaces and with sorted keys. The order of a `serde_json` map depends on a feature that any crate of a
/// user's binary may switch on, so it is sorted here.
pub(crate) fn write_canonical(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_str());
            out.push(b'{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_scalar(out, &key);
                out.push(b':');
                write_canonical(out, value);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(out, item);
            }
            out.push(b']');
        }
        scalar => write_scalar(out, scalar),
    }
}

fn write_scalar(out: &mut Vec<u8>, scalar: &impl Serialize) {
    // Strings, numbers, booleans and null always serialise, and writing into a Vec cannot fail.
    let _ = serde_json::to_writer(out, scalar);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_form_sorts_keys_on_every_level() {
        let value: Value = serde_json::from_str(r#"{"b":[{"z":1,"a":null}],"a":"ü\n"}"#).unwrap();
        let mut bytes = Vec::new();
        write_canonical(&mut bytes, &value);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            r#"{"a":"ü\n","b":[{"a":null,"z":1}]}"#
        );
    }
}
