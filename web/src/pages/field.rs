//! A param as a field of a form: what it looks like, and what was typed into it.

use std::collections::HashMap;

use serde_json::{Map, Value};
use tidemill_core::params::{ParamKind, ParamSpec, complete};

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

/// A form, by the names of its fields.
pub(super) type Given = HashMap<String, String>;

/// The fields of params, with the values of a run in them, or else their defaults.
pub(super) fn fields(specs: &[ParamSpec], like: Option<&Value>) -> Vec<Field> {
    let field = |spec: &ParamSpec| {
        let given = like.and_then(|like| like.get(&spec.name));
        Field::new(spec, given.or(spec.default.as_ref()))
    };
    specs.iter().map(field).collect()
}

/// Params as a form has them.
pub(super) struct Filled {
    pub(super) fields: Vec<Field>,
    /// What is wrong with no field in particular.
    pub(super) wrong: Vec<String>,
    /// None if anything is wrong.
    pub(super) params: Option<Value>,
}

/// Reads the params of a form: `p.name`.
pub(super) fn fill(specs: &[ParamSpec], given: &Given) -> Filled {
    let (mut fields, mut wrong) = (Vec::new(), Vec::new());
    let mut params = Map::new();
    for spec in specs {
        let sent = given.get(&format!("p.{}", spec.name));
        let (field, value) = read_field(spec, sent.map(String::as_str));
        fields.push(field);
        if let Some(value) = value {
            params.insert(spec.name.clone(), value);
        }
    }
    let known = |name: &str| specs.iter().any(|spec| spec.name == name);
    for name in given.keys().filter_map(|key| key.strip_prefix("p.")) {
        if !known(name) {
            wrong.push(format!("there is no param `{name}`"));
        }
    }
    let params = Value::Object(params);
    let are_right = fields.iter().all(|field: &Field| field.wrong.is_empty());
    if are_right && let Err(why) = complete(specs, &params) {
        wrong.extend(why);
    }
    let params = (are_right && wrong.is_empty()).then_some(params);
    Filled {
        fields,
        wrong,
        params,
    }
}

fn read_field(spec: &ParamSpec, sent: Option<&str>) -> (Field, Option<Value>) {
    let Some(sent) = sent else {
        let mut field = Field::new(spec, spec.default.as_ref());
        if spec.default.is_none() && !spec.optional {
            field
                .wrong
                .push("it has no default, so it must be given".to_owned());
        }
        return (field, None);
    };
    let read = value(spec, sent);
    let mut field = Field::new(spec, None);
    field.type_in(spec, sent);
    match read {
        Ok(Some(value)) => {
            let name = format!("param `{}` ", spec.name);
            let wrong = spec.check(&value).into_iter();
            field.wrong = wrong
                .map(|says| says.strip_prefix(&name).map(str::to_owned).unwrap_or(says))
                .collect();
            (field, Some(value))
        }
        // An object may be left out if all of its fields may: what is wrong with that is said of the whole.
        Ok(None) if matches!(spec.kind, ParamKind::Object(_)) => (field, None),
        Ok(None) => {
            field.wrong.push("it must be given".to_owned());
            (field, None)
        }
        Err(why) => {
            field.wrong.push(why);
            (field, None)
        }
    }
}
