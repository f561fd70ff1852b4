//! Where everything in a drawing is: cards, boxes and the lines between them, left to right.

use crate::graph::{self, Part};
use crate::place::{CARD, Heights, place};
use crate::route::{Columns, lines, loop_line};
use crate::text::{clean, cut_pixels, pixels};
use crate::web::{Web, web};
use crate::{Group, Node, Picture, layer, order};

/// The size of the names on cards, in pixels.
pub(super) const NAME_SIZE: f64 = 13.5;
/// The size of the operator line, of labels on edges and of group names.
pub(super) const SMALL_SIZE: f64 = 12.0;
/// Names are cut after this many characters; the whole name is in the tooltip.
const NAME_CHARS: usize = 28;
/// The narrowest and the widest card.
const CARD_WIDTHS: (f64, f64) = (124.0, 320.0);
/// The room on a card to the left of its text, for the mark, and to the right of it.
pub(super) const CARD_SIDES: (f64, f64) = (42.0, 14.0);
/// The room on the right of the card of a mapped task for "×n".
const MAPPED_ROOM: f64 = 26.0;
/// The room between parts that are not connected.
const PART_GAP: f64 = 28.0;

/// A place in the drawing; `y` grows downwards.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// Pixels from the left.
    pub x: f64,
    /// Pixels from the top.
    pub y: f64,
}

/// A rectangle in the drawing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rect {
    /// Pixels from the left to the left side.
    pub x: f64,
    /// Pixels from the top to the upper side.
    pub y: f64,
    /// Width in pixels.
    pub w: f64,
    /// Height in pixels.
    pub h: f64,
}

/// One piece of a line, from where the piece before it ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Straight to a point.
    Straight(Point),
    /// A cubic Bézier curve: two control points and the end.
    Curve(Point, Point, Point),
}

/// The line of one edge, in the direction of the edge.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The index of the edge in the picture.
    pub edge: usize,
    /// Where the line leaves the upstream card.
    pub start: Point,
    /// The way from there to the downstream card.
    pub steps: Vec<Step>,
    /// The middle of the edge's label, if it has one.
    pub label: Option<Point>,
}

/// A drawing without its looks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layout {
    /// The card of each node of the picture.
    pub nodes: Vec<Rect>,
    /// The box of each group of the picture; a group without nodes has none.
    pub groups: Vec<Option<Rect>>,
    /// The lines of all edges whose two ends exist.
    pub lines: Vec<Line>,
    /// The width of the whole drawing.
    pub width: f64,
    /// The height of the whole drawing.
    pub height: f64,
}

impl Rect {
    /// The right side.
    pub fn right(&self) -> f64 {
        self.x + self.w
    }

    /// The lower side.
    pub fn bottom(&self) -> f64 {
        self.y + self.h
    }

    /// Whether two rectangles share more than their sides.
    pub fn overlaps(&self, other: &Rect) -> bool {
        self.x < other.right()
            && other.x < self.right()
            && self.y < other.bottom()
            && other.y < self.bottom()
    }
}

impl Line {
    /// Where the line meets the downstream card.
    pub fn end(&self) -> Point {
        match self.steps.last() {
            Some(Step::Straight(end) | Step::Curve(_, _, end)) => *end,
            None => self.start,
        }
    }

    fn shift(&mut self, x: f64, y: f64) {
        let moved = |p: &mut Point| {
            p.x += x;
            p.y += y;
        };
        moved(&mut self.start);
        self.label.iter_mut().for_each(moved);
        for step in &mut self.steps {
            match step {
                Step::Straight(end) => moved(end),
                Step::Curve(a, b, end) => [a, b, end].into_iter().for_each(moved),
            }
        }
    }
}

/// The name that is written on a card.
pub(super) fn card_name(node: &Node) -> String {
    let widest = CARD_WIDTHS.1 - CARD_SIDES.0 - CARD_SIDES.1 - mapped_room(node);
    cut_pixels(&clean(&node.label), NAME_CHARS, NAME_SIZE, true, widest)
}

/// The operator line of a card.
pub(super) fn card_detail(node: &Node) -> String {
    let widest = CARD_WIDTHS.1 - CARD_SIDES.0 - CARD_SIDES.1 - mapped_room(node);
    cut_pixels(
        &clean(&node.detail),
        NAME_CHARS + 6,
        SMALL_SIZE,
        false,
        widest,
    )
}

/// The name that is written on a box.
pub(super) fn box_name(group: &Group) -> String {
    let name = cut_pixels(
        &clean(&group.label),
        NAME_CHARS,
        SMALL_SIZE,
        true,
        CARD_WIDTHS.1,
    );
    if group.mapped {
        format!("{name} ×n")
    } else {
        name
    }
}

/// The label that is written on an edge.
pub(super) fn edge_name(label: &str) -> String {
    cut_pixels(&clean(label), NAME_CHARS, SMALL_SIZE, false, 200.0)
}

/// The room that the label of an edge takes.
pub(super) fn edge_room(label: &str) -> f64 {
    (pixels(&edge_name(label), SMALL_SIZE, false) + 12.0).ceil()
}

fn mapped_room(node: &Node) -> f64 {
    if node.mapped { MAPPED_ROOM } else { 0.0 }
}

