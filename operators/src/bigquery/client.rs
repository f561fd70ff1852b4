//! BigQuery through a connection: jobs that are launched once, whatever happens to requests.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidemill_core::operator::{ErrorKind, TaskContext, TaskError, TaskResult};

use super::job::{Job, JobAt, REQUEST_LABEL};
use crate::http::{self, Client, Reply};
use crate::remote::label;

/// Pages of jobs that are looked through.
const PAGES_MAX: usize = 20;

/// BigQuery through a connection.
#[derive(Debug, Clone)]
pub struct BigQuery {
    pub(super) client: Client,
    project: String,
}

/// A job to launch.
#[derive(Debug, Clone)]
pub(super) struct JobRequest {
    /// The part of the configuration that belongs to its kind: `{"load": …}`.
    pub(super) configuration: Value,
    /// What the author asked for, as a hash: a job under our key with another one is somebody else's.
    pub(super) print: String,
    /// Labels.
    pub(super) labels: BTreeMap<String, String>,
    /// Whether it is only looked at and never run.
    pub(super) dry_run: bool,
}

impl JobRequest {
    pub(super) fn new(configuration: Value, print: &str, ctx: &TaskContext) -> Self {
        let facts = ctx.facts();
        let labels = [
            ("tidemill-dag", label(&facts.dag_id)),
            ("tidemill-task", label(&facts.task_id)),
        ];
        let named = labels.into_iter().filter(|(_, value)| !value.is_empty());
        Self {
            configuration,
            print: print.to_owned(),
            labels: named
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            dry_run: false,
        }
    }

    pub(super) fn labels(mut self, more: impl IntoIterator<Item = (String, String)>) -> Self {
        self.labels.extend(more);
        self
    }

    fn body(&self, at: &JobAt) -> Value {
        let mut reference = json!({ "projectId": at.project, "jobId": at.id });
        if let Some(location) = &at.location {
            reference["location"] = json!(location);
        }
        let mut configuration = self.configuration.clone();
        let mut labels = self.labels.clone();
        labels.insert(REQUEST_LABEL.to_owned(), self.print.clone());
        configuration["labels"] = json!(labels);
        if self.dry_run {
            configuration["dryRun"] = json!(true);
        }
        json!({ "jobReference": reference, "configuration": configuration })
    }
}

impl BigQuery {
    /// Through this connection; jobs run in this project, else in that of the connection.
    ///
    /// # Errors
    /// There is no such connection, it leads elsewhere, or nobody names a project.
    pub async fn open(
        ctx: &TaskContext,
        connection: &str,
        project: Option<&str>,
    ) -> TaskResult<Self> {
        let client = http::open(ctx, connection, &super::API).await?;
        Self::of(client, project).await
    }

    /// With a client of [`API`](super::API).
    ///
    /// # Errors
    /// Nobody names a project.
    pub async fn of(client: Client, project: Option<&str>) -> TaskResult<Self> {
        let project = match project {
            Some(project) => project.to_owned(),
            None => client.project().await?,
        };
        Ok(Self { client, project })
    }

    /// The project that jobs run in, and that tables are in that name none.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Where a job of this identifier is.
    pub(super) fn at(&self, id: &str, location: Option<&str>) -> JobAt {
        JobAt {
            project: self.project.clone(),
            id: id.to_owned(),
            location: location.map(str::to_owned),
        }
    }

    /// A job; none if there is none. Without a location, one in the EU may not be found.
    ///
    /// # Errors
    /// It cannot be seen.
    pub async fn job(&self, at: &JobAt) -> TaskResult<Option<Job>> {
        let found: Option<Value> = self
            .client
            .get("/bigquery/v2/projects/{}/jobs/{}", &[&at.project, &at.id])
            .maybe("location", at.location.as_deref())
            .doing(format!("look for job {at}"))
            .names(format!("project `{}`", at.project))
            .needs("bigquery.jobs.get")
            .find_json()
            .await?;
        found.map(|told| Job::read(told, at)).transpose()
    }

    /// Launches a job under its identifier, once: one that is there and was made by this request is adopted. Says whether it
    /// was.
    pub(super) async fn launch(&self, at: &JobAt, request: &JobRequest) -> TaskResult<(Job, bool)> {
        if let Some(found) = self.job(at).await? {
            return adopted(found, &request.print);
        }
        let sent = self
            .client
            .post("/bigquery/v2/projects/{}/jobs", &[&at.project])
            .json(&request.body(at))
            // The identifier is the key: a second time it is 409.
            .repeatable()
            .answers(&[409])
            .expects_json()
            .doing(format!("launch job {at}"))
            .names(format!("project `{}`", at.project))
            .needs("bigquery.jobs.create")
            .send()
            .await;
        match sent {
            Ok(reply) if reply.status() == 409 => self.there_already(at, request, &reply).await,
            Ok(reply) => Ok((Job::read(reply.json()?, at)?, false)),
            // A query that cannot be planned is refused, and its job is there, failed.
            Err(refused) if refused.kind == ErrorKind::Permanent => match self.job(at).await {
                Ok(Some(job)) => adopted(job, &request.print),
                _ => Err(refused),
            },
            Err(error) => Err(error),
        }
    }

