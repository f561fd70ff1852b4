//! What pages draw, as data: the grid of a DAG, its year, how long it takes, what is planned, what changed, and a run over time.

use axum::Json;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::dags::PageQuery;
use super::find;
use super::given::Query;
use super::paging::{self, Listed};
use super::views::{ColumnView, DayView, DurationsView, PlannedView, TimelineView};
use crate::frame::Frame;
use crate::input::At;
use crate::oops::Oops;
use crate::pages::{told_of_dag, told_of_run};
use crate::routes::ThisDag;

/// How many runs are looked at if nobody says, and at the most.
const RUNS: u32 = 50;
const RUNS_MAX: u32 = 500;
/// How many planned runs are told if nobody says, and at the most.
const PLANNED: usize = 10;
const PLANNED_MAX: usize = 600;

/// The grid, a run an item, the newest first.
pub(crate) async fn grid(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Query(query): Query<PageQuery>,
) -> Result<Listed<ColumnView>, Oops> {
    let most = told_of_dag::COLUMNS_MAX;
    let runs = paging::rows(query.limit)?.min(most);
    let at = paging::placed("grid", query.cursor.as_deref())?;
    let (items, next) = told_of_dag::columns(&frame, &dag, (at, runs)).await?;
    let next = next.map(|at| paging::cursor_at("grid", at));
    Ok(Listed::new(&frame, items, next))
}

/// Which year.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CalendarQuery {
    /// The year, from 1970 to 2100; this one if nobody says.
    year: Option<String>,
}

/// The days of a year on which something ran or is planned.
pub(crate) async fn calendar(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Query(query): Query<CalendarQuery>,
) -> Result<Listed<DayView>, Oops> {
    let year = query.year.as_deref().unwrap_or_default();
    let days = told_of_dag::days(&frame, &dag, year).await?;
    Ok(Listed::new(&frame, days, None))
}

/// Over how many runs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DurationsQuery {
    /// How many of its last runs are looked at: 1 to 500, 50 if nobody says.
    last: Option<u32>,
}

/// How long its last runs took, and which tasks made them so.
pub(crate) async fn durations(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Query(query): Query<DurationsQuery>,
) -> Result<Json<DurationsView>, Oops> {
    let last = query.last.unwrap_or(RUNS);
    if !(1..=RUNS_MAX).contains(&last) {
        return Err(Oops::field("last", "1 to 500 runs are looked at"));
    }
    told_of_dag::durations(&frame, &dag, last).await.map(Json)
}

/// How many planned runs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PlannedQuery {
    /// How many: 1 to 600, 10 if nobody says.
    limit: Option<usize>,
}

/// The next runs that its timetable will make.
pub(crate) async fn planned(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Query(query): Query<PlannedQuery>,
) -> Result<Listed<PlannedView>, Oops> {
    let most = query.limit.unwrap_or(PLANNED);
    if !(1..=PLANNED_MAX).contains(&most) {
        return Err(Oops::field("limit", "1 to 600 runs are told"));
    }
    let items = told_of_dag::upcoming(&frame, &dag, most).await?;
    Ok(Listed::new(&frame, items, None))
}

/// Which two versions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffQuery {
    /// The older version, or as much of it as is not ambiguous; the one before `to` if none.
    from: Option<String>,
    /// The newer version; the one that new runs have if none.
    to: Option<String>,
}

/// What changed between two versions; null if nothing did.
pub(crate) async fn diff(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Query(query): Query<DiffQuery>,
) -> Result<Json<Value>, Oops> {
    let diff = told_of_dag::changes(&frame, &dag, (query.from, query.to)).await?;
    let diff = serde_json::to_value(diff);
    diff.map(Json)
        .map_err(|error| Oops::broken(error.to_string()))
}

/// How much of a run.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TimelineQuery {
    /// Also what was tried before its last start.
    all: Option<bool>,
}

/// A run over time, and which tasks decided when it ended.
pub(crate) async fn timeline(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, name)): At<(String, String)>,
    Query(query): Query<TimelineQuery>,
) -> Result<Json<TimelineView>, Oops> {
    let run = find::run(&frame, &dag, &name).await?;
    let all = query.all.unwrap_or(false);
    let timeline = told_of_run::timeline(&frame, &dag, (&run.name, all));
    timeline.await.map(Json)
}
