//! From recurring points in time to runs: intervals, ticks, catch-up.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::spec::{Definition, Kind, Schedule, Timing};

/// A run that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The start of what it covers: its logical date, unique within a DAG's scheduled runs.
    pub start: DateTime<Utc>,
    /// The end of what it covers; the same as the start where a run belongs to one instant.
    pub end: DateTime<Utc>,
    /// When it may begin.
    pub run_after: DateTime<Utc>,
}

impl Due {
    const fn tick(at: DateTime<Utc>) -> Self {
        Self {
            start: at,
            end: at,
            run_after: at,
        }
    }

    const fn interval(start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        Self {
            start,
            end,
            run_after: end,
        }
    }
}

/// Which times a DAG's runs may cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Where fixed distances are counted from: the DAG's own start, also in a backfill with bounds of its own.
    pub anchor: Option<DateTime<Utc>>,
    /// Nothing before this.
    pub start: Option<DateTime<Utc>>,
    /// Nothing after this.
    pub end: Option<DateTime<Utc>>,
    /// Whether every missed run is made up for, or only the newest.
    pub catchup: bool,
}

impl Definition {
    /// Which times its runs may cover.
    #[must_use]
    pub const fn window(&self) -> Window {
        Window {
            anchor: self.start,
            start: self.start,
            end: self.end,
            catchup: self.catchup,
        }
    }
}

/// A missed tick is still run without catch-up when it is younger than this part of the period …
const LATE_PART: i32 = 10;
/// … or younger than this, whichever is longer.
const LATE_MIN: TimeDelta = TimeDelta::minutes(5);

impl Timing {
    /// The first tick after an instant. `anchor` is where fixed distances are counted from.
    #[must_use]
    pub fn next_after(&self, anchor: DateTime<Utc>, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Cron { crons, zone, .. } => crons
                .iter()
                .filter_map(|cron| cron.next_after(*zone, after))
                .min(),
            Self::Every { period, .. } => step(*period, anchor, after, 1),
            Self::Dates { at } => at
                .range((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded))
                .next()
                .copied(),
        }
    }

    /// The last tick at or before an instant.
    #[must_use]
    pub fn last_at_or_before(
        &self,
        anchor: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        match self {
            Self::Cron { crons, zone, .. } => crons
                .iter()
                .filter_map(|cron| cron.last_at_or_before(*zone, at))
                .max(),
            Self::Every { period, .. } => step(*period, anchor, at, 0),
            Self::Dates { at: dates } => dates.range(..=at).next_back().copied(),
        }
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::Cron { kind, .. } | Self::Every { kind, .. } => *kind,
            Self::Dates { .. } => Kind::Tick,
        }
    }

    fn next_due(&self, window: &Window, last: Option<Due>, now: DateTime<Utc>) -> Option<Due> {
        let anchor = window.anchor.unwrap_or(DateTime::UNIX_EPOCH);
        let due = match self.kind() {
            Kind::Interval => self.next_interval(window, anchor, last, now)?,
            Kind::Tick => self.next_tick(window, anchor, last, now)?,
        };
        window.end.is_none_or(|end| due.start <= end).then_some(due)
    }

    fn next_interval(
        &self,
        window: &Window,
        anchor: DateTime<Utc>,
        last: Option<Due>,
        now: DateTime<Utc>,
    ) -> Option<Due> {
        let newest = || {
            let end = self.last_at_or_before(anchor, now)?;
            self.last_at_or_before(anchor, before(end))
        };
        let first = window
            .start
            .and_then(|start| self.next_after(anchor, before(start)));
        let follows = last.map(|last| last.end);
        let start = match (window.catchup, follows.max(first)) {
            (true, Some(start)) => start,
            // There is nothing to catch up from: begin with the newest complete interval, or the next one.
            (_, None) => newest().or_else(|| self.next_after(anchor, now))?,
            (false, Some(start)) => newest().map_or(start, |newest| newest.max(start)),
        };
        Some(Due::interval(start, self.next_after(anchor, start)?))
    }

    fn next_tick(
        &self,
        window: &Window,
        anchor: DateTime<Utc>,
        last: Option<Due>,
        now: DateTime<Utc>,
    ) -> Option<Due> {
        let first = window
            .start
            .and_then(|start| self.next_after(anchor, before(start)));
        let follows = match last {
            // A start that was moved beyond the last run counts as well.
            Some(last) => Some(self.next_after(anchor, last.start)?).max(first),
            None => first,
        };
        if let (true, Some(at)) = (window.catchup, follows) {
            return Some(Due::tick(at));
        }
        let next = self.next_after(anchor, now);
        let missed = self.last_at_or_before(anchor, now).filter(|missed| {
            let period = next.map_or(TimeDelta::zero(), |next| next - *missed);
            now - *missed <= (period / LATE_PART).max(LATE_MIN)
        });
        let newest = missed.or(next);
        match (follows, newest) {
            (Some(follows), Some(newest)) => Some(Due::tick(follows.max(newest))),
            (Some(_), None) => None,
            (None, newest) => newest.map(Due::tick),
        }
    }
}

