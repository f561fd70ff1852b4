//! A run of tasks that are no job.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_core::operator::{LaunchKey, Poll, RemoteJob, TaskContext, TaskResult};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::run::{self, Run};
use super::{DatabricksRan, DatabricksTask, Launched, Workspace, workspace_settings};
use crate::http::Client;
use crate::remote::{Body, Stamp};

/// Pages of runs that are looked through.
const PAGES_MAX: u32 = 40;
const PAGE: u32 = 25;

/// Runs tasks once, and waits until they have ended. The key of the launch is the run's token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct DatabricksSubmitRun {
    at: Workspace,
    tasks: Vec<DatabricksTask>,
    run: Body,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    runs: Vec<Run>,
    #[serde(default)]
    next_page_token: Option<String>,
}

impl DatabricksSubmitRun {
    /// Of this task: `DatabricksSubmitRun::of(DatabricksTask::notebook("/Shared/load"))`.
    pub fn of(task: DatabricksTask) -> Self {
        Self {
            at: Workspace::default(),
            tasks: vec![task],
            run: Body::default(),
        }
    }

    /// With another task.
    pub fn and(mut self, task: DatabricksTask) -> Self {
        self.tasks.push(task);
        self
    }

    workspace_settings!();

    /// Its name; the DAG's and the task's if nothing is said. The key is put behind it.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.run.text("run_name", name);
        self
    }

    /// Databricks ends it after so long.
    pub fn timeout(mut self, span: std::time::Duration) -> Self {
        self.run.put("timeout_seconds", span.as_secs());
        self
    }

    /// An environment for tasks without a cluster: `.environment("shop", json!({"client": "2", "dependencies": ["pandas"]}))`.
    pub fn environment(mut self, key: impl Into<String>, spec: Value) -> Self {
        let environment = json!({ "environment_key": key.into(), "spec": spec });
        self.run.push("environments", environment);
        self
    }

    /// Whatever else the API's run has, such as `git_source` or `access_control_list`.
    pub fn with(mut self, fields: Value) -> Self {
        self.run.merge(fields);
        self
    }

    /// What is sent, and what it bears: the key and a print of the request are behind its name.
    fn request(&self, ctx: &TaskContext, key: &LaunchKey) -> (Value, Stamp) {
        let mut body = self.run.value().clone();
        body["tasks"] = self
            .tasks
            .iter()
            .map(DatabricksTask::body)
            .cloned()
            .collect();
        let stamp = Stamp::of(ctx, key, &body);
        let facts = ctx.facts();
        let name = match body["run_name"].as_str() {
            Some(name) => name.to_owned(),
            None => format!("{}.{}", facts.dag_id, facts.task_id),
        };
        body["run_name"] = json!(format!("{name} [{} {}]", stamp.key, stamp.print));
        body["idempotency_token"] = json!(key);
        (body, stamp)
    }

    /// The run of ours among those that are active.
    async fn active(&self, client: &Client, stamp: &Stamp) -> TaskResult<Option<Run>> {
        let mut token: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page: Page = client
                .get("/api/2.2/jobs/runs/list", &[])
                .query("active_only", true)
                .query("run_type", "SUBMIT_RUN")
                .query("limit", PAGE)
                .maybe("page_token", token.as_deref())
                .doing("look for the run among those of Databricks that are active")
                .send_json()
                .await?;
            let key = format!("[{} ", stamp.key);
            let found = page
                .runs
                .into_iter()
                .find(|run| run.run_name.contains(&key));
            if found.is_some() {
                return Ok(found);
            }
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        Ok(None)
    }
}

/// Whether a run is the one that this request made.
fn check(run: &Run, stamp: &Stamp) -> TaskResult<()> {
    let what = format!("Databricks run {}", run.run_id);
    let (_, print) = run.run_name.rsplit_once(' ').unwrap_or_default();
    stamp.same(&what, print.strip_suffix(']'))
}

impl RemoteJob for DatabricksSubmitRun {
    const NAME: &'static str = "databricks_submit_run";
    type Handle = Launched;
    type Output = DatabricksRan;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.at.connection)
    }

    /// Among the active runs only: one that has ended is found by its token.
    async fn look_for(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<Option<Launched>> {
        let client = self.at.open(ctx).await?;
        let (_, stamp) = self.request(ctx, key);
        let Some(run) = self.active(&client, &stamp).await? else {
            return Ok(None);
        };
        check(&run, &stamp)?;
        Ok(Some(Launched { run_id: run.run_id }))
    }

    async fn submit(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<Launched> {
        let client = self.at.open(ctx).await?;
        let (body, stamp) = self.request(ctx, key);
        let reply: Value = client
            .post("/api/2.2/jobs/runs/submit", &[])
            .json(&body)
            .repeatable()
            .doing(format!("submit a run to Databricks as {key}"))
            .send_json()
            .await?;
        let run_id = run::launched(&reply)?;
        // The token gives a run that is there already, too, whatever it was made of.
        if let Some(run) = run::find(&client, run_id).await? {
            check(&run, &stamp)?;
            ctx.info(format!("Databricks run {run_id}: {}", run.run_page_url));
        }
        Ok(Launched { run_id })
    }

    async fn poll(&self, ctx: &TaskContext, at: &Launched) -> TaskResult<Poll<DatabricksRan>> {
        let client = self.at.open(ctx).await?;
        run::poll(ctx, &client, at.run_id, (self.at.every, 0)).await
    }

    async fn cancel(&self, ctx: &TaskContext, at: &Launched) -> TaskResult<()> {
        run::cancel(&self.at.open(ctx).await?, at.run_id).await
    }
}
