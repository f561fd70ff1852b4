//! The engine: inputs in, changes and effects out.

use std::sync::Arc;

use serde_json::json;
use tidemill_core::protocol::{
    Assignment, AttemptNo, AttemptRef, Duty, Hello, Report, RunNo, Verdict,
};
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_store::record::Changes;

use super::attempt::{Fence, fence};
use super::effect::{Effect, Output};
use super::fast::FastMap;
use super::input::{Config, Input};
use super::run::{At, Run};
use super::slot::{Flags, UNKNOWN_HANDLE};
use super::workers::WorkerIx;
use super::world::{Timer, Todo, World};

/// Decides what runs.
///
/// It is a function of its inputs and the time they are told at: no clock, no chance, no IO. What it decided has to be
/// committed before anybody is told: see [`Self::take`].
#[derive(Debug)]
pub struct Engine {
    pub(super) runs: FastMap<RunNo, Box<Run>>,
    pub(super) world: World,
}

impl Engine {
    /// An engine that knows nothing yet.
    #[must_use]
    pub fn new(config: Config, now: Timestamp) -> Self {
        Self {
            runs: FastMap::default(),
            world: World::new(config, now),
        }
    }

    /// Tells it something. Time never goes back: an earlier `now` than the last counts as the last.
    pub fn apply(&mut self, input: Input, now: Timestamp) {
        self.world.now = self.world.now.max(now);
        if matches!(input, Input::BackFromOutage) {
            // Before any lease is found to be over: nobody was heard meanwhile.
            self.trust_again();
        }
        self.ring();
        match input {
            Input::Tick | Input::BackFromOutage => {}
            Input::Hello(hello) => self.hello(&hello),
            Input::Beat { worker } => self.beat(&worker),
            Input::Draining { worker } => self.drain(&worker),
            Input::Ready { worker } => self.ready(&worker),
            Input::Left { worker } => self.left(&worker),
            Input::Report {
                worker,
                attempt,
                report,
            } => self.report(&worker, attempt, report),
            Input::Stuck {
                worker,
                attempt,
                why,
                again,
            } => self.stuck(&worker, attempt, why, again),
            Input::Deploy { specs, by } => self.deploy(&specs, &by),
            Input::Ask(request) => self.ask(request),
            Input::Tell(notice) => {
                let to = (notice.route.as_str(), notice.severity);
                self.world.tell(notice.key, to, None, &notice.body);
            }
            Input::Loaded {
                asked,
                rows,
                beyond,
            } => self.loaded(&asked, &rows, beyond),
        }
        self.work();
    }

    /// When it wants to be told the time at the latest.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        let timer = self.world.timers.first().map(|(at, _)| *at);
        let unbegun = self.world.unbegun.front().map(|(at, ..)| *at);
        match (timer, unbegun) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// What came of the inputs since the last time. The changes are to be committed before any effect is carried out,
    /// and before anything that is taken later is committed. An engine whose changes could not be committed is of no
    /// use any more: another is made from what is stored.
    pub fn take(&mut self) -> Output {
        let world = &mut self.world;
        let mut changes = std::mem::take(&mut world.changes);
        for no in std::mem::take(&mut world.dirty_runs) {
            if let Some(run) = self.runs.get_mut(&no) {
                run.dirty = false;
                let row = run.row();
                if std::mem::take(&mut run.new) {
                    changes.new_runs.push(row);
                } else {
                    changes.runs.push(row);
                }
            }
        }
        for (no, at) in std::mem::take(&mut world.dirty_slots) {
            if let Some(run) = self.runs.get_mut(&no) {
                write_slot(run, at, world, &mut changes);
            }
        }
        for dag in std::mem::take(&mut world.dirty_dags) {
            world.dags[dag as usize].dirty = false;
            changes.dags.push(world.dag_row(dag));
        }
        for pool in std::mem::take(&mut world.dirty_pools) {
            changes.pools.push(world.pool_row(pool));
        }
        for id in std::mem::take(&mut world.dirty_cleanups) {
            if let Some(cleanup) = world.cleanups.get(&id) {
                changes.cleanups.push(world.cleanup_row(cleanup));
            }
        }
        world.write_waits(&mut changes);
        world.write_backfills(&mut changes);
        self.forget_ended();
        Output {
            changes,
            effects: std::mem::take(&mut self.world.effects),
        }
    }

