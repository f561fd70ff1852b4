//! Saying in plain English when an expression fires.
//!
//! This module owns the sentences about times of day. The phrases for days are
//! in `phrases`. A sentence must never be wrong, so a shape without a short
//! form of its own is told field by field.

use super::fields::{Fields, NumberSet};
use super::phrases::{day_phrase, enumerate, month_names, number_list};

/// The most times of day that are listed one by one.
const MOST_LISTED: usize = 6;

/// The part of a sentence that tells the times of day.
enum Times {
    /// Single times, which need a word for the day in front of them.
    Single(String),
    /// A pace, which says "every" already.
    Pace(String),
}

/// Builds the whole sentence.
pub(super) fn sentence(fields: &Fields) -> String {
    let days = day_phrase(fields);
    let months = if fields.months.is_full() {
        String::new()
    } else {
        format!(" in {}", month_names(fields.months))
    };
    match (times(fields.minutes, fields.hours), days) {
        (Times::Single(times) | Times::Pace(times), Some(days)) => format!("{times} {days}"),
        (Times::Single(times), None) => format!("every day {times}{months}"),
        (Times::Pace(times), None) => format!("{times}{months}"),
    }
}

fn times(minutes: NumberSet, hours: NumberSet) -> Times {
    let within = if hours.is_full() {
        String::new()
    } else if minutes.len() * hours.len() <= MOST_LISTED {
        return Times::Single(format!("at {}", enumerate(&all_times(minutes, hours))));
    } else if let Some(pace) = hourly_pace(minutes, hours) {
        return Times::Pace(pace);
    } else if let Some((first, last)) = bounds_without_holes(minutes, hours) {
        format!(" from {first} to {last}")
    } else {
        format!(" in the hours {}", number_list(hours))
    };
    let pace = match steady_step(minutes) {
        Some(1) => "every minute".to_owned(),
        Some(60) if within.is_empty() => "every hour".to_owned(),
        Some(step) if step < 60 => format!("every {step} minutes"),
        _ => return Times::Pace(told_by_field(minutes, hours)),
    };
    Times::Pace(pace + &within)
}

/// Tells the minutes and hours one after the other, which fits any shape.
fn told_by_field(minutes: NumberSet, hours: NumberSet) -> String {
    let word = if minutes.len() == 1 {
        "minute"
    } else {
        "minutes"
    };
    let minutes = number_list(minutes);
    if hours.is_full() {
        return format!("every hour at {word} {minutes}");
    }
    let hour_word = if hours.len() == 1 { "hour" } else { "hours" };
    let hours = number_list(hours);
    format!("at {word} {minutes} of the {hour_word} {hours}")
}

/// Recognises one minute in hours that are evenly apart, such as every hour
/// from 09:00 to 17:00.
fn hourly_pace(minutes: NumberSet, hours: NumberSet) -> Option<String> {
    let minute = minutes.iter().next().filter(|_| minutes.len() == 1)?;
    let (first, last) = (hours.iter().next()?, hours.iter().last()?);
    let pace = match even_gap(hours)? {
        1 => "every hour".to_owned(),
        gap => format!("every {gap} hours"),
    };
    let (first, last) = (time(first, minute), time(last, minute));
    Some(format!("{pace} from {first} to {last}"))
}

/// Returns the first and last time of day when the hours follow each other.
fn bounds_without_holes(minutes: NumberSet, hours: NumberSet) -> Option<(String, String)> {
    if hours.len() > 1 && even_gap(hours) != Some(1) {
        return None;
    }
    let first = time(hours.iter().next()?, minutes.iter().next()?);
    let last = time(hours.iter().last()?, minutes.iter().last()?);
    Some((first, last))
}

/// Returns the step when the minutes are evenly spread over the whole hour,
/// beginning with minute 0. Only then "every 15 minutes" is the truth.
fn steady_step(minutes: NumberSet) -> Option<u32> {
    let step = match minutes.len() {
        0 => return None,
        1 => 60,
        _ => even_gap(minutes)?,
    };
    let reaches_the_end = minutes.iter().last()? + step == 60;
    (minutes.contains(0) && reaches_the_end).then_some(step)
}

/// Returns the distance between neighbours when it is the same everywhere.
fn even_gap(set: NumberSet) -> Option<u32> {
    let numbers: Vec<_> = set.iter().collect();
    let mut gaps = numbers
        .iter()
        .zip(numbers.iter().skip(1))
        .map(|(a, b)| b - a);
    let gap = gaps.next()?;
    gaps.all(|other| other == gap).then_some(gap)
}

fn all_times(minutes: NumberSet, hours: NumberSet) -> Vec<String> {
    hours
        .iter()
        .flat_map(|hour| minutes.iter().map(move |minute| time(hour, minute)))
        .collect()
}

fn time(hour: u32, minute: u32) -> String {
    format!("{hour:02}:{minute:02}")
}
