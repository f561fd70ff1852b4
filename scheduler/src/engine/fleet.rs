//! The workers and the pools as people see them, and what waits for a worker that is not there.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::MapIndex;
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;

use super::lanes::{LaneKey, Order, PoolIx};
use super::machine::Engine;
use super::run::{At, Run};

/// So many of those who hold a pool are named.
const HOLDERS_MAX: usize = 200;
/// So many tasks in line are looked at for the one that waits longest: whoever looks must not hold the leader up.
const LOOKED_AT_MAX: usize = 20_000;

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
    /// How many tasks. Of very many that wait only the first are looked at one by one, and of the others those are counted, too,
    /// that do not wait any more.
    pub tasks: usize,
    /// How many workers could take them.
    pub workers: usize,
    /// Since when the one waits that goes next.
    #[serde(default)]
    pub next_since: Option<Timestamp>,
    /// Since when the one waits that waits longest, which is not always the next. Of very many only the first are looked at.
    #[serde(default)]
    pub oldest_since: Option<Timestamp>,
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
    /// Who has its slots, at most 200 of them.
    #[serde(default)]
    pub holders: Vec<PoolHolder>,
    /// How many tasks are ready and wait, for it or for a worker.
    #[serde(default)]
    pub waiting: usize,
}

/// A task that has slots of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolHolder {
    /// The DAG.
    pub dag: DagId,
    /// The run's name.
    pub run: Arc<str>,
    /// The task.
    pub task: TaskId,
    /// Which instance.
    pub index: MapIndex,
    /// How many slots it has.
    pub slots: u32,
    /// Where it stands.
    pub state: TaskState,
}

impl Engine {
    /// The pools that there are, by name. The one called `default` is always there.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolView> {
        let world = &self.world;
        let mut holders = self.pool_holders();
        let mut waiting: BTreeMap<PoolIx, usize> = BTreeMap::new();
        for (key, count) in world.lanes.waiting() {
            *waiting.entry(key.pool).or_default() += count;
        }
        for key in self.void() {
            let count = waiting.entry(key.pool).or_default();
            *count = count.saturating_sub(1);
        }
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
                    holders: holders.remove(&at).unwrap_or_default(),
                    waiting: waiting.get(&at).copied().unwrap_or_default(),
                }
            })
            .collect();
        pools.sort_by(|a, b| a.name.cmp(&b.name));
        pools
    }

    /// Who has slots of which pool: what workers run, and what they watch where deferred tasks keep their slots.
    fn pool_holders(&self) -> BTreeMap<PoolIx, Vec<PoolHolder>> {
        let world = &self.world;
        let mut held: Vec<_> = world
            .workers
            .iter()
            .flat_map(|(_, worker)| worker.held())
            .chain(world.unwatched.iter().copied())
            .collect();
        held.sort_unstable();
        let mut holders: BTreeMap<PoolIx, Vec<PoolHolder>> = BTreeMap::new();
        for (no, at) in held {
            let Some(run) = self.runs.get(&no) else {
                continue;
            };
            let pool = world.pool_of(run, at.pos);
            let keeps = world.lanes.pools[pool as usize].holds_deferred;
            let of = holders.entry(pool).or_default();
            if of.len() < HOLDERS_MAX {
                of.extend(holder(run, at).filter(|one| keeps || one.state != TaskState::Deferred));
            }
        }
        holders
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
        for key in self.void() {
            let count = counts.entry((key.plan, key.queue)).or_default();
            *count = count.saturating_sub(1);
        }
        let next = self.earliest(world.lanes.firsts());
        let waiting = world.lanes.all_waiting();
        let waiting = waiting.map(|(key, waiting)| (key, &waiting.order));
        let oldest = self.earliest(waiting.take(LOOKED_AT_MAX));
        let waiting = counts
            .into_iter()
            .filter(|(_, tasks)| *tasks > 0)
            .map(|((plan, queue), tasks)| {
                let next_since = next.get(&(plan, queue)).copied();
                let oldest_since = oldest.get(&(plan, queue)).copied().or(next_since);
                let plan = &world.plans[plan as usize];
                let of = (&plan.definition().id, &plan.version);
                let class = world.workers.known_class(queue, of);
                Waiting {
                    dag: of.0.clone(),
                    version: of.1.clone(),
                    queue: Arc::clone(world.workers.queue_name(queue)),
                    tasks,
                    workers: class.map_or(0, |class| world.workers.room(class).0),
                    next_since,
                    oldest_since,
                }
            })
            .collect();
        Fleet { workers, waiting }
    }

    /// Places in line that are worth nothing: their task was given another one, or does not wait any more. They go when their
    /// turn comes. Of very many places only the first are looked at.
    fn void(&self) -> impl Iterator<Item = &LaneKey> {
        let places = self.world.lanes.all_waiting().take(LOOKED_AT_MAX);
        places.filter_map(|(key, place)| {
            let at = At {
                pos: place.order.at,
                index: place.order.index,
            };
            let run = self.runs.get(&place.order.run);
            let slot = run.and_then(|run| run.slot(at));
            let waits = slot.is_some_and(|slot| {
                slot.state == TaskState::Scheduled && slot.ticket == place.ticket
            });
            (!waits).then_some(key)
        })
    }

    /// Since when the one of these waits that waits longest, by version and queue.
    fn earliest<'a>(
        &self,
        waiting: impl Iterator<Item = (&'a LaneKey, &'a Order)>,
    ) -> BTreeMap<(u32, u32), Timestamp> {
        let mut earliest: BTreeMap<(u32, u32), Timestamp> = BTreeMap::new();
        for (key, order) in waiting {
            let at = At {
                pos: order.at,
                index: order.index,
            };
            let run = self.runs.get(&order.run);
            // What no longer waits is still in line until its turn.
            let slot = run.and_then(|run| run.slot(at));
            let slot = slot.filter(|slot| slot.state == TaskState::Scheduled);
            if let Some(since) = slot.and_then(|slot| slot.since.get()) {
                let known = earliest.entry((key.plan, key.queue)).or_insert(since);
                *known = since.min(*known);
            }
        }
        earliest
    }
}

fn holder(run: &Run, at: At) -> Option<PoolHolder> {
    let definition = run.plan.definition();
    Some(PoolHolder {
        dag: definition.id.clone(),
        run: Arc::from(&*run.name),
        task: run.plan.spec(at.pos).id.clone(),
        index: at.index,
        slots: run.plan.task(at.pos).slots,
        state: run.slot(at)?.state,
    })
}
