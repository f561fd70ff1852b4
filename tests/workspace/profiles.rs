//! What a release is built with.

use std::collections::BTreeSet;
use std::fs;

use crate::root;

/// They run while others are compiled.
const MACROS: [&str; 2] = ["datafusion-macros", "sqlparser_derive"];

fn of_the_query_engine(name: &str) -> bool {
    let starts = ["arrow", "datafusion", "parquet", "sqlparser"];
    starts.iter().any(|start| name.starts_with(start)) && !MACROS.contains(&name)
}

#[test]
fn every_crate_of_the_query_engine_is_built_for_a_short_build() {
    let read = |name: &str| fs::read_to_string(root().join(name)).expect("it is there");
    let lock = read("Cargo.lock");
    let wanted: BTreeSet<&str> = lock
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .filter(|name| of_the_query_engine(name))
        .collect();
    let manifest = read("Cargo.toml");
    let listed: BTreeSet<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_suffix(" = { opt-level = 1 }"))
        .filter(|name| of_the_query_engine(name))
        .collect();
    assert_eq!(listed, wanted, "`[profile.release.package]` of Cargo.toml");
    assert!(wanted.len() > 30, "{wanted:?}");
}
