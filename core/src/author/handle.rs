//! Handles: what adding a task gives back. They carry the type of what the task returns, and the settings of the task.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use super::arg::{Arg, In};
use super::draft::{Draft, DraftTask, End};
use crate::spec::{
    Alert, AlertRule, Asset, Destination, Isolation, Mapping, Moment, Retry, Role, Source, Weight,
};
use crate::state::TriggerRule;
use crate::text::Text;

/// A task of a DAG that is being written.
#[derive(Clone)]
pub struct TaskRef {
    pub(super) draft: Rc<RefCell<Draft>>,
    pub(super) at: usize,
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskRef").field(&self.at).finish()
    }
}

/// A group of a DAG that is being written.
#[derive(Clone)]
pub struct GroupRef {
    pub(super) draft: Rc<RefCell<Draft>>,
    pub(super) at: usize,
}

impl fmt::Debug for GroupRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GroupRef").field(&self.at).finish()
    }
}

impl TaskRef {
    fn edit(&self, change: impl FnOnce(&mut DraftTask)) {
        if let Some(task) = self.draft.borrow_mut().tasks.get_mut(self.at) {
            change(task);
        }
    }
}

/// Tasks that can stand before or after others: a handle, a group, several of them, or a name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no task, group or name of a task",
    note = "pass `&handle`, `&group`, a name, or several of them as a tuple or list"
)]
pub trait Ends {
    #[doc(hidden)]
    fn ends(&self, into: &mut Vec<End>);
}

impl<E: Ends + ?Sized> Ends for &E {
    fn ends(&self, into: &mut Vec<End>) {
        (**self).ends(into);
    }
}

impl<E: Ends> Ends for [E] {
    fn ends(&self, into: &mut Vec<End>) {
        self.iter().for_each(|end| end.ends(into));
    }
}

impl<E: Ends, const N: usize> Ends for [E; N] {
    fn ends(&self, into: &mut Vec<End>) {
        self.as_slice().ends(into);
    }
}

impl<E: Ends> Ends for Vec<E> {
    fn ends(&self, into: &mut Vec<End>) {
        self.as_slice().ends(into);
    }
}

/// Nothing: a way out of a branch that leads nowhere.
impl Ends for () {
    fn ends(&self, _: &mut Vec<End>) {}
}

impl Ends for str {
    fn ends(&self, into: &mut Vec<End>) {
        into.push(End::Name(self.to_owned()));
    }
}

macro_rules! end_tuples {
    ($(($($part:ident $nth:tt),+))+) => {
        $(impl<$($part: Ends),+> Ends for ($($part,)+) {
            fn ends(&self, into: &mut Vec<End>) {
                $(self.$nth.ends(into);)+
            }
        })+
    };
}
end_tuples! {
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
}

/// A task that was added, and the type of what it returns. Passing it to another task makes an edge.
#[derive(Debug)]
pub struct Out<T> {
    pub(super) task: TaskRef,
    path: Vec<String>,
    of: PhantomData<fn() -> T>,
}

/// A task that becomes many, one for each element. Passed to a task it is the list of what its instances returned.
#[derive(Debug)]
pub struct Mapped<T> {
    pub(super) task: TaskRef,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Out<T> {
    fn clone(&self) -> Self {
        Self {
            task: self.task.clone(),
            path: self.path.clone(),
            of: PhantomData,
        }
    }
}

impl<T> Clone for Mapped<T> {
    fn clone(&self) -> Self {
        Self::new(self.task.clone())
    }
}

impl<T> Out<T> {
    pub(super) const fn new(task: TaskRef) -> Self {
        Self {
            task,
            path: Vec::new(),
            of: PhantomData,
        }
    }

    pub(super) fn arg(&self) -> Arg {
        Arg::Task {
            task: self.task.clone(),
            path: self.path.clone(),
            collected: false,
            optional: false,
        }
    }

    /// A field of what it returns, with the field's type.
    #[must_use]
    pub fn pick<U>(&self, field: &str) -> In<U> {
        In::new(self.arg().field(field))
    }
}

impl<T> Mapped<T> {
    pub(super) const fn new(task: TaskRef) -> Self {
        Self {
            task,
            of: PhantomData,
        }
    }

    pub(super) fn arg(&self) -> Arg {
        Arg::Task {
            task: self.task.clone(),
            path: Vec::new(),
            collected: true,
            optional: false,
        }
    }

    /// What an instance is called in the UI, such as `{item.table}`.
    pub fn label(self, label: impl Into<Text>) -> Self {
        self.mapping(|mapping| mapping.label = Some(label.into()));
        self
    }

