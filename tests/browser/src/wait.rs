//! Waiting, in the one way that does not flake: a condition is looked at until it holds, and the deadline is generous.

use std::time::{Duration, Instant};

/// How long something may take on a machine that is busy with other things.
const WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(40);

#[expect(clippy::disallowed_methods, reason = "a test waits for real processes")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a test waits for real processes")]
fn pause() {
    std::thread::sleep(LOOK_EVERY);
}

/// Looks until something is there.
///
/// # Panics
/// When it does not come.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let late = now() + WITHIN;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(now() < late, "in {WITHIN:?} not: {what}");
        pause();
    }
}
