//! The picture as a standalone SVG.

use crate::layout::{
    CARD_SIDES, Layout, Line, Rect, SMALL_SIZE, Step, box_name, card_detail, card_name, edge_name,
    edge_room, layout,
};
use crate::marks::strokes;
use crate::text::{clean, counted, number, pixels, xml};
use crate::{Folded, Group, Kind, Node, Picture, fold};
use std::fmt::Write as _;

/// The room around the drawing.
const MARGIN: f64 = 20.0;
/// The height of the title line and of the legend.
const TITLE: f64 = 34.0;
const LEGEND: f64 = 36.0;

/// What a page adds to a card of a drawing: where its task stands in a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    /// A class, by which the page's style sheet gives it a colour.
    pub class: String,
    /// The state, written below the name: colour alone says nothing.
    pub word: String,
    /// Where a click leads.
    pub href: Option<String>,
}

/// Gives the mark of a card, by the ids of the tasks that are drawn as this card.
type Marks<'a> = &'a dyn Fn(&[&str]) -> Option<Mark>;

/// Colours and fonts. Each token takes the value of the page's token of that name if the drawing is
/// put into a page that has one, so that a theme chosen there also holds here; by itself it follows
/// the reader's system.
pub const STYLE: &str = "\
.tidemill-dag{--d-bg:var(--bg,#f7f8f8);--d-card:var(--raised,#fff);--d-ink:var(--ink,#171b1f);\
--d-muted:var(--muted,#5d6771);--d-line:var(--line-strong,#cbd2d7);--d-edge:#9aa5ad;--d-data:var(--accent,#0b6f6a);\
--d-tile:var(--queue-soft,#eceff1);--d-box:#1c2b3a0a;\
font-family:var(--sans,Inter,ui-sans-serif,system-ui,\"Segoe UI\",Roboto,\"Helvetica Neue\",\"DejaVu Sans\",sans-serif)}\
@media (prefers-color-scheme:dark){.tidemill-dag{--d-bg:var(--bg,#0f1214);--d-card:var(--raised,#1c2125);\
--d-ink:var(--ink,#e6eaed);--d-muted:var(--muted,#9aa5ae);--d-line:var(--line-strong,#364049);--d-edge:#66727c;\
--d-data:var(--accent,#3fb8ae);--d-tile:var(--queue-soft,#2a3137);--d-box:#d5e4f00c}}\
.tidemill-dag text{fill:var(--d-ink)}\
.tidemill-dag .ground{fill:var(--d-bg)}\
.tidemill-dag .title{font-size:15px;font-weight:650}\
.tidemill-dag .name{font-size:13.5px;font-weight:550}\
.tidemill-dag .small{font-size:12px;fill:var(--d-muted)}\
.tidemill-dag .group>rect{fill:var(--d-box);stroke:var(--d-line)}\
.tidemill-dag .group>text{font-size:12px;font-weight:600;fill:var(--d-muted)}\
.tidemill-dag .task>rect{fill:var(--d-card);stroke:var(--d-line);stroke-width:1.2}\
.tidemill-dag .task>.tile{fill:var(--d-tile);stroke:none}\
.tidemill-dag .mark{fill:none;stroke:var(--d-muted);stroke-width:1.4;stroke-linecap:round;stroke-linejoin:round}\
.tidemill-dag .edge>path{fill:none;stroke:var(--d-edge);stroke-width:1.5}\
.tidemill-dag .edge>.head{fill:var(--d-edge);stroke:none}\
.tidemill-dag .order>.way{stroke-dasharray:5 4}\
.tidemill-dag .data>.way{stroke:var(--d-data)}\
.tidemill-dag .data>.head{fill:var(--d-data)}\
.tidemill-dag .chip{fill:var(--d-bg)}\
";

/// Draws a picture as an SVG that stands by itself: title and description for a screen reader,
/// light and dark colours, and equal siblings folded into one stack of cards.
pub fn svg(picture: &Picture) -> String {
    draw(picture, None)
}

/// The same as a part of a page: without title and style, which the page has ([`STYLE`]), and with a mark on each card.
pub fn svg_in_page(picture: &Picture, marks: &dyn Fn(&[&str]) -> Option<Mark>) -> String {
    draw(picture, Some(marks))
}

