//! What is stored, by the names that a test knows.

use serde_json::Value;
use tidemill_core::protocol::{AttemptRef, RunNo};
use tidemill_core::state::{RunState, TaskState};
use tidemill_store::record::{RunRow, TaskDetailRow, TaskRow};

use super::{Kit, parts};

impl Kit {
    pub(crate) fn find(&self, run: RunNo, name: &str) -> Option<&TaskRow> {
        let (task, index) = parts(name);
        let mut rows = self.mirror.instances(run);
        rows.find(|row| row.name == *task && row.of.map_index == index)
    }

    pub(crate) fn row(&self, run: RunNo, name: &str) -> &TaskRow {
        self.find(run, name)
            .unwrap_or_else(|| panic!("run {run} has no {name}"))
    }

    pub(crate) fn detail(&self, run: RunNo, name: &str) -> Option<&TaskDetailRow> {
        self.mirror.details.get(&self.row(run, name).of)
    }

    pub(crate) fn why(&self, run: RunNo, name: &str) -> &str {
        let why = self
            .detail(run, name)
            .and_then(|detail| detail.why.as_deref());
        why.unwrap_or_default()
    }

    pub(crate) fn state(&self, run: RunNo, name: &str) -> TaskState {
        self.row(run, name).state
    }

    pub(crate) fn states(&self, run: RunNo, names: &[&str]) -> Vec<TaskState> {
        names.iter().map(|name| self.state(run, name)).collect()
    }

    pub(crate) fn attempt(&self, run: RunNo, name: &str) -> AttemptRef {
        let row = self.row(run, name);
        AttemptRef {
            of: row.of,
            attempt: row.attempt,
            hand: row.hand,
        }
    }

    pub(crate) fn run(&self, run: RunNo) -> &RunRow {
        &self.mirror.runs[&run]
    }

    pub(crate) fn run_state(&self, run: RunNo) -> RunState {
        self.run(run).state
    }

    pub(crate) fn runs_of(&self, dag: &str) -> Vec<&RunRow> {
        self.mirror
            .runs
            .values()
            .filter(|run| run.dag == *dag)
            .collect()
    }

    /// The starts of a DAG's runs, in the order in which they were made, as dates.
    pub(crate) fn starts(&self, dag: &str) -> Vec<String> {
        self.runs_of(dag)
            .iter()
            .map(|run| run.start.to_string().replace("T00:00:00Z", ""))
            .collect()
    }

    /// The actions in the audit log.
    pub(crate) fn audited(&self, action: &str) -> usize {
        self.mirror
            .audits
            .values()
            .filter(|row| &*row.action == action)
            .count()
    }

    /// The alerts that were decided, as `on route`.
    pub(crate) fn alerts(&self) -> Vec<String> {
        let mut rows: Vec<_> = self.mirror.outbox.values().collect();
        rows.sort_by_key(|row| row.id);
        rows.iter()
            .map(|row| {
                let body: Value = serde_json::from_str(&row.body).expect("alerts are JSON");
                format!("{} {}", body["on"].as_str().unwrap_or_default(), row.route)
            })
            .collect()
    }
}
