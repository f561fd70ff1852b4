//! How long to wait before a request is sent again, and how often that may happen.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use ring::rand::{SecureRandom as _, SystemRandom};

/// A service that asks for more patience than this is not waited for: the attempt ends, and the scheduler waits.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// No wait is shorter, whatever the lot says.
const SHORTEST: Duration = Duration::from_millis(50);

/// Repetitions are paid from this: a tenth is earned by each success, one is spent by each repetition. When a server is
/// down, what many tasks send to it soon is no more than what each of them sends once.
#[derive(Debug)]
pub(crate) struct Budget(AtomicU32);

const ONE: u32 = 10;
const MOST: u32 = 100 * ONE;

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU32::new(MOST))
    }
}

impl Budget {
    pub(super) fn earn(&self) {
        let more = |now: u32| (now < MOST).then_some(now + 1);
        // Full is full.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Whether one more repetition is allowed; it is paid for then.
    pub(super) fn spend(&self) -> bool {
        let less = |now: u32| now.checked_sub(ONE);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }
}

/// The wait before repetition `nth`, which is 0 for the first, with `lot` from 0 to 1.
pub(super) fn backoff(nth: u32, lot: f64) -> Duration {
    let ceiling = FIRST.saturating_mul(1 << nth.min(16)).min(LONGEST);
    ceiling.mul_f64(lot.clamp(0.0, 1.0)).max(SHORTEST)
}

/// A number from 0 to 1 by chance.
pub(super) fn lot() -> f64 {
    let mut bytes = [0; 4];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}

/// What `Retry-After` says, in seconds or as a date.
pub(super) fn after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers
        .get(reqwest::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    Some(at.signed_duration_since(now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_are_drawn_by_lot_and_end_at_a_minute() {
        let longest: Vec<u64> = (0..9).map(|nth| backoff(nth, 1.0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff(4, 0.5), Duration::from_secs(8));
        assert_eq!(backoff(4, 0.0), SHORTEST);
        assert_eq!(backoff(u32::MAX, 2.0), LONGEST);
        assert!((0.0..=1.0).contains(&lot()));
    }

    #[test]
    fn a_server_says_seconds_or_a_date() {
        let now: DateTime<Utc> = "2025-03-01T10:00:00Z".parse().unwrap();
        let said = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", text.parse().unwrap());
            after(&headers, now).map(|span| span.as_secs())
        };
        assert_eq!(said("7"), Some(7));
        assert_eq!(said("Sat, 01 Mar 2025 10:00:30 GMT"), Some(30));
        assert_eq!(said("Sat, 01 Mar 2025 09:00:00 GMT"), Some(0));
        assert_eq!(said("soon"), None);
        assert_eq!(after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_server_that_is_down_is_not_asked_for_ever() {
        let budget = Budget::default();
        assert_eq!((0..1_000).filter(|_| budget.spend()).count(), 100);
        for _ in 0..9 {
            budget.earn();
        }
        assert!(!budget.spend());
        budget.earn();
        assert!(budget.spend());
        for _ in 0..5_000 {
            budget.earn();
        }
        assert_eq!((0..1_000).filter(|_| budget.spend()).count(), 100);
    }
}
