//! The edges of a definition by position: what checks, plans and pictures walk on.

use std::collections::VecDeque;

use petgraph::graph::{DiGraph, NodeIndex};

use crate::spec::Definition;

/// The edges of a definition. Tasks are meant by their position in [`Definition::tasks`].
#[derive(Debug, Clone)]
pub struct Graph {
    /// The positions directly before each task, in order.
    pub up: Vec<Vec<usize>>,
    /// The positions directly after each task, in order.
    pub down: Vec<Vec<usize>>,
}

impl Graph {
    /// The edges of a definition; those to tasks that are not there are left out.
    #[must_use]
    pub fn of(definition: &Definition) -> Self {
        let count = definition.tasks.len();
        let mut graph = Self {
            up: Vec::with_capacity(count),
            down: vec![Vec::new(); count],
        };
        for (at, task) in definition.tasks.iter().enumerate() {
            let up: Vec<usize> = task
                .upstream
                .iter()
                .filter_map(|up| definition.position(up.task.as_str()))
                .collect();
            for from in &up {
                graph.down[*from].push(at);
            }
            graph.up.push(up);
        }
        graph
    }

    /// An order in which every task comes after its upstream tasks, or a cycle that makes one impossible.
    ///
    /// # Errors
    /// The shortest cycle through one of the tasks that are on one.
    pub fn order(&self) -> Result<Vec<usize>, Vec<usize>> {
        let mut open: Vec<usize> = self.up.iter().map(Vec::len).collect();
        let mut ready: VecDeque<usize> = (0..open.len()).filter(|at| open[*at] == 0).collect();
        let mut order = Vec::with_capacity(open.len());
        while let Some(at) = ready.pop_front() {
            order.push(at);
            for next in &self.down[at] {
                open[*next] -= 1;
                if open[*next] == 0 {
                    ready.push_back(*next);
                }
            }
        }
        if order.len() == open.len() {
            Ok(order)
        } else {
            Err(self.cycle())
        }
    }

    /// Every set of tasks that wait for each other, each as its shortest cycle.
    #[must_use]
    pub fn cycles(&self) -> Vec<Vec<usize>> {
        let edges = self.down.iter().enumerate();
        let edges =
            edges.flat_map(|(from, next)| next.iter().map(move |to| (index(from), index(*to))));
        let mut graph = DiGraph::<(), ()>::from_edges(edges);
        while graph.node_count() < self.down.len() {
            graph.add_node(());
        }
        let mut cycles: Vec<Vec<usize>> = petgraph::algo::kosaraju_scc(&graph)
            .into_iter()
            .map(|part| {
                part.into_iter()
                    .map(NodeIndex::index)
                    .collect::<Vec<usize>>()
            })
            .filter(|part| part.len() > 1 || part.iter().any(|at| self.down[*at].contains(at)))
            .filter_map(|part| self.shortest_cycle(part.iter().copied().min()?))
            .collect();
        cycles.sort_unstable();
        cycles
    }

    fn cycle(&self) -> Vec<usize> {
        self.cycles().into_iter().next().unwrap_or_default()
    }

    /// The shortest way from a task back to itself.
    fn shortest_cycle(&self, start: usize) -> Option<Vec<usize>> {
        let mut from: Vec<Option<usize>> = vec![None; self.down.len()];
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for next in &self.down[at] {
                if *next == start {
                    let mut path = vec![at];
                    while let Some(before) = path.last().and_then(|last| from[*last]) {
                        path.push(before);
                    }
                    path.reverse();
                    return Some(path);
                }
                if from[*next].is_none() {
                    from[*next] = Some(at);
                    queue.push_back(*next);
                }
            }
        }
        None
    }

    /// All tasks after these, without these unless they come after one another.
    #[must_use]
    pub fn after(&self, starts: &[usize]) -> Vec<bool> {
        reach(&self.down, starts)
    }

    /// All tasks before these, without these unless they come before one another.
    #[must_use]
    pub fn before(&self, starts: &[usize]) -> Vec<bool> {
        reach(&self.up, starts)
    }
}

fn index(at: usize) -> NodeIndex<u32> {
    // A definition of four thousand million tasks does not fit into memory.
    NodeIndex::new(at)
}

fn reach(next: &[Vec<usize>], starts: &[usize]) -> Vec<bool> {
    let mut seen = vec![false; next.len()];
    let mut open: Vec<usize> = starts.to_vec();
    while let Some(at) = open.pop() {
        for to in &next[at] {
            if !seen[*to] {
                seen[*to] = true;
                open.push(*to);
            }
        }
    }
    seen
}