    /// Everything that a worker needs for an attempt that [`Effect::Assign`] gave it. None if the attempt is over.
    #[must_use]
    pub fn assignment(&self, attempt: AttemptRef, duty: Duty) -> Option<Assignment> {
        let run = self.runs.get(&attempt.of.run)?;
        let at = run.at(attempt.of)?;
        let slot = run.slot(at)?;
        let cleanup = self.world.cleanups.get(&attempt.attempt);
        let (number, epoch, handle) = match (duty, cleanup) {
            (Duty::Release, cleanup) => {
                let cleanup = cleanup?;
                (cleanup.number, cleanup.epoch, cleanup.handle.clone())
            }
            // It was given up before its worker was told of it. The worker gets it as it was, under its own key, so that
            // the order to stop that follows ends what is its own.
            (_, Some(cleanup)) if cleanup.of == attempt => {
                (cleanup.number, cleanup.epoch, cleanup.handle.clone())
            }
            _ if slot.is_live() && run.attempt(at) == Some(attempt) => {
                (slot.number, slot.epoch, slot.handle().cloned())
            }
            _ => return None,
        };
        let task = run.plan.spec(at.pos);
        let point = self.world.launch_point(run, at, epoch);
        Some(Assignment {
            attempt,
            duty,
            dag: run.plan.definition().id.clone(),
            version: run.plan.version.clone(),
            run: Arc::clone(&run.name),
            run_type: run.kind,
            task: task.id.clone(),
            number,
            key: tidemill_core::operator::LaunchKey::of(&point),
            start: run.start,
            end: run.end,
            params: Arc::clone(&run.params),
            item: slot.detail().and_then(|detail| detail.item.clone()),
            handle: handle.filter(|handle| **handle != *UNKNOWN_HANDLE),
            deadline: slot.deadline.get(),
        })
    }

    /// Does what has become due and what follows, until nothing is left to decide.
    fn work(&mut self) {
        loop {
            while let Some(todo) = self.world.todo.pop_front() {
                self.todo(todo);
            }
            self.dispatch();
            if self.world.todo.is_empty() {
                return;
            }
        }
    }

    fn todo(&mut self, todo: Todo) {
        match todo {
            Todo::Schedule(dag) => self.schedule(dag),
            Todo::Begin(dag) => self.begin_runs(dag),
            Todo::Backfill(id) => self.make_backfill_runs(id),
            Todo::Assets(dag) => self.run_by_assets(dag),
            Todo::Past(run, at) => self.look_back(run, at),
            Todo::Later(run, pos) => self.tell_later(run, pos),
            Todo::Ended(run) => self.after_run(run),
        }
    }

    /// Gives what waits to workers as long as there is room.
    fn dispatch(&mut self) {
        while let Some((lane, waiting)) = self.world.lanes.pick(&self.world.workers) {
            let at = At {
                pos: waiting.order.at,
                index: waiting.order.index,
            };
            let world = &mut self.world;
            let run = self.runs.get_mut(&waiting.order.run);
            let run = run.filter(|run| {
                run.is_active()
                    && run.slot(at).is_some_and(|slot| {
                        slot.state == TaskState::Scheduled && slot.ticket == waiting.ticket
                    })
            });
            let Some(run) = run else {
                world.lanes.dropped(lane);
                continue;
            };
            if run.paused {
                run.held.push(at);
                world.lanes.dropped(lane);
                continue;
            }
            let class = world.lanes.class_of(lane);
            let Some(worker) = world.workers.choose(class) else {
                world.enqueue(run, at);
                world.lanes.dropped(lane);
                continue;
            };
            world.assign(run, at, worker);
            world.lanes.picked(lane);
        }
    }

