//! Pieces of HTML that are made here and not in templates. Only this module makes [`Html`]; whatever else comes into a page is
//! escaped.

mod bars;
mod chart;
mod chip;
mod days;
mod gantt;
mod markdown;
mod numbers;
mod spans;
mod squares;
mod when;

use std::fmt;

use askama::filters::HtmlSafe;

pub(crate) use bars::{Bar, bars};
pub(crate) use chart::{Column, chart};
pub(crate) use chip::{Chip, Tone};
pub(crate) use days::{DayColumn, Mark, Unit, days, marks};
pub(crate) use gantt::{Doing, Lane, Stretch, gantt};
pub(crate) use markdown::markdown;
pub(crate) use numbers::{bytes, grouped, short};
pub(crate) use spans::{Span, spans};
pub(crate) use squares::{
    Head, RowHead, Square, head_cell, row_end, row_start, square, version_cell,
};
pub(crate) use when::{Since, Until, When, day, in_time, took};

/// HTML that is finished: templates do not escape it again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Html(String);

impl Html {
    /// Plain text.
    pub(crate) fn text(text: &str) -> Self {
        Self(escape(text))
    }

    /// An instant.
    pub(crate) fn of_when(when: When) -> Self {
        Self(when.to_string())
    }

    /// How long until an instant, kept current.
    pub(crate) fn of_until(until: Until) -> Self {
        Self(until.to_string())
    }

    /// How long since an instant, kept current.
    pub(crate) fn of_since(since: Since) -> Self {
        Self(since.to_string())
    }

    /// A link within these pages.
    pub(crate) fn link(href: &str, words: &str) -> Self {
        Self(format!(
            "<a href=\"{}\">{}</a>",
            escape(href),
            escape(words)
        ))
    }

    /// One after the other.
    #[must_use]
    pub(crate) fn and(mut self, next: &Self) -> Self {
        self.0.push_str(&next.0);
        self
    }

    /// A drawing of a DAG: `tidemill-draw` escapes all text in it.
    pub(crate) const fn drawing(svg: String) -> Self {
        Self(svg)
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Html {}

/// Text with everything that HTML could take for itself written out.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// And back; none if these are no pairs of digits.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_reads_back_and_nothing_else_does() {
        assert_eq!(unhex(&hex(&[0, 15, 255])), Some(vec![0, 15, 255]));
        for wrong in ["0", "0g", "é", "0 "] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
    }
}
