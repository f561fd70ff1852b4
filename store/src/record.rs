//! The rows, as the engine writes them and reads them back. A row says how things stand, not what happened: writing the
//! newest row of an instance is enough, however often it changed since the last commit.

mod access;
mod changes;
mod head;
mod history;
mod people;
mod run;
mod secrets;

pub use access::{AttemptsRow, GrantRow, SessionRow, TokenRow, UserRow};
pub use changes::{Changes, Highest, Recovered};
pub use head::RunHead;
pub use history::{AssetEventRow, AttemptEnd, AttemptRow, CheckRow, LoadRow, OutboxRow, OutputRow};
pub use people::{
    AuditRow, BackfillDateRow, BackfillRow, BackfillState, DateState, PoolRow, Reprocess,
    SkippedTickRow,
};
pub use run::{
    CleanupRow, DagRow, RunRow, Said, TaskDetailRow, TaskNameRow, TaskRow, Touch, VersionRow,
    WaitingAssetRow,
};
pub use secrets::{ConnectionRow, SecretHead, VariableRow};
