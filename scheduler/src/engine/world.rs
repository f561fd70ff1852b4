//! Everything that runs share: DAGs, lanes, workers, timers, and what is to be written.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::{AttemptNo, AttemptRef, RunNo, TaskNo};
use tidemill_core::spec::Severity;
use tidemill_core::time::Timestamp;
use tidemill_core::timetable::Due;
use tidemill_core::version::Version;
use tidemill_store::record::{
    AuditRow, BackfillRow, Changes, CleanupRow, DagRow, DateState, Highest, OutboxRow, PoolRow,
    Touch, WaitingAssetRow,
};

use super::commands::Heads;
use super::effect::Effect;
use super::fast::FastMap;
use super::input::{Config, Wanted};
use super::lanes::{ClassIx, GateIx, LaneIx, Lanes, PoolIx};
use super::plan::{Plan, Pos};
use super::run::{At, Run};
use super::slot::Flags;
use super::stuck::Stuck;
use super::workers::{WorkerIx, Workers};

/// Who did it, when nobody did.
pub(super) const ENGINE: &str = "tidemill";

/// What was read back for a command.
#[derive(Debug)]
pub(super) struct ReadBack {
    pub(super) wanted: Wanted,
    /// Until when it is kept at hand for the command.
    pub(super) until: Timestamp,
    /// Runs that match as well and were not read: there are too many.
    pub(super) beyond: Vec<RunNo>,
}

/// A DAG, over all its versions.
#[derive(Debug)]
pub(super) struct Dag {
    pub(super) id: DagId,
    /// The plan of the version that new runs take.
    pub(super) newest: Option<u32>,
    pub(super) plans: HashMap<Version, u32>,
    pub(super) names: Vec<TaskId>,
    pub(super) numbers: HashMap<TaskId, TaskNo>,
    pub(super) paused: bool,
    pub(super) last_due: Option<Due>,
    pub(super) failures_in_row: u32,
    pub(super) edits: u32,
    pub(super) touched: Option<Touch>,
    /// Limits its attempts.
    pub(super) gate: GateIx,
    /// Limits the attempts of single tasks over all runs.
    pub(super) task_gates: HashMap<TaskNo, GateIx>,
    /// Runs that are on and belong to no backfill.
    pub(super) on: BTreeSet<RunNo>,
    /// Runs that wait to begin: those of backfills after the others, then by date.
    pub(super) queued: BTreeSet<(bool, Timestamp, RunNo)>,
    /// How many of those were made by the timetable.
    pub(super) queued_scheduled: u32,
    /// Dates after `last_due` that have a run, by a backfill.
    pub(super) taken: BTreeSet<Timestamp>,
    /// Assets that changed and were not used yet.
    pub(super) waits: BTreeMap<Arc<str>, WaitingAssetRow>,
    /// When its timer rings.
    pub(super) timer: Option<Timestamp>,
    pub(super) dirty: bool,
}

/// Where the tasks of a plan wait: by position.
#[derive(Debug)]
pub(super) struct Places {
    /// The lane, where it does not depend on the run.
    pub(super) lanes: Vec<Option<LaneIx>>,
    pub(super) pools: Vec<PoolIx>,
    pub(super) queues: Vec<u32>,
}

/// A pool, beside what the lanes know of it.
#[derive(Debug)]
pub(super) struct PoolFacts {
    pub(super) name: Arc<str>,
    pub(super) edits: u32,
    pub(super) touched: Option<Touch>,
    pub(super) note: Option<Arc<str>>,
}

/// A backfill that is not over.
#[derive(Debug)]
pub(super) struct BackfillFacts {
    pub(super) row: BackfillRow,
    pub(super) dates: Vec<(Timestamp, Timestamp, DateState)>,
    /// The first date that may still wait.
    pub(super) next: usize,
    /// Runs that are on.
    pub(super) on: BTreeSet<RunNo>,
    /// Runs that have not ended, on or waiting.
    pub(super) open: BTreeSet<RunNo>,
    /// A run that is being read back to be run again.
    pub(super) asked: Option<RunNo>,
}

