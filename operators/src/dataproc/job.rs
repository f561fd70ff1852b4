//! Jobs on a cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_core::operator::{LaunchKey, Poll, RemoteJob, TaskContext, TaskError, TaskResult};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::{API, DataprocRan, Launched, driver, parts};
use crate::http::Client;
use crate::remote::{self, Body, Site, Stamp, site_settings};

const ONE: &str = "/v1/projects/{}/regions/{}/jobs/{}";

/// Runs a job on a cluster, and waits until it has ended. Its identifier is the key of its launch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct DataprocJob {
    at: Site,
    cluster: Text,
    /// The field that says what kind of job it is, such as `pysparkJob`.
    kind: String,
    job: Body,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seen {
    #[serde(default)]
    labels: BTreeMap<String, String>,
    status: Status,
    #[serde(default)]
    driver_output_resource_uri: String,
    #[serde(default)]
    yarn_applications: Vec<Application>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    state: String,
    #[serde(default)]
    details: String,
}

#[derive(Deserialize)]
struct Application {
    #[serde(default)]
    progress: f64,
}

impl DataprocJob {
    fn of(kind: &str, main: &str, what: impl Into<Text>) -> Self {
        let mut job = Body::default();
        job.text(&format!("{kind}/{main}"), what);
        Self {
            at: Site::default(),
            cluster: Text::default(),
            kind: kind.to_owned(),
            job,
        }
    }

    fn queries(kind: &str, query: impl Into<Text>) -> Self {
        let mut job = Self::of(kind, "queryFileUri", "");
        job.job = Body::default();
        job.job
            .push_text(&format!("{kind}/queryList/queries"), query);
        job
    }

    /// A program in Python: `DataprocJob::pyspark("gs://code/clean.py").on("etl").arg("--day={ds}")`.
    pub fn pyspark(main: impl Into<Text>) -> Self {
        Self::of("pysparkJob", "mainPythonFileUri", main)
    }

    /// The main class of a jar, which is named with [`Self::jar`].
    pub fn spark(class: impl Into<Text>) -> Self {
        Self::of("sparkJob", "mainClass", class)
    }

    /// A jar that knows its main class.
    pub fn spark_jar(jar: impl Into<Text>) -> Self {
        Self::of("sparkJob", "mainJarFileUri", jar)
    }

    /// A program in R.
    pub fn spark_r(main: impl Into<Text>) -> Self {
        Self::of("sparkRJob", "mainRFileUri", main)
    }

    /// A statement of Spark SQL; [`Self::query`] adds another.
    pub fn spark_sql(query: impl Into<Text>) -> Self {
        Self::queries("sparkSqlJob", query)
    }

    /// A file of Spark SQL.
    pub fn spark_sql_file(file: impl Into<Text>) -> Self {
        Self::of("sparkSqlJob", "queryFileUri", file)
    }

    /// A statement of Hive; [`Self::query`] adds another.
    pub fn hive(query: impl Into<Text>) -> Self {
        Self::queries("hiveJob", query)
    }

    /// A file of Hive.
    pub fn hive_file(file: impl Into<Text>) -> Self {
        Self::of("hiveJob", "queryFileUri", file)
    }

    /// A statement of Pig; [`Self::query`] adds another.
    pub fn pig(query: impl Into<Text>) -> Self {
        Self::queries("pigJob", query)
    }

    /// A file of Pig.
    pub fn pig_file(file: impl Into<Text>) -> Self {
        Self::of("pigJob", "queryFileUri", file)
    }

    /// A statement of Presto; [`Self::query`] adds another.
    pub fn presto(query: impl Into<Text>) -> Self {
        Self::queries("prestoJob", query)
    }

    /// A statement of Trino; [`Self::query`] adds another.
    pub fn trino(query: impl Into<Text>) -> Self {
        Self::queries("trinoJob", query)
    }

    /// A jar of Hadoop.
    pub fn hadoop_jar(jar: impl Into<Text>) -> Self {
        Self::of("hadoopJob", "mainJarFileUri", jar)
    }

    /// A jar of Flink.
    pub fn flink_jar(jar: impl Into<Text>) -> Self {
        Self::of("flinkJob", "mainJarFileUri", jar)
    }

    /// The cluster that it runs on.
    pub fn on(mut self, cluster: impl Into<Text>) -> Self {
        self.cluster = cluster.into();
        self
    }

    site_settings!();

    fn path(&self, field: &str) -> String {
        format!("{}/{field}", self.kind)
    }

    /// An argument; called again, another.
    pub fn arg(mut self, arg: impl Into<Text>) -> Self {
        self.job.push_text(&self.path("args"), arg);
        self
    }

    /// Another statement.
    pub fn query(mut self, query: impl Into<Text>) -> Self {
        self.job.push_text(&self.path("queryList/queries"), query);
        self
    }

