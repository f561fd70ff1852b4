//! The part of a run's time that its drawing shows. It is in the address, in milliseconds from where the drawing begins, so a
//! link shows the same while the run goes on.

use tidemill_core::time::Timestamp;

/// No part is shorter: the axis has seconds.
const SHORTEST: i64 = 1_000;

/// A part of the time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    from: i64,
    to: i64,
}

/// A way to another part: its word, what is said of it, where it leads.
pub(super) struct Step {
    pub(super) word: &'static str,
    pub(super) key: &'static str,
    pub(super) href: String,
}

/// What is drawn of a time, and where else one can go.
pub(super) struct Zoom {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) steps: Vec<Step>,
}

fn parse(text: &str) -> Option<Part> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    (from < to).then_some(Part { from, to })
}

impl Part {
    const fn span(self) -> i64 {
        self.to - self.from
    }

    /// The same within so long a time, and no shorter than can be.
    fn within(self, whole: i64) -> Self {
        let span = self.span().clamp(SHORTEST.min(whole), whole);
        let from = self.from.clamp(0, whole - span);
        Self {
            from,
            to: from + span,
        }
    }

    /// Around the same middle, so many halves as long.
    fn scaled(self, halves: i64) -> Self {
        let span = (self.span().saturating_mul(halves) / 2).max(1);
        let from = self.from + (self.span() - span) / 2;
        Self {
            from,
            to: from + span,
        }
    }

    const fn moved(self, by: i64) -> Self {
        Self {
            from: self.from + by,
            to: self.to + by,
        }
    }
}

impl Zoom {
    /// Of the time from `begin` to `end` what the address asks for. `href` is the address without it.
    pub(super) fn new(asked: &str, (begin, end): (Timestamp, Timestamp), href: &str) -> Self {
        let whole = Part {
            from: 0,
            to: (end.micros().saturating_sub(begin.micros()) / 1_000).max(SHORTEST),
        };
        let part = parse(asked).map_or(whole, |part| part.within(whole.to));
        let at = |millis: i64| {
            Timestamp::from_micros(begin.micros().saturating_add(millis.saturating_mul(1_000)))
        };
        let step = |word, key, to: Part| {
            let to = to.within(whole.to);
            (to != part).then(|| Step {
                word,
                key,
                href: if to == whole {
                    href.to_owned()
                } else {
                    format!("{href}&zoom={}-{}", to.from, to.to)
                },
            })
        };
        let far = part.span() / 2;
        let steps = [
            step("Zoom in", "+", part.scaled(1)),
            step("Zoom out", "-", part.scaled(4)),
            step("Earlier", "<", part.moved(-far)),
            step("Later", ">", part.moved(far)),
            step("Whole run", "0", whole),
        ];
        Self {
            from: at(part.from),
            // What is left of a millisecond at the end belongs to the whole.
            to: if part == whole {
                end.max(begin)
            } else {
                at(part.to)
            },
            steps: steps.into_iter().flatten().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HREF: &str = "/r?tab=gantt";

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1_000)
    }

    fn zoom(asked: &str) -> (i64, i64, Vec<(&'static str, String)>) {
        let zoom = Zoom::new(asked, (at(0), at(100_000)), HREF);
        let steps = zoom.steps.into_iter().map(|step| (step.word, step.href));
        let millis = |at: Timestamp| at.micros() / 1_000;
        (millis(zoom.from), millis(zoom.to), steps.collect())
    }

    #[test]
    fn the_whole_can_only_be_zoomed_into() {
        let (from, to, steps) = zoom("");
        assert_eq!((from, to), (0, 100_000));
        assert_eq!(steps, [("Zoom in", format!("{HREF}&zoom=25000-75000"))]);
        for nonsense in ["x", "5", "9-3", "-", "1-2-3", "99999999999999999999-1"] {
            assert_eq!(zoom(nonsense).0, 0, "{nonsense}");
            assert_eq!(zoom(nonsense).1, 100_000, "{nonsense}");
        }
    }

    #[test]
    fn a_part_can_be_moved_and_left_and_never_leaves_the_run() {
        let (from, to, steps) = zoom("25000-75000");
        assert_eq!((from, to), (25_000, 75_000));
        assert_eq!(
            steps,
            [
                ("Zoom in", format!("{HREF}&zoom=37500-62500")),
                ("Zoom out", HREF.to_owned()),
                ("Earlier", format!("{HREF}&zoom=0-50000")),
                ("Later", format!("{HREF}&zoom=50000-100000")),
                ("Whole run", HREF.to_owned()),
            ]
        );
        assert_eq!(
            (zoom("90000-190000").0, zoom("90000-190000").1),
            (0, 100_000)
        );
        assert_eq!(
            (zoom("99900-99950").0, zoom("99900-99950").1),
            (99_000, 100_000)
        );
        let short = Zoom::new("0-9", (at(0), at(10)), HREF);
        assert!(short.to > short.from);
    }
}
