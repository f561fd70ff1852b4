//! What a command may know of the process it runs in. Only `main` asks for it, so that tests hand in their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The environment that a command runs in: its variables, and the folder that relative names of files start from.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    folder: PathBuf,
    /// Where a long command says how far it is; nowhere if none.
    say: Option<fn(&str)>,
}

impl Environment {
    /// The one of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| {
                Some((
                    name.into_string().ok()?,
                    value.to_string_lossy().into_owned(),
                ))
            })
            .collect();
        Self {
            variables,
            folder: PathBuf::new(),
            say: Some(crate::output::say),
        }
    }

    /// One with these variables, in this folder.
    pub fn new<K: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (K, V)>,
        folder: impl Into<PathBuf>,
    ) -> Self {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self {
            variables,
            folder: folder.into(),
            say: None,
        }
    }

    /// The same with these variables, where it has none of their names.
    pub(crate) fn with(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        for (name, value) in variables {
            self.variables.entry(name).or_insert(value);
        }
        self
    }

    /// Who asks, unless they say otherwise.
    pub(crate) fn user(&self) -> &str {
        let names = ["USER", "LOGNAME"].iter();
        let mut found = names.filter_map(|name| self.variable(name));
        found.next().unwrap_or("command line")
    }

    /// A variable. One that is set to nothing counts as not set: that is how compose files leave one out.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// All variables whose names begin like this.
    pub(crate) fn beginning<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(move |(name, _)| name.starts_with(prefix))
    }

    /// Says how far a long command is.
    pub(crate) fn say(&self, line: &str) {
        if let Some(say) = self.say {
            say(line);
        }
    }

    /// Where a long command says how far it is.
    pub(crate) const fn says(&self) -> Option<fn(&str)> {
        self.say
    }

    /// Whether it is that of this process, started by a command line, and not one of a test.
    pub(crate) const fn is_own(&self) -> bool {
        self.say.is_some()
    }

    /// The folder that relative names of files start from; empty for the one of the process.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}
