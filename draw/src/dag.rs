//! From a DAG to the picture of it.

use std::collections::BTreeMap;

use crate::{Edge, Group, Kind, Node, Picture};
use tidemill_core::spec::{DagSpec, Definition, EdgeKind, Role, TaskKind, TaskSpec};

impl Picture {
    /// The picture of a DAG: every task and group, every edge, and the ways out of branches as labels.
    #[must_use]
    pub fn of(spec: &DagSpec) -> Self {
        let definition = &spec.definition;
        let groups: BTreeMap<&str, usize> = definition
            .groups
            .iter()
            .enumerate()
            .map(|(at, group)| (group.id.as_str(), at))
            .collect();
        let place = |id: &str| groups.get(id).copied();
        Self {
            title: definition.id.to_string(),
            nodes: definition
                .tasks
                .iter()
                .map(|task| node(task, task.group.as_ref().and_then(|id| place(id.as_str()))))
                .collect(),
            groups: definition
                .groups
                .iter()
                .map(|group| Group {
                    id: group.id.to_string(),
                    label: last(group.id.as_str()).to_owned(),
                    parent: group.parent.as_ref().and_then(|id| place(id.as_str())),
                    mapped: group.mapping.is_some(),
                })
                .collect(),
            edges: edges(definition),
        }
    }
}

fn node(task: &TaskSpec, group: Option<usize>) -> Node {
    let kind = match (&task.role, &task.kind) {
        (Role::Setup, _) => Kind::Setup,
        (Role::Teardown { .. }, _) => Kind::Teardown,
        (_, TaskKind::Branch { .. }) => Kind::Branch,
        (_, TaskKind::ShortCircuit { .. }) => Kind::ShortCircuit,
        (_, TaskKind::Sensor { .. }) => Kind::Sensor,
        (_, TaskKind::Approval { .. }) => Kind::Approval,
        (_, TaskKind::Work | TaskKind::Empty) => Kind::Work,
    };
    let label = last(task.id.as_str());
    // A function that is named as its task is not worth saying twice.
    let detail = if task.what() == label {
        task.operator.as_str()
    } else {
        task.what()
    };
    Node {
        id: task.id.to_string(),
        label: label.to_owned(),
        detail: detail.to_owned(),
        kind,
        mapped: task.mapping.is_some(),
        group,
    }
}

fn edges(definition: &Definition) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (to, task) in definition.tasks.iter().enumerate() {
        for up in &task.upstream {
            let Some(from) = definition.position(up.task.as_str()) else {
                continue;
            };
            edges.push(Edge {
                from,
                to,
                label: way(&definition.tasks[from], task),
                data: up.kind == EdgeKind::Data,
            });
        }
    }
    edges
}

/// The way out of a branch that leads to a task.
fn way(from: &TaskSpec, to: &TaskSpec) -> Option<String> {
    let TaskKind::Branch { arms, .. } = &from.kind else {
        return None;
    };
    let labels: Vec<&str> = arms
        .iter()
        .filter(|arm| arm.tasks.contains(&to.id))
        .map(|arm| arm.label.as_str())
        .collect();
    (!labels.is_empty()).then(|| labels.join(", "))
}

fn last(id: &str) -> &str {
    id.rsplit('.').next().unwrap_or(id)
}
