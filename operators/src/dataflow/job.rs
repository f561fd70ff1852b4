//! Launching a template.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_core::operator::{
    ErrorKind, LaunchKey, Poll, RemoteJob, TaskContext, TaskError, TaskResult,
};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::seen::{self, Seen, url};
use super::{API, DataflowRan, Launched, metrics};
use crate::http::{Client, Reply};
use crate::remote::{self, Body, Place, Site, Stamp, site_settings};

/// Launches a template. A batch job is waited for to its end; a streaming job until it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct DataflowJob {
    at: Site,
    template: Text,
    flex: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Text>,
    launch: Body,
    replacing: bool,
    watched: bool,
    draining: bool,
}

#[derive(Deserialize)]
struct Answer {
    job: Seen,
}

impl DataflowJob {
    fn of(template: impl Into<Text>, flex: bool) -> Self {
        Self {
            at: Site::default(),
            template: template.into(),
            flex,
            name: None,
            launch: Body::default(),
            replacing: false,
            watched: false,
            draining: false,
        }
    }

    /// A classic template: `DataflowJob::template("gs://templates/load").param("day", "{ds}")`.
    pub fn template(path: impl Into<Text>) -> Self {
        Self::of(path, false)
    }

    /// A flex template, by the file that describes its container.
    pub fn flex(file: impl Into<Text>) -> Self {
        Self::of(file, true)
    }

    site_settings!();

