//! Streaming jobs: messages of Pub/Sub on their way into tables and files, as Dataflow's own templates move them.
//!
//! Each message is in its table exactly once, whatever is killed when. A batch is read from the subscription, made ready (rows
//! are written to files that belong to nobody yet), and then written down: its identifier, its messages, where they go. Only
//! then objects are written, under names that follow from the identifier, and tables are changed, each in one step that leaves
//! the identifier on the table as a stamp. Only when all of that is done the messages are acknowledged and the batch is crossed
//! out. After a kill the batch that is still written down is done again: objects are written over, a table that bears the stamp
//! has the rows already and is left alone. The stamp is of the same rename as the rows, so there is no moment between the two.
//!
//! A step runs to its end on a thread of its own: a job that is cancelled, drained or replaced leaves no batch in the middle.

mod batch;
mod dead;
#[cfg(test)]
mod kill;
mod spec;
mod step;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill_warehouse::tables::{TableError, TableId};

use crate::jobs::{ProgramError, ProgramRun};
use crate::services::Pubsub;
use crate::shelf::Shelf;
use crate::state::Clock;
use batch::Batch;
use spec::Spec;
use step::Step;

/// How long messages are gathered before a batch that is not full.
const GATHER: Duration = Duration::from_millis(150);
/// How long it rests if nothing comes: messages whose deadline is over come back without a word.
const REST: Duration = Duration::from_secs(1);

/// Dataflow's templates that are these jobs.
const TEMPLATES: [&str; 7] = [
    "PubSub_Subscription_to_BigQuery",
    "PubSub_to_BigQuery",
    "PubSub_to_BigQuery_Flex",
    "PubSub_Subscription_to_BigQuery_Flex",
    "Cloud_PubSub_to_GCS_Text",
    "Cloud_PubSub_to_GCS_Text_Flex",
    "Cloud_PubSub_Subscription_to_GCS_Text",
];

/// Whether a name is that of one of Dataflow's templates that are there.
pub(crate) fn known(name: &str) -> bool {
    TEMPLATES.contains(&name)
}

/// Why messages wait.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error("{0} is not there; its messages wait until somebody makes it")]
    NoTable(TableId),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("{0}")]
    Storage(String),
    #[error("the streaming job's state cannot be written: {0}")]
    Disk(#[from] io::Error),
    #[error("a step of the streaming job ended early: {0}")]
    Step(#[from] tokio::task::JoinError),
}

/// What a job has moved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    subscription: String,
    /// The subscription was made for the job.
    made: bool,
    elements: u64,
    bytes: u64,
    rows: u64,
    files: u64,
    dead: u64,
    /// The batch that was counted last.
    last: String,
    /// When the newest message that was moved was published.
    newest: Option<DateTime<Utc>>,
}

/// What streaming jobs keep beside their jobs.
pub(crate) struct Streams {
    /// The batch that is under way, by subscription.
    pending: Shelf<Batch>,
    /// By job.
    counts: Shelf<Counts>,
    /// One step at a time for each subscription.
    alone: Mutex<BTreeMap<String, Arc<Mutex<()>>>>,
    /// Held by every step.
    busy: Arc<tokio::sync::RwLock<()>>,
    next: AtomicU64,
}

impl Streams {
    pub(crate) fn open(folder: &Path, clock: &Clock) -> io::Result<Self> {
        // Identifiers of batches never come again.
        let first = u64::try_from(clock().timestamp_micros()).unwrap_or(0);
        Ok(Self {
            pending: Shelf::open(&folder.join("streams.jsonl"))?,
            counts: Shelf::open(&folder.join("counts.jsonl"))?,
            alone: Mutex::default(),
            busy: Arc::default(),
            next: AtomicU64::new(first),
        })
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn alone(&self, subscription: &str) -> Arc<Mutex<()>> {
        let mut alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(alone.entry(subscription.to_owned()).or_default())
    }

    /// Ends when no step is under way.
    pub(crate) async fn idle(&self) {
        drop(self.busy.write().await);
    }

    /// A job that is not replaced by another has ended: what was made for it goes.
    pub(crate) fn ended(&self, pubsub: &Pubsub, job: &str) {
        if let Some(counts) = self.counts.get(job).filter(|counts| counts.made)
            && let Err(error) = pubsub.unsubscribe(&counts.subscription)
        {
            tracing::warn!("{} cannot be removed: {error}", counts.subscription);
        }
    }

    /// Nobody asks for a job any more.
    pub(crate) fn forget(&self, job: &str) {
        if let Err(error) = self.counts.remove(job) {
            tracing::warn!("what {job} moved cannot be forgotten: {error}");
        }
    }

    /// Elements, backlog and freshness of a job, by the names of metrics.
    pub(crate) fn metrics(
        &self,
        pubsub: &Pubsub,
        job: &str,
        now: DateTime<Utc>,
    ) -> Option<Vec<(&'static str, Value)>> {
        let counts = self.counts.get(job)?;
        let (backlog, oldest) = pubsub.backlog(&counts.subscription);
        // With nothing to do the watermark is the present.
        let watermark = oldest.unwrap_or(now).min(now);
        let age = (now - watermark).num_milliseconds().max(0);
        let seconds = json!(age as f64 / 1_000.0);
        Some(vec![
            ("ElementCount", json!(counts.elements)),
            ("ElementBytes", json!(counts.bytes)),
            ("rows_written", json!(counts.rows)),
            ("files_written", json!(counts.files)),
            ("dead_letters", json!(counts.dead)),
            ("backlog_elements", json!(backlog)),
            ("data_watermark_age", seconds.clone()),
            ("system_lag", seconds),
            (
                "windmill-data-watermark",
                json!(watermark.timestamp_micros()),
            ),
        ])
    }
}

/// Moves messages until it is drained; what it gives is what it has moved.
pub(crate) async fn run(mut run: ProgramRun, file: Option<PathBuf>) -> Result<Value, ProgramError> {
    let beside = Arc::clone(run.beside());
    let (spec, notes) = Spec::read(&run, file.as_deref())?;
    let wrong = |error: StreamError| ProgramError(error.to_string());
    spec.begin(&beside, run.job())?;
    notes.iter().for_each(|note| run.log(note));
    run.log(&format!("reading {}", spec.subscription));
    let mut changes = beside.pubsub.changed();
    let (mut draining, mut told) = (false, String::new());
    loop {
        changes.mark_unchanged();
        let wait = match step::step(&beside, run.job(), &spec, draining).await {
            Ok(Step::Nothing) if draining => break,
            Ok(Step::Nothing) => REST,
            Ok(Step::Moved { full }) => {
                told.clear();
                if full || draining {
                    Duration::ZERO
                } else {
                    GATHER
                }
            }
            Err(error) => {
                let error = wrong(error);
                if told != error.0 {
                    told.clone_from(&error.0);
                    run.complain(&told);
                }
                REST
            }
        };
        let idle = wait == REST && told.is_empty();
        tokio::select! {
            () = run.drained(), if !draining => draining = true,
            () = tokio::time::sleep(wait) => {}
            _ = changes.changed(), if idle => tokio::time::sleep(GATHER).await,
        }
    }
    let counts = beside.streams.counts.get(run.job()).unwrap_or_default();
    Ok(json!({
        "elements": counts.elements, "rows": counts.rows, "files": counts.files, "dead_letters": counts.dead,
    }))
}
