//! A DAG version as the engine walks on it: positions instead of names, edges both ways, everything that can be worked
//! out once worked out once. All runs of a version share it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_core::check::needs;
use tidemill_core::graph::Graph;
use tidemill_core::id::TaskId;
use tidemill_core::protocol::TaskNo;
use tidemill_core::spec::{
    Concurrency, DagSpec, Definition, Mapping, Over, Role, TaskKind, TaskSpec, Weight,
};
use tidemill_core::state::TriggerRule;
use tidemill_core::version::Version;

use super::slot::Slot;

/// The place of a task in its definition.
pub(super) type Pos = u32;

/// How a task becomes many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Many {
    /// It does not.
    No,
    /// By a list of its own.
    Own,
    /// With its group; the number of the group among the mapped groups of the version.
    Group(u32),
}

/// One task of a version.
#[derive(Debug)]
pub(super) struct Task {
    /// Its number over all versions.
    pub(super) no: TaskNo,
    /// Its name.
    pub(super) id: TaskId,
    /// Directly before it.
    pub(super) up: Box<[Pos]>,
    /// Directly after it.
    pub(super) down: Box<[Pos]>,
    /// Its rule.
    pub(super) rule: TriggerRule,
    /// How it becomes many.
    pub(super) many: Many,
    /// Setups that it waits for although they are not directly before it.
    pub(super) setups: Box<[Pos]>,
    /// Of a setup: the tasks that wait for it in this way.
    pub(super) set_up: Box<[Pos]>,
    /// Of a teardown: its setups.
    pub(super) tears_down: Box<[Pos]>,
    /// Teardowns that wait for it although it is not directly before them.
    pub(super) torn_down_by: Box<[Pos]>,
    /// Of a teardown: how many tasks it waits for in this way.
    pub(super) waits: u32,
    /// Branches and short circuits directly before it.
    pub(super) steered_by: Box<[Pos]>,
    /// Mapped tasks and groups whose list is its output.
    pub(super) listed_by: Box<[Expands]>,
    /// Its priority.
    pub(super) priority: i32,
    /// How many slots of its pool it takes.
    pub(super) slots: u32,
    /// Whether it has limits of its own.
    pub(super) limited: bool,
    /// Whether an attempt of it can take too long.
    pub(super) timed: bool,
    /// Whether it waits for something to be there.
    pub(super) sensor: bool,
    /// Whether anybody is told when it ends well.
    pub(super) told: bool,
    /// Whether no worker runs it.
    pub(super) instant: bool,
    /// Whether its output decides something in the engine.
    pub(super) speaks: bool,
    /// Whether it looks at earlier runs.
    pub(super) looks_back: bool,
    /// The tasks before it whose outputs it takes.
    pub(super) takes: Box<[Pos]>,
}

/// What is expanded when a list is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expands {
    /// A mapped task.
    Task(Pos),
    /// A mapped group.
    Group(u32),
}

/// A mapped group.
#[derive(Debug)]
pub(super) struct MappedGroup {
    pub(super) mapping: Mapping,
    pub(super) members: Box<[Pos]>,
}

/// The way out of a branch: what is kept when a label is chosen.
#[derive(Debug)]
struct Arm {
    label: Box<str>,
    /// Tasks directly after the branch that run when this way is taken: those it names and those that come after them.
    keeps: Box<[Pos]>,
}

/// A DAG version as the engine walks on it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) spec: Arc<DagSpec>,
    pub(super) version: Version,
    pub(super) tasks: Vec<Task>,
    pub(super) groups: Vec<MappedGroup>,
    /// The tasks whose ends make the run's result.
    pub(super) leaves: Vec<Pos>,
    /// The positions of tasks by their number.
    by_no: Vec<Option<Pos>>,
    arms: BTreeMap<Pos, Vec<Arm>>,
    /// The instances of a new run.
    pub(super) template: Vec<Slot>,
    /// Whether any task looks at earlier runs.
    pub(super) looks_back: bool,
}

impl Plan {
    pub(super) fn definition(&self) -> &Definition {
        &self.spec.definition
    }

    pub(super) fn task(&self, at: Pos) -> &Task {
        &self.tasks[at as usize]
    }

    pub(super) fn spec(&self, at: Pos) -> &TaskSpec {
        &self.definition().tasks[at as usize]
    }

    pub(super) fn position(&self, no: TaskNo) -> Option<Pos> {
        self.by_no.get(no.0 as usize).copied().flatten()
    }

