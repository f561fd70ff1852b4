//! What came of checks, and what was loaded on a day.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::id::DagId;
use tidemill_core::time::Timestamp;
use tidemill_store::history::{CheckHead, CheckMark, LoadDay, Named};
use tidemill_store::record::CheckRow;
use utoipa::ToSchema;

/// What came of a check that an attempt made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CheckResultView {
    /// The DAG.
    #[schema(value_type = String)]
    pub dag: DagId,
    /// The number of the run.
    pub run: i64,
    /// The name of the run; null if it was cleaned away.
    pub run_name: Option<String>,
    /// The task; null likewise.
    pub task: Option<String>,
    /// Which instance of a mapped task; -1 of others.
    pub index: i32,
    /// The number of the attempt, over all tasks.
    pub attempt: i64,
    /// Which of the attempt's checks, from 0.
    pub nth: u32,
    /// What came of it: name, table, status, numbers, sample, statements.
    pub result: Value,
}

impl From<Named<CheckRow>> for CheckResultView {
    fn from(named: Named<CheckRow>) -> Self {
        let row = named.row;
        Self {
            dag: row.dag,
            run: row.of.run.0,
            run_name: named.run,
            task: named.task.map(|task| task.to_string()),
            index: row.of.map_index,
            attempt: row.attempt.0,
            nth: row.nth,
            result: serde_json::to_value(row.result).unwrap_or_default(),
        }
    }
}

/// A check, and what came of it lately.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CheckHeadView {
    /// The DAG whose task makes it.
    #[schema(value_type = String)]
    pub dag: DagId,
    /// The table.
    pub table: String,
    /// What it is called.
    pub name: String,
    /// Its last results, the newest first.
    pub last: Vec<CheckMarkView>,
}

impl From<CheckHead> for CheckHeadView {
    fn from(head: CheckHead) -> Self {
        Self {
            dag: head.dag,
            table: head.table,
            name: head.name,
            last: head.last.into_iter().map(Into::into).collect(),
        }
    }
}

/// One result of a check, in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CheckMarkView {
    /// When the data was looked at.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What kind of check it was.
    pub kind: String,
    /// `warn` or `error`.
    pub severity: String,
    /// Whether its task fails with it.
    pub blocking: bool,
    /// `passed`, `warned`, `failed`, or `error` if it could not be checked.
    pub status: String,
    /// Rows that were looked at.
    pub rows_checked: Option<i64>,
    /// Rows that failed.
    pub rows_failed: Option<i64>,
    /// The number of the attempt.
    pub attempt: i64,
    /// Which of the attempt's checks.
    pub nth: u32,
}

impl From<CheckMark> for CheckMarkView {
    fn from(mark: CheckMark) -> Self {
        Self {
            at: mark.at,
            kind: mark.kind,
            severity: mark.severity,
            blocking: mark.blocking,
            status: mark.status,
            rows_checked: mark.rows_checked,
            rows_failed: mark.rows_failed,
            attempt: mark.attempt.0,
            nth: mark.nth,
        }
    }
}

/// What was loaded on a day of UTC, with one status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoadDayView {
    /// The day.
    #[schema(value_type = String, format = DateTime)]
    pub day: Timestamp,
    /// `success`, `failed`.
    pub status: String,
    /// How many loads.
    pub loads: i64,
    /// How many rows they loaded.
    pub rows: i64,
    /// How many bytes were read.
    pub bytes: i64,
    /// How many microseconds they took, all together.
    pub took_micros: i64,
}

impl From<LoadDay> for LoadDayView {
    fn from(day: LoadDay) -> Self {
        Self {
            day: Timestamp::from_micros(day.day.saturating_mul(86_400_000_000)),
            status: day.status,
            loads: day.loads,
            rows: day.rows,
            bytes: day.bytes,
            took_micros: day.took,
        }
    }
}
