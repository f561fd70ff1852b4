//! A task's own process: this binary, started again by its worker with a hidden command.

use std::any::{Any, TypeId};
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;
use std::sync::Arc;

use tidemill_core::author::{Dags, Services};
use tidemill_core::operator::{TaskError, TaskResult};
use tidemill_operators::http::Clients;
use tidemill_process::BaseEnv;
use tidemill_worker::isolate::{Inside, Job, Program, child};

use super::machine;
use crate::clock;
use crate::config::Environment;

/// The hidden command.
pub(crate) const COMMAND: &str = "__attempt";

/// What a worker starts for a task: this binary with these arguments. None where it is not this binary's command line that
/// asks, because then the binary may be anything.
pub(crate) fn program(command: &str, environment: &Environment) -> Option<Program> {
    if !environment.is_own() {
        return None;
    }
    let mut args = vec![command.into()];
    if command == COMMAND {
        args.extend(machine::told(environment).map(Into::into));
    }
    Some(Program {
        path: std::env::current_exe().ok()?,
        args,
        env: base(environment),
    })
}

/// What processes of tasks see of the environment.
pub(crate) fn base(environment: &Environment) -> BaseEnv {
    BaseEnv::of(environment.beginning(""))
}

/// The services that tasks find by their types.
pub(crate) fn services(dags: &Dags, environment: &Environment) -> Services {
    let base: Arc<dyn Any + Send + Sync> = Arc::new(base(environment));
    let clients = Clients::new(machine::of(environment));
    let clients: Arc<dyn Any + Send + Sync> = Arc::new(clients);
    let mut services = dags.services().clone();
    services.entry(TypeId::of::<BaseEnv>()).or_insert(base);
    services.entry(TypeId::of::<Clients>()).or_insert(clients);
    services
}

/// Whether this process was started for one task.
pub(crate) fn is_asked_for(mut line: impl Iterator<Item = impl AsRef<OsStr>>) -> bool {
    line.nth(1).is_some_and(|first| first.as_ref() == COMMAND)
}

/// Runs the task that the worker on the other end of the standard input gives.
pub(crate) fn run(
    dags: &Dags,
    line: impl Iterator<Item = OsString>,
    environment: &Environment,
) -> ExitCode {
    let environment = machine::heard(environment, line.skip(2));
    child(|job| inside(dags, job, &environment))
}

/// The code of the task's DAG.
pub(crate) fn inside(dags: &Dags, job: &Job, environment: &Environment) -> TaskResult<Inside> {
    let of = &job.facts.dag_id;
    let all = dags.build();
    let dag = all.iter().find(|dag| dag.spec().id().as_str() == of);
    let gone = || {
        TaskError::permanent(format!("this binary holds no DAG `{of}`"))
            .help("it was replaced under a running worker; restart the worker")
    };
    let services = services(dags, environment);
    Ok(Inside {
        registry: dag.ok_or_else(gone)?.registry().clone(),
        clock: clock::now,
        services: Box::new(move |kind| services.get(&kind).cloned()),
    })
}
