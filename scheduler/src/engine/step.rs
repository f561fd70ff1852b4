//! How the end of one task leads to the next. Everything here walks along edges only: from the instance that changed to
//! those directly after it, and on from those that it settles.

use std::sync::Arc;

use tidemill_core::spec::TaskKind;
use tidemill_core::state::{RunState, TaskState};
use tidemill_store::record::Said;

use super::plan::{Expands, Many, Plan, Pos};
use super::rules::{Counts, Seen, Verdict, verdict};
use super::run::{At, Run};
use super::slot::Flags;
use super::world::{Todo, World};

/// What becomes of an instance that nothing was decided about yet.
enum Decision {
    Wait,
    Run,
    Expand,
    End(TaskState, Option<Arc<str>>),
}

/// Whether a task instance may go from one state to another. Every edge there is is in this table.
#[must_use]
pub fn may_follow(from: TaskState, to: TaskState) -> bool {
    use TaskState::{
        Deferred, None, Queued, Removed, Running, Scheduled, UpForRetry, UpstreamFailed,
    };
    match (from, to) {
        // A person can have anything run again, and mark anything.
        (_, None | Removed) => from != to,
        (from, to) if to.is_final() => {
            from != to && (to != UpstreamFailed || from == None || from.is_final())
        }
        (None | UpForRetry, Scheduled)
        | (None | Queued | Running, Deferred)
        | (Scheduled, Queued)
        | (Queued, Running)
        | (Queued | Running | Deferred, UpForRetry) => true,
        _ => false,
    }
}

impl World {
    /// The one place where an instance changes its state.
    pub(super) fn enter(&mut self, run: &mut Run, at: At, to: TaskState) {
        let summary = run.is_summary(at);
        let now = self.now;
        let Some(slot) = run.slot_mut(at) else {
            return;
        };
        let from = slot.state;
        if from == to {
            return;
        }
        if !summary && !may_follow(from, to) {
            let name = run.plan.spec(at.pos).id.clone();
            self.quarantine(run, format!("`{name}` would have gone from {from} to {to}"));
            return;
        }
        slot.state = to;
        slot.came(now);
        if from.is_final() || to.is_final() {
            slot.edits += 1;
        }
        self.dirty(run, at);
        if summary {
            return;
        }
        match (from.is_final(), to.is_final()) {
            (false, true) => run.open -= 1,
            (true, false) => run.open += 1,
            (false, false) => return,
            (true, true) => {}
        }
        self.spread(run, at, from, to);
    }

    /// Tells everything that looks at an instance that it ended, or is open again.
    fn spread(&mut self, run: &mut Run, at: At, from: TaskState, to: TaskState) {
        let plan = Arc::clone(&run.plan);
        let task = plan.task(at.pos);
        let (mut was_over, mut is_over) = (from.is_final(), to.is_final());
        if at.index >= 0
            && let Some(block) = run.blocks.get_mut(&at.pos)
        {
            let all = u32::try_from(block.slots.len()).unwrap_or(u32::MAX);
            was_over = block.ended.done() == all;
            block.ended.count(from, -1);
            block.ended.count(to, 1);
            is_over = block.ended.done() == all;
            self.sum_up(run, at.pos);
        }
        for next in &task.down {
            if at.index >= 0 && plan.hand_in_hand(at.pos, *next) {
                let next = At {
                    pos: *next,
                    index: at.index,
                };
                self.recount(run, next, from, to);
            } else {
                self.recount_whole(run, *next, from, to);
            }
        }
        for teardown in &task.torn_down_by {
            if at.index >= 0 && plan.hand_in_hand(at.pos, *teardown) {
                let change = i32::from(from.is_final()) - i32::from(to.is_final());
                let teardown = At {
                    pos: *teardown,
                    index: at.index,
                };
                if let Some(slot) = run.slot_mut(teardown) {
                    slot.waits = slot.waits.saturating_add_signed(change);
                }
                self.queue.push_back(teardown);
            } else {
                run.rewait(*teardown, i32::from(was_over) - i32::from(is_over));
                self.look_at_all(run, *teardown);
            }
        }
        for group in task.listed_by.iter().filter_map(|by| match by {
            Expands::Group(group) => Some(*group),
            Expands::Task(_) => None,
        }) {
            // Not every task of a group comes after what the group is mapped over.
            for member in &plan.groups[group as usize].members {
                self.look_at_all(run, *member);
            }
        }
        if to.is_final() {
            for inside in &task.set_up {
                self.look_at_all(run, *inside);
            }
        }
        if !run.following.is_empty() && to.is_final() {
            self.todo.push_back(Todo::Later(run.no, at.pos));
        }
    }

