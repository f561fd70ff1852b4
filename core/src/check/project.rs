//! What is wrong between DAGs, and between a DAG and what its project declares.

use std::collections::{BTreeMap, BTreeSet};

use crate::author::{Dag, Resources};
use crate::diff;
use crate::id::TaskId;
use crate::id::nearest;
use crate::problem::{Problem, Rule};
use crate::spec::{AssetExpr, DEFAULT_POOL, DEFAULT_QUEUE, Definition, Input, TaskSpec};
use crate::text::{self, Placeholder};

/// Names that nobody declared: most of them are misspelt, and would only show when a task waits for ever.
pub(crate) fn against_project(dag: &Dag, resources: &Resources) -> Vec<Problem> {
    let spec = dag.spec();
    let definition = &spec.definition;
    let mut problems = Vec::new();
    for task in &definition.tasks {
        pool(task, resources, &mut problems);
        let queue = &task.placement.queue;
        if queue != DEFAULT_QUEUE && !resources.queues.contains(queue) {
            let declare = format!("declare it: `Dags::new().queue(\"{queue}\")`");
            problems.push(
                unknown(
                    Rule::UnknownQueue,
                    "queue",
                    queue,
                    &resources.queues,
                    declare,
                )
                .task(&task.id),
            );
        }
        for name in task
            .touches
            .connections
            .iter()
            .filter(|name| !resources.connections.contains_key(*name))
        {
            let declare = format!("declare it: `Dags::new().connection(\"{name}\", \"KIND\")`");
            let known = resources.connections.keys();
            problems.push(
                unknown(Rule::UnknownConnection, "connection", name, known, declare).task(&task.id),
            );
        }
        for name in variables(task)
            .iter()
            .filter(|name| !resources.variables.contains(*name))
        {
            let declare = format!("declare it: `Dags::new().variable(\"{name}\")`");
            let known = &resources.variables;
            problems.push(
                unknown(Rule::UnknownVariable, "variable", name, known, declare).task(&task.id),
            );
        }
        for rule in &task.alerts {
            problems
                .extend(route(&rule.alert.route, resources).map(|problem| problem.task(&task.id)));
        }
    }
    for rule in &definition.alerts {
        problems.extend(route(&rule.alert.route, resources));
    }
    problems
        .into_iter()
        .map(|problem| problem.located(spec))
        .collect()
}

fn pool(task: &TaskSpec, resources: &Resources, problems: &mut Vec<Problem>) {
    let (pool, slots) = (&task.placement.pool, task.placement.slots);
    match resources.pools.get(pool) {
        Some(Some(size)) if slots > *size => {
            let message = format!(
                "it takes {slots} slots of the pool `{pool}`, which has {size}: it would never run"
            );
            let help = "take fewer slots, or declare a larger pool";
            problems.push(Problem::new(Rule::UnknownPool, message, help).task(&task.id));
        }
        Some(_) => {}
        None if pool == DEFAULT_POOL => {}
        None => {
            let declare = format!("declare it: `Dags::new().pool(\"{pool}\", SLOTS)`");
            problems.push(
                unknown(
                    Rule::UnknownPool,
                    "pool",
                    pool,
                    resources.pools.keys(),
                    declare,
                )
                .task(&task.id),
            );
        }
    }
}

fn route(name: &str, resources: &Resources) -> Option<Problem> {
    let declare = format!("declare it: `Dags::new().alert_route(\"{name}\")`");
    let problem = || {
        unknown(
            Rule::UnknownRoute,
            "alert route",
            name,
            &resources.routes,
            declare,
        )
    };
    (!resources.routes.contains(name)).then(problem)
}

fn unknown<'a>(
    rule: Rule,
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a String>,
    declare: String,
) -> Problem {
    let near = nearest(name, known.into_iter().map(String::as_str));
    let help = near.map_or(declare, |near| format!("did you mean `{near}`?"));
    Problem::new(rule, format!("there is no {what} `{name}`"), help)
}

/// What has to be fetched before a task can be made ready: see [`crate::operator::Registry::make`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Variables of the deployment.
    pub variables: BTreeSet<String>,
    /// Upstream tasks whose outputs it takes.
    pub outputs: BTreeSet<TaskId>,
}

/// What a task of this definition needs.
#[must_use]
pub fn needs(definition: &Definition, task: &TaskSpec) -> Needs {
    let mut needs = Needs {
        variables: variables(task),
        outputs: BTreeSet::new(),
    };
    for input in &task.inputs {
        if let Input::Output { task, .. } = input {
            needs.outputs.insert(task.clone());
        }
    }
    needs
        .outputs
        .extend(text_outputs(definition, task).cloned());
    needs
}

