//! Rows that are there already, such as those of a query, under the rules of a load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::arrow::array::RecordBatch;

use super::destination::{destination, existing};
use super::error::LoadError;
use super::{Load, Loaded};
use crate::rows::fitted;
use crate::schema::{Mode, Schema};
use crate::tables::Warehouse;

/// Writes rows of these columns where a load would write them: with its dispositions, its partition and what it allows the
/// schema. Nothing is read from the load's source. `before` is told what it will have done.
///
/// # Errors
/// Nothing was changed.
pub fn write_rows(
    warehouse: &Warehouse,
    load: &Load,
    (schema, batches): (&Schema, &[RecordBatch]),
    stop: &AtomicBool,
    before: impl FnOnce(&Loaded) -> Result<(), LoadError>,
) -> Result<Loaded, LoadError> {
    let old = existing(warehouse, load)?;
    // What a query gives may always be missing.
    let mut source = schema.clone();
    for field in &mut source.fields {
        let before = old
            .as_ref()
            .and_then(|old| old.meta.schema.field(&field.name));
        match (field.mode, before.map(|field| field.mode)) {
            (Mode::Nullable, Some(Mode::Required)) => field.mode = Mode::Required,
            (Mode::Required, before) if before != Some(Mode::Required) => {
                field.mode = Mode::Nullable;
            }
            _ => {}
        }
    }
    let destination = destination(load, old, &source)?;
    let mut writer = warehouse.writer(&load.destination, &destination.meta, destination.target)?;
    let mut loose = destination.meta.schema.clone();
    for field in &mut loose.fields {
        if field.mode == Mode::Required {
            field.mode = Mode::Nullable;
        }
    }
    let arrow = Arc::new(loose.to_arrow());
    for batch in batches {
        if stop.load(Ordering::SeqCst) {
            return Err(LoadError::stopped());
        }
        let batch =
            fitted(batch, &loose, &arrow).map_err(|error| LoadError::invalid(error.to_string()))?;
        writer.write(&batch)?;
    }
    let files = writer.finish()?;
    let done = Loaded {
        output_rows: files.iter().map(|file| file.rows).sum(),
        output_bytes: files.iter().map(|file| file.logical_bytes()).sum(),
        ..Loaded::default()
    };
    if stop.load(Ordering::SeqCst) {
        return Err(LoadError::stopped());
    }
    before(&done)?;
    destination.commit(warehouse, load, files)?;
    Ok(done)
}
