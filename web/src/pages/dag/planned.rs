//! The runs that a timetable will make.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use tidemill_core::spec::{Schedule, Timing};
use tidemill_core::timetable::Due;

use super::super::rows::Known;
use tidemill_core::time::Timestamp;

/// No more runs are worked out one by one: a page is not worth more. Of the days after them it is said that there are some.
const RUNS_MAX: usize = 600;

/// The next runs in turn. A timetable that goes by something else than time has none.
pub(super) struct Next<'a> {
    known: &'a Known,
    now: DateTime<Utc>,
    last: Option<Due>,
}

/// What is planned from here on, whether or not the DAG is paused; nothing of one that was removed.
pub(super) fn next(known: &Known, now: Timestamp) -> Next<'_> {
    let last = known.row.last_due.map(|(start, end, run_after)| Due {
        start: start.date(),
        end: end.date(),
        run_after: run_after.date(),
    });
    Next {
        known,
        now: now.date(),
        last,
    }
}

fn timing(known: &Known) -> Option<&Timing> {
    let schedule = &known.spec.definition.schedule;
    schedule.timing().filter(|_| known.row.version.is_some())
}

impl Iterator for Next<'_> {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        timing(self.known)?;
        let definition = &self.known.spec.definition;
        let schedule: &Schedule = &definition.schedule;
        let due = schedule.next_due(&definition.window(), self.last, self.now)?;
        self.last = Some(due);
        Some(due)
    }
}

/// How many runs are planned on a day: so many, or some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planned {
    Runs(u32),
    Some,
}

/// The days up to the last one that runs are planned for, by the beginning of what they cover. What is due already is no plan.
pub(super) fn by_day(
    known: &Known,
    now: Timestamp,
    last_day: NaiveDate,
) -> BTreeMap<NaiveDate, Planned> {
    let mut days: BTreeMap<NaiveDate, Planned> = BTreeMap::new();
    let mut due = next(known, now);
    for _ in 0..RUNS_MAX {
        let Some(run) = due.next() else { return days };
        let day = run.start.date_naive();
        if day > last_day {
            return days;
        }
        if run.run_after < now.date() {
            continue;
        }
        match days.entry(day).or_insert(Planned::Runs(0)) {
            Planned::Runs(count) => *count += 1,
            Planned::Some => {}
        }
    }
    // The day on which it broke off is not complete either.
    let (Some(timing), Some(last)) = (timing(known), due.last) else {
        return days;
    };
    let window = known.spec.definition.window();
    let anchor = window.anchor.unwrap_or(DateTime::UNIX_EPOCH);
    let today = now.date().date_naive();
    let mut day = last.start.date_naive().max(today);
    while day <= last_day {
        let midnight = day.and_time(NaiveTime::MIN).and_utc();
        let before = midnight - TimeDelta::nanoseconds(1);
        let tick = timing.next_after(anchor, before);
        let Some(tick) = tick.filter(|tick| window.end.is_none_or(|end| *tick <= end)) else {
            return days;
        };
        // Days without any are left out.
        day = tick.date_naive();
        if day <= last_day {
            days.insert(day, Planned::Some);
        }
        let Some(tomorrow) = day.succ_opt() else {
            return days;
        };
        day = tomorrow;
    }
    days
}
