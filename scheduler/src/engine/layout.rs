//! Counts worked out from scratch, and runs that change to another version of their DAG.

use std::sync::Arc;

use tidemill_core::protocol::{MapIndex, TaskNo};
use tidemill_core::state::TaskState;
use tidemill_store::record::TaskRow;

use super::fast::FastMap;
use super::plan::{Many, Plan, Pos};
use super::rules::Counts;
use super::run::{At, Block, Run};
use super::slot::{Flags, Moment, Slot};
use super::world::World;

/// An instance of a task that the run's version does not have.
#[derive(Debug, Clone)]
pub(super) struct Gone {
    pub(super) task: TaskNo,
    pub(super) index: MapIndex,
    pub(super) slot: Slot,
}

impl Run {
    /// Works out how many upstream instances every instance has, and how they ended.
    pub(super) fn count_all(&mut self) {
        let plan = Arc::clone(&self.plan);
        let count = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        for pos in 0..count {
            if let Some(block) = self.blocks.get_mut(&pos) {
                block.ended = Counts::default();
                for slot in &block.slots {
                    block.ended.count(slot.state, 1);
                }
                // An empty list makes no instances; those from before do not count.
                block.folded = self.slots[pos as usize]
                    .instances
                    .is_none_or(|count| count == 0);
            }
        }
        self.open = 0;
        for pos in 0..count {
            for at in self.instances_of(pos) {
                self.open += u32::from(self.slot(at).is_some_and(|slot| !slot.state.is_final()));
            }
            self.count_one(&plan, At::whole(pos));
            self.count_block(&plan, pos);
        }
        self.recut();
    }

    /// Counts for each instance of a task what is upstream of it.
    pub(super) fn count_block(&mut self, plan: &Plan, pos: Pos) {
        let all = self.blocks.get(&pos).map_or(0, |block| block.slots.len());
        for index in 0..MapIndex::try_from(all).unwrap_or(MapIndex::MAX) {
            self.count_one(plan, At { pos, index });
        }
    }

    fn count_one(&mut self, plan: &Plan, at: At) {
        let task = plan.task(at.pos);
        let from = if task.many == Many::Own {
            At::whole(at.pos)
        } else {
            at
        };
        let (mut counts, mut total) = (Counts::default(), 0);
        for up in &task.up {
            if plan.hand_in_hand(*up, at.pos) {
                total += 1;
                let index = if self.is_summary(At::whole(*up)) {
                    from.index
                } else {
                    -1
                };
                // A mapped task as a whole does not look at the instances before it: its own instances do.
                if (from.index >= 0 || index < 0 && !self.is_summary(At::whole(*up)))
                    && let Some(slot) = self.slot(At { pos: *up, index })
                {
                    counts.count(slot.state, 1);
                }
            } else {
                let (ended, all) = self.ended_of(*up);
                counts.add(&ended);
                total += all;
            }
        }
        let waits = self.open_before_teardown(plan, at);
        if let Some(slot) = self.slot_mut(at) {
            slot.counts = counts;
            slot.total = total;
            slot.waits = waits;
        }
    }

    fn open_before_teardown(&self, plan: &Plan, at: At) -> u32 {
        if plan.task(at.pos).waits == 0 {
            return 0;
        }
        let before = (0..)
            .zip(&plan.tasks)
            .filter(|(_, task)| task.torn_down_by.contains(&at.pos));
        let open = before.filter(|(pos, _)| {
            if plan.hand_in_hand(at.pos, *pos) && self.is_summary(At::whole(*pos)) {
                // For the task as a whole it is as it was when both were expanded.
                let own = At {
                    pos: *pos,
                    index: at.index,
                };
                let own = self.slot(own).filter(|_| at.index >= 0);
                return own.is_none_or(|slot| !slot.state.is_final());
            }
            let (ended, all) = self.ended_of(*pos);
            ended.done() < all
        });
        u32::try_from(open.count()).unwrap_or(u32::MAX)
    }
}

/// A task comes into a version that has it, possibly after one that did not.
fn come_into(slot: &mut Slot, instant: bool) {
    if slot.state == TaskState::Removed {
        // It is back, and finds out anew how many it is.
        slot.instances = None;
        slot.begin_anew();
    }
    let waits = matches!(slot.state, TaskState::Scheduled | TaskState::UpForRetry);
    if slot.state == TaskState::Removed || (waits && instant) {
        // What no worker runs does not wait for one.
        slot.state = TaskState::None;
        slot.retry_at = Moment::NONE;
    }
}

