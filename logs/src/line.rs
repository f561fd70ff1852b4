//! The form of a line: one JSON object, short keys, time first and level second so that a reader finds them unparsed.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidemill_core::operator::Level;
use tidemill_core::time::Timestamp;

/// A line as it is kept: `{"t":1735689600000000,"l":"info","m":"…"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When it was written.
    #[serde(rename = "t", with = "micros")]
    pub at: Timestamp,
    /// How much it matters.
    #[serde(rename = "l")]
    pub level: Level,
    /// The text.
    #[serde(rename = "m")]
    pub text: String,
    /// Where it comes from, such as `stdout`; nothing for what the task itself said.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Fields that a reader can pick out.
    #[serde(rename = "k", default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
}

impl Line {
    /// Reads a line. One that is not of our form is taken for text: it came over the wire, and a reader must see it.
    #[must_use]
    pub fn read(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_else(|_| Self {
            at: Timestamp::default(),
            level: Level::Info,
            text: json.to_owned(),
            source: None,
            fields: Map::new(),
        })
    }

    /// The line as people read it: time, level, source, text, fields.
    #[must_use]
    pub fn for_people(&self) -> String {
        let source = self.source.as_ref();
        let source = source.map_or(String::new(), |source| format!(" [{source}]"));
        let level = word(self.level).to_ascii_uppercase();
        let mut out = format!("{} {level:5}{source} {}", self.at, self.text);
        if !self.fields.is_empty() {
            // A map of JSON values always has a text.
            let fields = serde_json::to_string(&self.fields).unwrap_or_default();
            out.push(' ');
            out.push_str(&fields);
        }
        out
    }
}

/// What is written, before it is masked and cut.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// When.
    pub at: Timestamp,
    /// How much it matters.
    pub level: Level,
    /// The text; each of its lines becomes one.
    pub text: &'a str,
    /// Where it comes from.
    pub source: Option<&'a str>,
    /// Fields that a reader can pick out.
    pub fields: Option<&'a Map<String, Value>>,
}

impl<'a> Entry<'a> {
    /// A text and nothing else.
    #[must_use]
    pub fn new(at: Timestamp, level: Level, text: &'a str) -> Self {
        Self {
            at,
            level,
            text,
            source: None,
            fields: None,
        }
    }

    /// The line of JSON, with its line feed.
    pub(crate) fn encode(&self, out: &mut String) {
        let level = word(self.level);
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "{{\"t\":{},\"l\":\"{level}\",\"m\":\"",
            self.at.micros()
        );
        push_escaped(out, self.text);
        out.push('"');
        if let Some(source) = self.source {
            out.push_str(",\"s\":\"");
            push_escaped(out, source);
            out.push('"');
        }
        if let Some(fields) = self.fields.filter(|fields| !fields.is_empty()) {
            out.push_str(",\"k\":");
            out.push_str(&serde_json::to_string(fields).unwrap_or_else(|_| "{}".to_owned()));
        }
        out.push_str("}\n");
    }
}

/// The word for a level in a line.
pub(crate) fn word(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

/// The level of a line of JSON, found where [`Entry::encode`] puts it. Anything else counts as `info`, as in [`Line::read`].
#[cfg(feature = "keep")]
pub(crate) fn level_of(json: &str) -> Level {
    let known = json.strip_prefix("{\"t\":").and_then(|rest| {
        rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-')
            .strip_prefix(",\"l\":\"")
    });
    match known {
        Some(rest) if rest.starts_with("error\"") => Level::Error,
        Some(rest) if rest.starts_with("warn\"") => Level::Warn,
        Some(rest) if rest.starts_with("debug\"") => Level::Debug,
        _ => Level::Info,
    }
}

/// Appends a text as the inside of a JSON string. Runs of plain bytes are copied at once.
fn push_escaped(out: &mut String, text: &str) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            _ => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
    }
    out.push_str(&text[from..]);
}

mod micros {
    use serde::{Deserialize, Deserializer, Serializer};
    use tidemill_core::time::Timestamp;

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(at.micros())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(from).map(Timestamp::from_micros)
    }
}
