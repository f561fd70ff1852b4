//! Columns and lines: how far apart the layers are, and how the edges get from card to card.

use crate::Picture;
use crate::graph::{Arc, Part};
use crate::layout::{Line, Point, Rect, SMALL_SIZE, Step, box_name, card_width, edge_room};
use crate::place::Heights;
use crate::text::pixels;
use crate::web::Web;

/// The room between the side of a box and what is in it.
const BOX_SIDE: f64 = 16.0;
/// The narrowest and the widest room in which lines climb from one column to the next.
const CLIMB: (f64, f64) = (48.0, 140.0);
/// The last stretch before a column, where lines run level so that the heads of arrows sit straight
/// on them.
const ARRIVAL: f64 = 8.0;
/// How much of a line is seen on the two sides of its label together.
const AROUND_LABEL: f64 = 14.0;

/// A distance to the left and one to the right.
type Sides = (f64, f64);

/// The layers from left to right.
pub(super) struct Columns {
    /// The left side and the width of the cards of each layer.
    pub left: Vec<f64>,
    pub width: Vec<f64>,
    /// How far each group's box reaches over the cards of its first and last layer.
    pub padding: Vec<Sides>,
    /// How far boxes reach over the cards of each layer at most, to the left and to the right.
    reach: Vec<Sides>,
    /// The room for labels before each layer.
    labels: Vec<f64>,
    pub total: f64,
}

impl Columns {
    pub(super) fn new(picture: &Picture, part: &Part, web: &Web, heights: &Heights) -> Self {
        let count = web.layers.len();
        let mut width = vec![0.0_f64; count];
        for (element, &node) in part.nodes.iter().enumerate() {
            let layer = web.layer[element];
            width[layer] = width[layer].max(card_width(&picture.nodes[node]));
        }
        let (padding, reach) = paddings(part, web);
        for (index, group) in part.groups.iter().enumerate().filter(|(_, g)| g.boxed) {
            let (first, last) = web.spans[index];
            if first == last {
                let name = pixels(&box_name(&picture.groups[group.id]), SMALL_SIZE, true) + 28.0;
                width[first] =
                    width[first].max((name - padding[index].0 - padding[index].1).ceil());
            }
        }
        let mut climb = vec![0.0_f64; count];
        for &(a, b) in &web.links {
            let layer = web.layer[b];
            climb[layer] = climb[layer].max((heights.middle[a] - heights.middle[b]).abs());
        }
        let mut labels = vec![0.0_f64; count];
        for arc in &part.arcs {
            if let Some(label) = &picture.edges[arc.edge].label {
                let layer = web.layer[arc.from] + 1;
                labels[layer] = labels[layer].max(edge_room(label) + AROUND_LABEL);
            }
        }
        let mut left = Vec::with_capacity(count);
        let mut x = reach.first().map_or(0.0, |r| r.0);
        for layer in 0..count {
            if let Some(before) = layer.checked_sub(1) {
                let room = (32.0 + 0.16 * climb[layer]).clamp(CLIMB.0, CLIMB.1).round();
                x += reach[before].1 + room + labels[layer] + reach[layer].0;
            }
            left.push(x);
            x += width[layer];
        }
        let total = x + reach.last().map_or(0.0, |r| r.1);
        Self {
            left,
            width,
            padding,
            reach,
            labels,
            total,
        }
    }

    fn right(&self, layer: usize) -> f64 {
        self.left[layer] + self.width[layer]
    }
}

/// How far the box of each group reaches over the cards of its outer layers, and the most of these
/// in each layer.
///
/// Boxes within boxes that end in the same layer need room for each of their sides.
fn paddings(part: &Part, web: &Web) -> (Vec<Sides>, Vec<Sides>) {
    let mut padding = vec![(BOX_SIDE, BOX_SIDE); part.groups.len()];
    let mut reach = vec![(0.0_f64, 0.0_f64); web.layers.len()];
    for (index, group) in part
        .groups
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, g)| g.boxed)
    {
        let (first, last) = web.spans[index];
        let own = padding[index];
        reach[first].0 = reach[first].0.max(own.0);
        reach[last].1 = reach[last].1.max(own.1);
        if let Some(parent) = group.parent {
            if web.spans[parent].0 == first {
                padding[parent].0 = padding[parent].0.max(own.0 + BOX_SIDE);
            }
            if web.spans[parent].1 == last {
                padding[parent].1 = padding[parent].1.max(own.1 + BOX_SIDE);
            }
        }
    }
    (padding, reach)
}

