//! Runs and cleanups.

use tidemill_core::protocol::{AttemptNo, AttemptRef, RunNo};

use crate::bind::{Sheet, Write};
use crate::read::{BadCell, Read, Reader};
use crate::record::{CleanupRow, RunRow};

impl Write for RunRow {
    const TABLE: &'static str = <RunRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.int(Some(self.id.0));
        to.key(self.dag.as_str());
        to.key(&self.name);
        to.text(Some(self.kind.word()));
        to.text(Some(self.state.word()));
        to.text(Some(self.version.as_str()));
        to.time(Some(self.start));
        to.time(Some(self.end));
        to.time(Some(self.due_at));
        to.time(Some(self.created_at));
        to.time(self.started_at);
        to.time(self.ended_at);
        to.text(Some(&self.params));
        to.int(self.backfill);
        to.flag(Some(self.paused));
        to.small(Some(self.priority));
        to.text(self.pool.as_deref());
        to.text(self.ending.map(|state| state.word()));
        to.text(self.quarantine.as_deref());
        to.text(self.why.as_deref());
        to.text(self.note.as_deref());
        to.count(self.edits);
        to.touch(self.touched.as_ref());
    }
}

impl Read for RunRow {
    const TABLE: &'static str = "run";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            id: RunNo(from.int()?),
            dag: from.name()?,
            name: from.text()?,
            kind: from.word()?,
            state: from.word()?,
            version: from.name()?,
            start: from.time()?,
            end: from.time()?,
            due_at: from.time()?,
            created_at: from.time()?,
            started_at: from.opt_time()?,
            ended_at: from.opt_time()?,
            params: from.text()?,
            backfill: from.opt_int()?,
            paused: from.flag()?,
            priority: from.count()?,
            pool: from.opt_text()?,
            ending: from.opt_word()?,
            quarantine: from.opt_text()?,
            why: from.opt_text()?,
            note: from.opt_text()?,
            edits: from.count()?,
            touched: from.touch()?,
        })
    }
}

impl Write for CleanupRow {
    const TABLE: &'static str = <CleanupRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.int(Some(self.of.attempt.0));
        to.instance(self.of.of);
        to.small(Some(self.of.hand.into()));
        to.count(self.number);
        to.count(self.epoch);
        to.text(self.handle.as_deref());
        to.text(self.worker.as_deref());
        to.time(Some(self.since));
    }
}

impl Read for CleanupRow {
    const TABLE: &'static str = "cleanup";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        let attempt = AttemptNo(from.int()?);
        Ok(Self {
            of: AttemptRef {
                attempt,
                of: from.instance()?,
                hand: from.count()?,
            },
            number: from.count()?,
            epoch: from.count()?,
            handle: from.opt_text()?,
            worker: from.opt_text()?,
            since: from.time()?,
        })
    }
}

/// A cleanup of which only the key matters.
impl Write for AttemptNo {
    const TABLE: &'static str = <CleanupRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.int(Some(self.0));
        to.int(None);
        for _ in 0..5 {
            to.small(None);
        }
        to.text(None);
        to.text(None);
        to.time(None);
    }
}
