//! Attempts that are to be stopped and cannot be: a worker tries for as long as it takes, because nothing else of the
//! instance may begin before that is done, and people see what stands in the way.

use std::sync::Arc;
use std::time::Duration;

use tidemill_core::protocol::AttemptRef;
use tidemill_core::time::Timestamp;

use super::machine::Engine;
use super::run::{At, Run};
use super::slot::{Flags, UNKNOWN_HANDLE};
use super::why::{Gate, Held, held};

/// So much of a handle is shown.
const HANDLE_CHARS: usize = 200;

/// Why a worker has not stopped an attempt yet.
#[derive(Debug, Clone)]
pub(super) struct Stuck {
    why: Arc<str>,
    /// When it tries again.
    again: Timestamp,
}

impl Engine {
    /// A worker cannot stop an attempt yet. It counts only of the worker that has the order now.
    pub(super) fn stuck(
        &mut self,
        name: &str,
        attempt: AttemptRef,
        why: Arc<str>,
        again: Duration,
    ) {
        let worker = self.world.workers.find(name);
        let again = self.world.now.after(again);
        if let Some(cleanup) = self.world.cleanups.get_mut(&attempt.attempt)
            && cleanup.of == attempt
            && worker.is_some()
            && cleanup.worker == worker
        {
            cleanup.stuck = Some(Stuck { why, again });
        }
    }

    /// The gate of an instance whose last attempt is being stopped: by whom, and what stands in the way.
    pub(super) fn why_stopping(&self, run: &Run, at: At) -> Option<Held> {
        let slot = run.slot(at)?;
        if !slot.flags.has(Flags::STOPPING) {
            return None;
        }
        let cleanup = self.world.cleanups.get(&slot.ended_attempt);
        let worker = cleanup.and_then(|cleanup| self.world.workers.name(cleanup.worker?.get()));
        let mut says = "its last attempt is being stopped".to_owned();
        match worker {
            Some(name) => says.push_str(&format!(" by worker {name}")),
            None => says.push_str("; no worker can do that now"),
        }
        if let Some(cleanup) = cleanup
            && let Some(Stuck { why, again }) = &cleanup.stuck
        {
            let handle = cleanup.handle.as_deref();
            let handle = handle.filter(|handle| *handle != UNKNOWN_HANDLE);
            let what = handle.map_or_else(String::new, |handle| format!(" {}", short(handle)));
            says.push_str(&format!(
                ", which cannot cancel what it started{what}: {why}; it tries again at {again}"
            ));
        }
        Some(held(Gate::Stopping, false, says))
    }
}

fn short(handle: &str) -> String {
    match handle.char_indices().nth(HANDLE_CHARS) {
        None => handle.to_owned(),
        Some((end, _)) => format!("{}…", &handle[..end]),
    }
}
