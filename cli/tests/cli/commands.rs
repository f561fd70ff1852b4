//! Commands: what they print, where, and with which exit code.

use serde_json::Value;

use crate::project::{bad, changed_orders, good, run};
use tidemill::prelude::*;

#[test]
fn list_shows_every_dag_and_filters_by_tag() {
    let all = run(&good(), &["dags", "list"]);
    assert_eq!((all.code, all.stderr.as_str()), (0, ""));
    let lines: Vec<&str> = all.stdout.lines().collect();
    assert!(lines[0].starts_with("DAG     SCHEDULE"), "{}", lines[0]);
    assert!(
        lines[1].starts_with("orders  every day at 03:15, Europe/Berlin  2"),
        "{}",
        lines[1]
    );
    assert!(lines[2].starts_with("report  only by hand"), "{}", lines[2]);
    let json = run(&good(), &["dags", "list", "--tag", "shop", "--json"]);
    let rows: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(rows.as_array().map(Vec::len), Some(1));
    assert_eq!(rows[0]["id"], "orders");
}

#[test]
fn show_tells_what_matters_and_says_that_problems_are_there() {
    let shown = run(&good(), &["dags", "show", "orders"]).stdout;
    for part in [
        "every day at 03:15",
        "owner      data",
        "load",
        "mapped, writes shop.orders (append, merging by id)",
    ] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
    let json: Value =
        serde_json::from_str(&run(&good(), &["dags", "show", "orders", "--json"]).stdout).unwrap();
    assert_eq!(json["definition"]["tasks"][1]["id"], "load");
    assert_eq!(json["version"].as_str().map(str::len), Some(64));
    assert!(
        run(&bad(), &["dags", "show", "broken"])
            .stderr
            .contains("broken has 1 problem;")
    );
}

#[test]
fn a_misspelt_dag_is_wrong_usage_and_named() {
    for command in ["show", "graph"] {
        let wrong = run(&good(), &["dags", command, "ordres"]);
        assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""));
        assert_eq!(
            wrong.stderr,
            "error: there is no DAG `ordres`\n  help: did you mean `orders`?\n"
        );
    }
}

#[test]
fn a_graph_is_drawn_in_every_format_into_a_file_if_asked() {
    let draw = |format: &str| run(&good(), &["dags", "graph", "orders", "--format", format]).stdout;
    assert!(draw("svg").starts_with("<svg"));
    assert!(draw("mermaid").contains("flowchart LR"));
    assert!(draw("dot").starts_with("digraph"));
    assert!(draw("text").contains("load ×n"));
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let written = run(
        &good(),
        &["dags", "graph", "orders", "-f", "svg", "-o", path],
    );
    assert_eq!((written.stdout.as_str(), written.code), ("", 0));
    assert!(std::fs::read_to_string(path).unwrap().ends_with("</svg>\n"));
    let nowhere = run(
        &good(),
        &["dags", "graph", "orders", "-o", "/nowhere/at/all.svg"],
    );
    assert_eq!(nowhere.code, 2);
    assert!(
        nowhere
            .stderr
            .contains("cannot write `/nowhere/at/all.svg`")
    );
}

#[test]
fn cron_next_prints_one_instant_a_line_in_the_zone_asked_for() {
    let next = |line: &[&str]| run(&good(), &[&["cron", "next"], line].concat());
    assert_eq!(
        next(&[
            "0 3 * * *",
            "--tz",
            "Europe/Zurich",
            "--after",
            "2023-03-25T00:00:00Z",
            "--count",
            "2"
        ])
        .stdout,
        "2023-03-25T03:00:00+01:00\n2023-03-26T03:00:00+02:00\n"
    );
    assert_eq!(
        next(&["@daily", "--after", "2025-01-01", "--count", "1"]).stdout,
        "2025-01-02T00:00:00Z\n"
    );
    assert_eq!(next(&["*/5 * * * *"]).stdout.lines().count(), 5);
    for (line, why) in [
        (vec!["61 * * * *"], "the minute field `61` is outside 0-59"),
        (vec!["* * *"], "five fields"),
        (vec!["0 0 30 2 *"], "never fires"),
        (
            vec!["* * * * *", "--tz", "Europe/Zürich"],
            "there is no time zone `Europe/Zürich`; did you mean `Europe/Zurich`?",
        ),
        (
            vec!["* * * * *", "--after", "yesterday"],
            "`yesterday` is no date",
        ),
        (vec!["* * * * *", "--count", "x"], "invalid value 'x'"),
    ] {
        let wrong = next(&line);
        assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""), "{line:?}");
        assert!(wrong.stderr.contains(why), "{}", wrong.stderr);
    }
}

