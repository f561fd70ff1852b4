//! Whatever is sent, the answer is a problem that says what is wrong with it, and never an error of ours.

use axum::body::Body;
use axum::http::{Method, Request, header};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::document::path;
use crate::kit::{Answer, Kit};

fn is_problem(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.value();
    assert_eq!(problem["type"], format!("/api#{kind}"));
    assert_eq!(problem["status"], status);
    assert!(!problem["detail"].as_str().expect("it works").is_empty());
}

#[tokio::test]
async fn each_kind_of_problem_has_its_type() {
    let kit = Kit::new().await;
    let runs = "/api/v1/dags/open_dag/runs";
    let send = |method: Method, path: &'static str, body: &'static str| {
        let kit = &kit;
        async move { kit.json("operator", (method, path), body).await }
    };
    is_problem(
        &send(Method::GET, "/api/v1/nothing", "").await,
        404,
        "not-found",
    );
    is_problem(
        &send(Method::GET, "/api/v1/dags/none", "").await,
        404,
        "not-found",
    );
    let method = send(Method::DELETE, runs, "").await;
    is_problem(&method, 405, "method");
    assert!(
        method.header("allow").contains("POST"),
        "{:?}",
        method.headers
    );
    is_problem(
        &kit.json("nobody", (Method::GET, runs), "").await,
        401,
        "sign-in",
    );
    is_problem(
        &kit.json("viewer", (Method::POST, runs), "").await,
        403,
        "forbidden",
    );
    let big = "x".repeat(300 << 10);
    is_problem(
        &kit.json("operator", (Method::POST, runs), &big).await,
        413,
        "too-large",
    );
    let form = Request::builder()
        .method(Method::POST)
        .uri(runs)
        .header(header::AUTHORIZATION, "Bearer token-operator")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let form = kit
        .send(form.body(Body::from("a=b")).expect("it works"))
        .await;
    is_problem(&form, 415, "media-type");
}

#[tokio::test]
async fn whoever_changes_too_much_waits_and_others_do_not() {
    let kit = Kit::new().await.with_changes(3);
    let pause = async |who: &'static str| {
        let path = "/api/v1/dags/open_dag";
        kit.json(who, (Method::PATCH, path), "{\"paused\": true}")
            .await
    };
    for _ in 0..3 {
        assert!(pause("operator").await.status.is_success());
    }
    let refused = pause("operator").await;
    is_problem(&refused, 429, "too-fast");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(pause("admin").await.status.is_success());
    assert!(kit.get("operator", "/dags").await.status.is_success());
}

#[tokio::test]
async fn what_is_nested_too_deep_or_has_too_many_parameters_is_refused() {
    let kit = Kit::new().await;
    let deep = |depth: usize| {
        let value = "[".repeat(depth - 2) + &"]".repeat(depth - 2);
        format!("{{\"params\": {{\"x\": {value}}}}}")
    };
    let runs = "/api/v1/dags/open_dag/runs";
    let trigger = async |body: String| kit.json("operator", (Method::POST, runs), &body).await;
    let refused = trigger(deep(65)).await;
    is_problem(&refused, 422, "invalid");
    assert!(refused.body.contains("depth of 64"), "{}", refused.body);
    let deepest = trigger(deep(64)).await;
    assert!(!deepest.body.contains("depth of 64"), "{}", deepest.body);
    let brackets = format!("{{\"note\": \"\\\"{}\"}}", "[".repeat(200));
    assert!(trigger(brackets).await.status.is_success());
    let many = |number: usize| format!("/api/v1/runs?{}", vec!["state=failed"; number].join("&"));
    let refused = kit.json("operator", (Method::GET, &many(101)), "").await;
    is_problem(&refused, 400, "malformed");
    assert!(refused.body.contains("more than 100"), "{}", refused.body);
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_named() {
    let kit = Kit::new().await;
    let runs = "/api/v1/dags/open_dag/runs";
    let send = |method: Method, path: &'static str, body: &'static str| {
        let kit = &kit;
        async move { kit.json("operator", (method, path), body).await }
    };
    let broken = send(Method::POST, runs, "{\n  \"name\": oops}").await;
    is_problem(&broken, 400, "malformed");
    assert_eq!(
        (&broken.value()["line"], &broken.value()["column"]),
        (&2.into(), &11.into())
    );
    let unknown = send(Method::POST, runs, "{\"nam\": \"x\"}").await;
    is_problem(&unknown, 422, "invalid");
    assert_eq!(unknown.value()["errors"][0]["field"], "nam");
    let known = unknown.value()["errors"][0]["detail"]
        .as_str()
        .expect("it works")
        .to_owned();
    assert!(
        known.contains("`name`") && known.contains("`params`"),
        "{known}"
    );
    let nothing = send(Method::POST, runs, "{\"note\": \"a\\u0000b\"}").await;
    is_problem(&nothing, 422, "invalid");
    let half = send(Method::POST, runs, "{\"start\": \"2025-01-01T00:00:00Z\"}").await;
    assert_eq!(half.value()["errors"][0]["field"], "end");
    let missing = send(Method::POST, "/api/v1/dags/open_dag/backfills", "{}").await;
    assert_eq!(missing.value()["errors"][0]["field"], "from");
    assert!(kit.door.asked.lock().expect("it works").is_empty());
}

/// A part of a request: often nearly right, sometimes anything.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "{}",
        "[]",
        "null",
        "{\"note\":1}",
        "{\"paused\":true}",
        "{\"state\":\"success\",\"note\":\"n\"}",
        "{\"index\":-7}",
        "{\"index\":2147483647}",
        "{\"params\":{\"a\":[1,{\"b\":null}]}}",
        "{\"slots\":4294967296}",
        "{\"from\":\"-262143-01-01T00:00:00Z\",\"to\":\"+262142-12-31T23:59:59Z\"}",
        "{\"start\":\"2025-01-01T00:00:00Z\",\"end\":\"2025-01-02T00:00:00Z\"}",
        "{\"by\":\"a\",\"command\":{\"trigger\":{\"dag\":\"open_dag\"}}}",
        "{\"by\":\"a\",\"command\":{\"cancel_run\":{\"run\":-1}}}",
        "{\"action\":\"retry\",\"dag\":\"open_dag\"}",
        "{\"version\":\"newest\"}",
        "{\"choice\":\"\"}",
    ]);
    prop_oneof![
        4 => words.prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
        1 => "\\PC{0,40}".prop_map(String::into_bytes),
    ]
}

