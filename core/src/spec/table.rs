//! Tables that tasks write, and how. Appending without saying how a second try is told from the first does not compile.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// How an append that runs twice is kept from doubling its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dedup {
    /// The load replaces the partition it names; a second try replaces it again.
    Partition(Text),
    /// Rows are merged by these columns; a second try finds its own rows.
    Key(Vec<String>),
    /// One load job a launch epoch: a retry after a crash finds the first job. Clearing a succeeded task loads again,
    /// and the web UI asks before it does.
    JobId,
}

impl Dedup {
    /// Replaces this partition: `Dedup::partition("{ds}")`.
    #[must_use]
    pub fn partition(partition: impl Into<Text>) -> Self {
        Self::Partition(partition.into())
    }

    /// Merges by these columns.
    #[must_use]
    pub fn key<C: Into<String>>(columns: impl IntoIterator<Item = C>) -> Self {
        Self::Key(columns.into_iter().map(Into::into).collect())
    }

    /// One load job a launch epoch.
    #[must_use]
    pub const fn job_id() -> Self {
        Self::JobId
    }
}

/// What a write does to the rows that are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    /// Adds rows, once.
    Append(Dedup),
    /// Replaces the whole table in one atomic step.
    Truncate,
    /// Updates and inserts by these columns.
    Merge(Vec<String>),
}

impl fmt::Display for WriteMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(Dedup::Partition(partition)) => {
                write!(f, "append, replacing partition {partition}")
            }
            Self::Append(Dedup::Key(columns)) => {
                write!(f, "append, merging by {}", columns.join(", "))
            }
            Self::Append(Dedup::JobId) => f.write_str("append, one job a launch"),
            Self::Truncate => f.write_str("truncate"),
            Self::Merge(columns) => write!(f, "merge by {}", columns.join(", ")),
        }
    }
}

/// A table that has no write mode yet; it is no [`Destination`] until it has one.
#[derive(Debug, Clone)]
#[must_use = "say how the table is written: append, truncate or merge"]
pub struct Table(Text);

impl Table {
    /// The table `dataset.table` or `project.dataset.table`.
    pub fn named(name: impl Into<Text>) -> Self {
        Self(name.into())
    }

    /// Adds rows. `dedup` says how a second try is kept from adding them again: there is no append without it.
    #[must_use]
    pub fn append(self, dedup: Dedup) -> Destination {
        Destination {
            table: self.0,
            mode: WriteMode::Append(dedup),
        }
    }

    /// Replaces the whole table in one atomic step.
    #[must_use]
    pub fn truncate(self) -> Destination {
        Destination {
            table: self.0,
            mode: WriteMode::Truncate,
        }
    }

    /// Updates and inserts by these columns.
    #[must_use]
    pub fn merge<C: Into<String>>(self, columns: impl IntoIterator<Item = C>) -> Destination {
        let columns = columns.into_iter().map(Into::into).collect();
        Destination {
            table: self.0,
            mode: WriteMode::Merge(columns),
        }
    }
}

/// A table and how it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// The table.
    pub table: Text,
    /// How it is written.
    pub mode: WriteMode,
}
