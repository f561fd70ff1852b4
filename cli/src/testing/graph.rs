//! Asserting on the graph of a DAG.

use std::ops::Deref;

use tidemill_core::Problem;
use tidemill_core::author::{Dag, Dags, Project};
use tidemill_core::graph::Graph;
use tidemill_core::spec::TaskSpec;
use tidemill_draw::Picture;

/// A DAG without problems.
#[derive(Debug)]
pub struct ValidDag(Dag);

impl Deref for ValidDag {
    type Target = Dag;

    fn deref(&self) -> &Dag {
        &self.0
    }
}

/// The DAG, if nothing is wrong with it.
///
/// # Panics
/// Lists everything that is wrong: this is an assertion.
#[must_use]
#[track_caller]
pub fn valid(dag: Dag) -> ValidDag {
    assert_no_problems(dag.problems());
    ValidDag(dag)
}

/// All DAGs of a project, if nothing is wrong with any of them: the check that `dags validate` makes.
///
/// # Panics
/// Lists everything that is wrong: this is an assertion.
#[track_caller]
pub fn valid_project(dags: &Dags) -> Project {
    let project = dags.validate();
    assert_no_problems(&project.problems);
    project
}

#[track_caller]
fn assert_no_problems(problems: &[Problem]) {
    let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(
        list.is_empty(),
        "{} problems:\n\n{}\n",
        list.len(),
        list.join("\n\n")
    );
}

impl ValidDag {
    /// A task as data.
    ///
    /// # Panics
    /// There is no task of this name: this is an assertion.
    #[must_use]
    #[track_caller]
    pub fn task(&self, id: &str) -> &TaskSpec {
        let definition = &self.spec().definition;
        let known = || {
            definition
                .tasks
                .iter()
                .map(|task| task.id.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        match definition.task(id) {
            Some(task) => task,
            None => panic!(
                "there is no task `{id}` in `{}`; there are {}",
                definition.id,
                known()
            ),
        }
    }

    /// The tasks directly before a task, sorted.
    #[must_use]
    #[track_caller]
    pub fn upstream_of(&self, id: &str) -> Vec<&str> {
        self.task(id)
            .upstream
            .iter()
            .map(|up| up.task.as_str())
            .collect()
    }

    /// The tasks directly after a task, sorted.
    #[must_use]
    #[track_caller]
    pub fn downstream_of(&self, id: &str) -> Vec<&str> {
        let id = &self.task(id).id;
        let tasks = self.spec().definition.tasks.iter();
        tasks
            .filter(|task| task.upstream.iter().any(|up| up.task == *id))
            .map(|task| task.id.as_str())
            .collect()
    }

    /// Whether a task comes after another, directly or not.
    #[must_use]
    #[track_caller]
    pub fn is_after(&self, later: &str, earlier: &str) -> bool {
        let definition = &self.spec().definition;
        let at = |id: &str| {
            definition
                .position(self.task(id).id.as_str())
                .unwrap_or_default()
        };
        Graph::of(definition).after(&[at(earlier)])[at(later)]
    }

    /// The DAG drawn as text: an assertion on it shows what moved.
    #[must_use]
    pub fn picture(&self) -> String {
        tidemill_draw::terminal(&Picture::of(self.spec()), 100)
    }
}
