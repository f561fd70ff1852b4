//! The layered web that ordering and placing work on: nodes, the bends of long arcs, and place
//! holders of groups.

use crate::graph::{Lists, Part};

/// The most bends a part may have; arcs beyond that are drawn straight across.
const MOST_BENDS: usize = 150_000;
/// The most layers that the boxes of a part may cross in total; the widest boxes beyond that are
/// not drawn.
const MOST_BOX_LAYERS: usize = 150_000;

/// What an element of the web is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Task,
    /// Where a long arc passes a layer.
    Bend,
    /// Keeps a layer open for a group that has nothing else in it.
    Hold,
}

/// A part cut into layers. The first elements are the nodes of the part, in their order.
pub(super) struct Web {
    pub role: Vec<Role>,
    pub layer: Vec<usize>,
    pub nest: Vec<Option<usize>>,
    /// The elements of each layer from top to bottom.
    pub layers: Vec<Vec<usize>>,
    /// Pieces of arcs between neighbouring layers, left to right.
    pub links: Vec<(usize, usize)>,
    /// The bends of each arc.
    pub bends: Vec<Vec<usize>>,
    /// Elements of the layer to the left, or to the right, that an element should be level with.
    pub before: Lists,
    pub after: Lists,
    /// First and last layer of each group.
    pub spans: Vec<(usize, usize)>,
}

/// Builds the web of a part; groups that are too wide to be boxed are marked so in the part.
pub(super) fn web(part: &mut Part, layer: Vec<usize>) -> Web {
    let spans = spans(part, &layer);
    drop_wide_boxes(part, &spans);
    let height = layer.iter().max().map_or(0, |l| l + 1);
    let mut web = Web {
        role: vec![Role::Task; layer.len()],
        nest: part.nest.clone(),
        layer,
        layers: vec![Vec::new(); height],
        links: Vec::new(),
        bends: vec![Vec::new(); part.arcs.len()],
        before: Lists::new(0, std::iter::empty()),
        after: Lists::new(0, std::iter::empty()),
        spans,
    };
    web.bend_arcs(part);
    let holds = web.hold_groups(part);
    for element in 0..web.role.len() {
        web.layers[web.layer[element]].push(element);
    }
    let all = || web.links.iter().chain(&holds).copied();
    web.after = Lists::new(web.role.len(), all());
    web.before = Lists::new(web.role.len(), all().map(|(a, b)| (b, a)));
    web
}

/// First and last layer of the nodes of each group, inner groups included.
fn spans(part: &Part, layer: &[usize]) -> Vec<(usize, usize)> {
    let mut spans = vec![(usize::MAX, 0); part.groups.len()];
    for (node, &nest) in part.nest.iter().enumerate() {
        if let Some(nest) = nest {
            spans[nest] = (
                spans[nest].0.min(layer[node]),
                spans[nest].1.max(layer[node]),
            );
        }
    }
    for group in (0..spans.len()).rev() {
        if let Some(parent) = part.groups[group].parent {
            spans[parent] = (
                spans[parent].0.min(spans[group].0),
                spans[parent].1.max(spans[group].1),
            );
        }
    }
    spans
}

/// Takes the boxes away from the widest groups if all of them together would need too many
/// elements.
fn drop_wide_boxes(part: &mut Part, spans: &[(usize, usize)]) {
    let mut by_width: Vec<usize> = (0..spans.len()).collect();
    by_width.sort_by_key(|&g| (spans[g].1 - spans[g].0, g));
    let mut used = 0;
    for group in by_width {
        used += spans[group].1 - spans[group].0 + 1;
        part.groups[group].boxed = used <= MOST_BOX_LAYERS;
    }
    if used <= MOST_BOX_LAYERS {
        return;
    }
    let mut home = vec![None; spans.len()];
    for group in 0..spans.len() {
        let around = part.groups[group].parent.and_then(|p: usize| home[p]);
        part.groups[group].parent = around;
        home[group] = if part.groups[group].boxed {
            Some(group)
        } else {
            around
        };
    }
    for nest in &mut part.nest {
        *nest = nest.and_then(|g| home[g]);
    }
}

impl Web {
    fn add(&mut self, role: Role, layer: usize, nest: Option<usize>) -> usize {
        self.role.push(role);
        self.layer.push(layer);
        self.nest.push(nest);
        self.role.len() - 1
    }

