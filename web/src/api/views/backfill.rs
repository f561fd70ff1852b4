//! Backfills.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::id::DagId;
use tidemill_core::protocol::RunNo;
use tidemill_core::time::Timestamp;
use tidemill_store::record::{BackfillDateRow, BackfillRow, BackfillState, DateState, Reprocess};
use utoipa::ToSchema;

use super::{TouchView, json};

/// A backfill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BackfillView {
    /// Its number.
    pub no: i64,
    /// The DAG.
    #[schema(value_type = String)]
    pub dag: DagId,
    /// The first start that it covers.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The last.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// What happens to dates that have a run: `none`, `failed`, `completed` run again.
    #[schema(value_type = String)]
    pub reprocess: Reprocess,
    /// How many of its runs are active at once.
    pub active_runs_max: u32,
    /// The params of its runs.
    pub params: Value,
    /// Where it stands: `active`, `paused`, `done`, `cancelled`.
    pub state: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Grows with every change by a person; the `ETag`.
    pub edits: u32,
    /// The last change by a person.
    pub touched: Option<TouchView>,
}

impl From<&BackfillRow> for BackfillView {
    fn from(row: &BackfillRow) -> Self {
        Self {
            no: row.id,
            dag: row.dag.clone(),
            from: row.from,
            to: row.to,
            reprocess: row.reprocess,
            active_runs_max: row.active_runs_max,
            params: json(&row.params),
            state: row.state.word().to_owned(),
            created_at: row.created_at,
            edits: row.edits,
            touched: row.touched.as_ref().map(Into::into),
        }
    }
}

impl BackfillView {
    /// As the database has it; none if its state is not known here.
    #[must_use]
    pub fn row(self) -> Option<BackfillRow> {
        let state: BackfillState = self.state.parse().ok()?;
        Some(BackfillRow {
            id: self.no,
            dag: self.dag,
            from: self.from,
            to: self.to,
            reprocess: self.reprocess,
            active_runs_max: self.active_runs_max,
            params: self.params.to_string().into(),
            state,
            created_at: self.created_at,
            edits: self.edits,
            touched: self.touched.map(Into::into),
        })
    }
}

/// A date of a backfill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DateView {
    /// Its place in the order in which runs are made, from 0.
    pub nth: u32,
    /// The start of what its run covers.
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// Its end.
    #[schema(value_type = String, format = DateTime)]
    pub end: Timestamp,
    /// Where it stands: `waiting`, `made`, `left_out`.
    pub state: String,
    /// The number of its run; of one that waits, the run that is to be run again.
    pub run: Option<i64>,
    /// Why it has none.
    pub left_out: Option<String>,
}

impl From<&BackfillDateRow> for DateView {
    fn from(row: &BackfillDateRow) -> Self {
        let (state, run, left_out) = match &row.state {
            DateState::Waiting(again) => ("waiting", *again, None),
            DateState::Made(run) => ("made", Some(*run), None),
            DateState::LeftOut(why) => ("left_out", None, Some(why.to_string())),
        };
        Self {
            nth: row.nth,
            start: row.start,
            end: row.end,
            state: state.to_owned(),
            run: run.map(|run| run.0),
            left_out,
        }
    }
}

impl DateView {
    /// As the database has it, of this backfill.
    #[must_use]
    pub fn row(self, backfill: i64) -> BackfillDateRow {
        let run = self.run.map(RunNo);
        BackfillDateRow {
            backfill,
            nth: self.nth,
            start: self.start,
            end: self.end,
            state: match (self.state.as_str(), run) {
                ("made", Some(run)) => DateState::Made(run),
                ("waiting", run) => DateState::Waiting(run),
                _ => DateState::LeftOut(self.left_out.unwrap_or_default().into()),
            },
        }
    }
}
