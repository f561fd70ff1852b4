//! The way to the leader, which alone changes anything and knows what is not stored: gates, workers, logs that still grow.

mod local;
mod shut;

use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use futures_util::Stream;
use tidemill_core::operator::BoxFuture;
use tidemill_core::protocol::{InstanceRef, LogPlace, RunNo};
use tidemill_logs::{Found, Numbered, Page, Search, Wanted};
use tidemill_scheduler::engine::{Changed, Command, Fleet, Held, PoolView, Refusal, Why};
use tidemill_scheduler::gateway::{
    ConnectionBody, ConnectionView, RevealReply, VariableBody, VariableView,
};

pub use local::LocalDoor;
pub use shut::Shut;

/// A command, and what its author knew.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who asks, for the audit log.
    pub by: Arc<str>,
    /// The `edits` that they saw: if there were more since, the command is refused and they are told by whom.
    pub seen: Option<u32>,
    /// Whether only to say what would change.
    pub dry_run: bool,
    /// What.
    pub command: Command,
}

/// The lines of a log as they come, some at a time.
pub type Tail = Pin<Box<dyn Stream<Item = Result<Vec<Numbered>, DoorError>> + Send>>;

/// How the web reaches the leader: in the same process, or over the network.
pub trait Door: Send + Sync + 'static {
    /// Has a command carried out, and waits until what it changed is durable.
    fn ask(&self, asked: Asked) -> BoxFuture<'_, Result<Changed, DoorError>>;

    /// Why a task does not run, or is still being stopped; none if the leader does not hold its run.
    fn why(&self, of: InstanceRef) -> BoxFuture<'_, Result<Option<Why>, DoorError>>;

    /// What holds a run as a whole; none if the leader does not hold it.
    fn why_run(&self, run: RunNo) -> BoxFuture<'_, Result<Option<Vec<Held>>, DoorError>>;

    /// The workers, and what waits for them.
    fn fleet(&self) -> BoxFuture<'_, Result<Fleet, DoorError>>;

    /// The pools, what is taken of them and by whom.
    fn pools(&self) -> BoxFuture<'_, Result<Vec<PoolView>, DoorError>>;

    /// The variables, without their values.
    fn variables(&self) -> BoxFuture<'_, Result<Vec<VariableView>, DoorError>>;

    /// A variable's value; the audit log says who asked for it.
    fn reveal<'a>(
        &'a self,
        name: &'a str,
        by: &'a str,
    ) -> BoxFuture<'a, Result<RevealReply, DoorError>>;

    /// A variable is made or changed. Whoever leads seals it.
    fn set_variable<'a>(
        &'a self,
        name: &'a str,
        body: VariableBody,
    ) -> BoxFuture<'a, Result<Changed, DoorError>>;

    /// The connections, without their secrets.
    fn connections(&self) -> BoxFuture<'_, Result<Vec<ConnectionView>, DoorError>>;

    /// A connection is made or changed. Whoever leads seals it.
    fn set_connection<'a>(
        &'a self,
        name: &'a str,
        body: ConnectionBody,
    ) -> BoxFuture<'a, Result<Changed, DoorError>>;

    /// A part of a log.
    fn log<'a>(
        &'a self,
        of: &'a LogPlace,
        wanted: Wanted,
    ) -> BoxFuture<'a, Result<Page, DoorError>>;

    /// The lines of a log with a text in them.
    fn search<'a>(
        &'a self,
        of: &'a LogPlace,
        search: Search,
    ) -> BoxFuture<'a, Result<Found, DoorError>>;

    /// All of a log, as text.
    fn download<'a>(&'a self, of: &'a LogPlace) -> BoxFuture<'a, Result<Body, DoorError>>;

    /// The lines after this one as they come, until the attempt is over.
    fn tail(&self, of: &LogPlace, after: u64) -> Tail;
}

/// Why the leader did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DoorError {
    /// There is no such thing.
    #[error("{0}")]
    Unknown(String),
    /// Somebody was faster.
    #[error("{0}")]
    Stale(String),
    /// It makes no sense as it is.
    #[error("{0}")]
    Invalid(String),
    /// Nobody leads, or the leader cannot be reached. Nothing was changed.
    #[error("{0}")]
    Away(String),
    /// Nobody knows whether it was done.
    #[error("{0}")]
    Open(String),
}

impl From<Refusal> for DoorError {
    fn from(refusal: Refusal) -> Self {
        let says = refusal.to_string();
        match refusal {
            Refusal::Unknown { .. } => Self::Unknown(says),
            Refusal::Stale { .. } => Self::Stale(says),
            Refusal::Invalid(_) => Self::Invalid(says),
            Refusal::Load(_) => Self::Away(says),
        }
    }
}

impl DoorError {
    /// What a scheduler answered with this status.
    #[must_use]
    pub const fn of_status(status: u16, says: String) -> Self {
        match status {
            404 => Self::Unknown(says),
            409 => Self::Stale(says),
            504 => Self::Open(says),
            400..=499 => Self::Invalid(says),
            _ => Self::Away(says),
        }
    }
}
