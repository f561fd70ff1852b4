//! Time, as whoever sends requests sees it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tidemill_core::operator::{BoxFuture, TaskContext};

/// What time it is, how to wait, and whether to stop: a task's context, or a command line's own.
pub trait Pace: Send + Sync + 'static {
    /// What time it is.
    fn now(&self) -> DateTime<Utc>;
    /// Waits; less if it is to stop.
    fn sleep(&self, span: Duration) -> BoxFuture<'_, ()>;
    /// Whether to stop.
    fn is_cancelled(&self) -> bool;
    /// Tells whoever watches that something is odd.
    fn warn(&self, line: &str);
}

impl Pace for TaskContext {
    fn now(&self) -> DateTime<Utc> {
        Self::now(self)
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'_, ()> {
        Box::pin(Self::sleep(self, span))
    }

    fn is_cancelled(&self) -> bool {
        Self::is_cancelled(self)
    }

    fn warn(&self, line: &str) {
        Self::warn(self, line);
    }
}
