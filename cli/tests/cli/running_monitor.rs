//! `loads` and `checks`, beside the database and by a web server: both say the same.

use serde_json::json;

use crate::running::Running;
use crate::running_api::start;

#[test]
fn loads_and_checks_are_listed_and_shown_here_and_from_afar() {
    let running = Running::start();
    let failed = running.run(&["runs", "trigger", "loaded", "--name", "one", "--wait"]);
    assert_eq!(failed.code, 1, "{}", failed.stderr);
    let loads = running.json(&["loads", "list", "loaded", "--json"]);
    let load = &loads[0];
    assert_eq!(
        (&load["run_name"], &load["task"]),
        (&json!("one"), &json!("load"))
    );
    assert_eq!(load["load"]["rows_loaded"], 5);
    let place = format!("{}.{}", load["attempt"], load["nth"]);
    let listed = running.run(&[
        "loads",
        "list",
        "--table",
        "shop.orders",
        "--status",
        "success",
    ]);
    let row = listed.stdout.lines().nth(1).unwrap_or_default();
    let cells: Vec<&str> = row.split_whitespace().take(8).collect();
    let wanted = ["loaded", "load", "shop.orders", "success", "7", "5", "12"];
    assert_eq!((cells[0], &cells[1..]), (&*place, &wanted[..]), "{row}");
    let none = running.json(&["loads", "list", "--from", "2100-01-01", "--json"]);
    assert_eq!(none, json!([]));
    let shown = running.run(&["loads", "show", "loaded", &place]).stdout;
    assert!(shown.contains("source     gs://shop/1.csv\n"), "{shown}");

    let checks = running.json(&["checks", "list", "--bad", "--json"]);
    assert_eq!(checks[0]["last"][0]["status"], "failed");
    let listed = running.run(&["checks", "list"]).stdout;
    let row = listed.lines().nth(1).unwrap_or_default();
    let cells: Vec<&str> = row.split_whitespace().take(6).collect();
    let wanted = ["loaded", "shop.orders", "unique(id)", "failed", "2"];
    assert_eq!((cells[0], &cells[1..]), (&*place, &wanted[..]), "{row}");
    assert!(row.ends_with("  f"), "{row}");
    let results = running.json(&["checks", "list", "--status", "failed", "--json"]);
    assert_eq!(results[0]["result"]["rows_failed"], 2);
    let shown = running.run(&["checks", "show", "loaded", &place]).stdout;
    assert!(
        shown.ends_with("-- the failing rows\nSELECT id FROM shop.orders\n"),
        "{shown}"
    );
    let gone = running.run(&["checks", "show", "fine", &place]);
    assert_eq!((gone.code, gone.stdout.as_str()), (3, ""));

    let server = start(&running);
    assert_eq!(server.json("loads list loaded"), loads);
    assert_eq!(server.json(&format!("loads show loaded {place}")), *load);
    assert_eq!(server.json("checks list --bad"), checks);
    assert_eq!(server.json("checks list --status failed"), results);
    assert_eq!(
        server.run(&format!("checks show loaded {place}")).stdout,
        shown
    );
}
