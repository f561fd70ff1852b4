//! From the row that came back to a verdict. No database decides anything that can be decided here.

use chrono::{DateTime, TimeDelta, Utc};

use super::builder::Check;
use super::compile::{Against, Ruling, Slot, Test};
use super::literal::{Bounds, exact, number_shown};
use super::query::Row;
use super::rule::SetRule;
use super::{schema::Schema, values};

/// What is known besides the table.
#[derive(Debug, Clone)]
pub struct Background {
    /// The present, for freshness.
    pub now: DateTime<Utc>,
    /// How many rows the table, or the partition, had before, the oldest first: for the usual volume.
    pub row_counts: Vec<i64>,
}

impl Background {
    /// The present, and nothing of the past.
    #[must_use]
    pub const fn at(now: DateTime<Utc>) -> Self {
        Self {
            now,
            row_counts: Vec::new(),
        }
    }

    /// How many rows there were before, the oldest first.
    #[must_use]
    pub fn rows_before(mut self, counts: impl IntoIterator<Item = i64>) -> Self {
        self.row_counts = counts.into_iter().collect();
        self
    }
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruled {
    Passed,
    /// It failed by so little that it only warns.
    Warned,
    Failed,
    Wrong,
}

/// What came of a check, and the numbers behind it.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) ruled: Ruled,
    pub(super) rows: Option<i64>,
    pub(super) missing: Option<i64>,
    /// Rows that were looked at.
    pub(super) checked: Option<i64>,
    pub(super) unexpected: Option<i64>,
    pub(super) observed: String,
}

impl Verdict {
    pub(super) fn of(ok: bool, observed: impl Into<String>) -> Self {
        Self {
            ruled: if ok { Ruled::Passed } else { Ruled::Failed },
            rows: None,
            missing: None,
            checked: None,
            unexpected: None,
            observed: observed.into(),
        }
    }

    pub(super) fn wrong(why: impl Into<String>) -> Self {
        Self {
            ruled: Ruled::Wrong,
            ..Self::of(false, why)
        }
    }
}

/// The part of the rows that passed, if any was looked at.
fn share(check: &Check, (kept, bad): (i64, i64)) -> bool {
    kept <= 0 || exact(kept - bad) / exact(kept) >= check.mostly
}

/// Values of the row that came back.
pub(super) struct Found<'a> {
    row: &'a Row,
    background: &'a Background,
}

type Read<T> = Result<T, String>;

impl<'a> Found<'a> {
    pub(super) const fn new(row: &'a Row, background: &'a Background) -> Self {
        Self { row, background }
    }

