//! What a command changed, or would change.

use serde::{Deserialize, Serialize};
use tidemill_core::id::TaskId;
use tidemill_core::protocol::{MapIndex, NOT_MAPPED};
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::{Changed, DatePlan, TaskChange};
use utoipa::ToSchema;

use super::RunView;

/// What exactly was changed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangedView {
    /// Whether nothing was changed: this is what would be.
    pub dry_run: bool,
    /// Runs that were made.
    pub runs_made: Vec<MadeView>,
    /// The numbers of runs that were changed.
    pub runs: Vec<i64>,
    /// Task instances that were changed.
    pub tasks: Vec<TaskChangeView>,
    /// Tables that will be written again, with how: `append into crm.tickets`.
    pub writes_again: Vec<String>,
    /// Dates of a backfill.
    pub dates: Vec<DatePlanView>,
    /// Anything else worth saying.
    pub remarks: Vec<String>,
    /// How many runs a filter found beyond its limit.
    pub runs_left: u32,
}

impl ChangedView {
    /// Of what the leader says.
    pub(crate) fn of(changed: Changed, dry_run: bool) -> Self {
        let made = changed.runs_made.iter().map(|(no, name)| MadeView {
            no: no.0,
            name: name.to_string(),
        });
        Self {
            dry_run,
            runs_made: made.collect(),
            runs: changed.runs.iter().map(|run| run.0).collect(),
            tasks: changed.tasks.into_iter().map(Into::into).collect(),
            writes_again: changed
                .writes_again
                .iter()
                .map(ToString::to_string)
                .collect(),
            dates: changed.dates.into_iter().map(Into::into).collect(),
            remarks: changed.remarks,
            runs_left: changed.runs_left,
        }
    }
}

/// A run that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MadeView {
    /// Its number.
    pub no: i64,
    /// Its name.
    pub name: String,
}

/// A task instance that is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskChangeView {
    /// The number of the run.
    pub run: i64,
    /// The task.
    #[schema(value_type = String)]
    pub task: TaskId,
    /// Which instance of it.
    pub index: Option<MapIndex>,
    /// The state it had.
    #[schema(value_type = String)]
    pub from: TaskState,
    /// The state it has.
    #[schema(value_type = String)]
    pub to: TaskState,
}

impl From<TaskChange> for TaskChangeView {
    fn from(change: TaskChange) -> Self {
        let index = change.of.map_index;
        Self {
            run: change.of.run.0,
            task: change.name,
            index: (index != NOT_MAPPED).then_some(index),
            from: change.from,
            to: change.to,
        }
    }
}

/// What becomes of a date of a backfill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatePlanView {
    /// The start of what its run covers.
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// The end.
    #[schema(value_type = String, format = DateTime)]
    pub end: Timestamp,
    /// Null if a run is made, else why none is.
    pub left_out: Option<String>,
    /// The number of the run that is run again, if there is one.
    pub again: Option<i64>,
}

impl From<DatePlan> for DatePlanView {
    fn from(date: DatePlan) -> Self {
        Self {
            start: date.start,
            end: date.end,
            left_out: date.left_out.map(|why| why.to_string()),
            again: date.again.map(|run| run.0),
        }
    }
}

/// What came of a trigger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TriggeredView {
    /// The run; null for a dry run.
    pub run: Option<RunView>,
    /// What was changed, or would be.
    pub changed: ChangedView,
}
