//! What can be wrong with a DAG, found before anything runs. Each check says what, where and how to mend it.
//!
//! [`definition`] needs nothing but the data, so the scheduler runs it on every version that is deployed, whoever
//! built it.

mod graph;
mod project;
mod rules;
mod settings;
mod texts;
mod writes;

pub use project::{Needs, needs};
pub(crate) use project::{against_project, between, differences};
pub(crate) use texts::each_task_text;

use crate::graph::Graph;
use crate::problem::Problem;
use crate::spec::Definition;

/// More tasks than this belong in several DAGs, or in one mapped task.
pub const TASKS_MAX: usize = 10_000;

/// Everything that is wrong with a definition, seen by itself.
#[must_use]
pub fn definition(definition: &Definition) -> Vec<Problem> {
    let graph = Graph::of(definition);
    let mut problems = Vec::new();
    graph::check(definition, &graph, &mut problems);
    settings::check(definition, &mut problems);
    texts::check(definition, &graph, &mut problems);
    writes::check(definition, &mut problems);
    // What can happen to a task is only known where nothing waits for itself.
    if let Ok(order) = graph.order() {
        rules::check(definition, &graph, &order, &mut problems);
    }
    problems
}
