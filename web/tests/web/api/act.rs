//! What changes something: by whom, on what they saw, tried out first, and once however often it is sent.

use std::sync::Arc;

use axum::http::Method;
use serde_json::json;
use tidemill_core::protocol::RunNo;
use tidemill_core::state::RunState;
use tidemill_scheduler::engine::{Changed, Command};
use tidemill_web::DoorError;

use crate::kit::{Kit, fresh_run, run_path};

fn asked(kit: &Kit) -> Vec<(String, Option<u32>, bool, serde_json::Value)> {
    let asked = kit.door.asked.lock().expect("it works");
    let all = asked.iter().map(|one| {
        let command = serde_json::to_value(&one.command).expect("it works");
        (one.by.to_string(), one.seen, one.dry_run, command)
    });
    all.collect()
}

#[tokio::test]
async fn a_change_is_asked_for_in_the_name_of_the_token_with_what_was_seen() {
    let kit = Kit::new().await;
    let dag = "/api/v1/dags/open_dag";
    let headers = [("if-match", "\"7\"")];
    let path = format!("{dag}?dry_run=true");
    let answer = kit
        .sent(
            "operator",
            (Method::PATCH, &path),
            &headers,
            "{\"paused\": true}",
        )
        .await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    assert_eq!(answer.value()["dry_run"], true);
    let expected = json!({"pause": {"what": {"dag": "open_dag"}, "pause": true}});
    assert_eq!(
        asked(&kit),
        [("operator".to_owned(), Some(7), true, expected)]
    );
}

