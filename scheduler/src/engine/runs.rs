//! A run from the moment it is made to its end.

use std::sync::Arc;

use tidemill_core::protocol::RunNo;
use tidemill_core::spec::Role;
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_core::timetable::Due;
use tidemill_store::record::AttemptEnd;

use super::fast::FastMap;
use super::plan::Pos;
use super::run::{At, Run};
use super::slot::{Flags, Moment};
use super::world::{Timer, Todo, World};

/// What a new run is made of.
pub(super) struct NewRun {
    pub(super) dag: u32,
    pub(super) plan: u32,
    pub(super) kind: RunType,
    pub(super) name: Arc<str>,
    pub(super) due: Due,
    pub(super) params: Arc<str>,
    pub(super) backfill: Option<i64>,
    pub(super) note: Option<Arc<str>>,
}

impl Run {
    pub(super) fn is_teardown(&self, pos: Pos) -> bool {
        matches!(self.plan.spec(pos).role, Role::Teardown { .. })
    }
}

impl World {
    /// A run that waits to begin.
    pub(super) fn new_run(&mut self, new: NewRun) -> Run {
        self.highest.run += 1;
        let mut run = Run {
            no: RunNo(self.highest.run),
            plan: Arc::clone(&self.plans[new.plan as usize]),
            plan_ix: new.plan,
            dag: new.dag,
            name: new.name,
            kind: new.kind,
            state: RunState::Queued,
            start: new.due.start.into(),
            end: new.due.end.into(),
            due_at: new.due.run_after.into(),
            created_at: self.now,
            started_at: None,
            ended_at: None,
            params: new.params,
            backfill: new.backfill,
            paused: false,
            priority: 0,
            pool: None,
            ending: None,
            quarantine: None,
            why: None,
            note: new.note,
            edits: 0,
            touched: None,
            slots: Vec::new(),
            blocks: FastMap::default(),
            open: 0,
            lists: FastMap::default(),
            gate: None,
            task_gates: FastMap::default(),
            held: Vec::new(),
            stopping: 0,
            gone: Vec::new(),
            dirty: false,
            new: true,
            previous: None,
            following: Vec::new(),
        };
        self.dirty_run(&mut run);
        self.queue_run(&run);
        self.watch_lateness(&run);
        run
    }

    /// Lets a run wait to begin.
    pub(super) fn queue_run(&mut self, run: &Run) {
        let dag = &mut self.dags[run.dag as usize];
        dag.queued
            .insert((run.backfill.is_some(), run.start, run.no));
        if run.kind == RunType::Scheduled {
            dag.queued_scheduled += 1;
        }
        self.todo.push_back(Todo::Begin(run.dag));
    }

    /// A run no longer waits to begin.
    pub(super) fn unqueue_run(&mut self, run: &Run) {
        let dag = &mut self.dags[run.dag as usize];
        if dag
            .queued
            .remove(&(run.backfill.is_some(), run.start, run.no))
            && run.kind == RunType::Scheduled
        {
            dag.queued_scheduled -= 1;
        }
    }

    /// Counts a run among those that are on.
    pub(super) fn run_is_on(&mut self, run: &Run) {
        match run.backfill.and_then(|id| self.backfills.get_mut(&id)) {
            Some(backfill) => {
                backfill.on.insert(run.no);
            }
            None => {
                self.dags[run.dag as usize].on.insert(run.no);
            }
        }
    }

    fn run_is_off(&mut self, run: &Run) {
        if let Some(backfill) = run.backfill.and_then(|id| self.backfills.get_mut(&id)) {
            backfill.on.remove(&run.no);
            backfill.open.remove(&run.no);
        }
        self.dags[run.dag as usize].on.remove(&run.no);
    }

