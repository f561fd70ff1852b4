//! What a release is built with.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::root;

#[test]
fn all_that_is_built_in_full_is_there_and_the_rest_is_built_for_a_short_build() {
    let read = |name: &str| fs::read_to_string(root().join(name)).expect("it is there");
    let lock = read("Cargo.lock");
    let known: BTreeSet<&str> = lock
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .collect();
    let manifest = read("Cargo.toml");
    let (_, profile) = manifest
        .split_once("[profile.release.package]")
        .expect("it has one");
    let lines = profile.lines().take_while(|line| !line.starts_with('['));
    let listed: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(" = ")).collect();
    let short = ("\"*\"", "{ debug = false, opt-level = 1 }");
    assert!(listed.contains(&short), "{listed:?}");
    let gone: Vec<&str> = listed
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| *name != "\"*\"" && !known.contains(name))
        .collect();
    assert!(gone.is_empty(), "they are not built any more: {gone:?}");
    let in_full = |name: &str| {
        let full = |(other, how): &(&str, &str)| *other == name && how.contains("opt-level = 3");
        listed.iter().any(full)
    };
    for name in [
        "libsqlite3-sys",
        "sqlx-core",
        "tokio",
        "serde_json",
        "argon2",
    ] {
        assert!(in_full(name), "{name} counts");
    }
}

#[test]
fn without_its_default_features_nothing_of_the_sandbox_is_built() {
    let tree = |more: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "tree",
            "--locked",
            "--prefix",
            "none",
            "--edges",
            "normal,build",
        ]);
        let done = cargo
            .args(more)
            .current_dir(root())
            .output()
            .expect("it starts");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    assert!(tree(&[]).contains("datafusion v"));
    let without = tree(&["--no-default-features"]);
    assert!(without.contains("tidemill-scheduler v"), "{without}");
    assert!(
        !without.contains("datafusion v") && !without.contains("tidemill-sandbox v"),
        "{without}"
    );
}
