//! Checks as a task.

use std::sync::Arc;

use tidemill_core::operator::{Level, Operator, Outcome, TaskContext, TaskResult};
use tidemill_core::spec::Touches;

use super::builder::Checks;
use super::query::{Databases, Query};
use super::report::{CheckReport, CheckStatus};
use super::verdict::Background;
use crate::bigquery::BigQueryDatabase;
use crate::http::Kind;

impl Operator for Checks {
    const NAME: &'static str = "checks";
    type Output = CheckReport;

    fn touches(&self) -> Touches {
        match &self.connection {
            Some(name) => Touches::nothing().connection(name),
            None => Touches::nothing(),
        }
    }

    /// Asks the database that the project's [`Databases`] have for the connection, or BigQuery, if there is none and the
    /// connection leads to Google Cloud. A failed check that blocks fails the
    /// task as [data](tidemill_core::operator::ErrorKind::Data), which is never tried again; a query that failed is
    /// tried again.
    async fn run(&self, ctx: &TaskContext) -> TaskResult<Outcome<CheckReport>> {
        let database = database(ctx, self.connection.as_deref()).await?;
        let report = self
            .ask(database.as_ref(), &Background::at(ctx.now()))
            .await?;
        tell(ctx, &report);
        report.record(ctx);
        match report.error() {
            Some(error) => Err(error),
            None => Ok(Outcome::Done(report)),
        }
    }
}

async fn database(ctx: &TaskContext, name: Option<&str>) -> TaskResult<Arc<dyn Query>> {
    let provided = ctx.service::<Databases>();
    let provided = provided.and_then(|databases| databases.of(name));
    let (Err(_), Some(name)) = (&provided, name) else {
        return provided;
    };
    let connection = ctx.connection(name).await?;
    if Kind::of(&connection) != Kind::Google {
        return provided;
    }
    Ok(Arc::new(BigQueryDatabase::open(ctx, name).await?))
}

/// Every check in the log, with the statement where it is of use.
pub(super) fn tell(ctx: &TaskContext, report: &CheckReport) {
    for result in &report.results {
        let (level, word) = match result.status {
            CheckStatus::Passed => (Level::Info, "passed"),
            CheckStatus::Warned => (Level::Warn, "warning"),
            CheckStatus::Failed => (Level::Error, "failed"),
            CheckStatus::Error => (Level::Error, "error"),
        };
        let mut line = format!("{}: {word}", result.id);
        if !result.cause.is_empty() {
            line = format!("{line}: {}", result.cause);
        }
        ctx.log(level, &line);
        if let (true, Some(sql)) = (
            result.status != CheckStatus::Passed,
            result.rows_sql.as_ref().or(result.sql.as_ref()),
        ) {
            ctx.log(Level::Info, format!("reproduce {}:\n{sql}", result.id));
        }
    }
    ctx.info(report.message().lines().next().unwrap_or_default());
}
