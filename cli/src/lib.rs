//! Tidemill: a workflow orchestrator for data platforms on Google Cloud and Databricks.
//!
//! This is the crate that users depend on. A project's `main` is one line:
//!
//! ```no_run
//! use tidemill::prelude::*;
//!
//! /// One line a page.
//! #[task]
//! async fn pull_tickets(ctx: &TaskContext, day: NaiveDate) -> TaskResult<Vec<String>> {
//!     ctx.info(format!("pulling {day}"));
//!     Ok(vec![format!("gs://crm/{day}/1.json")])
//! }
//!
//! fn crm_daily() -> Dag {
//!     Dag::build("crm_daily", |dag| {
//!         dag.schedule(Cron::daily_at("03:15").tz("Europe/Berlin")).start("2025-01-01");
//!         dag.call("pull_tickets", pull_tickets, interval::start_date());
//!     })
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     tidemill::main(Dags::new().dag(crm_daily))
//! }
//! ```
//!
//! Its binary then lists, draws, validates and compares the DAGs: `my_dags dags validate`.

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

mod args;
mod audit;
mod backfills;
mod bench;
mod checks;
mod clock;
mod config;
mod connections;
mod cron;
mod dags;
mod db;
mod deployed;
mod doctor;
mod door;
mod google_secrets;
mod kept_logs;
mod keys;
mod loads;
mod output;
mod plan;
mod pools;
mod remote;
mod report;
mod runs;
mod sandbox;
mod scaffold;
mod serve;
mod table;
mod tasks;
mod test_run;
pub mod testing;
mod tls;
mod tokens;
mod users;
mod variables;
mod workers;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use tidemill_core::author::Dags;

pub use tidemill_core::{
    author, check, diff, graph, id, operator, params, problem, snapshot, span, spec, state, text,
    timetable, version,
};

/// What tasks can do on other systems.
pub use tidemill_operators as operators;

/// What authors need: `use tidemill::prelude::*`.
pub mod prelude {
    pub use tidemill_core::prelude::*;
    pub use tidemill_macros::{Choice, params, task};
    pub use tidemill_operators::{
        BigQueryCheck, BigQueryCopy, BigQueryExtract, BigQueryLoad, BigQueryQuery,
        BigQueryTableSensor, DatabricksCluster, DatabricksPipeline, DatabricksRan, DatabricksRows,
        DatabricksRunNow, DatabricksStatement, DatabricksSubmitRun, DatabricksTask,
        DatabricksUpdated, DataflowJob, DataflowRan, DataflowStop, DataprocBatch, DataprocCluster,
        DataprocDeleteCluster, DataprocJob, DataprocRan, DataprocReady, Dbt, DbtProfile,
        GcsCompose, GcsCopy, GcsDelete, GcsDownload, GcsFile, GcsList, GcsManifest, GcsObject,
        GcsObjectSensor, GcsPrefixSensor, GcsRemoved, GcsUpload, GcsUri, IfNone, LoadToBigQuery,
        Partitioning, PythonEnv, Shell, ShellOutput, UploadComplete,
    };
}

/// What the code that macros write refers to. Not for people.
#[doc(hidden)]
pub use tidemill_core::__private;

use args::{Arguments, Command, ConfigCommand, DagsCommand};
pub use config::Environment;
pub use output::Output;
use output::Style;

/// The `main` of a project's binary: reads the command line and does what it says.
#[must_use]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the last line of a project's `main` reads better without a `&`"
)]
pub fn main(dags: Dags) -> ExitCode {
    let environment = Environment::of_process();
    if serve::attempt::is_asked_for(std::env::args_os()) {
        return serve::attempt::run(&dags, std::env::args_os(), &environment);
    }
    run_in(&dags, std::env::args_os(), &environment).emit()
}

/// What a command line makes of some DAGs: everything it prints, and its exit code. No variable of the process's
/// environment is read.
pub fn run(dags: &Dags, command_line: impl IntoIterator<Item = OsString>) -> Output {
    run_in(dags, command_line, &Environment::default())
}

/// The same in an environment.
pub fn run_in(
    dags: &Dags,
    command_line: impl IntoIterator<Item = OsString>,
    environment: &Environment,
) -> Output {
    let line: Vec<OsString> = command_line.into_iter().collect();
    let program = line
        .first()
        .map(Path::new)
        .and_then(Path::file_name)
        .and_then(OsStr::to_str)
        .unwrap_or("tidemill")
        .to_owned();
    let arguments = match Arguments::try_parse_from(line) {
        Ok(arguments) => arguments,
        Err(error) => return Output::from_usage(&error),
    };
    let style = Style::new(arguments.color);
    match arguments.command {
        Command::Dags { command } => match command {
            DagsCommand::List(args) => dags::list(dags, &args, style),
            DagsCommand::Show(args) => dags::show(dags, &args, style),
            DagsCommand::Graph(args) => dags::graph(dags, &args),
            DagsCommand::Validate(args) => report::validate(dags, &args, style),
            DagsCommand::Snapshot(args) => plan::snapshot(dags, &args),
            DagsCommand::Plan(args) => plan::plan(dags, &args, style),
            DagsCommand::Test(args) => test_run::run(&args, dags, environment),
            DagsCommand::Deploy(args) => deployed::deploy(&args, dags, environment),
            DagsCommand::Pause(args) => deployed::pause(&args, true, environment),
            DagsCommand::Unpause(args) => deployed::pause(&args, false, environment),
            DagsCommand::Remove(args) => deployed::remove(&args, environment),
        },
        Command::Runs { command } => runs::run(&command, environment),
        Command::Tasks { command } => tasks::run(&command, environment),
        Command::Backfill { command } => backfills::run(&command, environment),
        Command::Loads { command } => loads::run(&command, environment),
        Command::Checks { command } => checks::run(&command, environment),
        Command::Pools { command } => pools::run(&command, environment),
        Command::Workers { command } => workers::run(&command, environment),
        Command::Assets { command } => workers::assets(&command, environment),
        Command::Bench { command } => bench::run(&command, environment),
        Command::Sandbox(args) => match &args.command {
            Some(command) => sandbox::run(command, environment),
            None => serve::sandbox(&args, environment),
        },
        Command::Standalone(args) => serve::standalone(&args, dags, environment),
        Command::Scheduler(args) => serve::scheduler(&args, environment),
        Command::Worker(args) => serve::worker(&args, dags, environment),
        Command::Web(args) => serve::web(&args, environment),
        Command::Cron { command } => cron::run(&command),
        Command::Config { command } => match command {
            ConfigCommand::Show(args) => config::show(&args, environment),
            ConfigCommand::Guide => Output::data(config::guide()),
            ConfigCommand::NewKey => keys::print_new(),
        },
        Command::Connections { command } => connections::run(&command, environment),
        Command::Variables { command } => variables::run(&command, environment),
        Command::Users { command } => users::run(&command, environment),
        Command::Tokens { command } => tokens::run(&command, environment),
        Command::Keys { command } => variables::run_keys(&command, environment),
        Command::Audit { command } => audit::run(&command, environment),
        Command::Db { command } => db::run(&command, environment),
        Command::Doctor(args) => doctor::run(&args, environment, style),
        Command::New(args) => scaffold::new(&args),
        Command::Completions { shell } => args::completions(shell, &program),
    }
}
