//! What both databases can hold.

use std::borrow::Cow;

use sha2::{Digest, Sha256};
use tidemill_core::time::Timestamp;

/// The longest text that goes into an index whole. An index row of PostgreSQL has at most 2,704 bytes.
const KEY_BYTES_MAX: usize = 1_000;

/// The first instant that PostgreSQL knows, in the year 4714 before our time.
const EARLIEST: i64 = -210_866_803_200_000_000;

/// PostgreSQL has no NUL in texts. What has one gets the sign for "something was here" in its place.
pub(crate) fn text(value: &str) -> Cow<'_, str> {
    if value.as_bytes().contains(&0) {
        Cow::Owned(value.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(value)
    }
}

/// A text that is too long for an index is cut, and its end replaced by a hash of the whole.
pub(crate) fn key(value: &str) -> Cow<'_, str> {
    if value.len() <= KEY_BYTES_MAX {
        return Cow::Borrowed(value);
    }
    let hash = Sha256::digest(value.as_bytes());
    let mut at = KEY_BYTES_MAX - 40;
    while !value.is_char_boundary(at) {
        at -= 1;
    }
    let mut cut = value[..at].to_owned();
    cut.push('…');
    for byte in &hash[..16] {
        // Writing into a String cannot fail.
        let _ = std::fmt::Write::write_fmt(&mut cut, format_args!("{byte:02x}"));
    }
    Cow::Owned(cut)
}

/// An instant before the calendar begins becomes its beginning. After its end there is none: the last instant that
/// eight bytes of microseconds can say is within PostgreSQL's years.
pub(crate) fn time(value: Timestamp) -> i64 {
    value.micros().max(EARLIEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_left_alone() {
        for good in ["", "a", "\u{1}\n\"\\", "ünï\u{fffd}"] {
            assert!(matches!(text(good), Cow::Borrowed(_)), "{good:?}");
        }
        assert!(matches!(key(&"x".repeat(1_000)), Cow::Borrowed(_)));
        assert_eq!(time(Timestamp::from_micros(i64::MAX)), i64::MAX);
    }

    #[test]
    fn what_does_not_is_made_to() {
        assert_eq!(text("a\0b\0"), "a\u{fffd}b\u{fffd}");
        assert_eq!(time(Timestamp::from_micros(i64::MIN)), EARLIEST);
        let (one, other) = ("ü".repeat(5_000), "ü".repeat(5_001));
        assert!(key(&one).len() <= KEY_BYTES_MAX);
        assert_ne!(key(&one), key(&other));
    }
}
