//! The database: what was committed, by whom, and nothing else.

use std::sync::Arc;

use tidemill_core::time::Timestamp;
use tidemill_store::record::Changes;

use super::mirror::Mirror;

/// How long a scheduler leads before it has to say again that it does.
pub(crate) const LEASE_MICROS: i64 = 15_000_000;

/// What a commit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is there, now or since an earlier try.
    Done,
    /// Somebody else leads.
    Fenced,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) rows: Mirror,
    leader: usize,
    pub(crate) term: i64,
    until: Option<Timestamp>,
    last_batch: i64,
}

impl Store {
    /// A scheduler asks to lead, or to go on leading. Returns its term if it does.
    pub(crate) fn lead(&mut self, who: usize, term: i64, now: Timestamp) -> Option<i64> {
        let over = self.until.is_none_or(|until| until <= now);
        let mine = self.leader == who && self.term == term && term > 0;
        if !mine && !over {
            return None;
        }
        if !mine {
            self.term += 1;
            self.leader = who;
            self.last_batch = 0;
        }
        self.until = Some(Timestamp::from_micros(now.micros() + LEASE_MICROS));
        Some(self.term)
    }

    /// Whether this would change anything: it is the next batch of who leads.
    pub(crate) fn is_new(&self, term: i64, batch: i64) -> bool {
        term == self.term && batch == self.last_batch + 1
    }

    pub(crate) fn commit(&mut self, term: i64, batch: i64, changes: &Arc<Changes>) -> Outcome {
        if term != self.term {
            return Outcome::Fenced;
        }
        if batch <= self.last_batch {
            return Outcome::Done;
        }
        assert_eq!(batch, self.last_batch + 1, "a batch was left out");
        self.rows.apply(changes);
        self.last_batch = batch;
        Outcome::Done
    }
}
