//! From "its rule is met" to "a worker has it", and back.

use std::sync::Arc;

use tidemill_core::operator::LaunchPoint;
use tidemill_core::protocol::{AttemptNo, Duty, NOT_MAPPED, TaskNo};
use tidemill_core::spec::TaskSpec;
use tidemill_core::state::{RunType, TaskState};
use tidemill_core::text::{Values, fill};
use tidemill_store::record::AttemptEnd;

use super::effect::Effect;
use super::lanes::{GateIx, LaneIx, LaneKey, Order, PoolIx, Waiting};
use super::plan::Pos;
use super::run::{At, Run};
use super::slot::{Flags, Moment};
use super::workers::WorkerIx;
use super::world::{Cleanup, World};

impl World {
    /// Lets an instance wait for room.
    pub(super) fn enqueue(&mut self, run: &mut Run, at: At) {
        if run
            .slot(at)
            .is_none_or(|slot| slot.flags.has(Flags::STOPPING))
        {
            // The attempt that is being stopped comes back here when it is.
            return;
        }
        if run.paused {
            run.held.push(at);
            return;
        }
        let lane = match self.lane_of(run, at) {
            Ok(lane) => lane,
            Err(why) => {
                let why = Some(format!("its key of concurrency cannot be filled in: {why}").into());
                self.end_undone(run, at, TaskState::Failed, why);
                return;
            }
        };
        self.ticket = self.ticket.wrapping_add(1).max(1);
        let order = Order {
            priority: std::cmp::Reverse(
                run.plan.task(at.pos).priority.saturating_add(run.priority),
            ),
            backfill: run.kind == RunType::Backfill,
            start: run.start.micros(),
            run: run.no,
            at: at.pos,
            index: at.index,
        };
        let ticket = self.ticket;
        if let Some(slot) = run.slot_mut(at) {
            slot.ticket = ticket;
        }
        self.lanes.push(lane, Waiting { order, ticket });
    }

    fn lane_of(&mut self, run: &mut Run, at: At) -> Result<LaneIx, String> {
        let task = run.plan.task(at.pos);
        let slots = task.slots;
        let simple = run.pool.is_none() && run.gate.is_none() && !task.limited;
        if simple && let Some(lane) = self.places[run.plan_ix as usize].lanes[at.pos as usize] {
            return Ok(lane);
        }
        let mut gates = vec![self.dag(run.dag).gate];
        gates.extend(run.gate);
        gates.extend(self.held_gates(run, at)?);
        let pool = self.pool_of(run, at.pos);
        let queue = self.places[run.plan_ix as usize].queues[at.pos as usize];
        let key = LaneKey {
            dag: run.dag,
            plan: run.plan_ix,
            queue,
            pool,
            slots,
            gates: gates.into(),
        };
        let class = self.class(run.plan_ix, at.pos);
        let lane = self.lanes.lane(&key, class);
        if simple {
            self.places[run.plan_ix as usize].lanes[at.pos as usize] = Some(lane);
        }
        Ok(lane)
    }

    /// The gates that an attempt holds also while it is deferred.
    fn held_gates(&mut self, run: &mut Run, at: At) -> Result<Vec<GateIx>, String> {
        if !run.plan.task(at.pos).limited {
            return Ok(Vec::new());
        }
        let plan = Arc::clone(&run.plan);
        let limits = &plan.spec(at.pos).concurrency;
        let mut gates = Vec::new();
        if let Some(limit) = limits.active_max {
            let no = plan.task(at.pos).no;
            let known = self.dag(run.dag).task_gates.get(&no).copied();
            let gate = known.unwrap_or_else(|| {
                let limit = self.active_max(run.dag, no, limit);
                let gate = self.lanes.new_gate(limit);
                self.dags[run.dag as usize].task_gates.insert(no, gate);
                gate
            });
            gates.push(gate);
        }
        if let Some(limit) = limits.active_per_run_max {
            let lanes = &mut self.lanes;
            let gate = run.task_gates.entry(at.pos);
            gates.push(*gate.or_insert_with(|| lanes.new_gate(Some(limit))));
        }
        if limits.key.is_some() {
            gates.push(self.key_gate(run, at)?);
        }
        Ok(gates)
    }