    /// Whether a branch that chose these labels skips this task directly after it.
    pub(super) fn branch_skips(&self, branch: Pos, at: Pos, chosen: &[String]) -> bool {
        let Some(arms) = self.arms.get(&branch) else {
            return false;
        };
        let mut keeping = arms.iter().filter(|arm| arm.keeps.contains(&at)).peekable();
        // What no way leads to does not depend on the choice; such a DAG is refused by the checks, but may be there.
        keeping.peek().is_some()
            && !keeping.any(|arm| chosen.iter().any(|label| **label == *arm.label))
    }

    /// Whether two tasks are instances of the same mapped group, so that each follows the one with its own index.
    pub(super) fn hand_in_hand(&self, a: Pos, b: Pos) -> bool {
        let group = self.task(a).many;
        matches!(group, Many::Group(_)) && group == self.task(b).many
    }

    /// The mapping that makes this task many.
    pub(super) fn mapping(&self, at: Pos) -> Option<&Mapping> {
        match self.task(at).many {
            Many::No => None,
            Many::Own => self.spec(at).mapping.as_ref(),
            Many::Group(group) => Some(&self.groups[group as usize].mapping),
        }
    }

    /// Whether a version can be run at all.
    ///
    /// # Errors
    /// Its edges form a cycle, or a mapped task lies in a mapped group.
    pub(super) fn check(definition: &Definition) -> Result<(), String> {
        ordered(definition, &Graph::of(definition))?;
        mapped(definition).map(drop)
    }

