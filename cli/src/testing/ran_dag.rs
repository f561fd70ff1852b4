//! How a run of a DAG went.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tidemill_core::author::Dag;
use tidemill_core::graph::Graph;
use tidemill_core::id::nearest;
use tidemill_core::operator::{ErrorKind, TaskError};
use tidemill_core::protocol::{CheckResult, InstanceRef, Load, RunNo};
use tidemill_core::span;
use tidemill_core::state::{RunState, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_store::record::{AttemptEnd, RunRow, TaskRow};

use super::host::LogLine;
use super::play::named;
use super::rows::Rows;
use crate::table::table;

/// How a run of a DAG went. Tasks are named as in the DAG; instance 2 of a mapped task is `load[2]`.
#[derive(Debug)]
pub struct RanDag {
    /// How it ended.
    pub state: RunState,
    /// The run's name: `{run_id}`.
    pub run_id: String,
    dag: String,
    took: Duration,
    /// In the order of the graph.
    instances: Vec<Instance>,
    order: Vec<String>,
    loads: Vec<Loaded>,
    checks: Vec<Checked>,
    alerts: Vec<String>,
    assets: Vec<String>,
}

/// What a task loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Which task, or instance of it.
    pub task: String,
    /// What.
    pub load: Load,
}

/// What came of a check that a task made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Which task, or instance of it.
    pub task: String,
    /// What came of it.
    pub result: CheckResult,
}

#[derive(Debug)]
struct Instance {
    name: String,
    state: TaskState,
    attempts: u32,
    /// How long after the run.
    began: Option<Duration>,
    took: Option<Duration>,
    output: Option<Value>,
    /// The end of its last attempt, if that was no good one.
    error: Option<TaskError>,
    why: String,
    log: Vec<LogLine>,
}

impl RanDag {
    pub(super) fn of(
        dag: &Dag,
        rows: &Rows,
        run: RunNo,
        logs: &BTreeMap<InstanceRef, Vec<LogLine>>,
    ) -> Self {
        let row = &rows.runs[&run];
        let begin = row.started_at.unwrap_or(row.created_at);
        let all: Vec<&TaskRow> = rows.of_run(run).collect();
        let name = |of: InstanceRef| {
            let row = rows.tasks.get(&of);
            named(row.map_or("", |row| row.name.as_str()), of.map_index)
        };
        let definition = &dag.spec().definition;
        let graph = Graph::of(definition);
        let order = graph.order().unwrap_or_default();
        let in_order = order.iter().flat_map(|at| {
            let id = &definition.tasks[*at].id;
            all.iter().filter(move |row| row.name == *id)
        });
        let instances = in_order
            .map(|row| Instance {
                log: logs.get(&row.of).cloned().unwrap_or_default(),
                ..instance(rows, row, begin)
            })
            .collect();
        let of_run = |of: &InstanceRef| of.run == run;
        let began = rows.began.iter().filter(|(of, _)| of_run(of));
        let loads = rows.loads.iter().filter(|load| of_run(&load.of));
        let checks = rows.checks.iter().filter(|check| of_run(&check.of));
        let alerts = rows.outbox.iter().filter(|alert| alert.run == Some(run));
        let assets = rows.asset_events.iter();
        let assets = assets.filter(|event| event.by.as_ref().is_some_and(of_run));
        Self {
            state: row.state,
            run_id: row.name.to_string(),
            dag: definition.id.to_string(),
            took: took(row),
            instances,
            order: began.map(|(of, _)| name(*of)).collect(),
            loads: loads
                .map(|row| Loaded {
                    task: name(row.of),
                    load: row.load.clone(),
                })
                .collect(),
            checks: checks
                .map(|row| Checked {
                    task: name(row.of),
                    result: row.result.clone(),
                })
                .collect(),
            alerts: alerts
                .map(|row| {
                    let body: Value = serde_json::from_str(&row.body).unwrap_or_default();
                    let task = body["task"].as_str().unwrap_or("run");
                    let on = body["on"].as_str().unwrap_or_default();
                    format!("{on} of {task} to {}", row.route)
                })
                .collect(),
            assets: assets.map(|event| event.asset.to_string()).collect(),
        }
    }

