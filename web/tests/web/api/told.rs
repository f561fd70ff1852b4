//! What pages draw, as data; what is kept of people; and keys where none is taken.

use axum::http::Method;
use serde_json::json;
use tidemill_web::DoorError;

use crate::kit::{Kit, run_path};

#[tokio::test]
async fn the_grid_is_told_column_by_column() {
    let kit = Kit::new().await;
    let grid = "/api/v1/dags/open_dag/grid";
    let first = kit.look("viewer", &format!("{grid}?limit=1")).await;
    let column = &first["items"][0];
    assert_eq!(column["run"]["dag"], "open_dag");
    let tasks = column["tasks"].as_array().expect("it works");
    assert!(
        tasks.iter().any(|cell| cell["task"] == "load.sales"),
        "{column}"
    );
    let mut seen = vec![column["run"]["no"].clone()];
    let mut next = first["next"].clone();
    while let Some(cursor) = next.as_str() {
        let page = kit
            .look("viewer", &format!("{grid}?limit=1&cursor={cursor}"))
            .await;
        let items = page["items"].as_array().expect("it works");
        seen.extend(items.iter().map(|column| column["run"]["no"].clone()));
        next = page["next"].clone();
    }
    let runs = kit
        .look("viewer", "/api/v1/dags/open_dag/runs?limit=1000")
        .await;
    let runs = runs["items"].as_array().expect("it works").clone();
    assert_eq!(
        seen,
        runs.iter().map(|run| run["no"].clone()).collect::<Vec<_>>()
    );
}

fn time(value: &serde_json::Value) -> chrono::DateTime<chrono::FixedOffset> {
    let text = value.as_str().expect("it works");
    chrono::DateTime::parse_from_rfc3339(text).expect("a time")
}

#[tokio::test]
async fn a_run_over_time_names_what_decided_its_end() {
    let kit = Kit::new().await;
    let path = format!("/api/v1{}/timeline", run_path("open_dag", 1));
    let told = kit.look("viewer", &path).await;
    let tasks = told["tasks"].as_array().expect("it works");
    assert!(!tasks.is_empty(), "{told}");
    let critical = told["critical"].as_array().expect("it works");
    for name in critical {
        assert!(tasks.iter().any(|task| task["task"] == *name), "{told}");
    }
    for span in tasks
        .iter()
        .flat_map(|task| task["spans"].as_array().expect("it works"))
    {
        let doings = ["ran", "place", "begin", "retry", "outside"];
        assert!(
            doings.contains(&span["doing"].as_str().expect("it works")),
            "{span}"
        );
        assert!(time(&span["from"]) <= time(&span["to"]), "{span}");
    }
}

