//! How one task, or one group, becomes many: when its list is there, and again when the list was made anew.

use std::sync::Arc;

use serde_json::Value;
use tidemill_core::protocol::MapIndex;
use tidemill_core::spec::{Mapping, Over};
use tidemill_core::state::TaskState;
use tidemill_core::text::pick;

use super::plan::{Many, Pos};
use super::run::{At, Run};
use super::slot::{Flags, Slot};
use super::step::ListStands;
use super::world::World;

impl World {
    /// How the list of a mapped task stands.
    pub(super) fn list_stands(&self, run: &Run, pos: Pos) -> ListStands {
        let Some(mapping) = run.plan.mapping(pos) else {
            return ListStands::Ready;
        };
        let mut missing = None;
        for over in &mapping.over {
            let Over::Output { task, .. } = over else {
                continue;
            };
            let Some(from) = run.plan.definition().position(task.as_str()) else {
                continue;
            };
            let from = Pos::try_from(from).unwrap_or(Pos::MAX);
            let (ended, total) = run.ended_of(from);
            if ended.done() < total {
                return ListStands::Open;
            }
            // Of a mapped task the list of what succeeded is taken, which may be shorter but is there.
            let many = run.plan.task(from).many != Many::No;
            if ended.success == 0 && !many {
                missing = Some(if ended.skipped > 0 {
                    TaskState::Skipped
                } else {
                    TaskState::UpstreamFailed
                });
            }
        }
        missing.map_or(ListStands::Ready, ListStands::Missing)
    }

    /// The lists themselves.
    fn lists(run: &Run, mapping: &Mapping) -> Result<Vec<Vec<Value>>, String> {
        let params = || serde_json::from_str::<Value>(&run.params).unwrap_or_default();
        let lists = mapping.over.iter().map(|over| match over {
            Over::Values(values) => Ok(values.clone()),
            Over::Params(path) => list(&params(), path, || {
                format!("the param `{}`", path.join("."))
            }),
            Over::Output { task, path } => {
                let value = collected(run, task.as_str())?;
                list(&value, path, || format!("what `{task}` returned"))
            }
        });
        lists.collect()
    }

    /// Makes the instances of a task, or of its whole group, now that the list is there.
    pub(super) fn expand(&mut self, run: &mut Run, pos: Pos) {
        let plan = Arc::clone(&run.plan);
        let Some(mapping) = plan.mapping(pos) else {
            return;
        };
        let group: Vec<Pos> = match plan.task(pos).many {
            Many::Group(group) => plan.groups[group as usize].members.to_vec(),
            _ => vec![pos],
        };
        // A member that was dealt with apart from its group, by a person, stays as it is.
        let members = group.iter().copied().filter(|pos| {
            run.state_of(*pos) == TaskState::None && !run.is_summary(At::whole(*pos))
        });
        let members: Vec<Pos> = members.collect();
        let items = Self::lists(run, mapping).and_then(|lists| mapping.expand(&lists));
        match items {
            Err(why) => {
                for pos in members {
                    let why = Some(format!("it could not be expanded: {why}").into());
                    self.end_undone(run, At::whole(pos), TaskState::Failed, why);
                }
            }
            Ok(items) if items.is_empty() => {
                for pos in members {
                    run.slots[pos as usize].instances = Some(0);
                    let why = Some("the list it is mapped over is empty".into());
                    self.end_undone(run, At::whole(pos), TaskState::Skipped, why);
                }
            }
            Ok(items) => {
                let items: Vec<Arc<str>> =
                    items.iter().map(|item| item.to_string().into()).collect();
                for pos in &members {
                    self.make_instances(run, *pos, &items);
                }
                if members.len() < group.len() {
                    // Others have their instances already, and some of those may have ended.
                    for pos in &group {
                        run.count_block(&plan, *pos);
                    }
                }
                // Once all of them are there: those that go are counted by the others.
                for pos in members {
                    self.remove_beyond(run, pos);
                    self.look_at_all(run, pos);
                }
            }
        }
    }