    #[track_caller]
    fn instance(&self, name: &str) -> &Instance {
        let found = self.instances.iter().find(|known| known.name == name);
        found.unwrap_or_else(|| {
            let known = || self.instances.iter().map(|known| known.name.as_str());
            let near = nearest(name, known()).map(|near| format!("; did you mean `{near}`?"));
            panic!(
                "`{name}` did not take part in the run of `{}`{}\n\n{}",
                self.dag,
                near.unwrap_or_default(),
                self.picture()
            )
        })
    }

    /// The instances of a mapped task, in their order.
    fn instances_of(&self, name: &str) -> impl Iterator<Item = &Instance> {
        let is_one = move |known: &&Instance| {
            let rest = known.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with('['))
        };
        self.instances.iter().filter(is_one)
    }

    /// # Panics
    /// It did not succeed: it shows what failed and how the run went. This is an assertion.
    #[track_caller]
    pub fn assert_success(&self) {
        self.assert_state(RunState::Success);
    }

    /// # Panics
    /// It did not fail. This is an assertion.
    #[track_caller]
    pub fn assert_failed(&self) {
        self.assert_state(RunState::Failed);
    }

    #[track_caller]
    fn assert_state(&self, state: RunState) {
        let failures = self.instances.iter().filter_map(|instance| {
            let error = instance.error.as_ref()?;
            Some(format!("{}: {error}\n", instance.name))
        });
        assert!(
            self.state == state,
            "the run of `{}` is {}\n\n{}\n{}",
            self.dag,
            self.state,
            failures.collect::<String>(),
            self.picture()
        );
    }

    /// How a task ended.
    ///
    /// # Panics
    /// There was no such task: this is an assertion.
    #[must_use]
    #[track_caller]
    pub fn state(&self, task: &str) -> TaskState {
        self.instance(task).state
    }

    /// What a task returned; of a mapped one the list of what its instances returned.
    ///
    /// # Panics
    /// It did not succeed, or returned something else: this is an assertion.
    #[must_use]
    #[track_caller]
    pub fn output<T: DeserializeOwned>(&self, task: &str) -> T {
        let instance = self.instance(task);
        let mut each = self.instances_of(task).peekable();
        let output = if each.peek().is_some() {
            let outputs = each.filter(|one| one.state == TaskState::Success);
            Value::Array(outputs.filter_map(|one| one.output.clone()).collect())
        } else {
            let (state, why) = (instance.state, &instance.why);
            assert!(
                state == TaskState::Success || instance.output.is_some(),
                "`{task}` returned nothing: it is {state} ({why})\n\n{}",
                self.picture()
            );
            instance.output.clone().unwrap_or_default()
        };
        serde_json::from_value(output.clone()).unwrap_or_else(|error| {
            panic!("`{task}` returned {output}, which does not fit: {error}")
        })
    }

    /// What the instances of a mapped task returned that succeeded, in their order.
    ///
    /// # Panics
    /// One returned something else: this is an assertion.
    #[must_use]
    #[track_caller]
    pub fn outputs<T: DeserializeOwned>(&self, task: &str) -> Vec<T> {
        self.output(task)
    }

    /// How many attempts a task had.
    #[must_use]
    #[track_caller]
    pub fn attempts(&self, task: &str) -> u32 {
        self.instance(task).attempts
    }

    /// Why the last attempt of a task failed.
    ///
    /// # Panics
    /// It did not fail: this is an assertion.
    #[must_use]
    #[track_caller]
    pub fn error(&self, task: &str) -> &TaskError {
        let instance = self.instance(task);
        match &instance.error {
            Some(error) => error,
            None => panic!(
                "`{task}` did not fail: it is {}\n\n{}",
                instance.state,
                self.picture()
            ),
        }
    }

    /// Why a task ended as it did, in words; empty if that goes without saying.
    #[must_use]
    #[track_caller]
    pub fn why(&self, task: &str) -> &str {
        &self.instance(task).why
    }

    /// What a task wrote to its log, over all its attempts.
    #[must_use]
    #[track_caller]
    pub fn log(&self, task: &str) -> &[LogLine] {
        &self.instance(task).log
    }

    /// Whether a line of a task's log has this text in it.
    #[must_use]
    #[track_caller]
    pub fn logged(&self, task: &str, text: &str) -> bool {
        self.log(task).iter().any(|line| line.text.contains(text))
    }

    /// How long after the run a task began for the first time; nothing if it never did.
    #[must_use]
    #[track_caller]
    pub fn began(&self, task: &str) -> Option<Duration> {
        self.instance(task).began
    }

    /// How long the run took.
    #[must_use]
    pub const fn took(&self) -> Duration {
        self.took
    }

    /// The tasks as they began.
    #[must_use]
    pub fn order(&self) -> Vec<&str> {
        self.order.iter().map(String::as_str).collect()
    }

    /// What was loaded, in the order in which it was recorded.
    #[must_use]
    pub fn loads(&self) -> &[Loaded] {
        &self.loads
    }

    /// What came of checks, in the order in which it was recorded.
    #[must_use]
    pub fn checks(&self) -> &[Checked] {
        &self.checks
    }

    /// The alerts that were decided: `failure of load to oncall`.
    #[must_use]
    pub fn alerts(&self) -> &[String] {
        &self.alerts
    }

    /// The assets that changed, in that order.
    #[must_use]
    pub fn assets(&self) -> &[String] {
        &self.assets
    }

    /// All that happened, as a table: for snapshots, and for whoever wonders.
    #[must_use]
    pub fn picture(&self) -> String {
        let text = |at: Option<Duration>| at.map(span::text).unwrap_or_default();
        let row = |instance: &Instance| {
            vec![
                instance.name.clone(),
                instance.state.to_string(),
                instance.attempts.to_string(),
                text(instance.began),
                text(instance.took),
                instance.why.clone(),
            ]
        };
        let rows: Vec<Vec<String>> = self.instances.iter().map(row).collect();
        table(&["TASK", "STATE", "TRIES", "AFTER", "TOOK", "WHY"], &rows)
    }
}

