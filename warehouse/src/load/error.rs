//! Why a load failed, as `BigQuery` says it.

use crate::tables::{ObjectError, TableError};

/// A load that changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LoadError {
    /// `invalid`, `notFound`, `duplicate`, `stopped`, `backendError`.
    pub reason: &'static str,
    /// What happened.
    pub message: String,
    /// Where, if it is a file.
    pub location: Option<String>,
    /// Single rows that did not fit.
    pub rows: Vec<RowError>,
}

/// A row that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// The file.
    pub location: String,
    /// What is wrong, behind "Error while reading data, error message: ".
    pub message: String,
}

impl LoadError {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self {
            reason: "invalid",
            message: message.into(),
            location: None,
            rows: Vec::new(),
        }
    }

    /// A file that cannot be read as what it is to be.
    pub(super) fn reading(uri: &str, what: impl std::fmt::Display) -> Self {
        Self {
            reason: "invalid",
            message: format!("Error while reading data, error message: {what} File: {uri}"),
            location: Some(uri.to_owned()),
            rows: Vec::new(),
        }
    }

    /// Somebody wanted it to end.
    pub(crate) fn cancelled() -> Self {
        Self::stopped()
    }

    pub(super) fn stopped() -> Self {
        Self {
            reason: "stopped",
            message: "Job execution was cancelled: User requested cancellation".to_owned(),
            location: None,
            rows: Vec::new(),
        }
    }
}

impl From<TableError> for LoadError {
    fn from(error: TableError) -> Self {
        Self {
            reason: error.reason(),
            message: error.to_string(),
            location: None,
            rows: Vec::new(),
        }
    }
}

impl From<ObjectError> for LoadError {
    fn from(error: ObjectError) -> Self {
        Self {
            reason: error.reason,
            message: error.message,
            location: None,
            rows: Vec::new(),
        }
    }
}
