//! An engine made from what is stored. It decides as the one that stored it would have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::protocol::{AttemptNo, NOT_MAPPED, RunNo};
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_core::timetable::Due;
use tidemill_core::version::Version;
use tidemill_store::record::{CleanupRow, DateState, Recovered, RunRow, TaskDetailRow, TaskRow};

use super::commands::Heads;
use super::fast::FastMap;
use super::input::{Config, Wanted};
use super::lanes::PoolIx;
use super::layout::Gone;
use super::machine::Engine;
use super::plan::Plan;
use super::run::{At, Run};
use super::slot::{Flags, Moment, Slot};
use super::world::{BackfillFacts, Cleanup, ReadBack, Timer, Todo, World};

/// A run that is made so long after its deadline makes up for the past: it is not late.
const MADE_UP_FOR: Duration = Duration::from_secs(24 * 3600);

/// How long what was read back for a command is kept at hand until the command comes again.
const READ_BACK_KEPT: Duration = Duration::from_secs(60);

impl Engine {
    /// An engine that goes on from what is stored. What could not be read is a run in quarantine, or a line here.
    #[must_use]
    pub fn recover(config: Config, rows: &Recovered, now: Timestamp) -> (Self, Vec<String>) {
        let mut engine = Self::new(config, now);
        engine.world.complete = false;
        let mut problems = Vec::new();
        engine.world.highest = rows.highest;
        engine.world.recover_dags(rows, &mut problems);
        engine.world.recover_pools(rows);
        engine.world.connections = Heads::recover(&rows.connections);
        engine.world.variables = Heads::recover(&rows.variables);
        engine.world.recover_backfills(rows);
        engine.recover_runs(rows, |_| true, &mut problems);
        for row in &rows.cleanups {
            engine.recover_cleanup(row);
        }
        engine.take_hold();
        for dag in 0..u32::try_from(engine.world.dags.len()).unwrap_or(u32::MAX) {
            engine.world.take_effect(dag);
        }
        let backfills: Vec<i64> = engine.world.backfills.keys().copied().collect();
        engine
            .world
            .todo
            .extend(backfills.into_iter().map(Todo::Backfill));
        // Names that are stored already are not stored again.
        engine.world.changes.task_names.clear();
        engine.world.changes.asset_waits_used.clear();
        (engine, problems)
    }

    fn recover_runs(
        &mut self,
        rows: &Recovered,
        wanted: impl Fn(&RunRow) -> bool,
        problems: &mut Vec<String>,
    ) {
        let mut tasks: BTreeMap<RunNo, Vec<&TaskRow>> = BTreeMap::new();
        for task in &rows.tasks {
            tasks.entry(task.of.run).or_default().push(task);
        }
        let mut details: BTreeMap<RunNo, Vec<&TaskDetailRow>> = BTreeMap::new();
        for detail in &rows.task_details {
            details.entry(detail.of.run).or_default().push(detail);
        }
        for row in &rows.runs {
            if self.runs.contains_key(&row.id) || !wanted(row) {
                continue;
            }
            let dag = self.world.dag_by_id.get(&row.dag).copied();
            let plan = dag.and_then(|dag| {
                self.world
                    .dag(dag)
                    .plans
                    .get(&row.version)
                    .copied()
                    .map(|plan| (dag, plan))
            });
            let Some(at) = plan else {
                problems.push(format!(
                    "run {} of {}: its version {} is not there",
                    row.id,
                    row.dag,
                    row.version.short()
                ));
                continue;
            };
            let tasks = tasks.remove(&row.id).unwrap_or_default();
            let details = details.remove(&row.id).unwrap_or_default();
            let run = self.world.recover_run(row, at, &tasks, &details);
            self.runs.insert(run.no, Box::new(run));
        }
        for output in rows.outputs.iter().filter(|output| output.listed) {
            if let Some(run) = self.runs.get_mut(&output.of.run)
                && run.last_attempt(output.of) == Some(output.attempt)
            {
                let of = (output.of.task, output.of.map_index);
                run.lists.insert(of, Arc::clone(&output.value));
            }
        }
    }

