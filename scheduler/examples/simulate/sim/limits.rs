//! Limits, counted anew from what is stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tidemill_core::state::{RunState, TaskState};
use tidemill_store::record::{Changes, RunRow, TaskRow};

use super::Sim;
use super::checks::named;

const fn is_live(state: TaskState) -> bool {
    matches!(
        state,
        TaskState::Queued | TaskState::Running | TaskState::Deferred
    )
}

impl Sim {
    /// Whatever was begun with this commit had room.
    pub(crate) fn check_limits(&mut self, changes: &Changes) {
        let begun: Vec<&TaskRow> = changes
            .new_tasks
            .iter()
            .chain(&changes.tasks)
            .filter(|row| row.state == TaskState::Queued)
            .collect();
        if begun.is_empty() {
            return;
        }
        let live: Vec<&TaskRow> = self.live();
        let moved = changes.runs.iter().any(|run| run.touched.is_some());
        let mut pools: BTreeMap<Arc<str>, u32> = BTreeMap::new();
        for row in &live {
            let Some((pool, slots)) = self.pool_of(row) else {
                continue;
            };
            let holds = self
                .store
                .rows
                .pools
                .get(&pool)
                .is_some_and(|pool| pool.holds_deferred);
            if row.state != TaskState::Deferred || holds {
                *pools.entry(pool).or_default() += slots;
            }
        }
        let (mut pools_seen, mut keys_seen) = (false, false);
        for row in begun {
            let Some((pool, _)) = self.pool_of(row) else {
                continue;
            };
            let changed = changes.pools.iter().any(|row| row.name == pool)
                || changes.pools_gone.contains(&pool);
            let slots = match self.store.rows.pools.get(&pool) {
                Some(pool) => pool.slots,
                None if &*pool == "default" => self.config.default_pool_slots,
                None => Some(0),
            };
            let used = pools.get(&pool).copied().unwrap_or(0);
            if !changed && !moved {
                pools_seen = true;
                assert!(
                    slots.is_none_or(|slots| used <= slots),
                    "{} begins and {used} of {slots:?} slots of the pool {pool} are used",
                    named(row)
                );
            }
            self.check_concurrency(row, &live);
            keys_seen |= self.check_key(row, &live);
        }
        if pools_seen {
            self.history.cover("pool recounted");
        }
        if keys_seen {
            self.history.cover("key recounted");
        }
    }

    /// Attempts that are on, people's answers left out.
    fn live(&self) -> Vec<&TaskRow> {
        let open = self
            .store
            .rows
            .runs
            .values()
            .filter(|run| run.state == RunState::Running);
        let rows = open.flat_map(|run| self.store.rows.instances(run.id));
        rows.filter(|row| {
            is_live(row.state)
                && row.instances.is_none()
                && row.attempt != row.ended_attempt
                && !self.is_for_people(row)
        })
        .collect()
    }

    fn is_for_people(&self, row: &TaskRow) -> bool {
        let task = self.task_of(row);
        task.is_none_or(|task| {
            use tidemill_core::spec::TaskKind::{Approval, Empty};
            matches!(task.kind, Approval { .. } | Empty)
        })
    }

    fn pool_of(&self, row: &TaskRow) -> Option<(Arc<str>, u32)> {
        let run = self.store.rows.runs.get(&row.of.run)?;
        let placement = &self.task_of(row)?.placement;
        let pool = run
            .pool
            .clone()
            .unwrap_or_else(|| placement.pool.as_str().into());
        Some((pool, placement.slots))
    }

    /// Limits of a task over all runs and within its run, and of the run.
    fn check_concurrency(&self, row: &TaskRow, live: &[&TaskRow]) {
        let Some(task) = self.task_of(row) else {
            return;
        };
        let run = &self.store.rows.runs[&row.of.run];
        let dag = &self.store.rows.dags[&run.dag];
        let same = |other: &&&TaskRow| other.of.run == row.of.run && other.of.task == row.of.task;
        let here = live.iter().filter(same).count();
        let here = u32::try_from(here).unwrap_or(u32::MAX);
        if let Some(limit) = task.concurrency.active_per_run_max {
            assert!(
                here <= limit,
                "{} begins and {here} of {limit} are on in its run",
                named(row)
            );
        }
        let spec = &self.specs[&(run.dag.clone(), run.version.clone())].definition;
        let runs =
            |other: &&&TaskRow| other.of.run == row.of.run && other.state != TaskState::Deferred;
        let on = u32::try_from(live.iter().filter(runs).count()).unwrap_or(u32::MAX);
        if let Some(limit) = spec.active_tasks_per_run_max {
            assert!(
                on <= limit,
                "{} begins and {on} of {limit} tasks are on in its run",
                named(row)
            );
        }
        // The limits of all runs are those of the newest version, which may have changed with this very commit.
        if dag.version.as_ref() != Some(&run.version) || self.people.deployed_within(self.now) {
            return;
        }
        let of_dag = |other: &&&TaskRow| self.store.rows.runs[&other.of.run].dag == run.dag;
        if let Some(limit) = task.concurrency.active_max {
            let all = live
                .iter()
                .filter(of_dag)
                .filter(|other| other.of.task == row.of.task)
                .filter(|other| {
                    self.task_of(other)
                        .is_some_and(|task| task.concurrency.active_max.is_some())
                })
                .count();
            let all = u32::try_from(all).unwrap_or(u32::MAX);
            assert!(
                all <= limit,
                "{} begins and {all} of {limit} are on",
                named(row)
            );
        }
        if let Some(limit) = spec.active_tasks_max {
            let all = live
                .iter()
                .filter(of_dag)
                .filter(|other| other.state != TaskState::Deferred)
                .count();
            let all = u32::try_from(all).unwrap_or(u32::MAX);
            assert!(
                all <= limit,
                "{} begins and {all} of {limit} tasks are on in its DAG",
                named(row)
            );
        }
    }

