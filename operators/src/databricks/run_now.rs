//! A run of a job that is kept in the workspace.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_core::operator::{
    LaunchKey, OrFail as _, Poll, RemoteJob, TaskContext, TaskError, TaskResult,
};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::{DatabricksRan, Launched, Workspace, run, workspace_settings};
use crate::http::Client;
use crate::remote::Body;

/// Runs a job of the workspace, and waits until the run has ended. The key of the launch is the run's token.
///
/// The token is all that a run bears. If a worker dies between Databricks' yes and its own report, the next attempt finds the run by
/// it; if the task is cancelled in that very moment, nobody can tell which run is ours, and it goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct DatabricksRunNow {
    at: Workspace,
    job: Job,
    run: Body,
    repairs: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Job {
    Id(Text),
    Name(Text),
}

#[derive(Deserialize)]
struct Jobs {
    #[serde(default)]
    jobs: Vec<Known>,
}

#[derive(Deserialize)]
struct Known {
    job_id: u64,
    #[serde(default)]
    settings: Settings,
}

#[derive(Default, Deserialize)]
struct Settings {
    #[serde(default)]
    name: String,
}

impl DatabricksRunNow {
    fn of(job: Job) -> Self {
        Self {
            at: Workspace::default(),
            job,
            run: Body::default(),
            repairs: 0,
        }
    }

    /// The job of this name: `DatabricksRunNow::named("report").param("day", "{ds}")`. Several of one name are an error.
    pub fn named(name: impl Into<Text>) -> Self {
        Self::of(Job::Name(name.into()))
    }

    /// The job of this number.
    pub fn job(id: impl Into<Text>) -> Self {
        Self::of(Job::Id(id.into()))
    }

    workspace_settings!();

    /// A parameter of the job.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.run.entry("job_parameters", name, value);
        self
    }

    /// A parameter of its notebooks, where the job has none of its own.
    pub fn notebook_param(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.run.entry("notebook_params", name, value);
        self
    }

    /// A named parameter of its Python wheels.
    pub fn python_param(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.run.entry("python_named_params", name, value);
        self
    }

    /// A parameter of its SQL.
    pub fn sql_param(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.run.entry("sql_params", name, value);
        self
    }

    /// An argument of its files of Python; called again, another.
    pub fn python_arg(mut self, arg: impl Into<Text>) -> Self {
        self.run.push_text("python_params", arg);
        self
    }

    /// An argument of its jars; called again, another.
    pub fn jar_arg(mut self, arg: impl Into<Text>) -> Self {
        self.run.push_text("jar_params", arg);
        self
    }

    /// A run that fails is repaired up to so many times: only what failed in it runs again, in the same run. The task's own
    /// retries come after that, each with a run of its own.
    pub const fn repairs(mut self, times: u32) -> Self {
        self.repairs = times;
        self
    }

    /// Whatever else the API's request has.
    pub fn with(mut self, fields: Value) -> Self {
        self.run.merge(fields);
        self
    }

    async fn job_id(&self, client: &Client) -> TaskResult<u64> {
        let name = match &self.job {
            Job::Id(id) => {
                return id.as_str().trim().parse().or_permanent(format_args!(
                    "read the number of the Databricks job, `{id}`"
                ));
            }
            Job::Name(name) => name.as_str(),
        };
        let found: Jobs = client
            .get("/api/2.2/jobs/list", &[])
            .query("name", name)
            .doing(format!("look for the Databricks job `{name}`"))
            .send_json()
            .await?;
        // The service does not tell upper from lower case.
        let mut ids = found
            .jobs
            .iter()
            .filter(|job| job.settings.name == name)
            .map(|job| job.job_id);
        match (ids.next(), ids.next()) {
            (Some(id), None) => Ok(id),
            (None, _) => Err(TaskError::permanent(format!(
                "there is no Databricks job `{name}`, or connection `{}` may not see it",
                self.at.connection
            ))
            .help("check the name and the workspace; give the principal the permission to manage runs of the job")),
            (Some(one), Some(two)) => Err(TaskError::permanent(format!(
                "there are several Databricks jobs `{name}`, such as {one} and {two}"
            ))
            .help("name it by its number: `DatabricksRunNow::job(\"…\")`")),
        }
    }
}

impl RemoteJob for DatabricksRunNow {
    const NAME: &'static str = "databricks_run_now";
    type Handle = Launched;
    type Output = DatabricksRan;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.at.connection)
    }

    /// Only the token finds it, with which it is asked for anyway.
    async fn look_for(&self, _: &TaskContext, _: &LaunchKey) -> TaskResult<Option<Launched>> {
        Ok(None)
    }

    async fn submit(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<Launched> {
        let client = self.at.open(ctx).await?;
        let job_id = self.job_id(&client).await?;
        let mut body = self.run.value().clone();
        body["job_id"] = json!(job_id);
        body["idempotency_token"] = json!(key);
        let reply: Value = client
            .post("/api/2.2/jobs/run-now", &[])
            .json(&body)
            .repeatable()
            .doing(format!("run the Databricks job {job_id} as {key}"))
            .send_json()
            .await?;
        let run_id = run::launched(&reply)?;
        if let Some(run) = run::find(&client, run_id).await? {
            if run.job_id != job_id {
                let other = run.job_id;
                return Err(TaskError::permanent(format!(
                    "Databricks run {run_id} bears this task's key, but is one of job {other}, not {job_id}"
                ))
                .help("clear the task to launch it under a new key"));
            }
            ctx.info(format!("Databricks run {run_id}: {}", run.run_page_url));
        }
        Ok(Launched { run_id })
    }

    async fn poll(&self, ctx: &TaskContext, at: &Launched) -> TaskResult<Poll<DatabricksRan>> {
        let client = self.at.open(ctx).await?;
        run::poll(ctx, &client, at.run_id, (self.at.every, self.repairs)).await
    }

    async fn cancel(&self, ctx: &TaskContext, at: &Launched) -> TaskResult<()> {
        run::cancel(&self.at.open(ctx).await?, at.run_id).await
    }
}
