//! Any history: the same changes on both databases and in memory read back the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tidemill_core::id::DagId;
use tidemill_core::protocol::{AttemptNo, InstanceRef, RunNo};
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_store::record::{
    BackfillDateRow, BackfillRow, BackfillState, Changes, CleanupRow, ConnectionRow, DagRow,
    DateState, Highest, OutputRow, PoolRow, Recovered, RunRow, TaskDetailRow, TaskNameRow, TaskRow,
    VariableRow, VersionRow, WaitingAssetRow,
};

use crate::place::Place;
use crate::round_trip::{lead, put};
use crate::sample::*;

/// How many histories are tried.
const CASES: u32 = 24;

/// Something that happens; what exactly depends on what there is.
#[derive(Debug, Clone)]
struct Happening {
    what: u8,
    which: u8,
    how: u8,
}

fn histories() -> impl Strategy<Value = Vec<Vec<Happening>>> {
    let happening = (0..15_u8, any::<u8>(), any::<u8>()).prop_map(|(what, which, how)| Happening {
        what,
        which,
        how,
    });
    prop::collection::vec(prop::collection::vec(happening, 0..16), 1..7)
}

/// What a database should hold, of what a start reads.
#[derive(Debug, Default)]
struct Model {
    versions: BTreeMap<(DagId, String), VersionRow>,
    names: BTreeMap<(DagId, u32), TaskNameRow>,
    dags: BTreeMap<DagId, DagRow>,
    pools: BTreeMap<Arc<str>, PoolRow>,
    connections: BTreeMap<Arc<str>, ConnectionRow>,
    variables: BTreeMap<Arc<str>, VariableRow>,
    backfills: BTreeMap<i64, BackfillRow>,
    dates: BTreeMap<(i64, Timestamp), BackfillDateRow>,
    runs: BTreeMap<i64, RunRow>,
    tasks: BTreeMap<InstanceRef, TaskRow>,
    details: BTreeMap<InstanceRef, TaskDetailRow>,
    outputs: BTreeMap<i64, OutputRow>,
    cleanups: BTreeMap<i64, CleanupRow>,
    waits: BTreeMap<(DagId, Arc<str>), WaitingAssetRow>,
    keys: BTreeSet<Arc<str>>,
    highest: Highest,
}

/// A connection comes, or goes, or both at once.
fn secret(which: i64, how: u8, to: &mut Changes) {
    let name = which.to_string();
    if how.is_multiple_of(3) {
        to.connections_gone.push(text(&name));
    }
    if !how.is_multiple_of(5) {
        to.connections.push(ConnectionRow {
            edits: how.into(),
            ..connection_row(&name)
        });
    }
}

impl Model {
    /// Makes changes that this database takes: each row once, and only rows that are there replaced.
    fn changes(&self, happenings: &[Happening]) -> Changes {
        let mut changes = Changes::default();
        let mut touched = BTreeSet::new();
        for happening in happenings {
            let before = (happening.what, happening.which % 6);
            // A row comes once in a commit.
            if touched.insert(before) {
                self.happen(happening, &mut changes);
            }
        }
        changes
    }

    fn happen(&self, happening: &Happening, to: &mut Changes) {
        let (which, how) = (i64::from(happening.which % 6), happening.how);
        let version = version_row(
            ["a", "b"][usize::from(how % 2)],
            ["", "x"][usize::from(how / 2 % 2)],
        );
        match happening.what {
            0 => to.versions.extend(
                (to.versions.iter().all(|row| row.version != version.version)).then_some(version),
            ),
            1 => to
                .task_names
                .push(task_name("a", u32::from(happening.which % 6))),
            2 => self.dag(&version, how, to),
            3 if how % 4 == 0 => to.pools_gone.push(text(&format!("pool {which}"))),
            3 => to.pools.push(pool_row(&format!("pool {which}"))),
            4 => self.backfill(which, how, to),
            5 => self.run(&version, how, to),
            6 => self.run_again(which, how, to),
            7 => self.task(which, how, to),
            8 => to
                .task_details
                .extend(self.nth_task(which, to).map(|of| TaskDetailRow {
                    of,
                    ..detail_row(0, 0)
                })),
            9 => self.output(which, how, to),
            10 if how % 3 == 0 => to.cleanups_done.push(AttemptNo(which)),
            10 => to
                .cleanups
                .extend(self.nth_task(which, to).map(|of| cleanup_row(which, of))),
            11 if how % 3 == 0 => to
                .asset_waits_used
                .push((dag_id("a"), text(&which.to_string()))),
            11 => to.asset_waits.push(WaitingAssetRow {
                count: how.into(),
                ..wait_row("a", &which.to_string())
            }),
            12 => secret(which, how, to),
            13 if how % 3 == 0 => to.variables_gone.push(text(&which.to_string())),
            13 => to.variables.push(VariableRow {
                edits: how.into(),
                ..variable_row(&which.to_string())
            }),
            _ => self.letter(which, to),
        }
    }

