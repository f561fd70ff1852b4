//! Clusters: made by a setup, removed by its teardown.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_core::operator::{Operator, Outcome, TaskContext, TaskError, TaskResult};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::API;
use crate::remote::{Body, Place, Site, label, print, short_hash, site_settings};

const OWNER: &str = "tidemill-owner";
const PRINT: &str = "tidemill-request";

/// Makes a cluster, and waits until it takes jobs. One of this name that this run made is taken as it is, started if it was
/// stopped; one that somebody else made is an error. One that comes up broken is deleted, so that the next try makes it anew.
///
/// Add it with `.setup()`, and a [`DataprocDeleteCluster`] as its teardown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct DataprocCluster {
    at: Site,
    name: Text,
    cluster: Body,
    /// One that is there already is taken whoever made it.
    shared: bool,
}

/// A cluster that takes jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataprocReady {
    /// Its name.
    pub name: String,
    /// Its project.
    pub project: String,
    /// Its region.
    pub region: String,
    /// Its page in the console.
    pub url: String,
}

#[derive(Deserialize)]
struct Seen {
    #[serde(default)]
    labels: BTreeMap<String, String>,
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    state: String,
    #[serde(default)]
    detail: String,
}

/// Whose cluster it is: that of a run, whichever of its tasks made it.
fn owner(ctx: &TaskContext) -> String {
    let facts = ctx.facts();
    short_hash(&format!("{}\n{}", facts.dag_id, facts.run_id), 32)
}

fn wait<T>(every: Duration, why: String) -> Outcome<T> {
    Outcome::Deferred {
        handle: Value::Null,
        wait: every,
        why,
    }
}

/// A cluster in its place.
struct Cluster<'a> {
    place: &'a Place,
    name: &'a str,
}

impl Cluster<'_> {
    fn parts(&self) -> [&str; 3] {
        [&self.place.project, &self.place.region, self.name]
    }

    fn shown(&self) -> String {
        format!("cluster `{}` in region `{}`", self.name, self.place.region)
    }

    async fn find(&self) -> TaskResult<Option<Seen>> {
        self.place
            .client
            .get("/v1/projects/{}/regions/{}/clusters/{}", &self.parts())
            .doing(format!("look at {}", self.shown()))
            .needs("dataproc.clusters.get")
            .find_json()
            .await
    }

    async fn create(&self, body: &Value, request: &str) -> TaskResult<()> {
        let place = self.place;
        let mut body = body.clone();
        body["projectId"] = json!(place.project);
        place
            .client
            .post(
                "/v1/projects/{}/regions/{}/clusters",
                &[&place.project, &place.region],
            )
            .query("requestId", request)
            .json(&body)
            .repeatable()
            // It is there now: it is looked at next.
            .answers(&[409])
            .doing(format!("create {}", self.shown()))
            .names(format!("region `{}`", place.region))
            .needs("dataproc.clusters.create")
            .send()
            .await
            .map(drop)
    }

    async fn start(&self) -> TaskResult<()> {
        self.place
            .client
            .post(
                "/v1/projects/{}/regions/{}/clusters/{}:start",
                &self.parts(),
            )
            .json(&json!({}))
            .repeatable()
            // It is starting already.
            .answers(&[400, 409])
            .doing(format!("start {}", self.shown()))
            .needs("dataproc.clusters.start")
            .send()
            .await
            .map(drop)
    }

    async fn delete(&self) -> TaskResult<()> {
        self.place
            .client
            .delete("/v1/projects/{}/regions/{}/clusters/{}", &self.parts())
            // It is being deleted already, or is gone.
            .answers(&[400, 404, 409])
            .doing(format!("delete {}", self.shown()))
            .needs("dataproc.clusters.delete")
            .send()
            .await
            .map(drop)
    }

    fn url(&self) -> String {
        let [project, region, name] = self.parts();
        format!(
            "https://console.cloud.google.com/dataproc/clusters/{name}/monitoring?region={region}&project={project}"
        )
    }
}

impl DataprocCluster {
    /// A cluster of this name: `DataprocCluster::named("clean-{ds_nodash}").workers(4)`. Runs that overlap need names of their
    /// own.
    pub fn named(name: impl Into<Text>) -> Self {
        Self {
            at: Site::default(),
            name: name.into(),
            cluster: Body::default(),
            shared: false,
        }
    }

