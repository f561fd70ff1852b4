//! Reports and commands, as short as a test wants to say them.

use std::time::Duration;

use serde_json::Value;
use tidemill_core::operator::TaskError;
use tidemill_core::protocol::{Report, RunNo};
use tidemill_scheduler::engine::{Around, Command, RunVersion, Select, Selected, Trigger};

use super::super::drafts::{dag_id, task_id};
use super::parts;

pub(crate) fn done() -> Report {
    Report::Done {
        output: None,
        loads: Vec::new(),
        checks: Vec::new(),
    }
}

pub(crate) fn failed(error: TaskError, job_ended: bool) -> Report {
    Report::Failed {
        error: Box::new(error),
        job_ended,
        loads: Vec::new(),
        checks: Vec::new(),
    }
}

pub(crate) fn deferred(handle: &str) -> Report {
    Report::Deferred {
        handle: handle.into(),
        wait: Duration::from_secs(10),
        why: "the job runs".into(),
    }
}

pub(crate) fn trigger(dag: &str, params: Value) -> Trigger {
    Trigger {
        dag: dag_id(dag),
        name: None,
        covers: None,
        params,
        version: None,
        note: None,
    }
}

/// The named tasks, `load` or `load[2]`; all if none is named.
pub(crate) fn select(run: RunNo, tasks: &[&str]) -> Select {
    let named = tasks.iter().map(|name| {
        let (task, index) = parts(name);
        (task_id(task), Some(index).filter(|index| *index >= 0))
    });
    let tasks = if tasks.is_empty() {
        Selected::All
    } else {
        Selected::Tasks(named.collect())
    };
    Select { run, tasks }
}

pub(crate) fn clear(run: RunNo, tasks: &[&str], around: Around) -> Command {
    Command::Clear {
        select: select(run, tasks),
        around,
        params: None,
        version: RunVersion::Keep,
        note: None,
    }
}