    /// A run begins: its tasks are looked at.
    pub(super) fn begin_run(&mut self, run: &mut Run) {
        self.unqueue_run(run);
        self.run_is_on(run);
        if !self.dag(run.dag).waits.is_empty() {
            // What changed while it waited was left for the next.
            self.todo.push_back(Todo::Assets(run.dag));
        }
        run.state = RunState::Running;
        run.started_at = Some(self.now);
        run.ended_at = None;
        self.dirty_run(run);
        self.equip(run);
        let plan = Arc::clone(&run.plan);
        if run.slots.is_empty() {
            run.slots.clone_from(&plan.template);
            run.open = u32::try_from(run.slots.len()).unwrap_or(u32::MAX);
            let now = Moment::from(self.now);
            for (slot, pos) in run.slots.iter_mut().zip(0..) {
                slot.since = now;
                slot.flags.set(Flags::DIRTY);
                self.dirty_slots.push((run.no, At::whole(pos)));
            }
            for (task, pos) in plan.tasks.iter().zip(0..) {
                let grouped = matches!(task.many, super::plan::Many::Group(_));
                if task.up.is_empty()
                    || grouped
                    || task.rule == tidemill_core::state::TriggerRule::Always
                {
                    self.queue.push_back(At::whole(pos));
                }
            }
        } else {
            for at in run.instances() {
                self.queue.push_back(at);
            }
        }
        if plan.tasks.is_empty() {
            self.end_run(run);
        }
        self.settle(run);
    }

    /// Gives a run that is on its gates and timers.
    pub(super) fn equip(&mut self, run: &mut Run) {
        let definition = run.plan.definition();
        if run.gate.is_none()
            && let Some(limit) = definition.active_tasks_per_run_max
        {
            run.gate = Some(self.lanes.new_gate(Some(limit)));
        }
        if let (Some(timeout), Some(started)) = (definition.run_timeout, run.started_at) {
            self.timer(started.after(timeout), Timer::RunTimeout(run.no));
        }
    }

    /// A run whose instances have all ended, ends.
    pub(super) fn end_run(&mut self, run: &mut Run) {
        let state = run.ending.take().unwrap_or_else(|| run.result());
        self.finish_run(run, state);
    }

    pub(super) fn finish_run(&mut self, run: &mut Run, state: RunState) {
        self.unqueue_run(run);
        self.run_is_off(run);
        run.state = state;
        run.ending = None;
        run.ended_at = run.started_at.max(Some(self.now));
        run.edits += 1;
        run.held.clear();
        self.dirty_run(run);
        let no = run.no;
        if let (Some(timeout), Some(started)) = (run.plan.definition().run_timeout, run.started_at)
        {
            self.no_timer(Some(started.after(timeout)), Timer::RunTimeout(no));
        }
        self.forget_lateness(run);
        if run.slots.is_empty() && !run.following.is_empty() {
            // It never began, so none of its tasks tells those that wait for them.
            let all = 0..Pos::try_from(run.plan.tasks.len()).unwrap_or(Pos::MAX);
            self.todo.extend(all.map(|pos| Todo::Later(no, pos)));
        }
        self.run_ended(run);
        self.todo.push_back(Todo::Ended(no));
        self.keep_for_a_while(run);
    }

    pub(super) fn forget_lateness(&mut self, run: &Run) {
        let definition = run.plan.definition();
        if let Some(deadline) = definition.deadline {
            self.no_timer(Some(run.due_at.after(deadline)), Timer::RunLate(run.no));
        }
        for (task, pos) in definition.tasks.iter().zip(0..) {
            if let Some(deadline) = task.deadline {
                self.no_timer(
                    Some(run.due_at.after(deadline)),
                    Timer::TaskLate(run.no, pos),
                );
            }
        }
    }

    /// A run that ended stays at hand for a while: what is retried is mostly retried soon.
    pub(super) fn keep_for_a_while(&mut self, run: &mut Run) {
        if run.stopping == 0 {
            self.free_run_gates(run);
            let weight = run.weight() + 1;
            self.ended.push_back((run.no, weight, self.now));
            self.ended_weight += weight;
        }
    }

    /// Gives back the gates that limit attempts within a run of which none is on.
    pub(super) fn free_run_gates(&mut self, run: &mut Run) {
        if let Some(gate) = run.gate.take() {
            self.lanes.free_gate(gate);
        }
        for (_, gate) in run.task_gates.drain() {
            self.lanes.free_gate(gate);
        }
    }

    /// Has what waits for room, or for the time to be tried again, wait anew: it was left out while its run was in
    /// quarantine, or waits under the positions of another version.
    pub(super) fn wait_anew(&mut self, run: &mut Run) {
        if !run.is_active() {
            return;
        }
        self.equip(run);
        run.held.clear();
        for at in run.instances() {
            let Some(slot) = run.slot(at) else {
                continue;
            };
            match (slot.state, slot.retry_at.get()) {
                (TaskState::Scheduled, _) => self.enqueue(run, at),
                (TaskState::UpForRetry, Some(retry)) => self.timer(retry, Timer::Retry(run.no, at)),
                _ => {}
            }
        }
    }

