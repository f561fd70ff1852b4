//! Tests of the SVG.

use super::super::{Kind, svg};
use super::{fan, hostile, nested, picture, samples, shop};

/// Checks that a text is well-formed XML of the simple kind that is written here: tags nested and
/// closed, attributes quoted, no stray brackets, ampersands only in entities, no forbidden
/// characters.
fn check_xml(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        check_text(&rest[..at]);
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        let name = tag.split([' ', '/']).next().expect("a name");
        assert!(
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()),
            "{tag}"
        );
        let mut parts = tag[name.len()..].trim_end_matches('/').split('"');
        while let Some(before) = parts.next() {
            let Some(value) = parts.next() else {
                assert!(before.trim().is_empty(), "{tag}");
                break;
            };
            assert!(before.starts_with(' ') && before.ends_with('='), "{tag}");
            check_text(value);
        }
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    check_text(rest);
    assert!(open.is_empty(), "{open:?}");
}

fn check_text(text: &str) {
    assert!(
        text.chars().all(|c| c == '\n'
            || (!c.is_control() && !matches!(c, '>' | '\u{FFFE}' | '\u{FFFF}'))
            || (c == '>' && text.contains(".tidemill-dag"))),
        "{text:?}"
    );
    for entity in text.split('&').skip(1) {
        let name = entity.split(';').next().expect("an entity");
        assert!(
            ["amp", "lt", "gt", "quot", "#39"].contains(&name),
            "{entity}"
        );
    }
}

#[test]
fn every_node_is_drawn_exactly_once() {
    for (name, picture) in samples() {
        let text = svg(&picture);
        check_xml(&text.replace(['{', '}'], " "));
        assert_eq!(
            text.matches("<g class=\"task\"").count(),
            picture.nodes.len(),
            "{name}"
        );
        assert_eq!(
            text.matches("class=\"head\"").count(),
            picture.edges.len(),
            "{name}"
        );
        for node in &picture.nodes {
            assert_eq!(
                text.matches(&format!("data-task=\"{}\"", node.id)).count(),
                1,
                "{name}"
            );
        }
    }
}

#[test]
fn hostile_names_stay_text() {
    let text = svg(&hostile());
    check_xml(&text);
    assert!(!text.contains("<script"));
    assert!(text.contains(
        "data-task=\"&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;q&#39;&quot;\\\""
    ));
}

#[test]
fn the_same_picture_gives_the_same_text() {
    for (name, picture) in samples() {
        assert_eq!(svg(&picture), svg(&picture.clone()), "{name}");
    }
}

#[test]
fn it_says_what_it_is() {
    let text = svg(&nested());
    assert!(text.contains("role=\"img\""));
    assert!(text.contains("<title>sample</title>"));
    assert!(text.contains("<desc>Task graph, left to right: 15 tasks, 20 edges, 4 groups.</desc>"));
    assert!(text.contains("@media (prefers-color-scheme:dark)"));
    assert!(text.contains("data-group=\"staging\""));
}

#[test]
fn long_names_are_cut_and_kept_in_the_tooltip() {
    let name = "load_the_whole_history_of_every_customer";
    let text = svg(&picture(&[], name, ""));
    assert!(text.contains(&format!("<title>{name}, python</title>")));
    assert!(!text.contains(&format!(">{name}</text>")) && text.contains("…</text>"));
}

#[test]
fn dashes_only_where_they_tell_something() {
    assert!(!svg(&shop()).contains("class=\"edge order\""));
    let mixed = svg(&picture(&[], "a b c", "a=>b b>c"));
    assert!(mixed.contains("class=\"edge data\"") && mixed.contains("class=\"edge order\""));
    assert!(mixed.contains("hands over data") && mixed.contains("order only"));
}

#[test]
fn kinds_have_marks_and_a_legend() {
    let mut picture = picture(&[], "a b c d e f g", "");
    for (node, kind) in picture.nodes.iter_mut().zip(Kind::ALL) {
        node.kind = kind;
    }
    let text = svg(&picture);
    let marks: std::collections::BTreeSet<&str> = text
        .split("class=\"mark\"")
        .skip(1)
        .filter_map(|m| m.split(" d=\"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(marks.len(), 7);
    assert!(
        Kind::ALL[1..]
            .iter()
            .all(|kind| text.contains(&format!(">{}</text>", kind.word())))
    );
}

#[test]
fn stacks_stand_for_many() {
    let folded = svg(&fan(500));
    assert_eq!(folded.matches("<g class=\"task\"").count(), 3);
    assert!(folded.contains(">500 × load_…</text>"));
    // The front card, two cards behind it and the tile of the mark, and for the other two the card
    // and the tile.
    assert_eq!(
        folded
            .split("<g class=\"task\"")
            .skip(1)
            .map(|n| n.matches("<rect").count())
            .sum::<usize>(),
        8
    );
    let mut mapped = picture(&[], "a", "");
    mapped.nodes[0].mapped = true;
    assert!(svg(&mapped).contains(">×n</text>"));
}
