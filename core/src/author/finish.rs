//! From the draft to data: edges resolved, settings inherited, everything sorted by name.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::draft::{Draft, DraftTask, Inherited, Node, Wish};
use crate::check;
use crate::id::{GroupId, TaskId, nearest};
use crate::operator::Registry;
use crate::problem::{Problem, Rule};
use crate::spec::{BranchArm, DagSpec, EdgeKind, GroupSpec, Role, Source, TaskKind, Upstream};
use crate::text::{self, Placeholder};

/// How long a sensor waits when the author says nothing, as in Airflow.
const SENSOR_TIMEOUT: std::time::Duration = crate::span::days(7);

/// A finished draft.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) spec: DagSpec,
    pub(super) problems: Vec<Problem>,
    pub(super) registry: Registry,
}

pub(super) fn finish(mut draft: Draft) -> Finished {
    let mut wiring = Wiring::new(&draft);
    wiring.placeholders(&draft);
    // Where a group begins and ends is only known when all edges between single tasks are.
    let (groups_too, single): (Vec<Wish>, Vec<Wish>) = std::mem::take(&mut draft.wishes)
        .into_iter()
        .partition(|wish| wish.has_group(&draft));
    for wish in single.iter().chain(&groups_too) {
        wiring.wish(&mut draft, wish);
    }
    wiring.mapped_groups(&mut draft);
    special_edges(&mut draft, &wiring);
    inherit(&mut draft);

    let ids: Vec<TaskId> = draft
        .tasks
        .iter()
        .map(|task| task.spec.id.clone())
        .collect();
    for (from, to, kind) in wiring.into_edges() {
        if let (Some(id), Some(task)) = (ids.get(from), draft.tasks.get_mut(to)) {
            task.spec.upstream.push(Upstream {
                task: id.clone(),
                kind,
            });
        }
    }
    for task in &mut draft.tasks {
        task.spec.upstream.sort_unstable();
    }
    dates(&mut draft);
    let mut definition = draft.definition;
    definition.groups = groups(&draft.groups);
    let mut notes = draft.notes;
    for DraftTask {
        spec,
        notes: of_task,
        ..
    } in draft.tasks
    {
        notes.tasks.push((spec.id.clone(), of_task));
        definition.tasks.push(spec);
    }
    // Tasks are large: sorting their names and moving each once is much cheaper than swapping them around.
    definition.tasks.sort_by_cached_key(|task| task.id.clone());

    let spec = DagSpec { definition, notes };
    let problems = draft
        .problems
        .into_iter()
        .map(|problem| problem.located(&spec))
        .collect();
    Finished {
        spec,
        problems,
        registry: draft.registry,
    }
}

/// The edges between tasks, as they are resolved one wish after the other.
struct Wiring {
    /// From, to, why; an edge that was asked for twice is there twice.
    edges: Vec<(usize, usize, EdgeKind)>,
    /// The tasks of each group, those of inner groups included.
    members: Vec<Vec<usize>>,
}

impl Wiring {
    fn new(draft: &Draft) -> Self {
        let mut members = vec![Vec::new(); draft.groups.len()];
        for (at, task) in draft.tasks.iter().enumerate() {
            let mut around = task.group;
            while let Some(group) = around {
                if let Some(members) = members.get_mut(group) {
                    members.push(at);
                }
                around = draft.groups.get(group).and_then(|group| group.parent);
            }
        }
        let edges = draft
            .data
            .iter()
            .map(|(from, to)| (*from, *to, EdgeKind::Data))
            .collect();
        Self { edges, members }
    }

    /// Every edge once, as data if it was asked for as data.
    fn into_edges(mut self) -> Vec<(usize, usize, EdgeKind)> {
        self.edges
            .sort_unstable_by_key(|(from, to, kind)| (*from, *to, Reverse(*kind)));
        self.edges.dedup_by_key(|(from, to, _)| (*from, *to));
        self.edges
    }

    /// What a mapped group is mapped over comes before its first tasks.
    fn mapped_groups(&mut self, draft: &mut Draft) {
        for group in 0..draft.groups.len() {
            let source = Source {
                file: String::new(),
                line: 0,
            };
            let from = draft.groups[group].sources.clone();
            if from.is_empty() {
                continue;
            }
            for to in self.tasks(draft, &Node::Group(group), End::First, &source) {
                self.edges
                    .extend(from.iter().map(|from| (*from, to, EdgeKind::Order)));
            }
        }
    }

