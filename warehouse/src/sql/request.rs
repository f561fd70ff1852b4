//! What a statement is run with, and what it gave.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::RecordBatch;
use serde_json::{Value, json};

use super::error::SqlError;
use super::parameter::Parameter;
use crate::Schema;
use crate::tables::TableId;

/// A statement, or a script of several, and what it is run with.
#[derive(Debug, Clone)]
pub struct Request {
    /// The SQL.
    pub text: String,
    /// Values for parameters.
    pub parameters: Vec<Parameter>,
    /// For names without a project.
    pub project: String,
    /// For names without a dataset.
    pub default_dataset: Option<String>,
    /// Plan only.
    pub dry_run: bool,
    /// Refuse a statement that reads more.
    pub maximum_bytes_billed: Option<u64>,
    /// The present.
    pub now: DateTime<Utc>,
    /// The stamp that tables bear which the statement changes; the n-th statement of a script has `{job}_{n}`.
    pub job: Option<String>,
    /// Told what will have been done, before it is.
    pub diary: Option<Arc<dyn Diary>>,
}

impl Request {
    /// A text and nothing else.
    #[must_use]
    pub fn new(text: impl Into<String>, project: impl Into<String>, now: DateTime<Utc>) -> Self {
        Self {
            text: text.into(),
            parameters: Vec::new(),
            project: project.into(),
            default_dataset: None,
            dry_run: false,
            maximum_bytes_billed: None,
            now,
            job: None,
            diary: None,
        }
    }
}

/// What a job writes down to be done once, however often it is killed.
pub trait Diary: fmt::Debug + Send + Sync {
    /// Called the moment before something changes that will bear `stamp`, with what will have been done.
    ///
    /// # Errors
    /// It cannot be written down; nothing is changed.
    fn will(&self, stamp: &str, outcome: &Outcome) -> Result<(), SqlError>;

    /// What was written down for a stamp before a kill, if anything was, and whether anything was written down for another
    /// one after it: then it was done.
    fn did(&self, _stamp: &str) -> Option<(Outcome, bool)> {
        None
    }

    /// Writes down the n-th thing that decides which way a script takes. It counts once something is changed after it.
    ///
    /// # Errors
    /// It cannot be written down.
    fn note(&self, _number: usize, _text: Vec<u8>) -> Result<(), SqlError> {
        Ok(())
    }

    /// A statement of a script was run.
    fn ran(&self, _child: &Child) {}

    /// The n-th such thing, if the script came so far before it was killed.
    fn noted(&self, _number: usize) -> Option<Vec<u8>> {
        None
    }
}

/// What a statement gave.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The columns.
    pub schema: Schema,
    /// The rows; none of a dry run.
    pub batches: Vec<RecordBatch>,
    /// `SELECT`, `INSERT`, `CREATE_TABLE`, `SCRIPT`, as jobs have it.
    pub statement_type: &'static str,
    /// Bytes that were read, or would be.
    pub bytes_processed: u64,
    /// Rows that were changed, of a statement that changes rows.
    pub affected: Option<Affected>,
    /// What was made, changed or dropped.
    pub target: Option<Target>,
    /// What the statements of a script did.
    pub children: Vec<Child>,
}

impl Outcome {
    /// Of a statement that gives no rows.
    #[must_use]
    pub fn of(statement_type: &'static str) -> Self {
        Self {
            schema: Schema::default(),
            batches: Vec::new(),
            statement_type,
            bytes_processed: 0,
            affected: None,
            target: None,
            children: Vec::new(),
        }
    }
}

/// Statements that change something, as a note has them.
const CHANGES: [&str; 21] = [
    "INSERT",
    "UPDATE",
    "DELETE",
    "MERGE",
    "TRUNCATE_TABLE",
    "CREATE_TABLE",
    "CREATE_TABLE_AS_SELECT",
    "CREATE_VIEW",
    "CREATE_SCHEMA",
    "DROP_TABLE",
    "DROP_VIEW",
    "DROP_SCHEMA",
    "ALTER_TABLE",
    "ALTER_VIEW",
    "ALTER_SCHEMA",
    "LOAD_DATA",
    "EXPORT_DATA",
    "SELECT",
    "SCRIPT",
    "ASSERT",
    "CALL",
];

impl Outcome {
    /// What a statement that changes something did, for a diary.
    #[must_use]
    pub fn to_note(&self) -> Value {
        let affected = self
            .affected
            .map(|rows| [rows.inserted, rows.updated, rows.deleted]);
        let target = self
            .target
            .as_ref()
            .map(|target| json!({ "table": target.table, "operation": target.operation.name() }));
        json!({
            "statement": self.statement_type,
            "bytes": self.bytes_processed,
            "affected": affected,
            "target": target,
        })
    }

    /// The same read again; none if it is no such note.
    #[must_use]
    pub fn of_note(note: &Value) -> Option<Self> {
        let statement = note["statement"].as_str()?;
        let mut outcome = Self::of(CHANGES.into_iter().find(|one| *one == statement)?);
        outcome.bytes_processed = note["bytes"].as_u64()?;
        if let Some([inserted, updated, deleted]) = note["affected"].as_array().map(Vec::as_slice) {
            outcome.affected = Some(Affected {
                inserted: inserted.as_u64()?,
                updated: updated.as_u64()?,
                deleted: deleted.as_u64()?,
            });
        }
        if !note["target"].is_null() {
            let word = note["target"]["operation"].as_str()?;
            outcome.target = Some(Target {
                table: serde_json::from_value(note["target"]["table"].clone()).ok()?,
                operation: Operation::ALL.into_iter().find(|one| one.name() == word)?,
            });
        }
        Some(outcome)
    }
}

/// Rows that a statement changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Affected {
    /// That came.
    pub inserted: u64,
    /// That became others.
    pub updated: u64,
    /// That went.
    pub deleted: u64,
}

impl Affected {
    /// All of them.
    #[must_use]
    pub fn rows(self) -> u64 {
        self.inserted + self.updated + self.deleted
    }
}

/// The table or dataset that a statement was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name; that of a dataset has no table.
    pub table: TableId,
    /// What became of it.
    pub operation: Operation,
}

/// What became of a table, view or dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It was made.
    Create,
    /// It was made in the place of another.
    Replace,
    /// Nothing: it was there already, or was not there to be dropped.
    Skip,
    /// It was dropped.
    Drop,
    /// It was changed.
    Alter,
}

impl Operation {
    const ALL: [Self; 5] = [
        Self::Create,
        Self::Replace,
        Self::Skip,
        Self::Drop,
        Self::Alter,
    ];

    /// As `ddlOperationPerformed` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Replace => "REPLACE",
            Self::Skip => "SKIP",
            Self::Drop => "DROP",
            Self::Alter => "ALTER",
        }
    }
}

/// A statement of a script that was run.
#[derive(Debug, Clone)]
pub struct Child {
    /// Counts from 1 in the order in which they were run.
    pub number: usize,
    /// Its text.
    pub text: String,
    /// Where it begins and ends: lines and columns from 1.
    pub place: ((u64, u64), (u64, u64)),
    /// What it gave.
    pub result: Result<Outcome, SqlError>,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ended.
    pub ended: DateTime<Utc>,
}
