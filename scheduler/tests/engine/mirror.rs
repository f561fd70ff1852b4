//! What would be stored: every change goes in, and only if the store would take it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidemill_core::id::DagId;
use tidemill_core::protocol::{AttemptNo, InstanceRef, RunNo, TaskNo};
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;
use tidemill_scheduler::engine::{Filter, Wanted};
use tidemill_store::record::{
    AssetEventRow, AttemptRow, AuditRow, BackfillDateRow, BackfillRow, BackfillState, Changes,
    CheckRow, CleanupRow, ConnectionRow, DagRow, Highest, LoadRow, OutboxRow, OutputRow, PoolRow,
    Recovered, RunRow, SecretHead, SkippedTickRow, TaskDetailRow, TaskNameRow, TaskRow,
    VariableRow, VersionRow, WaitingAssetRow,
};

/// Every row by its key.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Mirror {
    pub(crate) versions: BTreeMap<(DagId, Version), VersionRow>,
    pub(crate) task_names: BTreeMap<(DagId, TaskNo), TaskNameRow>,
    pub(crate) dags: BTreeMap<DagId, DagRow>,
    pub(crate) pools: BTreeMap<Arc<str>, PoolRow>,
    pub(crate) connections: BTreeMap<Arc<str>, ConnectionRow>,
    pub(crate) variables: BTreeMap<Arc<str>, VariableRow>,
    pub(crate) backfills: BTreeMap<i64, BackfillRow>,
    pub(crate) dates: BTreeMap<(i64, u32), BackfillDateRow>,
    pub(crate) runs: BTreeMap<RunNo, RunRow>,
    pub(crate) tasks: BTreeMap<InstanceRef, TaskRow>,
    pub(crate) details: BTreeMap<InstanceRef, TaskDetailRow>,
    pub(crate) attempts: BTreeMap<AttemptNo, AttemptRow>,
    pub(crate) outputs: BTreeMap<AttemptNo, OutputRow>,
    pub(crate) loads: BTreeMap<(AttemptNo, u32), LoadRow>,
    pub(crate) checks: BTreeMap<(AttemptNo, u32), CheckRow>,
    pub(crate) cleanups: BTreeMap<AttemptNo, CleanupRow>,
    pub(crate) asset_events: BTreeMap<i64, AssetEventRow>,
    pub(crate) waits: BTreeMap<(DagId, Arc<str>), WaitingAssetRow>,
    pub(crate) outbox: BTreeMap<Arc<str>, OutboxRow>,
    pub(crate) skipped_ticks: BTreeMap<(DagId, Timestamp), SkippedTickRow>,
    pub(crate) audits: BTreeMap<i64, AuditRow>,
    highest: Highest,
}

/// Puts a row in that must not be there yet.
fn insert<K: Ord + std::fmt::Debug, V>(rows: &mut BTreeMap<K, V>, key: K, row: V) {
    let text = format!("{key:?}");
    assert!(rows.insert(key, row).is_none(), "a second row {text}");
}

/// Replaces a row that must be there.
fn replace<K: Ord + std::fmt::Debug, V>(rows: &mut BTreeMap<K, V>, key: K, row: V) {
    let text = format!("{key:?}");
    assert!(rows.insert(key, row).is_some(), "no row {text} to replace");
}

fn each_once<K: Ord + std::fmt::Debug>(keys: impl IntoIterator<Item = K>) {
    let mut seen = BTreeSet::new();
    for key in keys {
        let text = format!("{key:?}");
        assert!(seen.insert(key), "{text} is written twice in one commit");
    }
}

impl Mirror {
    pub(crate) fn apply(&mut self, changes: &Changes) {
        self.apply_dags(changes);
        self.apply_secrets(changes);
        self.apply_runs(changes);
        self.apply_tasks(changes);
        self.apply_history(changes);
    }

    fn apply_secrets(&mut self, changes: &Changes) {
        for name in &changes.connections_gone {
            self.connections.remove(name);
        }
        each_once(changes.connections.iter().map(|row| &row.name));
        for row in &changes.connections {
            self.connections.insert(Arc::clone(&row.name), row.clone());
        }
        for name in &changes.variables_gone {
            self.variables.remove(name);
        }
        each_once(changes.variables.iter().map(|row| &row.name));
        for row in &changes.variables {
            self.variables.insert(Arc::clone(&row.name), row.clone());
        }
    }

