//! The picture as a sound graph: indices checked, group nesting untangled, cycles broken, split
//! into the parts that have nothing to do with each other.

use crate::Picture;

/// Groups nested deeper than this get no box of their own; their nodes belong to the last box that
/// is drawn.
const DEEPEST: usize = 24;

/// For each of a number of keys, a list of values; one allocation for all of them.
pub(super) struct Lists {
    start: Vec<usize>,
    items: Vec<usize>,
}

impl Lists {
    /// Collects the values of each key, in the order of the pairs.
    pub(super) fn new(keys: usize, pairs: impl Iterator<Item = (usize, usize)> + Clone) -> Self {
        let mut start = vec![0; keys + 1];
        for (key, _) in pairs.clone() {
            start[key + 1] += 1;
        }
        for key in 0..keys {
            start[key + 1] += start[key];
        }
        let mut next = start.clone();
        let mut items = vec![0; start[keys]];
        for (key, value) in pairs {
            items[next[key]] = value;
            next[key] += 1;
        }
        Self { start, items }
    }

    /// The values of a key.
    pub(super) fn of(&self, key: usize) -> &[usize] {
        &self.items[self.start[key]..self.start[key + 1]]
    }
}

/// An edge of a part, turned around where that was needed to make the part acyclic.
#[derive(Clone)]
pub(super) struct Arc {
    pub from: usize,
    pub to: usize,
    /// The index of the edge in the picture.
    pub edge: usize,
    /// Whether the edge of the picture runs the other way.
    pub flipped: bool,
    /// How many layers the two ends are apart at least.
    pub span: usize,
}

/// A group of a part.
pub(super) struct Nest {
    /// The index of the group in the picture.
    pub id: usize,
    /// The index within the part of the group around it; always smaller than its own.
    pub parent: Option<usize>,
    /// Whether a box is drawn for it.
    pub boxed: bool,
}

/// Nodes that are connected by edges or share a group, and are laid out apart from all others.
#[derive(Default)]
pub(super) struct Part {
    /// The indices of the nodes in the picture; everything else refers to positions in this list.
    pub nodes: Vec<usize>,
    /// The innermost group of each node, as an index into `groups`.
    pub nest: Vec<Option<usize>>,
    pub groups: Vec<Nest>,
    pub arcs: Vec<Arc>,
    /// The nodes with an edge to themselves.
    pub loops: Vec<usize>,
}

/// Splits a picture into its parts, in the order of their first nodes.
pub(super) fn parts(picture: &Picture) -> Vec<Part> {
    let nesting = Nesting::new(picture);
    let group_of: Vec<Option<usize>> = picture
        .nodes
        .iter()
        .map(|n| {
            n.group
                .filter(|&g| g < picture.groups.len())
                .map(|g| nesting.shown[g])
        })
        .collect();
    let part_of = split(picture, &nesting, &group_of);
    let mut parts: Vec<Part> = Vec::new();
    let mut local = vec![0; picture.nodes.len()];
    for (node, &part) in part_of.iter().enumerate() {
        if part == parts.len() {
            parts.push(Part::default());
        }
        local[node] = parts[part].nodes.len();
        parts[part].nodes.push(node);
    }
    for (index, edge) in picture.edges.iter().enumerate() {
        if edge.from >= local.len() || edge.to >= local.len() {
            continue;
        }
        if edge.from == edge.to {
            parts[part_of[edge.from]].loops.push(local[edge.from]);
        } else {
            let arc = Arc {
                from: local[edge.from],
                to: local[edge.to],
                edge: index,
                flipped: false,
                span: 1,
            };
            parts[part_of[edge.from]].arcs.push(arc);
        }
    }
    let mut group_place = vec![usize::MAX; picture.groups.len()];
    for part in &mut parts {
        part.take_groups(&nesting, &group_of, &mut group_place);
        part.break_cycles();
        part.make_room_for_labels(picture);
    }
    parts
}

/// How the groups of a picture lie within each other, after cutting loops of parents.
struct Nesting {
    parent: Vec<Option<usize>>,
    depth: Vec<usize>,
    /// For each group the innermost group around it, or itself, that is not too deep to be drawn.
    shown: Vec<usize>,
}

impl Nesting {
    fn new(picture: &Picture) -> Self {
        let count = picture.groups.len();
        let mut parent: Vec<Option<usize>> = picture
            .groups
            .iter()
            .map(|g| g.parent.filter(|&p| p < count))
            .collect();
        let mut depth = vec![usize::MAX; count];
        let mut shown: Vec<usize> = (0..count).collect();
        let mut on_path = vec![false; count];
        for group in 0..count {
            let mut path = Vec::new();
            let mut at = Some(group);
            while let Some(here) = at.filter(|&here| depth[here] == usize::MAX) {
                if on_path[here] {
                    // The walk came back to where it was: the last step closes a loop and is taken
                    // out.
                    if let Some(&last) = path.last() {
                        let last: usize = last;
                        parent[last] = None;
                    }
                    break;
                }
                on_path[here] = true;
                path.push(here);
                at = parent[here];
            }
            for &here in path.iter().rev() {
                depth[here] = parent[here].map_or(0, |p| depth[p] + 1);
                if let Some(around) = parent[here].filter(|_| depth[here] >= DEEPEST) {
                    shown[here] = shown[around];
                }
                on_path[here] = false;
            }
        }
        Self {
            parent,
            depth,
            shown,
        }
    }

