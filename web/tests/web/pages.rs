//! What pages show.

use axum::http::StatusCode;
use tidemill_core::state::RunType;
use tidemill_scheduler::engine::{Command, Pausable};
use tidemill_web::DoorError;

use crate::kit::{Kit, run_path, wide};

const PAGES: [&str; 24] = [
    "/",
    "/dags",
    "/dags?state=failed",
    "/dags/open_dag",
    "/dags/open_dag/graph",
    "/dags/open_dag/runs",
    "/dags/open_dag/runs?name=%22%27%3E%3Cscript%3Ealert(1)%3C/script%3E",
    "/dags/open_dag/calendar",
    "/dags/open_dag/calendar?year=2025",
    "/dags/open_dag/durations",
    "/dags/open_dag/durations?last=500&from=9999",
    "/dags/open_dag/definition",
    "/dags/open_dag/definition?q=%22%27%3E%3Cscript%3Ealert(1)%3C/script%3E",
    "/dags/open_dag/diff",
    "/dags/open_dag/details",
    "/dags?choose=some",
    "/dags?choose=%22%27%3E%3Cscript%3Ealert(1)%3C/script%3E",
    "/runs",
    "/runs?dag=open_dag&state=failed",
    "/search",
    "/search?q=%22%27%3E%3Cscript%3Ealert(1)%3C/script%3E",
    "/runs?name=%22%27%3E%3Cscript%3Ealert(1)%3C/script%3E",
    "/dags?q=%22%27%3E%3Cscript%3Ealert(1)%3C/script%3E",
    "/workers",
];

#[tokio::test]
async fn hostile_text_comes_back_as_text() {
    let kit = Kit::new().await;
    for page in PAGES {
        let answer = kit.get("operator", page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}");
        for tag in ["<script>alert", "<img src=x", "</title>javascript"] {
            assert!(!answer.body.contains(tag), "{page} has {tag}");
        }
    }
    let dags = kit.get("operator", "/dags").await.body;
    assert!(
        dags.contains("&#60;script&#62;alert(1)"),
        "it is there as text"
    );
}

#[tokio::test]
async fn no_page_loads_from_elsewhere_and_each_script_has_its_nonce() {
    let kit = Kit::new().await;
    let mut nonces = Vec::new();
    for page in PAGES {
        let answer = kit.get("operator", page).await;
        let policy = answer.header("content-security-policy").to_owned();
        let nonce = policy
            .split("'nonce-")
            .nth(1)
            .unwrap()
            .split('\'')
            .next()
            .unwrap()
            .to_owned();
        assert!(
            answer.body.contains(&format!("nonce=\"{nonce}\"")),
            "{page}"
        );
        assert!(
            !answer.body.contains("style=\"") && !answer.body.contains("<style"),
            "{page}"
        );
        for wrong in [
            "src=\"http",
            "href=\"http",
            "href=\"//",
            " onclick=",
            "href=\"javascript",
        ] {
            assert!(!answer.body.contains(wrong), "{page} has {wrong}");
        }
        nonces.push(nonce);
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), PAGES.len());
}

#[tokio::test]
async fn home_groups_failures_by_their_cause() {
    let kit = Kit::new().await;
    let home = kit.get("viewer", "/").await.body;
    assert!(home.contains("2 runs, one cause"), "{home}");
    assert!(home.contains("2 causes of failure"));
    assert!(home.contains("no worker") || home.contains("0 workers"));
    let limited = kit.get("limited", "/").await.body;
    assert!(limited.contains("1 cause of failure"));
}

