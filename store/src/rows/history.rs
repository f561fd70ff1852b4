//! What happened.

use tidemill_core::id::DagId;
use tidemill_core::protocol::{AttemptNo, CheckResult, InstanceRef, Load, RunNo, TaskNo};

use crate::bind::{Sheet, Write};
use crate::read::{BadCell, Read, Reader};
use crate::record::{AssetEventRow, AttemptRow, CheckRow, LoadRow, OutboxRow, OutputRow};

impl Write for AttemptRow {
    const TABLE: &'static str = <AttemptRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.int(Some(self.id.0));
        to.instance(self.of);
        to.count(self.number);
        to.count(self.epoch);
        to.text(Some(self.end.word()));
        to.text(self.worker.as_deref());
        to.time(Some(self.queued_at));
        to.time(self.started_at);
        to.time(Some(self.ended_at));
        to.text(self.error_kind.map(|kind| kind.word()));
        to.text(self.message.as_deref());
        to.text(self.help.as_deref());
        to.time(self.retry_at);
        to.time(self.deferred_at);
    }
}

impl Read for AttemptRow {
    const TABLE: &'static str = "attempt";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            id: AttemptNo(from.int()?),
            of: from.instance()?,
            number: from.count()?,
            epoch: from.count()?,
            end: from.word()?,
            worker: from.opt_text()?,
            queued_at: from.time()?,
            started_at: from.opt_time()?,
            ended_at: from.time()?,
            error_kind: from.opt_word()?,
            message: from.opt_text()?,
            help: from.opt_text()?,
            retry_at: from.opt_time()?,
            deferred_at: from.opt_time()?,
        })
    }
}

impl Write for OutputRow {
    const TABLE: &'static str = <OutputRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.int(Some(self.attempt.0));
        to.instance(self.of);
        to.text(Some(&self.value));
        to.flag(Some(self.listed));
    }
}

impl Read for OutputRow {
    const TABLE: &'static str = "output";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            attempt: AttemptNo(from.int()?),
            of: from.instance()?,
            value: from.text()?,
            listed: from.flag()?,
        })
    }
}

impl Write for LoadRow {
    const TABLE: &'static str = <LoadRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        let load = &self.load;
        to.int(Some(self.attempt.0));
        to.count(self.nth);
        to.instance(self.of);
        to.key(self.dag.as_str());
        to.time(Some(load.started_at));
        to.time(Some(load.ended_at));
        // A list of texts always serialises.
        to.text(Some(
            &serde_json::to_string(&load.sources).unwrap_or_default(),
        ));
        to.int(Some(load.files));
        to.int(Some(load.bytes_read));
        to.int(Some(load.rows_read));
        to.key(&load.destination);
        to.text(load.partition.as_deref());
        to.text(Some(&load.mode));
        to.int(load.rows_before);
        to.int(Some(load.rows_loaded));
        to.int(load.rows_after);
        to.int(Some(load.rows_rejected));
        to.text(load.job_id.as_deref());
        to.text(load.job_url.as_deref());
        to.int(load.slot_ms);
        to.int(load.bytes_billed);
        to.text(Some(&load.status));
        to.text(load.error.as_deref());
    }
}

impl Read for LoadRow {
    const TABLE: &'static str = "load";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            attempt: AttemptNo(from.int()?),
            nth: from.count()?,
            of: from.instance()?,
            dag: from.name()?,
            load: Load {
                started_at: from.time()?,
                ended_at: from.time()?,
                sources: from.json()?,
                files: from.int()?,
                bytes_read: from.int()?,
                rows_read: from.int()?,
                destination: from.string()?,
                partition: from.opt_string()?,
                mode: from.string()?,
                rows_before: from.opt_int()?,
                rows_loaded: from.int()?,
                rows_after: from.opt_int()?,
                rows_rejected: from.int()?,
                job_id: from.opt_string()?,
                job_url: from.opt_string()?,
                slot_ms: from.opt_int()?,
                bytes_billed: from.opt_int()?,
                status: from.string()?,
                error: from.opt_string()?,
            },
        })
    }
}

impl Write for CheckRow {
    const TABLE: &'static str = <CheckRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        let result = &self.result;
        to.int(Some(self.attempt.0));
        to.count(self.nth);
        to.instance(self.of);
        to.key(self.dag.as_str());
        to.key(&result.table);
        to.key(&result.name);
        to.time(Some(result.at));
        to.text(Some(&result.kind));
        // Lists of texts always serialise.
        let columns = serde_json::to_string(&result.columns);
        to.text(Some(&columns.unwrap_or_default()));
        to.text(Some(&result.severity));
        to.flag(Some(result.blocking));
        to.text(Some(&result.status));
        to.text(Some(&result.expected));
        to.text(Some(&result.observed));
        to.text(Some(&result.cause));
        to.int(result.rows);
        to.int(result.rows_checked);
        to.int(result.rows_failed);
        let sample = serde_json::to_string(&result.sample);
        to.text(Some(&sample.unwrap_or_default()));
        to.text(result.sql.as_deref());
        to.text(result.rows_sql.as_deref());
    }
}

impl Read for CheckRow {
    const TABLE: &'static str = "check_result";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            attempt: AttemptNo(from.int()?),
            nth: from.count()?,
            of: from.instance()?,
            dag: from.name()?,
            result: CheckResult {
                table: from.string()?,
                name: from.string()?,
                at: from.time()?,
                kind: from.string()?,
                columns: from.json()?,
                severity: from.string()?,
                blocking: from.flag()?,
                status: from.string()?,
                expected: from.string()?,
                observed: from.string()?,
                cause: from.string()?,
                rows: from.opt_int()?,
                rows_checked: from.opt_int()?,
                rows_failed: from.opt_int()?,
                sample: from.json()?,
                sql: from.opt_string()?,
                rows_sql: from.opt_string()?,
            },
        })
    }
}

impl Write for AssetEventRow {
    const TABLE: &'static str = <AssetEventRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.int(Some(self.id));
        to.key(&self.asset);
        to.int(self.by.map(|by| by.run.0));
        to.small(
            self.by
                .map(|by| i32::try_from(by.task.0).unwrap_or(i32::MAX)),
        );
        to.small(self.by.map(|by| by.map_index));
        to.time(Some(self.at));
    }
}

impl Read for AssetEventRow {
    const TABLE: &'static str = "asset_event";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            id: from.int()?,
            asset: from.text()?,
            by: match (from.opt_int()?, from.opt_count()?, from.opt_count()?) {
                (Some(run), Some(task), Some(map_index)) => Some(InstanceRef {
                    run: RunNo(run),
                    task: TaskNo(task),
                    map_index,
                }),
                _ => None,
            },
            at: from.time()?,
        })
    }
}

impl Write for OutboxRow {
    const TABLE: &'static str = <OutboxRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.int(Some(self.id));
        to.key(&self.key);
        to.text(Some(&self.route));
        to.text(Some(self.severity.word()));
        to.int(self.run.map(|run| run.0));
        to.text(Some(&self.body));
        to.time(Some(self.at));
        to.text(Some("pending"));
        to.count(0);
        // It is due at once.
        to.time(Some(self.at));
        to.text(None);
        to.time(None);
        to.text(self.dag.as_ref().map(DagId::as_str));
    }
}

impl Read for OutboxRow {
    const TABLE: &'static str = "outbox";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            id: from.int()?,
            key: from.text()?,
            route: from.text()?,
            severity: from.word()?,
            run: from.opt_int()?.map(RunNo),
            body: from.text()?,
            at: from.time()?,
            dag: from.opt_name()?,
        })
    }
}
