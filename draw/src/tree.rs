//! The groups and nodes of a picture in the order in which nested text formats write them.

use crate::{Picture, graph};

/// A line of a nested text.
#[derive(Clone, Copy)]
pub(super) enum Stop {
    Node(usize),
    /// A group begins; those without nodes are left out.
    Open(usize),
    Close,
}

/// All lines from first to last, each with its indentation.
pub(super) fn stops(picture: &Picture) -> Vec<(String, Stop)> {
    let mut children: Vec<Vec<Stop>> = vec![Vec::new(); picture.groups.len() + 1];
    let mut listed = vec![false; picture.groups.len()];
    for part in graph::parts(picture) {
        for (&node, nest) in part.nodes.iter().zip(&part.nest) {
            let mut at = *nest;
            let mut child = Stop::Node(node);
            loop {
                let id = at.map(|g| part.groups[g].id);
                children[id.map_or(0, |id| id + 1)].push(child);
                let (Some(group), Some(id)) = (at, id.filter(|&id| !listed[id])) else {
                    break;
                };
                listed[id] = true;
                child = Stop::Open(id);
                at = part.groups[group].parent;
            }
        }
    }
    let mut stops = Vec::new();
    let mut depth = 1;
    let mut stack: Vec<Stop> = std::mem::take(&mut children[0]);
    stack.reverse();
    while let Some(stop) = stack.pop() {
        if let Stop::Close = stop {
            depth -= 1;
        }
        stops.push(("  ".repeat(depth), stop));
        if let Stop::Open(group) = stop {
            depth += 1;
            stack.push(Stop::Close);
            stack.extend(std::mem::take(&mut children[group + 1]).into_iter().rev());
        }
    }
    stops
}
