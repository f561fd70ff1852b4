//! Why a task is not running: every gate before it, its limit, how much of it is used, and by whom. Worked out when
//! somebody asks, so it may look at everything.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidemill_core::id::TaskId;
use tidemill_core::protocol::{InstanceRef, MapIndex, RunNo};
use tidemill_core::state::{RunState, TaskState};
use tidemill_core::time::Timestamp;

use super::lanes::{GateIx, Room as _};
use super::machine::Engine;
use super::plan::{Many, Pos};
use super::run::{At, Run};
use super::schedule::past_met;
use super::world::World;

/// What can hold a task, in the order in which it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// The run was taken out because it could not be evaluated.
    Quarantine,
    /// The run has not begun.
    RunBegun,
    /// How many runs of the DAG, or of the backfill, may be on.
    ActiveRuns,
    /// The DAG is paused.
    DagPaused,
    /// The run is paused.
    RunPaused,
    /// Setups around it.
    Setups,
    /// Its rule, on what is directly upstream.
    Upstream,
    /// The tasks that it cleans up after.
    Teardown,
    /// The list it is mapped over.
    List,
    /// Its earlier runs.
    Past,
    /// The time to try again has not come.
    RetryTime,
    /// Its last attempt is still being stopped.
    Stopping,
    /// How many attempts of the DAG may be on.
    ActiveTasks,
    /// How many of the run.
    ActiveTasksPerRun,
    /// How many of this task over all runs.
    TaskLimit,
    /// How many of this task in this run.
    TaskLimitPerRun,
    /// How many tasks with its key.
    Key,
    /// The pool's slots.
    Pool,
    /// A worker that holds the version, serves the queue and has a free slot.
    Worker,
    /// It is with a worker that has not begun it.
    Begin,
    /// What it waits for outside.
    Outside,
    /// A person's answer.
    Answer,
}

/// One gate before a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Which.
    pub gate: Gate,
    /// Whether it lets the task pass.
    pub open: bool,
    /// How many it lets pass at once; none if it is no number, or has no limit.
    pub limit: Option<u64>,
    /// How many there are now.
    pub used: u64,
    /// Who holds it: at the most [`HOLDERS_MAX`] are named.
    pub holders: Vec<Holder>,
    /// In words.
    pub says: String,
}

/// The most holders that are named for a gate.
pub const HOLDERS_MAX: usize = 20;

/// Somebody who holds a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: RunNo,
    /// Its name.
    pub run_name: Arc<str>,
    /// The task; none if the run as a whole holds it.
    pub task: Option<(TaskId, MapIndex)>,
    /// Its state.
    pub state: TaskState,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// Why a task is not running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// Where it stands.
    pub state: TaskState,
    /// Every gate, in the order in which they are looked at.
    pub gates: Vec<Held>,
    /// How many tasks are before it in the line for its pool.
    pub ahead: usize,
}

impl Why {
    /// The first gate that is shut: what it waits for now.
    #[must_use]
    pub fn first(&self) -> Option<&Held> {
        self.gates.iter().find(|held| !held.open)
    }
}

pub(super) fn held(gate: Gate, open: bool, says: impl Into<String>) -> Held {
    Held {
        gate,
        open,
        limit: None,
        used: 0,
        holders: Vec::new(),
        says: says.into(),
    }
}

impl Engine {
    /// Why a task is not running. None if its run is not at hand, or there is no such task in it.
    #[must_use]
    pub fn why(&self, of: InstanceRef) -> Option<Why> {
        let run = self.runs.get(&of.run)?;
        let pos = run.plan.position(of.task)?;
        let at = At {
            pos,
            index: of.map_index,
        };
        let state = match run.slot(at) {
            Some(slot) => slot.state,
            None if run.slots.is_empty() => TaskState::None,
            None => return None,
        };
        let mut why = Why {
            state,
            gates: self.why_run_waits(run),
            ahead: 0,
        };
        if state.is_final() {
            // It is over, and what it started outside may not be.
            why.gates.extend(self.why_stopping(run, at));
            return Some(why);
        }
        if state == TaskState::None && !run.slots.is_empty() {
            self.why_undecided(run, at, &mut why.gates);
        }
        if matches!(
            state,
            TaskState::None | TaskState::Scheduled | TaskState::UpForRetry
        ) {
            self.why_no_room(run, at, &mut why.gates);
            why.ahead = self.world.lanes.ahead(run.no, at.pos, at.index);
        }
        self.why_no_end(run, at, &mut why.gates);
        Some(why)
    }