#[tokio::test]
async fn what_is_counted_of_a_dag_is_what_there_is() {
    let kit = Kit::new().await;
    let runs = kit
        .look("viewer", "/api/v1/dags/open_dag/runs?limit=1000")
        .await;
    let runs = runs["items"].as_array().expect("it works").clone();
    let times = kit
        .look("viewer", "/api/v1/dags/open_dag/durations?last=500")
        .await;
    assert_eq!(times["runs"], runs.len());
    let failed = runs.iter().filter(|run| run["state"] == "failed").count();
    assert_eq!(times["failed"], failed);
    let mut years: Vec<String> = runs
        .iter()
        .map(|run| run["start"].as_str().expect("it works")[..4].to_owned())
        .collect();
    years.sort_unstable();
    years.dedup();
    let mut counted = 0;
    for year in years {
        let path = format!("/api/v1/dags/open_dag/calendar?year={year}");
        let days = kit.look("viewer", &path).await;
        for day in days["items"].as_array().expect("it works") {
            assert!(
                day["day"].as_str().expect("it works").starts_with(&year),
                "{day}"
            );
            let of_day = day["runs"].as_array().expect("it works").iter();
            counted += of_day
                .map(|one| one["count"].as_u64().expect("it works"))
                .sum::<u64>();
        }
    }
    assert_eq!(counted, runs.len() as u64);
    for wrong in [
        "calendar?year=1",
        "calendar?year=x",
        "durations?last=0",
        "planned?limit=0",
    ] {
        let path = format!("/api/v1/dags/open_dag/{wrong}");
        let answer = kit.json("viewer", (Method::GET, &path), "").await;
        assert_eq!(answer.status.as_u16(), 422, "{wrong}");
        let field = wrong
            .split_once('?')
            .and_then(|(_, rest)| rest.split_once('='))
            .map(|(name, _)| name);
        assert_eq!(
            answer.value()["errors"][0]["field"].as_str(),
            field,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_text_finds_only_what_somebody_may_see() {
    let kit = Kit::new().await;
    let found = kit.look("admin", "/api/v1/search?text=_dag").await;
    let all = found["dags"].as_array().expect("it works");
    assert!(all.contains(&json!("secret_dag")), "{found}");
    let found = kit.look("limited", "/api/v1/search?text=_dag").await;
    assert_eq!(found["dags"], json!(["open_dag"]));
    let nothing = kit
        .json("admin", (Method::GET, "/api/v1/search?text=%20"), "")
        .await;
    assert_eq!(nothing.status.as_u16(), 422);
}

#[tokio::test]
async fn pools_say_what_is_taken_while_somebody_leads_and_by_whom_one_may_know() {
    let kit = Kit::new().await;
    let pool = "/api/v1/pools/bigquery";
    let told = kit.look("admin", pool).await;
    assert_eq!((&told["used"], &told["waiting"]), (&json!(4), &json!(5)));
    assert_eq!(told["holders"].as_array().map(Vec::len), Some(2));
    let told = kit.look("limited", pool).await;
    let holders = told["holders"].as_array().expect("it works");
    assert_eq!(holders.len(), 1);
    assert_eq!(holders[0]["dag"], "open_dag");
    *kit.door.refuses.lock().expect("it works") = Some(DoorError::Away("nobody leads".to_owned()));
    let all = kit.look("admin", "/api/v1/pools").await;
    for pool in all["items"].as_array().expect("it works") {
        assert_eq!(
            (&pool["used"], &pool["waiting"]),
            (&json!(null), &json!(null)),
            "{pool}"
        );
    }
}

#[tokio::test]
async fn a_worker_is_sent_to_rest() {
    let kit = Kit::new().await;
    let path = "/api/v1/workers/w1";
    let answer = kit
        .json("operator", (Method::PATCH, path), "{\"draining\": true}")
        .await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    let asked = kit.door.asked.lock().expect("it works");
    let command = serde_json::to_value(&asked[0].command).expect("it works");
    assert_eq!(command, json!({"drain": {"worker": "w1", "drain": true}}));
}

#[tokio::test]
async fn a_key_is_refused_where_it_would_promise_too_much() {
    let kit = Kit::new().await;
    let key = [("idempotency-key", "once")];
    let run = run_path("open_dag", 1);
    let cases = [
        ("/api/v1/dags/open_dag/backfills".to_owned(), "has no name"),
        ("/api/v1/runs/bulk".to_owned(), "If-Match"),
        (format!("/api/v1{run}/clear"), "If-Match"),
        (format!("/api/v1{run}/retry"), "If-Match"),
    ];
    for (path, says) in cases {
        let answer = kit
            .sent("operator", (Method::POST, &path), &key, "{}")
            .await;
        assert_eq!(answer.status.as_u16(), 422, "{path}: {}", answer.body);
        let value = answer.value();
        assert_eq!(value["errors"][0]["field"], "Idempotency-Key", "{path}");
        assert!(
            value["detail"].as_str().expect("it works").contains(says),
            "{value}"
        );
    }
    assert!(kit.door.asked.lock().expect("it works").is_empty());
    let look = kit
        .sent("operator", (Method::GET, "/api/v1/dags"), &key, "")
        .await;
    assert_eq!(look.status.as_u16(), 200);
}

#[tokio::test]
async fn admins_make_and_change_users_and_two_do_not_undo_each_other() {
    let kit = Kit::new().await;
    let users = "/api/v1/users";
    let body = "{\"name\": \"Bo@Example.com\", \"role\": \"operator\"}";
    let refused = kit.json("operator", (Method::POST, users), body).await;
    assert_eq!(refused.status.as_u16(), 403);
    let made = kit.json("admin", (Method::POST, users), body).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.body);
    let made = made.value();
    assert_eq!(made["user"]["name"], "bo@example.com");
    let password = made["password"].as_str().expect("it works");
    let stored = kit
        .store
        .user("bo@example.com")
        .await
        .expect("it works")
        .expect("it works");
    assert!(tidemill_access::password::verify(password, stored.password.as_deref()).is_right());
    let again = kit.json("admin", (Method::POST, users), body).await;
    assert_eq!(again.status.as_u16(), 409);
    let one = "/api/v1/users/bo@example.com";
    let tag = format!("\"{}\"", stored.edits);
    let seen = [("if-match", tag.as_str())];
    let patch = "{\"role\": \"viewer\"}";
    let first = kit.sent("admin", (Method::PATCH, one), &seen, patch).await;
    assert_eq!(first.status.as_u16(), 200, "{}", first.body);
    assert_eq!(first.value()["role"], "viewer");
    let second = kit.sent("admin", (Method::PATCH, one), &seen, patch).await;
    assert_eq!(second.status.as_u16(), 412, "{}", second.body);
    let grants = format!("{one}/grants");
    let grant = "{\"dags\": \"open_*\", \"role\": \"operator\"}";
    let given = kit.json("admin", (Method::PUT, &grants), grant).await;
    assert_eq!(
        given.value()["grants"][0]["dags"],
        "open_*",
        "{}",
        given.body
    );
    let taken = format!("{grants}?dags=open_*");
    let taken = kit.json("admin", (Method::DELETE, &taken), "").await;
    assert_eq!(taken.value()["grants"], json!([]));
    let shown = kit.look("admin", users).await;
    assert!(!shown.to_string().contains("argon2"), "no hash leaves");
}

#[tokio::test]
async fn settings_are_for_who_may_see_them() {
    let kit = Kit::new().await;
    let refused = kit
        .json("viewer", (Method::GET, "/api/v1/settings"), "")
        .await;
    assert_eq!(refused.status.as_u16(), 403);
    let told = kit.look("admin", "/api/v1/settings?check=true").await;
    assert_eq!(told["release"], env!("CARGO_PKG_VERSION"));
    let steps = told["schema"].as_array().expect("it works");
    assert!(
        steps.iter().all(|step| step["applied_at"].is_string()),
        "{told}"
    );
    assert!(told["checks"].is_array());
}
