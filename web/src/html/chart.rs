//! How long runs took, as columns: what they ran above the line, what they waited for below it. Attributes of a drawing, because a
//! page may not have styles of its own.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Chip, Html, escape, took};

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) chip: Chip,
    pub(crate) name: String,
    pub(crate) href: String,
    /// How long it ran, so far.
    pub(crate) ran: Option<Duration>,
    /// How long it waited before it began.
    pub(crate) waited: Option<Duration>,
    /// Where it is told what changed, if it has another version than the run before.
    pub(crate) changed: Option<String>,
}

const LEFT: f64 = 70.0;
const TOP: f64 = 22.0;
const RAN: f64 = 190.0;
const BETWEEN: f64 = 18.0;
const WAITED: f64 = 50.0;
const WIDE: f64 = 1_000.0;
const STEP_MIN: f64 = 4.0;
const STEP_MAX: f64 = 22.0;
/// A span that is so many times as long as nine of ten are is cut.
const CUT_FROM: u32 = 4;
/// What an axis is divided into, in seconds.
const STEPS: [u64; 20] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
    86_400, 172_800, 604_800,
];

/// An axis from nothing up to a length of time.
struct Axis {
    most: f64,
    high: f64,
    step: u64,
}

impl Axis {
    fn up_to(most: Duration, high: f64, ticks: u64) -> Self {
        let seconds = most.as_secs().max(1);
        let step = STEPS.iter().find(|step| seconds / **step <= ticks);
        Self {
            most: most.as_secs_f64().max(1.0),
            high,
            step: step.copied().unwrap_or(seconds / ticks + 1),
        }
    }

    /// An axis for these spans. One that took many times what the others take does not flatten them: it is cut.
    fn of(spans: impl Iterator<Item = Duration>, high: f64, ticks: u64) -> Self {
        let mut spans: Vec<Duration> = spans.collect();
        spans.sort_unstable();
        let longest = spans.last().copied().unwrap_or_default();
        let rank = (spans.len() * 9).div_ceil(10).max(1);
        let usual = spans.get(rank - 1).copied().unwrap_or_default();
        let most = if longest > usual * CUT_FROM && !usual.is_zero() {
            usual * 3 / 2
        } else {
            longest
        };
        Self::up_to(most, high, ticks)
    }

    fn cuts(&self, span: Duration) -> bool {
        span.as_secs_f64() > self.most
    }

    fn part(&self, span: Duration) -> f64 {
        (span.as_secs_f64() / self.most).min(1.0) * self.high
    }
}

/// Draws runs, the first on the left, with a line at the median if there is one.
pub(crate) fn chart(columns: &[Column], median: Option<Duration>) -> Html {
    let count = f64::from(u32::try_from(columns.len()).unwrap_or(u32::MAX)).max(1.0);
    let step = (WIDE / count).clamp(STEP_MIN, STEP_MAX);
    let right = LEFT + step * count + 8.0;
    let ran = Axis::of(columns.iter().filter_map(|column| column.ran), RAN, 5);
    let waited = Axis::of(columns.iter().filter_map(|column| column.waited), WAITED, 2);
    let (ground, below) = (TOP + RAN, TOP + RAN + BETWEEN);
    let (wide, high) = (right.max(560.0), below + WAITED + 8.0);
    let mut out = format!(
        "<svg class=\"chart\" width=\"{wide:.0}\" height=\"{high}\" viewBox=\"0 0 {wide:.0} {high}\" role=\"group\" \
         aria-label=\"How long runs took, oldest first\">"
    );
    ticks(&mut out, &ran, (ground, -1.0), right);
    ticks(&mut out, &waited, (below, 1.0), right);
    let _ = write!(
        out,
        "<text class=\"axis\" x=\"4\" y=\"12\">ran</text><text class=\"axis\" x=\"4\" y=\"{:.1}\">waited</text>",
        below - 4.0
    );
    let mut x = LEFT;
    for column in columns {
        draw(&mut out, column, (x, step), (&ran, &waited));
        x += step;
    }
    if let Some(median) = median {
        let y = ground - ran.part(median);
        let _ = write!(
            out,
            "<path class=\"median\" d=\"M{LEFT} {y:.1}H{right:.1}\"/><text class=\"median\" x=\"{LEFT}\" y=\"{:.1}\">median {}</text>",
            y - 4.0,
            took(median)
        );
    }
    out.push_str("</svg>");
    Html(out)
}

fn ticks(out: &mut String, axis: &Axis, (ground, way): (f64, f64), right: f64) {
    let mut seconds = 0;
    loop {
        let span = Duration::from_secs(seconds);
        if span.as_secs_f64() > axis.most {
            return;
        }
        let y = ground + way * axis.part(span);
        let says = if seconds == 0 {
            "0".to_owned()
        } else {
            tidemill_core::span::text(span)
        };
        let _ = write!(
            out,
            "<path class=\"tick\" d=\"M{LEFT} {y:.1}H{right:.1}\"/><text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">{says}</text>",
            LEFT - 6.0,
            y + 4.0
        );
        seconds += axis.step;
    }
}

