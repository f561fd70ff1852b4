//! What a task does: operators, remote jobs and `#[task]` functions, and what they are given to work with.
//!
//! An operator is data (it serialises, so that the UI can show it and `plan` can compare it) that knows how to run.
//! Everything it needs from outside comes through [`TaskContext`]: the same code runs in a worker, against fakes in a
//! test, and on a virtual clock.

mod context;
mod error;
mod function;
mod key;
mod registry;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use context::{Connection, Host, Interval, Level, RunFacts, Secret, TaskContext};
pub use error::{ErrorKind, OrFail, TaskError};
pub use function::{Choice, Choose, MarkedAsTask, Returned, Sense, TaskFn};
pub use key::{LaunchKey, LaunchPoint};
pub use registry::{AnyTask, IntoTask, Local, Made, Registry, RegistryError, Remote};

/// What a task returns.
pub type TaskResult<T = ()> = Result<T, TaskError>;

/// A future that can be kept in a list with others.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How an attempt ended, or why it is not over. Silence is not success.
///
/// An `Err` beside it says that the attempt could not find out or could not do it: whether a remote job runs is then
/// open, and the next attempt looks for it under the same key. [`Outcome::Failed`] says that the job itself has ended
/// badly: only then is another one launched, under a new key.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome<T = Value> {
    /// It is done.
    Done(T),
    /// There was nothing to do: downstream tasks are skipped, nobody is paged.
    Skipped {
        /// Why, for people.
        why: String,
    },
    /// The remote job that it launched has ended badly.
    Failed(TaskError),
    /// It waits for something outside; no slot is held. After the wait it is resumed with the handle.
    Deferred {
        /// What it needs to go on, possibly on another worker.
        handle: Value,
        /// How long to wait before looking again.
        wait: Duration,
        /// What it waits for, for people.
        why: String,
    },
}

impl<T> Outcome<T> {
    /// The same with another output.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Done(output) => Outcome::Done(change(output)),
            Self::Skipped { why } => Outcome::Skipped { why },
            Self::Failed(error) => Outcome::Failed(error),
            Self::Deferred { handle, wait, why } => Outcome::Deferred { handle, wait, why },
        }
    }
}

/// A kind of task that runs in the worker.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no operator",
    label = "this can't be added to a DAG",
    note = "implement `Operator` or `RemoteJob` for it; a `#[task]` function is added with `dag.call`"
)]
pub trait Operator: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name under which it is stored. Renaming it orphans the runs that are in flight.
    const NAME: &'static str;

    /// Whether it blocks its thread, and so gets one of its own.
    const BLOCKING: bool = false;

    /// What it returns to the tasks after it.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// What it needs and touches outside Tidemill, so that CI and `plan` know it.
    fn touches(&self) -> crate::spec::Touches {
        crate::spec::Touches::nothing()
    }

    /// Does the work.
    fn run(
        &self,
        ctx: &TaskContext,
    ) -> impl Future<Output = TaskResult<Outcome<Self::Output>>> + Send;

    /// Goes on after [`Outcome::Deferred`].
    fn resume(
        &self,
        ctx: &TaskContext,
        handle: Value,
    ) -> impl Future<Output = TaskResult<Outcome<Self::Output>>> + Send {
        let _ = (ctx, handle);
        std::future::ready(Err(TaskError::permanent(format!(
            "`{}` was deferred but cannot be resumed",
            Self::NAME
        ))))
    }

    /// Releases what it holds outside, if it holds anything: with its handle if it was deferred, without one if the
    /// worker died before it could say. What is released already is no error.
    fn cancel(
        &self,
        ctx: &TaskContext,
        handle: Option<Value>,
    ) -> impl Future<Output = TaskResult<()>> + Send {
        let _ = (ctx, handle);
        std::future::ready(Ok(()))
    }
}

/// How a remote job stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Poll<T> {
    /// It runs; look again after this time.
    Running {
        /// How long to wait before looking again.
        wait: Duration,
        /// How far it is, for people.
        progress: String,
    },
    /// It ended well.
    Done(T),
    /// It ended badly. Another try is another job, under a new key.
    Failed(TaskError),
}

/// A job that another system runs: looked for, submitted, polled, cancelled.
///
/// The key is chosen before anything is sent and is the same after a crash. The job is looked for under it first, so
/// a lost reply or a dead worker finds its own job again instead of starting a second.
pub trait RemoteJob: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name under which it is stored. Renaming it orphans the runs that are in flight.
    const NAME: &'static str;

    /// What is needed to find the job again: an id, a location.
    type Handle: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// What it returns to the tasks after it.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// What it needs and touches outside Tidemill, so that CI and `plan` know it.
    fn touches(&self) -> crate::spec::Touches {
        crate::spec::Touches::nothing()
    }

    /// Looks for a job under this key. A job that is there but was not made by this request is a
    /// [`ErrorKind::Permanent`] error, never adopted.
    fn look_for(
        &self,
        ctx: &TaskContext,
        key: &LaunchKey,
    ) -> impl Future<Output = TaskResult<Option<Self::Handle>>> + Send;

    /// Submits the job under this key. When it is unclear whether the other side took it, the error is
    /// [`ErrorKind::Ambiguous`]: the next attempt looks again.
    fn submit(
        &self,
        ctx: &TaskContext,
        key: &LaunchKey,
    ) -> impl Future<Output = TaskResult<Self::Handle>> + Send;

    /// Looks how it stands. An error says that it could not be seen, and changes nothing: the job is looked at again. A
    /// job that vanished is [`Poll::Failed`] with [`ErrorKind::Lost`].
    fn poll(
        &self,
        ctx: &TaskContext,
        handle: &Self::Handle,
    ) -> impl Future<Output = TaskResult<Poll<Self::Output>>> + Send;

    /// Cancels it. A job that has ended already is no error.
    fn cancel(
        &self,
        ctx: &TaskContext,
        handle: &Self::Handle,
    ) -> impl Future<Output = TaskResult<()>> + Send;
}
