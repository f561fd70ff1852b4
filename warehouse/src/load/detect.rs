//! Columns that are found by looking at rows.

use serde_json::{Map, Value};

use super::csv::{CsvOptions, Raw, Records};
use super::error::LoadError;
use super::json::Objects;
use super::source::Input;
use crate::rows::read;
use crate::schema::{Field, Kind, Mode, Schema};

/// Rows that are looked at.
const SAMPLE: usize = 500;

/// What the values of a column could be.
#[derive(Debug, Clone, Default, PartialEq)]
enum Guess {
    /// There was none.
    #[default]
    Nothing,
    One(Kind),
    Record(Vec<(String, Guess)>),
    List(Box<Guess>),
}

/// The columns of CSV, and how many lines at the beginning of each file are no rows.
pub(super) fn csv(inputs: &[Input], options: &CsvOptions) -> Result<(Schema, u64), LoadError> {
    let mut rows = Vec::new();
    let said = options.skip.unwrap_or(0);
    // With lines to skip, the last of them may have the names.
    let before = said.saturating_sub(1);
    for input in inputs {
        let mut records = Records::open(input, options)?;
        let mut at = 0;
        while rows.len() <= SAMPLE
            && let Some(record) = records.next()?
        {
            at += 1;
            if at > before
                && let Some(values) = record.values
            {
                rows.push(values);
            }
        }
        if !rows.is_empty() {
            break;
        }
    }
    if rows.is_empty() {
        return Err(LoadError::invalid(
            "Schema has no fields: the files are empty and no schema was given",
        ));
    }
    let head = rows.remove(0);
    let width = rows.iter().map(Vec::len).max().unwrap_or(head.len());
    let guesses = kinds(&rows, width, options);
    let head_kinds = kinds(std::slice::from_ref(&head), head.len(), options);
    let names = options.skip != Some(0)
        && head_kinds
            .iter()
            .all(|kind| *kind == Some(Kind::String(None)))
        && (rows.is_empty()
            || said > 0
            || guesses
                .iter()
                .any(|kind| kind.is_some() && *kind != Some(Kind::String(None))));
    let (guesses, skip) = if names {
        (guesses, said.max(1))
    } else if said > 0 {
        (guesses, said)
    } else {
        let mut all = vec![head.clone()];
        all.extend(rows);
        let width = width.max(head.len());
        (kinds(&all, width, options), 0)
    };
    let fields = guesses
        .into_iter()
        .enumerate()
        .map(|(at, kind)| {
            let kind = kind.unwrap_or(Kind::String(None));
            let name = match head.get(at).filter(|_| names) {
                Some(raw) => column_name(&raw.text, at),
                None => format!("{}_field_{at}", kind_word(&kind)),
            };
            Field::new(name, kind)
        })
        .collect();
    Ok((
        Schema {
            fields: distinct(fields),
        },
        skip,
    ))
}

fn kinds(rows: &[Vec<Raw>], width: usize, options: &CsvOptions) -> Vec<Option<Kind>> {
    let mut found: Vec<Option<Kind>> = vec![None; width];
    for row in rows {
        for (found, raw) in found.iter_mut().zip(row) {
            let null = match &options.null_marker {
                None => raw.text.is_empty(),
                Some(marker) => raw.text == *marker,
            };
            if !null {
                let kind = of_text(&raw.text, true);
                *found = Some(match found.take() {
                    None => kind,
                    Some(before) => both(before, kind),
                });
            }
        }
    }
    found
}

fn of_text(text: &str, numbers: bool) -> Kind {
    let trimmed = text.trim();
    let lower = trimmed.to_ascii_lowercase();
    if numbers {
        if lower == "true" || lower == "false" {
            return Kind::Bool;
        }
        if trimmed.parse::<i64>().is_ok() {
            return Kind::Int64;
        }
        if trimmed.parse::<f64>().is_ok() && lower.contains(|c: char| c.is_ascii_digit()) {
            return Kind::Float64;
        }
    }
    if !trimmed.starts_with(|c: char| c.is_ascii_digit()) {
        return Kind::String(None);
    }
    let long = trimmed.len() > 10;
    let fits = |kind: Kind| read(&kind, trimmed).is_some().then_some(kind);
    let found = if long {
        fits(Kind::Timestamp)
    } else {
        fits(Kind::Date)
    };
    found
        .or_else(|| fits(Kind::Time))
        .unwrap_or(Kind::String(None))
}

fn both(a: Kind, b: Kind) -> Kind {
    match (&a, &b) {
        _ if a == b => a,
        (Kind::Int64, Kind::Float64) | (Kind::Float64, Kind::Int64) => Kind::Float64,
        (Kind::Date, Kind::Timestamp) | (Kind::Timestamp, Kind::Date) => Kind::Timestamp,
        _ => Kind::String(None),
    }
}

/// A name that a column may have.
fn column_name(text: &str, at: usize) -> String {
    let name: String = text
        .trim()
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || c == '_' {
                c
            } else {
                '_'
            }
        })
        .take(300)
        .collect();
    match name.chars().next() {
        None => format!("string_field_{at}"),
        Some(first) if first.is_ascii_digit() => format!("_{name}"),
        _ => name,
    }
}