    /// Ends everything of a run that has not ended. Teardowns whose setup was done still run, unless they are to end as
    /// well.
    pub(super) fn end_open(
        &mut self,
        run: &mut Run,
        ending: RunState,
        why: &Arc<str>,
        teardowns_too: bool,
    ) {
        run.ending = Some(ending);
        run.why = Some(Arc::clone(why));
        run.edits += 1;
        self.dirty_run(run);
        let end = match ending {
            RunState::Cancelled => AttemptEnd::Cancelled,
            _ => AttemptEnd::TimedOut,
        };
        for at in run.instances() {
            if run.is_teardown(at.pos) && !teardowns_too {
                continue;
            }
            let Some(slot) = run.slot(at) else {
                continue;
            };
            let state = slot.state;
            if state.is_final() || run.is_summary(at) {
                continue;
            }
            self.give_up(run, at, end, why);
            let state = match (ending, state) {
                // What had not begun was not harmed by a person who stopped the run.
                (RunState::Cancelled, TaskState::None | TaskState::Scheduled) => TaskState::Skipped,
                _ => TaskState::Failed,
            };
            if let Some(slot) = run.slot_mut(at) {
                slot.retry_at = Moment::NONE;
                slot.detail_mut().why = Some(Arc::clone(why));
            }
            self.enter(run, at, state);
        }
        for at in run.instances() {
            self.queue.push_back(at);
        }
        self.settle(run);
    }

    /// Skips what a run that waits to begin once more has left open.
    pub(super) fn leave_undone(&mut self, run: &mut Run, why: &Arc<str>) {
        for at in run.instances() {
            if run.slot(at).is_some_and(|slot| !slot.state.is_final()) {
                self.end_undone(run, at, TaskState::Skipped, Some(Arc::clone(why)));
            }
        }
        self.queue.clear();
    }

    /// The first failure of a DAG that is to fail fast ends its run.
    pub(super) fn fail_fast(&mut self, run: &mut Run, at: At) {
        if !run.plan.definition().fail_fast || run.ending.is_some() || !run.is_active() {
            return;
        }
        let name = run.plan.spec(at.pos).id.clone();
        let why: Arc<str> = format!("`{name}` failed and the DAG fails fast").into();
        run.ending = Some(RunState::Failed);
        run.why = Some(Arc::clone(&why));
        self.dirty_run(run);
        for at in run.instances() {
            let Some(slot) = run.slot(at) else {
                continue;
            };
            if slot.state.is_final() || run.is_teardown(at.pos) || run.is_summary(at) {
                continue;
            }
            let live = slot.is_live() || slot.state == TaskState::UpForRetry;
            self.give_up(run, at, AttemptEnd::Cancelled, &why);
            if let Some(slot) = run.slot_mut(at) {
                slot.retry_at = Moment::NONE;
                slot.detail_mut().why = Some(Arc::clone(&why));
            }
            self.enter(
                run,
                at,
                if live {
                    TaskState::Failed
                } else {
                    TaskState::Skipped
                },
            );
        }
        for at in run.instances() {
            self.queue.push_back(at);
        }
    }

    /// A run takes too long: it fails, and everything of it that is on.
    pub(super) fn run_timed_out(&mut self, run: &mut Run) {
        let limit = run.plan.definition().run_timeout;
        let over = limit
            .zip(run.started_at)
            .is_some_and(|(limit, started)| started.after(limit) <= self.now);
        if run.is_active() && run.ending.is_none() && over {
            let limit = limit.map(tidemill_core::span::text).unwrap_or_default();
            let why: Arc<str> = format!("the run took longer than {limit}").into();
            run.why = Some(Arc::clone(&why));
            self.alert_run(run, tidemill_core::spec::Moment::Failure);
            self.end_open(run, RunState::Failed, &why, false);
        }
    }
}

/// The name of a run by its kind and date, as Airflow users know it.
pub(super) fn run_name(kind: RunType, at: Timestamp) -> Arc<str> {
    format!("{kind}__{at}").into()
}