/// The instant just before another; the first of all instants has none.
fn before(at: DateTime<Utc>) -> DateTime<Utc> {
    at.checked_sub_signed(TimeDelta::nanoseconds(1))
        .unwrap_or(at)
}

/// The tick number `⌊(at − anchor) / period⌋ + further`, never before the anchor.
fn step(
    period: Duration,
    anchor: DateTime<Utc>,
    at: DateTime<Utc>,
    further: i64,
) -> Option<DateTime<Utc>> {
    let period = TimeDelta::from_std(period).ok()?.num_milliseconds().max(1);
    let passed = (at - anchor).num_milliseconds();
    // Milliseconds cut fractions towards zero, which for a moment before the anchor is the wrong way.
    let below = TimeDelta::milliseconds(passed) > at - anchor;
    let count =
        passed.div_euclid(period) - i64::from(below && passed.rem_euclid(period) == 0) + further;
    let tick =
        anchor.checked_add_signed(TimeDelta::try_milliseconds(count.checked_mul(period)?)?)?;
    match (tick >= anchor, further) {
        (true, _) => Some(tick),
        (false, 0) => None,
        (false, _) => Some(anchor),
    }
}

impl Schedule {
    /// The next run by the timetable, given the last one it made; it may lie in the future. Runs by hand and by
    /// assets do not count as the last one: they do not move the timetable.
    #[must_use]
    pub fn next_due(&self, window: &Window, last: Option<Due>, now: DateTime<Utc>) -> Option<Due> {
        match self {
            Self::Manual | Self::Assets(_) => None,
            Self::Once if last.is_some() => None,
            Self::Once => Some(Due::tick(window.start.unwrap_or(now))),
            Self::Continuous => {
                let start = last.map_or_else(|| window.start.unwrap_or(now), |last| last.end);
                // Starts are unique, also when the clock stands still or goes back.
                let next = last.map_or(start, |last| last.start + TimeDelta::microseconds(1));
                let start = start.max(next);
                let end = now.max(start);
                window.end.is_none_or(|stop| start <= stop).then_some(Due {
                    start,
                    end,
                    run_after: end,
                })
            }
            Self::Timed(timing) | Self::AssetsOrTimed(_, timing) => {
                timing.next_due(window, last, now)
            }
        }
    }

    /// What a run by hand covers when nobody says: the last complete interval, or this instant. A run that assets start
    /// covers the instant at which they started it.
    #[must_use]
    pub fn manual(&self, window: &Window, now: DateTime<Utc>) -> Due {
        let anchor = window.anchor.unwrap_or(DateTime::UNIX_EPOCH);
        let complete = self
            .timing()
            .filter(|timing| timing.kind() == Kind::Interval)
            .and_then(|timing| {
                let end = timing.last_at_or_before(anchor, now)?;
                let start = timing.last_at_or_before(anchor, before(end))?;
                Some(Due {
                    start,
                    end,
                    run_after: now,
                })
            });
        complete.unwrap_or_else(|| Due::tick(now))
    }
}
