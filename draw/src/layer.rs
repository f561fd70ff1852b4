//! Layers: every node gets a column to the right of all its upstreams, and arcs are kept short.

use crate::graph::{Lists, Part};

/// How often nodes are moved to shorten arcs; later rounds hardly find anything.
const ROUNDS: usize = 6;

/// The layer of each node of a part, counted from 0.
pub(super) fn layers(part: &Part) -> Vec<usize> {
    let count = part.nodes.len();
    let out = Lists::new(
        count,
        part.arcs.iter().enumerate().map(|(i, a)| (a.from, i)),
    );
    let into = Lists::new(count, part.arcs.iter().enumerate().map(|(i, a)| (a.to, i)));
    let sorted = sorted(part, &out);
    let mut layer = vec![0; count];
    for &node in &sorted {
        for &arc in out.of(node) {
            let arc = &part.arcs[arc];
            layer[arc.to] = layer[arc.to].max(layer[node] + arc.span);
        }
    }
    pull_starts(part, &sorted, (&out, &into), &mut layer);
    for _ in 0..ROUNDS {
        let mut moved = false;
        for &node in sorted
            .iter()
            .rev()
            .filter(|&&n| out.of(n).len() > into.of(n).len())
        {
            let latest = out
                .of(node)
                .iter()
                .map(|&a| layer[part.arcs[a].to] - part.arcs[a].span)
                .min();
            let goal = latest.unwrap_or(0);
            if part.nest[node].is_none() && goal > layer[node] {
                layer[node] = goal;
                moved = true;
            }
        }
        for &node in sorted
            .iter()
            .filter(|&&n| into.of(n).len() > out.of(n).len())
        {
            let earliest = into
                .of(node)
                .iter()
                .map(|&a| layer[part.arcs[a].from] + part.arcs[a].span)
                .max();
            let goal = earliest.unwrap_or(0);
            moved |= goal < layer[node];
            layer[node] = goal;
        }
        if !moved {
            break;
        }
    }
    let first = layer.iter().copied().min().unwrap_or(0);
    layer.iter().map(|l| l - first).collect()
}

/// The nodes so that every node follows its upstreams.
fn sorted(part: &Part, out: &Lists) -> Vec<usize> {
    let count = part.nodes.len();
    let mut waiting = vec![0_usize; count];
    for arc in &part.arcs {
        waiting[arc.to] += 1;
    }
    let mut sorted: Vec<usize> = (0..count).filter(|&n| waiting[n] == 0).collect();
    let mut next = 0;
    while let Some(&node) = sorted.get(next) {
        next += 1;
        for &arc in out.of(node) {
            let to = part.arcs[arc].to;
            waiting[to] -= 1;
            if waiting[to] == 0 {
                sorted.push(to);
            }
        }
    }
    sorted
}

/// Moves starting nodes, and the runs of nodes that hang only on them, next to where they are
/// needed.
///
/// A node may only follow if nothing but it depends on what is before it; otherwise an arc would
/// get longer for each one that gets shorter. Nodes of a group stay within the layers of the rest
/// of their group, because a wide box around two far nodes is harder to read than a long arc.
fn pull_starts(part: &Part, sorted: &[usize], (out, into): (&Lists, &Lists), layer: &mut [usize]) {
    let mut free = vec![false; layer.len()];
    for &node in sorted {
        free[node] = into.of(node).iter().all(|&a| {
            let before = part.arcs[a].from;
            free[before] && out.of(before).len() == 1
        });
    }
    let mut last = vec![None; part.groups.len()];
    for (node, &nest) in part.nest.iter().enumerate() {
        if let Some(nest) = nest.filter(|_| !free[node]) {
            last[nest] = last[nest].max(Some(layer[node]));
        }
    }
    for &node in sorted.iter().rev().filter(|&&n| free[n]) {
        let latest = out
            .of(node)
            .iter()
            .map(|&a| layer[part.arcs[a].to] - part.arcs[a].span)
            .min();
        let Some(mut goal) = latest else { continue };
        if let Some(last) = part.nest[node].and_then(|nest| last[nest]) {
            goal = goal.min(last);
        }
        layer[node] = layer[node].max(goal);
    }
}
