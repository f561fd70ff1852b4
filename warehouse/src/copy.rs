//! Copying tables, as `BigQuery`'s copy jobs do it. It waits for the disk: call it where a thread may wait.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::load::{LoadError, WriteMode};
use crate::rows::page_of;
use crate::tables::{
    Allowed, Change, DataFile, Partition, Partitioning, Snapshot, TableError, TableId, TableMeta,
    Target, Warehouse, widened,
};

/// Rows that are read at once.
const PAGE: usize = 65_536;

/// A copy job.
#[derive(Debug, Clone)]
pub struct Copy {
    /// From where, each with what stands behind its `$`.
    pub sources: Vec<(TableId, Option<String>)>,
    /// Where to.
    pub destination: TableId,
    /// What stands behind `$` in the destination.
    pub partition: Option<String>,
    /// Make the table if it is not there.
    pub create: bool,
    /// What becomes of the rows that are there.
    pub write: WriteMode,
}

/// What a copy did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Copied {
    /// Rows that were written.
    pub rows: u64,
    /// Their logical bytes.
    pub bytes: u64,
}

/// Copies tables into one; `before` is told what it will have done.
///
/// # Errors
/// Nothing was changed.
pub fn copy(
    warehouse: &Warehouse,
    job: &Copy,
    stop: &AtomicBool,
    before: impl FnOnce(&Copied) -> Result<(), LoadError>,
) -> Result<Copied, LoadError> {
    let sources = job
        .sources
        .iter()
        .map(|(id, partition)| source(warehouse, id, partition.as_deref()))
        .collect::<Result<Vec<_>, _>>()?;
    let Some(first) = sources.first() else {
        return Err(invalid("Required parameter is missing: sourceTable"));
    };
    let old = existing(warehouse, job)?;
    let meta = planned(job, old.as_ref(), &sources, first)?;
    let files = written(warehouse, job, &meta, &sources, stop)?;
    let done = Copied {
        rows: files.iter().map(|file| file.rows).sum(),
        bytes: files.iter().map(|file| file.logical_bytes()).sum(),
    };
    before(&done)?;
    let id = &job.destination;
    match (old, job.write, &job.partition) {
        (None, ..) => warehouse.create_table(id, meta, files)?,
        (Some(old), WriteMode::Append | WriteMode::Empty, _) => {
            warehouse.commit(id, old.version, Change::Append(files))?
        }
        (Some(old), _, Some(name)) => {
            let change = Change::ReplacePartitions([name.clone()].into(), files);
            warehouse.commit(id, old.version, change)?
        }
        (Some(old), _, None) => {
            let change = Change::Replace(Box::new(meta), files);
            warehouse.commit(id, old.version, change)?
        }
    };
    Ok(done)
}

fn invalid(message: impl Into<String>) -> LoadError {
    TableError::Invalid(message.into()).into()
}

fn source(
    warehouse: &Warehouse,
    id: &TableId,
    partition: Option<&str>,
) -> Result<Snapshot, LoadError> {
    let mut table = warehouse.table(id)?;
    if table.meta.view.is_some() {
        return Err(invalid(format!(
            "{id} is not allowed for this operation because it is currently a VIEW."
        )));
    }
    if let Some(name) = partition {
        let by = table.meta.partitioning.as_ref();
        if by.and_then(|by| Partition::from_name(name, by)).is_none() {
            return Err(invalid(format!(
                "Invalid partition decorator ${name} for table {id}"
            )));
        }
        table
            .files
            .retain(|file| file.partition.as_deref() == Some(name));
    }
    Ok(table)
}

