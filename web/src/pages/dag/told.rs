//! What programs are told of a DAG: the same that pages draw of it, as data.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use tidemill_core::diff::{DagDiff, plan};
use tidemill_core::id::DagId;
use tidemill_core::state::RunState;
use tidemill_core::time::Timestamp;
use tidemill_store::history::{Cursor, RunFilter};

use super::calendar::{counts, midnight, year as read_year};
use super::definition::RUNS_COUNTED;
use super::diff::{DiffQuery, pick, spec};
use super::durations::{task_runs, well};
use super::head::known;
use super::planned::{self, Planned};
use super::tasks::{Spans, TaskTimes, Trend, times, trend};
use crate::api::views::{
    CellView, ColumnView, DayCountView, DayView, DurationsView, PlannedView, RunView, TaskTimesView,
};
use crate::frame::Frame;
use crate::oops::Oops;

/// A page of the grid has about so many squares: of a wide DAG fewer runs are told at once.
const SQUARES_MAX: usize = 10_000;
/// No more runs are told of at once.
pub(crate) const COLUMNS_MAX: u32 = 50;

/// Runs from a place on, the newest first, and where their tasks stand; and where the next page begins.
pub(crate) async fn columns(
    frame: &Frame,
    dag: &DagId,
    (at, runs): (Cursor, u32),
) -> Result<(Vec<ColumnView>, Option<Cursor>), Oops> {
    let known = known(frame, dag).await?;
    let wide = known.spec.definition.tasks.len().max(1);
    let most = u32::try_from(SQUARES_MAX / wide).unwrap_or(COLUMNS_MAX);
    let runs = runs.min(most.clamp(1, COLUMNS_MAX));
    let grid = frame.web.store().grid(dag, at, runs).await?;
    let last = grid.runs.last();
    let next = last.filter(|_| grid.runs.len() == runs as usize);
    let next = next.map(Cursor::from);
    let mut cells: BTreeMap<_, Vec<CellView>> = BTreeMap::new();
    for cell in grid.cells {
        cells.entry(cell.run).or_default().push(CellView {
            task: cell.name.to_string(),
            instances: cell.instances,
            state: cell.state.to_string(),
            count: cell.count,
            started_at: cell.started_at,
            since: cell.since,
        });
    }
    let columns = grid.runs.iter().map(|run| ColumnView {
        tasks: cells.remove(&run.id).unwrap_or_default(),
        run: RunView::from(run),
    });
    Ok((columns.collect(), next))
}

/// The days of a year on which something ran or is planned.
pub(crate) async fn days(frame: &Frame, dag: &DagId, year: &str) -> Result<Vec<DayView>, Oops> {
    let year = read_year(frame, year)?;
    let known = known(frame, dag).await?;
    let no_year = || Oops::field("year", "there is no such year");
    let first = NaiveDate::from_ymd_opt(year, 1, 1).ok_or_else(no_year)?;
    let last = NaiveDate::from_ymd_opt(year, 12, 31).ok_or_else(no_year)?;
    let next = last.succ_opt().ok_or_else(no_year)?;
    let store = frame.web.store();
    let ran = store.run_days(dag, midnight(first)..midnight(next)).await?;
    let ran = counts(&ran);
    let planned = if known.row.paused || last < frame.now.date().date_naive() {
        BTreeMap::new()
    } else {
        let mut planned = planned::by_day(&known, frame.now, last);
        planned.retain(|day, _| *day >= first);
        planned
    };
    let mut days: Vec<NaiveDate> = ran.keys().chain(planned.keys()).copied().collect();
    days.sort_unstable();
    days.dedup();
    let day = |day: NaiveDate| {
        let of_day = ran.get(&day).map_or(&[][..], Vec::as_slice);
        let plan = planned.get(&day);
        DayView {
            day: day.to_string(),
            runs: of_day
                .iter()
                .map(|(state, count)| DayCountView {
                    state: state.to_string(),
                    count: *count,
                })
                .collect(),
            planned: plan.and_then(|plan| match plan {
                Planned::Runs(count) => Some(*count),
                Planned::Some => None,
            }),
            more: plan == Some(&Planned::Some),
        }
    };
    Ok(days.into_iter().map(day).collect())
}

fn seconds(span: Duration) -> f64 {
    span.as_secs_f64()
}

fn percent(trend: Trend) -> Option<i64> {
    match trend {
        Trend::Unknown => None,
        Trend::Steady => Some(0),
        Trend::Slower(by) => Some(i64::from(by)),
        Trend::Faster(by) => Some(-i64::from(by)),
    }
}

/// How long the last runs took, and which tasks made them so.
pub(crate) async fn durations(
    frame: &Frame,
    dag: &DagId,
    last: u32,
) -> Result<DurationsView, Oops> {
    let known = known(frame, dag).await?;
    let store = frame.web.store();
    let of = RunFilter {
        dag: Some(dag.clone()),
        ..RunFilter::default()
    };
    let runs = store.runs(&of, Cursor::START, last).await?;
    let grid = store
        .grid(dag, Cursor::START, task_runs(&known.spec, last))
        .await?;
    let spans = well(&runs);
    let sorted = Spans::of(spans.iter().copied());
    let task = |times: TaskTimes| TaskTimesView {
        task: times.name,
        runs: times.runs,
        failed: times.failed,
        median_seconds: times.median.map(seconds),
        most_seconds: times.most.map(seconds),
        trend_percent: percent(times.trend),
        waited_seconds: times.waited.map(seconds),
    };
    Ok(DurationsView {
        runs: runs.len(),
        failed: runs
            .iter()
            .filter(|run| run.state == RunState::Failed)
            .count(),
        median_seconds: sorted.median().map(seconds),
        most_seconds: sorted.hundredth(95).map(seconds),
        trend_percent: percent(trend(&spans)),
        task_runs: grid.runs.len(),
        tasks: times(&known.spec, &grid).into_iter().map(task).collect(),
    })
}

/// The next runs that the timetable will make; none of a DAG that is paused.
pub(crate) async fn upcoming(
    frame: &Frame,
    dag: &DagId,
    most: usize,
) -> Result<Vec<PlannedView>, Oops> {
    let known = known(frame, dag).await?;
    if known.row.paused {
        return Ok(Vec::new());
    }
    let due = planned::next(&known, frame.now).take(most);
    let planned = due.map(|due| PlannedView {
        start: Timestamp::from(due.start),
        end: Timestamp::from(due.end),
        run_after: Timestamp::from(due.run_after),
    });
    Ok(planned.collect())
}

/// What changed between two versions: those that are named, or the one that new runs have and the one before it. None if they are
/// the same, or there is one only.
pub(crate) async fn changes(
    frame: &Frame,
    dag: &DagId,
    (from, to): (Option<String>, Option<String>),
) -> Result<Option<DagDiff>, Oops> {
    let known = known(frame, dag).await?;
    let uses = frame.web.store().version_uses(dag, RUNS_COUNTED).await?;
    let query = DiffQuery {
        from: from.unwrap_or_default(),
        to: to.unwrap_or_default(),
    };
    let Some((from, to)) = pick(&uses, &query, &known.spec.version())? else {
        return Ok(None);
    };
    let (old, new) = (spec(frame, dag, from).await?, spec(frame, dag, to).await?);
    Ok(plan([&*old], [&*new]).changed.into_iter().next())
}
