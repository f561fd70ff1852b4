//! From a task's data back to code: which operators and functions a binary holds, and how one is made ready to run.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::function::{Choose, Sense, TaskFn};
use super::{
    BoxFuture, ErrorKind, Operator, Outcome, Poll, RemoteJob, RunFacts, TaskContext, TaskError,
    TaskResult,
};
use crate::spec::{Input, TaskKind, TaskSpec, Touches};
use crate::text::{self, FillError};

/// A task of any kind, ready to run.
pub trait AnyTask: Send + Sync {
    /// Does the work.
    fn run<'a>(&'a self, ctx: &'a TaskContext) -> BoxFuture<'a, TaskResult<Outcome>>;

    /// Goes on after it was deferred.
    fn resume<'a>(
        &'a self,
        ctx: &'a TaskContext,
        handle: Value,
    ) -> BoxFuture<'a, TaskResult<Outcome>>;

    /// Cancels what the handle stands for. Without a handle, because a worker died before it could report one, what was
    /// launched is looked for under its key.
    fn cancel<'a>(
        &'a self,
        ctx: &'a TaskContext,
        handle: Option<Value>,
    ) -> BoxFuture<'a, TaskResult<()>>;
}

/// A task and its outputs and arguments, filled in: what an entry of the registry makes a task of.
#[derive(Debug)]
pub struct Made<'a> {
    spec: &'a TaskSpec,
    config: Value,
    args: Vec<Value>,
}

type Maker = fn(Made<'_>) -> TaskResult<Box<dyn AnyTask>>;

#[derive(Debug, Clone, Copy)]
struct Entry {
    kind: TypeId,
    type_name: &'static str,
    blocking: bool,
    make: Maker,
}

/// Two types want the same name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("two operators are named `{name}`: {first} and {second}")]
pub struct RegistryError {
    /// The name.
    pub name: String,
    /// The type that has it.
    pub first: &'static str,
    /// The type that wants it, too.
    pub second: &'static str,
}

/// The operators and functions that a binary holds.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// By operator and, for functions, the function's name.
    entries: BTreeMap<(&'static str, &'static str), Entry>,
}

/// Marks what implements [`Operator`].
#[derive(Debug)]
pub struct Local;

/// Marks what implements [`RemoteJob`].
#[derive(Debug)]
pub struct Remote;

/// What can be given to `dag.add`: an [`Operator`] or a [`RemoteJob`]. The marker only lets both be accepted.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no operator",
    label = "this can't be added to a DAG",
    note = "implement `Operator` or `RemoteJob` for it; a `#[task]` function is added with `dag.call`"
)]
pub trait IntoTask<Marker>: Serialize + Sized + 'static {
    /// The name under which it is stored.
    const OPERATOR: &'static str;
    /// What it returns.
    type Output;

    /// What it needs and touches.
    fn needs(&self) -> Touches;

    /// Enters it into a registry.
    ///
    /// # Errors
    /// Another type has the name.
    fn enter(registry: &mut Registry) -> Result<(), RegistryError>;
}

impl<O: Operator> IntoTask<Local> for O {
    const OPERATOR: &'static str = <O as Operator>::NAME;
    type Output = <O as Operator>::Output;

    fn needs(&self) -> Touches {
        self.touches()
    }

    fn enter(registry: &mut Registry) -> Result<(), RegistryError> {
        registry.enter::<O>((Self::OPERATOR, ""), O::BLOCKING, |made| {
            Ok(Box::new(LocalTask::<O>(decode(made.config)?)))
        })
    }
}

impl<J: RemoteJob> IntoTask<Remote> for J {
    const OPERATOR: &'static str = <J as RemoteJob>::NAME;
    type Output = <J as RemoteJob>::Output;

    fn needs(&self) -> Touches {
        self.touches()
    }

    fn enter(registry: &mut Registry) -> Result<(), RegistryError> {
        registry.enter::<J>((Self::OPERATOR, ""), false, |made| {
            Ok(Box::new(RemoteTask::<J>(decode(made.config)?)))
        })
    }
}

