//! Functions as tasks: what `#[task]` and `#[derive(Choice)]` make of the author's code.

use std::future::Future;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{TaskContext, TaskError, TaskResult};

/// What `#[task]` makes of a function's name: something that gives the task's type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no task",
    label = "not marked with #[task]",
    note = "put `#[task]` above the function; operators are added with `dag.add`"
)]
pub trait MarkedAsTask {
    /// The task.
    type Task: TaskFn;
}

impl<G: FnOnce() -> T, T: TaskFn> MarkedAsTask for G {
    type Task = T;
}

/// A function that is a task. `#[task]` implements it.
pub trait TaskFn: Send + Sync + 'static {
    /// The name under which it is stored: its module path and name, unless the author gave another.
    const NAME: &'static str;
    /// Whether it blocks its thread, and so gets one of its own.
    const BLOCKING: bool;
    /// Its doc comment.
    const DOC: &'static str;
    /// Its arguments after the context, as a tuple.
    type Args: DeserializeOwned + Send + 'static;
    /// What it returns.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// Calls it.
    fn call(
        ctx: &TaskContext,
        args: Self::Args,
    ) -> impl Future<Output = TaskResult<Self::Output>> + Send;
}

/// What is inside a task's return type.
#[diagnostic::on_unimplemented(
    message = "a task returns `TaskResult<T>`, not `{Self}`",
    label = "no `TaskResult`"
)]
pub trait Returned {
    /// What it returns when nothing fails.
    type Output;
}

impl<T> Returned for Result<T, TaskError> {
    type Output = T;
}

/// What a sensor saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sense<T = ()> {
    /// Not there yet; look again later.
    NotYet,
    /// It is there.
    Ready(T),
}

/// The ways out of a branch: a fieldless enum with `#[derive(Choice)]`. The labels are known when the DAG is built,
/// so a branch cannot name a way that does not exist.
pub trait Choice: Sized + 'static {
    /// Every way, in order.
    const LABELS: &'static [&'static str];

    /// The label of this way.
    fn label(&self) -> &'static str;
}

/// What a branch function returns: one way, an optional one, or several.
pub trait Choose {
    /// The ways there are.
    type Choice: Choice;
    /// Whether always exactly one is chosen.
    const EXCLUSIVE: bool;

    /// The labels that were chosen.
    fn labels(&self) -> Vec<&'static str>;
}

impl<C: Choice> Choose for C {
    type Choice = C;
    const EXCLUSIVE: bool = true;

    fn labels(&self) -> Vec<&'static str> {
        vec![self.label()]
    }
}

impl<C: Choice> Choose for Option<C> {
    type Choice = C;
    const EXCLUSIVE: bool = false;

    fn labels(&self) -> Vec<&'static str> {
        self.iter().map(Choice::label).collect()
    }
}

impl<C: Choice> Choose for Vec<C> {
    type Choice = C;
    const EXCLUSIVE: bool = false;

    fn labels(&self) -> Vec<&'static str> {
        self.iter().map(Choice::label).collect()
    }
}
