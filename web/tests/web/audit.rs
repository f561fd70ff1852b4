//! The audit log: narrowed, in pages, and the part of a DAG.

use axum::http::StatusCode;
use tidemill_store::record::{AuditRow, Changes};

use crate::kit::{Kit, at};

#[tokio::test]
async fn it_is_narrowed_by_who_what_which_and_when() {
    let kit = Kit::new().await;
    let all = kit.get("admin", "/audit").await.body;
    assert_eq!(all.matches("<code>task.clear</code>").count(), 2, "{all}");
    assert!(all.contains("extract of run 1: failed → none"), "{all}");
    let ann = kit.get("admin", "/audit?who=ann").await.body;
    assert!(!ann.contains("<code>run.cancel</code>") && ann.contains("<code>task.clear</code>"));
    let cancels = kit.get("admin", "/audit?action=run.").await.body;
    assert!(!cancels.contains("<code>task.clear</code>"));
    let dag = kit.get("admin", "/audit?dag=open_dag").await.body;
    assert_eq!(dag.matches("<code>task.clear</code>").count(), 1);
    let day = kit
        .get("admin", "/audit?from=2025-01-02&to=2025-01-02")
        .await
        .body;
    assert_eq!(
        day.matches("<code>task.clear</code>").count(),
        1,
        "a day has all its hours"
    );
    for wrong in ["/audit?from=soon", "/audit?dag=%3Cb%3E", "/audit?after=x"] {
        let wrong = kit.get("admin", wrong).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(
        kit.get("operator", "/audit").await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn the_part_of_a_dag_has_nothing_of_another() {
    let kit = Kit::new().await;
    let page = kit.get("limited", "/dags/open_dag/audit").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("task.clear") && !page.body.contains("secret_dag"));
    let other = kit
        .get("limited", "/dags/open_dag/audit?dag=secret_dag")
        .await
        .body;
    assert!(other.contains("open_dag /"), "the path decides");
    let hidden = kit.get("limited", "/dags/secret_dag/audit").await;
    assert_eq!(hidden.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn pages_go_on_where_the_last_ended() {
    let line = |id: i64| AuditRow {
        id,
        // Several at one moment.
        at: at(id / 7),
        actor: "ann".into(),
        action: "run.note".into(),
        target: format!("line-{id}-").into(),
        dag: None,
        run: None,
        details: "{}".into(),
    };
    let changes = Changes {
        audits: (1..=250).map(line).collect(),
        ..Changes::default()
    };
    let kit = Kit::holding(&changes).await;
    let (mut path, mut seen) = (Some("/audit?who=ann".to_owned()), Vec::new());
    while let Some(at) = path {
        let page = kit.get("admin", &at).await.body;
        let lines = page.split("line-").skip(1);
        seen.extend(lines.filter_map(|rest| rest.split('-').next()?.parse::<i64>().ok()));
        let older = page
            .split("class=\"pages\"><a class=\"btn\" href=\"")
            .nth(1);
        let older = older.and_then(|rest| rest.split('"').next());
        path = older.map(|older| older.replace("&#38;", "&").replace("&amp;", "&"));
    }
    let all: Vec<i64> = (1..=250).rev().collect();
    assert_eq!(seen, all);
}