    fn text(&self, slot: Slot) -> Read<Option<&'a str>> {
        self.row
            .get(slot.0)
            .map(Option::as_deref)
            .ok_or_else(|| format!("the database returned {} values, too few", self.row.len()))
    }

    fn number(&self, slot: Slot) -> Read<Option<f64>> {
        let Some(text) = self.text(slot)? else {
            return Ok(None);
        };
        let number: f64 = text
            .parse()
            .map_err(|_| format!("the database returned `{text}` where a number belongs"))?;
        Ok(Some(number).filter(|number| !number.is_nan()))
    }

    fn count(&self, slot: Slot) -> Read<i64> {
        let text = self.text(slot)?.unwrap_or("0");
        text.parse()
            .map_err(|_| format!("the database returned `{text}` where a count belongs"))
    }

    /// What came of a check.
    ///
    /// # Errors
    /// The row is not as it should be.
    pub(super) fn verdict(&self, check: &Check, ruling: &Ruling) -> Read<Verdict> {
        Ok(match ruling {
            Ruling::Wrong(why) => Verdict::wrong(why),
            Ruling::Known { ok, observed } => Verdict::of(*ok, observed),
            Ruling::Rows {
                rows,
                missing,
                kept,
                bad,
                parts,
            } => {
                let (kept, bad) = (self.count(*kept)?, self.count(*bad)?);
                let mut said = Vec::new();
                for (words, slot) in parts {
                    let count = self.count(*slot)?;
                    if count > 0 {
                        said.push(format!("{} {words}", grouped(count)));
                    }
                }
                Verdict {
                    rows: Some(self.count(*rows)?),
                    missing: missing.map(|missing| self.count(missing)).transpose()?,
                    checked: Some(kept),
                    unexpected: Some(bad),
                    ..Verdict::of(share(check, (kept, bad)), said.join(", "))
                }
            }
            Ruling::Number { value, within } => {
                let value = self.number(*value)?;
                limited(value, within)?
            }
            Ruling::Middle { low, high, within } => {
                let (low, high) = (self.number(*low)?, self.number(*high)?);
                let middle = low.zip(high).map(|(low, high)| low + (high - low) / 2.0);
                limited(middle, within)?
            }
            Ruling::Extreme { value, ok } => {
                let ok = self.count(*ok)? == 1;
                Verdict::of(ok, self.text(*value)?.unwrap_or("no value"))
            }
            Ruling::Proportion {
                distinct,
                present,
                within,
            } => {
                let (distinct, present) = (self.count(*distinct)?, self.count(*present)?);
                let part = if present > 0 {
                    exact(distinct) / exact(present)
                } else {
                    0.0
                };
                limited(Some(part), within)?
            }
            Ruling::Quantiles { values } => {
                let mut ok = true;
                let mut said = Vec::new();
                for (slot, quantile) in values {
                    let value = self.number(*slot)?;
                    let verdict = limited(value, &quantile.within)?;
                    ok &= verdict.ruled == Ruled::Passed;
                    said.push(format!("{}: {}", quantile.at, verdict.observed));
                }
                Verdict::of(ok, said.join(", "))
            }
            other => self.other(other)?,
        })
    }

    #[expect(clippy::too_many_lines, reason = "one arm a kind, and nothing else")]
    fn other(&self, ruling: &Ruling) -> Read<Verdict> {
        Ok(match ruling {
            Ruling::Set {
                rule,
                seen,
                known,
                wanted,
            } => {
                let (seen, known) = (self.count(*seen)?, self.count(*known)?);
                let wanted = i64::try_from(*wanted).unwrap_or(i64::MAX);
                let (unexpected, missing) = (seen - known, wanted - known);
                let ok = match rule {
                    SetRule::Within => unexpected == 0,
                    SetRule::Contains => missing == 0,
                    SetRule::Equals => unexpected == 0 && missing == 0,
                };
                let said = match rule {
                    SetRule::Within => format!("{unexpected} that are not in the set"),
                    SetRule::Contains => format!("{missing} of the set missing"),
                    SetRule::Equals => {
                        format!(
                            "{unexpected} that are not in the set, {missing} of the set missing"
                        )
                    }
                };
                Verdict::of(ok, format!("{} different values, {said}", grouped(seen)))
            }
            Ruling::Mode {
                modes,
                known,
                mode,
                ties_okay,
            } => {
                let (modes, known) = (self.count(*modes)?, self.count(*known)?);
                let ok = if *ties_okay {
                    known > 0
                } else {
                    modes == 1 && known == 1
                };
                let said = match (self.text(*mode)?, modes) {
                    (None, _) => "no value".to_owned(),
                    (Some(mode), 1) => mode.to_owned(),
                    (Some(mode), _) => format!("{mode} and {} as often", grouped(modes - 1)),
                };
                Verdict::of(ok, said)
            }
            Ruling::Same { here, there } => {
                let (here, there) = (self.count(*here)?, self.count(*there)?);
                Verdict::of(
                    here == there,
                    format!("{} rows against {}", grouped(here), grouped(there)),
                )
            }
            Ruling::NoRows { bad } => {
                let bad = self.count(*bad)?;
                Verdict {
                    unexpected: Some(bad),
                    ..Verdict::of(bad == 0, format!("{} rows", grouped(bad)))
                }
            }
            Ruling::Age {
                micros,
                warn_after,
                fail_after,
            } => {
                let limits = (to_delta(*warn_after), to_delta(*fail_after));
                age(self.text(*micros)?, limits, self.background.now)?
            }
            Ruling::Volume {
                rows,
                deviations,
                history_min,
            } => volume(
                self.count(*rows)?,
                &self.background.row_counts,
                (*deviations, *history_min),
            ),
            Ruling::Source { pairs, percent } => self.source(pairs, *percent)?,
            _ => Verdict::wrong("it is asked in another way"),
        })
    }

    fn source(&self, pairs: &[(String, Slot, Against)], percent: f64) -> Read<Verdict> {
        let mut ok = true;
        let mut said = Vec::new();
        for (what, here, there) in pairs {
            let here = self.number(*here)?;
            let there = match there {
                Against::Number(number) => Some(*number),
                Against::Slot(slot) => self.number(*slot)?,
            };
            // Sums of nothing are null on both sides.
            let (here, there) = (here.unwrap_or(0.0), there.unwrap_or(0.0));
            let apart = (here - there).abs();
            // Sums of many numbers with a point are as exact as their type.
            let same = apart <= there.abs() * 1e-12;
            ok &= same || apart * 100.0 <= percent * there.abs();
            said.push(format!(
                "{what}: {} against {} in the source",
                shown(here),
                shown(there)
            ));
        }
        Ok(Verdict::of(ok, said.join("; ")))
    }

    /// What came of values that were fetched.
    pub(super) fn fetched(
        &self,
        check: &Check,
        ruling: &Ruling,
        values: &[Row],
    ) -> Read<(Verdict, Vec<String>)> {
        let Ruling::Fetched {
            rows,
            missing,
            nulls_fail,
            test,
            ..
        } = ruling
        else {
            return Err("nothing was fetched".to_owned());
        };
        if values.len() > super::compile::FETCHED_VALUES_MAX {
            let many = super::compile::FETCHED_VALUES_MAX;
            let why =
                format!("there are more than {many} different values: look at a part with `only`");
            return Ok((Verdict::wrong(why), Vec::new()));
        }
        let (rows, missing) = (self.count(*rows)?, self.count(*missing)?);
        let mut bad = if *nulls_fail { missing } else { 0 };
        let mut seen = Vec::new();
        for row in values {
            let [Some(value), Some(copies)] = row.as_slice() else {
                return Err("the database returned other values than were asked".to_owned());
            };
            if passes(test, value) {
                continue;
            }
            let copies: i64 = copies
                .parse()
                .map_err(|_| format!("the database returned `{copies}` where a count belongs"))?;
            bad += copies;
            seen.push(value.clone());
        }
        let kept = if *nulls_fail { rows } else { rows - missing };
        let verdict = Verdict {
            rows: Some(rows),
            missing: Some(missing),
            checked: Some(kept),
            unexpected: Some(bad),
            ..Verdict::of(share(check, (kept, bad)), "")
        };
        Ok((verdict, seen))
    }
}

