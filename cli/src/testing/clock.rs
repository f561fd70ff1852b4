//! A clock that stands still while anything can go on, and then moves to the next moment that somebody waits for.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Who sleeps: all that one attempt waits for bears its number.
pub(super) type Sleeper = u64;

pub(super) struct Clock {
    start: DateTime<Utc>,
    hands: Mutex<Hands>,
}

#[derive(Default)]
struct Hands {
    passed: Duration,
    nth: u64,
    /// By when it is to be woken; the second number keeps the order of those that are woken at once.
    sleepers: BTreeMap<(Duration, u64), (Waker, Sleeper)>,
}

impl Clock {
    pub(super) fn new(start: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self {
            start,
            hands: Mutex::default(),
        })
    }

    /// A task that panicked while it looked at the clock has not stopped it.
    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        let passed = TimeDelta::from_std(self.passed()).unwrap_or(TimeDelta::MAX);
        self.start
            .checked_add_signed(passed)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// How much time has passed since the start.
    pub(super) fn passed(&self) -> Duration {
        self.hands().passed
    }

    /// How long after the start this instant is.
    pub(super) fn until(&self, at: DateTime<Utc>) -> Duration {
        at.signed_duration_since(self.start)
            .to_std()
            .unwrap_or_default()
    }

    pub(super) fn sleep(self: &Arc<Self>, span: Duration, who: Sleeper) -> Sleep {
        Sleep {
            until: self.passed().saturating_add(span),
            clock: Arc::clone(self),
            who,
            entry: None,
        }
    }

    /// When the next sleeper wakes.
    pub(super) fn next(&self) -> Option<Duration> {
        self.hands().sleepers.keys().next().map(|(until, _)| *until)
    }

    pub(super) fn sleeps(&self, who: Sleeper) -> bool {
        self.hands().sleepers.values().any(|(_, of)| *of == who)
    }

    /// Moves on, and wakes who is to be woken by then.
    pub(super) fn advance(&self, to: Duration) {
        let mut hands = self.hands();
        hands.passed = hands.passed.max(to);
        let later = hands.sleepers.split_off(&(to, u64::MAX));
        let woken = std::mem::replace(&mut hands.sleepers, later);
        drop(hands);
        for (waker, _) in woken.into_values() {
            waker.wake();
        }
    }

    /// Has a sleeper look again whether it still has to sleep.
    pub(super) fn rouse(&self, who: Sleeper) {
        let hands = self.hands();
        let of_it = hands.sleepers.values().filter(|(_, of)| *of == who);
        let wakers: Vec<Waker> = of_it.map(|(waker, _)| waker.clone()).collect();
        drop(hands);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// A wait on the virtual clock.
pub(super) struct Sleep {
    clock: Arc<Clock>,
    until: Duration,
    who: Sleeper,
    entry: Option<(Duration, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let clock = Arc::clone(&self.clock);
        let mut hands = clock.hands();
        if hands.passed >= self.until {
            return Poll::Ready(());
        }
        if self.entry.is_none() {
            hands.nth += 1;
            self.entry = Some((self.until, hands.nth));
        }
        if let Some(entry) = self.entry {
            hands.sleepers.insert(entry, (cx.waker().clone(), self.who));
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(entry) = self.entry {
            self.clock.hands().sleepers.remove(&entry);
        }
    }
}
