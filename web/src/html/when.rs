//! Times and lengths of time. Pages say UTC; a script adds the reader's own zone.

use std::fmt;
use std::time::Duration;

use askama::filters::HtmlSafe;
use tidemill_core::time::Timestamp;

/// An instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When(pub(crate) Timestamp);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.0.date();
        write!(
            f,
            "<time datetime=\"{}\">{} UTC</time>",
            date.format("%Y-%m-%dT%H:%M:%SZ"),
            date.format("%-d %b %H:%M")
        )
    }
}

// Digits and names of months.
impl HtmlSafe for When {}

/// How long until an instant: a script keeps it current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Until {
    pub(crate) now: Timestamp,
    pub(crate) at: Timestamp,
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = in_time(self.now, self.at);
        let at = self.at.date().format("%Y-%m-%dT%H:%M:%SZ");
        write!(f, "<time datetime=\"{at}\" data-until>{words}</time>")
    }
}

// Digits and units.
impl HtmlSafe for Until {}

/// How long since an instant: a script keeps it current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Since {
    pub(crate) now: Timestamp,
    pub(crate) at: Timestamp,
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = took(self.now.since(self.at));
        let at = self.at.date().format("%Y-%m-%dT%H:%M:%SZ");
        write!(f, "<time datetime=\"{at}\" data-since>{words}</time>")
    }
}

// Digits and units.
impl HtmlSafe for Since {}

/// The day of a date, such as `Saturday, 21 November`.
pub(crate) fn day(at: Timestamp) -> String {
    at.date().format("%A, %-d %B").to_string()
}

/// A length of time as people say it: two units at the most.
pub(crate) fn took(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match seconds {
        0..1 => format!("{} ms", span.as_millis()),
        1..60 => format!("{}.{} s", seconds, span.subsec_millis() / 100),
        60..3_600 => format!("{minutes} min {:02} s", seconds % 60),
        3_600..86_400 => format!("{hours} h {minutes:02} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// When something will be.
pub(crate) fn in_time(now: Timestamp, at: Timestamp) -> String {
    let span = at.since(now);
    if span < Duration::from_secs(1) {
        return "now".to_owned();
    }
    format!("in {}", rough(span))
}

fn rough(span: Duration) -> String {
    if span < Duration::from_secs(3_600) && span >= Duration::from_secs(60) {
        return format!("{} min", span.as_secs() / 60);
    }
    if span < Duration::from_secs(60) {
        return format!("{} s", span.as_secs());
    }
    took(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_said_in_the_units_that_matter() {
        let seconds = |seconds| took(Duration::from_secs(seconds));
        assert_eq!(took(Duration::from_millis(40)), "40 ms");
        assert_eq!(took(Duration::from_millis(2_140)), "2.1 s");
        assert_eq!(seconds(602), "10 min 02 s");
        assert_eq!(seconds(11_520), "3 h 12 min");
        assert_eq!(seconds(180_000), "2 d 2 h");
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert_eq!(in_time(at(0), at(720)), "in 12 min");
        assert_eq!(in_time(at(9), at(0)), "now");
    }
}
