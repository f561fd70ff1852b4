//! Reading a run and its tasks.

use std::collections::HashMap;
use std::sync::Arc;

use tidemill_core::id::DagId;
use tidemill_core::protocol::{InstanceRef, MapIndex, NOT_MAPPED, TaskNo};
use tidemill_core::spec::{DagSpec, TaskSpec};
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;
use tidemill_store::history::{Cursor, Grid, GridCell, PAGE_ROWS_MAX, RunFilter, TaskOfRun, Tasks};
use tidemill_store::record::RunRow;

use crate::frame::Frame;
use crate::oops::Oops;
use crate::paths;

/// No more instances of a mapped task are looked through at once.
const INSTANCES_MAX: usize = 20_000;

/// A run, and the version of its DAG that it runs.
pub(super) struct Of {
    pub(super) run: RunRow,
    pub(super) spec: Arc<DagSpec>,
}

impl Of {
    pub(super) async fn load(frame: &Frame, dag: &DagId, name: &str) -> Result<Self, Oops> {
        let store = frame.web.store();
        let gone = || Oops::not_found(format!("`{dag}` has no run of this name"));
        let run = store.run_named(dag, name).await?.ok_or_else(gone)?;
        let spec = frame.web.specs().of(store, dag, &run.version).await?;
        let spec = spec.ok_or_else(|| Oops::broken("a run has a version that is not there"))?;
        Ok(Self { run, spec })
    }

    pub(super) fn href(&self) -> String {
        paths::run(&self.run.dag, &self.run.name)
    }

    pub(super) fn task_href(&self, task: &str, index: MapIndex) -> String {
        paths::task(&self.run.dag, &self.run.name, task, index)
    }

    /// Where each task stands, the instances of mapped ones counted.
    pub(super) async fn grid(&self, frame: &Frame) -> Result<Grid, Oops> {
        let at = Cursor {
            at: self.run.start,
            id: self.run.id.0.saturating_add(1),
            nth: 0,
        };
        let mut grid = frame.web.store().grid(&self.run.dag, at, 1).await?;
        grid.cells.retain(|cell| cell.run == self.run.id);
        Ok(grid)
    }

    /// The version of the run that covers the time before.
    pub(super) async fn version_before(&self, frame: &Frame) -> Result<Option<Version>, Oops> {
        let of = RunFilter {
            dag: Some(self.run.dag.clone()),
            ..RunFilter::default()
        };
        let store = frame.web.store();
        let runs = store.runs(&of, Cursor::from(&self.run), 1).await?;
        Ok(runs.into_iter().next().map(|run| run.version))
    }

    pub(super) fn task(&self, name: &str) -> Option<&TaskSpec> {
        self.spec.definition.task(name)
    }

    /// These tasks as wholes, with what there is to say of each, by name.
    pub(super) async fn whole(
        &self,
        frame: &Frame,
        tasks: &[TaskNo],
    ) -> Result<HashMap<String, TaskOfRun>, Oops> {
        if tasks.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = frame.web.store().whole_tasks(self.run.id, tasks).await?;
        let named = rows.into_iter();
        Ok(named.map(|row| (row.task.name.to_string(), row)).collect())
    }

    /// Instances of a mapped task from after an index on. `wanted` says which; all are looked through, up to a limit.
    pub(super) async fn instances(
        &self,
        frame: &Frame,
        (task, after): (TaskNo, MapIndex),
        (wanted, rows): (&(dyn Fn(TaskState) -> bool + Sync), usize),
    ) -> Result<Vec<TaskOfRun>, Oops> {
        let (mut found, mut after, mut seen) = (Vec::new(), after, 0);
        while found.len() < rows && seen < INSTANCES_MAX {
            let which = Tasks::Of(task, after);
            let page = frame
                .web
                .store()
                .tasks_of_run(self.run.id, which, PAGE_ROWS_MAX);
            let page = page.await?;
            let Some(last) = page.last() else { break };
            after = last.task.of.map_index;
            seen += page.len();
            found.extend(page.into_iter().filter(|row| wanted(row.task.state)));
        }
        found.truncate(rows);
        Ok(found)
    }
}

/// Where the tasks of a run stand: all of them from the grid, which is little; what there is to say of a task is read only of those
/// that are shown.
pub(super) struct Rows {
    pub(super) grid: Grid,
}

impl Rows {
    /// The tasks as wholes, by name.
    pub(super) fn whole(&self) -> HashMap<&str, &GridCell> {
        let whole = self.grid.cells.iter().filter(|cell| !cell.instances);
        whole.map(|cell| (cell.name.as_str(), cell)).collect()
    }

    /// The instances of mapped tasks, counted by state.
    pub(super) fn instances(&self) -> HashMap<&str, Vec<&GridCell>> {
        let mut found: HashMap<&str, Vec<&GridCell>> = HashMap::new();
        for cell in self.grid.cells.iter().filter(|cell| cell.instances) {
            found.entry(cell.name.as_str()).or_default().push(cell);
        }
        found
    }
}

/// Whether a task waits for something that the leader can name.
const fn waits(state: TaskState) -> bool {
    matches!(
        state,
        TaskState::None
            | TaskState::Scheduled
            | TaskState::Queued
            | TaskState::UpForRetry
            | TaskState::Deferred
    )
}

/// Asks the leader what tasks wait for, of so many that it costs little, and no more once it does not answer: a page has to
/// come also while nobody leads.
pub(super) struct Reasons {
    left: usize,
}

impl Reasons {
    /// Of at most so many tasks.
    pub(super) const fn at_most(left: usize) -> Self {
        Self { left }
    }

    /// What a task waits for; none if it does not wait, or nobody says it.
    pub(super) async fn of(
        &mut self,
        frame: &Frame,
        (of, state): (InstanceRef, TaskState),
    ) -> Option<String> {
        if self.left == 0 || !waits(state) {
            return None;
        }
        self.left -= 1;
        let Ok(why) = frame.web.door().why(of).await else {
            self.left = 0;
            return None;
        };
        why?.first().map(|held| held.says.clone())
    }
}

/// When an attempt of a task ended, or what time it is.
pub(super) fn until(row: &TaskOfRun, now: Timestamp) -> Timestamp {
    if row.task.state.is_final() || row.task.state == TaskState::UpForRetry {
        row.task.since
    } else {
        now
    }
}

/// Whether a row is a task as a whole.
pub(super) const fn is_whole(row: &TaskOfRun) -> bool {
    row.task.of.map_index == NOT_MAPPED
}