#[tokio::test]
async fn who_saw_something_older_is_told_by_whom_it_was_changed() {
    let kit = Kit::new().await;
    let says = "ann paused it at 2025-01-01T00:00:00Z; look again";
    *kit.door.refuses.lock().expect("it works") = Some(DoorError::Stale(says.to_owned()));
    let cancel = format!("/api/v1{}/cancel", run_path("open_dag", 3));
    let with = kit
        .sent(
            "operator",
            (Method::POST, &cancel),
            &[("if-match", "\"1\"")],
            "",
        )
        .await;
    assert_eq!(with.status.as_u16(), 412);
    assert_eq!(with.value()["type"], "/api#stale");
    assert_eq!(with.value()["detail"], says);
    let without = kit.json("operator", (Method::POST, &cancel), "").await;
    assert_eq!(without.status.as_u16(), 409);
    for wrong in ["7", "W/\"7\"", "\"x\"", "\"1\", \"2\""] {
        let answer = kit
            .sent(
                "operator",
                (Method::POST, &cancel),
                &[("if-match", wrong)],
                "",
            )
            .await;
        assert_eq!(answer.status.as_u16(), 422, "{wrong}");
        assert_eq!(answer.value()["errors"][0]["field"], "If-Match", "{wrong}");
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn every_verb_becomes_its_command() {
    let kit = Kit::new().await;
    let run = format!("/api/v1{}", run_path("open_dag", 1));
    let task = format!("{run}/tasks/load.sales");
    let pool = "/api/v1/pools/bigquery";
    let backfill = "/api/v1/dags/open_dag/backfills/1";
    let cases = [
        (
            Method::POST,
            format!("{run}/retry"),
            "{}",
            "/clear/around/only_failed",
            json!(true),
        ),
        (
            Method::POST,
            format!("{run}/clear"),
            "{\"group\": \"load\"}",
            "/clear/select/tasks/group",
            json!("load"),
        ),
        (
            Method::POST,
            format!("{run}/mark"),
            "{\"state\": \"success\", \"note\": \"n\"}",
            "/mark/state",
            json!("success"),
        ),
        (
            Method::POST,
            format!("{run}/cancel"),
            "{\"note\": \"n\"}",
            "/cancel_run/note",
            json!("n"),
        ),
        (
            Method::PATCH,
            run.clone(),
            "{\"note\": \"late\"}",
            "/note/text",
            json!("late"),
        ),
        (
            Method::PATCH,
            run.clone(),
            "{\"priority\": -3}",
            "/reprioritise/priority",
            json!(-3),
        ),
        (
            Method::PATCH,
            run.clone(),
            "{\"paused\": false}",
            "/pause/pause",
            json!(false),
        ),
        (
            Method::POST,
            format!("{task}/clear"),
            "{\"downstream\": true}",
            "/clear/around/downstream",
            json!(true),
        ),
        (
            Method::POST,
            format!("{task}/mark"),
            "{\"state\": \"skipped\", \"note\": \"n\"}",
            "/mark/select/tasks/tasks/0/0",
            json!("load.sales"),
        ),
        (
            Method::POST,
            format!("{task}/cancel"),
            "",
            "/cancel_attempt/of/task",
            json!(1),
        ),
        (
            Method::POST,
            format!("{task}/answer"),
            "{\"choice\": \"yes\"}",
            "/answer/choice",
            json!("yes"),
        ),
        (
            Method::PATCH,
            task.clone(),
            "{\"note\": \"odd\"}",
            "/note/task/0",
            json!("load.sales"),
        ),
        (
            Method::PUT,
            pool.to_owned(),
            "{\"slots\": 3}",
            "/set_pool/slots",
            json!(3),
        ),
        (
            Method::PATCH,
            pool.to_owned(),
            "{\"paused\": true}",
            "/pause/what/pool",
            json!("bigquery"),
        ),
        (
            Method::DELETE,
            pool.to_owned(),
            "",
            "/remove_pool/name",
            json!("bigquery"),
        ),
        (
            Method::PATCH,
            backfill.to_owned(),
            "{\"paused\": true}",
            "/pause/what/backfill",
            json!(1),
        ),
        (
            Method::POST,
            format!("{backfill}/cancel"),
            "",
            "/cancel_backfill/backfill",
            json!(1),
        ),
        (
            Method::POST,
            "/api/v1/assets/changed".to_owned(),
            "{\"asset\": \"gs://a\"}",
            "/asset_changed/asset",
            json!("gs://a"),
        ),
        (
            Method::POST,
            "/api/v1/runs/bulk".to_owned(),
            "{\"action\": \"retry\", \"dag\": \"open_dag\"}",
            "/bulk/action",
            json!("retry_failed"),
        ),
    ];
    for (method, path, body, at, value) in cases {
        kit.door.asked.lock().expect("it works").clear();
        let answer = kit.json("operator", (method, &path), body).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.body);
        let commands = asked(&kit);
        assert_eq!(
            commands[0].3.pointer(at),
            Some(&value),
            "{path}: {commands:?}"
        );
    }
}

/// What the leader says of a run that it made.
fn makes(kit: &Kit, no: i64, name: &str) {
    *kit.door.answers.lock().expect("it works") = Changed {
        runs_made: vec![(RunNo(no), name.into())],
        ..Changed::default()
    };
}

fn triggers(kit: &Kit) -> Vec<tidemill_scheduler::engine::Trigger> {
    let asked = kit.door.asked.lock().expect("it works");
    let all = asked.iter().filter_map(|one| match &one.command {
        Command::Trigger(trigger) => Some(trigger.clone()),
        _ => None,
    });
    all.collect()
}

#[tokio::test]
async fn a_trigger_with_a_key_makes_one_run_over_restarts_and_another_body_is_refused() {
    let kit = Kit::new().await;
    let runs = "/api/v1/dags/open_dag/runs";
    let body = "{\"start\": \"2025-03-01T00:00:00Z\", \"end\": \"2025-03-02T00:00:00Z\"}";
    let key = [("idempotency-key", "order 77")];
    let first = kit.sent("operator", (Method::POST, runs), &key, body).await;
    assert_eq!(first.status.as_u16(), 201, "{}", first.body);
    let name = triggers(&kit)[0].name.clone().expect("it works");
    assert!(name.starts_with("api__"), "{name}");
    let mut run = fresh_run(&kit, (10, &name)).await;
    (run.start, run.end) = triggers(&kit)[0].covers.expect("it works");
    kit.has_run(2, run).await;

    let kit = kit.restarted();
    let again = kit.sent("operator", (Method::POST, runs), &key, body).await;
    assert_eq!(again.status.as_u16(), 201, "{}", again.body);
    assert_eq!(again.value()["run"]["no"], 10);
    assert!(
        again.header("location").ends_with(&*name),
        "{:?}",
        again.headers
    );
    assert_eq!(triggers(&kit).len(), 1, "nobody was asked again");

    let other = body.replace("2025-03-02", "2025-03-03");
    let other = kit
        .sent("operator", (Method::POST, runs), &key, &other)
        .await;
    assert_eq!(other.status.as_u16(), 422, "{}", other.body);
    assert_eq!(other.value()["errors"][0]["field"], "Idempotency-Key");
    let by_admin = kit.sent("admin", (Method::POST, runs), &key, body).await;
    assert_eq!(by_admin.status.as_u16(), 201);
    assert_ne!(
        triggers(&kit)[1].name.as_ref(),
        Some(&name),
        "keys are of somebody"
    );
    let named = kit
        .sent("operator", (Method::POST, runs), &key, "{\"name\": \"a\"}")
        .await;
    assert_eq!(named.value()["errors"][0]["field"], "name");
}

#[tokio::test]
async fn a_backfill_is_made_and_takes_no_key() {
    let kit = Kit::new().await;
    let path = "/api/v1/dags/open_dag/backfills";
    let body = "{\"from\": \"2025-01-01T00:00:00Z\", \"to\": \"2025-01-02T00:00:00Z\"}";
    let key = [("idempotency-key", "k")];
    let keyed = kit.sent("operator", (Method::POST, path), &key, body).await;
    assert_eq!(keyed.status.as_u16(), 422, "{}", keyed.body);
    assert_eq!(keyed.value()["errors"][0]["field"], "Idempotency-Key");
    assert!(asked(&kit).is_empty());
    let made = kit.json("operator", (Method::POST, path), body).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.body);
    assert_eq!(asked(&kit).len(), 1);
    let dry = kit
        .json(
            "operator",
            (Method::POST, &format!("{path}?dry_run=true")),
            body,
        )
        .await;
    assert_eq!(dry.status.as_u16(), 200);
    assert!(asked(&kit)[1].2);
}

#[tokio::test]
async fn who_waits_is_answered_when_the_run_has_ended() {
    let kit = Arc::new(Kit::new().await);
    let run = fresh_run(&kit, (10, "slow")).await;
    kit.has_run(2, run.clone()).await;
    makes(&kit, 10, "slow");
    let waiting = Arc::clone(&kit);
    let waits = tokio::spawn(async move {
        let path = "/api/v1/dags/open_dag/runs/slow?wait=60s";
        waiting.look("viewer", path).await
    });
    let trigger = Arc::clone(&kit);
    let triggers = tokio::spawn(async move {
        let path = "/api/v1/dags/open_dag/runs?wait=60s";
        trigger.json("operator", (Method::POST, path), "{}").await
    });
    tokio::task::yield_now().await;
    let mut ended = run;
    ended.state = RunState::Success;
    ended.ended_at = ended.started_at;
    kit.changes_run(3, ended).await;
    assert_eq!(waits.await.expect("it works")["state"], "success");
    assert_eq!(
        triggers.await.expect("it works").value()["run"]["state"],
        "success"
    );
    let now = kit
        .look("viewer", "/api/v1/dags/open_dag/runs/3?wait=0s")
        .await;
    assert_eq!(now["state"], "running");
}
