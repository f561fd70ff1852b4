//! From flags, variables and the file to settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tidemill_core::id::nearest;

use crate::config::flags::{Flags, GivenFlags, Takes};
use crate::config::kinds::Readable;
use crate::config::origin::Value;
use crate::config::settings::{Setting, Settings, TABLE};
use crate::config::{ConfigError, Environment, Origin, file};
use crate::output::Output;

const PREFIX: &str = "TIDEMILL_";
const CONFIG: &str = "TIDEMILL_CONFIG";
const FILE: &str = "tidemill.toml";
/// Beginnings of variables that are no settings but connections and variables of DAGs.
const OTHERS: [&str; 2] = ["TIDEMILL_CONN_", "TIDEMILL_VAR_"];
/// Secrets that may be in a file of their own.
const IN_FILES: [(&str, &str); 2] = [("token", "token_file"), ("keys", "keys_file")];

/// Settings in force, and where each came from.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The settings.
    pub(crate) settings: Settings,
    /// The file that was read, if there was one.
    pub(crate) file: Option<PathBuf>,
    /// What is odd but stops nothing.
    pub(crate) warnings: Vec<String>,
    origins: BTreeMap<&'static str, Origin>,
}

impl Loaded {
    /// Where a setting's value came from.
    pub(crate) fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }

    /// What is odd, told beside what a command prints.
    pub(crate) fn warn(&self, mut output: Output) -> Output {
        for warning in &self.warnings {
            output = output.talk(format_args!("warning: {warning}"));
        }
        output
    }

    /// That a setting which a command cannot do without is not given.
    pub(crate) fn missing(key: &'static str) -> ConfigError {
        let setting = TABLE.iter().find(|setting| setting.key == key);
        ConfigError::Missing {
            key,
            flag: setting.map(Setting::flag).unwrap_or_default(),
            variable: setting.map(Setting::variable).unwrap_or_default(),
        }
    }
}

impl<T: Takes> Flags<T> {
    /// The settings in force, or what a command prints that cannot go on.
    ///
    /// # Errors
    /// Every line says what is wrong and where it came from; the exit code is that of wrong usage.
    pub(crate) fn load(&self, environment: &Environment) -> Result<Loaded, Output> {
        self.given
            .load(environment)
            .map_err(|errors| ConfigError::output(&errors))
    }
}

impl GivenFlags {
    /// The settings in force.
    ///
    /// # Errors
    /// All that is wrong.
    pub(crate) fn load(&self, environment: &Environment) -> Result<Loaded, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let (file, mut values) = from_file(self, environment, &mut errors);
        let warnings = from_variables(environment, &mut values);
        for setting in TABLE {
            if let Some(items) = self.values.get(setting.key) {
                let (items, origin) = (items.clone(), Origin::Flag(setting.flag()));
                values.insert(setting.key, Value { items, origin });
            }
        }
        for (key, key_of_file) in IN_FILES {
            from_contents(key, key_of_file, environment.folder(), &mut values)
                .unwrap_or_else(|error| errors.push(error));
        }
        let folder = environment.folder();
        let settings = Settings::read(
            &Values {
                values: &values,
                folder,
            },
            &mut errors,
        );
        match settings {
            Some(settings) if errors.is_empty() => Ok(Loaded {
                settings,
                file,
                warnings,
                origins: values
                    .into_iter()
                    .map(|(key, value)| (key, value.origin))
                    .collect(),
            }),
            _ => Err(errors),
        }
    }
}

type Given = BTreeMap<&'static str, Value>;

/// The file that a flag or a variable names must be there; the one that lies around need not.
fn from_file(
    flags: &GivenFlags,
    environment: &Environment,
    errors: &mut Vec<ConfigError>,
) -> (Option<PathBuf>, Given) {
    let (name, origin) = match (&flags.config, environment.variable(CONFIG)) {
        (Some(name), _) => (name.clone(), Origin::Flag("--config".to_owned())),
        (None, Some(name)) => (name.into(), Origin::Variable(CONFIG.to_owned())),
        (None, None) => (FILE.into(), Origin::Default),
    };
    match std::fs::read_to_string(environment.folder().join(&name)) {
        Ok(text) => {
            let values = file::read(&name, &text, errors);
            (Some(name), values)
        }
        Err(error) if origin == Origin::Default && error.kind() == std::io::ErrorKind::NotFound => {
            (None, Given::new())
        }
        Err(source) => {
            errors.push(ConfigError::Unreadable {
                file: name,
                origin,
                source,
            });
            (None, Given::new())
        }
    }
}

