//! Batches: Spark without a cluster.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_core::operator::{LaunchKey, Poll, RemoteJob, TaskContext, TaskError, TaskResult};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::job::running;
use super::{API, DataprocRan, Launched, driver, parts};
use crate::http::Client;
use crate::remote::{self, Body, Site, Stamp, site_settings};

/// Runs Spark without a cluster, and waits until it has ended. The batch's identifier is the key of its launch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct DataprocBatch {
    at: Site,
    /// The field that says what kind of batch it is, such as `pysparkBatch`.
    kind: String,
    batch: Body,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seen {
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    state_message: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    runtime_info: Runtime,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Runtime {
    #[serde(default)]
    output_uri: String,
}

impl DataprocBatch {
    fn of(kind: &str, main: &str, what: impl Into<Text>) -> Self {
        let mut batch = Body::default();
        batch.text(&format!("{kind}/{main}"), what);
        Self {
            at: Site::default(),
            kind: kind.to_owned(),
            batch,
        }
    }

    /// A program in Python: `DataprocBatch::pyspark("gs://code/clean.py").arg("--day={ds}")`.
    pub fn pyspark(main: impl Into<Text>) -> Self {
        Self::of("pysparkBatch", "mainPythonFileUri", main)
    }

    /// The main class of a jar, which is named with [`Self::jar`].
    pub fn spark(class: impl Into<Text>) -> Self {
        Self::of("sparkBatch", "mainClass", class)
    }

    /// A jar that knows its main class.
    pub fn spark_jar(jar: impl Into<Text>) -> Self {
        Self::of("sparkBatch", "mainJarFileUri", jar)
    }

    /// A file of Spark SQL.
    pub fn spark_sql_file(file: impl Into<Text>) -> Self {
        Self::of("sparkSqlBatch", "queryFileUri", file)
    }

    /// A program in R.
    pub fn spark_r(main: impl Into<Text>) -> Self {
        Self::of("sparkRBatch", "mainRFileUri", main)
    }

    site_settings!();

    fn path(&self, field: &str) -> String {
        format!("{}/{field}", self.kind)
    }

    /// An argument; called again, another.
    pub fn arg(mut self, arg: impl Into<Text>) -> Self {
        self.batch.push_text(&self.path("args"), arg);
        self
    }

    /// A variable of the statements.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.batch.entry(&self.path("queryVariables"), name, value);
        self
    }

    /// A property, such as `spark.executor.memory`.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.batch.entry("runtimeConfig/properties", name, value);
        self
    }

    /// The version of the runtime, such as `2.2`.
    pub fn runtime(mut self, version: impl Into<Text>) -> Self {
        self.batch.text("runtimeConfig/version", version);
        self
    }

    /// The image of the containers.
    pub fn image(mut self, image: impl Into<Text>) -> Self {
        self.batch.text("runtimeConfig/containerImage", image);
        self
    }

    /// A jar on the path of classes.
    pub fn jar(mut self, uri: impl Into<Text>) -> Self {
        self.batch.push_text(&self.path("jarFileUris"), uri);
        self
    }

    /// A file of Python, an egg or a zip beside the program.
    pub fn python_file(mut self, uri: impl Into<Text>) -> Self {
        self.batch.push_text(&self.path("pythonFileUris"), uri);
        self
    }

    /// A file in the working folder of each executor.
    pub fn file(mut self, uri: impl Into<Text>) -> Self {
        self.batch.push_text(&self.path("fileUris"), uri);
        self
    }

    /// An archive that is unpacked there.
    pub fn archive(mut self, uri: impl Into<Text>) -> Self {
        self.batch.push_text(&self.path("archiveUris"), uri);
        self
    }

    /// The service account that it runs as.
    pub fn service_account(mut self, email: impl Into<Text>) -> Self {
        self.batch
            .text("environmentConfig/executionConfig/serviceAccount", email);
        self
    }

    /// The subnetwork that it runs in.
    pub fn subnetwork(mut self, name: impl Into<Text>) -> Self {
        self.batch
            .text("environmentConfig/executionConfig/subnetworkUri", name);
        self
    }

    /// A label of the batch.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.batch.entry("labels", name, value);
        self
    }

    /// Whatever else the API's `Batch` has.
    pub fn with(mut self, fields: Value) -> Self {
        self.batch.merge(fields);
        self
    }

    fn request(&self, ctx: &TaskContext, key: &LaunchKey) -> (Value, Stamp) {
        let mut batch = self.batch.value().clone();
        let stamp = Stamp::of(ctx, key, &batch);
        stamp.mark(&mut batch["labels"]);
        (batch, stamp)
    }

    async fn at(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<(Client, Launched)> {
        let place = self.at.open(ctx, &API).await?;
        let launched = Launched {
            project: place.project,
            region: place.region,
            id: key.to_string(),
        };
        Ok((place.client, launched))
    }

    async fn seen(client: &Client, at: &Launched) -> TaskResult<Option<Seen>> {
        let id = &at.id;
        client
            .get("/v1/projects/{}/locations/{}/batches/{}", &parts(at))
            .doing(format!("look at Dataproc batch {id}"))
            .needs("dataproc.batches.get")
            .find_json()
            .await
    }
}

