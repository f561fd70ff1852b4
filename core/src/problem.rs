//! What is wrong with a DAG: what, where, and how to mend it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::spec::{DagSpec, Source};
use crate::state::word_enum;

word_enum! {
    /// The rule that was broken. The words are stable: CI systems and baselines refer to them.
    Rule {
        /// Tasks that wait for each other.
        Cycle = "cycle",
        /// Two tasks, groups or DAGs of one name.
        DuplicateId = "duplicate_id",
        /// A name outside the grammar.
        MalformedId = "malformed_id",
        /// An edge to a task that is not there.
        UnknownUpstream = "unknown_upstream",
        /// A pool that the project does not declare, or more slots than it has.
        UnknownPool = "unknown_pool",
        /// A queue that the project does not declare.
        UnknownQueue = "unknown_queue",
        /// A connection that the project does not declare.
        UnknownConnection = "unknown_connection",
        /// A variable that the project does not declare.
        UnknownVariable = "unknown_variable",
        /// An asset that is waited for and that no task of the project changes.
        UnknownAsset = "unknown_asset",
        /// An alert route that the project does not declare.
        UnknownRoute = "unknown_route",
        /// A placeholder that is not on the list, or malformed.
        Placeholder = "placeholder",
        /// A trigger rule that can never pass.
        RuleNeverPasses = "rule_never_passes",
        /// A task that every way out of a branch skips.
        AlwaysSkipped = "always_skipped",
        /// A mapped task without a usable list.
        Mapping = "mapping",
        /// A branch with a way out that leads nowhere, or a task behind it that no way leads to.
        Branch = "branch",
        /// An output that need not be there.
        MissingOutput = "missing_output",
        /// Runs or instances that write over one another.
        Overwrite = "overwrite",
        /// A setup or teardown that does not fit.
        Teardown = "teardown",
        /// A param whose default breaks its own rule, or that nobody can give.
        Params = "params",
        /// A schedule that is malformed or never fires.
        Schedule = "schedule",
        /// A number or a length of time that cannot work.
        Setting = "setting",
        /// Two operators of one name.
        OperatorName = "operator_name",
        /// A value that JSON cannot hold.
        Value = "value",
        /// A DAG that is built differently the second time.
        Unstable = "unstable",
        /// A DAG without tasks, or a group without tasks.
        Empty = "empty",
        /// More tasks than a DAG may have.
        TooLarge = "too_large",
        /// The author's code panicked.
        Panicked = "panicked",
    }
}

/// Something that is wrong with a DAG.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The rule that was broken.
    pub rule: Rule,
    /// The DAG, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dag: Option<String>,
    /// The task or group, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
    /// Where in the author's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

impl Problem {
    pub(crate) fn new(rule: Rule, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            rule,
            dag: None,
            task: None,
            message: message.into(),
            help: help.into(),
            source: None,
        }
    }

    pub(crate) fn task(mut self, task: impl fmt::Display) -> Self {
        self.task = Some(task.to_string());
        self
    }

    pub(crate) fn at(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// Fills in what the DAG's notes know: its name and the line of the task.
    pub(crate) fn located(mut self, spec: &DagSpec) -> Self {
        let notes = &spec.notes;
        if self.source.is_none() {
            let of_task = self
                .task
                .as_deref()
                .and_then(|task| notes.task(task)?.source.clone());
            self.source = of_task.or_else(|| notes.source.clone());
        }
        self.dag.get_or_insert_with(|| spec.id().to_string());
        self
    }

    /// The DAG and task it is about, for people.
    #[must_use]
    pub fn subject(&self) -> String {
        match (&self.dag, &self.task) {
            (Some(dag), Some(task)) => format!("{dag}.{task}"),
            (Some(dag), None) => dag.clone(),
            (None, _) => "project".to_owned(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject(), self.message)?;
        if !self.help.is_empty() {
            write!(f, "\n  help: {}", self.help)?;
        }
        if let Some(source) = &self.source {
            write!(f, "\n  at {source}")?;
        }
        Ok(())
    }
}
