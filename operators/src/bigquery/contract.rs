//! The contract of a load: declared columns, files and table are compared before anything is loaded.

use tidemill_core::operator::{TaskError, TaskResult};
use tidemill_core::spec::WriteMode;

use super::footer::{TAIL, columns, comparable, length};
use super::load::Format;
use super::loading::Loading;
use super::schema::{Allowed, Column, drift};
use super::staging::Files;
use super::storage_of;
use crate::storage::{GcsObject, Storage};

/// The end of a file in which most footers are whole.
const END: u64 = 64 << 10;
/// A longer footer is not looked at.
const END_MAX: u64 = 8 << 20;

impl Loading<'_> {
    /// Compares the columns that were declared, those of the files and those of the table, and names each that differs.
    pub(super) async fn check_columns(&self, files: &Files) -> TaskResult<()> {
        let declared = self.declared().await?;
        let replaced = self.of.into.mode == WriteMode::Truncate;
        let table = match self.bq.table(&self.table).await? {
            Some(table) if !replaced => Some(table.columns()),
            _ => None,
        };
        let allowed = Allowed {
            new_columns: self.of.allow_new_columns,
            nulls: self.of.allow_nulls,
        };
        if let (Some(declared), Some(table)) = (&declared, &table) {
            let lines = drift(declared, table, allowed);
            self.same(&lines, "the columns that are declared")?;
        }
        let Some(wanted) = declared
            .or(table)
            .filter(|_| self.of.format == Format::Parquet)
        else {
            return Ok(());
        };
        let storage = storage_of(self.ctx, &self.of.connection).await?;
        let newest = files.objects.iter().max_by_key(|object| object.updated);
        let mut looked_at: Vec<&GcsObject> =
            files.objects.first().into_iter().chain(newest).collect();
        looked_at.dedup_by(|a, b| a.uri == b.uri);
        // A merge writes NULL where a file has no column, and says itself what it cannot.
        let allowed = Allowed {
            nulls: allowed.nulls || self.of.keys().is_some(),
            ..allowed
        };
        for object in looked_at {
            let Some(found) = read(&storage, object).await? else {
                self.ctx.warn(format!(
                    "{}: its columns cannot be read before the load",
                    object.uri
                ));
                continue;
            };
            let lines = drift(&comparable(found, &wanted), &wanted, allowed);
            self.same(&lines, &format!("the columns of {}", object.uri))?;
        }
        Ok(())
    }

    fn same(&self, lines: &[String], what: &str) -> TaskResult<()> {
        if lines.is_empty() {
            return Ok(());
        }
        Err(TaskError::data(format!(
            "{what} are not those of {}:\n  {}",
            self.table,
            lines.join("\n  ")
        ))
        .help("change one of both; `.allow_new_columns()` and `.allow_nulls()` let the load change the table"))
    }
}

/// The columns of a Parquet file; none if it is not understood.
async fn read(storage: &Storage, object: &GcsObject) -> TaskResult<Option<Vec<Column>>> {
    let end = storage.end_of(object, END).await?;
    let Some(needed) = length(&end).map(|length| (length + TAIL) as u64) else {
        return Ok(None);
    };
    if needed <= end.len() as u64 {
        return Ok(columns(&end));
    }
    if needed > END_MAX.min(object.size) {
        return Ok(None);
    }
    Ok(columns(&storage.end_of(object, needed).await?))
}
