//! Reading the text of a cron expression into its five fields.
//!
//! This module owns the layout of an expression: its length, its presets, its
//! five places, lists and the special signs of the two day fields. Numbers,
//! names, ranges and steps are read in `item`. Dates and zones must not be
//! looked at here.

use super::MAX_CHARS;
use super::error::CronError;
use super::fields::{Fields, NumberSet, Weekdays};
use super::item::{self, DAYS, FieldRules, HOURS, MINUTES, MONTHS, WEEKDAYS};

/// The presets and what each one stands for.
const PRESETS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Reads an expression and returns its normalised text and its fields.
///
/// The normalised text has single spaces. Names and signs are in capitals, and
/// presets in small letters, which is how each is usually written.
pub(super) fn read(expression: &str) -> Result<(String, Fields), CronError> {
    if expression.chars().nth(MAX_CHARS).is_some() {
        return Err(CronError::TooLong { max: MAX_CHARS });
    }
    let trimmed = expression.trim();
    if trimmed.starts_with('@') {
        let preset = trimmed.to_ascii_lowercase();
        let Some((_, meaning)) = PRESETS.iter().find(|(name, _)| *name == preset) else {
            return Err(CronError::UnknownPreset {
                preset: item::shown(trimmed),
                known: PRESETS.map(|(name, _)| name).join(", "),
            });
        };
        return Ok((preset, read_fields(meaning)?));
    }
    let words: Vec<_> = trimmed.split_whitespace().collect();
    let text = words.join(" ").to_ascii_uppercase();
    let fields = read_fields(&text)?;
    Ok((text, fields))
}

fn read_fields(text: &str) -> Result<Fields, CronError> {
    let words: Vec<_> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = words[..] else {
        return Err(match words.len() {
            6 => CronError::SecondsField,
            found => CronError::FieldCount { found },
        });
    };
    let minutes = read_plain(&MINUTES, minute)?;
    let hours = read_plain(&HOURS, hour)?;
    let (days, last_day) = read_days(day)?;
    let months = read_plain(&MONTHS, month)?;
    let weekdays = read_weekdays(weekday)?;
    Ok(Fields {
        minutes,
        hours,
        days,
        last_day,
        months,
        days_limited: is_limited(day, days.is_full(), weekday),
        weekdays_limited: is_limited(weekday, weekdays.every.is_full(), day),
        weekdays,
    })
}

/// Tells whether a day field limits the days.
///
/// The rule is that of croniter. A star in its list makes a field unlimited.
/// Numbers that amount to every day do the same if the other day field has any
/// star, even one with a step. Otherwise both fields stand side by side and
/// every day matches.
fn is_limited(field: &str, is_full: bool, other: &str) -> bool {
    let has_star = field.split(',').any(|part| part == "*" || part == "?");
    let is_star_in_numbers = is_full && other.contains(['*', '?']);
    !has_star && !is_star_in_numbers
}

/// Splits the list of a field and refuses empty places in it.
fn parts<'a>(rules: &FieldRules, list: &'a str) -> Result<Vec<&'a str>, CronError> {
    let parts: Vec<_> = list.split(',').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(CronError::EmptyItem {
            field: rules.field,
            value: item::shown(list),
        });
    }
    Ok(parts)
}

fn read_plain(rules: &FieldRules, list: &str) -> Result<NumberSet, CronError> {
    let mut set = rules.empty_set();
    for part in parts(rules, list)? {
        if part.contains('?') {
            return Err(CronError::QuestionMark { field: rules.field });
        }
        item::read_into(rules, part, &mut set)?;
    }
    Ok(set)
}

/// Reads the day field. The flag tells whether `L` stands in its list.
fn read_days(list: &str) -> Result<(NumberSet, bool), CronError> {
    let list = star_for_question_mark(&DAYS, list)?;
    let mut days = DAYS.empty_set();
    let mut has_last = false;
    for part in parts(&DAYS, list)? {
        if part == "L" {
            has_last = true;
        } else {
            item::read_into(&DAYS, part, &mut days)?;
        }
    }
    Ok((days, has_last))
}

/// Reads the weekday field with its signs `#` and `L`.
fn read_weekdays(list: &str) -> Result<Weekdays, CronError> {
    let list = star_for_question_mark(&WEEKDAYS, list)?;
    let mut weekdays = Weekdays::empty();
    for part in parts(&WEEKDAYS, list)? {
        if let Some((days, occurrence)) = part.split_once('#') {
            let nth = read_occurrence(part, occurrence)?;
            if let Some(set) = weekdays.nth.get_mut(nth) {
                item::read_range_into(&WEEKDAYS, days, set)?;
            }
        } else if let Some(day) = without_last_sign(part) {
            weekdays
                .last
                .insert(item::read_number(&WEEKDAYS, day, part)? % 7);
        } else {
            item::read_into(&WEEKDAYS, part, &mut weekdays.every)?;
        }
    }
    Ok(weekdays)
}

/// Returns the day of `L5` or `5L`. Croniter knows the first form and Quartz
/// the second, and neither has another meaning elsewhere.
fn without_last_sign(part: &str) -> Option<&str> {
    let day = part.strip_prefix('L').or_else(|| part.strip_suffix('L'))?;
    (!day.is_empty()).then_some(day)
}

/// Reads the number after `#` and returns it counted from zero.
fn read_occurrence(part: &str, occurrence: &str) -> Result<usize, CronError> {
    match occurrence {
        "1" => Ok(0),
        "2" => Ok(1),
        "3" => Ok(2),
        "4" => Ok(3),
        "5" => Ok(4),
        _ => Err(CronError::BadOccurrence {
            value: item::shown(part),
        }),
    }
}

/// Reads a lone `?` as a star and refuses one among other signs, where no
/// other cron program gives it a meaning either.
fn star_for_question_mark<'a>(rules: &FieldRules, list: &'a str) -> Result<&'a str, CronError> {
    match list {
        "?" => Ok("*"),
        list if list.contains('?') => Err(CronError::QuestionMark { field: rules.field }),
        list => Ok(list),
    }
}
