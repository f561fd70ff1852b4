//! Whatever is wrong is answered with a page or a problem that says what to do, and with all headers.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use tidemill_web::DoorError;

use crate::kit::{Answer, Kit, request};

fn dressed(answer: &Answer, what: &str) {
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{what}"
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    assert!(!answer.headers.contains_key("server"), "{what}");
}

#[tokio::test]
async fn bad_addresses_methods_and_forms_are_refused_with_a_page() {
    let kit = Kit::new().await;
    let long = format!("/dags/{}", "x".repeat(300));
    let cases = [
        ("/nothing", 404),
        ("/dags/no_such_dag", 404),
        ("/dags/..%2f..%2fetc", 404),
        ("/dags/%ff", 404),
        ("/dags/a%00b", 422),
        ("/runs?name=%00", 422),
        ("/dags/open_dag?run=no_such_run", 404),
        ("/dags/open_dag?before=soon", 422),
        ("/runs?state=sideways", 422),
        ("/runs?dag=%3Cb%3E", 422),
        ("/runs?after=1", 422),
        ("/runs?from=%3Cb%3E", 422),
        ("/runs?after=99999999999999999999.1", 422),
        ("/static/..%2fCargo.toml", 404),
        (long.as_str(), 404),
    ];
    for (path, status) in cases {
        let answer = kit.get("admin", path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert!(answer.body.contains("<h1>"), "{path}");
        dressed(&answer, path);
    }
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = kit
            .send(
                request(method, "admin", "/runs")
                    .body(Body::empty())
                    .unwrap(),
            )
            .await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert!(answer.header("allow").contains("GET"));
        dressed(&answer, "method");
    }
    for form in [
        "pause=perhaps&seen=7",
        "seen=7",
        "pause=true&seen=-1",
        "pause=true&seen=7&to=%00",
    ] {
        let answer = kit.post("admin", "/dags/open_dag/pause", form).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        dressed(&answer, form);
    }
    let long = "x=".to_owned() + &"y".repeat(300 << 10);
    let answer = kit.post("admin", "/dags/open_dag/pause", &long).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    dressed(&answer, "a long body");
    assert!(kit.door.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn programs_get_problems() {
    let kit = Kit::new().await;
    let ask = |path: &'static str| {
        let request = Request::builder()
            .uri(path)
            .header(header::ACCEPT, "application/json");
        kit.send(request.body(Body::empty()).unwrap())
    };
    for (path, status) in [("/api/v1/nothing", 404), ("/dags", 401)] {
        let answer = ask(path).await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].is_string());
        dressed(&answer, path);
    }
}

#[tokio::test]
async fn who_is_not_signed_in_is_told_how() {
    let kit = Kit::new().await;
    let answer = kit.get("", "/dags").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.body.contains("Sign in first") && answer.body.contains("terminal"));
    dressed(&answer, "sign in");
}

#[tokio::test]
async fn a_panic_is_a_page_and_says_nothing_of_itself() {
    let kit = Kit::new().await;
    *kit.door.panics.lock().unwrap() = true;
    let answer = kit.post("admin", "/dags/open_dag/trigger", "").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.body.contains("Something went wrong"));
    assert!(!answer.body.contains("secret words"));
    dressed(&answer, "a panic");
}

#[tokio::test]
async fn that_nobody_leads_is_said_and_nothing_more() {
    let kit = Kit::new().await;
    for (error, status) in [
        (DoorError::Away("nobody leads".to_owned()), 503),
        (DoorError::Open("look first".to_owned()), 504),
        (DoorError::Invalid("no such param".to_owned()), 422),
        (DoorError::Unknown("no DAG".to_owned()), 404),
    ] {
        *kit.door.refuses.lock().unwrap() = Some(error);
        let answer = kit.post("admin", "/dags/open_dag/trigger", "").await;
        assert_eq!(answer.status.as_u16(), status);
        dressed(&answer, "refused");
    }
}

#[tokio::test]
async fn life_and_readiness_are_for_everybody() {
    let kit = Kit::new().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(kit.get("", path).await.status, StatusCode::OK);
    }
}
