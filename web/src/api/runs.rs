//! Runs: lists of them, one of them, what it loaded, and what people did with it.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_core::state::{RunState, RunType};
use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::Held;
use tidemill_store::history::{AuditOf, Cursor, LoadFilter, RunFilter};
use tidemill_store::record::RunRow;
use utoipa::IntoParams;

use super::dags::{Nothing, PageQuery};
use super::given::Query;
use super::paging::{self, Listed, Tagged};
use super::views::{AuditView, LoadView, RunView, WhyView};
use super::{find, wait};
use crate::frame::Frame;
use crate::input::At;
use crate::oops::Oops;
use crate::routes::ThisDag;

/// A page that is narrowed row by row is filled in at most so many reads; what comes then is shorter.
const READS_MAX: usize = 20;

/// What a list of runs is narrowed to.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunsQuery {
    /// Only runs of this DAG; not where the path names one.
    dag: Option<String>,
    /// Only those in this state: `queued`, `running`, `success`, `failed`, `cancelled`.
    state: Option<String>,
    /// Only those that came about like this: `scheduled`, `manual`, `backfill`, `asset`.
    kind: Option<String>,
    /// Only those whose name begins like this.
    name: Option<String>,
    /// Only those whose start is not before this.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only those whose start is before this.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many rows: 1 to 1,000, 50 if nobody says.
    limit: Option<u32>,
}

impl RunsQuery {
    fn filter(&self, dag: Option<DagId>) -> Result<RunFilter, Oops> {
        let named = self.dag.as_deref().map(DagId::parse).transpose();
        let named = named.map_err(|error| Oops::field("dag", error.to_string()))?;
        if let (Some(named), Some(dag)) = (&named, &dag)
            && named != dag
        {
            return Err(Oops::field("dag", "the path names another DAG"));
        }
        let state = self.state.as_deref().map(str::parse::<RunState>);
        let kind = self.kind.as_deref().map(str::parse::<RunType>);
        let ever = RunFilter::default().start;
        Ok(RunFilter {
            among: None,
            dag: dag.or(named),
            state: state
                .transpose()
                .map_err(|error| Oops::field("state", error))?,
            kind: kind
                .transpose()
                .map_err(|error| Oops::field("kind", error))?,
            name: self.name.clone().filter(|name| !name.is_empty()),
            start: self.from.unwrap_or(ever.start)..self.to.unwrap_or(ever.end),
        })
    }
}

/// Runs that whoever asks may see.
async fn page(
    frame: &Frame,
    of: &RunFilter,
    (cursor, limit): (Option<&str>, Option<u32>),
) -> Result<Listed<RunView>, Oops> {
    let limit = paging::rows(limit)?;
    let mut at = paging::placed("runs", cursor)?;
    let mut items = Vec::new();
    let next = |at: Cursor| Some(paging::cursor_at("runs", at));
    for _ in 0..READS_MAX {
        let rows = frame.web.store().runs(of, at, limit).await?;
        for run in &rows {
            at = Cursor::from(run);
            if frame.sees(&run.dag) {
                items.push(RunView::from(run));
            }
            if items.len() == limit as usize {
                return Ok(Listed::new(frame, items, next(at)));
            }
        }
        if rows.len() < limit as usize {
            return Ok(Listed::new(frame, items, None));
        }
    }
    Ok(Listed::new(frame, items, next(at)))
}

/// Runs of all DAGs, the newest first.
pub(crate) async fn list(
    frame: Frame,
    Query(query): Query<RunsQuery>,
) -> Result<Listed<RunView>, Oops> {
    let of = RunFilter {
        among: frame.among().await?,
        ..query.filter(None)?
    };
    page(&frame, &of, (query.cursor.as_deref(), query.limit)).await
}

/// Runs of a DAG, the newest start first.
pub(crate) async fn of_dag(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Query(query): Query<RunsQuery>,
) -> Result<Listed<RunView>, Oops> {
    find::dag(&frame, &dag).await?;
    let of = query.filter(Some(dag))?;
    page(&frame, &of, (query.cursor.as_deref(), query.limit)).await
}

/// How long to wait.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// Answer when the run has ended, or after this time: `30s`, `60s` at the most.
    wait: Option<String>,
}

/// One run. With `wait` the answer comes when it has ended.
pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, name)): At<(String, String)>,
    Query(query): Query<WaitQuery>,
) -> Result<Tagged<RunView>, Oops> {
    let span = wait::span(query.wait.as_deref())?;
    let run = find::run(&frame, &dag, &name).await?;
    let run = wait::until_ended(&frame, run, span).await?;
    Ok(Tagged(run.edits, RunView::from(&run)))
}