    fn apply_dags(&mut self, changes: &Changes) {
        for row in &changes.versions {
            let key = (row.dag.clone(), row.version.clone());
            self.versions.entry(key).or_insert_with(|| row.clone());
        }
        for row in &changes.task_names {
            let known = self
                .task_names
                .entry((row.dag.clone(), row.task))
                .or_insert_with(|| row.clone());
            assert_eq!(known.name, row.name, "a task's number is given for good");
        }
        each_once(changes.dags.iter().map(|row| &row.id));
        for row in &changes.dags {
            let known = row.version.as_ref().is_none_or(|version| {
                self.versions
                    .contains_key(&(row.id.clone(), version.clone()))
            });
            assert!(known, "{} points to a version that is not there", row.id);
            self.dags.insert(row.id.clone(), row.clone());
        }
        each_once(changes.pools.iter().map(|row| &row.name));
        for row in &changes.pools {
            self.pools.insert(Arc::clone(&row.name), row.clone());
        }
        for name in &changes.pools_gone {
            self.pools.remove(name);
        }
        each_once(changes.backfills.iter().map(|row| row.id));
        for row in &changes.backfills {
            self.backfills.insert(row.id, row.clone());
            self.highest.backfill = self.highest.backfill.max(row.id);
        }
        for key in &changes.asset_waits_used {
            self.waits.remove(key);
        }
        each_once(changes.asset_waits.iter().map(|row| (&row.dag, &row.asset)));
        for row in &changes.asset_waits {
            let key = (row.dag.clone(), Arc::clone(&row.asset));
            self.waits.insert(key, row.clone());
        }
        for row in &changes.skipped_ticks {
            let key = (row.dag.clone(), row.start);
            self.skipped_ticks.entry(key).or_insert_with(|| row.clone());
        }
    }

    fn apply_runs(&mut self, changes: &Changes) {
        each_once(
            changes
                .new_runs
                .iter()
                .chain(&changes.runs)
                .map(|row| row.id),
        );
        for row in &changes.new_runs {
            for other in self.runs.values().filter(|other| other.dag == row.dag) {
                assert_ne!(other.name, row.name, "a second run of this name");
                let dated = has_date(row) && has_date(other);
                assert!(
                    !dated || other.start != row.start,
                    "{} is a second run for its date",
                    row.name
                );
            }
            self.highest.run = self.highest.run.max(row.id.0);
            insert(&mut self.runs, row.id, row.clone());
        }
        for row in &changes.runs {
            replace(&mut self.runs, row.id, row.clone());
        }
        for row in changes.new_runs.iter().chain(&changes.runs) {
            let version = (row.dag.clone(), row.version.clone());
            assert!(
                self.versions.contains_key(&version),
                "{} has no version",
                row.name
            );
            assert!(
                row.backfill
                    .is_none_or(|id| self.backfills.contains_key(&id))
            );
        }
        each_once(
            changes
                .backfill_dates
                .iter()
                .map(|row| (row.backfill, row.nth)),
        );
        for row in &changes.backfill_dates {
            self.dates.insert((row.backfill, row.nth), row.clone());
        }
    }

    fn apply_tasks(&mut self, changes: &Changes) {
        each_once(
            changes
                .new_tasks
                .iter()
                .chain(&changes.tasks)
                .map(|row| row.of),
        );
        for row in &changes.new_tasks {
            assert!(
                self.runs.contains_key(&row.of.run),
                "{:?} has no run",
                row.of
            );
            insert(&mut self.tasks, row.of, row.clone());
        }
        for row in &changes.tasks {
            if let Some(old) = self.tasks.get(&row.of) {
                assert!(
                    row.attempt >= old.attempt,
                    "the fence of {} went back",
                    row.name
                );
                assert!(
                    row.epoch >= old.epoch,
                    "the epoch of {} went back",
                    row.name
                );
                assert!(
                    row.edits >= old.edits,
                    "the edits of {} went back",
                    row.name
                );
                assert_eq!(row.name, old.name);
            }
            replace(&mut self.tasks, row.of, row.clone());
        }
        for row in changes.new_tasks.iter().chain(&changes.tasks) {
            self.highest.attempt = self.highest.attempt.max(row.attempt.0);
        }
        each_once(changes.task_details.iter().map(|row| row.of));
        for row in &changes.task_details {
            assert!(self.tasks.contains_key(&row.of), "{:?} has no task", row.of);
            self.details.insert(row.of, row.clone());
        }
    }

