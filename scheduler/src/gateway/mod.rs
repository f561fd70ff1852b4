//! The door to the leader: workers by WebSocket, commands and looks by HTTP. It checks who speaks and how much, and decides
//! nothing.

mod connections;
mod link;
mod logs;
mod problem;
mod queue;
mod routes;
mod serve;
mod session;
mod socket;
mod unread;
mod variables;
mod vault;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use tidemill_core::operator::{BoxFuture, TaskResult};
use tidemill_core::wire::{Asked, Given};

use tidemill_logs::LogKeeper;

use crate::lead::{Process, SessionId};

pub use connections::{ConnectionBody, ConnectionView, ResealBody, ResealReply};
pub use link::{Link, local};
pub use logs::LogsQuery;
pub use problem::Problem;
pub use queue::QueueLoad;
pub use routes::{CommandBody, CommandReply, WhyQuery, router};
pub use serve::{Limits, serve};
pub use session::attend;
pub use variables::{RevealBody, RevealReply, VariableBody, VariableView};
pub use vault::{RemoveQuery, TouchView, Vault};

/// Gives tasks the connections and variables that they ask for.
pub trait Gives: Send + Sync + 'static {
    /// It, or why there is none.
    fn give<'a>(&'a self, what: &'a Asked) -> BoxFuture<'a, TaskResult<Given>>;
}

/// What connections have in common. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
}

struct Shared {
    process: Process,
    token: [u8; 32],
    gives: Arc<dyn Gives>,
    logs: LogKeeper,
    vault: Vault,
    sessions: AtomicU64,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Gate {
    /// A gate before a scheduler. Whoever comes by network has to know the token.
    #[must_use]
    pub fn new(
        process: Process,
        token: &str,
        gives: Arc<dyn Gives>,
        logs: LogKeeper,
        vault: Vault,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                process,
                token: digest(token),
                gives,
                logs,
                vault,
                sessions: AtomicU64::new(0),
            }),
        }
    }

    /// The scheduler behind it.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.shared.process
    }

    fn gives(&self) -> &Arc<dyn Gives> {
        &self.shared.gives
    }

    /// Where the logs of attempts are kept.
    #[must_use]
    pub fn logs(&self) -> &LogKeeper {
        &self.shared.logs
    }

    fn vault(&self) -> &Vault {
        &self.shared.vault
    }

    fn next_session(&self) -> SessionId {
        self.shared.sessions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether this is the token. Hashes are compared, so that the time it takes says nothing about the token.
    fn admits(&self, token: &str) -> bool {
        digest(token) == self.shared.token
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
