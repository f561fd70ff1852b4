//! The table that a load writes to: whether it may, and with which columns.

use std::collections::HashSet;
use std::sync::Arc;

use super::error::LoadError;
use super::{Format, Load, WriteMode};
use crate::schema::{Mode, Schema};
use crate::tables::{
    Allowed, Change, DataFile, Partition, Partitioning, Snapshot, TableError, TableMeta, Target,
    Warehouse, widened,
};

/// Where rows go.
pub(super) struct Destination {
    /// The table as it is.
    pub(super) old: Option<Snapshot>,
    /// The table as it will be.
    pub(super) meta: TableMeta,
    pub(super) target: Target,
}

/// The table that is there, if any; whether it may be written.
pub(super) fn existing(warehouse: &Warehouse, load: &Load) -> Result<Option<Snapshot>, LoadError> {
    let id = &load.destination;
    warehouse.dataset(&id.of())?;
    let old = match warehouse.table(id) {
        Ok(old) => old,
        Err(TableError::NoTable(_)) if load.create => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if old.meta.view.is_some() {
        return Err(LoadError::invalid(format!(
            "Cannot load into {id}: it is a view"
        )));
    }
    let rows = match &load.partition {
        None => old.rows(),
        Some(name) => old
            .partitions()
            .into_iter()
            .filter(|(partition, ..)| partition == name)
            .map(|(_, rows, _)| rows)
            .sum(),
    };
    if load.write == WriteMode::Empty && rows > 0 {
        return Err(TableError::TableExists(id.clone()).into());
    }
    Ok(Some(old))
}

/// The table as it will be when rows of `source` are in it.
pub(super) fn destination(
    load: &Load,
    old: Option<Snapshot>,
    source: &Schema,
) -> Result<Destination, LoadError> {
    let meta = match &old {
        None => created(load, source),
        Some(old) => changed(load, old, source)?,
    };
    meta.check()?;
    let target = match (&load.partition, &meta.partitioning) {
        (None, _) => Target::Rows,
        (Some(name), Some(by)) => match Partition::from_name(name, by) {
            Some(partition) => Target::Only(partition),
            None => {
                return Err(LoadError::invalid(format!(
                    "Invalid partition decorator ${name} for table {}",
                    load.destination
                )));
            }
        },
        (Some(name), None) => {
            return Err(LoadError::invalid(format!(
                "The table {} is not partitioned: {}${name} cannot be loaded",
                load.destination, load.destination.table
            )));
        }
    };
    Ok(Destination { old, meta, target })
}

fn created(load: &Load, source: &Schema) -> TableMeta {
    let mut meta = TableMeta::new(source.clone());
    meta.partitioning.clone_from(&load.partitioning);
    meta.require_partition_filter = load.require_partition_filter.unwrap_or(false);
    meta.clustering.clone_from(&load.clustering);
    meta.description.clone_from(&load.description);
    meta.labels.clone_from(&load.labels);
    meta
}

fn changed(load: &Load, old: &Snapshot, source: &Schema) -> Result<TableMeta, LoadError> {
    let mut meta = (*old.meta).clone();
    if let Some(wanted) = &load.partitioning
        && !alike(Some(wanted), old.meta.partitioning.as_ref())
    {
        return Err(LoadError::invalid(format!(
            "Incompatible table partitioning specification. Expects partitioning specification {}, but input partitioning specification is {}",
            said(old.meta.partitioning.as_ref()),
            said(Some(wanted)),
        )));
    }
    if !load.clustering.is_empty() && load.clustering != old.meta.clustering {
        let shown = |names: &[String]| {
            if names.is_empty() {
                "none".to_owned()
            } else {
                format!("clustering({})", names.join(","))
            }
        };
        if load.write != WriteMode::Truncate || load.partition.is_some() {
            return Err(LoadError::invalid(format!(
                "Incompatible table clustering specification. Expects clustering specification {}, but input clustering specification is {}",
                shown(&old.meta.clustering),
                shown(&load.clustering),
            )));
        }
        meta.clustering.clone_from(&load.clustering);
    }
    if load.write == WriteMode::Truncate && load.partition.is_none() {
        meta.schema = source.clone();
        return Ok(meta);
    }
    // Columns that a file promises to have are as good as those that may be missing.
    let given = match load.format {
        Format::Parquet { .. } if load.schema.is_none() => kept(&old.meta.schema, source),
        _ => source.clone(),
    };
    let allowed = Allowed {
        addition: load.allow_addition,
        relaxation: load.allow_relaxation,
        absence: true,
    };
    meta.schema = widened(&old.meta.schema, &given, allowed).map_err(|why| {
        LoadError::invalid(format!(
            "Provided Schema does not match Table {}. {why}",
            load.destination
        ))
    })?;
    Ok(meta)
}

fn kept(old: &Schema, source: &Schema) -> Schema {
    let mut given = source.clone();
    for field in &mut given.fields {
        let before = old.field(&field.name).map(|field| field.mode);
        if field.mode == Mode::Required && before != Some(Mode::Required) {
            field.mode = Mode::Nullable;
        }
    }
    given
}

/// The same but for how long partitions live.
fn alike(a: Option<&Partitioning>, b: Option<&Partitioning>) -> bool {
    match (a, b) {
        (
            Some(Partitioning::Time { unit, field, .. }),
            Some(Partitioning::Time {
                unit: other,
                field: of,
                ..
            }),
        ) => {
            let same = match (field, of) {
                (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
                (None, None) => true,
                _ => false,
            };
            unit == other && same
        }
        (a, b) => a == b,
    }
}

/// How rows are cut, as messages say it.
pub(crate) fn said(by: Option<&Partitioning>) -> String {
    match by {
        None => "none".to_owned(),
        Some(Partitioning::Time { unit, field, .. }) => {
            let unit = unit.name().to_lowercase();
            match field {
                Some(field) => format!("interval(type:{unit},field:{field})"),
                None => format!("interval(type:{unit})"),
            }
        }
        Some(Partitioning::Range { field, range }) => format!(
            "range(field:{field},start:{},end:{},interval:{})",
            range.start, range.end, range.interval
        ),
    }
}

impl Destination {
    /// Puts the rows in.
    pub(super) fn commit(
        self,
        warehouse: &Warehouse,
        load: &Load,
        files: Vec<Arc<DataFile>>,
    ) -> Result<(), LoadError> {
        let id = &load.destination;
        let Some(old) = self.old else {
            warehouse.create_table(id, self.meta, files)?;
            return Ok(());
        };
        let same = self.meta == *old.meta;
        let meta = Box::new(self.meta);
        let truncate = matches!(load.write, WriteMode::Truncate | WriteMode::TruncateData);
        let change = match (truncate, &load.partition) {
            (false, _) if same => Change::Append(files),
            (false, _) => Change::Grow(meta, files),
            (true, None) => Change::Replace(meta, files),
            (true, Some(name)) => {
                let names = HashSet::from([name.clone()]);
                if same {
                    Change::ReplacePartitions(names, files)
                } else {
                    Change::GrowPartitions(meta, names, files)
                }
            }
        };
        warehouse.commit(id, old.version, change)?;
        Ok(())
    }
}
