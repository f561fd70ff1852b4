//! Jobs as Dataflow shows them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use tidemill_core::operator::{TaskContext, TaskError, TaskResult};

use super::Launched;
use crate::http::Client;
use crate::remote::{self, Place};

/// A job, as far as it matters here.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seen {
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) current_state: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) replaced_by_job_id: String,
}

impl Seen {
    pub(super) fn is_streaming(&self) -> bool {
        self.kind == "JOB_TYPE_STREAMING"
    }

    pub(super) fn is_active(&self) -> bool {
        !matches!(
            self.current_state.as_str(),
            "JOB_STATE_DONE"
                | "JOB_STATE_FAILED"
                | "JOB_STATE_CANCELLED"
                | "JOB_STATE_UPDATED"
                | "JOB_STATE_DRAINED"
        )
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    jobs: Vec<Seen>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Messages {
    #[serde(default)]
    job_messages: Vec<Message>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    #[serde(default)]
    message_text: String,
    #[serde(default)]
    message_importance: String,
}

/// Pages of messages that are read; the rest is on the job's page.
const PAGES_MAX: u32 = 10;

/// All jobs of a name, whatever their state.
pub(super) async fn named(place: &Place, name: &str) -> TaskResult<Vec<Seen>> {
    let mut found = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let page: Page = place
            .client
            .get(
                "/v1b3/projects/{}/locations/{}/jobs",
                &[&place.project, &place.region],
            )
            .query("name", name)
            .query("filter", "ALL")
            .maybe("pageToken", token.as_deref())
            .doing(format!("look for Dataflow job `{name}`"))
            .names(format!(
                "project `{}` or region `{}`",
                place.project, place.region
            ))
            .needs("dataflow.jobs.list")
            .send_json()
            .await?;
        // A name of the API is one of its own filters; a server that does not know it gives all.
        found.extend(page.jobs.into_iter().filter(|job| job.name == name));
        token = page.next_page_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(found);
        }
    }
}

/// A job; none if it is not there.
pub(super) async fn one(client: &Client, at: &Launched) -> TaskResult<Option<Seen>> {
    get(client, at, "JOB_VIEW_SUMMARY").await
}

/// A job with its labels; none if it is not there.
pub(super) async fn described(client: &Client, at: &Launched) -> TaskResult<Option<Seen>> {
    get(client, at, "JOB_VIEW_DESCRIPTION").await
}

async fn get(client: &Client, at: &Launched, view: &str) -> TaskResult<Option<Seen>> {
    client
        .get(
            "/v1b3/projects/{}/locations/{}/jobs/{}",
            &[&at.project, &at.region, &at.id],
        )
        .query("view", view)
        .doing(format!("look at Dataflow job {}", at.id))
        .needs("dataflow.jobs.get")
        .find_json()
        .await
}

/// Asks a job to end. One that has ended already, or is not there, is no error.
pub(super) async fn ask(client: &Client, at: &Launched, state: &str) -> TaskResult<()> {
    let reply = client
        .put(
            "/v1b3/projects/{}/locations/{}/jobs/{}",
            &[&at.project, &at.region, &at.id],
        )
        .json(&json!({ "requestedState": state }))
        .answers(&[400, 404])
        .doing(format!("ask Dataflow job {} for {state}", at.id))
        .needs("dataflow.jobs.cancel")
        .send()
        .await?;
    let ended = match reply.status() {
        // It says the same of one that has ended and of one that cannot be drained.
        400 => one(client, at).await?.is_none_or(|job| !job.is_active()),
        _ => true,
    };
    if ended {
        return Ok(());
    }
    Err(TaskError::permanent(format!(
        "Dataflow job {} does not take {state} (400): {}",
        at.id,
        reply.said().message
    ))
    .help("only streaming jobs can be drained; cancel a batch job"))
}

/// Writes what a job said into the task's log, and gives its last error.
pub(super) async fn tell(ctx: &TaskContext, client: &Client, at: &Launched) -> String {
    match messages(client, at).await {
        Ok(messages) => {
            let lines: Vec<&str> = messages
                .iter()
                .map(|message| message.message_text.as_str())
                .collect();
            remote::tell(ctx, "dataflow", &lines.join("\n"));
            let mut errors = messages
                .iter()
                .filter(|message| message.message_importance == "JOB_MESSAGE_ERROR");
            errors
                .next_back()
                .map(|message| message.message_text.clone())
                .unwrap_or_default()
        }
        Err(error) => {
            let id = &at.id;
            ctx.warn(format!(
                "what Dataflow job {id} said cannot be read: {error}"
            ));
            String::new()
        }
    }
}

async fn messages(client: &Client, at: &Launched) -> TaskResult<Vec<Message>> {
    let mut all = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let page: Messages = client
            .get(
                "/v1b3/projects/{}/locations/{}/jobs/{}/messages",
                &[&at.project, &at.region, &at.id],
            )
            .query("minimumImportance", "JOB_MESSAGE_DETAILED")
            .maybe("pageToken", token.as_deref())
            .doing(format!("read what Dataflow job {} said", at.id))
            .needs("dataflow.messages.list")
            .send_json()
            .await?;
        all.extend(page.job_messages);
        token = page.next_page_token.filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
    }
    Ok(all)
}

/// The page of a job in the console.
pub(super) fn url(at: &Launched) -> String {
    let Launched {
        project,
        region,
        id,
    } = at;
    format!("https://console.cloud.google.com/dataflow/jobs/{region}/{id}?project={project}")
}