    /// Why a run has not begun.
    #[must_use]
    pub fn why_run(&self, run: RunNo) -> Option<Vec<Held>> {
        self.runs.get(&run).map(|run| self.why_run_waits(run))
    }

    fn why_run_waits(&self, run: &Run) -> Vec<Held> {
        let dag = self.world.dag(run.dag);
        let mut gates = Vec::new();
        if let Some(why) = &run.quarantine {
            gates.push(held(
                Gate::Quarantine,
                false,
                format!("the run could not be evaluated: {why}"),
            ));
        }
        let says = if dag.paused {
            "the DAG is paused"
        } else {
            "the DAG is not paused"
        };
        gates.push(held(Gate::DagPaused, !dag.paused, says));
        let says = if run.paused {
            "the run is paused"
        } else {
            "the run is not paused"
        };
        gates.push(held(Gate::RunPaused, !run.paused, says));
        if run.state == RunState::Queued {
            gates.push(held(Gate::RunBegun, false, "the run has not begun"));
            gates.push(self.why_no_run(run));
        }
        gates
    }

    fn why_no_run(&self, run: &Run) -> Held {
        let backfill = run.backfill.and_then(|id| self.world.backfills.get(&id));
        let (on, limit, of) = match backfill {
            Some(facts) => (&facts.on, facts.row.active_runs_max, "backfill"),
            None => (
                &self.world.dag(run.dag).on,
                run.plan.definition().active_runs_max,
                "DAG",
            ),
        };
        let holders = on
            .iter()
            .filter_map(|no| self.runs.get(no))
            .take(HOLDERS_MAX)
            .map(|run| Holder {
                run: run.no,
                run_name: Arc::clone(&run.name),
                task: None,
                state: TaskState::Running,
                since: run.started_at,
            });
        Held {
            limit: Some(limit.into()),
            used: on.len() as u64,
            holders: holders.collect(),
            ..held(
                Gate::ActiveRuns,
                on.len() < limit as usize,
                format!("{} of {limit} runs of the {of} are on", on.len()),
            )
        }
    }

    fn why_undecided(&self, run: &Run, at: At, gates: &mut Vec<Held>) {
        let plan = &run.plan;
        let task = plan.task(at.pos);
        let around: Vec<Pos> = task.setups.to_vec();
        if !around.is_empty() {
            gates.push(waits_for(
                run,
                at,
                Gate::Setups,
                &around,
                "of the setups around it have ended",
            ));
        }
        let rule = task.rule;
        let open = matches!(
            super::rules::verdict(rule, &super::step::seen(run, at, plan)),
            super::rules::Verdict::Pass
        );
        let mut upstream = waits_for(
            run,
            at,
            Gate::Upstream,
            &task.up,
            "of what is directly upstream has ended",
        );
        upstream.open = open;
        upstream.says = format!("its rule is {rule}; {}", upstream.says);
        gates.push(upstream);
        if task.waits > 0 {
            let before: Vec<Pos> = (0..)
                .zip(&plan.tasks)
                .filter(|(_, task)| task.torn_down_by.contains(&at.pos))
                .map(|(pos, _)| pos)
                .collect();
            gates.push(waits_for(
                run,
                at,
                Gate::Teardown,
                &before,
                "of the tasks it cleans up after have ended",
            ));
        }
        if at.index < 0 && task.many != Many::No {
            let open = matches!(
                self.world.list_stands(run, at.pos),
                super::step::ListStands::Ready
            );
            let says = if open {
                "the list it is mapped over is there"
            } else {
                "the list it is mapped over is not there"
            };
            gates.push(held(Gate::List, open, says));
        }
        if task.looks_back {
            gates.push(self.why_past(run, at.pos));
        }
    }

