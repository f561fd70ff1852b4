//! Environments of Python that Tidemill makes and keeps.
//!
//! ```
//! use tidemill_core::prelude::*;
//! use tidemill_operators::{PythonEnv, Shell};
//!
//! let dag = Dag::build("scores", |dag| {
//!     dag.schedule(Cron::daily_at("04:00")).start("2025-01-01");
//!     let env = PythonEnv::packages(["pandas==3.0.1", "pyarrow==22.0.0"]);
//!     dag.add("score", Shell::python(env, ["jobs/score.py", "--day", "{ds}"]));
//! });
//! ```
//!
//! An environment is made when it is first needed on a worker, in a folder that is named by its packages, and is used by every
//! task after that. Tasks that need the same one at once make it once.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tidemill_core::operator::{Level, OrFail as _, TaskContext, TaskError, TaskResult};
use tidemill_process::{BaseEnv, Tail, exit_words};
use tokio::process::Command as Process;

use crate::command::{Ask, Heard, run_command};
use crate::remote::short_hash;

/// Written last: an environment without it was not finished.
const FINISHED: &str = "tidemill-finished";

/// An environment with these packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an environment does nothing until an operator is given it"]
pub struct PythonEnv {
    packages: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    python: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache: Option<String>,
}

/// An environment that is there.
#[derive(Debug)]
pub(crate) struct Ready {
    folder: PathBuf,
}

impl Ready {
    /// A program of it, such as `python` or `dbt`.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// What makes a program find it: the search path with its programs first.
    pub(crate) fn variables(&self, base: &BaseEnv) -> [(&'static str, OsString); 2] {
        let mut path = self.folder.join("bin").into_os_string();
        if let Some((_, others)) = base.iter().find(|(name, _)| *name == "PATH") {
            path.push(":");
            path.push(others);
        }
        [("PATH", path), ("VIRTUAL_ENV", self.folder.clone().into())]
    }
}

impl PythonEnv {
    /// Packages as `pip install` takes them. Pin each one (`pandas==3.0.1`): an environment is made on every worker, and
    /// what is not pinned is another version a week later.
    pub fn packages<P: Into<String>>(packages: impl IntoIterator<Item = P>) -> Self {
        Self {
            packages: packages.into_iter().map(Into::into).collect(),
            python: None,
            cache: None,
        }
    }

    /// The Python that it is made with; `python3` of the worker's PATH if nothing is said.
    pub fn python(mut self, program: impl Into<String>) -> Self {
        self.python = Some(program.into());
        self
    }

    /// The folder that environments are kept in; `.cache/tidemill/python` in the worker's HOME if nothing is said.
    pub fn cache(mut self, folder: impl Into<String>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    fn program(&self) -> &str {
        self.python.as_deref().unwrap_or("python3")
    }

    fn folder(&self, base: &BaseEnv) -> TaskResult<PathBuf> {
        let cache = match &self.cache {
            Some(folder) => PathBuf::from(folder),
            None => base
                .iter()
                .find(|(name, _)| *name == "HOME")
                .map(|(_, home)| Path::new(home).join(".cache/tidemill/python"))
                .or_permanent("find a folder for Python environments: the worker has no HOME; say one with `.cache(…)`")?,
        };
        // The name of the Python is part of it: packages are built for one version.
        let list = format!("{}\n{}", self.program(), self.packages.join("\n"));
        let name = short_hash(&list, 20);
        std::path::absolute(cache.join(name)).or_permanent("name the folder of the environment")
    }

    /// The environment, made if it is not there.
    pub(crate) async fn ready(&self, ctx: &TaskContext) -> TaskResult<Ready> {
        let base = ctx.service::<BaseEnv>().unwrap_or_default();
        let folder = self.folder(&base)?;
        let ready = Ready { folder };
        if ready.folder.join(FINISHED).exists() {
            return Ok(ready);
        }
        let held = hold(&ready.folder).await?;
        // Who held it before may have made it.
        if !ready.folder.join(FINISHED).exists() {
            self.make(&ready, &base, ctx).await?;
        }
        drop(held);
        Ok(ready)
    }

    async fn make(&self, ready: &Ready, base: &BaseEnv, ctx: &TaskContext) -> TaskResult<()> {
        let folder = &ready.folder;
        ctx.info(format!(
            "making a Python environment in {} with {}",
            folder.display(),
            self.packages.join(" ")
        ));
        // What an earlier attempt left when it was ended.
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).or_permanent("remove an unfinished environment");
            }
            _ => {}
        }
        let mut venv = process(self.program(), base);
        venv.args(["-m", "venv"]).arg(folder);
        let help = "install Python with its module `venv` on the worker (Debian: python3-venv)";
        run((self.program(), venv), "make the environment", help, ctx).await?;
        if self.packages.is_empty() {
            return finish(self, folder);
        }
        let python = ready.program("python");
        let mut pip = process(&python, base);
        pip.args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
            "--quiet",
        ])
        .args(&self.packages);
        let help = "look at the names and versions of the packages, and at the worker's way to its package index (`PIP_INDEX_URL` in pip.conf)";
        run(("pip", pip), "install the packages", help, ctx).await?;
        finish(self, folder)
    }
}

fn finish(env: &PythonEnv, folder: &Path) -> TaskResult<()> {
    fs::write(folder.join(FINISHED), env.packages.join("\n")).or_transient("finish the environment")
}

fn process(program: impl AsRef<std::ffi::OsStr>, base: &BaseEnv) -> Process {
    let mut process = Process::new(program);
    process.env_clear().envs(base.iter());
    process
}

async fn run(
    (program, process): (&str, Process),
    doing: &str,
    help: &str,
    ctx: &TaskContext,
) -> TaskResult<()> {
    let mut tail = Tail::default();
    let hear = |heard: Heard<'_>| {
        if let Heard::Out(line) | Heard::Err(line) = heard {
            tail.push(line);
            ctx.log(Level::Debug, line);
        }
    };
    let status = run_command((program, process), None, Ask::Terminate, hear, ctx).await?;
    if status.success() {
        return Ok(());
    }
    let words = format!("{doing}: {program} {}", exit_words(status));
    Err(TaskError::transient(tail.below(&words)).help(help))
}

/// Waits until no other process makes the environment.
async fn hold(folder: &Path) -> TaskResult<File> {
    let path = folder.with_extension("lock");
    let opened = tokio::task::spawn_blocking(move || {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)?;
        file.lock()?;
        Ok::<_, io::Error>(file)
    });
    opened
        .await
        .or_transient("wait for the environment")?
        .or_permanent("open the folder of Python environments; say another with `.cache(…)`")
}
