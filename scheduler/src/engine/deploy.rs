//! DAG versions that come and go.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::json;
use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::{AttemptNo, TaskNo};
use tidemill_core::spec::DagSpec;
use tidemill_store::record::{TaskNameRow, VersionRow};

use super::machine::Engine;
use super::plan::Plan;
use super::run::Run;
use super::world::{About, Dag, Todo, World};

impl Engine {
    /// Takes DAG versions in. One that cannot be run is refused with a line in the audit log; the others count.
    pub(super) fn deploy(&mut self, specs: &[Arc<DagSpec>], by: &Arc<str>) {
        for spec in specs {
            let id = spec.id().clone();
            let version = spec.version();
            let known = self
                .world
                .dag_by_id
                .get(&id)
                .map(|dag| self.world.dag(*dag));
            if known
                .and_then(|dag| dag.newest)
                .is_some_and(|plan| self.world.plans[plan as usize].version == version)
            {
                continue;
            }
            match self.world.learn(spec) {
                Ok((dag, plan, new)) => {
                    if new {
                        self.world.changes.versions.push(VersionRow {
                            dag: id.clone(),
                            version: version.clone(),
                            spec: Arc::clone(spec),
                            deployed_at: self.world.now,
                        });
                    }
                    self.world.dag_mut(dag).newest = Some(plan);
                    self.world.take_effect(dag);
                    let details = json!({ "version": version });
                    let about = About {
                        dag: Some(&id),
                        run: None,
                        details: &details,
                    };
                    self.world.audit(by, "dag.deploy", id.to_string(), about);
                }
                Err(why) => {
                    let details = json!({ "version": version, "why": why });
                    let about = About {
                        dag: None,
                        run: None,
                        details: &details,
                    };
                    self.world.audit(by, "dag.refuse", id.to_string(), about);
                }
            }
        }
    }
}

impl World {
    /// Makes a version known without making it the one that new runs take.
    pub(super) fn learn(&mut self, spec: &Arc<DagSpec>) -> Result<(u32, u32, bool), String> {
        let id = spec.id();
        let version = spec.version();
        let known = self.dag_by_id.get(id).copied();
        if let Some(dag) = known
            && let Some(plan) = self.dag(dag).plans.get(&version)
        {
            return Ok((dag, *plan, false));
        }
        // What cannot be run leaves nothing behind.
        Plan::check(&spec.definition)?;
        let dag = known.unwrap_or_else(|| self.add_dag(id));
        let tasks = &spec.definition.tasks;
        let numbers: Vec<TaskNo> = tasks
            .iter()
            .map(|task| self.number(dag, &task.id))
            .collect();
        let plan = self.add_plan(Plan::new(Arc::clone(spec), &numbers)?);
        self.dags[dag as usize].plans.insert(version, plan);
        Ok((dag, plan, true))
    }

    pub(super) fn add_dag(&mut self, id: &DagId) -> u32 {
        let gate = self.lanes.new_gate(None);
        self.lanes.new_dag();
        self.dags.push(Dag {
            id: id.clone(),
            newest: None,
            plans: HashMap::new(),
            names: Vec::new(),
            numbers: HashMap::new(),
            paused: false,
            last_due: None,
            failures_in_row: 0,
            edits: 0,
            touched: None,
            gate,
            task_gates: HashMap::new(),
            on: BTreeSet::new(),
            queued: BTreeSet::new(),
            queued_scheduled: 0,
            taken: BTreeSet::new(),
            waits: BTreeMap::new(),
            timer: None,
            dirty: false,
        });
        let at = u32::try_from(self.dags.len()).unwrap_or(u32::MAX) - 1;
        self.dag_by_id.insert(id.clone(), at);
        at
    }

    /// The number of a task's name within its DAG, given for good when it is first seen.
    fn number(&mut self, dag: u32, name: &TaskId) -> TaskNo {
        let of = &mut self.dags[dag as usize];
        if let Some(no) = of.numbers.get(name) {
            return *no;
        }
        let no = TaskNo(u32::try_from(of.names.len()).unwrap_or(u32::MAX));
        of.names.push(name.clone());
        of.numbers.insert(name.clone(), no);
        self.changes.task_names.push(TaskNameRow {
            dag: of.id.clone(),
            task: no,
            name: name.clone(),
        });
        no
    }

    /// The newest version of a DAG sets its limits, its timetable and what it waits for.
    pub(super) fn take_effect(&mut self, dag: u32) {
        for consumers in self.consumers.values_mut() {
            consumers.retain(|other| *other != dag);
        }
        let of = self.dag(dag);
        let (gate, paused) = (of.gate, of.paused);
        let Some(plan) = of.newest else {
            // What is left of a DAG that was removed has no limit, but can be paused.
            self.lanes.set_gate(gate, None, paused);
            return;
        };
        let plan = Arc::clone(&self.plans[plan as usize]);
        let definition = plan.definition();
        self.lanes
            .set_gate(gate, definition.active_tasks_max, paused);
        for task in &definition.tasks {
            let no = self.dag(dag).numbers.get(&task.id);
            if let Some(gate) = no.and_then(|no| self.dag(dag).task_gates.get(no)).copied() {
                self.lanes
                    .set_gate(gate, task.concurrency.active_max, false);
            }
        }
        let mut waits = BTreeSet::new();
        if let Some(expr) = definition.schedule.assets() {
            waits.extend(
                expr.assets()
                    .into_iter()
                    .map(|asset| Arc::<str>::from(asset.uri())),
            );
        }
        let of = &mut self.dags[dag as usize];
        let stale: Vec<Arc<str>> = of
            .waits
            .keys()
            .filter(|asset| !waits.contains(*asset))
            .cloned()
            .collect();
        for asset in stale {
            of.waits.remove(&asset);
            self.changes
                .asset_waits_used
                .push((definition.id.clone(), Arc::clone(&asset)));
            self.dirty_waits.remove(&(dag, asset));
        }
        for asset in waits {
            self.consumers.entry(asset).or_default().push(dag);
        }
        self.todo.push_back(Todo::Schedule(dag));
        self.todo.push_back(Todo::Begin(dag));
        self.todo.push_back(Todo::Assets(dag));
    }

    /// Which workers can take what, after workers with other versions came.
    pub(super) fn reclass(&mut self) {
        let plans = &self.plans;
        let workers = &mut self.workers;
        self.lanes.reclass(|key| {
            let plan = &plans[key.plan as usize];
            workers.class(
                key.plan,
                key.queue,
                (&plan.spec.definition.id, &plan.version),
            )
        });
    }

    /// Gives a cleanup to another worker: the one that had it is gone, or forgot.
    pub(super) fn release_elsewhere(&mut self, run: &Run, attempt: AttemptNo) {
        let Some(cleanup) = self.cleanups.get_mut(&attempt) else {
            return;
        };
        let holds_slot = std::mem::take(&mut cleanup.holds_slot);
        if let Some(worker) = cleanup.worker.take() {
            self.workers.get_mut(worker).stops.remove(&attempt);
            if holds_slot {
                self.workers.give_slot(worker);
            }
        }
        self.send_cleanup(run, attempt);
    }
}
