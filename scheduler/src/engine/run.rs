//! One run in memory.

use std::num::NonZeroU32;
use std::sync::Arc;

use tidemill_core::id::TaskId;
use tidemill_core::protocol::{
    AttemptNo, AttemptRef, InstanceRef, MapIndex, NOT_MAPPED, RunNo, TaskNo,
};
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_store::record::{RunRow, TaskDetailRow, TaskRow, Touch};

use super::fast::FastMap;
use super::lanes::{GateIx, PoolIx};
use super::layout::Gone;
use super::plan::{Plan, Pos};
use super::rules::Counts;
use super::slot::{Detail, Flags, Moment, Slot};

/// An instance within its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct At {
    pub(super) pos: Pos,
    pub(super) index: MapIndex,
}

impl At {
    pub(super) const fn whole(pos: Pos) -> Self {
        Self {
            pos,
            index: NOT_MAPPED,
        }
    }
}

/// The instances of a mapped task.
#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    pub(super) slots: Vec<Slot>,
    /// How they ended.
    pub(super) ended: Counts,
    /// The task was cleared together with what its list came from: how many instances it has is open again. Those that
    /// it had wait to be used again or removed.
    pub(super) folded: bool,
}

/// One run in memory. What the fields mean is said at the store's `RunRow`.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) no: RunNo,
    pub(super) plan: Arc<Plan>,
    /// The number of the plan.
    pub(super) plan_ix: u32,
    pub(super) dag: u32,
    pub(super) name: Arc<str>,
    pub(super) kind: RunType,
    pub(super) state: RunState,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) due_at: Timestamp,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) params: Arc<str>,
    pub(super) backfill: Option<i64>,
    pub(super) paused: bool,
    pub(super) priority: i32,
    pub(super) pool: Option<(PoolIx, Arc<str>)>,
    pub(super) ending: Option<RunState>,
    pub(super) quarantine: Option<Arc<str>>,
    pub(super) why: Option<Arc<str>>,
    pub(super) note: Option<Arc<str>>,
    pub(super) edits: u32,
    pub(super) touched: Option<Touch>,

    /// One for each task; empty before the run begins.
    pub(super) slots: Vec<Slot>,
    /// Instances of mapped tasks that were expanded.
    pub(super) blocks: FastMap<Pos, Block>,
    /// How many instances have not ended.
    pub(super) open: u32,
    /// Outputs that lists are made of: what the last attempt of an instance returned, also while it is cleared.
    pub(super) lists: FastMap<(TaskNo, MapIndex), Arc<str>>,
    /// Limits attempts within the run; none if there is no such limit.
    pub(super) gate: Option<GateIx>,
    /// The same for single tasks.
    pub(super) task_gates: FastMap<Pos, GateIx>,
    /// Tasks that would wait in a lane if the run were not paused.
    pub(super) held: Vec<At>,
    /// How many attempts of it are being stopped.
    pub(super) stopping: u32,
    /// Instances of tasks that its version does not have.
    pub(super) gone: Vec<Gone>,
    pub(super) dirty: bool,
    pub(super) new: bool,
    /// The run before it, for tasks that look at that: none if it is not known yet, none inside if there is none.
    pub(super) previous: Option<Option<RunNo>>,
    /// The runs that it is this for.
    pub(super) following: Vec<RunNo>,
}

impl Run {
    pub(super) fn slot(&self, at: At) -> Option<&Slot> {
        if at.index < 0 {
            return self.slots.get(at.pos as usize);
        }
        let block = self.blocks.get(&at.pos)?;
        block.slots.get(usize::try_from(at.index).ok()?)
    }

    pub(super) fn slot_mut(&mut self, at: At) -> Option<&mut Slot> {
        if at.index < 0 {
            return self.slots.get_mut(at.pos as usize);
        }
        let block = self.blocks.get_mut(&at.pos)?;
        block.slots.get_mut(usize::try_from(at.index).ok()?)
    }

    /// Whether this stands for instances of its own rather than for work.
    pub(super) fn is_summary(&self, at: At) -> bool {
        at.index < 0 && self.blocks.get(&at.pos).is_some_and(|block| !block.folded)
    }

