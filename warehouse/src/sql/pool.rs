//! The memory of queries: what can be spilled leaves room for what cannot.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// What merges the runs of a sort. It needs as much as is sorted, and takes whatever it gets.
const MERGE: &str = "ExternalSorterMerge";

/// A pool of which those who can spill share three eighths, and the merges of sorts a half: a merge can always hold what its
/// sort held. What is left is for others that cannot spill, and so is what those do not hold.
#[derive(Debug)]
pub(super) struct Shared {
    size: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    spillers: usize,
    merges: usize,
    spillable: usize,
    fixed: usize,
}

impl Shared {
    /// Of so many bytes.
    pub(super) fn new(size: usize) -> Self {
        Self {
            size,
            held: Mutex::default(),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB", self.size >> 20)
    }
}

impl MemoryPool for Shared {
    fn name(&self) -> &'static str {
        "shared"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        let mut held = self.held();
        if consumer.can_spill() {
            held.spillers += 1;
        } else if consumer.name().starts_with(MERGE) {
            held.merges += 1;
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        let mut held = self.held();
        if consumer.can_spill() {
            held.spillers = held.spillers.saturating_sub(1);
        } else if consumer.name().starts_with(MERGE) {
            held.merges = held.merges.saturating_sub(1);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        let mut held = self.held();
        if reservation.consumer().can_spill() {
            held.spillable += additional;
        } else {
            held.fixed += additional;
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let mut held = self.held();
        if reservation.consumer().can_spill() {
            held.spillable = held.spillable.saturating_sub(shrink);
        } else {
            held.fixed = held.fixed.saturating_sub(shrink);
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut held = self.held();
        let left = self.size.saturating_sub(held.fixed);
        let (room, taken) = if reservation.consumer().can_spill() {
            let share = left.min(self.size / 8 * 3) / held.spillers.max(held.merges).max(1);
            (
                share.saturating_sub(reservation.size()),
                &mut held.spillable,
            )
        } else {
            let mut room = left.saturating_sub(held.spillable);
            if reservation.consumer().name().starts_with(MERGE) {
                room = room
                    .min((self.size / 2 / held.merges.max(1)).saturating_sub(reservation.size()));
            }
            (room, &mut held.fixed)
        };
        if additional > room {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} needs {additional} bytes more, and has {room} of the {self} that all queries share",
                reservation.consumer().name()
            )));
        }
        *taken += additional;
        Ok(())
    }

    fn reserved(&self) -> usize {
        let held = self.held();
        held.spillable + held.fixed
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.size)
    }
}
