//! Names of objects, and patterns of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidemill_core::operator::TaskError;

use super::glob::Glob;

/// The longest name of an object, in bytes.
const OBJECT_BYTES_MAX: usize = 1_024;

/// Why a text is no address of an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address of Cloud Storage: {why}")]
pub struct UriError {
    text: String,
    why: &'static str,
}

impl UriError {
    fn new(text: &str, why: &'static str) -> Self {
        let text = text.to_owned();
        Self { text, why }
    }

    /// As the error of a task.
    #[must_use]
    pub fn into_task_error(self) -> TaskError {
        TaskError::permanent(self.to_string())
            .help("write it as `gs://bucket/path/name`; the names of buckets are lower case")
    }
}

/// The address of one object: `gs://raw/sales/a.csv`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GcsUri {
    bucket: String,
    object: String,
}

impl GcsUri {
    /// That of this object in this bucket.
    ///
    /// # Errors
    /// One of both is no name.
    pub fn new(bucket: &str, object: &str) -> Result<Self, UriError> {
        Self::from_str(&format!("gs://{bucket}/{object}"))
    }

    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The object's name in its bucket.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }
}

impl fmt::Display for GcsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gs://{}/{}", self.bucket, self.object)
    }
}

impl From<GcsUri> for String {
    fn from(uri: GcsUri) -> Self {
        uri.to_string()
    }
}

impl TryFrom<String> for GcsUri {
    type Error = UriError;

    fn try_from(text: String) -> Result<Self, UriError> {
        text.parse()
    }
}

impl FromStr for GcsUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (bucket, object) = split(text)?;
        if object.is_empty() {
            return Err(UriError::new(text, "it names no object"));
        }
        check_object(object).map_err(|why| UriError::new(text, why))?;
        Ok(Self {
            bucket: bucket.to_owned(),
            object: object.to_owned(),
        })
    }
}

fn split(text: &str) -> Result<(&str, &str), UriError> {
    let wrong = |why| UriError::new(text, why);
    let rest = text
        .strip_prefix("gs://")
        .ok_or_else(|| wrong("it does not begin with `gs://`"))?;
    let (bucket, object) = rest.split_once('/').unwrap_or((rest, ""));
    let is_known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if bucket.len() < 3 || bucket.len() > 222 {
        return Err(wrong("the name of a bucket has 3 to 222 letters"));
    }
    if !bucket.chars().all(is_known) {
        return Err(wrong(
            "the name of a bucket has only lower case letters, digits, `-`, `_` and `.`",
        ));
    }
    Ok((bucket, object))
}

fn check_object(object: &str) -> Result<(), &'static str> {
    if object.len() > OBJECT_BYTES_MAX {
        return Err("the name of an object has at most 1,024 bytes");
    }
    if matches!(object, "." | "..") {
        return Err("the name of an object does not consist of dots");
    }
    if object.contains(['\r', '\n']) {
        return Err("the name of an object has no line's end in it");
    }
    Ok(())
}

/// Which objects of a bucket: one, all below a folder, or those that match.
#[derive(Debug, Clone)]
pub struct GcsPattern {
    bucket: String,
    text: String,
    pub(super) matches: Matches,
}

#[derive(Debug, Clone)]
pub(super) enum Matches {
    One,
    Below,
    Glob(Glob),
}

impl GcsPattern {
    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The object, where it is one.
    pub(super) fn one(&self) -> Option<GcsUri> {
        let one = matches!(self.matches, Matches::One);
        one.then(|| GcsUri {
            bucket: self.bucket.clone(),
            object: self.text.clone(),
        })
    }

    /// What all names that can match begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        match &self.matches {
            Matches::One | Matches::Below => &self.text,
            Matches::Glob(glob) => glob.prefix(),
        }
    }

    /// The pattern in the words of the service.
    pub(super) fn glob(&self) -> Option<&str> {
        matches!(self.matches, Matches::Glob(_)).then_some(self.text.as_str())
    }

    /// The folder that names are taken relative to when they are copied elsewhere.
    pub(super) fn folder(&self) -> &str {
        let prefix = self.prefix();
        prefix.rfind('/').map_or("", |at| &prefix[..=at])
    }

    /// Whether it is this object.
    #[must_use]
    pub fn fits(&self, object: &str) -> bool {
        match &self.matches {
            Matches::One => object == self.text,
            Matches::Below => object.starts_with(&self.text),
            Matches::Glob(glob) => glob.matches(object),
        }
    }
}

impl fmt::Display for GcsPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gs://{}/{}", self.bucket, self.text)
    }
}

impl FromStr for GcsPattern {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (bucket, object) = split(text)?;
        let wrong = |why| UriError::new(text, why);
        check_object(object).map_err(wrong)?;
        let matches = if Glob::is_one(object) {
            Matches::Glob(Glob::new(object).map_err(wrong)?)
        } else if object.is_empty() || object.ends_with('/') {
            Matches::Below
        } else {
            Matches::One
        };
        Ok(Self {
            bucket: bucket.to_owned(),
            text: object.to_owned(),
            matches,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_bucket_and_an_object() {
        let uri: GcsUri = "gs://raw/sales/a b.csv".parse().unwrap();
        assert_eq!((uri.bucket(), uri.object()), ("raw", "sales/a b.csv"));
        assert_eq!(uri.to_string(), "gs://raw/sales/a b.csv");
        for (wrong, why) in [
            ("s3://raw/a", "does not begin with `gs://`"),
            ("gs:/raw/a", "does not begin with `gs://`"),
            ("gs://raw", "names no object"),
            ("gs://raw/", "names no object"),
            ("gs:///a", "3 to 222"),
            ("gs://Raw/a", "lower case"),
            ("gs://raw data/a", "lower case"),
            ("gs://raw/..", "dots"),
            ("gs://raw/a\nb", "line's end"),
        ] {
            let error = wrong.parse::<GcsUri>().unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn a_pattern_is_one_object_a_folder_or_what_matches() {
        for (pattern, prefix, folder, fits, other) in [
            ("gs://raw/a/b.csv", "a/b.csv", "a/", "a/b.csv", "a/b.csv2"),
            ("gs://raw/a/", "a/", "a/", "a/b/c", "b"),
            ("gs://raw/", "", "", "anything", ""),
            ("gs://raw/a/b*.csv", "a/b", "a/", "a/bc.csv", "a/b/c.csv"),
            ("gs://raw/a/**.csv", "a/", "a/", "a/b/c.csv", "a/b"),
        ] {
            let found: GcsPattern = pattern.parse().unwrap();
            assert_eq!(found.prefix(), prefix, "{pattern}");
            assert_eq!(found.folder(), folder, "{pattern}");
            assert!(found.fits(fits), "{pattern}");
            assert!(other.is_empty() || !found.fits(other), "{pattern}");
            assert_eq!(
                found.one().is_some(),
                pattern.ends_with("b.csv"),
                "{pattern}"
            );
        }
        assert!("gs://raw/a[".parse::<GcsPattern>().is_err());
    }
}
