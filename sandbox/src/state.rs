//! What the services share.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::faults::Faults;
use crate::jobs::{Beside, JobSettings, Jobs};
use crate::journal::Journal;
use crate::pages::Dress;
use crate::services::bigquery::Bigquery;
use crate::services::crm::Crm;
use crate::services::receivers::Receivers;
use crate::services::storage::Storage;
use crate::services::streaming::Streams;
use crate::services::{Pubsub, Tokens};
use crate::shelf::Shelf;
use chrono::{DateTime, Utc};

/// Asks the time; the sandbox has no clock of its own.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// How a sandbox is set up.
#[derive(Clone)]
pub struct Settings {
    /// Everything is kept in here.
    pub folder: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// What addresses in replies begin with, such as those of resumable uploads; none: where it listens.
    pub public: Option<String>,
    /// Where to take mail; none: nowhere.
    pub mail: Option<SocketAddr>,
    /// The time.
    pub clock: Clock,
    /// How jobs run, and which programs they can run.
    pub jobs: JobSettings,
    /// What its pages look like.
    pub dress: Dress,
}

impl Settings {
    /// What has to be said; the rest can be changed.
    #[must_use]
    pub fn new(folder: PathBuf, listen: SocketAddr, clock: Clock) -> Self {
        Self {
            folder,
            listen,
            public: None,
            mail: None,
            clock,
            jobs: JobSettings::default(),
            dress: Dress::default(),
        }
    }
}

/// Why a sandbox cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder.
    #[error(
        "the sandbox cannot use its folder {folder}: {source}; give it another with --sandbox-dir, or make it writable"
    )]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The address.
    #[error(
        "the sandbox cannot listen on {address}: {source}; choose another with --sandbox-listen or --sandbox-mail"
    )]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// Shared by all requests.
pub(crate) struct State {
    pub(crate) folder: PathBuf,
    /// What addresses in replies begin with, without a slash at the end.
    pub(crate) public: String,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) journal: Arc<Journal>,
    pub(crate) crm: Crm,
    pub(crate) receivers: Receivers,
    pub(crate) jobs: Jobs,
    /// What services keep beside their jobs: clusters, definitions of jobs, tokens of requests.
    pub(crate) records: Shelf<serde_json::Value>,
    pub(crate) pubsub: Arc<Pubsub>,
    pub(crate) tokens: Tokens,
    pub(crate) storage: Arc<Storage>,
    pub(crate) bigquery: Arc<Bigquery>,
}

impl State {
    pub(crate) fn open(settings: &Settings, public: String) -> Result<Self, OpenError> {
        let folder = |source| OpenError::Folder {
            folder: settings.folder.clone(),
            source,
        };
        std::fs::create_dir_all(&settings.folder).map_err(folder)?;
        let storage = Arc::new(Storage::open(&settings.folder.join("storage")).map_err(folder)?);
        let journal = settings.folder.join("journal.jsonl");
        let journal = Arc::new(Journal::open(&journal).map_err(folder)?);
        let pubsub = Arc::new(Pubsub::open(&settings.folder.join("pubsub")).map_err(folder)?);
        let bigquery = Bigquery::open(
            &settings.folder.join("bigquery"),
            Arc::clone(&storage),
            Arc::clone(&settings.clock),
            &public,
        )
        .map_err(folder)?;
        let beside = Arc::new(Beside {
            storage: Arc::clone(&storage),
            bigquery: Arc::clone(&bigquery),
            pubsub: Arc::clone(&pubsub),
            streams: Streams::open(&settings.folder.join("jobs"), &settings.clock)
                .map_err(folder)?,
            journal: Arc::clone(&journal),
        });
        Ok(Self {
            folder: settings.folder.clone(),
            public,
            clock: Arc::clone(&settings.clock),
            faults: Faults::default(),
            journal,
            crm: Crm::default(),
            receivers: Receivers::open(&settings.folder).map_err(folder)?,
            jobs: Jobs::open(
                &settings.folder.join("jobs/jobs.jsonl"),
                &settings.jobs,
                Arc::clone(&settings.clock),
                beside,
            )
            .map_err(folder)?,
            records: Shelf::open(&settings.folder.join("jobs/records.jsonl")).map_err(folder)?,
            pubsub,
            tokens: Tokens::default(),
            storage,
            bigquery,
        })
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }
}
