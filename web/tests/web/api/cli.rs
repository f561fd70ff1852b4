//! Commands as the command line sends them: who may, is decided for the DAG that each is about.

use axum::http::Method;
use serde_json::{Value, json};

use crate::kit::Kit;

const PATH: &str = "/api/v1/commands";

fn body(command: &Value) -> String {
    json!({"by": "somebody else", "command": command}).to_string()
}

#[tokio::test]
async fn a_command_is_carried_out_for_who_signed_in_whoever_they_say_they_are() {
    let kit = Kit::new().await;
    let trigger = json!({"trigger": {"dag": "open_dag"}});
    let answer = kit
        .json("given", (Method::POST, PATH), &body(&trigger))
        .await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    assert!(answer.value()["changed"]["runs_made"].is_array());
    let asked = kit.door.asked.lock().unwrap();
    assert_eq!(&*asked[0].by, "given");
}

#[tokio::test]
async fn each_command_needs_what_it_does_on_the_dag_it_is_about() {
    let kit = Kit::new().await;
    let of_run = |run: i64| json!({"cancel_run": {"run": run}});
    let cases = [
        ("given", of_run(1), 200),
        ("given", of_run(4), 403),
        ("limited", of_run(1), 403),
        ("operator", of_run(4), 200),
        ("operator", of_run(99), 404),
        ("viewer", of_run(1), 403),
        ("given", json!({"trigger": {"dag": "secret_dag"}}), 403),
        (
            "given",
            json!({"pause": {"what": {"dag": "open_dag"}, "pause": true}}),
            200,
        ),
        (
            "given",
            json!({"pause": {"what": {"pool": "bigquery"}, "pause": true}}),
            403,
        ),
        (
            "operator",
            json!({"pause": {"what": {"pool": "bigquery"}, "pause": true}}),
            200,
        ),
        ("given", json!({"cancel_backfill": {"backfill": 1}}), 200),
        ("given", json!({"cancel_backfill": {"backfill": 2}}), 403),
        (
            "given",
            json!({"bulk": {"filter": {"dag": "open_dag"}, "action": "cancel"}}),
            200,
        ),
        (
            "given",
            json!({"bulk": {"filter": {"runs": [1, 4]}, "action": "cancel"}}),
            403,
        ),
        (
            "given",
            json!({"bulk": {"filter": {}, "action": "cancel"}}),
            422,
        ),
        (
            "operator",
            json!({"bulk": {"filter": {}, "action": "cancel"}}),
            200,
        ),
        ("operator", json!({"remove_dag": {"dag": "open_dag"}}), 403),
        ("admin", json!({"remove_dag": {"dag": "open_dag"}}), 200),
        ("operator", json!({"remove_variable": {"name": "x"}}), 403),
        ("admin", json!({"set_variable": {"name": "x"}}), 422),
        ("operator", json!({"no_such": 1}), 422),
    ];
    for (who, command, status) in cases {
        let answer = kit.json(who, (Method::POST, PATH), &body(&command)).await;
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{who} {command}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn many_runs_are_changed_only_where_somebody_may() {
    let kit = Kit::new().await;
    let path = "/api/v1/runs/bulk";
    for (who, body, status) in [
        (
            "operator",
            json!({"action": "retry", "states": ["failed"]}),
            200,
        ),
        (
            "given",
            json!({"action": "retry", "states": ["failed"]}),
            422,
        ),
        ("given", json!({"action": "retry", "dag": "open_dag"}), 200),
        (
            "given",
            json!({"action": "retry", "dag": "secret_dag"}),
            403,
        ),
        ("operator", json!({"action": "retry"}), 422),
        (
            "operator",
            json!({"action": "mark", "dag": "open_dag"}),
            422,
        ),
        (
            "operator",
            json!({"action": "mark", "dag": "open_dag", "state": "skipped"}),
            200,
        ),
        (
            "operator",
            json!({"action": "retry", "dag": "open_dag", "state": "failed"}),
            422,
        ),
    ] {
        let answer = kit.json(who, (Method::POST, path), &body.to_string()).await;
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{who} {body}: {}",
            answer.body
        );
    }
}