/// A variable that is no setting is only worth a warning: another release may know it.
fn from_variables(environment: &Environment, values: &mut Given) -> Vec<String> {
    for setting in TABLE {
        let name = setting.variable();
        if let Some(text) = environment.variable(&name) {
            let (items, origin) = (vec![text.to_owned()], Origin::Variable(name));
            values.insert(setting.key, Value { items, origin });
        }
    }
    let known: Vec<String> = TABLE.iter().map(Setting::variable).collect();
    let strange = environment.beginning(PREFIX).filter(|(name, _)| {
        *name != CONFIG
            && !known.iter().any(|known| known == name)
            && !OTHERS.iter().any(|other| name.starts_with(other))
    });
    strange
        .map(|(name, _)| {
            let near = nearest(name, known.iter().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            format!("the variable `{name}` is no setting{near}")
        })
        .collect()
}

/// Reads a secret from the file that another setting names, unless the secret itself was given with more right.
fn from_contents(
    key: &'static str,
    key_of_file: &'static str,
    folder: &Path,
    values: &mut Given,
) -> Result<(), ConfigError> {
    let Some(named) = values.get(key_of_file) else {
        return Ok(());
    };
    if let Some(given) = values.get(key) {
        if given.origin.rank() > named.origin.rank() {
            return Ok(());
        }
        if given.origin.rank() == named.origin.rank() {
            return Err(ConfigError::Both {
                key,
                origin: given.origin.clone(),
                other: named.origin.clone(),
            });
        }
    }
    let file = folder.join(named.items.join(","));
    let origin = named.origin.clone();
    let text = std::fs::read_to_string(&file).map_err(|source| ConfigError::Unreadable {
        file: file.clone(),
        origin: origin.clone(),
        source,
    })?;
    // A file of keys has one a line.
    let items = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let value = Value {
        items: items.map(str::to_owned).collect(),
        origin: Origin::Contents {
            file,
            named: Box::new(origin),
        },
    };
    values.insert(key, value);
    Ok(())
}

/// The values that were given, to be read as what they are to be.
pub(crate) struct Values<'a> {
    values: &'a Given,
    folder: &'a Path,
}

impl Values<'_> {
    /// One setting as its type; `None` if it is wrong, which is then among the errors.
    pub(crate) fn read<T: Readable>(
        &self,
        key: &'static str,
        errors: &mut Vec<ConfigError>,
    ) -> Option<T> {
        let setting = TABLE.iter().find(|setting| setting.key == key)?;
        let value = match self.values.get(key) {
            Some(value) => value.clone(),
            None => match setting.default {
                Some(text) => Value {
                    items: vec![self.fill(text)],
                    origin: Origin::Default,
                },
                None => return T::absent(),
            },
        };
        match T::read(&value.items, self.folder) {
            Ok(read) => Some(read),
            Err(why) => {
                let shown = if setting.secret {
                    "secret".to_owned()
                } else {
                    format!("`{}`", value.items.join(","))
                };
                errors.push(ConfigError::BadValue {
                    key,
                    shown,
                    origin: value.origin,
                    why,
                });
                None
            }
        }
    }

    fn fill(&self, default: &str) -> String {
        let given = self
            .values
            .get("data_dir")
            .map(|value| value.items.join(","));
        let setting = TABLE.iter().find(|setting| setting.key == "data_dir");
        let folder = given.or_else(|| setting?.default.map(str::to_owned));
        default.replace(
            "{data_dir}",
            folder.unwrap_or_default().trim_end_matches('/'),
        )
    }
}
