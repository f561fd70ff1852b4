//! Heights: where each element of a layered and ordered web lies from top to bottom.
//!
//! What may move is a set of variables: one for every node, for every level stretch of a long arc
//! or of a chain of nodes, and two for each group, the top and the bottom of its box. What must
//! hold is a set of rules "b lies at least so far below a" between neighbours in a layer. Because
//! the layers agree on the order of groups and level stretches never cross, the rules form no
//! circle, and two runs over them, one pushing down and one pushing up, turn any wish for heights
//! into two arrangements that keep all rules. So does their average, which treats both directions
//! alike and is what makes fans come out symmetric.

use crate::graph::{Lists, Part};
use crate::rules::{GAP, LANE, Rule, least_height, rules, sorted};
use crate::runs::{straight_links, variables};
use crate::web::{Role, Web};

/// The height of a node's card.
pub(super) const CARD: f64 = 44.0;
/// The room for the name of a group at the top of its box.
pub(super) const HEADER: f64 = 30.0;
/// How many layers of an arc or a chain may be held level, in the order in which that is tried.
const RUNS: [usize; 4] = [usize::MAX, 16, 6, 3];

/// The heights of a part.
pub(super) struct Heights {
    /// The middle of each element.
    pub middle: Vec<f64>,
    /// Top and bottom of each group.
    pub boxes: Vec<(f64, f64)>,
    /// The lowest point of all.
    pub total: f64,
}

/// Finds the heights of a part.
pub(super) fn place(part: &Part, web: &Web) -> Heights {
    let mut placer = Placer::new(part, web);
    placer.settle();
    placer.finish(web)
}

pub(super) struct Placer {
    pub groups: usize,
    /// The variable of each element; the first ones are the tops and then the bottoms of the
    /// groups.
    variable: Vec<usize>,
    /// All rules so that those about a variable from above come before those from it downwards.
    pub rules: Vec<Rule>,
    /// The rules about what is right below the tops of boxes and right above their bottoms, inner
    /// boxes first.
    pub below_tops: Vec<Rule>,
    pub above_bottoms: Vec<Rule>,
    /// The variables that links want to be level, once in each direction.
    pub pulls: Lists,
    /// Whether links reach a variable from both sides, as they do inside a chain but not at its
    /// ends.
    pub between: Vec<bool>,
    pub height: Vec<f64>,
}

impl Placer {
    fn new(part: &Part, web: &Web) -> Self {
        let groups = part.groups.len();
        let straight = straight_links(part, web);
        let with_runs = |longest: usize| {
            let (variable, count) = variables(part, web, &straight, longest);
            let rules = sorted(rules(part, web, &variable), count);
            let least = least_height(&rules, count);
            (variable, count, rules, least)
        };
        // Long level runs can hold each other apart like the steps of a stair, layer after layer.
        // Shorter runs are tried until the drawing is not much taller than it has to be.
        let mut found = with_runs(1);
        let enough = found.3 * 1.25 + 60.0;
        for longest in RUNS {
            let tried = with_runs(longest);
            if tried.3 <= enough {
                found = tried;
                break;
            }
        }
        let (variable, count, rules, _) = found;
        let level = |&(a, b): &(usize, usize)| (variable[a], variable[b]);
        let uneven = || web.links.iter().map(level).filter(|(a, b)| a != b);
        let pulls = Lists::new(count, uneven().flat_map(|(a, b)| [(a, b), (b, a)]));
        let mut sides = vec![0_u8; count];
        for (a, b) in uneven() {
            sides[a] |= 1;
            sides[b] |= 2;
        }
        let between = sides.into_iter().map(|s| s == 3).collect();
        let height = packed(web, &variable, count);
        // That the bottom of a box lies below its own top says nothing about what is in it.
        let inside = |r: &&Rule| r.below != r.above + groups;
        let below_tops = rules
            .iter()
            .rev()
            .filter(|r| r.above < groups)
            .filter(inside)
            .copied()
            .collect();
        let bottoms = groups..2 * groups;
        let above_bottoms = rules
            .iter()
            .filter(|r| bottoms.contains(&r.below))
            .filter(inside)
            .copied()
            .collect();
        Self {
            groups,
            variable,
            rules,
            below_tops,
            above_bottoms,
            pulls,
            between,
            height,
        }
    }

    /// Reads the heights of the elements and boxes off the variables, counted from the top.
    ///
    /// They are rounded to half pixels: all distances in the rules are whole numbers, so the rules
    /// still hold, and small differences in arithmetic cannot show.
    fn finish(mut self, web: &Web) -> Heights {
        for height in &mut self.height {
            *height = (*height * 2.0).round() / 2.0;
        }
        let mut top = f64::INFINITY;
        let mut total = f64::NEG_INFINITY;
        for (element, role) in web.role.iter().enumerate() {
            if *role != Role::Hold {
                let half = if *role == Role::Task { CARD / 2.0 } else { 0.0 };
                let middle = self.height[self.variable[element]];
                top = top.min(middle - half);
                total = total.max(middle + half);
            }
        }
        for group in 0..self.groups {
            if self.height[group + self.groups] > self.height[group] {
                top = top.min(self.height[group]);
                total = total.max(self.height[group + self.groups]);
            }
        }
        let middle = self
            .variable
            .iter()
            .map(|v| self.height.get(*v).map_or(0.0, |h| h - top))
            .collect();
        let boxes = (0..self.groups)
            .map(|g| (self.height[g] - top, self.height[g + self.groups] - top))
            .collect();
        Heights {
            middle,
            boxes,
            total: total - top,
        }
    }
}

/// Heights to start from: every layer packed around the same middle.
fn packed(web: &Web, variable: &[usize], count: usize) -> Vec<f64> {
    let mut height = vec![0.0; count];
    for layer in &web.layers {
        let room = |&e: &usize| {
            if web.role[e] == Role::Task {
                CARD + GAP
            } else {
                LANE
            }
        };
        let total: f64 = layer.iter().map(room).sum();
        let mut y = -total / 2.0;
        for element in layer {
            if let Some(height) = height.get_mut(variable[*element]) {
                *height = y + room(element) / 2.0;
            }
            y += room(element);
        }
    }
    height
}
