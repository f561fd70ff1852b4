//! A param as a field of a form: what it looks like, and what was typed into it.

use serde_json::Value;
use tidemill_core::params::{ParamKind, ParamSpec};

/// How a field is drawn.
pub(super) enum Input {
    /// One line of this type.
    Line(&'static str),
    /// Some lines.
    Lines,
    /// One of these.
    Choice(Vec<String>),
}

/// A field.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) about: String,
    /// Its kind and its limits, in words.
    pub(super) takes: String,
    pub(super) input: Input,
    pub(super) text: String,
    pub(super) min: Option<String>,
    pub(super) max: Option<String>,
    pub(super) step: Option<&'static str>,
    /// What is wrong with what was typed.
    pub(super) wrong: Vec<String>,
}

/// The value of a field that says nothing.
const NOTHING: &str = "";

impl Field {
    /// With this value in it.
    pub(super) fn new(spec: &ParamSpec, value: Option<&Value>) -> Self {
        let is_number = matches!(
            spec.kind,
            ParamKind::Integer | ParamKind::Unsigned | ParamKind::Number
        );
        let limit = |limit: Option<f64>| limit.filter(|_| is_number).map(|limit| limit.to_string());
        let text = value
            .map(|value| typed(&spec.kind, value))
            .unwrap_or_default();
        Self {
            name: spec.name.clone(),
            about: spec.description.clone(),
            takes: takes(spec),
            input: input(spec, &text),
            min: limit(spec.limits.min),
            max: limit(spec.limits.max),
            step: is_number.then_some(match spec.kind {
                ParamKind::Number => "any",
                _ => "1",
            }),
            text,
            wrong: Vec::new(),
        }
    }

    /// Shows what somebody sent, in a box that keeps all of it: one of a single line would lose the breaks.
    pub(super) fn type_in(&mut self, spec: &ParamSpec, sent: &str) {
        self.input = input(spec, sent);
        sent.clone_into(&mut self.text);
    }
}

fn input(spec: &ParamSpec, text: &str) -> Input {
    let or_nothing = |mut choices: Vec<String>| {
        if spec.optional || spec.default.is_none() {
            choices.insert(0, NOTHING.to_owned());
        }
        Input::Choice(choices)
    };
    if !spec.limits.one_of.is_empty() {
        let choices = spec.limits.one_of.iter();
        return or_nothing(choices.map(|value| typed(&spec.kind, value)).collect());
    }
    match spec.kind {
        ParamKind::Boolean => or_nothing(vec!["true".to_owned(), "false".to_owned()]),
        ParamKind::Text if text.contains('\n') => Input::Lines,
        ParamKind::Text | ParamKind::Instant => Input::Line("text"),
        ParamKind::Integer | ParamKind::Unsigned | ParamKind::Number => Input::Line("number"),
        ParamKind::Date => Input::Line("date"),
        ParamKind::List(_) | ParamKind::Object(_) | ParamKind::Json => Input::Lines,
    }
}

pub(super) fn takes(spec: &ParamSpec) -> String {
    let kind = match &spec.kind {
        ParamKind::Text => "text",
        ParamKind::Integer => "a whole number",
        ParamKind::Unsigned => "a whole number, not negative",
        ParamKind::Number => "a number",
        ParamKind::Boolean => "true or false",
        ParamKind::Date => "a date, as 2025-01-31",
        ParamKind::Instant => "a time, as 2025-01-31T06:00:00Z",
        ParamKind::List(_) => "a list, as JSON",
        ParamKind::Object(_) => "an object, as JSON",
        ParamKind::Json => "any JSON",
    };
    let limits = &spec.limits;
    let unit = match spec.kind {
        ParamKind::List(_) => "elements",
        _ => "characters",
    };
    let mut parts = vec![kind.to_owned()];
    parts.extend(limits.min.map(|min| format!("at least {min}")));
    parts.extend(limits.max.map(|max| format!("at most {max}")));
    parts.extend(
        limits
            .length_min
            .map(|min| format!("at least {min} {unit}")),
    );
    parts.extend(limits.length_max.map(|max| format!("at most {max} {unit}")));
    parts.extend(
        limits
            .pattern
            .as_ref()
            .map(|pattern| format!("like {pattern}")),
    );
    if spec.optional {
        parts.push("may be left empty".to_owned());
    } else if spec.default.is_none() {
        parts.push("must be given".to_owned());
    }
    parts.join(", ")
}

/// A value as people type it.
fn typed(kind: &ParamKind, value: &Value) -> String {
    match (kind, value) {
        (ParamKind::Json | ParamKind::List(_) | ParamKind::Object(_), value) => {
            serde_json::to_string_pretty(value).unwrap_or_default()
        }
        (_, Value::Null) => NOTHING.to_owned(),
        (_, Value::String(text)) => text.clone(),
        (_, value) => value.to_string(),
    }
}

/// What was typed, as a value; none if nothing was and something must be.
///
/// # Errors
/// Why it cannot be read at all. Whether it is allowed, the param itself says.
pub(super) fn value(spec: &ParamSpec, text: &str) -> Result<Option<Value>, String> {
    // Browsers send lines as they did on a teletype.
    let text = text.replace("\r\n", "\n");
    if text.trim().is_empty() && (spec.optional || !matches!(spec.kind, ParamKind::Text)) {
        return Ok(spec.optional.then_some(Value::Null));
    }
    let trimmed = text.trim();
    Ok(Some(match &spec.kind {
        ParamKind::Text => Value::String(text),
        ParamKind::Date | ParamKind::Instant => Value::String(trimmed.to_owned()),
        ParamKind::Boolean => match trimmed {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            other => Value::String(other.to_owned()),
        },
        ParamKind::Integer | ParamKind::Unsigned | ParamKind::Number => {
            let number = serde_json::from_str(trimmed).ok();
            let number = number.filter(|value: &Value| value.is_number());
            number.unwrap_or_else(|| Value::String(trimmed.to_owned()))
        }
        ParamKind::List(_) | ParamKind::Object(_) | ParamKind::Json => {
            serde_json::from_str(trimmed).map_err(|error| format!("this is no JSON: {error}"))?
        }
    }))
}
