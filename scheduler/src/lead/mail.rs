//! What workers are told: over which connection, and in which order.

use std::collections::HashMap;
use std::sync::Arc;

use tidemill_core::wire::ToWorker;
use tokio::sync::mpsc;

use super::message::{Join, SessionId};

/// Where a worker is told things.
#[derive(Debug)]
struct Session {
    id: SessionId,
    to: mpsc::UnboundedSender<Vec<ToWorker>>,
    /// What was decided up to this take belongs to an earlier connection.
    since: u64,
}

/// The connections of workers.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<Arc<str>, Session>);

impl Sessions {
    /// A worker came, possibly while its old connection is still thought to be open. `taken` is how often the engine's
    /// decisions were taken so far.
    pub(super) fn join(&mut self, join: &Join, taken: u64) {
        let session = Session {
            id: join.session,
            to: join.to.clone(),
            since: taken,
        };
        // The old connection ends: nobody sends into it any more.
        self.0.insert(Arc::clone(&join.hello.worker), session);
    }

    /// A connection ended. Says whether it was the worker's present one.
    pub(super) fn gone(&mut self, worker: &str, session: SessionId) -> bool {
        let present = self.is(worker, session);
        if present {
            self.0.remove(worker);
        }
        present
    }

    /// Whether this is the present connection of a worker.
    pub(super) fn is(&self, worker: &str, session: SessionId) -> bool {
        self.0.get(worker).is_some_and(|open| open.id == session)
    }

    /// Tells one worker one thing, now.
    pub(super) fn tell(&self, worker: &str, what: ToWorker) {
        if let Some(session) = self.0.get(worker) {
            // A connection that just ended: the worker asks again over the next.
            let _ = session.to.send(vec![what]);
        }
    }

    /// Sends what was gathered.
    pub(super) fn send(&self, mail: Mail) {
        for (worker, messages) in mail.0 {
            if let Some(session) = self.0.get(&worker) {
                let _ = session.to.send(messages);
            }
        }
    }

    /// Whether what was decided by this take is still for the worker's present connection.
    pub(super) fn takes(&self, worker: &str, take: u64) -> bool {
        self.0
            .get(worker)
            .is_some_and(|session| take > session.since)
    }
}

/// What is to be said, gathered so that each worker gets one message.
#[derive(Debug, Default)]
pub(super) struct Mail(HashMap<Arc<str>, Vec<ToWorker>>);

impl Mail {
    pub(super) fn add(&mut self, worker: &Arc<str>, what: ToWorker) {
        match self.0.get_mut(worker) {
            Some(messages) => messages.push(what),
            None => {
                self.0.insert(Arc::clone(worker), vec![what]);
            }
        }
    }
}
