//! Single loads, loads by day, and what came of checks.

use axum::Json;
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_core::protocol::AttemptNo;
use tidemill_core::time::Timestamp;
use tidemill_store::history::{CheckFilter, Cursor, HeadFilter, LoadFilter};
use utoipa::IntoParams;

use super::dags::{Nothing, PageQuery};
use super::find;
use super::given::Query;
use super::paging::{self, Listed};
use super::views::{CheckHeadView, CheckResultView, LoadDayView, LoadView};
use crate::frame::Frame;
use crate::input::At;
use crate::oops::Oops;
use crate::routes::ThisDag;

/// How many days are summed at once.
const DAYS_MAX: u64 = 366;
/// How many results of each check are told.
const LAST_MAX: u32 = 100;
const LAST: u32 = 30;

fn dag_of(text: Option<&str>) -> Result<Option<DagId>, Oops> {
    let dag = text.map(DagId::parse).transpose();
    dag.map_err(|error| Oops::field("dag", error.to_string()))
}

/// Which load or check of which attempt: `1001.0`.
pub(crate) fn place_of(text: &str) -> Option<(AttemptNo, u32)> {
    let (attempt, nth) = text.split_once('.')?;
    Some((AttemptNo(attempt.parse().ok()?), nth.parse().ok()?))
}

/// One load.
pub(crate) async fn load(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, load)): At<(String, String)>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<LoadView>, Oops> {
    let gone = || Oops::not_found(format!("`{dag}` has no such load"));
    let (attempt, nth) = place_of(&load).ok_or_else(gone)?;
    let found = frame.web.store().load_of(attempt, nth).await?;
    let found = found.filter(|load| load.row.dag == dag).ok_or_else(gone)?;
    Ok(Json(found.into()))
}

/// What days of loads are narrowed to.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DaysQuery {
    /// Only loads of this DAG.
    dag: Option<String>,
    /// Only those into this table.
    destination: Option<String>,
    /// Only those that ended at this time or after it.
    #[param(value_type = String, format = DateTime)]
    from: Option<Timestamp>,
    /// Only those that ended before this; at the most 366 days after `from`.
    #[param(value_type = String, format = DateTime)]
    to: Option<Timestamp>,
}

/// What was loaded day by day.
pub(crate) async fn days(
    frame: Frame,
    Query(query): Query<DaysQuery>,
) -> Result<Listed<LoadDayView>, Oops> {
    let (Some(from), Some(to)) = (query.from, query.to) else {
        let field = if query.from.is_none() { "from" } else { "to" };
        return Err(Oops::field(field, "say from when and to when"));
    };
    if to < from || to.since(from).as_secs() > DAYS_MAX * 86_400 {
        return Err(Oops::field("to", "it is 0 to 366 days after `from`"));
    }
    let of = LoadFilter {
        dag: dag_of(query.dag.as_deref())?,
        among: frame.among().await?,
        destination: query.destination,
        ended: from..to,
        status: None,
    };
    let days = frame.web.store().load_days(&of).await?;
    let items: Vec<LoadDayView> = days.into_iter().map(Into::into).collect();
    Ok(Listed::new(&frame, items, None))
}

/// What a list of results of checks is narrowed to.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChecksQuery {
    /// Only those of this DAG.
    dag: Option<String>,
    /// Only those of this table.
    table: Option<String>,
    /// Only those of checks that are called like this.
    name: Option<String>,
    /// Only those with this status: `passed`, `warned`, `failed`, `error`.
    status: Option<String>,
    /// Only those that were found at this time or after it.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only those that were found before this.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many rows: 1 to 1,000, 50 if nobody says.
    limit: Option<u32>,
}