    /// Gives every long arc a bend in each layer it passes, short arcs first while there is room.
    fn bend_arcs(&mut self, part: &Part) {
        let mut by_length: Vec<usize> = (0..part.arcs.len()).collect();
        let length = |a: &usize| self.layer[part.arcs[*a].to] - self.layer[part.arcs[*a].from];
        by_length.sort_by_key(|a| (length(a), *a));
        let mut room = MOST_BENDS;
        let mut kept = vec![false; part.arcs.len()];
        for arc in by_length {
            let needed = length(&arc) - 1;
            kept[arc] = needed <= room;
            room = room.saturating_sub(needed);
        }
        for (index, arc) in part.arcs.iter().enumerate().filter(|(i, _)| kept[*i]) {
            let (start, end) = (self.layer[arc.from], self.layer[arc.to]);
            let mut route = Climb::new(part, &self.spans, arc.from, arc.to);
            let nests: Vec<Option<usize>> =
                (start + 1..end).map(|layer| route.nest_at(layer)).collect();
            let mut last = arc.from;
            for (layer, nest) in (start + 1..end).zip(nests) {
                let bend = self.add(Role::Bend, layer, nest);
                self.bends[index].push(bend);
                self.links.push((last, bend));
                last = bend;
            }
            self.links.push((last, arc.to));
        }
    }

    /// Puts a place holder into every layer that a group spans without having an element in it.
    ///
    /// With it, a box is a run of neighbouring elements in each of its layers, and keeping these
    /// runs together is all it takes to keep the box free of others. Returns links that keep place
    /// holders level with their group.
    fn hold_groups(&mut self, part: &Part) -> Vec<(usize, usize)> {
        let mut seen: Vec<Vec<Option<usize>>> = self
            .spans
            .iter()
            .map(|&(first, last)| vec![None; (last + 1).saturating_sub(first)])
            .collect();
        for element in 0..self.role.len() {
            self.mark(part, element, &mut seen);
        }
        // Inner groups come last, and what holds a layer for them holds it for the groups around
        // them.
        for group in (0..seen.len()).rev().filter(|&g| part.groups[g].boxed) {
            for offset in 0..seen[group].len() {
                if seen[group][offset].is_none() {
                    let hold = self.add(Role::Hold, self.spans[group].0 + offset, Some(group));
                    self.mark(part, hold, &mut seen);
                }
            }
        }
        let mut links = Vec::new();
        for run in &seen {
            for (left, right) in run.iter().zip(run.iter().skip(1)) {
                if let (Some(left), Some(right)) = (*left, *right)
                    && (self.role[left] == Role::Hold || self.role[right] == Role::Hold)
                {
                    links.push((left, right));
                }
            }
        }
        links
    }

    /// Notes that all groups around an element have something in its layer.
    fn mark(&self, part: &Part, element: usize, seen: &mut [Vec<Option<usize>>]) {
        let mut at = self.nest[element];
        while let Some(group) = at {
            let offset = self.layer[element] - self.spans[group].0;
            if seen[group][offset].is_some() {
                break;
            }
            seen[group][offset] = Some(element);
            at = part.groups[group].parent;
        }
    }
}

/// Finds out which group an arc is in, layer by layer from its start to its end.
///
/// It stays within the groups of its start as long as they reach, and enters those of its end as
/// soon as they begin, so that it crosses the left and right sides of boxes rather than their tops
/// and bottoms.
struct Climb<'a> {
    part: &'a Part,
    spans: &'a [(usize, usize)],
    /// The innermost group around both ends.
    common: Option<usize>,
    /// The group the arc is in, on its way out of the groups of its start.
    leaving: Option<usize>,
    /// The groups of the end that are not around the start; the outermost is last.
    entering: Vec<usize>,
}

impl<'a> Climb<'a> {
    fn new(part: &'a Part, spans: &'a [(usize, usize)], from: usize, to: usize) -> Self {
        let path = |node: usize| {
            let up = |g: &usize| part.groups[*g].parent;
            std::iter::successors(part.nest[node], up).collect::<Vec<_>>()
        };
        let (outward, mut inward) = (path(from), path(to));
        let mut common = None;
        for group in outward.iter().rev() {
            if inward.last() != Some(group) {
                break;
            }
            common = inward.pop();
        }
        Self {
            part,
            spans,
            common,
            leaving: part.nest[from],
            entering: inward,
        }
    }

    fn nest_at(&mut self, layer: usize) -> Option<usize> {
        while let Some(group) = self.leaving.filter(|_| self.leaving != self.common) {
            if self.spans[group].1 >= layer {
                return Some(group);
            }
            self.leaving = self.part.groups[group].parent;
        }
        let begun = self.entering.iter().find(|&&g| self.spans[g].0 <= layer);
        begun.copied().or(self.common)
    }
}
