//! What the leader is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::protocol::{AttemptRef, Hello, Report};
use tidemill_core::spec::DagSpec;
use tidemill_core::wire::ToWorker;
use tokio::sync::{mpsc, oneshot};

use super::desk::Ask;
use crate::engine::Engine;

/// A connection of a worker; never used twice in a process.
pub type SessionId = u64;

/// Something to be done with the engine at hand. It changes nothing.
pub type Access = Box<dyn FnOnce(&Engine) + Send>;

/// A worker says hello over a connection.
#[derive(Debug)]
pub struct Join {
    /// The connection.
    pub session: SessionId,
    /// What it says.
    pub hello: Hello,
    /// Where it is told things.
    pub to: mpsc::UnboundedSender<Vec<ToWorker>>,
}

/// DAG versions, and the pools that their project declares.
#[derive(Debug, Default)]
pub struct Bring {
    /// The versions.
    pub specs: Vec<Arc<DagSpec>>,
    /// Pools that are made unless they are there.
    pub pools: BTreeMap<String, Option<u32>>,
    /// Who brings them.
    pub by: Arc<str>,
    /// Told once they are durable.
    pub done: Option<oneshot::Sender<()>>,
}

/// What the leader is told.
pub enum ToLead {
    /// A worker says hello.
    Join(Join),
    /// A connection ended. Its worker may come back over another one.
    Gone {
        /// The worker.
        worker: Arc<str>,
        /// The connection.
        session: SessionId,
    },
    /// What became of attempts.
    Reports {
        /// The worker.
        worker: Arc<str>,
        /// In order.
        reports: Vec<(AttemptRef, Report)>,
    },
    /// A worker is alive.
    Beat {
        /// The worker.
        worker: Arc<str>,
        /// The connection.
        session: SessionId,
        /// Which beat.
        nth: u64,
    },
    /// A worker cannot stop an attempt yet.
    Stuck {
        /// The worker.
        worker: Arc<str>,
        /// The attempt.
        attempt: AttemptRef,
        /// What stands in the way.
        why: Arc<str>,
        /// How long until it tries again.
        again: Duration,
    },
    /// A worker takes nothing new.
    Draining(Arc<str>),
    /// A worker takes orders again.
    Ready(Arc<str>),
    /// A worker holds nothing any more.
    Left(Arc<str>),
    /// DAG versions came.
    Bring(Bring),
    /// Somebody asks for something.
    Ask(Ask),
    /// Somebody wants to look.
    Look(Access),
}

impl std::fmt::Debug for ToLead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Join(join) => write!(f, "Join({join:?})"),
            Self::Gone { worker, session } => write!(f, "Gone({worker}, {session})"),
            Self::Reports { worker, reports } => write!(f, "Reports({worker}, {reports:?})"),
            Self::Beat { worker, nth, .. } => write!(f, "Beat({worker}, {nth})"),
            Self::Stuck {
                worker,
                attempt,
                why,
                ..
            } => write!(f, "Stuck({worker}, {attempt:?}, {why})"),
            Self::Draining(worker) => write!(f, "Draining({worker})"),
            Self::Ready(worker) => write!(f, "Ready({worker})"),
            Self::Left(worker) => write!(f, "Left({worker})"),
            Self::Bring(bring) => write!(f, "Bring({} versions)", bring.specs.len()),
            Self::Ask(ask) => write!(f, "Ask({ask:?})"),
            Self::Look(_) => f.write_str("Look"),
        }
    }
}

/// Nobody leads here at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this scheduler does not lead")]
pub struct NotLeading;
