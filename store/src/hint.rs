//! Wake-ups between processes. A hint says "look", and nothing more: whoever misses one looks a second later anyway.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions as _, Executor as _};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use crate::Store;
use crate::db::Database;

/// Not more often than this a hint is sent; those in between become one.
const HINT_EVERY: Duration = Duration::from_millis(100);

/// Who heard nothing for so long looks all the same.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After an error the connection rests this long. Hints are lost meanwhile.
const REST: Duration = Duration::from_secs(1);

/// The channel on PostgreSQL. Its messages are empty.
const CHANNEL: &str = "tidemill";
const NOTIFY: &str = "NOTIFY tidemill";

/// Why somebody was woken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// Somebody said that there is something to see.
    Told,
    /// Nobody did for a while.
    Time,
}

/// The sending side; each store has one.
#[derive(Debug)]
pub(crate) struct Hints {
    wanted: Arc<Notify>,
    here: watch::Sender<()>,
    /// Ends when the store goes.
    sender: Option<tokio::task::JoinHandle<()>>,
}

impl Hints {
    /// Begins to send, on a connection of its own that is opened by the first hint.
    pub(crate) fn new(database: &Database) -> Self {
        let wanted = Arc::new(Notify::new());
        let sender = match database {
            Database::Postgres(db) => {
                let send = send(db.options.clone(), wanted.clone());
                Some(tokio::spawn(send))
            }
            Database::Sqlite(_) => None,
        };
        Self {
            wanted,
            here: watch::Sender::new(()),
            sender,
        }
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        if let Some(sender) = &self.sender {
            sender.abort();
        }
    }
}

/// Never inside a transaction that changes state: a commit with a notice pending takes a lock that all such commits share.
async fn send(options: PgConnectOptions, wanted: Arc<Notify>) {
    let mut connection: Option<PgConnection> = None;
    loop {
        wanted.notified().await;
        let sent = match &mut connection {
            Some(open) => open.execute(NOTIFY).await.map(drop),
            None => match options.connect().await {
                Ok(mut open) => {
                    let sent = open.execute(NOTIFY).await.map(drop);
                    connection = Some(open);
                    sent
                }
                Err(error) => Err(error),
            },
        };
        if sent.is_err() {
            connection = None;
            sleep(REST).await;
        } else {
            sleep(HINT_EVERY).await;
        }
    }
}

/// The listening side.
#[derive(Debug)]
pub struct Listener {
    from: Source,
}

#[derive(Debug)]
enum Source {
    Postgres {
        options: Box<PgConnectOptions>,
        open: Option<Box<PgListener>>,
    },
    Sqlite(watch::Receiver<()>),
}

impl Store {
    /// Tells everybody who listens to look. Returns at once; nothing goes wrong that anybody would have to know.
    pub fn hint(&self) {
        self.hints().wanted.notify_one();
        self.hints().here.send_replace(());
    }

    /// Listens for hints: on PostgreSQL from all processes, on SQLite from this one.
    #[must_use]
    pub fn listen(&self) -> Listener {
        let from = match self.db() {
            Database::Postgres(db) => Source::Postgres {
                options: Box::new(db.options.clone()),
                open: None,
            },
            Database::Sqlite(_) => Source::Sqlite(self.hints().here.subscribe()),
        };
        Listener { from }
    }
}

impl Listener {
    /// Waits for a hint, at most a second. Whoever is told that it is only time has to look as well. The future can be
    /// dropped at any moment.
    pub async fn next(&mut self) -> Hint {
        let heard = match &mut self.from {
            Source::Postgres { options, open } => timeout(LOOK_EVERY, hear(options, open)).await,
            Source::Sqlite(from) => {
                timeout(LOOK_EVERY, async {
                    // The store is gone; whoever listens still looks in time.
                    if from.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                })
                .await
            }
        };
        if heard.is_ok() {
            Hint::Told
        } else {
            Hint::Time
        }
    }
}

async fn hear(options: &PgConnectOptions, open: &mut Option<Box<PgListener>>) {
    loop {
        let listener = match open {
            Some(listener) => listener,
            None => match listener(options).await {
                Ok(new) => open.insert(Box::new(new)),
                Err(_) => {
                    sleep(REST).await;
                    continue;
                }
            },
        };
        match listener.try_recv().await {
            Ok(Some(_)) => {
                // Those that came with it say the same.
                while listener.next_buffered().is_some() {}
                return;
            }
            // The connection broke, and hints may have been missed: that is one, too.
            Ok(None) => return,
            Err(_) => *open = None,
        }
    }
}

async fn listener(options: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    let own = PgPoolOptions::new().max_connections(1);
    let mut listener = PgListener::connect_with(&own.connect_lazy_with(options.clone())).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}
