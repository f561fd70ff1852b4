//! What would be stored, as far as a test looks at it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tidemill_core::protocol::{AttemptNo, InstanceRef, RunNo};
use tidemill_core::state::{RunState, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::{Taken, Wanted};
use tidemill_store::record::{
    AssetEventRow, AttemptRow, Changes, CheckRow, LoadRow, OutboxRow, Recovered, RunRow,
    TaskDetailRow, TaskRow,
};

#[derive(Default)]
pub(super) struct Rows {
    pub(super) runs: BTreeMap<RunNo, RunRow>,
    pub(super) tasks: BTreeMap<InstanceRef, TaskRow>,
    pub(super) details: BTreeMap<InstanceRef, TaskDetailRow>,
    /// In the order in which they ended.
    pub(super) attempts: Vec<AttemptRow>,
    pub(super) outputs: BTreeMap<AttemptNo, Arc<str>>,
    pub(super) loads: Vec<LoadRow>,
    pub(super) checks: Vec<CheckRow>,
    pub(super) asset_events: Vec<AssetEventRow>,
    pub(super) outbox: Vec<OutboxRow>,
    /// When instances first began, in that order.
    pub(super) began: Vec<(InstanceRef, Timestamp)>,
}

impl Rows {
    pub(super) fn apply(&mut self, changes: Changes) {
        for row in changes.new_runs.into_iter().chain(changes.runs) {
            self.runs.insert(row.id, row);
        }
        for row in changes.new_tasks.into_iter().chain(changes.tasks) {
            let begins = matches!(
                row.state,
                TaskState::Running | TaskState::Deferred | TaskState::Success
            );
            // A mapped task as a whole begins with its instances.
            if begins && row.instances.is_none() && self.began(row.of).is_none() {
                self.began
                    .push((row.of, row.started_at.unwrap_or(row.since)));
            }
            self.tasks.insert(row.of, row);
        }
        let details = changes.task_details.into_iter();
        self.details.extend(details.map(|row| (row.of, row)));
        self.attempts.extend(changes.attempts);
        let outputs = changes.outputs.into_iter();
        self.outputs
            .extend(outputs.map(|row| (row.attempt, row.value)));
        self.loads.extend(changes.loads);
        self.checks.extend(changes.checks);
        self.asset_events.extend(changes.asset_events);
        self.outbox.extend(changes.outbox);
    }

    pub(super) fn began(&self, of: InstanceRef) -> Option<Timestamp> {
        let found = self.began.iter().find(|(known, _)| *known == of);
        found.map(|(_, at)| *at)
    }

    pub(super) fn has_ended(&self, run: RunNo) -> bool {
        let open = |run: &RunRow| matches!(run.state, RunState::Queued | RunState::Running);
        !self.runs.get(&run).is_some_and(open)
    }

    pub(super) fn of_run(&self, run: RunNo) -> impl Iterator<Item = &TaskRow> {
        self.tasks.values().filter(move |row| row.of.run == run)
    }

    /// What the engine asks for; all that it needs to know of runs it has never forgotten is their numbers.
    pub(super) fn find(&self, wanted: &Wanted) -> Recovered {
        let mut found = Recovered::default();
        if let Wanted::Before { dag, start, .. } = wanted {
            let before = self.runs.values();
            let before = before.filter(|run| run.dag == *dag && run.start < *start);
            found.runs.extend(
                before
                    .max_by_key(|run| (run.start, run.id))
                    .into_iter()
                    .cloned(),
            );
        }
        found
    }

    /// What an attempt returned.
    pub(super) fn output(&self, attempt: AttemptNo) -> Value {
        let text = self.outputs.get(&attempt);
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    /// What a task gets from those before it.
    pub(super) fn inputs(&self, taken: &[Taken]) -> Vec<(String, Value)> {
        let value = |taken: &Taken| {
            let mut values = taken.attempts.iter().map(|attempt| self.output(*attempt));
            if taken.list {
                values.collect()
            } else {
                values.next().unwrap_or_default()
            }
        };
        taken
            .iter()
            .map(|taken| (taken.task.to_string(), value(taken)))
            .collect()
    }
}
