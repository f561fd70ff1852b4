//! DAGs.

use serde::{Deserialize, Serialize};
use tidemill_core::id::DagId;
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;
use tidemill_store::record::{DagRow, VersionRow};
use utoipa::ToSchema;

use super::TouchView;

/// A DAG.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DagView {
    /// Its name.
    #[schema(value_type = String)]
    pub dag: DagId,
    /// The version that new runs take; null once it was removed.
    #[schema(value_type = Option<String>)]
    pub version: Option<Version>,
    /// Whether nothing of it starts.
    pub paused: bool,
    /// Who looks after it.
    pub owner: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// What it is for.
    pub doc: String,
    /// When it runs, in words.
    pub schedule: String,
    /// When its timetable makes the next run.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_due: Option<Timestamp>,
    /// How many tasks it has.
    pub tasks: usize,
    /// The names of its params.
    pub params: Vec<String>,
    /// The state of its last run: `queued`, `running`, `success`, `failed`, `cancelled`.
    pub last_state: Option<String>,
    /// The name of that run.
    pub last_run: Option<String>,
    /// How many runs in a row failed.
    pub failures_in_row: u32,
    /// Grows with every change by a person; the `ETag`.
    pub edits: u32,
    /// The last such change.
    pub touched: Option<TouchView>,
}

impl DagView {
    /// As the database has it, as far as it is known here.
    #[must_use]
    pub fn row(self) -> DagRow {
        DagRow {
            id: self.dag,
            version: self.version,
            paused: self.paused,
            last_due: None,
            failures_in_row: self.failures_in_row,
            edits: self.edits,
            touched: self.touched.map(Into::into),
        }
    }
}

/// A version of a DAG.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VersionView {
    /// The version: a hash of what matters to a run.
    #[schema(value_type = String)]
    pub version: Version,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    pub deployed_at: Timestamp,
    /// How many tasks it has.
    pub tasks: usize,
}

impl From<&VersionRow> for VersionView {
    fn from(row: &VersionRow) -> Self {
        Self {
            version: row.version.clone(),
            deployed_at: row.deployed_at,
            tasks: row.spec.definition.tasks.len(),
        }
    }
}