    /// Whether this is an instance that its task had once and has no longer: its list became shorter.
    pub(super) fn is_beyond(&self, at: At) -> bool {
        let count = self
            .slots
            .get(at.pos as usize)
            .and_then(|slot| slot.instances);
        u32::try_from(at.index).is_ok_and(|index| count.is_some_and(|count| index >= count))
    }

    /// Everything that has a state of its own: plain tasks, mapped tasks as a whole before they are expanded, and
    /// instances after.
    pub(super) fn instances_of(&self, pos: Pos) -> impl Iterator<Item = At> + use<> {
        let count = self
            .blocks
            .get(&pos)
            .filter(|block| !block.folded)
            .map(|block| MapIndex::try_from(block.slots.len()).unwrap_or(MapIndex::MAX));
        let range = match count {
            Some(count) => 0..count,
            None => NOT_MAPPED..0,
        };
        range.map(move |index| At { pos, index })
    }

    pub(super) fn instances(&self) -> Vec<At> {
        let positions = 0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        positions.flat_map(|pos| self.instances_of(pos)).collect()
    }

    /// The state of a task as a whole.
    pub(super) fn state_of(&self, pos: Pos) -> TaskState {
        self.slots
            .get(pos as usize)
            .map_or(TaskState::None, |slot| slot.state)
    }

    /// How the instances of a task ended, and how many there are.
    pub(super) fn ended_of(&self, pos: Pos) -> (Counts, u32) {
        if let Some(block) = self.blocks.get(&pos).filter(|block| !block.folded) {
            return (
                block.ended,
                u32::try_from(block.slots.len()).unwrap_or(u32::MAX),
            );
        }
        let mut counts = Counts::default();
        counts.count(self.state_of(pos), 1);
        (counts, 1)
    }

    pub(super) fn of(&self, at: At) -> InstanceRef {
        InstanceRef {
            run: self.no,
            task: self.plan.task(at.pos).no,
            map_index: at.index,
        }
    }

    pub(super) fn at(&self, of: InstanceRef) -> Option<At> {
        let pos = self.plan.position(of.task)?;
        let at = At {
            pos,
            index: of.map_index,
        };
        self.slot(at).map(|_| at)
    }

    /// The last attempt of an instance, of one as well whose task its version does not have.
    pub(super) fn last_attempt(&self, of: InstanceRef) -> Option<AttemptNo> {
        if let Some(at) = self.at(of) {
            return self.slot(at).map(|slot| slot.attempt);
        }
        let mut gone = self.gone.iter();
        let gone = gone.find(|gone| gone.task == of.task && gone.index == of.map_index)?;
        Some(gone.slot.attempt)
    }

    pub(super) fn attempt(&self, at: At) -> Option<AttemptRef> {
        let slot = self.slot(at)?;
        Some(AttemptRef {
            of: self.of(at),
            attempt: slot.attempt,
            hand: slot.hand,
        })
    }

    pub(super) const fn is_active(&self) -> bool {
        matches!(self.state, RunState::Running) && self.quarantine.is_none()
    }

    pub(super) const fn has_ended(&self) -> bool {
        !matches!(self.state, RunState::Queued | RunState::Running)
    }

    /// How many instances it holds in memory.
    pub(super) fn weight(&self) -> usize {
        self.slots.len()
            + self
                .blocks
                .values()
                .map(|block| block.slots.len())
                .sum::<usize>()
    }

    pub(super) fn row(&self) -> RunRow {
        RunRow {
            id: self.no,
            dag: self.plan.spec.id().clone(),
            name: Arc::clone(&self.name),
            kind: self.kind,
            state: self.state,
            version: self.plan.version.clone(),
            start: self.start,
            end: self.end,
            due_at: self.due_at,
            created_at: self.created_at,
            started_at: self.started_at,
            ended_at: self.ended_at,
            params: Arc::clone(&self.params),
            backfill: self.backfill,
            paused: self.paused,
            priority: self.priority,
            pool: self.pool.as_ref().map(|(_, name)| Arc::clone(name)),
            ending: self.ending,
            quarantine: self.quarantine.clone(),
            why: self.why.clone(),
            note: self.note.clone(),
            edits: self.edits,
            touched: self.touched.clone(),
        }
    }