    /// How many attempts of a task may be on over all runs: what the newest version says, if it has the task.
    fn active_max(&self, dag: u32, task: TaskNo, otherwise: u32) -> Option<u32> {
        let newest = self.dag(dag).newest.map(|at| &self.plans[at as usize]);
        let spec = newest.and_then(|plan| Some(plan.spec(plan.position(task)?)));
        spec.map_or(Some(otherwise), |spec| spec.concurrency.active_max)
    }

    fn key_gate(&mut self, run: &mut Run, at: At) -> Result<GateIx, String> {
        if let Some(key) = run.slot(at).and_then(|slot| slot.detail()?.key) {
            return Ok(self.key_gates[key as usize]);
        }
        let plan = Arc::clone(&run.plan);
        let spec = plan.spec(at.pos);
        let limit = spec.concurrency.key_active_max.max(1);
        let name: Arc<str> = self.fill_key(run, at, spec)?.into();
        let next = u32::try_from(self.key_gates.len()).unwrap_or(u32::MAX);
        let key = *self.keys.entry(name).or_insert(next);
        if key == next {
            let gate = self.lanes.new_gate(Some(limit));
            self.key_gates.push(gate);
        }
        if let Some(slot) = run.slot_mut(at) {
            // Not a change worth writing: it follows from the run.
            slot.detail.get_or_insert_default().key = Some(key);
        }
        Ok(self.key_gates[key as usize])
    }

    fn fill_key(&self, run: &Run, at: At, spec: &TaskSpec) -> Result<String, String> {
        let text = spec.concurrency.key.as_ref().map_or("", |key| key.as_str());
        let json = |text: &str| serde_json::from_str(text).unwrap_or_default();
        let params = json(&run.params);
        let item = run.slot(at).and_then(|slot| slot.detail()?.item.clone());
        let item = item.map(|item| json(&item));
        let variables: Vec<_> = self.config.variables.clone().into_iter().collect();
        let values = Values {
            interval: (run.start.date(), run.end.date()),
            zone: run.plan.definition().zone(),
            dag_id: run.plan.definition().id.as_str(),
            run_id: &run.name,
            run_type: run.kind.word(),
            task_id: spec.id.as_str(),
            map_index: u32::try_from(at.index).ok(),
            attempt: 1,
            launch_key: "",
            params: &params,
            item: item.as_ref(),
            outputs: &[],
            variables: &variables,
        };
        fill(text, &values).map_err(|error| error.to_string())
    }

    /// The pool whose slots an instance takes.
    pub(super) fn pool_of(&self, run: &Run, pos: Pos) -> PoolIx {
        match &run.pool {
            Some((pool, _)) => *pool,
            None => self.places[run.plan_ix as usize].pools[pos as usize],
        }
    }

    /// Gives a waiting instance to a worker.
    pub(super) fn assign(&mut self, run: &mut Run, at: At, worker: WorkerIx) {
        let attempt = self.next_attempt();
        let now = self.now;
        let Some(slot) = run.slot_mut(at) else {
            return;
        };
        slot.attempt = attempt;
        slot.hand = 0;
        slot.number += 1;
        slot.edits += 1;
        slot.ticket = 0;
        slot.worker = Some(worker);
        slot.queued_at = Moment::from(now);
        slot.started_at = Moment::NONE;
        run.lists.remove(&(run.plan.task(at.pos).no, at.index));
        self.enter(run, at, TaskState::Queued);
        self.hold(run, at, true);
        self.workers.take_slot(worker);
        self.workers.get_mut(worker).holds.insert((run.no, at));
        let until = now.after(self.config.queued_max);
        self.unbegun.push_back((until, run.no, at, attempt));
        self.order(run, at, worker, Duty::Run);
    }

    pub(super) fn order(&mut self, run: &Run, at: At, worker: WorkerIx, duty: Duty) {
        if let Some(attempt) = run.attempt(at) {
            let worker = Arc::clone(&self.workers.get(worker).name);
            self.effects.push(Effect::Assign {
                worker,
                attempt,
                duty,
            });
        }
    }