#[tokio::test]
async fn the_grid_has_a_word_in_each_square_and_groups_fold() {
    let kit = Kit::new().await;
    let page = kit.get("viewer", "/dags/open_dag").await.body;
    assert!(page.contains("<tr data-group=\"load\">"), "{page}");
    assert!(page.contains("<tr class=d1 data-in=\"load\"><th scope=row title=\"load.sales\">sales</th><td class=fail>Failed<td class=fail>Failed<td class=run>Running</tr>"), "{page}");
    assert!(page.contains("<td class=fail>1 Failed, 1 Upstream failed"));
    assert!(!page.contains("Trigger"), "a viewer has no buttons");
    let selected = kit.get("viewer", "/dags/open_dag/graph").await.body;
    assert!(
        selected.contains("class=\"task run\" data-task=\"load.sales\""),
        "{selected}"
    );
}

#[tokio::test]
async fn pausing_says_what_was_seen_and_whoever_comes_second_is_told() {
    let kit = Kit::new().await;
    let done = kit
        .post(
            "operator",
            "/dags/open_dag/pause",
            "pause=true&seen=7&to=//evil.test",
        )
        .await;
    assert_eq!(
        (done.status, done.header("location")),
        (StatusCode::SEE_OTHER, "/")
    );
    {
        let asked = kit.door.asked.lock().unwrap();
        assert_eq!(asked[0].seen, Some(7));
        assert!(
            matches!(&asked[0].command, Command::Pause { what: Pausable::Dag(dag), pause: true } if dag.as_str() == "open_dag")
        );
    }
    let stale = DoorError::Stale("ann paused it a minute ago".to_owned());
    *kit.door.refuses.lock().unwrap() = Some(stale);
    let late = kit
        .post("operator", "/dags/open_dag/pause", "pause=true&seen=7")
        .await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(
        late.body.contains("Ann paused it a minute ago"),
        "{}",
        late.body
    );
}

#[tokio::test]
async fn filters_and_places_in_lists_are_in_the_address() {
    let kit = Kit::new().await;
    let failed = kit
        .get("viewer", "/runs?dag=open_dag&state=failed")
        .await
        .body;
    assert!(failed.contains("run_1") && failed.contains("run_2"));
    assert!(!failed.contains("run_3") && !failed.contains("run_4"));
    let none = kit.get("viewer", "/dags?q=nothing_like_it").await.body;
    assert!(none.contains("Show all 2."));
}

#[tokio::test]
async fn assets_are_kept_for_ever_by_their_hash() {
    let kit = Kit::new().await;
    let page = kit.get("viewer", "/").await.body;
    let urls: Vec<&str> = page
        .split('"')
        .filter(|part| part.starts_with("/static/"))
        .collect();
    assert!(urls.len() >= 8, "{urls:?}");
    for url in urls {
        let file = kit.get("", url).await;
        assert_eq!(file.status, StatusCode::OK, "{url}");
        assert!(file.header("cache-control").contains("immutable"));
    }
}

#[tokio::test]
async fn a_grid_of_ten_thousand_squares_is_small() {
    let kit = Kit::wide(200, 60).await;
    let page = kit.get("viewer", "/dags/wide_dag").await.body;
    assert_eq!(page.matches("<td class=up>").count(), 10_000);
    assert!(page.len() < 500_000, "{} bytes", page.len());
    assert!(page.contains("Older runs"));
}

#[tokio::test]
async fn a_run_that_covers_the_same_as_the_last_of_a_page_is_on_the_next() {
    let mut changes = wide(1, 60);
    // Fifty are on the first page: the eleventh is its last one, and a person ran the same date once more before.
    changes.new_runs[9].start = changes.new_runs[10].start;
    changes.new_runs[9].kind = RunType::Manual;
    let kit = Kit::holding(&changes).await;
    let first = kit.get("viewer", "/dags/wide_dag").await.body;
    let (_, rest) = first.split_once("?before=").expect("there are older ones");
    let place = rest.split('"').next().unwrap();
    let path = format!("/dags/wide_dag?before={place}");
    let next = kit.get("viewer", &path).await.body;
    let seen = |page: &str, id: i64| page.contains(&run_path("wide_dag", id));
    assert!(seen(&first, 11) && !seen(&first, 10));
    assert!(seen(&next, 10) && !seen(&next, 11), "{next}");
}
