//! Runs, whatever launched them: looked at, repaired, read, cancelled.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_core::operator::{ErrorKind, Level, Poll, TaskContext, TaskError, TaskResult};

use super::DatabricksRan;
use crate::http::{Client, Reply};
use crate::remote;

/// Of a run with more tasks no more outputs are fetched.
const OUTPUTS_MAX: usize = 50;
/// A longer output is cut.
const OUTPUT_BYTES_MAX: usize = 64 << 10;

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Run {
    pub(super) run_id: u64,
    #[serde(default)]
    pub(super) job_id: u64,
    #[serde(default)]
    pub(super) run_name: String,
    #[serde(default)]
    pub(super) run_page_url: String,
    #[serde(default)]
    state: State,
    #[serde(default)]
    status: Status,
    #[serde(default)]
    tasks: Vec<Part>,
    #[serde(default)]
    repair_history: Vec<Repair>,
}

/// The older form.
#[derive(Debug, Clone, Default, Deserialize)]
struct State {
    #[serde(default)]
    life_cycle_state: String,
    #[serde(default)]
    result_state: String,
    #[serde(default)]
    state_message: String,
}

/// The newer form.
#[derive(Debug, Clone, Default, Deserialize)]
struct Status {
    #[serde(default)]
    state: String,
    #[serde(default)]
    termination_details: Termination,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Termination {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Part {
    run_id: u64,
    #[serde(default)]
    task_key: String,
    #[serde(default)]
    state: State,
}

#[derive(Debug, Clone, Deserialize)]
struct Repair {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    notebook_output: Notebook,
    #[serde(default)]
    logs: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_trace: String,
}

#[derive(Default, Deserialize)]
struct Notebook {
    #[serde(default)]
    result: String,
}

impl Run {
    fn has_ended(&self) -> bool {
        matches!(
            self.state.life_cycle_state.as_str(),
            "TERMINATED" | "SKIPPED" | "INTERNAL_ERROR"
        ) || self.status.state == "TERMINATED"
    }

    /// In one word.
    fn word(&self) -> &str {
        let words = [
            &self.state.result_state,
            &self.state.life_cycle_state,
            &self.status.termination_details.code,
            &self.status.state,
        ];
        words
            .into_iter()
            .find(|word| !word.is_empty())
            .map_or("unknown", String::as_str)
    }

    fn is_good(&self) -> bool {
        matches!(self.word(), "SUCCESS" | "SUCCESS_WITH_FAILURES")
    }

    fn repairs(&self) -> impl Iterator<Item = &Repair> {
        self.repair_history
            .iter()
            .filter(|repair| repair.kind == "REPAIR")
    }

    /// Why it ended badly.
    fn error(&self, why: &str) -> TaskError {
        let termination = &self.status.termination_details;
        let said = [why, &self.state.state_message, &termination.message];
        let said = said.into_iter().find(|text| !text.is_empty()).unwrap_or("");
        let message = format!("Databricks run {} is {}: {said}", self.run_id, self.word());
        let error = match (termination.code.as_str(), self.word()) {
            (_, "CANCELED") | ("USER_CANCELED", _) => TaskError::cancelled(message),
            (_, "MAXIMUM_CONCURRENT_RUNS_REACHED") => TaskError::quota(message, None),
            (code, _) if code.ends_with("_EXCEEDED") => TaskError::quota(message, None),
            (
                "INVALID_CLUSTER_REQUEST"
                | "INVALID_RUN_CONFIGURATION"
                | "UNAUTHORIZED_ERROR"
                | "FEATURE_DISABLED"
                | "RESOURCE_NOT_FOUND",
                _,
            ) => TaskError::permanent(message),
            _ => TaskError::transient(message),
        };
        error.help(format!("see its page: {}", self.run_page_url))
    }
}

/// A run; none if it is not there.
pub(super) async fn find(client: &Client, run_id: u64) -> TaskResult<Option<Run>> {
    let reply = client
        .get("/api/2.2/jobs/runs/get", &[])
        .query("run_id", run_id)
        .query("include_history", true)
        .answers(&[400, 404])
        .doing(format!("look at Databricks run {run_id}"))
        .expects_json()
        .send()
        .await?;
    if reply.is_success() {
        return reply.json().map(Some);
    }
    if is_missing(&reply) {
        return Ok(None);
    }
    Err(TaskError::permanent(format!(
        "look at Databricks run {run_id}: {}",
        reply.said().message
    )))
}

/// Databricks says with 400, too, that something is not there.
pub(super) fn is_missing(reply: &Reply) -> bool {
    let said = reply.said();
    reply.status() == 404
        || said.reason == "RESOURCE_DOES_NOT_EXIST"
        || said.message.contains("does not exist")
}

/// Looks how a run stands. One that failed is repaired up to so many times: what failed runs again within it.
pub(super) async fn poll(
    ctx: &TaskContext,
    client: &Client,
    run_id: u64,
    (every, repairs): (Duration, u32),
) -> TaskResult<Poll<DatabricksRan>> {
    let Some(run) = remote::look(ctx, || find(client, run_id)).await? else {
        let message = format!("Databricks run {run_id} is not there any more");
        return Ok(Poll::Failed(
            TaskError::lost(message).help("somebody deleted it, or it is older than 60 days"),
        ));
    };
    if !run.has_ended() {
        let ended = run
            .tasks
            .iter()
            .filter(|part| !part.state.result_state.is_empty());
        let (done, of) = (count(ended.count()), count(run.tasks.len().max(1)));
        ctx.progress(done / of, run.word());
        return Ok(running(every, &run));
    }
    let (outputs, why) = outputs(ctx, client, &run).await;
    if run.is_good() {
        return Ok(Poll::Done(DatabricksRan {
            run_id,
            job_id: run.job_id,
            url: run.run_page_url.clone(),
            state: run.word().to_owned(),
            outputs,
        }));
    }
    let error = run.error(&why);
    let may =
        error.kind == ErrorKind::Transient && count(run.repairs().count()) < f64::from(repairs);
    if may && repaired(ctx, client, &run).await? {
        return Ok(running(every, &run));
    }
    Ok(Poll::Failed(error))
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn running<T>(wait: Duration, run: &Run) -> Poll<T> {
    Poll::Running {
        wait,
        progress: format!("Databricks run {} is {}", run.run_id, run.word()),
    }
}

/// Has what failed run again. It names the repair before, so that it is done once however often it is asked for. Says whether
/// the run goes on.
async fn repaired(ctx: &TaskContext, client: &Client, run: &Run) -> TaskResult<bool> {
    let run_id = run.run_id;
    let mut body = json!({ "run_id": run_id, "rerun_all_failed_tasks": true });
    if let Some(latest) = run.repairs().filter_map(|repair| repair.id).last() {
        body["latest_repair_id"] = json!(latest);
    }
    ctx.warn(format!(
        "Databricks run {run_id} failed; what failed in it runs again"
    ));
    let sent = client
        .post("/api/2.2/jobs/runs/repair", &[])
        .json(&body)
        .answers(&[400])
        .doing(format!("repair Databricks run {run_id}"))
        .send()
        .await;
    let refusal = match sent {
        Ok(reply) if reply.is_success() => return Ok(true),
        Ok(reply) => reply.said().message,
        Err(error) if error.kind == ErrorKind::Ambiguous => error.message,
        Err(error) => return Err(error),
    };
    // It may have been repaired all the same: by a request whose reply was lost, or by somebody else.
    let now = find(client, run_id).await?;
    let goes_on =
        now.is_some_and(|now| !now.has_ended() || now.repairs().count() > run.repairs().count());
    if !goes_on {
        ctx.warn(format!(
            "Databricks run {run_id} cannot be repaired: {refusal}"
        ));
    }
    Ok(goes_on)
}

/// What the tasks of a run gave, by their keys, and the first error. Logs and traces go into the task's log.
async fn outputs(
    ctx: &TaskContext,
    client: &Client,
    run: &Run,
) -> (BTreeMap<String, String>, String) {
    let mut outputs = BTreeMap::new();
    let mut first = String::new();
    for part in run.tasks.iter().take(OUTPUTS_MAX) {
        let key = &part.task_key;
        if matches!(
            part.state.result_state.as_str(),
            "UPSTREAM_FAILED" | "EXCLUDED"
        ) {
            continue;
        }
        let output = match output(client, part.run_id).await {
            Ok(output) => output,
            Err(error) => {
                ctx.warn(format!(
                    "the output of Databricks task `{key}` cannot be read: {error}"
                ));
                continue;
            }
        };
        remote::tell(ctx, key, &output.logs);
        if !output.error.is_empty() {
            ctx.log(Level::Error, format!("[{key}] {}", output.error));
            if output.error_trace != output.error {
                remote::tell(ctx, key, &output.error_trace);
            }
            if first.is_empty() {
                first = format!("task `{key}`: {}", output.error);
            }
        }
        outputs.insert(key.clone(), cut(output.notebook_output.result));
    }
    (outputs, first)
}

async fn output(client: &Client, run_id: u64) -> TaskResult<Output> {
    client
        .get("/api/2.2/jobs/runs/get-output", &[])
        .query("run_id", run_id)
        .doing(format!("read the output of Databricks run {run_id}"))
        .send_json()
        .await
}

fn cut(mut text: String) -> String {
    if text.len() > OUTPUT_BYTES_MAX {
        let mut end = OUTPUT_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}

/// Cancels a run. One that has ended, or is not there, is no error.
pub(super) async fn cancel(client: &Client, run_id: u64) -> TaskResult<()> {
    let reply = client
        .post("/api/2.2/jobs/runs/cancel", &[])
        .json(&json!({ "run_id": run_id }))
        .repeatable()
        .answers(&[400, 404])
        .doing(format!("cancel Databricks run {run_id}"))
        .send()
        .await?;
    if reply.is_success() || is_missing(&reply) || reply.said().reason == "INVALID_STATE" {
        return Ok(());
    }
    Err(TaskError::permanent(format!(
        "cancel Databricks run {run_id}: {}",
        reply.said().message
    )))
}

/// The number of the run that a request launched.
pub(super) fn launched(reply: &Value) -> TaskResult<u64> {
    reply["run_id"].as_u64().ok_or_else(|| {
        TaskError::ambiguous("Databricks took the run, and does not say which number it has")
    })
}
