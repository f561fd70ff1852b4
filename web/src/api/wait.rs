//! Waiting for a run to end, on behalf of somebody who would else ask again and again.

use std::time::Duration;

use tidemill_core::span;
use tidemill_core::state::RunState;
use tidemill_store::record::RunRow;
use tokio::time::{Instant, sleep};

use crate::frame::Frame;
use crate::oops::Oops;

/// Nobody waits longer: what is between may cut a connection that is silent.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// It is looked so soon at first, and after ever longer rests.
const REST: Duration = Duration::from_millis(100);
const REST_MAX: Duration = Duration::from_secs(2);

/// How long is waited.
pub(crate) fn span(text: Option<&str>) -> Result<Duration, Oops> {
    let Some(text) = text else {
        return Ok(Duration::ZERO);
    };
    let span = span::parse(text).map_err(|error| Oops::field("wait", error))?;
    if span > WAIT_MAX {
        return Err(Oops::field(
            "wait",
            "at most 60s are waited; ask again after that",
        ));
    }
    Ok(span)
}

/// Whether a run has come to its end.
pub(crate) const fn has_ended(state: RunState) -> bool {
    !matches!(state, RunState::Queued | RunState::Running)
}

/// A run as it is when it has ended, or when the time is over. If too many wait already, as it is now. Whoever goes away takes
/// this with them: their request is dropped.
pub(crate) async fn until_ended(
    frame: &Frame,
    mut run: RunRow,
    within: Duration,
) -> Result<RunRow, Oops> {
    if within.is_zero() || has_ended(run.state) {
        return Ok(run);
    }
    let Some(_place) = frame.web.wait() else {
        return Ok(run);
    };
    let end = Instant::now() + within;
    let mut rest = REST;
    while !has_ended(run.state) && Instant::now() < end {
        sleep(rest.min(end.saturating_duration_since(Instant::now()))).await;
        rest = (rest * 3 / 2).min(REST_MAX);
        let again = frame.web.store().runs_numbered(&[run.id]).await?;
        match again.into_iter().next() {
            Some(again) => run = again,
            // It was cleaned away meanwhile.
            None => break,
        }
    }
    Ok(run)
}
