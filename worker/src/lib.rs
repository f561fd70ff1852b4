//! Runs attempts: sessions with the scheduler, slots, waits, isolation.
//!
//! A worker's session has a thread of its own, so that its heartbeats do not depend on what tasks do to the runtime.
//! `session` speaks with the scheduler over a [`Wire`] and keeps `book` of what it holds; `run` runs one attempt; `watch`
//! waits for what is outside, without a slot; `host` is what tasks see; `remote` is a wire over the network, over
//! what `dial` opens; [`isolate`] runs an attempt in a process of its own.

mod book;
mod dial;
mod host;
pub mod isolate;
mod order;
mod project;
mod remote;
mod run;
mod session;
#[cfg(test)]
mod tests;
mod watch;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::time::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::watch as signal;

pub use dial::{Distrust, explain};
pub use host::Services;
pub use project::Project;
pub use remote::Remote;
pub use wire::{Connect, ConnectError, Wire};

/// How a worker is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its name, unique among the workers that are up.
    pub name: Arc<str>,
    /// What it was built from, for people.
    pub build: Arc<str>,
    /// How many attempts it runs at once.
    pub slots: u32,
    /// The queues that it serves.
    pub queues: Vec<Arc<str>>,
    /// What else there is to say about it, for people.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// How long running attempts may go on once it was told to stop.
    pub grace: Duration,
    /// What is started for a task that has a process of its own.
    pub isolation: Isolation,
    /// How many looks a second at what one kind of operator waits for; those not named have no limit.
    pub looks_per_second: BTreeMap<String, u32>,
    /// The wall's clock.
    pub wall: fn() -> Timestamp,
}

/// Which tasks have processes of their own, and what they are.
#[derive(Debug, Clone, Default)]
pub struct Isolation {
    /// This binary, as a child starts it; without it no task can have a process of its own.
    pub program: Option<isolate::Program>,
    /// Whether all tasks have one, and not only those that ask for it.
    pub all: bool,
    /// How much memory each may have, in bytes.
    pub memory_max: Option<u64>,
}

/// How a worker ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// There is no way to the scheduler, and there will be none until somebody changes something.
    #[error("no connection with the scheduler: {0}")]
    Unconnected(String),
    /// The scheduler will not have it.
    #[error("the scheduler refused this worker: {0}")]
    Refused(Arc<str>),
    /// Its thread could not be started, or died.
    #[error("the worker's own thread failed: {0}")]
    Thread(String),
}

/// A worker that runs.
#[derive(Debug)]
pub struct Worker {
    thread: std::thread::JoinHandle<Result<(), Ended>>,
}

impl Worker {
    /// Starts a worker. Its tasks run on `runtime`, its session on a thread of its own. It ends in order once `stop` says
    /// so: what it watches is handed over, what runs may go on for a while, and is then given up.
    ///
    /// # Errors
    /// The system gives it no thread.
    pub fn start(
        config: Config,
        project: Arc<Project>,
        connect: Arc<dyn Connect>,
        runtime: Handle,
        stop: signal::Receiver<bool>,
    ) -> Result<Self, Ended> {
        let failed = |error: std::io::Error| Ended::Thread(error.to_string());
        let own = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let thread = std::thread::Builder::new()
            .name("tidemill-session".to_owned())
            .spawn(move || {
                own.block_on(session::Session::new(config, project, runtime).run(&*connect, stop))
            })
            .map_err(failed)?;
        Ok(Self { thread })
    }

    /// Waits until it has ended. Blocks its thread.
    ///
    /// # Errors
    /// Says why it ended without being told to.
    pub fn join(self) -> Result<(), Ended> {
        self.thread
            .join()
            .unwrap_or_else(|_| Err(Ended::Thread("it panicked".to_owned())))
    }
}