    /// A parameter of the template.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.launch.entry("parameters", name, value);
        self
    }

    /// A name for people, for streaming jobs: while a job of this name runs there is no second one. Without it the job is named
    /// after the key of its launch.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Replaces the streaming job of this name that runs; if none does it is launched as it is.
    pub const fn replacing(mut self) -> Self {
        self.replacing = true;
        self
    }

    /// A step of the job that is replaced has another name now.
    pub fn renamed_step(mut self, old: impl Into<String>, new: impl Into<Text>) -> Self {
        let field = if self.flex {
            "transformNameMappings"
        } else {
            "transformNameMapping"
        };
        self.launch.entry(field, old, new);
        self
    }

    /// A streaming job is watched until it ends: that it is drained, cancelled or replaced is a good end then.
    pub const fn watched(mut self) -> Self {
        self.watched = true;
        self
    }

    /// If the task is cancelled a streaming job is drained, not cancelled.
    pub const fn draining(mut self) -> Self {
        self.draining = true;
        self
    }

    /// At most so many workers.
    pub fn max_workers(mut self, count: u32) -> Self {
        self.launch.put("environment/maxWorkers", count);
        self
    }

    /// The type of the workers' machines.
    pub fn machine(mut self, machine: impl Into<Text>) -> Self {
        self.launch.text("environment/machineType", machine);
        self
    }

    /// Where the job keeps what it needs meanwhile.
    pub fn temp_location(mut self, uri: impl Into<Text>) -> Self {
        self.launch.text("environment/tempLocation", uri);
        self
    }

    /// The service account of its workers.
    pub fn service_account(mut self, email: impl Into<Text>) -> Self {
        self.launch.text("environment/serviceAccountEmail", email);
        self
    }

    /// The subnetwork that its workers are in.
    pub fn subnetwork(mut self, name: impl Into<Text>) -> Self {
        self.launch.text("environment/subnetwork", name);
        self
    }

    /// A label of the job.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.launch
            .entry("environment/additionalUserLabels", name, value);
        self
    }

    /// Whatever else the environment has: `.environment(json!({"enableStreamingEngine": true}))`.
    pub fn environment(mut self, fields: Value) -> Self {
        self.launch.merge(json!({ "environment": fields }));
        self
    }

    /// Whatever else the API's launch parameters have.
    pub fn with(mut self, fields: Value) -> Self {
        self.launch.merge(fields);
        self
    }

    fn name(&self, key: &LaunchKey) -> String {
        match &self.name {
            Some(name) => name.to_string(),
            None => key.to_string(),
        }
    }

    /// What is launched, and what it bears.
    fn request(&self, ctx: &TaskContext, key: &LaunchKey) -> (Value, Stamp) {
        let mut launch = self.launch.value().clone();
        launch["jobName"] = json!(self.name(key));
        let stamp = Stamp::of(ctx, key, &json!([self.template.as_str(), launch]));
        stamp.mark(&mut launch["environment"]["additionalUserLabels"]);
        (launch, stamp)
    }

    async fn send(&self, place: &Place, mut launch: Value, update: bool) -> TaskResult<Reply> {
        if update {
            launch["update"] = json!(true);
        }
        let (project, region) = (place.project.as_str(), place.region.as_str());
        let name = launch["jobName"].as_str().unwrap_or_default().to_owned();
        let template = self.template.as_str();
        let request = if self.flex {
            launch["containerSpecGcsPath"] = json!(template);
            let path = "/v1b3/projects/{}/locations/{}/flexTemplates:launch";
            let body = json!({ "launchParameter": launch });
            place.client.post(path, &[project, region]).json(&body)
        } else {
            let path = "/v1b3/projects/{}/locations/{}/templates:launch";
            let request = place.client.post(path, &[project, region]);
            request.query("gcsPath", template).json(&launch)
        };
        // A name is free again when its job has ended: sent twice it could be there twice.
        request
            .answers(&[409])
            .doing(format!("launch {template} as Dataflow job `{name}`"))
            .names(format!("template `{template}`, or job `{name}` to replace"))
            .needs("dataflow.jobs.create")
            .expects_json()
            .send()
            .await
    }

    /// The job of ours under this name, if there is one.
    async fn ours(&self, place: &Place, name: &str, stamp: &Stamp) -> TaskResult<Option<Seen>> {
        for job in seen::named(place, name).await? {
            let mut labels = job.labels.clone();
            if labels.is_empty() {
                // Lists need not show labels.
                let described = seen::described(&place.client, &at(place, &job)).await?;
                labels = described.map(|job| job.labels).unwrap_or_default();
            }
            if labels.is_empty() && self.name.is_none() {
                // A flex template whose pipeline is not built yet, or never was: nobody else names a job after our key.
                return Ok(Some(job));
            }
            if stamp.is_on(&labels) {
                stamp.check(&format!("Dataflow job `{name}`"), &labels)?;
                return Ok(Some(job));
            }
        }
        Ok(None)
    }

    /// Launches it; none if a job of this name is there.
    async fn launch(&self, place: &Place, launch: Value) -> TaskResult<Option<Seen>> {
        let name = launch["jobName"].as_str().unwrap_or_default();
        let jobs = match self.replacing {
            true => seen::named(place, name).await?,
            false => Vec::new(),
        };
        let update = jobs.iter().any(|job| job.is_active() && job.is_streaming());
        let reply = self.send(place, launch, update).await?;
        match reply.status() {
            409 => Ok(None),
            _ => Ok(Some(reply.json::<Answer>()?.job)),
        }
    }

    fn ended(&self, job: &Seen, at: &Launched, why: &str) -> TaskError {
        let state = job.current_state.trim_start_matches("JOB_STATE_");
        let mut message = format!("Dataflow job `{}` ({}) is {state}", job.name, at.id);
        if !why.is_empty() {
            message = format!("{message}: {why}");
        }
        match state {
            "CANCELLED" | "DRAINED" => TaskError::cancelled(message),
            "UPDATED" => TaskError::cancelled(format!(
                "{message}: it was replaced by {}",
                job.replaced_by_job_id
            )),
            _ => TaskError::transient(message).help(format!("see its page: {}", url(at))),
        }
    }
}

fn at(place: &Place, job: &Seen) -> Launched {
    Launched {
        project: place.project.clone(),
        region: place.region.clone(),
        id: job.id.clone(),
    }
}

