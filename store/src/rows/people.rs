//! What people set and do.

use std::sync::Arc;

use tidemill_core::id::DagId;
use tidemill_core::protocol::RunNo;

use crate::audit::Bound;
use crate::bind::{Sheet, Write};
use crate::read::{BadCell, Read, Reader};
use crate::record::{
    AuditRow, BackfillDateRow, BackfillRow, DateState, PoolRow, SkippedTickRow, WaitingAssetRow,
};

impl Write for PoolRow {
    const TABLE: &'static str = <PoolRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.key(&self.name);
        to.int(self.slots.map(i64::from));
        to.flag(Some(self.holds_deferred));
        to.flag(Some(self.paused));
        to.count(self.edits);
        to.touch(self.touched.as_ref());
        to.text(self.note.as_deref());
    }
}

impl Read for PoolRow {
    const TABLE: &'static str = "pool";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            name: from.text()?,
            slots: from.opt_count()?,
            holds_deferred: from.flag()?,
            paused: from.flag()?,
            edits: from.count()?,
            touched: from.touch()?,
            note: from.opt_text()?,
        })
    }
}

/// A pool of which only the key matters.
impl Write for Arc<str> {
    const TABLE: &'static str = <PoolRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.key(self);
        to.int(None);
        to.flag(None);
        to.flag(None);
        to.small(None);
        to.touch(None);
        to.text(None);
    }
}

impl Write for BackfillRow {
    const TABLE: &'static str = <BackfillRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.int(Some(self.id));
        to.key(self.dag.as_str());
        to.time(Some(self.from));
        to.time(Some(self.to));
        to.text(Some(self.reprocess.word()));
        to.int(Some(self.active_runs_max.into()));
        to.text(Some(&self.params));
        to.text(Some(self.state.word()));
        to.time(Some(self.created_at));
        to.count(self.edits);
        to.touch(self.touched.as_ref());
    }
}

impl Read for BackfillRow {
    const TABLE: &'static str = "backfill";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            id: from.int()?,
            dag: from.name()?,
            from: from.time()?,
            to: from.time()?,
            reprocess: from.word()?,
            active_runs_max: from.count()?,
            params: from.text()?,
            state: from.word()?,
            created_at: from.time()?,
            edits: from.count()?,
            touched: from.touch()?,
        })
    }
}

impl Write for BackfillDateRow {
    const TABLE: &'static str = <BackfillDateRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        let (state, run, why) = match &self.state {
            DateState::Waiting(run) => ("waiting", run.as_ref(), None),
            DateState::Made(run) => ("made", Some(run), None),
            DateState::LeftOut(why) => ("left_out", None, Some(&**why)),
        };
        to.int(Some(self.backfill));
        to.count(self.nth);
        to.time(Some(self.start));
        to.time(Some(self.end));
        to.text(Some(state));
        to.int(run.map(|run| run.0));
        to.text(why);
    }
}

impl Read for BackfillDateRow {
    const TABLE: &'static str = "backfill_date";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            backfill: from.int()?,
            nth: from.count()?,
            start: from.time()?,
            end: from.time()?,
            state: {
                let state = from.text()?;
                let run = from.opt_int()?.map(RunNo);
                let why = from.opt_text()?;
                match (&*state, run, why) {
                    ("waiting", run, _) => DateState::Waiting(run),
                    ("made", Some(run), _) => DateState::Made(run),
                    ("left_out", _, why) => DateState::LeftOut(why.unwrap_or_default()),
                    _ => {
                        return Err(BadCell::new(format!(
                            "does not fit: a date that is `{state}` is none we know, or lacks its run"
                        )));
                    }
                }
            },
        })
    }
}

impl Write for SkippedTickRow {
    const TABLE: &'static str = <SkippedTickRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.key(self.dag.as_str());
        to.time(Some(self.start));
        to.time(Some(self.at));
        to.text(Some(&self.why));
    }
}

impl Read for SkippedTickRow {
    const TABLE: &'static str = "skipped_tick";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            dag: from.name()?,
            start: from.time()?,
            at: from.time()?,
            why: from.text()?,
        })
    }
}

/// A line is written with what binds it to the one before it, and read without.
impl Write for Bound<'_> {
    const TABLE: &'static str = <AuditRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        let row = self.row;
        to.int(Some(row.id));
        to.time(Some(row.at));
        to.text(Some(&row.actor));
        to.text(Some(&row.action));
        to.text(Some(&row.target));
        to.text(row.dag.as_ref().map(DagId::as_str));
        to.int(row.run.map(|run| run.0));
        to.text(Some(&row.details));
        to.text(Some(&self.hash));
    }
}

impl Read for AuditRow {
    const TABLE: &'static str = "audit";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            id: from.int()?,
            at: from.time()?,
            actor: from.text()?,
            action: from.text()?,
            target: from.text()?,
            dag: from.opt_name()?,
            run: from.opt_int()?.map(RunNo),
            details: from.text()?,
        })
    }
}

impl Write for WaitingAssetRow {
    const TABLE: &'static str = <WaitingAssetRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.key(self.dag.as_str());
        to.key(&self.asset);
        to.int(Some(self.first_event));
        to.int(Some(self.last_event));
        to.count(self.count);
    }
}

impl Read for WaitingAssetRow {
    const TABLE: &'static str = "asset_wait";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            dag: from.name()?,
            asset: from.text()?,
            first_event: from.int()?,
            last_event: from.int()?,
            count: from.count()?,
        })
    }
}

/// Something that waits, of which only the key matters.
impl Write for (DagId, Arc<str>) {
    const TABLE: &'static str = <WaitingAssetRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.key(self.0.as_str());
        to.key(&self.1);
        to.int(None);
        to.int(None);
        to.small(None);
    }
}
