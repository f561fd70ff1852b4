//! Updates of a pipeline. Nothing can be written on one, so what was there before is noted first.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_core::operator::{
    ErrorKind, Operator, OrFail as _, Outcome, TaskContext, TaskError, TaskResult,
};
use tidemill_core::spec::Touches;
use tidemill_core::text::Text;

use super::run::is_missing;
use super::{Workspace, workspace_settings};
use crate::http::Client;
use crate::remote::{self, Body};

/// After a request whose reply was lost the list is read so often before it counts as not taken.
const LOOKS: u32 = 3;
/// So often an update is asked for whose reply is lost each time.
const ASKS_MAX: u32 = 5;
/// Updates that are looked at.
const PAGE: u32 = 100;

/// Updates a pipeline, and waits until the update has ended.
///
/// Databricks takes no key for an update. The operator notes which update was the newest, and only then asks for another; what is newer
/// than that and was asked for like this is its own. Two such updates are an error, and no third is asked for. Where all tables
/// are updated, [`DatabricksTask::pipeline`](super::DatabricksTask::pipeline) in a run does the same under a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "an operator does nothing until it is added to a DAG"]
pub struct DatabricksPipeline {
    at: Workspace,
    pipeline: Text,
    request: Body,
}

/// An update that ended well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabricksUpdated {
    /// The pipeline.
    pub pipeline_id: String,
    /// The update.
    pub update_id: String,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    /// An update is to be asked for, if there is none after this one.
    Planned {
        before: Option<String>,
        /// How often it was asked for without a reply, and how often it was looked for since.
        asked: u32,
        looked: u32,
    },
    /// This one is watched.
    Update(String),
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    updates: Vec<Seen>,
}

#[derive(Deserialize)]
struct One {
    update: Seen,
}

#[derive(Debug, Clone, Deserialize)]
struct Seen {
    update_id: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    cause: String,
    #[serde(default)]
    full_refresh: bool,
    #[serde(default)]
    validate_only: bool,
    #[serde(default)]
    refresh_selection: Option<Vec<String>>,
    #[serde(default)]
    full_refresh_selection: Option<Vec<String>>,
}

impl Seen {
    fn has_ended(&self) -> bool {
        matches!(self.state.as_str(), "COMPLETED" | "FAILED" | "CANCELED")
    }
}

#[derive(Deserialize)]
struct Events {
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    origin: Origin,
    #[serde(default)]
    level: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    error: Wrong,
}

#[derive(Default, Deserialize)]
struct Origin {
    #[serde(default)]
    update_id: String,
}

#[derive(Default, Deserialize)]
struct Wrong {
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(default)]
    message: Option<String>,
}

impl DatabricksPipeline {
    /// Of this pipeline, by its identifier: `DatabricksPipeline::update("a1b2-c3d4")`.
    pub fn update(pipeline: impl Into<Text>) -> Self {
        Self {
            at: Workspace::default(),
            pipeline: pipeline.into(),
            request: Body::default(),
        }
    }

    workspace_settings!();

    /// All tables are computed anew.
    pub fn full_refresh(mut self) -> Self {
        self.request.put("full_refresh", true);
        self
    }

    /// Only these tables are updated; called again, another.
    pub fn table(mut self, table: impl Into<Text>) -> Self {
        self.request.push_text("refresh_selection", table);
        self
    }

    /// Only these tables, and they are computed anew; called again, another.
    pub fn full_table(mut self, table: impl Into<Text>) -> Self {
        self.request.push_text("full_refresh_selection", table);
        self
    }

    fn id(&self) -> &str {
        self.pipeline.as_str()
    }

    fn wait(&self, step: &Step, why: impl Into<String>) -> TaskResult<Outcome<DatabricksUpdated>> {
        self.wait_for(step, self.at.every, why)
    }

    fn wait_for(
        &self,
        step: &Step,
        wait: Duration,
        why: impl Into<String>,
    ) -> TaskResult<Outcome<DatabricksUpdated>> {
        Ok(Outcome::Deferred {
            handle: serde_json::to_value(step)?,
            wait,
            why: why.into(),
        })
    }

    /// The updates, the newest first.
    async fn updates(&self, client: &Client) -> TaskResult<Vec<Seen>> {
        let id = self.id();
        let list: List = client
            .get("/api/2.0/pipelines/{}/updates", &[id])
            .query("max_results", PAGE)
            .doing(format!("list the updates of Databricks pipeline {id}"))
            .names(format!("pipeline `{id}`"))
            .send_json()
            .await?;
        Ok(list.updates)
    }

