//! Tasks that the scheduler treats in a way of their own: branches, gates, sensors, approvals.

use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::arg::Arg;
use super::draft::{Draft, End};
use super::handle::{Ends, TaskHandle, TaskRef, handles};
use crate::operator::Choice;
use crate::spec::{Source, TaskKind};
use crate::text::Text;

/// A task that chooses which of its downstream tasks run.
#[derive(Debug, Clone)]
pub struct Branch<C> {
    pub(super) task: TaskRef,
    pub(super) of: PhantomData<fn() -> C>,
}

impl<C: Choice> Branch<C> {
    /// When it chooses this way, these run. A way without tasks skips everything behind the branch.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a way is a word")]
    pub fn when(self, way: C, then: impl Ends) -> Self {
        let mut ends = Vec::new();
        then.ends(&mut ends);
        let source = Source::caller();
        Draft::edges(
            &self.task.draft,
            &[End::Task(self.task.clone())],
            &ends,
            &source,
        );
        let nodes = Draft::local(&self.task.draft, &ends, &source);
        if let Some(task) = self.task.draft.borrow_mut().tasks.get_mut(self.task.at) {
            task.arms.push((way.label(), nodes));
        }
        self
    }
}

/// A task that lets the rest of the DAG run or not.
#[derive(Debug, Clone)]
pub struct Gate<T = bool> {
    pub(super) task: TaskRef,
    pub(super) of: PhantomData<fn() -> T>,
}

impl<T> Gate<T> {
    /// When it closes, only its direct downstream tasks are skipped; what follows them is left to its rules.
    pub fn only_direct(self) -> Self {
        if let Some(task) = self.task.draft.borrow_mut().tasks.get_mut(self.task.at) {
            task.spec.kind = TaskKind::ShortCircuit { everything: false };
        }
        self
    }
}

/// A task that waits until something is there. It holds no slot while it waits. Its `.timeout(…)` is the longest it waits
/// in all, seven days if nothing is said; the DAG's own timeout is not meant for it.
#[derive(Debug, Clone)]
pub struct Sensor<T> {
    pub(super) task: TaskRef,
    pub(super) of: PhantomData<fn() -> T>,
}

impl<T> Sensor<T> {
    pub(super) fn arg(&self) -> Arg {
        Arg::Task {
            task: self.task.clone(),
            path: Vec::new(),
            collected: false,
            optional: false,
        }
    }

    /// How often it looks; every minute if nothing is said.
    pub fn every(self, pause: Duration) -> Self {
        self.edit(|every, _| *every = pause)
    }

    /// When its timeout passes it ends as skipped instead of failed.
    pub fn skip_on_timeout(self) -> Self {
        self.edit(|_, skip| *skip = true)
    }

    fn edit(self, change: impl FnOnce(&mut Duration, &mut bool)) -> Self {
        if let Some(task) = self.task.draft.borrow_mut().tasks.get_mut(self.task.at)
            && let TaskKind::Sensor {
                every,
                skip_on_timeout,
            } = &mut task.spec.kind
        {
            change(every, skip_on_timeout);
        }
        self
    }
}

handles!(Branch, Gate, Sensor);

/// A question to a person. Nothing runs while it waits, and it survives restarts.
#[derive(Debug, Clone)]
#[must_use]
pub struct Approval {
    question: Text,
    choices: Vec<String>,
    rejecting: Vec<String>,
    assignees: Vec<String>,
    default: Option<String>,
}

/// What a person answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The choice.
    pub choice: String,
    /// Who made it.
    pub by: String,
    /// What they said about it.
    #[serde(default)]
    pub note: String,
}

impl Approval {
    /// Asks; the answers are `approve` and `reject`, and the second fails the task.
    pub fn ask(question: impl Into<Text>) -> Self {
        Self {
            question: question.into(),
            choices: vec!["approve".to_owned(), "reject".to_owned()],
            rejecting: vec!["reject".to_owned()],
            assignees: Vec::new(),
            default: None,
        }
    }

    /// These answers instead; none of them fails the task.
    pub fn choices<S: Into<String>>(mut self, choices: impl IntoIterator<Item = S>) -> Self {
        self.choices = choices.into_iter().map(Into::into).collect();
        self.rejecting.clear();
        self
    }

    /// After this answer the task counts as failed.
    pub fn fails_on(mut self, choice: impl Into<String>) -> Self {
        self.rejecting.push(choice.into());
        self
    }

    /// Only these people may answer.
    pub fn assigned_to<S: Into<String>>(mut self, people: impl IntoIterator<Item = S>) -> Self {
        self.assignees = people.into_iter().map(Into::into).collect();
        self
    }

    /// The answer taken when the task's timeout passes.
    pub fn default_to(mut self, choice: impl Into<String>) -> Self {
        self.default = Some(choice.into());
        self
    }

    pub(super) fn into_kind(self) -> TaskKind {
        TaskKind::Approval {
            question: self.question,
            choices: self.choices,
            rejecting: self.rejecting,
            assignees: self.assignees,
            default: self.default,
        }
    }
}
