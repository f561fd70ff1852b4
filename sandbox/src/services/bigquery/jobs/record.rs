//! A job as it is written down.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_warehouse::load::LoadError;
use tidemill_warehouse::tables::TableId;

use crate::faults::FaultKind;

/// A job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) project: String,
    pub(super) id: String,
    pub(super) location: String,
    pub(super) kind: Kind,
    /// As it was sent.
    pub(super) configuration: Value,
    pub(super) phase: Phase,
    pub(super) created: DateTime<Utc>,
    pub(super) started: Option<DateTime<Utc>>,
    pub(super) ended: Option<DateTime<Utc>>,
    pub(super) errors: Vec<JobError>,
    /// The first of the errors ended the job; otherwise they are warnings.
    pub(super) failed: bool,
    pub(super) done: Done,
    /// What it will have done, written down before it changes its table.
    #[serde(default)]
    pub(super) prepared: Option<Done>,
    #[serde(default)]
    pub(super) fault: Option<FaultKind>,
    /// The file that came with it.
    #[serde(default)]
    pub(super) upload: Option<PathBuf>,
    /// Of `jobs.query`: a request with the same one is the same.
    #[serde(default)]
    pub(super) request: Option<String>,
    /// Counts its changes.
    pub(super) version: u64,
    /// The script that it is a statement of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<String>,
    /// Where it stands in the script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) frame: Option<Value>,
    /// Statements of a script that were run.
    #[serde(default)]
    pub(super) children: u64,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Load,
    Query,
    Copy,
    Extract,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Phase {
    Pending,
    Running,
    Done,
}

/// An error in `BigQuery`'s words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct JobError {
    pub(super) reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) location: Option<String>,
    pub(super) message: String,
}

/// What a job did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Done {
    /// The part of `statistics` that is named after the kind of the job.
    pub(super) statistics: Value,
    pub(super) bytes_processed: Option<u64>,
    /// The rows of a query.
    pub(super) result: Option<TableId>,
    /// Rows that were left out.
    #[serde(default)]
    pub(super) warnings: Vec<JobError>,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Load, Self::Query, Self::Copy, Self::Extract];

    /// As `configuration` has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Query => "query",
            Self::Copy => "copy",
            Self::Extract => "extract",
        }
    }
}

impl Phase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Done => "DONE",
        }
    }
}

impl Job {
    pub(super) fn key(&self) -> String {
        key(&self.project, &self.location, &self.id)
    }

    /// The error that ended it.
    pub(super) fn error(&self) -> Option<&JobError> {
        self.errors.first().filter(|_| self.failed)
    }

    /// Its part of the configuration.
    pub(super) fn part(&self) -> &Value {
        self.configuration
            .get(self.kind.name())
            .unwrap_or(&Value::Null)
    }

    pub(super) fn vanished(&self) -> bool {
        matches!(self.fault, Some(FaultKind::JobVanishes))
    }
}

/// The name under which a job is kept, which is also how messages name it.
pub(super) fn key(project: &str, location: &str, id: &str) -> String {
    format!("{project}:{location}.{id}")
}

impl JobError {
    pub(super) fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            location: None,
            message: message.into(),
        }
    }
}

/// The error of a load and those of its rows.
pub(super) fn of_load(error: LoadError) -> Vec<JobError> {
    let mut errors = vec![JobError {
        reason: error.reason.to_owned(),
        location: error.location,
        message: error.message,
    }];
    errors.extend(error.rows.into_iter().map(of_row));
    errors
}

pub(super) fn of_row(row: tidemill_warehouse::load::RowError) -> JobError {
    JobError {
        reason: "invalid".to_owned(),
        location: Some(row.location),
        message: format!("Error while reading data, error message: {}", row.message),
    }
}
