//! Jobs, of who keeps them.

use chrono::{DateTime, Utc};
use datafusion::arrow::array::RecordBatch;

use super::{Found, Of, STRING, SqlError, batch, location, maybe, moment, number, schema, text};
use crate::rows::Cell;
use crate::schema::{Field, Kind};

/// A job.
#[derive(Debug, Clone)]
pub struct JobRow {
    /// When it was asked for.
    pub created: DateTime<Utc>,
    /// When it began.
    pub started: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended: Option<DateTime<Utc>>,
    /// Its identifier.
    pub id: String,
    /// The script that it is a statement of.
    pub parent: Option<String>,
    /// Who asked for it.
    pub user: String,
    /// `QUERY`, `LOAD`, `EXTRACT`, `COPY`.
    pub kind: String,
    /// Of a query.
    pub statement_type: Option<String>,
    /// The text of a query.
    pub query: Option<String>,
    /// `PENDING`, `RUNNING`, `DONE`.
    pub state: String,
    /// Bytes that were read.
    pub bytes_processed: Option<u64>,
    /// Bytes that are billed.
    pub bytes_billed: Option<u64>,
    /// Why it failed: a reason and a message.
    pub error: Option<(String, String)>,
}

pub(super) fn jobs(found: &Found<'_>) -> Result<RecordBatch, SqlError> {
    let place = match &found.view.of {
        Of::Region(region) => location(region),
        Of::Project => found.catalog.location().unwrap_or_else(|| "US".to_owned()),
        Of::Dataset(_) => {
            return Err(SqlError::invalid(format!(
                "INFORMATION_SCHEMA.{} must be qualified with a region",
                found.view.name
            )));
        }
    };
    let Some(jobs) = found.catalog.jobs(&found.view.project, &place) else {
        return Err(SqlError::unsupported(format!(
            "INFORMATION_SCHEMA.{} here",
            found.view.name
        )));
    };
    let error = Kind::Struct(
        ["reason", "location", "debug_info", "message"]
            .map(|name| Field::new(name, STRING))
            .to_vec(),
    );
    let columns = schema(&[
        ("creation_time", Kind::Timestamp),
        ("project_id", STRING),
        ("user_email", STRING),
        ("job_id", STRING),
        ("job_type", STRING),
        ("statement_type", STRING),
        ("start_time", Kind::Timestamp),
        ("end_time", Kind::Timestamp),
        ("query", STRING),
        ("state", STRING),
        ("total_bytes_processed", Kind::Int64),
        ("total_bytes_billed", Kind::Int64),
        ("cache_hit", Kind::Bool),
        ("error_result", error),
        ("parent_job_id", STRING),
    ]);
    let rows = jobs
        .into_iter()
        .map(|job| {
            let error = job.error.map(|(reason, message)| {
                Cell::Struct(vec![text(reason), Cell::Null, Cell::Null, text(message)])
            });
            vec![
                moment(job.created),
                text(&found.view.project),
                text(job.user),
                text(job.id),
                text(job.kind),
                maybe(job.statement_type.map(text)),
                maybe(job.started.map(moment)),
                maybe(job.ended.map(moment)),
                maybe(job.query.map(text)),
                text(job.state),
                maybe(job.bytes_processed.map(number)),
                maybe(job.bytes_billed.map(number)),
                Cell::Bool(false),
                maybe(error),
                maybe(job.parent.map(text)),
            ]
        })
        .collect();
    batch(&columns, rows)
}