/// The tasks whose outputs a task's texts use.
pub(super) fn text_outputs<'a>(
    definition: &'a Definition,
    task: &TaskSpec,
) -> impl Iterator<Item = &'a TaskId> + use<'a> {
    let mut paths = Vec::new();
    super::each_task_text(task, &mut |text| {
        // Most texts use no output, and reading them again is not free.
        if text.contains("{out.") {
            let placeholders = text::placeholders(text).unwrap_or_default();
            paths.extend(
                placeholders
                    .into_iter()
                    .filter_map(|placeholder| match placeholder {
                        Placeholder::Out(path) => Some(path),
                        _ => None,
                    }),
            );
        }
    });
    paths.into_iter().filter_map(|path| {
        let (name, _) = text::split_output(&path, |name| definition.position(name).is_some())?;
        definition.task(&name).map(|task| &task.id)
    })
}

/// The variables that a task's texts use.
fn variables(task: &TaskSpec) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    super::each_task_text(task, &mut |text| {
        // Most texts use no variable: reading them again would cost more than all other checks here.
        if text.contains("{var.") {
            let placeholders = text::placeholders(text).unwrap_or_default();
            names.extend(
                placeholders
                    .into_iter()
                    .filter_map(|placeholder| match placeholder {
                        Placeholder::Var(name) => Some(name),
                        _ => None,
                    }),
            );
        }
    });
    names
}

/// DAGs of one name, and assets that are waited for in vain.
pub(crate) fn between(dags: &[Dag], resources: &Resources) -> Vec<Problem> {
    let mut first: BTreeMap<&str, &Dag> = BTreeMap::new();
    let mut problems = Vec::new();
    for dag in dags {
        let id = dag.spec().id().as_str();
        if let Some(other) = first.get(id) {
            let place = other
                .spec()
                .notes
                .source
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let message =
                format!("there are two DAGs named `{id}`; the other one is built at {place}");
            let problem = Problem::new(
                Rule::DuplicateId,
                message,
                "names of DAGs are unique in a deployment",
            );
            problems.push(problem.located(dag.spec()));
        } else {
            first.insert(id, dag);
        }
    }
    problems.extend(unknown_assets(dags, resources));
    problems
}

/// A DAG that waits for an asset that nobody changes never runs, and nothing ever says so.
fn unknown_assets(dags: &[Dag], resources: &Resources) -> Vec<Problem> {
    let tasks = dags.iter().flat_map(|dag| &dag.spec().definition.tasks);
    let mut made: BTreeSet<String> = tasks
        .flat_map(|task| &task.touches.outlets)
        .map(|asset| asset.uri().to_owned())
        .collect();
    made.extend(resources.assets.iter().cloned());
    let mut problems = Vec::new();
    for dag in dags {
        let awaited = dag
            .spec()
            .definition
            .schedule
            .assets()
            .map(AssetExpr::assets)
            .unwrap_or_default();
        for asset in awaited
            .into_iter()
            .filter(|asset| !made.contains(asset.uri()))
        {
            let declare = format!(
                "let a task change it: `.outlet(&asset)`; if others do: `Dags::new().outside_asset(\"{}\")`",
                asset.uri()
            );
            let problem = unknown(
                Rule::UnknownAsset,
                "task that changes the asset",
                asset.uri(),
                &made,
                declare,
            );
            problems.push(problem.located(dag.spec()));
        }
    }
    problems
}

/// What the second build of the same DAGs made different.
pub(crate) fn differences(first: &[Dag], second: &[Dag]) -> Vec<Problem> {
    let help = "a builder must not read the clock, random numbers, files or the order of a HashMap: \
                every worker builds the DAG itself and all must get the same";
    if first.len() != second.len() {
        let message = format!(
            "it builds {} DAGs the first time and {} the second",
            first.len(),
            second.len()
        );
        let problem = Problem::new(Rule::Unstable, message, help);
        return first
            .first()
            .or(second.first())
            .map(|dag| problem.located(dag.spec()))
            .into_iter()
            .collect();
    }
    let pairs = first
        .iter()
        .zip(second)
        .filter(|(a, b)| a.spec().definition != b.spec().definition);
    pairs
        .map(|(a, b)| {
            let change = diff::first_difference(&a.spec().definition, &b.spec().definition);
            let message = format!("it is built differently the second time: {change}");
            Problem::new(Rule::Unstable, message, help).located(a.spec())
        })
        .collect()
}
