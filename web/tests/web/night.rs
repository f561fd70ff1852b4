//! What gets somebody who is called at night from a failure to what to do: the cause first, what is usual, an attempt beside
//! another one, the neighbours of a run, and lines as they come.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use futures_util::StreamExt as _;
use tidemill_core::operator::Level;
use tidemill_core::protocol::RunNo;
use tidemill_core::state::{RunState, TaskState};
use tidemill_logs::{Line, Numbered};
use tidemill_scheduler::engine::Command;
use tidemill_store::record::{AttemptEnd, AttemptRow, Changes};
use tower::ServiceExt as _;

use crate::kit::{HOSTILE, Kit, at, attempt, history, request, run, run_path, task};

fn sales(id: i64) -> String {
    format!("{}/tasks/load.sales", run_path("open_dag", id))
}

fn line(number: u64, text: &str) -> Numbered {
    Numbered {
        number,
        line: Line {
            at: at(0),
            level: Level::Info,
            text: text.to_owned(),
            source: None,
            fields: serde_json::Map::new(),
        },
    }
}

/// What [`history`] has, and before it so many runs that went well within ten minutes.
fn with_past(runs: i64) -> Changes {
    let mut changes = history();
    let version = changes.versions[0].clone();
    for id in 100..100 + runs {
        let mut well = run(id, &version, RunState::Success);
        well.start = at(-id * 3_600);
        well.end = at(-id * 3_600 + 1);
        changes.new_runs.push(well);
        let row = task(id, (1, "load.sales"), TaskState::Success);
        changes.new_tasks.push(row);
        changes.attempts.push(AttemptRow {
            end: AttemptEnd::Success,
            error_kind: None,
            message: None,
            help: None,
            ..attempt(id, 1)
        });
    }
    changes
}

#[tokio::test]
async fn what_failed_of_itself_stands_above_what_could_not_run_because_of_it() {
    let kit = Kit::new().await;
    let page = kit.get("viewer", &run_path("open_dag", 1)).await.body;
    let (_, roots) = page.split_once("What failed of itself").expect("a card");
    let (roots, _) = roots.split_once("</section>").expect("it ends");
    assert!(roots.contains("clash in 1 files"), "{roots}");
    assert!(
        roots.contains(&format!("href=\"{}#log\"", sales(1))),
        "{roots}"
    );
    let well = kit.get("viewer", &run_path("open_dag", 3)).await.body;
    assert!(!well.contains("What failed of itself"));
}

