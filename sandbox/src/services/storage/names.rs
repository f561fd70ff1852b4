//! Names of buckets and objects, and the files that objects are.
//!
//! An object `sales/2026/a.csv` is the file `sales/2026/a.csv` in its bucket's folder. A name that cannot be such a path is
//! a file under `%` in the bucket's folder, its name percent-encoded as a whole: `a//b` is `%/a%2F%2Fb`. Encoded names of more
//! than [`CHUNK`] bytes go on in folders that end in `~`. No plain path has a segment that begins with `%` and no encoded
//! name holds a `~`, so two names never meet in one file, and neither form is in the way of the other.

use std::fmt::Write;
use std::path::PathBuf;

use axum::http::StatusCode;

use crate::call::Refusal;

/// Where names that cannot be paths are.
const ESCAPED: &str = "%";
/// Most file systems take 255 bytes in a name.
const SEGMENT: usize = 255;
/// Bytes of an encoded name in one file name.
const CHUNK: usize = 200;
/// Cloud Storage's own limit.
const NAME: usize = 1_024;

/// Refuses what Cloud Storage refuses as the name of a bucket.
pub(super) fn check_bucket(name: &str) -> Result<(), Refusal> {
    let edge = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let bytes = name.as_bytes();
    let good = (3..=222).contains(&bytes.len())
        && edge(bytes.first().copied())
        && edge(bytes.last().copied())
        && name.split('.').all(|part| (1..=63).contains(&part.len()))
        && bytes
            .iter()
            .all(|c| edge(Some(*c)) || matches!(c, b'-' | b'_' | b'.'));
    if good {
        Ok(())
    } else {
        Err(Refusal::invalid(format!("Invalid bucket name: '{name}'")))
    }
}

/// Refuses what Cloud Storage refuses as the name of an object.
pub(super) fn check_object(name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "required",
            "Required parameter: name",
        ));
    }
    let good = name.len() <= NAME
        && name != "."
        && name != ".."
        && !name.contains(['\r', '\n'])
        && !name.starts_with(".well-known/acme-challenge/");
    if good {
        Ok(())
    } else {
        Err(Refusal::invalid(format!(
            "Invalid object name: {name:?}; a name has at most {NAME} bytes, no line ends, and is not . or .."
        )))
    }
}

/// The path of an object in its bucket's folder, if its name can be one.
pub(super) fn plain(name: &str) -> Option<PathBuf> {
    let good = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.len() <= SEGMENT
            && !segment.starts_with(ESCAPED)
            && !segment.contains('\0')
    };
    name.split('/').all(good).then(|| name.into())
}

/// The path of an object whose name cannot be one, or whose path is taken by a folder or lies under another object.
pub(super) fn escaped(name: &str) -> PathBuf {
    let bytes = name.as_bytes();
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        let around = || {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            let after = bytes.get(at + 1);
            before.is_some_and(u8::is_ascii_alphanumeric)
                && after.is_some_and(u8::is_ascii_alphanumeric)
        };
        let kept = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_')
            || (*byte == b'.' && around());
        if kept {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    let mut path = PathBuf::from(ESCAPED);
    let mut rest = text.as_str();
    while rest.len() > CHUNK {
        let (chunk, after) = rest.split_at(CHUNK);
        path.push(format!("{chunk}~"));
        rest = after;
    }
    path.push(rest);
    path
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    /// The name that a path stands for: the other way, so that no two names can share a path.
    fn name_of(path: &std::path::Path) -> String {
        let text = path.to_str().unwrap();
        match text.strip_prefix("%/") {
            None => text.to_owned(),
            Some(encoded) => percent_decode_str(&encoded.replace("~/", ""))
                .decode_utf8()
                .unwrap()
                .into_owned(),
        }
    }

    proptest! {
        #[test]
        fn names_round_trip(name in "([a-c./%~:\\\\\0ü]{1,12}|[a-z.]{190,300}/?){1,3}") {
            if let Some(path) = plain(&name) {
                prop_assert_eq!(name_of(&path), name.as_str());
                prop_assert!(path.components().all(|part| matches!(part, std::path::Component::Normal(_))));
            }
            let path = escaped(&name);
            prop_assert_eq!(name_of(&path), name.as_str());
            prop_assert!(path.components().all(|part| matches!(part, std::path::Component::Normal(part) if part.len() <= SEGMENT)));
        }

        #[test]
        fn an_escaped_name_is_never_in_the_way(one in "[a.%/~]{1,300}", other in "[a.%/~]{1,300}") {
            prop_assume!(one != other);
            let (one, other) = (escaped(&one), escaped(&other));
            prop_assert!(!one.starts_with(&other) && !other.starts_with(&one), "{one:?} {other:?}");
        }
    }

    #[test]
    fn what_is_plain() {
        assert_eq!(
            plain("dt=2026-01-01/part 1.csv"),
            Some("dt=2026-01-01/part 1.csv".into())
        );
        for name in ["a/", "/a", "a//b", "../a", "a/..", "%/a", "a\0", "."] {
            assert_eq!(plain(name), None, "{name:?}");
        }
        assert_eq!(escaped("a//b.csv"), std::path::Path::new("%/a%2F%2Fb.csv"));
    }

    #[test]
    fn buckets() {
        for name in ["raw", "a.b-c_d", "0ab"] {
            check_bucket(name).unwrap();
        }
        for name in [
            "", "ab", "A-b", "-ab", "ab-", "a..b", "a/b", ".state", "a b",
        ] {
            check_bucket(name).unwrap_err();
        }
    }
}
