//! Lists are read to their end, narrowed to what somebody may see, and refuse filters that they do not know.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};

use crate::kit::{Kit, run_path, wide};

/// All rows of a list, page by page, by the cursor and by the address in `Link` alike.
async fn all(kit: &Kit, who: &str, path: &str) -> Vec<Value> {
    let (mut rows, mut at) = (Vec::new(), path.to_owned());
    for _ in 0..100 {
        let answer = kit.json(who, (Method::GET, &at), "").await;
        assert_eq!(answer.status.as_u16(), 200, "{at}: {}", answer.body);
        let page = answer.value();
        rows.extend(page["items"].as_array().expect("it works").iter().cloned());
        let Some(next) = page["next"].as_str() else {
            assert_eq!(answer.header("link"), "");
            return rows;
        };
        let link = answer.header("link");
        let link = link
            .strip_prefix('<')
            .and_then(|rest| rest.split_once(">; rel=\"next\""));
        at = link.expect("it works").0.to_owned();
        assert!(at.contains(&format!("cursor={next}")), "{at}");
    }
    panic!("{path} has no end");
}

#[tokio::test]
async fn pages_together_are_the_whole_list_once() {
    let kit = Kit::holding(&wide(7, 12)).await;
    for limit in [1, 5, 12, 100] {
        for path in ["/api/v1/runs?", "/api/v1/dags/wide_dag/runs?state=failed&"] {
            let rows = all(&kit, "viewer", &format!("{path}limit={limit}")).await;
            let numbers: Vec<i64> = rows.iter().filter_map(|row| row["no"].as_i64()).collect();
            assert_eq!(
                numbers,
                (1..=12).rev().collect::<Vec<_>>(),
                "{path} {limit}"
            );
        }
        let latest = "/api/v1/dags/wide_dag/runs/latest/tasks";
        let rows = all(&kit, "viewer", &format!("{latest}?limit={limit}")).await;
        let names: BTreeSet<&str> = rows.iter().filter_map(|row| row["task"].as_str()).collect();
        assert_eq!((rows.len(), names.len()), (7, 7), "{limit}");
    }
}

#[tokio::test]
async fn instances_of_mapped_tasks_come_after_their_task_and_can_be_narrowed() {
    let kit = Kit::mapped(250).await;
    let tasks = "/api/v1/dags/mapped_dag/runs/one/tasks";
    let whole = all(&kit, "viewer", tasks).await;
    assert_eq!(whole.len(), 1);
    assert_eq!(
        (&whole[0]["index"], &whole[0]["instances"]),
        (&Value::Null, &json!(250))
    );
    let every = all(&kit, "viewer", &format!("{tasks}?instances=true&limit=60")).await;
    assert_eq!(every.len(), 251);
    assert_eq!(every[250]["index"], 249);
    let failed = format!("{tasks}?instances=true&state=failed&limit=7");
    assert_eq!(all(&kit, "viewer", &failed).await.len(), 11);
    let counts = kit.look("viewer", &format!("{tasks}/each/instances")).await;
    assert_eq!(counts["items"].as_array().map(Vec::len), Some(2));
    let one = kit.look("viewer", &format!("{tasks}/each?index=3")).await;
    assert_eq!(
        (&one["index"], &one["state"]),
        (&json!(3), &json!("success"))
    );
}

#[tokio::test]
async fn nobody_finds_what_they_must_not_see() {
    let kit = Kit::new().await;
    let lists = [
        "dags",
        "runs",
        "backfills",
        "loads",
        "checks",
        "checks/last",
        "loads?limit=1",
        "checks?limit=1",
        "checks/last?limit=1",
        "runs?limit=1",
        "backfills?limit=1",
    ];
    for list in lists {
        let path = format!("/api/v1/{list}");
        let rows = all(&kit, "limited", &path).await;
        let seen = all(&kit, "viewer", &path).await;
        let is_secret = |row: &Value| row["dag"] == "secret_dag";
        assert!(!rows.iter().any(is_secret), "{list}");
        assert!(seen.iter().any(is_secret), "{list}");
    }
    // By its number, or its name, under a DAG that may be seen, it is not there either.
    for run in ["4", "2"] {
        let path = format!(
            "/api/v1/dags/open_dag/{}",
            if run == "4" { "runs/4" } else { "backfills/2" }
        );
        let answer = kit.json("limited", (Method::GET, &path), "").await;
        assert_eq!(answer.status.as_u16(), 404, "{run}");
    }
    let audit = kit.json("viewer", (Method::GET, "/api/v1/audit"), "").await;
    assert_eq!(audit.status.as_u16(), 403);
}

