//! The shape of a DAG: cycles, edges into nothing, size, branches, setups and teardowns.

use std::collections::BTreeSet;

use crate::check::TASKS_MAX;
use crate::graph::Graph;
use crate::id::nearest;
use crate::problem::{Problem, Rule};
use crate::spec::{Definition, Over, Role, TaskKind, TaskSpec};

pub(super) fn check(definition: &Definition, graph: &Graph, problems: &mut Vec<Problem>) {
    let tasks = &definition.tasks;
    if tasks.is_empty() {
        problems.push(Problem::new(
            Rule::Empty,
            "it has no tasks",
            "add one with `dag.call` or `dag.add`",
        ));
    }
    if tasks.len() > TASKS_MAX {
        let message = format!("it has {} tasks, the most is {TASKS_MAX}", tasks.len());
        problems.push(Problem::new(
            Rule::TooLarge,
            message,
            "use one mapped task for equal work, or several DAGs",
        ));
    }
    for pair in tasks.windows(2).filter(|pair| pair[0].id == pair[1].id) {
        let message = format!("there are two tasks named `{}`", pair[0].id);
        problems.push(
            Problem::new(Rule::DuplicateId, message, "names are unique within a DAG")
                .task(&pair[0].id),
        );
    }
    if graph.order().is_err() {
        problems.extend(
            graph
                .cycles()
                .iter()
                .map(|cycle| cycle_problem(definition, cycle)),
        );
    }
    for task in tasks {
        unknown_upstreams(definition, task, problems);
        match &task.kind {
            TaskKind::Branch { .. } => branch(definition, task, problems),
            _ => teardown(definition, task, problems),
        }
    }
    groups(definition, problems);
}

fn cycle_problem(definition: &Definition, cycle: &[usize]) -> Problem {
    let name = |at: &usize| definition.tasks[*at].id.as_str();
    let mut path: Vec<&str> = cycle.iter().map(name).collect();
    path.extend(cycle.first().map(name));
    // A path of ten thousand names helps nobody.
    if path.len() > 12 {
        path.splice(6..path.len() - 5, ["…"]);
    }
    let message = format!(
        "tasks wait for each other in a circle: {}",
        path.join(" → ")
    );
    let first = path.first().copied().unwrap_or_default();
    Problem::new(Rule::Cycle, message, "remove one of these edges").task(first)
}

fn unknown_upstreams(definition: &Definition, task: &TaskSpec, problems: &mut Vec<Problem>) {
    for up in task
        .upstream
        .iter()
        .filter(|up| definition.position(up.task.as_str()).is_none())
    {
        let near = nearest(
            up.task.as_str(),
            definition.tasks.iter().map(|task| task.id.as_str()),
        );
        let help = near.map_or_else(String::new, |near| format!("did you mean `{near}`?"));
        let message = format!("it comes after `{}`, which is not in the DAG", up.task);
        problems.push(Problem::new(Rule::UnknownUpstream, message, help).task(&task.id));
    }
    let over = task.mapping.iter().flat_map(|mapping| &mapping.over);
    for over in over {
        if let Over::Output { task: from, .. } = over
            && !task.upstream.iter().any(|up| up.task == *from)
        {
            let message =
                format!("it is mapped over what `{from}` returns, but does not come after it");
            problems.push(
                Problem::new(
                    Rule::Mapping,
                    message,
                    "map over the handle of an upstream task",
                )
                .task(&task.id),
            );
        }
    }
}

fn branch(definition: &Definition, task: &TaskSpec, problems: &mut Vec<Problem>) {
    let TaskKind::Branch { arms, .. } = &task.kind else {
        return;
    };
    for arm in arms {
        for to in arm.tasks.iter().filter(|to| {
            definition
                .task(to.as_str())
                .is_none_or(|to| !to.upstream.iter().any(|up| up.task == task.id))
        }) {
            let message = format!(
                "its way `{}` leads to `{to}`, which does not come directly after it",
                arm.label
            );
            problems.push(
                Problem::new(
                    Rule::Branch,
                    message,
                    "name a task that comes directly after the branch",
                )
                .task(&task.id),
            );
        }
    }
    if arms.is_empty() {
        let message = "it is a branch without any way out";
        problems.push(
            Problem::new(Rule::Branch, message, "give its enum at least one variant")
                .task(&task.id),
        );
    }
}

fn teardown(definition: &Definition, task: &TaskSpec, problems: &mut Vec<Problem>) {
    let Role::Teardown { setups, .. } = &task.role else {
        return;
    };
    if setups.is_empty() {
        let message = "it is a teardown of nothing";
        problems.push(
            Problem::new(
                Rule::Teardown,
                message,
                "name its setup: `.teardown(&cluster)`",
            )
            .task(&task.id),
        );
    }
    for setup in setups {
        let role = definition.task(setup.as_str()).map(|setup| &setup.role);
        if role != Some(&Role::Setup) {
            let message = format!("it is the teardown of `{setup}`, which is no setup");
            problems.push(
                Problem::new(Rule::Teardown, message, "mark it with `.setup()`").task(&task.id),
            );
        }
    }
}

fn groups(definition: &Definition, problems: &mut Vec<Problem>) {
    let mut filled: BTreeSet<&str> = BTreeSet::new();
    for task in &definition.tasks {
        if let Some(group) = task
            .group
            .as_ref()
            .filter(|group| definition.group(group.as_str()).is_none())
        {
            let message = format!("it is in the group `{group}`, which is not in the DAG");
            problems.push(
                Problem::new(Rule::UnknownUpstream, message, "build the DAG again").task(&task.id),
            );
        }
        filled.extend(
            definition
                .groups_around(task.group.as_ref())
                .map(|group| group.id.as_str()),
        );
    }
    for group in definition
        .groups
        .iter()
        .filter(|group| !filled.contains(group.id.as_str()))
    {
        let message = format!("the group `{}` has no tasks", group.id);
        let help = "edges through an empty group would be lost; add a task or remove the group";
        problems.push(Problem::new(Rule::Empty, message, help).task(&group.id));
    }
}
