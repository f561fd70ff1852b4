//! `tasks`: look at the tasks of a run, and change them.

pub(crate) mod logs;
mod why;

use clap::{Args, Subcommand};
use serde_json::json;
use tidemill_core::protocol::{MapIndex, RunNo};
use tidemill_core::state::TaskState;
use tidemill_scheduler::engine::{Around, Command, RunVersion, Select, Selected};

use crate::config::flags::OfCommand;
use crate::config::{Environment, Flags};
use crate::output::Output;
use crate::remote::{ChangeArgs, Changes, Remote, RunFull, TaskName, shown};
use crate::runs;

const CODES: &str = "Exit codes: 0 done, 1 it was refused because somebody changed it since, 2 wrong usage, \
    3 no scheduler or no database to reach, 4 whether it was done is open.\n\
    RUN is a run's name, its number, or `latest`; TASK is `load`, or `load[3]` for one instance of a mapped task.";

#[derive(Debug, Subcommand)]
pub(crate) enum TasksCommand {
    /// List the tasks of a run.
    #[command(after_help = "Example:\n  tasks list crm_daily latest --state failed")]
    List(ListArgs),
    /// Say why a task is not running: every gate before it, its limit, and who holds it.
    #[command(after_help = format!("Example:\n  tasks why crm_daily latest load\n\n{CODES}"))]
    Why(WhyArgs),
    /// Print the log of a task's last attempt, or of another one.
    #[command(after_help = format!("Examples:\n  tasks logs crm_daily latest load\n  tasks logs crm_daily latest load --follow\n  tasks logs crm_daily latest load --attempt 1 --level warn\n\n{CODES}"))]
    Logs(logs::LogsArgs),
    /// Run tasks again, and what is around them if that is wanted.
    #[command(after_help = format!("Example:\n  tasks clear crm_daily latest load --downstream --dry-run\n\n{CODES}"))]
    Clear(Box<ClearArgs>),
    /// Let tasks count as having ended: success, failed or skipped.
    #[command(after_help = format!("Example:\n  tasks mark crm_daily latest load --as success\n\n{CODES}"))]
    Mark(Box<MarkArgs>),
    /// Answer an approval.
    #[command(after_help = format!("Example:\n  tasks answer crm_daily latest sign_off approve\n\n{CODES}"))]
    Answer(AnswerArgs),
    /// End the attempt that is on; the task fails.
    #[command(after_help = format!("Example:\n  tasks cancel crm_daily latest load\n\n{CODES}"))]
    Cancel(CancelArgs),
    /// Wait no longer for a task's last attempt to be stopped: what it started outside may go on.
    #[command(
        long_about = FORGET,
        after_help = format!("Example:\n  tasks forget crm_daily latest load --note \"the job was deleted by hand\" --dry-run\n\n{CODES}")
    )]
    Forget(ForgetArgs),
}

const FORGET: &str = "Wait no longer for a task's last attempt to be stopped: what it started outside may go on.\n\n\
    A task whose attempt is given up does not start again before its worker has stopped that attempt and cancelled its \
    job, however often it takes. Where that fails for ever, because the job or the connection to it is gone, this ends \
    the wait by force: the worker drops the attempt, and the task goes on with a job of its own. Make sure first that the \
    job outside is over. `tasks why` says what stands in the way.";

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The DAG.
    dag: String,
    /// The run: its name, its number, or `latest`.
    run: String,
    /// Only tasks in this state. May be given again.
    #[arg(long)]
    state: Vec<TaskState>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The DAG.
    dag: String,
    /// The run: its name, its number, or `latest`.
    run: String,
    /// The task; without it why the run has not begun.
    task: Option<TaskName>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

/// Tasks of a run, and which around them.
#[derive(Debug, Args)]
struct Which {
    /// The DAG.
    dag: String,
    /// The run: its name, its number, or `latest`.
    run: String,
    /// The tasks.
    #[arg(required = true, value_name = "TASK")]
    tasks: Vec<TaskName>,
    /// And everything before them.
    #[arg(long)]
    upstream: bool,
    /// And everything after them.
    #[arg(long)]
    downstream: bool,
    /// And the same in earlier runs.
    #[arg(long)]
    past: bool,
    /// And the same in later runs.
    #[arg(long)]
    future: bool,
    /// Of all these only what failed, or could not run because something failed.
    #[arg(long)]
    only_failed: bool,
    /// Why, for people.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ClearArgs {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
pub(crate) struct MarkArgs {
    #[command(flatten)]
    which: Which,
    /// How they count as having ended: success, failed or skipped.
    #[arg(long = "as", value_name = "STATE")]
    state: TaskState,
}

#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// The DAG.
    dag: String,
    /// The run: its name, its number, or `latest`.
    run: String,
    /// The task.
    task: TaskName,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    #[command(flatten)]
    of: CancelArgs,
    /// The instance of a mapped task, the same as TASK[N].
    #[arg(long, value_name = "N")]
    index: Option<u16>,
    /// Why, for people: what became of the job outside.
    #[arg(long, value_name = "TEXT")]
    note: String,
}

