//! Running again what has run, and marking what has not: the changes that people make to runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidemill_core::protocol::{MapIndex, NOT_MAPPED, RunNo};
use tidemill_core::spec::{Over, Role, WriteMode};
use tidemill_core::state::{RunState, TaskState};
use tidemill_store::record::{AttemptEnd, Touch};

use super::effect::{Refusal, TaskChange};
use super::input::{Around, Selected};
use super::machine::Engine;
use super::plan::{Many, Plan, Pos};
use super::run::{At, Run};
use super::slot::{Detail, Moment};
use super::world::{Timer, Todo, World};

/// What is run again, and as what.
#[derive(Debug, Clone, Default)]
pub(super) struct Clearing {
    /// Everything; `which` does not matter.
    pub(super) all: bool,
    pub(super) which: BTreeSet<At>,
    /// The plan that the run has from now on.
    pub(super) plan: Option<u32>,
    /// The params that it has from now on.
    pub(super) params: Option<Arc<str>>,
    pub(super) by: Arc<str>,
    pub(super) how: Arc<str>,
    pub(super) note: Option<Arc<str>>,
}

impl Run {
    /// Whether anything of it is on, or may be: then it keeps the version and the params that this was begun with.
    pub(super) fn is_busy(&self) -> bool {
        let mut instances = self.instances().into_iter();
        self.stopping > 0
            || instances.any(|at| {
                let slot = self.slot(at);
                slot.is_some_and(|slot| slot.is_live() || slot.has_left_something())
            })
    }

    /// Its keys of concurrency are worked out anew: they follow from its version and its params.
    fn forget_keys(&mut self) {
        let blocks = self.blocks.values_mut();
        let instances = blocks.flat_map(|block| &mut block.slots);
        for slot in self.slots.iter_mut().chain(instances) {
            if let Some(detail) = &mut slot.detail {
                detail.key = None;
            }
        }
    }

    /// The instances that are meant.
    pub(super) fn select(
        &self,
        selected: &Selected,
        around: Around,
    ) -> Result<BTreeSet<At>, Refusal> {
        let plan = Arc::clone(&self.plan);
        let mut meant: BTreeSet<(Pos, Option<MapIndex>)> = BTreeSet::new();
        for (pos, index) in self.named(&plan, selected)? {
            meant.insert((pos, index));
            let mut reach = |next: fn(&Plan, Pos) -> &[Pos]| {
                for other in reached(&plan, pos, next) {
                    let index = index.filter(|_| plan.hand_in_hand(pos, other));
                    meant.insert((other, index));
                }
            };
            if around.downstream {
                reach(|plan, pos| &plan.task(pos).down);
            }
            if around.upstream {
                reach(|plan, pos| &plan.task(pos).up);
            }
        }
        let mut all = BTreeSet::new();
        for (pos, index) in meant {
            let these = self
                .instances_of(pos)
                .filter(|at| index.is_none_or(|index| at.index == index));
            // What its list no longer has is not there to run again.
            all.extend(these.filter(|at| !self.is_beyond(*at)));
        }
        if around.only_failed {
            all.retain(|at| {
                let state = self.slot(*at).map(|slot| slot.state);
                matches!(state, Some(TaskState::Failed | TaskState::UpstreamFailed))
            });
        }
        Ok(all)
    }

