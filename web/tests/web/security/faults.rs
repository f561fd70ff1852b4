//! When something of ours breaks, at whatever route: people are told that, with an id, and nothing of what it was.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use tidemill_core::operator::BoxFuture;
use tidemill_core::time::Timestamp;
use tidemill_web::access::AccessError;
use tidemill_web::{Access, Policy, Principal};

use crate::access::path;
use crate::kit::{Answer, Kit};

/// What nobody may be told.
const INSIDE: &str = "SELECT secret FROM user_account at /srv/tidemill/src/lib.rs:7:9";

/// Cannot find out who anybody is.
#[derive(Debug)]
struct Broken;

fn broken<T>() -> BoxFuture<'static, Result<T, AccessError>> {
    Box::pin(async { Err(AccessError::Broken(INSIDE.to_owned())) })
}

impl Access for Broken {
    fn session<'a>(
        &'a self,
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>> {
        broken()
    }

    fn token<'a>(
        &'a self,
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Principal>, AccessError>> {
        broken()
    }

    fn redeem<'a>(
        &'a self,
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<String>, AccessError>> {
        broken()
    }

    fn end<'a>(&'a self, _: &'a str, _: Timestamp) -> BoxFuture<'a, Result<(), AccessError>> {
        broken()
    }

    fn vouched<'a>(
        &'a self,
        _: &'a Principal,
        _: &'a HeaderMap,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<bool, AccessError>> {
        broken()
    }
}

/// That nothing of what broke is told.
fn tells_nothing(what: &str, answer: &Answer) {
    if answer.status.is_success() {
        return;
    }
    for inside in [
        "SELECT",
        "secret words",
        "/srv/",
        "sqlite",
        "SQLite",
        "panicked",
        ".rs",
        "/tmp/",
    ] {
        assert!(!answer.body.contains(inside), "{what}: {}", answer.body);
    }
    assert!(
        answer
            .header("content-security-policy")
            .contains("default-src 'none'"),
        "{what}"
    );
}

async fn ask(kit: &Kit, method: &Method, path: &str) -> Answer {
    let kind = if path.starts_with("/api/") {
        "application/json"
    } else {
        "application/x-www-form-urlencoded"
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::ACCEPT, "text/html")
        .header(header::AUTHORIZATION, "Bearer token-admin")
        .header(header::CONTENT_TYPE, kind);
    let body = if path.starts_with("/api/") {
        "{}"
    } else {
        "pause=true&seen=7&state=success&note=why&drain=true"
    };
    kit.send(request.body(Body::from(body)).expect("a request"))
        .await
}

#[tokio::test]
async fn an_error_of_ours_says_nothing_of_itself_on_any_route() {
    let kit = Kit::with(Arc::new(Broken), false).await;
    for route in kit
        .routes
        .iter()
        .filter(|route| route.policy != Policy::PUBLIC)
    {
        let answer = ask(&kit, &route.method, &path(route.path, "open_dag")).await;
        assert_eq!(
            answer.status,
            StatusCode::INTERNAL_SERVER_ERROR,
            "{route:?}"
        );
        tells_nothing(route.path, &answer);
        let id = answer
            .body
            .split("under the id ")
            .nth(1)
            .map(|rest| rest.chars().take_while(char::is_ascii_hexdigit).count());
        assert_eq!(id, Some(8), "{route:?}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_panic_behind_any_route_says_nothing_of_itself() {
    let kit = Kit::new().await;
    *kit.door.panics.lock().expect("it works") = true;
    let mut panics = 0;
    for route in &kit.routes {
        let answer = ask(&kit, &route.method, &path(route.path, "open_dag")).await;
        tells_nothing(route.path, &answer);
        panics += usize::from(answer.status == StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert!(panics > 20, "{panics} routes ask the leader");
}

#[tokio::test]
async fn a_database_that_is_gone_is_said_to_be_and_nothing_more_on_any_route() {
    let kit = Kit::new().await;
    kit.store.close().await;
    let mut away = 0;
    for route in &kit.routes {
        let answer = ask(&kit, &route.method, &path(route.path, "open_dag")).await;
        tells_nothing(route.path, &answer);
        away += usize::from(answer.status.is_server_error());
    }
    assert!(away > 60, "{away} routes read the database");
}

#[tokio::test]
async fn what_everybody_sees_names_no_version() {
    let kit = Kit::with_users(|users| users).await;
    for path in [
        "/healthz",
        "/readyz",
        "/sign-in",
        "/nothing",
        "/dags",
        "/api/v1/dags",
        "/static/none.js",
    ] {
        let answer = kit.get("", path).await;
        let version = env!("CARGO_PKG_VERSION");
        assert!(!answer.body.contains(version), "{path}: {}", answer.body);
        for name in ["server", "x-powered-by", "via"] {
            assert!(!answer.headers.contains_key(name), "{path}: {name}");
        }
    }
    for path in ["/metrics", "/debug", "/debug/pprof"] {
        assert_eq!(
            kit.get("", path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}
