//! dbt: one process for all that is selected, with every model and test in the log as it ends.
//!
//! ```
//! use tidemill_core::prelude::*;
//! use tidemill_operators::{Dbt, DbtProfile, PythonEnv};
//!
//! let dag = Dag::build("shop", |dag| {
//!     dag.schedule(Cron::daily_at("04:00")).start("2025-01-01");
//!     let dbt = Dbt::build("dbt/shop")
//!         .select("tag:daily")
//!         .var("day", "{ds}")
//!         .profile(DbtProfile::bigquery("google", "shop").location("EU"))
//!         .environment(PythonEnv::packages(["dbt-core==1.11.16", "dbt-bigquery==1.11.1"]));
//!     dag.add("models", dbt);
//! });
//! ```
//!
//! # How it ends
//!
//! A test that failed is an error of the [data](tidemill_core::operator::ErrorKind::Data): the same data fails again, so it is
//! not tried again. A model that failed is tried again, and with it only what failed or was left out because of it
//! (`dbt retry`), if the attempt runs where the last one ran; [`Dbt::always_whole`] does all again. A project that does
//! not parse, and a selection that selects nothing, which dbt takes for success, are permanent errors.
//!
//! # What it leaves
//!
//! dbt writes below `target/tidemill/` of the project, in a folder for each task of a run, which is removed once it has
//! succeeded. The profile has no secret in it: they are in the environment of the process, where dbt masks them.

mod events;
mod invocation;
mod profile;
mod report;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::operator::{Operator, Outcome, TaskContext, TaskResult};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use crate::python::PythonEnv;

pub use profile::DbtProfile;
pub use report::{DbtNode, DbtReport};

/// What dbt is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Task {
    Build,
    Run,
    Test,
    Seed,
    Snapshot,
    SourceFreshness,
}

impl Task {
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Build => &["build"],
            Self::Run => &["run"],
            Self::Test => &["test"],
            Self::Seed => &["seed"],
            Self::Snapshot => &["snapshot"],
            Self::SourceFreshness => &["source", "freshness"],
        }
    }
}

/// Runs dbt on a project. See the [module](self).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct Dbt {
    task: Task,
    project: Text,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    select: Vec<Text>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    exclude: Vec<Text>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    vars: BTreeMap<String, Text>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    json_vars: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    threads: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<DbtProfile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    environment: Option<PythonEnv>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    program: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    flags: Vec<Text>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    full_refresh: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    always_whole: bool,
}

impl Dbt {
    fn new(task: Task, project: impl Into<Text>) -> Self {
        Self {
            task,
            project: project.into(),
            select: Vec::new(),
            exclude: Vec::new(),
            vars: BTreeMap::new(),
            json_vars: BTreeMap::new(),
            target: None,
            threads: None,
            profile: None,
            environment: None,
            program: None,
            flags: Vec::new(),
            full_refresh: false,
            always_whole: false,
        }
    }

    /// Seeds, models, snapshots and tests of the project in this folder, in the order of what needs what.
    pub fn build(project: impl Into<Text>) -> Self {
        Self::new(Task::Build, project)
    }

    /// Models.
    pub fn run_models(project: impl Into<Text>) -> Self {
        Self::new(Task::Run, project)
    }

    /// Tests.
    pub fn test(project: impl Into<Text>) -> Self {
        Self::new(Task::Test, project)
    }

    /// Seeds.
    pub fn seed(project: impl Into<Text>) -> Self {
        Self::new(Task::Seed, project)
    }

    /// Snapshots.
    pub fn snapshot(project: impl Into<Text>) -> Self {
        Self::new(Task::Snapshot, project)
    }

    /// How fresh the sources are. One that is too old is an error of the data.
    pub fn source_freshness(project: impl Into<Text>) -> Self {
        Self::new(Task::SourceFreshness, project)
    }

    /// Only what this selects, in dbt's words: `tag:daily`, `+orders`, `path:models/mart`. Several are added up.
    pub fn select(mut self, selector: impl Into<Text>) -> Self {
        self.select.push(selector.into());
        self
    }

    /// Not what this selects.
    pub fn exclude(mut self, selector: impl Into<Text>) -> Self {
        self.exclude.push(selector.into());
        self
    }

    /// A variable of the project, as text, placeholders filled in.
    pub fn var(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    /// A variable of the project that is a number, a list, true or false.
    pub fn var_json(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.json_vars.insert(name.into(), value.into());
        self
    }

    /// The target of the profile.
    pub fn target(mut self, target: impl Into<Text>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// How many nodes are worked on at once.
    pub fn threads(mut self, threads: u16) -> Self {
        self.threads = Some(threads);
        self
    }

    /// A profile made out of a connection, in the place of `profiles.yml`.
    pub fn profile(mut self, profile: DbtProfile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Runs the dbt of this environment.
    pub fn environment(mut self, environment: PythonEnv) -> Self {
        self.environment = Some(environment);
        self
    }

    /// The program, if it is not `dbt` on the worker's PATH or in the environment.
    pub fn program(mut self, program: impl Into<String>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Further flags: `--empty`, `--event-time-start`, `{ds}`.
    pub fn flags<A: Into<Text>>(mut self, flags: impl IntoIterator<Item = A>) -> Self {
        self.flags.extend(flags.into_iter().map(Into::into));
        self
    }

    /// Makes incremental models and seeds anew.
    pub fn full_refresh(mut self) -> Self {
        self.full_refresh = true;
        self
    }

    /// Does all again after a failure, not only what failed.
    pub fn always_whole(mut self) -> Self {
        self.always_whole = true;
        self
    }
}

impl Operator for Dbt {
    const NAME: &'static str = "dbt";
    type Output = DbtReport;

    fn touches(&self) -> Touches {
        match &self.profile {
            Some(profile) => Touches::nothing().connection(profile.connection()),
            None => Touches::nothing(),
        }
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<DbtReport>> {
        invocation::run(self, ctx).await.map(Outcome::Done)
    }
}