/// The page of a batch in the console.
fn url(at: &Launched) -> String {
    let [project, region, id] = parts(at);
    format!(
        "https://console.cloud.google.com/dataproc/batches/{region}/{id}/monitoring?project={project}"
    )
}

impl RemoteJob for DataprocBatch {
    const NAME: &'static str = "dataproc_batch";
    type Handle = Launched;
    type Output = DataprocRan;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.at.connection)
    }

    async fn look_for(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<Option<Launched>> {
        let (client, at) = self.at(ctx, key).await?;
        let Some(seen) = Self::seen(&client, &at).await? else {
            return Ok(None);
        };
        let (_, stamp) = self.request(ctx, key);
        stamp.check(&format!("Dataproc batch {key}"), &seen.labels)?;
        Ok(Some(at))
    }

    async fn submit(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<Launched> {
        let (batch, stamp) = self.request(ctx, key);
        let (client, at) = self.at(ctx, key).await?;
        let what = format!("Dataproc batch {key}");
        let reply = client
            .post(
                "/v1/projects/{}/locations/{}/batches",
                &[&at.project, &at.region],
            )
            .query("batchId", key)
            .query("requestId", key)
            .json(&batch)
            .repeatable()
            .answers(&[409])
            .doing(format!("submit {what}"))
            .names(format!("region `{}`", at.region))
            .needs("dataproc.batches.create")
            .expects_json()
            .send()
            .await?;
        if reply.status() == 409 {
            let seen = Self::seen(&client, &at).await?;
            let labels = seen.map(|seen| seen.labels).unwrap_or_default();
            stamp.check(&what, &labels)?;
        }
        ctx.info(format!("{what}: {}", url(&at)));
        Ok(at)
    }

    async fn poll(&self, ctx: &TaskContext, at: &Launched) -> TaskResult<Poll<DataprocRan>> {
        let client = self.at.client(ctx, &API).await?;
        let id = &at.id;
        let Some(seen) = remote::look(ctx, || Self::seen(&client, at)).await? else {
            let message = format!("Dataproc batch {id} is not there any more");
            return Ok(Poll::Failed(
                TaskError::lost(message).help("somebody deleted it, or its region forgot it"),
            ));
        };
        let state = seen.state.as_str();
        if !matches!(state, "SUCCEEDED" | "FAILED" | "CANCELLED") {
            ctx.progress(0.0, state);
            return Ok(running(self.at.every, &format!("batch {id}"), state));
        }
        let log = seen.runtime_info.output_uri;
        driver::tell(ctx, &self.at.connection, &log).await;
        let message = format!("Dataproc batch {id} is {state}: {}", seen.state_message);
        Ok(match state {
            "SUCCEEDED" => Poll::Done(DataprocRan {
                id: id.clone(),
                project: at.project.clone(),
                region: at.region.clone(),
                url: url(at),
                driver_log: log,
            }),
            "CANCELLED" => Poll::Failed(TaskError::cancelled(message)),
            _ => Poll::Failed(
                TaskError::transient(message)
                    .help(format!("its driver's log says why: {}", url(at))),
            ),
        })
    }

    /// A batch is cancelled by way of the operation that makes it.
    async fn cancel(&self, ctx: &TaskContext, at: &Launched) -> TaskResult<()> {
        let client = self.at.client(ctx, &API).await?;
        let Some(seen) = Self::seen(&client, at).await? else {
            return Ok(());
        };
        let parts: Vec<&str> = seen.operation.split('/').collect();
        let (path, parts) = match parts[..] {
            ["projects", project, "regions", region, _, operation] => (
                "/v1/projects/{}/regions/{}/operations/{}:cancel",
                [project, region, operation],
            ),
            ["projects", project, "locations", region, _, operation] => (
                "/v1/projects/{}/locations/{}/operations/{}:cancel",
                [project, region, operation],
            ),
            _ => {
                let message = format!("Dataproc batch {} does not say what makes it", at.id);
                return Err(TaskError::transient(message));
            }
        };
        let reply = client
            .post(path, &parts)
            .json(&json!({}))
            .repeatable()
            .answers(&[400, 404, 409])
            .doing(format!("cancel Dataproc batch {}", at.id))
            .needs("dataproc.operations.cancel")
            .send()
            .await?;
        super::cancelled(&reply, &format!("Dataproc batch {}", at.id))
    }
}