/// The lines of all arcs of a part.
pub(super) fn lines(
    picture: &Picture,
    part: &Part,
    web: &Web,
    heights: &Heights,
    columns: &Columns,
) -> Vec<Line> {
    let each = part.arcs.iter().zip(&web.bends);
    each.map(|(arc, bends)| {
        let mut line = trace(arc, bends, web, heights, columns);
        let label = line
            .label
            .filter(|_| picture.edges[arc.edge].label.is_some());
        line.label = label;
        if arc.flipped { reversed(line) } else { line }
    })
    .collect()
}

/// Draws an arc from its left to its right end, with the place for a label.
fn trace(arc: &Arc, bends: &[usize], web: &Web, heights: &Heights, columns: &Columns) -> Line {
    let first = web.layer[arc.from];
    let start = Point {
        x: columns.right(first),
        y: heights.middle[arc.from],
    };
    let mut pen = Pen {
        at: start,
        steps: Vec::new(),
    };
    let mut label = None;
    let direct = bends.is_empty() && web.layer[arc.to] > first + 1;
    if direct {
        let end = Point {
            x: columns.left[web.layer[arc.to]],
            y: heights.middle[arc.to],
        };
        label = Some(Point {
            x: (start.x + end.x) / 2.0,
            y: (start.y + end.y) / 2.0,
        });
        pen.climb(start.x, end.x, end.y);
    }
    for &next in bends.iter().chain([&arc.to]).filter(|_| !direct) {
        let layer = web.layer[next];
        let y = heights.middle[next];
        let before = layer.saturating_sub(1);
        let from = columns.right(before) + columns.reach[before].1;
        let to = columns.left[layer] - columns.reach[layer].0;
        let reserved = columns.labels[layer];
        if layer == first + 1 {
            label = Some(Point {
                x: to - reserved / 2.0 - ARRIVAL,
                y,
            });
        }
        pen.climb(from, to - reserved - ARRIVAL, y);
        pen.level(columns.left[layer]);
    }
    Line {
        edge: arc.edge,
        start,
        steps: pen.steps,
        label,
    }
}

/// Draws a line to the right.
struct Pen {
    at: Point,
    steps: Vec<Step>,
}

impl Pen {
    /// Goes straight on; a straight piece before it is made longer.
    fn level(&mut self, x: f64) {
        if x <= self.at.x {
            return;
        }
        self.at.x = x;
        if let Some(Step::Straight(end)) = self.steps.last_mut() {
            *end = self.at;
        } else {
            self.steps.push(Step::Straight(self.at));
        }
    }

    /// Goes up or down between two columns, level at both ends.
    fn climb(&mut self, from: f64, to: f64, y: f64) {
        if (y - self.at.y).abs() < 0.5 {
            self.level(to);
            return;
        }
        self.level(from);
        let middle = (self.at.x + to) / 2.0;
        let end = Point { x: to, y };
        let controls = (
            Point {
                x: middle,
                y: self.at.y,
            },
            Point { x: middle, y },
        );
        self.steps.push(Step::Curve(controls.0, controls.1, end));
        self.at = end;
    }
}

/// The same line drawn from its other end.
fn reversed(line: Line) -> Line {
    let mut start = line.start;
    let mut steps: Vec<Step> = line
        .steps
        .iter()
        .map(|step| {
            let back = match *step {
                Step::Straight(_) => Step::Straight(start),
                Step::Curve(a, b, _) => Step::Curve(b, a, start),
            };
            start = match *step {
                Step::Straight(end) | Step::Curve(_, _, end) => end,
            };
            back
        })
        .collect();
    steps.reverse();
    Line {
        start,
        steps,
        ..line
    }
}

/// The line of an edge from a node to itself, over the upper side of its card.
pub(super) fn loop_line(edge: usize, card: &Rect, labelled: bool) -> Line {
    let start = Point {
        x: card.right() - 40.0,
        y: card.y,
    };
    let end = Point {
        x: card.right() - 16.0,
        y: card.y,
    };
    let above = |x: f64| Point {
        x,
        y: card.y - 24.0,
    };
    let label = labelled.then_some(Point {
        x: card.right() - 60.0,
        y: card.y - 8.0,
    });
    Line {
        edge,
        start,
        steps: vec![Step::Curve(above(start.x), above(end.x), end)],
        label,
    }
}