    fn apply_history(&mut self, changes: &Changes) {
        for row in &changes.attempts {
            assert!(self.tasks.contains_key(&row.of), "{:?} has no task", row.of);
            assert!(row.queued_at <= row.ended_at, "a span of less than nothing");
            self.highest.attempt = self.highest.attempt.max(row.id.0);
            insert(&mut self.attempts, row.id, row.clone());
        }
        for row in &changes.outputs {
            insert(&mut self.outputs, row.attempt, row.clone());
        }
        for row in &changes.loads {
            insert(&mut self.loads, (row.attempt, row.nth), row.clone());
        }
        for row in &changes.checks {
            insert(&mut self.checks, (row.attempt, row.nth), row.clone());
        }
        each_once(changes.cleanups.iter().map(|row| row.of.attempt));
        for row in &changes.cleanups {
            self.cleanups.insert(row.of.attempt, row.clone());
        }
        for attempt in &changes.cleanups_done {
            self.cleanups.remove(attempt);
        }
        for row in &changes.asset_events {
            self.highest.asset_event = self.highest.asset_event.max(row.id);
            insert(&mut self.asset_events, row.id, row.clone());
        }
        for row in &changes.outbox {
            self.highest.outbox = self.highest.outbox.max(row.id);
            self.outbox
                .entry(Arc::clone(&row.key))
                .or_insert_with(|| row.clone());
        }
        for row in &changes.audits {
            self.highest.audit = self.highest.audit.max(row.id);
            insert(&mut self.audits, row.id, row.clone());
        }
    }

    /// What a start reads back.
    pub(crate) fn recovered(&self) -> Recovered {
        let stopping: BTreeSet<RunNo> = self.cleanups.values().map(|row| row.of.of.run).collect();
        let wanted = |run: &&RunRow| !has_ended(run) || stopping.contains(&run.id);
        let mut rows = self.rows_of(self.runs.values().filter(wanted));
        for dag in self.dags.values() {
            let newest = dag.version.as_ref();
            let row =
                newest.and_then(|version| self.versions.get(&(dag.id.clone(), version.clone())));
            rows.versions
                .extend(row.filter(|row| !rows.versions.contains(row)).cloned());
        }
        rows.task_names = self.task_names.values().cloned().collect();
        rows.dags = self.dags.values().cloned().collect();
        rows.pools = self.pools.values().cloned().collect();
        let head = |name: &Arc<str>, edits, touched: &_| SecretHead {
            name: Arc::clone(name),
            edits,
            touched: Option::clone(touched),
        };
        let connections = self.connections.values();
        rows.connections = connections
            .map(|row| head(&row.name, row.edits, &row.touched))
            .collect();
        let variables = self.variables.values();
        rows.variables = variables
            .map(|row| head(&row.name, row.edits, &row.touched))
            .collect();
        let open =
            |row: &&BackfillRow| matches!(row.state, BackfillState::Active | BackfillState::Paused);
        rows.backfills = self.backfills.values().filter(open).cloned().collect();
        let open: BTreeSet<i64> = rows.backfills.iter().map(|row| row.id).collect();
        let dates = self
            .dates
            .values()
            .filter(|row| open.contains(&row.backfill));
        rows.backfill_dates = dates.cloned().collect();
        rows.cleanups = self.cleanups.values().cloned().collect();
        rows.asset_waits = self.waits.values().cloned().collect();
        let taken = self.runs.values().filter(|run| {
            let last = self.dags.get(&run.dag).and_then(|dag| dag.last_due);
            has_date(run) && last.is_none_or(|(start, ..)| run.start > start)
        });
        rows.dates_taken = taken.map(|run| (run.dag.clone(), run.start)).collect();
        rows.dates_taken.sort();
        rows.highest = self.highest;
        rows
    }

