//! When runs are made and when they begin: timetables, assets, limits, earlier runs.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tidemill_core::params;
use tidemill_core::protocol::RunNo;
use tidemill_core::spec::{Definition, Overlap, Schedule};
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_core::timetable::Due;
use tidemill_store::record::SkippedTickRow;

use super::effect::Effect;
use super::input::Wanted;
use super::machine::Engine;
use super::plan::{Plan, Pos};
use super::run::{At, Run};
use super::runs::{NewRun, run_name};
use super::world::{Timer, Todo, World};

/// Runs of a DAG that runs continuously begin no closer to each other: one whose runs fail, or end, at once would make
/// hundreds of them a second.
const CONTINUOUS_EVERY_MIN: Duration = Duration::from_secs(5);

/// What to do with a date that is due.
enum Turn {
    Make,
    Skip(Arc<str>),
    /// The DAG has as many runs as it may have; it is looked at again when one ends.
    Full,
}

impl Engine {
    /// Makes the runs that a DAG's timetable asks for by now.
    pub(super) fn schedule(&mut self, dag: u32) {
        self.world.no_dag_timer(dag);
        for _ in 0..self.world.config.catchup_batch {
            let Some((plan, due)) = self.world.next_due(dag) else {
                return;
            };
            let now = self.world.now;
            let due_at = self.world.soonest(dag, plan.definition(), due);
            if due_at > now {
                return self.world.dag_timer(dag, due_at);
            }
            match self.turn(dag, &plan) {
                Turn::Full => return,
                Turn::Make => self.make_scheduled(dag, &plan, due),
                Turn::Skip(why) => self.world.changes.skipped_ticks.push(SkippedTickRow {
                    dag: self.world.dag(dag).id.clone(),
                    start: due.start.into(),
                    at: now,
                    why,
                }),
            }
            self.world.dag_mut(dag).last_due = Some(due);
            let taken = &mut self.world.dag_mut(dag).taken;
            *taken = taken.split_off(&due.start.into());
        }
        // Others have their turn before the next dates of this one.
        self.world.todo.push_back(Todo::Schedule(dag));
    }

    fn turn(&mut self, dag: u32, plan: &Plan) -> Turn {
        let definition = plan.definition();
        let of = self.world.dag(dag);
        let on: Vec<RunNo> = of.on.iter().copied().collect();
        let scheduled: Vec<RunNo> = on
            .iter()
            .copied()
            .chain(of.queued.iter().map(|(.., run)| *run))
            .filter(|run| {
                self.runs
                    .get(run)
                    .is_some_and(|run| run.kind == RunType::Scheduled)
            })
            .collect();
        let busy =
            u32::try_from(on.len()).unwrap_or(u32::MAX) + self.world.dag(dag).queued_scheduled;
        match definition.overlap {
            _ if definition.schedule == Schedule::Continuous && !scheduled.is_empty() => Turn::Full,
            Overlap::Skip => match scheduled.first().and_then(|run| self.runs.get(run)) {
                Some(run) => Turn::Skip(format!("the run {} was still on", run.name).into()),
                None => Turn::Make,
            },
            Overlap::CancelOld => {
                let why: Arc<str> = "the next run was due".into();
                for run in scheduled {
                    self.cancel(run, &why);
                }
                Turn::Make
            }
            Overlap::Queue if busy >= definition.active_runs_max => Turn::Full,
            Overlap::Queue => Turn::Make,
        }
    }

    /// Ends a run, whether it is on or waits to begin.
    pub(super) fn cancel(&mut self, no: RunNo, why: &Arc<str>) {
        self.with_run(no, |world, run| match run.state {
            RunState::Queued => {
                run.why = Some(Arc::clone(why));
                world.leave_undone(run, why);
                world.finish_run(run, RunState::Cancelled);
            }
            RunState::Running if run.quarantine.is_some() => {
                run.quarantine = None;
                world.end_open(run, RunState::Cancelled, why, true);
            }
            RunState::Running => {
                let again = run.ending == Some(RunState::Cancelled);
                world.end_open(run, RunState::Cancelled, why, again);
            }
            _ => {}
        });
    }

