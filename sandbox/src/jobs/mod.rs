//! Jobs of all services: what is started runs a program in the background and survives a restart of the sandbox.
//!
//! A service maps its requests to [`Job`]s and the [`Phase`] of a job to its own words; what runs is a [`Program`] that is
//! registered under a name. A job that was under way when the sandbox ended is run again from its beginning, so a program
//! has to overwrite what it wrote before: then it does not matter how often it runs.

mod engine;
mod folders;
mod job;
mod noted;
mod program;
mod run;

pub use program::{Program, ProgramError, ProgramRun, Programs, RunSql, SqlOutcome, Statement};

pub(crate) use engine::{Jobs, NewJob};
pub(crate) use job::{Job, Phase, RunIf, Task, Work};
pub(crate) use program::{Running, arguments, stem};

use std::sync::Arc;
use std::time::Duration;

use crate::journal::Journal;
use crate::services::Pubsub;
use crate::services::bigquery::Bigquery;
use crate::services::storage::Storage;
use crate::services::streaming::Streams;

/// The services that jobs work with.
pub(crate) struct Beside {
    pub(crate) storage: Arc<Storage>,
    pub(crate) bigquery: Arc<Bigquery>,
    pub(crate) pubsub: Arc<Pubsub>,
    pub(crate) streams: Streams,
    pub(crate) journal: Arc<Journal>,
}

/// How jobs run.
#[derive(Clone)]
pub struct JobSettings {
    /// How long a job takes at least, from its start to its end.
    pub time: Duration,
    /// What jobs run.
    pub programs: Programs,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            time: Duration::from_millis(200),
            programs: Programs::default(),
        }
    }
}
