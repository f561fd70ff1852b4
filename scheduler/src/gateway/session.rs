//! One connection of a worker, from its offer to its end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::id::DagId;
use tidemill_core::protocol::LogChunk;
use tidemill_core::version::Version;
use tidemill_core::wire::{FromWorker, PROTOCOL, ToWorker};
use tidemill_logs::{LogError, LogKeeper};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::{info, warn};

use super::{Gate, Link};
use crate::engine::Engine;
use crate::lead::{Bring, Join, SessionId, ToLead};

/// A worker has to come to its hello within this time.
const HELLO_WITHIN: Duration = Duration::from_secs(30);

/// Why a connection ended before it had begun.
#[derive(Debug, thiserror::Error)]
enum Turned {
    #[error("it said nothing for {} seconds", HELLO_WITHIN.as_secs())]
    Silent,
    #[error("the connection ended")]
    Ended,
    #[error("it said something else than it had to")]
    OutOfTurn,
    #[error(
        "it speaks protocol {0}, this scheduler {PROTOCOL}; deploy the scheduler before the workers"
    )]
    Protocol(u32),
    #[error("this scheduler does not lead")]
    NotLeading,
}

/// Looks after a worker's connection until it ends, or this scheduler no longer leads.
pub async fn attend(gate: Gate, mut link: Link) {
    let greeted = timeout(HELLO_WITHIN, greet(&gate, &mut link)).await;
    let session = match greeted.unwrap_or(Err(Turned::Silent)) {
        Ok(session) => session,
        Err(turned) => {
            warn!("turned a worker away: {turned}");
            if let Turned::Protocol(_) | Turned::OutOfTurn = turned {
                let why = turned.to_string().into();
                let _ = link.to.send(vec![ToWorker::Refused { why }]);
            }
            return;
        }
    };
    session.run(&gate, link).await;
}

struct Session {
    id: SessionId,
    worker: Arc<str>,
    lead: mpsc::Sender<ToLead>,
}

/// What comes before the hello, and the hello.
async fn greet(gate: &Gate, link: &mut Link) -> Result<Session, Turned> {
    let lead = gate.process().inbox().map_err(|_| Turned::NotLeading)?;
    let mut waiting = std::collections::VecDeque::new();
    let FromWorker::Offer {
        protocol,
        worker,
        versions,
    } = next(link, &mut waiting).await?
    else {
        return Err(Turned::OutOfTurn);
    };
    if protocol != PROTOCOL {
        return Err(Turned::Protocol(protocol));
    }
    let need = unknown(gate, versions).await?;
    let _ = link.to.send(vec![ToWorker::Need { versions: need }]);
    loop {
        match next(link, &mut waiting).await? {
            FromWorker::Bring { specs, pools } => {
                let (done, durable) = oneshot::channel();
                let bring = Bring {
                    specs,
                    pools,
                    by: Arc::clone(&worker),
                    done: Some(done),
                };
                let sent = lead.send(ToLead::Bring(bring)).await;
                sent.map_err(|_| Turned::NotLeading)?;
                durable.await.map_err(|_| Turned::NotLeading)?;
            }
            FromWorker::Hello(hello) if hello.worker == worker => {
                let session = Session {
                    id: gate.next_session(),
                    worker,
                    lead,
                };
                info!(
                    worker = %hello.worker, build = %hello.build, slots = hello.slots,
                    versions = hello.versions.len(), holds = hello.holds.len(), "worker connected"
                );
                let join = Join {
                    session: session.id,
                    hello,
                    to: link.to.clone(),
                };
                let sent = session.lead.send(ToLead::Join(join)).await;
                sent.map_err(|_| Turned::NotLeading)?;
                for message in waiting {
                    let heard = session.hear(gate, message, &link.to.downgrade()).await;
                    heard.ok_or(Turned::NotLeading)?;
                }
                return Ok(session);
            }
            _ => return Err(Turned::OutOfTurn),
        }
    }
}

async fn next(
    link: &mut Link,
    waiting: &mut std::collections::VecDeque<FromWorker>,
) -> Result<FromWorker, Turned> {
    loop {
        if let Some(message) = waiting.pop_front() {
            return Ok(message);
        }
        waiting.extend(link.from.recv().await.ok_or(Turned::Ended)?);
    }
}

