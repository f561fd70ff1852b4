//! What pages draw of a DAG and of a run, as data.

use serde::{Deserialize, Serialize};
use tidemill_core::time::Timestamp;
use utoipa::ToSchema;

use super::RunView;

/// A run, and where its tasks stand: a column of the grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ColumnView {
    /// The run.
    pub run: RunView,
    /// Its tasks.
    pub tasks: Vec<CellView>,
}

/// A task in a run, or the instances of a mapped task that are in one state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CellView {
    /// The task.
    pub task: String,
    /// Whether these are instances of a mapped task; else it is the task as a whole.
    pub instances: bool,
    /// Where they stand.
    pub state: String,
    /// How many there are.
    pub count: u32,
    /// When the first of them began.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When the last of them came into this state.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

/// A run over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimelineView {
    /// Where it begins.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Where it ends; now, for a run that has not.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// The tasks that decided when the run ended, the first one first.
    pub critical: Vec<String>,
    /// What each task did, by name.
    pub tasks: Vec<CourseView>,
}

/// A task over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CourseView {
    /// The task.
    pub task: String,
    /// What it did, in turn.
    pub spans: Vec<SpanView>,
}

/// What a task did for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SpanView {
    /// What: `ran`, or that it waited: for a `place`, for a worker to `begin`, for a `retry`, for something `outside`.
    pub doing: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// What exactly, for people.
    pub says: String,
}

/// A day of a DAG.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DayView {
    /// The day of the starts of its runs, in UTC: `2025-01-31`.
    pub day: String,
    /// Its runs by state, the worst first.
    pub runs: Vec<DayCountView>,
    /// How many runs are planned; null for none, or if only `more` is known.
    pub planned: Option<u32>,
    /// Whether runs are planned that were not counted one by one.
    pub more: bool,
}

/// Runs of a day in one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DayCountView {
    /// The state.
    pub state: String,
    /// How many.
    pub count: u32,
}

/// How long the last runs of a DAG took, and its tasks in them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DurationsView {
    /// How many runs were looked at.
    pub runs: usize,
    /// How many of them failed.
    pub failed: usize,
    /// The median of those that were well, in seconds.
    pub median_seconds: Option<f64>,
    /// What 95 of 100 of those did not exceed, in seconds.
    pub most_seconds: Option<f64>,
    /// The newer half against the older: 0 for steady, so many per cent slower, below 0 faster; null if there are too few.
    pub trend_percent: Option<i64>,
    /// Over how many runs tasks were looked at.
    pub task_runs: usize,
    /// Its tasks, the slowest first.
    pub tasks: Vec<TaskTimesView>,
}

/// A task over the last runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskTimesView {
    /// The task.
    pub task: String,
    /// How many runs it was well in.
    pub runs: usize,
    /// How many it failed in.
    pub failed: usize,
    /// The median of those in which it was well, in seconds.
    pub median_seconds: Option<f64>,
    /// What 95 of 100 of those did not exceed, in seconds.
    pub most_seconds: Option<f64>,
    /// As of the DAG.
    pub trend_percent: Option<i64>,
    /// The median of what it waited from when everything before it was done until it began, in seconds.
    pub waited_seconds: Option<f64>,
}

/// A run that a timetable will make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedView {
    /// The start of what it will cover.
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// Its end, which is not in it.
    #[schema(value_type = String, format = DateTime)]
    pub end: Timestamp,
    /// When it is made at the earliest.
    #[schema(value_type = String, format = DateTime)]
    pub run_after: Timestamp,
}

/// What was found by a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchView {
    /// DAGs with the text in their name.
    pub dags: Vec<String>,
    /// Runs whose name begins with it, the newest first.
    pub runs: Vec<RunHeadView>,
}

/// A run in few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunHeadView {
    /// The DAG.
    pub dag: String,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: String,
    /// The start of what it covers.
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
}
