//! Telling pages when to read again. One watcher a process looks at the database, and only while somebody listens; what it
//! tells is a word, written once for all who listen. A page that hears it reads itself again, as itself: so nothing is told
//! here that somebody would have to be allowed to see.

mod marks;
mod stream;
mod watcher;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tidemill_core::id::DagId;
use tidemill_core::protocol::RunNo;
use tidemill_store::Store;
use tokio::sync::watch;

use crate::access::Principal;

pub(crate) use stream::listen;

/// How pages are told of changes.
#[derive(Debug, Clone, Copy)]
pub struct LiveSettings {
    /// No page is told more often, and the database is looked at no more often.
    pub every: Duration,
    /// How many may listen at once. Whoever comes then reads by the clock.
    pub listeners: usize,
    /// Whoever listens is asked so often whether they still may; at the same time the line is kept open by a few bytes.
    pub check_every: Duration,
    /// A line ends after so long, and the page opens another.
    pub lasts: Duration,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            listeners: 3_000,
            check_every: Duration::from_secs(25),
            lasts: Duration::from_secs(3_600),
        }
    }
}

/// What a page is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    /// All DAGs that somebody may see.
    Home,
    Dag(DagId),
    Run(RunNo),
}

impl Topic {
    fn word(&self) -> String {
        match self {
            Self::Home => "home".to_owned(),
            Self::Dag(dag) => format!("dag:{dag}"),
            Self::Run(run) => format!("run:{run}"),
        }
    }
}

/// The last that was said of a topic. Whoever is slow misses what was before, and nothing piles up.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// Counts what was said; nothing yet if 0.
    nth: u64,
    /// The bytes for everybody.
    event: Bytes,
    /// Of whom it is; of anybody if there are none.
    dags: Arc<[DagId]>,
}

impl Said {
    /// Whether it is for this person, who heard the `last` one. What was missed in between may have been.
    fn is_for(&self, who: &Principal, last: u64) -> bool {
        self.dags.is_empty()
            || self.nth > last + 1
            || who.sees_all()
            || self.dags.iter().any(|dag| who.sees(dag))
    }
}

/// That the database cannot be read.
const AWAY: Bytes = Bytes::from_static(b"event: away\ndata: the database does not answer\n\n");

/// Those who listen, by what they listen for.
#[derive(Debug, Default)]
struct Ears {
    topics: HashMap<Topic, watch::Sender<Said>>,
    /// Whether somebody looks already.
    watched: bool,
    /// Whether the process stops.
    closed: bool,
}

/// Where pages listen.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    store: Store,
    settings: LiveSettings,
    ears: Arc<Mutex<Ears>>,
}

/// Why nobody can listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deaf {
    /// There are too many already.
    Full,
    /// The process stops.
    Closed,
}

impl Live {
    pub(crate) fn new(store: Store, settings: LiveSettings) -> Self {
        Self {
            store,
            settings,
            ears: Arc::default(),
        }
    }

    /// Listens. Whatever comes first says that the topic is watched from then on.
    pub(crate) fn subscribe(&self, topic: Topic) -> Result<watch::Receiver<Said>, Deaf> {
        let mut ears = self.ears();
        if ears.closed {
            return Err(Deaf::Closed);
        }
        let listening: usize = ears
            .topics
            .values()
            .map(watch::Sender::receiver_count)
            .sum();
        if listening >= self.settings.listeners {
            return Err(Deaf::Full);
        }
        let said = ears.topics.entry(topic).or_insert_with(|| {
            watch::Sender::new(Said {
                nth: 0,
                event: Bytes::new(),
                dags: Arc::default(),
            })
        });
        let mut receiver = said.subscribe();
        if receiver.borrow().nth > 0 {
            receiver.mark_changed();
        }
        if !ears.watched {
            ears.watched = true;
            tokio::spawn(watcher::watch(self.clone()));
        }
        Ok(receiver)
    }

    /// Ends all that listen, now and from now on.
    pub(crate) fn close(&self) {
        let mut ears = self.ears();
        ears.closed = true;
        ears.topics.clear();
    }

    pub(crate) const fn settings(&self) -> LiveSettings {
        self.settings
    }

    /// What somebody listens for, and whether it is new. Without anybody nobody watches any more, and there is none.
    fn wanted(&self) -> Option<Vec<(Topic, bool)>> {
        let mut ears = self.ears();
        ears.topics.retain(|_, said| said.receiver_count() > 0);
        if ears.topics.is_empty() {
            ears.watched = false;
            return None;
        }
        let topics = ears.topics.iter();
        Some(
            topics
                .map(|(topic, said)| (topic.clone(), said.borrow().nth == 0))
                .collect(),
        )
    }

    /// Says something to those who listen for a topic.
    fn say(&self, topic: &Topic, event: &Bytes, dags: &Arc<[DagId]>) {
        if let Some(said) = self.ears().topics.get(topic) {
            said.send_modify(|said| {
                *said = Said {
                    nth: said.nth + 1,
                    event: event.clone(),
                    dags: Arc::clone(dags),
                };
            });
        }
    }

    fn ears(&self) -> MutexGuard<'_, Ears> {
        // Whoever panicked left senders behind that are whole.
        self.ears.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use tidemill_store::Options;

    use super::*;

    async fn live(folder: &tempfile::TempDir, listeners: usize) -> Result<Live, Box<dyn Error>> {
        let url = format!("sqlite://{}/tidemill.db", folder.path().display());
        let store = Store::open(&url, Options::default()).await?;
        let settings = LiveSettings {
            every: Duration::from_millis(10),
            listeners,
            ..LiveSettings::default()
        };
        Ok(Live::new(store, settings))
    }

    #[tokio::test]
    async fn nobody_looks_while_nobody_listens() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let live = live(&folder, 10).await?;
        // Without anybody it returns at once.
        watcher::watch(live.clone()).await;
        let mut said = live.subscribe(Topic::Home).expect("there is room");
        said.changed().await?;
        assert!(live.ears().watched);
        drop(said);
        // The one that looks notices, and so would another.
        watcher::watch(live.clone()).await;
        assert!(!live.ears().watched && live.ears().topics.is_empty());
        let mut again = live.subscribe(Topic::Home).expect("there is room");
        again.changed().await?;
        Ok(())
    }

    #[tokio::test]
    async fn there_are_no_more_listeners_than_allowed() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let live = live(&folder, 2).await?;
        let first = live.subscribe(Topic::Home);
        let second = live.subscribe(Topic::Run(RunNo(1)));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(live.subscribe(Topic::Home).err(), Some(Deaf::Full));
        drop(first);
        assert!(live.subscribe(Topic::Home).is_ok());
        live.close();
        assert_eq!(live.subscribe(Topic::Home).err(), Some(Deaf::Closed));
        Ok(())
    }
}