    fn why_past(&self, run: &Run, pos: Pos) -> Held {
        match run.previous {
            Some(None) => held(Gate::Past, true, "there is no earlier run"),
            None => held(Gate::Past, false, "its earlier run is being looked up"),
            Some(Some(previous)) => {
                let Some(previous) = self.runs.get(&previous) else {
                    return held(Gate::Past, false, "its earlier run is being looked up");
                };
                let open = past_met(run, previous, pos);
                let word = if open {
                    "stands as it should"
                } else {
                    "has not ended well"
                };
                held(
                    Gate::Past,
                    open,
                    format!("the task in the run before, {}, {word}", previous.name),
                )
            }
        }
    }

    fn why_no_room(&self, run: &Run, at: At, gates: &mut Vec<Held>) {
        let Some(slot) = run.slot(at) else {
            return;
        };
        if let Some(retry_at) = slot.retry_at.get() {
            let open = slot.state != TaskState::UpForRetry;
            gates.push(held(
                Gate::RetryTime,
                open,
                format!("it is tried again at {retry_at}"),
            ));
        }
        gates.extend(self.why_stopping(run, at));
        self.why_limits(run, at, gates);
        gates.push(self.why_no_slot(run, at));
        gates.push(self.world.why_no_worker(run, at));
    }

    /// The limits on attempts of its DAG, its run, its task and its key.
    fn why_limits(&self, run: &Run, at: At, gates: &mut Vec<Held>) {
        let world = &self.world;
        let dag = world.dag(run.dag);
        let no = run.plan.task(at.pos).no;
        let key = run.slot(at).and_then(|slot| slot.detail()?.key);
        let same_task =
            move |other: &Run, at: At| other.dag == run.dag && other.plan.task(at.pos).no == no;
        let limits: [Limit<'_>; 5] = [
            (
                Gate::ActiveTasks,
                Some(dag.gate),
                "attempts of the DAG are on",
                &|other, _| other.dag == run.dag,
            ),
            (
                Gate::ActiveTasksPerRun,
                run.gate,
                "attempts of the run are on",
                &|other, _| other.no == run.no,
            ),
            (
                Gate::TaskLimit,
                dag.task_gates.get(&no).copied(),
                "attempts of this task are on",
                &same_task,
            ),
            (
                Gate::TaskLimitPerRun,
                run.task_gates.get(&at.pos).copied(),
                "attempts of this task are on in this run",
                &|other, at| other.no == run.no && same_task(other, at),
            ),
            (
                Gate::Key,
                key.map(|key| world.key_gates[key as usize]),
                "attempts with its key of concurrency are on",
                &|other, at| {
                    key.is_some() && other.slot(at).and_then(|slot| slot.detail()?.key) == key
                },
            ),
        ];
        for (gate, known, what, by) in limits {
            if let Some(limit) = known.and_then(|known| world.lanes.gate(known).limit) {
                let of = known.map_or(0, |known| world.lanes.gate(known).used);
                gates.push(Held {
                    limit: Some(limit.into()),
                    used: of.into(),
                    holders: self.holders(by),
                    ..held(gate, of < limit, format!("{of} of {limit} {what}"))
                });
            }
        }
    }

    fn why_no_slot(&self, run: &Run, at: At) -> Held {
        let world = &self.world;
        let pool = world.pool_of(run, at.pos);
        let name = &world.pools[pool as usize].name;
        let of = &world.lanes.pools[pool as usize];
        let slots = run.plan.spec(at.pos).placement.slots;
        let (used, limit) = (of.gate.used, of.gate.limit);
        let says = match limit {
            _ if !of.exists => {
                format!("there is no pool `{name}`; make it, or have the task use another")
            }
            _ if of.gate.shut => format!("the pool `{name}` is paused"),
            Some(limit) if slots > limit => {
                format!(
                    "it asks for {slots} slots and the pool `{name}` has only {limit}: it will never run"
                )
            }
            Some(limit) => format!(
                "{used} of {limit} slots of the pool `{name}` are taken; it asks for {slots}"
            ),
            None => format!("the pool `{name}` has no limit"),
        };
        Held {
            limit: limit.map(u64::from),
            used: used.into(),
            holders: self.holders(&|other, at| world.pool_of(other, at.pos) == pool),
            ..held(Gate::Pool, of.exists && of.gate.is_open(slots), says)
        }
    }

