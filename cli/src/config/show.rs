//! `config show`: every setting in force, and where it came from.

use clap::Args;
use serde_json::json;

use crate::config::flags::Every;
use crate::config::settings::TABLE;
use crate::config::{Environment, Flags, Loaded};
use crate::output::Output;
use crate::table::table;

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<Every>,
}

/// Shows every setting in force.
pub(crate) fn show(args: &ShowArgs, environment: &Environment) -> Output {
    let loaded = match args.settings.load(environment) {
        Ok(loaded) => loaded,
        Err(output) => return output,
    };
    loaded.warn(Output::data(if args.json {
        as_json(&loaded)
    } else {
        as_text(&loaded)
    }))
}

/// A table of settings, their values and origins.
pub(crate) fn as_text(loaded: &Loaded) -> String {
    let rows: Vec<Vec<String>> = loaded
        .settings
        .shown()
        .into_iter()
        .map(|(key, value)| {
            let value = if value.is_empty() {
                "-".to_owned()
            } else {
                value
            };
            vec![key.to_owned(), value, loaded.origin(key).to_string()]
        })
        .collect();
    table(&["SETTING", "VALUE", "FROM"], &rows)
}

fn as_json(loaded: &Loaded) -> String {
    let all = json!({ "file": loaded.file, "settings": settings_json(loaded) });
    serde_json::to_string_pretty(&all).unwrap_or_default() + "\n"
}

/// Every setting with its value, its origin and its names.
pub(crate) fn settings_json(loaded: &Loaded) -> Vec<serde_json::Value> {
    loaded
        .settings
        .shown()
        .into_iter()
        .zip(TABLE)
        .map(|((key, value), setting)| {
            json!({
                "key": key,
                "value": if value.is_empty() { None } else { Some(value) },
                "from": loaded.origin(key).to_string(),
                "variable": setting.variable(),
                "flag": setting.flag(),
            })
        })
        .collect()
}