    pub(super) fn task_row(
        &self,
        at: At,
        worker: impl Fn(u32) -> Option<Arc<str>>,
    ) -> Option<TaskRow> {
        let slot = self.slot(at)?;
        let worker = slot.worker.and_then(|number| worker(number.get()));
        Some(slot.row(
            (self.of(at), &self.plan.task(at.pos).id),
            self.created_at,
            worker,
        ))
    }

    pub(super) fn detail_row(&self, at: At) -> Option<TaskDetailRow> {
        let detail = self.slot(at)?.detail()?;
        Some(TaskDetailRow {
            of: self.of(at),
            handle: detail.handle.clone(),
            why: detail.why.clone(),
            item: detail.item.clone(),
            said: detail.said.clone(),
            note: detail.note.clone(),
            touched: detail.touched.clone(),
        })
    }

    /// Puts an instance back as it was written. Counts are worked out after all are back.
    pub(super) fn restore(&mut self, at: At, row: &TaskRow, worker: Option<NonZeroU32>) {
        if at.index >= 0 {
            let block = self.blocks.entry(at.pos).or_default();
            let wanted = usize::try_from(at.index).unwrap_or(0) + 1;
            if block.slots.len() < wanted {
                block.slots.resize(wanted, Slot::new(0, 0));
            }
        }
        let Some(slot) = self.slot_mut(at) else {
            return;
        };
        *slot = Slot::restored(row, worker);
    }

    pub(super) fn restore_detail(&mut self, row: &TaskDetailRow) {
        let here = self.at(row.of);
        let is = |gone: &&mut Gone| gone.task == row.of.task && gone.index == row.of.map_index;
        let slot = match here {
            Some(at) => self.slot_mut(at),
            // Its task may be back with another version.
            None => self.gone.iter_mut().find(is).map(|gone| &mut gone.slot),
        };
        if let Some(slot) = slot {
            slot.detail = Some(Box::new(Detail {
                handle: row.handle.clone(),
                why: row.why.clone(),
                item: row.item.clone(),
                said: row.said.clone(),
                note: row.note.clone(),
                touched: row.touched.clone(),
                key: None,
            }));
        }
    }
}

impl Slot {
    /// When it came into its state.
    pub(super) fn came(&mut self, now: Timestamp) {
        self.since = Moment::from(now);
    }

    /// Itself as it was written, all but its detail and its counts.
    pub(super) fn restored(row: &TaskRow, worker: Option<NonZeroU32>) -> Self {
        let narrow = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        Self {
            state: row.state,
            flags: Flags::default(),
            hand: row.hand,
            tries: narrow(row.tries),
            losses: narrow(row.losses),
            requeues: narrow(row.requeues),
            number: row.number,
            epoch: row.epoch,
            edits: row.edits,
            instances: row.instances,
            worker,
            attempt: row.attempt,
            ended_attempt: row.ended_attempt,
            since: row.since.into(),
            queued_at: row.queued_at.into(),
            started_at: row.started_at.into(),
            retry_at: row.retry_at.into(),
            deadline: row.deadline.into(),
            ..Self::new(0, 0)
        }
    }

    /// Itself as it is written.
    pub(super) fn row(
        &self,
        (of, name): (InstanceRef, &TaskId),
        created_at: Timestamp,
        worker: Option<Arc<str>>,
    ) -> TaskRow {
        TaskRow {
            of,
            name: name.clone(),
            state: self.state,
            attempt: self.attempt,
            hand: self.hand,
            ended_attempt: self.ended_attempt,
            number: self.number,
            tries: self.tries.into(),
            losses: self.losses.into(),
            requeues: self.requeues.into(),
            epoch: self.epoch,
            edits: self.edits,
            worker,
            since: self.since.get().unwrap_or(created_at),
            queued_at: self.queued_at.get(),
            started_at: self.started_at.get(),
            retry_at: self.retry_at.get(),
            deadline: self.deadline.get(),
            instances: self.instances,
        }
    }
}