/// The width of the card of a node by itself; cards in one column all get the width of the widest.
pub(super) fn card_width(node: &Node) -> f64 {
    let name = pixels(&card_name(node), NAME_SIZE, true);
    let text = name.max(pixels(&card_detail(node), SMALL_SIZE, false));
    let width = CARD_SIDES.0 + text + mapped_room(node) + CARD_SIDES.1;
    width.ceil().clamp(CARD_WIDTHS.0, CARD_WIDTHS.1)
}

/// Lays a picture out from left to right.
///
/// No two cards overlap, every card lies inside the boxes of its groups and outside all others, and
/// every line runs to the right unless its edge closes a cycle. Siblings are not folded; see
/// [`fold`](crate::fold()) for that.
pub fn layout(picture: &Picture) -> Layout {
    let mut layout = Layout {
        nodes: vec![Rect::default(); picture.nodes.len()],
        groups: vec![None; picture.groups.len()],
        ..Layout::default()
    };
    let mut pieces: Vec<Piece> = graph::parts(picture)
        .into_iter()
        .map(|part| lay_out(picture, part))
        .collect();
    pack(&mut pieces);
    for piece in pieces {
        piece.move_into(&mut layout);
    }
    for (index, edge) in picture.edges.iter().enumerate() {
        if let Some(card) = layout.nodes.get(edge.from).filter(|_| edge.from == edge.to) {
            layout
                .lines
                .push(loop_line(index, card, edge.label.is_some()));
        }
    }
    layout.lines.sort_by_key(|line| line.edge);
    layout
}

/// The layout of one part, counted from its own corner.
struct Piece {
    nodes: Vec<(usize, Rect)>,
    groups: Vec<(usize, Rect)>,
    lines: Vec<Line>,
    area: Rect,
}

impl Piece {
    fn move_into(self, layout: &mut Layout) {
        let Rect { x, y, .. } = self.area;
        let moved = |rect: Rect| Rect {
            x: rect.x + x,
            y: rect.y + y,
            ..rect
        };
        for (node, rect) in self.nodes {
            layout.nodes[node] = moved(rect);
        }
        for (group, rect) in self.groups {
            layout.groups[group] = Some(moved(rect));
        }
        for mut line in self.lines {
            line.shift(x, y);
            layout.lines.push(line);
        }
        layout.width = layout.width.max(self.area.right());
        layout.height = layout.height.max(self.area.bottom());
    }
}

fn lay_out(picture: &Picture, mut part: Part) -> Piece {
    if let ([node], []) = (part.nodes.as_slice(), part.groups.as_slice()) {
        let rect = Rect {
            x: 0.0,
            y: 0.0,
            w: card_width(&picture.nodes[*node]),
            h: CARD,
        };
        return Piece {
            nodes: vec![(*node, rect)],
            groups: Vec::new(),
            lines: Vec::new(),
            area: rect,
        };
    }
    let layers = layer::layers(&part);
    let mut web = web(&mut part, layers);
    order::order(&part, &mut web);
    let heights = place(&part, &web);
    let columns = Columns::new(picture, &part, &web, &heights);
    let nodes = part.nodes.iter().enumerate().map(|(element, &node)| {
        let layer = web.layer[element];
        let y = heights.middle[element] - CARD / 2.0;
        (
            node,
            Rect {
                x: columns.left[layer],
                y,
                w: columns.width[layer],
                h: CARD,
            },
        )
    });
    let boxes = boxes(&part, &web, &heights, &columns);
    let area = Rect {
        x: 0.0,
        y: 0.0,
        w: columns.total,
        h: heights.total,
    };
    Piece {
        nodes: nodes.collect(),
        groups: boxes,
        lines: lines(picture, &part, &web, &heights, &columns),
        area,
    }
}

/// The boxes of the groups of a part.
fn boxes(part: &Part, web: &Web, heights: &Heights, columns: &Columns) -> Vec<(usize, Rect)> {
    let boxed = part
        .groups
        .iter()
        .enumerate()
        .filter(|(_, group)| group.boxed);
    boxed
        .map(|(index, group)| {
            let (first, last) = web.spans[index];
            let (top, bottom) = heights.boxes[index];
            let x = columns.left[first] - columns.padding[index].0;
            let right = columns.left[last] + columns.width[last] + columns.padding[index].1;
            (
                group.id,
                Rect {
                    x,
                    y: top,
                    w: right - x,
                    h: bottom - top,
                },
            )
        })
        .collect()
}

/// Moves the parts of a picture apart: connected ones below each other, single cards side by side
/// under them.
fn pack(pieces: &mut [Piece]) {
    let widest = pieces.iter().map(|p| p.area.w).fold(0.0, f64::max);
    let single = |p: &&mut Piece| p.nodes.len() == 1;
    let singles: f64 = pieces
        .iter()
        .filter(|p| p.nodes.len() == 1)
        .map(|p| p.area.w * p.area.h)
        .sum();
    let limit = widest.max(900.0).max((singles * 3.0).sqrt());
    let mut y = 0.0;
    for piece in pieces.iter_mut().filter(|p| p.nodes.len() > 1) {
        piece.area.y = y;
        y = piece.area.bottom() + PART_GAP;
    }
    let (mut x, mut tallest) = (0.0, 0.0_f64);
    for piece in pieces.iter_mut().filter(single) {
        if x > 0.0 && x + piece.area.w > limit {
            x = 0.0;
            y += tallest + PART_GAP;
            tallest = 0.0;
        }
        piece.area.x = x;
        piece.area.y = y;
        x = piece.area.right() + PART_GAP;
        tallest = tallest.max(piece.area.h);
    }
}