/// Something that was given up and is not known to be gone.
#[derive(Debug, Clone)]
pub(super) struct Cleanup {
    pub(super) of: AttemptRef,
    pub(super) at: At,
    pub(super) number: u32,
    pub(super) epoch: u32,
    pub(super) handle: Option<Arc<str>>,
    pub(super) worker: Option<WorkerIx>,
    pub(super) since: Timestamp,
    /// Whether the worker still counts it among what it runs.
    pub(super) holds_slot: bool,
    /// Why the worker has not done it yet, as it said last. It is not stored: the worker says it again.
    pub(super) stuck: Option<Stuck>,
}

/// What rings when its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A task is tried again.
    Retry(RunNo, At),
    /// An attempt takes too long.
    Attempt(RunNo, At),
    /// A run takes too long.
    RunTimeout(RunNo),
    /// A run is late.
    RunLate(RunNo),
    /// A task is late.
    TaskLate(RunNo, Pos),
    /// A worker may have been silent for too long.
    Lease(WorkerIx),
    /// A DAG's timetable.
    Dag(u32),
}

/// Something that touches other runs, done when the present one is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Todo {
    /// Look at a DAG's timetable.
    Schedule(u32),
    /// Begin what waits to begin.
    Begin(u32),
    /// Make runs of a backfill.
    Backfill(i64),
    /// Look whether what a DAG waits for has changed.
    Assets(u32),
    /// Look at what a task's earlier runs say.
    Past(RunNo, At),
    /// A task ended that later runs may wait for.
    Later(RunNo, Pos),
    /// A run ended.
    Ended(RunNo),
}

/// Everything that runs share.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) config: Config,
    pub(super) dags: Vec<Dag>,
    pub(super) dag_by_id: HashMap<DagId, u32>,
    pub(super) plans: Vec<Arc<Plan>>,
    /// The same plans, as this engine's numbers for what they name.
    pub(super) places: Vec<Places>,
    pub(super) lanes: Lanes,
    pub(super) pools: Vec<PoolFacts>,
    pub(super) keys: HashMap<Arc<str>, u32>,
    pub(super) key_gates: Vec<GateIx>,
    pub(super) workers: Workers,
    pub(super) timers: BTreeSet<(Timestamp, Timer)>,
    /// Attempts that were assigned, oldest first, to notice those that are not begun.
    pub(super) unbegun: VecDeque<(Timestamp, RunNo, At, AttemptNo)>,
    /// Attempts that wait for something and that no worker watches.
    pub(super) unwatched: BTreeSet<(RunNo, At)>,
    pub(super) cleanups: BTreeMap<AttemptNo, Cleanup>,
    pub(super) backfills: BTreeMap<i64, BackfillFacts>,
    pub(super) connections: Heads,
    pub(super) variables: Heads,
    pub(super) highest: Highest,
    /// Instances of the present run to look at.
    pub(super) queue: VecDeque<At>,
    pub(super) todo: VecDeque<Todo>,
    pub(super) ticket: u32,
    /// From when on workers' silence counts.
    pub(super) trusted_from: Timestamp,

    pub(super) changes: Changes,
    pub(super) effects: Vec<Effect>,
    pub(super) dirty_slots: Vec<(RunNo, At)>,
    pub(super) dirty_runs: Vec<RunNo>,
    pub(super) dirty_dags: Vec<u32>,
    pub(super) dirty_pools: BTreeSet<PoolIx>,
    pub(super) dirty_backfills: BTreeSet<i64>,
    pub(super) dirty_dates: BTreeSet<(i64, usize)>,
    /// What DAGs wait for and got, by DAG and asset.
    pub(super) dirty_waits: BTreeSet<(u32, Arc<str>)>,
    /// The DAGs that wait for an asset.
    pub(super) consumers: HashMap<Arc<str>, Vec<u32>>,
    pub(super) dirty_cleanups: BTreeSet<AttemptNo>,
    /// Runs that ended, oldest first, each with how many instances it held then and when that was, and the sum of the first.
    pub(super) ended: VecDeque<(RunNo, usize, Timestamp)>,
    pub(super) ended_weight: usize,
    /// Whether every run that there ever was is at hand.
    pub(super) complete: bool,
    /// What was read back last for a command.
    pub(super) read_back: Option<ReadBack>,
    pub(super) asked: FastMap<RunNo, ()>,
}

