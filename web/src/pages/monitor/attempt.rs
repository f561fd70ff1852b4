//! What an attempt loaded and checked, on the page of its task.

use tidemill_core::protocol::AttemptNo;

use super::lines::{CheckLine, LoadLine};
use crate::frame::Frame;
use crate::oops::Oops;

/// More of one attempt are not shown there.
const ROWS: u32 = 50;

/// What an attempt left behind.
#[derive(Default)]
pub(crate) struct OfAttempt {
    pub(crate) loads: Vec<LoadLine>,
    pub(crate) checks: Vec<CheckLine>,
}

impl OfAttempt {
    /// Reads it.
    pub(crate) async fn read(frame: &Frame, attempt: Option<AttemptNo>) -> Result<Self, Oops> {
        let Some(attempt) = attempt else {
            return Ok(Self::default());
        };
        let store = frame.web.store();
        let loads = store.loads_of_attempt(attempt, ROWS).await?;
        let checks = store.checks_of_attempt(attempt, ROWS).await?;
        Ok(Self {
            loads: loads.iter().map(LoadLine::new).collect(),
            checks: checks
                .iter()
                .map(|check| CheckLine::new(&check.row))
                .collect(),
        })
    }
}