    fn dag(&self, version: &VersionRow, how: u8, to: &mut Changes) {
        if to.dags.iter().any(|row| row.id == version.dag) {
            return;
        }
        // A DAG takes a version that is there.
        let there = self
            .versions
            .contains_key(&(version.dag.clone(), version.version.to_string()))
            || to.versions.iter().any(|row| row.version == version.version);
        to.dags.push(DagRow {
            version: (there && !how.is_multiple_of(3)).then(|| version.version.clone()),
            last_due: (!how.is_multiple_of(5)).then(|| (day(i64::from(how % 7)), day(8), day(9))),
            ..dag_row(version)
        });
    }

    fn backfill(&self, which: i64, how: u8, to: &mut Changes) {
        let id = which + 1;
        to.backfills.push(BackfillRow {
            state: [
                BackfillState::Active,
                BackfillState::Paused,
                BackfillState::Done,
            ][usize::from(how % 3)],
            ..backfill_row(id, "a")
        });
        let state = [
            DateState::Waiting(None),
            DateState::Made(RunNo(1)),
            DateState::LeftOut(text(HOSTILE)),
        ];
        to.backfill_dates.push(date_row(
            id,
            u32::from(how % 4),
            state[usize::from(how / 4 % 3)].clone(),
        ));
    }

    fn run(&self, version: &VersionRow, how: u8, to: &mut Changes) {
        let id = self.highest.run + i64::try_from(to.new_runs.len()).expect("few") + 1;
        let row = RunRow {
            kind: RunType::ALL[usize::from(how % 4)],
            state: RunState::ALL[usize::from(how / 4 % 5)],
            ..run_row(id, version)
        };
        for task in 0..u32::from(how % 3) {
            to.new_tasks.push(task_new(id, task));
        }
        to.new_runs.push(row);
    }

    fn run_again(&self, which: i64, how: u8, to: &mut Changes) {
        let nth = usize::try_from(which).expect("small");
        let row = self.runs.values().nth(nth).map(|row| RunRow {
            state: RunState::ALL[usize::from(how % 5)],
            note: (how > 99).then(|| text(HOSTILE)),
            edits: row.edits + 1,
            ..row.clone()
        });
        to.runs.extend(row);
    }

    /// A task that is there before this commit, and not in it yet.
    fn nth_task(&self, which: i64, to: &Changes) -> Option<InstanceRef> {
        let nth = usize::try_from(which).expect("small");
        let of = *self.tasks.keys().nth(nth)?;
        let known = to.task_details.iter().any(|row| row.of == of);
        (!known).then_some(of)
    }

    fn task(&self, which: i64, how: u8, to: &mut Changes) {
        let nth = usize::try_from(which).expect("small");
        let row = self.tasks.values().nth(nth).map(|row| TaskRow {
            state: TaskState::ALL[usize::from(how % 11)],
            attempt: AttemptNo(self.highest.attempt + 1 + which),
            worker: how.is_multiple_of(2).then(|| text(HOSTILE)),
            since: at(i64::from(how)),
            ..row.clone()
        });
        to.tasks.extend(row);
    }

    fn output(&self, which: i64, how: u8, to: &mut Changes) {
        let nth = usize::try_from(which).expect("small");
        let Some(task) = self.tasks.values().nth(nth) else {
            return;
        };
        let taken = to
            .outputs
            .iter()
            .map(|row| row.attempt.0)
            .any(|id| id == task.attempt.0);
        if taken || self.outputs.contains_key(&task.attempt.0) {
            return;
        }
        to.outputs.push(OutputRow {
            listed: !how.is_multiple_of(3),
            ..output_row(task.attempt.0, task.of)
        });
        if how.is_multiple_of(2) {
            let id = self.highest.attempt + 50 + which;
            to.attempts.push(attempt_row(id, task.of));
        }
    }

