//! The picture in the language of Graphviz.

use crate::text::clean;
use crate::tree::{Stop, stops};
use crate::{Kind, Node, Picture};
use std::fmt::Write as _;

/// Writes a picture for Graphviz, with groups as clusters.
pub fn dot(picture: &Picture) -> String {
    let mut out = String::from("digraph {\n");
    out.push_str("  rankdir=LR\n");
    if !picture.title.is_empty() {
        let _ = writeln!(out, "  label={}\n  labelloc=t", quoted(&picture.title));
    }
    out.push_str("  graph [fontname=\"Helvetica\", style=rounded, color=\"#cbd2d7\"]\n");
    out.push_str("  node [fontname=\"Helvetica\", fontsize=12, shape=box, style=rounded]\n");
    out.push_str("  edge [fontname=\"Helvetica\", fontsize=11, color=\"#5d6771\"]\n");
    for (indent, stop) in stops(picture) {
        let _ = match stop {
            Stop::Node(index) => writeln!(
                out,
                "{indent}n{index} [{}]",
                attributes(&picture.nodes[index])
            ),
            Stop::Open(index) => {
                let group = &picture.groups[index];
                let many = if group.mapped { " ×n" } else { "" };
                let label = quoted(&format!("{}{many}", group.label));
                writeln!(
                    out,
                    "{indent}subgraph cluster_{index} {{\n{indent}  label={label}"
                )
            }
            Stop::Close => writeln!(out, "{indent}}}"),
        };
    }
    let mixed = picture.mixed_edges();
    for edge in picture.drawn_edges() {
        let mut looks = Vec::new();
        if let Some(label) = &edge.label {
            looks.push(format!("label={}", quoted(label)));
        }
        if mixed && !edge.data {
            looks.push("style=dashed".to_owned());
        }
        let looks = if looks.is_empty() {
            String::new()
        } else {
            format!(" [{}]", looks.join(", "))
        };
        let _ = writeln!(out, "  n{} -> n{}{looks}", edge.from, edge.to);
    }
    out.push_str("}\n");
    out
}

/// The label, tooltip and shape of a node.
fn attributes(node: &Node) -> String {
    let many = if node.mapped { " ×n" } else { "" };
    let name = format!("{}{many}", node.label);
    let label = if node.detail.is_empty() {
        quoted(&name)
    } else {
        format!("\"{}\\n{}\"", escape(&name), escape(&node.detail))
    };
    let shape = match node.kind {
        Kind::Work => "",
        Kind::Setup => ", shape=trapezium, style=\"\"",
        Kind::Teardown => ", shape=invtrapezium, style=\"\"",
        Kind::Branch => ", shape=diamond, style=\"\"",
        Kind::ShortCircuit => ", shape=hexagon, style=\"\"",
        Kind::Sensor => ", shape=ellipse, style=\"\"",
        Kind::Approval => ", shape=octagon, style=\"\"",
    };
    let stack = if node.mapped { ", peripheries=2" } else { "" };
    format!("label={label}, tooltip={}{shape}{stack}", quoted(&node.id))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escape(text))
}

/// Escapes text for a quoted label. Graphviz also reads HTML entities there, so an ampersand is
/// written as one.
fn escape(text: &str) -> String {
    clean(text)
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('&', "&amp;")
}