    /// Works a version out. `numbers` gives the number of each task, in the definition's order.
    ///
    /// # Errors
    /// Its edges form a cycle, or a mapped task lies in a mapped group.
    pub(super) fn new(spec: Arc<DagSpec>, numbers: &[TaskNo]) -> Result<Self, String> {
        let definition = &spec.definition;
        let graph = Graph::of(definition);
        let order = ordered(definition, &graph)?;
        let (groups, many) = mapped(definition)?;
        let mut lists = listed_by(definition, &groups);
        let shapes = Shapes::of(definition, &graph);
        let priorities = priorities(definition, &graph, &order);
        let mut tasks = Vec::with_capacity(definition.tasks.len());
        for (at, task) in definition.tasks.iter().enumerate() {
            let listed_by: Box<[_]> = lists.remove(&at).unwrap_or_default().into();
            tasks.push(Task {
                no: numbers[at],
                id: task.id.clone(),
                up: positions(&graph.up[at]),
                down: positions(&graph.down[at]),
                rule: task.rule,
                many: many[at],
                setups: positions(&shapes.setups[at]),
                set_up: positions(&shapes.set_up[at]),
                tears_down: positions(&shapes.tears_down[at]),
                torn_down_by: positions(&shapes.torn_down_by[at]),
                waits: shapes.waits[at],
                steered_by: steered_by(definition, &graph.up[at]),
                priority: priorities[at],
                looks_back: looks_back(task),
                takes: takes(definition, task),
                slots: task.placement.slots,
                limited: task.concurrency != Concurrency::default(),
                timed: task.timeout.is_some() || sensor(task),
                sensor: sensor(task),
                told: !task.touches.outlets.is_empty() || !task.alerts.is_empty(),
                instant: matches!(task.kind, TaskKind::Empty | TaskKind::Approval { .. }),
                speaks: !listed_by.is_empty()
                    || matches!(
                        task.kind,
                        TaskKind::Branch { .. } | TaskKind::ShortCircuit { .. }
                    ),
                listed_by,
            });
        }
        let template = tasks
            .iter()
            .map(|task| Slot::new(task.up.len(), task.waits))
            .collect();
        Ok(Self {
            version: spec.version(),
            leaves: leaves(definition, &graph),
            by_no: by_number(&tasks),
            arms: arms(definition, &graph),
            looks_back: definition.tasks.iter().any(looks_back),
            template,
            tasks,
            groups,
            spec,
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a definition of four thousand million tasks does not fit into memory"
)]
fn positions(list: &[usize]) -> Box<[Pos]> {
    list.iter().map(|at| *at as Pos).collect()
}

fn takes(definition: &Definition, task: &TaskSpec) -> Box<[Pos]> {
    let outputs = needs(definition, task).outputs;
    let found = outputs
        .iter()
        .filter_map(|up| definition.position(up.as_str()));
    positions(&found.collect::<Vec<_>>())
}

fn ordered(definition: &Definition, graph: &Graph) -> Result<Vec<usize>, String> {
    graph.order().map_err(|cycle| {
        let names: Vec<&str> = cycle
            .iter()
            .map(|at| definition.tasks[*at].id.as_str())
            .collect();
        format!("its tasks form a cycle: {}", names.join(" → "))
    })
}

const fn sensor(task: &TaskSpec) -> bool {
    matches!(task.kind, TaskKind::Sensor { .. })
}

const fn looks_back(task: &TaskSpec) -> bool {
    task.past.depends_on_past || task.past.wait_for_downstream
}

/// The positions of tasks by their number.
fn by_number(tasks: &[Task]) -> Vec<Option<Pos>> {
    let highest = tasks.iter().map(|task| task.no.0 as usize + 1).max();
    let mut by_no = vec![None; highest.unwrap_or(0)];
    for (task, at) in tasks.iter().zip(0..) {
        by_no[task.no.0 as usize] = Some(at);
    }
    by_no
}

fn steered_by(definition: &Definition, up: &[usize]) -> Box<[Pos]> {
    let steers = |at: &&usize| {
        matches!(
            definition.tasks[**at].kind,
            TaskKind::Branch { .. } | TaskKind::ShortCircuit { .. }
        )
    };
    positions(&up.iter().filter(steers).copied().collect::<Vec<_>>())
}

/// The mapped groups, and how each task becomes many.
fn mapped(definition: &Definition) -> Result<(Vec<MappedGroup>, Vec<Many>), String> {
    let mut groups: Vec<MappedGroup> = Vec::new();
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    let mut many = Vec::with_capacity(definition.tasks.len());
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (at, task) in definition.tasks.iter().enumerate() {
        let around: Vec<_> = definition
            .groups_around(task.group.as_ref())
            .filter(|group| group.mapping.is_some())
            .collect();
        many.push(match (&task.mapping, around.as_slice()) {
            (None, []) => Many::No,
            (Some(_), []) => Many::Own,
            (None, [group]) => {
                let next = u32::try_from(groups.len()).unwrap_or(u32::MAX);
                let number = *numbers.entry(group.id.as_str()).or_insert(next);
                if number == next {
                    groups.extend(group.mapping.clone().map(|mapping| MappedGroup {
                        mapping,
                        members: Box::default(),
                    }));
                    members.push(Vec::new());
                }
                members[number as usize].push(at);
                Many::Group(number)
            }
            _ => return Err(format!("`{}` is mapped inside a mapped group", task.id)),
        });
    }
    for (group, members) in groups.iter_mut().zip(members) {
        group.members = positions(&members);
    }
    Ok((groups, many))
}

/// What is expanded by the output of each task.
fn listed_by(definition: &Definition, groups: &[MappedGroup]) -> BTreeMap<usize, Vec<Expands>> {
    let mut by: BTreeMap<usize, Vec<Expands>> = BTreeMap::new();
    let tasks = definition.tasks.iter().zip(0..);
    let tasks = tasks.filter_map(|(task, at)| Some((task.mapping.as_ref()?, Expands::Task(at))));
    let groups = groups.iter().zip(0..);
    let groups = groups.map(|(group, number)| (&group.mapping, Expands::Group(number)));
    for (mapping, expands) in tasks.chain(groups) {
        for over in &mapping.over {
            if let Over::Output { task, .. } = over
                && let Some(from) = definition.position(task.as_str())
            {
                by.entry(from).or_default().push(expands);
            }
        }
    }
    by
}

fn arms(definition: &Definition, graph: &Graph) -> BTreeMap<Pos, Vec<Arm>> {
    let mut all = BTreeMap::new();
    for (task, at) in definition.tasks.iter().zip(0..) {
        let TaskKind::Branch { arms, .. } = &task.kind else {
            continue;
        };
        let direct = &graph.down[at as usize];
        let of = arms.iter().map(|arm| {
            let named: Vec<usize> = arm
                .tasks
                .iter()
                .filter_map(|task| definition.position(task.as_str()))
                .collect();
            let after = graph.after(&named);
            let keeps: Vec<usize> = direct
                .iter()
                .copied()
                .filter(|at| named.contains(at) || after[*at])
                .collect();
            Arm {
                label: arm.label.as_str().into(),
                keeps: positions(&keeps),
            }
        });
        all.insert(at, of.collect());
    }
    all
}

/// What setups and teardowns add to the edges.
struct Shapes {
    setups: Vec<Vec<usize>>,
    set_up: Vec<Vec<usize>>,
    tears_down: Vec<Vec<usize>>,
    torn_down_by: Vec<Vec<usize>>,
    waits: Vec<u32>,
}

impl Shapes {
    fn of(definition: &Definition, graph: &Graph) -> Self {
        let empty = vec![Vec::new(); definition.tasks.len()];
        let mut shapes = Self {
            setups: empty.clone(),
            set_up: empty.clone(),
            tears_down: empty.clone(),
            torn_down_by: empty,
            waits: vec![0; definition.tasks.len()],
        };
        for (teardown, task) in definition.tasks.iter().enumerate() {
            let Role::Teardown { setups, .. } = &task.role else {
                continue;
            };
            let before = graph.before(&[teardown]);
            let mut waited = vec![false; definition.tasks.len()];
            for setup in setups
                .iter()
                .filter_map(|setup| definition.position(setup.as_str()))
            {
                shapes.tears_down[teardown].push(setup);
                let after = graph.after(&[setup]);
                for at in (0..definition.tasks.len()).filter(|at| after[*at] && before[*at]) {
                    waited[at] = true;
                    let direct = graph.up[at].contains(&setup);
                    let cleans = matches!(definition.tasks[at].role, Role::Teardown { .. });
                    if !direct && !cleans && !shapes.setups[at].contains(&setup) {
                        shapes.setups[at].push(setup);
                        shapes.set_up[setup].push(at);
                    }
                }
            }
            for at in (0..definition.tasks.len()).filter(|at| waited[*at]) {
                if !graph.up[teardown].contains(&at) {
                    shapes.torn_down_by[at].push(teardown);
                    shapes.waits[teardown] += 1;
                }
            }
        }
        shapes
    }
}

/// The leaves that make the run's result: a path that ends in a teardown counts by what comes before it.
fn leaves(definition: &Definition, graph: &Graph) -> Vec<Pos> {
    let silent = |at: usize| {
        matches!(
            definition.tasks[at].role,
            Role::Teardown {
                fails_run: false,
                ..
            }
        )
    };
    let natural: Vec<usize> = (0..definition.tasks.len())
        .filter(|at| graph.down[*at].is_empty())
        .collect();
    let mut open = natural.clone();
    let mut seen = vec![false; definition.tasks.len()];
    let mut leaves = Vec::new();
    while let Some(at) = open.pop() {
        if std::mem::replace(&mut seen[at], true) {
            continue;
        }
        if silent(at) {
            open.extend(&graph.up[at]);
        } else {
            leaves.push(at);
        }
    }
    if leaves.is_empty() {
        leaves = natural;
    }
    leaves.sort_unstable();
    positions(&leaves).into_vec()
}

/// The steps that working out the priorities of one version may take: sums over everything downstream are quadratic.
const PRIORITY_STEPS_MAX: usize = 20_000_000;

/// The priorities of all tasks. Where the exact sums would take too long, a task counts what follows it on the heaviest
/// path only: the order along a path is still right.
fn priorities(definition: &Definition, graph: &Graph, order: &[usize]) -> Vec<i32> {
    let own = |at: usize| i64::from(definition.tasks[at].placement.priority);
    let mut seen = vec![usize::MAX; definition.tasks.len()];
    let mut steps = 0;
    let mut sums = vec![0_i64; definition.tasks.len()];
    for at in order.iter().rev().copied() {
        let next = match definition.tasks[at].placement.weight {
            Weight::Absolute => {
                sums[at] = own(at);
                continue;
            }
            Weight::Downstream => &graph.down,
            Weight::Upstream => &graph.up,
        };
        let mut open = vec![at];
        while let Some(from) = open.pop() {
            for to in &next[from] {
                steps += 1;
                if std::mem::replace(&mut seen[*to], at) != at {
                    sums[at] += own(*to);
                    open.push(*to);
                }
            }
            if steps > PRIORITY_STEPS_MAX {
                return heaviest_paths(definition, graph, order);
            }
        }
        sums[at] += own(at);
    }
    sums.into_iter().map(clamped).collect()
}

fn heaviest_paths(definition: &Definition, graph: &Graph, order: &[usize]) -> Vec<i32> {
    let mut sums = vec![0_i64; definition.tasks.len()];
    for at in order.iter().rev().copied() {
        let after = graph.down[at].iter().map(|next| sums[*next]).max();
        sums[at] = i64::from(definition.tasks[at].placement.priority) + after.unwrap_or(0);
    }
    sums.into_iter().map(clamped).collect()
}

fn clamped(sum: i64) -> i32 {
    i32::try_from(sum.clamp(i64::from(i32::MIN), i64::from(i32::MAX))).unwrap_or_default()
}
