//! The workers and the pools as people see them, and what waits for a worker that is not there.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidemill_core::id::DagId;
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;

use super::machine::Engine;

/// The workers, and what waits for them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fleet {
    /// Those that are there, by name.
    pub workers: Vec<WorkerView>,
    /// What waits, by queue and version.
    pub waiting: Vec<Waiting>,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerView {
    /// Its name.
    pub name: Arc<str>,
    /// What it was built from.
    pub build: Arc<str>,
    /// How many attempts it runs at once.
    pub slots: u32,
    /// How many it runs.
    pub used: u32,
    /// How many attempts it has in all, those that it only watches included.
    pub holds: usize,
    /// Whether it takes nothing new.
    pub draining: bool,
    /// The queues that it serves.
    pub queues: Vec<Arc<str>>,
    /// What else it says about itself, for people.
    #[serde(default)]
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// How many DAG versions it holds.
    pub versions: usize,
    /// When its silence is too long.
    pub lease_until: Timestamp,
}

/// Tasks that are ready and wait for a worker of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The DAG.
    pub dag: DagId,
    /// Its version.
    pub version: Version,
    /// The queue.
    pub queue: Arc<str>,
    /// How many tasks.
    pub tasks: usize,
    /// How many workers could take them.
    pub workers: usize,
}

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolView {
    /// Its name.
    pub name: Arc<str>,
    /// How many slots it has; none for any number.
    pub slots: Option<u32>,
    /// How many are taken. None if nobody knows, because no scheduler was asked.
    #[serde(default)]
    pub used: Option<u32>,
    /// Whether deferred tasks keep their slots.
    pub holds_deferred: bool,
    /// Whether it gives none.
    pub paused: bool,
    /// How often people changed it.
    pub edits: u32,
    /// What it is for, for people. An older scheduler says none.
    #[serde(default)]
    pub note: Option<Arc<str>>,
}

impl Engine {
    /// The pools that there are, by name. The one called `default` is always there.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolView> {
        let world = &self.world;
        let there = (0..)
            .zip(&world.lanes.pools)
            .filter(|(_, pool)| pool.exists);
        let mut pools: Vec<PoolView> = there
            .map(|(at, pool)| {
                let row = world.pool_row(at);
                PoolView {
                    name: row.name,
                    slots: row.slots,
                    used: Some(pool.gate.used),
                    holds_deferred: row.holds_deferred,
                    paused: row.paused,
                    edits: row.edits,
                    note: row.note,
                }
            })
            .collect();
        pools.sort_by(|a, b| a.name.cmp(&b.name));
        pools
    }

    /// The workers that are there, and what waits for them. It looks at all that waits.
    #[must_use]
    pub fn fleet(&self) -> Fleet {
        let world = &self.world;
        let up = world.workers.iter().filter(|(_, worker)| worker.up);
        let mut workers: Vec<WorkerView> = up
            .map(|(_, worker)| {
                let (queues, versions) = world.workers.serves(worker);
                WorkerView {
                    name: Arc::clone(&worker.name),
                    build: Arc::clone(&worker.build),
                    slots: worker.slots,
                    used: worker.used,
                    holds: worker.holds.len(),
                    draining: worker.draining,
                    queues,
                    labels: worker.labels.clone(),
                    versions,
                    lease_until: worker.lease_until,
                }
            })
            .collect();
        workers.sort_by(|a, b| a.name.cmp(&b.name));
        let mut counts: BTreeMap<(u32, u32), usize> = BTreeMap::new();
        for (key, waiting) in world.lanes.waiting() {
            *counts.entry((key.plan, key.queue)).or_default() += waiting;
        }
        let waiting = counts
            .into_iter()
            .filter(|(_, tasks)| *tasks > 0)
            .map(|((plan, queue), tasks)| {
                let plan = &world.plans[plan as usize];
                let of = (&plan.definition().id, &plan.version);
                let class = world.workers.known_class(queue, of);
                Waiting {
                    dag: of.0.clone(),
                    version: of.1.clone(),
                    queue: Arc::clone(world.workers.queue_name(queue)),
                    tasks,
                    workers: class.map_or(0, |class| world.workers.room(class).0),
                }
            })
            .collect();
        Fleet { workers, waiting }
    }
}
