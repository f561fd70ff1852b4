//! The host that tests run tasks in: fakes instead of services, a clock that only moves when everybody waits.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::future::{poll_fn, ready};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tidemill_core::operator::{BoxFuture, Connection, Host, Level, TaskError, TaskResult};
use tidemill_core::protocol::{CheckResult, Load};
use tidemill_operators::http::{Clients, Machine};

use super::clock::{Clock, Sleep, Sleeper};

/// A line that a task wrote to its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// The line.
    pub text: String,
}

/// What tests put in the place of the outside world.
pub(super) struct Fakes {
    pub(super) connections: BTreeMap<String, Connection>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) services: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

/// What a worker provides is there in tests, too; a test may put something else in its place.
impl Default for Fakes {
    fn default() -> Self {
        let clients: Arc<dyn Any + Send + Sync> = Arc::new(Clients::new(Machine::default()));
        Self {
            connections: BTreeMap::new(),
            variables: BTreeMap::new(),
            services: HashMap::from([(TypeId::of::<Clients>(), clients)]),
        }
    }
}

impl Fakes {
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let copied = |(name, value): (&String, &String)| (name.clone(), value.clone());
        self.variables.iter().map(copied).collect()
    }
}

/// What happened while a task ran.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) log: Vec<LogLine>,
    pub(super) progress: Vec<(f64, String)>,
    pub(super) loads: Vec<Load>,
    pub(super) checks: Vec<CheckResult>,
}

/// What one attempt, or one look at what it waits for, sees.
pub(super) struct FakeHost {
    clock: Arc<Clock>,
    number: Sleeper,
    fakes: Arc<Fakes>,
    /// Told to stop.
    told: AtomicBool,
    /// It is told to stop once so much time has passed.
    cancel_after: Option<Duration>,
    seen: Mutex<Seen>,
}

impl FakeHost {
    pub(super) fn new(clock: &Arc<Clock>, number: Sleeper, fakes: &Arc<Fakes>) -> Self {
        Self {
            clock: Arc::clone(clock),
            number,
            fakes: Arc::clone(fakes),
            told: AtomicBool::new(false),
            cancel_after: None,
            seen: Mutex::default(),
        }
    }

    pub(super) fn cancel_after(mut self, span: Option<Duration>) -> Self {
        self.cancel_after = span;
        self
    }

    /// Tells the task to stop. It has to be roused after that.
    pub(super) fn stop(&self) {
        self.told.store(true, Ordering::SeqCst);
    }

    pub(super) fn number(&self) -> Sleeper {
        self.number
    }

    /// A task that panicked while it wrote a line has still written the lines before.
    pub(super) fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A wait that goes on although the task is told to stop.
    pub(super) fn alarm(&self, span: Duration) -> Sleep {
        self.clock.sleep(span, self.number)
    }

    pub(super) async fn wait(&self, span: Duration) {
        let passed = self.clock.passed();
        let left = self.cancel_after.map(|after| after.saturating_sub(passed));
        let span = left.map_or(span, |left| span.min(left));
        let mut sleep = pin!(self.alarm(span));
        poll_fn(|cx| {
            if self.told.load(Ordering::SeqCst) {
                Poll::Ready(())
            } else {
                sleep.as_mut().poll(cx)
            }
        })
        .await;
    }
}

fn unknown(what: &str, name: &str) -> TaskError {
    TaskError::permanent(format!("the test has no {what} `{name}`"))
        .help(format!("give the run one: `.{what}(…)`"))
}

impl Host for FakeHost {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'_, ()> {
        Box::pin(self.wait(span))
    }

    fn connection<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<Connection>> {
        let found = self.fakes.connections.get(name).cloned();
        Box::pin(ready(found.ok_or_else(|| unknown("connection", name))))
    }

    fn variable<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<String>> {
        let found = self.fakes.variables.get(name).cloned();
        Box::pin(ready(found.ok_or_else(|| unknown("variable", name))))
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

    fn check(&self, result: CheckResult) {
        self.seen(|seen| seen.checks.push(result));
    }

    fn is_cancelled(&self) -> bool {
        let over = |after| self.clock.passed() >= after;
        self.told.load(Ordering::SeqCst) || self.cancel_after.is_some_and(over)
    }

    fn service(&self, kind: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        self.fakes.services.get(&kind).cloned()
    }
}
