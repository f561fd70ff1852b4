//! Lines as they come.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tidemill_core::operator::Level;
use tokio::sync::watch;
use tokio::time::timeout;

use super::LogKeeper;
use super::error::LogError;
use super::read::{Numbered, Start, Wanted};

/// How often a log is looked at that another process may keep.
const POLL: Duration = Duration::from_secs(2);
/// How many lines are given at once.
const LINES: usize = 1000;

/// Who waits for news of which log.
#[derive(Default)]
pub(super) struct Listeners(Mutex<HashMap<String, watch::Sender<()>>>);

impl Listeners {
    pub(super) fn listen(&self, path: &str) -> watch::Receiver<()> {
        let mut senders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        senders.retain(|_, sender| sender.receiver_count() > 0);
        let sender = senders.entry(path.to_owned());
        sender.or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    pub(super) fn tell(&self, path: &str) {
        let senders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = senders.get(path) {
            sender.send_replace(());
        }
    }
}

/// A log that is read while it is written.
pub struct Tail {
    keeper: LogKeeper,
    path: String,
    after: u64,
    news: watch::Receiver<()>,
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail")
            .field("path", &self.path)
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}

impl Tail {
    pub(super) fn new(
        keeper: LogKeeper,
        path: String,
        after: u64,
        news: watch::Receiver<()>,
    ) -> Self {
        Self {
            keeper,
            path,
            after,
            news,
        }
    }

    /// Waits for the next lines; nothing once the attempt is over and all were given. At once for lines that this
    /// process keeps, after a few seconds for those that another one keeps. It may be dropped while it waits.
    ///
    /// # Errors
    /// The store cannot be reached; it may be called again.
    pub async fn next(&mut self) -> Result<Option<Vec<Numbered>>, LogError> {
        let wanted = |after| Wanted {
            start: Start::At(after),
            lines: LINES,
            level: Level::Debug,
        };
        loop {
            // What comes from here on counts as news.
            self.news.borrow_and_update();
            let page = self.keeper.page(&self.path, wanted(self.after)).await?;
            if let Some(last) = page.lines.last() {
                self.after = last.number;
                return Ok(Some(page.lines));
            }
            if page.finished {
                return Ok(None);
            }
            // No matter which of the two it is, the log is looked at.
            let _ = timeout(POLL, self.news.changed()).await;
        }
    }
}