    /// More instances than this fail the task instead of flooding the system; 10,000 if nothing is said.
    pub fn at_most(self, instances: u32) -> Self {
        self.mapping(|mapping| mapping.instances_max = instances);
        self
    }

    /// Changes the task's mapping, or that of the group around it.
    fn mapping(&self, change: impl FnOnce(&mut Mapping)) {
        let mut draft = self.task.draft.borrow_mut();
        let group = draft.tasks.get(self.task.at).and_then(|task| task.group);
        let group = draft.mapped_group(group);
        let of_task = draft
            .tasks
            .get_mut(self.task.at)
            .and_then(|task| task.spec.mapping.as_mut());
        match (of_task, group) {
            (Some(mapping), _) => change(mapping),
            (None, Some(group)) => {
                if let Some(mapping) = draft.groups[group].mapping.as_mut() {
                    change(mapping);
                }
            }
            (None, None) => {}
        }
    }
}

/// A group that was added, and what its closure returned.
#[derive(Debug, Clone)]
pub struct Group<R> {
    pub(super) group: GroupRef,
    /// What its closure returned: handles inside the group.
    pub out: R,
}

impl<R> Ends for Group<R> {
    fn ends(&self, into: &mut Vec<End>) {
        into.push(End::Group(self.group.clone()));
    }
}

/// The settings that every task has. Each returns the handle, so they are chained behind the task.
pub trait TaskHandle: Ends + Sized {
    #[doc(hidden)]
    fn task(&self) -> &TaskRef;

    /// Its full name.
    fn id(&self) -> String {
        let task = self.task();
        task.draft
            .borrow()
            .tasks
            .get(task.at)
            .map(|task| task.spec.id.to_string())
            .unwrap_or_default()
    }

    /// It runs after these.
    #[track_caller]
    fn after(self, upstream: impl Ends) -> Self {
        connect(&self, &upstream, &self);
        self
    }

    /// It runs before these.
    #[track_caller]
    fn before(self, downstream: impl Ends) -> Self {
        connect(&self, &self, &downstream);
        self
    }

    /// How often a failed attempt is tried again, instead of the group's or DAG's setting.
    fn retry(self, retry: Retry) -> Self {
        edit(self, |task| task.own.retry = Some(retry))
    }

    /// An attempt that takes longer fails; time spent waiting for a remote job counts.
    fn timeout(self, timeout: Duration) -> Self {
        edit(self, |task| task.own.timeout = Some(timeout))
    }

    /// It is late when it is not done so long after its run was due.
    fn deadline(self, after_due: Duration) -> Self {
        edit(self, |task| task.spec.deadline = Some(after_due))
    }

    /// The pool whose slots it takes.
    fn pool(self, pool: impl Into<String>) -> Self {
        edit(self, |task| task.own.pool = Some(pool.into()))
    }

    /// How many slots of its pool it takes; 1 if nothing is said.
    fn slots(self, slots: u32) -> Self {
        edit(self, |task| task.spec.placement.slots = slots)
    }

    /// Tasks with a higher number start first; 1 if nothing is said.
    fn priority(self, priority: i32) -> Self {
        edit(self, |task| task.own.priority = Some(priority))
    }

    /// How the numbers of a DAG's tasks make a priority.
    fn weight(self, weight: Weight) -> Self {
        edit(self, |task| task.spec.placement.weight = weight)
    }

    /// Only workers of this queue take it.
    fn queue(self, queue: impl Into<String>) -> Self {
        edit(self, |task| task.own.queue = Some(queue.into()))
    }

    /// It runs in a process of its own, without the worker's credentials.
    fn isolated(self) -> Self {
        edit(self, |task| {
            task.spec.placement.isolation = Isolation::Process
        })
    }

    /// When it may run, seen from its upstream tasks.
    fn rule(self, rule: TriggerRule) -> Self {
        edit(self, |task| task.spec.rule = rule)
    }

    /// At most so many of it are active at once, over all runs.
    fn max_active(self, instances: u32) -> Self {
        edit(self, |task| {
            task.spec.concurrency.active_max = Some(instances)
        })
    }

    /// At most so many of it are active at once within a run.
    fn max_active_per_run(self, instances: u32) -> Self {
        edit(self, |task| {
            task.spec.concurrency.active_per_run_max = Some(instances)
        })
    }

    /// At most so many tasks with the same key are active at once, over all DAGs: `("customer {params.id}", 1)`.
    fn concurrency_key(self, key: impl Into<Text>, active: u32) -> Self {
        edit(self, |task| {
            task.spec.concurrency.key = Some(key.into());
            task.spec.concurrency.key_active_max = active;
        })
    }

