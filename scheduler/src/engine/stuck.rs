//! Attempts that are to be stopped and cannot be: a worker tries for as long as it takes, because nothing else of the
//! instance may begin before that is done, and people see what stands in the way. A person may end the wait.

use std::sync::Arc;
use std::time::Duration;

use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::{AttemptNo, AttemptRef, NOT_MAPPED, Verdict};
use tidemill_core::time::Timestamp;

use super::effect::Effect;
use super::machine::Engine;
use super::run::{At, Run};
use super::slot::{Flags, UNKNOWN_HANDLE};
use super::why::{Gate, Held, held};
use super::world::{Cleanup, World};

/// So much of a handle is shown.
const HANDLE_CHARS: usize = 200;

/// A stop that takes longer than this, whatever stands in its way, is one that somebody should know of. A service that is
/// down for a moment, a rolling restart, and a cancel that takes its time are over before.
pub const STOP_PATIENCE: Duration = Duration::from_secs(600);

/// Why a worker has not stopped an attempt yet.
#[derive(Debug, Clone)]
pub(super) struct Stuck {
    why: Arc<str>,
    /// When it tries again.
    again: Timestamp,
}

/// A stop that takes longer than [`STOP_PATIENCE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckStop {
    /// The attempt that is being stopped.
    pub attempt: AttemptRef,
    /// Its DAG.
    pub dag: DagId,
    /// Its run's name.
    pub run: Arc<str>,
    /// Its task.
    pub task: TaskId,
    /// Since when it is being stopped.
    pub since: Timestamp,
    /// The worker that has the order; none if none can have it.
    pub worker: Option<Arc<str>>,
    /// In words: what stands in the way, and what a person can do.
    pub says: String,
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

    /// The stops that take too long, by attempt. It looks at all stops.
    #[must_use]
    pub fn stuck_stops(&self) -> Vec<StuckStop> {
        let world = &self.world;
        let overdue = world.cleanups.values();
        let overdue = overdue.filter(|cleanup| world.is_overdue(cleanup));
        let view = |cleanup: &Cleanup| {
            let run = self.runs.get(&cleanup.of.of.run)?;
            Some(StuckStop {
                attempt: cleanup.of,
                dag: run.plan.definition().id.clone(),
                run: Arc::clone(&run.name),
                task: run.plan.spec(cleanup.at.pos).id.clone(),
                since: cleanup.since,
                worker: world.stopped_by(cleanup),
                says: world.stop_says(run, cleanup),
            })
        };
        overdue.filter_map(view).collect()
    }

    /// The gate of an instance whose last attempt is being stopped: by whom, and what stands in the way.
    pub(super) fn why_stopping(&self, run: &Run, at: At) -> Option<Held> {
        let cleanup = self.world.cleanup_of(run, at)?;
        let says = self.world.stop_says(run, cleanup);
        Some(held(Gate::Stopping, false, says))
    }
}

impl World {
    /// The stop that an instance waits for. There is one at a time, and it is of the last attempt.
    pub(super) fn cleanup_of(&self, run: &Run, at: At) -> Option<&Cleanup> {
        let slot = run.slot(at)?;
        let stops = slot.flags.has(Flags::STOPPING);
        stops.then(|| self.cleanups.get(&slot.attempt)).flatten()
    }

    /// The worker that has the order.
    pub(super) fn stopped_by(&self, cleanup: &Cleanup) -> Option<Arc<str>> {
        self.workers.name(cleanup.worker?.get())
    }

    fn is_overdue(&self, cleanup: &Cleanup) -> bool {
        self.now.since(cleanup.since) >= STOP_PATIENCE
    }

    fn stop_says(&self, run: &Run, cleanup: &Cleanup) -> String {
        let mut says = "its last attempt is being stopped".to_owned();
        match self.stopped_by(cleanup) {
            Some(name) => says.push_str(&format!(" by worker {name}")),
            None => says.push_str("; no worker can do that now"),
        }
        if let Some(Stuck { why, again }) = &cleanup.stuck {
            let what = left_outside(cleanup).map_or_else(String::new, |what| format!(" {what}"));
            says.push_str(&format!(
                ", which cannot cancel what it started{what}: {why}; it tries again at {again}"
            ));
        }
        if self.is_overdue(cleanup) {
            let (dag, name) = (&run.plan.definition().id, &run.name);
            let task = &run.plan.spec(cleanup.at.pos).id;
            let task = match cleanup.at.index {
                NOT_MAPPED => task.to_string(),
                index => format!("{task}[{index}]"),
            };
            says.push_str(&format!(
                ". That goes on since {}: if you know what became of the job, `tasks forget {dag} {name} {task} --note \
                 TEXT` ends the wait",
                cleanup.since
            ));
        }
        says
    }

    /// A stop is waited for no longer. The worker that still tries is told what it is told of an attempt that somebody else
    /// has: it drops it, and whatever it says of it later changes nothing.
    pub(super) fn forget(&mut self, run: &mut Run, attempt: AttemptNo) {
        let Some(cleanup) = self.cleanups.get(&attempt) else {
            return;
        };
        if let Some(worker) = self.stopped_by(cleanup) {
            let answer = Effect::Answer {
                worker,
                attempt: cleanup.of,
                verdict: Verdict::Superseded,
            };
            self.effects.push(answer);
        }
        self.cleaned_up(run, attempt);
    }
}

/// The job that an attempt that is being stopped left outside, as far as its worker said.
pub(super) fn left_outside(cleanup: &Cleanup) -> Option<String> {
    let handle = cleanup.handle.as_deref();
    handle.filter(|handle| *handle != UNKNOWN_HANDLE).map(short)
}

fn short(handle: &str) -> String {
    match handle.char_indices().nth(HANDLE_CHARS) {
        None => handle.to_owned(),
        Some((end, _)) => format!("{}…", &handle[..end]),
    }
}