    /// Does something to a run, and what follows from it.
    pub(super) fn with_run(&mut self, no: RunNo, act: impl FnOnce(&mut World, &mut Run)) {
        if let Some(run) = self.runs.get_mut(&no) {
            act(&mut self.world, run);
            self.world.settle(run);
        }
    }

    /// What time has brought.
    fn ring(&mut self) {
        while let Some((at, timer)) = self.world.timers.first().copied() {
            if at > self.world.now {
                break;
            }
            self.world.timers.pop_first();
            match timer {
                Timer::Retry(run, at) => self.with_run(run, |world, run| world.retry(run, at)),
                Timer::Attempt(run, at) => {
                    self.with_run(run, |world, run| world.timed_out(run, at))
                }
                Timer::RunTimeout(run) => self.with_run(run, World::run_timed_out),
                Timer::RunLate(run) => self.with_run(run, |world, run| world.run_late(run)),
                Timer::TaskLate(run, pos) => {
                    self.with_run(run, |world, run| world.task_late(run, pos))
                }
                Timer::Lease(worker) => self.lease_over(worker),
                Timer::Dag(dag) => {
                    self.world.dags[dag as usize].timer = None;
                    self.world.todo.push_back(Todo::Schedule(dag));
                }
            }
        }
        self.look_for_unbegun();
    }

    /// Attempts that their workers had for too long without beginning them.
    fn look_for_unbegun(&mut self) {
        while let Some((until, no, at, attempt)) = self.world.unbegun.front().copied() {
            let stuck = self
                .runs
                .get(&no)
                .and_then(|run| run.slot(at))
                .is_some_and(|slot| slot.state == TaskState::Queued && slot.attempt == attempt);
            if stuck && until > self.world.now {
                return;
            }
            self.world.unbegun.pop_front();
            if stuck {
                let why = "its worker did not begin it in time".into();
                self.with_run(no, |world, run| world.unbegun(run, at, &why));
            }
        }
    }

    fn report(&mut self, name: &Arc<str>, attempt: AttemptRef, report: Report) {
        let no = attempt.of.run;
        let worker = self.world.workers.known(name, self.world.now);
        let answer = |world: &mut World, verdict| {
            world.effects.push(Effect::Answer {
                worker: Arc::clone(name),
                attempt,
                verdict,
            });
        };
        if report == Report::Stopped {
            if self.stopped(attempt) {
                self.with_run(no, |world, run| world.cleaned_up(run, attempt.attempt));
            }
            return answer(&mut self.world, Verdict::Recorded);
        }
        if matches!(report, Report::Refused { .. }) && self.stopped(attempt) {
            // It never got it. What an earlier attempt of the same launch may have left is for somebody who gets all of it.
            self.with_run(no, |world, run| {
                world.release_elsewhere(run, attempt.attempt)
            });
            return answer(&mut self.world, Verdict::Recorded);
        }
        let open = self.world.config.defects.no_fence;
        let run = self.runs.get_mut(&no);
        let at = run.as_ref().and_then(|run| run.at(attempt.of));
        let (Some(run), Some(at)) = (run, at) else {
            let details = json!({ "attempt": attempt });
            self.world.superseded(name, None, &details);
            return answer(&mut self.world, Verdict::Superseded);
        };
        match fence(run, at, &attempt, worker, open) {
            Fence::Pass => {
                self.world.report(run, at, report);
                self.world.settle(run);
                answer(&mut self.world, Verdict::Recorded);
            }
            Fence::Says(verdict) => {
                if verdict == Verdict::Superseded {
                    let details = json!({ "attempt": attempt });
                    self.world.superseded(name, Some(run), &details);
                }
                answer(&mut self.world, verdict);
            }
        }
    }

    /// Whether an order to stop was carried out that still stands.
    fn stopped(&self, attempt: AttemptRef) -> bool {
        let cleanup = self.world.cleanups.get(&attempt.attempt);
        cleanup.is_some_and(|cleanup| cleanup.of == attempt)
    }

