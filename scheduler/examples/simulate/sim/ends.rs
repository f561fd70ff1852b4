//! How runs end, and what has to be so once everything has ended.

use std::collections::BTreeSet;

use tidemill_core::spec::{Definition, Role};
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_core::timetable::Due;
use tidemill_store::record::RunRow;

use super::Sim;
use super::mirror::has_ended;

impl Sim {
    /// The result of a run follows from how its last tasks ended.
    pub(crate) fn check_result(&self, row: &RunRow) {
        let spec = &self.specs[&(row.dag.clone(), row.version.clone())].definition;
        if row.state == RunState::Cancelled || row.why.is_some() {
            return;
        }
        let mut tasks = self.store.rows.instances(row.id).peekable();
        if tasks.peek().is_none() {
            return;
        }
        let failed = leaves(spec).into_iter().any(|leaf| {
            let instances = self.instances_named(row.id, &leaf);
            instances
                .iter()
                .any(|row| matches!(row.state, TaskState::Failed | TaskState::UpstreamFailed))
        });
        let result = if failed {
            RunState::Failed
        } else {
            RunState::Success
        };
        assert!(
            row.state == result,
            "run {} is {} and by its tasks it is {result}",
            row.id,
            row.state
        );
    }

    pub(crate) fn tasks_ended(&self) -> (usize, usize) {
        let all = self.store.rows.tasks.len();
        let ended = TaskState::ALL.iter().filter(|state| state.is_final());
        (ended.map(|state| self.store.rows.count(*state)).sum(), all)
    }

    /// Whether there is nothing left to do.
    pub(crate) fn has_ended(&self) -> bool {
        let over =
            self.healed.is_some() && self.now > self.start.after(super::dags::TIMETABLES_END);
        let rows = &self.store.rows;
        over && self.people.has_said_all()
            && rows.cleanups.is_empty()
            && rows.runs.values().all(has_ended)
            && self.is_idle()
            && self.open_backfills() == 0
    }

    fn open_backfills(&self) -> usize {
        use tidemill_store::record::BackfillState::{Active, Paused};
        let rows = self.store.rows.backfills.values();
        rows.filter(|row| matches!(row.state, Active | Paused))
            .count()
    }

    /// What has not ended, for people.
    pub(crate) fn still_open(&self) -> String {
        let rows = &self.store.rows;
        let mut text = format!(
            "{} cleanups {:?}, {} backfills\n",
            rows.cleanups.len(),
            rows.cleanups.values().next(),
            self.open_backfills()
        );
        for run in rows.runs.values().filter(|run| !has_ended(run)).take(3) {
            text += &format!("{run:?}\n");
            let all = rows.instances(run.id);
            let all = all.map(|row| format!("{}[{}] {}", row.name, row.of.map_index, row.state));
            text += &format!("    {}\n", all.collect::<Vec<_>>().join(", "));
            for row in rows.instances(run.id).filter(|row| !row.state.is_final()) {
                text += &format!("    {row:?} {:?}\n", rows.details.get(&row.of));
            }
        }
        text
    }

    /// Everything has ended: nothing is left outside, and every date has its run.
    pub(crate) fn check_ends(&mut self) {
        let left = self.remote.unseen();
        assert!(
            left.is_empty(),
            "everything has ended, and jobs outside run on for all that anybody knows: {left:?}"
        );
        let dags: Vec<_> = self.store.rows.dags.values().cloned().collect();
        for dag in dags {
            let versions = self
                .store
                .rows
                .versions
                .values()
                .filter(|row| row.dag == dag.id);
            let versions: Vec<&Definition> = versions.map(|row| &row.spec.definition).collect();
            // What another version with another timetable left out is nobody's fault.
            if versions.len() == 1
                && let Some((last, ..)) = dag.last_due
            {
                self.check_dates(versions[0], last);
            }
        }
    }

    fn check_dates(&self, definition: &Definition, last: Timestamp) {
        if !definition.catchup || definition.schedule.timing().is_none() {
            return;
        }
        let window = definition.window();
        let rows = &self.store.rows;
        let runs = rows.runs.values().filter(|run| run.dag == definition.id);
        let dated = runs.filter(|run| matches!(run.kind, RunType::Scheduled | RunType::Backfill));
        let have: BTreeSet<Timestamp> = dated.map(|run| run.start).collect();
        let mut due: Option<Due> = None;
        while let Some(next) = definition.schedule.next_due(&window, due, self.now.date()) {
            let start = Timestamp::from(next.start);
            if start > last {
                return;
            }
            let skipped = rows
                .skipped_ticks
                .contains_key(&(definition.id.clone(), start));
            let left_out = rows.dates.values().any(|date| date.start == start);
            assert!(
                have.contains(&start) || skipped || left_out,
                "{} has no run for {start}, and nothing says why",
                definition.id
            );
            due = Some(next);
        }
    }
}

/// The tasks whose ends make a run's result: a path that ends in a quiet teardown counts by what comes before it.
fn leaves(definition: &Definition) -> BTreeSet<String> {
    let quiet = |name: &str| {
        let task = definition.task(name);
        task.is_some_and(|task| {
            matches!(
                task.role,
                Role::Teardown {
                    fails_run: false,
                    ..
                }
            )
        })
    };
    let mut leaves = BTreeSet::new();
    let has_next = |name: &str| {
        let mut all = definition.tasks.iter();
        all.any(|task| task.upstream.iter().any(|up| up.task == *name))
    };
    let names = definition.tasks.iter().map(|task| task.id.to_string());
    let mut open: Vec<String> = names.filter(|name| !has_next(name)).collect();
    while let Some(name) = open.pop() {
        if quiet(&name) {
            let task = definition.task(&name);
            let before = task.into_iter().flat_map(|task| &task.upstream);
            open.extend(before.map(|up| up.task.to_string()));
        } else {
            leaves.insert(name);
        }
    }
    leaves
}
