//! Settings: where they come from, which one wins, and what is said about wrong ones.

use std::path::Path;

use serde_json::Value;
use tidemill::{Environment, Output};

use crate::project::good;

/// Runs `config show` with some variables and files.
fn show(line: &[&str], variables: &[(&str, &str)], folder: &Path) -> Output {
    let line = ["tidemill", "config", "show"].iter().chain(line);
    let environment = Environment::new(variables.iter().copied(), folder);
    tidemill::run_in(&good(), line.map(Into::into), &environment)
}

fn folder(file: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("it works");
    std::fs::write(folder.path().join("tidemill.toml"), file).expect("it works");
    folder
}

/// The value of a setting in force and where it is from.
fn in_force(output: &Output, key: &str) -> (String, String) {
    assert_eq!(output.code, 0, "{}", output.stderr);
    let all: Value = serde_json::from_str(&output.stdout).expect("it works");
    let settings = all["settings"].as_array().expect("it works");
    let setting = settings
        .iter()
        .find(|one| one["key"] == key)
        .expect("it works");
    let text = |field: &str| setting[field].as_str().unwrap_or("-").to_owned();
    (text("value"), text("from"))
}

fn pair(value: &str, from: &str) -> (String, String) {
    (value.to_owned(), from.to_owned())
}

#[test]
fn a_flag_wins_over_a_variable_over_the_file_over_the_default() {
    let file = folder("# ours\nlease = \"40s\"\nslots = 7\n");
    let nothing = tempfile::tempdir().unwrap();
    let lease = ("TIDEMILL_LEASE", "50s");
    let of = |line: &[&str], variables: &[(&str, &str)], folder: &Path| {
        let line = [line, &["--json"]].concat();
        in_force(&show(&line, variables, folder), "lease")
    };
    assert_eq!(of(&[], &[], nothing.path()), pair("30s", "default"));
    assert_eq!(
        of(&[], &[], file.path()),
        pair("40s", "tidemill.toml, line 2")
    );
    assert_eq!(
        of(&[], &[lease], file.path()),
        pair("50s", "variable TIDEMILL_LEASE")
    );
    assert_eq!(
        of(&["--lease", "1m"], &[lease], file.path()),
        pair("1m", "flag --lease")
    );
    // Set to nothing is not set: that is what compose files do.
    assert_eq!(
        of(&[], &[("TIDEMILL_LEASE", "")], file.path()).0,
        "40s".to_owned()
    );
}

#[test]
fn every_wrong_value_is_named_with_its_place_and_a_right_one() {
    let file = folder(
        "\n\n\nlease = \"5 parsecs\"\nslots = 0\nqueus = [\"a\"]\nmemory_max = \"4 apples\"\ndatabase = \"mysql://me:hidden@host/x\"\n",
    );
    let output = show(
        &["--grace", "soon"],
        &[
            ("TIDEMILL_LISTEN", "8790"),
            ("TIDEMILL_LOG_FORMAT", "xml"),
            ("TIDEMILL_LABELS", "crm"),
        ],
        file.path(),
    );
    assert_eq!((output.code, output.stdout.as_str()), (2, ""));
    for line in [
        "error: `lease` is `5 parsecs` (tidemill.toml, line 4): not a length of time; write `30s`, `5m`",
        "error: `slots` is `0` (tidemill.toml, line 5): not a number from 1 up; write `16`",
        "error: `queus` (tidemill.toml, line 6) is no setting; did you mean `queues`?",
        "error: `memory_max` is `4 apples` (tidemill.toml, line 7): not an amount of memory; write `512MiB`, `4GiB`",
        "error: `database` is secret (tidemill.toml, line 8): write `postgres://user@host/name` or `sqlite://path/to/file.db`",
        "error: `grace` is `soon` (flag --grace): not a length of time; write `30s`, `5m`",
        "error: `listen` is `8790` (variable TIDEMILL_LISTEN): not an address with a port; write `127.0.0.1:8790`, or `0.0.0.0:8790` for all networks",
        "error: `log_format` is `xml` (variable TIDEMILL_LOG_FORMAT): write `text`, `json`",
        "error: `labels` is `crm` (variable TIDEMILL_LABELS): `crm` is no label; write `team=crm,zone=europe-west3`",
    ] {
        assert!(
            output.stderr.lines().any(|said| said == line),
            "missing: {line}\nin: {}",
            output.stderr
        );
    }
    assert!(!output.stderr.contains("hidden"));
    assert_eq!(output.stderr.lines().count(), 9, "{}", output.stderr);
}

#[test]
fn a_file_that_is_not_toml_is_named_with_the_line() {
    let file = folder("lease = \"40s\"\nslots 7\n");
    let output = show(&[], &[], file.path());
    assert_eq!(output.code, 2);
    assert!(
        output.stderr.starts_with("error: tidemill.toml, line 2: "),
        "{}",
        output.stderr
    );
}