    fn make_scheduled(&mut self, dag: u32, plan: &Arc<Plan>, due: Due) {
        if self.world.dag(dag).taken.contains(&due.start.into())
            && !self.world.config.defects.no_unique_date
        {
            // A backfill was there first: the date has its run.
            return;
        }
        let new = NewRun {
            dag,
            plan: self.world.dag(dag).newest.unwrap_or_default(),
            kind: RunType::Scheduled,
            name: run_name(RunType::Scheduled, due.start.into()),
            due,
            params: default_params(plan),
            backfill: None,
            note: None,
        };
        self.add_run(new);
    }

    pub(super) fn add_run(&mut self, new: NewRun) -> RunNo {
        let run = self.world.new_run(new);
        let no = run.no;
        self.runs.insert(no, Box::new(run));
        no
    }

    /// Begins the runs of a DAG that may begin.
    pub(super) fn begin_runs(&mut self, dag: u32) {
        let waiting: Vec<(bool, RunNo)> = self
            .world
            .dag(dag)
            .queued
            .iter()
            .map(|(backfill, _, run)| (*backfill, *run))
            .collect();
        let mut full = [false; 2];
        for (backfill, no) in waiting {
            let Some(run) = self.runs.get_mut(&no).filter(|run| !run.paused) else {
                continue;
            };
            if full[usize::from(backfill)] {
                continue;
            }
            if self.world.may_begin(run) {
                self.world.begin_run(run);
            } else {
                full[usize::from(backfill)] = true;
            }
        }
    }

    /// What follows from the end of a run.
    pub(super) fn after_run(&mut self, no: RunNo) {
        let Some(run) = self.runs.get(&no).filter(|run| run.has_ended()) else {
            return;
        };
        let dag = run.dag;
        if let Some(backfill) = run.backfill {
            self.world.todo.push_back(Todo::Backfill(backfill));
        } else {
            self.count_failures(no);
        }
        self.world.todo.push_back(Todo::Schedule(dag));
        self.world.todo.push_back(Todo::Begin(dag));
        self.world.todo.push_back(Todo::Assets(dag));
    }

    /// After so many failed runs in a row a DAG is paused.
    fn count_failures(&mut self, no: RunNo) {
        let Some(run) = self.runs.get(&no) else {
            return;
        };
        let (dag, state) = (run.dag, run.state);
        let limit = run.plan.definition().pause_after_failures;
        let before = self.world.dag(dag).failures_in_row;
        let after = match state {
            RunState::Failed => before + 1,
            RunState::Success => 0,
            _ => before,
        };
        if after != before {
            self.world.dag_mut(dag).failures_in_row = after;
        }
        if limit.is_some_and(|limit| limit > 0 && after >= limit) && !self.world.dag(dag).paused {
            self.world
                .pause_dag(dag, true, &super::world::ENGINE.into());
            let why = serde_json::json!({ "why": format!("{after} runs in a row failed") });
            let id = self.world.dag(dag).id.clone();
            let about = super::world::About {
                dag: Some(&id),
                run: Some(no),
                details: &why,
            };
            self.world.audit(
                &super::world::ENGINE.into(),
                "dag.pause",
                id.to_string(),
                about,
            );
        }
    }

