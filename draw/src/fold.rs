//! Folding siblings that differ only in their names into one card.
//!
//! Five hundred equal loads side by side are an unreadable hairline; one card that says "500 ×
//! load_…" tells the same and leaves the rest of the DAG at a readable size.

use crate::text::clean;
use crate::{Edge, Kind, Node, Picture};
use std::collections::{BTreeMap, BTreeSet};

/// Up to this many equal siblings are drawn one by one.
const MOST_SIBLINGS: usize = 12;

/// A picture with equal siblings folded, and what was folded into what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// The smaller picture.
    pub picture: Picture,
    /// For each node of the smaller picture, the nodes of the original that it stands for; never
    /// empty.
    pub members: Vec<Vec<usize>>,
}

/// One end of an edge as a sibling sees it: the other node, whether it hands over data, and its
/// label.
type Port<'a> = (usize, bool, Option<&'a str>);

/// What two nodes have to share to be folded together.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Likeness<'a> {
    kind: Kind,
    detail: &'a str,
    mapped: bool,
    group: Option<usize>,
    upstream: Vec<Port<'a>>,
    downstream: Vec<Port<'a>>,
}

/// Folds each set of more than 12 siblings with the same upstreams, downstreams, kind, operator and
/// group into one node named after what their names have in common.
pub fn fold_siblings(picture: &Picture) -> Picture {
    fold(picture).picture
}

/// Does what [`fold_siblings`] does, and also says which nodes each node of the result stands for.
pub fn fold(picture: &Picture) -> Folded {
    let sets = equal_sets(picture);
    let mut home: Vec<usize> = (0..picture.nodes.len()).collect();
    for set in &sets {
        if let Some(&first) = set.first() {
            for &member in set {
                home[member] = first;
            }
        }
    }
    let mut set_of: Vec<Vec<usize>> = vec![Vec::new(); picture.nodes.len()];
    for set in sets {
        if let Some(&first) = set.first() {
            set_of[first] = set;
        }
    }
    let mut place = vec![0; picture.nodes.len()];
    let mut nodes = Vec::new();
    let mut members = Vec::new();
    for (index, node) in picture.nodes.iter().enumerate() {
        if home[index] != index {
            continue;
        }
        place[index] = nodes.len();
        let set = std::mem::take(&mut set_of[index]);
        if set.is_empty() {
            nodes.push(node.clone());
            members.push(vec![index]);
        } else {
            nodes.push(stack(picture, node, &set));
            members.push(set);
        }
    }
    let edges = kept_edges(picture, &home, &place);
    let picture = Picture {
        title: picture.title.clone(),
        nodes,
        groups: picture.groups.clone(),
        edges,
    };
    Folded { picture, members }
}

/// The sets of nodes that are alike and numerous enough to fold, each in the order of the picture.
fn equal_sets(picture: &Picture) -> Vec<Vec<usize>> {
    let count = picture.nodes.len();
    let mut upstream: Vec<Vec<Port>> = vec![Vec::new(); count];
    let mut downstream: Vec<Vec<Port>> = vec![Vec::new(); count];
    for edge in picture.drawn_edges() {
        upstream[edge.to].push((edge.from, edge.data, edge.label.as_deref()));
        downstream[edge.from].push((edge.to, edge.data, edge.label.as_deref()));
    }
    let mut alike: BTreeMap<Likeness, Vec<usize>> = BTreeMap::new();
    for (index, node) in picture.nodes.iter().enumerate() {
        let mut up = std::mem::take(&mut upstream[index]);
        let mut down = std::mem::take(&mut downstream[index]);
        up.sort_unstable();
        up.dedup();
        down.sort_unstable();
        down.dedup();
        let likeness = Likeness {
            kind: node.kind,
            detail: &node.detail,
            mapped: node.mapped,
            group: node.group,
            upstream: up,
            downstream: down,
        };
        alike.entry(likeness).or_default().push(index);
    }
    // A node that points at itself is its own upstream, so no other node can be like it and it
    // stays alone.
    alike
        .into_values()
        .filter(|set| set.len() > MOST_SIBLINGS)
        .collect()
}

/// The one node that stands for a set.
fn stack(picture: &Picture, first: &Node, set: &[usize]) -> Node {
    let label = common_start(set.iter().map(|&i| clean(&picture.nodes[i].label)));
    let name = if label.is_empty() {
        "tasks".to_owned()
    } else {
        format!("{label}…")
    };
    // The path of the first member keeps the paths of all nodes different from each other.
    let id = format!("{} +{}", first.id, set.len().saturating_sub(1));
    Node {
        id,
        label: format!("{} × {name}", set.len()),
        ..first.clone()
    }
}

/// The longest text that all names start with.
fn common_start(names: impl Iterator<Item = String>) -> String {
    names
        .reduce(|common, name| {
            common
                .chars()
                .zip(name.chars())
                .take_while(|(a, b)| a == b)
                .map(|(a, _)| a)
                .collect()
        })
        .unwrap_or_default()
}

/// The edges between what is left, each once: an edge drawn twice is drawn over itself.
fn kept_edges(picture: &Picture, home: &[usize], place: &[usize]) -> Vec<Edge> {
    let mut seen = BTreeSet::new();
    let mut edges = Vec::new();
    for edge in picture.drawn_edges() {
        let (from, to) = (place[home[edge.from]], place[home[edge.to]]);
        if seen.insert((from, to, edge.data, edge.label.as_deref())) {
            edges.push(Edge {
                from,
                to,
                ..edge.clone()
            });
        }
    }
    edges
}
