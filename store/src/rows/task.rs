//! Task instances.

use tidemill_core::protocol::AttemptNo;

use crate::bind::{Sheet, Write};
use crate::read::{BadCell, Read, Reader};
use crate::record::{Said, TaskDetailRow, TaskRow};

impl Write for TaskRow {
    const TABLE: &'static str = <TaskRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.instance(self.of);
        to.text(Some(self.name.as_str()));
        to.text(Some(self.state.word()));
        to.int(Some(self.attempt.0));
        to.small(Some(self.hand.into()));
        to.int(Some(self.ended_attempt.0));
        to.count(self.number);
        to.count(self.tries);
        to.count(self.losses);
        to.count(self.requeues);
        to.count(self.epoch);
        to.count(self.edits);
        to.text(self.worker.as_deref());
        to.time(Some(self.since));
        to.time(self.queued_at);
        to.time(self.started_at);
        to.time(self.retry_at);
        to.time(self.deadline);
        to.small(self.instances.map(|n| i32::try_from(n).unwrap_or(i32::MAX)));
    }
}

impl Read for TaskRow {
    const TABLE: &'static str = "task";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            of: from.instance()?,
            name: from.name()?,
            state: from.word()?,
            attempt: AttemptNo(from.int()?),
            hand: from.count()?,
            ended_attempt: AttemptNo(from.int()?),
            number: from.count()?,
            tries: from.count()?,
            losses: from.count()?,
            requeues: from.count()?,
            epoch: from.count()?,
            edits: from.count()?,
            worker: from.opt_text()?,
            since: from.time()?,
            queued_at: from.opt_time()?,
            started_at: from.opt_time()?,
            retry_at: from.opt_time()?,
            deadline: from.opt_time()?,
            instances: from.opt_count()?,
        })
    }
}

impl Write for TaskDetailRow {
    const TABLE: &'static str = <TaskDetailRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        let (ways, pass) = match &self.said {
            Some(Said::Ways(ways)) => (Some(&**ways), None),
            Some(Said::Pass(pass)) => (None, Some(*pass)),
            None => (None, None),
        };
        to.instance(self.of);
        to.text(self.handle.as_deref());
        to.text(self.why.as_deref());
        to.text(self.item.as_deref());
        to.text(ways);
        to.flag(pass);
        to.text(self.note.as_deref());
        to.touch(self.touched.as_ref());
    }
}

impl Read for TaskDetailRow {
    const TABLE: &'static str = "task_detail";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            of: from.instance()?,
            handle: from.opt_text()?,
            why: from.opt_text()?,
            item: from.opt_text()?,
            said: match (from.opt_text()?, from.opt_flag()?) {
                (Some(ways), _) => Some(Said::Ways(ways)),
                (None, pass) => pass.map(Said::Pass),
            },
            note: from.opt_text()?,
            touched: from.touch()?,
        })
    }
}
