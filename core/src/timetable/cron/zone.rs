//! How local times and instants of a time zone map to each other.
//!
//! This module owns the offsets of a zone, its changes of offset, and the
//! answer to which instants show a given local time. It must not know about
//! cron. Instants are seconds since 1970 in UTC; local times are the same count
//! for the date and time that a clock in the zone shows, which keeps all
//! arithmetic in whole numbers.

use chrono::{DateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// How far around a moment a change of offset is looked for, which is 26 hours.
///
/// This exceeds every offset from UTC and every jump of a clock since 1970, so
/// a change further away cannot bring back or skip the local times near the
/// moment. No zone changes its offset twice within this span, which a test
/// checks against the zone database.
const REACH: i64 = 26 * 3600;

/// The earliest instant worth asking about, two days before 1970 begins.
const EARLIEST: i64 = -2 * 86_400;

/// The latest instant worth asking about, two days after 2101 begins.
const LATEST: i64 = 4_133_980_800 + 2 * 86_400;

/// The instants at which a clock in a zone shows a given local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    /// The clock shows it at this instant and no other.
    Once(i64),
    /// The clock shows it twice because it was put back in between.
    Twice(i64, i64),
    /// The clock never shows it. This is the first instant after the gap.
    Skipped(i64),
}

/// Turns an instant into whole seconds within the years that are searched.
///
/// Everything outside has the same answer as the nearest bound, and the bounds
/// keep the arithmetic around them from overflowing. Parts of a second can be
/// dropped, because cron fires on whole minutes only.
pub(super) fn clamp(instant: DateTime<Utc>) -> i64 {
    instant.timestamp().clamp(EARLIEST, LATEST)
}

/// Turns whole seconds back into an instant.
pub(super) fn to_utc(instant: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(instant, 0)
}

/// Returns the seconds by which local time is ahead of UTC at an instant.
pub(super) fn offset_at(zone: Tz, instant: i64) -> i64 {
    let utc = DateTime::from_timestamp(instant, 0).unwrap_or(DateTime::UNIX_EPOCH);
    let offset = zone.offset_from_utc_datetime(&utc.naive_utc()).fix();
    i64::from(offset.local_minus_utc())
}

/// Returns the instant at which the offset changes in `(from, to]`.
///
/// The answer is `None` when the offsets at both ends are equal. The search
/// halves the span, so the span must not hold more than one change.
pub(super) fn change_in(zone: Tz, from: i64, to: i64) -> Option<i64> {
    let old = offset_at(zone, from);
    if from >= to || old == offset_at(zone, to) {
        return None;
    }
    let (mut before, mut at_or_after) = (from, to);
    while at_or_after - before > 1 {
        let middle = before + (at_or_after - before) / 2;
        if offset_at(zone, middle) == old {
            before = middle;
        } else {
            at_or_after = middle;
        }
    }
    Some(at_or_after)
}

/// Returns the change of offset in the reach after an instant, if there is one.
pub(super) fn change_soon_after(zone: Tz, instant: i64) -> Option<i64> {
    change_in(zone, instant, instant + REACH)
}

/// Returns the change of offset in the reach before an instant or at it.
pub(super) fn change_shortly_before(zone: Tz, instant: i64) -> Option<i64> {
    change_in(zone, instant - REACH, instant)
}

/// Finds the instants at which a clock shows a local time.
pub(super) fn place(zone: Tz, local: i64) -> Placement {
    let (from, to) = (local - REACH, local + REACH);
    let (old, new) = (offset_at(zone, from), offset_at(zone, to));
    if old == new {
        return Placement::Once(local - old);
    }
    let change = change_in(zone, from, to).unwrap_or(to);
    let (early, late) = (local - old, local - new);
    match (early < change, late >= change) {
        (true, true) => Placement::Twice(early, late),
        (true, false) => Placement::Once(early),
        (false, true) => Placement::Once(late),
        (false, false) => Placement::Skipped(change),
    }
}

/// Returns the latest local time that no clock will show after `instant`.
///
/// Normally that is the local time at the instant itself. Shortly before clocks
/// go back it is earlier, because the repeated hour is still to come again. A
/// fixed local time stands for an instant after `instant` exactly when it is
/// later than the answer, so that comparing local times is enough to tell the
/// next run from the last one.
pub(super) fn passed_for_good(zone: Tz, instant: i64) -> i64 {
    let local = instant + offset_at(zone, instant);
    match change_soon_after(zone, instant) {
        Some(change) => local.min(change + offset_at(zone, change) - 1),
        None => local,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        let time: DateTime<Utc> = text.parse().expect("the instant is well formed");
        time.timestamp()
    }

    #[test]
    fn places_local_times_around_both_changes() {
        let zone = Tz::Europe__Zurich;
        let spring = at("2023-03-26T01:00:00Z");
        assert_eq!(
            place(zone, at("2023-03-26T02:00:00Z")),
            Placement::Skipped(spring)
        );
        assert_eq!(
            place(zone, at("2023-03-26T03:00:00Z")),
            Placement::Once(spring)
        );
        assert_eq!(
            place(zone, at("2023-03-26T01:59:59Z")),
            Placement::Once(spring - 1)
        );
        assert_eq!(
            place(zone, at("2023-10-29T02:00:00Z")),
            Placement::Twice(at("2023-10-29T00:00:00Z"), at("2023-10-29T01:00:00Z"))
        );
        assert_eq!(
            place(zone, at("2023-10-29T03:00:00Z")),
            Placement::Once(at("2023-10-29T02:00:00Z"))
        );
    }

    #[test]
    fn places_a_day_that_was_skipped_as_a_whole() {
        let end = at("2011-12-30T10:00:00Z");
        for time in ["2011-12-30T00:00:00Z", "2011-12-30T23:59:59Z"] {
            assert_eq!(place(Tz::Pacific__Apia, at(time)), Placement::Skipped(end));
        }
    }

    #[test]
    fn knows_that_a_repeated_hour_is_still_to_come() {
        let zone = Tz::Europe__Zurich;
        let before = at("2023-10-29T00:30:00Z");
        assert_eq!(passed_for_good(zone, before), at("2023-10-29T01:59:59Z"));
        let after = at("2023-10-29T01:30:00Z");
        assert_eq!(passed_for_good(zone, after), at("2023-10-29T02:30:00Z"));
    }
}
