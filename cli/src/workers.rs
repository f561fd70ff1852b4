//! `workers`: who runs tasks, and what waits for somebody who would. `assets`: what changed outside.

use clap::{Args, Subcommand};
use serde_json::json;
use tidemill_scheduler::engine::{Command, WorkerView};

use crate::config::flags::OfCommand;
use crate::config::{Environment, Flags};
use crate::output::{Output, UNREACHABLE};
use crate::remote::{ChangeArgs, Remote};
use crate::table::table;

#[derive(Debug, Subcommand)]
pub(crate) enum WorkersCommand {
    /// List the workers that are there, and what waits for one that is not.
    #[command(after_help = "Example:\n  workers list")]
    List(ListArgs),
    /// A worker takes nothing new. What it runs goes on; what it only watches is handed to others.
    #[command(after_help = "Example:\n  workers drain worker-3")]
    Drain(DrainArgs),
    /// It takes orders again.
    #[command(after_help = "Example:\n  workers undrain worker-3")]
    Undrain(DrainArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DrainArgs {
    /// The worker.
    worker: String,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AssetsCommand {
    /// Say that an asset was changed by something that Tidemill does not run: DAGs that wait for it may begin.
    #[command(after_help = "Example:\n  assets changed gs://shop/orders")]
    Changed(ChangedArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ChangedArgs {
    /// The asset.
    uri: String,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(crate) fn run(command: &WorkersCommand, environment: &Environment) -> Output {
    let done = match command {
        WorkersCommand::List(args) => list(args, environment),
        WorkersCommand::Drain(args) => drain(args, true, environment),
        WorkersCommand::Undrain(args) => drain(args, false, environment),
    };
    done.unwrap_or_else(|wrong| wrong)
}

fn drain(args: &DrainArgs, drain: bool, environment: &Environment) -> Result<Output, Output> {
    let changes = args.change.open(environment)?;
    let word = if drain { "drained" } else { "undrained" };
    let worker = args.worker.as_str().into();
    changes.send(
        &format!("{word} worker {}", args.worker),
        Command::Drain { worker, drain },
    )
}

pub(crate) fn assets(command: &AssetsCommand, environment: &Environment) -> Output {
    let AssetsCommand::Changed(args) = command;
    changed(args, environment).unwrap_or_else(|wrong| wrong)
}

fn changed(args: &ChangedArgs, environment: &Environment) -> Result<Output, Output> {
    let changes = args.change.open(environment)?;
    let asset = args.uri.as_str().into();
    changes.send(
        &format!("noted that {} changed", args.uri),
        Command::AssetChanged { asset },
    )
}

/// As they are set: `team=crm,zone=europe-west3`.
fn labels(worker: &WorkerView) -> String {
    let pairs = worker.labels.iter();
    let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

fn list(args: &ListArgs, environment: &Environment) -> Result<Output, Output> {
    let remote = Remote::open(&args.settings, environment)?;
    let fleet = remote.fleet()?;
    let fleet = fleet.ok_or_else(|| {
        Output::failed(
            "the scheduler does not say which workers there are",
            UNREACHABLE,
        )
    })?;
    if args.json {
        return Ok(Output::data(format!("{:#}\n", json!(fleet))));
    }
    let rows: Vec<Vec<String>> = fleet
        .workers
        .iter()
        .map(|worker| {
            vec![
                worker.name.to_string(),
                if worker.draining { "draining" } else { "up" }.to_owned(),
                format!("{} of {}", worker.used, worker.slots),
                worker.holds.to_string(),
                worker.queues.join(", "),
                labels(worker),
                worker.versions.to_string(),
                worker.build.to_string(),
            ]
        })
        .collect();
    let head = [
        "WORKER",
        "STATE",
        "SLOTS USED",
        "HOLDS",
        "QUEUES",
        "LABELS",
        "DAGS",
        "BUILD",
    ];
    let mut out = table(&head, &rows);
    for waiting in &fleet.waiting {
        out.push_str(&format!(
            "{} of {} {} wait in queue {}; {} could take them\n",
            crate::output::count(waiting.tasks, "task"),
            waiting.dag,
            waiting.version.short(),
            waiting.queue,
            crate::output::count(waiting.workers, "worker"),
        ));
    }
    Ok(Output::data(out))
}