impl Registry {
    fn enter<T: 'static>(
        &mut self,
        name: (&'static str, &'static str),
        blocking: bool,
        make: Maker,
    ) -> Result<(), RegistryError> {
        let entry = Entry {
            kind: TypeId::of::<T>(),
            type_name: std::any::type_name::<T>(),
            blocking,
            make,
        };
        self.enter_as(name, entry)
    }

    fn enter_as(
        &mut self,
        name: (&'static str, &'static str),
        entry: Entry,
    ) -> Result<(), RegistryError> {
        match self.entries.get(&name) {
            Some(known) if known.kind == entry.kind => Ok(()),
            Some(known) => {
                let (first, second) = (known.type_name, entry.type_name);
                Err(RegistryError {
                    name: shown(name),
                    first,
                    second,
                })
            }
            None => {
                self.entries.insert(name, entry);
                Ok(())
            }
        }
    }

    pub(crate) fn enter_function<F: TaskFn>(&mut self) -> Result<(), RegistryError> {
        self.enter::<F>(("function", F::NAME), F::BLOCKING, |made| {
            Ok(Box::new(FnTask::<F>::new(made, done::<F>)))
        })
    }

    pub(crate) fn enter_branch<F: TaskFn<Output: Choose>>(&mut self) -> Result<(), RegistryError> {
        self.enter::<F>(("branch", F::NAME), F::BLOCKING, |made| {
            Ok(Box::new(FnTask::<F>::new(made, chosen::<F>)))
        })
    }

    pub(crate) fn enter_sensor<F, T>(&mut self) -> Result<(), RegistryError>
    where
        F: TaskFn<Output = Sense<T>>,
        T: Serialize + Send + 'static,
    {
        self.enter::<F>(("sensor", F::NAME), F::BLOCKING, |made| {
            Ok(Box::new(FnTask::<F>::new(made, sensed::<F, T>)))
        })
    }

    /// Takes over what another registry holds.
    ///
    /// # Errors
    /// The names that two types want; the rest is taken over.
    pub fn join(&mut self, other: &Self) -> Result<(), Vec<RegistryError>> {
        let clashes: Vec<RegistryError> = other
            .entries
            .iter()
            .filter_map(|(name, entry)| self.enter_as(*name, *entry).err())
            .collect();
        if clashes.is_empty() {
            Ok(())
        } else {
            Err(clashes)
        }
    }

    fn entry<'a>(&'a self, spec: &'a TaskSpec) -> Option<&'a Entry> {
        // A map of longer lifetimes can be asked with shorter ones.
        let entries: &BTreeMap<(&'a str, &'a str), Entry> = &self.entries;
        entries.get(&name_of(spec))
    }

    /// Whether the code for a task is in this binary.
    #[must_use]
    pub fn holds(&self, spec: &TaskSpec) -> bool {
        self.entry(spec).is_some()
    }

    /// Whether a task blocks its thread.
    #[must_use]
    pub fn is_blocking(&self, spec: &TaskSpec) -> bool {
        self.entry(spec).is_some_and(|entry| entry.blocking)
    }

    /// Makes a task ready to run: its placeholders filled in, its arguments fetched from upstream outputs.
    ///
    /// # Errors
    /// The code is not in this binary, a value is missing, or the data does not fit the code.
    pub fn make(
        &self,
        spec: &TaskSpec,
        facts: &RunFacts,
        outputs: &[(String, Value)],
        variables: &[(String, String)],
    ) -> TaskResult<Box<dyn AnyTask>> {
        let entry = self.entry(spec).ok_or_else(|| {
            TaskError::permanent(format!("this binary holds no `{}`", shown(name_of(spec))))
                .help("deploy a worker that was built with it, or roll the DAG back")
        })?;
        let values = facts.values(outputs, variables);
        let mut config = spec.config.clone();
        text::fill_json(&mut config, &values).map_err(unfilled)?;
        let args = spec
            .inputs
            .iter()
            .map(|input| resolve(input, &values))
            .collect::<Result<_, _>>()?;
        (entry.make)(Made { spec, config, args })
            .map_err(|error| error.context(format!("prepare task `{}`", spec.id)))
    }
}

fn shown((operator, function): (&str, &str)) -> String {
    format!("{operator} {function}").trim_end().to_owned()
}

/// Operators are told apart by their name, functions by theirs as well.
fn name_of(spec: &TaskSpec) -> (&str, &str) {
    let operator = if spec.operator == "short_circuit" {
        "function"
    } else {
        &spec.operator
    };
    match spec.config.get("function").and_then(Value::as_str) {
        Some(function) if matches!(operator, "function" | "branch" | "sensor") => {
            (operator, function)
        }
        _ => (operator, ""),
    }
}

