//! The command line.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::audit::AuditCommand;
use crate::backfills::BackfillCommand;
use crate::bench::BenchCommand;
use crate::checks::ChecksCommand;
use crate::config;
use crate::connections::ConnectionsCommand;
use crate::db::DbCommand;
use crate::deployed;
use crate::doctor::DoctorArgs;
use crate::loads::LoadsCommand;
use crate::output::{Color, Output};
use crate::pools::PoolsCommand;
use crate::runs::RunsCommand;
use crate::serve::{SandboxArgs, SchedulerArgs, StandaloneArgs, WebArgs, WorkerArgs};
use crate::tasks::TasksCommand;
use crate::test_run;
use crate::tokens::TokensCommand;
use crate::users::UsersCommand;
use crate::variables::{KeysCommand, VariablesCommand};
use crate::workers::{AssetsCommand, WorkersCommand};

/// Workflows for data platforms: DAGs in Rust, checked in CI, run exactly once.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List, show, draw, validate, compare, try out, deploy and pause DAGs.
    Dags {
        #[command(subcommand)]
        command: DagsCommand,
    },
    /// Run everything in one process: scheduler, worker, a SQLite file in the data folder.
    #[command(
        after_help = "Examples:\n  standalone\n  standalone --sandbox\n  standalone --listen 0.0.0.0:8790 --data-dir /var/lib/tidemill"
    )]
    Standalone(StandaloneArgs),
    /// Run a scheduler. Of several on one PostgreSQL, one leads and the others stand by.
    #[command(
        after_help = "Example:\n  scheduler --database postgres://tidemill@db/tidemill --listen 0.0.0.0:8790"
    )]
    Scheduler(SchedulerArgs),
    /// Run a worker: it takes the tasks of this binary's DAGs from whichever scheduler leads.
    #[command(
        after_help = "Example:\n  worker --server http://scheduler-0:8790 --server http://scheduler-1:8790 --token-file token"
    )]
    Worker(WorkerArgs),
    /// Run the web UI: any number of them, beside any number of schedulers.
    #[command(
        after_help = "Example:\n  web --database postgres://tidemill@db/tidemill --server http://scheduler-0:8790 --token-file token"
    )]
    Web(WebArgs),
    /// Run the sandbox: Google Cloud and Databricks on this machine, with faults on demand. Or ask one that runs.
    #[command(
        after_help = "Examples:\n  sandbox\n  sandbox --sandbox-listen 127.0.0.1:9000 --sandbox-dir /tmp/cloud\n  sandbox faults add storage status --status 503 --count 2\n  sandbox journal --effects --follow"
    )]
    Sandbox(SandboxArgs),
    /// Look at runs, make them, change them.
    Runs {
        #[command(subcommand)]
        command: RunsCommand,
    },
    /// Look at the tasks of a run, and change them.
    Tasks {
        #[command(subcommand)]
        command: TasksCommand,
    },
    /// Make runs for the past.
    Backfill {
        #[command(subcommand)]
        command: BackfillCommand,
    },
    /// Look at what was loaded where: the monitoring table.
    Loads {
        #[command(subcommand)]
        command: LoadsCommand,
    },
    /// Look at what came of checks of data.
    Checks {
        #[command(subcommand)]
        command: ChecksCommand,
    },
    /// Look at pools, and set how much runs at once.
    Pools {
        #[command(subcommand)]
        command: PoolsCommand,
    },
    /// Look at the workers.
    Workers {
        #[command(subcommand)]
        command: WorkersCommand,
    },
    /// Say what changed outside.
    Assets {
        #[command(subcommand)]
        command: AssetsCommand,
    },
    /// Measure what Tidemill costs on this machine.
    #[command(
        after_help = "Examples:\n  bench chain --workers 2 --database postgres://localhost/tidemill\n  bench runs --runs 5000 --json"
    )]
    Bench {
        #[command(subcommand)]
        command: BenchCommand,
    },
    /// Try cron expressions out.
    Cron {
        #[command(subcommand)]
        command: CronCommand,
    },
    /// Show settings and where they came from.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Make, look at, change and remove connections to other systems.
    Connections {
        #[command(subcommand)]
        command: ConnectionsCommand,
    },
    /// Make, look at, change and remove variables.
    Variables {
        #[command(subcommand)]
        command: VariablesCommand,
    },
    /// Change the keys that connections and variables are sealed with.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Say who may come in, and what they may do.
    Users {
        #[command(subcommand)]
        command: UsersCommand,
    },
    /// Make, list and revoke what programs come in with.
    Tokens {
        #[command(subcommand)]
        command: TokensCommand,
    },
    /// Check that nobody changed the audit log.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Make, look at, check and clean the database.
    Db {
        #[command(subcommand)]
        command: DbCommand,
    },
    /// Look at settings, database, keys, disk and network: exit code 1 if something is wrong, 3 if something does not answer.
    #[command(after_help = "Examples:\n  doctor\n  doctor --json | jq .findings")]
    Doctor(Box<DoctorArgs>),
    /// Start a project of your own: one DAG, its test, a CI file.
    #[command(
        after_help = "Example:\n  new shop_dags\n  cd shop_dags && cargo test && cargo run -- dags validate"
    )]
    New(NewArgs),
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  completions bash > /etc/bash_completion.d/my_dags")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DagsCommand {
    /// List the DAGs of this binary.
    #[command(after_help = "Examples:\n  dags list\n  dags list --tag crm --json")]
    List(ListArgs),
    /// Show one DAG: schedule, settings, tasks.
    #[command(
        after_help = "Examples:\n  dags show crm_daily\n  dags show crm_daily --json | jq .definition.tasks"
    )]
    Show(ShowArgs),
    /// Draw one DAG.
    #[command(
        after_help = "Examples:\n  dags graph crm_daily\n  dags graph crm_daily --format svg --output crm.svg"
    )]
    Graph(GraphArgs),
    /// Check every DAG: exit code 0 if all are valid, 1 if one is not, 2 if the command line is wrong.
    #[command(
        after_help = "Examples:\n  dags validate\n  dags validate --format github\n  dags validate --format junit --output report.xml"
    )]
    Validate(ValidateArgs),
    /// Print all DAGs as one file, to compare a pull request against.
    #[command(after_help = "Example:\n  dags snapshot --output dags.snapshot.json")]
    Snapshot(SnapshotArgs),
    /// Compare the DAGs with a snapshot: what changed, which tables are touched, what would have to run again.
    #[command(
        after_help = "Examples:\n  dags plan --against dags.snapshot.json\n  dags plan --against main.json --format markdown > comment.md"
    )]
    Plan(PlanArgs),
    /// Run one DAG once in this process, with its progress, and nothing left behind: exit code 0 if the run succeeds.
    #[command(after_help = test_run::HELP)]
    Test(test_run::TestArgs),
    /// Bring the DAGs of this binary to a running Tidemill: new runs take them.
    #[command(
        after_help = "Examples:\n  dags deploy --dry-run\n  dags deploy --server http://scheduler:8790"
    )]
    Deploy(deployed::DeployArgs),
    /// A DAG makes no new runs, and none of its tasks starts.
    #[command(after_help = "Example:\n  dags pause crm_daily")]
    Pause(deployed::NamedArgs),
    /// A paused DAG goes on.
    #[command(after_help = "Example:\n  dags unpause crm_daily")]
    Unpause(deployed::NamedArgs),
    /// A DAG makes no new runs any more; its history stays.
    #[command(after_help = "Example:\n  dags remove crm_daily --dry-run")]
    Remove(deployed::NamedArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only DAGs with this tag.
    #[arg(long)]
    pub(crate) tag: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The DAG.
    pub(crate) dag: String,
    /// Print JSON: all that the scheduler knows about it.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// A drawing for the terminal.
    Text,
    /// A picture.
    Svg,
    /// Mermaid, as GitHub and GitLab draw it in Markdown.
    Mermaid,
    /// Graphviz.
    Dot,
}

