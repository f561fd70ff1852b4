//! Runs as bars: as high as they took long, in the colour of their state, each a link.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Chip, Html, escape, took};

/// One run.
#[derive(Debug, Clone)]
pub(crate) struct Bar {
    /// How it stands.
    pub(crate) chip: Chip,
    /// How long it took, so far.
    pub(crate) took: Option<Duration>,
    /// What it is called, for the tooltip.
    pub(crate) name: String,
    /// Where it leads.
    pub(crate) href: String,
}

/// Draws runs, the first on the left. Attributes of a drawing, because a page may not have styles of its own.
pub(crate) fn bars(runs: &[Bar], (wide, step, high): (u32, u32, u32)) -> Html {
    let longest = runs.iter().filter_map(|bar| bar.took).max();
    let longest = longest.unwrap_or_default().as_secs_f64().max(0.001);
    let width = u32::try_from(runs.len())
        .unwrap_or(u32::MAX)
        .saturating_mul(step)
        .max(1);
    let mut out = format!(
        "<svg class=\"bars\" width=\"{width}\" height=\"{high}\" viewBox=\"0 0 {width} {high}\" role=\"group\" \
         aria-label=\"Recent runs, oldest first\">"
    );
    let mut x = 0;
    for bar in runs {
        let part = bar.took.unwrap_or_default().as_secs_f64() / longest;
        let tall = (part * f64::from(high)).clamp(4.0, f64::from(high));
        let top = f64::from(high) - tall;
        let took = bar
            .took
            .map(|span| format!(", {}", took(span)))
            .unwrap_or_default();
        let (class, word) = (bar.chip.tone.class(), bar.chip.word());
        // A failed run is told apart by its notched top, too.
        let shape = if class == "fail" {
            let half = f64::from(wide) / 2.0;
            format!(
                "<path class=\"{class}\" d=\"M{x} {high}V{top:.1}l{half} 4 {half} -4V{high}Z\"/>",
            )
        } else {
            format!(
                "<rect class=\"{class}\" x=\"{x}\" y=\"{top:.1}\" width=\"{wide}\" height=\"{tall:.1}\" rx=\"1.5\"/>"
            )
        };
        let _ = write!(
            out,
            "<a href=\"{}\"><title>{}: {word}{took}</title><rect class=\"hit\" x=\"{x}\" width=\"{step}\" height=\"{high}\"/>{shape}</a>",
            escape(&bar.href),
            escape(&bar.name),
        );
        x += step;
    }
    out.push_str("</svg>");
    Html(out)
}
