//! What somebody may do is asked at each request, and who is not known costs as much as who is.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use tidemill_web::LiveSettings;

use crate::kit::{Kit, add_user};

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
