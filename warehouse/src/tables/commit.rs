//! Changes of a table.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::TableError;
use super::evolve::{Allowed, widened};
use super::files::DataFile;
use super::manifest::Snapshot;
use super::meta::TableMeta;

/// What changes in a table.
#[derive(Debug, Clone)]
pub enum Change {
    /// More rows. It goes together with whatever changed rows since.
    Append(Vec<Arc<DataFile>>),
    /// All rows, and what is known of the table; any schema.
    Replace(Box<TableMeta>, Vec<Arc<DataFile>>),
    /// All rows of some partitions, by their names.
    ReplacePartitions(HashSet<String>, Vec<Arc<DataFile>>),
    /// Some files, by their paths, for others.
    Rewrite(HashSet<PathBuf>, Vec<Arc<DataFile>>),
    /// The same, together with rows that came since.
    Edit(HashSet<PathBuf>, Vec<Arc<DataFile>>),
    /// What is known of the table. Columns may come and be relaxed, nothing else.
    Meta(Box<TableMeta>),
    /// More rows, and columns that came or were relaxed for them.
    Grow(Box<TableMeta>, Vec<Arc<DataFile>>),
    /// All rows of some partitions, and columns that came or were relaxed for them.
    GrowPartitions(Box<TableMeta>, HashSet<String>, Vec<Arc<DataFile>>),
}

impl Change {
    /// Whether it goes together with changes that it does not know of.
    fn rebases(&self) -> bool {
        matches!(self, Self::Append(_) | Self::Edit(..))
    }
}

/// The table after a change that was made for version `base` of it; it gets `version`.
pub(super) fn changed(
    old: &Snapshot,
    (base, version): (u64, u64),
    change: Change,
) -> Result<Snapshot, TableError> {
    if old.version != base && !change.rebases() {
        return Err(TableError::Conflict(old.id.clone()));
    }
    let mut new = old.clone();
    new.version = version;
    match change {
        // The columns or partitions changed under the rows.
        Change::Append(_) | Change::Edit(..) if base < old.layout => {
            return Err(TableError::Conflict(old.id.clone()));
        }
        Change::Append(files) => new.files.extend(files),
        Change::Replace(meta, files) => {
            meta.check()?;
            if meta.schema != old.meta.schema || by(&meta) != by(&old.meta) {
                new.layout = version;
            }
            new.meta = Arc::new(*meta);
            new.files = files;
        }
        Change::ReplacePartitions(names, files) => replace(&mut new, &names, files),
        Change::Rewrite(paths, files) | Change::Edit(paths, files) => {
            let before = new.files.len();
            new.files.retain(|file| !paths.contains(&file.path));
            if before - new.files.len() != paths.len() {
                return Err(TableError::Conflict(old.id.clone()));
            }
            new.files.extend(files);
        }
        Change::Meta(meta) => new.meta = Arc::new(grown(old, *meta)?),
        Change::Grow(meta, files) => {
            new.meta = Arc::new(grown(old, *meta)?);
            new.files.extend(files);
        }
        Change::GrowPartitions(meta, names, files) => {
            new.meta = Arc::new(grown(old, *meta)?);
            replace(&mut new, &names, files);
        }
    }
    Ok(new)
}

fn replace(table: &mut Snapshot, names: &HashSet<String>, files: Vec<Arc<DataFile>>) {
    table.files.retain(|file| {
        file.partition
            .as_ref()
            .is_none_or(|name| !names.contains(name))
    });
    table.files.extend(files);
}

fn grown(old: &Snapshot, meta: TableMeta) -> Result<TableMeta, TableError> {
    if meta.view.is_some() != old.meta.view.is_some() {
        return Err(TableError::invalid(format!(
            "{} cannot be made a {}",
            old.id,
            if meta.view.is_some() { "view" } else { "table" }
        )));
    }
    let allowed = Allowed {
        absence: false,
        ..Allowed::ALL
    };
    if meta.view.is_none() && meta.schema != old.meta.schema {
        widened(&old.meta.schema, &meta.schema, allowed).map_err(|why| {
            TableError::invalid(format!(
                "Provided Schema does not match Table {}. {why}",
                old.id
            ))
        })?;
    }
    meta.check()?;
    if by(&meta) != by(&old.meta) && !old.files.is_empty() {
        return Err(TableError::invalid(format!(
            "Cannot change partitioning of table {}",
            old.id
        )));
    }
    Ok(meta)
}

/// What cuts rows into partitions, without what may be changed.
fn by(meta: &TableMeta) -> Option<super::meta::Partitioning> {
    let mut by = meta.partitioning.clone();
    if let Some(super::meta::Partitioning::Time { expiration_ms, .. }) = &mut by {
        *expiration_ms = None;
    }
    by
}