impl World {
    pub(super) fn new(config: Config, now: Timestamp) -> Self {
        let mut world = Self {
            now,
            config,
            dags: Vec::new(),
            dag_by_id: HashMap::new(),
            plans: Vec::new(),
            places: Vec::new(),
            lanes: Lanes::default(),
            pools: Vec::new(),
            keys: HashMap::new(),
            key_gates: Vec::new(),
            workers: Workers::default(),
            timers: BTreeSet::new(),
            unbegun: VecDeque::new(),
            unwatched: BTreeSet::new(),
            cleanups: BTreeMap::new(),
            backfills: BTreeMap::new(),
            connections: Heads::default(),
            variables: Heads::default(),
            highest: Highest::default(),
            queue: VecDeque::new(),
            todo: VecDeque::new(),
            ticket: 0,
            trusted_from: now,
            changes: Changes::default(),
            effects: Vec::new(),
            dirty_slots: Vec::new(),
            dirty_runs: Vec::new(),
            dirty_dags: Vec::new(),
            dirty_pools: BTreeSet::new(),
            dirty_backfills: BTreeSet::new(),
            dirty_dates: BTreeSet::new(),
            dirty_waits: BTreeSet::new(),
            consumers: HashMap::new(),
            dirty_cleanups: BTreeSet::new(),
            ended: VecDeque::new(),
            ended_weight: 0,
            complete: true,
            read_back: None,
            asked: FastMap::default(),
        };
        let default = world.pool(&"default".into());
        let slots = world.config.default_pool_slots;
        world.lanes.set_pool(default, slots, false, true);
        world
    }

    pub(super) fn dag(&self, at: u32) -> &Dag {
        &self.dags[at as usize]
    }

    pub(super) fn dag_mut(&mut self, at: u32) -> &mut Dag {
        let dag = &mut self.dags[at as usize];
        if !std::mem::replace(&mut dag.dirty, true) {
            self.dirty_dags.push(at);
        }
        dag
    }

    /// A pool by its name, made known if it is not; nobody may have made it.
    pub(super) fn pool(&mut self, name: &Arc<str>) -> PoolIx {
        if let Some(at) = self.find_pool(name) {
            return at;
        }
        self.pools.push(PoolFacts {
            name: Arc::clone(name),
            edits: 0,
            touched: None,
            note: None,
        });
        let at = self.lanes.new_pool();
        self.lanes.set_pool(at, Some(0), false, false);
        at
    }

    /// Makes a plan known; runs of it can be held from now on.
    pub(super) fn add_plan(&mut self, plan: Plan) -> u32 {
        let tasks = &plan.spec.definition.tasks;
        let places = Places {
            lanes: vec![None; tasks.len()],
            pools: tasks
                .iter()
                .map(|task| self.pool(&task.placement.pool.as_str().into()))
                .collect(),
            queues: tasks
                .iter()
                .map(|task| self.workers.queue(&task.placement.queue))
                .collect(),
        };
        self.places.push(places);
        self.plans.push(Arc::new(plan));
        u32::try_from(self.plans.len()).unwrap_or(u32::MAX) - 1
    }

    /// The class of workers that can take a task of this plan.
    pub(super) fn class(&mut self, plan: u32, pos: Pos) -> ClassIx {
        let queue = self.places[plan as usize].queues[pos as usize];
        let of = &self.plans[plan as usize];
        self.workers
            .class(plan, queue, (&of.spec.definition.id, &of.version))
    }

