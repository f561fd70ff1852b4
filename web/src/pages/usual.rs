//! How long something usually takes, by what went well before, and whether what is on takes longer.

use std::time::Duration;

use tidemill_core::id::DagId;
use tidemill_core::state::RunState;
use tidemill_core::time::Timestamp;
use tidemill_store::history::{Cursor, RunFilter};
use tidemill_store::record::RunRow;

use super::dag::Spans;
use crate::frame::Frame;
use crate::html::{Chip, Html, Tone, Until, took};
use crate::oops::Oops;

/// So many runs that went well are looked at.
const RUNS: u32 = 50;
/// Of fewer nobody can say what is usual.
const RUNS_MIN: usize = 5;

/// What is usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usual {
    /// Half of them took no longer.
    median: Duration,
    /// Nineteen of twenty took no longer.
    most: Duration,
}

impl Usual {
    /// Of these lengths of time; none if there are too few.
    pub(super) fn of(spans: impl IntoIterator<Item = Duration>) -> Option<Self> {
        let spans: Vec<Duration> = spans.into_iter().collect();
        if spans.len() < RUNS_MIN {
            return None;
        }
        let spans = Spans::of(spans);
        Some(Self {
            median: spans.median()?,
            most: spans.hundredth(95)?,
        })
    }

    /// Of the runs of a DAG that went well, the newest ones.
    pub(super) async fn of_runs(frame: &Frame, dag: &DagId) -> Result<Option<Self>, Oops> {
        let well = RunFilter {
            dag: Some(dag.clone()),
            state: Some(RunState::Success),
            ..RunFilter::default()
        };
        let runs = frame.web.store().runs(&well, Cursor::START, RUNS).await?;
        Ok(Self::of(runs.iter().filter_map(whole)))
    }

    /// In words: `12 min 00 s, seldom more than 20 min 00 s`.
    pub(super) fn says(&self) -> String {
        let (median, most) = (took(self.median), took(self.most));
        if median == most {
            return median;
        }
        format!("{median}, seldom more than {most}")
    }

    /// Whether what has taken so long takes longer than usual.
    pub(super) fn is_late(&self, so_far: Duration) -> bool {
        so_far > self.most
    }

    /// When what began then usually ends; none if that is over.
    pub(super) fn end(&self, began: Timestamp, now: Timestamp) -> Option<Until> {
        let at = began.after(self.median);
        (at > now).then_some(Until { now, at })
    }

    /// What is expected of something that is on.
    pub(super) fn expects(&self, began: Timestamp, now: Timestamp) -> Html {
        match self.end(began, now) {
            Some(end) => Html::of_until(end),
            None if self.is_late(now.since(began)) => {
                Html::text("over by now, as nearly always before")
            }
            None => Html::text("any time now"),
        }
    }
}

/// The sign of what takes longer than usual.
pub(super) const LATE: Chip = Chip::new(Tone::Retry, "Longer than usual");

fn whole(run: &RunRow) -> Option<Duration> {
    Some(run.ended_at?.since(run.started_at?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(of: impl IntoIterator<Item = u64>) -> Option<Usual> {
        Usual::of(of.into_iter().map(Duration::from_secs))
    }

    #[test]
    fn what_is_usual_is_said_of_enough_runs_only() {
        assert_eq!(seconds([1, 2, 3, 4]), None);
        let usual = seconds((1..=20).map(|nth| nth * 60)).expect("there are enough");
        assert_eq!(usual.says(), "10 min 00 s, seldom more than 19 min 00 s");
        let same = seconds([60; 5]).expect("there are enough");
        assert_eq!(same.says(), "1 min 00 s");
    }

    #[test]
    fn late_is_what_takes_longer_than_nearly_all_before() {
        let usual = seconds((1..=20).map(|nth| nth * 60)).expect("there are enough");
        let at = |minutes: i64| Timestamp::from_micros(minutes * 60_000_000);
        assert!(!usual.is_late(Duration::from_secs(19 * 60)));
        assert!(usual.is_late(Duration::from_secs(19 * 60 + 1)));
        assert!(usual.end(at(0), at(9)).is_some());
        assert!(usual.end(at(0), at(10)).is_none());
    }
}