#[tokio::test]
async fn the_runs_that_failed_for_one_reason_are_listed_with_their_logs() {
    let kit = Kit::new().await;
    let page = kit.get("viewer", &sales(1)).await.body;
    let (before, _) = page
        .split_once("1 other run failed like this")
        .expect("a link");
    let (_, href) = before.rsplit_once("href=\"").expect("an address");
    let href = href
        .split('"')
        .next()
        .expect("it ends")
        .replace("&#38;", "&");
    let page = kit.get("viewer", &href).await.body;
    assert!(page.contains("2 runs, one cause"), "{page}");
    for id in [1, 2] {
        let log = format!("href=\"{}#log\"", sales(id));
        assert!(page.contains(&log), "{id}");
    }
    assert!(page.contains("state=failed"), "{page}");
    let home = kit.get("viewer", "/").await.body;
    assert!(home.contains("/alike\">2 runs, one cause"), "{home}");
    let well = format!("{}/alike", run_path("open_dag", 1) + "/tasks/extract");
    assert_eq!(kit.get("viewer", &well).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_run_that_takes_longer_than_usual_says_so_and_one_without_a_past_says_nothing() {
    let kit = Kit::holding(&with_past(8)).await;
    for page in [run_path("open_dag", 3), "/".to_owned()] {
        let body = kit.get("viewer", &page).await.body;
        assert!(body.contains("Longer than usual"), "{page} {body}");
    }
    let page = kit.get("viewer", &run_path("open_dag", 3)).await.body;
    assert!(page.contains("Usually takes<b>10 min 00 s</b>"), "{page}");
    let of_task = kit.get("viewer", &sales(3)).await.body;
    assert!(
        of_task.contains("Longer than usual") && of_task.contains("Usually takes 8 min 20 s."),
        "{of_task}"
    );
    let without = Kit::holding(&with_past(3)).await;
    let page = without.get("viewer", &run_path("open_dag", 3)).await.body;
    assert!(!page.contains("Longer than usual") && !page.contains("Usually takes"));
}

#[tokio::test]
async fn an_attempt_is_compared_with_the_last_success_or_with_another_one() {
    let kit = Kit::holding(&with_past(1)).await;
    *kit.door.lines.lock().expect("it works") =
        vec![line(1, "begin"), line(2, &format!("read 7 {HOSTILE}"))];
    let page = kit.get("viewer", &sales(1)).await.body;
    assert!(page.contains("/compare?attempt=1\">Compare"), "{page}");
    let compared = kit.get("viewer", &format!("{}/compare", sales(1))).await;
    assert_eq!(compared.status, StatusCode::OK, "{}", compared.body);
    for wanted in ["run_100", "Message", "differs", "Nothing differs."] {
        assert!(compared.body.contains(wanted), "{wanted}");
    }
    assert!(!compared.body.contains("<script>alert"));
    let none = format!("{}/compare?with_attempt=9", sales(1));
    assert_eq!(kit.get("viewer", &none).await.status, StatusCode::NOT_FOUND);
    let other = run_path("secret_dag", 4);
    let other = other.rsplit('/').next().expect("a name");
    let hidden = format!("{}/compare?with={other}", sales(1));
    assert_eq!(
        kit.get("viewer", &hidden).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_run_and_its_tasks_lead_to_the_runs_beside_it() {
    let kit = Kit::new().await;
    for of in ["", "/tasks/load.sales"] {
        let page = kit
            .get("viewer", &format!("{}{of}", run_path("open_dag", 2)))
            .await
            .body;
        for (key, id) in [("[", 1), ("]", 3)] {
            let (_, rest) = page
                .split_once(&format!("data-key=\"{key}\""))
                .expect("a link");
            let href = rest.split("href=\"").nth(1).expect("an address");
            let wanted = format!("{}{of}", run_path("open_dag", id));
            assert!(href.starts_with(&wanted), "{href}");
        }
    }
    let first = kit.get("viewer", &run_path("open_dag", 1)).await.body;
    assert!(!first.contains("data-key=\"[\"") && first.contains("data-key=\"]\""));
}

#[tokio::test]
async fn a_run_that_waits_is_given_another_priority() {
    let kit = Kit::new().await;
    let run = run_path("open_dag", 3);
    let page = kit.get("operator", &run).await.body;
    assert!(page.contains(&format!("href=\"{run}/priority\"")));
    let form = kit.get("operator", &format!("{run}/priority")).await.body;
    assert!(form.contains("name=\"priority\" type=\"number\""), "{form}");
    let path = format!("{run}/priority");
    let wrong = kit.post("operator", &path, "priority=much&seen=0").await;
    assert!(wrong.status.is_client_error(), "{}", wrong.status);
    assert!(wrong.body.contains("a priority is a whole number"));
    let sent = kit
        .post("operator", &path, "priority=-5&pool=bigquery&seen=0")
        .await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    let asked = kit.door.asked.lock().expect("it works");
    let last = asked.last().expect("it was asked");
    let Command::Reprioritise { priority, pool, .. } = &last.command else {
        panic!("{last:?}");
    };
    assert_eq!((*priority, pool.as_deref()), (-5, Some("bigquery")));
    assert_eq!((last.seen, last.dry_run), (Some(0), false));
}

#[tokio::test]
async fn lines_of_a_log_are_told_of_as_they_come_from_where_somebody_is() {
    let kit = Kit::new().await;
    *kit.door.lines.lock().expect("it works") = (1..=3).map(|nth| line(nth, "x")).collect();
    let open = async |after: u64, last: Option<&str>| {
        let path = format!("{}/log/live?after={after}", sales(1));
        let mut request = request(Method::GET, "viewer", &path);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).expect("it works");
        let answer = kit.router.clone().oneshot(request).await.expect("it works");
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let bytes = answer.into_body().into_data_stream();
        let texts = bytes.map(|bytes| String::from_utf8(bytes.expect("it works").to_vec()));
        texts
            .map(|text| text.expect("it is text"))
            .collect::<Vec<_>>()
            .await
    };
    let over = "event: over\ndata: the attempt is over\n\n";
    let lines = "id: 3\nevent: lines\ndata: 3\n\n";
    assert_eq!(open(1, None).await, ["retry: 3000\n\n", lines, over]);
    assert_eq!(open(3, None).await, ["retry: 3000\n\n", over]);
    assert_eq!(open(0, Some("3")).await, ["retry: 3000\n\n", over]);
}

#[tokio::test]
async fn every_page_of_a_dag_has_the_icon_of_its_last_run() {
    let kit = Kit::new().await;
    let views = [
        "",
        "/graph",
        "/runs",
        "/calendar",
        "/durations",
        "/definition",
        "/details",
    ];
    for view in views {
        let page = kit
            .get("viewer", &format!("/dags/open_dag{view}"))
            .await
            .body;
        assert!(page.contains("href=\"/static/icon-run."), "{view}");
    }
}

#[tokio::test]
async fn lengths_of_time_up_to_now_are_kept_current_on_every_page() {
    let kit = Kit::new().await;
    for (page, mark) in [
        ("/dags".to_owned(), "data-until>"),
        ("/dags/open_dag".to_owned(), "data-until>"),
        ("/runs".to_owned(), "data-since>"),
        ("/dags/open_dag/runs".to_owned(), "data-since>"),
        (run_path("open_dag", 3), "data-since>"),
    ] {
        let body = kit.get("viewer", &page).await.body;
        assert!(body.contains(mark), "{page}");
    }
}

#[tokio::test]
async fn picked_lines_can_be_copied_and_retried_by_who_may() {
    let kit = Kit::new().await;
    *kit.door.lines.lock().expect("it works") = vec![line(1, "x")];
    let page = kit.get("operator", &sales(1)).await.body;
    assert!(page.contains("data-copy=\"markdown\"") && page.contains("Retry from here"));
    let page = kit.get("viewer", &sales(1)).await.body;
    assert!(page.contains("data-copy=\"markdown\"") && !page.contains("Retry from here"));
}

#[tokio::test]
async fn what_an_attempt_that_is_over_waited_for_outside_is_drawn_apart() {
    let mut changes = history();
    let one = changes
        .attempts
        .iter_mut()
        .find(|one| one.of.run == RunNo(1))
        .expect("it is there");
    one.started_at = Some(at(4 * 86_400 + 10));
    one.deferred_at = Some(at(4 * 86_400 + 70));
    one.ended_at = at(4 * 86_400 + 490);
    let kit = Kit::holding(&changes).await;
    let gantt = format!("{}?tab=gantt", run_path("open_dag", 1));
    let page = kit.get("viewer", &gantt).await.body;
    assert!(page.contains("class=\"outside\""), "{page}");
    assert!(
        page.contains("waited for something outside: 7 min 00 s"),
        "{page}"
    );
    let of_task = kit.get("viewer", &sales(1)).await.body;
    assert!(
        of_task.contains("running <b>1 min 00 s</b>")
            && of_task.contains("deferred <b>7 min 00 s</b>"),
        "{of_task}"
    );
}
