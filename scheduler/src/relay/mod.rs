//! What leaves the system: takes from the outbox what commits put there, and delivers it. At least once, and once as a rule:
//! a relay that dies between delivering and saying so delivers again, and the key of each letter lets a sink see that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::operator::BoxFuture;
use tidemill_core::time::Timestamp;
use tidemill_store::outbox::{Due, Next};
use tidemill_store::record::OutboxRow;
use tidemill_store::{Store, StoreError};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

/// How many letters are taken at once.
const BATCH: u32 = 100;

/// What nobody said anything about is looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// A delivery has to be over within this time: well before somebody else may take the letter.
const DELIVER_WITHIN: Duration = Duration::from_secs(20);
const _: () =
    assert!(DELIVER_WITHIN.as_secs() * 2 < tidemill_store::outbox::OUTBOX_LEASE.as_secs());

/// How long to wait after a delivery that failed; doubled with each, up to the last.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(600);

/// After so many tries a letter is dead: with the waits above, after about a day and a half.
const TRIES_MAX: u32 = 220;

/// Why something was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// What happened, for people.
    pub why: String,
    /// When to try again at the earliest, if the other side said.
    pub retry_after: Option<Duration>,
    /// Whether trying again is of no use.
    pub never: bool,
}

impl Undelivered {
    /// It may work later.
    #[must_use]
    pub fn later(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            retry_after: None,
            never: false,
        }
    }

    /// It will not work before somebody changes something.
    #[must_use]
    pub fn never(why: impl Into<String>) -> Self {
        Self {
            never: true,
            ..Self::later(why)
        }
    }
}

/// Where letters go.
pub trait Sink: Send + Sync + 'static {
    /// Delivers one. Its `key` is the same when it is delivered again.
    fn deliver<'a>(&'a self, letter: &'a OutboxRow) -> BoxFuture<'a, Result<(), Undelivered>>;
}

/// Where the letters of each route go.
#[derive(Clone)]
pub struct Sinks {
    by_route: BTreeMap<String, Arc<dyn Sink>>,
    rest: Arc<dyn Sink>,
}

impl std::fmt::Debug for Sinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let routes: Vec<&String> = self.by_route.keys().collect();
        write!(f, "Sinks({routes:?})")
    }
}

impl Sinks {
    /// Everything goes here.
    #[must_use]
    pub fn new(rest: Arc<dyn Sink>) -> Self {
        Self {
            by_route: BTreeMap::new(),
            rest,
        }
    }

    /// The letters of this route go there instead.
    #[must_use]
    pub fn route(mut self, route: impl Into<String>, sink: Arc<dyn Sink>) -> Self {
        self.by_route.insert(route.into(), sink);
        self
    }

    fn of(&self, route: &str) -> &Arc<dyn Sink> {
        self.by_route.get(route).unwrap_or(&self.rest)
    }
}

/// Says letters in the log of the process, for routes that lead nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Log;

impl Sink for Log {
    fn deliver<'a>(&'a self, letter: &'a OutboxRow) -> BoxFuture<'a, Result<(), Undelivered>> {
        info!(route = %letter.route, severity = ?letter.severity, key = %letter.key, "{}", letter.body);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Delivers for as long as it is polled. `news` wakes it up after a commit that put something into the outbox.
pub async fn relay(store: Store, sinks: Sinks, news: Arc<Notify>, now: fn() -> Timestamp) {
    loop {
        match round(&store, &sinks, now).await {
            Ok(0) => {
                let _ = timeout(LOOK_EVERY, news.notified()).await;
            }
            // There may be more; and what failed is due again soon.
            Ok(_) => {}
            Err(error) => {
                warn!("cannot look into the outbox: {error}");
                sleep(AGAIN).await;
            }
        }
    }
}

/// Takes what is due and delivers it. Says how much that was.
async fn round(store: &Store, sinks: &Sinks, now: fn() -> Timestamp) -> Result<usize, StoreError> {
    let due = store.outbox_due(now(), BATCH).await?;
    let count = due.len();
    let mut sending = Vec::with_capacity(count);
    for due in due {
        let sink = Arc::clone(sinks.of(&due.row.route));
        sending.push(tokio::spawn(async move {
            let delivering = timeout(DELIVER_WITHIN, sink.deliver(&due.row)).await;
            let late =
                || Undelivered::later(format!("no answer in {} s", DELIVER_WITHIN.as_secs()));
            (due, delivering.unwrap_or_else(|_| Err(late())))
        }));
    }
    let mut sent = Vec::new();
    for sending in sending {
        match sending.await {
            Ok((due, Ok(()))) => sent.push(due),
            Ok((due, Err(undelivered))) => failed(store, &due, &undelivered, now()).await?,
            // Its lease ends, and it is taken again.
            Err(error) => error!("a sink died: {error}"),
        }
    }
    store.outbox_sent(&sent, now()).await?;
    Ok(count)
}

async fn failed(
    store: &Store,
    due: &Due,
    undelivered: &Undelivered,
    now: Timestamp,
) -> Result<(), StoreError> {
    let next = if undelivered.never || due.tries >= TRIES_MAX {
        error!(key = %due.row.key, route = %due.row.route, "given up: {}", undelivered.why);
        Next::Dead
    } else {
        let wait = wait_after(due.tries).max(undelivered.retry_after.unwrap_or_default());
        warn!(key = %due.row.key, route = %due.row.route, tries = due.tries, "not delivered: {}", undelivered.why);
        Next::At(now.after(wait))
    };
    store.outbox_failed(due, &undelivered.why, next).await?;
    Ok(())
}

fn wait_after(tries: u32) -> Duration {
    let doublings = tries.saturating_sub(1).min(20);
    (AGAIN * (1 << doublings)).min(AGAIN_MAX)
}

#[cfg(test)]
mod tests;
