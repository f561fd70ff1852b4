//! Tests of the drawings as a whole.

mod forms;
mod layout;
mod svg;

use super::{Edge, Group, Kind, Node, Picture};

/// A picture from short lines: nodes as `name` or `name@group`, edges as `a>b`, `a=>b` for data and
/// `a>b|label`.
fn picture(groups: &[(&str, Option<usize>)], nodes: &str, edges: &str) -> Picture {
    let mut picture = Picture {
        title: "sample".to_owned(),
        ..Picture::default()
    };
    for (label, parent) in groups {
        picture.groups.push(Group {
            id: (*label).to_owned(),
            label: (*label).to_owned(),
            parent: *parent,
            mapped: false,
        });
    }
    for word in nodes.split_whitespace() {
        let (name, group) = word
            .split_once('@')
            .map_or((word, None), |(n, g)| (n, Some(g)));
        picture.nodes.push(node(
            name,
            groups.iter().position(|(label, _)| Some(*label) == group),
        ));
    }
    for word in edges.split_whitespace() {
        let (ends, label) = word
            .split_once('|')
            .map_or((word, None), |(e, l)| (e, Some(l)));
        let (from, to) = ends.split_once('>').expect("an edge has two ends");
        let data = from.ends_with('=');
        let place = |name: &str| {
            picture
                .nodes
                .iter()
                .position(|n| n.label == name)
                .expect("a node")
        };
        let (from, to) = (place(from.trim_end_matches('=')), place(to));
        picture.edges.push(Edge {
            from,
            to,
            label: label.map(str::to_owned),
            data,
        });
    }
    picture
}

fn node(name: &str, group: Option<usize>) -> Node {
    Node {
        id: name.to_owned(),
        label: name.to_owned(),
        detail: "python".to_owned(),
        kind: Kind::Work,
        mapped: false,
        group,
    }
}

/// The e-commerce DAG of the design.
fn shop() -> Picture {
    picture(
        &[("load", None), ("checks", None)],
        "generate lakehouse analytics fact@load products@load customers@load fact_ok@checks dims_ok@checks dbt",
        "generate>lakehouse lakehouse>analytics analytics>fact analytics>products analytics>customers \
         fact>fact_ok products>dims_ok customers>dims_ok fact_ok>dbt dims_ok>dbt",
    )
}

/// Groups in groups, with edges that skip layers and leave and enter groups.
fn nested() -> Picture {
    picture(
        &[
            ("staging", None),
            ("raw", Some(0)),
            ("warehouse", None),
            ("marts", Some(2)),
        ],
        "begin wait@staging a@raw b@raw c@raw merge@staging gate@staging audit dim@warehouse fact@warehouse \
         build@marts check@marts sign@warehouse notify metrics",
        "begin>wait wait>a wait>b wait>c a>merge b>merge c>merge merge>gate gate>dim gate>fact dim>build \
         fact>build build>check check>sign sign>notify begin>audit audit>notify a>metrics c>fact begin>metrics",
    )
}

/// One node before and one after a number of equal ones.
fn fan(siblings: usize) -> Picture {
    let mut picture = Picture {
        title: "fan".to_owned(),
        ..Picture::default()
    };
    picture.nodes.push(node("start", None));
    for index in 1..=siblings {
        picture.nodes.push(node(&format!("load_{index:03}"), None));
    }
    picture.nodes.push(node("done", None));
    for index in 1..=siblings {
        picture.edges.push(Edge {
            from: 0,
            to: index,
            label: None,
            data: false,
        });
        picture.edges.push(Edge {
            from: index,
            to: siblings + 1,
            label: None,
            data: false,
        });
    }
    picture
}

/// A fixed sequence of numbers without any pattern that matters.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// An acyclic picture with arbitrary edges; most edges are short, and groups hold nodes that are
/// near each other.
fn arbitrary(nodes: usize, edges: usize, groups: usize, seed: u64) -> Picture {
    let mut dice = Dice(seed);
    let mut picture = Picture {
        title: format!("arbitrary {seed}"),
        ..Picture::default()
    };
    for index in 0..groups {
        let parent = if index > 0 && dice.roll(3) == 0 {
            Some(dice.roll(index))
        } else {
            None
        };
        let label = format!("group_{index}");
        picture.groups.push(Group {
            id: label.clone(),
            label,
            parent,
            mapped: dice.roll(5) == 0,
        });
    }
    for index in 0..nodes {
        let near = (index * groups / nodes + dice.roll(2)).min(groups.saturating_sub(1));
        let group = if groups > 0 && dice.roll(2) == 0 {
            Some(near)
        } else {
            None
        };
        let mut node = node(&format!("task_{index}"), group);
        node.kind = Kind::ALL[dice.roll(Kind::ALL.len())];
        node.mapped = dice.roll(6) == 0;
        picture.nodes.push(node);
    }
    for _ in 0..edges {
        let from = dice.roll(nodes);
        let reach = if dice.roll(6) == 0 { nodes.min(300) } else { 8 };
        let to = (from + 1 + dice.roll(reach)).min(nodes - 1);
        let new = |e: &Edge| (e.from, e.to) != (from, to);
        if from < to && (nodes > 1_000 || picture.edges.iter().all(new)) {
            let label = if dice.roll(8) == 0 {
                Some(format!("way {}", dice.roll(9)))
            } else {
                None
            };
            picture.edges.push(Edge {
                from,
                to,
                label,
                data: dice.roll(2) == 0,
            });
        }
    }
    picture
}

/// A picture with everything that should not be in one.
fn hostile() -> Picture {
    let mut picture = picture(
        &[
            ("g", Some(0)),
            ("h", Some(2)),
            ("i", Some(1)),
            ("gone", Some(99)),
        ],
        "a@g b c d@h e@gone",
        "",
    );
    let names = [
        "<script>alert(\"x\")</script> & 'q'",
        "日本語のとても長い名前のタスク、これは切られるべきです",
        "line\nbreak\r\u{1b}[31m\u{0} %%{init}%% 1. x ]]> \"] --> end",
        "\u{202e}rtl 👩‍👩‍👧‍👦 \u{fffe}\u{feff}",
        "",
    ];
    for (node, name) in picture.nodes.iter_mut().zip(names) {
        node.id = format!("{name}\"\\");
        node.label = name.to_owned();
        node.detail = format!("{name}'{name}");
    }
    picture.groups[0].label = names.concat();
    picture.title = names.concat();
    picture.nodes[4].group = Some(77);
    for (from, to) in [
        (0, 1),
        (1, 2),
        (2, 0),
        (1, 1),
        (3, 2),
        (0, 9),
        (9, 0),
        (usize::MAX, 0),
        (0, 1),
        (1, 0),
    ] {
        picture.edges.push(Edge {
            from,
            to,
            label: Some(names[from % 5].to_owned()),
            data: from == 0,
        });
    }
    picture
}

/// Every sample, with a name to tell which one failed.
fn samples() -> Vec<(String, Picture)> {
    let mut samples = vec![
        ("empty".to_owned(), Picture::default()),
        ("shop".to_owned(), shop()),
        ("nested".to_owned(), nested()),
        ("fan".to_owned(), fan(12)),
    ];
    for seed in 0..40 {
        let size = 5 + seed as usize * 2;
        samples.push((
            format!("arbitrary {seed}"),
            arbitrary(size, size * 3 / 2, seed as usize % 7, seed),
        ));
    }
    samples
}