    fn recount(&mut self, run: &mut Run, at: At, from: TaskState, to: TaskState) {
        if let Some(slot) = run.slot_mut(at) {
            slot.counts.count(from, -1);
            slot.counts.count(to, 1);
            if slot.state == TaskState::None {
                self.queue.push_back(at);
            }
        }
    }

    /// Counts for a task as a whole, and for those of its instances that look outside their group.
    fn recount_whole(&mut self, run: &mut Run, pos: Pos, from: TaskState, to: TaskState) {
        self.recount(run, At::whole(pos), from, to);
        let Some(block) = run.blocks.get_mut(&pos) else {
            return;
        };
        if block.folded {
            return;
        }
        let own = run.plan.task(pos).many == Many::Own;
        for (slot, index) in block.slots.iter_mut().zip(0..) {
            if !own {
                slot.counts.count(from, -1);
                slot.counts.count(to, 1);
            }
            if slot.state == TaskState::None {
                self.queue.push_back(At { pos, index });
            }
        }
    }

    /// Puts everything of a task that is undecided on the list.
    pub(super) fn look_at_all(&mut self, run: &Run, pos: Pos) {
        self.queue.extend(run.instances_of(pos));
    }

    /// The state of a mapped task as a whole follows from its instances.
    pub(super) fn sum_up(&mut self, run: &mut Run, pos: Pos) {
        let Some(block) = run.blocks.get(&pos).filter(|block| !block.folded) else {
            return;
        };
        let all = u32::try_from(block.slots.len()).unwrap_or(u32::MAX);
        let ended = block.ended;
        let state = match () {
            () if ended.done() < all => TaskState::Running,
            () if ended.failed > 0 => TaskState::Failed,
            () if ended.upstream_failed > 0 => TaskState::UpstreamFailed,
            () if ended.success > 0 => TaskState::Success,
            () if ended.skipped > 0 => TaskState::Skipped,
            () => TaskState::Removed,
        };
        self.enter(run, At::whole(pos), state);
    }

    /// Looks at everything that may have become decidable, until nothing is left, and ends the run if that was all.
    pub(super) fn settle(&mut self, run: &mut Run) {
        while let Some(at) = self.queue.pop_front() {
            self.consider(run, at);
        }
        if run.open == 0 && run.is_active() && !run.slots.is_empty() {
            self.end_run(run);
        }
    }

    fn consider(&mut self, run: &mut Run, at: At) {
        if !run.is_active() || run.is_summary(at) {
            return;
        }
        if run
            .slot(at)
            .is_none_or(|slot| slot.state != TaskState::None)
        {
            return;
        }
        let plan = Arc::clone(&run.plan);
        let past = plan.task(at.pos).looks_back;
        match self.decide(run, at, &plan) {
            Decision::Run if past => self.todo.push_back(Todo::Past(run.no, at)),
            Decision::End(TaskState::Skipped, _)
                if past && plan.spec(at.pos).past.wait_before_skipping =>
            {
                self.todo.push_back(Todo::Past(run.no, at));
            }
            decision => self.carry_out(run, at, decision),
        }
    }

    /// Goes on with an instance whose earlier runs stand as it wants them.
    pub(super) fn past_is_met(&mut self, run: &mut Run, at: At) {
        if run.is_active()
            && run
                .slot(at)
                .is_some_and(|slot| slot.state == TaskState::None)
        {
            let plan = Arc::clone(&run.plan);
            let decision = self.decide(run, at, &plan);
            self.carry_out(run, at, decision);
        }
    }

    fn carry_out(&mut self, run: &mut Run, at: At, decision: Decision) {
        match decision {
            Decision::Wait => {}
            Decision::Expand => self.expand(run, at.pos),
            Decision::End(state, why) => self.end_undone(run, at, state, why),
            Decision::Run => self.may_run(run, at),
        }
    }

    /// Ends an instance that never ran.
    pub(super) fn end_undone(
        &mut self,
        run: &mut Run,
        at: At,
        state: TaskState,
        why: Option<Arc<str>>,
    ) {
        if why.is_some()
            && let Some(slot) = run.slot_mut(at)
        {
            slot.detail_mut().why = why;
        }
        self.enter(run, at, state);
        if state == TaskState::Failed {
            self.task_failed(run, at);
        }
    }

