//! What can go wrong with datasets and tables, as `BigQuery` says it.

use std::path::{Path, PathBuf};

use super::names::{DatasetId, TableId};

/// A table or dataset that cannot be used or changed as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// There is no such dataset.
    #[error("Not found: Dataset {0}")]
    NoDataset(DatasetId),
    /// There is no such table.
    #[error("Not found: Table {0}")]
    NoTable(TableId),
    /// The dataset is there already.
    #[error("Already Exists: Dataset {0}")]
    DatasetExists(DatasetId),
    /// The table is there already.
    #[error("Already Exists: Table {0}")]
    TableExists(TableId),
    /// The dataset has tables.
    #[error("Dataset {0} is still in use")]
    InUse(DatasetId),
    /// Another change came in between.
    #[error("Could not serialize access to table {0} due to concurrent update")]
    Conflict(TableId),
    /// What was asked for cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The disk.
    #[error("{path}: {source}", path = path.display())]
    Disk {
        /// What was touched.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file of ours that does not read or write.
    #[error("{path}: {what}", path = path.display())]
    Broken {
        /// Which.
        path: PathBuf,
        /// Why.
        what: String,
    },
}

impl TableError {
    /// `BigQuery`'s word for it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoDataset(_) | Self::NoTable(_) => "notFound",
            Self::DatasetExists(_) | Self::TableExists(_) => "duplicate",
            Self::InUse(_) => "resourceInUse",
            Self::Conflict(_) => "invalidQuery",
            Self::Invalid(_) => "invalid",
            Self::Disk { .. } | Self::Broken { .. } => "backendError",
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    pub(crate) fn disk(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Disk { path, source }
    }

    pub(crate) fn broken<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> Self {
        let path = path.to_owned();
        move |error| Self::Broken {
            path,
            what: error.to_string(),
        }
    }
}
