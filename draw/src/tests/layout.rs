//! Tests of where things are.

use super::super::{
    Edge, Group, Layout, Picture, Point, Rect, Step, fold, fold_siblings, layout, terminal,
};
use super::{arbitrary, fan, hostile, nested, node, picture, samples, shop};

fn contains(outer: &Rect, inner: &Rect) -> bool {
    outer.x <= inner.x
        && outer.y <= inner.y
        && inner.right() <= outer.right()
        && inner.bottom() <= outer.bottom()
}

/// The groups around a node, found without the help of the code under test.
fn groups_around(picture: &Picture, start: Option<usize>) -> Vec<usize> {
    std::iter::successors(start, |&g| picture.groups[g].parent).collect()
}

fn points(start: Point, steps: &[Step]) -> Vec<Point> {
    let ends = steps.iter().map(|step| match step {
        Step::Straight(end) | Step::Curve(_, _, end) => *end,
    });
    std::iter::once(start).chain(ends).collect()
}

fn check_boxes(name: &str, picture: &Picture, layout: &Layout) {
    for (index, rect) in layout.nodes.iter().enumerate() {
        let around = groups_around(picture, picture.nodes[index].group);
        for (group, area) in layout.groups.iter().enumerate() {
            let Some(area) = area else { continue };
            if around.contains(&group) {
                assert!(
                    contains(area, rect),
                    "{name}: node {index} sticks out of its group {group}"
                );
            } else {
                assert!(
                    !area.overlaps(rect),
                    "{name}: node {index} lies in the foreign group {group}"
                );
            }
        }
    }
    for (a, first) in layout.groups.iter().enumerate() {
        for (b, second) in layout.groups.iter().enumerate().skip(a + 1) {
            let (Some(first), Some(second)) = (first, second) else {
                continue;
            };
            let related = groups_around(picture, Some(a)).contains(&b)
                || groups_around(picture, Some(b)).contains(&a);
            assert!(
                related || !first.overlaps(second),
                "{name}: groups {a} and {b} overlap"
            );
        }
    }
}

#[test]
fn cards_never_overlap_and_stay_within_the_drawing() {
    for (name, picture) in samples() {
        let layout = layout(&picture);
        let all = Rect {
            x: 0.0,
            y: 0.0,
            w: layout.width,
            h: layout.height,
        };
        assert_eq!(layout.nodes.len(), picture.nodes.len());
        for (index, rect) in layout.nodes.iter().enumerate() {
            assert!(
                contains(&all, rect),
                "{name}: node {index} is outside of the drawing"
            );
            let hit = layout.nodes[..index]
                .iter()
                .position(|other| other.overlaps(rect));
            assert_eq!(hit, None, "{name}: node {index} overlaps another");
        }
    }
}

#[test]
fn boxes_hold_their_own_nodes_and_no_others() {
    for (name, picture) in samples() {
        check_boxes(&name, &picture, &layout(&picture));
    }
}

#[test]
fn edges_run_to_the_right_from_card_to_card() {
    for (name, picture) in samples() {
        let layout = layout(&picture);
        assert_eq!(
            layout.lines.len(),
            picture.edges.len(),
            "{name}: an edge is missing"
        );
        for line in &layout.lines {
            let edge = &picture.edges[line.edge];
            let (from, to) = (layout.nodes[edge.from], layout.nodes[edge.to]);
            assert_eq!(
                (line.start.x, line.start.y),
                (from.right(), from.y + from.h / 2.0),
                "{name}"
            );
            let end = line.end();
            assert!(
                (end.x - to.x).abs() < 0.001 && (end.y - to.y - to.h / 2.0).abs() < 0.6,
                "{name}: {end:?} {to:?}"
            );
            let points = points(line.start, &line.steps);
            assert!(
                points.windows(2).all(|pair| pair[0].x < pair[1].x),
                "{name}: a line turns back"
            );
            assert_eq!(line.label.is_some(), edge.label.is_some());
        }
    }
}

#[test]
fn long_edges_do_not_run_over_cards() {
    for (name, picture) in samples() {
        let layout = layout(&picture);
        for line in &layout.lines {
            for pair in points(line.start, &line.steps).windows(2) {
                let level = (pair[0].y - pair[1].y).abs() < 0.001;
                let over = |card: &Rect| {
                    card.y < pair[0].y
                        && pair[0].y < card.bottom()
                        && card.x < pair[1].x
                        && pair[0].x < card.right()
                };
                let hit = layout.nodes.iter().position(|card| level && over(card));
                assert_eq!(hit, None, "{name}: edge {} runs over a card", line.edge);
            }
        }
    }
}

#[test]
fn a_chain_is_one_straight_line_and_a_fan_is_symmetric() {
    let chain = layout(&picture(&[], "a b c d", "a>b b>c c>d"));
    assert!(
        chain
            .nodes
            .windows(2)
            .all(|pair| pair[0].y == pair[1].y && pair[0].right() < pair[1].x)
    );
    let fan = layout(&fan(5));
    let middle = |index: usize| fan.nodes[index].y;
    assert!((middle(0) - middle(3)).abs() < 0.5 && (middle(6) - middle(3)).abs() < 0.5);
    assert!(((middle(1) + middle(5)) / 2.0 - middle(3)).abs() < 0.5);
}

