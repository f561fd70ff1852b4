//! `bench`: what Tidemill costs on this machine, measured the way the figures in `docs/performance.md` were.

mod apart;
mod report;
mod rig;
mod scenes;
mod work;

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use tidemill_worker::Worker;
use tidemill_worker::isolate::child;

use crate::config::flags::OfWorker;
use crate::config::{Environment, Flags};
use crate::output::{INVALID, Output, USAGE};
use crate::serve;
use report::Figures;

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Tasks one after the other: what a hand-off costs.
    Chain {
        /// How many.
        #[arg(long, default_value_t = 40)]
        tasks: u32,
        #[command(flatten)]
        with: BenchArgs,
    },
    /// Many runs at once.
    Runs {
        /// How many runs.
        #[arg(long, default_value_t = 500)]
        runs: u32,
        /// How many tasks one after the other in each.
        #[arg(long, default_value_t = 10)]
        tasks: u32,
        #[command(flatten)]
        with: BenchArgs,
    },
    /// One task, many, one.
    Fanout {
        /// How many.
        #[arg(long, default_value_t = 5_000)]
        width: u32,
        #[command(flatten)]
        with: BenchArgs,
    },
    /// Many tasks that wait for something outside, and a chain beside them.
    Deferred {
        /// How many.
        #[arg(long, default_value_t = 100_000)]
        tasks: u32,
        /// How often each is looked at, in seconds.
        #[arg(long, default_value_t = 60)]
        every: u64,
        /// How long the chain beside them is watched, in seconds.
        #[arg(long, default_value_t = 90)]
        seconds: u64,
        #[command(flatten)]
        with: BenchArgs,
    },
    /// Many DAGs with a schedule, none of them due.
    Idle {
        /// How many.
        #[arg(long, default_value_t = 10_000)]
        dags: u32,
        #[command(flatten)]
        with: BenchArgs,
    },
    /// `standalone` in an empty folder: how long until it serves, and what it weighs.
    Startup {
        #[command(flatten)]
        with: BenchArgs,
    },
    /// Two schedulers and workers; the leader is killed.
    Failover {
        #[command(flatten)]
        with: BenchArgs,
    },
    /// A standalone of a bench; started by it.
    #[command(hide = true)]
    Standalone {
        /// What it holds.
        #[arg(long)]
        scene: String,
        #[command(flatten)]
        settings: serve::StandaloneArgs,
    },
    /// A worker of a bench; started by it.
    #[command(hide = true)]
    Worker(BenchWorkerArgs),
    /// One task of a bench; started by its worker.
    #[command(hide = true)]
    Attempt {
        /// What it holds.
        #[arg(long)]
        scene: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// `postgres://…` or `sqlite://…`; a SQLite file of its own if none. Its DAGs are named `bench_…`.
    #[arg(long)]
    database: Option<String>,
    /// How many worker processes; 0 for everything in one process.
    #[arg(long, default_value_t = 0)]
    workers: u32,
    /// How many attempts each worker runs at once.
    #[arg(long, default_value_t = 4_096)]
    slots: u32,
    /// Whether each task has a process of its own.
    #[arg(long, value_enum, default_value = "inline")]
    isolation: IsolationArg,
    /// How often it is measured; the median counts.
    #[arg(long, default_value_t = 5)]
    times: u32,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IsolationArg {
    /// Inside the worker.
    Inline,
    /// In a process of its own.
    Process,
}

#[derive(Debug, Args)]
pub(crate) struct BenchWorkerArgs {
    /// What it holds.
    #[arg(long)]
    scene: String,
    #[command(flatten)]
    settings: Flags<OfWorker>,
}

/// Measures.
pub(crate) fn run(command: &BenchCommand, environment: &Environment) -> Output {
    let (figures, with) = match command {
        BenchCommand::Chain { tasks, with } => (scenes::chain(with, *tasks), with),
        BenchCommand::Runs { runs, tasks, with } => (scenes::runs(with, *runs, *tasks), with),
        BenchCommand::Fanout { width, with } => (scenes::fanout(with, *width), with),
        BenchCommand::Deferred {
            tasks,
            every,
            seconds,
            with,
        } => {
            let (every, seconds) = (Duration::from_secs(*every), Duration::from_secs(*seconds));
            (scenes::deferred(with, *tasks, every, seconds), with)
        }
        BenchCommand::Idle { dags, with } => (scenes::idle(with, *dags), with),
        BenchCommand::Startup { with } => (apart::startup(with), with),
        BenchCommand::Failover { with } => (apart::failover(with), with),
        BenchCommand::Standalone { scene, settings } => {
            return match apart::standalone(scene) {
                Ok(scene) => serve::standalone(settings, &scene.dags(), environment),
                Err(output) => output,
            };
        }
        BenchCommand::Worker(args) => return worker(args, environment),
        BenchCommand::Attempt { scene } => return attempt(scene, environment),
    };
    match figures {
        Ok(figures) => Output::data(shown(&figures, with.json)),
        Err(output) => output,
    }
}

fn shown(figures: &Figures, json: bool) -> String {
    if json {
        figures.json()
    } else {
        figures.table()
    }
}

/// One task in a process of its own.
fn attempt(scene: &str, environment: &Environment) -> Output {
    let scene: work::Scene = match serde_json::from_str(scene) {
        Ok(scene) => scene,
        Err(error) => return Output::failed(error, USAGE),
    };
    let ended = child(|job| serve::attempt::inside(&scene.dags(), job, environment));
    if ended == std::process::ExitCode::SUCCESS {
        Output::default()
    } else {
        Output::failed("only a worker of a bench starts this", USAGE)
    }
}

/// A worker of a bench, which ends when the bench ends it.
fn worker(args: &BenchWorkerArgs, environment: &Environment) -> Output {
    let loaded = match args.settings.load(environment) {
        Ok(loaded) => loaded,
        Err(output) => return output,
    };
    let scene: work::Scene = match serde_json::from_str(&args.scene) {
        Ok(scene) => scene,
        Err(error) => return Output::failed(error, USAGE),
    };
    let started = || {
        let own = serve::runtime("tidemill-tasks")?;
        let remote = serve::remote(&loaded)?;
        let (_say, stop) = tokio::sync::watch::channel(false);
        let worker = Worker::start(
            serve::worker_config(&loaded.settings, rig::program(&scene)),
            serve::project(&scene.dags(), environment).holds,
            Arc::new(remote),
            own.handle().clone(),
            stop,
        );
        let ended = worker.and_then(Worker::join);
        ended.map_err(|error| Output::failed(error, INVALID))
    };
    started().err().unwrap_or_default()
}