    fn recover_cleanup(&mut self, row: &CleanupRow) {
        let worker = row
            .worker
            .as_ref()
            .map(|name| self.world.workers.known(name, self.world.now));
        let Some(run) = self.runs.get_mut(&row.of.of.run) else {
            return;
        };
        let Some(at) = run.at(row.of.of) else {
            return;
        };
        run.stopping += 1;
        if let Some(slot) = run.slot_mut(at) {
            slot.flags.set(Flags::STOPPING);
        }
        if let Some(worker) = worker {
            self.world
                .workers
                .get_mut(worker)
                .stops
                .insert(row.of.attempt);
        }
        self.world.cleanups.insert(
            row.of.attempt,
            Cleanup {
                of: row.of,
                at,
                number: row.number,
                epoch: row.epoch,
                handle: row.handle.clone(),
                worker,
                since: row.since,
                holds_slot: false,
                stuck: None,
            },
        );
    }

    /// What the runs hold, what they wait for, and whom they wait for.
    fn take_hold(&mut self) {
        let mut numbers: Vec<RunNo> = self.runs.keys().copied().collect();
        numbers.sort_unstable();
        let cleaning = self
            .world
            .cleanups
            .values()
            .filter_map(|cleanup| cleanup.worker);
        let mut expected: BTreeSet<_> = cleaning.collect();
        for no in numbers {
            let Some(run) = self.runs.get_mut(&no) else {
                continue;
            };
            let world = &mut self.world;
            match run.state {
                RunState::Queued => {
                    world.queue_run(run);
                    world.watch_lateness(run);
                }
                RunState::Running => {
                    world.run_is_on(run);
                    world.equip(run);
                    world.watch_lateness(run);
                    for at in run.instances() {
                        expected.extend(world.take_up(run, at));
                    }
                    world.settle(run);
                }
                _ => world.keep_for_a_while(run),
            }
        }
        for worker in expected {
            // It has a whole lease to come back.
            let until = self.world.now.after(self.world.config.lease);
            let of = self.world.workers.get_mut(worker);
            of.up = true;
            of.draining = true;
            of.lease_until = until;
            self.world.timer(until, Timer::Lease(worker));
        }
    }

    /// Runs that had ended are back.
    pub(super) fn loaded(&mut self, asked: &Wanted, rows: &Recovered, beyond: Vec<RunNo>) {
        let mut problems = Vec::new();
        self.world.recover_versions(rows, &mut problems);
        let before: BTreeSet<RunNo> = rows
            .runs
            .iter()
            .map(|row| row.id)
            .filter(|no| self.runs.contains_key(no))
            .collect();
        // What has not ended is at hand. If it is not, it has ended since, in a commit that is still on its way.
        let ended = |row: &RunRow| !matches!(row.state, RunState::Queued | RunState::Running);
        self.recover_runs(rows, ended, &mut problems);
        for row in rows.runs.iter().filter(|row| !before.contains(&row.id)) {
            if let Some(run) = self.runs.get_mut(&row.id) {
                // Only what has ended is read back; what has not is at hand.
                self.world.keep_for_a_while(run);
            }
        }
        match asked {
            Wanted::Before { dag, start, .. } => {
                let previous = rows
                    .runs
                    .iter()
                    .max_by_key(|run| (run.start, run.id))
                    .map(|run| run.id);
                let dag = self.world.dag_by_id.get(dag).copied();
                let mut asking: Vec<RunNo> = self.world.asked.keys().copied().collect();
                asking.sort_unstable();
                for no in asking {
                    if self
                        .runs
                        .get(&no)
                        .is_some_and(|run| Some(run.dag) == dag && run.start == *start)
                    {
                        self.link(no, previous);
                    }
                }
            }
            Wanted::Runs(runs) => {
                let waiting: Vec<i64> = self
                    .world
                    .backfills
                    .iter()
                    .filter(|(_, facts)| facts.asked.is_some_and(|run| runs.contains(&run)))
                    .map(|(id, _)| *id)
                    .collect();
                for id in waiting {
                    if let Some(facts) = self.world.backfills.get_mut(&id) {
                        facts.asked = None;
                    }
                    self.world.todo.push_back(Todo::Backfill(id));
                }
            }
            Wanted::Between { .. } | Wanted::Named { .. } | Wanted::Matching(_) => {
                let until = self.world.now.after(READ_BACK_KEPT);
                self.world.read_back = Some(ReadBack {
                    wanted: asked.clone(),
                    until,
                    beyond,
                });
            }
        }
        // What was read back was stored before.
        self.world.changes.task_names.clear();
    }
}

