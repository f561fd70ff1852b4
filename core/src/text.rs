//! Placeholders: `{ds}`, `{interval_start:%Y/%m/%d}`, `{params.region}`. A fixed list, checked when the DAG is built and
//! substituted as values. It is not a template language: nothing is evaluated, and what a value contains is never read
//! for placeholders again.

mod fill;

use std::fmt::{self, Write as _};

use chrono::DateTime;
use chrono::format::{Item, StrftimeItems};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::id::nearest;

pub use fill::{FillError, Values, fill, fill_json};

/// The key that marks a string with placeholders in an operator's JSON.
pub const TEXT_KEY: &str = "$text";

/// The longest text with placeholders, in bytes. A query longer than this belongs in a file.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// A string in which placeholders are substituted before the operator sees it.
///
/// A field of this type in an operator is enough: the text is found in the operator's JSON, checked by `dags validate`
/// and filled in by the worker. Literal braces are written `{{` and `}}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(String);

impl Text {
    /// A text as the author wrote it, placeholders and all.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// In a running operator: the text with its placeholders filled in. In a DAG's description: as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn has_braces(&self) -> bool {
        self.0.contains(['{', '}'])
    }
}

impl<T: Into<String>> From<T> for Text {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Text {
    /// A text with braces is marked, so that whoever reads the JSON knows which strings are to be filled in.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.has_braces() {
            use serde::ser::SerializeMap;
            let mut map = to.serialize_map(Some(1))?;
            map.serialize_entry(TEXT_KEY, &self.0)?;
            map.end()
        } else {
            to.serialize_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::String(text) => Ok(Self(text)),
            Value::Object(map) => match (map.len(), map.get(TEXT_KEY)) {
                (1, Some(Value::String(text))) => Ok(Self(text.clone())),
                _ => Err(D::Error::custom(format!(
                    "a text is a string or {{\"{TEXT_KEY}\": string}}"
                ))),
            },
            _ => Err(D::Error::custom("a text is a string")),
        }
    }
}

/// One placeholder, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// `{ds}`: the interval's start date in the DAG's time zone, `2025-01-31`.
    Ds,
    /// `{ds_nodash}`: the same as `20250131`.
    DsNodash,
    /// `{ts}`: the interval's start, RFC 3339 in the DAG's time zone.
    Ts,
    /// `{interval_start}`, `{interval_start:%Y/%m/%d}`.
    IntervalStart(Option<String>),
    /// `{interval_end}`, `{interval_end:%H}`.
    IntervalEnd(Option<String>),
    /// `{interval_start_utc:%Y%m%d%H}`: in UTC, where no hour of a year comes twice.
    IntervalStartUtc(Option<String>),
    /// `{interval_end_utc}`.
    IntervalEndUtc(Option<String>),
    /// `{run_id}`.
    RunId,
    /// `{run_type}`: scheduled, manual, backfill or asset.
    RunType,
    /// `{dag_id}`.
    DagId,
    /// `{task_id}`.
    TaskId,
    /// `{map_index}`: which instance of a mapped task this is, from 0.
    MapIndex,
    /// `{attempt}`: 1 for the first attempt.
    Attempt,
    /// `{launch_key}`: the key under which this task's remote work is launched; the same after a crash.
    LaunchKey,
    /// `{item}`, `{item.field}`: what this instance of a mapped task was mapped over.
    Item(Vec<String>),
    /// `{params.name}`.
    Param(Vec<String>),
    /// `{var.name}`: a variable of the deployment, read when the task starts.
    Var(String),
    /// `{out.task}`, `{out.task.field}`: what an upstream task returned. Which part is the task's name and which the
    /// path into its output is only known together with the DAG, names may hold dots.
    Out(Vec<String>),
}

/// The simple placeholders, as they are listed to people.
pub const PLACEHOLDERS: [&str; 18] = [
    "attempt",
    "dag_id",
    "ds",
    "ds_nodash",
    "interval_end",
    "interval_end_utc",
    "interval_start",
    "interval_start_utc",
    "item",
    "launch_key",
    "map_index",
    "out.TASK",
    "params.NAME",
    "run_id",
    "run_type",
    "task_id",
    "ts",
    "var.NAME",
];

/// What Airflow calls it, and what it is called here: a ported DAG gets an answer instead of a guess.
const AIRFLOW_NAMES: [(&str, &str); 10] = [
    ("data_interval_end", "interval_end"),
    ("data_interval_start", "interval_start"),
    ("dag.dag_id", "dag_id"),
    ("dag_run.run_id", "run_id"),
    ("execution_date", "interval_start"),
    ("logical_date", "interval_start"),
    ("next_ds", "interval_end:%Y-%m-%d"),
    ("task.task_id", "task_id"),
    ("ti.try_number", "attempt"),
    ("ts_nodash", "interval_start:%Y%m%dT%H%M%S"),
];