/// What holds a run as a whole.
pub(crate) async fn why(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, name)): At<(String, String)>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<WhyView>, Oops> {
    let run = find::run(&frame, &dag, &name).await?;
    let gates = frame.web.door().why_run(run.id).await?.unwrap_or_default();
    held(&frame, (None, &gates, 0)).await
}

/// Gates, with those of their holders that whoever asks may know of.
pub(crate) async fn held(
    frame: &Frame,
    (state, gates, ahead): (Option<tidemill_core::state::TaskState>, &[Held], usize),
) -> Result<Json<WhyView>, Oops> {
    let holders = gates.iter().flat_map(|held| &held.holders);
    let mut runs: Vec<_> = holders.map(|holder| holder.run).collect();
    runs.sort_unstable();
    runs.dedup();
    let rows = if runs.is_empty() {
        Vec::new()
    } else {
        frame.web.store().runs_numbered(&runs).await?
    };
    let seen: Vec<&RunRow> = rows.iter().filter(|run| frame.sees(&run.dag)).collect();
    let sees =
        |holder: &tidemill_scheduler::engine::Holder| seen.iter().any(|run| run.id == holder.run);
    let ahead = u64::try_from(ahead).unwrap_or(u64::MAX);
    Ok(Json(WhyView::of((state, gates, ahead), &sees)))
}

/// What people did with a run, the last first.
pub(crate) async fn audit(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, name)): At<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Listed<AuditView>, Oops> {
    let run = find::run(&frame, &dag, &name).await?;
    audits(&frame, &AuditOf::Run(run.id), &query).await
}

/// A page of a part of the audit log.
pub(crate) async fn audits(
    frame: &Frame,
    of: &AuditOf,
    query: &PageQuery,
) -> Result<Listed<AuditView>, Oops> {
    let limit = paging::rows(query.limit)?;
    let before = paging::number("audit", query.cursor.as_deref(), i64::MAX)?;
    let rows = frame.web.store().audits(of, before, limit).await?;
    let last = rows.last().filter(|_| rows.len() == limit as usize);
    let next = last.map(|last| paging::cursor("audit", last.id));
    let items = rows.into_iter().map(Into::into).collect();
    Ok(Listed::new(frame, items, next))
}

/// What a run loaded, page by page in the order of its attempts.
pub(crate) async fn loads_of_run(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, name)): At<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Listed<LoadView>, Oops> {
    let limit = paging::rows(query.limit)?;
    let after = match query.cursor.as_deref() {
        None => (i64::MIN, -1),
        given => {
            let last = paging::placed("loads_of_run", given)?;
            (last.id, i64::from(last.nth))
        }
    };
    let run = find::run(&frame, &dag, &name).await?;
    let store = frame.web.store();
    let rows = store.loads_of_run_named(run.id, after, limit).await?;
    let last = rows.last().filter(|_| rows.len() == limit as usize);
    let next = last.map(|last| paging::cursor_at("loads_of_run", Cursor::from(&last.row)));
    let items: Vec<LoadView> = rows.into_iter().map(Into::into).collect();
    Ok(Listed::new(&frame, items, next))
}

/// What a list of loads is narrowed to.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LoadsQuery {
    /// Only those of this DAG.
    dag: Option<String>,
    /// Only those into this table.
    destination: Option<String>,
    /// Only those with this status: `success`, `failed`.
    status: Option<String>,
    /// Only those that ended at this time or after it.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only those that ended before this.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many rows: 1 to 1,000, 50 if nobody says.
    limit: Option<u32>,
}

/// What was loaded, the last first.
pub(crate) async fn loads(frame: Frame, Query(query): Query<LoadsQuery>) -> Result<Response, Oops> {
    let limit = paging::rows(query.limit)?;
    let dag = query.dag.as_deref().map(DagId::parse).transpose();
    let ever = LoadFilter::default().ended;
    let of = LoadFilter {
        dag: dag.map_err(|error| Oops::field("dag", error.to_string()))?,
        among: frame.among().await?,
        destination: query.destination.clone(),
        status: query.status.clone(),
        ended: query.from.unwrap_or(ever.start)..query.to.unwrap_or(ever.end),
    };
    let mut at = paging::placed("loads", query.cursor.as_deref())?;
    let (mut items, mut more) = (Vec::new(), true);
    for _ in 0..READS_MAX {
        let rows = frame.web.store().loads_named(&of, at, limit).await?;
        more = rows.len() == limit as usize;
        for row in rows {
            at = Cursor::from(&row.row);
            if frame.sees(&row.row.dag) {
                items.push(LoadView::from(row));
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
    let next = more.then(|| paging::cursor_at("loads", at));
    Ok(Listed::new(&frame, items, next).into_response())
}
