//! The picture as a Mermaid flowchart.

use crate::text::clean;
use crate::tree::{Stop, stops};
use crate::{Kind, Node, Picture, fold_siblings};
use std::fmt::Write as _;

/// Mermaid refuses to draw more edges than this unless the page it is on allows more.
const MOST_EDGES: usize = 500;

/// Writes a picture as a Mermaid flowchart, as it is shown by GitHub, GitLab and most wikis.
///
/// Equal siblings are folded only if there are more edges than Mermaid accepts.
pub fn mermaid(picture: &Picture) -> String {
    if picture.drawn_edges().count() > MOST_EDGES {
        flowchart(&fold_siblings(picture))
    } else {
        flowchart(picture)
    }
}

fn flowchart(picture: &Picture) -> String {
    let mut out = String::new();
    if !picture.title.is_empty() {
        let _ = write!(out, "---\ntitle: {}\n---\n", yaml(&picture.title));
    }
    out.push_str("flowchart LR\n");
    for (indent, stop) in stops(picture) {
        let _ = match stop {
            Stop::Node(index) => writeln!(out, "{indent}n{index}{}", shape(&picture.nodes[index])),
            Stop::Open(index) => {
                let group = &picture.groups[index];
                let many = if group.mapped { " ×n" } else { "" };
                writeln!(
                    out,
                    "{indent}subgraph g{index}[\"{}{many}\"]",
                    escape(&group.label)
                )
            }
            Stop::Close => writeln!(out, "{indent}end"),
        };
    }
    let mixed = picture.mixed_edges();
    for edge in picture.drawn_edges() {
        let arrow = if mixed && !edge.data { "-.->" } else { "-->" };
        let label = edge
            .label
            .as_ref()
            .map_or(String::new(), |l| format!("|\"{}\"|", escape(l)));
        let _ = writeln!(out, "  n{} {arrow}{label} n{}", edge.from, edge.to);
    }
    out
}

/// A node's label in the brackets of its kind.
fn shape(node: &Node) -> String {
    let (open, close) = match node.kind {
        Kind::Work => ("[", "]"),
        Kind::Setup => ("[/", "\\]"),
        Kind::Teardown => ("[\\", "/]"),
        Kind::Branch => ("{", "}"),
        Kind::ShortCircuit => ("{{", "}}"),
        Kind::Sensor => ("([", "])"),
        Kind::Approval => ("[[", "]]"),
    };
    let many = if node.mapped { " ×n" } else { "" };
    let detail = if node.detail.is_empty() {
        String::new()
    } else {
        format!("<br/>{}", escape(&node.detail))
    };
    format!("{open}\"{}{many}{detail}\"{close}", escape(&node.label))
}

/// Escapes text for a quoted Mermaid label.
///
/// Mermaid reads entities written with `#`, HTML, Markdown lists and `%%` directives inside of
/// labels, so everything that is not plainly a letter, a digit or harmless in names becomes an
/// entity.
fn escape(text: &str) -> String {
    let text = clean(text);
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let last_of_word = chars.peek().is_none_or(|next| *next == ' ');
        let plain = match c {
            c if c.is_alphanumeric() || !c.is_ascii() => true,
            ' ' | '_' | '/' | ',' => true,
            '.' | '-' | ':' => !last_of_word && !out.is_empty(),
            _ => false,
        };
        if plain {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", c as u32);
        }
    }
    if out.trim().is_empty() {
        "#160;".to_owned()
    } else {
        out
    }
}

/// A quoted YAML text for the title.
fn yaml(text: &str) -> String {
    let mut out = String::from("\"");
    for c in clean(text).chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            // A directive inside the title would still be taken for one.
            '%' => out.push_str("\\x25"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
