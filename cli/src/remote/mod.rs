//! A running Tidemill, as commands meet it: they read its database themselves, and send what they ask for to the
//! scheduler that leads, which alone changes anything. With a user's token both go through a web server.

mod ask;
mod change;
mod find;
mod follow;
mod given;
pub(crate) mod leader;
mod looks;
mod monitor;
mod reads;

use std::cell::OnceCell;
use std::time::Duration;

use tidemill_store::Schema;
use tokio::runtime::Runtime;

use crate::config::flags::OfCommand;
use crate::config::{Environment, Flags, Loaded};
use crate::door;
use crate::output::{Output, UNREACHABLE};

pub(crate) use ask::Asking;
pub(crate) use change::{ChangeArgs, Changes};
pub(crate) use find::{RunFull, TaskName, at, shown, span_of, unknown};
pub(crate) use follow::{Feed, code_of, has_ended};
pub(crate) use given::{ParamArgs, Span, When};
pub(crate) use leader::{Leader, Request, is_of_user};
pub(crate) use looks::{Lines, word};
pub(crate) use monitor::{gone, place};
pub(crate) use reads::{Reads, unasked};

/// A running Tidemill.
pub(crate) struct Remote {
    pub(crate) reads: Reads,
    loaded: Loaded,
    leader: OnceCell<Leader>,
    runtime: Runtime,
    user: String,
    environment: Environment,
}

impl Remote {
    /// Opens its database. It is not made, and its schema is left alone.
    ///
    /// # Errors
    /// What a command prints that cannot go on.
    pub(crate) fn open(
        flags: &Flags<OfCommand>,
        environment: &Environment,
    ) -> Result<Self, Output> {
        let loaded = flags.load(environment)?;
        let runtime = crate::serve::runtime("tidemill")?;
        let remote = |reads, loaded, runtime| Self {
            reads,
            loaded,
            runtime,
            leader: OnceCell::new(),
            environment: environment.clone(),
            user: environment.user().to_owned(),
        };
        if leader::is_of_user(&loaded) {
            let web = reads::Web::new(Leader::of_web(loaded.clone())?);
            return Ok(remote(Reads::Web(Box::new(web)), loaded, runtime));
        }
        let database = &loaded.settings.database;
        if let Some(file) = database.file().filter(|file| !file.exists()) {
            let message = format_args!(
                "there is no database at {} ({}), so no scheduler is running on it; start one with `standalone`",
                file.display(),
                loaded.origin("database"),
            );
            return Err(Output::failed(message, UNREACHABLE));
        }
        let store = runtime.block_on(door::open(&loaded, Schema::Require))?;
        Ok(remote(Reads::Store(store), loaded, runtime))
    }

    /// Reads.
    pub(crate) fn read<T>(
        &self,
        reading: impl Future<Output = Result<T, Output>>,
    ) -> Result<T, Output> {
        self.runtime.block_on(reading)
    }

    /// Waits.
    pub(crate) fn rest(&self, span: Duration) {
        self.runtime
            .block_on(async { tokio::time::sleep(span).await });
    }
}