    site_settings!();

    /// So many workers; the service's own number if nothing is said. None: the master does everything.
    pub fn workers(mut self, count: u32) -> Self {
        if count == 0 {
            let single = "dataproc:dataproc.allow.zero.workers";
            self.cluster
                .entry("config/softwareConfig/properties", single, "true");
        }
        self.cluster.put("config/workerConfig/numInstances", count);
        self
    }

    /// The type of the workers' machines.
    pub fn worker_machine(mut self, machine: impl Into<Text>) -> Self {
        self.cluster
            .text("config/workerConfig/machineTypeUri", machine);
        self
    }

    /// So many workers that may be taken away at any time.
    pub fn spot_workers(mut self, count: u32) -> Self {
        self.cluster
            .put("config/secondaryWorkerConfig/numInstances", count);
        self.cluster
            .put("config/secondaryWorkerConfig/preemptibility", "SPOT");
        self
    }

    /// The type of the master's machine.
    pub fn master_machine(mut self, machine: impl Into<Text>) -> Self {
        self.cluster
            .text("config/masterConfig/machineTypeUri", machine);
        self
    }

    /// The version of the image, such as `2.2-debian12`.
    pub fn image(mut self, version: impl Into<Text>) -> Self {
        self.cluster
            .text("config/softwareConfig/imageVersion", version);
        self
    }

    /// A property, such as `spark:spark.executor.memory`.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.cluster
            .entry("config/softwareConfig/properties", name, value);
        self
    }

    /// The service account of its machines.
    pub fn service_account(mut self, email: impl Into<Text>) -> Self {
        self.cluster
            .text("config/gceClusterConfig/serviceAccount", email);
        self
    }

    /// The subnetwork that it is in.
    pub fn subnetwork(mut self, name: impl Into<Text>) -> Self {
        self.cluster
            .text("config/gceClusterConfig/subnetworkUri", name);
        self
    }

    /// It deletes itself when nothing has run on it for so long: what stays if no teardown comes to it.
    pub fn idle_delete(mut self, span: Duration) -> Self {
        let seconds = format!("{}s", span.as_secs());
        self.cluster
            .put("config/lifecycleConfig/idleDeleteTtl", seconds);
        self
    }

    /// A label of the cluster.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.cluster.entry("labels", name, value);
        self
    }

    /// Whatever else the API's `Cluster` has: `.with(json!({"config": {…}}))`.
    pub fn with(mut self, fields: Value) -> Self {
        self.cluster.merge(fields);
        self
    }

    /// A cluster of this name that is there already is taken, whoever made it and whatever it is like.
    pub const fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// What is sent, and the print of what the author asked for.
    fn request(&self, ctx: &TaskContext) -> (Value, String) {
        let mut body = self.cluster.value().clone();
        body["clusterName"] = json!(self.name.as_str());
        let print = print(&body);
        let facts = ctx.facts();
        for (name, value) in [
            (OWNER, owner(ctx)),
            (PRINT, print.clone()),
            ("tidemill-dag", label(&facts.dag_id)),
            ("tidemill-task", label(&facts.task_id)),
        ] {
            body["labels"][name] = json!(value);
        }
        (body, print)
    }

    fn check(&self, ctx: &TaskContext, cluster: &Cluster<'_>, seen: &Seen) -> TaskResult<()> {
        if self.shared {
            return Ok(());
        }
        if seen.labels.get(OWNER) != Some(&owner(ctx)) {
            return Err(TaskError::permanent(format!(
                "there is a {} already, and this run did not make it",
                cluster.shown()
            ))
            .help(
                "name the cluster after the run, such as `clean-{ds_nodash}`; or say `.shared()`",
            ));
        }
        if seen.labels.get(PRINT) != Some(&self.request(ctx).1) {
            return Err(TaskError::permanent(format!(
                "{} was made by this run, but otherwise than it is asked for now",
                cluster.shown()
            ))
            .help("delete the cluster, and clear the task"));
        }
        Ok(())
    }

    /// Does what the cluster's state asks for. Every step may be done again.
    async fn step(&self, ctx: &TaskContext) -> TaskResult<Outcome<DataprocReady>> {
        let place = self.at.open(ctx, &API).await?;
        let cluster = Cluster {
            place: &place,
            name: self.name.as_str(),
        };
        let shown = cluster.shown();
        let Some(seen) = cluster.find().await? else {
            let (body, _) = self.request(ctx);
            cluster.create(&body, ctx.launch_key().as_str()).await?;
            ctx.info(format!("{shown} is being made: {}", cluster.url()));
            return Ok(wait(self.at.every, format!("{shown} is being made")));
        };
        let state = seen.status.state.as_str();
        // One that goes is none any more: it need not be ours.
        if state != "DELETING" {
            self.check(ctx, &cluster, &seen)?;
        }
        match state {
            "RUNNING" | "UPDATING" => {
                return Ok(Outcome::Done(DataprocReady {
                    name: self.name.to_string(),
                    url: cluster.url(),
                    project: place.project.clone(),
                    region: place.region.clone(),
                }));
            }
            "STOPPED" => cluster.start().await?,
            "ERROR" | "ERROR_DUE_TO_UPDATE" => {
                let detail = &seen.status.detail;
                if !self.shared {
                    cluster.delete().await?;
                }
                let broken = TaskError::transient(format!("{shown} is broken: {detail}"));
                return Ok(Outcome::Failed(broken.help(
                    "it was deleted, and is made anew when the task is tried again",
                )));
            }
            _ => {}
        }
        ctx.progress(0.5, state);
        Ok(wait(self.at.every, format!("{shown} is {state}")))
    }
}