async fn unknown(
    gate: &Gate,
    versions: Vec<(DagId, Version)>,
) -> Result<Vec<(DagId, Version)>, Turned> {
    let look = move |engine: &Engine| {
        let all: BTreeSet<_> = versions.into_iter().collect();
        all.into_iter()
            .filter(|(dag, version)| !engine.knows(dag, version))
            .collect()
    };
    let looked = gate.process().look(look).await;
    looked.map_err(|_| Turned::NotLeading)
}

/// Keeps the logs of a worker, in order, and says so. What cannot be kept now is sent again over the next connection.
async fn keep(keeper: LogKeeper, mut chunks: mpsc::UnboundedReceiver<Vec<LogChunk>>, to: WeakTo) {
    let mut lists = Vec::new();
    while chunks.recv_many(&mut lists, 64).await > 0 {
        let mut acks = Vec::new();
        for mut chunk in lists.drain(..).flatten() {
            // A worker of an older release does not say it in the place.
            chunk.place.run_no = chunk.attempt.of.run;
            match keeper.keep(&chunk).await {
                Ok(_) => acks.push(chunk.ack()),
                Err(error @ LogError::TooLarge { .. }) => {
                    warn!(attempt = %chunk.attempt.attempt, "a piece of its log is lost: {error}");
                    acks.push(chunk.ack());
                }
                Err(error) => {
                    warn!(attempt = %chunk.attempt.attempt, "cannot keep its log: {error}");
                    continue;
                }
            }
            if chunk.last
                && let Err(error) = keeper.finish(&chunk.place).await
            {
                warn!(attempt = %chunk.attempt.attempt, "cannot finish its log: {error}");
            }
        }
        if let Some(to) = to.upgrade() {
            let _ = to.send(vec![ToWorker::LogsKept(acks)]);
        }
    }
}

type WeakTo = mpsc::WeakUnboundedSender<Vec<ToWorker>>;

impl Session {
    async fn run(self, gate: &Gate, link: Link) {
        let Link { mut from, to } = link;
        // The leader alone keeps the connection open: when the worker comes over another one, or somebody else leads, it
        // lets go of this one.
        let weak = to.downgrade();
        drop(to);
        let (logs, chunks) = mpsc::unbounded_channel();
        tokio::spawn(keep(gate.logs().clone(), chunks, weak.clone()));
        loop {
            let messages = tokio::select! {
                messages = from.recv() => messages,
                () = self.lead.closed() => None,
            };
            let Some(messages) = messages else { break };
            for message in messages {
                if let FromWorker::Logs(chunks) = message {
                    let _ = logs.send(chunks);
                } else if self.hear(gate, message, &weak).await.is_none() {
                    return;
                }
            }
        }
        info!(worker = %self.worker, "its connection ended");
        let gone = ToLead::Gone {
            worker: Arc::clone(&self.worker),
            session: self.id,
        };
        let _ = self.lead.send(gone).await;
    }

    /// None when nobody leads here any more.
    async fn hear(&self, gate: &Gate, message: FromWorker, to: &WeakTo) -> Option<()> {
        let worker = Arc::clone(&self.worker);
        let message = match message {
            FromWorker::Reports(reports) => ToLead::Reports { worker, reports },
            FromWorker::Beat { nth } => ToLead::Beat {
                worker,
                session: self.id,
                nth,
            },
            FromWorker::Stuck {
                attempt,
                why,
                again,
            } => ToLead::Stuck {
                worker,
                attempt,
                why,
                again,
            },
            FromWorker::Draining => ToLead::Draining(worker),
            FromWorker::Ready => ToLead::Ready(worker),
            FromWorker::Left => ToLead::Left(worker),
            FromWorker::Ask { id, what } => {
                let (gives, to) = (Arc::clone(gate.gives()), to.clone());
                tokio::spawn(async move {
                    let what = gives.give(&what).await;
                    if let Some(to) = to.upgrade() {
                        let _ = to.send(vec![ToWorker::Given { id, what }]);
                    }
                });
                return Some(());
            }
            // Before the welcome a worker says nothing of logs.
            FromWorker::Logs(_) => return Some(()),
            FromWorker::Offer { .. } | FromWorker::Bring { .. } | FromWorker::Hello(_) => {
                warn!(%worker, "it said hello twice over one connection");
                return None;
            }
        };
        self.lead.send(message).await.ok()
    }
}
