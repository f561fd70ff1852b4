//! Loads and checks: what was loaded where, and whether the data is as it should be.

use axum::http::{Method, StatusCode};
use tidemill_core::state::{RunState, TaskState};
use tidemill_store::record::{Changes, CheckRow, LoadRow};

use crate::kit::{Kit, at, attempt, check, dag_row, load, run, run_path, task, version};

const LOADS: i64 = 120;

/// A hundred and twenty runs, each with a load into one of two tables, and two checks, one of which is bad in the last run.
fn much() -> Changes {
    let open = version("open_dag");
    let mut changes = Changes {
        dags: vec![dag_row(&open)],
        ..Changes::default()
    };
    for id in 1..=LOADS {
        changes.new_runs.push(run(id, &open, RunState::Failed));
        changes
            .new_tasks
            .push(task(id, (1, "load.sales"), TaskState::Failed));
        changes.attempts.push(attempt(id, 1));
        let mut one: LoadRow = load(id, &open, "");
        one.load.ended_at = at(4 * 86_400 + id);
        one.load.started_at = at(4 * 86_400 + id - 30);
        one.load.rows_loaded = 1_000;
        if id % 2 == 0 {
            "shop.refunds".clone_into(&mut one.load.destination);
        }
        if id % 10 != 0 {
            "success".clone_into(&mut one.load.status);
            one.load.error = None;
        }
        changes.loads.push(one);
        for (nth, name) in [(0, "unique(id)"), (1, "not_null(id)")] {
            let mut result: CheckRow = check(id, &open, "");
            result.nth = nth;
            name.clone_into(&mut result.result.name);
            result.result.at = at(4 * 86_400 + id);
            if nth == 1 || id != LOADS {
                "passed".clone_into(&mut result.result.status);
            }
            changes.checks.push(result);
        }
    }
    changes.versions = vec![open];
    changes
}

#[tokio::test]
async fn loads_are_narrowed_and_go_on_page_after_page_by_their_address() {
    let kit = Kit::holding(&much()).await;
    let mut path = "/loads?table=shop.refunds".to_owned();
    let mut seen = 0;
    loop {
        let page = kit.get("viewer", &path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.body);
        assert!(!page.body.contains(">shop.orders<"), "{path}");
        seen += page.body.matches(">shop.refunds</a>").count();
        let older = page
            .body
            .split("class=\"pages\"><a class=\"btn\" href=\"")
            .nth(1);
        let Some(older) = older.and_then(|rest| rest.split('"').next()) else {
            break;
        };
        path = older.replace("&#38;", "&").replace("&amp;", "&");
        assert!(
            path.starts_with("/loads?table=shop.refunds&after="),
            "{path}"
        );
    }
    assert_eq!(seen, 60);
    let failed = kit.get("viewer", "/loads?status=failed").await.body;
    assert_eq!(failed.matches("<span class=\"st fail\">Failed").count(), 12);
    let none = kit.get("viewer", "/loads?from=2030-01-01").await.body;
    assert!(none.contains("No load is like this."), "{none}");
    for wrong in [
        "/loads?from=yesterday",
        "/loads?after=x",
        "/loads?dag=a%20b",
    ] {
        let answer = kit.get("viewer", wrong).await;
        assert!(
            answer.status.is_client_error(),
            "{wrong}: {}",
            answer.status
        );
    }
}

#[tokio::test]
async fn the_days_of_loads_are_drawn_with_their_sums() {
    let kit = Kit::holding(&much()).await;
    let page = kit.get("viewer", "/loads").await.body;
    for wanted in [
        "5 Jan: 120 loads, 108,000 rows, 30.0 s each, 12 failed",
        "aria-label=\"Rows loaded, day by day\"",
        "from=2025-01-05&amp;to=2025-01-05",
        ">108,000<",
    ] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    let days = "/api/v1/loads/days?from=2025-01-01T00:00:00Z&to=2025-02-01T00:00:00Z";
    let days = kit.look("viewer", days).await;
    assert_eq!(days["items"][0]["status"], "failed");
    assert_eq!(days["items"][1]["loads"], 108);
    let wide = "/api/v1/loads/days?from=2020-01-01T00:00:00Z&to=2025-02-01T00:00:00Z";
    let answer = kit.json("viewer", (Method::GET, wide), "").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn one_load_leads_to_its_run_its_task_its_job_and_its_files() {
    let kit = Kit::new().await;
    let page = kit.get("viewer", "/dags/open_dag/loads/1001.0").await.body;
    let task = format!("{}/tasks/load.sales", run_path("open_dag", 1));
    for wanted in [
        format!("href=\"{task}\"").as_str(),
        "href=\"https://jobs.example/1\"",
        "storage/browser/_details/crm/1.parquet",
        "<b>4,000</b>",
        "<b>3.4 MB</b>",
        "it broke: ",
        "/dags/open_dag/checks/1001.0",
    ] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    let on_task = kit.get("viewer", &task).await.body;
    assert!(on_task.contains("/dags/open_dag/loads/1001.0"), "{on_task}");
    assert!(
        on_task.contains("/dags/open_dag/checks/1001.0"),
        "{on_task}"
    );
    let home = kit.get("viewer", "/").await.body;
    assert!(
        home.contains("Loaded today") && home.contains(">2 loads<"),
        "{home}"
    );
    let home = kit.get("limited", "/").await.body;
    assert!(home.contains(">1 load<"), "{home}");
    for gone in ["1001.9", "x", "4001.0", "9.9.9"] {
        for what in ["loads", "checks"] {
            let path = format!("/dags/open_dag/{what}/{gone}");
            assert_eq!(
                kit.get("viewer", &path).await.status,
                StatusCode::NOT_FOUND,
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn each_check_is_listed_once_with_its_last_results() {
    let kit = Kit::holding(&much()).await;
    let page = kit.get("viewer", "/checks").await.body;
    let of = |page: &str, name: &str| {
        page.matches(&format!(
            "class=\"what\" href=\"/dags/open_dag/checks/{name}"
        ))
        .count()
    };
    assert_eq!(
        (of(&page, "120001.0"), of(&page, "120001.1")),
        (1, 1),
        "{page}"
    );
    assert_eq!(page.matches("<title>").count(), 1 + 2 * 20, "{page}");
    let bad = kit.get("viewer", "/checks?bad=true").await.body;
    assert_eq!(
        (of(&bad, "120001.0"), of(&bad, "120001.1")),
        (1, 0),
        "{bad}"
    );
    assert!(bad.contains("12 of 4,000"), "{bad}");
    let none = kit.get("viewer", "/checks?bad=true&table=other").await.body;
    assert!(none.contains("Every check passed the last time it was made."));
    let one = kit
        .get("viewer", "/dags/open_dag/checks/120001.0")
        .await
        .body;
    for wanted in [
        "12 of 4,000 rows have no id",
        "<span class=\"muted\">NULL</span>",
        "SELECT * WHERE id IS NULL",
        "5 Jan 00:02 UTC: Failed, 12 rows failed",
    ] {
        assert!(one.contains(wanted), "{wanted}: {one}");
    }
    let last = kit
        .look("viewer", "/api/v1/checks/last?last=2&limit=1")
        .await;
    assert_eq!(last["items"][0]["name"], "not_null(id)");
    assert_eq!(last["items"][0]["last"].as_array().map(Vec::len), Some(2));
    let next = last["next"].as_str().expect("there is more");
    let path = format!("/api/v1/checks/last?last=2&limit=1&cursor={next}");
    let more = kit.look("viewer", &path).await;
    assert_eq!(more["items"][0]["last"][0]["status"], "failed");
}
