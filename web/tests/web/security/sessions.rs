//! What somebody may do is asked at each request, and who is not known costs as much as who is.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use tidemill_store::access::{By, NewUser};
use tidemill_web::{LiveSettings, Role};

use crate::kit::{Kit, add_user, at};

fn sign_in(name: &str, password: &str) -> Request<Body> {
    let form = format!("name={name}&password={password}&to=/dags");
    let request = Request::builder()
        .method(Method::POST)
        .uri("/sign-in")
        .header(header::HOST, "tidemill.test")
        .header(header::ORIGIN, "https://tidemill.test")
        .header(header::ACCEPT, "text/html")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    request.body(Body::from(form)).expect("a request")
}

#[tokio::test]
async fn a_name_that_nobody_has_is_compared_like_any_other() {
    let counter = Arc::new(Mutex::new(None));
    let given = Arc::clone(&counter);
    let kit = Kit::with_users(move |users| {
        *given.lock().expect("it works") = Some(users.compared());
        users
    })
    .await;
    let compared = counter
        .lock()
        .expect("it works")
        .take()
        .expect("users were made");
    add_user(&kit.store, "ann", Some("a long enough word")).await;
    let mut so_far = compared.load(Ordering::SeqCst);
    // With a password, without one, unknown, and no name at all.
    for name in ["ann", "kim", "nobody", "%3Cb%3E"] {
        let answer = kit.send(sign_in(name, "not+this+one")).await;
        assert!(answer.status.is_client_error(), "{name}: {}", answer.status);
        let now = compared.load(Ordering::SeqCst);
        assert_eq!(now, so_far + 1, "{name}");
        so_far = now;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_who_sign_in_at_once_all_get_an_answer() {
    let kit = Arc::new(Kit::with_users(|users| users).await);
    let hash = tidemill_access::password::hash("a long enough word").expect("it works");
    for nth in 0..50 {
        let new = NewUser {
            name: format!("user_{nth}").into(),
            display: "".into(),
            password: Some(hash.as_str().into()),
            sso: None,
            role: Role::Viewer,
            must_change: false,
        };
        let by = By {
            who: "the test",
            at: at(0),
        };
        assert!(kit.store.make_user(&new, by).await.expect("it works"));
    }
    // Half of them are known, half are not.
    let tries: Vec<_> = (0..100)
        .map(|nth| {
            let kit = Arc::clone(&kit);
            let request = sign_in(&format!("user_{nth}"), "a+long+enough+word");
            tokio::spawn(async move { kit.send(request).await.status })
        })
        .collect();
    // Whoever only looks does not wait for them.
    let request = Request::builder().uri("/healthz").body(Body::empty());
    let well = kit.send(request.expect("a request")).await;
    assert_eq!(well.status, StatusCode::OK);
    for (nth, one) in tries.into_iter().enumerate() {
        let status = one.await.expect("it ends");
        let came = status == StatusCode::SEE_OTHER;
        assert!(
            came == (nth < 50) && !status.is_server_error(),
            "{nth}: {status}"
        );
    }
}

#[test]
fn who_lost_the_right_to_look_hears_nothing_after_half_a_minute() {
    assert!(LiveSettings::default().check_every <= Duration::from_secs(30));
}

#[tokio::test]
async fn what_a_grant_gave_is_gone_with_it_at_the_next_request() {
    let kit = Kit::with_users(|users| users).await;
    add_user(&kit.store, "ann", Some("a long enough word")).await;
    let came = kit.send(sign_in("ann", "a+long+enough+word")).await;
    assert_eq!(came.status, StatusCode::SEE_OTHER, "{}", came.body);
    let cookie = came
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    let look = async || {
        let request = Request::builder()
            .uri("/dags/open_dag/trigger")
            .header(header::ACCEPT, "text/html")
            .header(header::COOKIE, &cookie);
        kit.send(request.body(Body::empty()).expect("a request"))
            .await
            .status
    };
    let by = tidemill_store::access::By {
        who: "the test",
        at: crate::kit::at(0),
    };
    assert_eq!(look().await, StatusCode::FORBIDDEN);
    let put = kit
        .store
        .put_grant("ann", "open_dag", tidemill_web::Role::Operator, by)
        .await;
    assert!(put.expect("it writes"));
    assert_eq!(look().await, StatusCode::OK);
    assert!(
        kit.store
            .drop_grant("ann", "open_dag", by)
            .await
            .expect("it writes")
    );
    assert_eq!(look().await, StatusCode::FORBIDDEN);
}