    /// No more attempts with the same key than may be, by the params that their runs have now.
    fn check_key(&self, row: &TaskRow, live: &[&TaskRow]) -> bool {
        let Some(key) = self.key_of(row) else {
            return false;
        };
        let same = live
            .iter()
            .filter(|other| self.key_of(other) == Some(key.clone()));
        let names: Vec<String> = same.map(|row| named(row)).collect();
        assert!(names.len() <= 1, "the key `{key}` is held by {names:?}");
        true
    }

    /// The key of concurrency that a task takes, filled in by hand.
    fn key_of(&self, row: &TaskRow) -> Option<String> {
        let task = self.task_of(row)?;
        task.concurrency.key.as_ref()?;
        let run = self.store.rows.runs.get(&row.of.run)?;
        let params: Value = serde_json::from_str(&run.params).unwrap_or_default();
        Some(format!(
            "shop {}",
            params["shop"].as_str().unwrap_or_default()
        ))
    }

    /// What has to be so of a run that changed.
    pub(crate) fn check_run(&mut self, row: &RunRow) {
        self.history.cover("run recounted");
        assert!(
            row.quarantine.is_none(),
            "run {} is in quarantine: {:?}",
            row.id,
            row.quarantine
        );
        if row.state == RunState::Running {
            return self.check_runs_on(row);
        }
        if row.state == RunState::Queued {
            return;
        }
        for task in self.store.rows.instances(row.id) {
            assert!(
                task.state.is_final(),
                "run {} has ended {} and {} is {}",
                row.id,
                row.state,
                named(task),
                task.state
            );
        }
        self.check_result(row);
    }

    fn check_runs_on(&self, row: &RunRow) {
        let open = |backfill: &i64| {
            let row = self.store.rows.backfills.get(backfill)?;
            use tidemill_store::record::BackfillState::{Active, Paused};
            matches!(row.state, Active | Paused).then_some(row.active_runs_max)
        };
        let fresh = row
            .started_at
            .is_some_and(|started| self.truth_is_new(row, started));
        if !fresh || self.people.deployed_within(self.now) {
            return;
        }
        let limit = row.backfill.and_then(|id| open(&id));
        let of = |other: &&RunRow| {
            other.state == RunState::Running
                && match limit {
                    Some(_) => other.backfill == row.backfill,
                    None => {
                        other.dag == row.dag && other.backfill.and_then(|id| open(&id)).is_none()
                    }
                }
        };
        let spec = &self.specs[&(row.dag.clone(), row.version.clone())].definition;
        let limit = limit.unwrap_or(spec.active_runs_max);
        let on = self.store.rows.runs.values().filter(of).count();
        let mine = self
            .store
            .rows
            .runs
            .values()
            .filter(of)
            .filter(|other| other.backfill.is_some())
            .count();
        // Runs that are left of a backfill that is over count, too, but were let begin before it was.
        let mine = if row.backfill.is_none() { mine } else { 0 };
        assert!(
            on - mine <= usize::try_from(limit).unwrap_or(usize::MAX),
            "run {} is on, and with it {on} runs of {limit}",
            row.id
        );
    }

    /// Whether a run began with the commit that is checked, and no other run of its DAG after it.
    fn truth_is_new(&self, row: &RunRow, started: tidemill_core::time::Timestamp) -> bool {
        let others = self.store.rows.runs.values();
        let mut others = others.filter(|other| other.dag == row.dag && other.id != row.id);
        // When runs began is by the clocks of several schedulers, and so does not say it alone.
        self.truth.runs_begun.contains(&row.id)
            && row.touched.is_none()
            && others.all(|other| {
                other.started_at.is_none_or(|other| other < started) && other.touched.is_none()
            })
    }
}