    /// It waits until the same task of the run before succeeded or was skipped.
    fn depends_on_past(self) -> Self {
        edit(self, |task| task.spec.past.depends_on_past = true)
    }

    /// It also waits for what comes directly after the same task in the run before.
    fn wait_for_downstream(self) -> Self {
        edit(self, |task| {
            task.spec.past.depends_on_past = true;
            task.spec.past.wait_for_downstream = true;
        })
    }

    /// It waits for its past even before it is skipped.
    fn wait_before_skipping(self) -> Self {
        edit(self, |task| task.spec.past.wait_before_skipping = true)
    }

    /// It prepares something that a teardown removes.
    fn setup(self) -> Self {
        edit(self, |task| task.spec.role = Role::Setup)
    }

    /// It removes what these setups made, also when the work between failed.
    #[track_caller]
    fn teardown(self, setups: impl Ends) -> Self {
        connect(&self, &setups, &self);
        let mut ends = Vec::new();
        setups.ends(&mut ends);
        let setups = Draft::local(&self.task().draft, &ends, &Source::caller());
        edit(self, |task| {
            task.teardown_of.extend(setups);
            task.spec.role = Role::Teardown {
                setups: Vec::new(),
                fails_run: false,
            };
            task.spec.rule = TriggerRule::AllDoneSetupSuccess;
        })
    }

    /// Of a teardown: its own failure fails the run.
    fn fails_run(self) -> Self {
        edit(self, |task| task.fails_run = true)
    }

    /// Its documentation, in Markdown.
    fn doc(self, markdown: impl Into<String>) -> Self {
        edit(self, |task| task.notes.doc = markdown.into())
    }

    /// Who answers for it.
    fn owner(self, owner: impl Into<String>) -> Self {
        edit(self, |task| task.notes.owner = owner.into())
    }

    /// A word to find it by.
    fn tag(self, tag: impl Into<String>) -> Self {
        edit(self, |task| task.notes.tags.push(tag.into()))
    }

    /// It reads this asset.
    fn inlet(self, asset: &Asset) -> Self {
        edit(self, |task| task.spec.touches.inlets.push(asset.clone()))
    }

    /// This asset has changed when it succeeds; DAGs that wait for it then run.
    fn outlet(self, asset: &Asset) -> Self {
        edit(self, |task| task.spec.touches.outlets.push(asset.clone()))
    }

    /// It writes this table; `plan` shows it and the UI asks before it is written again.
    fn writes(self, destination: Destination) -> Self {
        edit(self, |task| task.spec.touches.writes.push(destination))
    }

    /// It uses this connection.
    fn connection(self, name: impl Into<String>) -> Self {
        edit(self, |task| task.spec.touches.connections.push(name.into()))
    }

    /// Who is told when it has failed for good.
    fn on_failure(self, alert: Alert) -> Self {
        edit(self, |task| {
            task.spec.alerts.push(AlertRule {
                on: Moment::Failure,
                alert,
            })
        })
    }

    /// Who is told when an attempt failed and another follows.
    fn on_retry(self, alert: Alert) -> Self {
        edit(self, |task| {
            task.spec.alerts.push(AlertRule {
                on: Moment::Retry,
                alert,
            })
        })
    }

    /// Who is told when it succeeded.
    fn on_success(self, alert: Alert) -> Self {
        edit(self, |task| {
            task.spec.alerts.push(AlertRule {
                on: Moment::Success,
                alert,
            })
        })
    }

    /// Who is told when its deadline has passed.
    fn on_late(self, alert: Alert) -> Self {
        edit(self, |task| {
            task.spec.alerts.push(AlertRule {
                on: Moment::Deadline,
                alert,
            })
        })
    }
}

fn edit<H: TaskHandle>(handle: H, change: impl FnOnce(&mut DraftTask)) -> H {
    handle.task().edit(change);
    handle
}

#[track_caller]
fn connect<H: TaskHandle>(handle: &H, before: &impl Ends, after: &impl Ends) {
    let (mut from, mut to) = (Vec::new(), Vec::new());
    before.ends(&mut from);
    after.ends(&mut to);
    let source = Source::caller();
    Draft::edges(&handle.task().draft, &from, &to, &source);
}

macro_rules! handles {
    ($($name:ident),+) => {
        $(impl<T> Ends for $name<T> {
            fn ends(&self, into: &mut Vec<End>) {
                into.push(End::Task(self.task.clone()));
            }
        }
        impl<T> TaskHandle for $name<T> {
            fn task(&self) -> &TaskRef {
                &self.task
            }
        })+
    };
}
pub(super) use handles;
handles!(Out, Mapped);
