//! Where time went: parts of a line side by side, each with its words below.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Html, Tone, took};

/// A part of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    tone: Tone,
    word: &'static str,
    span: Duration,
}

impl Span {
    pub(crate) const fn new(tone: Tone, word: &'static str, span: Duration) -> Self {
        Self { tone, word, span }
    }
}

/// Draws them, with a list that says the same; none if no time has gone.
pub(crate) fn spans(parts: &[Span]) -> Option<Html> {
    const WIDE: f64 = 320.0;
    let total: Duration = parts.iter().map(|part| part.span).sum();
    if total.is_zero() {
        return None;
    }
    let mut out = String::from(
        "<svg class=\"split\" viewBox=\"0 0 320 16\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
    );
    let shown = || parts.iter().filter(|part| !part.span.is_zero());
    let mut x = 0.0;
    for part in shown() {
        let wide = part.span.as_secs_f64() / total.as_secs_f64() * WIDE;
        let class = part.tone.class();
        // What took next to nothing is still to be seen.
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{x:.1}\" width=\"{:.1}\" height=\"16\"/>",
            wide.max(2.0)
        );
        x += wide;
    }
    out.push_str("</svg><ul class=\"split\">");
    for part in shown() {
        let (class, word) = (part.tone.class(), part.word);
        let _ = write!(
            out,
            "<li class=\"{class}\">{word} <b>{}</b></li>",
            took(part.span)
        );
    }
    out.push_str("</ul>");
    Some(Html(out))
}