#[test]
fn every_help_text_has_an_example() {
    for command in [
        &["dags", "list"][..],
        &["dags", "show"],
        &["dags", "graph"],
        &["dags", "validate"],
        &["dags", "snapshot"],
        &["dags", "plan"],
        &["cron", "next"],
        &["new"],
        &["completions"],
        &["sandbox"],
        &["sandbox", "faults", "add"],
        &["sandbox", "journal"],
        &["sandbox", "received"],
    ] {
        let help = run(&good(), &[command, &["--help"]].concat());
        assert_eq!(help.code, 0);
        assert!(
            help.stdout.contains("Example"),
            "{command:?}: {}",
            help.stdout
        );
    }
    assert_eq!(run(&good(), &["dgas"]).code, 2);
    let line = ["/opt/my_dags", "completions", "bash"].map(Into::into);
    let script = tidemill::run(&good(), line).stdout;
    assert!(
        script.contains("validate") && script.contains("_my_dags") && script.contains("lost_after"),
        "{script}"
    );
}

#[test]
fn plan_compares_with_a_snapshot_as_text_markdown_and_json() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    assert_eq!(run(&good(), &["dags", "snapshot", "-o", path]).code, 0);
    let same = run(&good(), &["dags", "plan", "--against", path, "--exit-code"]);
    assert_eq!(
        (same.code, same.stdout.as_str()),
        (0, "No DAG changes (2 unchanged).\n")
    );

    let now = Dags::new().dag(changed_orders);
    let text = run(&now, &["dags", "plan", "--against", path, "--exit-code"]);
    assert_eq!(text.code, 1);
    assert_eq!(
        text.stdout,
        "0 added, 1 changed, 1 removed, 0 unchanged

- report (gone; runs in flight and history stay, 1 task)

~ orders (3 tasks changed)

    schedule: every day at 03:15, Europe/Berlin → every day at 04:00, Europe/Berlin
    task done added
    task extract changed: timeout set to 5m
    table shop.orders: append, merging by id → truncate
    for history to match, these would have to run again: load
    a rerun writes shop.orders again (truncate)

Runs in flight keep their version; new runs take the new one. Nothing runs again by itself.
A plan sees what a DAG is, not the code of its functions.
"
    );
    let markdown = run(
        &now,
        &["dags", "plan", "--against", path, "--format", "markdown"],
    )
    .stdout;
    assert!(
        markdown.starts_with("## DAG changes\n") && markdown.contains("- task `done` added\n"),
        "{markdown}"
    );
    let json: Value =
        serde_json::from_str(&run(&now, &["dags", "plan", "--against", path, "-f", "json"]).stdout)
            .unwrap();
    assert_eq!(json["changed"][0]["reruns"], serde_json::json!(["load"]));
}

#[test]
fn a_snapshot_that_is_none_is_wrong_usage() {
    let missing = run(&good(), &["dags", "plan", "--against", "/nowhere.json"]);
    assert_eq!(missing.code, 2);
    assert!(
        missing.stderr.contains("cannot read `/nowhere.json`")
            && missing.stderr.contains("dags snapshot")
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{\"tidemill_snapshot\": 9}").unwrap();
    let newer = run(
        &good(),
        &["dags", "plan", "--against", file.path().to_str().unwrap()],
    );
    assert_eq!(newer.code, 2);
    assert!(newer.stderr.contains("format 9"), "{}", newer.stderr);
}
