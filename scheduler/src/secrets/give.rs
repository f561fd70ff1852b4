//! Connections and variables for tasks, through the gate.

use std::error::Error;

use tidemill_core::operator::{BoxFuture, TaskError, TaskResult};
use tidemill_core::time::Timestamp;
use tidemill_core::wire::{Asked, Given};

use super::lookup::{Secrets, SecretsError};
use crate::gateway::Gives;

/// Gives tasks what [`Secrets`] finds.
#[derive(Debug)]
pub struct Giver {
    secrets: Secrets,
    wall: fn() -> Timestamp,
}

impl Giver {
    /// Gives what is found there. The clock only says how long something may be kept.
    #[must_use]
    pub fn new(secrets: Secrets, wall: fn() -> Timestamp) -> Self {
        Self { secrets, wall }
    }
}

impl Gives for Giver {
    fn give<'a>(&'a self, what: &'a Asked) -> BoxFuture<'a, TaskResult<Given>> {
        Box::pin(async move {
            let now = (self.wall)();
            let given = match what {
                Asked::Connection(name) => {
                    let found = self.secrets.connection(name, now).await;
                    found.map(Given::from)
                }
                Asked::Variable(name) => {
                    let found = self.secrets.variable(name, now).await;
                    found.map(Given::Variable)
                }
            };
            given.map_err(|error| refused(&error))
        })
    }
}

/// What the task is told: a moment later it may work, or a person has to do something.
fn refused(error: &SecretsError) -> TaskError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    if error.is_retryable() {
        TaskError::transient(text)
    } else {
        TaskError::permanent(text)
    }
}