    /// Begins a run if what a DAG waits for has changed.
    pub(super) fn run_by_assets(&mut self, dag: u32) {
        let of = self.world.dag(dag);
        let Some(newest) = of.newest.filter(|_| !of.paused && !of.waits.is_empty()) else {
            return;
        };
        let plan = Arc::clone(&self.world.plans[newest as usize]);
        let Some(expr) = plan.definition().schedule.assets() else {
            return;
        };
        let waits = &self.world.dag(dag).waits;
        if !expr.holds(&|asset| waits.contains_key(asset.uri())) {
            return;
        }
        let busy = of.queued.iter().filter(|(backfill, ..)| !backfill).count();
        if busy > 0 {
            // One run that waits to begin is enough: it uses everything that has changed until then.
            return;
        }
        let used = std::mem::take(&mut self.world.dags[dag as usize].waits);
        let id = self.world.dag(dag).id.clone();
        for (asset, _) in used {
            self.world.dirty_waits.remove(&(dag, Arc::clone(&asset)));
            self.world
                .changes
                .asset_waits_used
                .push((id.clone(), asset));
        }
        let window = plan.definition().window();
        let now = self.world.now.date();
        let due = Due {
            run_after: now,
            ..plan.definition().schedule.manual(&window, now)
        };
        let due = match plan.definition().schedule {
            Schedule::AssetsOrTimed(..) => Due {
                start: now,
                end: now,
                run_after: now,
            },
            _ => due,
        };
        let next = self.world.highest.run + 1;
        let new = NewRun {
            dag,
            plan: newest,
            kind: RunType::Asset,
            name: format!("{}_{next}", run_name(RunType::Asset, self.world.now)).into(),
            due,
            params: default_params(&plan),
            backfill: None,
            note: None,
        };
        self.add_run(new);
    }

    /// Looks at what the earlier runs of a task say, and lets it go on if that is what it waits for.
    pub(super) fn look_back(&mut self, no: RunNo, at: At) {
        let Some(run) = self.runs.get(&no) else {
            return;
        };
        let Some(previous) = run.previous else {
            return match self.world.previous_in_backfill(run) {
                Some(previous) => self.link(no, previous),
                None => self.ask_for_previous(no),
            };
        };
        let met = match previous {
            None => true,
            Some(previous) => match self.runs.get(&previous) {
                Some(previous) => past_met(run, previous, at.pos),
                None => return self.ask_for_previous(no),
            },
        };
        if met {
            self.with_run(no, |world, run| world.past_is_met(run, at));
        }
    }

    fn ask_for_previous(&mut self, no: RunNo) {
        if self.world.asked.insert(no, ()).is_some() {
            return;
        }
        let Some(run) = self.runs.get(&no) else {
            return;
        };
        let definition = run.plan.definition();
        self.world.effects.push(Effect::Load(Wanted::Before {
            dag: definition.id.clone(),
            start: run.start,
            scheduled_only: definition.catchup,
        }));
    }

    /// The run before another is known now.
    pub(super) fn link(&mut self, no: RunNo, previous: Option<RunNo>) {
        if let Some(run) = self.runs.get_mut(&no) {
            run.previous = Some(previous);
        }
        if let Some(previous) = previous.and_then(|previous| self.runs.get_mut(&previous))
            && !previous.following.contains(&no)
        {
            previous.following.push(no);
        }
        self.world.asked.remove(&no);
        if let Some(run) = self.runs.get(&no).filter(|run| run.is_active()) {
            for at in run.instances() {
                self.world.queue.push_back(at);
            }
            self.with_run(no, |_, _| {});
        }
    }

    /// A task of a run ended: later runs may have waited for it.
    pub(super) fn tell_later(&mut self, no: RunNo, pos: Pos) {
        let Some(run) = self.runs.get(&no) else {
            return;
        };
        let plan = Arc::clone(&run.plan);
        let mut names = vec![plan.spec(pos).id.clone()];
        names.extend(plan.task(pos).up.iter().map(|up| plan.spec(*up).id.clone()));
        for next in run.following.clone() {
            self.with_run(next, |world, run| {
                let plan = Arc::clone(&run.plan);
                for name in &names {
                    let pos = plan.definition().position(name.as_str());
                    if let Some(pos) = pos.and_then(|pos| Pos::try_from(pos).ok()) {
                        world.look_at_all(run, pos);
                    }
                }
            });
        }
    }
}