    fn letter(&self, which: i64, to: &mut Changes) {
        let id = self.highest.outbox + i64::try_from(to.outbox.len()).expect("few") + 1;
        to.outbox.push(outbox_row(id, &format!("key {which}")));
        let id = self.highest.audit + i64::try_from(to.audits.len()).expect("few") + 1;
        to.audits.push(audit_row(id));
        let id = self.highest.asset_event + i64::try_from(to.asset_events.len()).expect("few") + 1;
        to.asset_events.push(event_row(id));
    }

    fn apply_secrets(&mut self, changes: &Changes) {
        for name in &changes.connections_gone {
            self.connections.remove(name);
        }
        let connections = changes.connections.iter();
        self.connections
            .extend(connections.map(|row| (row.name.clone(), row.clone())));
        for name in &changes.variables_gone {
            self.variables.remove(name);
        }
        let variables = changes.variables.iter();
        self.variables
            .extend(variables.map(|row| (row.name.clone(), row.clone())));
    }

    /// What the database is asked to do, done here.
    fn apply(&mut self, changes: &Changes) {
        for row in &changes.versions {
            let key = (row.dag.clone(), row.version.to_string());
            self.versions.entry(key).or_insert_with(|| row.clone());
        }
        for row in &changes.task_names {
            self.names
                .entry((row.dag.clone(), row.task.0))
                .or_insert_with(|| row.clone());
        }
        self.dags
            .extend(changes.dags.iter().map(|row| (row.id.clone(), row.clone())));
        for name in &changes.pools_gone {
            self.pools.remove(name);
        }
        self.apply_secrets(changes);
        self.pools.extend(
            changes
                .pools
                .iter()
                .map(|row| (row.name.clone(), row.clone())),
        );
        self.backfills
            .extend(changes.backfills.iter().map(|row| (row.id, row.clone())));
        self.dates.extend(
            changes
                .backfill_dates
                .iter()
                .map(|row| ((row.backfill, row.start), row.clone())),
        );
        let runs = changes.new_runs.iter().chain(&changes.runs);
        self.runs.extend(runs.map(|row| (row.id.0, row.clone())));
        let tasks = changes.new_tasks.iter().chain(&changes.tasks);
        self.tasks.extend(tasks.map(|row| (row.of, row.clone())));
        self.details
            .extend(changes.task_details.iter().map(|row| (row.of, row.clone())));
        self.outputs.extend(
            changes
                .outputs
                .iter()
                .map(|row| (row.attempt.0, row.clone())),
        );
        self.cleanups.extend(
            changes
                .cleanups
                .iter()
                .map(|row| (row.of.attempt.0, row.clone())),
        );
        for attempt in &changes.cleanups_done {
            self.cleanups.remove(&attempt.0);
        }
        for key in &changes.asset_waits_used {
            self.waits.remove(key);
        }
        self.waits.extend(
            changes
                .asset_waits
                .iter()
                .map(|row| ((row.dag.clone(), row.asset.clone()), row.clone())),
        );
        self.keys
            .extend(changes.outbox.iter().map(|row| row.key.clone()));
        self.count(changes);
    }

    fn count(&mut self, changes: &Changes) {
        let top = |highest: &mut i64, numbers: &mut dyn Iterator<Item = i64>| {
            *highest = numbers.fold(*highest, i64::max);
        };
        let highest = &mut self.highest;
        top(
            &mut highest.run,
            &mut changes.new_runs.iter().map(|row| row.id.0),
        );
        top(
            &mut highest.attempt,
            &mut changes.tasks.iter().map(|row| row.attempt.0),
        );
        top(
            &mut highest.attempt,
            &mut changes.attempts.iter().map(|row| row.id.0),
        );
        top(
            &mut highest.attempt,
            &mut changes.cleanups.iter().map(|row| row.of.attempt.0),
        );
        top(
            &mut highest.backfill,
            &mut changes.backfills.iter().map(|row| row.id),
        );
        top(
            &mut highest.asset_event,
            &mut changes.asset_events.iter().map(|row| row.id),
        );
        top(
            &mut highest.outbox,
            &mut changes.outbox.iter().map(|row| row.id),
        );
        top(
            &mut highest.audit,
            &mut changes.audits.iter().map(|row| row.id),
        );
    }