    fn named(
        &self,
        plan: &Plan,
        selected: &Selected,
    ) -> Result<Vec<(Pos, Option<MapIndex>)>, Refusal> {
        let definition = plan.definition();
        let all = 0..u32::try_from(definition.tasks.len()).unwrap_or(u32::MAX);
        match selected {
            Selected::All => Ok(all.map(|pos| (pos, None)).collect()),
            Selected::Group(group) => {
                let inside = |pos: &Pos| {
                    let task = plan.spec(*pos);
                    definition
                        .groups_around(task.group.as_ref())
                        .any(|around| around.id == *group)
                };
                let inside: Vec<_> = all.filter(inside).map(|pos| (pos, None)).collect();
                if inside.is_empty() {
                    return Err(unknown(
                        "group",
                        group.as_str(),
                        definition.groups.iter().map(|group| group.id.as_str()),
                    ));
                }
                Ok(inside)
            }
            Selected::Tasks(tasks) => {
                let find = |(name, index): &(_, Option<MapIndex>)| {
                    let name: &tidemill_core::id::TaskId = name;
                    let pos = definition
                        .position(name.as_str())
                        .and_then(|pos| Pos::try_from(pos).ok());
                    let names = || definition.tasks.iter().map(|task| task.id.as_str());
                    let pos = pos.ok_or_else(|| unknown("task", name.as_str(), names()))?;
                    let index = index.filter(|index| *index != NOT_MAPPED);
                    match index {
                        Some(index) if self.slot(At { pos, index }).is_none() => Err(unknown(
                            "instance",
                            &format!("{name}[{index}]"),
                            std::iter::empty(),
                        )),
                        index => Ok((pos, index)),
                    }
                };
                tasks.iter().map(find).collect()
            }
        }
    }

    /// What clearing these clears as well: the setup and the teardown around a task that runs again.
    pub(super) fn with_setups(&self, which: &mut BTreeSet<At>) {
        let plan = Arc::clone(&self.plan);
        let mut more = BTreeSet::new();
        for at in which.iter() {
            let task = plan.task(at.pos);
            if !matches!(plan.spec(at.pos).role, Role::Work) {
                continue;
            }
            let direct = task
                .up
                .iter()
                .filter(|up| plan.spec(**up).role == Role::Setup);
            for setup in task.setups.iter().chain(direct) {
                let torn_down = (0..)
                    .zip(&plan.tasks)
                    .filter(|(_, task)| task.tears_down.contains(setup));
                for pos in torn_down.map(|(pos, _)| pos).chain([*setup]) {
                    let hand_in_hand = at.index >= 0 && plan.hand_in_hand(at.pos, pos);
                    more.extend(
                        self.instances_of(pos)
                            .filter(|other| !hand_in_hand || other.index == at.index),
                    );
                }
            }
        }
        which.extend(more);
    }

    /// The tables that are written again when these run again, and how, for people.
    pub(super) fn writes_again(&self, which: &BTreeSet<At>) -> BTreeSet<Arc<str>> {
        let done = which.iter().filter(|at| {
            self.slot(**at)
                .is_some_and(|slot| slot.state == TaskState::Success)
        });
        let writes = done.flat_map(|at| &self.plan.spec(at.pos).touches.writes);
        writes
            .map(|to| describe(&to.mode, &to.table.to_string()))
            .collect()
    }
}

fn describe(mode: &WriteMode, table: &str) -> Arc<str> {
    format!("{mode} {table}").into()
}

fn unknown<'a>(what: &'static str, name: &str, known: impl Iterator<Item = &'a str>) -> Refusal {
    Refusal::Unknown {
        what,
        name: name.to_owned(),
        nearest: tidemill_core::id::nearest(name, known).map(str::to_owned),
    }
}

fn reached(plan: &Plan, from: Pos, next: fn(&Plan, Pos) -> &[Pos]) -> Vec<Pos> {
    let mut seen = vec![false; plan.tasks.len()];
    let mut open = next(plan, from).to_vec();
    let mut reached = Vec::new();
    while let Some(pos) = open.pop() {
        if !std::mem::replace(&mut seen[pos as usize], true) {
            reached.push(pos);
            open.extend(next(plan, pos));
        }
    }
    reached
}

