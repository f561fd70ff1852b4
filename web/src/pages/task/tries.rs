//! What was tried: each attempt, and where its time went.

use std::sync::Arc;
use std::time::Duration;

use tidemill_core::operator::ErrorKind;
use tidemill_core::protocol::AttemptNo;
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_store::record::{AttemptEnd, AttemptRow, TaskRow};

use super::place::Place;
use crate::frame::Frame;
use crate::html::{Chip, Html, Span, Tone, When, spans, took};
use crate::oops::Oops;

/// An attempt, over or not.
pub(crate) struct Try {
    pub(crate) number: u32,
    pub(crate) attempt: AttemptNo,
    pub(crate) chip: Chip,
    pub(crate) href: String,
    pub(crate) on: bool,
    pub(crate) is_over: bool,
    pub(crate) failed: bool,
    pub(crate) worker: Option<Arc<str>>,
    pub(crate) epoch: u32,
    pub(crate) started: Option<When>,
    pub(crate) ended: Option<When>,
    pub(crate) took: String,
    /// Where its time went, drawn.
    pub(crate) split: Option<Html>,
    pub(crate) kind: Option<ErrorKind>,
    pub(crate) message: Option<Arc<str>>,
    pub(crate) help: Option<Arc<str>>,
    pub(crate) retry_at: Option<Timestamp>,
}

/// All attempts, the first one first.
pub(crate) struct Tries {
    pub(crate) all: Vec<Try>,
}

impl Tries {
    pub(crate) async fn read(
        frame: &Frame,
        place: &Place,
        wanted: Option<u32>,
    ) -> Result<Self, Oops> {
        let Some(row) = &place.row else {
            return Ok(Self { all: Vec::new() });
        };
        let over = frame.web.store().attempts(row.of).await?;
        let mut all: Vec<Try> = over.iter().rev().map(|one| ended(place, one)).collect();
        if row.attempt.0 != 0 && row.attempt != row.ended_attempt {
            all.push(live(place, row, frame.now));
        }
        let selected = match wanted {
            Some(number) => {
                let found = all.iter().rposition(|one| one.number == number);
                let gone = || Oops::not_found("this task has no attempt of this number");
                Some(found.ok_or_else(gone)?)
            }
            None => all.len().checked_sub(1),
        };
        if let Some(one) = selected.and_then(|at| all.get_mut(at)) {
            one.on = true;
        }
        Ok(Self { all })
    }

    /// The one that is looked at.
    pub(crate) fn selected(&self) -> Option<&Try> {
        self.all.iter().find(|one| one.on)
    }
}

fn ended(place: &Place, row: &AttemptRow) -> Try {
    let began = row.started_at.unwrap_or(row.ended_at);
    let left = row.deferred_at.unwrap_or(row.ended_at);
    let left = left.max(began).min(row.ended_at.max(began));
    let parts = [
        Span::new(Tone::Queue, "with a worker", began.since(row.queued_at)),
        Span::new(Tone::Run, "running", left.since(began)),
        Span::new(Tone::Wait, "deferred", row.ended_at.since(left)),
    ];
    Try {
        number: row.number,
        attempt: row.id,
        chip: chip(row.end),
        href: place.with(&format!("attempt={}", row.number)),
        on: false,
        is_over: true,
        failed: matches!(
            row.end,
            AttemptEnd::Failed | AttemptEnd::TimedOut | AttemptEnd::Lost
        ),
        worker: row.worker.clone(),
        epoch: row.epoch,
        started: row.started_at.map(When),
        ended: Some(When(row.ended_at)),
        took: took(row.ended_at.since(began)),
        split: spans(&parts),
        kind: row.error_kind,
        message: row.message.clone(),
        help: row.help.clone(),
        retry_at: row.retry_at,
    }
}

/// The attempt that is on is in the row of its task.
fn live(place: &Place, row: &TaskRow, now: Timestamp) -> Try {
    let queued = row.queued_at.unwrap_or(row.since);
    let began = row.started_at.unwrap_or(now);
    // How long it was deferred before is not on record: only since when it is now.
    let left = if row.state == TaskState::Deferred {
        row.since.max(began)
    } else {
        now
    };
    let parts = [
        Span::new(Tone::Queue, "with a worker", began.since(queued)),
        Span::new(Tone::Run, "running", left.since(began)),
        Span::new(Tone::Wait, "deferred", now.since(left)),
    ];
    Try {
        number: row.number,
        attempt: row.attempt,
        chip: row.state.into(),
        href: place.with(&format!("attempt={}", row.number)),
        on: false,
        is_over: false,
        failed: false,
        worker: row.worker.clone(),
        epoch: row.epoch,
        started: row.started_at.map(When),
        ended: None,
        took: took(row.started_at.map_or(Duration::ZERO, |at| now.since(at))),
        split: spans(&parts),
        kind: None,
        message: None,
        help: None,
        retry_at: None,
    }
}

const fn chip(end: AttemptEnd) -> Chip {
    match end {
        AttemptEnd::Success => Chip::new(Tone::Ok, "Success"),
        AttemptEnd::Failed => Chip::new(Tone::Fail, "Failed"),
        AttemptEnd::Skipped => Chip::new(Tone::Skip, "Skipped"),
        AttemptEnd::TimedOut => Chip::new(Tone::Fail, "Timed out"),
        AttemptEnd::Lost => Chip::new(Tone::Retry, "Lost"),
        AttemptEnd::Cancelled => Chip::new(Tone::Skip, "Cancelled"),
    }
}
