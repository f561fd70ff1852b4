//! Signing in with a password, and one's own account.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use tidemill_core::role::Role;
use tidemill_store::access::{By, NewPassword, UserChange};
use tidemill_store::history::AuditOf;

use crate::kit::{Answer, Kit, add_user, at};

/// A browser, with the cookies that it was given.
#[derive(Debug, Default)]
pub(crate) struct Browser {
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// Looks at a page, or sends a form with its token.
    pub(crate) async fn send(&mut self, kit: &Kit, path: &str, form: Option<&str>) -> Answer {
        let cookies = self.cookies.iter();
        let cookies: Vec<String> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = Request::builder()
            .uri(path)
            .header(header::HOST, "tidemill.test")
            .header(header::ACCEPT, "text/html")
            .header(header::COOKIE, cookies.join("; "));
        let request = match form {
            None => request.body(Body::empty()),
            Some(form) => request
                .method(Method::POST)
                .header(header::ORIGIN, "http://tidemill.test")
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::from(form.to_owned())),
        };
        let answer = kit.send(request.expect("it works")).await;
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("it works");
            let pair = cookie.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    pub(crate) async fn get(&mut self, kit: &Kit, path: &str) -> Answer {
        self.send(kit, path, None).await
    }

    pub(crate) async fn post(&mut self, kit: &Kit, path: &str, form: &str) -> Answer {
        let token = self.get(kit, "/account").await.body;
        let token = token.split("name=\"csrf\" value=\"").nth(1);
        let token = token.and_then(|rest| rest.split('"').next());
        let form = format!("csrf={}&{form}", token.unwrap_or_default());
        self.send(kit, path, Some(&form)).await
    }

    /// Signs in as somebody with this password.
    pub(crate) async fn sign_in(&mut self, kit: &Kit, name: &str, password: &str) -> Answer {
        let form = format!("name={name}&password={password}&to=/dags/open_dag");
        self.send(kit, "/sign-in", Some(&form)).await
    }
}

const PASSWORD: &str = "five blue whales";

async fn kit() -> Kit {
    let kit = Kit::with_users(|users| users).await;
    add_user(&kit.store, "ann", Some(PASSWORD)).await;
    kit
}

#[tokio::test]
async fn a_password_signs_in_and_leads_to_the_page_that_was_wanted() {
    let (kit, mut ann) = (kit().await, Browser::default());
    let wanted = ann.get(&kit, "/dags/open_dag").await;
    assert_eq!(wanted.status, StatusCode::SEE_OTHER);
    let to = wanted.header("location").to_owned();
    assert_eq!(to, "/sign-in?to=%2Fdags%2Fopen_dag");
    let page = ann.get(&kit, &to).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("name=\"to\" value=\"/dags/open_dag\""));
    let came = ann.sign_in(&kit, "Ann", PASSWORD).await;
    assert_eq!(came.status, StatusCode::SEE_OTHER);
    assert_eq!(came.header("location"), "/dags/open_dag");
    let cookie = came.header("set-cookie");
    for part in [
        "__Host-tidemill=",
        "HttpOnly",
        "Secure",
        "SameSite=Lax",
        "Path=/",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let dag = ann.get(&kit, "/dags/open_dag").await;
    assert_eq!(dag.status, StatusCode::OK);
    assert!(dag.body.contains("ann, viewer"));
    let left = ann.post(&kit, "/leave", "").await;
    assert_eq!(left.status, StatusCode::SEE_OTHER);
    let gone = ann.get(&kit, "/dags/open_dag").await;
    assert_eq!(gone.status, StatusCode::SEE_OTHER, "the session has ended");
}

#[tokio::test]
async fn nobody_is_told_whether_the_name_or_the_password_is_wrong() {
    let (kit, mut browser) = (kit().await, Browser::default());
    let plain = |answer: &Answer| {
        let shown = answer.body.replace("nobody", "ann");
        shown
            .lines()
            .filter(|line| !line.contains("nonce"))
            .collect::<String>()
    };
    let wrong = browser.sign_in(&kit, "ann", "another").await;
    let unknown = browser.sign_in(&kit, "nobody", "another").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);
    assert_eq!(plain(&wrong), plain(&unknown));
    assert!(wrong.header("set-cookie").is_empty());
    let audit = kit.store.audits(&AuditOf::All, i64::MAX, 10).await.unwrap();
    let refused = audit
        .iter()
        .filter(|line| &*line.action == "session.refused");
    let targets: Vec<&str> = refused.map(|line| &*line.target).collect();
    assert_eq!(targets.len(), 2);
    assert!(targets.contains(&"ann") && targets.contains(&"nobody who is known"));
}

