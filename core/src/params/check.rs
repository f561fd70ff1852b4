//! Checking the values that are given to a run, and filling in the defaults.

use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value};

use super::{ParamKind, ParamSpec};
use crate::id::nearest;

/// The largest pattern that is compiled, so that a hostile definition cannot fill memory.
const PATTERN_BYTES_MAX: usize = 1 << 18;

/// How deep what is given may be nested: nothing that reads it later needs to fear for its stack.
const DEPTH_MAX: usize = 64;

/// Checks the params given to a run and fills in the defaults.
///
/// # Errors
/// Everything that is wrong, each as a sentence.
pub fn complete(specs: &[ParamSpec], given: &Value) -> Result<Value, Vec<String>> {
    let none = Map::new();
    let given = match given {
        Value::Null => &none,
        Value::Object(given) => given,
        _ => return Err(vec!["params must be a JSON object".to_owned()]),
    };
    if given.values().any(|value| is_deeper(value, DEPTH_MAX - 1)) {
        let says =
            format!("params are nested to a depth of {DEPTH_MAX} at the most, these are deeper");
        return Err(vec![says]);
    }
    let mut wrong = Vec::new();
    let full = complete_at("", specs, given, &mut wrong);
    if wrong.is_empty() {
        Ok(Value::Object(full))
    } else {
        Err(wrong)
    }
}

fn is_deeper(value: &Value, than: usize) -> bool {
    let deeper = |value: &Value| than == 0 || is_deeper(value, than - 1);
    match value {
        Value::Array(items) => than == 0 || items.iter().any(deeper),
        Value::Object(fields) => than == 0 || fields.values().any(deeper),
        _ => false,
    }
}

fn complete_at(
    around: &str,
    specs: &[ParamSpec],
    given: &Map<String, Value>,
    wrong: &mut Vec<String>,
) -> Map<String, Value> {
    let path = |name: &str| {
        if around.is_empty() {
            name.to_owned()
        } else {
            format!("{around}.{name}")
        }
    };
    for name in given
        .keys()
        .filter(|name| !specs.iter().any(|spec| spec.name == **name))
    {
        let near = nearest(name, specs.iter().map(|spec| spec.name.as_str()));
        let hint = match near {
            Some(near) => format!("; did you mean `{near}`?"),
            None if specs.is_empty() => "; there is none".to_owned(),
            None => {
                let all = specs.iter().map(|spec| format!("`{}`", path(&spec.name)));
                format!("; known: {}", all.collect::<Vec<_>>().join(", "))
            }
        };
        wrong.push(format!("there is no param `{}`{hint}", path(name)));
    }
    let mut full = Map::new();
    for spec in specs {
        let path = path(&spec.name);
        match given.get(&spec.name).or(spec.default.as_ref()) {
            Some(value) => {
                full.insert(spec.name.clone(), spec.settle(&path, value, wrong));
            }
            // An object may be left out if all of its fields may.
            None if matches!(spec.kind, ParamKind::Object(_)) => {
                let empty = Value::Object(Map::new());
                full.insert(spec.name.clone(), spec.settle(&path, &empty, wrong));
            }
            None => wrong.push(format!(
                "param `{path}` has no default, so it must be given"
            )),
        }
    }
    full
}

impl ParamSpec {
    /// Everything that is wrong with a value, each as a sentence; nothing if it is right.
    #[must_use]
    pub fn check(&self, value: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        self.settle(&self.name, value, &mut wrong);
        wrong
    }

    /// The value with the defaults of its fields; what is wrong with it is said.
    fn settle(&self, path: &str, value: &Value, wrong: &mut Vec<String>) -> Value {
        if value.is_null() && self.optional {
            return Value::Null;
        }
        let settled = match (&self.kind, value) {
            (ParamKind::List(item), Value::Array(items)) => {
                let settle = |(nth, value)| item.settle(&format!("{path}[{nth}]"), value, wrong);
                Value::Array(items.iter().enumerate().map(settle).collect())
            }
            (ParamKind::Object(fields), Value::Object(given)) => {
                Value::Object(complete_at(path, fields, given, wrong))
            }
            (kind, value) => {
                if let Some(wanted) = wanted(kind, value) {
                    wrong.push(format!("param `{path}` is {value}, it must be {wanted}"));
                    return value.clone();
                }
                value.clone()
            }
        };
        self.check_limits(path, &settled, wrong);
        settled
    }

    fn check_limits(&self, path: &str, value: &Value, wrong: &mut Vec<String>) {
        let limits = &self.limits;
        let mut say = |what: String| wrong.push(format!("param `{path}` {what}"));
        if let Some(number) = value.as_f64() {
            if let Some(min) = limits.min.filter(|min| number < *min) {
                say(format!("is {value}, the least is {}", self.number(min)));
            }
            if let Some(max) = limits.max.filter(|max| number > *max) {
                say(format!("is {value}, the most is {}", self.number(max)));
            }
        }
        let length = match value {
            Value::String(text) => Some((text.chars().count() as u64, "characters")),
            Value::Array(items) => Some((items.len() as u64, "elements")),
            _ => None,
        };
        if let Some((length, unit)) = length {
            if let Some(min) = limits.length_min.filter(|min| length < *min) {
                say(format!("has {length} {unit}, the least is {min}"));
            }
            if let Some(max) = limits.length_max.filter(|max| length > *max) {
                say(format!("has {length} {unit}, the most is {max}"));
            }
        }
        if let (Some(pattern), Value::String(text)) = (&limits.pattern, value) {
            match whole_match(pattern) {
                Ok(regex) if regex.is_match(text) => {}
                Ok(_) => say(format!(
                    "is {value}, which does not match the pattern {pattern}"
                )),
                Err(why) => say(format!("has a pattern that cannot be read: {why}")),
            }
        }
        if !limits.one_of.is_empty() && !limits.one_of.contains(value) {
            let known: Vec<String> = limits.one_of.iter().map(ToString::to_string).collect();
            say(format!(
                "is {value}, it must be one of {}",
                known.join(", ")
            ));
        }
    }
}

/// What a value should be, if it is not of the kind.
fn wanted(kind: &ParamKind, value: &Value) -> Option<&'static str> {
    let text = value.as_str();
    let (right, wanted) = match kind {
        ParamKind::Text => (text.is_some(), "a text"),
        ParamKind::Integer => (value.is_i64(), "a whole number"),
        ParamKind::Unsigned => (value.is_u64(), "a whole number that is not negative"),
        ParamKind::Number => (value.is_number(), "a number"),
        ParamKind::Boolean => (value.is_boolean(), "true or false"),
        // Only the one way to write a date: a partition named after it must not have two names.
        ParamKind::Date => {
            let canonical = |text: &str| {
                text.parse::<NaiveDate>()
                    .is_ok_and(|date| date.to_string() == text)
            };
            (text.is_some_and(canonical), "a date like 2025-01-31")
        }
        ParamKind::Instant => {
            let right = text.is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok());
            (right, "an instant like 2025-01-31T06:00:00Z")
        }
        ParamKind::Json => (true, ""),
        ParamKind::List(_) => (false, "a list"),
        ParamKind::Object(_) => (false, "an object"),
    };
    (!right).then_some(wanted)
}

/// A pattern that matches the whole text.
pub(crate) fn whole_match(pattern: &str) -> Result<regex::Regex, String> {
    let whole = format!("^(?:{pattern})$");
    let built = regex::RegexBuilder::new(&whole)
        .size_limit(PATTERN_BYTES_MAX)
        .build();
    built.map_err(|why| {
        why.to_string()
            .lines()
            .last()
            .unwrap_or_default()
            .to_owned()
    })
}