    fn wish(&mut self, draft: &mut Draft, wish: &Wish) {
        let from: Vec<usize> = wish
            .from
            .iter()
            .flat_map(|node| self.tasks(draft, node, End::Last, &wish.source))
            .collect();
        let to: Vec<usize> = wish
            .to
            .iter()
            .flat_map(|node| self.tasks(draft, node, End::First, &wish.source))
            .collect();
        for from in &from {
            for to in &to {
                self.edges.push((*from, *to, EdgeKind::Order));
            }
        }
    }

    /// The tasks at one end of a node: of a group, those that nothing in it comes before or after.
    fn tasks(&self, draft: &mut Draft, node: &Node, end: End, source: &Source) -> Vec<usize> {
        match node {
            Node::Task(at) => vec![*at],
            Node::Group(group) => self.ends_of_group(draft, *group, end),
            Node::Span(span) => self.outermost(&span.clone().collect::<Vec<_>>(), end),
            Node::Name(name) => match draft.by_name.get(name) {
                Some(at) if *at != usize::MAX => vec![*at],
                Some(_) => {
                    let group = draft
                        .groups
                        .iter()
                        .position(|group| group.id == *name)
                        .unwrap_or_default();
                    self.tasks(draft, &Node::Group(group), end, source)
                }
                None => {
                    let known = draft.tasks.iter().map(|task| task.spec.id.as_str());
                    let help = nearest(name, known).map_or_else(
                        || "add it to this DAG; a task of another DAG is waited for through an asset".to_owned(),
                        |near| format!("did you mean `{near}`?"),
                    );
                    let message =
                        format!("an edge names the task `{name}`, which is not in the DAG");
                    draft.problems.push(
                        Problem::new(Rule::UnknownUpstream, message, help).at(source.clone()),
                    );
                    Vec::new()
                }
            },
        }
    }

    /// What comes after a group does not wait for its teardowns, only for its work; a group of teardowns alone has no
    /// other ends.
    fn ends_of_group(&self, draft: &Draft, group: usize, end: End) -> Vec<usize> {
        let members = self.members.get(group).map_or(&[][..], Vec::as_slice);
        let is_work = |at: &&usize| {
            !draft
                .tasks
                .get(**at)
                .is_some_and(|task| matches!(task.spec.role, Role::Teardown { .. }))
        };
        let work: Vec<usize> = members.iter().filter(is_work).copied().collect();
        match end {
            End::Last if !work.is_empty() => self.outermost(&work, end),
            _ => self.outermost(members, end),
        }
    }

    fn outermost(&self, members: &[usize], end: End) -> Vec<usize> {
        let inside: BTreeSet<usize> = members.iter().copied().collect();
        let mut outermost = inside.clone();
        for (from, to, _) in self
            .edges
            .iter()
            .filter(|(from, to, _)| inside.contains(from) && inside.contains(to))
        {
            match end {
                End::First => outermost.remove(to),
                End::Last => outermost.remove(from),
            };
        }
        outermost.into_iter().collect()
    }

    /// A task that uses `{out.other}` in a text comes after the other.
    fn placeholders(&mut self, draft: &Draft) {
        let mut edges = Vec::new();
        for (at, task) in draft.tasks.iter().enumerate() {
            check::each_task_text(&task.spec, &mut |text| {
                if !text.contains("{out.") {
                    return;
                }
                for placeholder in text::placeholders(text).unwrap_or_default() {
                    let Placeholder::Out(path) = placeholder else {
                        continue;
                    };
                    let known =
                        |name: &str| draft.by_name.get(name).is_some_and(|at| *at != usize::MAX);
                    if let Some((name, _)) = text::split_output(&path, known)
                        && let Some(from) = draft.by_name.get(&name)
                    {
                        edges.push((*from, at));
                    }
                }
            });
        }
        self.edges.extend(
            edges
                .into_iter()
                .map(|(from, to)| (from, to, EdgeKind::Data)),
        );
    }
}

#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

/// Fills in the names that branches and teardowns refer to.
fn special_edges(draft: &mut Draft, wiring: &Wiring) {
    for at in 0..draft.tasks.len() {
        let source = draft.tasks[at].notes.source.clone();
        let Some(source) = source else { continue };
        let arms = std::mem::take(&mut draft.tasks[at].arms);
        unwired(draft, at, &arms);
        for (label, nodes) in arms {
            let tasks = names(draft, wiring, &nodes, End::First, &source);
            if let TaskKind::Branch { arms, .. } = &mut draft.tasks[at].spec.kind
                && let Some(arm) = arms
                    .iter_mut()
                    .find(|arm: &&mut BranchArm| arm.label == label)
            {
                arm.tasks.extend(tasks);
                arm.tasks.sort_unstable();
                arm.tasks.dedup();
            }
        }
        let of = std::mem::take(&mut draft.tasks[at].teardown_of);
        let mut cleaned = names(draft, wiring, &of, End::Last, &source);
        let also_run = draft.tasks[at].fails_run;
        if let Role::Teardown { setups, fails_run } = &mut draft.tasks[at].spec.role {
            *fails_run = also_run;
            cleaned.sort_unstable();
            cleaned.dedup();
            *setups = cleaned;
        }
    }
}

