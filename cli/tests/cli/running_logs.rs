//! What attempts wrote, read beside a running Tidemill.

use crate::running::Running;

#[test]
fn the_log_of_an_attempt_is_printed_followed_and_narrowed() {
    let running = Running::start();
    let failed = running.run(&["runs", "trigger", "broken", "--wait"]);
    assert_eq!(failed.code, 1);
    // To the end of the attempt, however long its last words take.
    let log = running.run(&["tasks", "logs", "broken", "latest", "first", "--follow"]);
    assert_eq!((log.code, log.stderr.as_str()), (0, ""));
    let line = log.stdout.lines().last().unwrap();
    assert!(
        line.ends_with("Z error the source is gone (permanent)"),
        "{line}"
    );

    let words = "tasks logs broken latest first --attempt 1 --level error --json";
    let json = running.run(&words.split(' ').collect::<Vec<_>>());
    let line: serde_json::Value =
        serde_json::from_str(json.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((&line["number"], &line["l"]), (&1.into(), &"error".into()));

    let none = running.run(&[
        "tasks",
        "logs",
        "broken",
        "latest",
        "first",
        "--attempt",
        "7",
    ]);
    assert_eq!((none.code, none.stdout.as_str()), (2, ""));
    assert!(
        none.stderr.contains("first has no attempt 7"),
        "{}",
        none.stderr
    );
    let none = running.run(&["tasks", "logs", "broken", "latest", "second"]);
    assert_eq!(none.code, 2);
}
