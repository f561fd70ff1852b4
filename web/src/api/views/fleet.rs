//! Pools and workers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_core::id::DagId;
use tidemill_core::protocol::{MapIndex, NOT_MAPPED};
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;
use tidemill_scheduler::engine;
use tidemill_store::record::PoolRow;
use utoipa::ToSchema;

use super::TouchView;

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolView {
    /// Its name.
    pub name: String,
    /// How many slots it has; null for any number.
    pub slots: Option<u32>,
    /// Whether deferred tasks keep their slots.
    pub holds_deferred: bool,
    /// Whether it gives none.
    pub paused: bool,
    /// What it is for.
    pub note: Option<String>,
    /// Grows with every change; the `ETag`.
    pub edits: u32,
    /// The last change by a person.
    pub touched: Option<TouchView>,
    /// How many slots are taken; null while nobody leads.
    #[serde(default)]
    pub used: Option<u32>,
    /// How many tasks wait for one; null while nobody leads.
    #[serde(default)]
    pub waiting: Option<usize>,
    /// Who has slots, those that whoever asks may know of.
    #[serde(default)]
    pub holders: Vec<PoolHolderView>,
}

/// A task that has slots of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolHolderView {
    /// The DAG.
    #[schema(value_type = String)]
    pub dag: DagId,
    /// The name of the run.
    pub run: String,
    /// The task.
    pub task: String,
    /// Which instance of a mapped task; null for a task as a whole.
    pub index: Option<MapIndex>,
    /// How many slots.
    pub slots: u32,
    /// Where the task stands.
    #[schema(value_type = String)]
    pub state: TaskState,
}

impl PoolView {
    /// As the leader knows it; `row` as it was set, `sees` says which DAGs whoever asks may know of.
    #[must_use]
    pub fn of(
        pool: engine::PoolView,
        row: Option<&PoolRow>,
        sees: impl Fn(&DagId) -> bool,
    ) -> Self {
        let touched = row.and_then(|row| row.touched.as_ref());
        let holders = pool.holders.into_iter().filter(|one| sees(&one.dag));
        let holder = |one: engine::PoolHolder| PoolHolderView {
            dag: one.dag,
            run: one.run.to_string(),
            task: one.task.to_string(),
            index: (one.index != NOT_MAPPED).then_some(one.index),
            slots: one.slots,
            state: one.state,
        };
        Self {
            name: pool.name.to_string(),
            slots: pool.slots,
            holds_deferred: pool.holds_deferred,
            paused: pool.paused,
            note: super::text(&pool.note),
            edits: pool.edits,
            touched: touched.map(Into::into),
            used: pool.used,
            waiting: Some(pool.waiting),
            holders: holders.map(holder).collect(),
        }
    }
}

impl From<PoolRow> for PoolView {
    fn from(row: PoolRow) -> Self {
        Self {
            name: row.name.to_string(),
            slots: row.slots,
            holds_deferred: row.holds_deferred,
            paused: row.paused,
            note: super::text(&row.note),
            edits: row.edits,
            touched: row.touched.as_ref().map(Into::into),
            used: None,
            waiting: None,
            holders: Vec::new(),
        }
    }
}

impl PoolView {
    /// As the leader knows it, without who has slots.
    #[must_use]
    pub fn pool(self) -> engine::PoolView {
        engine::PoolView {
            name: self.name.into(),
            slots: self.slots,
            used: self.used,
            holds_deferred: self.holds_deferred,
            paused: self.paused,
            edits: self.edits,
            note: self.note.map(Into::into),
            holders: Vec::new(),
            waiting: self.waiting.unwrap_or_default(),
        }
    }

    /// As the database has it.
    #[must_use]
    pub fn row(self) -> PoolRow {
        PoolRow {
            name: self.name.into(),
            slots: self.slots,
            holds_deferred: self.holds_deferred,
            paused: self.paused,
            note: self.note.map(Into::into),
            edits: self.edits,
            touched: self.touched.map(Into::into),
        }
    }
}

/// The workers, and what waits for one that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FleetView {
    /// Those that are there, by name.
    pub workers: Vec<WorkerView>,
    /// What waits, by queue and version.
    pub waiting: Vec<WaitingView>,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerView {
    /// Its name.
    pub name: String,
    /// What it was built from.
    pub build: String,
    /// How many attempts it runs at once.
    pub slots: u32,
    /// How many it runs.
    pub used: u32,
    /// How many attempts it has in all, those that it only watches included.
    pub holds: usize,
    /// Whether it takes nothing new.
    pub draining: bool,
    /// The queues that it serves.
    pub queues: Vec<String>,
    /// What else it says about itself.
    pub labels: BTreeMap<String, String>,
    /// How many DAG versions it holds.
    pub versions: usize,
    /// When its silence is too long.
    #[schema(value_type = String, format = DateTime)]
    pub lease_until: Timestamp,
}

/// Tasks that are ready and wait for a worker of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingView {
    /// The DAG.
    #[schema(value_type = String)]
    pub dag: DagId,
    /// Its version.
    #[schema(value_type = String)]
    pub version: Version,
    /// The queue.
    pub queue: String,
    /// How many tasks.
    pub tasks: usize,
    /// How many workers could take them.
    pub workers: usize,
    /// Since when the one waits that goes next.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_since: Option<Timestamp>,
    /// Since when the one waits that waits longest.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub oldest_since: Option<Timestamp>,
}

impl From<engine::WorkerView> for WorkerView {
    fn from(worker: engine::WorkerView) -> Self {
        let label = |(key, value): (&std::sync::Arc<str>, &std::sync::Arc<str>)| {
            (key.to_string(), value.to_string())
        };
        Self {
            name: worker.name.to_string(),
            build: worker.build.to_string(),
            slots: worker.slots,
            used: worker.used,
            holds: worker.holds,
            draining: worker.draining,
            queues: worker.queues.iter().map(ToString::to_string).collect(),
            labels: worker.labels.iter().map(label).collect(),
            versions: worker.versions,
            lease_until: worker.lease_until,
        }
    }
}

impl From<engine::Waiting> for WaitingView {
    fn from(waiting: engine::Waiting) -> Self {
        Self {
            dag: waiting.dag,
            version: waiting.version,
            queue: waiting.queue.to_string(),
            tasks: waiting.tasks,
            workers: waiting.workers,
            next_since: waiting.next_since,
            oldest_since: waiting.oldest_since,
        }
    }
}

impl FleetView {
    /// As the leader says it.
    #[must_use]
    pub fn fleet(self) -> engine::Fleet {
        let worker = |worker: WorkerView| engine::WorkerView {
            name: worker.name.into(),
            build: worker.build.into(),
            slots: worker.slots,
            used: worker.used,
            holds: worker.holds,
            draining: worker.draining,
            queues: worker.queues.into_iter().map(Into::into).collect(),
            labels: worker
                .labels
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
            versions: worker.versions,
            lease_until: worker.lease_until,
        };
        let waiting = |waiting: WaitingView| engine::Waiting {
            dag: waiting.dag,
            version: waiting.version,
            queue: waiting.queue.into(),
            tasks: waiting.tasks,
            workers: waiting.workers,
            next_since: waiting.next_since,
            oldest_since: waiting.oldest_since,
        };
        engine::Fleet {
            workers: self.workers.into_iter().map(worker).collect(),
            waiting: self.waiting.into_iter().map(waiting).collect(),
        }
    }
}