/// Every way out of a branch has to be said, even if it leads nowhere: a forgotten one skips all that follows.
fn unwired(draft: &mut Draft, at: usize, said: &[(&'static str, Vec<Node>)]) {
    let TaskKind::Branch { arms, .. } = &draft.tasks[at].spec.kind else {
        return;
    };
    let forgotten: Vec<String> = arms
        .iter()
        .filter(|arm| !said.iter().any(|(label, _)| *label == arm.label))
        .map(|arm| arm.label.clone())
        .collect();
    let id = draft.tasks[at].spec.id.clone();
    for label in forgotten {
        let message = format!("its way `{label}` leads nowhere");
        let help =
            "say where it goes: `.when(way, &task)`, or `.when(way, ())` to skip what follows";
        draft
            .problems
            .push(Problem::new(Rule::Branch, message, help).task(&id));
    }
}

fn names(
    draft: &mut Draft,
    wiring: &Wiring,
    nodes: &[Node],
    end: End,
    source: &Source,
) -> Vec<TaskId> {
    let before = draft.problems.len();
    let at: Vec<usize> = nodes
        .iter()
        .flat_map(|node| wiring.tasks(draft, node, end, source))
        .collect();
    // The edge to the same name has said already that it is unknown.
    draft.problems.truncate(before);
    at.iter()
        .filter_map(|at| draft.tasks.get(*at))
        .map(|task| task.spec.id.clone())
        .collect()
}

/// Dates are midnights of the DAG's zone, whichever was said first.
fn dates(draft: &mut Draft) {
    let zone = draft.definition.zone();
    for (is_end, date, source) in std::mem::take(&mut draft.dates) {
        match crate::spec::parse_date(&date, zone) {
            Ok(at) if is_end => draft.definition.end = Some(at),
            Ok(at) => draft.definition.start = Some(at),
            Err(error) => {
                let help = "a date means its midnight in the DAG's time zone";
                draft
                    .problems
                    .push(Problem::new(Rule::Schedule, error.to_string(), help).at(source));
            }
        }
    }
}

fn inherit(draft: &mut Draft) {
    let mut scopes: Vec<Inherited> = Vec::with_capacity(draft.groups.len());
    // A group is added after the group around it, so the one around is always done.
    for group in &draft.groups {
        let around = group
            .parent
            .and_then(|parent| scopes.get(parent))
            .unwrap_or(&draft.defaults);
        scopes.push(group.defaults.clone().or(around));
    }
    for task in &mut draft.tasks {
        let around = task
            .group
            .and_then(|group| scopes.get(group))
            .unwrap_or(&draft.defaults);
        let own_timeout = task.own.timeout;
        let all = std::mem::take(&mut task.own).or(around);
        let spec = &mut task.spec;
        spec.retry = all.retry.unwrap_or_default();
        // What waits for others has a time of its own: the DAG's is meant for work.
        spec.timeout = match spec.kind {
            TaskKind::Sensor { .. } => Some(own_timeout.unwrap_or(SENSOR_TIMEOUT)),
            TaskKind::Approval { .. } => own_timeout,
            _ => all.timeout,
        };
        if let Some(pool) = all.pool {
            spec.placement.pool = pool;
        }
        if let Some(queue) = all.queue {
            spec.placement.queue = queue;
        }
        if let Some(priority) = all.priority {
            spec.placement.priority = priority;
        }
        spec.touches.connections.sort_unstable();
        spec.touches.connections.dedup();
    }
}

fn groups(drafts: &[super::draft::DraftGroup]) -> Vec<GroupSpec> {
    let id = |at: usize| {
        drafts
            .get(at)
            .and_then(|group| GroupId::parse(&group.id).ok())
    };
    let specs = drafts.iter().enumerate().filter_map(|(at, group)| {
        let parent = group.parent.and_then(id);
        Some(GroupSpec {
            id: id(at)?,
            parent,
            mapping: group.mapping.clone(),
        })
    });
    let mut specs: Vec<GroupSpec> = specs.collect();
    specs.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    specs
}
