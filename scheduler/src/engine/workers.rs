//! The workers that are there: what they hold, what they can take.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use tidemill_core::id::DagId;
use tidemill_core::protocol::{AttemptNo, Hello, RunNo};
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;

use super::fast::{FastMap, FastSet};
use super::lanes::{ClassIx, Room};
use super::run::At;

/// A worker's number; it keeps it when it comes back.
pub(super) type WorkerIx = NonZeroU32;

/// A worker.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) name: Arc<str>,
    pub(super) build: Arc<str>,
    pub(super) labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Whether it knows what a person wants when it is told to rest.
    pub(super) hears_drain: bool,
    pub(super) slots: u32,
    pub(super) used: u32,
    fleet: Option<u32>,
    /// Whether it is there: it said hello and was not silent for too long since.
    pub(super) up: bool,
    pub(super) draining: bool,
    /// When its silence has been too long.
    pub(super) lease_until: Timestamp,
    /// The attempts it holds.
    pub(super) holds: FastSet<(RunNo, At)>,
    /// The attempts it is to stop, and has not yet.
    pub(super) stops: BTreeSet<AttemptNo>,
}

impl Worker {
    /// The attempts it holds, in order.
    pub(super) fn held(&self) -> Vec<(RunNo, At)> {
        let mut held: Vec<_> = self.holds.iter().copied().collect();
        held.sort_unstable();
        held
    }

    fn free(&self) -> u32 {
        if self.up && !self.draining {
            self.slots.saturating_sub(self.used)
        } else {
            0
        }
    }
}

/// Workers that hold the same versions and serve the same queues.
#[derive(Debug)]
struct Fleet {
    versions: Arc<BTreeSet<(DagId, Version)>>,
    queues: Vec<Arc<str>>,
    workers: Vec<WorkerIx>,
}

/// The workers that can take a version in a queue.
#[derive(Debug, Default)]
struct Class {
    fleets: Vec<u32>,
    workers: Vec<WorkerIx>,
    free: u32,
    /// Whose turn it is.
    next: usize,
}

/// The workers that are there.
#[derive(Debug, Default)]
pub(super) struct Workers {
    all: Vec<Worker>,
    by_name: FastMap<Arc<str>, WorkerIx>,
    fleets: Vec<Fleet>,
    classes: Vec<Class>,
    class_of_fleets: BTreeMap<Vec<u32>, ClassIx>,
    /// The class of a version in a queue; worked out again when a fleet is new.
    class_of: FastMap<(u32, u32), ClassIx>,
    queues: Vec<Arc<str>>,
}

impl Room for Workers {
    fn has_room(&self, class: ClassIx) -> bool {
        self.classes
            .get(class as usize)
            .is_some_and(|class| class.free > 0)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "there are not four thousand million workers"
)]
impl Workers {
    pub(super) fn get(&self, at: WorkerIx) -> &Worker {
        &self.all[at.get() as usize - 1]
    }

    pub(super) fn get_mut(&mut self, at: WorkerIx) -> &mut Worker {
        &mut self.all[at.get() as usize - 1]
    }

    pub(super) fn name(&self, number: u32) -> Option<Arc<str>> {
        let at = (number as usize).checked_sub(1)?;
        self.all.get(at).map(|worker| Arc::clone(&worker.name))
    }

    pub(super) fn find(&self, name: &str) -> Option<WorkerIx> {
        self.by_name.get(name).copied()
    }