/// Why a text with placeholders cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// A name that is not on the list.
    #[error("there is no placeholder `{{{name}}}`")]
    Unknown {
        /// What was written.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A `{` without its `}`.
    #[error("the `{{` at character {at} is never closed")]
    Unclosed {
        /// Where, counted in characters from 1.
        at: usize,
    },
    /// A `}` without its `{`.
    #[error("the `}}` at character {at} closes nothing")]
    Stray {
        /// Where, counted in characters from 1.
        at: usize,
    },
    /// A date format that chrono does not read.
    #[error("`{format}` is not a date format")]
    BadFormat {
        /// What was written.
        format: String,
    },
    /// A format on something that is no date.
    #[error("`{{{name}}}` is no date, so it takes no format")]
    NoFormat {
        /// The placeholder.
        name: String,
    },
    /// A placeholder in Airflow's double braces, which would be written out as it is.
    #[error(
        "`{{{{ {name} }}}}` is how Jinja writes it; here it would stay as it is, with single braces"
    )]
    Jinja {
        /// What stands between the braces.
        name: String,
        /// What it is called here.
        ours: String,
    },
    /// Longer than [`TEXT_BYTES_MAX`].
    #[error("the text has {bytes} bytes, the most is {TEXT_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
}

impl TextError {
    /// How to mend it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Unknown {
                nearest: Some(near),
                ..
            } => format!("did you mean `{{{near}}}`?"),
            Self::Unknown { nearest: None, .. } => {
                format!(
                    "known are {}; for a literal brace write `{{{{`",
                    PLACEHOLDERS.join(", ")
                )
            }
            Self::Unclosed { .. } => "close it, or write `{{` for a literal brace".to_owned(),
            Self::Stray { .. } => "write `}}` for a literal brace".to_owned(),
            Self::BadFormat { .. } => "use strftime codes such as %Y-%m-%d or %H%M".to_owned(),
            Self::NoFormat { .. } => "remove the colon and what follows it".to_owned(),
            Self::Jinja { ours, .. } => {
                format!(
                    "write `{{{ours}}}`; for literal braces write them without the spaces inside"
                )
            }
            Self::TooLong { .. } => "keep it in a file and name the file".to_owned(),
        }
    }
}

/// A piece of a text: literal, or to be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Stays as it is.
    Literal(String),
    /// Is filled in.
    Placeholder(Placeholder),
}

/// Splits a text into literals and placeholders.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse(text: &str) -> Result<Vec<Segment>, TextError> {
    let mut segments = Vec::new();
    let mut literal = String::new();
    scan(text, |piece| match piece {
        Piece::Literal(text) => literal.push_str(text),
        Piece::Placeholder(placeholder) => {
            if !literal.is_empty() {
                segments.push(Segment::Literal(std::mem::take(&mut literal)));
            }
            segments.push(Segment::Placeholder(placeholder));
        }
    })?;
    if !literal.is_empty() {
        segments.push(Segment::Literal(literal));
    }
    Ok(segments)
}

/// The placeholders of a text, without its literals.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn placeholders(text: &str) -> Result<Vec<Placeholder>, TextError> {
    let mut found = Vec::new();
    scan(text, |piece| {
        if let Piece::Placeholder(placeholder) = piece {
            found.push(placeholder);
        }
    })?;
    Ok(found)
}

enum Piece<'a> {
    Literal(&'a str),
    Placeholder(Placeholder),
}

fn scan<'a>(text: &'a str, mut see: impl FnMut(Piece<'a>)) -> Result<(), TextError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(TextError::TooLong { bytes: text.len() });
    }
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        see(Piece::Literal(before));
        let character = || text[..text.len() - from.len()].chars().count() + 1;
        jinja(from)?;
        if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
            see(Piece::Literal(&from[..1]));
            rest = after;
        } else if let Some(inside) = from.strip_prefix('{') {
            let end = inside
                .find(['{', '}'])
                .filter(|end| inside[*end..].starts_with('}'));
            let end = end.ok_or_else(|| TextError::Unclosed { at: character() })?;
            see(Piece::Placeholder(parse_placeholder(&inside[..end])?));
            rest = &inside[end + 1..];
        } else {
            return Err(TextError::Stray { at: character() });
        }
    }
    see(Piece::Literal(rest));
    Ok(())
}

/// Finds `{{ ds }}`: whoever ports a DAG writes it, and nobody means the literal braces.
fn jinja(from: &str) -> Result<(), TextError> {
    let Some(inside) = from.strip_prefix("{{ ") else {
        return Ok(());
    };
    let Some(end) = inside
        .find(['{', '}', '\n'])
        .filter(|end| inside[*end..].starts_with("}}"))
    else {
        return Ok(());
    };
    let name = inside[..end].trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    if name.is_empty() || !name.chars().all(plain) {
        return Ok(());
    }
    let ours = match parse_placeholder(name) {
        Ok(_) => name.to_owned(),
        Err(TextError::Unknown {
            nearest: Some(near),
            ..
        }) => near,
        Err(_) => return Ok(()),
    };
    Err(TextError::Jinja {
        name: name.to_owned(),
        ours,
    })
}

