//! A connection with a worker, whatever carries it.

use tidemill_core::wire::{FromWorker, ToWorker};
use tokio::sync::mpsc;

/// How many messages of a worker wait before it has to wait, too.
const WAITING_MAX: usize = 256;

/// The scheduler's end of a connection. It is over when either channel is closed.
#[derive(Debug)]
pub struct Link {
    /// What the worker says.
    pub from: mpsc::Receiver<Vec<FromWorker>>,
    /// What it is told.
    pub to: mpsc::UnboundedSender<Vec<ToWorker>>,
}

/// The worker's end.
pub(super) type FarEnd = (
    mpsc::Sender<Vec<FromWorker>>,
    mpsc::UnboundedReceiver<Vec<ToWorker>>,
);

/// A connection within one process.
#[must_use]
pub fn local() -> (Link, FarEnd) {
    let (say, from) = mpsc::channel(WAITING_MAX);
    let (to, hear) = mpsc::unbounded_channel();
    (Link { from, to }, (say, hear))
}
