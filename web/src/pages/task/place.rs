//! Finding an instance of a task by the names in an address.

use std::sync::Arc;

use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::{AttemptNo, InstanceRef, LogPlace, MapIndex, NOT_MAPPED};
use tidemill_core::spec::{DagSpec, TaskSpec};
use tidemill_core::state::TaskState;
use tidemill_store::record::{RunRow, TaskRow};

use crate::frame::Frame;
use crate::oops::Oops;
use crate::paths;

/// An instance of a task in a run.
pub(crate) struct Place {
    pub(crate) dag: DagId,
    pub(crate) dag_href: String,
    pub(crate) run: RunRow,
    pub(crate) run_href: String,
    pub(crate) task: TaskId,
    pub(crate) index: MapIndex,
    /// None before the run has begun.
    pub(crate) row: Option<TaskRow>,
    /// The DAG as this run has it.
    pub(crate) spec: Arc<DagSpec>,
    /// The address of the task as a whole.
    pub(crate) whole: String,
}

impl Place {
    /// Finds it. A run is only found within the DAG that the policy was decided for.
    pub(crate) async fn find(
        frame: &Frame,
        dag: &DagId,
        (run, task, index): (&str, &str, MapIndex),
    ) -> Result<Self, Oops> {
        let store = frame.web.store();
        let no_task = || Oops::not_found("this run has no task of this name");
        let found = store.run_named(dag, run).await?;
        let run =
            found.ok_or_else(|| Oops::not_found(format!("`{dag}` has no run of this name")))?;
        let task = TaskId::parse(task).map_err(|_| no_task())?;
        if index < NOT_MAPPED {
            return Err(Oops::not_found("instances are counted from 0"));
        }
        let row = store.task_named(run.id, (dag, &task), index).await?;
        let spec = frame.web.specs().of(store, dag, &run.version).await?;
        let spec = spec.ok_or_else(no_task)?;
        if row.is_none() {
            // Before it has begun, a run has the tasks of its version and no instances.
            let known = spec.definition.task(task.as_str()).is_some();
            if !known {
                return Err(no_task());
            }
            if index != NOT_MAPPED {
                return Err(Oops::not_found("this task has no such instance"));
            }
        }
        Ok(Self {
            dag_href: paths::dag(dag),
            run_href: paths::run(dag, &run.name),
            whole: paths::task(dag, &run.name, task.as_str(), NOT_MAPPED),
            dag: dag.clone(),
            run,
            task,
            index,
            row,
            spec,
        })
    }

    /// Its reference; none before the run has begun.
    pub(crate) fn of(&self) -> Option<InstanceRef> {
        self.row.as_ref().map(|row| row.of)
    }

    pub(crate) fn state(&self) -> TaskState {
        self.row.as_ref().map_or(TaskState::None, |row| row.state)
    }

    pub(crate) fn task_spec(&self) -> Option<&TaskSpec> {
        self.spec.definition.task(self.task.as_str())
    }

    /// Whether it is one instance of a mapped task.
    pub(crate) fn is_instance(&self) -> bool {
        self.index != NOT_MAPPED
    }

    /// What a command takes for the index.
    pub(crate) fn wanted_index(&self) -> Option<MapIndex> {
        self.is_instance().then_some(self.index)
    }

    /// The address of what belongs to it, such as `clear`, with its index.
    pub(crate) fn sub(&self, what: &str) -> String {
        if self.is_instance() {
            format!("{}/{what}?index={}", self.whole, self.index)
        } else {
            format!("{}/{what}", self.whole)
        }
    }

    /// Its own address with a query, such as `attempt=2`.
    pub(crate) fn with(&self, query: &str) -> String {
        if self.is_instance() {
            format!("{}?index={}&{query}", self.whole, self.index)
        } else {
            format!("{}?{query}", self.whole)
        }
    }

    pub(crate) fn href(&self) -> String {
        paths::task(&self.dag, &self.run.name, self.task.as_str(), self.index)
    }

    /// Where the log of one of its attempts is.
    pub(crate) fn log(&self, number: u32, attempt: AttemptNo) -> LogPlace {
        LogPlace {
            dag: self.dag.clone(),
            run: Arc::clone(&self.run.name),
            run_no: self.run.id,
            task: self.task.clone(),
            map_index: self.index,
            number,
            attempt,
        }
    }
}