fn draw(picture: &Picture, marks: Option<Marks<'_>>) -> String {
    let Folded {
        picture: drawn,
        members,
    } = fold(picture);
    let layout = layout(&drawn);
    let title = match marks {
        Some(_) => String::new(),
        None => clean(&picture.title),
    };
    let mixed = drawn.mixed_edges();
    let legend = Legend::new(&drawn, mixed);
    let top = if title.is_empty() {
        MARGIN
    } else {
        MARGIN + TITLE
    };
    let bottom = if legend.entries.is_empty() {
        MARGIN
    } else {
        LEGEND
    };
    let title_width = pixels(&title, 15.0, true) + 90.0;
    let width = layout
        .width
        .max(legend.width())
        .max(title_width.min(1_200.0))
        + 2.0 * MARGIN;
    let height = top + layout.height + bottom + if legend.entries.is_empty() { 0.0 } else { 4.0 };
    let mut out = head(picture, (width, height), marks.is_some());
    if !title.is_empty() {
        let tasks = counted(picture.nodes.len(), "task");
        let x = number(MARGIN);
        let count = format!("<tspan class=\"small\" dx=\"10\" font-weight=\"400\">{tasks}</tspan>");
        let _ = writeln!(
            out,
            "<text class=\"title\" x=\"{x}\" y=\"32\">{}{count}</text>",
            xml(&title)
        );
    }
    let _ = writeln!(
        out,
        "<g transform=\"translate({} {})\">",
        number(MARGIN),
        number(top)
    );
    for (group, rect) in drawn.groups.iter().zip(&layout.groups) {
        if let Some(rect) = rect {
            draw_group(&mut out, group, rect);
        }
    }
    draw_edges(&mut out, &drawn, &layout, mixed);
    for ((node, rect), members) in drawn.nodes.iter().zip(&layout.nodes).zip(&members) {
        let mark = marks.and_then(|marks| {
            let ids = members.iter().filter_map(|at| picture.nodes.get(*at));
            let ids: Vec<&str> = ids.map(|node| node.id.as_str()).collect();
            marks(&ids)
        });
        draw_node(&mut out, node, rect, (members.len(), mark));
    }
    out.push_str("</g>\n");
    legend.draw(&mut out, height - LEGEND / 2.0);
    out.push_str("</svg>\n");
    out
}

/// The opening tag, what a screen reader says, and the style.
fn head(picture: &Picture, (width, height): (f64, f64), in_page: bool) -> String {
    let (w, h) = (number(width.ceil()), number(height.ceil()));
    let title = xml(&picture.title);
    let edges = picture.drawn_edges().count();
    let groups = if picture.groups.is_empty() {
        String::new()
    } else {
        format!(", {}", counted(picture.groups.len(), "group"))
    };
    let what = format!(
        "Task graph, left to right: {}, {}{groups}.",
        counted(picture.nodes.len(), "task"),
        counted(edges, "edge"),
    );
    let name = if title.is_empty() {
        "Task graph"
    } else {
        &title
    };
    let style = if in_page {
        String::new()
    } else {
        format!("<style>{STYLE}</style>\n")
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"tidemill-dag\" role=\"img\" aria-label=\"{name}. {what}\" \
         width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\">\n\
         <title>{name}</title>\n<desc>{what}</desc>\n{style}\
         <rect class=\"ground\" width=\"{w}\" height=\"{h}\"/>\n"
    )
}

fn rect_tag(class: &str, rect: &Rect, radius: f64) -> String {
    let Rect { x, y, w, h } = *rect;
    let class = if class.is_empty() {
        String::new()
    } else {
        format!(" class=\"{class}\"")
    };
    format!(
        "<rect{class} x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>",
        number(x),
        number(y),
        number(w),
        number(h),
        number(radius)
    )
}

/// The cards behind the first one of something mapped.
fn draw_stack(out: &mut String, rect: &Rect, radius: f64) {
    for lift in [6.0, 3.0] {
        let card = Rect {
            x: rect.x + lift,
            y: rect.y - lift,
            ..*rect
        };
        out.push_str(&rect_tag("", &card, radius));
    }
}

