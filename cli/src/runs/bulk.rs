//! The same for one run, or for all that a filter finds.

use serde_json::Value;
use tidemill_core::protocol::RunNo;
use tidemill_scheduler::engine::{
    Around, BulkAction, Command, Filter, RunVersion, Select, Selected,
};

use super::one::find_version;
use super::{ClearArgs, FilterArgs, ManyArgs};
use crate::config::Environment;
use crate::output::Output;
use crate::remote::{Changes, Remote};

/// What is done with each run.
struct Deed {
    done: &'static str,
    many: BulkAction,
}

pub(super) fn cancel(args: &ManyArgs, environment: &Environment) -> Result<Output, Output> {
    let deed = Deed {
        done: "cancelled",
        many: BulkAction::Cancel,
    };
    let note = args.note.clone();
    act(args, &deed, environment, |_, run| {
        let note = note.map(Into::into);
        Ok(Command::CancelRun { run, note })
    })
}

pub(super) fn retry(args: &ManyArgs, environment: &Environment) -> Result<Output, Output> {
    let deed = Deed {
        done: "cleared what failed",
        many: BulkAction::RetryFailed,
    };
    act(args, &deed, environment, |_, run| {
        Ok(clearing(args, run, true))
    })
}

pub(super) fn clear(args: &ClearArgs, environment: &Environment) -> Result<Output, Output> {
    let deed = Deed {
        done: "cleared",
        many: BulkAction::Clear,
    };
    let given = match args.params.value()? {
        Value::Null => None,
        params => Some(params),
    };
    let which = &args.which;
    let alone = given.is_some() || args.version.is_some();
    if alone && which.run.is_none() {
        return Err(Output::usage(
            "params and a version are given to one run at a time",
            "name it: `runs clear DAG RUN --param key=value`",
        ));
    }
    act(which, &deed, environment, |remote, run| {
        let mut command = clearing(which, run, false);
        if let Command::Clear {
            params, version, ..
        } = &mut command
        {
            *params = given;
            *version = match args.version.as_deref() {
                None => RunVersion::Keep,
                Some("newest") => RunVersion::Newest,
                Some(text) => {
                    let dag = which.dag.as_deref().unwrap_or_default();
                    RunVersion::This(find_version(remote, dag, text)?)
                }
            };
        }
        Ok(command)
    })
}

fn clearing(args: &ManyArgs, run: RunNo, only_failed: bool) -> Command {
    let tasks = &args.filter.tasks;
    let tasks = if tasks.is_empty() {
        Selected::All
    } else {
        let named = tasks.iter().map(|name| (name.task.clone(), name.index));
        Selected::Tasks(named.collect())
    };
    Command::Clear {
        select: Select { run, tasks },
        around: Around {
            only_failed,
            ..Around::default()
        },
        params: None,
        version: RunVersion::Keep,
        note: args.note.as_deref().map(Into::into),
    }
}

fn act(
    args: &ManyArgs,
    deed: &Deed,
    environment: &Environment,
    one: impl FnOnce(&Remote, RunNo) -> Result<Command, Output>,
) -> Result<Output, Output> {
    if args.run.is_none() && !args.filter.is_given() {
        return Err(Output::usage(
            "which runs are meant is not said",
            "name one as `DAG RUN`, or many by `--dag`, `--state`, `--kind`, `--from`, `--to`",
        ));
    }
    let mut changes = args.change.open(environment)?;
    match (&args.dag, &args.run) {
        (Some(dag), Some(run)) => {
            if args.filter.is_given() {
                return Err(Output::usage(
                    "one run is named, and a filter for many is given",
                    "leave one of them out",
                ));
            }
            let run = changes.remote.run(dag, run)?;
            changes.name(run.id, &run.name);
            let command = one(&changes.remote, run.id)?;
            changes.send(&format!("{} ({dag})", deed.done), command)
        }
        _ => many(args, deed, &changes),
    }
}

fn many(args: &ManyArgs, deed: &Deed, changes: &Changes<'_>) -> Result<Output, Output> {
    let filter = &args.filter;
    let (dag, zone) = match &filter.dag {
        None => (None, chrono_tz::Tz::UTC),
        Some(name) => {
            let (row, _) = changes.remote.dag(name)?;
            (Some(row.id), changes.remote.zone(name)?)
        }
    };
    if let Some(indexed) = filter.tasks.iter().find(|name| name.index.is_some()) {
        let message = format_args!("`--task {}[…]` has an index", indexed.task);
        return Err(Output::usage(message, "of many runs whole tasks are meant"));
    }
    let (from, to) = filter.span.ends(zone)?;
    let command = Command::Bulk {
        filter: Filter {
            dag,
            states: filter.state.clone(),
            kinds: filter.kind.clone(),
            from,
            to,
            tasks: filter.tasks.iter().map(|name| name.task.clone()).collect(),
            runs_max: filter.runs_max,
            runs: Vec::new(),
        },
        action: deed.many.clone(),
        note: args.note.as_deref().map(Into::into),
    };
    changes.send_if_sure(filter.yes, deed.done, command)
}

impl FilterArgs {
    const fn is_given(&self) -> bool {
        self.dag.is_some()
            || !self.state.is_empty()
            || !self.kind.is_empty()
            || self.span.is_given()
    }
}
