//! What an attempt takes from the tasks before it: which attempts returned it. The values themselves are not kept here.

use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::{AttemptNo, InstanceRef};
use tidemill_core::state::TaskState;
use tidemill_core::version::Version;

use super::machine::Engine;
use super::run::At;

/// What an attempt takes from one task before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The task.
    pub task: TaskId,
    /// Whether it is mapped: then the value is the list of what its instances returned.
    pub list: bool,
    /// The attempts that succeeded, by index.
    pub attempts: Vec<AttemptNo>,
}

impl Engine {
    /// What an instance takes from the tasks before it. A task that did not succeed is left out.
    #[must_use]
    pub fn inputs(&self, of: InstanceRef) -> Vec<Taken> {
        let Some(run) = self.runs.get(&of.run) else {
            return Vec::new();
        };
        let Some(pos) = run.plan.position(of.task) else {
            return Vec::new();
        };
        let returned = |at: At| {
            let slot = run.slot(at)?;
            (slot.state == TaskState::Success).then_some(slot.attempt)
        };
        let takes = run.plan.task(pos).takes.iter();
        takes
            .filter_map(|up| {
                let task = run.plan.task(*up).id.clone();
                let hand_in_hand = of.map_index >= 0 && run.plan.hand_in_hand(pos, *up);
                let index = if hand_in_hand { of.map_index } else { -1 };
                let at = At { pos: *up, index };
                let list = !hand_in_hand && run.is_summary(at);
                let attempts: Vec<AttemptNo> = if list {
                    run.instances_of(*up).filter_map(returned).collect()
                } else {
                    vec![returned(at)?]
                };
                let ended_well = run.state_of(*up) == TaskState::Success || hand_in_hand;
                (ended_well || !attempts.is_empty()).then_some(Taken {
                    task,
                    list,
                    attempts,
                })
            })
            .collect()
    }

    /// How long a worker may be silent.
    #[must_use]
    pub const fn lease(&self) -> std::time::Duration {
        self.world.config.lease
    }

    /// How many runs that are at hand have not ended.
    #[must_use]
    pub fn open_runs(&self) -> usize {
        self.runs.values().filter(|run| !run.has_ended()).count()
    }

    /// Whether a DAG version is known.
    #[must_use]
    pub fn knows(&self, dag: &DagId, version: &Version) -> bool {
        let dag = self.world.dag_by_id.get(dag);
        dag.is_some_and(|dag| self.world.dag(*dag).plans.contains_key(version))
    }

    /// Whether there is a pool of this name.
    #[must_use]
    pub fn has_pool(&self, name: &str) -> bool {
        let found = self.world.find_pool(name);
        found.is_some_and(|pool| self.world.lanes.pools[pool as usize].exists)
    }
}
