//! Tests of the text formats, most of them of the whole text.

use super::super::text::cells;
use super::super::{Kind, Picture, dot, mermaid, terminal};
use super::{arbitrary, fan, hostile, picture, samples, shop};

fn branch() -> Picture {
    let mut picture = picture(
        &[("load", None)],
        "fetch pick small@load big@load join",
        "fetch=>pick pick>small|few pick>big|many small>join big>join",
    );
    picture.nodes[1].kind = Kind::Branch;
    picture.nodes[3].mapped = true;
    picture.nodes[4].kind = Kind::Approval;
    picture
}

#[test]
fn a_branch_in_mermaid() {
    let expected = r#"---
title: "sample"
---
flowchart LR
  n0["fetch<br/>python"]
  n1{"pick<br/>python"}
  subgraph g0["load"]
    n2["small<br/>python"]
    n3["big ×n<br/>python"]
  end
  n4[["join<br/>python"]]
  n0 --> n1
  n1 -.->|"few"| n2
  n1 -.->|"many"| n3
  n2 -.-> n4
  n3 -.-> n4
"#;
    assert_eq!(mermaid(&branch()), expected);
}

#[test]
fn a_branch_for_graphviz() {
    let expected = r##"digraph {
  rankdir=LR
  label="sample"
  labelloc=t
  graph [fontname="Helvetica", style=rounded, color="#cbd2d7"]
  node [fontname="Helvetica", fontsize=12, shape=box, style=rounded]
  edge [fontname="Helvetica", fontsize=11, color="#5d6771"]
  n0 [label="fetch\npython", tooltip="fetch"]
  n1 [label="pick\npython", tooltip="pick", shape=diamond, style=""]
  subgraph cluster_0 {
    label="load"
    n2 [label="small\npython", tooltip="small"]
    n3 [label="big ×n\npython", tooltip="big", peripheries=2]
  }
  n4 [label="join\npython", tooltip="join", shape=octagon, style=""]
  n0 -> n1
  n1 -> n2 [label="few", style=dashed]
  n1 -> n3 [label="many", style=dashed]
  n2 -> n4 [style=dashed]
  n3 -> n4 [style=dashed]
}
"##;
    assert_eq!(dot(&branch()), expected);
}

#[test]
fn a_branch_in_a_terminal() {
    let expected = "\
sample  5 tasks

●    fetch             python
◆    pick              python
├─╮  ▾ load
● ┊    small  ‹few›    python
┊ ●    big ×n  ‹many›  python
├─╯
■    join              python

◆ branch   ■ approval   │ hands over data   ┊ order only
";
    assert_eq!(terminal(&branch(), 80), expected);
}

#[test]
fn the_shop_in_a_terminal() {
    let expected = "\
sample  9 tasks

●      generate     python
●      lakehouse    python
●      analytics    python
├─┬─╮  ▾ load
● │ │    fact       python
│ ● │    products   python
│ │ ●    customers  python
│ ├─╯  ▾ checks
│ ●      dims_ok    python
● │      fact_ok    python
├─╯
●      dbt          python
";
    assert_eq!(terminal(&shop(), 80), expected);
}

#[test]
fn siblings_are_folded_in_a_terminal() {
    let expected = "\
fan  502 tasks

●  start         python
●  500 × load_…  python
●  done          python
";
    assert_eq!(terminal(&fan(500), 80), expected);
}

#[test]
fn too_many_lanes_become_numbers() {
    let mut picture = fan(30);
    for (index, node) in picture.nodes.iter_mut().enumerate() {
        node.detail = format!("op{index}");
    }
    let text = terminal(&picture, 60);
    assert!(text.contains("\n 1 ●  start     op0\n"), "{text}");
    assert!(text.contains("\n 2 ●  load_001  op1  after 1\n"), "{text}");
    assert!(
        text.contains("\n32 ●  done      op31  after 2–31\n"),
        "{text}"
    );
}

#[test]
fn cycles_are_told_in_a_terminal() {
    let text = terminal(&picture(&[], "a b", "a>b b>a b>b"), 80);
    assert!(text.contains("●  b  python  ↺ back to b, a\n"), "{text}");
}

#[test]
fn every_task_is_listed_after_its_upstreams_in_a_terminal() {
    for seed in 0..20 {
        let picture = arbitrary(60, 80, 4, seed);
        let text = terminal(&picture, 120);
        let line_of = |name: &str| {
            let found = text
                .lines()
                .enumerate()
                .filter(|(_, l)| l.split_whitespace().any(|w| w == name));
            found.map(|(i, _)| i).collect::<Vec<_>>()
        };
        let lines: Vec<Vec<usize>> = picture.nodes.iter().map(|n| line_of(&n.label)).collect();
        assert!(lines.iter().all(|l| l.len() == 1), "{text}");
        assert!(
            picture.edges.iter().all(|e| lines[e.from] < lines[e.to]),
            "{text}"
        );
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let mut pictures = samples();
    pictures.push(("hostile".to_owned(), hostile()));
    for (name, picture) in pictures {
        for width in [0, 1, 2, 7, 20, 40, 80, 200] {
            let text = terminal(&picture, width);
            assert!(
                text.lines().all(|line| cells(line) <= width),
                "{name} at {width}:\n{text}"
            );
            assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        }
    }
}

#[test]
fn mermaid_folds_only_what_it_would_refuse() {
    assert_eq!(mermaid(&fan(250)).matches("-->").count(), 500);
    assert_eq!(mermaid(&fan(251)).matches("-->").count(), 2);
}

#[test]
fn hostile_names_stay_quoted() {
    let text = mermaid(&hostile());
    for line in text
        .lines()
        .skip(4)
        .filter(|l| !l.contains("-->") && l.trim() != "end")
    {
        assert_eq!(line.matches('"').count() % 2, 0, "{line}");
        assert!(!line.contains("%%") && !line.contains("<script"), "{line}");
    }
    let text = dot(&hostile());
    let quotes = |line: &str| {
        line.replace("\\\\", "")
            .replace("\\\"", "")
            .matches('"')
            .count()
    };
    assert!(text.lines().all(|line| quotes(line) % 2 == 0), "{text}");
    assert_eq!(
        text.matches('{').count() - text.matches("{init}").count(),
        text.matches('}').count() - text.matches("{init}").count()
    );
}

#[test]
fn nothing_is_also_drawn() {
    let empty = Picture::default();
    assert_eq!(terminal(&empty, 80), "0 tasks\n");
    assert_eq!(mermaid(&empty), "flowchart LR\n");
    assert!(dot(&empty).starts_with("digraph {\n") && dot(&empty).ends_with("}\n"));
}
