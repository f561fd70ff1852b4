//! Which DAGs a grant or a token is for.

use std::fmt;
use std::str::FromStr;

use tidemill_core::id::NAME_BYTES_MAX;

/// Which DAGs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// Those of this name, where `*` is any letters: `crm_*`, `*`.
    Name(String),
    /// Those with this tag: `tag:crm`.
    Tag(String),
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing is there.
    #[error("write which DAGs: `crm_daily`, `crm_*`, `tag:crm`, or `*` for all")]
    Empty,
    /// It is longer than any name.
    #[error("a pattern has at most {NAME_BYTES_MAX} bytes")]
    TooLong,
    /// A character that no name has.
    #[error(
        "no DAG has {found:?} in its name; letters, digits, `-`, `_`, `.` and `*` are allowed, or `tag:` and a tag"
    )]
    BadCharacter {
        /// The first that is not allowed.
        found: char,
    },
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.len() > NAME_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        if let Some(tag) = text.strip_prefix("tag:") {
            return match tag.chars().find(|c| c.is_control()) {
                Some(found) => Err(PatternError::BadCharacter { found }),
                None if tag.trim().is_empty() => Err(PatternError::Empty),
                None => Ok(Self::Tag(tag.to_owned())),
            };
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '*');
        match text.chars().find(|c| !allowed(*c)) {
            Some(found) => Err(PatternError::BadCharacter { found }),
            None if text.is_empty() => Err(PatternError::Empty),
            None => Ok(Self::Name(text.to_owned())),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Tag(tag) => write!(f, "tag:{tag}"),
        }
    }
}

impl Pattern {
    /// Whether a DAG of this name and with these tags is one of them.
    #[must_use]
    pub fn matches<T: AsRef<str>>(&self, name: &str, tags: &[T]) -> bool {
        match self {
            Self::Name(pattern) => fits(pattern.as_bytes(), name.as_bytes()),
            Self::Tag(tag) => tags.iter().any(|has| has.as_ref() == tag),
        }
    }
}

/// Goes back to the last star only, so it takes at most the product of both lengths.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(letter) if *letter == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|letter| *letter == b'*')
}