impl World {
    /// Lets a run go on with another version of its DAG. What both versions have keeps its state.
    ///
    /// Nothing of the run may be on: an attempt of the old version would report to a task of the new.
    pub(super) fn change_version(&mut self, run: &mut Run, plan_ix: u32) {
        let new = Arc::clone(&self.plans[plan_ix as usize]);
        // They ring for positions of the old version.
        self.forget_lateness(run);
        let old = std::mem::replace(&mut run.plan, Arc::clone(&new));
        run.plan_ix = plan_ix;
        self.dirty_run(run);
        if run.slots.is_empty() && run.gone.is_empty() {
            return;
        }
        // Limits of the run and what waits in lanes go by positions of the old version.
        self.free_run_gates(run);
        let slots = std::mem::take(&mut run.slots);
        let mut blocks = std::mem::take(&mut run.blocks);
        let mut kept: FastMap<TaskNo, (Slot, Option<Block>)> = FastMap::default();
        for (slot, pos) in slots.into_iter().zip(0..) {
            kept.insert(old.task(pos).no, (slot, blocks.remove(&pos)));
        }
        for gone in std::mem::take(&mut run.gone) {
            let known = kept
                .entry(gone.task)
                .or_insert_with(|| (gone.slot.clone(), None));
            if gone.index < 0 {
                known.0 = gone.slot;
            } else {
                let block = known.1.get_or_insert_default();
                block.slots.push(gone.slot);
            }
        }
        let now = self.now;
        for (task, pos) in new.tasks.iter().zip(0..) {
            let (mut slot, block) = kept.remove(&task.no).unwrap_or_else(|| {
                let mut slot = Slot::new(0, 0);
                slot.came(now);
                (slot, None)
            });
            come_into(&mut slot, task.instant);
            if let Some(mut block) = block {
                if task.many == Many::No {
                    block
                        .slots
                        .iter_mut()
                        .for_each(|slot| slot.state = TaskState::Removed);
                }
                // How many it becomes is found out anew when the task runs.
                slot.instances = slot.instances.filter(|_| task.many != Many::No);
                if task.many != Many::No {
                    run.blocks.insert(pos, block);
                } else {
                    self.write_gone(run, (&old, task.no), None, block);
                }
            }
            run.slots.push(slot);
        }
        for (no, (slot, block)) in kept {
            self.write_gone(run, (&old, no), Some(slot), block.unwrap_or_default());
        }
        run.gone.sort_by_key(|gone| (gone.task, gone.index));
        run.count_all();
        for pos in 0..u32::try_from(run.slots.len()).unwrap_or(u32::MAX) {
            self.dirty(run, At::whole(pos));
            for at in run.instances_of(pos) {
                self.dirty(run, at);
            }
        }
    }

    /// What the new version does not have is on record as removed.
    fn write_gone(
        &mut self,
        run: &mut Run,
        (old, no): (&Plan, TaskNo),
        whole: Option<Slot>,
        block: Block,
    ) {
        let known = old.position(no);
        let instances = block
            .slots
            .into_iter()
            .zip(0..)
            .map(|(slot, index)| (index, slot));
        for (index, mut slot) in whole.into_iter().map(|slot| (-1, slot)).chain(instances) {
            slot.state = TaskState::Removed;
            slot.came(self.now);
            // What an earlier version had is on record already.
            if let Some(pos) = known.filter(|_| !slot.flags.has(Flags::NEW)) {
                self.changes
                    .tasks
                    .push(gone_row(run, (old, pos), index, &slot));
            }
            run.gone.push(Gone {
                task: no,
                index,
                slot,
            });
        }
    }
}

fn gone_row(run: &Run, (old, pos): (&Plan, Pos), index: MapIndex, slot: &Slot) -> TaskRow {
    let of = tidemill_core::protocol::InstanceRef {
        run: run.no,
        task: old.task(pos).no,
        map_index: index,
    };
    slot.row((of, &old.spec(pos).id), run.created_at, None)
}
