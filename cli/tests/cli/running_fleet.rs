//! Workers and pools as people see them.

use serde_json::json;

use crate::running::Running;

#[test]
fn workers_are_listed_with_their_labels_and_pools_with_what_is_taken() {
    let running = Running::start();
    let workers = running.json(&["workers", "list", "--json"]);
    let labels = json!({ "team": "crm", "zone": "europe-west3" });
    assert_eq!(workers["workers"][0]["labels"], labels);
    let workers = running.run(&["workers", "list"]).stdout;
    assert!(workers.contains("team=crm,zone=europe-west3"), "{workers}");

    // Nobody made it, and it is there.
    let pools = running.json(&["pools", "list", "--json"]);
    let default = json!([{
        "name": "default", "slots": 128, "used": 0, "holds_deferred": false, "paused": false, "edits": 0,
        "note": null, "holders": [], "waiting": 0,
    }]);
    assert_eq!(pools, default);
    let pools = running.run(&["pools", "list"]).stdout;
    let line = pools.lines().find(|line| line.starts_with("default"));
    let words: Vec<_> = line.unwrap_or_default().split_whitespace().collect();
    assert_eq!(words, ["default", "128", "0", "no", "no", "0"]);

    let words = ["pools", "set", "default", "--slots", "8"];
    let noted = running.run(&[&words[..], &["--note", "two loads\nat once"]].concat());
    assert_eq!(noted.code, 0, "{}", noted.stderr);
    let listed = running.run(&["pools", "list"]).stdout;
    assert!(listed.contains("  two loads at once\n"), "{listed}");
    assert_eq!(running.run(&["pools", "pause", "default"]).code, 0);
    let pools = running.json(&["pools", "list", "--json"]);
    assert_eq!(pools[0]["note"], "two loads\nat once", "it stays");
}
