//! The security checklist names tests: each of them is there, and every item has a line.

use std::fs;

use crate::root;

const ITEMS: u32 = 40;

#[test]
fn every_item_of_the_checklist_has_a_line_and_every_test_it_names_is_there() {
    let page = fs::read_to_string(root().join("docs/security-checklist.md")).expect("it is there");
    let lines = page.lines().filter_map(|line| line.strip_prefix("| "));
    let numbers: Vec<u32> = lines
        .filter_map(|line| line.split_once(' ')?.0.parse().ok())
        .collect();
    assert_eq!(numbers, (1..=ITEMS).collect::<Vec<_>>());
    let named = page.split('`').skip(1).step_by(2);
    let tests: Vec<(&str, &str)> = named.filter_map(|code| code.split_once(".rs::")).collect();
    assert!(tests.len() > 40, "{} tests", tests.len());
    for (path, test) in tests {
        let text = fs::read_to_string(root().join(format!("{path}.rs")));
        let text = text.unwrap_or_else(|error| panic!("{path}.rs: {error}"));
        assert!(
            text.contains(&format!("fn {test}(")),
            "{path}.rs has no test `{test}`"
        );
    }
}

#[test]
fn no_template_lets_text_through_as_it_is() {
    let folder = root().join("web/templates");
    for file in fs::read_dir(folder).expect("it is there") {
        let path = file.expect("it reads").path();
        let text = fs::read_to_string(&path).expect("it reads");
        let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        for banned in ["|safe", "autoescape", "|escape(\"none\")"] {
            assert!(!plain.contains(banned), "{} has {banned}", path.display());
        }
    }
}
