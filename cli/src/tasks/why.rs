//! `tasks why`: what holds a task, by the scheduler's own account.

use serde_json::json;
use tidemill_core::protocol::NOT_MAPPED;
use tidemill_scheduler::engine::{Gate, Holder, Why};
use tidemill_store::record::TaskRow;

use super::WhyArgs;
use crate::config::Environment;
use crate::output::Output;
use crate::remote::{Remote, RunFull, at, has_ended, shown};

pub(super) fn why(args: &WhyArgs, environment: &Environment) -> Result<Output, Output> {
    let remote = Remote::open(&args.settings, environment)?;
    let run = remote.run(&args.dag, &args.run)?;
    let full = remote.run_full(run.id)?;
    let name = args.task.as_ref();
    // A run that has not begun has no tasks; what holds it holds all of them.
    let task = match name.filter(|_| !full.tasks.is_empty()) {
        None => None,
        Some(name) => Some(remote.instance(&full, name)?),
    };
    if let (Some(name), true, Some(spec)) = (name, full.tasks.is_empty(), &full.spec)
        && spec.definition.task(name.task.as_str()).is_none()
    {
        let known = spec.definition.tasks.iter().map(|task| task.id.as_str());
        return Err(crate::remote::unknown(
            "task",
            name.task.as_str(),
            known,
            "dags show",
        ));
    }
    let over = task.as_ref().is_some_and(|task| task.state.is_final());
    if has_ended(full.run.state) || over {
        let shown = ended(&full, task.as_ref(), args.json);
        let asked = task.as_ref().filter(|_| !args.json);
        // It is over also if no scheduler is there to ask.
        let told = asked.and_then(|task| remote.why(&full, Some(task)).ok().flatten());
        return Ok(match told.as_ref().and_then(stopping) {
            Some(says) => shown.and(says),
            None => shown,
        });
    }
    let Some(why) = remote.why(&full, task.as_ref())? else {
        // It ended meanwhile.
        let full = remote.run_full(run.id)?;
        return Ok(ended(&full, task.as_ref(), args.json));
    };
    if args.json {
        return Ok(Output::data(format!("{:#}\n", json!(why))));
    }
    Ok(Output::data(told_of(&full, task.as_ref(), &why)))
}

/// What of a task that is over still goes on.
fn stopping(why: &Why) -> Option<&str> {
    let mut gates = why.gates.iter();
    let held = gates.find(|held| held.gate == Gate::Stopping && !held.open)?;
    Some(&held.says)
}

/// What came of a task, or a run, that is over.
fn ended(full: &RunFull, task: Option<&TaskRow>, json: bool) -> Output {
    let run = &full.run;
    if json {
        let mut document = crate::runs::document(full);
        if let Some(task) = task {
            let name = shown(&task.name, task.of.map_index);
            let of = document["tasks"].as_array().into_iter().flatten();
            let mut of = of.filter(|row| {
                row["task"] == json!(task.name) && row["index"] == json!(task.of.map_index)
            });
            document = of.next().cloned().unwrap_or(json!({ "task": name }));
        }
        return Output::data(format!("{document:#}\n"));
    }
    let mut out = String::new();
    if let Some(task) = task {
        let name = shown(&task.name, task.of.map_index);
        out.push_str(&format!(
            "{name} is {} since {}",
            task.state,
            at(task.since)
        ));
        let detail = full.detail(task.of);
        if let Some(why) = detail.and_then(|detail| detail.why.as_deref()) {
            out.push_str(&format!(": {why}"));
        }
        out.push('\n');
    }
    if has_ended(run.state) {
        let when = run.ended_at.map(|end| format!(" at {}", at(end)));
        let why = run.why.as_deref().map(|why| format!(": {why}"));
        out.push_str(&format!(
            "the run ended {}{}{}\n",
            run.state,
            when.unwrap_or_default(),
            why.unwrap_or_default()
        ));
    }
    Output::data(out)
}

fn told_of(full: &RunFull, task: Option<&TaskRow>, why: &Why) -> String {
    let mut out = match task {
        None => format!("{} is {}\n", full.path(), full.run.state),
        Some(task) => {
            let name = shown(&task.name, task.of.map_index);
            format!("{name} is {} since {}\n", why.state, at(task.since))
        }
    };
    if let Some(first) = why.first() {
        out.push_str(&format!("it waits: {}\n", first.says));
    }
    for held in &why.gates {
        let mark = if held.open { "✓" } else { "✗" };
        let gate = json!(held.gate);
        let gate = gate.as_str().unwrap_or_default().replace('_', " ");
        let numbers = match (held.limit, held.used) {
            (Some(limit), used) => format!("  {used} of {limit}"),
            (None, 0) => String::new(),
            (None, used) => format!("  {used}"),
        };
        out.push_str(&format!("  {mark} {gate:<20}{numbers}  {}\n", held.says));
        for holder in &held.holders {
            out.push_str(&format!("      {}\n", held_by(full, holder)));
        }
        let more = held.used.saturating_sub(held.holders.len() as u64);
        if !held.holders.is_empty() && more > 0 && held.limit.is_some() {
            out.push_str(&format!("      and {more} more\n"));
        }
    }
    if why.ahead > 0 {
        out.push_str(&format!(
            "  {} before it in the line for its pool\n",
            why.ahead
        ));
    }
    out
}

/// Who holds a gate: tasks and runs by their names.
fn held_by(full: &RunFull, holder: &Holder) -> String {
    let task = match &holder.task {
        None => String::new(),
        Some((name, NOT_MAPPED)) => format!("{name} "),
        Some((name, index)) => format!("{} ", shown(name, *index)),
    };
    let run = if holder.run == full.run.id {
        "of this run".to_owned()
    } else {
        format!("of run {} ({})", holder.run, holder.run_name)
    };
    let since = holder.since.map(|since| format!(" since {}", at(since)));
    format!("{task}{run}: {}{}", holder.state, since.unwrap_or_default())
}
