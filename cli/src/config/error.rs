//! What can be wrong with settings. Each message names the setting and where its value came from.

use std::path::PathBuf;

use crate::config::Origin;
use crate::output::Output;

/// What is wrong with a setting, or with the file of settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A value that the setting does not take.
    #[error("`{key}` is {shown} ({origin}): {why}")]
    BadValue {
        /// The setting.
        key: &'static str,
        /// The value, or that it is secret.
        shown: String,
        /// Where it came from.
        origin: Origin,
        /// What is wrong, and what to write.
        why: String,
    },
    /// The file has a key that is no setting.
    #[error("`{key}` ({origin}) is no setting{}", match .nearest { Some(near) => format!("; did you mean `{near}`?"), None => "; `config show` lists them".to_owned() })]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it is.
        origin: Origin,
        /// The setting that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A file that was named cannot be read.
    #[error("cannot read {} ({origin}): {source}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Who named it.
        origin: Origin,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{}, line {line}: {why}", .file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A secret and the file that holds it are both given, with the same right.
    #[error("`{key}` ({origin}) and `{key}_file` ({other}) are both given; leave one out")]
    Both {
        /// The setting.
        key: &'static str,
        /// Where it came from.
        origin: Origin,
        /// Where the name of the file came from.
        other: Origin,
    },
    /// A command needs a setting that nobody gave.
    #[error(
        "`{key}` is not set; give `{flag}`, the variable `{variable}`, or `{key} = …` in tidemill.toml"
    )]
    Missing {
        /// The setting.
        key: &'static str,
        /// Its flag.
        flag: String,
        /// Its variable.
        variable: String,
    },
}

impl ConfigError {
    /// All that is wrong, one line each: wrong usage.
    pub(crate) fn output(errors: &[Self]) -> Output {
        let mut output = Output::default().code(crate::output::USAGE);
        for error in errors {
            output = output.talk(format_args!("error: {error}"));
        }
        output
    }
}