    fn decide(&mut self, run: &Run, at: At, plan: &Plan) -> Decision {
        let task = plan.task(at.pos);
        let Some(slot) = run.slot(at) else {
            return Decision::Wait;
        };
        if slot.flags.has(Flags::CUT) {
            return Decision::End(
                TaskState::Skipped,
                Some("a short circuit upstream closed".into()),
            );
        }
        let mut list = None;
        if at.index < 0 && task.many != Many::No {
            match self.list_stands(run, at.pos) {
                ListStands::Open if task.many != Many::Own => return Decision::Wait,
                ListStands::Ready if task.many != Many::Own => return Decision::Expand,
                stands => list = Some(stands),
            }
        }
        match setups_stand(run, at, plan) {
            Verdict::Wait => return Decision::Wait,
            Verdict::End(state) => {
                return Decision::End(state, Some("of a setup around it".into()));
            }
            Verdict::Pass => {}
        }
        if let Some(why) = steered_away(run, at, plan) {
            return Decision::End(TaskState::Skipped, Some(why));
        }
        if slot.waits > 0 {
            return Decision::Wait;
        }
        match verdict(task.rule, &seen(run, at, plan)) {
            Verdict::Wait => Decision::Wait,
            Verdict::End(state) => Decision::End(state, None),
            Verdict::Pass => match list {
                None => Decision::Run,
                Some(ListStands::Open) => Decision::Wait,
                Some(ListStands::Ready) => Decision::Expand,
                Some(ListStands::Missing(state)) => Decision::End(
                    state,
                    Some("the task whose list it is mapped over gave none".into()),
                ),
            },
        }
    }

    /// An instance whose rule is met: it is done at once if there is nothing to run, else it waits for room.
    pub(super) fn may_run(&mut self, run: &mut Run, at: At) {
        let plan = Arc::clone(&run.plan);
        if !plan.task(at.pos).instant {
            self.enter(run, at, TaskState::Scheduled);
            self.enqueue(run, at);
            return;
        }
        match plan.spec(at.pos).kind {
            TaskKind::Approval { .. } => self.ask_people(run, at),
            _ => {
                self.enter(run, at, TaskState::Success);
                self.task_succeeded(run, at);
            }
        }
    }

    /// Takes a run out that cannot be evaluated. The others go on.
    pub(super) fn quarantine(&mut self, run: &mut Run, why: String) {
        run.quarantine = Some(why.clone().into());
        run.edits += 1;
        self.dirty_run(run);
        self.run_quarantined(run, &why);
    }

    /// Skips everything behind a short circuit that closed.
    pub(super) fn cut(&mut self, run: &mut Run, from: At) {
        for pos in run.cut_after(from) {
            self.look_at_all(run, pos);
        }
    }
}

impl Run {
    /// A teardown waits for more, or fewer, tasks that are not directly before it, and so does each of its instances.
    fn rewait(&mut self, teardown: Pos, change: i32) {
        let whole = self.slots.get_mut(teardown as usize);
        let block = self.blocks.get_mut(&teardown).filter(|block| !block.folded);
        for slot in whole
            .into_iter()
            .chain(block.into_iter().flat_map(|block| &mut block.slots))
        {
            slot.waits = slot.waits.saturating_add_signed(change);
        }
    }

    /// Marks everything behind a short circuit that closed, whatever its rules say; teardowns are left out.
    /// One instance of many decides about its own line only: what comes after all of them goes by its rule.
    fn cut_after(&mut self, from: At) -> Vec<Pos> {
        let plan = Arc::clone(&self.plan);
        let mut seen = vec![false; plan.tasks.len()];
        let mut open: Vec<Pos> = plan.task(from.pos).down.to_vec();
        let mut cut = Vec::new();
        while let Some(pos) = open.pop() {
            if std::mem::replace(&mut seen[pos as usize], true) {
                continue;
            }
            if from.index >= 0 && !plan.hand_in_hand(from.pos, pos) {
                continue;
            }
            open.extend(&plan.task(pos).down);
            if self.is_teardown(pos) {
                continue;
            }
            cut.push(pos);
            if from.index >= 0 {
                if let Some(slot) = self.slot_mut(At {
                    pos,
                    index: from.index,
                }) {
                    slot.flags.set(Flags::CUT);
                }
                continue;
            }
            // Those that are not expanded yet will not be.
            self.slots[pos as usize].flags.set(Flags::CUT);
            for at in self.instances_of(pos) {
                if let Some(slot) = self.slot_mut(at) {
                    slot.flags.set(Flags::CUT);
                }
            }
        }
        cut
    }

