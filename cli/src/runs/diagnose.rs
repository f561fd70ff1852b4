//! `runs diagnose`: why a run failed or does not go on, for people and for programs; and the logs of what failed.

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use tidemill_core::operator::ErrorKind;
use tidemill_core::protocol::{AttemptNo, MapIndex};
use tidemill_core::state::TaskState;
use tidemill_logs::Numbered;
use tidemill_scheduler::engine::Held;
use tidemill_store::record::TaskRow;
use tidemill_web::api::views::{AttemptView, meaning_of};

use super::show;
use crate::config::flags::OfCommand;
use crate::config::{Environment, Flags};
use crate::output::Output;
use crate::remote::{Lines, Remote, RunFull, has_ended, shown};
use crate::tasks::logs::in_words;

/// Of so many failed tasks the cause is told; the rest is counted.
const FAILED_MAX: usize = 50;
/// Of so many waiting tasks the scheduler is asked why.
const WAITING_MAX: usize = 20;
/// How many lines are read of a log at once.
const PAGE: usize = 2_000;

#[derive(Debug, Args)]
pub(crate) struct DiagnoseArgs {
    /// The DAG.
    dag: String,
    /// The run: its name, its number, or `latest`.
    run: String,
    /// How many lines from the end of the log of each attempt that failed.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    lines: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

/// A task that failed, and why.
#[derive(Debug, Serialize)]
struct Failed {
    task: String,
    index: MapIndex,
    state: TaskState,
    attempt: u32,
    kind: Option<ErrorKind>,
    meaning: Option<&'static str>,
    message: Option<String>,
    help: Option<String>,
    /// When it is tried again by itself.
    retry_at: Option<tidemill_core::time::Timestamp>,
    /// The end of its log.
    log: Vec<Numbered>,
    /// Why there is no log.
    no_log: Option<String>,
}

/// A task that waits, and for what.
#[derive(Debug, Serialize)]
struct Waits {
    task: String,
    index: MapIndex,
    state: TaskState,
    /// The gates before it that are closed.
    gates: Vec<Held>,
}

/// All there is to say of a run that is not well.
#[derive(Debug, Serialize)]
struct Diagnosis {
    run: Value,
    /// What failed itself, and not because something before it did.
    failed: Vec<Failed>,
    failed_more: usize,
    /// What could not run because of that.
    upstream_failed: Vec<String>,
    waiting: Vec<Waits>,
    /// What holds the run as a whole.
    gates: Vec<Held>,
    /// Why nothing is known of what waits.
    unasked: Option<String>,
}

/// Whether a task failed itself, or is about to be tried again because it did.
fn has_failed(task: &&TaskRow) -> bool {
    matches!(task.state, TaskState::Failed | TaskState::UpForRetry)
}

/// Of a mapped task that failed because of its instances the instances are told.
fn roots(full: &RunFull) -> Vec<&TaskRow> {
    let failed = full.tasks.iter().filter(has_failed);
    let failed: Vec<&TaskRow> = failed.collect();
    let is_told_by_others = |task: &TaskRow| {
        let mut others = failed.iter();
        task.attempt.0 == 0
            && others.any(|other| {
                other.of.task == task.of.task && other.of.map_index != task.of.map_index
            })
    };
    let all = failed.iter().filter(|task| !is_told_by_others(task));
    all.copied().collect()
}

fn last_attempt(remote: &Remote, task: &TaskRow) -> Result<Option<AttemptView>, Output> {
    if task.attempt.0 == 0 {
        return Ok(None);
    }
    let tried = remote.read(remote.reads.attempts(task.of, &task.name))?;
    Ok(tried.into_iter().next())
}

/// The last lines of the log of an attempt, or why there are none.
fn tail(
    remote: &Remote,
    (full, task): (&RunFull, &TaskRow),
    attempt: (u32, AttemptNo),
    lines: usize,
) -> Result<Vec<Numbered>, String> {
    let said = |output: Output| {
        let line = output.stderr.lines().next().unwrap_or_default();
        line.trim_start_matches("error: ").to_owned()
    };
    let page = |from, lines| {
        let wanted = Lines {
            attempt,
            from,
            lines,
            level: None,
            wait: false,
        };
        let page = remote.lines(full, task, wanted).map_err(said)?;
        page.ok_or_else(|| "the scheduler keeps no logs".to_owned())
    };
    let total = page(0, 1)?.total;
    let from = total.saturating_sub(lines as u64);
    Ok(page(from, lines.max(1))?.lines)
}

fn failed(
    remote: &Remote,
    full: &RunFull,
    (task, lines): (&TaskRow, u32),
) -> Result<Failed, Output> {
    let attempt = last_attempt(remote, task)?;
    let why = full
        .detail(task.of)
        .and_then(|detail| detail.why.as_deref());
    let (log, no_log) = match &attempt {
        Some(one) if lines > 0 => {
            let of = (one.number, AttemptNo(one.attempt));
            match tail(remote, (full, task), of, lines as usize) {
                Ok(log) => (log, None),
                Err(why) => (Vec::new(), Some(why)),
            }
        }
        _ => (Vec::new(), None),
    };
    let kind = attempt.as_ref().and_then(|one| one.error_kind);
    let message = attempt.as_ref().and_then(|one| one.message.clone());
    Ok(Failed {
        task: task.name.to_string(),
        index: task.of.map_index,
        state: task.state,
        attempt: attempt.as_ref().map_or(task.number, |one| one.number),
        kind,
        meaning: kind.map(meaning_of),
        message: message.or_else(|| why.map(ToOwned::to_owned)),
        help: attempt.and_then(|one| one.help),
        retry_at: task.retry_at,
        log,
        no_log,
    })
}

/// What waits, and for what. A scheduler that does not answer does not keep the rest from being told.
fn waiting(remote: &Remote, full: &RunFull, told: &mut Diagnosis) {
    if has_ended(full.run.state) {
        return;
    }
    let closed = |gates: Vec<Held>| gates.into_iter().filter(|held| !held.open).collect();
    let unasked = |output: Output| {
        let line = output.stderr.lines().next().unwrap_or_default();
        Some(line.trim_start_matches("error: ").to_owned())
    };
    match remote.why(full, None) {
        Ok(why) => told.gates = why.map(|why| closed(why.gates)).unwrap_or_default(),
        Err(output) => {
            told.unasked = unasked(output);
            return;
        }
    }
    let waits = |task: &&TaskRow| {
        matches!(
            task.state,
            TaskState::Scheduled | TaskState::Queued | TaskState::Deferred
        )
    };
    for task in full.tasks.iter().filter(waits).take(WAITING_MAX) {
        match remote.why(full, Some(task)) {
            Ok(why) => told.waiting.push(Waits {
                task: task.name.to_string(),
                index: task.of.map_index,
                state: task.state,
                gates: why.map(|why| closed(why.gates)).unwrap_or_default(),
            }),
            Err(output) => {
                told.unasked = unasked(output);
                return;
            }
        }
    }
}

pub(super) fn diagnose(args: &DiagnoseArgs, environment: &Environment) -> Result<Output, Output> {
    let remote = Remote::open(&args.settings, environment)?;
    let run = remote.run(&args.dag, &args.run)?;
    let full = remote.run_full(run.id)?;
    let roots = roots(&full);
    let mut run = show::document(&full);
    if let Some(fields) = run.as_object_mut() {
        fields.remove("tasks");
    }
    let behind = full
        .tasks
        .iter()
        .filter(|task| task.state == TaskState::UpstreamFailed);
    let mut told = Diagnosis {
        run,
        failed: Vec::new(),
        failed_more: roots.len().saturating_sub(FAILED_MAX),
        upstream_failed: behind
            .map(|task| shown(&task.name, task.of.map_index))
            .collect(),
        waiting: Vec::new(),
        gates: Vec::new(),
        unasked: None,
    };
    for task in roots.into_iter().take(FAILED_MAX) {
        told.failed
            .push(failed(&remote, &full, (task, args.lines))?);
    }
    waiting(&remote, &full, &mut told);
    Ok(Output::data(if args.json {
        format!("{:#}\n", json!(told))
    } else {
        in_text(&full, &told)
    }))
}

fn in_text(full: &RunFull, told: &Diagnosis) -> String {
    let mut out = format!("{} is {}\n", full.path(), full.run.state);
    if let Some(why) = full.run.why.as_deref() {
        out.push_str(&format!("  {why}\n"));
    }
    for one in &told.failed {
        out.push_str(&of_failed(one));
    }
    if told.failed_more > 0 {
        out.push_str(&format!("\nand {} more failed\n", told.failed_more));
    }
    if !told.upstream_failed.is_empty() {
        let (count, all) = (told.upstream_failed.len(), told.upstream_failed.join(", "));
        out.push_str(&format!("\n{count} could not run because of that: {all}\n"));
    }
    for held in &told.gates {
        out.push_str(&format!("\nthe run waits: {}\n", held.says));
    }
    for one in &told.waiting {
        let name = name(&one.task, one.index);
        let says = one.gates.first().map(|held| held.says.as_str());
        let says = says.unwrap_or("nothing holds it");
        out.push_str(&format!("\n{name} is {}: {says}\n", one.state));
    }
    if let Some(why) = &told.unasked {
        out.push_str(&format!("\nwhat waits is not known: {why}\n"));
    }
    if told.failed.is_empty() && told.waiting.is_empty() && told.gates.is_empty() {
        out.push_str("nothing of it failed\n");
    }
    out
}

fn name(task: &str, index: MapIndex) -> String {
    if index == tidemill_core::protocol::NOT_MAPPED {
        task.to_owned()
    } else {
        format!("{task}[{index}]")
    }
}

fn of_failed(one: &Failed) -> String {
    let name = name(&one.task, one.index);
    let mut out = format!("\n{name} is {}, attempt {}\n", one.state, one.attempt);
    let mut line = |text: &str| {
        for part in text.lines() {
            out.push_str(&format!("  {part}\n"));
        }
    };
    line(
        one.message
            .as_deref()
            .unwrap_or("it failed without a message"),
    );
    if let Some(meaning) = one.meaning {
        line(meaning);
    }
    if let Some(help) = &one.help {
        line(&format!("help: {help}"));
    }
    if let Some(at) = one.retry_at {
        line(&format!("it is tried again at {}", crate::remote::at(at)));
    }
    for numbered in &one.log {
        line(&format!("| {}", in_words(numbered)));
    }
    if let Some(why) = &one.no_log {
        line(&format!("its log cannot be read: {why}"));
    }
    out
}

/// All that the attempts wrote that failed last, each below its name.
pub(super) fn logs(remote: &Remote, full: &RunFull) -> Result<Output, Output> {
    let roots = roots(full);
    let mut out = String::new();
    for task in &roots {
        let Some(one) = last_attempt(remote, task)? else {
            continue;
        };
        let name = shown(&task.name, task.of.map_index);
        out.push_str(&format!("==> {name}, attempt {}\n", one.number));
        let mut from = 0;
        loop {
            let wanted = Lines {
                attempt: (one.number, AttemptNo(one.attempt)),
                from,
                lines: PAGE,
                level: None,
                wait: false,
            };
            let page = remote.lines(full, task, wanted)?;
            let page = page.ok_or_else(|| Output::usage("the scheduler keeps no logs", ""))?;
            for line in &page.lines {
                out.push_str(&in_words(line));
                out.push('\n');
            }
            from += page.lines.len() as u64;
            if page.lines.is_empty() || from >= page.total {
                break;
            }
        }
    }
    if roots.is_empty() {
        return Ok(Output::default().talk(format_args!("nothing of {} failed", full.path())));
    }
    Ok(Output::data(out))
}
