//! What must hold between the heights in a drawing: who lies below whom, and how far at least.

use crate::graph::{Lists, Part};
use crate::place::{CARD, HEADER};
use crate::web::{Role, Web};

/// The room between the last element of a group and the bottom of its box.
const FOOTER: f64 = 14.0;
/// The room between cards or boxes.
pub(super) const GAP: f64 = 18.0;
/// The room around an arc that passes by.
pub(super) const LANE: f64 = 14.0;

/// What stands in a layer as seen from top to bottom.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    Card,
    Bend,
    Top,
    Bottom,
}

/// "`below` lies at least `by` below `above`."
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub above: usize,
    pub below: usize,
    pub by: f64,
}

/// Walks down a layer and tells which boxes begin and end on the way.
#[derive(Default)]
pub(super) struct Walk {
    open: Vec<usize>,
}

impl Walk {
    /// Goes on to an element of the given group; `tell` gets each group on the way and whether it
    /// begins.
    pub(super) fn enter(
        &mut self,
        part: &Part,
        nest: Option<usize>,
        mut tell: impl FnMut(usize, bool),
    ) {
        if self.open.last().copied() == nest {
            return;
        }
        let mut path: Vec<usize> =
            std::iter::successors(nest, |&g| part.groups[g].parent).collect();
        path.reverse();
        let same = self
            .open
            .iter()
            .zip(&path)
            .take_while(|(a, b)| a == b)
            .count();
        while self.open.len() > same {
            if let Some(group) = self.open.pop() {
                tell(group, false);
            }
        }
        for &group in &path[same..] {
            tell(group, true);
            self.open.push(group);
        }
    }
}

/// Collects the rules between neighbours of all layers.
pub(super) fn rules(part: &Part, web: &Web, variable: &[usize]) -> Vec<Rule> {
    let groups = part.groups.len();
    let mut rules = Vec::new();
    for layer in &web.layers {
        let mut last: Option<(usize, Item)> = None;
        let mut add = |variable: usize, item: Item| {
            if let Some((above, over)) = last {
                rules.push(Rule {
                    above,
                    below: variable,
                    by: distance(over, item),
                });
            }
            last = Some((variable, item));
        };
        let mut walk = Walk::default();
        let side = |group: usize, begins: bool| {
            if begins {
                (group, Item::Top)
            } else {
                (group + groups, Item::Bottom)
            }
        };
        for &element in layer {
            walk.enter(part, web.nest[element], |group, begins| {
                let (variable, item) = side(group, begins);
                add(variable, item);
            });
            match web.role[element] {
                Role::Task => add(variable[element], Item::Card),
                Role::Bend => add(variable[element], Item::Bend),
                Role::Hold => {}
            }
        }
        walk.enter(part, None, |group, begins| {
            let (variable, item) = side(group, begins);
            add(variable, item);
        });
    }
    rules
}

/// How far the second of two neighbours has to lie below the first.
fn distance(above: Item, below: Item) -> f64 {
    let half = |item: Item| if item == Item::Card { CARD / 2.0 } else { 0.0 };
    let between = match (above, below) {
        (Item::Top, Item::Bottom) => CARD,
        (Item::Top, _) => HEADER,
        (_, Item::Bottom) => FOOTER,
        (Item::Bend, _) | (_, Item::Bend) => LANE,
        _ => GAP,
    };
    half(above) + between + half(below)
}

/// Sorts rules so that what is known about a variable from above precedes what follows from it.
pub(super) fn sorted(rules: Vec<Rule>, count: usize) -> Vec<Rule> {
    let under = Lists::new(count, rules.iter().enumerate().map(|(i, r)| (r.above, i)));
    let mut waiting = vec![0_usize; count];
    for rule in &rules {
        waiting[rule.below] += 1;
    }
    let mut ready: Vec<usize> = (0..count).filter(|&v| waiting[v] == 0).collect();
    let mut result = Vec::with_capacity(rules.len());
    let mut next = 0;
    while let Some(&variable) = ready.get(next) {
        next += 1;
        for &index in under.of(variable) {
            let rule = rules[index];
            result.push(rule);
            waiting[rule.below] -= 1;
            if waiting[rule.below] == 0 {
                ready.push(rule.below);
            }
        }
    }
    result
}

/// How tall the drawing has to be at least if these rules are kept.
pub(super) fn least_height(rules: &[Rule], count: usize) -> f64 {
    let mut height = vec![0.0_f64; count];
    for rule in rules {
        height[rule.below] = height[rule.below].max(height[rule.above] + rule.by);
    }
    height.into_iter().fold(0.0, f64::max)
}
