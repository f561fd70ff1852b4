//! Commands for one run.

use tidemill_core::protocol::NOT_MAPPED;
use tidemill_core::version::Version;
use tidemill_scheduler::engine::{Command, Pausable, Trigger};

use super::{NoteArgs, OneArgs, PriorityArgs, TriggerArgs, show};
use crate::config::Environment;
use crate::output::Output;
use crate::remote::{Changes, Remote, code_of, has_ended};

pub(super) fn trigger(args: &TriggerArgs, environment: &Environment) -> Result<Output, Output> {
    let params = args.params.value()?;
    let changes = args.change.open(environment)?;
    let (dag, _) = changes.remote.dag(&args.dag)?;
    let covers = match (&args.start, &args.end) {
        (Some(start), Some(end)) => {
            let zone = changes.remote.zone(&args.dag)?;
            Some((start.begins(zone)?, end.begins(zone)?))
        }
        _ => None,
    };
    let version = args.version.as_deref();
    let version = version.map(|text| find_version(&changes.remote, &args.dag, text));
    let command = Command::Trigger(Trigger {
        dag: dag.id,
        name: args.name.as_deref().map(Into::into),
        covers,
        params,
        version: version.transpose()?,
        note: args.note.as_deref().map(Into::into),
    });
    let changed = changes.remote.ask(&changes.asking(), command)?;
    let done = format!("triggered {}", args.dag);
    let Some((run, _)) = changed.runs_made.first().filter(|_| args.wait) else {
        return Ok(changes.say(&done, &changed));
    };
    let full = changes.remote.follow(*run)?;
    let text = if args.change.json {
        format!("{:#}\n", show::document(&full))
    } else {
        format!("{}\n{}", show::header(&full), show::tasks(&full))
    };
    Ok(Output::data(text).code(code_of(full.run.state)))
}

/// A version of a DAG by its hash, or as much of it as is not ambiguous.
pub(super) fn find_version(remote: &Remote, dag: &str, text: &str) -> Result<Version, Output> {
    let (row, _) = remote.dag(dag)?;
    let all = remote.read(remote.reads.versions(&row.id))?;
    let mut found = all
        .iter()
        .filter(|version| version.as_str().starts_with(text));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.clone()),
        (Some(_), Some(_)) => Err(Output::usage(
            format_args!("`{text}` is the beginning of several versions of `{dag}`"),
            "write more of it",
        )),
        (None, _) => {
            let known: Vec<&str> = all.iter().take(5).map(Version::short).collect();
            let help = format!("the newest are: {}", known.join(", "));
            Err(Output::usage(
                format_args!("`{dag}` has no version `{text}`"),
                help,
            ))
        }
    }
}

fn open<'a>(
    args: &'a OneArgs,
    environment: &Environment,
) -> Result<(Changes<'a>, tidemill_store::record::RunRow), Output> {
    let mut changes = args.change.open(environment)?;
    let run = changes.remote.run(&args.dag, &args.run)?;
    changes.name(run.id, &run.name);
    Ok((changes, run))
}

pub(super) fn pause(
    args: &OneArgs,
    pause: bool,
    environment: &Environment,
) -> Result<Output, Output> {
    let (changes, run) = open(args, environment)?;
    if has_ended(run.state) {
        let message = format_args!("the run has ended already: {}", run.state);
        return Err(Output::usage(message, ""));
    }
    let done = if pause { "paused" } else { "unpaused" };
    let what = Pausable::Run(run.id);
    changes.send(done, Command::Pause { what, pause })
}

pub(super) fn note(args: &NoteArgs, environment: &Environment) -> Result<Output, Output> {
    let (changes, run) = open(&args.one, environment)?;
    let task = match &args.task {
        None => None,
        Some(name) => {
            let full = changes.remote.run_full(run.id)?;
            changes.remote.instance(&full, name)?;
            Some((name.task.clone(), name.index.unwrap_or(NOT_MAPPED)))
        }
    };
    let command = Command::Note {
        run: run.id,
        task,
        text: args.text.as_str().into(),
    };
    changes.send(&format!("noted on run {}  {}", run.id, run.name), command)
}

pub(super) fn priority(args: &PriorityArgs, environment: &Environment) -> Result<Output, Output> {
    let (changes, run) = open(&args.one, environment)?;
    let pool = args.pool.as_deref();
    let command = Command::Reprioritise {
        run: run.id,
        priority: args.priority,
        pool: pool.map(Into::into),
    };
    let own = pool.map_or_else(String::new, |pool| format!(", pool {pool}"));
    let done = format!("set priority {}{own} (was {})", args.priority, run.priority);
    changes.send(&done, command)
}
