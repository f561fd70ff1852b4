//! Filling placeholders in, as values.

use std::fmt::{self, Write as _};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use super::{Placeholder, Segment, TextError, marked, parse, pick, split_output};

/// What a task's placeholders are filled in from.
#[derive(Debug, Clone)]
pub struct Values<'a> {
    /// The interval the run covers.
    pub interval: (DateTime<Utc>, DateTime<Utc>),
    /// The DAG's time zone: dates in text are local dates.
    pub zone: Tz,
    /// The DAG.
    pub dag_id: &'a str,
    /// The run.
    pub run_id: &'a str,
    /// How the run came about.
    pub run_type: &'a str,
    /// The task.
    pub task_id: &'a str,
    /// Which instance of a mapped task.
    pub map_index: Option<u32>,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The key of this launch epoch.
    pub launch_key: &'a str,
    /// The run's params.
    pub params: &'a Value,
    /// What a mapped task was mapped over.
    pub item: Option<&'a Value>,
    /// Outputs of upstream tasks: task id and value.
    pub outputs: &'a [(String, Value)],
    /// Variables of the deployment: name and value.
    pub variables: &'a [(String, String)],
}

/// Why a text could not be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// The text itself is wrong.
    #[error("read the placeholders of `{text}`")]
    Text {
        /// The text.
        text: String,
        /// What is wrong with it.
        #[source]
        source: TextError,
    },
    /// A value is not there.
    #[error("find a value for `{{{name}}}`")]
    Missing {
        /// The placeholder.
        name: String,
    },
}

/// Fills a text in. What is put in is never read for placeholders again.
///
/// # Errors
/// The text is malformed, or a value is not there.
pub fn fill(text: &str, values: &Values<'_>) -> Result<String, FillError> {
    let segments = parse(text).map_err(|source| FillError::Text {
        text: text.to_owned(),
        source,
    })?;
    let mut out = String::with_capacity(text.len());
    for segment in &segments {
        match segment {
            Segment::Literal(literal) => out.push_str(literal),
            Segment::Placeholder(placeholder) => put(&mut out, placeholder, values)?,
        }
    }
    Ok(out)
}

/// Fills in every marked text inside an operator's JSON, in place.
///
/// # Errors
/// The first text that cannot be filled in; the JSON is then of no use.
pub fn fill_json(json: &mut Value, values: &Values<'_>) -> Result<(), FillError> {
    if let Some(text) = marked(json) {
        *json = Value::String(fill(text, values)?);
        return Ok(());
    }
    match json {
        Value::Array(items) => items
            .iter_mut()
            .try_for_each(|item| fill_json(item, values)),
        Value::Object(map) => map
            .values_mut()
            .try_for_each(|item| fill_json(item, values)),
        _ => Ok(()),
    }
}

fn put(out: &mut String, placeholder: &Placeholder, values: &Values<'_>) -> Result<(), FillError> {
    let (start, end) = values.interval;
    // Writing into a String cannot fail; formats were checked when the text was parsed.
    let _ = match placeholder {
        Placeholder::Ds => write!(
            out,
            "{}",
            start.with_timezone(&values.zone).format("%Y-%m-%d")
        ),
        Placeholder::DsNodash => write!(
            out,
            "{}",
            start.with_timezone(&values.zone).format("%Y%m%d")
        ),
        Placeholder::Ts | Placeholder::IntervalStart(None) => {
            write!(out, "{}", rfc3339(start, values.zone))
        }
        Placeholder::IntervalEnd(None) => write!(out, "{}", rfc3339(end, values.zone)),
        Placeholder::IntervalStart(Some(format)) => {
            write!(out, "{}", start.with_timezone(&values.zone).format(format))
        }
        Placeholder::IntervalEnd(Some(format)) => {
            write!(out, "{}", end.with_timezone(&values.zone).format(format))
        }
        Placeholder::IntervalStartUtc(None) => write!(out, "{}", rfc3339(start, Tz::UTC)),
        Placeholder::IntervalEndUtc(None) => write!(out, "{}", rfc3339(end, Tz::UTC)),
        Placeholder::IntervalStartUtc(Some(format)) => write!(out, "{}", start.format(format)),
        Placeholder::IntervalEndUtc(Some(format)) => write!(out, "{}", end.format(format)),
        Placeholder::RunId => out.write_str(values.run_id),
        Placeholder::RunType => out.write_str(values.run_type),
        Placeholder::DagId => out.write_str(values.dag_id),
        Placeholder::TaskId => out.write_str(values.task_id),
        Placeholder::LaunchKey => out.write_str(values.launch_key),
        Placeholder::Attempt => write!(out, "{}", values.attempt),
        Placeholder::MapIndex => {
            let index = values.map_index.ok_or_else(|| missing("map_index", &[]))?;
            write!(out, "{index}")
        }
        Placeholder::Item(path) => {
            let item = values
                .item
                .and_then(|item| pick(item, path))
                .ok_or_else(|| missing("item", path))?;
            write_value(out, item)
        }
        Placeholder::Param(path) => {
            let value = pick(values.params, path).ok_or_else(|| missing("params", path))?;
            write_value(out, value)
        }
        Placeholder::Var(name) => {
            let value = values.variables.iter().find(|(known, _)| known == name);
            let (_, value) = value.ok_or_else(|| missing("var", std::slice::from_ref(name)))?;
            out.write_str(value)
        }
        Placeholder::Out(path) => {
            let value = find_output(values.outputs, path).ok_or_else(|| missing("out", path))?;
            write_value(out, value)
        }
    };
    Ok(())
}

fn find_output<'a>(outputs: &'a [(String, Value)], path: &[String]) -> Option<&'a Value> {
    let known = |name: &str| outputs.iter().any(|(task, _)| task == name);
    let (task, rest) = split_output(path, known)?;
    outputs
        .iter()
        .find(|(known, _)| *known == task)
        .and_then(|(_, value)| pick(value, rest))
}

fn missing(head: &str, path: &[String]) -> FillError {
    let mut name = head.to_owned();
    for part in path {
        name.push('.');
        name.push_str(part);
    }
    FillError::Missing { name }
}

fn rfc3339(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone)
        .to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

fn write_value(out: &mut String, value: &Value) -> fmt::Result {
    match value {
        Value::String(text) => out.write_str(text),
        Value::Null => Ok(()),
        other => write!(out, "{other}"),
    }
}