/// A gap across a column that is longer than what is drawn of it.
fn cut(out: &mut String, (x, wide): (f64, f64), y: f64) {
    let _ = write!(
        out,
        "<path class=\"cut\" d=\"M{:.1} {:.1}l{:.1} -6\"/>",
        x - 1.0,
        y + 3.0,
        wide + 2.0
    );
}

fn draw(out: &mut String, column: &Column, (x, step): (f64, f64), (ran, waited): (&Axis, &Axis)) {
    let (ground, below) = (TOP + RAN, TOP + RAN + BETWEEN);
    let (class, word) = (column.chip.tone.class(), column.chip.word());
    let mut says = format!("{}: {word}", column.name);
    let spans = [("ran", column.ran), ("waited", column.waited)];
    for (what, span) in spans {
        let _ = match span {
            Some(span) => write!(says, ", {what} {}", took(span)),
            None => Ok(()),
        };
    }
    let wide = (step - 2.0).max(2.0);
    let _ = write!(
        out,
        "<a href=\"{}\"><title>{}</title><rect class=\"hit\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{step:.1}\" height=\"{:.1}\"/>",
        escape(&column.href),
        escape(&says),
        RAN + BETWEEN + WAITED,
    );
    if let Some(span) = column.ran {
        let tall = ran.part(span).max(2.0);
        let top = ground - tall;
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{tall:.1}\"/>"
        );
        if ran.cuts(span) {
            cut(out, (x, wide), TOP + 10.0);
        }
        // A failed run is told apart by the cross above it, too.
        if class == "fail" {
            let half = (wide / 2.0).min(4.0);
            let (left, up) = (x + wide / 2.0 - half, top - 3.0 - 2.0 * half);
            let both = 2.0 * half;
            let _ = write!(
                out,
                "<path class=\"cross\" d=\"M{left:.1} {up:.1}l{both:.1} {both:.1}m0 -{both:.1}l-{both:.1} {both:.1}\"/>"
            );
        }
    }
    if let Some(span) = column.waited {
        let tall = waited.part(span);
        let _ = write!(
            out,
            "<rect class=\"place\" x=\"{x:.1}\" y=\"{below:.1}\" width=\"{wide:.1}\" height=\"{tall:.1}\"/>"
        );
        if waited.cuts(span) {
            cut(out, (x, wide), below + WAITED - 8.0);
        }
    }
    out.push_str("</a>");
    if let Some(href) = &column.changed {
        let _ = write!(
            out,
            "<a href=\"{}\"><title>a new version from here on: what changed</title><path class=\"changed\" \
             d=\"M{:.1} {TOP}V{ground}\"/><path class=\"flag\" d=\"M{:.1} 8h10l-5 9z\"/></a>",
            escape(href),
            x - 1.0,
            x - 6.0,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::Tone;

    fn column(chip: Chip, seconds: u64) -> Column {
        Column {
            chip,
            name: "<b>".to_owned(),
            href: "/x?a=1&b".to_owned(),
            ran: Some(Duration::from_secs(seconds)),
            waited: Some(Duration::from_secs(7)),
            changed: Some("/diff".to_owned()),
        }
    }

    #[test]
    fn columns_are_as_high_as_their_time_and_failed_ones_are_crossed() {
        let columns = [
            column(Chip::new(Tone::Ok, "Success"), 100),
            column(Chip::new(Tone::Fail, "Failed"), 50),
        ];
        let drawn = chart(&columns, Some(Duration::from_secs(75))).to_string();
        for wanted in [
            "class=\"ok\" x=\"70.0\" y=\"22.0\" width=\"20.0\" height=\"190.0\"",
            "class=\"fail\" x=\"92.0\" y=\"117.0\" width=\"20.0\" height=\"95.0\"",
            "&lt;b&gt;: Failed, ran 50.0 s, waited 7.0 s",
            ">median 1 min 15 s</text>",
            ">1m30s</text>",
            "href=\"/x?a=1&amp;b\"",
            "class=\"flag\"",
        ] {
            assert!(drawn.contains(wanted), "{wanted} in {drawn}");
        }
        assert_eq!(drawn.matches("class=\"cross\"").count(), 1);
    }

    #[test]
    fn an_axis_has_few_round_steps_however_long_a_run_took() {
        for seconds in [0, 1, 59, 601, 90_000, 40_000_000] {
            let axis = Axis::up_to(Duration::from_secs(seconds), RAN, 5);
            assert!(seconds / axis.step <= 5, "{seconds}: {}", axis.step);
        }
        assert!(chart(&[], None).to_string().ends_with("</svg>"));
    }

    #[test]
    fn one_that_took_many_times_what_others_take_is_cut() {
        let chip = Chip::new(Tone::Ok, "Success");
        let mut columns: Vec<Column> = (0..20).map(|_| column(chip, 100)).collect();
        columns.push(column(chip, 90_000));
        let drawn = chart(&columns, None).to_string();
        assert_eq!(drawn.matches("class=\"cut\"").count(), 1, "{drawn}");
        assert!(
            drawn.contains("height=\"126.7\""),
            "the others are two thirds high: {drawn}"
        );
        columns.truncate(20);
        assert!(!chart(&columns, None).to_string().contains("class=\"cut\""));
    }
}