    /// Attempts that are on and for which this holds.
    fn holders(&self, by: &dyn Fn(&Run, At) -> bool) -> Vec<Holder> {
        let mut numbers: Vec<RunNo> = self.runs.keys().copied().collect();
        numbers.sort_unstable();
        let mut holders = Vec::new();
        for run in numbers.iter().filter_map(|no| self.runs.get(no)) {
            if run.has_ended() {
                continue;
            }
            for at in run.instances() {
                let Some(slot) = run.slot(at).filter(|slot| slot.is_live()) else {
                    continue;
                };
                if by(run, at) {
                    holders.push(Holder {
                        run: run.no,
                        run_name: Arc::clone(&run.name),
                        task: Some((run.plan.spec(at.pos).id.clone(), at.index)),
                        state: slot.state,
                        since: slot.since.get(),
                    });
                    if holders.len() == HOLDERS_MAX {
                        return holders;
                    }
                }
            }
        }
        holders
    }

    fn why_no_end(&self, run: &Run, at: At, gates: &mut Vec<Held>) {
        let Some(slot) = run.slot(at) else {
            return;
        };
        let worker = slot
            .worker
            .and_then(|worker| self.world.workers.name(worker.get()));
        match slot.state {
            TaskState::Queued => {
                let worker = worker.unwrap_or_else(|| "unknown".into());
                gates.push(held(
                    Gate::Begin,
                    false,
                    format!("it is with worker {worker}, which has not begun it"),
                ));
            }
            TaskState::Deferred => {
                let why = slot
                    .detail()
                    .and_then(|detail| detail.why.as_deref())
                    .unwrap_or("something outside");
                let gate = if run.plan.task(at.pos).instant {
                    Gate::Answer
                } else {
                    Gate::Outside
                };
                let watched = match worker {
                    _ if gate == Gate::Answer => String::new(),
                    Some(worker) => format!("; worker {worker} looks at it"),
                    None => "; no worker that can look at it is there".to_owned(),
                };
                gates.push(held(gate, false, format!("it waits: {why}{watched}")));
            }
            _ => {}
        }
    }
}

/// A limit on attempts: its gate, what it counts in words, and which attempts those are.
type Limit<'a> = (Gate, Option<GateIx>, &'a str, &'a dyn Fn(&Run, At) -> bool);

/// How many of these tasks have ended, and which have not.
fn waits_for(run: &Run, at: At, gate: Gate, tasks: &[Pos], what: &str) -> Held {
    let mut ended = 0;
    let mut total = 0;
    let mut open = Vec::new();
    for pos in tasks {
        let hand_in_hand = at.index >= 0 && run.plan.hand_in_hand(at.pos, *pos);
        for other in run
            .instances_of(*pos)
            .filter(|other| !hand_in_hand || other.index == at.index)
        {
            let Some(slot) = run.slot(other) else {
                continue;
            };
            total += 1;
            if slot.state.is_final() {
                ended += 1;
            } else if open.len() < HOLDERS_MAX {
                open.push(Holder {
                    run: run.no,
                    run_name: Arc::clone(&run.name),
                    task: Some((run.plan.spec(other.pos).id.clone(), other.index)),
                    state: slot.state,
                    since: slot.since.get(),
                });
            }
        }
    }
    Held {
        limit: Some(total),
        used: ended,
        holders: open,
        ..held(gate, ended == total, format!("{ended} of {total} {what}"))
    }
}

impl World {
    fn why_no_worker(&self, run: &Run, at: At) -> Held {
        let places = &self.places[run.plan_ix as usize];
        let queue = places.queues[at.pos as usize];
        let name = self.workers.queue_name(queue);
        let version = (&run.plan.definition().id, &run.plan.version);
        let class = self.workers.known_class(queue, version);
        let Some(class) = class.filter(|class| self.workers.room(*class).0 > 0) else {
            let says = format!(
                "no worker serves the queue `{name}` and holds version {} of the DAG",
                run.plan.version.short()
            );
            return held(Gate::Worker, false, says);
        };
        let (workers, free) = self.workers.room(class);
        Held {
            used: free.into(),
            ..held(
                Gate::Worker,
                self.workers.has_room(class),
                format!("{free} slots are free on the {workers} workers that can take it"),
            )
        }
    }
}
