//! Pools that a person paused: whatever needs one of their slots waits, and its pages say so before anybody wonders.

use std::collections::{BTreeSet, HashSet};

use tidemill_core::spec::{DagSpec, TaskSpec};
use tidemill_core::state::RunState;
use tidemill_store::history::Grid;
use tidemill_store::record::{PoolRow, RunRow};

use crate::frame::Frame;
use crate::oops::Oops;
use crate::paths;

/// A pool that is paused.
pub(crate) struct PausedPool {
    pub(crate) name: String,
    pub(crate) href: String,
    /// Who paused it, and when, if that was the last thing done to it.
    pub(crate) by: Option<String>,
}

/// Those of these pools that are paused; all that are, if none are given.
pub(crate) async fn pools(
    frame: &Frame,
    of: Option<&BTreeSet<&str>>,
) -> Result<Vec<PausedPool>, Oops> {
    if of.is_some_and(BTreeSet::is_empty) {
        return Ok(Vec::new());
    }
    let rows = frame.web.store().pools().await?.into_iter();
    let ours = rows.filter(|row| row.paused && of.is_none_or(|of| of.contains(&*row.name)));
    let pool = |row: PoolRow| PausedPool {
        href: format!("/pools/{}", paths::part(&row.name)),
        by: row.touched.map(|touch| {
            let at = touch.at.date().format("%-d %b %H:%M UTC");
            format!("{} {} it, {at}", touch.by, touch.how)
        }),
        name: row.name.to_string(),
    };
    Ok(ours.map(pool).collect())
}

/// The pools whose slots a run still needs: one for all of its tasks, or those of the tasks that have not ended.
pub(crate) fn of_run<'a>(run: &'a RunRow, spec: &'a DagSpec, grid: &Grid) -> BTreeSet<&'a str> {
    if !is_on(run) {
        return BTreeSet::new();
    }
    let ended: HashSet<&str> = grid
        .cells
        .iter()
        .filter(|cell| !cell.instances && cell.state.is_final())
        .map(|cell| cell.name.as_str())
        .collect();
    let tasks = spec.definition.tasks.iter();
    let open = tasks.filter(|task| !ended.contains(task.id.as_str()));
    open.map(|task| of_task(run, task)).collect()
}

/// Whether anything of a run may still start.
pub(crate) const fn is_on(run: &RunRow) -> bool {
    matches!(run.state, RunState::Queued | RunState::Running)
}

/// The pool whose slots a task of a run takes.
pub(crate) fn of_task<'a>(run: &'a RunRow, task: &'a TaskSpec) -> &'a str {
    run.pool.as_deref().unwrap_or(&task.placement.pool)
}

/// The pools that the tasks of a DAG take slots of.
pub(crate) fn of_dag(spec: &DagSpec) -> BTreeSet<&str> {
    let tasks = spec.definition.tasks.iter();
    tasks.map(|task| task.placement.pool.as_str()).collect()
}
