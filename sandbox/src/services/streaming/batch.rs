//! A batch of messages: making it ready, and writing it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidemill_warehouse::Schema;
use tidemill_warehouse::rows::{Cell, JsonRules, RowsBuilder, row_of_json};
use tidemill_warehouse::tables::{
    Change, DataFile, Snapshot, TableError, TableId, Target, Warehouse,
};

use super::spec::Spec;
use super::{StreamError, dead};
use crate::jobs::Beside;
use crate::services::Taken;
use crate::services::storage::Storage;

/// A batch that is written down before anything of it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Batch {
    pub(super) number: u64,
    /// From and to, as most of them follow each other.
    ranges: Vec<(u64, u64)>,
    pub(super) spec: Spec,
    /// All of it is where it goes; only its messages may be left.
    #[serde(default)]
    pub(super) written: bool,
}

impl Batch {
    pub(super) fn of(number: u64, messages: &[Taken], spec: &Spec) -> Self {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for message in messages {
            match ranges.last_mut() {
                Some((_, to)) if *to + 1 == message.number => *to = message.number,
                _ => ranges.push((message.number, message.number)),
            }
        }
        Self {
            number,
            ranges,
            spec: spec.clone(),
            written: false,
        }
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        self.ranges
            .iter()
            .flat_map(|(from, to)| *from..=*to)
            .collect()
    }

    /// What a table bears that has its rows.
    pub(super) fn stamp(&self) -> String {
        format!("stream/{}/{}", self.spec.subscription, self.number)
    }
}

/// Rows for one table, in files that nobody names yet.
struct Rows {
    table: TableId,
    version: u64,
    files: Vec<Arc<DataFile>>,
    count: u64,
}

/// A batch that only has to be written.
pub(super) struct Ready {
    stamp: String,
    tables: Vec<Rows>,
    objects: BTreeMap<String, Vec<u8>>,
    pub(super) elements: u64,
    pub(super) bytes: u64,
    pub(super) rows: u64,
    pub(super) dead: u64,
    pub(super) effects: Vec<String>,
}

/// Makes a batch ready: finds out what fits and what does not. Nothing can be seen of it yet. `again`: it was ready before, and
/// what is gone since does not hold it up.
pub(super) fn ready(
    beside: &Beside,
    batch: &Batch,
    messages: &[Taken],
    again: bool,
) -> Result<Ready, StreamError> {
    let (spec, warehouse) = (&batch.spec, beside.bigquery.warehouse());
    let mut ready = Ready {
        stamp: batch.stamp(),
        tables: Vec::new(),
        objects: BTreeMap::new(),
        elements: messages.len() as u64,
        bytes: messages.iter().map(|one| one.data.len() as u64).sum(),
        rows: 0,
        dead: 0,
        effects: Vec::new(),
    };
    let mut letters: Vec<(&Taken, String)> = Vec::new();
    let mut routed: BTreeMap<TableId, Vec<Routed<'_>>> = BTreeMap::new();
    for message in messages {
        let row = serde_json::from_slice::<Map<String, Value>>(&message.data);
        if let Some(uri) = spec.object(message, row.as_ref().ok(), batch.number) {
            let content = ready.objects.entry(uri).or_default();
            content.extend_from_slice(&message.data);
            content.push(b'\n');
        }
        if !spec.tabled() {
            continue;
        }
        let row = row.map_err(|error| format!("Failed to parse the message as JSON: {error}"));
        match row.and_then(|row| Ok((spec.table(message, &row)?, row))) {
            Ok((table, row)) => routed.entry(table).or_default().push((message, row)),
            Err(why) => letters.push((message, why)),
        }
    }
    for (table, rows) in routed {
        let snapshot = match warehouse.table(&table) {
            Ok(snapshot) if snapshot.meta.view.is_none() => snapshot,
            Ok(_) | Err(TableError::NoTable(_) | TableError::NoDataset(_)) if again => {
                let why = format!("{table} was there and is gone");
                letters.extend(rows.into_iter().map(|(message, _)| (message, why.clone())));
                continue;
            }
            Ok(_) | Err(TableError::NoTable(_) | TableError::NoDataset(_)) => {
                return Err(StreamError::NoTable(table));
            }
            Err(error) => return Err(error.into()),
        };
        let (rows, bad) = fitting(warehouse, &snapshot, rows, spec.ignore_unknown)?;
        letters.extend(bad);
        ready.rows += rows.count;
        ready.tables.push(rows);
    }
    ready.bury(beside, spec, &letters)?;
    Ok(ready)
}

fn cells(schema: &Schema, row: &Map<String, Value>, ignore: bool) -> Result<Vec<Cell>, String> {
    let rules = JsonRules {
        ignore_unknown: ignore,
        json_as_text: true,
    };
    row_of_json(schema, row, rules).map_err(|wrong| wrong.insert_message())
}