fn unfilled(error: FillError) -> TaskError {
    let error = TaskError::from(error);
    TaskError {
        kind: ErrorKind::Permanent,
        ..error
    }
}

fn resolve(input: &Input, values: &text::Values<'_>) -> TaskResult<Value> {
    let missing = |what: &str, path: &[String]| {
        TaskError::permanent(
            format!("find {what} {}", path.join("."))
                .trim_end()
                .to_owned()
                + ": there is none",
        )
    };
    match input {
        Input::Value(value) => Ok(value.clone()),
        Input::Text(text) => text::fill(text.as_str(), values)
            .map(Value::String)
            .map_err(unfilled),
        Input::Params(path) => text::pick(values.params, path)
            .cloned()
            .ok_or_else(|| missing("param", path)),
        Input::Item(path) => values
            .item
            .and_then(|item| text::pick(item, path))
            .cloned()
            .ok_or_else(|| missing("the mapped item", path)),
        Input::Each(axis) => {
            let path = [axis.to_string()];
            values
                .item
                .and_then(|item| text::pick(item, &path))
                .cloned()
                .ok_or_else(|| missing("list", &path))
        }
        Input::Output {
            task,
            path,
            optional,
        } => {
            let output = values
                .outputs
                .iter()
                .find(|(known, _)| task == known.as_str());
            match output.and_then(|(_, value)| text::pick(value, path)) {
                Some(value) => Ok(value.clone()),
                None if *optional && output.is_none() => Ok(Value::Null),
                None => Err(missing(&format!("what task `{task}` returned"), path)),
            }
        }
    }
}

fn decode<T: DeserializeOwned>(config: Value) -> TaskResult<T> {
    serde_json::from_value(config).map_err(|error| {
        TaskError::permanent(format!(
            "its data does not fit this build of the operator: {error}"
        ))
        .help("the operator changed since the DAG was deployed; deploy the DAG again")
    })
}

fn encode(output: impl Serialize) -> TaskResult<Value> {
    serde_json::to_value(output).map_err(|error| {
        TaskError::permanent(format!(
            "what it returned cannot be written as JSON: {error}"
        ))
    })
}

struct LocalTask<O>(O);

impl<O: Operator> AnyTask for LocalTask<O> {
    fn run<'a>(&'a self, ctx: &'a TaskContext) -> BoxFuture<'a, TaskResult<Outcome>> {
        Box::pin(async { encoded(self.0.run(ctx).await) })
    }

    fn resume<'a>(
        &'a self,
        ctx: &'a TaskContext,
        handle: Value,
    ) -> BoxFuture<'a, TaskResult<Outcome>> {
        Box::pin(async { encoded(self.0.resume(ctx, handle).await) })
    }

    fn cancel<'a>(
        &'a self,
        ctx: &'a TaskContext,
        handle: Option<Value>,
    ) -> BoxFuture<'a, TaskResult<()>> {
        Box::pin(self.0.cancel(ctx, handle))
    }
}

fn encoded<T: Serialize>(outcome: TaskResult<Outcome<T>>) -> TaskResult<Outcome> {
    Ok(match skip(outcome)? {
        Outcome::Done(output) => Outcome::Done(encode(output)?),
        Outcome::Failed(error) => Outcome::Failed(error),
        Outcome::Skipped { why } => Outcome::Skipped { why },
        Outcome::Deferred { handle, wait, why } => Outcome::Deferred { handle, wait, why },
    })
}

/// A task says that there is nothing to do with `?` as well: that is no failure.
fn skip<T>(outcome: TaskResult<Outcome<T>>) -> TaskResult<Outcome<T>> {
    match outcome {
        Err(TaskError {
            kind: ErrorKind::Skipped,
            message,
            ..
        }) => Ok(Outcome::Skipped { why: message }),
        other => other,
    }
}

struct RemoteTask<J>(J);

impl<J: RemoteJob> RemoteTask<J> {
    async fn launch(&self, ctx: &TaskContext) -> TaskResult<Outcome> {
        let key = ctx.launch_key();
        let (handle, why) = match self.0.look_for(ctx, key).await? {
            Some(found) => {
                ctx.info(format!(
                    "found job {key} of an earlier attempt and adopted it"
                ));
                (found, "adopted")
            }
            None => (self.0.submit(ctx, key).await?, "submitted"),
        };
        let handle = encode(handle)?;
        Ok(Outcome::Deferred {
            handle,
            wait: std::time::Duration::ZERO,
            why: format!("{why} as {key}"),
        })
    }