#[tokio::test]
async fn too_many_tries_have_to_wait_and_the_right_password_too() {
    let (kit, mut browser) = (kit().await, Browser::default());
    let mut last = StatusCode::OK;
    for _ in 0..101 {
        last = browser.sign_in(&kit, "ann", "another").await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let right = browser.sign_in(&kit, "ann", PASSWORD).await;
    assert_eq!(right.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(right.header("retry-after").parse::<u32>().unwrap() > 0);
    assert!(right.body.contains("too many tries"), "{}", right.body);
}

#[tokio::test]
async fn whoever_has_a_password_for_one_use_changes_it_before_anything_else() {
    let (kit, mut ann) = (kit().await, Browser::default());
    let user = kit.store.user("ann").await.unwrap().unwrap();
    let hash = tidemill_access::password::hash("one-use-only").unwrap();
    let to = NewPassword {
        hash: Some(&hash),
        must_change: true,
        keep_session: None,
    };
    let by = By {
        who: "the test",
        at: at(1),
    };
    let _ = kit.store.set_password(&user, &to, by).await.unwrap();
    ann.sign_in(&kit, "ann", "one-use-only").await;
    let home = ann.get(&kit, "/runs?state=failed").await;
    assert_eq!(home.status, StatusCode::SEE_OTHER);
    assert_eq!(
        home.header("location"),
        "/account?to=%2Fruns%3Fstate%3Dfailed"
    );
    let page = ann.get(&kit, home.header("location")).await;
    assert!(page.body.contains("Change your password first"));
    let token = ann
        .post(&kit, "/account/tokens", "name=ci&role=viewer&days=9")
        .await;
    assert_eq!(token.status, StatusCode::FORBIDDEN, "not even by a token");
    assert!(kit.store.tokens(Some("ann")).await.unwrap().is_empty());
    for (form, says) in [
        (
            "current=one-use-only&new=short&again=short",
            "at least 12 characters",
        ),
        (
            "current=one-use-only&new=password1234&again=password1234",
            "first that anybody would try",
        ),
        (
            "current=one-use-only&new=five+blue+whales&again=six+blue+whales",
            "not the same in both",
        ),
        (
            "current=wrong&new=five+blue+whales&again=five+blue+whales",
            "not your present password",
        ),
    ] {
        let refused = ann.post(&kit, "/account/password", form).await;
        assert!(
            refused.status.is_client_error(),
            "{form}: {}",
            refused.status
        );
        assert!(refused.body.contains(says), "{form}: {}", refused.body);
    }
    let form = "current=one-use-only&new=five+blue+whales&again=five+blue+whales&to=/runs";
    let done = ann.post(&kit, "/account/password", form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(done.header("location"), "/runs");
    assert_eq!(ann.get(&kit, "/runs").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_browser_can_be_signed_out_from_another() {
    let kit = kit().await;
    let (mut here, mut there) = (Browser::default(), Browser::default());
    here.sign_in(&kit, "ann", PASSWORD).await;
    there.sign_in(&kit, "ann", PASSWORD).await;
    assert_eq!(there.get(&kit, "/dags").await.status, StatusCode::OK);
    let done = here.post(&kit, "/account/sign-out", "").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(there.get(&kit, "/dags").await.status, StatusCode::SEE_OTHER);
    assert_eq!(here.get(&kit, "/dags").await.status, StatusCode::OK);
}

#[tokio::test]
async fn whoever_is_disabled_is_out_at_once() {
    let (kit, mut ann) = (kit().await, Browser::default());
    ann.sign_in(&kit, "ann", PASSWORD).await;
    let user = kit.store.user("ann").await.unwrap().unwrap();
    let to = UserChange {
        disabled: Some(true),
        ..UserChange::default()
    };
    let by = By {
        who: "the test",
        at: at(1),
    };
    let _ = kit.store.change_user(&user, &to, by).await.unwrap();
    assert_eq!(ann.get(&kit, "/dags").await.status, StatusCode::SEE_OTHER);
    let again = ann.sign_in(&kit, "ann", PASSWORD).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_does_what_its_user_may_at_most_and_its_own_page_shows_it_once() {
    let (kit, mut ann) = (kit().await, Browser::default());
    ann.sign_in(&kit, "ann", PASSWORD).await;
    let form = "name=ci&role=operator&dags=open_*&days=30";
    let made = ann.post(&kit, "/account/tokens", form).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    let token = made.body.split("<code id=\"token\">").nth(1).unwrap();
    let token = token.split('<').next().unwrap().to_owned();
    assert!(token.starts_with("tm_"), "{token}");
    assert!(!ann.get(&kit, "/account").await.body.contains(&token));
    let ask = |method: Method, path: &'static str| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        kit.send(request.body(Body::empty()).expect("it works"))
    };
    let (get, post) = (Method::GET, Method::POST);
    assert_eq!(ask(get.clone(), "/dags/open_dag").await.status, 200);
    assert_eq!(ask(get.clone(), "/dags/secret_dag").await.status, 404);
    assert_eq!(
        ask(get.clone(), "/account").await.status,
        403,
        "not by token"
    );
    let trigger = "/dags/open_dag/trigger";
    let refused = ask(post.clone(), trigger).await;
    assert_eq!(refused.status, 403, "ann is a viewer");
    let by = By {
        who: "the test",
        at: at(2),
    };
    let role = Role::Operator;
    assert!(
        kit.store
            .put_grant("ann", "open_dag", role, by)
            .await
            .unwrap()
    );
    assert_eq!(ask(post, trigger).await.status, 303);
    let id = kit.store.tokens(Some("ann")).await.unwrap()[0].id.clone();
    let form = format!("id={id}");
    let done = ann.post(&kit, "/account/tokens/revoke", &form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(ask(get, "/dags/open_dag").await.status, 401);
}
