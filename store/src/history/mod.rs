//! What pages and the command line read: lists that go on from where the last page of them ended, never from a count.

mod attempts;
mod checks;
mod days;
mod failures;
mod filter;
mod grid;
mod loads;
mod logs;
mod named;
mod of_run;
mod people;
mod runs;
mod tasks;
mod versions;

pub use attempts::{AttemptCursor, TaskPast, Tried};
pub use checks::{CheckHead, CheckMark, HeadFilter};
pub use days::DayCount;
pub use failures::Failure;
pub(crate) use filter::listed;
pub use filter::{CheckFilter, Cursor, LoadFilter, RunFilter};
pub use grid::{Grid, GridCell, Noted};
pub use loads::{LoadDay, OfJob};
pub use logs::{AuditFilter, AuditOf};
pub use named::Named;
pub use of_run::{TaskOfRun, Tasks};
pub use people::{DateRun, Progress};
pub use runs::Found;
pub use tasks::InState;
pub use versions::VersionUse;

/// How many rows a page of a list has at most, whatever is asked for.
pub const PAGE_ROWS_MAX: u32 = 1_000;

fn limit(rows: u32) -> i64 {
    rows.min(PAGE_ROWS_MAX).into()
}
