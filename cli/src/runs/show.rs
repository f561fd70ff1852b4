//! `runs list`, `runs show`.

use serde_json::{Value, json};
use tidemill_core::state::TaskState;
use tidemill_store::history::RunFilter;
use tidemill_store::record::RunRow;

use super::{ListArgs, ShowArgs, diagnose};
use crate::clock;
use crate::config::Environment;
use crate::output::Output;
use crate::remote::{Remote, RunFull, at, code_of, shown, span_of};
use crate::table::table;

pub(super) fn list(args: &ListArgs, environment: &Environment) -> Result<Output, Output> {
    let remote = Remote::open(&args.settings, environment)?;
    let (dag, zone) = match &args.dag {
        None => (None, chrono_tz::Tz::UTC),
        Some(name) => (Some(remote.dag(name)?.0.id), remote.zone(name)?),
    };
    let mut of = RunFilter {
        dag,
        state: args.state,
        kind: args.kind,
        name: args.name.clone(),
        ..RunFilter::default()
    };
    let (from, to) = args.span.ends(zone)?;
    if let Some(from) = from {
        of.start.start = from;
    }
    if let Some(to) = to {
        of.start.end = to.after(std::time::Duration::from_micros(1));
    }
    let runs = remote.read(remote.reads.runs(&of, args.limit))?;
    if args.json {
        let all: Vec<Value> = runs.iter().map(of_run).collect();
        return Ok(Output::data(format!("{:#}\n", json!(all))));
    }
    let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
    let head = ["NO", "DAG", "RUN", "STATE", "FROM", "TO", "STARTED", "TOOK"];
    Ok(Output::data(table(&head, &rows)))
}

fn took(run: &RunRow) -> String {
    let end = run.ended_at.unwrap_or_else(|| clock::now().into());
    run.started_at
        .map_or_else(|| "-".to_owned(), |began| span_of(began, end))
}

fn row(run: &RunRow) -> Vec<String> {
    vec![
        run.id.to_string(),
        run.dag.to_string(),
        run.name.to_string(),
        state(run),
        at(run.start),
        at(run.end),
        run.started_at.map_or_else(|| "-".to_owned(), at),
        took(run),
    ]
}

fn state(run: &RunRow) -> String {
    if run.paused && run.ended_at.is_none() {
        format!("{} (paused)", run.state)
    } else {
        run.state.to_string()
    }
}

/// A run for programs.
fn of_run(run: &RunRow) -> Value {
    let touched = run.touched.as_ref();
    json!({
        "no": run.id, "dag": run.dag, "name": run.name, "kind": run.kind, "state": run.state, "version": run.version,
        "start": run.start, "end": run.end, "created_at": run.created_at, "started_at": run.started_at,
        "ended_at": run.ended_at, "params": serde_json::from_str::<Value>(&run.params).unwrap_or_default(),
        "backfill": run.backfill, "paused": run.paused, "priority": run.priority, "pool": run.pool,
        "quarantine": run.quarantine, "why": run.why, "note": run.note, "edits": run.edits,
        "touched": touched.map(|touch| json!({ "by": touch.by, "how": touch.how, "at": touch.at })),
    })
}

/// A run with its tasks, for programs.
pub(crate) fn document(full: &RunFull) -> Value {
    let mut value = of_run(&full.run);
    value["tasks"] = full.tasks.iter().map(|task| of_task(full, task)).collect();
    value
}

fn of_task(full: &RunFull, task: &tidemill_store::record::TaskRow) -> Value {
    let detail = full.detail(task.of);
    json!({
        "task": task.name, "index": task.of.map_index, "state": task.state, "attempt": task.number,
        "worker": task.worker, "since": task.since, "queued_at": task.queued_at, "started_at": task.started_at,
        "retry_at": task.retry_at, "instances": task.instances, "edits": task.edits,
        "why": detail.and_then(|detail| detail.why.as_deref()),
        "note": detail.and_then(|detail| detail.note.as_deref()),
    })
}

pub(super) fn show(args: &ShowArgs, environment: &Environment) -> Result<Output, Output> {
    let remote = Remote::open(&args.settings, environment)?;
    let run = remote.run(&args.dag, &args.run)?;
    let full = if args.watch {
        remote.follow(run.id)?
    } else {
        remote.run_full(run.id)?
    };
    if args.log_failed {
        return diagnose::logs(&remote, &full);
    }
    let text = if args.json {
        format!("{:#}\n", document(&full))
    } else {
        format!("{}\n{}", header(&full), tasks(&full))
    };
    let output = Output::data(text);
    Ok(if args.watch {
        output.code(code_of(full.run.state))
    } else {
        output
    })
}

/// What there is to say about a run but for its tasks.
pub(crate) fn header(full: &RunFull) -> String {
    let run = &full.run;
    let mut out = format!("{}  {}  {}\n", run.dag, run.name, state(run));
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            out.push_str(&format!("  {name:<10} {value}\n"));
        }
    };
    fact("number", run.id.to_string());
    fact("kind", run.kind.to_string());
    fact("version", run.version.short().to_owned());
    let covers = if run.start == run.end {
        at(run.start)
    } else {
        format!("{} to {}", at(run.start), at(run.end))
    };
    fact("covers", covers);
    fact("started", run.started_at.map(at).unwrap_or_default());
    fact("ended", run.ended_at.map(at).unwrap_or_default());
    fact(
        "took",
        run.started_at.map(|_| took(run)).unwrap_or_default(),
    );
    fact(
        "params",
        if &*run.params == "{}" {
            String::new()
        } else {
            run.params.to_string()
        },
    );
    fact(
        "backfill",
        run.backfill.map(|id| id.to_string()).unwrap_or_default(),
    );
    if run.priority != 0 {
        fact("priority", run.priority.to_string());
    }
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
    fact("pool", text(&run.pool));
    fact("quarantine", text(&run.quarantine));
    fact("why", text(&run.why));
    fact("note", text(&run.note));
    let touched = run.touched.as_ref();
    let touched = touched.map(|touch| format!("{} {} it at {}", touch.by, touch.how, at(touch.at)));
    fact("changed", touched.unwrap_or_default());
    fact("edits", run.edits.to_string());
    out
}

/// The tasks of a run as a table.
pub(crate) fn tasks(full: &RunFull) -> String {
    if full.tasks.is_empty() {
        return "it has not begun, so it has no tasks yet\n".to_owned();
    }
    let rows: Vec<Vec<String>> = full
        .tasks
        .iter()
        .map(|task| {
            let detail = full.detail(task.of);
            let end = if task.state.is_final() {
                task.since
            } else {
                clock::now().into()
            };
            let began = task.started_at.filter(|_| task.state != TaskState::None);
            let why = detail
                .and_then(|detail| detail.why.as_deref())
                .unwrap_or_default();
            let note = detail.and_then(|detail| detail.note.as_deref());
            let note = note.map(|note| format!(" [{note}]")).unwrap_or_default();
            vec![
                shown(&task.name, task.of.map_index),
                task.state.to_string(),
                task.number.to_string(),
                began.map_or_else(|| "-".to_owned(), at),
                began.map_or_else(|| "-".to_owned(), |began| span_of(began, end)),
                task.worker.as_deref().unwrap_or("-").to_owned(),
                format!("{why}{note}").replace('\n', " "),
            ]
        })
        .collect();
    table(
        &[
            "TASK", "STATE", "ATTEMPT", "STARTED", "TOOK", "WORKER", "WHY",
        ],
        &rows,
    )
}
