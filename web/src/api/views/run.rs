//! Runs, and what they loaded.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::id::DagId;
use tidemill_core::protocol::RunNo;
use tidemill_core::state::{RunState, RunType};
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;
use tidemill_store::history::Named;
use tidemill_store::record::{LoadRow, RunRow};
use utoipa::ToSchema;

use super::{TouchView, json, text};

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunView {
    /// Its number, over all DAGs.
    pub no: i64,
    /// The DAG.
    #[schema(value_type = String)]
    pub dag: DagId,
    /// Its name within the DAG.
    pub name: String,
    /// How it came about: `scheduled`, `manual`, `backfill`, `asset`.
    #[schema(value_type = String)]
    pub kind: RunType,
    /// Where it stands: `queued`, `running`, `success`, `failed`, `cancelled`.
    #[schema(value_type = String)]
    pub state: RunState,
    /// The version that it runs.
    #[schema(value_type = String)]
    pub version: Version,
    /// The start of what it covers.
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// Its end.
    #[schema(value_type = String, format = DateTime)]
    pub end: Timestamp,
    /// When it was due.
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it began; anew after it was cleared.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Its params, complete.
    pub params: Value,
    /// The number of the backfill that it belongs to.
    pub backfill: Option<i64>,
    /// Whether nothing of it starts.
    pub paused: bool,
    /// Added to the priority of its tasks.
    pub priority: i32,
    /// The pool that its tasks use instead of their own.
    pub pool: Option<String>,
    /// The state it will end in although its tasks would say otherwise, while its teardowns still run.
    #[schema(value_type = Option<String>)]
    pub ending: Option<RunState>,
    /// Why it cannot be evaluated; nothing more happens to it until a person acts.
    pub quarantine: Option<String>,
    /// Why it ended as it did, where the tasks do not say it.
    pub why: Option<String>,
    /// What a person wrote.
    pub note: Option<String>,
    /// Grows with every end and every change by a person; the `ETag`.
    pub edits: u32,
    /// The last change by a person.
    pub touched: Option<TouchView>,
}

impl From<&RunRow> for RunView {
    fn from(run: &RunRow) -> Self {
        Self {
            no: run.id.0,
            dag: run.dag.clone(),
            name: run.name.to_string(),
            kind: run.kind,
            state: run.state,
            version: run.version.clone(),
            start: run.start,
            end: run.end,
            due_at: run.due_at,
            created_at: run.created_at,
            started_at: run.started_at,
            ended_at: run.ended_at,
            params: json(&run.params),
            backfill: run.backfill,
            paused: run.paused,
            priority: run.priority,
            pool: text(&run.pool),
            ending: run.ending,
            quarantine: text(&run.quarantine),
            why: text(&run.why),
            note: text(&run.note),
            edits: run.edits,
            touched: run.touched.as_ref().map(Into::into),
        }
    }
}

impl RunView {
    /// As the database has it.
    #[must_use]
    pub fn row(self) -> RunRow {
        RunRow {
            id: RunNo(self.no),
            dag: self.dag,
            name: self.name.into(),
            kind: self.kind,
            state: self.state,
            version: self.version,
            start: self.start,
            end: self.end,
            due_at: self.due_at,
            created_at: self.created_at,
            started_at: self.started_at,
            ended_at: self.ended_at,
            params: self.params.to_string().into(),
            backfill: self.backfill,
            paused: self.paused,
            priority: self.priority,
            pool: self.pool.map(Into::into),
            ending: self.ending,
            quarantine: self.quarantine.map(Into::into),
            why: self.why.map(Into::into),
            note: self.note.map(Into::into),
            edits: self.edits,
            touched: self.touched.map(Into::into),
        }
    }
}

/// What an attempt loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LoadView {
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
    /// Which of the attempt's loads, from 0.
    pub nth: u32,
    /// What was loaded: sources, destination, rows, bytes, job, times.
    pub load: Value,
}

impl From<Named<LoadRow>> for LoadView {
    fn from(named: Named<LoadRow>) -> Self {
        let row = named.row;
        Self {
            dag: row.dag,
            run: row.of.run.0,
            run_name: named.run,
            task: named.task.map(|task| task.to_string()),
            index: row.of.map_index,
            attempt: row.attempt.0,
            nth: row.nth,
            load: serde_json::to_value(row.load).unwrap_or_default(),
        }
    }
}