/// A message and its JSON.
type Routed<'a> = (&'a Taken, Map<String, Value>);

type Letters<'a> = Vec<(&'a Taken, String)>;

/// The rows that fit a table, and those that do not.
fn fitting<'a>(
    warehouse: &Warehouse,
    table: &Snapshot,
    rows: Vec<Routed<'a>>,
    ignore: bool,
) -> Result<(Rows, Letters<'a>), StreamError> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (message, row) in rows {
        match cells(&table.meta.schema, &row, ignore) {
            Ok(cells) => good.push((message, cells)),
            Err(why) => bad.push((message, why)),
        }
    }
    let all = |rows: &[(&Taken, Vec<Cell>)]| -> Vec<Vec<Cell>> {
        rows.iter().map(|(_, cells)| cells.clone()).collect()
    };
    let files = match written(warehouse, table, &all(&good)) {
        Err(TableError::Invalid(_)) => {
            // One of them is too long or has no partition: each is tried by itself.
            let mut left = Vec::new();
            for (message, cells) in good {
                match written(warehouse, table, std::slice::from_ref(&cells)) {
                    Ok(_) => left.push((message, cells)),
                    Err(TableError::Invalid(why)) => bad.push((message, why)),
                    Err(error) => return Err(error.into()),
                }
            }
            good = left;
            written(warehouse, table, &all(&good))?
        }
        other => other?,
    };
    let rows = Rows {
        table: table.id.clone(),
        version: table.version,
        files,
        count: good.len() as u64,
    };
    Ok((rows, bad))
}

/// Rows in files that go by themselves if nobody commits them.
fn written(
    warehouse: &Warehouse,
    table: &Snapshot,
    cells: &[Vec<Cell>],
) -> Result<Vec<Arc<DataFile>>, TableError> {
    if cells.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = RowsBuilder::new(&table.meta.schema);
    cells.iter().for_each(|row| rows.push(row));
    let batch = rows
        .batch()
        .map_err(|error| TableError::Invalid(error.to_string()))?;
    let mut writer = warehouse.writer(&table.id, &table.meta, Target::Rows)?;
    writer.write(&batch)?;
    writer.finish()
}

impl Ready {
    /// Makes dead letters of what does not fit.
    fn bury(
        &mut self,
        beside: &Beside,
        spec: &Spec,
        letters: &[(&Taken, String)],
    ) -> Result<(), StreamError> {
        if letters.is_empty() {
            return Ok(());
        }
        let warehouse = beside.bigquery.warehouse();
        self.dead = letters.len() as u64;
        let id = spec.dead().map_err(|error| StreamError::Storage(error.0))?;
        dead::ensure(warehouse, &id)?;
        let snapshot = warehouse.table(&id)?;
        let rows: Vec<Vec<Cell>> = letters
            .iter()
            .map(|(message, why)| cells(&snapshot.meta.schema, &dead::row(message, why), true))
            .collect::<Result<_, _>>()
            .map_err(|why| StreamError::Storage(format!("dead letters do not fit {id}: {why}")))?;
        let files = written(warehouse, &snapshot, &rows)?;
        self.tables.push(Rows {
            table: id,
            version: snapshot.version,
            files,
            count: self.dead,
        });
        Ok(())
    }

    pub(super) fn files(&self) -> u64 {
        self.objects.len() as u64
    }

    /// Writes the objects; those of a batch that is done again are written over.
    pub(super) fn write_objects(
        &mut self,
        beside: &Beside,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), StreamError> {
        for (uri, content) in &self.objects {
            let place = Storage::place(uri).map_err(|error| StreamError::Storage(error.message))?;
            let scratch = beside.storage.scratch();
            fs::write(&scratch.0, content)?;
            let (_, effect) = beside
                .storage
                .adopt(&place, &scratch.0, "text/plain", now)
                .map_err(|error| StreamError::Storage(format!("{uri}: {}", error.message)))?;
            self.effects.push(effect);
        }
        Ok(())
    }

    /// Changes the tables that do not bear the stamp.
    pub(super) fn write_tables(&mut self, warehouse: &Warehouse) -> Result<(), StreamError> {
        let bearing = warehouse.bearing(&self.stamp);
        let stamped = warehouse.stamped(&self.stamp);
        for rows in std::mem::take(&mut self.tables) {
            if rows.files.is_empty() || bearing.contains(&rows.table) {
                continue;
            }
            stamped.commit(&rows.table, rows.version, Change::Append(rows.files))?;
            self.effects
                .push(format!("table {} has {} more rows", rows.table, rows.count));
            if let Err(error) = warehouse.compact(&rows.table) {
                tracing::warn!("small files of {} stay as they are: {error}", rows.table);
            }
        }
        Ok(())
    }
}