fn parse_placeholder(inside: &str) -> Result<Placeholder, TextError> {
    let (name, format) = match inside.split_once(':') {
        Some((name, format)) => (name, Some(format.to_owned())),
        None => (inside, None),
    };
    if let Some(format) = &format {
        check_format(format)?;
    }
    let found = match name {
        "interval_start" => return Ok(Placeholder::IntervalStart(format)),
        "interval_end" => return Ok(Placeholder::IntervalEnd(format)),
        "interval_start_utc" => return Ok(Placeholder::IntervalStartUtc(format)),
        "interval_end_utc" => return Ok(Placeholder::IntervalEndUtc(format)),
        "ds" => Placeholder::Ds,
        "ds_nodash" => Placeholder::DsNodash,
        "ts" => Placeholder::Ts,
        "run_id" => Placeholder::RunId,
        "run_type" => Placeholder::RunType,
        "dag_id" => Placeholder::DagId,
        "task_id" => Placeholder::TaskId,
        "map_index" => Placeholder::MapIndex,
        "attempt" => Placeholder::Attempt,
        "launch_key" => Placeholder::LaunchKey,
        "item" => Placeholder::Item(Vec::new()),
        _ => dotted(name).ok_or_else(|| unknown(name))?,
    };
    match format {
        Some(_) => Err(TextError::NoFormat {
            name: name.to_owned(),
        }),
        None => Ok(found),
    }
}

fn dotted(name: &str) -> Option<Placeholder> {
    let (head, rest) = name.split_once('.')?;
    let path: Vec<String> = rest.split('.').map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        return None;
    }
    match head {
        "item" => Some(Placeholder::Item(path)),
        "params" => Some(Placeholder::Param(path)),
        "out" => Some(Placeholder::Out(path)),
        "var" => Some(Placeholder::Var(rest.to_owned())),
        _ => None,
    }
}

fn unknown(name: &str) -> TextError {
    let shown: String = name.chars().take(80).collect();
    let airflow = AIRFLOW_NAMES
        .iter()
        .find(|(theirs, _)| *theirs == name.trim())
        .map(|(_, ours)| *ours);
    let prefix = [
        ("param", "params"),
        ("vars", "var"),
        ("variables", "var"),
        ("outs", "out"),
        ("output", "out"),
    ];
    let prefixed = name.split_once('.').and_then(|(head, rest)| {
        prefix
            .iter()
            .find(|(wrong, _)| *wrong == head)
            .map(|(_, right)| format!("{right}.{rest}"))
    });
    let near = airflow
        .map(str::to_owned)
        .or(prefixed)
        .or_else(|| nearest(name.trim(), PLACEHOLDERS).map(str::to_owned));
    TextError::Unknown {
        name: shown,
        nearest: near,
    }
}

fn check_format(format: &str) -> Result<(), TextError> {
    let items: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    let known = !items.is_empty() && !items.iter().any(|item| matches!(item, Item::Error));
    // Some codes can be read but not written.
    let written = known && {
        let probe = DateTime::UNIX_EPOCH
            .with_timezone(&chrono_tz::UTC)
            .format_with_items(items.iter());
        write!(String::new(), "{probe}").is_ok()
    };
    if written {
        Ok(())
    } else {
        Err(TextError::BadFormat {
            format: format.to_owned(),
        })
    }
}

/// Calls `see` with every marked text inside an operator's JSON.
pub fn each_text<'a>(json: &'a Value, see: &mut impl FnMut(&'a str)) {
    if let Some(text) = marked(json) {
        see(text);
        return;
    }
    match json {
        Value::Array(items) => items.iter().for_each(|item| each_text(item, see)),
        Value::Object(map) => map.values().for_each(|item| each_text(item, see)),
        _ => {}
    }
}

fn marked(json: &Value) -> Option<&str> {
    let map = json.as_object().filter(|map| map.len() == 1)?;
    map.get(TEXT_KEY)?.as_str()
}

/// Which part of `{out.a.b.c}` is the task and which the path into its output: the longest known name wins.
pub fn split_output(path: &[String], known: impl Fn(&str) -> bool) -> Option<(String, &[String])> {
    (1..=path.len())
        .rev()
        .map(|n| (path[..n].join("."), &path[n..]))
        .find(|(name, _)| known(name))
}

/// Follows a path of field names and list positions into a value.
#[must_use]
pub fn pick<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, part| match value {
        Value::Object(map) => map.get(part),
        Value::Array(items) => part
            .parse::<usize>()
            .ok()
            .and_then(|index| items.get(index)),
        _ => None,
    })
}
