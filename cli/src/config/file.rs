//! `tidemill.toml`: keys and values at the top of the file, each with its line.

use std::collections::BTreeMap;
use std::path::Path;

use tidemill_core::id::nearest;
use toml::de::{DeTable, DeValue};

use crate::config::origin::Value;
use crate::config::settings::TABLE;
use crate::config::{ConfigError, Origin};

/// Reads the text of a file.
pub(crate) fn read(
    file: &Path,
    text: &str,
    errors: &mut Vec<ConfigError>,
) -> BTreeMap<&'static str, Value> {
    let mut values = BTreeMap::new();
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            errors.push(ConfigError::Syntax {
                file: file.to_owned(),
                line: line(text, error.span().map_or(0, |span| span.start)),
                why: error.message().to_owned(),
            });
            return values;
        }
    };
    for (key, value) in &table {
        let name = key.get_ref().as_ref();
        let origin = Origin::File {
            file: file.to_owned(),
            line: line(text, key.span().start),
        };
        let Some(setting) = TABLE.iter().find(|setting| setting.key == name) else {
            errors.push(ConfigError::UnknownKey {
                key: name.to_owned(),
                origin,
                nearest: nearest(name, TABLE.iter().map(|setting| setting.key)),
            });
            continue;
        };
        match items(value.get_ref(), setting.many) {
            Ok(items) => {
                values.insert(setting.key, Value { items, origin });
            }
            Err(why) => errors.push(ConfigError::BadValue {
                key: setting.key,
                shown: value.get_ref().type_str().to_owned(),
                origin,
                why,
            }),
        }
    }
    // A key of TOML is found sorted by name; people read their file from the top.
    errors.sort_by_key(|error| match error {
        ConfigError::UnknownKey {
            origin: Origin::File { line, .. },
            ..
        }
        | ConfigError::BadValue {
            origin: Origin::File { line, .. },
            ..
        } => *line,
        _ => 0,
    });
    values
}

fn items(value: &DeValue<'_>, many: bool) -> Result<Vec<String>, String> {
    match value {
        DeValue::Array(all) if many => all
            .iter()
            .map(|item| text(item.get_ref()).ok_or_else(|| "write a list of texts".to_owned()))
            .collect(),
        DeValue::Table(all) if many => all
            .iter()
            .map(|(key, item)| {
                text(item.get_ref())
                    .map(|item| format!("{}={item}", key.get_ref()))
                    .ok_or_else(|| "write a text behind each name".to_owned())
            })
            .collect(),
        value => text(value)
            .map(|text| vec![text])
            .ok_or_else(|| "write one value, in quotes if it is a text".to_owned()),
    }
}

fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
