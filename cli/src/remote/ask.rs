//! Sending what is asked for to whoever leads.

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_scheduler::engine::{Changed, Command};
use tidemill_scheduler::gateway::{CommandBody, CommandReply};

use super::leader::{Leader, Request};
use super::{Reads, Remote};
use crate::output::{Output, USAGE};

/// Who asks, what they saw, and whether they mean it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asking {
    /// For the audit log.
    pub(crate) by: String,
    /// The `edits` that they saw.
    pub(crate) seen: Option<u32>,
    /// Whether only to say what would change.
    pub(crate) dry_run: bool,
}

impl Remote {
    /// Sends a command, and waits until what it changed is durable.
    ///
    /// # Errors
    /// What a command prints that changed nothing, or does not know whether it did.
    pub(crate) fn ask(&self, asking: &Asking, command: Command) -> Result<Changed, Output> {
        let dag = match &command {
            Command::Trigger(trigger) => Some(trigger.dag.clone()),
            _ => None,
        };
        let body = CommandBody {
            by: asking.by.clone(),
            seen: asking.seen,
            dry_run: asking.dry_run,
            command,
        };
        let reply: CommandReply = self.post("/api/v1/commands", &body, !asking.dry_run)?;
        if let (Reads::Web(web), Some(dag)) = (&self.reads, dag) {
            for (no, name) in &reply.changed.runs_made {
                web.keep(*no, &dag, name);
            }
        }
        Ok(reply.changed)
    }

    /// Posts something; `changes` says whether it may have been done although nobody answered.
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        changes: bool,
    ) -> Result<T, Output> {
        let request = Request {
            method: &Method::POST,
            path,
            changes,
            missing: USAGE,
        };
        let leader = self.leader()?;
        self.runtime.block_on(leader.send(request, Some(body)))
    }

    /// Looks at something. None if it is not there.
    pub(crate) fn look<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Output> {
        let leader = self.leader()?;
        self.runtime.block_on(leader.look(path))
    }

    /// Made when it is first needed: most commands only read the database.
    fn leader(&self) -> Result<&Leader, Output> {
        let store = match &self.reads {
            Reads::Web(web) => return Ok(web.leader()),
            Reads::Store(store) => store,
        };
        if let Some(leader) = self.leader.get() {
            return Ok(leader);
        }
        let leader = Leader::new(self.loaded.clone(), Some(store.clone()))?;
        Ok(self.leader.get_or_init(|| leader))
    }
}