    /// The outermost group around a group.
    fn outermost(&self, group: usize, known: &mut [Option<usize>]) -> usize {
        let mut at = group;
        while let Some(next) = known[at].or(self.parent[at]) {
            if next == at {
                break;
            }
            at = next;
        }
        known[group] = Some(at);
        at
    }
}

/// Numbers the parts and says which one each node belongs to.
fn split(picture: &Picture, nesting: &Nesting, group_of: &[Option<usize>]) -> Vec<usize> {
    let count = picture.nodes.len();
    let mut leader: Vec<usize> = (0..count).collect();
    let mut first_in_group: Vec<Option<usize>> = vec![None; picture.groups.len()];
    let mut known = vec![None; picture.groups.len()];
    for (node, group) in group_of.iter().enumerate() {
        if let Some(group) = group {
            let outermost = nesting.outermost(*group, &mut known);
            let first = *first_in_group[outermost].get_or_insert(node);
            unite(&mut leader, first, node);
        }
    }
    for edge in picture.drawn_edges() {
        unite(&mut leader, edge.from, edge.to);
    }
    let mut number = vec![usize::MAX; count];
    let mut next = 0;
    (0..count)
        .map(|node| {
            let leader = find(&mut leader, node);
            if number[leader] == usize::MAX {
                number[leader] = next;
                next += 1;
            }
            number[leader]
        })
        .collect()
}

/// The node that stands for all nodes united with this one.
fn find(leader: &mut [usize], node: usize) -> usize {
    let mut at = node;
    while leader[at] != at {
        leader[at] = leader[leader[at]];
        at = leader[at];
    }
    at
}

/// Puts two nodes into the same part; the smaller index leads.
fn unite(leader: &mut [usize], a: usize, b: usize) {
    let (a, b) = (find(leader, a), find(leader, b));
    leader[a.max(b)] = a.min(b);
}

impl Part {
    /// Lists the groups that have nodes in this part, outer ones before inner ones.
    fn take_groups(&mut self, nesting: &Nesting, group_of: &[Option<usize>], place: &mut [usize]) {
        let mut used = Vec::new();
        for &node in &self.nodes {
            let mut at = group_of[node];
            while let Some(group) = at.filter(|&g| place[g] == usize::MAX) {
                place[group] = 0;
                used.push(group);
                at = nesting.parent[group];
            }
        }
        used.sort_by_key(|&g| (nesting.depth[g], g));
        for (index, &group) in used.iter().enumerate() {
            place[group] = index;
        }
        self.groups = used
            .iter()
            .map(|&id| Nest {
                id,
                parent: nesting.parent[id].map(|p| place[p]),
                boxed: true,
            })
            .collect();
        self.nest = self
            .nodes
            .iter()
            .map(|&node| group_of[node].map(|g| place[g]))
            .collect();
    }

    /// Turns every arc around that leads back to a node on the way to it, so that no cycle is left.
    fn break_cycles(&mut self) {
        let count = self.nodes.len();
        let out = Lists::new(
            count,
            self.arcs.iter().enumerate().map(|(i, a)| (a.from, i)),
        );
        let mut entered = vec![false; count];
        for arc in &self.arcs {
            entered[arc.to] = true;
        }
        // Starting from nodes without upstreams keeps the arcs of an acyclic part as they are and
        // turns around those a reader would call the way back.
        let starts = (0..count)
            .filter(|&n| !entered[n])
            .chain((0..count).filter(|&n| entered[n]));
        let mut state = vec![0_u8; count];
        for start in starts {
            if state[start] != 0 {
                continue;
            }
            state[start] = 1;
            let mut path = vec![(start, 0)];
            while let Some((node, next)) = path.last_mut() {
                let Some(&arc) = out.of(*node).get(*next) else {
                    state[*node] = 2;
                    path.pop();
                    continue;
                };
                *next += 1;
                let arc = &mut self.arcs[arc];
                match state[arc.to] {
                    0 => {
                        state[arc.to] = 1;
                        path.push((arc.to, 0));
                    }
                    1 => {
                        std::mem::swap(&mut arc.from, &mut arc.to);
                        arc.flipped = true;
                    }
                    _ => {}
                }
            }
        }
    }

    /// Keeps labelled arcs that meet others at their target two layers long.
    ///
    /// Labels are written where arcs run level. Arcs into one target run level at the same height,
    /// so each of them needs a stretch of its own before they meet.
    fn make_room_for_labels(&mut self, picture: &Picture) {
        let mut arriving = vec![0_usize; self.nodes.len()];
        for arc in &self.arcs {
            arriving[arc.to] += 1;
        }
        for arc in &mut self.arcs {
            if picture.edges[arc.edge].label.is_some() && arriving[arc.to] > 1 {
                arc.span = 2;
            }
        }
    }
}
