//! What the API gives: the same types write its answers, describe them in its document, and read them at the other end.

mod backfill;
mod cause;
mod changed;
mod dag;
mod fleet;
mod kept;
mod log;
mod monitor;
mod past;
mod run;
mod sealed;
mod task;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::time::Timestamp;
use tidemill_store::record::{AuditRow, Touch};
use utoipa::ToSchema;

pub use backfill::{BackfillView, DateView};
pub use cause::{CauseCardView, CauseLinkView, CauseView, meaning_of};
pub use changed::{ChangedView, DatePlanView, MadeView, TaskChangeView, TriggeredView};
pub use dag::{DagView, VersionView};
pub use fleet::{FleetView, PoolHolderView, PoolView, WaitingView, WorkerView};
pub use kept::{
    AlertView, CheckView, GrantView, SettingView, SettingsView, StepView, TokenView, UserMadeView,
    UserView,
};
pub use log::{FoundView, LogLineView, LogView};
pub use monitor::{CheckHeadView, CheckMarkView, CheckResultView, LoadDayView};
pub use past::{
    CellView, ColumnView, CourseView, DayCountView, DayView, DurationsView, PlannedView,
    RunHeadView, SearchView, SpanView, TaskTimesView, TimelineView,
};
pub use run::{LoadView, RunView};
pub use sealed::{ConnectionView, RevealedView, VariableView};
pub use task::{AttemptView, GateView, HolderView, InstancesView, OutputView, TaskView, WhyView};

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Items<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The `cursor` of the next page; null if this is the last.
    pub next: Option<String>,
}

/// Why a request was not answered as wished: RFC 9457.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProblemView {
    /// What kind of problem it is; the page of the API explains each.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status.
    pub status: u16,
    /// The status in words.
    pub title: String,
    /// What exactly, for people.
    pub detail: String,
    /// What is wrong with which field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldErrorView>,
    /// The line of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldErrorView {
    /// The field: of a body, of a query, or a header.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

/// Who changed something last, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TouchView {
    /// Who.
    pub by: String,
    /// What they did: `cleared`, `marked failed`.
    pub how: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl From<&Touch> for TouchView {
    fn from(touch: &Touch) -> Self {
        Self {
            by: touch.by.to_string(),
            how: touch.how.to_string(),
            at: touch.at,
        }
    }
}

impl From<TouchView> for Touch {
    fn from(touch: TouchView) -> Self {
        Self {
            by: touch.by.into(),
            how: touch.how.into(),
            at: touch.at,
        }
    }
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditView {
    /// Its number.
    pub no: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who; the engine itself is `tidemill`.
    pub actor: String,
    /// What was done: `task.clear`, `run.cancel`.
    pub action: String,
    /// To what, for people.
    pub target: String,
    /// The DAG it concerns.
    pub dag: Option<String>,
    /// The number of the run it concerns.
    pub run: Option<i64>,
    /// What exactly changed, or why it was refused.
    pub details: Value,
}

impl From<AuditRow> for AuditView {
    fn from(row: AuditRow) -> Self {
        Self {
            no: row.id,
            at: row.at,
            actor: row.actor.to_string(),
            action: row.action.to_string(),
            target: row.target.to_string(),
            dag: row.dag.map(|dag| dag.to_string()),
            run: row.run.map(|run| run.0),
            details: json(&row.details),
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MeView {
    /// Their name, as the audit log has it.
    pub name: String,
    /// What pages call them.
    pub display: String,
    /// Their role on everything.
    pub role: String,
    /// What they may do to some DAG at least, or at all.
    pub may: Vec<String>,
    /// The highest role that their token allows; null for a session.
    pub token_role: Option<String>,
}

/// How this Tidemill stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthView {
    /// The name of the installation.
    pub deployment: String,
    /// The release of this web process.
    pub release: String,
    /// What time it is here.
    #[schema(value_type = String, format = DateTime)]
    pub now: Timestamp,
    /// Who leads; null if nobody does.
    pub leader: Option<String>,
    /// How often the lead was taken.
    pub term: i64,
    /// How many seconds the leader's lease lasts if it is not renewed.
    pub lease_seconds: u64,
}

/// Anything that reads as JSON; else the text itself.
pub(super) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// A text that may be shared.
pub(super) fn text(text: &Option<std::sync::Arc<str>>) -> Option<String> {
    text.as_deref().map(ToOwned::to_owned)
}
