//! What a worker holds, and what it said that is not answered yet.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tidemill_core::protocol::{AttemptNo, AttemptRef, Report, Verdict};
use tidemill_core::wire::Order;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::host::Stop;

/// How far an attempt is.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Something of it runs here: its work, a look at what it waits for, or the release of that.
    Busy {
        /// Ends it at its next await.
        abort: AbortHandle,
        /// Tells it to stop.
        stop: Stop,
        /// Whether it holds a slot.
        works: bool,
    },
    /// It waits for something outside.
    Parked,
    /// Its end is reported, or it was handed over.
    Over,
}

/// What an attempt waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) handle: Arc<str>,
    pub(crate) why: Arc<str>,
    /// How many looks in a row could not see how it stands.
    pub(crate) blind: u32,
}

/// An attempt that is held.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) order: Arc<Order>,
    pub(crate) stage: Stage,
    pub(crate) wait: Option<Wait>,
    /// Whether it was told to stop.
    pub(crate) told: bool,
    /// Why it could not be stopped yet, and when that is tried again.
    pub(crate) stuck: Option<(Arc<str>, Instant)>,
}

impl Held {
    /// What was ordered, before anything is done about it.
    pub(crate) const fn new(order: Arc<Order>) -> Self {
        Self {
            order,
            stage: Stage::Parked,
            wait: None,
            told: false,
            stuck: None,
        }
    }

    pub(crate) fn of(&self) -> AttemptRef {
        self.order.assignment.attempt
    }

    /// Nothing of it goes on here. What it started outside is left alone.
    pub(crate) fn end(&self) {
        if let Stage::Busy { abort, stop, .. } = &self.stage {
            // Work that blocks a thread cannot be ended, only told.
            stop.leave();
            abort.abort();
        }
    }
}

/// What a worker holds, and what it said that is not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Book {
    held: HashMap<AttemptNo, Held>,
    unanswered: VecDeque<(AttemptRef, Report)>,
    /// How many of those were said over the present connection.
    said: usize,
}

impl Book {
    pub(crate) fn get(&self, attempt: AttemptRef) -> Option<&Held> {
        let held = self.held.get(&attempt.attempt)?;
        (held.of() == attempt).then_some(held)
    }

    pub(crate) fn get_mut(&mut self, attempt: AttemptRef) -> Option<&mut Held> {
        let held = self.held.get_mut(&attempt.attempt)?;
        (held.of() == attempt).then_some(held)
    }

    /// Holds an attempt. One that is held under an older hand ends.
    pub(crate) fn hold(&mut self, held: Held) {
        if let Some(old) = self.held.insert(held.of().attempt, held) {
            old.end();
        }
    }

    pub(crate) fn drop_it(&mut self, attempt: AttemptRef) {
        if self.get(attempt).is_some()
            && let Some(held) = self.held.remove(&attempt.attempt)
        {
            held.end();
        }
    }

    /// The attempts that are held, in order.
    pub(crate) fn holds(&self) -> Vec<AttemptRef> {
        let mut holds: Vec<_> = self.held.values().map(Held::of).collect();
        holds.sort_by_key(|of| of.attempt);
        holds
    }

    /// What could not be stopped yet, why, and when that is tried again.
    pub(crate) fn stuck(&self) -> Vec<(AttemptRef, Arc<str>, Instant)> {
        let stuck = |held: &Held| {
            let (why, at) = held.stuck.clone()?;
            Some((held.of(), why, at))
        };
        let mut found: Vec<_> = self.held.values().filter_map(stuck).collect();
        found.sort_by_key(|(of, ..)| *of);
        found
    }

    /// The attempts in a stage.
    pub(crate) fn in_stage(&self, is: impl Fn(&Stage) -> bool) -> Vec<AttemptRef> {
        let found = self.held.values().filter(|held| is(&held.stage));
        let mut found: Vec<_> = found.map(Held::of).collect();
        found.sort();
        found
    }

    /// Puts a report down to be said.
    pub(crate) fn report(&mut self, attempt: AttemptRef, report: Report) {
        let over = !matches!(report, Report::Started | Report::Deferred { .. });
        if over && let Some(held) = self.get_mut(attempt) {
            held.stage = Stage::Over;
            held.wait = None;
            held.stuck = None;
        }
        self.unanswered.push_back((attempt, report));
    }

    /// What is to be said now.
    pub(crate) fn unsaid(&mut self) -> Vec<(AttemptRef, Report)> {
        let unsaid = self.unanswered.iter().skip(self.said).cloned().collect();
        self.said = self.unanswered.len();
        unsaid
    }

    pub(crate) fn has_unsaid(&self) -> bool {
        self.said < self.unanswered.len()
    }

    /// Over a new connection everything is said again that was not answered.
    pub(crate) fn say_again(&mut self) {
        self.said = 0;
    }

    /// A report was answered. A verdict without a report is about an attempt that is held: somebody else has it.
    pub(crate) fn answered(&mut self, attempt: AttemptRef, verdict: Verdict) {
        let at = self.unanswered.iter().position(|(of, _)| *of == attempt);
        let report = at.and_then(|at| {
            if at < self.said {
                self.said -= 1;
            }
            self.unanswered.remove(at)
        });
        let over = self
            .get(attempt)
            .is_some_and(|held| matches!(held.stage, Stage::Over));
        let more = self.unanswered.iter().any(|(of, _)| *of == attempt);
        match verdict {
            Verdict::Superseded if !matches!(report, Some((_, Report::Stopped))) => {
                self.drop_it(attempt);
            }
            _ if over && !more => self.drop_it(attempt),
            _ => {}
        }
    }

    /// Whether nothing is held and nothing is left to be answered.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.unanswered.is_empty()
    }

    /// Whether nothing goes on here.
    pub(crate) fn is_quiet(&self) -> bool {
        let over = |held: &Held| matches!(held.stage, Stage::Over);
        self.held.values().all(over)
    }

    /// Ends everything that goes on here, because somebody else may have it by now. What has ended is still reported.
    pub(crate) fn fence(&mut self) -> usize {
        let live = self.in_stage(|stage| !matches!(stage, Stage::Over));
        for attempt in &live {
            self.drop_it(*attempt);
        }
        live.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_core::protocol::{InstanceRef, RunNo, TaskNo};

    fn attempt(no: i64) -> AttemptRef {
        AttemptRef {
            of: InstanceRef {
                run: RunNo(1),
                task: TaskNo(0),
                map_index: -1,
            },
            attempt: AttemptNo(no),
            hand: 0,
        }
    }

    #[test]
    fn what_is_not_answered_is_said_again_in_order() {
        let mut book = Book::default();
        book.report(attempt(1), Report::Started);
        book.report(attempt(2), Report::Started);
        assert_eq!(book.unsaid().len(), 2);
        book.report(attempt(1), Report::HandedOver);
        assert_eq!(book.unsaid(), [(attempt(1), Report::HandedOver)]);
        book.answered(attempt(1), Verdict::Recorded);
        assert!(!book.has_unsaid());
        book.say_again();
        let again = [
            (attempt(2), Report::Started),
            (attempt(1), Report::HandedOver),
        ];
        assert_eq!(book.unsaid(), again);
        book.answered(attempt(2), Verdict::Superseded);
        book.answered(attempt(1), Verdict::Recorded);
        assert!(book.is_empty());
    }

    #[test]
    fn an_answer_to_nothing_is_no_harm() {
        let mut book = Book::default();
        book.answered(attempt(7), Verdict::Superseded);
        assert!(book.is_empty());
    }
}