    /// Whether an update was asked for like this one.
    fn is_alike(&self, seen: &Seen) -> bool {
        let same = |shown: &Option<Vec<String>>, name: &str| {
            // The service does not always show what was selected.
            shown.as_ref().is_none_or(|shown| {
                let wanted = self.request.get(name).as_array();
                let wanted = wanted.into_iter().flatten().filter_map(Value::as_str);
                wanted.eq(shown.iter().map(String::as_str))
            })
        };
        matches!(seen.cause.as_str(), "" | "API_CALL")
            && !seen.validate_only
            && seen.full_refresh == (self.request.get("full_refresh") == &json!(true))
            && same(&seen.refresh_selection, "refresh_selection")
            && same(&seen.full_refresh_selection, "full_refresh_selection")
    }

    /// The update of ours among those that came after `before`.
    ///
    /// # Errors
    /// Permanent: there are several, and nobody can tell which is ours.
    async fn ours(&self, client: &Client, before: Option<&str>) -> TaskResult<Option<Seen>> {
        let updates = self.updates(client).await?;
        let newer = updates
            .into_iter()
            .take_while(|update| Some(update.update_id.as_str()) != before);
        let mut alike = newer.filter(|update| self.is_alike(update));
        match (alike.next(), alike.next()) {
            (Some(one), Some(other)) => Err(TaskError::permanent(format!(
                "it is unclear which update of Databricks pipeline {} is this task's: {} or {}",
                self.id(),
                one.update_id,
                other.update_id
            ))
            .help("nothing more was asked for. See how both ended on the pipeline's page; then set the task's state, or clear it to update once more")),
            (found, _) => Ok(found),
        }
    }

    /// Asks for the update, unless it is there.
    async fn ask(
        &self,
        ctx: &TaskContext,
        client: &Client,
        (before, asked, looked): (Option<String>, u32, u32),
    ) -> TaskResult<Outcome<DatabricksUpdated>> {
        let id = self.id();
        let planned = |asked, looked| Step::Planned {
            before: before.clone(),
            asked,
            looked,
        };
        match self.ours(client, before.as_deref()).await {
            Ok(Some(found)) => {
                ctx.info(format!(
                    "update {} of Databricks pipeline {id}",
                    found.update_id
                ));
                return self.wait_for(&Step::Update(found.update_id), Duration::ZERO, "found");
            }
            Ok(None) if asked > 0 && looked < LOOKS => {
                let why = "it is looked for the update whose reply was lost";
                return self.wait(&planned(asked, looked + 1), why);
            }
            Ok(None) => {}
            Err(error) if error.kind.is_retried() => {
                return self.wait(&planned(asked, looked), error.message);
            }
            Err(error) => return Err(error),
        }
        let sent = client
            .post("/api/2.0/pipelines/{}/updates", &[id])
            .json(self.request.value())
            .answers(&[409])
            .doing(format!("update Databricks pipeline {id}"))
            .names(format!("pipeline `{id}`"))
            .expects_json()
            .send()
            .await;
        match sent {
            Ok(reply) if reply.is_success() => {
                let body: Value = reply.json()?;
                let update = body["update_id"].as_str();
                let update =
                    update.or_fail(ErrorKind::Ambiguous, "read the update's identifier")?;
                ctx.info(format!("update {update} of Databricks pipeline {id}"));
                let step = Step::Update(update.to_owned());
                self.wait_for(&step, Duration::ZERO, "asked for")
            }
            Ok(reply) => {
                let why = format!("another update is active: {}", reply.said().message);
                self.wait(&planned(asked, looked), why)
            }
            Err(error) if error.kind == ErrorKind::Ambiguous && asked + 1 < ASKS_MAX => {
                ctx.warn(format!("{error}; it is looked for"));
                self.wait(&planned(asked + 1, 0), error.message)
            }
            Err(error) => Err(error),
        }
    }

    async fn seen(&self, client: &Client, update: &str) -> TaskResult<Option<Seen>> {
        let id = self.id();
        let reply = client
            .get("/api/2.0/pipelines/{}/updates/{}", &[id, update])
            .answers(&[400, 404])
            .doing(format!(
                "look at update {update} of Databricks pipeline {id}"
            ))
            .expects_json()
            .send()
            .await?;
        if reply.is_success() {
            return Ok(Some(reply.json::<One>()?.update));
        }
        if is_missing(&reply) {
            return Ok(None);
        }
        Err(TaskError::permanent(format!(
            "look at update {update} of Databricks pipeline {id}: {}",
            reply.said().message
        )))
    }

