//! What a DAG is, as data: everything the scheduler, the UI, `plan` and the version hash know about it. The authoring
//! API writes these types, nothing else does; the scheduler links no user code and lives on them alone.

mod alert;
mod asset;
mod dag;
mod input;
mod retry;
mod schedule;
mod table;
mod task;

pub use alert::{Alert, AlertRule, Moment, Severity};
pub use asset::{Asset, AssetExpr};
pub use dag::{DagNotes, DagSpec, Definition, GroupSpec, Overlap, Source, TaskNotes};
pub use input::{Input, Mapping, Over};
pub use retry::{Backoff, Retry};
pub use schedule::{At, Cron, Every, IntoSchedule, Kind, Schedule, ScheduleError, Timing};
pub use schedule::{parse_date, parse_zone};
pub use table::{Dedup, Destination, Table, WriteMode};
pub use task::{
    BranchArm, Concurrency, EdgeKind, Isolation, Past, Placement, Role, TaskKind, TaskSpec,
    Touches, Upstream, Weight,
};
pub(crate) use task::{DEFAULT_POOL, DEFAULT_QUEUE};

/// Leaves a field out of the JSON when it says nothing: definitions are read by people.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
