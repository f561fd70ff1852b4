//! Commands of the machine that the worker runs on.
//!
//! A command is a list of arguments: nothing parses it again, so a value with spaces, quotes or `;$(…)` in it stays one
//! argument. Where a shell is really wanted there is [`Shell::script`], whose text is fixed: placeholders stay as they
//! are in it, and values come in by environment variables.
//!
//! ```
//! use tidemill_core::prelude::*;
//! use tidemill_operators::Shell;
//!
//! let dag = Dag::build("dbt", |dag| {
//!     dag.schedule(Cron::daily_at("04:00")).start("2025-01-01");
//!     let build = dag.add("build", Shell::run(["dbt", "build", "--vars", r#"{{"day": "{ds}"}}"#]).cwd("/srv/dbt"));
//!     let count = Shell::script(r#"set -e; zcat "/data/$DAY".gz | wc -l"#).env("DAY", "{ds}");
//!     dag.add("count", count).after(&build);
//! });
//! ```
//!
//! # What the command sees
//!
//! Of the worker's environment only what [`BaseEnv`](tidemill_process::BaseEnv) lets through, which the worker provides
//! as a service; then `TIDEMILL_DAG_ID`, `_RUN_ID`, `_TASK_ID`, `_MAP_INDEX`, `_ATTEMPT`, `_DS`, `_INTERVAL_START`,
//! `_INTERVAL_END` and `_LAUNCH_KEY`; then what the author gave. Its working directory is the worker's unless
//! [`Shell::cwd`] says otherwise.
//!
//! # How it ends
//!
//! Each code that is neither in [`Shell::ok_codes`] nor [`Shell::skip_on`] is a failure that is tried again, as in
//! Airflow: a program's exit code does not say whether the failure may pass, and most that fail at night have lost a
//! connection. That there is no such program, or no such directory, is permanent.
//!
//! The command leads a process group. When the task is cancelled the group is sent SIGTERM, and SIGKILL five seconds
//! later; when it times out, SIGKILL at once. What the command leaves running in the background is ended with it. Only
//! a worker that is itself killed outright leaves the command running: if it must not be, isolate the task, then it ends
//! with the worker.

mod environment;
mod mask;
mod output;
mod running;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::operator::{Operator, Outcome, TaskContext, TaskResult};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use crate::python::PythonEnv;

pub(crate) use environment::facts;
pub use output::{OUTPUT_BYTES_MAX, ShellOutput};

/// The exit code that Airflow takes as "skip" unless told otherwise.
pub const SKIP_CODE: i32 = 99;

/// Runs a command. See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct Shell {
    command: Command,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, Text>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    secret_env: BTreeMap<String, SecretOf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cwd: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stdin: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    python: Option<PythonEnv>,
    ok_codes: Vec<i32>,
    skip_on: Option<i32>,
    output: ShellOutput,
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Command {
    /// A program and its arguments.
    Argv(Vec<Text>),
    /// A text that a shell reads.
    Script { shell: String, text: String },
}

/// A secret by its connection and field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretOf {
    connection: String,
    secret: String,
}

impl Shell {
    fn new(command: Command) -> Self {
        Self {
            command,
            env: BTreeMap::new(),
            secret_env: BTreeMap::new(),
            cwd: None,
            stdin: None,
            python: None,
            ok_codes: vec![0],
            skip_on: Some(SKIP_CODE),
            output: ShellOutput::default(),
        }
    }

    /// Runs a program with these arguments: `Shell::run(["dbt", "build", "--target", "{params.target}"])`. Placeholders
    /// are filled in, and no shell sees them.
    pub fn run<A: Into<Text>>(argv: impl IntoIterator<Item = A>) -> Self {
        Self::new(Command::Argv(argv.into_iter().map(Into::into).collect()))
    }

    /// Runs Python in an environment that is made for it: a script with its arguments, or `["-m", "module", …]`.
    pub fn python<A: Into<Text>>(env: PythonEnv, argv: impl IntoIterator<Item = A>) -> Self {
        // Unbuffered, so that the log has a line when it is printed.
        let words = ["python", "-u"].map(Into::into);
        let argv = words.into_iter().chain(argv.into_iter().map(Into::into));
        Self::new(Command::Argv(argv.collect())).python_env(env)
    }

    /// Programs of this Python environment are found first.
    pub fn python_env(mut self, env: PythonEnv) -> Self {
        self.python = Some(env);
        self
    }

    /// Runs a text in `sh`. Placeholders are **not** filled in: a value inside a script would be run as a part of it. Give
    /// values with [`env`](Self::env) and write `"$NAME"`.
    pub fn script(text: impl Into<String>) -> Self {
        Self::script_in("sh", text)
    }

    /// Runs a text in `bash`, which Airflow's `bash_command` is written for. Otherwise as [`script`](Self::script).
    pub fn bash(text: impl Into<String>) -> Self {
        Self::script_in("bash", text)
    }

    fn script_in(shell: &str, text: impl Into<String>) -> Self {
        Self::new(Command::Script {
            shell: shell.to_owned(),
            text: text.into(),
        })
    }

    /// Gives the command an environment variable, placeholders filled in.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Gives the command a connection's secret in an environment variable. It is fetched when the task runs, is stored
    /// nowhere, and stars stand for it in the log.
    pub fn secret_env(
        mut self,
        name: impl Into<String>,
        connection: impl Into<String>,
        secret: impl Into<String>,
    ) -> Self {
        let secret = SecretOf {
            connection: connection.into(),
            secret: secret.into(),
        };
        self.secret_env.insert(name.into(), secret);
        self
    }

    /// Runs it in this directory, which has to be there.
    pub fn cwd(mut self, directory: impl Into<Text>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// Writes this to its standard input, which is empty otherwise.
    pub fn stdin(mut self, text: impl Into<Text>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// The exit codes that mean success; 0 if nothing is said.
    pub fn ok_codes(mut self, codes: impl IntoIterator<Item = i32>) -> Self {
        self.ok_codes = codes.into_iter().collect();
        self
    }

    /// The exit code that means there was nothing to do; 99 if nothing is said, as in Airflow.
    pub fn skip_on(mut self, code: i32) -> Self {
        self.skip_on = Some(code);
        self
    }

    /// No exit code means that there was nothing to do.
    pub fn never_skip(mut self) -> Self {
        self.skip_on = None;
        self
    }

    /// What of its standard output it returns; the last line if nothing is said, as in Airflow.
    pub fn output(mut self, output: ShellOutput) -> Self {
        self.output = output;
        self
    }
}

impl Operator for Shell {
    const NAME: &'static str = "shell";
    type Output = Value;

    fn touches(&self) -> Touches {
        let mut names: Vec<&str> = self
            .secret_env
            .values()
            .map(|secret| secret.connection.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
            .into_iter()
            .fold(Touches::nothing(), Touches::connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<Value>> {
        running::run(self, ctx).await
    }
}