#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    #[command(flatten)]
    of: CancelArgs,
    /// The answer.
    choice: String,
}

pub(crate) fn run(command: &TasksCommand, environment: &Environment) -> Output {
    let done = match command {
        TasksCommand::List(args) => list(args, environment),
        TasksCommand::Logs(args) => logs::logs(args, environment),
        TasksCommand::Why(args) => why::why(args, environment),
        TasksCommand::Clear(args) => clear(&args.which, environment),
        TasksCommand::Mark(args) => mark(args, environment),
        TasksCommand::Answer(args) => answer(args, environment),
        TasksCommand::Cancel(args) => cancel(args, environment),
        TasksCommand::Forget(args) => forget(args, environment),
    };
    done.unwrap_or_else(|wrong| wrong)
}

fn list(args: &ListArgs, environment: &Environment) -> Result<Output, Output> {
    let remote = Remote::open(&args.settings, environment)?;
    let run = remote.run(&args.dag, &args.run)?;
    let mut full = remote.run_full(run.id)?;
    if !args.state.is_empty() {
        full.tasks.retain(|task| args.state.contains(&task.state));
    }
    if args.json {
        let tasks = &runs::document(&full)["tasks"];
        return Ok(Output::data(format!("{tasks:#}\n")));
    }
    if full.tasks.is_empty() && !args.state.is_empty() {
        return Ok(Output::default().talk("no task is in this state"));
    }
    Ok(Output::data(runs::tasks(&full)))
}

impl Which {
    fn open(&self, environment: &Environment) -> Result<(Changes<'_>, RunNo), Output> {
        let mut changes = self.change.open(environment)?;
        let run = changes.remote.run(&self.dag, &self.run)?;
        changes.name(run.id, &run.name);
        Ok((changes, run.id))
    }

    fn select(&self, run: RunNo) -> Select {
        let named = self.tasks.iter();
        let named = named.map(|name| (name.task.clone(), name.index));
        Select {
            run,
            tasks: Selected::Tasks(named.collect::<Vec<(_, Option<MapIndex>)>>()),
        }
    }

    const fn around(&self) -> Around {
        Around {
            upstream: self.upstream,
            downstream: self.downstream,
            past: self.past,
            future: self.future,
            only_failed: self.only_failed,
        }
    }
}

fn clear(which: &Which, environment: &Environment) -> Result<Output, Output> {
    let (changes, run) = which.open(environment)?;
    let command = Command::Clear {
        select: which.select(run),
        around: which.around(),
        params: None,
        version: RunVersion::Keep,
        note: which.note.as_deref().map(Into::into),
    };
    changes.send(&format!("cleared tasks of {}", which.dag), command)
}

fn mark(args: &MarkArgs, environment: &Environment) -> Result<Output, Output> {
    let which = &args.which;
    let (changes, run) = which.open(environment)?;
    let command = Command::Mark {
        select: which.select(run),
        around: which.around(),
        state: args.state,
        note: which.note.as_deref().map(Into::into),
    };
    let done = format!("marked tasks of {} {}", which.dag, args.state);
    changes.send(&done, command)
}

fn found<'a>(
    args: &'a CancelArgs,
    name: &TaskName,
    environment: &Environment,
) -> Result<(Changes<'a>, RunFull, tidemill_store::record::TaskRow), Output> {
    let mut changes = args.change.open(environment)?;
    let run = changes.remote.run(&args.dag, &args.run)?;
    changes.name(run.id, &run.name);
    let full = changes.remote.run_full(run.id)?;
    let task = changes.remote.instance(&full, name)?;
    Ok((changes, full, task))
}

fn cancel(args: &CancelArgs, environment: &Environment) -> Result<Output, Output> {
    let (changes, _, task) = found(args, &args.task, environment)?;
    let command = Command::CancelAttempt { of: task.of };
    changes.send("cancelled the attempt", command)
}

fn forget(args: &ForgetArgs, environment: &Environment) -> Result<Output, Output> {
    let mut name = args.of.task.clone();
    if let Some(index) = args.index.map(MapIndex::from) {
        if name.index.is_some_and(|named| named != index) {
            let named = shown(&name.task, name.index.unwrap_or(index));
            let message = format_args!("`{named}` and `--index {index}` are two instances");
            return Err(Output::usage(message, "leave one of them out"));
        }
        name.index = Some(index);
    }
    let (changes, _, task) = found(&args.of, &name, environment)?;
    let command = Command::Forget {
        of: task.of,
        note: args.note.as_str().into(),
    };
    changes.send("ended the wait for the stop", command)
}

fn answer(args: &AnswerArgs, environment: &Environment) -> Result<Output, Output> {
    let (changes, _, task) = found(&args.of, &args.of.task, environment)?;
    let command = Command::Answer {
        of: task.of,
        choice: args.choice.as_str().into(),
    };
    changes.send(&format!("answered {}", json!(args.choice)), command)
}
