//! The time of a process: the wall's, without its jumps being taken for time that passed.

use std::time::Duration;

use tidemill_core::time::Timestamp;
use tokio::time::Instant;

/// A wall clock that is further away than this from where it should be was set, or the machine was asleep.
const JUMP: Duration = Duration::from_secs(2);

/// Tells the time.
#[derive(Debug)]
pub struct Clock {
    wall: fn() -> Timestamp,
    base: Timestamp,
    since: Instant,
}

impl Clock {
    /// A clock that begins at what the wall shows.
    #[must_use]
    pub fn new(wall: fn() -> Timestamp) -> Self {
        Self {
            wall,
            base: wall(),
            since: Instant::now(),
        }
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.base.after(self.since.elapsed())
    }

    /// Sets the clock by the wall. Says whether that was a jump: then nobody's silence until now means anything.
    pub fn set(&mut self) -> bool {
        let (ours, wall) = (self.now(), (self.wall)());
        let apart = ours.since(wall).max(wall.since(ours));
        self.base = wall;
        self.since = Instant::now();
        apart > JUMP
    }

    /// The moment at which this time has come.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> Instant {
        self.since + at.since(self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_noon() -> Timestamp {
        Timestamp::from_micros(1_735_732_800_000_000)
    }

    #[test]
    fn a_wall_clock_that_was_set_is_a_jump_and_one_that_drifts_is_not() {
        let mut clock = Clock::new(at_noon);
        assert!(!clock.set(), "a moment later");
        clock.base = at_noon().after(Duration::from_secs(3600));
        assert!(clock.set(), "the wall went back an hour");
        assert!(clock.now().since(at_noon()) < JUMP);
    }
}