/// What came of checks, the last first.
pub(crate) async fn checks(
    frame: Frame,
    Query(query): Query<ChecksQuery>,
) -> Result<Listed<CheckResultView>, Oops> {
    let limit = paging::rows(query.limit)?;
    let ever = CheckFilter::default().at;
    let of = CheckFilter {
        dag: dag_of(query.dag.as_deref())?,
        among: frame.among().await?,
        table: query.table,
        name: query.name,
        at: query.from.unwrap_or(ever.start)..query.to.unwrap_or(ever.end),
        status: query.status,
    };
    let at = paging::placed("checks", query.cursor.as_deref())?;
    let rows = frame.web.store().checks(&of, at, limit).await?;
    let last = rows.last().filter(|_| rows.len() == limit as usize);
    let next = last.map(|last| paging::cursor_at("checks", Cursor::from(&last.row)));
    let seen = rows.into_iter().filter(|row| frame.sees(&row.row.dag));
    let items: Vec<CheckResultView> = seen.map(Into::into).collect();
    Ok(Listed::new(&frame, items, next))
}

/// What came of the checks of a run, in the order of its attempts.
pub(crate) async fn checks_of_run(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, name)): At<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Listed<CheckResultView>, Oops> {
    let limit = paging::rows(query.limit)?;
    let after = match query.cursor.as_deref() {
        None => (i64::MIN, -1),
        given => {
            let last = paging::placed("checks_of_run", given)?;
            (last.id, i64::from(last.nth))
        }
    };
    let run = find::run(&frame, &dag, &name).await?;
    let store = frame.web.store();
    let rows = store.checks_of_run(run.id, after, limit).await?;
    let last = rows.last().filter(|_| rows.len() == limit as usize);
    let next = last.map(|last| paging::cursor_at("checks_of_run", Cursor::from(&last.row)));
    let items: Vec<CheckResultView> = rows.into_iter().map(Into::into).collect();
    Ok(Listed::new(&frame, items, next))
}

/// What came of one check.
pub(crate) async fn check(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, check)): At<(String, String)>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<CheckResultView>, Oops> {
    let gone = || Oops::not_found(format!("`{dag}` has no such result of a check"));
    let (attempt, nth) = place_of(&check).ok_or_else(gone)?;
    let found = frame.web.store().check_of(attempt, nth).await?;
    let found = found
        .filter(|check| check.row.dag == dag)
        .ok_or_else(gone)?;
    Ok(Json(found.into()))
}

/// What a list of checks, each once, is narrowed to.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LastQuery {
    /// Only checks of this DAG.
    dag: Option<String>,
    /// Only those of this table.
    table: Option<String>,
    /// Only those whose last result is not `passed`.
    bad: Option<bool>,
    /// How many results of each: 1 to 100, 30 if nobody says.
    last: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many checks: 1 to 1,000, 50 if nobody says.
    limit: Option<u32>,
}

/// Each check once, with what came of it lately, in the order of DAG, table and name.
pub(crate) async fn last(
    frame: Frame,
    Query(query): Query<LastQuery>,
) -> Result<Listed<CheckHeadView>, Oops> {
    let limit = paging::rows(query.limit)?;
    let last = query.last.unwrap_or(LAST);
    if !(1..=LAST_MAX).contains(&last) {
        return Err(Oops::field("last", "it is 1 to 100"));
    }
    let of = HeadFilter {
        dag: dag_of(query.dag.as_deref())?,
        among: frame.among().await?,
        table: query.table,
        bad: query.bad.unwrap_or(false),
    };
    let at = paging::place("check_heads", query.cursor.as_deref())?;
    let at: Option<(DagId, String, String)> = at
        .map(|at| serde_json::from_str(&at).map_err(|_| paging::wrong()))
        .transpose()?;
    let after = at
        .as_ref()
        .map(|(dag, table, name)| (dag, &**table, &**name));
    let heads = frame
        .web
        .store()
        .check_heads(&of, after, (limit, last))
        .await?;
    let end = heads.last().filter(|_| heads.len() == limit as usize);
    let next = end.map(|end| {
        let place = serde_json::json!([end.dag, end.table, end.name]);
        paging::cursor("check_heads", place)
    });
    let seen = heads.into_iter().filter(|head| frame.sees(&head.dag));
    let items: Vec<CheckHeadView> = seen.map(Into::into).collect();
    Ok(Listed::new(&frame, items, next))
}
