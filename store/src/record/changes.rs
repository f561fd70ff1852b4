//! What one commit writes, and what a start reads back.

use std::sync::Arc;

use tidemill_core::id::DagId;
use tidemill_core::protocol::AttemptNo;

use super::{
    AssetEventRow, AttemptRow, AuditRow, BackfillDateRow, BackfillRow, CheckRow, CleanupRow,
    ConnectionRow, DagRow, LoadRow, OutboxRow, OutputRow, PoolRow, RunRow, SecretHead,
    SkippedTickRow, TaskDetailRow, TaskNameRow, TaskRow, VariableRow, VersionRow, WaitingAssetRow,
};

/// Everything that one commit writes. Each row is there once, as it stands at the end; rows that point to others come
/// after them in the order of the fields.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// Inserted; one that is there stays.
    pub versions: Vec<VersionRow>,
    /// Inserted; one that is there stays.
    pub task_names: Vec<TaskNameRow>,
    /// Inserted or replaced.
    pub dags: Vec<DagRow>,
    /// Inserted or replaced.
    pub pools: Vec<PoolRow>,
    /// Deleted.
    pub pools_gone: Vec<Arc<str>>,
    /// Inserted or replaced.
    pub connections: Vec<ConnectionRow>,
    /// Deleted, unless written as well.
    pub connections_gone: Vec<Arc<str>>,
    /// Inserted or replaced.
    pub variables: Vec<VariableRow>,
    /// Deleted, unless written as well.
    pub variables_gone: Vec<Arc<str>>,
    /// Inserted or replaced.
    pub backfills: Vec<BackfillRow>,
    /// Inserted. A second run for the same date is an error that undoes the whole commit.
    pub new_runs: Vec<RunRow>,
    /// Replaced; one that is not there is an error that undoes the whole commit.
    pub runs: Vec<RunRow>,
    /// Inserted or replaced.
    pub backfill_dates: Vec<BackfillDateRow>,
    /// Inserted.
    pub new_tasks: Vec<TaskRow>,
    /// Replaced, all but the name; one that is not there is an error that undoes the whole commit.
    pub tasks: Vec<TaskRow>,
    /// Inserted or replaced.
    pub task_details: Vec<TaskDetailRow>,
    /// Inserted.
    pub attempts: Vec<AttemptRow>,
    /// Inserted.
    pub outputs: Vec<OutputRow>,
    /// Inserted.
    pub loads: Vec<LoadRow>,
    /// Inserted.
    pub checks: Vec<CheckRow>,
    /// Inserted or replaced.
    pub cleanups: Vec<CleanupRow>,
    /// Deleted, after `cleanups` were written.
    pub cleanups_done: Vec<AttemptNo>,
    /// Inserted.
    pub asset_events: Vec<AssetEventRow>,
    /// Inserted or replaced.
    pub asset_waits: Vec<WaitingAssetRow>,
    /// Deleted, before `asset_waits` are written.
    pub asset_waits_used: Vec<(DagId, Arc<str>)>,
    /// Inserted; one whose key is there stays.
    pub outbox: Vec<OutboxRow>,
    /// Inserted; one that is there stays.
    pub skipped_ticks: Vec<SkippedTickRow>,
    /// Inserted.
    pub audits: Vec<AuditRow>,
}

impl Changes {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // Nothing is compared but the lengths of the lists, all of them, also those that are added later.
        *self == Self::default()
    }
}

/// Everything active, as a start reads it back: the engine made of it decides as the one that wrote it would have.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recovered {
    /// The newest version of every DAG, and the versions of all runs in `runs`.
    pub versions: Vec<VersionRow>,
    /// The task names of every DAG, sorted by DAG and number.
    pub task_names: Vec<TaskNameRow>,
    /// Every DAG.
    pub dags: Vec<DagRow>,
    /// Every pool.
    pub pools: Vec<PoolRow>,
    /// Every connection, without what is in it; sorted by name.
    pub connections: Vec<SecretHead>,
    /// Every variable, likewise.
    pub variables: Vec<SecretHead>,
    /// Backfills that are active or paused.
    pub backfills: Vec<BackfillRow>,
    /// All their dates, sorted by backfill and place.
    pub backfill_dates: Vec<BackfillDateRow>,
    /// Runs that have not ended, and runs that have a cleanup; sorted by number. After a `load_runs`: those asked for.
    pub runs: Vec<RunRow>,
    /// Their tasks, sorted by run, task and index.
    pub tasks: Vec<TaskRow>,
    /// Their details, sorted likewise.
    pub task_details: Vec<TaskDetailRow>,
    /// Of their outputs those that are `listed` and of an instance's current attempt, sorted by attempt.
    pub outputs: Vec<OutputRow>,
    /// Every cleanup.
    pub cleanups: Vec<CleanupRow>,
    /// Every asset change that is not used yet.
    pub asset_waits: Vec<WaitingAssetRow>,
    /// The starts of all runs that are scheduled or backfilled and lie after their DAG's `last_due`, with the DAG,
    /// sorted.
    pub dates_taken: Vec<(DagId, tidemill_core::time::Timestamp)>,
    /// The highest number of a run, attempt, backfill, asset event, outbox row and audit row there is; 0 if none.
    pub highest: Highest,
}

/// The highest numbers given so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Highest {
    /// Of a run.
    pub run: i64,
    /// Of an attempt, whether it is over or on.
    pub attempt: i64,
    /// Of a backfill.
    pub backfill: i64,
    /// Of a change of an asset.
    pub asset_event: i64,
    /// Of something in the outbox.
    pub outbox: i64,
    /// Of a line of the audit log.
    pub audit: i64,
}