/// Whether the run before stands as a task wants it.
pub(super) fn past_met(run: &Run, previous: &Run, pos: Pos) -> bool {
    if previous.state == RunState::Cancelled && previous.slots.is_empty() {
        // Cancelled before it began: as if all of it had been skipped, as what was undone is when it is cancelled later.
        return true;
    }
    let spec = run.plan.spec(pos);
    let Some(before) = previous.plan.definition().position(spec.id.as_str()) else {
        return true;
    };
    let before = Pos::try_from(before).unwrap_or(Pos::MAX);
    let well = |pos: Pos| {
        matches!(
            previous.state_of(pos),
            TaskState::Success | TaskState::Skipped
        )
    };
    well(before)
        && (!spec.past.wait_for_downstream
            || previous
                .plan
                .task(before)
                .down
                .iter()
                .all(|next| well(*next)))
}

/// The params of a run that nobody gave any.
pub(super) fn default_params(plan: &Plan) -> Arc<str> {
    let complete = params::complete(
        &plan.definition().params,
        &Value::Object(serde_json::Map::new()),
    );
    complete.unwrap_or(Value::Null).to_string().into()
}

impl World {
    /// When a run that is due may be made: one of a DAG that runs continuously not right after the last.
    fn soonest(&self, dag: u32, definition: &Definition, due: Due) -> Timestamp {
        let due_at = Timestamp::from(due.run_after);
        let last = self.dag(dag).last_due;
        match last.filter(|_| definition.schedule == Schedule::Continuous) {
            Some(last) => due_at.max(Timestamp::from(last.run_after).after(CONTINUOUS_EVERY_MIN)),
            None => due_at,
        }
    }

    fn next_due(&self, dag: u32) -> Option<(Arc<Plan>, Due)> {
        let of = self.dag(dag);
        let plan = Arc::clone(&self.plans[of.newest.filter(|_| !of.paused)? as usize]);
        let definition = plan.definition();
        let window = definition.window();
        let next = |last| {
            let schedule = &definition.schedule;
            schedule.next_due(&window, last, self.now.date())
        };
        // A timetable that does not go on would be asked for ever.
        let on = |due: &Due| of.last_due.is_none_or(|last| due.start > last.start);
        let due = next(of.last_due)?;
        // The interval that a last tick lies in has its run, where the timetable went by ticks before: what follows it?
        let due = if on(&due) { due } else { next(Some(due))? };
        on(&due).then_some((plan, due))
    }

    fn dag_timer(&mut self, dag: u32, at: Timestamp) {
        let old = self.dags[dag as usize].timer.replace(at);
        self.no_timer(old, Timer::Dag(dag));
        self.timer(at, Timer::Dag(dag));
    }

    /// What a DAG's timetable was to be looked at for may not be so any more.
    fn no_dag_timer(&mut self, dag: u32) {
        let old = self.dags[dag as usize].timer.take();
        self.no_timer(old, Timer::Dag(dag));
    }

    fn may_begin(&self, run: &Run) -> bool {
        let dag = self.dag(run.dag);
        if dag.paused {
            return false;
        }
        match run.backfill.and_then(|id| self.backfills.get(&id)) {
            Some(backfill) => {
                let on = u32::try_from(backfill.on.len()).unwrap_or(u32::MAX);
                backfill.row.state == tidemill_store::record::BackfillState::Active
                    && on < backfill.row.active_runs_max
            }
            None => {
                let on = u32::try_from(dag.on.len()).unwrap_or(u32::MAX);
                on < run.plan.definition().active_runs_max
            }
        }
    }

    /// Nothing of a DAG starts any more, or it does again.
    pub(super) fn pause_dag(&mut self, dag: u32, pause: bool, by: &Arc<str>) {
        let now = self.now;
        let of = self.dag_mut(dag);
        of.paused = pause;
        of.edits += 1;
        if !pause {
            of.failures_in_row = 0;
        }
        of.touched = Some(tidemill_store::record::Touch {
            by: Arc::clone(by),
            how: if pause { "paused" } else { "unpaused" }.into(),
            at: now,
        });
        let gate = of.gate;
        let limit = self.lanes.gate(gate).limit;
        self.lanes.set_gate(gate, limit, pause);
        if !pause {
            self.todo.push_back(Todo::Schedule(dag));
            self.todo.push_back(Todo::Begin(dag));
            self.todo.push_back(Todo::Assets(dag));
        }
    }
}
