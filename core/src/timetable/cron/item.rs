//! Reading one part of a field: a star, a number, a range, a step.
//!
//! This module owns the rules of each field, which are its range and its names.
//! It must not know how parts are combined into a field.

use super::error::{CronError, CronField};
use super::fields::NumberSet;

/// What may stand in one field.
#[derive(Debug)]
pub(super) struct FieldRules {
    pub(super) field: CronField,
    min: u32,
    /// The highest number that can match.
    max: u32,
    /// The highest number that can be written, because Sunday is 0 and also 7.
    max_written: u32,
    range: &'static str,
    expected: &'static str,
    /// The names, of which the first one stands for `min`.
    names: &'static [&'static str],
}

impl FieldRules {
    pub(super) const fn empty_set(&self) -> NumberSet {
        NumberSet::empty(self.min, self.max)
    }

    /// The count of different numbers, after which a range begins anew.
    const fn size(&self) -> u32 {
        self.max - self.min + 1
    }
}

pub(super) const MINUTES: FieldRules = FieldRules {
    field: CronField::Minute,
    min: 0,
    max: 59,
    max_written: 59,
    range: "0-59",
    expected: "a number from 0-59",
    names: &[],
};

pub(super) const HOURS: FieldRules = FieldRules {
    field: CronField::Hour,
    min: 0,
    max: 23,
    max_written: 23,
    range: "0-23",
    expected: "a number from 0-23",
    names: &[],
};

pub(super) const DAYS: FieldRules = FieldRules {
    field: CronField::Day,
    min: 1,
    max: 31,
    max_written: 31,
    range: "1-31",
    expected: "a number from 1-31 or a lone L for the last day",
    names: &[],
};

pub(super) const MONTHS: FieldRules = FieldRules {
    field: CronField::Month,
    min: 1,
    max: 12,
    max_written: 12,
    range: "1-12",
    expected: "a number from 1-12 or a name from JAN to DEC",
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
};

pub(super) const WEEKDAYS: FieldRules = FieldRules {
    field: CronField::Weekday,
    min: 0,
    max: 6,
    max_written: 7,
    range: "0-7",
    expected: "a number from 0-7 or a name from SUN to SAT",
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};

/// Reads a part such as `*`, `5`, `1-5`, `*/10`, `5/15` or `FRI-MON/2`.
///
/// A lone number with a step reaches to the end of the field. The text must be
/// in capitals already.
pub(super) fn read_into(
    rules: &FieldRules,
    part: &str,
    set: &mut NumberSet,
) -> Result<(), CronError> {
    let Some((base, step)) = part.split_once('/') else {
        return read_range_into(rules, part, set);
    };
    let bad_step = || CronError::BadStep {
        field: rules.field,
        value: shown(part),
    };
    let step = digits(step).filter(|step| *step > 0).ok_or_else(bad_step)?;
    let (low, high) = match read_range(rules, base, part)? {
        Range::Number(low) => (low % (rules.max + 1), rules.max),
        Range::Span(low, high) => (low, high),
    };
    fill(rules, (low, high, step), set);
    Ok(())
}

/// Reads a part that has no step.
pub(super) fn read_range_into(
    rules: &FieldRules,
    part: &str,
    set: &mut NumberSet,
) -> Result<(), CronError> {
    let (low, high) = match read_range(rules, part, part)? {
        Range::Number(number) => (number, number),
        Range::Span(low, high) => (low, high),
    };
    fill(rules, (low, high, 1), set);
    Ok(())
}

#[derive(Clone, Copy)]
enum Range {
    Number(u32),
    Span(u32, u32),
}

/// Reads the text before a step. The whole part is there for messages, because
/// an empty place is best shown with what stands around it.
fn read_range(rules: &FieldRules, base: &str, whole: &str) -> Result<Range, CronError> {
    if base == "*" {
        return Ok(Range::Span(rules.min, rules.max));
    }
    let Some((low, high)) = base.split_once('-') else {
        return read_number(rules, base, whole).map(Range::Number);
    };
    let low = read_number(rules, low, whole)?;
    let high = match (rules.field, high) {
        (CronField::Day, "L") => rules.max,
        _ => read_number(rules, high, whole)?,
    };
    Ok(Range::Span(low, high))
}

/// Reads a number or a name of the field.
pub(super) fn read_number(rules: &FieldRules, text: &str, whole: &str) -> Result<u32, CronError> {
    let mut names = (rules.min..).zip(rules.names);
    if let Some((number, _)) = names.find(|(_, name)| **name == text) {
        return Ok(number);
    }
    let Some(number) = digits(text) else {
        return Err(CronError::Unreadable {
            field: rules.field,
            value: shown(if text.is_empty() { whole } else { text }),
            expected: rules.expected,
        });
    };
    if (rules.min..=rules.max_written).contains(&number) {
        return Ok(number);
    }
    Err(CronError::OutOfRange {
        field: rules.field,
        value: shown(text),
        range: rules.range,
    })
}

/// Reads plain digits. A number too long for 32 bits counts as the largest one,
/// so that a step may be of any size and any other field refuses it.
fn digits(text: &str) -> Option<u32> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// Adds every `step`-th number from `low` on, up to `high`.
///
/// A range whose end comes before its start runs past the end of the field and
/// on from its beginning, as in `FRI-MON` or in the hours `22-2`.
fn fill(rules: &FieldRules, (low, high, step): (u32, u32, u32), set: &mut NumberSet) {
    let size = rules.size();
    let length = if low <= high {
        high - low
    } else {
        high + size - low
    };
    let mut passed = 0;
    while passed <= length {
        set.insert(rules.min + (low - rules.min + passed) % size);
        passed = passed.saturating_add(step);
    }
}

/// Prepares a piece of the expression for a message.
///
/// Control characters could garble a terminal or a log line, so they are shown
/// as a replacement sign.
pub(super) fn shown(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(rules: &FieldRules, part: &str) -> Vec<u32> {
        let mut set = rules.empty_set();
        read_into(rules, part, &mut set).expect("the part can be read");
        set.iter().collect()
    }

    #[test]
    fn steps_through_ranges_and_past_the_end_of_a_field() {
        assert_eq!(numbers(&MINUTES, "5/15"), [5, 20, 35, 50]);
        assert_eq!(numbers(&MINUTES, "50-10/7"), [4, 50, 57]);
        assert_eq!(numbers(&WEEKDAYS, "FRI-MON"), [0, 1, 5, 6]);
        assert_eq!(numbers(&WEEKDAYS, "5-7"), [0, 5, 6]);
        assert_eq!(numbers(&WEEKDAYS, "7/2"), [0, 2, 4, 6]);
        assert_eq!(numbers(&WEEKDAYS, "7-7"), [0]);
        assert_eq!(numbers(&MONTHS, "NOV-FEB"), [1, 2, 11, 12]);
        assert_eq!(numbers(&DAYS, "28-L"), [28, 29, 30, 31]);
    }

    #[test]
    fn shows_control_characters_as_a_replacement_sign() {
        assert_eq!(shown("a\u{1b}[2J"), "a\u{fffd}[2J");
    }
}
