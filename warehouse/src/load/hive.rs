//! Columns that names of folders say: `…/dt=2026-01-31/region=eu/a.parquet`.

use super::error::LoadError;
use super::source::Input;
use crate::rows::{Cell, read};
use crate::schema::{Field, Kind, Schema};

/// What a folder without a value is called.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// How names of folders are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiveOptions {
    /// How types are found.
    pub mode: HiveMode,
    /// What stands before the folders: `gs://bucket/table`; with `{dt:DATE}` behind it in the mode CUSTOM.
    pub prefix: String,
}

/// How types of such columns are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HiveMode {
    /// From the values.
    Auto,
    /// All are STRING.
    Strings,
    /// The prefix says them.
    Custom,
}

/// The columns of all files, and the values of each.
pub(super) fn columns(
    options: &HiveOptions,
    inputs: &[Input],
) -> Result<(Vec<Field>, Vec<Vec<Cell>>), LoadError> {
    let (prefix, types) = types(options)?;
    let mut names: Vec<String> = types.iter().map(|(name, _)| name.clone()).collect();
    let mut texts = Vec::new();
    for (number, input) in inputs.iter().enumerate() {
        let found = pairs(&input.uri, &prefix)?;
        if number == 0 && options.mode != HiveMode::Custom {
            names = found.iter().map(|(name, _)| name.clone()).collect();
        }
        if found.iter().map(|(name, _)| name).ne(names.iter()) {
            return Err(LoadError::invalid(format!(
                "Incompatible partition schemas. Expected schema ([{}]) has {} columns. Observed schema in {} is ([{}]).",
                names.join(", "),
                names.len(),
                input.uri,
                found
                    .iter()
                    .map(|(name, _)| name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            )));
        }
        texts.push(
            found
                .into_iter()
                .map(|(_, value)| value)
                .collect::<Vec<_>>(),
        );
    }
    let fields: Vec<Field> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let kind = match options.mode {
                HiveMode::Strings => Kind::String(None),
                HiveMode::Custom => types[at].1.clone(),
                HiveMode::Auto => guessed(texts.iter().map(|row| row[at].as_str())),
            };
            Field::new(name, kind)
        })
        .collect();
    let cells = texts
        .iter()
        .zip(inputs)
        .map(|(row, input)| {
            fields
                .iter()
                .zip(row)
                .map(|(field, text)| match text.as_str() {
                    NULL => Ok(Cell::Null),
                    text => read(&field.kind, text).ok_or_else(|| {
                        LoadError::invalid(format!(
                            "Partition key {}={text} of {} cannot be read as {}",
                            field.name, input.uri, field.kind
                        ))
                    }),
                })
                .collect()
        })
        .collect::<Result<_, _>>()?;
    Ok((fields, cells))
}

/// The plain prefix, and the columns that it says.
fn types(options: &HiveOptions) -> Result<(String, Vec<(String, Kind)>), LoadError> {
    let (plain, rest) = match options.prefix.find("/{") {
        Some(at) if options.mode == HiveMode::Custom => options.prefix.split_at(at),
        _ => (options.prefix.as_str(), ""),
    };
    let mut found = Vec::new();
    for part in rest.split('/').filter(|part| !part.is_empty()) {
        let column = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
            .and_then(|part| part.split_once(':'))
            .and_then(|(name, kind)| Some((name.to_owned(), Kind::from_name(kind)?)));
        found.push(column.ok_or_else(|| {
            LoadError::invalid(format!(
                "Invalid hive partitioning source URI prefix {}: {part} is not {{name:TYPE}}",
                options.prefix
            ))
        })?);
    }
    if options.mode == HiveMode::Custom && found.is_empty() {
        return Err(LoadError::invalid(format!(
            "The hive partitioning mode CUSTOM needs a source URI prefix with {{name:TYPE}}, not {}",
            options.prefix
        )));
    }
    Ok((format!("{}/", plain.trim_end_matches('/')), found))
}

/// The names and values of the folders behind the prefix.
fn pairs(uri: &str, prefix: &str) -> Result<Vec<(String, String)>, LoadError> {
    let rest = uri.strip_prefix(prefix).ok_or_else(|| {
        LoadError::invalid(format!(
            "Source uri {uri} does not begin with the hive partitioning source URI prefix {prefix}"
        ))
    })?;
    let mut folders: Vec<&str> = rest.split('/').collect();
    folders.pop();
    folders
        .into_iter()
        .map(|folder| match folder.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), plain(value))),
            _ => Err(LoadError::invalid(format!(
                "The folder {folder} of {uri} is no partition key: name=value is expected behind {prefix}"
            ))),
        })
        .collect()
}

/// Without `%3A` and the like.
fn plain(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digit = |at: usize| {
            after
                .get(at)
                .and_then(|byte| char::from(*byte).to_digit(16))
        };
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn guessed<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Kind {
    let texts = texts.filter(|text| *text != NULL);
    if texts.clone().next().is_none() {
        return Kind::String(None);
    }
    [Kind::Int64, Kind::Date, Kind::Timestamp]
        .into_iter()
        .find(|kind| {
            texts.clone().all(|text| {
                let plain = *kind != Kind::Date || text.len() == 10;
                plain && read(kind, text).is_some()
            })
        })
        .unwrap_or(Kind::String(None))
}

/// The schema with the columns behind it.
pub(super) fn with(schema: &Schema, fields: &[Field]) -> Result<Schema, LoadError> {
    let mut all = schema.clone();
    for field in fields {
        match schema.field(&field.name) {
            Some(_) => {
                return Err(LoadError::invalid(format!(
                    "The partition key {} is a column of the files, too",
                    field.name
                )));
            }
            None => all.fields.push(field.clone()),
        }
    }
    Ok(all)
}
