//! The words for days, week days and months.
//!
//! This module owns the phrases that sentences and messages are made of. It
//! must not know about times of day.

use super::fields::{Fields, NumberSet, longest_length};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The week days in the order in which a work week is spoken of, each with the
/// number that cron gives it.
const WEEKDAYS: [(u32, &str); 7] = [
    (1, "Monday"),
    (2, "Tuesday"),
    (3, "Wednesday"),
    (4, "Thursday"),
    (5, "Friday"),
    (6, "Saturday"),
    (0, "Sunday"),
];

const OCCURRENCES: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

/// Tells the days when the day field or the weekday field limits them.
///
/// The months are part of the phrase, since they apply to both fields.
pub(super) fn day_phrase(fields: &Fields) -> Option<String> {
    let months = if fields.months.is_full() {
        None
    } else {
        Some(month_names(fields.months))
    };
    let of_months = format!("of {}", months.as_deref().unwrap_or("every month"));
    let mut phrases = Vec::new();
    if fields.days_limited {
        phrases.push(format!("on {} {of_months}", days_of_month(fields)));
    }
    if fields.weekdays_limited {
        let weekdays = &fields.weekdays;
        if !weekdays.every.is_empty() {
            let names = weekday_names(weekdays.every);
            phrases.push(match &months {
                Some(months) => format!("on {names} in {months}"),
                None => format!("on {names}"),
            });
        }
        let nth = OCCURRENCES.into_iter().zip(weekdays.nth);
        for (word, days) in nth.chain([("last", weekdays.last)]) {
            if !days.is_empty() {
                let names = weekday_names(days);
                phrases.push(format!("on the {word} {names} {of_months}"));
            }
        }
    }
    (!phrases.is_empty()).then(|| phrases.join(" and also "))
}

fn days_of_month(fields: &Fields) -> String {
    let mut phrases = Vec::new();
    if !fields.days.is_empty() {
        let word = if fields.days.len() == 1 {
            "day"
        } else {
            "days"
        };
        phrases.push(format!("{word} {}", number_list(fields.days)));
    }
    if fields.last_day {
        phrases.push("the last day".to_owned());
    }
    phrases.join(" and ")
}

/// Says which days do not exist in the months of an expression that never
/// fires, for example "February has no day 30 or 31".
pub(super) fn missing_days(fields: &Fields) -> String {
    let longest = fields.months.iter().map(longest_length).max().unwrap_or(0);
    let days: Vec<_> = (fields.days.iter().filter(|day| *day > longest))
        .map(|day| day.to_string())
        .collect();
    let verb = if fields.months.len() == 1 {
        "has"
    } else {
        "have"
    };
    let months = month_names(fields.months);
    format!("{months} {verb} no day {}", days.join(" or "))
}

/// Names the months of a set, for example "June to August".
pub(super) fn month_names(months: NumberSet) -> String {
    let present = MONTHS.map(str::to_owned);
    let present = (1..)
        .zip(present)
        .map(|(n, name)| (months.contains(n), name));
    spans(&present.collect::<Vec<_>>())
}

/// Names week days, for example "Monday to Friday". A run that passes from
/// Sunday to Monday is kept in one piece.
fn weekday_names(weekdays: NumberSet) -> String {
    let mut present: Vec<_> = WEEKDAYS
        .iter()
        .map(|(n, name)| (weekdays.contains(*n), (*name).to_owned()))
        .collect();
    let wraps = [1, 0].iter().all(|day| weekdays.contains(*day));
    if wraps && let Some(hole) = present.iter().rposition(|(is_in, _)| !is_in) {
        let run = present.split_off(hole);
        if run.len() + leading(&present) > 3 {
            present.splice(0..0, run);
        } else {
            present.extend(run);
        }
    }
    spans(&present)
}

/// Counts how many entries at the start are present.
fn leading(present: &[(bool, String)]) -> usize {
    present.iter().take_while(|(is_in, _)| *is_in).count()
}

/// Lists numbers with "to" for longer runs, for example "1 to 7 and 15".
pub(super) fn number_list(set: NumberSet) -> String {
    let present: Vec<_> = (0..64).map(|n| (set.contains(n), n.to_string())).collect();
    spans(&present)
}

/// Joins the present entries, with three or more neighbours as a span.
fn spans(entries: &[(bool, String)]) -> String {
    let mut phrases = Vec::new();
    for run in entries.split(|(is_in, _)| !is_in) {
        match run {
            [(_, first), _, .., (_, last)] => phrases.push(format!("{first} to {last}")),
            short => phrases.extend(short.iter().map(|(_, name)| name.clone())),
        }
    }
    enumerate(&phrases)
}

/// Joins phrases with commas and an "and" before the last one.
pub(super) fn enumerate(phrases: &[String]) -> String {
    match phrases {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}
