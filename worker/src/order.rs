//! From what the scheduler says about an attempt to a task that can run.

use std::sync::Arc;

use serde_json::Value;
use tidemill_core::operator::{AnyTask, Interval, RunFacts, TaskContext, TaskError, TaskResult};
use tidemill_core::protocol::{AttemptRef, MapIndex, Report};
use tidemill_core::spec::TaskSpec;
use tidemill_core::wire::Order;

use crate::host::WorkerHost;
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
            Self::Failed(error) => failed(error),
        }
    }
}

/// It failed, and whether something of it runs outside is open.
pub(crate) fn failed(error: TaskError) -> Report {
    Report::Failed {
        error: Box::new(error),
        job_ended: false,
        loads: Vec::new(),
    }
}

/// Makes a task of an order: the code is looked up, variables are fetched, placeholders filled in.
pub(crate) async fn prepare(
    project: &Project,
    order: &Order,
    host: Arc<WorkerHost>,
) -> Result<Ready, Unready> {
    let of = &order.assignment;
    let key = (of.dag.clone(), of.version.clone());
    let (dag, spec, needs) = project.task(&key, of.task.as_str()).ok_or_else(|| {
        let version = of.version.short();
        Unready::Refused(format!("it does not hold version {version} of {}", of.dag))
    })?;
    let zone = dag.definition.zone();
    let facts = facts(order, zone).map_err(Unready::Failed)?;
    let outputs = outputs(order).map_err(Unready::Failed)?;
    let mut variables = Vec::new();
    for name in &needs.variables {
        use tidemill_core::operator::Host as _;
        let value = host.variable(name).await.map_err(Unready::Failed)?;
        variables.push((name.clone(), value));
    }
    let task = make(project, spec, &facts, (&outputs, &variables)).map_err(Unready::Failed)?;
    let blocking = project.registry.is_blocking(spec);
    let ctx = TaskContext::new(facts, host);
    Ok(Ready {
        task,
        ctx,
        blocking,
    })
}

fn make(
    project: &Project,
    spec: &TaskSpec,
    facts: &RunFacts,
    (outputs, variables): (&[(String, Value)], &[(String, String)]),
) -> TaskResult<Box<dyn AnyTask>> {
    project.registry.make(spec, facts, outputs, variables)
}

fn facts(order: &Order, zone: chrono_tz::Tz) -> TaskResult<RunFacts> {
    let of = &order.assignment;
    let item = of.item.as_deref().map(|item| read("its item", item));
    Ok(RunFacts {
        dag_id: of.dag.to_string(),
        run_id: of.run.to_string(),
        run_type: of.run_type.to_string(),
        task_id: of.task.to_string(),
        map_index: mapped(of.attempt),
        attempt: of.number,
        interval: Interval {
            start: of.start.date(),
            end: of.end.date(),
        },
        zone,
        params: read("its params", &of.params)?,
        item: item.transpose()?,
        key: of.key.clone(),
    })
}

fn mapped(attempt: AttemptRef) -> Option<u32> {
    let index: MapIndex = attempt.of.map_index;
    u32::try_from(index).ok()
}

fn outputs(order: &Order) -> TaskResult<Vec<(String, Value)>> {
    let one = |(task, value): &(tidemill_core::id::TaskId, Arc<str>)| {
        let value = read(&format!("what `{task}` returned"), value)?;
        Ok((task.to_string(), value))
    };
    order.outputs.iter().map(one).collect()
}

fn read(what: &str, json: &str) -> TaskResult<Value> {
    serde_json::from_str(json)
        .map_err(|error| TaskError::permanent(format!("{what} cannot be read: {error}")))
}
