//! Places at which a process can be made to die, for tests that show that dying there does no harm. Without the feature
//! `crash-points` all of this is nothing.

/// All places there are, and what is lost at each.
pub const POINTS: [&str; 9] = [
    // A scheduler has decided, and nothing of it is on record.
    "scheduler_before_commit",
    // It is on record, and nobody was told.
    "scheduler_after_commit",
    // Everybody was told, and the next batch is only in memory.
    "scheduler_between_batches",
    // The lead is taken, and the engine is not there yet.
    "scheduler_recovering",
    // Another one leads, and what was decided here is worth nothing.
    "scheduler_deposed",
    // An order came, and nothing of it has begun.
    "worker_order_taken",
    // The work is done, and only this process knows.
    "worker_effect_done",
    // A report is on its way, and its answer is not there.
    "worker_report_said",
    // The worker said that it takes nothing new, and still holds what it had.
    "worker_draining",
];

/// The process dies here if it was armed for this place.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub const fn here(_: &'static str) {}

#[cfg(feature = "crash-points")]
pub use armed::{arm, here};

#[cfg(feature = "crash-points")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::POINTS;

    struct Armed {
        point: &'static str,
        left: AtomicU32,
        die: fn() -> !,
    }

    static ARMED: OnceLock<Armed> = OnceLock::new();

    /// Has the process die the `nth` time that it comes to a place; `name:nth`, the first time if there is no number.
    ///
    /// # Errors
    /// Says what is wrong with the text, or that a place is armed already.
    pub fn arm(text: &str, die: fn() -> !) -> Result<(), String> {
        let (name, nth) = text.split_once(':').unwrap_or((text, "1"));
        let point = POINTS.into_iter().find(|point| *point == name);
        let point =
            point.ok_or_else(|| format!("`{name}` is no place; write one of {POINTS:?}"))?;
        let left = nth
            .parse()
            .ok()
            .filter(|nth| *nth > 0)
            .ok_or_else(|| format!("`{nth}` is no number from 1 up"))?;
        let armed = Armed {
            point,
            left: AtomicU32::new(left),
            die,
        };
        let armed = ARMED.set(armed);
        armed.map_err(|_| "a place is armed already".to_owned())
    }

    /// The process dies here if it was armed for this place.
    pub fn here(point: &'static str) {
        let Some(armed) = ARMED.get().filter(|armed| armed.point == point) else {
            return;
        };
        if armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            (armed.die)();
        }
    }
}
