//! Days as columns. Attributes of a drawing, because a page may not have styles of its own.

use std::fmt::Write as _;

use super::{Html, escape};

/// One day.
#[derive(Debug, Clone)]
pub(crate) struct DayColumn {
    /// What is written below it.
    pub(crate) label: String,
    /// What it is made of, from the ground up: the class of each part, and how much it is.
    pub(crate) parts: Vec<(&'static str, f64)>,
    /// Whether something of it went wrong: a cross above it says so.
    pub(crate) crossed: bool,
    /// What it is, in words.
    pub(crate) says: String,
    /// Where it leads.
    pub(crate) href: String,
}

const LEFT: f64 = 72.0;
const TOP: f64 = 16.0;
const HIGH: f64 = 110.0;
const WIDE: f64 = 430.0;
const LABEL_WIDE: f64 = 52.0;

/// What an axis of seconds is divided into.
const SECONDS: [f64; 13] = [
    1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0, 86_400.0,
];

/// What an axis counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Count,
    Seconds,
}

/// A round step of which four at the most make the whole.
fn step_of(unit: Unit, most: f64) -> f64 {
    let round = SECONDS.iter().find(|step| most / **step <= 4.0);
    match (unit, round) {
        (Unit::Seconds, Some(step)) => *step,
        _ => step(most),
    }
}

/// The same of a number.
fn step(most: f64) -> f64 {
    let mut step = 10_f64.powf((most / 4.0).max(1e-9).log10().floor());
    for factor in [2.0, 2.5, 2.0] {
        if most / step <= 4.0 {
            break;
        }
        step *= factor;
    }
    step
}

/// Draws days, the first on the left; `says` writes a number of the axis.
pub(crate) fn days(
    title: &str,
    columns: &[DayColumn],
    (unit, says): (Unit, fn(f64) -> String),
) -> Html {
    let sum = |column: &DayColumn| column.parts.iter().map(|part| part.1).sum::<f64>();
    let most = columns.iter().map(sum).fold(0.0, f64::max).max(1.0);
    let count = f64::from(u32::try_from(columns.len()).unwrap_or(u32::MAX)).max(1.0);
    let (wide, ground) = (WIDE / count, TOP + HIGH);
    let (all_wide, all_high) = (LEFT + WIDE + 8.0, ground + 22.0);
    let mut out = format!(
        "<svg class=\"chart days\" width=\"{all_wide}\" height=\"{all_high}\" viewBox=\"0 0 {all_wide} {all_high}\" \
         role=\"group\" aria-label=\"{}\">",
        escape(title)
    );
    let (step, mut tick) = (step_of(unit, most), 0.0);
    while tick <= most {
        let y = ground - tick / most * HIGH;
        let _ = write!(
            out,
            "<path class=\"tick\" d=\"M{LEFT} {y:.1}H{:.1}\"/><text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT + WIDE,
            LEFT - 6.0,
            y + 4.0,
            escape(&says(tick))
        );
        tick += step;
    }
    let (mut x, mut free) = (LEFT, LEFT);
    for column in columns {
        draw(&mut out, column, (x, wide), most);
        if x >= free {
            let _ = write!(
                out,
                "<text class=\"day\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                ground + 16.0,
                escape(&column.label)
            );
            free = x + LABEL_WIDE;
        }
        x += wide;
    }
    out.push_str("</svg>");
    Html(out)
}

fn draw(out: &mut String, column: &DayColumn, (x, wide): (f64, f64), most: f64) {
    let _ = write!(
        out,
        "<a href=\"{}\"><title>{}</title><rect class=\"hit\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{wide:.1}\" height=\"{HIGH}\"/>",
        escape(&column.href),
        escape(&column.says),
    );
    let mut top = TOP + HIGH;
    for (class, amount) in column.parts.iter().filter(|part| part.1 > 0.0) {
        // However little it is, it is seen.
        let tall = (amount / most * HIGH).max(2.0);
        top -= tall;
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{tall:.1}\"/>",
            x + 1.0,
            (wide - 2.0).max(1.0),
        );
    }
    if column.crossed {
        let _ = write!(
            out,
            "<path class=\"cross\" d=\"M{:.1} {:.1}l8 8m0 -8l-8 8\"/>",
            x + wide / 2.0 - 4.0,
            top - 12.0
        );
    }
    out.push_str("</a>");
}