fn existing(warehouse: &Warehouse, job: &Copy) -> Result<Option<Snapshot>, LoadError> {
    let id = &job.destination;
    warehouse.dataset(&id.of())?;
    let old = match warehouse.table(id) {
        Ok(old) => old,
        Err(TableError::NoTable(_)) if job.create => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // For a copy, a table that is there is in the way even without rows.
    let there = match &job.partition {
        None => old.rows() > 0,
        Some(name) => old.partitions().iter().any(|(one, ..)| one == name),
    };
    if job.write == WriteMode::Empty && there {
        return Err(TableError::TableExists(id.clone()).into());
    }
    Ok(Some(old))
}

/// What the destination will be.
fn planned(
    job: &Copy,
    old: Option<&Snapshot>,
    sources: &[Snapshot],
    first: &Snapshot,
) -> Result<TableMeta, LoadError> {
    let replaces = job.write == WriteMode::Truncate && job.partition.is_none();
    let mut meta = match old {
        Some(old) if !replaces => (*old.meta).clone(),
        _ => {
            let mut meta = (*first.meta).clone();
            meta.expires = None;
            meta
        }
    };
    if old.is_none() && job.partition.is_some() && meta.partitioning.is_none() {
        return Err(invalid(format!(
            "The table {} is not partitioned and cannot be copied to a partition",
            first.id
        )));
    }
    for source in sources {
        let allowed = Allowed {
            relaxation: true,
            absence: true,
            addition: false,
        };
        meta.schema = widened(&meta.schema, &source.meta.schema, allowed)
            .or_else(|why| {
                // A column that is required in the source is as good as one that may be missing.
                let mut loose = source.meta.schema.clone();
                for field in &mut loose.fields {
                    let before = meta.schema.field(&field.name).map(|field| field.mode);
                    field.mode = before.unwrap_or(field.mode);
                }
                widened(&meta.schema, &loose, allowed).map_err(|_| why)
            })
            .map_err(|why| {
                invalid(format!(
                    "Provided Schema does not match Table {}. {why}",
                    job.destination
                ))
            })?;
    }
    Ok(meta)
}

/// Writes the rows of a copy for a destination that is like `meta`.
///
/// # Errors
/// A source is not there or cannot be read.
pub(crate) fn files(
    warehouse: &Warehouse,
    job: &Copy,
    meta: &TableMeta,
    stop: &AtomicBool,
) -> Result<Vec<Arc<DataFile>>, LoadError> {
    let sources = job
        .sources
        .iter()
        .map(|(id, partition)| source(warehouse, id, partition.as_deref()))
        .collect::<Result<Vec<_>, _>>()?;
    written(warehouse, job, meta, &sources, stop)
}

fn written(
    warehouse: &Warehouse,
    job: &Copy,
    meta: &TableMeta,
    sources: &[Snapshot],
    stop: &AtomicBool,
) -> Result<Vec<Arc<DataFile>>, LoadError> {
    let mut files = Vec::new();
    let by = meta.partitioning.as_ref();
    let only = match (&job.partition, by) {
        (None, _) => None,
        (Some(name), by) => match by.and_then(|by| Partition::from_name(name, by)) {
            Some(partition) => Some(partition),
            None => {
                return Err(invalid(format!(
                    "Invalid partition decorator ${name} for table {}",
                    job.destination
                )));
            }
        },
    };
    for source in sources {
        // Rows of a table by ingestion time stay in the partitions that they came into.
        let partitions: BTreeSet<Option<&str>> = source
            .files
            .iter()
            .map(|file| file.partition.as_deref())
            .collect();
        for name in partitions {
            let kept = by
                .filter(|by| by.by_ingestion())
                .zip(name)
                .and_then(|(by, name): (&Partitioning, &str)| Partition::from_name(name, by));
            let target = only.or(kept).map_or(Target::Rows, Target::Only);
            let part: Vec<_> = source
                .files
                .iter()
                .filter(|file| file.partition.as_deref() == name)
                .cloned()
                .collect();
            let mut writer = warehouse.writer(&job.destination, meta, target)?;
            let mut from = 0;
            loop {
                if stop.load(Ordering::SeqCst) {
                    return Err(LoadError::cancelled());
                }
                let batches = page_of(&part, &meta.schema, from, PAGE)?;
                let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
                if rows == 0 {
                    break;
                }
                for batch in &batches {
                    writer.write(batch)?;
                }
                from += rows;
            }
            files.extend(writer.finish()?);
        }
    }
    Ok(files)
}
