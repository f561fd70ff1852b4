//! `runs`: look at runs, make them, change them.

mod bulk;
mod diagnose;
mod one;
mod show;

use clap::{Args, Subcommand};
use tidemill_core::state::{RunState, RunType};

use crate::config::flags::OfCommand;
use crate::config::{Environment, Flags};
use crate::output::Output;
use crate::remote::{ChangeArgs, ParamArgs, Span, TaskName, When};

pub(crate) use show::{document, header, tasks};

const CODES: &str = "Exit codes: 0 done, 1 the run did not end well or it was refused because somebody changed it since, \
    2 wrong usage, 3 no scheduler or no database to reach, 4 whether it was done is open.\n\
    RUN is a run's name, its number, or `latest`. Times are in UTC.";

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List runs, the newest first.
    #[command(
        after_help = "Examples:\n  runs list\n  runs list crm_daily --state failed --from 2025-01-01 --json"
    )]
    List(ListArgs),
    /// Show one run and its tasks.
    #[command(after_help = format!("Examples:\n  runs show crm_daily latest\n  runs show crm_daily latest --watch\n  runs show crm_daily latest --log-failed\n\n{CODES}"))]
    Show(ShowArgs),
    /// Say why a run failed or does not go on: each cause with what it means, and the end of its log.
    #[command(after_help = format!("Examples:\n  runs diagnose crm_daily latest\n  runs diagnose crm_daily latest --json | jq '.failed[].message'\n\n{CODES}"))]
    Diagnose(diagnose::DiagnoseArgs),
    /// Make a run by hand.
    #[command(after_help = format!("Examples:\n  runs trigger crm_daily --param region=eu --wait\n  runs trigger crm_daily --start 2025-01-01 --end 2025-01-02\n\n{CODES}"))]
    Trigger(Box<TriggerArgs>),
    /// End runs, and their remote jobs with them.
    #[command(after_help = format!("Examples:\n  runs cancel crm_daily latest\n  runs cancel --dag crm_daily --state queued --yes\n\n{CODES}"))]
    Cancel(Box<ManyArgs>),
    /// Run again what failed.
    #[command(after_help = format!("Examples:\n  runs retry crm_daily latest\n  runs retry --dag crm_daily --state failed --from 2025-01-01 --to 2025-01-31 --yes\n\n{CODES}"))]
    Retry(Box<ManyArgs>),
    /// Run everything again; of one run also with other params or another version.
    #[command(after_help = format!("Examples:\n  runs clear crm_daily latest --dry-run\n  runs clear crm_daily 17 --param region=eu --dag-version newest\n\n{CODES}"))]
    Clear(Box<ClearArgs>),
    /// Nothing more of a run starts.
    #[command(after_help = "Example:\n  runs pause crm_daily latest")]
    Pause(OneArgs),
    /// A paused run goes on.
    #[command(after_help = "Example:\n  runs unpause crm_daily latest")]
    Unpause(OneArgs),
    /// Write a note on a run, or on one of its tasks.
    #[command(
        after_help = "Example:\n  runs note crm_daily latest \"the source was late\" --task load"
    )]
    Note(NoteArgs),
    /// Let a run's tasks come earlier or later than others, or use another pool.
    #[command(after_help = "Example:\n  runs priority crm_daily latest 10 --pool night")]
    Priority(PriorityArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only of this DAG.
    dag: Option<String>,
    /// Only in this state.
    #[arg(long)]
    state: Option<RunState>,
    /// Only those that came about like this: scheduled, manual, backfill, asset.
    #[arg(long)]
    kind: Option<RunType>,
    #[command(flatten)]
    span: Span,
    /// Only those whose names begin like this.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The DAG.
    dag: String,
    /// The run: its name, its number, or `latest`.
    run: String,
    /// Follow it until it ends; the exit code is that of its result.
    #[arg(long)]
    watch: bool,
    /// Print the logs of the attempts that failed instead, all of each.
    #[arg(long, conflicts_with_all = ["json", "watch"])]
    log_failed: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

#[derive(Debug, Args)]
pub(crate) struct TriggerArgs {
    /// The DAG.
    dag: String,
    #[command(flatten)]
    params: ParamArgs,
    /// The run's name; one is made of the time without it.
    #[arg(long)]
    name: Option<String>,
    /// The start of what it covers; the last complete interval without it.
    #[arg(long, value_name = "TIME", requires = "end")]
    start: Option<When>,
    /// Its end, which is not in it.
    #[arg(long, value_name = "TIME", requires = "start")]
    end: Option<When>,
    /// The version of the DAG; the newest without it.
    #[arg(long = "dag-version", id = "dag_version", value_name = "VERSION")]
    version: Option<String>,
    /// Why, for people.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Follow it until it ends; the exit code is that of its result.
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    #[command(flatten)]
    change: ChangeArgs,
}

/// One run, or those that a filter finds.
#[derive(Debug, Args)]
pub(crate) struct ManyArgs {
    /// The DAG.
    #[arg(value_name = "DAG", requires = "run", conflicts_with = "of_dag")]
    dag: Option<String>,
    /// The run: its name, its number, or `latest`.
    run: Option<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Why, for people.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ClearArgs {
    #[command(flatten)]
    which: ManyArgs,
    #[command(flatten)]
    params: ParamArgs,
    /// The version that the run has from now on: `newest`, or one by its hash; the one it has without this.
    #[arg(long = "dag-version", id = "dag_version", value_name = "VERSION")]
    version: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Many runs")]
pub(crate) struct FilterArgs {
    /// The runs of this DAG.
    #[arg(long = "dag", id = "of_dag", value_name = "DAG")]
    dag: Option<String>,
    /// Those in this state. May be given again.
    #[arg(long)]
    state: Vec<RunState>,
    /// Those that came about like this. May be given again.
    #[arg(long)]
    kind: Vec<RunType>,
    #[command(flatten)]
    span: Span,
    /// Only these tasks of them. May be given again.
    #[arg(long = "task", value_name = "TASK")]
    tasks: Vec<TaskName>,
    /// At the most so many runs.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    runs_max: u32,
    /// Do it; without this many runs are only counted.
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    /// The DAG.
    dag: String,
    /// The run: its name, its number, or `latest`.
    run: String,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct NoteArgs {
    #[command(flatten)]
    one: OneArgs,
    /// What to write; nothing for no note.
    text: String,
    /// On this task of it.
    #[arg(long, value_name = "TASK")]
    task: Option<TaskName>,
}

#[derive(Debug, Args)]
pub(crate) struct PriorityArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Added to the priority of its tasks.
    #[arg(allow_hyphen_values = true)]
    priority: i32,
    /// The pool for all of them; their own without it.
    #[arg(long)]
    pool: Option<String>,
}

pub(crate) fn run(command: &RunsCommand, environment: &Environment) -> Output {
    let done = match command {
        RunsCommand::List(args) => show::list(args, environment),
        RunsCommand::Show(args) => show::show(args, environment),
        RunsCommand::Diagnose(args) => diagnose::diagnose(args, environment),
        RunsCommand::Trigger(args) => one::trigger(args, environment),
        RunsCommand::Cancel(args) => bulk::cancel(args, environment),
        RunsCommand::Retry(args) => bulk::retry(args, environment),
        RunsCommand::Clear(args) => bulk::clear(args, environment),
        RunsCommand::Pause(args) => one::pause(args, true, environment),
        RunsCommand::Unpause(args) => one::pause(args, false, environment),
        RunsCommand::Note(args) => one::note(args, environment),
        RunsCommand::Priority(args) => one::priority(args, environment),
    };
    done.unwrap_or_else(|wrong| wrong)
}
