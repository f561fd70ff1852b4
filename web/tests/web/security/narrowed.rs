//! Lists are narrowed by the database: whoever sees little finds it, however much of others lies on top.

use axum::http::Method;
use tidemill_core::id::DagId;
use tidemill_core::protocol::RunNo;
use tidemill_core::spec::Severity;
use tidemill_core::state::{RunState, TaskState};
use tidemill_store::record::{Changes, OutboxRow};

use crate::kit::{Kit, at, attempt, dag_row, run, task, version};

/// One run of `open_dag` that failed and one that is on, below so many of `secret_dag`.
fn buried() -> Changes {
    let (open, secret) = (version("open_dag"), version("secret_dag"));
    let mut changes = Changes {
        dags: vec![dag_row(&open), dag_row(&secret)],
        new_runs: vec![
            run(1, &open, RunState::Failed),
            run(2, &open, RunState::Running),
        ],
        versions: vec![open, secret.clone()],
        ..Changes::default()
    };
    for id in 3..=1_203 {
        let state = if id % 2 == 0 {
            RunState::Running
        } else {
            RunState::Failed
        };
        changes.new_runs.push(run(id, &secret, state));
    }
    for id in (1..=1_203).filter(|id| id % 2 == 1) {
        changes
            .new_tasks
            .push(task(id, (1, "load.sales"), TaskState::Failed));
        changes.attempts.push(attempt(id, 1));
    }
    for (id, dag) in (1..=1_203).map(|id| (id, if id == 1 { "open_dag" } else { "secret_dag" })) {
        changes.outbox.push(OutboxRow {
            id,
            key: format!("alert_{id}").into(),
            route: "oncall".into(),
            severity: Severity::Warning,
            run: Some(RunNo(id)),
            body: format!("{{\"on\":\"failure\",\"dag\":\"{dag}\",\"run\":\"run_{id}\"}}").into(),
            at: at(0),
            dag: Some(DagId::parse(dag).expect("a name")),
        });
    }
    for row in &mut changes.new_runs {
        row.ended_at = row.ended_at.map(|_| at(5 * 86_400 - 60));
    }
    changes
}

#[tokio::test]
async fn what_somebody_may_see_is_found_below_what_they_may_not() {
    let kit = Kit::holding(&buried()).await;
    for page in [
        "/runs",
        "/runs?state=failed",
        "/runs?state=running",
        "/search?q=run_",
        "/alerts",
        "/",
    ] {
        let body = kit.get("limited", page).await.body;
        assert!(!body.contains("secret_dag"), "{page}");
        let run = if page == "/runs?state=running" {
            "run_2"
        } else {
            "run_1"
        };
        let wanted = if page == "/" { "clash in" } else { run };
        assert!(body.contains(wanted), "{page}: {body}");
    }
    let home = kit.get("limited", "/").await.body;
    assert!(home.contains("run_2"), "what is on: {home}");
    let found = kit.get("limited", "/find?q=run_").await.body;
    assert!(
        found.contains("run_1") && !found.contains("secret_dag"),
        "{found}"
    );
    let runs = kit
        .json("limited", (Method::GET, "/api/v1/runs?limit=1"), "")
        .await
        .value();
    assert_eq!(runs["items"][0]["no"], 2);
    let alerts = kit
        .json("limited", (Method::GET, "/api/v1/alerts?limit=1"), "")
        .await
        .value();
    assert_eq!(alerts["items"][0]["id"], 1, "{alerts}");
    let all = kit.get("viewer", "/runs").await.body;
    assert!(all.contains("secret_dag") && !all.contains("/dags/open_dag/runs/"));
}
