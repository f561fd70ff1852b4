//! Which crate may depend on which, and what the core may not do. ARCHITECTURE.md says why.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::root;

/// The crates of the workspace and the crates of it that each may use. A crate that is not listed fails the test.
const MAY_USE: [(&str, &[&str]); 18] = [
    ("tidemill-macros", &[]),
    ("tidemill-core", &[]),
    ("tidemill-draw", &["tidemill-core"]),
    ("tidemill-store", &["tidemill-core"]),
    ("tidemill-access", &["tidemill-core"]),
    ("tidemill-logs", &["tidemill-core"]),
    (
        "tidemill-scheduler",
        &["tidemill-core", "tidemill-logs", "tidemill-store"],
    ),
    ("tidemill-process", &[]),
    (
        "tidemill-worker",
        &["tidemill-core", "tidemill-logs", "tidemill-process"],
    ),
    (
        "tidemill-web",
        &[
            "tidemill-access",
            "tidemill-core",
            "tidemill-draw",
            "tidemill-logs",
            "tidemill-scheduler",
            "tidemill-store",
        ],
    ),
    ("tidemill-warehouse", &[]),
    ("tidemill-sandbox", &["tidemill-warehouse"]),
    ("tidemill-operators", &["tidemill-core", "tidemill-process"]),
    (
        "tidemill",
        &[
            "tidemill-access",
            "tidemill-core",
            "tidemill-draw",
            "tidemill-logs",
            "tidemill-macros",
            "tidemill-operators",
            "tidemill-process",
            "tidemill-sandbox",
            "tidemill-scheduler",
            "tidemill-store",
            "tidemill-web",
            "tidemill-worker",
        ],
    ),
    ("ecommerce-dags", &["tidemill"]),
    (
        "tidemill-tests",
        &[
            "ecommerce-dags",
            "tidemill",
            "tidemill-core",
            "tidemill-postgres",
            "tidemill-store",
        ],
    ),
    ("tidemill-postgres", &[]),
    (
        "tidemill-browser",
        &[
            "tidemill",
            "tidemill-core",
            "tidemill-logs",
            "tidemill-process",
            "tidemill-store",
        ],
    ),
];

/// Crates that do IO, keep time or roll dice: the core must work without them.
const NOT_IN_CORE: [&str; 10] = [
    "tokio",
    "reqwest",
    "sqlx",
    "axum",
    "rand",
    "uuid",
    "hyper",
    "tracing-subscriber",
    "async-std",
    "clap",
];

fn packages() -> BTreeMap<String, Value> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"]
        .as_array()
        .expect("there are packages")
        .clone();
    packages
        .into_iter()
        .map(|package| {
            (
                package["name"].as_str().unwrap_or_default().to_owned(),
                package,
            )
        })
        .collect()
}

fn dependencies(package: &Value) -> Vec<String> {
    let all = package["dependencies"]
        .as_array()
        .expect("a package has a list of dependencies")
        .iter();
    // What tests use is their own affair.
    let shipped = all.filter(|dependency| dependency["kind"].as_str() != Some("dev"));
    shipped
        .map(|dependency| dependency["name"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn crates_depend_on_each_other_in_one_direction() {
    let packages = packages();
    for (name, package) in &packages {
        let allowed = MAY_USE.iter().find(|(known, _)| known == name);
        let (_, allowed) =
            allowed.unwrap_or_else(|| panic!("`{name}` is new: say in MAY_USE what it may use"));
        for dependency in dependencies(package)
            .iter()
            .filter(|dependency| packages.contains_key(*dependency))
        {
            assert!(
                allowed.contains(&dependency.as_str()),
                "`{name}` must not use `{dependency}`"
            );
        }
    }
    assert_eq!(
        packages.len(),
        MAY_USE.len(),
        "MAY_USE names a crate that is gone"
    );
}

#[test]
fn the_core_uses_no_crate_that_does_io() {
    let packages = packages();
    for dependency in dependencies(&packages["tidemill-core"]) {
        assert!(
            !NOT_IN_CORE.contains(&dependency.as_str()),
            "the core must not use `{dependency}`"
        );
    }
}

#[test]
fn only_the_store_knows_a_database() {
    for (name, package) in &packages() {
        let knows = dependencies(package).iter().any(|name| name == "sqlx");
        assert_eq!(knows, name == "tidemill-store", "{name}");
    }
}

/// Code that talks to the outside. Clippy forbids the clock and the environment; these are the rest.
const NOT_IN_CORE_CODE: [&str; 9] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::io",
    "std::time::Instant",
    "SystemTime",
    "println!",
    "HashMap<&",
];

#[test]
fn the_core_the_drawings_and_the_engine_do_no_io() {
    for (file, text) in [
        sources(&root().join("core/src")),
        sources(&root().join("draw/src")),
        sources(&root().join("scheduler/src/engine")),
    ]
    .concat()
    {
        for word in NOT_IN_CORE_CODE {
            assert!(
                !text.contains(word),
                "{} has `{word}` in it",
                file.display()
            );
        }
    }
}

#[test]
fn the_environment_is_only_read_by_the_command_line() {
    let members = members();
    let others = members
        .iter()
        .filter(|folder| *folder != "cli" && !folder.starts_with("tests"));
    for folder in others.map(|folder| format!("{folder}/src")) {
        for (file, text) in sources(&root().join(folder)) {
            let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
            assert!(
                !shipped.contains("std::env"),
                "{} reads the environment",
                file.display()
            );
        }
    }
}

#[test]
fn files_stay_short_enough_to_read() {
    for folder in members() {
        for (file, text) in sources(&root().join(folder)) {
            let lines = text.lines().count();
            assert!(
                lines <= 600,
                "{} has {lines} lines, the most is 600: split it",
                file.display()
            );
        }
    }
}

/// The folders of all crates.
fn members() -> Vec<String> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("it is there");
    let members = manifest.lines().find_map(|line| {
        let list = line.strip_prefix("members = [")?.strip_suffix(']')?;
        Some(
            list.split(", ")
                .map(|name| name.trim_matches('"').to_owned()),
        )
    });
    let members: Vec<String> = members.expect("one line has all members").collect();
    assert!(members.len() >= MAY_USE.len(), "{members:?}");
    members
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.expect("an entry of a folder").path()) {
            if path.is_dir() && !path.ends_with("target") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file is text");
                files.push((path, text));
            }
        }
    }
    assert!(!files.is_empty(), "no sources in {}", folder.display());
    files
}
