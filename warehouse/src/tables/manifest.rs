//! What a table is at one moment.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::TableError;
use super::files::{DataFile, FileRecord};
use super::meta::TableMeta;
use super::names::TableId;

/// The file that says what a table is.
pub(super) const MANIFEST: &str = "manifest.json";

/// A table at one moment. Its files stay while this is held.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Whose it is.
    pub id: TableId,
    /// Counts the changes of the table, those of what is known of it, too.
    pub version: u64,
    /// When the table was made.
    pub created: DateTime<Utc>,
    /// When it was changed.
    pub modified: DateTime<Utc>,
    /// What is known of it.
    pub meta: Arc<TableMeta>,
    /// Its rows.
    pub files: Vec<Arc<DataFile>>,
    /// The version from which on rows have the columns and partitions that they have now; later ones only added columns.
    pub(super) layout: u64,
    /// Who changed it last, as far as they left a stamp; the newest at the end.
    pub(super) stamps: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    id: TableId,
    version: u64,
    created: DateTime<Utc>,
    modified: DateTime<Utc>,
    meta: TableMeta,
    files: Vec<FileRecord>,
    #[serde(default)]
    layout: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stamps: Vec<String>,
}

impl Snapshot {
    /// Rows that are no table's, as one: they go with it.
    pub(crate) fn loose(
        id: TableId,
        meta: TableMeta,
        files: Vec<Arc<DataFile>>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            version: 0,
            created: now,
            modified: now,
            meta: Arc::new(meta),
            files,
            layout: 0,
            stamps: Vec::new(),
        }
    }

    /// Rows in all.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// `BigQuery`'s logical bytes in all.
    #[must_use]
    pub fn logical_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.logical_bytes()).sum()
    }

    /// The names of its partitions in their order, with rows and logical bytes.
    #[must_use]
    pub fn partitions(&self) -> Vec<(String, u64, u64)> {
        let mut found = std::collections::BTreeMap::<&str, (u64, u64)>::new();
        for file in &self.files {
            if let Some(partition) = &file.partition {
                let sums = found.entry(partition).or_default();
                sums.0 += file.rows;
                sums.1 += file.logical_bytes();
            }
        }
        found
            .into_iter()
            .map(|(name, (rows, bytes))| (name.to_owned(), rows, bytes))
            .collect()
    }

    /// Reads a table's folder and removes the files that its manifest does not name; none if there is no manifest.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>, TableError> {
        let path = folder.join(MANIFEST);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(TableError::disk(&path)(error)),
        };
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(TableError::broken(&path))?;
        let files: Vec<_> = manifest
            .files
            .into_iter()
            .map(|record| Arc::new(DataFile::of_record(record, folder)))
            .collect();
        let known: HashSet<&Path> = files.iter().map(|file| file.path.as_path()).collect();
        sweep(&folder.join("data"), &known).map_err(TableError::disk(folder))?;
        Ok(Some(Self {
            id: manifest.id,
            version: manifest.version,
            created: manifest.created,
            modified: manifest.modified,
            meta: Arc::new(manifest.meta),
            files,
            layout: manifest.layout,
            stamps: manifest.stamps,
        }))
    }

    /// Writes the manifest beside the old one.
    pub(super) fn prepare(&self, folder: &Path) -> Result<(), TableError> {
        let path = folder.join("manifest.new");
        let manifest = Manifest {
            id: self.id.clone(),
            version: self.version,
            created: self.created,
            modified: self.modified,
            meta: (*self.meta).clone(),
            files: self.files.iter().map(|file| file.record(folder)).collect(),
            layout: self.layout,
            stamps: self.stamps.clone(),
        };
        let text = serde_json::to_vec(&manifest).map_err(TableError::broken(&path))?;
        loop {
            fs::create_dir_all(folder).map_err(TableError::disk(folder))?;
            match fs::write(&path, &text) {
                // The last file of an older table of this name went just now, and the folder with it.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                other => return other.map_err(TableError::disk(&path)),
            }
        }
    }

    /// Makes the prepared manifest the one that counts.
    pub(super) fn switch(folder: &Path) -> Result<(), TableError> {
        let path = folder.join(MANIFEST);
        fs::rename(folder.join("manifest.new"), &path).map_err(TableError::disk(&path))
    }
}

/// Removes what is not known below a folder.
fn sweep(folder: &Path, known: &HashSet<&Path>) -> std::io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            sweep(&path, known)?;
            // Not empty: it stays.
            let _ = fs::remove_dir(&path);
        } else if !known.contains(path.as_path()) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