    /// The queues that a worker serves, and how many versions it holds.
    pub(super) fn serves(&self, worker: &Worker) -> (Vec<Arc<str>>, usize) {
        let fleet = worker.fleet.map(|fleet| &self.fleets[fleet as usize]);
        fleet.map_or((Vec::new(), 0), |fleet| {
            (fleet.queues.clone(), fleet.versions.len())
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (WorkerIx, &Worker)> {
        let numbers = (1..).filter_map(NonZeroU32::new);
        numbers.zip(&self.all)
    }

    /// The number of a worker with this name, which may not be there any more, or not yet again.
    pub(super) fn known(&mut self, name: &Arc<str>, now: Timestamp) -> WorkerIx {
        if let Some(at) = self.by_name.get(name) {
            return *at;
        }
        self.all.push(Worker {
            name: Arc::clone(name),
            build: "".into(),
            labels: BTreeMap::new(),
            hears_drain: false,
            slots: 0,
            used: 0,
            fleet: None,
            up: false,
            draining: false,
            lease_until: now,
            holds: FastSet::default(),
            stops: BTreeSet::new(),
        });
        let at = NonZeroU32::new(self.all.len() as u32).unwrap_or(NonZeroU32::MIN);
        self.by_name.insert(Arc::clone(name), at);
        at
    }

    /// A worker says what it is. Returns whether the classes changed.
    pub(super) fn hello(
        &mut self,
        hello: &Hello,
        now: Timestamp,
        until: Timestamp,
    ) -> (WorkerIx, bool) {
        let at = self.known(&hello.worker, now);
        self.leave_fleet(at);
        let mut queues = hello.queues.clone();
        queues.sort_unstable();
        queues.dedup();
        let versions: BTreeSet<_> = hello.versions.iter().cloned().collect();
        let same = |fleet: &Fleet| fleet.queues == queues && *fleet.versions == versions;
        let known = self.fleets.iter().position(same);
        let fleet = known.unwrap_or_else(|| {
            self.fleets.push(Fleet {
                versions: Arc::new(versions),
                queues,
                workers: Vec::new(),
            });
            self.fleets.len() - 1
        });
        self.fleets[fleet].workers.push(at);
        let worker = self.get_mut(at);
        worker.fleet = Some(fleet as u32);
        worker.build = Arc::clone(&hello.build);
        worker.labels.clone_from(&hello.labels);
        worker.hears_drain = hello.hears_drain;
        worker.slots = hello.slots;
        worker.up = true;
        worker.draining = false;
        worker.lease_until = until;
        if known.is_none() {
            self.class_of.clear();
        }
        self.count_classes();
        (at, known.is_none())
    }

    /// A worker is gone, or takes nothing any more.
    pub(super) fn close(&mut self, at: WorkerIx, up: bool) {
        let worker = self.get_mut(at);
        worker.up = up;
        worker.draining = up;
        if !up {
            self.leave_fleet(at);
        }
        self.count_classes();
    }

    /// A worker that took nothing takes orders again.
    pub(super) fn open(&mut self, at: WorkerIx) {
        self.get_mut(at).draining = false;
        self.count_classes();
    }

    fn leave_fleet(&mut self, at: WorkerIx) {
        if let Some(fleet) = self.get_mut(at).fleet.take() {
            self.fleets[fleet as usize]
                .workers
                .retain(|worker| *worker != at);
        }
    }

    fn count_classes(&mut self) {
        for class in &mut self.classes {
            let fleets = class
                .fleets
                .iter()
                .map(|fleet| &self.fleets[*fleet as usize]);
            class.workers = fleets
                .flat_map(|fleet| fleet.workers.iter().copied())
                .collect();
            class.workers.sort_unstable();
            let all = &self.all;
            let free = class
                .workers
                .iter()
                .map(|at| all[at.get() as usize - 1].free());
            class.free = free.fold(0, u32::saturating_add);
        }
    }

    pub(super) fn queue(&mut self, name: &str) -> u32 {
        if let Some(at) = self.queues.iter().position(|queue| &**queue == name) {
            return at as u32;
        }
        self.queues.push(name.into());
        self.queues.len() as u32 - 1
    }

    pub(super) fn queue_name(&self, queue: u32) -> &Arc<str> {
        &self.queues[queue as usize]
    }

    /// The class of workers for a version in a queue.
    pub(super) fn class(&mut self, plan: u32, queue: u32, version: (&DagId, &Version)) -> ClassIx {
        if let Some(class) = self.class_of.get(&(plan, queue)) {
            return *class;
        }
        let name = &self.queues[queue as usize];
        let key = (version.0.clone(), version.1.clone());
        let fits = |fleet: &Fleet| fleet.queues.contains(name) && fleet.versions.contains(&key);
        let fleets: Vec<u32> = (0..self.fleets.len() as u32)
            .filter(|at| fits(&self.fleets[*at as usize]))
            .collect();
        let next = self.classes.len() as ClassIx;
        let class = *self.class_of_fleets.entry(fleets.clone()).or_insert(next);
        if class == next {
            self.classes.push(Class {
                fleets,
                ..Class::default()
            });
            self.count_classes();
        }
        self.class_of.insert((plan, queue), class);
        class
    }

    /// The class of workers for a version in a queue, if anybody asked for it since the last fleet came.
    pub(super) fn known_class(&self, queue: u32, version: (&DagId, &Version)) -> Option<ClassIx> {
        let name = &self.queues[queue as usize];
        let key = (version.0.clone(), version.1.clone());
        let fits = |fleet: &Fleet| fleet.queues.contains(name) && fleet.versions.contains(&key);
        let fleets: Vec<u32> = (0..self.fleets.len() as u32)
            .filter(|at| fits(&self.fleets[*at as usize]))
            .collect();
        self.class_of_fleets.get(&fleets).copied()
    }

    /// How many workers a class has, and how many free slots.
    pub(super) fn room(&self, class: ClassIx) -> (usize, u32) {
        let class = &self.classes[class as usize];
        (class.workers.len(), class.free)
    }

    /// A worker of the class with a free slot, in turns.
    pub(super) fn choose(&mut self, class: ClassIx) -> Option<WorkerIx> {
        let of = &self.classes[class as usize];
        let count = of.workers.len();
        let mut order = (0..count).map(|step| (of.next + step) % count.max(1));
        let nth = order.find(|nth| self.get(of.workers[*nth]).free() > 0)?;
        let at = self.classes[class as usize].workers[nth];
        self.classes[class as usize].next = nth + 1;
        Some(at)
    }

    /// A worker of the class that can watch something: it needs no slot.
    pub(super) fn watcher(&mut self, class: ClassIx) -> Option<WorkerIx> {
        let of = &self.classes[class as usize];
        let count = of.workers.len();
        let mut order = (0..count).map(|step| (of.next + step) % count.max(1));
        let nth = order.find(|nth| {
            let worker = self.get(of.workers[*nth]);
            worker.up && !worker.draining
        })?;
        let at = self.classes[class as usize].workers[nth];
        self.classes[class as usize].next = nth + 1;
        Some(at)
    }

    pub(super) fn take_slot(&mut self, at: WorkerIx) {
        let worker = self.get_mut(at);
        let had = worker.free();
        worker.used += 1;
        let has = worker.free();
        self.count(at, has, had);
    }

    pub(super) fn give_slot(&mut self, at: WorkerIx) {
        let worker = self.get_mut(at);
        let had = worker.free();
        worker.used = worker.used.saturating_sub(1);
        let has = worker.free();
        self.count(at, has, had);
    }

    fn count(&mut self, at: WorkerIx, has: u32, had: u32) {
        let Some(fleet) = self.get(at).fleet else {
            return;
        };
        for class in &mut self.classes {
            if class.fleets.contains(&fleet) {
                // One was taken or given back, or the worker is at its limit either way.
                class.free = if has > had {
                    class.free.saturating_add(has - had)
                } else {
                    class.free.saturating_sub(had - has)
                };
            }
        }
    }
}
