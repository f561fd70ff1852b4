//! Waiting for a job without holding a slot.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::operator::{Outcome, TaskContext, TaskError, TaskResult};

use super::client::BigQuery;
use super::job::{Job, JobAt, JobState};

/// How long to wait before each look at a job; the last for all that follow.
const WAITS: [u64; 9] = [1, 1, 2, 3, 5, 8, 13, 20, 30];
/// A job that cannot be found so often, over so long, is lost.
const MISSING_MAX: u32 = 3;
const MISSING_FOR: TimeDelta = TimeDelta::seconds(60);
const MISSING_WAIT: Duration = Duration::from_secs(30);

/// What an operator needs to go on: the job it waits for, and where in its own steps it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Waiting<S> {
    pub(super) job: JobAt,
    pub(super) step: S,
    since: DateTime<Utc>,
    looks: usize,
    /// Since when it cannot be found, and how often it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing: Option<(DateTime<Utc>, u32)>,
}

/// How a job stands.
pub(super) enum Stands<S> {
    /// Look again later.
    Waits(Waiting<S>, Duration, String),
    /// It has ended well.
    Done(Job),
    /// It has ended badly.
    Failed(Job, TaskError),
    /// It is not there any more.
    Lost(TaskError),
}

impl<S: Serialize> Waiting<S> {
    pub(super) fn new(ctx: &TaskContext, job: &Job, step: S) -> Self {
        Self {
            job: job.at().clone(),
            step,
            since: ctx.now(),
            looks: 0,
            missing: None,
        }
    }

    /// The outcome of an attempt that has just launched the job.
    pub(super) fn first<T>(self, why: &str) -> TaskResult<Outcome<T>> {
        let why = format!("{why}: {}", self.job.link());
        // One that has ended already need not be waited for.
        self.deferred(Duration::from_secs(WAITS[0]), why)
    }

    /// The outcome of an attempt that waits for it.
    pub(super) fn deferred<T>(self, wait: Duration, why: String) -> TaskResult<Outcome<T>> {
        let handle = serde_json::to_value(self)?;
        Ok(Outcome::Deferred { handle, wait, why })
    }

    /// Looks at the job.
    pub(super) async fn look(mut self, ctx: &TaskContext, bq: &BigQuery) -> TaskResult<Stands<S>> {
        let Some(job) = bq.job(&self.job).await? else {
            return Ok(self.not_found(ctx));
        };
        self.missing = None;
        if job.state() == JobState::Done {
            return Ok(match job.failure() {
                None => Stands::Done(job),
                Some(error) => Stands::Failed(job, error),
            });
        }
        self.looks = self.looks.saturating_add(1);
        let wait = WAITS
            .get(self.looks)
            .or(WAITS.last())
            .copied()
            .unwrap_or(30);
        let seconds = ctx.now().signed_duration_since(self.since).num_seconds();
        let how = match job.state() {
            JobState::Pending => "waits for its turn",
            _ => "runs",
        };
        let link = self.job.link();
        let why = format!(
            "{} job {} {how}, {seconds} s: {link}",
            job.kind(),
            self.job.id
        );
        Ok(Stands::Waits(self, Duration::from_secs(wait), why))
    }

    fn not_found(mut self, ctx: &TaskContext) -> Stands<S> {
        let now = ctx.now();
        let (first, count) = self.missing.unwrap_or((now, 0));
        let (count, at) = (count + 1, &self.job);
        if count >= MISSING_MAX && now.signed_duration_since(first) >= MISSING_FOR {
            return Stands::Lost(TaskError::lost(format!(
                "job {at} was launched and cannot be found any more: somebody deleted it, or it is looked for in another location"
            )));
        }
        let why = format!("job {at} cannot be found; it is looked for again");
        self.missing = Some((first, count));
        Stands::Waits(self, MISSING_WAIT, why)
    }
}

/// What an operator waits for, from its handle.
pub(super) fn waiting<S: serde::de::DeserializeOwned>(handle: Value) -> TaskResult<Waiting<S>> {
    serde_json::from_value(handle).map_err(|error| {
        TaskError::permanent(format!("its handle does not fit this build: {error}"))
            .help("the operator changed since the task began; clear the task")
    })
}

/// Asks the job of an attempt to end: that of its handle, or the one under its key.
pub(super) async fn release(
    ctx: &TaskContext,
    bq: &BigQuery,
    handle: Option<Value>,
    location: Option<&str>,
) -> TaskResult<()> {
    let key = ctx.launch_key().as_str();
    let at = match (handle, location) {
        (Some(handle), _) => Some(waiting::<Value>(handle)?.job),
        (None, Some(location)) => Some(bq.at(key, Some(location))),
        // A worker died before it could say where its job runs.
        (None, None) => bq.active(key).await?,
    };
    match at {
        Some(at) => bq.cancel(&at).await,
        None => Ok(()),
    }
}