impl Engine {
    /// Has tasks of a run run again. The run begins again if it had ended.
    pub(super) fn clear_run(&mut self, no: RunNo, clearing: &Clearing) -> Vec<TaskChange> {
        let mut changed = Vec::new();
        let Some(run) = self.runs.get_mut(&no) else {
            return changed;
        };
        let world = &mut self.world;
        let mut which = clearing.which.clone();
        let other = clearing.plan.filter(|plan| *plan != run.plan_ix);
        if let Some(plan) = other {
            // Places of tasks are those of a version.
            let named: Vec<_> = which
                .iter()
                .map(|at| (run.plan.task(at.pos).no, at.index))
                .collect();
            world.change_version(run, plan);
            let here = named.into_iter().filter_map(|(no, index)| {
                let at = At {
                    pos: run.plan.position(no)?,
                    index,
                };
                run.instances_of(at.pos)
                    .any(|known| known == at)
                    .then_some(at)
            });
            which = here.collect();
        }
        if let Some(params) = &clearing.params {
            run.params = Arc::clone(params);
        }
        let anew = other.is_some() || clearing.params.is_some();
        if anew {
            run.forget_keys();
        }
        if clearing.all {
            which = run
                .instances()
                .into_iter()
                .filter(|at| !run.is_beyond(*at))
                .collect();
        }
        let touch = world.touch(&clearing.by, &clearing.how);
        for at in &which {
            changed.extend(world.clear_one(run, *at, &touch));
        }
        world.fold_cleared(run, &which);
        run.recut();
        run.note = clearing.note.clone().or_else(|| run.note.take());
        run.edits += 1;
        run.touched = Some(touch);
        run.why = None;
        let held = run.quarantine.take().is_some() || anew;
        world.dirty_run(run);
        if other.is_some() && !run.has_ended() {
            world.watch_lateness(run);
            // It may begin where the old one had to wait.
            world.todo.push_back(Todo::Begin(run.dag));
        }
        if run.has_ended() {
            world.requeue(run);
        } else if run.state == RunState::Running {
            if run.ending.take().is_some() {
                // It had come to its end but for its teardowns: its time counts anew.
                run.started_at = Some(world.now);
                world.equip(run);
            }
            if held {
                world.wait_anew(run);
            }
            for at in run.instances() {
                world.queue.push_back(at);
            }
            world.settle(run);
        }
        changed
    }

    /// Counts tasks of a run as having ended like this.
    pub(super) fn mark_run(
        &mut self,
        no: RunNo,
        which: &BTreeSet<At>,
        state: TaskState,
        touch: &Touch,
    ) -> Vec<TaskChange> {
        let mut changed = Vec::new();
        let Some(run) = self.runs.get_mut(&no) else {
            return changed;
        };
        let world = &mut self.world;
        for at in which {
            changed.extend(world.mark_one(run, *at, state, touch));
        }
        for at in armed_again(run, which, state) {
            changed.extend(world.clear_one(run, at, touch));
        }
        run.edits += 1;
        run.touched = Some(touch.clone());
        world.dirty_run(run);
        run.recut();
        if run.has_ended() && run.open > 0 {
            run.why = None;
            world.requeue(run);
        } else if run.has_ended() {
            let state = run.result();
            run.state = if run.state == RunState::Cancelled {
                run.state
            } else {
                state
            };
        } else {
            for at in run.instances() {
                world.queue.push_back(at);
            }
            world.settle(run);
        }
        changed
    }
}

/// What could not run because of these tasks, and may be able to once they count as having ended like this.
pub(super) fn armed_again(run: &Run, which: &BTreeSet<At>, state: TaskState) -> BTreeSet<At> {
    if state == TaskState::Failed {
        return BTreeSet::new();
    }
    let mut after: BTreeSet<Pos> = BTreeSet::new();
    for at in which {
        after.extend(reached(&run.plan, at.pos, |plan, pos| &plan.task(pos).down));
    }
    let blocked = |at: &At| {
        let slot = run.slot(*at);
        slot.is_some_and(|slot| slot.state == TaskState::UpstreamFailed) && !which.contains(at)
    };
    let instances = after.into_iter().flat_map(|pos| run.instances_of(pos));
    instances.filter(blocked).collect()
}

impl World {
    pub(super) fn touch(&self, by: &Arc<str>, how: &str) -> Touch {
        Touch {
            by: Arc::clone(by),
            how: how.into(),
            at: self.now,
        }
    }