fn instance(rows: &Rows, row: &TaskRow, run_began: Timestamp) -> Instance {
    let began = rows.began(row.of);
    let last = rows.attempts.iter().rfind(|attempt| attempt.of == row.of);
    let failed = last.filter(|last| !matches!(last.end, AttemptEnd::Success | AttemptEnd::Skipped));
    let error = failed.map(|last| {
        let kind = last.error_kind.unwrap_or(match last.end {
            AttemptEnd::Cancelled => ErrorKind::Cancelled,
            AttemptEnd::Lost => ErrorKind::Lost,
            _ => ErrorKind::Transient,
        });
        TaskError {
            kind,
            message: last.message.as_deref().unwrap_or_default().to_owned(),
            help: last.help.as_deref().unwrap_or_default().to_owned(),
            retry_after: None,
        }
    });
    let detail = rows.details.get(&row.of);
    let why = detail.and_then(|detail| detail.why.as_deref());
    // What an earlier attempt failed of says nothing about one that succeeded.
    let answered = why.is_some_and(|why| why.contains(" answered "));
    let why = why.filter(|_| row.state != TaskState::Success || answered);
    Instance {
        name: named(row.name.as_str(), row.of.map_index),
        state: row.state,
        attempts: row.number,
        began: began.map(|at| at.since(run_began)),
        took: began.map(|at| row.since.since(at)),
        output: rows
            .outputs
            .contains_key(&row.attempt)
            .then(|| rows.output(row.attempt)),
        error,
        why: why.unwrap_or_default().to_owned(),
        log: Vec::new(),
    }
}

fn took(run: &RunRow) -> Duration {
    match (run.started_at, run.ended_at) {
        (Some(began), Some(ended)) => ended.since(began),
        _ => Duration::ZERO,
    }
}