impl World {
    fn recover_versions(&mut self, rows: &Recovered, problems: &mut Vec<String>) {
        for row in &rows.task_names {
            let dag = self
                .dag_by_id
                .get(&row.dag)
                .copied()
                .unwrap_or_else(|| self.add_dag(&row.dag));
            let of = &mut self.dags[dag as usize];
            if of.numbers.contains_key(&row.name) {
                continue;
            }
            of.numbers.insert(row.name.clone(), row.task);
            of.names.push(row.name.clone());
        }
        for row in &rows.versions {
            if let Err(why) = self.learn(&row.spec) {
                problems.push(format!(
                    "version {} of {}: {why}",
                    row.version.short(),
                    row.dag
                ));
            }
        }
    }

    fn recover_dags(&mut self, rows: &Recovered, problems: &mut Vec<String>) {
        self.recover_versions(rows, problems);
        for row in &rows.dags {
            let dag = self
                .dag_by_id
                .get(&row.id)
                .copied()
                .unwrap_or_else(|| self.add_dag(&row.id));
            let of = &mut self.dags[dag as usize];
            let plan = |version: &Version| of.plans.get(version).copied();
            of.newest = row.version.as_ref().and_then(plan);
            of.paused = row.paused;
            of.last_due = row.last_due.map(|(start, end, run_after)| Due {
                start: start.date(),
                end: end.date(),
                run_after: run_after.date(),
            });
            of.failures_in_row = row.failures_in_row;
            of.edits = row.edits;
            of.touched.clone_from(&row.touched);
        }
        for (dag, start) in &rows.dates_taken {
            if let Some(dag) = self.dag_by_id.get(dag) {
                self.dags[*dag as usize].taken.insert(*start);
            }
        }
        for row in &rows.asset_waits {
            if let Some(dag) = self.dag_by_id.get(&row.dag) {
                self.dags[*dag as usize]
                    .waits
                    .insert(Arc::clone(&row.asset), row.clone());
            }
        }
    }

    fn recover_pools(&mut self, rows: &Recovered) {
        for row in &rows.pools {
            let pool = self.pool(&row.name);
            self.lanes.set_pool(pool, row.slots, row.paused, true);
            self.lanes.pools[pool as usize].holds_deferred = row.holds_deferred;
            let facts = &mut self.pools[pool as usize];
            facts.edits = row.edits;
            facts.touched.clone_from(&row.touched);
            facts.note.clone_from(&row.note);
        }
    }

    fn recover_backfills(&mut self, rows: &Recovered) {
        for row in &rows.backfills {
            let dates = rows
                .backfill_dates
                .iter()
                .filter(|date| date.backfill == row.id);
            let dates: Vec<_> = dates
                .map(|date| (date.start, date.end, date.state.clone()))
                .collect();
            let open = rows.runs.iter().filter(|run| run.backfill == Some(row.id));
            let open = open.filter(|run| matches!(run.state, RunState::Queued | RunState::Running));
            if let Some(dag) = self.dag_by_id.get(&row.dag).copied() {
                self.claim_dates(dag, &dates);
            }
            let next = dates
                .iter()
                .position(|(.., state)| matches!(state, DateState::Waiting(_)));
            self.backfills.insert(
                row.id,
                BackfillFacts {
                    row: row.clone(),
                    next: next.unwrap_or(dates.len()),
                    dates,
                    on: BTreeSet::new(),
                    open: open.map(|run| run.id).collect(),
                    asked: None,
                },
            );
        }
    }

    fn recover_run(
        &mut self,
        row: &RunRow,
        (dag, plan): (u32, u32),
        tasks: &[&TaskRow],
        details: &[&TaskDetailRow],
    ) -> Run {
        let pool = row
            .pool
            .as_ref()
            .map(|name| (self.pool(name), Arc::clone(name)));
        let plan = (plan, Arc::clone(&self.plans[plan as usize]));
        let mut run = blank_run(row, dag, plan, pool);
        if tasks.is_empty() {
            return run;
        }
        run.slots = run.plan.tasks.iter().map(|_| Slot::new(0, 0)).collect();
        let mut found = vec![false; run.slots.len()];
        for task in tasks {
            let worker = task
                .worker
                .as_ref()
                .map(|name| self.workers.known(name, self.now));
            match run.plan.position(task.of.task) {
                Some(pos) => {
                    found[pos as usize] |= task.of.map_index == NOT_MAPPED;
                    let at = At {
                        pos,
                        index: task.of.map_index,
                    };
                    run.restore(at, task, worker);
                }
                None => run.gone.push(Gone {
                    task: task.of.task,
                    index: task.of.map_index,
                    slot: Slot::restored(task, worker),
                }),
            }
        }
        for detail in details {
            run.restore_detail(detail);
        }
        if let Some(pos) = found.iter().position(|found| !found) {
            let name = &run.plan.definition().tasks[pos].id;
            run.quarantine = Some(format!("the row of its task `{name}` is not there").into());
        }
        run.count_all();
        run
    }