    /// Takes everything that an attempt holds while a worker runs it, or only what it holds while it is deferred.
    pub(super) fn hold(&mut self, run: &mut Run, at: At, runs: bool) {
        let pool = self.pool_of(run, at.pos);
        let slots = run.plan.task(at.pos).slots;
        if runs {
            self.lanes.take(self.dags[run.dag as usize].gate);
            if let Some(gate) = run.gate {
                self.lanes.take(gate);
            }
        }
        if (runs || self.lanes.pools[pool as usize].holds_deferred)
            && !self.config.defects.no_pool_count
        {
            self.lanes.take_pool(pool, slots);
        }
        for gate in self.held_gates(run, at).unwrap_or_default() {
            self.lanes.take(gate);
        }
    }

    /// Gives back what an attempt holds only while a worker runs it.
    pub(super) fn park(&mut self, run: &mut Run, at: At) {
        self.lanes.give_back(self.dags[run.dag as usize].gate);
        if let Some(gate) = run.gate {
            self.lanes.give_back(gate);
        }
        let pool = self.pool_of(run, at.pos);
        if !self.lanes.pools[pool as usize].holds_deferred && !self.config.defects.no_pool_count {
            let slots = run.plan.task(at.pos).slots;
            self.lanes.give_back_pool(pool, slots);
        }
    }

    /// Gives back everything that an attempt in this state holds.
    pub(super) fn let_go(&mut self, run: &mut Run, at: At, state: TaskState) {
        let pool = self.pool_of(run, at.pos);
        if state == TaskState::Deferred {
            if self.lanes.pools[pool as usize].holds_deferred && !self.config.defects.no_pool_count
            {
                let slots = run.plan.task(at.pos).slots;
                self.lanes.give_back_pool(pool, slots);
            }
        } else {
            self.lanes.give_back(self.dags[run.dag as usize].gate);
            if let Some(gate) = run.gate {
                self.lanes.give_back(gate);
            }
            if !self.config.defects.no_pool_count {
                let slots = run.plan.task(at.pos).slots;
                self.lanes.give_back_pool(pool, slots);
            }
        }
        for gate in self.held_gates(run, at).unwrap_or_default() {
            self.lanes.give_back(gate);
        }
    }

    /// Has an attempt that no worker watches watched by one.
    pub(super) fn watch(&mut self, run: &mut Run, at: At) {
        let class = self.class(run.plan_ix, at.pos);
        let Some(worker) = self.workers.watcher(class) else {
            self.unwatched.insert((run.no, at));
            if run
                .slot_mut(at)
                .is_some_and(|slot| slot.worker.take().is_some())
            {
                self.dirty(run, at);
            }
            return;
        };
        self.unwatched.remove(&(run.no, at));
        if let Some(slot) = run.slot_mut(at) {
            slot.hand = slot.hand.wrapping_add(1);
            slot.worker = Some(worker);
        }
        self.dirty(run, at);
        self.workers.get_mut(worker).holds.insert((run.no, at));
        self.order(run, at, worker, Duty::Watch);
    }

    /// A cleanup goes to a worker that can do it.
    pub(super) fn send_cleanup(&mut self, run: &Run, attempt: AttemptNo) {
        let Some(cleanup) = self.cleanups.get(&attempt).cloned() else {
            return;
        };
        let class = self.class(run.plan_ix, cleanup.at.pos);
        let worker = self.workers.watcher(class);
        self.dirty_cleanups.insert(attempt);
        let Some(known) = self.cleanups.get_mut(&attempt) else {
            return;
        };
        known.worker = worker;
        known.holds_slot = false;
        known.stuck = None;
        known.of.hand = known.of.hand.wrapping_add(1);
        let of = known.of;
        if let Some(worker) = worker {
            let worker = self.workers.get_mut(worker);
            worker.stops.insert(attempt);
            let worker = Arc::clone(&worker.name);
            self.effects.push(Effect::Assign {
                worker,
                attempt: of,
                duty: Duty::Release,
            });
        }
    }

