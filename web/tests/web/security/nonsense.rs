//! Nonsense on every route: names, queries, bodies, cookies and methods that make no sense are refused with a page or a
//! problem that says what to do, with all headers, and nothing of it is an error of ours.

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, header};
use tidemill_web::Route;

use crate::access::path;
use crate::kit::{Answer, Kit};

const NAMES: [&str; 12] = [
    "%20",
    "a%00b",
    "%ff",
    "%f0%9f",
    "..",
    "%2e%2e%2fetc",
    "-1",
    "99999999999999999999",
    "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "a%0d%0aset-cookie:%20x=1",
    "'%20OR%20'1'='1",
    "%E2%80%AE",
];

const QUERIES: [&str; 8] = [
    "limit=-1&cursor=zz&before=x&after=x&from=x&to=x&index=9999999999&attempt=x&last=-1&year=99999999",
    "limit=0&cursor=&before=&after=&from=&to=&index=&attempt=&last=&year=&tab=&scope=&state=&dag=",
    "limit=9223372036854775808&after=1.2.3&index=-2&line=-1&level=loud&year=-262144",
    "year=262143&from=-262143-01-01&to=%2B262143-01-01&before=-9223372036854775808",
    "%ff=%ff&a=%f0%9f",
    "dag=%3Cb%3E&state=%27&kind=%22&q=%5C&name=%25",
    "=&&=&==&a[]=1&a.b=2",
    "wait=99999999999s&dry_run=perhaps&no=-1&version=x&old=x&new=x",
];

const FORMS: [&str; 7] = [
    "",
    "%ff=%fe&=&&x",
    "pause=perhaps&seen=-1&drain=7&slots=-9&role=god&name=%20&value=",
    "seen=99999999999999999999&shown=zz&step=do&until=x&after=x&done=-1",
    "note=%00",
    "from=x&to=x&active=-1&state=sideways&version=old&index=x&choice=",
    "{\"a\":1}",
];

const BODIES: [&str; 8] = [
    "",
    "null",
    "[]",
    "{\"a\":",
    "{\"paused\":\"perhaps\",\"state\":7,\"from\":[],\"slots\":-1,\"value\":{},\"note\":false}",
    "{\"note\":\"a\\u0000b\",\"index\":9223372036854775808}",
    "\"\\ud800\"",
    "{\"from\":\"-262143-01-01T00:00:00Z\",\"to\":\"+262142-12-31T23:59:59Z\"}",
];

/// That an answer is what somebody can go on from.
fn sound(route: &Route, what: &str, answer: &Answer) {
    let status = answer.status.as_u16();
    let says = format!(
        "{} {} with {what}: {status} {}",
        route.method, route.path, answer.body
    );
    assert!(status < 500, "{says}");
    let policy = answer.header("content-security-policy");
    for wanted in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(wanted), "{says}");
    }
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{says}");
    assert!(!answer.header("referrer-policy").is_empty(), "{says}");
    assert!(!answer.headers.contains_key("server"), "{says}");
    assert!(
        !answer.body.contains(env!("CARGO_PKG_VERSION")) || status < 400,
        "{says}"
    );
    if status < 400 {
        return;
    }
    if route.path.starts_with("/api/") {
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{says}"
        );
        let problem = answer.value();
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| detail.len() > 8),
            "{says}"
        );
    } else {
        assert!(answer.body.contains("<h1>"), "{says}");
    }
}

fn listens(route: &Route) -> bool {
    route.path == "/live" || route.path.ends_with("/follow")
}

async fn ask(kit: &Kit, route: &Route, path: &str, body: &str) -> Answer {
    if route.path.starts_with("/api/") {
        kit.json("admin", (route.method.clone(), path), body).await
    } else if route.method == Method::GET {
        kit.get("admin", path).await
    } else {
        kit.post("admin", path, body).await
    }
}