    async fn look(&self, ctx: &TaskContext, handle: Value) -> TaskResult<Outcome> {
        let job: J::Handle = decode(handle.clone())?;
        Ok(match self.0.poll(ctx, &job).await? {
            Poll::Done(output) => Outcome::Done(encode(output)?),
            Poll::Failed(error) => Outcome::Failed(error),
            Poll::Running { wait, progress } => Outcome::Deferred {
                handle,
                wait,
                why: progress,
            },
        })
    }
}

impl<J: RemoteJob> AnyTask for RemoteTask<J> {
    fn run<'a>(&'a self, ctx: &'a TaskContext) -> BoxFuture<'a, TaskResult<Outcome>> {
        Box::pin(self.launch(ctx))
    }

    fn resume<'a>(
        &'a self,
        ctx: &'a TaskContext,
        handle: Value,
    ) -> BoxFuture<'a, TaskResult<Outcome>> {
        Box::pin(self.look(ctx, handle))
    }

    fn cancel<'a>(
        &'a self,
        ctx: &'a TaskContext,
        handle: Option<Value>,
    ) -> BoxFuture<'a, TaskResult<()>> {
        Box::pin(async {
            let job = match handle {
                Some(handle) => Some(decode(handle)?),
                None => self.0.look_for(ctx, ctx.launch_key()).await?,
            };
            match job {
                Some(job) => self.0.cancel(ctx, &job).await,
                None => Ok(()),
            }
        })
    }
}

/// What a function's return value means.
type Seen<F> = fn(<F as TaskFn>::Output, &TaskKind) -> TaskResult<Outcome>;

struct FnTask<F: TaskFn> {
    args: Vec<Value>,
    seen: Seen<F>,
    kind: TaskKind,
    _function: PhantomData<F>,
}

impl<F: TaskFn> FnTask<F> {
    fn new(made: Made<'_>, seen: Seen<F>) -> Self {
        Self {
            args: made.args,
            seen,
            kind: made.spec.kind.clone(),
            _function: PhantomData,
        }
    }

    async fn call(&self, ctx: &TaskContext) -> TaskResult<Outcome> {
        // Serde reads `()` from null, and every other tuple from a list.
        let args = if self.args.is_empty() {
            Value::Null
        } else {
            Value::Array(self.args.clone())
        };
        let args = serde_json::from_value(args).map_err(|error| {
            TaskError::permanent(format!("its arguments do not fit `{}`: {error}", F::NAME))
                .help("what an upstream task returned, or a param, has another shape than this build expects")
        })?;
        let output = F::call(ctx, args).await;
        skip(output.and_then(|output| (self.seen)(output, &self.kind)))
    }
}

impl<F: TaskFn> AnyTask for FnTask<F> {
    fn run<'a>(&'a self, ctx: &'a TaskContext) -> BoxFuture<'a, TaskResult<Outcome>> {
        Box::pin(self.call(ctx))
    }

    fn resume<'a>(&'a self, ctx: &'a TaskContext, _: Value) -> BoxFuture<'a, TaskResult<Outcome>> {
        Box::pin(self.call(ctx))
    }

    fn cancel<'a>(&'a self, _: &'a TaskContext, _: Option<Value>) -> BoxFuture<'a, TaskResult<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

fn done<F: TaskFn>(output: F::Output, _: &TaskKind) -> TaskResult<Outcome> {
    encode(output).map(Outcome::Done)
}

fn chosen<F: TaskFn<Output: Choose>>(output: F::Output, _: &TaskKind) -> TaskResult<Outcome> {
    encode(output.labels()).map(Outcome::Done)
}

fn sensed<F, T>(output: F::Output, kind: &TaskKind) -> TaskResult<Outcome>
where
    F: TaskFn<Output = Sense<T>>,
    T: Serialize,
{
    match (output, kind) {
        (Sense::Ready(value), _) => encode(value).map(Outcome::Done),
        (Sense::NotYet, TaskKind::Sensor { every, .. }) => Ok(Outcome::Deferred {
            handle: Value::Null,
            wait: *every,
            why: "not there yet".to_owned(),
        }),
        (Sense::NotYet, _) => Err(TaskError::permanent(
            "a sensor function was deployed as something else",
        )),
    }
}
