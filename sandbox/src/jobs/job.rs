//! A job: what it is asked to run, where it stands, and what came of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::faults::FaultKind;

/// Lines of a job's log that are kept; the oldest go first.
const LINES: usize = 1_000;

/// Where a job or one of its tasks stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Queued,
    Pending,
    Running,
    /// Asked to stop at once.
    Stopping,
    /// Asked to finish what it has begun.
    Draining,
    Succeeded,
    Failed,
    Cancelled,
    Drained,
    /// Another job took its place.
    Replaced,
    /// Never started.
    Skipped,
}

impl Phase {
    pub(crate) fn ended(self) -> bool {
        matches!(
            self,
            Self::Succeeded
                | Self::Failed
                | Self::Cancelled
                | Self::Drained
                | Self::Replaced
                | Self::Skipped
        )
    }

    /// Whether a job may go from here to `next`; the only place that knows.
    fn leads_to(self, next: Self) -> bool {
        match self {
            Self::Queued => next != Self::Queued,
            Self::Pending => !matches!(next, Self::Queued | Self::Pending),
            Self::Running => !matches!(next, Self::Queued | Self::Pending | Self::Running),
            Self::Draining => next.ended() || next == Self::Stopping,
            Self::Stopping => matches!(next, Self::Cancelled | Self::Failed | Self::Replaced),
            _ => false,
        }
    }
}

/// What a task does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    /// Only takes its time, such as the making of a cluster.
    Nothing,
    /// A program that is registered under this name.
    Program(String),
    /// This SQL.
    Sql(String),
}

/// When a task runs, by what came of those it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum RunIf {
    #[default]
    AllSuccess,
    AllDone,
    NoneFailed,
    AtLeastOneSuccess,
    AllFailed,
    AtLeastOneFailed,
}

/// A part of a job; most jobs have one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) key: String,
    pub(crate) work: Work,
    pub(crate) parameters: BTreeMap<String, String>,
    /// Keys of the tasks that come before.
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    #[serde(default)]
    pub(crate) run_if: RunIf,
    pub(crate) phase: Phase,
    pub(crate) started: Option<DateTime<Utc>>,
    pub(crate) ended: Option<DateTime<Utc>>,
    /// Why it failed.
    pub(crate) message: Option<String>,
    /// What the program gave.
    pub(crate) result: Value,
}

impl Task {
    pub(crate) fn new(work: Work, parameters: BTreeMap<String, String>) -> Self {
        Self {
            key: String::new(),
            work,
            parameters,
            needs: Vec::new(),
            run_if: RunIf::AllSuccess,
            phase: Phase::Queued,
            started: None,
            ended: None,
            message: None,
            result: Value::Null,
        }
    }
}

/// A line of a job's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) at: DateTime<Utc>,
    /// Counts up from 0, also when the oldest are gone.
    pub(crate) number: u64,
    pub(crate) error: bool,
    pub(crate) text: String,
}

/// A job of any service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The number of the job in this sandbox; the tasks have those that follow.
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tasks: Vec<Task>,
    /// What the service keeps with it.
    pub(crate) body: Value,
    /// Does not end by itself.
    pub(crate) streaming: bool,
    pub(crate) fault: Option<FaultKind>,
    pub(crate) phase: Phase,
    pub(crate) created: DateTime<Utc>,
    pub(crate) started: Option<DateTime<Utc>>,
    pub(crate) ended: Option<DateTime<Utc>>,
    /// Every phase and since when.
    pub(crate) history: Vec<(Phase, DateTime<Utc>)>,
    /// From 0 to 1.
    pub(crate) progress: f64,
    pub(crate) log: Vec<Line>,
    pub(crate) lines: u64,
    /// Why it failed.
    pub(crate) message: Option<String>,
}

impl Job {
    pub(crate) fn active(&self) -> bool {
        !self.phase.ended()
    }

    /// Since when it is in its phase.
    pub(crate) fn since(&self) -> DateTime<Utc> {
        self.history.last().map_or(self.created, |(_, at)| *at)
    }

    /// Goes to `next`, or stays and says so.
    pub(crate) fn go(&mut self, next: Phase, now: DateTime<Utc>) -> bool {
        if !self.phase.leads_to(next) {
            return false;
        }
        self.phase = next;
        self.history.push((next, now));
        if next == Phase::Running {
            self.started.get_or_insert(now);
        }
        if next.ended() {
            self.ended = Some(now);
            for task in self.tasks.iter_mut().filter(|task| !task.phase.ended()) {
                task.phase = match next {
                    Phase::Succeeded | Phase::Drained => next,
                    Phase::Failed if task.started.is_some() => Phase::Failed,
                    _ if task.started.is_some() => Phase::Cancelled,
                    _ => Phase::Skipped,
                };
                task.ended = Some(now);
            }
        }
        true
    }

    pub(crate) fn say(&mut self, text: impl Into<String>, error: bool, now: DateTime<Utc>) {
        self.log.push(Line {
            at: now,
            number: self.lines,
            error,
            text: text.into(),
        });
        self.lines += 1;
        if self.log.len() > LINES {
            self.log.remove(0);
        }
    }

    /// The result of the only task.
    pub(crate) fn result(&self) -> &Value {
        self.tasks.first().map_or(&Value::Null, |task| &task.result)
    }

    /// What the tasks together came to: the last ones of each chain decide.
    pub(crate) fn verdict(&self) -> (Phase, Option<String>) {
        let last = |task: &&Task| {
            !self
                .tasks
                .iter()
                .any(|other| other.needs.contains(&task.key))
        };
        let bad = self
            .tasks
            .iter()
            .filter(last)
            .any(|task| task.phase != Phase::Succeeded);
        if !bad {
            return (Phase::Succeeded, None);
        }
        let first = self
            .tasks
            .iter()
            .find(|task| task.phase == Phase::Failed)
            .map(|task| {
                let message = task.message.clone().unwrap_or_default();
                if task.key.is_empty() {
                    message
                } else {
                    format!("task {} failed: {message}", task.key)
                }
            });
        (Phase::Failed, first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_stays_as_it_is() {
        use Phase::*;
        let all = [
            Queued, Pending, Running, Stopping, Draining, Succeeded, Failed, Cancelled, Drained,
            Replaced, Skipped,
        ];
        for from in all.into_iter().filter(|phase| phase.ended()) {
            assert!(all.iter().all(|to| !from.leads_to(*to)), "{from:?}");
        }
        assert!(!Stopping.leads_to(Succeeded));
        assert!(!Running.leads_to(Pending));
    }
}
