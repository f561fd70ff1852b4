//! A run over time: a line for each task, what it did and what it waited for as bars on it. Attributes of a drawing, because a page
//! may not have styles of its own.

use std::fmt::Write as _;
use std::time::Duration;

use tidemill_core::time::Timestamp;

use super::{Chip, Html, Tone, escape, took};

/// What a task did for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It was ready and had no place: a pool, a limit, no worker.
    Place,
    /// It failed, and its next attempt had not come.
    Retry,
    /// It was with a worker that had not begun it.
    Begin,
    /// It waited for something outside and held no worker.
    Outside,
    /// It ran; how it ended, or that it still runs.
    Ran(Tone),
}

impl Doing {
    const fn class(self) -> &'static str {
        match self {
            Self::Place => "place",
            Self::Retry => "again",
            Self::Begin => "begin",
            Self::Outside => "outside",
            Self::Ran(tone) => tone.class(),
        }
    }
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) doing: Doing,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// What it is, for people: `attempt 2 failed`.
    pub(crate) says: String,
}

/// A line.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    /// What is written before it.
    pub(crate) label: String,
    /// How many groups are around it.
    pub(crate) depth: usize,
    /// Where it leads; none for a group.
    pub(crate) href: Option<String>,
    pub(crate) chip: Option<Chip>,
    pub(crate) spans: Vec<Stretch>,
    /// Whether the run would have ended earlier had this been faster.
    pub(crate) critical: bool,
}

const LABEL: f64 = 230.0;
const PLOT: f64 = 900.0;
const END: f64 = 84.0;
const ROW: f64 = 24.0;
const TOP: f64 = 30.0;
/// A bar is never narrower: one that took no time is there, too.
const NARROWEST: f64 = 2.0;
const LABEL_CHARS: usize = 30;
/// Steps of the axis, in seconds.
const STEPS: [i64; 24] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
    86_400, 172_800, 604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000,
];
const TICKS_MAX: i64 = 9;

/// The step of an axis over so many seconds.
fn step(seconds: i64) -> i64 {
    let fits = STEPS.iter().find(|step| seconds / **step <= TICKS_MAX);
    fits.copied().unwrap_or(seconds / TICKS_MAX + 1)
}

struct Axis {
    from: i64,
    span: f64,
}

impl Axis {
    fn x(&self, at: Timestamp) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a microsecond is no pixel")]
        let part = at.micros().saturating_sub(self.from) as f64 / self.span;
        LABEL + part.clamp(0.0, 1.0) * PLOT
    }

    /// Whether any of it is in the part of the time that is drawn.
    fn shows(&self, span: &Stretch) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "a microsecond is no pixel")]
        let part = |at: Timestamp| at.micros().saturating_sub(self.from) as f64 / self.span;
        part(span.to) >= 0.0 && part(span.from) <= 1.0
    }
}

/// Draws lines over a part of the time that begins at `begin`.
pub(crate) fn gantt(lanes: &[Lane], (from, to): (Timestamp, Timestamp), begin: Timestamp) -> Html {
    let span = to.micros().saturating_sub(from.micros()).max(1_000_000);
    #[expect(clippy::cast_precision_loss, reason = "a microsecond is no pixel")]
    let axis = Axis {
        from: from.micros(),
        span: span as f64,
    };
    let rows = u32::try_from(lanes.len()).unwrap_or(u32::MAX);
    let (wide, high) = (LABEL + PLOT + END, TOP + f64::from(rows) * ROW + 6.0);
    let mut out = format!(
        "<svg class=\"gantt\" width=\"{wide}\" height=\"{high}\" viewBox=\"0 0 {wide} {high}\" role=\"group\" \
         aria-label=\"The run over time\" data-left=\"{LABEL}\" data-wide=\"{PLOT}\" data-from=\"{}\" data-span=\"{}\">",
        from.micros().saturating_sub(begin.micros()) / 1_000,
        span / 1_000,
    );
    ticks(&mut out, &axis, span, high);
    let mut y = TOP;
    for lane in lanes {
        draw_lane(&mut out, &axis, lane, y);
        y += ROW;
    }
    out.push_str("</svg>");
    Html(out)
}

fn ticks(out: &mut String, axis: &Axis, span: i64, high: f64) {
    let step = step(span / 1_000_000) * 1_000_000;
    let form = match step / 1_000_000 {
        0..60 => "%H:%M:%S",
        60..86_400 => "%H:%M",
        _ => "%-d %b",
    };
    let mut at = axis.from.div_euclid(step) * step;
    while at <= axis.from.saturating_add(span) {
        if at >= axis.from {
            let tick = Timestamp::from_micros(at);
            let x = axis.x(tick);
            let says = tick.date().format(form);
            let _ = write!(
                out,
                "<path class=\"tick\" d=\"M{x:.1} 22V{high}\"/><text class=\"tick\" x=\"{x:.1}\" y=\"15\">{says}</text>"
            );
        }
        at += step;
    }
}

