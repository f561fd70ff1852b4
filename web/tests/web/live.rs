//! Pages are told when to read again: those that show what changed, of people who may see it, and no others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, BodyDataStream};
use axum::http::{Method, StatusCode};
use futures_util::{FutureExt as _, StreamExt as _};
use tidemill_core::operator::{BoxFuture, Level};
use tidemill_core::state::{RunState, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_logs::{Line, Numbered};
use tidemill_store::CommitOutcome;
use tidemill_store::record::{Changes, DagRow, RunRow, TaskRow};
use tidemill_web::access::AccessError;
use tidemill_web::{Access, Principal, Role};
use tower::ServiceExt as _;

use crate::kit::{Kit, at, dag_row, request, run, run_name, run_path, task, version};

/// A page that listens.
struct Ear(BodyDataStream);

impl Ear {
    async fn open(kit: &Kit, who: &str, path: &str) -> Self {
        let request = request(Method::GET, who, path)
            .body(Body::empty())
            .expect("it works");
        let response = kit.router.clone().oneshot(request).await.expect("it works");
        assert_eq!(response.status(), StatusCode::OK, "{who} {path}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let mut ear = Self(response.into_body().into_data_stream());
        let first = ear.0.next().await.expect("it works").expect("it works");
        assert!(first.starts_with(b"retry: "), "{first:?}");
        ear
    }

    /// The next event, without what only keeps the line open.
    async fn hears(&mut self) -> Option<String> {
        loop {
            let bytes = self.0.next().await?.expect("it works");
            if !bytes.starts_with(b":") {
                return Some(String::from_utf8(bytes.to_vec()).expect("it works"));
            }
        }
    }

    /// Nothing has come.
    fn hears_nothing(&mut self) {
        while let Some(bytes) = self.0.next().now_or_never() {
            let bytes = bytes.expect("it works").expect("it works");
            assert!(bytes.starts_with(b":"), "{bytes:?}");
        }
    }
}

fn changed(topic: &str) -> Option<String> {
    Some(format!("event: changed\ndata: {topic}\n\n"))
}

async fn put(kit: &Kit, batch: i64, changes: &Changes) {
    let outcome = kit.leader.commit(batch, changes).await;
    assert!(matches!(outcome, Ok(CommitOutcome::Done)), "{outcome:?}");
}

/// A task of run 3 of `open_dag` comes into another state.
fn of_run_3(batch: i64) -> Changes {
    let row = TaskRow {
        since: at(4 * 86_400 + 600 + batch),
        ..task(3, (1, "load.sales"), TaskState::Running)
    };
    Changes {
        tasks: vec![row],
        ..Changes::default()
    }
}

/// Somebody does something with `secret_dag`.
fn of_secret(edits: u32) -> Changes {
    let row = DagRow {
        edits,
        ..dag_row(&version("secret_dag"))
    };
    Changes {
        dags: vec![row],
        ..Changes::default()
    }
}

#[tokio::test]
async fn a_page_is_told_of_what_it_shows() {
    let kit = Kit::new().await;
    let path = format!("/live?dag=open_dag&run={}", run_name(3));
    let mut run = Ear::open(&kit, "viewer", &path).await;
    let mut dag = Ear::open(&kit, "viewer", "/live?dag=open_dag").await;
    let mut home = Ear::open(&kit, "viewer", "/live").await;
    // What is shown may be older than the first look, so whoever comes is told once.
    assert_eq!(run.hears().await, changed("run:3"));
    assert_eq!(dag.hears().await, changed("dag:open_dag"));
    assert_eq!(home.hears().await, changed("home"));
    put(&kit, 2, &of_run_3(2)).await;
    assert_eq!(run.hears().await, changed("run:3"));
    assert_eq!(dag.hears().await, changed("dag:open_dag"));
    // What happens elsewhere is heard only by those who show it.
    for (batch, edits) in [(3, 8), (4, 9)] {
        put(&kit, batch, &of_secret(edits)).await;
        assert_eq!(home.hears().await, changed("home"));
    }
    run.hears_nothing();
    dag.hears_nothing();
    // A run that begins.
    let begins = Changes {
        new_runs: vec![self::run(5, &version("open_dag"), RunState::Queued)],
        ..Changes::default()
    };
    put(&kit, 5, &begins).await;
    assert_eq!(dag.hears().await, changed("dag:open_dag"));
    assert_eq!(home.hears().await, changed("home"));
}

#[tokio::test]
async fn whoever_comes_later_is_told_once_as_well() {
    let kit = Kit::new().await;
    let mut first = Ear::open(&kit, "viewer", "/live?dag=open_dag").await;
    assert_eq!(first.hears().await, changed("dag:open_dag"));
    let mut second = Ear::open(&kit, "viewer", "/live?dag=open_dag").await;
    assert_eq!(second.hears().await, changed("dag:open_dag"));
    put(&kit, 2, &of_run_3(2)).await;
    assert_eq!(first.hears().await, changed("dag:open_dag"));
    assert_eq!(second.hears().await, changed("dag:open_dag"));
}

#[tokio::test]
async fn nobody_hears_of_what_they_may_not_see() {
    let kit = Kit::new().await;
    let secret_run = format!("/live?dag=secret_dag&run={}", run_name(4));
    let unknown = kit.get("limited", "/live?dag=no_such_dag").await;
    for path in ["/live?dag=secret_dag", &*secret_run] {
        let answer = kit.get("limited", path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.body.contains("run:4"), "{path}");
    }
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let elsewhere = format!("/live?dag=open_dag&run={}", run_name(4));
    let answer = kit.get("viewer", &elsewhere).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(kit.get("", "/live").await.status, StatusCode::UNAUTHORIZED);

    let mut all = Ear::open(&kit, "viewer", "/live").await;
    let mut some = Ear::open(&kit, "limited", "/live").await;
    assert_eq!(all.hears().await, changed("home"));
    assert_eq!(some.hears().await, changed("home"));
    for (batch, edits) in [(2, 8), (3, 9)] {
        put(&kit, batch, &of_secret(edits)).await;
        assert_eq!(all.hears().await, changed("home"));
        some.hears_nothing();
    }
    let edited = RunRow {
        edits: 1,
        ..run(3, &version("open_dag"), RunState::Running)
    };
    let changes = Changes {
        runs: vec![edited],
        ..Changes::default()
    };
    put(&kit, 4, &changes).await;
    assert_eq!(some.hears().await, changed("home"));
}

/// Everybody is let in until nobody is.
#[derive(Debug, Default)]
struct Leaving(AtomicBool);

impl Access for Leaving {
    fn session<'a>(
        &'a self,
        secret: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>> {
        let is_out = self.0.load(Ordering::SeqCst);
        Box::pin(async move { Ok((!is_out).then(|| Principal::of(secret, Role::Viewer))) })
    }

    fn token<'a>(
        &'a self,
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>> {
        Box::pin(async { Ok(None) })
    }

    fn redeem<'a>(
        &'a self,
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<String>, AccessError>> {
        Box::pin(async { Ok(None) })
    }

    fn end<'a>(&'a self, _: &'a str, _: Timestamp) -> BoxFuture<'a, Result<(), AccessError>> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn a_line_ends_with_the_session() {
    let access = Arc::new(Leaving::default());
    let kit = Kit::with(Arc::clone(&access) as _, false).await;
    let mut home = Ear::open(&kit, "viewer", "/live").await;
    let mut dag = Ear::open(&kit, "viewer", "/live?dag=open_dag").await;
    assert_eq!(home.hears().await, changed("home"));
    assert_eq!(dag.hears().await, changed("dag:open_dag"));
    access.0.store(true, Ordering::SeqCst);
    assert_eq!(home.hears().await, None);
    assert_eq!(dag.hears().await, None);
    assert_eq!(
        kit.get("viewer", "/live").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn lines_end_at_once_when_the_process_stops() {
    let kit = Kit::new().await;
    let mut home = Ear::open(&kit, "viewer", "/live").await;
    assert_eq!(home.hears().await, changed("home"));
    kit.web.stop_listening();
    assert_eq!(home.hears().await, None);
    let answer = kit.get("viewer", "/live").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn pages_say_where_they_listen() {
    let kit = Kit::new().await;
    let run = run_path("open_dag", 3);
    let encoded = run.rsplit('/').next().expect("it works").to_owned();
    for (path, listens) in [
        ("/", "/live".to_owned()),
        ("/dags/open_dag", "/live?dag=open_dag".to_owned()),
        (&*run, format!("/live?dag=open_dag&amp;run={encoded}")),
    ] {
        let page = kit.get("viewer", path).await.body;
        let page = page.replace("&#38;", "&amp;");
        assert!(page.contains(&format!("data-live=\"{listens}\"")), "{path}");
    }
}

#[tokio::test]
async fn a_page_has_the_icon_of_its_state() {
    let kit = Kit::new().await;
    for (id, icon) in [(1, "icon-fail."), (3, "icon-run.")] {
        let page = kit.get("viewer", &run_path("open_dag", id)).await.body;
        assert!(page.contains(&format!("href=\"/static/{icon}")), "{id}");
    }
    let task = format!("{}/tasks/extract", run_path("open_dag", 1));
    let page = kit.get("viewer", &task).await.body;
    assert!(page.contains("href=\"/static/icon-ok."));
    let href = page
        .split("rel=\"icon\"")
        .nth(1)
        .and_then(|rest| rest.split("href=\"").nth(1))
        .expect("it works");
    let icon = kit.get("", href.split('"').next().expect("it works")).await;
    assert_eq!(icon.status, StatusCode::OK);
    assert_eq!(icon.header("content-type"), "image/svg+xml");
}

fn line(number: u64) -> Numbered {
    Numbered {
        number,
        line: Line {
            at: at(0),
            level: Level::Info,
            text: format!("line {number}"),
            source: None,
            fields: serde_json::Map::new(),
        },
    }
}

#[tokio::test]
async fn a_log_that_grows_is_read_on_from_its_end() {
    let kit = Kit::new().await;
    *kit.door.is_live.lock().expect("it works") = true;
    *kit.door.lines.lock().expect("it works") = (1..=3).map(line).collect();
    let log = format!("{}/tasks/load.sales/log", run_path("open_dag", 1));
    let read = |from: u64| {
        let path = format!("{log}?from={from}");
        let kit = &kit;
        async move {
            let body = kit.get("viewer", &path).await.body;
            let page: serde_json::Value = serde_json::from_str(&body).expect("it works");
            let lines = page["lines"].as_array().expect("it works").iter();
            let texts: Vec<String> = lines
                .map(|line| line["m"].as_str().expect("it works").to_owned())
                .collect();
            (texts, page["finished"].as_bool().expect("it works"))
        }
    };
    assert_eq!(read(3).await, (vec![], false));
    *kit.door.lines.lock().expect("it works") = (1..=5).map(line).collect();
    let came = vec!["line 4".to_owned(), "line 5".to_owned()];
    assert_eq!(read(3).await, (came, false));
    *kit.door.is_live.lock().expect("it works") = false;
    assert_eq!(read(5).await, (vec![], true));
}

#[tokio::test]
async fn a_log_leads_to_that_of_the_last_run_in_which_it_went_well() {
    let kit = Kit::new().await;
    let task_of = |id| format!("{}/tasks/load.sales", run_path("open_dag", id));
    let page = kit.get("viewer", &task_of(1)).await.body;
    assert!(!page.contains("Log of the last success"));
    let well = task(2, (1, "load.sales"), TaskState::Success);
    let changes = Changes {
        tasks: vec![well],
        ..Changes::default()
    };
    put(&kit, 2, &changes).await;
    let page = kit.get("viewer", &task_of(1)).await.body;
    let link = format!("href=\"{}#log\">Log of the last success", task_of(2));
    assert!(page.contains(&link));
}