#[derive(Debug, Args)]
pub(crate) struct GraphArgs {
    /// The DAG.
    pub(crate) dag: String,
    /// How to draw it.
    #[arg(long, short, value_enum, default_value = "text")]
    pub(crate) format: GraphFormat,
    /// Into this file instead of stdout.
    #[arg(long, short)]
    pub(crate) output: Option<PathBuf>,
    /// How wide a drawing for the terminal may be.
    #[arg(long, default_value_t = 100, value_name = "COLUMNS")]
    pub(crate) width: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For CI systems that read test reports.
    Junit,
    /// For code scanning: SARIF 2.1.0.
    Sarif,
    /// Annotations on the lines of a GitHub pull request.
    Github,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// How to report.
    #[arg(long, short, value_enum, default_value = "text")]
    pub(crate) format: ReportFormat,
    /// Into this file instead of stdout.
    #[arg(long, short)]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SnapshotArgs {
    /// Into this file instead of stdout.
    #[arg(long, short)]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// For the terminal.
    Text,
    /// For a comment on a pull request.
    Markdown,
    /// For programs.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The snapshot to compare with, made by `dags snapshot`.
    #[arg(long, value_name = "FILE")]
    pub(crate) against: PathBuf,
    /// How to report.
    #[arg(long, short, value_enum, default_value = "text")]
    pub(crate) format: PlanFormat,
    /// End with exit code 1 when something changed.
    #[arg(long)]
    pub(crate) exit_code: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CronCommand {
    /// Print the next times at which an expression fires, one a line.
    #[command(
        after_help = "Examples:\n  cron next \"15 3 * * *\" --tz Europe/Berlin\n  cron next \"0 9 * * MON#1\" --after 2025-01-01T00:00:00Z --count 3"
    )]
    Next(CronNextArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CronNextArgs {
    /// Five fields, or a preset such as @daily.
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    pub(crate) expression: String,
    /// The time zone whose clocks it reads, and in which the times are printed.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) tz: String,
    /// Only times after this instant (2025-01-31T06:00:00Z, or a date); now if it is not given.
    #[arg(long, value_name = "INSTANT")]
    pub(crate) after: Option<String>,
    /// How many times to print.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) count: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every setting in force and where it came from; secrets are masked.
    #[command(after_help = "Examples:\n  config show\n  config show --lease 45s --json")]
    Show(Box<config::ShowArgs>),
    /// Print the page of the guide about settings, as Markdown.
    Guide,
    /// Print a new key for the setting `keys`: put it first, keep the others until everything is sealed again.
    NewKey,
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The name of the project, and of the folder that is made for it.
    pub(crate) name: String,
    /// Where the source of Tidemill is, if the project is to be built from it.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) tidemill: Option<PathBuf>,
}

/// The completions of a shell.
pub(crate) fn completions(shell: clap_complete::Shell, program: &str) -> Output {
    let mut command = Arguments::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, program, &mut script);
    Output::data(String::from_utf8_lossy(&script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