    /// Puts an instance of a run that is on back where it was: in a lane, with a worker, or in want of one.
    fn take_up(&mut self, run: &mut Run, at: At) -> Option<super::workers::WorkerIx> {
        let slot = run.slot(at)?;
        let (state, retry, deadline, worker) = (
            slot.state,
            slot.retry_at.get(),
            slot.deadline.get(),
            slot.worker,
        );
        let live = slot.is_live();
        match state {
            TaskState::None => self.queue.push_back(at),
            TaskState::Scheduled => self.enqueue(run, at),
            TaskState::UpForRetry => {
                if let Some(retry) = retry {
                    self.timer(retry, Timer::Retry(run.no, at));
                }
            }
            _ => {}
        }
        if !live {
            return None;
        }
        // That of a sensor's earlier attempts counts on once it is begun.
        if let Some(deadline) = deadline.filter(|_| state != TaskState::Queued) {
            self.timer(deadline, Timer::Attempt(run.no, at));
        }
        if run.plan.task(at.pos).instant {
            return None;
        }
        self.hold(run, at, state != TaskState::Deferred);
        let Some(worker) = worker else {
            self.unwatched.insert((run.no, at));
            return None;
        };
        if state != TaskState::Deferred {
            self.workers.take_slot(worker);
        }
        if state == TaskState::Queued {
            let (attempt, since) = run.slot(at).map_or((AttemptNo(0), Moment::NONE), |slot| {
                (slot.attempt, slot.queued_at)
            });
            let until = since
                .get()
                .unwrap_or(self.now)
                .max(self.now)
                .after(self.config.queued_max);
            self.unbegun.push_back((until, run.no, at, attempt));
        }
        self.workers.get_mut(worker).holds.insert((run.no, at));
        Some(worker)
    }

    /// Rings when a run, or one of its tasks, is late. What was in time and was cleared after that is not late.
    pub(super) fn watch_lateness(&mut self, run: &Run) {
        let definition = run.plan.definition();
        let since = run.touched.as_ref().map(|touch| touch.at);
        let (due_at, created_at) = (run.due_at, run.created_at);
        if run.kind == RunType::Backfill {
            return;
        }
        let until = |deadline| {
            let until = due_at.after(deadline);
            // Nobody waits for what is made up for long after it was due.
            let waited_for = created_at.since(until) < MADE_UP_FOR;
            Some(until).filter(|until| waited_for && since.is_none_or(|since| *until > since))
        };
        if let Some(until) = definition.deadline.and_then(until) {
            // What was late before this engine was there is decided once more; the outbox knows its key.
            self.timer(until, Timer::RunLate(run.no));
        }
        for (task, pos) in definition.tasks.iter().zip(0..) {
            if let Some(until) = task.deadline.and_then(until) {
                self.timer(until, Timer::TaskLate(run.no, pos));
            }
        }
    }
}

/// A run as its row says, without its tasks.
fn blank_run(
    row: &RunRow,
    dag: u32,
    plan: (u32, Arc<Plan>),
    pool: Option<(PoolIx, Arc<str>)>,
) -> Run {
    Run {
        no: row.id,
        plan: plan.1,
        plan_ix: plan.0,
        dag,
        name: Arc::clone(&row.name),
        kind: row.kind,
        state: row.state,
        start: row.start,
        end: row.end,
        due_at: row.due_at,
        created_at: row.created_at,
        started_at: row.started_at,
        ended_at: row.ended_at,
        params: Arc::clone(&row.params),
        backfill: row.backfill,
        paused: row.paused,
        priority: row.priority,
        pool,
        ending: row.ending,
        quarantine: row.quarantine.clone(),
        why: row.why.clone(),
        note: row.note.clone(),
        edits: row.edits,
        touched: row.touched.clone(),
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
        new: false,
        previous: None,
        following: Vec::new(),
    }
}
