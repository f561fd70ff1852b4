//! Lengths of time as people write them: `90s`, `1h30m`, `7d`.

use std::fmt::Write as _;
use std::time::Duration;

/// This many seconds.
#[must_use]
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// This many minutes.
#[must_use]
pub const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(60))
}

/// This many hours.
#[must_use]
pub const fn hours(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(3_600))
}

/// This many days of 24 hours.
#[must_use]
pub const fn days(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(86_400))
}

const UNITS: [(&str, u128); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Writes a length of time the way [`parse`] reads it, to the millisecond.
///
/// ```
/// use tidemill_core::span;
/// assert_eq!(span::text(span::minutes(90)), "1h30m");
/// assert_eq!(span::parse("1h30m"), Ok(span::minutes(90)));
/// ```
#[must_use]
pub fn text(span: Duration) -> String {
    let mut rest = span.as_millis();
    let mut out = String::new();
    for (unit, size) in UNITS {
        if rest >= size {
            // Writing into a String cannot fail.
            let _ = write!(out, "{}{unit}", rest / size);
            rest %= size;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

/// Reads a length of time such as `90s` or `1h30m`.
///
/// # Errors
/// Says what was expected instead.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a length of time; write it like 90s, 15m, 1h30m or 7d");
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let count: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_lowercase())
                .len();
        let (_, size) = UNITS
            .iter()
            .find(|(unit, _)| *unit == &rest[..letters])
            .ok_or_else(wrong)?;
        let millis = u64::try_from(*size)
            .ok()
            .and_then(|size| count.checked_mul(size))
            .ok_or_else(wrong)?;
        total = total.checked_add(millis).ok_or_else(wrong)?;
        rest = &rest[letters..];
    }
    if text.is_empty() {
        Err(wrong())
    } else {
        Ok(Duration::from_millis(total))
    }
}

/// Serde: a [`Duration`] as text.
pub mod as_text {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes `1h30m`.
    ///
    /// # Errors
    /// Only what the serializer itself reports.
    pub fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::text(*span))
    }

    /// Reads `1h30m`.
    ///
    /// # Errors
    /// The text is not a length of time.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        super::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// Serde: an optional [`Duration`] as text.
pub mod as_optional_text {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes `1h30m`, or nothing.
    ///
    /// # Errors
    /// Only what the serializer itself reports.
    pub fn serialize<S: Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => super::as_text::serialize(span, to),
            None => to.serialize_none(),
        }
    }

    /// Reads `1h30m`, or nothing.
    ///
    /// # Errors
    /// The text is not a length of time.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| super::parse(&text).map_err(serde::de::Error::custom))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for (span, expected) in [
            (seconds(0), "0s"),
            (seconds(59), "59s"),
            (days(2) + minutes(1), "2d1m"),
            (Duration::from_millis(1_500), "1s500ms"),
        ] {
            assert_eq!(text(span), expected);
            assert_eq!(parse(expected), Ok(span));
        }
    }

    #[test]
    fn nonsense_is_refused_with_examples() {
        for bad in [
            "",
            "5",
            "m",
            "5x",
            "1h ",
            "-1s",
            "99999999999999999999s",
            "9999999999999999d",
            "1h5",
        ] {
            assert!(parse(bad).is_err_and(|why| why.contains("1h30m")), "{bad}");
        }
    }
}