fn draw_group(out: &mut String, group: &Group, rect: &Rect) {
    let _ = write!(
        out,
        "<g class=\"group\" data-group=\"{}\"><title>{}</title>",
        xml(&group.id),
        xml(&group.id)
    );
    if group.mapped {
        draw_stack(out, rect, 10.0);
    }
    out.push_str(&rect_tag("", rect, 10.0));
    let (x, y) = (number(rect.x + 14.0), number(rect.y + 19.0));
    let _ = writeln!(
        out,
        "<text x=\"{x}\" y=\"{y}\">{}</text></g>",
        xml(&box_name(group))
    );
}

/// What is said of a card when one points at it.
fn tip(node: &Node, marked: &Mark) -> String {
    let mut tip = xml(&node.id);
    for extra in [
        node.detail.as_str(),
        if node.kind == Kind::Work {
            ""
        } else {
            node.kind.word()
        },
    ] {
        if !extra.is_empty() {
            let _ = write!(tip, ", {}", xml(extra));
        }
    }
    if node.mapped {
        tip.push_str(", mapped");
    }
    if !marked.word.is_empty() {
        let _ = write!(tip, ": {}", xml(&marked.word));
    }
    tip
}

fn draw_node(out: &mut String, node: &Node, rect: &Rect, (count, mark_on): (usize, Option<Mark>)) {
    let marked = mark_on.unwrap_or_default();
    let href = marked.href.as_deref();
    if let Some(href) = href {
        let _ = write!(out, "<a href=\"{}\">", xml(href));
    }
    let space = if marked.class.is_empty() { "" } else { " " };
    let class = xml(&marked.class);
    let _ = write!(
        out,
        "<g class=\"task{space}{class}\" data-task=\"{}\">",
        xml(&node.id)
    );
    let tip = tip(node, &marked);
    let _ = write!(out, "<title>{tip}</title>");
    if node.mapped || count > 1 {
        draw_stack(out, rect, 6.0);
    }
    out.push_str(&rect_tag("", rect, 6.0));
    let tile = Rect {
        x: rect.x + 10.0,
        y: rect.y + 10.0,
        w: 24.0,
        h: 24.0,
    };
    out.push_str(&rect_tag("tile", &tile, 5.0));
    out.push_str(&mark(node.kind, tile.x + 4.0, tile.y + 4.0));
    let x = number(rect.x + CARD_SIDES.0);
    let detail = if marked.word.is_empty() {
        xml(&card_detail(node))
    } else {
        xml(&marked.word)
    };
    let name_y = if detail.is_empty() {
        rect.y + 27.0
    } else {
        rect.y + 19.0
    };
    let _ = write!(
        out,
        "<text class=\"name\" x=\"{x}\" y=\"{}\">{}</text>",
        number(name_y),
        xml(&card_name(node))
    );
    if !detail.is_empty() {
        let y = number(rect.y + 35.0);
        let _ = write!(
            out,
            "<text class=\"small\" x=\"{x}\" y=\"{y}\">{detail}</text>"
        );
    }
    if node.mapped {
        let (x, y) = (number(rect.right() - 10.0), number(rect.y + 27.0));
        let _ = write!(
            out,
            "<text class=\"small\" text-anchor=\"end\" x=\"{x}\" y=\"{y}\">×n</text>"
        );
    }
    out.push_str("</g>");
    if href.is_some() {
        out.push_str("</a>");
    }
    out.push('\n');
}

fn mark(kind: Kind, x: f64, y: f64) -> String {
    let path = strokes(kind);
    format!(
        "<path class=\"mark\" transform=\"translate({} {})\" d=\"{path}\"/>",
        number(x),
        number(y)
    )
}