    fn make_instances(&mut self, run: &mut Run, pos: Pos, items: &[Arc<str>]) {
        let plan = Arc::clone(&run.plan);
        let whole = &mut run.slots[pos as usize];
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        whole.instances = Some(count);
        let (counts, total, waits) = (whole.counts, whole.total, whole.waits);
        let cut = whole.flags.has(Flags::CUT);
        let mut block = run.blocks.remove(&pos).unwrap_or_default();
        let had = block.slots.len();
        block.folded = false;
        block
            .slots
            .resize_with(had.max(items.len()), || Slot::new(0, 0));
        block.ended = super::rules::Counts::default();
        for slot in &mut block.slots {
            if slot.state == TaskState::Removed {
                slot.begin_anew();
            }
            slot.state = TaskState::None;
            slot.counts = counts;
            slot.total = total;
            slot.waits = waits;
            // What an earlier list had in this place does not matter any more.
            if cut {
                slot.flags.set(Flags::CUT);
            } else {
                slot.flags.clear(Flags::CUT);
            }
        }
        for (slot, item) in block.slots.iter_mut().zip(items) {
            let detail = slot.detail_mut();
            detail.item = Some(Arc::clone(item));
            detail.key = None;
            slot.came(self.now);
        }
        let all = u32::try_from(block.slots.len()).unwrap_or(u32::MAX);
        run.blocks.insert(pos, block);
        run.open = run.open + all - 1;
        self.resize_for_others(run, pos, i64::from(all) - 1);
        for index in 0..MapIndex::try_from(all).unwrap_or(MapIndex::MAX) {
            self.dirty(run, At { pos, index });
        }
        self.enter(run, At::whole(pos), TaskState::Running);
        self.dirty(run, At::whole(pos));
        debug_assert!(plan.task(pos).many != Many::No);
    }

    /// Instances that an earlier list had are no longer there.
    fn remove_beyond(&mut self, run: &mut Run, pos: Pos) {
        let beyond = run.instances_of(pos).filter(|at| run.is_beyond(*at));
        for at in beyond.collect::<Vec<_>>() {
            self.enter(run, at, TaskState::Removed);
        }
    }

    /// Those who wait for all instances of a task have more, or fewer, to wait for.
    fn resize_for_others(&mut self, run: &mut Run, pos: Pos, by: i64) {
        let plan = Arc::clone(&run.plan);
        let by = i32::try_from(by).unwrap_or(i32::MAX);
        for next in &plan.task(pos).down {
            if plan.hand_in_hand(pos, *next) {
                continue;
            }
            let whole = &mut run.slots[*next as usize];
            whole.total = whole.total.saturating_add_signed(by);
            if let Some(block) = run.blocks.get_mut(next)
                && plan.task(*next).many != Many::Own
            {
                for slot in &mut block.slots {
                    slot.total = slot.total.saturating_add_signed(by);
                }
            }
        }
    }

    /// Takes the instances of mapped tasks back, all of which were cleared together with what their list came from.
    pub(super) fn fold(&mut self, run: &mut Run, pos: Pos) {
        if !run.is_summary(At::whole(pos)) {
            return;
        }
        // So that nobody counts them any more.
        let instances: Vec<At> = run.instances_of(pos).collect();
        for at in &instances {
            self.enter(run, *at, TaskState::None);
        }
        self.enter(run, At::whole(pos), TaskState::None);
        let Some(block) = run.blocks.get_mut(&pos) else {
            return;
        };
        block.folded = true;
        // Which of them there will be is open; on record they are not there until then.
        for slot in &mut block.slots {
            slot.state = TaskState::Removed;
        }
        for at in &instances {
            self.dirty(run, *at);
        }
        let all = u32::try_from(instances.len()).unwrap_or(u32::MAX);
        run.slots[pos as usize].instances = None;
        run.open = run.open + 1 - all;
        self.resize_for_others(run, pos, 1 - i64::from(all));
        self.queue.push_back(At::whole(pos));
    }
}

/// What a task returned; of a mapped task the list of what its instances returned that succeeded.
fn collected(run: &Run, task: &str) -> Result<Value, String> {
    let pos = run
        .plan
        .definition()
        .position(task)
        .and_then(|pos| Pos::try_from(pos).ok())
        .ok_or_else(|| format!("there is no task `{task}`"))?;
    let read = |at: At| {
        let text = run.lists.get(&(run.plan.task(at.pos).no, at.index));
        let text = text.ok_or_else(|| format!("`{task}` returned nothing"))?;
        serde_json::from_str::<Value>(text)
            .map_err(|error| format!("what `{task}` returned is no JSON: {error}"))
    };
    if run.plan.task(pos).many == Many::No {
        return read(At::whole(pos));
    }
    let succeeded = run.instances_of(pos).filter(|at| {
        at.index >= 0
            && run
                .slot(*at)
                .is_some_and(|slot| slot.state == TaskState::Success)
    });
    succeeded
        .map(read)
        .collect::<Result<Vec<_>, _>>()
        .map(Value::Array)
}

fn list(value: &Value, path: &[String], what: impl Fn() -> String) -> Result<Vec<Value>, String> {
    match pick(value, path) {
        Some(Value::Array(items)) => Ok(items.clone()),
        Some(other) => Err(format!("{} is {}, not a list", what(), kind(other))),
        None => Err(format!("{} has no `{}`", what(), path.join("."))),
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
