//! The worker's end of a connection with the scheduler, whatever carries it.

use tidemill_core::operator::BoxFuture;
use tidemill_core::wire::{FromWorker, ToWorker};
use tokio::sync::mpsc;

/// A connection with the scheduler. It is over when either channel is closed.
#[derive(Debug)]
pub struct Wire {
    /// What is said.
    pub say: mpsc::Sender<Vec<FromWorker>>,
    /// What is heard.
    pub hear: mpsc::UnboundedReceiver<Vec<ToWorker>>,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// It may work a moment later.
    #[error("{0}")]
    Later(String),
    /// It will not work before somebody changes something.
    #[error("{0}")]
    Never(String),
}

/// Makes connections with the scheduler that leads.
pub trait Connect: Send + Sync + 'static {
    /// A new connection.
    fn connect(&self) -> BoxFuture<'_, Result<Wire, ConnectError>>;

    /// Whether another scheduler than the one of the last connection says that it leads.
    fn another_leads(&self) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(false))
    }
}
