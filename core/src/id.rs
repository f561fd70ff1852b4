//! Names: of DAGs, tasks and groups. One grammar, checked in one place, so that a name is safe in a path, a URL and a
//! log line wherever it turns up later.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest name in bytes; long enough for any generated id, short enough for every system we hand it to.
pub const NAME_BYTES_MAX: usize = 200;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text has no characters.
    #[error("a name must not be empty")]
    Empty,
    /// The text is longer than [`NAME_BYTES_MAX`].
    #[error("a name has at most {NAME_BYTES_MAX} bytes, this one has {bytes}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// The text begins with a dot, which would hide a file or climb out of a folder.
    #[error("the name `{name}` must not begin with a dot")]
    LeadingDot {
        /// The text.
        name: String,
    },
    /// A character outside the grammar.
    #[error("the name `{name}` has {found:?} in it; letters, digits, `-`, `_` and `.` are allowed")]
    BadCharacter {
        /// The text, shortened.
        name: String,
        /// The first character that is not allowed.
        found: char,
    },
}

/// Checks a text against the grammar `[A-Za-z0-9._-]{1,200}` without a leading dot.
///
/// # Errors
/// Says what is wrong with the name.
pub fn check_name(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong { bytes: text.len() });
    }
    if let Some(found) = text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')))
    {
        return Err(NameError::BadCharacter {
            name: text.chars().take(60).collect(),
            found,
        });
    }
    if text.starts_with('.') {
        return Err(NameError::LeadingDot {
            name: text.to_owned(),
        });
    }
    Ok(())
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        // Shared text: a DAG of ten thousand tasks names each of them in many edges.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text and makes a name of it.
            ///
            /// # Errors
            /// Says what is wrong with the name.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                check_name(text)?;
                Ok(Self(text.into()))
            }

            /// The text of the name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }
    };
}

name_type! {
    /// The name of a DAG, unique in a deployment.
    DagId
}
name_type! {
    /// The full name of a task in its DAG: the names of its groups and its own, joined by dots.
    TaskId
}
name_type! {
    /// The full name of a task group in its DAG.
    GroupId
}

/// The known name that is nearest to a misspelt one, if any is near enough to be what was meant.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing costs the product of the lengths, and nobody misspells a name at this length.
    if wrong.len() > NAME_BYTES_MAX {
        return None;
    }
    let wrong = wrong.to_lowercase();
    let length = wrong.chars().count();
    known
        .into_iter()
        .filter_map(|name| {
            // A third of the word may be wrong: `interval_strat` finds its name, `foo` finds nothing.
            let bound = (name.chars().count().max(length) / 3).max(1);
            if name.chars().count().abs_diff(length) > bound {
                return None;
            }
            let distance = strsim::damerau_levenshtein(&wrong, &name.to_lowercase());
            (distance <= bound).then_some((distance, name))
        })
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_the_documented_one() {
        for good in ["a", "A-1_b.c", "9", &"x".repeat(200)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            ".hidden",
            "a b",
            "a/b",
            "ä",
            "a\0",
            "a\n",
            &"x".repeat(201),
        ] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_misspelling_finds_its_word_and_a_stranger_finds_none() {
        let known = ["interval_start", "interval_end", "ds"];
        assert_eq!(nearest("interval_strat", known), Some("interval_start"));
        assert_eq!(nearest("dss", known), Some("ds"));
        assert_eq!(nearest("customer", known), None);
    }
}
