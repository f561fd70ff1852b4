//! How often and how late a failed attempt is tried again.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::span::{as_text, days, minutes};

/// How the wait grows from one attempt to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Every wait is the same.
    #[default]
    Fixed,
    /// Every wait is twice the one before, with jitter of up to the wait again.
    Exponential,
}

/// How often and how late a failed attempt is tried again. Which failures are retried at all follows from their kind:
/// a failed data check or a missing permission never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How many attempts follow the first.
    pub times: u32,
    /// The first wait.
    #[serde(with = "as_text")]
    pub wait: Duration,
    /// The longest wait.
    #[serde(with = "as_text")]
    pub wait_max: Duration,
    /// How the wait grows.
    pub backoff: Backoff,
}

impl Default for Retry {
    fn default() -> Self {
        Self::never()
    }
}

impl Retry {
    /// A failure is final.
    #[must_use]
    pub const fn never() -> Self {
        Self {
            times: 0,
            wait: minutes(5),
            wait_max: days(1),
            backoff: Backoff::Fixed,
        }
    }

    /// So many attempts after the first, five minutes apart unless said otherwise.
    #[must_use]
    pub const fn times(times: u32) -> Self {
        Self {
            times,
            ..Self::never()
        }
    }

    /// The same wait before each attempt.
    #[must_use]
    pub const fn every(self, wait: Duration) -> Self {
        Self {
            wait,
            wait_max: wait,
            backoff: Backoff::Fixed,
            ..self
        }
    }

    /// Waits that double from the first to the longest, with jitter.
    ///
    /// ```
    /// use tidemill_core::prelude::*;
    /// let retry = Retry::times(3).exponential(minutes(1)..=minutes(30));
    /// assert_eq!(retry.wait_max, minutes(30));
    /// ```
    #[must_use]
    pub const fn exponential(self, waits: RangeInclusive<Duration>) -> Self {
        Self {
            wait: *waits.start(),
            wait_max: *waits.end(),
            backoff: Backoff::Exponential,
            ..self
        }
    }

    /// The wait after the failed attempt with this number (1 for the first). `seed` is a hash of what is being
    /// retried: tasks that failed together do not come back together, and the same history gives the same waits.
    ///
    /// With backoff the wait lies in `[base, 2 × base)` where base doubles with each attempt and is at least a second.
    #[must_use]
    pub fn wait_after(&self, attempt: u32, seed: u64) -> Duration {
        match self.backoff {
            Backoff::Fixed => self.wait.min(self.wait_max),
            Backoff::Exponential => {
                let first = u64::try_from(self.wait.as_millis())
                    .unwrap_or(u64::MAX)
                    .max(1_000);
                let doublings = attempt.saturating_sub(1).min(63);
                let base = first.saturating_mul(1_u64 << doublings);
                let millis = base.saturating_add(seed % base);
                Duration::from_millis(millis).min(self.wait_max)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::seconds;

    #[test]
    fn waits_double_with_jitter_inside_airflows_bounds() {
        let retry = Retry::times(5).exponential(seconds(30)..=days(1));
        for seed in [0, 1, 77_777, u64::MAX] {
            for (attempt, low, high) in [(1, 30, 60), (2, 60, 120), (3, 120, 240)] {
                let wait = retry.wait_after(attempt, seed);
                assert!(
                    wait >= seconds(low) && wait < seconds(high),
                    "attempt {attempt}: {wait:?}"
                );
            }
        }
    }

    #[test]
    fn no_wait_is_under_a_second_or_over_the_longest() {
        let short = Retry::times(5).exponential(Duration::ZERO..=seconds(90));
        assert!(short.wait_after(1, 12_345) >= seconds(1));
        assert_eq!(short.wait_after(u32::MAX, u64::MAX), seconds(90));
    }
}