/// Names that come again get a number.
fn distinct(fields: Vec<Field>) -> Vec<Field> {
    let mut seen = std::collections::HashSet::new();
    fields
        .into_iter()
        .map(|mut field| {
            let name = field.name.clone();
            let mut number = 1;
            while !seen.insert(field.name.to_lowercase()) {
                field.name = format!("{name}_{number}");
                number += 1;
            }
            field
        })
        .collect()
}

fn kind_word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Int64 => "int64",
        Kind::Float64 => "double",
        Kind::Bool => "bool",
        Kind::Date => "date",
        Kind::Time => "time",
        Kind::Timestamp => "timestamp",
        _ => "string",
    }
}

/// The columns of JSON.
pub(super) fn json(inputs: &[Input]) -> Result<Schema, LoadError> {
    json_of(inputs, SAMPLE)
}

/// The columns of JSON with those that only late rows have.
pub(super) fn all_json(inputs: &[Input]) -> Result<Schema, LoadError> {
    json_of(inputs, usize::MAX)
}

fn json_of(inputs: &[Input], sample: usize) -> Result<Schema, LoadError> {
    let mut columns: Vec<(String, Guess)> = Vec::new();
    let mut seen = 0;
    for input in inputs {
        let mut lines = Objects::open(input)?;
        while seen < sample
            && let Some(line) = lines.next()?
        {
            if let Ok(row) = &line.row {
                widen(&mut columns, row).map_err(|message| {
                    LoadError::reading(
                        &input.uri,
                        format!("Failed to detect schema from file. {message}"),
                    )
                })?;
                seen += 1;
            }
        }
    }
    if columns.is_empty() {
        return Err(LoadError::invalid(
            "Schema has no fields: the files are empty and no schema was given",
        ));
    }
    Ok(Schema {
        fields: fields(columns),
    })
}

fn widen(columns: &mut Vec<(String, Guess)>, row: &Map<String, Value>) -> Result<(), String> {
    for (name, value) in row {
        let guess = of_json(value)?;
        match columns
            .iter_mut()
            .find(|(one, _)| one.eq_ignore_ascii_case(name))
        {
            Some((_, before)) => *before = merged(std::mem::take(before), guess, name)?,
            None => columns.push((name.clone(), guess)),
        }
    }
    Ok(())
}

fn of_json(value: &Value) -> Result<Guess, String> {
    Ok(match value {
        Value::Null => Guess::Nothing,
        Value::Bool(_) => Guess::One(Kind::Bool),
        Value::Number(number) if number.is_i64() || number.is_u64() => Guess::One(Kind::Int64),
        Value::Number(_) => Guess::One(Kind::Float64),
        Value::String(text) => Guess::One(of_text(text, false)),
        Value::Array(items) => {
            let mut guess = Guess::Nothing;
            for item in items {
                let one = of_json(item)?;
                if matches!(one, Guess::List(_)) {
                    return Err("Nested arrays are not allowed.".to_owned());
                }
                guess = merged(guess, one, "an array")?;
            }
            Guess::List(Box::new(guess))
        }
        Value::Object(row) => {
            let mut columns = Vec::new();
            widen(&mut columns, row)?;
            Guess::Record(columns)
        }
    })
}

fn merged(a: Guess, b: Guess, name: &str) -> Result<Guess, String> {
    Ok(match (a, b) {
        (Guess::Nothing, other) | (other, Guess::Nothing) => other,
        (Guess::One(a), Guess::One(b)) => Guess::One(both(a, b)),
        (Guess::List(a), Guess::List(b)) => Guess::List(Box::new(merged(*a, *b, name)?)),
        (Guess::Record(mut columns), Guess::Record(more)) => {
            for (name, guess) in more {
                match columns
                    .iter_mut()
                    .find(|(one, _)| one.eq_ignore_ascii_case(&name))
                {
                    Some((_, before)) => *before = merged(std::mem::take(before), guess, &name)?,
                    None => columns.push((name, guess)),
                }
            }
            Guess::Record(columns)
        }
        _ => {
            return Err(format!(
                "Field {name} has values that are single, records and arrays in turn."
            ));
        }
    })
}

fn fields(columns: Vec<(String, Guess)>) -> Vec<Field> {
    columns
        .into_iter()
        .enumerate()
        .filter_map(|(at, (name, guess))| {
            let name = column_name(&name, at);
            let (guess, mode) = match guess {
                Guess::List(inner) => (*inner, Mode::Repeated),
                other => (other, Mode::Nullable),
            };
            let kind = match guess {
                Guess::One(kind) => kind,
                Guess::Record(inner) => {
                    let inner = fields(inner);
                    // A record without fields is no column.
                    if inner.is_empty() {
                        return None;
                    }
                    Kind::Struct(inner)
                }
                Guess::Nothing | Guess::List(_) => Kind::String(None),
            };
            Some(Field::new(name, kind).mode(mode))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_what_they_look_like() {
        for (text, kind) in [
            ("1", Kind::Int64),
            ("-1.5e3", Kind::Float64),
            ("nan", Kind::String(None)),
            ("TRUE", Kind::Bool),
            ("2026-01-31", Kind::Date),
            ("2026-01-31 10:00:00", Kind::Timestamp),
            ("2026-01-31T10:00:00Z", Kind::Timestamp),
            ("10:00:00", Kind::Time),
            ("10:00", Kind::String(None)),
            ("", Kind::String(None)),
        ] {
            assert_eq!(of_text(text, true), kind, "{text}");
        }
    }
}
