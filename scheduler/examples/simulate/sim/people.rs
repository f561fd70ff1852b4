//! People: what they ask for, sensible or not, and what they do when things wait for them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};
use tidemill_core::id::TaskId;
use tidemill_core::protocol::{InstanceRef, RunNo};
use tidemill_core::spec::{DagSpec, TaskKind};
use tidemill_core::state::{RunState, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::{
    Around, Backfill, BulkAction, Command, Filter, Input, Pausable, Request, RunVersion, Select,
    Selected, Trigger,
};
use tidemill_store::record::{BackfillState, Reprocess};

use super::dags::{self, ASSETS, POOL, dag_id};
use super::mirror::has_ended;
use super::{Event, Sim};

/// For how long after a deployment limits may still be those of before.
const DEPLOYED_MICROS: i64 = 30_000_000;

/// After so many rounds what still waits for an earlier run is cancelled.
const STUCK_ROUNDS: u32 = 45;

#[derive(Debug, Default)]
pub(crate) struct People {
    pub(crate) dags: Vec<String>,
    /// Versions that are not known to be stored yet, in order.
    to_deploy: VecDeque<Arc<DagSpec>>,
    deployed_at: Timestamp,
    requests: u64,
    /// Requests that only ask what would change.
    pub(crate) asks_only: BTreeSet<u64>,
    rounds: u32,
}

impl People {
    pub(crate) fn has_said_all(&self) -> bool {
        self.to_deploy.is_empty() && self.rounds > 1
    }

    pub(crate) fn deployed_within(&self, now: Timestamp) -> bool {
        now.micros() - self.deployed_at.micros() < DEPLOYED_MICROS
    }
}

impl Sim {
    /// A new version of a DAG, for people to deploy.
    pub(crate) fn new_version(&mut self, name: &str) {
        // So that there is something to catch up with.
        let start = Timestamp::from_micros(self.start.micros() - 1_800_000_000);
        let spec = dags::random(&mut self.dice, name, start);
        self.specs
            .insert((spec.id().clone(), spec.version()), Arc::clone(&spec));
        self.people.to_deploy.push_back(spec);
    }

    /// Deploys what is not stored yet. It is said again until it is.
    fn deploy(&mut self) {
        while let Some(spec) = self.people.to_deploy.front().cloned() {
            let key = (spec.id().clone(), spec.version());
            if !self.store.rows.versions.contains_key(&key) {
                let leads = self
                    .processes
                    .iter()
                    .position(|it| it.leading.is_some() && it.paused_until <= self.now);
                if let Some(who) = leads {
                    self.people.deployed_at = self.now;
                    let (specs, by) = (vec![spec], "ci".into());
                    self.tell(who, Input::Deploy { specs, by });
                }
                return;
            }
            self.people.to_deploy.pop_front();
            for worker in 0..self.workers.len() {
                if self.dice.percent(80) {
                    self.learn_versions(worker);
                }
            }
        }
    }

    pub(crate) fn person(&mut self) {
        let early = self.now < self.start.after(std::time::Duration::from_secs(20));
        let wait = if early {
            self.dice.millis(200, 1_500)
        } else {
            self.dice.secs(1, 25)
        };
        self.event(wait, Event::Person);
        self.deploy();
        if self.healed.is_none() && !early {
            let command = self.command();
            self.request(command);
        }
    }

    fn request(&mut self, command: Option<(&'static str, Command)>) {
        let Some((what, command)) = command else {
            return;
        };
        self.people.requests += 1;
        let id = self.people.requests;
        let dry_run = self.healed.is_none() && self.dice.percent(6);
        let seen = (self.healed.is_none() && self.dice.percent(8))
            .then(|| u32::try_from(self.dice.below(4)).unwrap_or(0));
        if dry_run {
            self.people.asks_only.insert(id);
            self.history.cover("command that only asks");
        }
        if seen.is_some() {
            self.history.cover("command of a stale author");
        }
        self.say(format!(
            "somebody: {what}{} {command:?}",
            if dry_run { " (only asks)" } else { "" }
        ));
        let request = Request {
            id,
            by: "ann".into(),
            seen,
            dry_run,
            command,
        };
        if self.ask(request) {
            self.history.cover(what);
        }
    }

    fn command(&mut self) -> Option<(&'static str, Command)> {
        match self.dice.below(40) {
            0..=6 => Some(("command that only asks", self.trigger()?)),
            7..=19 => self.for_run(),
            20..=24 => self.for_task(),
            25..=33 => self.for_world(),
            34..=36 => {
                let asset = (*self.dice.pick(&ASSETS)?).into();
                Some(("asset changed", Command::AssetChanged { asset }))
            }
            37 | 38 => {
                let name = self.dice.pick(&self.people.dags)?.clone();
                if self.people.to_deploy.is_empty() {
                    self.new_version(&name);
                    self.history.cover("version deployed");
                    self.deploy();
                }
                None
            }
            _ => self.for_backfill(),
        }
    }

    fn trigger(&mut self) -> Option<Command> {
        let dag = dag_id(self.dice.pick(&self.people.dags)?);
        let params = self.params();
        let name = self
            .dice
            .percent(20)
            .then(|| format!("by-hand-{}", self.dice.below(20)).into());
        Some(Command::Trigger(Trigger {
            dag,
            name,
            covers: None,
            params,
            version: None,
            note: None,
        }))
    }

    fn params(&mut self) -> Value {
        let shop = *self.dice.pick(&["a", "b", "c"]).unwrap_or(&"a");
        json!({ "shop": shop })
    }

    fn pick_run(&mut self) -> Option<RunNo> {
        let rows = self.store.rows.runs.values();
        let open: Vec<RunNo> = rows
            .clone()
            .filter(|run| !has_ended(run))
            .map(|run| run.id)
            .collect();
        let all: Vec<RunNo> = rows.map(|run| run.id).collect();
        let from = if self.dice.percent(60) && !open.is_empty() {
            &open
        } else {
            &all
        };
        self.dice.pick(from).copied()
    }

    fn pick_task(&mut self, run: RunNo) -> Option<(TaskId, InstanceRef)> {
        let rows = self.store.rows.instances(run);
        let rows: Vec<(TaskId, InstanceRef)> = rows.map(|row| (row.name.clone(), row.of)).collect();
        self.dice.pick(&rows).cloned()
    }

    fn select(&mut self, run: RunNo) -> Option<Select> {
        let tasks = if self.dice.percent(25) {
            Selected::All
        } else {
            let (name, of) = self.pick_task(run)?;
            Selected::Tasks(vec![(name, Some(of.map_index).filter(|index| *index >= 0))])
        };
        Some(Select { run, tasks })
    }

    fn around(&mut self) -> Around {
        Around {
            upstream: self.dice.percent(10),
            downstream: self.dice.percent(50),
            past: self.dice.percent(4),
            future: self.dice.percent(4),
            only_failed: self.dice.percent(20),
        }
    }

    fn for_run(&mut self) -> Option<(&'static str, Command)> {
        let run = self.pick_run()?;
        let clear = |select, around, params, version| Command::Clear {
            select,
            around,
            params,
            version,
            note: None,
        };
        Some(match self.dice.below(14) {
            0..=3 => (
                "run cleared",
                clear(self.select(run)?, self.around(), None, RunVersion::Keep),
            ),
            4 | 5 => {
                let params = self.params();
                (
                    "restarted with params",
                    clear(
                        self.select(run)?,
                        self.around(),
                        Some(params),
                        RunVersion::Keep,
                    ),
                )
            }
            6 | 7 => {
                let params = self.dice.percent(30).then(|| json!({ "shop": "d" }));
                (
                    "restarted with another version",
                    clear(self.select(run)?, self.around(), params, RunVersion::Newest),
                )
            }
            8 | 9 => {
                let (select, around) = (self.select(run)?, self.around());
                let states = [TaskState::Success, TaskState::Failed, TaskState::Skipped];
                let state = *self.dice.pick(&states)?;
                (
                    "tasks marked",
                    Command::Mark {
                        select,
                        around,
                        state,
                        note: None,
                    },
                )
            }
            10 | 11 => ("run cancelled", Command::CancelRun { run, note: None }),
            12 => {
                let what = Pausable::Run(run);
                let pause = self.dice.percent(50);
                ("run paused", Command::Pause { what, pause })
            }
            _ => {
                let pool = self.dice.percent(50).then(|| POOL.into());
                let priority = i32::try_from(self.dice.below(9)).unwrap_or(0);
                (
                    "run reprioritised",
                    Command::Reprioritise {
                        run,
                        priority,
                        pool,
                    },
                )
            }
        })
    }

    fn for_task(&mut self) -> Option<(&'static str, Command)> {
        let answers = self.waiting_for_people();
        if let Some(of) = self
            .dice
            .pick(&answers)
            .copied()
            .filter(|_| self.dice.percent(60))
        {
            let choice = (*self.dice.pick(&["yes", "no"])?).into();
            return Some(("approval answered", Command::Answer { of, choice }));
        }
        let live = |state| {
            matches!(
                state,
                TaskState::Queued
                    | TaskState::Running
                    | TaskState::Deferred
                    | TaskState::UpForRetry
            )
        };
        let live: Vec<InstanceRef> = (self.store.rows.tasks.values())
            .filter(|row| live(row.state))
            .map(|row| row.of)
            .collect();
        let of = *self.dice.pick(&live)?;
        Some(("attempt cancelled", Command::CancelAttempt { of }))
    }

    fn waiting_for_people(&self) -> Vec<InstanceRef> {
        let rows = self.store.rows.tasks.values();
        let waits = rows.filter(|row| {
            row.state == TaskState::Deferred
                && self
                    .task_of(row)
                    .is_some_and(|task| matches!(task.kind, TaskKind::Approval { .. }))
        });
        waits.map(|row| row.of).collect()
    }

    fn for_world(&mut self) -> Option<(&'static str, Command)> {
        let dag = dag_id(self.dice.pick(&self.people.dags)?);
        let pause = self.dice.percent(45);
        Some(match self.dice.below(16) {
            0..=3 => {
                let what = Pausable::Dag(dag);
                ("dag paused", Command::Pause { what, pause })
            }
            4 | 5 => {
                let what = Pausable::Pool(POOL.into());
                ("pool changed", Command::Pause { what, pause })
            }
            6..=9 => {
                let set = Command::SetPool {
                    name: POOL.into(),
                    slots: Some(u32::try_from(self.dice.between(1, 4)).unwrap_or(1)),
                    holds_deferred: self.dice.percent(30),
                    note: None,
                };
                ("pool changed", set)
            }
            10 => ("pool changed", Command::RemovePool { name: POOL.into() }),
            11 if self.dice.percent(50) => ("dag removed", Command::RemoveDag { dag }),
            _ => {
                let action = match self.dice.below(6) {
                    0 => BulkAction::Clear,
                    1 => BulkAction::Cancel,
                    2 => BulkAction::Mark(TaskState::Success),
                    _ => BulkAction::RetryFailed,
                };
                let filter = Filter {
                    runs: Vec::new(),
                    dag: Some(dag),
                    states: if self.dice.percent(50) {
                        vec![RunState::Failed]
                    } else {
                        Vec::new()
                    },
                    kinds: Vec::new(),
                    from: None,
                    to: None,
                    tasks: Vec::new(),
                    runs_max: u32::try_from(self.dice.between(1, 3)).unwrap_or(1),
                };
                (
                    "bulk command",
                    Command::Bulk {
                        filter,
                        action,
                        note: None,
                    },
                )
            }
        })
    }

    fn for_backfill(&mut self) -> Option<(&'static str, Command)> {
        let open: Vec<i64> = (self.store.rows.backfills.values())
            .filter(|row| matches!(row.state, BackfillState::Active | BackfillState::Paused))
            .map(|row| row.id)
            .collect();
        if let Some(backfill) = self
            .dice
            .pick(&open)
            .copied()
            .filter(|_| self.dice.percent(60))
        {
            let what = Pausable::Backfill(backfill);
            let command = match self.dice.below(3) {
                0 => Command::CancelBackfill { backfill },
                pause => Command::Pause {
                    what,
                    pause: pause == 1,
                },
            };
            return Some(("backfill ended", command));
        }
        let dag = dag_id(self.dice.pick(&self.people.dags)?);
        let (long, short) = (self.dice.between(1_000, 4_000), self.dice.below(900));
        let now = self.now.micros();
        let back = |secs: u64| Timestamp::from_micros(now - secs.cast_signed() * 1_000_000);
        let (from, to) = (back(long), back(short));
        let ways = [Reprocess::None, Reprocess::Failed, Reprocess::Completed];
        Some((
            "backfill made",
            Command::Backfill(Backfill {
                dag,
                from,
                to,
                reprocess: *self.dice.pick(&ways)?,
                backwards: self.dice.percent(30),
                active_runs_max: u32::try_from(self.dice.between(1, 3)).unwrap_or(1),
                params: self.params(),
            }),
        ))
    }

    /// Lets go on what waits for people: what is paused, asked, or blocked by an earlier run that failed.
    pub(crate) fn look_around(&mut self) {
        self.people.rounds += 1;
        let rows = &self.store.rows;
        let mut pauses: Vec<Pausable> = Vec::new();
        pauses.extend(
            rows.dags
                .values()
                .filter(|row| row.paused)
                .map(|row| Pausable::Dag(row.id.clone())),
        );
        pauses.extend(
            rows.runs
                .values()
                .filter(|row| row.paused && !has_ended(row))
                .map(|row| Pausable::Run(row.id)),
        );
        pauses.extend(
            rows.pools
                .values()
                .filter(|row| row.paused)
                .map(|row| Pausable::Pool(row.name.clone())),
        );
        let paused = rows
            .backfills
            .values()
            .filter(|row| row.state == BackfillState::Paused);
        pauses.extend(paused.map(|row| Pausable::Backfill(row.id)));
        let mut commands: Vec<Command> = pauses
            .into_iter()
            .map(|what| Command::Pause { what, pause: false })
            .collect();
        commands.push(Command::SetPool {
            name: POOL.into(),
            slots: Some(6),
            holds_deferred: false,
            note: None,
        });
        let choice: Arc<str> = "yes".into();
        let asked = self.waiting_for_people();
        commands.extend(asked.into_iter().map(|of| Command::Answer {
            of,
            choice: Arc::clone(&choice),
        }));
        commands.extend(self.unblock());
        for command in commands {
            self.request(Some(("command that only asks", command)));
        }
    }

    /// Counts as done what failed in runs of DAGs whose later runs wait for that.
    fn unblock(&self) -> Vec<Command> {
        let looks_back = |spec: &Arc<DagSpec>| {
            spec.definition
                .tasks
                .iter()
                .any(|task| task.past.depends_on_past)
        };
        let waits: BTreeSet<_> = self
            .specs
            .values()
            .filter(|spec| looks_back(spec))
            .map(|spec| spec.id().clone())
            .collect();
        let mut commands = Vec::new();
        for run in self
            .store
            .rows
            .runs
            .values()
            .filter(|run| waits.contains(&run.dag))
        {
            let well = |state| matches!(state, TaskState::Success | TaskState::Skipped);
            let bad = self.store.rows.instances(run.id);
            let bad: Vec<_> = bad
                .filter(|row| {
                    row.state.is_final() && !well(row.state) && self.task_of(row).is_some()
                })
                .filter(|row| row.of.map_index < 0)
                .map(|row| (row.name.clone(), None))
                .collect();
            // Or that waits for a run before it which has no room to begin.
            if self.people.rounds.is_multiple_of(STUCK_ROUNDS) && run.state == RunState::Running {
                commands.push(Command::CancelRun {
                    run: run.id,
                    note: None,
                });
            } else if !bad.is_empty() {
                commands.push(Command::Mark {
                    select: Select {
                        run: run.id,
                        tasks: Selected::Tasks(bad),
                    },
                    around: Around::default(),
                    state: TaskState::Success,
                    note: None,
                });
            }
        }
        commands
    }
}