/// One result of something that is done again and again.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    /// How it went.
    pub(crate) tone: super::Tone,
    /// What it was, in words.
    pub(crate) says: String,
    /// Where it leads.
    pub(crate) href: String,
}

/// Draws results as squares, the first on the left; what is not well has another shape, too.
pub(crate) fn marks(title: &str, marks: &[Mark]) -> Html {
    const STEP: usize = 13;
    let wide = (marks.len() * STEP).max(1);
    let mut out = format!(
        "<svg class=\"marks\" width=\"{wide}\" height=\"22\" viewBox=\"0 0 {wide} 22\" role=\"group\" aria-label=\"{}\">",
        escape(title)
    );
    for (at, mark) in marks.iter().enumerate() {
        let (x, class) = (at * STEP, mark.tone.class());
        let shape = match class {
            "fail" => format!("<path class=\"fail\" d=\"M{} 5l6 6-6 6-6-6z\"/>", x + 6),
            "retry" => format!("<path class=\"retry\" d=\"M{} 6v10l10-5z\"/>", x + 1),
            "ok" => format!(
                "<rect class=\"ok\" x=\"{}\" y=\"6\" width=\"10\" height=\"10\" rx=\"2\"/>",
                x + 1
            ),
            _ => format!(
                "<path class=\"open\" d=\"M{} 7h8v8h-8zl8 8m0-8l-8 8\"/>",
                x + 2
            ),
        };
        let _ = write!(
            out,
            "<a href=\"{}\"><title>{}</title><rect class=\"hit\" x=\"{x}\" width=\"{STEP}\" height=\"22\"/>{shape}</a>",
            escape(&mark.href),
            escape(&mark.says),
        );
    }
    out.push_str("</svg>");
    Html(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::Tone;

    #[test]
    fn columns_are_as_high_as_their_day_and_names_are_escaped() {
        let column = |well, bad| DayColumn {
            label: "1 Jan".to_owned(),
            parts: vec![("ok", well), ("fail", bad)],
            crossed: bad > 0.0,
            says: "<b>".to_owned(),
            href: "/x?a=1&b".to_owned(),
        };
        let drawn = days(
            "<i>",
            &[column(100.0, 0.0), column(40.0, 10.0)],
            (Unit::Count, |n| format!("{n}")),
        );
        let drawn = drawn.to_string();
        for wanted in [
            "aria-label=\"&lt;i&gt;\"",
            "class=\"ok\" x=\"73.0\" y=\"16.0\" width=\"213.0\" height=\"110.0\"",
            "class=\"fail\" x=\"288.0\" y=\"71.0\" width=\"213.0\" height=\"11.0\"",
            "&lt;b&gt;",
            "href=\"/x?a=1&amp;b\"",
        ] {
            assert!(drawn.contains(wanted), "{wanted} in {drawn}");
        }
        assert!(
            days("", &[], (Unit::Count, |n| format!("{n}")))
                .to_string()
                .ends_with("</svg>")
        );
    }

    #[test]
    fn an_axis_has_few_round_steps() {
        for most in [1.0, 3.0, 10.0, 99.0, 12_345.0, 1e15, 0.2] {
            let step = step(most);
            assert!((1.0..=4.0).contains(&(most / step)), "{most}: {step}");
        }
    }

    #[test]
    fn what_is_not_well_has_another_shape() {
        let mark = |tone| Mark {
            tone,
            says: "\"".to_owned(),
            href: String::new(),
        };
        let drawn = marks("all", &[mark(Tone::Ok), mark(Tone::Fail), mark(Tone::Up)]).to_string();
        assert_eq!(drawn.matches("<path").count(), 2, "{drawn}");
        assert!(drawn.contains("<title>&quot;</title>"));
    }
}
