//! When what is parked is looked at again. A few bytes an attempt, whatever it waits for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use tidemill_core::protocol::AttemptRef;
use tokio::time::Instant;

/// What is to be looked at, and when.
#[derive(Debug, Default)]
pub(crate) struct Lookout {
    /// With whether it has had its turn.
    due: BinaryHeap<Reverse<(Instant, AttemptRef, bool)>>,
    rates: BTreeMap<String, Rate>,
}

/// How many looks a second are allowed at one kind of thing.
#[derive(Debug, Clone, Copy)]
struct Rate {
    every: Duration,
    next: Instant,
}

impl Lookout {
    pub(crate) fn new(looks_per_second: &BTreeMap<String, u32>) -> Self {
        let now = Instant::now();
        let rate = |(name, looks): (&String, &u32)| {
            let every = Duration::from_secs(1) / (*looks).max(1);
            (name.clone(), Rate { every, next: now })
        };
        Self {
            due: BinaryHeap::new(),
            rates: looks_per_second.iter().map(rate).collect(),
        }
    }

    pub(crate) fn add(&mut self, attempt: AttemptRef, at: Instant) {
        self.due.push(Reverse((at, attempt, false)));
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, ..))| *at)
    }

    /// One that may be looked at now. It may have ended meanwhile. `operator` says what kind of thing it waits for.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        operator: impl Fn(AttemptRef) -> Option<String>,
    ) -> Option<AttemptRef> {
        loop {
            let Reverse((at, attempt, has_turn)) = *self.due.peek()?;
            if at > now {
                return None;
            }
            self.due.pop();
            if has_turn || self.rates.is_empty() {
                return Some(attempt);
            }
            let turn = operator(attempt).map_or(now, |operator| self.turn(&operator, now));
            if turn <= now {
                return Some(attempt);
            }
            self.due.push(Reverse((turn, attempt, true)));
        }
    }

    /// When the next look at something of this kind is allowed.
    fn turn(&mut self, operator: &str, now: Instant) -> Instant {
        let Some(rate) = self.rates.get_mut(operator) else {
            return now;
        };
        let turn = rate.next.max(now);
        rate.next = turn + rate.every;
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_at_one_service_keep_their_distance() {
        let limits = BTreeMap::from([("bigquery".to_owned(), 10)]);
        let mut lookout = Lookout::new(&limits);
        let now = Instant::now() + Duration::from_secs(1);
        let turns: Vec<_> = (0..3).map(|_| lookout.turn("bigquery", now)).collect();
        let tenth = Duration::from_millis(100);
        assert_eq!(turns, [now, now + tenth, now + 2 * tenth]);
        assert_eq!(lookout.turn("sensor", now), now);
    }
}