    /// A variable of the statements.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.job.entry(&self.path("scriptVariables"), name, value);
        self
    }

    /// A property, such as `spark.executor.memory`.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.job.entry(&self.path("properties"), name, value);
        self
    }

    /// A jar on the path of classes.
    pub fn jar(mut self, uri: impl Into<Text>) -> Self {
        self.job.push_text(&self.path("jarFileUris"), uri);
        self
    }

    /// A file of Python, an egg or a zip beside the program.
    pub fn python_file(mut self, uri: impl Into<Text>) -> Self {
        self.job.push_text(&self.path("pythonFileUris"), uri);
        self
    }

    /// A file in the working folder of each executor.
    pub fn file(mut self, uri: impl Into<Text>) -> Self {
        self.job.push_text(&self.path("fileUris"), uri);
        self
    }

    /// An archive that is unpacked there.
    pub fn archive(mut self, uri: impl Into<Text>) -> Self {
        self.job.push_text(&self.path("archiveUris"), uri);
        self
    }

    /// A label of the job.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.job.entry("labels", name, value);
        self
    }

    /// Whatever else the API's `Job` has: `.with(json!({"scheduling": {"maxFailuresPerHour": 2}}))`.
    pub fn with(mut self, fields: Value) -> Self {
        self.job.merge(fields);
        self
    }

    /// The job as it is sent, and what it bears.
    fn request(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<(Value, Stamp)> {
        if self.cluster.as_str().is_empty() {
            return Err(TaskError::permanent("the job names no cluster")
                .help("write `.on(\"cluster\")`, or run it without one: `DataprocBatch`"));
        }
        let mut job = self.job.value().clone();
        job["placement"]["clusterName"] = json!(self.cluster.as_str());
        let stamp = Stamp::of(ctx, key, &job);
        stamp.mark(&mut job["labels"]);
        job["reference"] = json!({ "jobId": key });
        Ok((job, stamp))
    }

    async fn seen(client: &Client, at: &Launched) -> TaskResult<Option<Seen>> {
        let id = &at.id;
        client
            .get(ONE, &parts(at))
            .doing(format!("look at Dataproc job {id}"))
            .names(format!("job `{id}` in region `{}`", at.region))
            .needs("dataproc.jobs.get")
            .find_json()
            .await
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

    fn ended(&self, state: &str, details: &str, at: &Launched) -> TaskError {
        let message = format!("Dataproc job {} is {state}: {details}", at.id);
        if state == "CANCELLED" {
            return TaskError::cancelled(message);
        }
        TaskError::transient(message).help(format!("its driver's log says why: {}", url(at)))
    }
}

/// The page of a job in the console.
fn url(at: &Launched) -> String {
    let [project, region, id] = parts(at);
    format!("https://console.cloud.google.com/dataproc/jobs/{id}?region={region}&project={project}")
}

impl RemoteJob for DataprocJob {
    const NAME: &'static str = "dataproc_job";
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
        let (_, stamp) = self.request(ctx, key)?;
        stamp.check(&format!("Dataproc job {key}"), &seen.labels)?;
        Ok(Some(at))
    }

    async fn submit(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<Launched> {
        let (job, stamp) = self.request(ctx, key)?;
        let (client, at) = self.at(ctx, key).await?;
        let what = format!("Dataproc job {key}");
        let reply = client
            .post(
                "/v1/projects/{}/regions/{}/jobs:submit",
                &[&at.project, &at.region],
            )
            .json(&json!({ "job": job, "requestId": key }))
            .repeatable()
            .answers(&[409])
            .doing(format!("submit {what} to cluster `{}`", self.cluster))
            .names(format!(
                "cluster `{}` in region `{}`",
                self.cluster, at.region
            ))
            .needs("dataproc.jobs.create")
            .expects_json()
            .send()
            .await?;
        if reply.status() == 409 {
            // A job of this name is there, whatever request made it.
            let seen = Self::seen(&client, &at).await?;
            let labels = seen.map(|seen| seen.labels).unwrap_or_default();
            stamp.check(&what, &labels)?;
        } else {
            stamp.check(&what, &reply.json::<Seen>()?.labels)?;
        }
        ctx.info(format!("{what}: {}", url(&at)));
        Ok(at)
    }

    async fn poll(&self, ctx: &TaskContext, at: &Launched) -> TaskResult<Poll<DataprocRan>> {
        let client = self.at.client(ctx, &API).await?;
        let Some(seen) = remote::look(ctx, || Self::seen(&client, at)).await? else {
            let message = format!("Dataproc job {} is not there any more", at.id);
            return Ok(Poll::Failed(
                TaskError::lost(message).help("somebody deleted it, or its region forgot it"),
            ));
        };
        let state = seen.status.state.as_str();
        Ok(match state {
            "DONE" | "ERROR" | "CANCELLED" => {
                let log = seen.driver_output_resource_uri;
                driver::tell(ctx, &self.at.connection, &log).await;
                if state != "DONE" {
                    return Ok(Poll::Failed(self.ended(state, &seen.status.details, at)));
                }
                Poll::Done(DataprocRan {
                    id: at.id.clone(),
                    project: at.project.clone(),
                    region: at.region.clone(),
                    url: url(at),
                    driver_log: log,
                })
            }
            _ => {
                let progress = seen
                    .yarn_applications
                    .last()
                    .map_or(0.0, |one| one.progress);
                ctx.progress(progress, state);
                running(self.at.every, &format!("job {}", at.id), state)
            }
        })
    }

    async fn cancel(&self, ctx: &TaskContext, at: &Launched) -> TaskResult<()> {
        let client = self.at.client(ctx, &API).await?;
        let reply = client
            .post("/v1/projects/{}/regions/{}/jobs/{}:cancel", &parts(at))
            .json(&json!({}))
            .repeatable()
            // It is gone, or has ended.
            .answers(&[400, 404, 409])
            .doing(format!("cancel Dataproc job {}", at.id))
            .needs("dataproc.jobs.cancel")
            .send()
            .await?;
        super::cancelled(&reply, &format!("Dataproc job {}", at.id))
    }
}

/// It runs, or whatever else it is that is no end.
pub(super) fn running<T>(wait: Duration, what: &str, state: &str) -> Poll<T> {
    Poll::Running {
        wait,
        progress: format!("Dataproc {what} is {state}"),
    }
}
