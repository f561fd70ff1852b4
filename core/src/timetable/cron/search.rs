//! The search for the moments at which an expression fires.
//!
//! This module owns the schedules handed to the `cron` crate and the two ways
//! of turning their local times into instants. The `cron` crate only ever sees
//! local times disguised as UTC, because its own treatment of zones is not the
//! one that this product promises. Text must not be read here.

use std::str::FromStr;

use chrono::{DateTime, Datelike, Utc};
use chrono_tz::Tz;

use super::error::CronError;
use super::fields::{Fields, NumberSet, longest_length};
use super::phrases;
use super::zone::{self, Placement};

/// The last second before 1970, which is where the `cron` crate begins.
const BEFORE_FIRST: i64 = -1;

/// The first second of 2101. The `cron` crate ends with the year before.
const AFTER_LAST: i64 = 4_133_980_800;

const DAY: i64 = 86_400;

/// What a found date must fulfil beyond what the `cron` crate can express.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    Any,
    /// The date must be the last of its month.
    LastDay,
    /// The date must be among the last seven of its month.
    LastWeek,
}

impl Guard {
    fn admits(self, date: DateTime<Utc>) -> bool {
        let left = u32::from(date.num_days_in_month()) - date.day();
        match self {
            Self::Any => true,
            Self::LastDay => left == 0,
            Self::LastWeek => left < 7,
        }
    }
}

/// One of the alternatives whose union is the expression.
#[derive(Clone, Debug)]
struct Branch {
    schedule: ::cron::Schedule,
    guard: Guard,
}

impl Branch {
    /// Returns the first match after a local time. A date that the guard turns
    /// down is left as a whole, because all of its minutes share the date.
    fn next(&self, after: i64) -> Option<i64> {
        let mut from = after.max(BEFORE_FIRST);
        while from < AFTER_LAST {
            let start = DateTime::from_timestamp(from, 0)?;
            let found = self.schedule.after(&start).next()?;
            if self.guard.admits(found) {
                return Some(found.timestamp());
            }
            from = day_start(found.timestamp()) + DAY - 1;
        }
        None
    }

    fn last(&self, at: i64) -> Option<i64> {
        let mut until = at.saturating_add(1).min(AFTER_LAST);
        while until > 0 {
            let end = DateTime::from_timestamp(until, 0)?;
            let found = self.schedule.after(&end).next_back()?;
            if self.guard.admits(found) {
                return Some(found.timestamp());
            }
            until = day_start(found.timestamp());
        }
        None
    }
}

fn day_start(local: i64) -> i64 {
    local - local.rem_euclid(DAY)
}

/// Everything needed to find the local times that match an expression.
#[derive(Clone, Debug)]
pub(super) struct Search {
    branches: Vec<Branch>,
}

impl Search {
    /// Prepares the search, with one branch for each alternative.
    ///
    /// An expression without a branch matches no date and is refused here.
    pub(super) fn build(text: &str, fields: &Fields) -> Result<Self, CronError> {
        let mut rules = Vec::new();
        let any_weekday = full(0, 6);
        if fields.days_limited {
            let days = existing_days(fields);
            if !days.is_empty() {
                rules.push((days, any_weekday, Guard::Any));
            }
            if fields.last_day {
                rules.push((range(28, 31), any_weekday, Guard::LastDay));
            }
        }
        if fields.weekdays_limited {
            let weekdays = &fields.weekdays;
            rules.push((range(1, 31), weekdays.every, Guard::Any));
            for (first, days) in (1..).step_by(7).zip(weekdays.nth) {
                rules.push((range(first, first + 6), days, Guard::Any));
            }
            rules.push((range(22, 31), weekdays.last, Guard::LastWeek));
        }
        if !fields.days_limited && !fields.weekdays_limited {
            rules.push((range(1, 31), any_weekday, Guard::Any));
        }
        let branches = rules
            .into_iter()
            .filter(|(_, weekdays, _)| !weekdays.is_empty())
            .map(|(days, weekdays, guard)| branch(text, fields, days, weekdays, guard))
            .collect::<Result<Vec<_>, _>>()?;
        if branches.is_empty() {
            return Err(CronError::NeverFires {
                text: text.to_owned(),
                reason: phrases::missing_days(fields),
            });
        }
        Ok(Self { branches })
    }

    /// Returns the first matching local time after the given one.
    fn next(&self, after: i64) -> Option<i64> {
        self.branches.iter().filter_map(|b| b.next(after)).min()
    }

    /// Returns the last matching local time at the given one or before it.
    fn last(&self, at: i64) -> Option<i64> {
        self.branches.iter().filter_map(|b| b.last(at)).max()
    }
}

/// Makes one branch, whose date must match the days and the week days both.
fn branch(
    text: &str,
    fields: &Fields,
    days: NumberSet,
    weekdays: NumberSet,
    guard: Guard,
) -> Result<Branch, CronError> {
    let source = format!(
        "0 {} {} {} {} {}",
        list(fields.minutes, 0),
        list(fields.hours, 0),
        list(days, 0),
        list(fields.months, 0),
        list(weekdays, 1),
    );
    let schedule = ::cron::Schedule::from_str(&source).map_err(|err| CronError::Search {
        text: text.to_owned(),
        reason: err.to_string(),
    })?;
    Ok(Branch { schedule, guard })
}