#[test]
fn a_cycle_keeps_its_forward_edges_and_one_runs_back() {
    let layout = layout(&picture(&[], "a b c", "a>b b>c c>a"));
    let back: Vec<bool> = layout
        .lines
        .iter()
        .map(|line| line.end().x < line.start.x)
        .collect();
    assert_eq!(back, [false, false, true]);
}

#[test]
fn a_start_stands_next_to_what_needs_it() {
    let layout = layout(&picture(&[], "a b c d config", "a>b b>c c>d config>d"));
    assert_eq!(layout.nodes[4].x, layout.nodes[2].x);
}

#[test]
fn the_samples_of_the_design_have_few_bends() {
    let layout = layout(&shop());
    let straight = layout
        .lines
        .iter()
        .filter(|line| line.steps.len() == 1)
        .count();
    // Both edges of the chain at the start, one of the fan, fact to its check and one of the two to
    // the other check.
    assert!(straight >= 5, "{straight} straight lines");
}

#[test]
fn more_than_twelve_equal_siblings_become_one() {
    assert_eq!(fold_siblings(&fan(12)), fan(12));
    let folded = fold(&fan(500));
    let names: Vec<&str> = folded
        .picture
        .nodes
        .iter()
        .map(|n| n.label.as_str())
        .collect();
    assert_eq!(names, ["start", "500 × load_…", "done"]);
    let ends: Vec<(usize, usize)> = folded
        .picture
        .edges
        .iter()
        .map(|e| (e.from, e.to))
        .collect();
    assert_eq!(ends, [(0, 1), (1, 2)]);
    assert_eq!(
        folded.members.iter().map(Vec::len).collect::<Vec<_>>(),
        [1, 500, 1]
    );
}

#[test]
fn siblings_that_differ_are_not_folded_together() {
    let mut picture = fan(20);
    for (index, node) in picture.nodes.iter_mut().enumerate() {
        node.detail = format!("operator {}", index % 2);
    }
    assert_eq!(fold_siblings(&picture), picture);
    let mut picture = fan(20);
    picture.edges[0].label = Some("only here".to_owned());
    assert_eq!(fold_siblings(&picture).nodes.len(), 4);
}

#[test]
fn anything_can_be_laid_out() {
    let picture = hostile();
    let layout = layout(&picture);
    assert_eq!(layout.lines.len(), 7);
    let mut deep = Picture::default();
    for index in 0..300 {
        let parent = if index % 100 == 0 {
            None
        } else {
            Some(index - 1)
        };
        deep.groups.push(Group {
            id: String::new(),
            label: "g".to_owned(),
            parent,
            mapped: true,
        });
        deep.nodes.push(node("n", Some(index)));
    }
    check_boxes("deep", &deep, &super::super::layout(&deep));
}

fn chain(length: usize) -> Picture {
    let edge = |i: usize| Edge {
        from: i - 1,
        to: i,
        label: None,
        data: false,
    };
    Picture {
        nodes: (0..length).map(|i| node(&format!("t{i}"), None)).collect(),
        edges: (1..length).map(edge).collect(),
        ..Picture::default()
    }
}

#[test]
fn ten_thousand_nodes_are_drawn_in_time() {
    let mut cyclic = chain(10_000);
    cyclic.edges.push(Edge {
        from: 9_999,
        to: 0,
        label: None,
        data: false,
    });
    let mut wide = chain(10_000);
    for index in 0..60 {
        wide.groups.push(Group {
            id: format!("{index}"),
            label: String::new(),
            parent: None,
            mapped: false,
        });
        wide.nodes[index].group = Some(index);
        wide.nodes[9_999 - index].group = Some(index);
    }
    let cases = [
        ("chain", chain(10_000)),
        ("cycle", cyclic),
        ("fan", fan(9_998)),
        ("layers", arbitrary(10_000, 20_000, 0, 1)),
        ("groups", arbitrary(10_000, 20_000, 200, 2)),
        ("wide groups", wide),
        (
            "nothing in common",
            Picture {
                edges: Vec::new(),
                ..chain(10_000)
            },
        ),
    ];
    for (name, picture) in cases {
        let drawn = layout(&picture);
        assert_eq!(drawn.nodes.len(), 10_000);
        assert!(
            drawn.width.is_finite() && drawn.height.is_finite(),
            "{name}"
        );
        assert!(!terminal(&picture, 80).is_empty());
    }
}

#[test]
fn nested_groups_lie_within_each_other() {
    let picture = nested();
    let layout = layout(&picture);
    let area = |index: usize| layout.groups[index].expect("a box");
    assert!(contains(&area(0), &area(1)) && contains(&area(2), &area(3)));
    assert!(!area(0).overlaps(&area(2)));
}
