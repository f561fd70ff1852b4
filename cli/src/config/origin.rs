//! Where a value came from.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from; the later ones win.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody gave one.
    Default,
    /// The configuration file.
    File {
        /// As it was named.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// A flag.
    Flag(String),
    /// The contents of a file that another setting names.
    Contents {
        /// The file.
        file: PathBuf,
        /// Where its name came from.
        named: Box<Origin>,
    },
}

impl Origin {
    /// How much it counts: a flag more than a variable, that more than a file.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::Variable(_) => 2,
            Self::Flag(_) => 3,
            Self::Contents { named, .. } => named.rank(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line } => write!(f, "{}, line {line}", file.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Contents { file, named } => write!(f, "{}, named by {named}", file.display()),
        }
    }
}

/// A value as it was given: one text, or the items of a list.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    /// The texts.
    pub(crate) items: Vec<String>,
    /// Where they came from.
    pub(crate) origin: Origin,
}