    async fn there_already(
        &self,
        at: &JobAt,
        request: &JobRequest,
        reply: &Reply,
    ) -> TaskResult<(Job, bool)> {
        let said = reply.said().message;
        let mut there = at.clone();
        if there.location.is_none() {
            there.location = location_of(&said, at);
        }
        match self.job(&there).await? {
            Some(job) => adopted(job, &request.print),
            None => Err(TaskError::ambiguous(format!(
                "launch job {at}: the service says that it is there (409: {said}), and does not find it"
            ))
            .help("name the location: `.location(\"EU\")`")),
        }
    }

    /// A job of this identifier that has not ended, in whatever location it is.
    pub(super) async fn active(&self, id: &str) -> TaskResult<Option<JobAt>> {
        let mut token: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page: Value = self
                .client
                .get("/bigquery/v2/projects/{}/jobs", &[&self.project])
                .query("stateFilter", "pending")
                .query("stateFilter", "running")
                .query("maxResults", 1_000)
                .maybe("pageToken", token.as_deref())
                .doing(format!("look for job {id} in all locations"))
                .names(format!("project `{}`", self.project))
                .needs("bigquery.jobs.list")
                .send_json()
                .await?;
            let jobs = page.get("jobs").and_then(Value::as_array);
            for told in jobs.into_iter().flatten() {
                // It is refused unless it has this identifier.
                if let Ok(job) = Job::read(told.clone(), &self.at(id, None)) {
                    return Ok(Some(job.at().clone()));
                }
            }
            let next = page.get("nextPageToken").and_then(Value::as_str);
            token = next.filter(|next| !next.is_empty()).map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        Ok(None)
    }

    /// Looks at a query without running it: its bytes, its schema, what is wrong with it.
    pub(super) async fn dry(&self, at: &JobAt, request: &JobRequest) -> TaskResult<Value> {
        let mut request = request.clone();
        request.dry_run = true;
        self.client
            .post("/bigquery/v2/projects/{}/jobs", &[&at.project])
            .json(&request.body(at))
            .repeatable()
            .doing("look at the query without running it")
            .names(format!("project `{}`", at.project))
            .needs("bigquery.jobs.create")
            .send_json()
            .await
    }

    /// Asks a job to end. One that has ended, or is not there, is no error.
    ///
    /// # Errors
    /// It cannot be asked.
    pub async fn cancel(&self, at: &JobAt) -> TaskResult<()> {
        self.client
            .post(
                "/bigquery/v2/projects/{}/jobs/{}/cancel",
                &[&at.project, &at.id],
            )
            .maybe("location", at.location.as_deref())
            .repeatable()
            .answers(&[404])
            .doing(format!("cancel job {at}"))
            .needs("bigquery.jobs.update")
            .send()
            .await
            .map(drop)
    }
}

/// The location in `Already Exists: Job shop:EU.t1`.
fn location_of(said: &str, at: &JobAt) -> Option<String> {
    let (_, rest) = said.split_once(&format!("{}:", at.project))?;
    let (location, rest) = rest.split_once('.')?;
    (rest.starts_with(&at.id) && !location.is_empty()).then(|| location.to_owned())
}

/// A job that is there is ours if the same request made it.
pub(super) fn adopted(job: Job, print: &str) -> TaskResult<(Job, bool)> {
    let made_by = job.label(REQUEST_LABEL).unwrap_or_default();
    if made_by == print {
        return Ok((job, true));
    }
    let at = job.at();
    Err(TaskError::permanent(format!(
        "job {at} is there already, and another request made it (its hash is `{made_by}`, and ours `{print}`)"
    ))
    .help("somebody uses our key, or the task was deployed anew during the run: clear the task to launch it under another key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_location() {
        let at = JobAt {
            project: "a.com:shop".to_owned(),
            id: "t1".to_owned(),
            location: None,
        };
        let found = location_of("Already Exists: Job a.com:shop:europe-west1.t1", &at);
        assert_eq!(found.as_deref(), Some("europe-west1"));
        assert_eq!(location_of("Already Exists: Job", &at), None);
    }
}