/// Draws all lines and then all labels, so that no line runs over a label.
fn draw_edges(out: &mut String, picture: &Picture, layout: &Layout, mixed: bool) {
    let mut labels = String::new();
    for line in &layout.lines {
        let Some(edge) = picture.edges.get(line.edge) else {
            continue;
        };
        let class = match (mixed, edge.data) {
            (true, true) => "edge data",
            (true, false) => "edge order",
            (false, _) => "edge",
        };
        let (way, head) = (way(line), arrow(line));
        let _ = write!(
            out,
            "<g class=\"{class}\"><path class=\"way\" d=\"{way}\"/>"
        );
        let _ = writeln!(out, "<path class=\"head\" d=\"{head}\"/></g>");
        if let (Some(at), Some(label)) = (line.label, &edge.label) {
            let w = edge_room(label) - 4.0;
            let chip = Rect {
                x: at.x - w / 2.0,
                y: at.y - 9.0,
                w,
                h: 18.0,
            };
            let _ = writeln!(
                labels,
                "<g class=\"label\">{}<text class=\"small\" text-anchor=\"middle\" x=\"{}\" y=\"{}\">{}</text></g>",
                rect_tag("chip", &chip, 4.0),
                number(at.x),
                number(at.y + SMALL_SIZE * 0.35),
                xml(&edge_name(label))
            );
        }
    }
    out.push_str(&labels);
}

/// The path of a line.
fn way(line: &Line) -> String {
    let mut way = format!("M{} {}", number(line.start.x), number(line.start.y));
    for step in &line.steps {
        let points = match step {
            Step::Straight(end) => {
                way.push('L');
                vec![*end]
            }
            Step::Curve(a, b, end) => {
                way.push('C');
                vec![*a, *b, *end]
            }
        };
        let points: Vec<String> = points
            .iter()
            .map(|p| format!("{} {}", number(p.x), number(p.y)))
            .collect();
        way.push_str(&points.join(" "));
    }
    way
}

/// The head of an arrow; it points to where the line comes from at its end: right, left or, for a
/// loop, down.
fn arrow(line: &Line) -> String {
    let end = line.end();
    let (dx, dy) = match line.steps.last() {
        Some(Step::Curve(_, control, _)) => (end.x - control.x, end.y - control.y),
        _ => (end.x - line.start.x, 0.0),
    };
    let (x, y) = (number(end.x), number(end.y));
    if dy.abs() > dx.abs() {
        format!("M{x} {y}l-3.5 -7h7Z")
    } else if dx < 0.0 {
        format!("M{x} {y}l7 -3.5v7Z")
    } else {
        format!("M{x} {y}l-7 -3.5v7Z")
    }
}

/// The line below a drawing that explains what is in it and not plain.
struct Legend {
    entries: Vec<Entry>,
}

enum Entry {
    Mark(Kind),
    Edge(bool),
}

impl Legend {
    fn new(picture: &Picture, mixed: bool) -> Self {
        let used =
            |kind: &Kind| *kind != Kind::Work && picture.nodes.iter().any(|n| n.kind == *kind);
        let mut entries: Vec<Entry> = Kind::ALL
            .into_iter()
            .filter(used)
            .map(Entry::Mark)
            .collect();
        if mixed {
            entries.extend([Entry::Edge(true), Entry::Edge(false)]);
        }
        Self { entries }
    }

    fn word(entry: &Entry) -> &'static str {
        match entry {
            Entry::Mark(kind) => kind.word(),
            Entry::Edge(true) => "hands over data",
            Entry::Edge(false) => "order only",
        }
    }

    /// How much room an entry takes with its mark and the space after it.
    fn room(entry: &Entry) -> f64 {
        let mark = if matches!(entry, Entry::Mark(_)) {
            22.0
        } else {
            38.0
        };
        (mark + pixels(Self::word(entry), SMALL_SIZE, false) + 18.0).ceil()
    }

    fn width(&self) -> f64 {
        self.entries.iter().map(Self::room).sum()
    }

    fn draw(&self, out: &mut String, middle: f64) {
        let mut x = MARGIN;
        for entry in &self.entries {
            let text_x = match entry {
                Entry::Mark(kind) => {
                    out.push_str(&mark(*kind, x, middle - 8.0));
                    x + 22.0
                }
                Entry::Edge(data) => {
                    let class = if *data { "data" } else { "order" };
                    let (from, y) = (number(x), number(middle));
                    let way = format!("<path class=\"way\" d=\"M{from} {y}h30\"/>");
                    let _ = write!(out, "<g class=\"edge {class}\">{way}</g>");
                    x + 38.0
                }
            };
            let (text_x, y) = (number(text_x), number(middle + 4.0));
            let _ = writeln!(
                out,
                "<text class=\"small\" x=\"{text_x}\" y=\"{y}\">{}</text>",
                Self::word(entry)
            );
            x += Self::room(entry);
        }
    }
}
