//! DAGs, their versions, their tasks' names.

use std::sync::Arc;

use tidemill_core::protocol::TaskNo;

use crate::bind::{Sheet, Write};
use crate::read::{BadCell, Read, Reader};
use crate::record::{DagRow, TaskNameRow, VersionRow};

impl Write for DagRow {
    const TABLE: &'static str = <DagRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        let (start, end, due) = match self.last_due {
            Some((start, end, due)) => (Some(start), Some(end), Some(due)),
            None => (None, None, None),
        };
        to.key(self.id.as_str());
        to.text(self.version.as_ref().map(|version| version.as_str()));
        to.flag(Some(self.paused));
        to.time(start);
        to.time(end);
        to.time(due);
        to.count(self.failures_in_row);
        to.count(self.edits);
        to.touch(self.touched.as_ref());
    }
}

impl Read for DagRow {
    const TABLE: &'static str = "dag";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            id: from.name()?,
            version: from.opt_name()?,
            paused: from.flag()?,
            last_due: match (from.opt_time()?, from.opt_time()?, from.opt_time()?) {
                (Some(start), Some(end), Some(due)) => Some((start, end, due)),
                _ => None,
            },
            failures_in_row: from.count()?,
            edits: from.count()?,
            touched: from.touch()?,
        })
    }
}

impl Write for VersionRow {
    const TABLE: &'static str = <VersionRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.key(self.dag.as_str());
        to.key(self.version.as_str());
        // A spec is made of names, numbers and JSON: there is nothing in it that JSON cannot hold.
        to.text(Some(
            &serde_json::to_string(&*self.spec).unwrap_or_default(),
        ));
        to.time(Some(self.deployed_at));
    }
}

impl Read for VersionRow {
    const TABLE: &'static str = "dag_version";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            dag: from.name()?,
            version: from.name()?,
            spec: Arc::new(from.json()?),
            deployed_at: from.time()?,
        })
    }
}

impl Write for TaskNameRow {
    const TABLE: &'static str = <TaskNameRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.key(self.dag.as_str());
        to.count(self.task.0);
        to.key(self.name.as_str());
    }
}

impl Read for TaskNameRow {
    const TABLE: &'static str = "dag_task";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            dag: from.name()?,
            task: TaskNo(from.count()?),
            name: from.name()?,
        })
    }
}
