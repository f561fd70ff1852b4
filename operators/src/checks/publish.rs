//! Write, audit, publish: nobody sees rows that were not checked.

use std::future::Future;

use tidemill_core::operator::{TaskError, TaskResult};

use super::builder::Checks;
use super::query::Query;
use super::report::CheckReport;
use super::verdict::Background;

/// Where rows wait until they are checked, and how they get from there to where people read: a table that is copied
/// over
/// another in one step, a partition, a schema that is swapped.
///
/// Each step may run again after a crash: `write` replaces what an earlier try staged, and `publish` of what is
/// published
/// already changes nothing.
pub trait Staging: Send + Sync {
    /// The table in which rows wait. It is this attempt's own, or at least this run's.
    fn staging(&self) -> String;

    /// Writes the rows there.
    fn write(&self) -> impl Future<Output = TaskResult<()>> + Send;

    /// What came of the checks, told before anything is published or refused. `report.record(ctx)` puts it on record, also
    /// where a check blocks.
    fn checked(&self, _report: &CheckReport) {}

    /// Puts them where people read, in one atomic step.
    fn publish(&self) -> impl Future<Output = TaskResult<()>> + Send;

    /// Clears away what was staged. A failure to is only logged by whoever calls.
    fn discard(&self) -> impl Future<Output = TaskResult<()>> + Send;
}

/// Writes to the staging table, asks the checks there, and publishes only if none of them blocks. The checks are
/// written
/// against the final table and name it in what they say.
///
/// What failed its checks stays staged, so that somebody can look at it; what was published is discarded.
///
/// # Errors
/// A check that blocks, as [data](tidemill_core::operator::ErrorKind::Data), which is not tried again; or what a step
/// says. A failure to discard what is published already is no error: the next write replaces it.
pub async fn write_audit_publish<S: Staging>(
    staging: &S,
    checks: &Checks,
    database: &dyn Query,
    background: &Background,
) -> TaskResult<CheckReport> {
    staging
        .write()
        .await
        .map_err(|error| error.context("write to the staging table"))?;
    let waiting = staging.staging();
    let mut report = checks
        .clone()
        .of_table(waiting.clone())
        .ask(database, background)
        .await
        .map_err(|error| error.context(format!("check `{waiting}`")))?;
    checks.table().clone_into(&mut report.table);
    staging.checked(&report);
    if let Some(error) = report.error() {
        let note = format!("nothing was published; the rows wait in `{waiting}`");
        return Err(TaskError {
            message: format!("{}\n{note}", error.message),
            ..error
        });
    }
    staging
        .publish()
        .await
        .map_err(|error| error.context("publish what was checked"))?;
    let _ = staging.discard().await;
    Ok(report)
}
