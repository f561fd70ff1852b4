//! From what the scheduler says about an attempt to a task that can run.

use std::sync::Arc;

use serde_json::Value;
use tidemill_core::operator::{
    AnyTask, BoxFuture, Host, Outcome, TaskContext, TaskError, TaskResult,
};
use tidemill_core::protocol::{Report, read_json};
use tidemill_core::spec;
use tidemill_core::wire::Order;

use crate::Isolation;
use crate::host::WorkerHost;
use crate::isolate::{self, Act, Job, Program};
use crate::project::Project;

/// A task that is ready to run, and all it was made of.
pub(crate) struct Ready {
    pub(crate) task: Box<dyn AnyTask>,
    pub(crate) ctx: TaskContext,
    pub(crate) blocking: bool,
}

/// Why an attempt is not begun.
pub(crate) enum Unready {
    /// The worker cannot run it; another may.
    Refused(String),
    /// It has failed.
    Failed(TaskError),
}

impl Unready {
    pub(crate) fn report(self) -> Report {
        match self {
            Self::Refused(why) => Report::Refused { why: why.into() },
            Self::Failed(error) => Report::failed(error),
        }
    }
}

/// Makes a task of an order: the code is looked up, variables are fetched, placeholders filled in.
pub(crate) async fn prepare(
    project: &Project,
    order: &Order,
    host: Arc<WorkerHost>,
    isolation: &Isolation,
) -> Result<Ready, Unready> {
    let of = &order.assignment;
    let key = (of.dag.clone(), of.version.clone());
    let (dag, spec, needs) = project.task(&key, of.task.as_str()).ok_or_else(|| {
        let version = of.version.short();
        Unready::Refused(format!("it does not hold version {version} of {}", of.dag))
    })?;
    let zone = dag.definition.zone();
    let facts = of.facts(zone).map_err(Unready::Failed)?;
    let outputs = outputs(order).map_err(Unready::Failed)?;
    let mut variables = Vec::new();
    for name in &needs.variables {
        let value = host.variable(name).await.map_err(Unready::Failed)?;
        variables.push((name.clone(), value));
    }
    let apart = isolation.all || spec.placement.isolation == spec::Isolation::Process;
    let (task, blocking): (Box<dyn AnyTask>, _) = if apart {
        let job = Job {
            spec: spec.clone(),
            facts: facts.clone(),
            outputs,
            variables,
            act: Act::Run,
            memory_max: isolation.memory_max,
        };
        let task = Apart::new(isolation, job, Arc::clone(&host)).map_err(Unready::Failed)?;
        (Box::new(task), false)
    } else {
        let made = project.registry.make(spec, &facts, &outputs, &variables);
        let task = made.map_err(Unready::Failed)?;
        (task, project.registry.is_blocking(spec))
    };
    let ctx = TaskContext::new(facts, host);
    Ok(Ready {
        task,
        ctx,
        blocking,
    })
}

/// A task in a process of its own.
struct Apart {
    program: Program,
    job: Job,
    host: Arc<WorkerHost>,
}

impl Apart {
    fn new(isolation: &Isolation, job: Job, host: Arc<WorkerHost>) -> TaskResult<Self> {
        let program = isolation.program.clone();
        let none = || TaskError::permanent("this worker cannot start processes for tasks");
        Ok(Self {
            program: program.ok_or_else(none)?,
            job,
            host,
        })
    }

    fn act(&self, act: Act) -> BoxFuture<'_, TaskResult<Outcome>> {
        let job = Job {
            act,
            ..self.job.clone()
        };
        let host: Arc<dyn Host> = self.host.clone();
        Box::pin(async move { isolate::run(&self.program, &job, host).await })
    }
}

impl AnyTask for Apart {
    fn run<'a>(&'a self, _: &'a TaskContext) -> BoxFuture<'a, TaskResult<Outcome>> {
        self.act(Act::Run)
    }

    fn resume<'a>(
        &'a self,
        _: &'a TaskContext,
        handle: Value,
    ) -> BoxFuture<'a, TaskResult<Outcome>> {
        self.act(Act::Resume(handle))
    }

    fn cancel<'a>(
        &'a self,
        _: &'a TaskContext,
        handle: Option<Value>,
    ) -> BoxFuture<'a, TaskResult<()>> {
        Box::pin(async { self.act(Act::Cancel(handle)).await.map(drop) })
    }
}

fn outputs(order: &Order) -> TaskResult<Vec<(String, Value)>> {
    let one = |(task, value): &(tidemill_core::id::TaskId, Arc<str>)| {
        let value = read_json(&format!("what `{task}` returned"), value)?;
        Ok((task.to_string(), value))
    };
    order.outputs.iter().map(one).collect()
}
