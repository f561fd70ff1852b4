//! Drawing a DAG, in four forms: an SVG picture, Mermaid and Graphviz text, and a drawing for a
//! terminal.
//!
//! Every output is a pure function of the [`Picture`]: no clock, no randomness, no hashing order,
//! so the same picture gives the same text on every machine and a stored drawing can be compared
//! byte by byte. No input makes these functions fail: indices that point nowhere are ignored,
//! cycles are drawn with one edge running backwards, and text is cleaned and escaped for the format
//! it goes into.

mod dag;
mod dot;
mod fold;
mod graph;
mod lanes;
mod layer;
mod layout;
mod marks;
mod mermaid;
mod order;
mod place;
mod route;
mod rules;
mod runs;
mod settle;
mod svg;
mod terminal;
mod text;
mod tree;
mod web;

#[cfg(test)]
mod tests;

pub use dot::dot;
pub use fold::{Folded, fold, fold_siblings};
pub use layout::{Layout, Line, Point, Rect, Step, layout};
pub use mermaid::mermaid;
pub use svg::{Mark, STYLE, svg, svg_in_page};
pub use terminal::terminal;

/// Everything there is to know about a DAG in order to draw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// The name of the DAG, shown above the drawing.
    pub title: String,
    /// The tasks; edges refer to them by their index here.
    pub nodes: Vec<Node>,
    /// The task groups; nodes and other groups refer to them by their index here.
    pub groups: Vec<Group>,
    /// The dependencies between tasks.
    pub edges: Vec<Edge>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The full path of the task, such as `staging.load`.
    pub id: String,
    /// The short name that is written on the card.
    pub label: String,
    /// The operator, such as `bigquery.load`; may be empty.
    pub detail: String,
    /// What the task does to the run, shown as a mark.
    pub kind: Kind,
    /// Whether the task is expanded into several instances while the run is under way.
    pub mapped: bool,
    /// The innermost group that holds the task.
    pub group: Option<usize>,
}

/// What a task does to the run around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An ordinary task.
    Work,
    /// Prepares something that other tasks need.
    Setup,
    /// Removes what a setup task prepared.
    Teardown,
    /// Chooses which of its downstream tasks run.
    Branch,
    /// Decides whether anything downstream runs at all.
    ShortCircuit,
    /// Waits for something outside.
    Sensor,
    /// Waits for a person.
    Approval,
}

/// A named set of tasks, drawn as a box around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The full path of the group.
    pub id: String,
    /// The short name that is written on the box.
    pub label: String,
    /// The group that holds this one.
    pub parent: Option<usize>,
    /// Whether the group as a whole is expanded into several instances.
    pub mapped: bool,
}

/// A dependency: `to` waits for `from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The index of the upstream node.
    pub from: usize,
    /// The index of the downstream node.
    pub to: usize,
    /// A word on the edge, such as the name of a branch.
    pub label: Option<String>,
    /// Whether the upstream task's result is handed to the downstream task.
    pub data: bool,
}

impl Kind {
    /// The word a reader knows this kind by.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Work => "task",
            Kind::Setup => "setup",
            Kind::Teardown => "teardown",
            Kind::Branch => "branch",
            Kind::ShortCircuit => "short circuit",
            Kind::Sensor => "sensor",
            Kind::Approval => "approval",
        }
    }

    /// Every kind, in the order in which a legend lists them.
    pub(crate) const ALL: [Kind; 7] = [
        Kind::Work,
        Kind::Setup,
        Kind::Teardown,
        Kind::Branch,
        Kind::ShortCircuit,
        Kind::Sensor,
        Kind::Approval,
    ];
}

impl Picture {
    /// Whether some edges hand over data and others only order the tasks.
    ///
    /// Only then are the two drawn differently: a DAG in which every edge is of one sort would
    /// otherwise be all dashes, and dashes that mark no difference are noise.
    pub(crate) fn mixed_edges(&self) -> bool {
        self.drawn_edges().any(|e| e.data) && self.drawn_edges().any(|e| !e.data)
    }

    /// The edges whose two ends exist.
    pub(crate) fn drawn_edges(&self) -> impl Iterator<Item = &Edge> {
        let count = self.nodes.len();
        self.edges
            .iter()
            .filter(move |e| e.from < count && e.to < count)
    }
}