fn shorten(label: &str, depth: usize) -> String {
    let room = LABEL_CHARS.saturating_sub(depth * 2).max(8);
    if label.chars().count() <= room {
        return label.to_owned();
    }
    let start: String = label.chars().take(room - 1).collect();
    format!("{start}…")
}

fn draw_lane(out: &mut String, axis: &Axis, lane: &Lane, y: f64) {
    let depth = u32::try_from(lane.depth.min(6)).unwrap_or(0);
    let x = 8.0 + f64::from(depth) * 14.0;
    let (full, short) = (
        escape(&lane.label),
        escape(&shorten(&lane.label, lane.depth)),
    );
    let state = lane.chip.map_or("", Chip::word);
    let critical = if lane.critical {
        ", on the critical path"
    } else {
        ""
    };
    let class = match (lane.href.is_some(), lane.critical) {
        (false, _) => "lane group",
        (true, true) => "lane critical",
        (true, false) => "lane",
    };
    let _ = write!(
        out,
        "<g class=\"{class}\"><title>{full} {state}{critical}</title>"
    );
    if let Some(href) = &lane.href {
        let _ = write!(out, "<a href=\"{}\">", escape(href));
    }
    let middle = y + ROW / 2.0 + 4.0;
    let mark = if lane.critical { "◆ " } else { "" };
    let _ = write!(out, "<text x=\"{x}\" y=\"{middle}\">{mark}{short}</text>");
    let mut end = None;
    for span in lane.spans.iter().filter(|span| axis.shows(span)) {
        let (left, right) = (axis.x(span.from), axis.x(span.to));
        let thin = !matches!(span.doing, Doing::Ran(_));
        let (top, tall) = if thin {
            (y + 9.0, 6.0)
        } else {
            (y + 4.0, 16.0)
        };
        let length = span.to.since(span.from);
        if thin && right - left < 0.5 {
            continue;
        }
        let _ = write!(
            out,
            "<rect class=\"{}\" x=\"{left:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{tall}\" rx=\"2\"><title>{}: {}</title></rect>",
            span.doing.class(),
            (right - left).max(NARROWEST),
            escape(&span.says),
            took(length),
        );
        end = Some(right.max(left + NARROWEST));
    }
    let ran = lane
        .spans
        .iter()
        .filter(|span| matches!(span.doing, Doing::Ran(_)));
    let ran: Duration = ran.map(|span| span.to.since(span.from)).sum();
    if let (Some(end), false) = (end, ran.is_zero()) {
        let _ = write!(
            out,
            "<text class=\"took\" x=\"{:.1}\" y=\"{middle}\">{}</text>",
            end + 5.0,
            took(ran)
        );
    }
    out.push_str(if lane.href.is_some() {
        "</a></g>"
    } else {
        "</g>"
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_735_689_600_000_000 + seconds * 1_000_000)
    }

    #[test]
    fn the_axis_has_few_round_steps_however_long_the_run() {
        for seconds in [1, 7, 59, 600, 3_601, 86_400, 9_000_000, 400_000_000] {
            let step = step(seconds);
            assert!(seconds / step <= TICKS_MAX, "{seconds}: {step}");
        }
        assert_eq!((step(500), step(3_600)), (60, 600));
    }

    #[test]
    fn bars_lie_where_their_times_are_and_text_stays_text() {
        let span = |doing, from, to| Stretch {
            doing,
            from: at(from),
            to: at(to),
            says: "<b>".to_owned(),
        };
        let lane = Lane {
            label: "<i>a".to_owned(),
            depth: 0,
            href: Some("/x".to_owned()),
            chip: None,
            spans: vec![
                span(Doing::Place, 0, 25),
                span(Doing::Ran(Tone::Ok), 25, 75),
            ],
            critical: true,
        };
        let drawn = gantt(std::slice::from_ref(&lane), (at(0), at(100)), at(0)).to_string();
        for wanted in [
            "class=\"place\" x=\"230.0\" y=\"39\" width=\"225.0\"",
            "class=\"ok\" x=\"455.0\" y=\"34\" width=\"450.0\"",
            "&lt;b&gt;: 50.0 s",
            "◆ &lt;i&gt;a",
            ">00:01:30</text>",
        ] {
            assert!(drawn.contains(wanted), "{wanted} in {drawn}");
        }
        // Of a part only what is in it, cut where the part ends.
        let part = gantt(&[lane], (at(50), at(100)), at(0)).to_string();
        assert!(part.contains("data-from=\"50000\" data-span=\"50000\""));
        assert!(!part.contains("class=\"place\""));
        assert!(
            part.contains("class=\"ok\" x=\"230.0\" y=\"34\" width=\"450.0\""),
            "{part}"
        );
    }
}
