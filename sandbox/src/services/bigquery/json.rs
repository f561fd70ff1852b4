//! Reading and writing of the JSON that resources of `BigQuery` are.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tidemill_warehouse::tables::{DatasetId, TableId};

use super::refusal::missing;
use crate::call::{Call, Refusal};
use crate::services::fields;

pub(super) fn wrong(name: &str, what: &str) -> Refusal {
    let mut refusal = Refusal::invalid(format!("Invalid value for {name}: {what}"));
    refusal.location = Some(name.to_owned());
    refusal
}

/// The value of a field that is neither missing nor null.
pub(super) fn given<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).filter(|value| !value.is_null())
}

pub(super) fn text<'a>(value: &'a Value, name: &str) -> Result<Option<&'a str>, Refusal> {
    match given(value, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(name, "text is expected")),
    }
}

pub(super) fn flag(value: &Value, name: &str) -> Result<Option<bool>, Refusal> {
    match given(value, name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(wrong(name, "true or false is expected")),
        },
        Some(_) => Err(wrong(name, "true or false is expected")),
    }
}

/// Yes or no behind the question mark; Python writes `True`.
pub(super) fn asked(call: &Call, name: &str) -> Result<Option<bool>, Refusal> {
    match call.query(name).map(str::to_ascii_lowercase).as_deref() {
        None | Some("") => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(_) => Err(wrong(name, "true or false is expected")),
    }
}

/// An int64, which JSON has as text; a number is taken, too.
pub(super) fn int(value: &Value, name: &str) -> Result<Option<i64>, Refusal> {
    let bad = || wrong(name, "a whole number is expected");
    match given(value, name) {
        None => Ok(None),
        Some(Value::String(text)) => text.trim().parse().map(Some).map_err(|_| bad()),
        Some(Value::Number(number)) => number.as_i64().map(Some).ok_or_else(bad),
        Some(_) => Err(bad()),
    }
}

/// The same where there is nothing below 0.
pub(super) fn count(value: &Value, name: &str) -> Result<Option<u64>, Refusal> {
    int(value, name)?
        .map(|number| u64::try_from(number).map_err(|_| wrong(name, "it is below 0")))
        .transpose()
}

/// One of some words.
pub(super) fn word<'a>(
    value: &'a Value,
    name: &str,
    words: &[&str],
) -> Result<Option<&'a str>, Refusal> {
    match text(value, name)? {
        Some(word) if !words.contains(&word) => Err(wrong(
            name,
            &format!("{word:?} is none of {}", words.join(", ")),
        )),
        other => Ok(other.filter(|word| !word.is_empty())),
    }
}

pub(super) fn strings(value: &Value, name: &str) -> Result<Vec<String>, Refusal> {
    match given(value, name) {
        None => Ok(Vec::new()),
        Some(_) => fields::list(value, &format!("/{name}")),
    }
}

/// Labels as they are set.
pub(super) fn labels(value: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let mut found = BTreeMap::new();
    change_labels(&mut found, value)?;
    Ok(found)
}

/// Labels as a patch changes them: null takes one away.
pub(super) fn change_labels(
    labels: &mut BTreeMap<String, String>,
    value: &Value,
) -> Result<(), Refusal> {
    let map = match value.get("labels") {
        None => return Ok(()),
        Some(Value::Null) => {
            labels.clear();
            return Ok(());
        }
        Some(Value::Object(map)) => map,
        Some(_) => return Err(wrong("labels", "an object is expected")),
    };
    for (name, value) in map {
        match value {
            Value::Null => {
                labels.remove(name);
            }
            Value::String(value) => {
                let fits = |text: &str| {
                    text.len() <= 63
                        && text.chars().all(|c| {
                            c.is_numeric()
                                || c == '_'
                                || c == '-'
                                || (c.is_alphabetic() && !c.is_uppercase())
                        })
                };
                if name.is_empty() || !fits(name) || !fits(value) {
                    return Err(wrong(
                        "labels",
                        &format!(
                            "{name:?}: {value:?}: labels have small letters, digits, _ and -, and at most 63 of them"
                        ),
                    ));
                }
                labels.insert(name.clone(), value.clone());
            }
            _ => return Err(wrong("labels", "values are text")),
        }
    }
    Ok(())
}

/// `datasetReference` and the like.
pub(super) fn dataset_id(value: &Value, project: &str) -> Result<DatasetId, Refusal> {
    let dataset = text(value, "datasetId")?.ok_or_else(|| missing("datasetId"))?;
    Ok(DatasetId::new(
        text(value, "projectId")?.unwrap_or(project),
        dataset,
    ))
}

/// `tableReference` and the like, and what stands behind `$`.
pub(super) fn table_id(value: &Value, project: &str) -> Result<(TableId, Option<String>), Refusal> {
    let dataset = dataset_id(value, project)?;
    let table = text(value, "tableId")?.ok_or_else(|| missing("tableId"))?;
    Ok(decorated(&dataset, table))
}

pub(super) fn decorated(dataset: &DatasetId, table: &str) -> (TableId, Option<String>) {
    match table.split_once('$') {
        Some((table, partition)) => (dataset.table(table), Some(partition.to_owned())),
        None => (dataset.table(table), None),
    }
}

pub(super) fn table_reference(id: &TableId) -> Value {
    json!({ "projectId": id.project, "datasetId": id.dataset, "tableId": id.table })
}

/// An object without the fields that are null.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match fields::without_nulls(value) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