#[test]
fn a_named_file_must_be_there_and_the_flag_wins() {
    let file = folder("");
    std::fs::write(file.path().join("other.toml"), "slots = 3\n").unwrap();
    let named = ("TIDEMILL_CONFIG", "other.toml");
    let output = show(&["--json"], &[named], file.path());
    assert_eq!(in_force(&output, "slots"), pair("3", "other.toml, line 1"));
    let output = show(&["--config", "nowhere.toml"], &[named], file.path());
    assert_eq!(output.code, 2);
    assert!(
        output
            .stderr
            .starts_with("error: cannot read nowhere.toml (flag --config): "),
        "{}",
        output.stderr
    );
}

#[test]
fn a_misspelt_variable_is_a_warning_with_the_name_that_was_meant() {
    let nothing = tempfile::tempdir().unwrap();
    let output = show(
        &[],
        &[
            ("TIDEMILL_DATABSE", "x"),
            ("TIDEMILL_CONN_CRM", "http://crm"),
            ("TIDEMILL_VAR_REGION", "eu"),
            ("OTHER", "x"),
        ],
        nothing.path(),
    );
    assert_eq!(output.code, 0);
    assert_eq!(
        output.stderr,
        "warning: the variable `TIDEMILL_DATABSE` is no setting; did you mean `TIDEMILL_DATABASE`?\n"
    );
}

#[test]
fn secrets_are_never_shown() {
    let nothing = tempfile::tempdir().unwrap();
    let variables = [
        (
            "TIDEMILL_DATABASE",
            "postgres://me:hidden@db/tidemill?sslpassword=hidden&sslmode=require",
        ),
        ("TIDEMILL_TOKEN", "hidden"),
        ("TIDEMILL_KEYS", "a:hidden"),
    ];
    for line in [&[][..], &["--json"]] {
        let output = show(line, &variables, nothing.path());
        assert_eq!(output.code, 0, "{}", output.stderr);
        assert!(!output.stdout.contains("hidden"), "{}", output.stdout);
        assert!(output.stdout.contains("a:***"), "{}", output.stdout);
        assert!(
            output
                .stdout
                .contains("postgres://me:***@db/tidemill?sslpassword=***&sslmode=require")
        );
    }
}

#[test]
fn a_secret_may_be_in_a_file_of_its_own_but_not_in_two_places() {
    let file = folder("token_file = \"token\"\n");
    std::fs::write(file.path().join("token"), "abc\n").unwrap();
    let output = show(&["--json"], &[], file.path());
    let (value, from) = in_force(&output, "token");
    assert_eq!(value, "***");
    assert!(
        from.ends_with("token, named by tidemill.toml, line 1"),
        "{from}"
    );
    // A variable is stronger than the file.
    let output = show(&["--json"], &[("TIDEMILL_TOKEN", "x")], file.path());
    assert_eq!(in_force(&output, "token").1, "variable TIDEMILL_TOKEN");
    let output = show(&["--token", "x", "--token-file", "token"], &[], file.path());
    assert_eq!(
        (output.code, output.stderr.as_str()),
        (
            2,
            "error: `token` (flag --token) and `token_file` (flag --token-file) are both given; leave one out\n"
        )
    );
    let output = show(&["--token-file", "gone"], &[], file.path());
    assert_eq!(output.code, 2);
    assert!(
        output.stderr.contains("(flag --token-file)"),
        "{}",
        output.stderr
    );
}

#[test]
fn lists_are_written_with_commas_repeated_flags_or_as_lists_of_the_file() {
    let file = folder("queues = [\"a\", \"b\"]\nlabels = { team = \"crm\" }\n");
    let output = show(&["--json"], &[], file.path());
    assert_eq!(in_force(&output, "queues").0, "a,b");
    assert_eq!(in_force(&output, "labels").0, "team=crm");
    let output = show(
        &["--json", "--queues", "c", "--queues", "d,e"],
        &[],
        file.path(),
    );
    assert_eq!(in_force(&output, "queues"), pair("c,d,e", "flag --queues"));
}

#[test]
fn the_data_folder_moves_what_is_in_it() {
    let nothing = tempfile::tempdir().unwrap();
    let output = show(
        &["--json", "--data-dir", "/var/lib/mill"],
        &[],
        nothing.path(),
    );
    assert_eq!(
        in_force(&output, "database"),
        pair("sqlite:///var/lib/mill/tidemill.db", "default")
    );
    assert_eq!(in_force(&output, "logs").0, "/var/lib/mill/logs");
}

#[test]
fn the_guide_lists_the_settings_that_there_are() {
    let page = tidemill::run_in(
        &good(),
        ["tidemill", "config", "guide"].map(Into::into),
        &Environment::default(),
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/configuration.md");
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        page.stdout, kept,
        "write it again: config guide > docs/guide/configuration.md"
    );
}
