//! What changed between two looks.

use std::collections::{BTreeSet, HashMap, HashSet};

use tidemill_core::id::DagId;
use tidemill_core::protocol::RunNo;
use tidemill_store::live::{DagMark, Pulse, RunMark, TasksMark};
use tidemill_store::{Store, StoreError};

use super::Topic;

/// The tasks of so many runs are looked at, the newest first. The runs themselves are all looked at.
const RUNS_MAX: usize = 500;

/// How everything stood when it was looked at.
#[derive(Debug)]
pub(super) struct Marks {
    pub(super) pulse: Pulse,
    dags: HashMap<DagId, DagMark>,
    runs: HashMap<RunNo, RunMark>,
    tasks: HashMap<RunNo, TasksMark>,
}

/// What is not as it was.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// DAGs, their runs included, and tasks of runs where somebody looks at them.
    dags: BTreeSet<DagId>,
    /// The same without tasks: what lists of all DAGs show.
    pub(super) heads: BTreeSet<DagId>,
    runs: HashSet<RunNo>,
}

impl Moved {
    pub(super) fn touches(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Home => !self.heads.is_empty(),
            Topic::Dag(dag) => self.dags.contains(dag),
            Topic::Run(run) => self.runs.contains(run),
        }
    }
}

impl Marks {
    /// Looks at what these topics need.
    pub(super) async fn read(
        store: &Store,
        pulse: Pulse,
        (topics, above): (&[(Topic, bool)], RunNo),
    ) -> Result<Self, StoreError> {
        let watched: Vec<RunNo> = topics
            .iter()
            .filter_map(|(topic, _)| run_of(topic))
            .collect();
        let of_dags: HashSet<&DagId> = topics
            .iter()
            .filter_map(|(topic, _)| dag_of(topic))
            .collect();
        let dags = store.dag_marks().await?;
        let runs = store.run_marks(&watched, above).await?;
        let inside = |run: &&RunMark| watched.contains(&run.run) || of_dags.contains(&run.dag);
        let mut looked: Vec<RunNo> = runs.iter().filter(inside).map(|run| run.run).collect();
        looked.sort_unstable_by(|a, b| b.cmp(a));
        looked.truncate(RUNS_MAX);
        let tasks = if looked.is_empty() {
            Vec::new()
        } else {
            store.tasks_marks(&looked).await?
        };
        Ok(Self {
            pulse,
            dags: dags
                .into_iter()
                .map(|mark| (mark.dag.clone(), mark))
                .collect(),
            runs: runs.into_iter().map(|mark| (mark.run, mark)).collect(),
            tasks: tasks.into_iter().map(|mark| (mark.run, mark)).collect(),
        })
    }

    /// What changed since `old`. A run that is only in one of the two has begun or ended meanwhile, or is only watched since
    /// then, which is no change.
    pub(super) fn since(&self, old: &Self) -> Moved {
        let mut moved = Moved::default();
        let dags = self.dags.iter();
        let changed = dags.filter(|(dag, mark)| old.dags.get(*dag) != Some(mark));
        moved.heads.extend(changed.map(|(dag, _)| dag.clone()));
        let gone = old.dags.keys().filter(|dag| !self.dags.contains_key(*dag));
        moved.heads.extend(gone.cloned());
        for (run, mark) in &self.runs {
            let is_other = match old.runs.get(run) {
                Some(before) => before != mark,
                None => mark.is_active() || *run > old.pulse.newest,
            };
            if is_other {
                moved.runs.insert(*run);
                moved.heads.insert(mark.dag.clone());
            }
        }
        for (run, before) in &old.runs {
            if before.is_active() && !self.runs.contains_key(run) {
                moved.runs.insert(*run);
                moved.heads.insert(before.dag.clone());
            }
        }
        moved.dags.clone_from(&moved.heads);
        for (run, mark) in &self.tasks {
            if old.tasks.get(run).is_some_and(|before| before != mark) {
                moved.runs.insert(*run);
                moved
                    .dags
                    .extend(self.runs.get(run).map(|run| run.dag.clone()));
            }
        }
        moved
    }
}

fn run_of(topic: &Topic) -> Option<RunNo> {
    match topic {
        Topic::Run(run) => Some(*run),
        Topic::Home | Topic::Dag(_) => None,
    }
}

fn dag_of(topic: &Topic) -> Option<&DagId> {
    match topic {
        Topic::Dag(dag) => Some(dag),
        Topic::Home | Topic::Run(_) => None,
    }
}