    /// Ends the attempt that is on, from our side: its worker is told to stop it, and nothing else of the instance
    /// starts before it has.
    pub(super) fn give_up(&mut self, run: &mut Run, at: At, end: AttemptEnd, why: &Arc<str>) {
        let Some(slot) = run.slot(at).filter(|slot| slot.is_live()) else {
            return self.release_left(run, at);
        };
        let (attempt, worker, state) = (slot.attempt, slot.worker, slot.state);
        let (number, epoch, handle) = (slot.number, slot.epoch, slot.handle().cloned());
        let Some(of) = run.attempt(at) else {
            return;
        };
        let people = run.plan.task(at.pos).instant;
        let lost = end == AttemptEnd::Lost;
        self.end_attempt(run, at, end, super::attempt::Cause::plain(why));
        if people || (lost && worker.is_none_or(|worker| !self.workers.get(worker).up)) {
            return;
        }
        let up = worker.filter(|worker| self.workers.get(*worker).up);
        let holds_slot = up.is_some() && state != TaskState::Deferred;
        if holds_slot && let Some(worker) = up {
            self.workers.take_slot(worker);
        }
        let cleanup = Cleanup {
            of,
            at,
            number,
            epoch,
            handle,
            worker: up,
            since: self.now,
            holds_slot,
            stuck: None,
        };
        self.begin_cleanup(run, cleanup);
        match up {
            Some(worker) => {
                let worker = self.workers.get_mut(worker);
                worker.stops.insert(attempt);
                let worker = Arc::clone(&worker.name);
                self.effects.push(Effect::Stop {
                    worker,
                    attempt: of,
                });
            }
            None => self.send_cleanup(run, attempt),
        }
    }

    /// An attempt was lost, or failed without anybody knowing that its job was over, and the launch is not gone on with:
    /// what it may have left outside is cancelled.
    pub(super) fn release_left(&mut self, run: &mut Run, at: At) {
        let Some(slot) = run.slot(at).filter(|slot| slot.has_left_something()) else {
            return;
        };
        let (attempt, number, epoch) = (slot.attempt, slot.number, slot.epoch);
        let handle = slot.handle().cloned();
        if let Some(of) = run.attempt(at) {
            let cleanup = Cleanup {
                of,
                at,
                number,
                epoch,
                handle,
                worker: None,
                since: self.now,
                holds_slot: false,
                stuck: None,
            };
            self.begin_cleanup(run, cleanup);
            self.send_cleanup(run, attempt);
        }
    }

    fn begin_cleanup(&mut self, run: &mut Run, cleanup: Cleanup) {
        if let Some(slot) = run.slot_mut(cleanup.at) {
            slot.flags.set(Flags::STOPPING);
            // Its place in a lane, or among what a pause holds, is worth nothing until that is done.
            slot.ticket = 0;
        }
        run.held.retain(|held| *held != cleanup.at);
        run.stopping += 1;
        let attempt = cleanup.of.attempt;
        self.cleanups.insert(attempt, cleanup);
        self.dirty_cleanups.insert(attempt);
    }

    /// Nothing is left of an attempt that was given up.
    pub(super) fn cleaned_up(&mut self, run: &mut Run, attempt: AttemptNo) {
        let Some(cleanup) = self.cleanups.remove(&attempt) else {
            return;
        };
        if let Some(worker) = cleanup.worker {
            self.workers.get_mut(worker).stops.remove(&attempt);
            if cleanup.holds_slot {
                self.workers.give_slot(worker);
            }
        }
        self.dirty_cleanups.remove(&attempt);
        self.changes.cleanups_done.push(attempt);
        run.stopping = run.stopping.saturating_sub(1);
        let Some(slot) = run.slot_mut(cleanup.at) else {
            return;
        };
        slot.flags.clear(Flags::STOPPING);
        if slot.epoch == cleanup.epoch {
            // What ran under the last key is known to be over: the next attempt is another launch.
            slot.epoch += 1;
            if slot.handle().is_some() {
                slot.detail_mut().handle = None;
            }
        }
        let waits = slot.state == TaskState::Scheduled;
        self.dirty(run, cleanup.at);
        if waits {
            self.enqueue(run, cleanup.at);
        }
        if run.has_ended() {
            self.keep_for_a_while(run);
        }
    }

    /// What makes the key of an instance's launch.
    pub(super) fn launch_point<'a>(&'a self, run: &'a Run, at: At, epoch: u32) -> LaunchPoint<'a> {
        LaunchPoint {
            deployment: &self.config.deployment,
            dag: run.plan.definition().id.as_str(),
            run: &run.name,
            task: run.plan.spec(at.pos).id.as_str(),
            map_index: (at.index != NOT_MAPPED).then(|| at.index.unsigned_abs()),
            epoch,
        }
    }
}
