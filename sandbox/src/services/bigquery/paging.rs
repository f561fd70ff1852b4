//! Pages of lists and of rows.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tidemill_warehouse::Schema;
use tidemill_warehouse::rows::{CellText, page, shown_rows};
use tidemill_warehouse::tables::{Snapshot, TableError};

use super::json::asked;
use crate::call::{Call, Refusal};

/// Rows of a page, if nobody asks for fewer.
const ROWS: usize = 50_000;
/// A page ends when its rows have so many bytes of JSON.
const BYTES: usize = 10 << 20;
/// Rows that are read at once.
const CHUNK: usize = 4_096;

/// The page of a list that `maxResults` and `pageToken` ask for, and the token of the next.
pub(super) fn listed<T>(call: &Call, all: Vec<T>) -> Result<(Vec<T>, Option<String>), Refusal> {
    let length = match call.parsed::<usize>("maxResults")? {
        None | Some(0) => 50,
        Some(length) => length.min(1_000),
    };
    let from = match call.query("pageToken") {
        None | Some("") => 0,
        Some(token) => at(token)?,
    };
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    let next = from
        .checked_add(length)
        .filter(|next| *next < all.len())
        .map(|next| token(next as u64));
    Ok((all.into_iter().skip(from).take(length).collect(), next))
}

/// What a client gives back for the page that begins at `index`.
pub(super) fn token(index: u64) -> String {
    format!("P{index:x}")
}

fn at(token: &str) -> Result<u64, Refusal> {
    token
        .strip_prefix('P')
        .and_then(|index| u64::from_str_radix(index, 16).ok())
        .ok_or_else(|| Refusal::invalid(format!("Invalid page token: {token:?}")))
}

/// Which rows are asked for, and how they are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) from: u64,
    /// The version of the table that the pages before were of.
    pub(super) version: Option<u64>,
    pub(super) most: usize,
    pub(super) how: CellText,
}

impl Wanted {
    /// `startIndex`, `pageToken`, `maxResults`, `formatOptions.useInt64Timestamp`.
    pub(super) fn of(call: &Call) -> Result<Self, Refusal> {
        let (from, version) = match call.query("pageToken") {
            None | Some("") => (call.parsed("startIndex")?.unwrap_or(0), None),
            Some(token) => {
                let (index, version) = token.split_once('.').unwrap_or((token, ""));
                let version = u64::from_str_radix(version, 16)
                    .map_err(|_| Refusal::invalid(format!("Invalid page token: {token:?}")))?;
                (at(index)?, Some(version))
            }
        };
        let most = call
            .parsed::<usize>("maxResults")?
            .unwrap_or(ROWS)
            .min(ROWS);
        let micros = asked(call, "formatOptions.useInt64Timestamp")?.unwrap_or(false);
        let how = match call.query("formatOptions.timestampOutputFormat") {
            None | Some("" | "TIMESTAMP_OUTPUT_FORMAT_UNSPECIFIED") if micros => {
                CellText::RestMicros
            }
            None | Some("" | "TIMESTAMP_OUTPUT_FORMAT_UNSPECIFIED" | "FLOAT64") => CellText::Rest,
            Some("INT64") => CellText::RestMicros,
            Some(other) => {
                return Err(Refusal::unsupported(&format!(
                    "the timestampOutputFormat {other}"
                )));
            }
        };
        Ok(Self {
            from,
            version,
            most,
            how,
        })
    }

    /// The first page.
    pub(super) fn first(most: Option<usize>, micros: bool) -> Self {
        Self {
            from: 0,
            version: None,
            most: most.unwrap_or(ROWS).min(ROWS),
            how: if micros {
                CellText::RestMicros
            } else {
                CellText::Rest
            },
        }
    }
}

/// Rows of a table as REST has them, and the token of those behind them. It waits for the disk.
pub(super) fn rows(
    table: &Snapshot,
    schema: &Schema,
    wanted: Wanted,
) -> Result<(Vec<Value>, Option<String>), TableError> {
    let mut found = Vec::new();
    let (mut at, mut bytes) = (wanted.from, 0);
    while found.len() < wanted.most && bytes < BYTES {
        let batches = page(table, schema, at, (wanted.most - found.len()).min(CHUNK))?;
        if batches.is_empty() {
            break;
        }
        for batch in &batches {
            at += batch.num_rows() as u64;
            bytes += batch.get_array_memory_size();
            found.extend(shown_rows(schema, batch, wanted.how));
        }
    }
    let next = (at < table.rows()).then(|| format!("{}.{:x}", token(at), table.version));
    Ok((found, next))
}

/// Tables of which pages were read and more are to come: a page that follows is of the same moment.
#[derive(Default)]
pub(super) struct Moments {
    kept: Mutex<VecDeque<Snapshot>>,
}

/// Moments that are kept; the oldest gives way.
const MOMENTS: usize = 64;

impl Moments {
    /// The table as it was when its first page was read.
    pub(super) fn of(&self, now: Snapshot, wanted: Wanted) -> Result<Snapshot, Refusal> {
        let Some(version) = wanted.version.filter(|version| *version != now.version) else {
            return Ok(now);
        };
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .find(|table| table.version == version && table.id == now.id)
            .cloned()
            .ok_or_else(|| {
                Refusal::invalid(format!(
                    "Invalid page token: {} changed too long ago; begin with the first page",
                    now.id
                ))
            })
    }

    /// More pages are to come.
    pub(super) fn keep(&self, table: &Snapshot) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| one.version != table.version || one.id != table.id);
        kept.push_back(table.clone());
        if kept.len() > MOMENTS {
            kept.pop_front();
        }
    }
}
