//! The files of `deploy/`: what they name exists, and they keep what they promise.

mod compose;
mod kubernetes;
mod systemd;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::root;

/// The port of the default `listen`.
const PORT: u64 = 8790;

/// The port of the default `web_listen`.
const WEB_PORT: u64 = 8791;

/// Who the processes of an image are.
const UID: u64 = 10001;

/// The commands that stay.
const COMMANDS: [&str; 4] = ["standalone", "scheduler", "worker", "web"];

fn folder() -> PathBuf {
    root().join("deploy")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.expect("an entry of a folder").path()) {
        // Where people keep their own secrets.
        if path.is_dir() && !path.ends_with("secrets") {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The documents of a YAML file.
fn yaml(path: &Path) -> Vec<Value> {
    serde_saphyr::from_multiple(&read(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A length of time as people write it, in seconds.
fn seconds(text: &str) -> u64 {
    let number = text.trim_end_matches(char::is_alphabetic);
    let times = match &text[number.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        unit => panic!("`{unit}` in `{text}`"),
    };
    number.parse::<u64>().expect("a number") * times
}

/// The variables and keys of settings in the guide, which is made from the table of settings.
fn settings() -> BTreeSet<String> {
    let guide = read(&root().join("docs/guide/configuration.md"));
    let rows = guide.lines().filter(|line| line.starts_with("| `"));
    let mut known: BTreeSet<String> = rows
        .flat_map(|row| row.split('|').take(3))
        .map(|cell| cell.trim().trim_matches('`').to_owned())
        .filter(|cell| !cell.is_empty())
        .collect();
    known.insert("TIDEMILL_CONFIG".to_owned());
    assert!(known.contains("TIDEMILL_LISTEN") && known.contains("listen"));
    known
}

/// Words in a text that begin with something and go on with letters of names.
fn words<'a>(text: &'a str, beginning: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(beginning).map(move |(at, _)| {
        let rest = &text[at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        rest[..end.unwrap_or(rest.len())].trim_end_matches('_')
    })
}

#[test]
fn every_variable_in_the_files_and_in_the_guide_is_a_setting() {
    let known = settings();
    let mut seen = 0;
    let guide = root().join("docs/guide/deploy.md");
    for path in files(&folder()).into_iter().chain([guide]) {
        let all = read(&path);
        for name in words(&all, "TIDEMILL_").filter(|name| *name != "TIDEMILL") {
            seen += 1;
            assert!(known.contains(name), "{}: `{name}`", path.display());
        }
    }
    assert!(
        seen > 20,
        "only {seen} variables: is this the right folder?"
    );
}

#[test]
fn every_flag_of_a_command_that_stays_is_a_setting() {
    let known = settings();
    let guide = root().join("docs/guide/deploy.md");
    for path in files(&folder()).into_iter().chain([guide]) {
        let all = read(&path);
        let lines = all.lines();
        let ours = lines.filter_map(|line| {
            let mut starts = COMMANDS
                .iter()
                .map(|command| format!("tidemill {command} "));
            starts.find_map(|start| line.split_once(&start))
        });
        for (_, rest) in ours {
            for flag in rest
                .split_whitespace()
                .filter_map(|word| word.strip_prefix("--"))
            {
                let key = flag.split('=').next().unwrap_or_default().replace('-', "_");
                assert!(known.contains(&key), "{}: --{flag}", path.display());
            }
        }
    }
}

#[test]
fn the_image_is_small_and_starts_as_a_user_without_rights() {
    let file = read(&folder().join("Dockerfile"));
    let lines: Vec<&str> = file.lines().collect();
    let last = lines
        .iter()
        .rposition(|line| line.starts_with("FROM "))
        .expect("a stage");
    let stage = &lines[last..];
    let has = |line: &str| stage.contains(&line);
    assert!(has(&format!("USER {UID}:{UID}")), "not this user");
    assert!(has("STOPSIGNAL SIGTERM"));
    assert!(has(&format!("EXPOSE {PORT} {WEB_PORT}")));
    assert!(
        !stage.iter().any(|line| line.starts_with("RUN")),
        "the last stage needs a shell"
    );
    let entry = "ENTRYPOINT [\"/usr/local/bin/tidemill\"]";
    assert!(has(entry), "a shell would not pass SIGTERM on");
    // Every crate's manifest is needed by cargo: the list of what stays out must not name one.
    let manifest = read(&root().join("Cargo.toml"));
    for out in read(&root().join(".dockerignore")).lines() {
        assert!(
            !manifest.contains(&format!("\"{out}\"")),
            "`{out}` is a crate"
        );
    }
}
