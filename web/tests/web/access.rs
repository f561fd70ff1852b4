//! Who is let in.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use tidemill_web::{Action, Local, Policy, Role, Route};

use crate::kit::{Kit, request, run_path};

/// A path of a route, with something in the place of each name.
pub(crate) fn path(route: &str, dag: &str) -> String {
    let id = if dag == "secret_dag" { 4 } else { 1 };
    let run = run_path(dag, id);
    let of_secret = dag == "secret_dag" && route.contains("{dag}");
    let backfill = if of_secret { "2" } else { "1" };
    let left = if of_secret { "4001.0" } else { "1001.0" };
    route
        .replace("/dags/{dag}/runs/{run}", &run)
        .replace("{backfill}", backfill)
        .replace("{load}", left)
        .replace("{check}", left)
        .replace("{dag}", dag)
        .replace("{task}", "load.sales")
        .replace("{name}", "x")
        .replace("{user}", "kim")
        .replace("{deed}", "clear")
        .replace("{pool}", "bigquery")
        .replace("{worker}", "w1")
        .replace("{alert}", "1")
        .replace("{variable}", "region")
        .replace("{connection}", "crm")
        .replace("{token}", "t1")
}

const WITHOUT_A_DAG: [&str; 15] = [
    "/loads",
    "/checks",
    "/checks?bad=true",
    "/backfills",
    "/pools",
    "/pools/bigquery",
    "/workers",
    "/alerts",
    "/",
    "/dags",
    "/runs",
    "/search?q=dag",
    "/search?q=run_4",
    "/runs?dag=secret_dag",
    "/dags?choose=all",
];

#[tokio::test]
async fn everything_but_a_few_addresses_needs_somebody() {
    let kit = Kit::new().await;
    let public: Vec<&str> = kit
        .routes
        .iter()
        .filter(|route| route.policy == Policy::PUBLIC)
        .map(|route| route.path)
        .collect();
    let sign_in = ["/sign-in", "/sign-in", "/sign-in/away", "/sign-in/back"];
    let health = ["/healthz", "/readyz", "/static/{name}", "/enter"];
    assert_eq!(public, [&health[..], &sign_in[..]].concat());
    for route in kit
        .routes
        .iter()
        .filter(|route| route.policy != Policy::PUBLIC)
    {
        for method in [&route.method, &Method::HEAD] {
            if *method == Method::HEAD && route.method != Method::GET {
                continue;
            }
            let request = request(method.clone(), "", &path(route.path, "open_dag"));
            let answer = kit.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{route:?}");
        }
    }
}

#[tokio::test]
async fn a_route_of_a_dag_names_it_in_its_path_and_no_other_does() {
    let kit = Kit::new().await;
    for route in &kit.routes {
        let of_dag = matches!(route.policy, Policy::OnDag(_));
        assert_eq!(route.path.contains("{dag}"), of_dag, "{route:?}");
        if route.method != Method::GET && route.path != "/sign-in" {
            assert_ne!(route.policy, Policy::PUBLIC, "{route:?}");
        }
    }
}

/// The least role for an action, written down once more: what the rules say is compared with what people were told.
fn least(action: Action) -> Role {
    match action {
        Action::See | Action::Own => Role::Viewer,
        Action::Operate | Action::Share => Role::Operator,
        Action::Deploy | Action::Secrets | Action::Audit | Action::Access | Action::Settings => {
            Role::Admin
        }
    }
}

/// What somebody is told who may not use a route; none if they may.
fn refusal(who: &str, policy: Policy, dag: &str) -> Option<StatusCode> {
    let of_one = matches!(policy, Policy::OnDag(_));
    let action = match policy {
        Policy::Public => return None,
        Policy::Signed(action) | Policy::OnDag(action) => action,
    };
    let enough = |has: Role| has >= least(action);
    let may = match who {
        "new" => action == Action::Own,
        "limited" if of_one && dag == "secret_dag" => return Some(StatusCode::NOT_FOUND),
        "limited" => action == Action::See,
        "given" if action == Action::Operate => !of_one || dag == "open_dag",
        "given" => enough(Role::Viewer),
        role => enough(role.parse().expect("a role")),
    };
    (!may).then_some(StatusCode::FORBIDDEN)
}

#[tokio::test]
async fn every_route_lets_in_who_its_policy_names() {
    let kit = Kit::new().await;
    for who in ["viewer", "operator", "admin", "limited", "given", "new"] {
        let policed = |route: &&Route| route.policy != Policy::PUBLIC && route.path != "/leave";
        for route in kit.routes.iter().filter(policed) {
            for dag in ["open_dag", "secret_dag"] {
                let path = path(route.path, dag);
                let answer = match route.method {
                    Method::GET => kit.get(who, &path).await,
                    _ if path.starts_with("/api/") => {
                        kit.json(who, (route.method.clone(), &path), "{}").await
                    }
                    _ => {
                        let form = "pause=true&seen=7&state=success&note=why";
                        kit.post(who, &path, form).await
                    }
                };
                let is = answer.status;
                let refused = match refusal(who, route.policy, dag) {
                    // Who has to change their password is led there.
                    Some(_)
                        if who == "new"
                            && route.method == Method::GET
                            && !path.starts_with("/api/") =>
                    {
                        Some(StatusCode::SEE_OTHER)
                    }
                    refused => refused,
                };
                match refused {
                    Some(wanted) => assert_eq!(is, wanted, "{who} {path} {route:?}"),
                    // Whoever may come in can still have filled in a form wrongly, or be too late; and nobody made a token.
                    None => assert!(
                        is.as_u16() < 400
                            || matches!(is.as_u16(), 409 | 422)
                            || is == StatusCode::NOT_FOUND && path.ends_with("/tokens/t1"),
                        "{who} {path} {route:?}: {is}"
                    ),
                }
            }
        }
    }
}

