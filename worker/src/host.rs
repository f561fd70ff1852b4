//! What a task sees of its worker.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tidemill_core::operator::{BoxFuture, Connection, Host, Level, TaskError, TaskResult};
use tidemill_core::protocol::{CheckResult, Load};
use tidemill_core::time::Timestamp;
use tidemill_core::wire::{Asked, Given};
use tidemill_logs::{AttemptLog, Entry};
use tokio::sync::{mpsc, oneshot, watch};

use crate::session::Event;

/// Clients and services shared by tasks, found by their type.
#[derive(Clone, Default)]
pub struct Services(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Services({})", self.0.len())
    }
}

impl Services {
    /// These.
    #[must_use]
    pub fn new(services: HashMap<TypeId, Arc<dyn Any + Send + Sync>>) -> Self {
        Self(services)
    }

    fn find(&self, kind: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        self.0.get(&kind).cloned()
    }
}

/// Tells an attempt to stop.
#[derive(Debug)]
pub(crate) struct Stop {
    say: watch::Sender<bool>,
    leave: Arc<AtomicBool>,
}

impl Stop {
    /// It is to stop, and to cancel what it started outside.
    pub(crate) fn tell(&self) {
        let _ = self.say.send(true);
    }

    /// It is to stop, and to leave alone what it started outside: others may have it by now.
    pub(crate) fn leave(&self) {
        // First this, so that whoever is told knows it.
        self.leave.store(true, Ordering::Release);
        let _ = self.say.send(true);
    }
}

/// Whether an attempt is to stop.
#[derive(Debug, Clone)]
pub(crate) struct Stopping {
    told: watch::Receiver<bool>,
    leave: Arc<AtomicBool>,
}

impl Stopping {
    pub(crate) fn new() -> (Stop, Self) {
        let (say, told) = watch::channel(false);
        let leave = Arc::new(AtomicBool::new(false));
        let stop = Stop {
            say,
            leave: Arc::clone(&leave),
        };
        (stop, Self { told, leave })
    }

    pub(crate) fn of(told: watch::Receiver<bool>) -> Self {
        let leave = Arc::new(AtomicBool::new(false));
        Self { told, leave }
    }

    pub(crate) fn is_told(&self) -> bool {
        *self.told.borrow()
    }

    /// Whether nothing outside may be touched any more.
    pub(crate) fn leaves(&self) -> bool {
        self.leave.load(Ordering::Acquire)
    }

    /// Done once it is told to stop; never if nobody is left to tell it.
    pub(crate) async fn told(mut self) {
        if self.told.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What one attempt sees.
pub(crate) struct WorkerHost {
    pub(crate) wall: fn() -> Timestamp,
    pub(crate) session: mpsc::UnboundedSender<Event>,
    pub(crate) services: Services,
    pub(crate) stopping: Stopping,
    /// Where it writes what it does.
    pub(crate) log: AttemptLog,
    /// What the attempt loaded, for the report of its end.
    pub(crate) loads: Mutex<Vec<Load>>,
    /// What came of its checks, likewise.
    pub(crate) checks: Mutex<Vec<CheckResult>>,
}

impl WorkerHost {
    /// What was loaded so far.
    pub(crate) fn take_loads(&self) -> Vec<Load> {
        // A task that panicked has loaded what it had loaded.
        std::mem::take(&mut *self.loads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What came of checks so far.
    pub(crate) fn take_checks(&self) -> Vec<CheckResult> {
        std::mem::take(&mut *self.checks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn ask(&self, what: Asked) -> TaskResult<Given> {
        let (reply, given) = oneshot::channel();
        let gone = || TaskError::lost("the worker is ending");
        let asked = self.session.send(Event::Ask { what, reply });
        asked.map_err(|_| gone())?;
        given.await.map_err(|_| gone())?
    }
}

impl Host for WorkerHost {
    fn now(&self) -> DateTime<Utc> {
        (self.wall)().date()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'_, ()> {
        let stopped = self.stopping.clone().told();
        Box::pin(async move {
            tokio::select! {
                () = stopped => {}
                () = tokio::time::sleep(span) => {}
            }
        })
    }

    fn connection<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<Connection>> {
        Box::pin(async move {
            let given = self.ask(Asked::Connection(name.to_owned())).await?;
            given.connection(name)
        })
    }

    fn variable<'a>(&'a self, name: &'a str) -> BoxFuture<'a, TaskResult<String>> {
        Box::pin(async move {
            let given = self.ask(Asked::Variable(name.to_owned())).await?;
            given.variable(name)
        })
    }

    fn log(&self, level: Level, line: &str) {
        self.log.write((self.wall)(), level, line);
    }

    fn progress(&self, part: f64, words: &str) {
        let fields = serde_json::Map::from_iter([("part".to_owned(), part.into())]);
        self.log.write_entry(&Entry {
            fields: Some(&fields),
            ..Entry::new((self.wall)(), Level::Debug, words)
        });
    }

    fn load(&self, load: Load) {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.push(load);
    }

    fn check(&self, result: CheckResult) {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.push(result);
    }

    fn is_cancelled(&self) -> bool {
        self.stopping.is_told()
    }

    fn service(&self, kind: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        self.services.find(kind)
    }
}
