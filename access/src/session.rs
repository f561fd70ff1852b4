//! How long a session lasts.

use std::time::Duration;

use tidemill_core::time::Timestamp;

/// How long a session lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// So long after it was last used.
    pub idle: Duration,
    /// And so long at all, however much it is used.
    pub absolute: Duration,
}

impl Default for Lifetimes {
    /// Twelve hours unused, which is a night on call, and a week at all.
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(12 * 3_600),
            absolute: Duration::from_secs(7 * 86_400),
        }
    }
}

impl Lifetimes {
    /// When a session ends that began then and is used now.
    #[must_use]
    pub fn ends_at(&self, created_at: Timestamp, now: Timestamp) -> Timestamp {
        now.after(self.idle).min(created_at.after(self.absolute))
    }
}
