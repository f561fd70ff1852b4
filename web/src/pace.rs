//! How fast one person or token may change things: a loop that went wrong must not keep everybody else from the leader.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidemill_core::time::Timestamp;

/// How long one more takes to come back: fifty a second.
const REFILL: Duration = Duration::from_millis(20);
/// So many names are kept before those that rested are forgotten.
const NAMES_MAX: usize = 1_000;

/// Counts the changes of each name.
#[derive(Debug)]
pub(crate) struct Pace {
    /// As many changes as this is long are done at once, by whoever rested.
    burst: Duration,
    /// When each will have rested.
    rested: Mutex<HashMap<Arc<str>, Timestamp>>,
}

impl Pace {
    /// So many changes at once.
    pub(crate) fn new(changes: u32) -> Self {
        Self {
            burst: REFILL.saturating_mul(changes),
            rested: Mutex::default(),
        }
    }

    /// Counts a change.
    ///
    /// # Errors
    /// It is one too many; how long to wait.
    pub(crate) fn change(&self, name: &Arc<str>, now: Timestamp) -> Result<(), Duration> {
        let mut rested = self.rested.lock().unwrap_or_else(PoisonError::into_inner);
        let until = rested.get(name).copied().unwrap_or(now).max(now);
        let behind = until.since(now) + REFILL;
        if behind > self.burst {
            return Err(behind - self.burst);
        }
        if rested.len() >= NAMES_MAX {
            rested.retain(|_, until| *until > now);
        }
        rested.insert(Arc::clone(name), now.after(behind));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_does_not_rest_waits_and_others_do_not() {
        let (pace, now) = (Pace::new(9), Timestamp::from_micros(1_000_000_000));
        let (ann, bob) = (Arc::from("ann"), Arc::from("bob"));
        for _ in 0..9 {
            assert_eq!(pace.change(&ann, now), Ok(()));
        }
        assert_eq!(pace.change(&ann, now), Err(REFILL));
        assert_eq!(pace.change(&bob, now), Ok(()));
        let later = now.after(REFILL);
        assert_eq!(pace.change(&ann, later), Ok(()));
        assert!(pace.change(&ann, later).is_err());
    }
}
