//! Pools, workers, alerts, settings, and restarting a run.

use axum::http::StatusCode;
use tidemill_core::state::TaskState;
use tidemill_scheduler::engine::{Changed, Command, Pausable, RunVersion, TaskChange};
use tidemill_store::outbox::Next;
use tidemill_web::DoorError;

use crate::kit::{Kit, at, fleet, run_path};

const PAGES: [&str; 21] = [
    "/loads",
    "/checks",
    "/dags/open_dag/loads/1001.0",
    "/dags/open_dag/checks/1001.0",
    "/backfills",
    "/backfills/1",
    "/backfills/1/cancel",
    "/dags/open_dag/backfill",
    "/pools",
    "/pools/bigquery",
    "/pools/bigquery/remove",
    "/workers",
    "/alerts",
    "/audit",
    "/dags/open_dag/audit",
    "/settings?check=true",
    "/variables",
    "/variables/region",
    "/connections",
    "/connections/crm",
    "/runs/all/retry?state=failed",
];

#[tokio::test]
async fn hostile_text_comes_back_as_text() {
    let kit = Kit::new().await;
    *kit.door.fleet.lock().unwrap() = fleet();
    let restart = format!("{}/restart", run_path("open_dag", 1));
    for page in PAGES.into_iter().chain([restart.as_str()]) {
        let answer = kit.get("admin", page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page} {}", answer.body);
        for tag in [
            "<script>alert",
            "<img src=x",
            "</title>javascript",
            " style=\"",
            " onclick=",
        ] {
            assert!(!answer.body.contains(tag), "{page} has {tag}");
        }
    }
}

#[tokio::test]
async fn the_navigation_shows_what_somebody_may_use() {
    let kit = Kit::new().await;
    let viewer = kit.get("viewer", "/").await.body;
    assert!(viewer.contains("href=\"/pools\"") && viewer.contains("href=\"/alerts\""));
    for secret in ["/variables", "/connections", "/audit", "/settings"] {
        let link = format!("href=\"{secret}\"");
        assert!(!viewer.contains(&link), "{secret}");
        assert!(kit.get("admin", "/").await.body.contains(&link), "{secret}");
    }
}

#[tokio::test]
async fn a_pool_is_looked_at_by_all_and_changed_by_some() {
    let kit = Kit::new().await;
    let page = kit.get("limited", "/pools/bigquery").await.body;
    assert!(
        page.contains("open_dag") && !page.contains("secret_dag"),
        "{page}"
    );
    assert!(page.contains("2 more slots are held"), "{page}");
    assert!(!page.contains("<button class=\"btn primary\">"));
    let form = "slots=16&holds_deferred=1&seen=7";
    let done = kit.post("operator", "/pools/bigquery", form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    {
        let asked = kit.door.asked.lock().unwrap();
        assert_eq!(asked[0].seen, Some(7));
        assert!(matches!(
            &asked[0].command,
            Command::SetPool { slots: Some(16), holds_deferred: true, name, .. } if &**name == "bigquery"
        ));
    }
    let made = kit.post("operator", "/pools", "name=new&slots=").await;
    assert_eq!(made.status, StatusCode::SEE_OTHER);
    let seen = kit.door.asked.lock().unwrap().last().unwrap().seen;
    assert_eq!(seen, Some(0), "one that is there is not changed");
    let wrong = kit.post("operator", "/pools", "name=new&slots=many").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("slots are a whole number"));
    let stale = DoorError::Stale("ann set it a minute ago".to_owned());
    *kit.door.refuses.lock().unwrap() = Some(stale);
    for path in ["/pools/new", "/pools"] {
        let late = kit.post("operator", path, "name=new&slots=2&seen=1").await;
        assert!(late.status.is_client_error());
    }
}

#[tokio::test]
async fn who_comes_second_is_told_who_was_first() {
    let kit = Kit::new().await;
    let page = "/pools/bigquery/remove";
    let sure = kit.get("operator", page).await.body;
    assert!(sure.contains("name=\"seen\" value=\"7\""), "{sure}");
    kit.door.only_asks_refused("ann removed it a minute ago");
    let late = kit.post("operator", page, "seen=7").await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.body.contains("ann removed it a minute ago"));
}

#[tokio::test]
async fn without_a_scheduler_the_pools_are_those_that_were_set() {
    let kit = Kit::new().await;
    *kit.door.refuses.lock().unwrap() = Some(DoorError::Away("nobody leads".to_owned()));
    let page = kit.get("viewer", "/pools").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("bigquery") && page.body.contains("? of 8"));
}