    fn hello(&mut self, hello: &Hello) {
        // What was to be said over its last connection: what still counts is said anew below, or asked for again.
        self.world
            .effects
            .retain(|effect| effect.worker() != Some(&hello.worker));
        let until = self.world.now.after(self.world.config.lease);
        let (worker, new_fleet) = self.world.workers.hello(hello, self.world.now, until);
        self.world.timer(until, Timer::Lease(worker));
        if new_fleet {
            self.world.reclass();
        }
        self.compare(worker, hello);
        self.give_what_waits_for_a_worker();
    }

    /// What no worker watches, and what nobody stops yet.
    pub(super) fn give_what_waits_for_a_worker(&mut self) {
        for (no, at) in self.world.unwatched.clone() {
            self.with_run(no, |world, run| world.watch(run, at));
        }
        let idle: Vec<(AttemptNo, RunNo)> = self
            .world
            .cleanups
            .iter()
            .filter(|(_, cleanup)| cleanup.worker.is_none())
            .map(|(attempt, cleanup)| (*attempt, cleanup.of.of.run))
            .collect();
        for (attempt, no) in idle {
            self.with_run(no, |world, run| world.send_cleanup(run, attempt));
        }
    }

    /// What a worker that came back holds, and what we think it holds.
    fn compare(&mut self, worker: WorkerIx, hello: &Hello) {
        let name = Arc::clone(&hello.worker);
        for (no, at) in self.world.workers.get(worker).held() {
            // What became of one may have ended others: where the DAG fails fast.
            let still = |run: &Run| {
                let slot = run.slot(at);
                slot.is_some_and(|slot| slot.is_live() && slot.worker == Some(worker))
            };
            let Some(run) = self.runs.get(&no).filter(|run| still(run)) else {
                continue;
            };
            let held = run
                .attempt(at)
                .is_some_and(|attempt| hello.holds.contains(&attempt));
            let state = run.slot(at).map_or(TaskState::None, |slot| slot.state);
            match state {
                _ if held => {}
                // It was on its way when the connection broke.
                TaskState::Queued => self.world.order(run, at, worker, Duty::Run),
                TaskState::Deferred => self.world.order(run, at, worker, Duty::Watch),
                _ => {
                    let why = "its worker was started anew".into();
                    self.with_run(no, |world, run| world.lost(run, at, &why));
                }
            }
        }
        for attempt in self.world.workers.get(worker).stops.clone() {
            let Some(cleanup) = self.world.cleanups.get(&attempt) else {
                continue;
            };
            let (of, run) = (cleanup.of, cleanup.of.of.run);
            if hello.holds.contains(&of) {
                self.world.effects.push(Effect::Stop {
                    worker: Arc::clone(&name),
                    attempt: of,
                });
            } else {
                // It forgot about it, or never got it: what may be left outside is to be cancelled all the same.
                self.with_run(run, |world, run| world.release_elsewhere(run, attempt));
            }
        }
        for attempt in &hello.holds {
            let known = self.runs.get(&attempt.of.run).is_some_and(|run| {
                let at = run.at(attempt.of);
                let live = at
                    .and_then(|at| run.slot(at))
                    .is_some_and(|slot| slot.is_live() && slot.worker == Some(worker));
                live && at.and_then(|at| run.attempt(at)) == Some(*attempt)
            });
            if !known && !self.stopped(*attempt) {
                self.world.effects.push(Effect::Answer {
                    worker: Arc::clone(&name),
                    attempt: *attempt,
                    verdict: Verdict::Superseded,
                });
            }
        }
    }

    fn beat(&mut self, name: &str) {
        let until = self.world.now.after(self.world.config.lease);
        if let Some(worker) = self.world.workers.find(name) {
            let worker = self.world.workers.get_mut(worker);
            if worker.up {
                worker.lease_until = until;
            }
        }
    }

    fn drain(&mut self, name: &str) {
        if let Some(worker) = self.world.workers.find(name)
            && self.world.workers.get(worker).up
        {
            self.world.workers.close(worker, true);
        }
    }

    fn left(&mut self, name: &str) {
        if let Some(worker) = self.world.workers.find(name) {
            self.lose_worker(worker, &"its worker left before it was done".into());
        }
    }