/// Writes a set as the `cron` crate reads it. The shift is for week days, which
/// that crate counts from 1. A full set becomes a star, which it searches best.
fn list(set: NumberSet, shift: u32) -> String {
    if set.is_full() {
        return "*".to_owned();
    }
    let numbers: Vec<_> = set.iter().map(|n| (n + shift).to_string()).collect();
    numbers.join(",")
}

fn full(min: u32, max: u32) -> NumberSet {
    let mut set = NumberSet::empty(min, max);
    (min..=max).for_each(|number| set.insert(number));
    set
}

/// Returns the days of the month from `first` to `last` that can exist.
fn range(first: u32, last: u32) -> NumberSet {
    let mut set = NumberSet::empty(1, 31);
    (first..=last).for_each(|day| set.insert(day));
    set
}

/// Returns the days that at least one of the months has in some year. A branch
/// without any would make the search walk through all years in vain.
fn existing_days(fields: &Fields) -> NumberSet {
    let longest = fields.months.iter().map(longest_length).max().unwrap_or(0);
    let mut days = NumberSet::empty(1, 31);
    fields
        .days
        .iter()
        .filter(|day| *day <= longest)
        .for_each(|day| days.insert(day));
    days
}

/// Finds the next instant of an expression with fixed local times.
///
/// The instant that a local time stands for never moves back when the local
/// time moves on, so the first match that is not yet over gives the answer.
/// The loop repeats only if a zone breaks the assumptions about how often
/// clocks change, and then it keeps the promise that time moves on.
pub(super) fn next_at_fixed_times(search: &Search, zone: Tz, after: i64) -> Option<i64> {
    let mut local = zone::passed_for_good(zone, after);
    loop {
        local = search.next(local)?;
        let instant = fixed(zone, local);
        if instant > after {
            return Some(instant);
        }
    }
}

/// Finds the last instant of an expression with fixed local times.
pub(super) fn last_at_fixed_times(search: &Search, zone: Tz, at: i64) -> Option<i64> {
    let mut local = zone::passed_for_good(zone, at);
    loop {
        local = search.last(local)?;
        let instant = fixed(zone, local);
        if instant <= at {
            return Some(instant);
        }
        local -= 1;
    }
}

/// Returns the one instant that a fixed local time stands for.
fn fixed(zone: Tz, local: i64) -> i64 {
    match zone::place(zone, local) {
        Placement::Once(instant) | Placement::Skipped(instant) | Placement::Twice(_, instant) => {
            instant
        }
    }
}

/// Finds the next instant of an expression that follows real time.
///
/// Between two changes of offset, local time and real time run in step. The
/// search therefore goes from change to change, and each time looks for a match
/// with the offset that holds there. A far match is placed directly, because
/// every change on the way leaves the local times before it unmatched.
pub(super) fn next_in_real_time(search: &Search, zone: Tz, after: i64) -> Option<i64> {
    let mut instant = after;
    let mut offset = zone::offset_at(zone, instant);
    let mut local = instant + offset;
    loop {
        let found = search.next(local)?;
        let candidate = found - offset;
        let change = zone::change_soon_after(zone, instant).filter(|change| *change <= candidate);
        let restart = match (change, zone::place(zone, found)) {
            (Some(change), _) | (None, Placement::Skipped(change)) => change,
            (None, Placement::Once(at)) => return Some(at),
            (None, Placement::Twice(early, late)) => {
                return Some(if early >= instant { early } else { late });
            }
        };
        instant = restart;
        offset = zone::offset_at(zone, instant);
        local = instant + offset - 1;
    }
}

/// Finds the last instant of an expression that follows real time.
///
/// This mirrors [`next_in_real_time`], with changes taken from late to early.
pub(super) fn last_in_real_time(search: &Search, zone: Tz, at: i64) -> Option<i64> {
    let mut instant = at;
    let mut offset = zone::offset_at(zone, instant);
    loop {
        let found = search.last(instant + offset)?;
        let candidate = found - offset;
        let change =
            zone::change_shortly_before(zone, instant).filter(|change| *change > candidate);
        let restart = match (change, zone::place(zone, found)) {
            (Some(change), _) | (None, Placement::Skipped(change)) => change,
            (None, Placement::Once(at)) => return Some(at),
            (None, Placement::Twice(early, late)) => {
                return Some(if late <= instant { late } else { early });
            }
        };
        instant = restart - 1;
        offset = zone::offset_at(zone, instant);
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn search(text: &str) -> Search {
        let (text, fields) = parse::read(text).expect("the expression can be read");
        Search::build(&text, &fields).expect("the expression fires")
    }

    #[test]
    fn makes_one_branch_for_each_alternative_that_can_match() {
        assert_eq!(search("0 0 * * *").branches.len(), 1);
        assert_eq!(search("0 0 15 * 5").branches.len(), 2);
        assert_eq!(search("0 0 31 2 5").branches.len(), 1);
        assert_eq!(search("0 0 1,L * 1,2#1,3#2,L5").branches.len(), 6);
    }

    #[test]
    fn stays_within_the_years_that_are_searched() {
        let every_minute = search("* * * * *");
        assert_eq!(every_minute.next(i64::MIN), Some(0));
        assert_eq!(every_minute.last(-1), None);
        assert_eq!(every_minute.last(i64::MAX), Some(AFTER_LAST - 60));
        assert_eq!(every_minute.next(AFTER_LAST - 60), None);
    }
}