#[tokio::test]
async fn a_worker_is_sent_to_rest_and_queues_say_how_long_their_next_has_waited() {
    let kit = Kit::new().await;
    *kit.door.fleet.lock().unwrap() = fleet();
    let page = kit.get("operator", "/workers").await.body;
    assert!(
        page.contains(">40</td>") && page.contains("data-since>2 h 00 min</time>"),
        "{page}"
    );
    assert!(page.contains("5 of 8"), "{page}");
    assert!(!kit.get("viewer", "/workers").await.body.contains(">Drain<"));
    let done = kit
        .post("operator", "/workers/w1/drain", "drain=true")
        .await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    let asked = kit.door.asked.lock().unwrap();
    assert!(
        matches!(&asked[0].command, Command::Drain { worker, drain: true } if &**worker == "w1")
    );
}

#[tokio::test]
async fn an_alert_that_was_not_delivered_is_delivered_again_once() {
    let kit = Kit::new().await;
    let due = kit.store.outbox_due(at(10 * 86_400), 10).await.unwrap();
    let dead = due.iter().find(|due| due.row.id == 1).unwrap();
    kit.store
        .outbox_failed(dead, "no such channel", Next::Dead)
        .await
        .unwrap();
    let page = kit.get("operator", "/alerts?state=dead").await.body;
    assert!(
        page.contains("no such channel") && page.contains("Deliver again"),
        "{page}"
    );
    assert!(
        !kit.get("viewer", "/alerts?state=dead")
            .await
            .body
            .contains("Deliver again")
    );
    let again = "/alerts/1/again";
    for _ in 0..2 {
        let done = kit.post("operator", again, "seen=1").await;
        assert_eq!(done.status, StatusCode::SEE_OTHER);
    }
    let page = kit.get("operator", "/alerts?state=dead").await.body;
    assert!(page.contains("No alert is like this."), "{page}");
}

#[tokio::test]
async fn settings_say_what_is_in_force_and_what_is_within_reach() {
    let kit = Kit::new().await;
    let page = kit.get("admin", "/settings").await.body;
    assert!(
        page.contains("postgres://***@db/") && page.contains("SQLite"),
        "{page}"
    );
    assert!(
        !page.contains("it is full"),
        "nothing is looked at before it is asked for"
    );
    let page = kit.get("admin", "/settings?check=true").await.body;
    assert!(page.contains("it is full"));
}

#[tokio::test]
async fn a_run_restarts_from_a_task_on_after_it_was_shown() {
    let kit = Kit::new().await;
    let path = format!("{}/restart", run_path("open_dag", 1));
    let form = "from=load.sales&version=newest&note=again";
    let answer = Changed {
        tasks: vec![change(1, "load.sales")],
        writes_again: vec!["append into crm.tickets".into()],
        ..Changed::default()
    };
    *kit.door.answers.lock().unwrap() = answer;
    let shown = kit.post("operator", &path, form).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(
        shown.body.contains("append into crm.tickets"),
        "{}",
        shown.body
    );
    let hash = shown.body.split("name=\"shown\" value=\"").nth(1).unwrap();
    let hash = hash.split('"').next().unwrap().to_owned();
    let go = format!("{form}&step=do&seen=0&shown={hash}");
    let done = kit.post("operator", &path, &go).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    {
        let asked = kit.door.asked.lock().unwrap();
        let last = asked.last().unwrap();
        assert!(!last.dry_run && last.seen == Some(0));
        assert!(matches!(
            &last.command,
            Command::Clear { around, version: RunVersion::Newest, .. } if around.downstream
        ));
    }
    *kit.door.answers.lock().unwrap() = Changed::default();
    let late = kit.post("operator", &path, &go).await;
    assert_eq!(
        late.status,
        StatusCode::CONFLICT,
        "it would do something else"
    );
}

pub(crate) fn change(run: i64, name: &str) -> TaskChange {
    let task = crate::kit::task(run, (1, name), TaskState::Failed);
    TaskChange {
        of: task.of,
        name: task.name,
        from: TaskState::Failed,
        to: TaskState::None,
    }
}

#[tokio::test]
async fn a_pool_pauses() {
    let kit = Kit::new().await;
    let done = kit
        .post("operator", "/pools/bigquery/pause", "pause=true&seen=7")
        .await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    let asked = kit.door.asked.lock().unwrap();
    assert!(matches!(
        &asked[0].command,
        Command::Pause {
            what: Pausable::Pool(_),
            pause: true
        }
    ));
}