#[tokio::test]
async fn names_that_nothing_has_are_refused_on_every_route() {
    let kit = Kit::new().await;
    let long = "x".repeat(300);
    for route in kit.routes.iter().filter(|route| route.path.contains('{')) {
        let holes: Vec<&str> = route
            .path
            .split('/')
            .filter(|part| part.starts_with('{'))
            .collect();
        for hole in holes {
            for name in NAMES.into_iter().chain([long.as_str()]) {
                let at = path(&route.path.replace(hole, name), "open_dag");
                let answer = ask(&kit, route, &at, "{}").await;
                sound(route, &at, &answer);
            }
        }
    }
}

#[tokio::test]
async fn queries_that_make_no_sense_are_refused_on_every_route() {
    let kit = Kit::new().await;
    for route in kit.routes.iter().filter(|route| !listens(route)) {
        for query in QUERIES {
            let at = format!("{}?{query}", path(route.path, "open_dag"));
            let answer = ask(&kit, route, &at, "{}").await;
            sound(route, &at, &answer);
        }
    }
}

#[tokio::test]
async fn bodies_that_make_no_sense_are_refused_on_every_route() {
    let kit = Kit::new().await;
    let deep = "[".repeat(10_000);
    for route in kit
        .routes
        .iter()
        .filter(|route| route.method != Method::GET)
    {
        let at = path(route.path, "open_dag");
        let bodies = if route.path.starts_with("/api/") {
            &BODIES[..]
        } else {
            &FORMS
        };
        for body in bodies.iter().copied().chain([deep.as_str()]) {
            let answer = ask(&kit, route, &at, body).await;
            let body: String = body.chars().take(80).collect();
            sound(route, &body, &answer);
        }
        for kind in [
            "",
            "text/plain",
            "multipart/form-data; boundary=x",
            "application/xml",
        ] {
            let request = Request::builder()
                .method(route.method.clone())
                .uri(&at)
                .header(header::AUTHORIZATION, "Bearer token-admin")
                .header(header::ACCEPT, "text/html")
                .header(header::CONTENT_TYPE, kind);
            let answer = kit
                .send(request.body(Body::from("a=b")).expect("a request"))
                .await;
            sound(route, kind, &answer);
        }
    }
}

#[tokio::test]
async fn cookies_and_methods_that_make_no_sense_are_refused_on_every_route() {
    let kit = Kit::new().await;
    let cookies: [&[u8]; 5] = [
        b"tidemill=",
        b"tidemill=\xff\xfe",
        b"=;=;;=",
        b"tidemill=a; tidemill=b",
        b"\xf0",
    ];
    for route in &kit.routes {
        let at = path(route.path, "open_dag");
        for cookie in cookies {
            let request = Request::builder()
                .method(route.method.clone())
                .uri(&at)
                .header(header::ACCEPT, "text/html")
                .header(
                    header::COOKIE,
                    HeaderValue::from_bytes(cookie).expect("a header"),
                );
            let answer = kit
                .send(request.body(Body::empty()).expect("a request"))
                .await;
            sound(route, "a cookie", &answer);
        }
        let registered = |method: &Method| {
            kit.routes
                .iter()
                .any(|other| other.path == route.path && other.method == *method)
        };
        let odd = Method::from_bytes(b"PROPFIND").expect("a method");
        let methods = [
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::TRACE,
            Method::OPTIONS,
            odd,
        ];
        for method in methods.iter().filter(|method| !registered(method)) {
            let request = Request::builder()
                .method(method)
                .uri(&at)
                .header(header::ACCEPT, "text/html")
                .header(header::AUTHORIZATION, "Bearer token-admin");
            let answer = kit
                .send(request.body(Body::empty()).expect("a request"))
                .await;
            assert_eq!(answer.status.as_u16(), 405, "{method} {}", route.path);
            assert!(
                !answer.header("allow").is_empty(),
                "{method} {}",
                route.path
            );
            sound(route, method.as_str(), &answer);
        }
    }
    assert!(kit.door.asked.lock().expect("it works").is_empty());
}