fn queries() -> impl Strategy<Value = String> {
    let pair = prop::sample::select(vec![
        "limit=1",
        "limit=-1",
        "limit=99999999999",
        "cursor=",
        "cursor=72756e733a302e302e30",
        "cursor=%F0%9F",
        "state=failed",
        "state=",
        "dry_run=true",
        "dry_run=1",
        "wait=0s",
        "wait=-1s",
        "index=-2",
        "index=0",
        "index=99999",
        "attempt=0",
        "from=error",
        "from=line-0",
        "from=99999999999999999999",
        "text=%25",
        "text=",
        "lines=0",
        "level=loud",
        "after=1",
        "version=",
        "dag=",
        "dag=open_dag",
        "q=%ff",
        "name=%F4%8F%BF%BF",
        "kind=manual",
        "paused=true",
        "task=x",
        "&&",
        "=",
        "to=2025-01-01T00:00:00Z",
        "from=9999-12-31T23:59:59Z",
    ]);
    prop::collection::vec(pair, 0..4).prop_map(|pairs| pairs.join("&"))
}

fn names() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "1",
        "latest",
        "-1",
        "99999999999999999999",
        "..",
        "%2e%2e",
        "a%20b",
        "%F0%9F%8C%8A",
        "load",
        "load.sales",
        "open_dag",
        "secret_dag",
        "none",
        "'%3B--",
        "9223372036854775807",
    ])
}

#[test]
#[expect(clippy::too_many_lines, reason = "one request is put together in it")]
fn nothing_that_is_sent_breaks_anything() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("it works");
    let kit = runtime.block_on(Kit::new());
    let routes: Vec<_> = kit
        .routes
        .iter()
        .filter(|route| route.path.starts_with("/api/v1/"))
        .cloned()
        .collect();
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
    ];
    let mut runner = TestRunner::new(Config {
        cases: 600,
        failure_persistence: None,
        ..Config::default()
    });
    let given = (
        (
            0..routes.len(),
            prop::option::weighted(0.2, 0..methods.len()),
        ),
        (queries(), bodies()),
        prop::option::weighted(0.5, names()),
        prop::sample::select(vec![
            "",
            "application/json",
            "text/plain",
            "application/json; charset=x",
        ]),
        prop::sample::select(vec!["", "\"3\"", "*", "\"-1\""]),
        prop::option::weighted(0.2, "[ -~]{0,8}"),
    );
    let ran = runner.run(
        &given,
        |((route, method), (query, body), name, kind, seen, key)| {
            let route = &routes[route];
            let method = method.map_or_else(|| route.method.clone(), |at| methods[at].clone());
            let at = match name {
                // The DAG stays, so that there is something behind it.
                Some(name) => route
                    .path
                    .split('/')
                    .map(|part| match part {
                        "{dag}" => "open_dag",
                        part if part.starts_with('{') => name,
                        part => part,
                    })
                    .collect::<Vec<_>>()
                    .join("/"),
                None => path(route.path),
            };
            let mut request = Request::builder()
                .method(method.clone())
                .uri(format!("{at}?{query}"));
            request = request.header(header::AUTHORIZATION, "Bearer token-admin");
            let headers = [
                ("content-type", kind),
                ("if-match", seen),
                ("idempotency-key", key.as_deref().unwrap_or("")),
            ];
            for (name, value) in headers.into_iter().filter(|(_, value)| !value.is_empty()) {
                request = request.header(name, value);
            }
            let Ok(request) = request.body(Body::from(body)) else {
                return Ok(());
            };
            let answer = runtime.block_on(kit.send(request));
            prop_assert!(
                answer.status.as_u16() < 500,
                "{method} {at}?{query}: {} {}",
                answer.status,
                answer.body
            );
            if answer.status.is_client_error() && method != Method::HEAD {
                prop_assert_eq!(answer.header("content-type"), "application/problem+json");
            }
            Ok(())
        },
    );
    ran.expect("it works");
}