    /// What a start should read.
    fn recovered(&self) -> Recovered {
        let cleaned: BTreeSet<_> = self.cleanups.values().map(|row| row.of.of.run.0).collect();
        let runs: Vec<_> = self
            .runs
            .values()
            .filter(|run| {
                matches!(run.state, RunState::Queued | RunState::Running)
                    || cleaned.contains(&run.id.0)
            })
            .cloned()
            .collect();
        let on = |of: &InstanceRef| runs.iter().any(|run| run.id == of.run);
        let goes_on = |id: &i64| self.backfills[id].state != BackfillState::Done;
        let mut dates: Vec<_> = self
            .dates
            .values()
            .filter(|row| goes_on(&row.backfill))
            .cloned()
            .collect();
        dates.sort_by_key(|row| (row.backfill, row.nth));
        Recovered {
            versions: self.versions_needed(&runs),
            task_names: self.names.values().cloned().collect(),
            dags: self.dags.values().cloned().collect(),
            pools: self.pools.values().cloned().collect(),
            connections: (self.connections.values())
                .map(|row| secret_head(&row.name, row.edits))
                .collect(),
            variables: (self.variables.values())
                .map(|row| secret_head(&row.name, row.edits))
                .collect(),
            backfills: self
                .backfills
                .values()
                .filter(|row| goes_on(&row.id))
                .cloned()
                .collect(),
            backfill_dates: dates,
            tasks: self
                .tasks
                .values()
                .filter(|row| on(&row.of))
                .cloned()
                .collect(),
            task_details: self
                .details
                .values()
                .filter(|row| on(&row.of))
                .cloned()
                .collect(),
            outputs: self
                .outputs
                .values()
                .filter(|row| {
                    row.listed && on(&row.of) && self.tasks[&row.of].attempt == row.attempt
                })
                .cloned()
                .collect(),
            cleanups: self.cleanups.values().cloned().collect(),
            asset_waits: self.waits.values().cloned().collect(),
            dates_taken: self.dates_taken(),
            highest: self.highest,
            runs,
        }
    }

    fn versions_needed(&self, runs: &[RunRow]) -> Vec<VersionRow> {
        let newest = |dag: &DagRow| {
            let of_it = self.versions.values().filter(|row| row.dag == dag.id);
            let last = of_it.max_by_key(|row| (row.deployed_at, row.version.as_str()));
            dag.version
                .clone()
                .or_else(|| last.map(|row| row.version.clone()))
        };
        let mut needed: BTreeSet<_> = runs
            .iter()
            .map(|run| (run.dag.clone(), run.version.to_string()))
            .collect();
        for dag in self.dags.values() {
            needed.extend(newest(dag).map(|version| (dag.id.clone(), version.to_string())));
        }
        let there = needed.iter().filter_map(|key| self.versions.get(key));
        there.cloned().collect()
    }

    fn dates_taken(&self) -> Vec<(DagId, Timestamp)> {
        let mut taken = Vec::new();
        for run in self.runs.values() {
            let Some(dag) = self.dags.get(&run.dag) else {
                continue;
            };
            let dated = matches!(run.kind, RunType::Scheduled | RunType::Backfill);
            if dated && dag.last_due.is_none_or(|(start, ..)| run.start > start) {
                taken.push((run.dag.clone(), run.start));
            }
        }
        taken.sort();
        taken
    }
}

async fn same_everywhere(history: &[Vec<Happening>]) -> Result<(), TestCaseError> {
    let (postgres, sqlite) = (Place::postgres().await, Place::sqlite().await);
    let leaders = (lead(&postgres.store).await, lead(&sqlite.store).await);
    let mut model = Model::default();
    for (happenings, batch) in history.iter().zip(1..) {
        let changes = model.changes(happenings);
        put(&leaders.0, batch, &changes).await;
        put(&leaders.1, batch, &changes).await;
        model.apply(&changes);
        let expected = model.recovered();
        for place in [&postgres, &sqlite] {
            let found = place.store.recover().await;
            let found = found.map_err(|why| TestCaseError::fail(why.to_string()))?;
            prop_assert_eq!(&found, &expected);
        }
        for place in [&postgres, &sqlite] {
            let letters = place.ask("SELECT count(*) FROM outbox").await;
            prop_assert_eq!(usize::try_from(letters), Ok(model.keys.len()));
        }
    }
    postgres.store.close().await;
    sqlite.store.close().await;
    Ok(())
}

#[test]
fn any_history_reads_back_the_same_from_both_and_from_memory() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 64,
        ..Config::default()
    };
    let tried = TestRunner::new(config).run(&histories(), |history| {
        runtime.block_on(same_everywhere(&history))
    });
    if let Err(why) = tried {
        panic!("{why}");
    }
}