    pub(super) fn find_pool(&self, name: &str) -> Option<PoolIx> {
        let at = self.pools.iter().position(|pool| &*pool.name == name)?;
        u32::try_from(at).ok()
    }

    /// Has an instance written with the next commit.
    pub(super) fn dirty(&mut self, run: &mut Run, at: At) {
        let no = run.no;
        if let Some(slot) = run.slot_mut(at)
            && !slot.flags.has(Flags::DIRTY)
        {
            slot.flags.set(Flags::DIRTY);
            self.dirty_slots.push((no, at));
        }
    }

    pub(super) fn dirty_run(&mut self, run: &mut Run) {
        if !std::mem::replace(&mut run.dirty, true) {
            self.dirty_runs.push(run.no);
        }
    }

    pub(super) fn next_attempt(&mut self) -> AttemptNo {
        self.highest.attempt += 1;
        AttemptNo(self.highest.attempt)
    }

    pub(super) fn timer(&mut self, at: Timestamp, timer: Timer) {
        self.timers.insert((at, timer));
    }

    pub(super) fn no_timer(&mut self, at: Option<Timestamp>, timer: Timer) {
        if let Some(at) = at {
            self.timers.remove(&(at, timer));
        }
    }

    /// Writes down what was done, or what was refused.
    pub(super) fn audit(&mut self, by: &Arc<str>, action: &str, target: String, about: About<'_>) {
        self.highest.audit += 1;
        self.changes.audits.push(AuditRow {
            id: self.highest.audit,
            at: self.now,
            actor: Arc::clone(by),
            action: action.into(),
            target: target.into(),
            dag: about.dag.cloned(),
            run: about.run,
            details: about.details.to_string().into(),
        });
    }

    /// Has something told to the world outside.
    pub(super) fn tell(
        &mut self,
        key: String,
        (route, severity): (&str, Severity),
        run: Option<RunNo>,
        body: &serde_json::Value,
    ) {
        if self.config.defects.no_outbox {
            return;
        }
        self.highest.outbox += 1;
        let about = body.get("dag").and_then(serde_json::Value::as_str);
        self.changes.outbox.push(OutboxRow {
            id: self.highest.outbox,
            key: key.into(),
            route: route.into(),
            severity,
            run,
            body: body.to_string().into(),
            at: self.now,
            dag: about.and_then(|dag| DagId::parse(dag).ok()),
        });
    }

    pub(super) fn cleanup_row(&self, cleanup: &Cleanup) -> CleanupRow {
        CleanupRow {
            of: cleanup.of,
            number: cleanup.number,
            epoch: cleanup.epoch,
            handle: cleanup.handle.clone(),
            worker: cleanup.worker.and_then(|at| self.workers.name(at.get())),
            since: cleanup.since,
        }
    }

    pub(super) fn dag_row(&self, at: u32) -> DagRow {
        let dag = self.dag(at);
        DagRow {
            id: dag.id.clone(),
            version: dag
                .newest
                .map(|plan| self.plans[plan as usize].version.clone()),
            paused: dag.paused,
            last_due: dag
                .last_due
                .map(|due| (due.start.into(), due.end.into(), due.run_after.into())),
            failures_in_row: dag.failures_in_row,
            edits: dag.edits,
            touched: dag.touched.clone(),
        }
    }

    pub(super) fn pool_row(&self, at: PoolIx) -> PoolRow {
        let facts = &self.pools[at as usize];
        let pool = &self.lanes.pools[at as usize];
        PoolRow {
            name: Arc::clone(&facts.name),
            slots: pool.gate.limit,
            holds_deferred: pool.holds_deferred,
            paused: pool.gate.shut,
            edits: facts.edits,
            touched: facts.touched.clone(),
            note: facts.note.clone(),
        }
    }
}

/// What a line of the audit log is about.
pub(super) struct About<'a> {
    pub(super) dag: Option<&'a DagId>,
    pub(super) run: Option<RunNo>,
    pub(super) details: &'a serde_json::Value,
}