impl RemoteJob for DataflowJob {
    const NAME: &'static str = "dataflow_job";
    type Handle = Launched;
    type Output = DataflowRan;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.at.connection)
    }

    async fn look_for(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<Option<Launched>> {
        let place = self.at.open(ctx, &API).await?;
        let (_, stamp) = self.request(ctx, key);
        let found = self.ours(&place, &self.name(key), &stamp).await?;
        Ok(found.map(|job| at(&place, &job)))
    }

    async fn submit(&self, ctx: &TaskContext, key: &LaunchKey) -> TaskResult<Launched> {
        let place = self.at.open(ctx, &API).await?;
        let (launch, stamp) = self.request(ctx, key);
        let name = self.name(key);
        if self.replacing && self.name.is_none() {
            return Err(
                TaskError::permanent("there is no name of the job to replace")
                    .help("write `.named(\"…\")`: the job of this name is replaced"),
            );
        }
        let job = match self.launch(&place, launch).await {
            Ok(Some(job)) => job,
            // A job of this name is there: ours, or another.
            Ok(None) => self
                .ours(&place, &name, &stamp)
                .await?
                .ok_or_else(|| self.taken(&name))?,
            // The reply was lost, and it may be there.
            Err(error) if error.kind == ErrorKind::Ambiguous => {
                match self.ours(&place, &name, &stamp).await {
                    Ok(Some(job)) => job,
                    _ => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        let at = at(&place, &job);
        ctx.info(format!("Dataflow job `{name}` ({}): {}", at.id, url(&at)));
        Ok(at)
    }

    async fn poll(&self, ctx: &TaskContext, at: &Launched) -> TaskResult<Poll<DataflowRan>> {
        let client = self.at.client(ctx, &API).await?;
        let Some(job) = remote::look(ctx, || seen::one(&client, at)).await? else {
            let message = format!("Dataflow job {} is not there any more", at.id);
            return Ok(Poll::Failed(TaskError::lost(message)));
        };
        let state = job.current_state.as_str();
        let runs = state == "JOB_STATE_RUNNING" && job.is_streaming() && !self.watched;
        if job.is_active() && !runs {
            ctx.progress(0.0, state);
            return Ok(Poll::Running {
                wait: self.at.every,
                progress: format!("Dataflow job `{}` is {state}", job.name),
            });
        }
        let why = seen::tell(ctx, &client, at).await;
        let good = runs
            || state == "JOB_STATE_DONE"
            || (job.is_streaming() && self.watched && state != "JOB_STATE_FAILED");
        if !good {
            return Ok(Poll::Failed(self.ended(&job, at, &why)));
        }
        self.done(ctx, &client, (at, job)).await
    }

    async fn cancel(&self, ctx: &TaskContext, at: &Launched) -> TaskResult<()> {
        let client = self.at.client(ctx, &API).await?;
        let Some(job) = seen::one(&client, at).await? else {
            return Ok(());
        };
        let state = match self.draining && job.is_streaming() {
            true => "JOB_STATE_DRAINED",
            false => "JOB_STATE_CANCELLED",
        };
        seen::ask(&client, at, state).await
    }
}

impl DataflowJob {
    fn taken(&self, name: &str) -> TaskError {
        if self.name.is_none() {
            // Nobody else takes this name.
            return TaskError::ambiguous(format!(
                "Dataflow says that job `{name}` runs already, and does not list it yet"
            ));
        }
        TaskError::permanent(format!(
            "a Dataflow job named `{name}` runs already, and it is not this task's"
        ))
        .help("replace it with `.replacing()`, stop it with `DataflowStop`, or take another name")
    }

    async fn done(
        &self,
        ctx: &TaskContext,
        client: &Client,
        (at, job): (&Launched, Seen),
    ) -> TaskResult<Poll<DataflowRan>> {
        Ok(Poll::Done(DataflowRan {
            url: url(at),
            metrics: metrics::of(ctx, client, at).await,
            id: at.id.clone(),
            project: at.project.clone(),
            region: at.region.clone(),
            name: job.name,
            state: job.current_state,
        }))
    }
}