    /// A run that had ended waits to begin again.
    fn requeue(&mut self, run: &mut Run) {
        run.state = RunState::Queued;
        run.ended_at = None;
        run.ending = None;
        // Another run may have come before it since.
        run.previous = None;
        if let Some(backfill) = run.backfill.and_then(|id| self.backfills.get_mut(&id)) {
            backfill.open.insert(run.no);
        }
        self.queue_run(run);
        self.watch_lateness(run);
    }

    fn clear_one(&mut self, run: &mut Run, at: At, touch: &Touch) -> Option<TaskChange> {
        let from = run.slot(at)?.state;
        let no = run.no;
        let why: Arc<str> = format!("{} {} it", touch.by, touch.how).into();
        self.give_up(run, at, AttemptEnd::Cancelled, &why);
        let slot = run.slot_mut(at)?;
        let (retry, deadline) = (slot.retry_at.get(), slot.deadline.get());
        slot.tries = 0;
        slot.losses = 0;
        slot.requeues = 0;
        slot.retry_at = Moment::NONE;
        slot.deadline = Moment::NONE;
        slot.edits += 1;
        if slot.number > 0 {
            // A person decided that it is launched again.
            slot.epoch += 1;
        }
        let detail = slot.detail_mut();
        *detail = Detail {
            item: detail.item.take(),
            note: detail.note.take(),
            touched: Some(touch.clone()),
            ..Detail::default()
        };
        self.no_timer(retry, Timer::Retry(no, at));
        self.no_timer(deadline, Timer::Attempt(no, at));
        self.dirty(run, at);
        self.enter(run, at, TaskState::None);
        Some(TaskChange {
            of: run.of(at),
            name: run.plan.spec(at.pos).id.clone(),
            from,
            to: TaskState::None,
        })
    }

    fn mark_one(
        &mut self,
        run: &mut Run,
        at: At,
        state: TaskState,
        touch: &Touch,
    ) -> Option<TaskChange> {
        let from = run.slot(at)?.state;
        let why: Arc<str> = format!("{} {} it", touch.by, touch.how).into();
        self.give_up(run, at, AttemptEnd::Cancelled, &why);
        let no = run.no;
        let slot = run.slot_mut(at)?;
        let retry = std::mem::replace(&mut slot.retry_at, Moment::NONE).get();
        slot.edits += 1;
        let detail = slot.detail_mut();
        detail.touched = Some(touch.clone());
        detail.why = Some(why);
        self.no_timer(retry, Timer::Retry(no, at));
        self.dirty(run, at);
        self.enter(run, at, state);
        Some(TaskChange {
            of: run.of(at),
            name: run.plan.spec(at.pos).id.clone(),
            from,
            to: state,
        })
    }

    /// Mapped tasks whose list is made anew find out anew how many they are.
    fn fold_cleared(&mut self, run: &mut Run, which: &BTreeSet<At>) {
        let plan = Arc::clone(&run.plan);
        let mapped: Vec<Pos> = run.blocks.keys().copied().collect();
        let mut fold: BTreeSet<Pos> = BTreeSet::new();
        for pos in mapped {
            let members: Vec<Pos> = match plan.task(pos).many {
                Many::Group(group) => plan.groups[group as usize].members.to_vec(),
                _ => vec![pos],
            };
            let all = members.iter().all(|pos| {
                run.instances_of(*pos)
                    .all(|at| run.is_beyond(at) || which.contains(&at))
            });
            let over = plan
                .mapping(pos)
                .into_iter()
                .flat_map(|mapping| &mapping.over);
            let anew = over.into_iter().any(|over| match over {
                Over::Output { task, .. } => {
                    let pos = plan
                        .definition()
                        .position(task.as_str())
                        .and_then(|pos| Pos::try_from(pos).ok());
                    pos.is_some_and(|pos| run.instances_of(pos).any(|at| which.contains(&at)))
                }
                // The params may have been given anew.
                Over::Params(_) => true,
                Over::Values(_) => false,
            });
            if all && anew {
                fold.insert(pos);
            }
        }
        for pos in fold {
            self.fold(run, pos);
        }
    }
}
