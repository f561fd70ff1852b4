//! Tests of single values that are made here, because no database can make them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

/// Dates as people write them. Which of day and month comes first does not matter here.
const DAYS: [&str; 18] = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d %Y",
    "%b %d, %Y",
    "%a %d %b %Y",
    "%a, %d %b %Y",
    "%a %b %d %Y",
    "%d/%m/%y",
    "%m/%d/%y",
];

const TIMES: [&str; 7] = [
    "%H:%M:%S%.f",
    "%H:%M",
    "%I:%M %p",
    "%I:%M:%S %p",
    "%I:%M%p",
    "%H%M%S",
    "%I %p",
];

/// Whether a text is a date, a time of day, or both.
pub(super) fn is_date(text: &str) -> bool {
    let text = text.trim();
    if DateTime::parse_from_rfc3339(text).is_ok() || DateTime::parse_from_rfc2822(text).is_ok() {
        return true;
    }
    let day = |text: &str| {
        DAYS.iter()
            .any(|format| NaiveDate::parse_from_str(text, format).is_ok())
    };
    let time = |text: &str| {
        TIMES
            .iter()
            .any(|format| NaiveTime::parse_from_str(text, format).is_ok())
    };
    if day(text) || time(text) {
        return true;
    }
    // A zone at the end is no part of the time.
    let bare = without_zone(text);
    if bare != text && is_date(bare) {
        return true;
    }
    if NaiveDateTime::parse_from_str(text, "%a %b %e %H:%M:%S %Y").is_ok() {
        return true;
    }
    // The day ends where the time begins.
    text.char_indices()
        .filter(|(_, c)| matches!(c, ' ' | 'T'))
        .any(|(at, _)| day(text[..at].trim_end_matches(',')) && time(&text[at + 1..]))
}

fn without_zone(text: &str) -> &str {
    if !text.contains(':') {
        return text;
    }
    for zone in ["Z", " UTC", " GMT", "UTC", "GMT"] {
        if let Some(bare) = text.strip_suffix(zone) {
            return bare.trim_end();
        }
    }
    let Some(sign) = text.rfind(['+', '-']) else {
        return text;
    };
    let digits: String = text[sign + 1..].chars().filter(|c| *c != ':').collect();
    let is_zone = matches!(digits.len(), 2 | 4) && digits.bytes().all(|b| b.is_ascii_digit());
    if is_zone && text[..sign].contains(':') {
        text[..sign].trim_end()
    } else {
        text
    }
}

/// Whether a text is JSON.
pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
