//! The logs of attempts on their way to the scheduler, and what must not be in them.

use std::time::Duration;

use tidemill_core::operator::TaskResult;
use tidemill_core::protocol::{CheckResult, LogChunk, Report};
use tidemill_core::wire::{FromWorker, Given};
use tidemill_logs::LogBook;
use tokio::time::Instant;

use super::Session;

impl Session {
    /// When pieces of logs are to be sent.
    pub(super) fn logs_at(&self, now: Instant) -> Instant {
        let wait = self
            .logs
            .next_due()
            .map(|due| due.since((self.config.wall)()));
        now + wait.unwrap_or(Duration::from_secs(3600))
    }

    pub(super) fn ship(&mut self, which: impl FnOnce(&LogBook) -> Vec<LogChunk>) {
        let chunks = which(&self.logs);
        if !chunks.is_empty() {
            self.outgoing.push(FromWorker::Logs(chunks));
        }
    }

    /// What nobody may see is not in any log from now on.
    pub(super) fn mask(&self, what: &TaskResult<Given>) {
        if let Ok(Given::Connection { secrets, .. }) = what {
            self.logs
                .masker()
                .add_all(secrets.values().map(String::as_str));
        }
    }

    /// An error may quote what nobody may see, and so may what came of a check.
    pub(super) fn masked(&self, mut report: Report) -> Report {
        if let Report::Failed { error, .. } = &mut report {
            error.message = self.logs.masker().mask(&error.message).into_owned();
            error.help = self.logs.masker().mask(&error.help).into_owned();
        }
        if let Report::Done { checks, .. } | Report::Failed { checks, .. } = &mut report {
            for text in checks.iter_mut().flat_map(CheckResult::texts_mut) {
                *text = self.logs.masker().mask(text).into_owned();
            }
        }
        report
    }
}
