//! Files of tables, and when they may go.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

/// A Parquet file. It is removed with the last value that names it if no manifest does.
#[derive(Debug)]
pub struct DataFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its partition, as `BigQuery` names it: `20260131`; none in a table without partitions.
    pub partition: Option<String>,
    /// Its rows.
    pub rows: u64,
    /// Its size on the disk.
    pub bytes: u64,
    /// `BigQuery`'s logical bytes of each column.
    pub columns: BTreeMap<String, u64>,
    doomed: AtomicBool,
}

/// A file as the manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRecord {
    /// Below the table's folder.
    pub(super) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) partition: Option<String>,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) columns: BTreeMap<String, u64>,
}

impl DataFile {
    /// A file that was just written: it goes if nobody commits it.
    pub(super) fn written(path: PathBuf, partition: Option<String>) -> Self {
        Self {
            path,
            partition,
            rows: 0,
            bytes: 0,
            columns: BTreeMap::new(),
            doomed: AtomicBool::new(true),
        }
    }

    pub(super) fn of_record(record: FileRecord, folder: &Path) -> Self {
        Self {
            path: folder.join(record.path),
            partition: record.partition,
            rows: record.rows,
            bytes: record.bytes,
            columns: record.columns,
            doomed: AtomicBool::new(false),
        }
    }

    pub(super) fn record(&self, folder: &Path) -> FileRecord {
        let path = self.path.strip_prefix(folder).unwrap_or(&self.path);
        FileRecord {
            path: path.to_string_lossy().into_owned(),
            partition: self.partition.clone(),
            rows: self.rows,
            bytes: self.bytes,
            columns: self.columns.clone(),
        }
    }

    /// `BigQuery`'s logical bytes of all columns.
    #[must_use]
    pub fn logical_bytes(&self) -> u64 {
        self.columns.values().sum()
    }

    /// A manifest names it.
    pub(super) fn keep(&self) {
        self.doomed.store(false, Ordering::SeqCst);
    }

    /// No manifest names it any more.
    pub(super) fn doom(&self) {
        self.doomed.store(true, Ordering::SeqCst);
    }
}

impl Drop for DataFile {
    fn drop(&mut self) {
        if !self.doomed.load(Ordering::SeqCst) {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("{} cannot be removed: {error}", self.path.display());
        }
        // The folder of the partition, `data` and the table go with the last file; a folder that is not empty stays.
        for folder in self.path.ancestors().skip(1).take(3) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}
