//! Running a whole DAG in a test.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tidemill_core::author::Dag;

use super::given::{Given, day_from, day_of, settings, to_json};
use super::graph::ValidDag;
use super::host::Fakes;
use super::play::Play;
use super::ran_dag::RanDag;

/// One run of a whole DAG, through the engine that decides in production, on a virtual clock.
///
/// Tasks really run, with fakes instead of services. Time passes only while everything waits: a task that sleeps for ten
/// minutes beside one that sleeps for five makes the run ten minutes long. The same run is the same every time.
///
/// The DAG's schedule plays no part, and its pools have no limit unless [`Self::pool`] gives them one.
#[must_use = "a run does nothing until `.run()`"]
pub struct DagRun<'a> {
    dag: &'a Dag,
    given: Given,
    prepared: Prepared,
}

/// What a test says about tasks before they run.
#[derive(Default)]
pub(super) struct Prepared {
    pub(super) answers: BTreeMap<String, Arc<str>>,
    pub(super) outputs: BTreeMap<String, Value>,
    pub(super) pools: BTreeMap<String, u32>,
    pub(super) slots: Option<u32>,
    pub(super) fakes: Arc<Fakes>,
}

impl std::fmt::Debug for DagRun<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DagRun")
            .field("dag", self.dag.spec().id())
            .finish_non_exhaustive()
    }
}

impl<'a> DagRun<'a> {
    /// A run of this DAG.
    #[track_caller]
    pub fn of(dag: &'a ValidDag) -> Self {
        Self {
            dag,
            given: Given::new(dag),
            prepared: Prepared::default(),
        }
    }

    settings!();

    /// A person answers an approval like this as soon as it is asked.
    ///
    /// # Panics
    /// There is no approval of this name: this is an assertion.
    #[track_caller]
    pub fn answer(mut self, approval: &str, choice: &str) -> Self {
        self.must_know(approval);
        let answers = &mut self.prepared.answers;
        answers.insert(approval.to_owned(), choice.into());
        self
    }

    /// This task does not run and returns this. Of a mapped task `load` means all instances and `load[2]` one of them.
    ///
    /// # Panics
    /// There is no task of this name: this is an assertion.
    #[track_caller]
    pub fn output_of(mut self, task: &str, output: impl Serialize) -> Self {
        self.must_know(task);
        let outputs = &mut self.prepared.outputs;
        outputs.insert(task.to_owned(), to_json(output));
        self
    }

    /// A pool has so many slots.
    pub fn pool(mut self, name: &str, slots: u32) -> Self {
        self.prepared.pools.insert(name.to_owned(), slots);
        self
    }

    /// The worker runs so many attempts at once; ten thousand if nothing is said.
    pub fn slots(mut self, slots: u32) -> Self {
        self.prepared.slots = Some(slots);
        self
    }

    #[track_caller]
    fn must_know(&self, task: &str) {
        let definition = &self.dag.spec().definition;
        let name = task.split('[').next().unwrap_or_default();
        let known = || definition.tasks.iter().map(|task| task.id.as_str());
        assert!(
            definition.task(name).is_some(),
            "there is no task `{name}` in `{}`; there are {}",
            definition.id,
            known().collect::<Vec<_>>().join(", ")
        );
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// The params are wrong, an answer is none of the choices, or the run cannot end: then it says what every open task
    /// waits for. A task that panics has failed.
    #[must_use]
    #[track_caller]
    pub fn run(self) -> RanDag {
        let (interval, begin) = (self.given.interval, self.given.begin());
        let mut play = self.play(begin);
        play.run(interval)
    }

    /// Runs it for so many days, one after the other, each to its end. A run begins at the end of its day, or when the
    /// one before it has ended. What tasks look back at is the run before.
    ///
    /// # Panics
    /// As [`Self::run`].
    #[must_use]
    #[track_caller]
    pub fn run_days(self, first: &str, days: u32) -> Vec<RanDag> {
        let dag = self.dag;
        let mut day = day_of(dag, first);
        let begin = self.given.now.unwrap_or(day.end);
        let mut play = self.play(begin);
        let mut ran = Vec::new();
        for _ in 0..days {
            play.pass_until(day.end);
            ran.push(play.run(day));
            day = day_from(dag, day.end);
        }
        ran
    }

    #[track_caller]
    fn play(mut self, begin: chrono::DateTime<chrono::Utc>) -> Play<'a> {
        self.prepared.fakes = Arc::new(self.given.fakes);
        Play::new(self.dag, self.prepared, self.given.params.into(), begin)
    }
}