#[tokio::test]
async fn a_run_has_a_name_a_number_and_a_word() {
    let kit = Kit::new().await;
    let named = kit
        .look("viewer", &format!("/api/v1{}", run_path("open_dag", 3)))
        .await;
    assert_eq!(
        (&named["no"], &named["state"]),
        (&json!(3), &json!("running"))
    );
    for other in ["3", "latest"] {
        let found = kit
            .look("viewer", &format!("/api/v1/dags/open_dag/runs/{other}"))
            .await;
        assert_eq!(found, named, "{other}");
    }
    let dag = kit
        .json("viewer", (Method::GET, "/api/v1/dags/open_dag"), "")
        .await;
    assert_eq!(dag.header("etag"), "\"7\"");
    assert_eq!(dag.value()["tasks"], 3);
    let definition = kit.look("viewer", "/api/v1/dags/open_dag/definition").await;
    assert_eq!(definition["definition"]["id"], "open_dag");
    let versions = kit.look("viewer", "/api/v1/dags/open_dag/versions").await;
    assert_eq!(versions["items"].as_array().map(Vec::len), Some(1));
    let attempts = format!(
        "/api/v1{}/tasks/load.sales/attempts",
        run_path("open_dag", 1)
    );
    let attempts = kit.look("viewer", &attempts).await;
    assert_eq!(
        (
            &attempts["items"][0]["end"],
            &attempts["items"][0]["error_kind"]
        ),
        (&json!("failed"), &json!("quota"))
    );
}

#[tokio::test]
async fn filters_that_are_not_known_are_named_with_those_that_are() {
    let kit = Kit::new().await;
    for (path, field, part) in [
        ("runs?stat=failed", "stat", "`state`"),
        ("runs?state=sideways", "state", "success"),
        ("runs?limit=0", "limit", "1 to 1,000"),
        ("runs?limit=1001", "limit", "1 to 1,000"),
        ("runs?limit=many", "limit", "invalid digit"),
        ("runs?cursor=00", "cursor", "no cursor"),
        ("runs?dag=%3Cb%3E", "dag", ""),
        ("runs?from=soon", "from", ""),
        ("dags?paused=perhaps", "paused", ""),
        ("me?x=1", "x", "there are no fields"),
        ("backfills?state=lost", "state", "active"),
        ("dags/open_dag/runs?dag=secret_dag", "dag", "another DAG"),
        ("dags/open_dag/runs/1?wait=1h", "wait", "60s"),
        ("dags/open_dag/runs/1?wait=soon", "wait", ""),
    ] {
        let answer = kit
            .json("admin", (Method::GET, &format!("/api/v1/{path}")), "")
            .await;
        assert_eq!(answer.status.as_u16(), 422, "{path}: {}", answer.body);
        let problem = answer.value();
        assert_eq!(problem["type"], "/api#invalid", "{path}");
        assert_eq!(problem["errors"][0]["field"], field, "{path}: {problem}");
        assert!(
            problem["detail"].as_str().expect("it works").contains(part),
            "{path}: {problem}"
        );
    }
}

#[tokio::test]
async fn logs_are_read_page_by_page_searched_and_downloaded() {
    let kit = Kit::new().await;
    kit.say(&[("info", "it begins"), ("error", "the source is gone")]);
    let log = format!("/api/v1{}/tasks/load.sales/log", run_path("open_dag", 1));
    let page = kit.look("viewer", &log).await;
    assert_eq!((&page["attempt"], &page["total"]), (&json!(1), &json!(2)));
    assert_eq!(page["lines"][0]["text"], "it begins");
    let page = kit
        .look("viewer", &format!("{log}?from=error&level=error&lines=5"))
        .await;
    assert_eq!(page["lines"].as_array().map(Vec::len), Some(1));
    let found = kit
        .look("viewer", &format!("{log}/search?text=source"))
        .await;
    assert_eq!(found["lines"][0]["number"], 2);
    let raw = kit
        .json("viewer", (Method::GET, &format!("{log}/raw")), "")
        .await;
    assert_eq!(raw.body, "it begins\nthe source is gone\n");
    let none = kit
        .json("viewer", (Method::GET, &format!("{log}?attempt=9")), "")
        .await;
    assert_eq!(none.status.as_u16(), 404);
}