#[tokio::test]
async fn what_somebody_must_not_see_is_on_no_page() {
    let kit = Kit::new().await;
    for page in WITHOUT_A_DAG {
        let answer = kit.get("limited", page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}");
        let shown = answer.body.replace("value=\"secret_dag\"", "");
        assert!(!shown.contains("secret_dag"), "{page}");
    }
    let hidden = kit.get("limited", "/dags/secret_dag").await;
    let missing = kit.get("limited", "/dags/no_such_dag").await;
    let plain = |body: &str| {
        body.replace("no_such_dag", "secret_dag")
            .lines()
            .filter(|line| !line.contains("nonce"))
            .collect::<String>()
    };
    assert_eq!(hidden.status, missing.status);
    assert_eq!(plain(&hidden.body), plain(&missing.body));
}

#[tokio::test]
async fn a_change_needs_the_token_of_its_session_and_our_own_page() {
    let kit = Kit::new().await;
    let send = |origin: &'static str, site: &'static str, form: &'static str| {
        let request = request(Method::POST, "operator", "/dags/open_dag/trigger")
            .header(header::HOST, "tidemill.test")
            .header(header::ORIGIN, origin)
            .header("sec-fetch-site", site)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        kit.send(request.body(Body::from(form)).unwrap())
    };
    for (origin, site, form) in [
        ("http://tidemill.test", "same-origin", ""),
        ("http://tidemill.test", "same-origin", "csrf="),
        ("http://tidemill.test", "same-origin", "csrf=00"),
        ("http://tidemill.test", "cross-site", ""),
        ("http://evil.test", "same-origin", ""),
        ("null", "none", ""),
    ] {
        let answer = send(origin, site, form).await;
        assert_eq!(
            answer.status,
            StatusCode::FORBIDDEN,
            "{origin} {site} {form}"
        );
    }
    assert!(kit.door.asked.lock().unwrap().is_empty());
    let done = kit
        .post("operator", "/dags/open_dag/trigger", "to=/dags")
        .await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(done.header("location"), "/dags");
    let asked = kit.door.asked.lock().unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!(&*asked[0].by, "operator");
}

#[tokio::test]
async fn a_program_comes_with_a_token_and_without_forms() {
    let kit = Kit::new().await;
    let send = |token: &str| {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/dags/open_dag/trigger")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        kit.send(request.body(Body::empty()).unwrap())
    };
    assert_eq!(send("token-operator").await.status, StatusCode::SEE_OTHER);
    assert_eq!(send("token-viewer").await.status, StatusCode::FORBIDDEN);
    assert_eq!(send("wrong").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_link_signs_in_once() {
    for https in [false, true] {
        let shown: Arc<Mutex<Vec<String>>> = Arc::default();
        let keys = Arc::clone(&shown);
        let show = move |key: &str| keys.lock().unwrap().push(key.to_owned());
        let local = Local::new("ann", show).unwrap();
        let kit = Kit::with(Arc::new(local), https).await;
        let first = shown.lock().unwrap()[0].clone();
        assert_eq!(first.len(), 43);
        let wrong = kit.get("", "/enter?key=00").await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
        let link = format!("/enter?key={first}");
        let came = kit.get("", &link).await;
        assert_eq!(came.status, StatusCode::SEE_OTHER);
        let cookie = came.header("set-cookie").to_owned();
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
            "{cookie}"
        );
        assert_eq!(cookie.starts_with("__Host-tidemill="), https, "{cookie}");
        assert_eq!(cookie.contains("Secure"), https, "{cookie}");
        assert_eq!(kit.get("", &link).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(shown.lock().unwrap().len(), 2, "the next link is shown");
        let pair = cookie.split(';').next().unwrap();
        let home = Request::builder().uri("/").header(header::COOKIE, pair);
        let home = kit.send(home.body(Body::empty()).unwrap()).await;
        assert_eq!(home.status, StatusCode::OK);
        assert!(home.body.contains("ann, admin"));
    }
}

#[tokio::test]
async fn a_token_makes_no_users_and_a_page_that_is_read_again_is_told_of_its_end() {
    let kit = Kit::new().await;
    let send = |method: Method, path: &'static str| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, "Bearer token-bot")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        kit.send(request.body(Body::from("name=eve&role=admin")).unwrap())
    };
    assert_eq!(send(Method::GET, "/dags").await.status, StatusCode::OK);
    assert_eq!(
        send(Method::GET, "/users").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        send(Method::POST, "/users").await.status,
        StatusCode::FORBIDDEN
    );
    assert!(kit.store.user("eve").await.unwrap().is_none());

    let users = Kit::with_users(|users| users).await;
    for (mode, status) in [
        ("navigate", StatusCode::SEE_OTHER),
        ("cors", StatusCode::UNAUTHORIZED),
        ("same-origin", StatusCode::UNAUTHORIZED),
    ] {
        let read = Request::builder()
            .uri("/dags")
            .header(header::ACCEPT, "text/html")
            .header("sec-fetch-mode", mode);
        let read = users.send(read.body(Body::empty()).unwrap()).await;
        assert_eq!(read.status, status, "{mode}");
    }
}