impl Operator for DataprocCluster {
    const NAME: &'static str = "dataproc_cluster";
    type Output = DataprocReady;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.at.connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<DataprocReady>> {
        self.step(ctx).await
    }

    async fn resume(&self, ctx: &TaskContext, _: Value) -> TaskResult<Outcome<DataprocReady>> {
        self.step(ctx).await
    }

    /// A cluster that nobody waits for any more is deleted, if this run made it.
    async fn cancel(&self, ctx: &TaskContext, _: Option<Value>) -> TaskResult<()> {
        let place = self.at.open(ctx, &API).await?;
        let cluster = Cluster {
            place: &place,
            name: self.name.as_str(),
        };
        match cluster.find().await? {
            Some(seen) if seen.labels.get(OWNER) == Some(&owner(ctx)) => cluster.delete().await,
            _ => Ok(()),
        }
    }
}

/// Deletes a cluster that this run made, and waits until it is gone. One that is not there is no error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct DataprocDeleteCluster {
    at: Site,
    name: Text,
    any: bool,
}

impl DataprocDeleteCluster {
    /// The cluster of this name.
    pub fn named(name: impl Into<Text>) -> Self {
        Self {
            at: Site::default(),
            name: name.into(),
            any: false,
        }
    }

    site_settings!();

    /// Whoever made it. Otherwise one that this run did not make is left alone, with a warning.
    pub const fn of_anybody(mut self) -> Self {
        self.any = true;
        self
    }

    async fn step(&self, ctx: &TaskContext) -> TaskResult<Outcome<()>> {
        let place = self.at.open(ctx, &API).await?;
        let cluster = Cluster {
            place: &place,
            name: self.name.as_str(),
        };
        let shown = cluster.shown();
        let Some(seen) = cluster.find().await? else {
            ctx.info(format!("there is no {shown}"));
            return Ok(Outcome::Done(()));
        };
        if !self.any && seen.labels.get(OWNER) != Some(&owner(ctx)) {
            ctx.warn(format!(
                "{shown} was not made by this run, and is left alone"
            ));
            return Ok(Outcome::Done(()));
        }
        if seen.status.state != "DELETING" {
            cluster.delete().await?;
        }
        Ok(wait(self.at.every, format!("{shown} is being deleted")))
    }
}

impl Operator for DataprocDeleteCluster {
    const NAME: &'static str = "dataproc_delete_cluster";
    type Output = ();

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.at.connection)
    }

    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<()>> {
        self.step(ctx).await
    }

    async fn resume(&self, ctx: &TaskContext, _: Value) -> TaskResult<Outcome<()>> {
        self.step(ctx).await
    }
}
