//! The included binary as a user starts it: exit codes, streams, pipes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::root;

/// The binary, built together with all that tests are built of: for a package alone the features of shared crates differ, and
/// the largest of them would be built once more.
fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--offline",
                "--workspace",
                "--bins",
                "--tests",
            ])
            .current_dir(root())
            .status()
            .expect("cargo runs");
        assert!(built.success(), "the binary is built");
        let tests = std::env::current_exe().expect("this is a program");
        let folder = tests.ancestors().nth(2).expect("it lies in deps/");
        folder.join("tidemill")
    })
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(root());
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("cargo runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the output is UTF-8")
}

#[test]
fn the_included_dags_are_valid_and_listed() {
    let valid = run(&["dags", "validate"]);
    assert_eq!(valid.status.code(), Some(0), "{}", text(&valid.stdout));
    let list = run(&["dags", "list"]);
    assert!(text(&list.stdout).contains("orders_daily"));
    assert!(
        !text(&list.stdout).contains('\u{1b}'),
        "colours are for terminals"
    );
}

#[test]
fn wrong_usage_ends_with_2_and_talks_to_stderr() {
    for line in [
        &["dags", "show", "nothing"][..],
        &["cron", "next", "nonsense"],
        &["frobnicate"],
        &["dags", "plan"],
    ] {
        let output = run(line);
        assert_eq!(output.status.code(), Some(2), "{line:?}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{line:?}"
        );
    }
}

#[test]
fn a_reader_that_stops_early_is_no_error() {
    let mut child = command(&["cron", "next", "* * * * *", "--count", "100000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cargo runs");
    let mut first = String::new();
    let stdout = child.stdout.take().expect("stdout is a pipe");
    BufReader::new(stdout)
        .read_line(&mut first)
        .expect("the first line is there");
    let output = child.wait_with_output().expect("it ends");
    assert!(first.ends_with("Z\n"), "{first}");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}
