//! The host that tests run tasks in: fakes instead of services, a clock that only moves when a task waits.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tidemill_core::operator::{BoxFuture, Connection, Host, Level, TaskError, TaskResult};
use tidemill_core::protocol::Load;

/// A line that a task wrote to its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// The line.
    pub text: String,
}

/// What tests put in the place of the outside world.
#[derive(Default)]
pub(super) struct Fakes {
    pub(super) connections: BTreeMap<String, Connection>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) services: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

/// What happened while a task ran.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) log: Vec<LogLine>,
    pub(super) progress: Vec<(f64, String)>,
    pub(super) loads: Vec<Load>,
    pub(super) took: Duration,
}

pub(super) struct FakeHost {
    pub(super) start: DateTime<Utc>,
    pub(super) fakes: Fakes,
    pub(super) cancel_after: Option<Duration>,
    seen: Mutex<Seen>,
}

impl FakeHost {
    pub(super) fn new(start: DateTime<Utc>, fakes: Fakes, cancel_after: Option<Duration>) -> Self {
        Self {
            start,
            fakes,
            cancel_after,
            seen: Mutex::new(Seen::default()),
        }
    }

    /// A task that panicked while it wrote a line has still written the lines before.
    pub(super) fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn pass(&self, span: Duration) {
        self.seen(|seen| seen.took = seen.took.saturating_add(span));
    }
}

fn unknown(what: &str, name: &str) -> TaskError {
    TaskError::permanent(format!("the test has no {what} `{name}`"))
        .help(format!("give it one: `TaskRun::of(…).{what}(…)`"))
}

impl Host for FakeHost {
    fn now(&self) -> DateTime<Utc> {
        let took = self.seen(|seen| TimeDelta::from_std(seen.took).unwrap_or(TimeDelta::MAX));
        self.start
            .checked_add_signed(took)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'_, ()> {
        self.pass(span);
        Box::pin(std::future::ready(()))
    }

    fn connection<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<Connection>> {
        let found = self.fakes.connections.get(name).cloned();
        Box::pin(std::future::ready(
            found.ok_or_else(|| unknown("connection", name)),
        ))
    }

    fn variable<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<String>> {
        let found = self.fakes.variables.get(name).cloned();
        Box::pin(std::future::ready(
            found.ok_or_else(|| unknown("variable", name)),
        ))
    }

    fn log(&self, level: Level, line: &str) {
        self.seen(|seen| {
            seen.log.push(LogLine {
                level,
                text: line.to_owned(),
            })
        });
    }

    fn progress(&self, part: f64, words: &str) {
        self.seen(|seen| seen.progress.push((part, words.to_owned())));
    }

    fn load(&self, load: Load) {
        self.seen(|seen| seen.loads.push(load));
    }

    fn is_cancelled(&self) -> bool {
        self.cancel_after
            .is_some_and(|after| self.seen(|seen| seen.took) >= after)
    }

    fn service(&self, kind: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        self.fakes.services.get(&kind).cloned()
    }
}
