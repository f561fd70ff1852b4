//! Backfills.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value};
use tidemill_core::id::DagId;
use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::{Backfill, Command, Pausable};
use tidemill_store::record::{BackfillState, Reprocess};
use utoipa::{IntoParams, ToSchema};

use super::dags::{Nothing, PageQuery};
use super::find;
use super::given::{Body, Change, Query};
use super::paging::{self, Listed, Tagged};
use super::views::{BackfillView, ChangedView, DateView};
use crate::frame::Frame;
use crate::input::At;
use crate::oops::{Oops, after};
use crate::routes::ThisDag;

type Named = At<(String, String)>;

/// A page that is narrowed row by row is filled in at most so many reads.
const READS_MAX: usize = 20;

/// What a list of backfills is narrowed to.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BackfillsQuery {
    /// Only those in this state: `active`, `paused`, `done`, `cancelled`.
    state: Option<String>,
    /// Only the one with this number.
    no: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many rows: 1 to 1,000, 50 if nobody says.
    limit: Option<u32>,
}

async fn page(
    frame: &Frame,
    dag: Option<&DagId>,
    query: &BackfillsQuery,
) -> Result<Listed<BackfillView>, Oops> {
    let limit = paging::rows(query.limit)?;
    let state = query.state.as_deref().map(str::parse::<BackfillState>);
    let state = state.transpose().map_err(|_| {
        let known: Vec<&str> = BackfillState::ALL
            .iter()
            .map(|state| state.word())
            .collect();
        Oops::field("state", format!("a backfill is {}", known.join(", ")))
    })?;
    let mut before = paging::number("backfills", query.cursor.as_deref(), i64::MAX)?;
    if let Some(no) = query.no {
        before = before.min(no.saturating_add(1));
    }
    let among = match dag {
        Some(dag) => Some(vec![dag.clone()]),
        None => frame.among().await?,
    };
    let mut items = Vec::new();
    let mut more = true;
    for _ in 0..READS_MAX {
        let store = frame.web.store();
        let rows = store.backfills(among.as_deref(), before, limit).await?;
        more = rows.len() == limit as usize;
        for row in &rows {
            before = row.id;
            if query.no.is_some_and(|no| no != row.id) {
                return Ok(Listed::new(frame, items, None));
            }
            if frame.sees(&row.dag) && state.is_none_or(|state| state == row.state) {
                items.push(BackfillView::from(row));
            }
            if items.len() == limit as usize {
                more = true;
                break;
            }
        }
        if !more || items.len() == limit as usize {
            break;
        }
    }
    let next = more.then(|| paging::cursor("backfills", before));
    Ok(Listed::new(frame, items, next))
}

/// Backfills of all DAGs, the newest first.
pub(crate) async fn list(
    frame: Frame,
    Query(query): Query<BackfillsQuery>,
) -> Result<Listed<BackfillView>, Oops> {
    page(&frame, None, &query).await
}

/// Backfills of a DAG, the newest first.
pub(crate) async fn of_dag(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Query(query): Query<BackfillsQuery>,
) -> Result<Listed<BackfillView>, Oops> {
    find::dag(&frame, &dag).await?;
    page(&frame, Some(&dag), &query).await
}

/// One backfill.
pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, no)): Named,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Tagged<BackfillView>, Oops> {
    let row = find::backfill(&frame, &dag, &no).await?;
    Ok(Tagged(row.edits, BackfillView::from(&row)))
}

/// The dates of a backfill, in the order in which its runs are made.
pub(crate) async fn dates(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, no)): Named,
    Query(query): Query<PageQuery>,
) -> Result<Listed<DateView>, Oops> {
    let limit = paging::rows(query.limit)?;
    let after = paging::number("dates", query.cursor.as_deref(), -1_i64)?;
    let row = find::backfill(&frame, &dag, &no).await?;
    let rows = frame
        .web
        .store()
        .backfill_dates(row.id, after, limit)
        .await?;
    let last = rows.last().filter(|_| rows.len() == limit as usize);
    let next = last.map(|last| paging::cursor("dates", last.nth));
    let items = rows.iter().map(Into::into).collect();
    Ok(Listed::new(&frame, items, next))
}

/// The backfill that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct BackfillBody {
    /// The first start that it covers.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// The last.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Which dates that have a run already are run again: `none`, those that `failed`, or all that `completed`.
    #[schema(value_type = String)]
    #[serde(default)]
    reprocess: Reprocess,
    /// Whether the newest date comes first.
    #[serde(default)]
    backwards: bool,
    /// How many of its runs are active at once; 10 if nobody says.
    #[serde(default)]
    active_runs_max: Option<u32>,
    /// The params of its runs.
    #[schema(value_type = Object)]
    #[serde(default)]
    params: Map<String, Value>,
}

/// What came of asking for a backfill.
#[derive(Debug, Clone, serde::Serialize, ToSchema)]
pub(crate) struct BackfilledView {
    /// The backfill; null for a dry run.
    backfill: Option<BackfillView>,
    /// What becomes of each date.
    changed: ChangedView,
}

/// Makes runs for dates of the past. Try it with `dry_run` first: it says what becomes of each date.
pub(crate) async fn make(
    change: Change,
    ThisDag(dag): ThisDag,
    Body(body): Body<BackfillBody>,
) -> Result<Response, Oops> {
    if body.from > body.to {
        return Err(Oops::field("to", "it ends before it begins"));
    }
    let ask = Backfill {
        dag,
        from: body.from,
        to: body.to,
        reprocess: body.reprocess,
        backwards: body.backwards,
        active_runs_max: body
            .active_runs_max
            .unwrap_or(Backfill::ACTIVE_RUNS_MAX_DEFAULT),
        params: Value::Object(body.params),
    };
    let changed = change.carry_out(Command::Backfill(ask)).await;
    let changed = changed.map_err(|error| change.refused(error))?;
    // The leader names it in a remark.
    let no = changed.remarks.iter().find_map(|remark| {
        let no = remark.strip_prefix("backfill ")?;
        no.parse::<i64>().ok()
    });
    let row = match no.filter(|_| !change.dry_run) {
        Some(no) => {
            let row = find::backfill_numbered(&change.frame, no).await;
            row.map_err(after)?
        }
        None => None,
    };
    let backfilled = BackfilledView {
        backfill: row.as_ref().map(BackfillView::from),
        changed: ChangedView::of(changed, change.dry_run),
    };
    let status = if change.dry_run {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(backfilled)).into_response())
}

/// Ends a backfill, and its runs with it.
pub(crate) async fn cancel(
    change: Change,
    ThisDag(dag): ThisDag,
    At((_, no)): Named,
) -> Result<Json<ChangedView>, Oops> {
    let backfill = find::backfill(&change.frame, &dag, &no).await?.id;
    change.ask(Command::CancelBackfill { backfill }).await
}

/// What can be changed about a backfill.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct BackfillPatch {
    /// Whether it makes no runs for now, and nothing of those that are on starts.
    paused: bool,
}

/// Pauses a backfill, or lets it go on.
pub(crate) async fn patch(
    change: Change,
    ThisDag(dag): ThisDag,
    At((_, no)): Named,
    Body(body): Body<BackfillPatch>,
) -> Result<Json<ChangedView>, Oops> {
    let row = find::backfill(&change.frame, &dag, &no).await?;
    let what = Pausable::Backfill(row.id);
    let pause = body.paused;
    change.ask(Command::Pause { what, pause }).await
}