    /// Why an update failed, in the pipeline's own words.
    async fn why(&self, ctx: &TaskContext, client: &Client, update: &str) -> String {
        let id = self.id();
        let events: TaskResult<Events> = client
            .get("/api/2.0/pipelines/{}/events", &[id])
            .query("max_results", PAGE)
            .doing(format!("read the events of Databricks pipeline {id}"))
            .send_json()
            .await;
        let events = match events {
            Ok(events) => events.events,
            Err(error) => {
                ctx.warn(error.to_string());
                return String::new();
            }
        };
        let of_it = events
            .iter()
            .filter(|event| event.origin.update_id == update);
        let lines: Vec<&str> = of_it
            .clone()
            .map(|event| event.message.as_str())
            .rev()
            .collect();
        remote::tell(ctx, "pipeline", &lines.join("\n"));
        let bad = of_it.filter(|event| event.level == "ERROR");
        let mut said = bad.map(|event| {
            let exception = event.error.exceptions.first();
            exception
                .and_then(|exception| exception.message.clone())
                .unwrap_or_else(|| event.message.clone())
        });
        // The first of them says what led to the rest.
        said.next_back().unwrap_or_default()
    }

    async fn look(
        &self,
        ctx: &TaskContext,
        client: &Client,
        update: &str,
    ) -> TaskResult<Outcome<DatabricksUpdated>> {
        let what = format!("update {update} of Databricks pipeline {}", self.id());
        let seen = match remote::look(ctx, || self.seen(client, update)).await {
            Err(error) if error.kind.is_retried() => {
                return self.wait(&Step::Update(update.to_owned()), error.message);
            }
            seen => seen?,
        };
        let Some(seen) = seen else {
            let message = format!("{what} is not there any more");
            return Ok(Outcome::Failed(TaskError::lost(message)));
        };
        if !seen.has_ended() {
            ctx.progress(0.0, &seen.state);
            let why = format!("{what} is {}", seen.state);
            return self.wait(&Step::Update(update.to_owned()), why);
        }
        let why = self.why(ctx, client, update).await;
        let message = format!("{what} is {}: {why}", seen.state);
        Ok(match seen.state.as_str() {
            "COMPLETED" => Outcome::Done(DatabricksUpdated {
                pipeline_id: self.id().to_owned(),
                update_id: update.to_owned(),
            }),
            "CANCELED" => Outcome::Failed(TaskError::cancelled(message)),
            _ => Outcome::Failed(TaskError::transient(message)),
        })
    }
}

impl Operator for DatabricksPipeline {
    const NAME: &'static str = "databricks_pipeline";
    type Output = DatabricksUpdated;

    fn touches(&self) -> Touches {
        Touches::nothing().connection(&self.at.connection)
    }

    /// Notes which update is the newest. Only when that is on record, with the handle, anything is asked for.
    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<DatabricksUpdated>> {
        let client = self.at.open(ctx).await?;
        let newest = self.updates(&client).await?.into_iter().next();
        let step = Step::Planned {
            before: newest.map(|update| update.update_id),
            asked: 0,
            looked: 0,
        };
        self.wait_for(&step, Duration::ZERO, "an update is asked for next")
    }

    /// What may pass is waited for: an attempt that ended would forget what it noted, and the next could ask again for what
    /// is under way.
    async fn resume(
        &self,
        ctx: &TaskContext,
        handle: Value,
    ) -> TaskResult<Outcome<DatabricksUpdated>> {
        let step: Step = serde_json::from_value(handle).or_permanent("read how far it is")?;
        let client = match self.at.open(ctx).await {
            Err(error) if error.kind.is_retried() => return self.wait(&step, error.message),
            client => client?,
        };
        match step {
            Step::Planned {
                before,
                asked,
                looked,
            } => self.ask(ctx, &client, (before, asked, looked)).await,
            Step::Update(update) => self.look(ctx, &client, &update).await,
        }
    }

    /// Without a handle nothing was asked for.
    async fn cancel(&self, ctx: &TaskContext, handle: Option<Value>) -> TaskResult<()> {
        let Some(handle) = handle else {
            return Ok(());
        };
        let client = self.at.open(ctx).await?;
        let step: Step = serde_json::from_value(handle).or_permanent("read how far it is")?;
        let update = match step {
            Step::Planned { before, .. } => self.ours(&client, before.as_deref()).await?,
            Step::Update(update) => self.seen(&client, &update).await?,
        };
        // What is stopped is the update that is active, which has to be this one.
        if update.is_none_or(|update| update.has_ended()) {
            return Ok(());
        }
        let id = self.id();
        client
            .post("/api/2.0/pipelines/{}/stop", &[id])
            .json(&json!({}))
            .repeatable()
            .doing(format!("stop the update of Databricks pipeline {id}"))
            .send()
            .await
            .map(drop)
    }
}
