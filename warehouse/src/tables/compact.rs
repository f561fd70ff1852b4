//! Few large files for many small ones.

use std::collections::{BTreeMap, HashSet};

use super::commit::Change;
use super::error::TableError;
use super::manifest::Snapshot;
use super::names::TableId;
use super::partition::Partition;
use super::warehouse::Warehouse;
use super::writer::Target;
use crate::rows::page_of;

/// A file of fewer bytes is small.
const SMALL: u64 = 1 << 20;
/// So many small files of a partition are made one.
const MANY: usize = 48;
/// Rows that are read at once.
const PAGE: usize = 65_536;

impl Warehouse {
    /// Makes one file of the small ones of each partition that has many; the rows stay as they are. It waits for the disk.
    /// Where somebody else changes the table meanwhile, it is left for another time.
    ///
    /// # Errors
    /// The disk fails.
    pub fn compact(&self, id: &TableId) -> Result<(), TableError> {
        let table = self.table(id)?;
        let mut small = BTreeMap::<Option<&str>, Vec<_>>::new();
        for file in &table.files {
            if file.bytes < SMALL {
                let part = small.entry(file.partition.as_deref()).or_default();
                part.push(file.clone());
            }
        }
        for (name, files) in small {
            if files.len() < MANY {
                continue;
            }
            let mut writer = self.writer(id, &table.meta, target(&table, name))?;
            let mut from = 0;
            loop {
                let batches = page_of(&files, &table.meta.schema, from, PAGE)?;
                let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
                if rows == 0 {
                    break;
                }
                for batch in &batches {
                    writer.write(batch)?;
                }
                from += rows;
            }
            let paths: HashSet<_> = files.iter().map(|file| file.path.clone()).collect();
            let change = Change::Rewrite(paths, writer.finish()?);
            match self.commit(id, table.version, change) {
                Ok(_) | Err(TableError::Conflict(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn target(table: &Snapshot, name: Option<&str>) -> Target {
    let by = table.meta.partitioning.as_ref();
    by.zip(name)
        .and_then(|(by, name)| Partition::from_name(name, by))
        .map_or(Target::Rows, Target::Only)
}