    /// What reading runs back gives, and the numbers of those that match as well, beyond as many as were wanted.
    pub(crate) fn load(&self, wanted: &Wanted) -> (Recovered, Vec<RunNo>) {
        let runs = self.runs.values();
        let rows = match wanted {
            Wanted::Runs(numbers) => self.rows_of(runs.filter(|run| numbers.contains(&run.id))),
            Wanted::Before {
                dag,
                start,
                scheduled_only,
            } => {
                let before = runs.filter(|run| run.dag == *dag && run.start < *start);
                let before = before.filter(|run| !scheduled_only || has_date(run));
                self.rows_of(before.max_by_key(|run| (run.start, run.id)))
            }
            Wanted::Between { dag, from, to } => self.rows_of(
                runs.filter(|run| run.dag == *dag && run.start >= *from && run.start <= *to),
            ),
            Wanted::Named { dag, name } => {
                self.rows_of(runs.filter(|run| run.dag == *dag && run.name == *name))
            }
            Wanted::Matching(filter) => {
                let mut found: Vec<_> = runs.filter(|run| fits(filter, run)).collect();
                let of_dag = filter.dag.is_some();
                found.sort_by_key(|run| Reverse((of_dag.then_some(run.start), run.id)));
                let beyond = found.split_off(found.len().min(filter.runs_max.max(1) as usize));
                let beyond = beyond.into_iter().map(|run| run.id).collect();
                return (self.rows_of(found), beyond);
            }
        };
        (rows, Vec::new())
    }

    fn rows_of<'a>(&self, runs: impl IntoIterator<Item = &'a RunRow>) -> Recovered {
        let mut rows = Recovered {
            task_names: self.task_names.values().cloned().collect(),
            highest: self.highest,
            ..Recovered::default()
        };
        for run in runs {
            rows.runs.push(run.clone());
            let version = &self.versions[&(run.dag.clone(), run.version.clone())];
            if !rows.versions.contains(version) {
                rows.versions.push(version.clone());
            }
            let all = all_of(run.id);
            rows.tasks
                .extend(self.tasks.range(all.clone()).map(|(_, row)| row.clone()));
            rows.task_details
                .extend(self.details.range(all).map(|(_, row)| row.clone()));
        }
        let current = |row: &&OutputRow| {
            row.listed
                && rows
                    .tasks
                    .iter()
                    .any(|task| task.of == row.of && task.attempt == row.attempt)
        };
        rows.outputs = self.outputs.values().filter(current).cloned().collect();
        rows
    }

    pub(crate) fn instances(&self, run: RunNo) -> impl Iterator<Item = &TaskRow> {
        self.tasks.range(all_of(run)).map(|(_, row)| row)
    }

    /// The instances in this state, over all runs.
    pub(crate) fn count(&self, state: TaskState) -> usize {
        self.tasks.values().filter(|row| row.state == state).count()
    }
}

/// The keys of all instances of a run.
fn all_of(run: RunNo) -> std::ops::RangeInclusive<InstanceRef> {
    let of = |task: u32, map_index: i32| InstanceRef {
        run,
        task: TaskNo(task),
        map_index,
    };
    of(0, i32::MIN)..=of(u32::MAX, i32::MAX)
}

fn has_date(run: &RunRow) -> bool {
    matches!(run.kind, RunType::Scheduled | RunType::Backfill)
}

pub(crate) fn has_ended(run: &RunRow) -> bool {
    !matches!(run.state, RunState::Queued | RunState::Running)
}

fn fits(filter: &Filter, run: &RunRow) -> bool {
    if !filter.runs.is_empty() {
        return filter.runs.contains(&run.id);
    }
    filter.dag.as_ref().is_none_or(|dag| run.dag == *dag)
        && (filter.states.is_empty() || filter.states.contains(&run.state))
        && (filter.kinds.is_empty() || filter.kinds.contains(&run.kind))
        && filter.from.is_none_or(|from| run.start >= from)
        && filter.to.is_none_or(|to| run.start <= to)
}