fn passes(test: &Test, value: &str) -> bool {
    let fits = |schema: &Schema| {
        serde_json::from_str(value).is_ok_and(|value: serde_json::Value| schema.fits(&value))
    };
    match test {
        Test::Date => values::is_date(value),
        Test::Json => values::is_json(value),
        Test::Schema(schema) => fits(schema),
    }
}

/// Whether a number is within its limits; none is not.
fn limited(value: Option<f64>, within: &Bounds) -> Read<Verdict> {
    let limits = within.numbers()?;
    Ok(match value {
        Some(value) => Verdict::of(within.hold(limits, value), shown(value)),
        None => Verdict::of(false, "no value"),
    })
}

fn to_delta(span: Option<std::time::Duration>) -> Option<TimeDelta> {
    span.map(|span| TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX))
}

fn age(
    micros: Option<&str>,
    (warn_after, fail_after): (Option<TimeDelta>, Option<TimeDelta>),
    now: DateTime<Utc>,
) -> Read<Verdict> {
    let Some(micros) = micros else {
        return Ok(Verdict::of(false, "no value"));
    };
    let newest = micros
        .parse()
        .ok()
        .and_then(DateTime::from_timestamp_micros)
        .ok_or_else(|| format!("the database returned `{micros}` where a time belongs"))?;
    let age = now - newest;
    let over = |limit: Option<TimeDelta>| limit.is_some_and(|limit| age > limit);
    let text = format!(
        "{}, {} ago",
        newest.format("%Y-%m-%d %H:%M:%S UTC"),
        span_shown(age)
    );
    let mut verdict = Verdict::of(!over(fail_after), text);
    if verdict.ruled == Ruled::Passed && over(warn_after) {
        verdict.ruled = Ruled::Warned;
    }
    Ok(verdict)
}

/// The two largest units.
pub(super) fn span_shown(span: TimeDelta) -> String {
    let minutes = span.num_minutes().max(0);
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// How many rows there usually are: the mean of earlier counts, and so many standard deviations around it, but never
/// less
/// than a twentieth, so that a table that never changed may grow by a row.
fn volume(rows: i64, before: &[i64], (deviations, history_min): (f64, usize)) -> Verdict {
    if before.len() < history_min.max(2) {
        return Verdict::of(
            true,
            format!(
                "{} rows; {} of {} earlier counts are known, too few to compare with",
                grouped(rows),
                before.len(),
                history_min.max(2)
            ),
        );
    }
    let count = exact(i64::try_from(before.len()).unwrap_or(i64::MAX));
    let mean = before.iter().map(|rows| exact(*rows)).sum::<f64>() / count;
    let squares: f64 = before
        .iter()
        .map(|rows| (exact(*rows) - mean).powi(2))
        .sum();
    let room = (deviations * (squares / (count - 1.0)).sqrt()).max(mean * 0.05);
    let ok = (exact(rows) - mean).abs() <= room;
    Verdict::of(
        ok,
        format!(
            "{} rows, usually {} to {}",
            grouped(rows),
            shown((mean - room).max(0.0).round()),
            shown((mean + room).round())
        ),
    )
}

/// A number for people.
#[expect(
    clippy::cast_possible_truncation,
    reason = "whole numbers below 10^15 are exact"
)]
fn shown(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        grouped(value as i64)
    } else {
        number_shown(value)
    }
}

/// A whole number in groups of three: `4,000`.
pub(super) fn grouped(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = if count < 0 { "-" } else { "" }.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