    /// Works out anew what short circuits have cut off.
    pub(super) fn recut(&mut self) {
        for at in self.instances() {
            self.slots[at.pos as usize].flags.clear(Flags::CUT);
            if let Some(slot) = self.slot_mut(at) {
                slot.flags.clear(Flags::CUT);
            }
        }
        let plan = Arc::clone(&self.plan);
        for (task, pos) in plan.definition().tasks.iter().zip(0..) {
            let closes = task.kind == TaskKind::ShortCircuit { everything: true };
            for at in self.instances_of(pos).filter(|_| closes) {
                if closed(self, at) {
                    self.cut_after(at);
                }
            }
        }
    }
}

/// How the list stands that a task is mapped over.
pub(super) enum ListStands {
    /// It may still come.
    Open,
    Ready,
    /// It will not come; what is mapped over it ends like this.
    Missing(TaskState),
}

fn closed(run: &Run, at: At) -> bool {
    run.slot(at).is_some_and(|slot| {
        slot.state == TaskState::Success
            && slot
                .detail()
                .is_some_and(|detail| detail.said == Some(Said::Pass(false)))
    })
}

/// How a task upstream ended, as this instance sees it.
fn upstream(run: &Run, at: At, plan: &Plan, of: Pos) -> (Counts, u32) {
    // One that was dealt with as a whole, by a person, counts as a whole.
    let expanded = run.is_summary(At::whole(of));
    if at.index >= 0 && expanded && plan.hand_in_hand(at.pos, of) {
        let mut counts = Counts::default();
        if let Some(slot) = run.slot(At {
            pos: of,
            index: at.index,
        }) {
            counts.count(slot.state, 1);
        }
        return (counts, 1);
    }
    run.ended_of(of)
}

/// Setups that are not directly upstream are waited for before the rule is looked at.
fn setups_stand(run: &Run, at: At, plan: &Plan) -> Verdict {
    let mut stands = Verdict::Pass;
    for setup in &plan.task(at.pos).setups {
        let (ended, total) = upstream(run, at, plan, *setup);
        if ended.failed + ended.upstream_failed > 0 {
            return Verdict::End(TaskState::UpstreamFailed);
        }
        if ended.skipped > 0 {
            stands = Verdict::End(TaskState::Skipped);
        } else if ended.done() < total && stands == Verdict::Pass {
            stands = Verdict::Wait;
        }
    }
    stands
}

/// Whether a branch or a short circuit directly upstream decided against this task. That is read from what they said, so
/// that clearing the task alone does not undo it.
fn steered_away(run: &Run, at: At, plan: &Plan) -> Option<Arc<str>> {
    for steering in &plan.task(at.pos).steered_by {
        let expanded = run.is_summary(At::whole(*steering));
        let index = if at.index >= 0 && expanded && plan.hand_in_hand(at.pos, *steering) {
            at.index
        } else {
            -1
        };
        let from = At {
            pos: *steering,
            index,
        };
        let slot = run.slot(from)?;
        if slot.state != TaskState::Success {
            continue;
        }
        let name = &plan.spec(*steering).id;
        match slot.detail().and_then(|detail| detail.said.as_ref()) {
            Some(Said::Pass(false)) => return Some(format!("`{name}` closed").into()),
            Some(Said::Ways(ways)) => {
                let chosen: Vec<String> = serde_json::from_str(ways).unwrap_or_default();
                if plan.branch_skips(*steering, at.pos, &chosen) {
                    return Some(format!("`{name}` chose {}", chosen.join(", ")).into());
                }
            }
            _ => {}
        }
    }
    None
}

/// What the rule of an instance looks at.
pub(super) fn seen(run: &Run, at: At, plan: &Plan) -> Seen {
    let task = plan.task(at.pos);
    let from = if task.many == Many::Own {
        At::whole(at.pos)
    } else {
        at
    };
    let (ended, total) = run
        .slot(from)
        .map_or((Counts::default(), 0), |slot| (slot.counts, slot.total));
    let mut seen = Seen {
        ended,
        total,
        whole: task.many != Many::No && at.index < 0,
        own_index: u32::try_from(at.index).ok(),
        ..Seen::default()
    };
    for setup in &task.tears_down {
        let (ended, total) = upstream(run, at, plan, *setup);
        seen.setups.add(&ended);
        seen.setups_total += total;
    }
    seen
}

impl Run {
    /// The result of a run whose instances have all ended: that of its effective leaves.
    pub(super) fn result(&self) -> RunState {
        let failed = self.plan.leaves.iter().any(|leaf| {
            matches!(
                self.state_of(*leaf),
                TaskState::Failed | TaskState::UpstreamFailed
            )
        });
        if failed {
            RunState::Failed
        } else {
            RunState::Success
        }
    }
}