    /// A worker was silent for its whole lease.
    fn lease_over(&mut self, worker: WorkerIx) {
        let of = self.world.workers.get(worker);
        let until = of
            .lease_until
            .max(self.world.trusted_from.after(self.world.config.lease));
        if !of.up {
            return;
        }
        if until > self.world.now {
            return self.world.timer(until, Timer::Lease(worker));
        }
        let (up, silent) = self.silence();
        let guard = self.world.trusted_from.after(self.world.config.lease * 2);
        if silent > 1 && silent * 2 > up && guard < self.world.now {
            // That most of them fall silent at once tells more about the network, or about us, than about them.
            self.world.trusted_from = self.world.now;
            let again = self.world.now.after(self.world.config.lease);
            return self.world.timer(again, Timer::Lease(worker));
        }
        self.lose_worker(worker, &"its worker was silent for too long".into());
    }

    fn silence(&self) -> (usize, usize) {
        let up: Vec<Timestamp> = self
            .world
            .workers
            .iter()
            .filter(|(_, worker)| worker.up)
            .map(|(_, worker)| worker.lease_until)
            .collect();
        let silent = up.iter().filter(|until| **until <= self.world.now).count();
        (up.len(), silent)
    }

    fn trust_again(&mut self) {
        self.world.trusted_from = self.world.now;
    }

    fn lose_worker(&mut self, worker: WorkerIx, why: &Arc<str>) {
        if !self.world.workers.get(worker).up {
            return;
        }
        self.world.workers.close(worker, false);
        let held = self.world.workers.get(worker).held();
        self.world.workers.get_mut(worker).holds.clear();
        for (no, at) in held {
            self.with_run(no, |world, run| {
                let Some(slot) = run.slot(at).filter(|slot| slot.is_live()) else {
                    // It ended with another that was lost: the DAG fails fast.
                    return;
                };
                if slot.state == TaskState::Deferred {
                    world.watch(run, at);
                } else {
                    world.lost(run, at, why);
                }
            });
        }
        for attempt in std::mem::take(&mut self.world.workers.get_mut(worker).stops) {
            if let Some(run) = self
                .world
                .cleanups
                .get(&attempt)
                .map(|cleanup| cleanup.of.of.run)
            {
                self.with_run(run, |world, run| world.release_elsewhere(run, attempt));
            }
        }
    }

    /// Lets go of runs that ended long enough ago.
    fn forget_ended(&mut self) {
        // Nothing goes while a command still has to look at what was read back for it.
        let kept = self
            .world
            .read_back
            .as_ref()
            .is_some_and(|read| read.until > self.world.now);
        while !kept && self.world.ended_weight > self.world.config.ended_tasks_kept {
            let first = self.world.ended.front().copied();
            let long_ago = self.world.config.ended_kept_for;
            let first = first.filter(|(.., at)| at.after(long_ago) <= self.world.now);
            let Some((no, weight, _)) = first else {
                return;
            };
            self.world.ended.pop_front();
            self.world.ended_weight = self.world.ended_weight.saturating_sub(weight);
            let Some(run) = self.runs.get(&no) else {
                continue;
            };
            let needed = run
                .following
                .iter()
                .any(|next| self.runs.get(next).is_some_and(|next| !next.has_ended()));
            if run.has_ended() && run.stopping == 0 && !needed {
                self.runs.remove(&no);
                self.world.complete = false;
            }
        }
    }
}

fn write_slot(run: &mut Run, at: At, world: &World, changes: &mut Changes) {
    let Some(slot) = run.slot_mut(at) else {
        return;
    };
    slot.flags.clear(Flags::DIRTY);
    let new = slot.flags.take(Flags::NEW);
    let detail = slot.flags.take(Flags::DETAIL);
    if let Some(row) = run.task_row(at, |worker| world.workers.name(worker)) {
        if new {
            changes.new_tasks.push(row);
        } else {
            changes.tasks.push(row);
        }
    }
    if detail && let Some(row) = run.detail_row(at) {
        changes.task_details.push(row);
    }
}
