//! What admins do with users.

use axum::http::StatusCode;
use tidemill_core::role::Role;

use crate::kit::{HOSTILE, Kit, add_user};

#[tokio::test]
async fn a_user_is_made_with_a_password_that_is_shown_once() {
    let kit = Kit::new().await;
    let made = kit
        .post(
            "admin",
            "/users",
            "name=Ann%40Example.com&role=operator&elsewhere=false",
        )
        .await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    let password = made.body.split("<p><code>").nth(1).unwrap();
    let password = password.split('<').next().unwrap();
    let user = kit.store.user("ann@example.com").await.unwrap().unwrap();
    assert_eq!((user.role, user.must_change), (Role::Operator, true));
    let stored = user.password.as_deref();
    assert!(tidemill_access::password::verify(password, stored).is_right());
    let page = kit.get("admin", "/users/ann%40example.com").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.body.contains(password));
    let twice = kit
        .post("admin", "/users", "name=ann%40example.com&role=admin")
        .await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(twice.body.contains("there is a user"), "{}", twice.body);
    let wrong = kit.post("admin", "/users", "name=a+b&role=admin").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("value=\"a b\""), "nothing is lost");
}

#[tokio::test]
async fn two_admins_at_once_do_not_undo_each_other() {
    let kit = Kit::new().await;
    let seen = kit.store.user("kim").await.unwrap().unwrap().edits;
    let form = format!("role=operator&display=Kim&seen={seen}");
    let first = kit.post("admin", "/users/kim/change", &form).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.body);
    let form = format!("role=viewer&display=Kimberly&seen={seen}");
    let second = kit.post("admin", "/users/kim/change", &form).await;
    assert_eq!(second.status, StatusCode::CONFLICT);
    assert!(
        second.body.contains("admin"),
        "who was faster: {}",
        second.body
    );
    let kim = kit.store.user("kim").await.unwrap().unwrap();
    assert_eq!((kim.role, &*kim.display), (Role::Operator, "Kim"));
}

#[tokio::test]
async fn the_last_admin_stays_one() {
    let kit = Kit::new().await;
    add_user(&kit.store, "ann", None).await;
    let promote = |seen: u32| format!("role=admin&display=ann&seen={seen}");
    let edits = async |name| kit.store.user(name).await.unwrap().unwrap().edits;
    let form = promote(edits("ann").await);
    let done = kit.post("admin", "/users/ann/change", &form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    let seen = edits("ann").await;
    for (path, form) in [
        (
            "/users/ann/change",
            format!("role=viewer&display=ann&seen={seen}"),
        ),
        ("/users/ann/disable", format!("disabled=true&seen={seen}")),
    ] {
        let refused = kit.post("admin", path, &form).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert!(refused.body.contains("last admin"), "{}", refused.body);
    }
}

#[tokio::test]
async fn grants_are_given_and_taken_away() {
    let kit = Kit::new().await;
    let give = "dags=tag%3Acrm&role=operator";
    let given = kit.post("admin", "/users/kim/grant", give).await;
    assert_eq!(given.status, StatusCode::SEE_OTHER);
    assert!(
        kit.get("admin", "/users")
            .await
            .body
            .contains("operator of tag:crm")
    );
    let wrong = kit
        .post("admin", "/users/kim/grant", "dags=%2F&role=operator")
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("o DAG has"), "{}", wrong.body);
    let taken = kit.post("admin", "/users/kim/ungrant", give).await;
    assert_eq!(taken.status, StatusCode::SEE_OTHER);
    assert!(kit.store.grants_of("kim").await.unwrap().is_empty());
}

#[tokio::test]
async fn hostile_names_come_back_as_text() {
    let kit = Kit::new().await;
    let name: String = HOSTILE
        .chars()
        .filter(|c| !c.is_control())
        .take(90)
        .collect();
    let coded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let form = format!("name=eve&display={coded}&role=viewer&elsewhere=true");
    let made = kit.post("admin", "/users", &form).await;
    for answer in [made, kit.get("admin", "/users").await] {
        assert!(!answer.body.contains("<img src=x"), "{}", answer.body);
        assert!(!answer.body.contains("<script>alert"), "{}", answer.body);
    }
}
