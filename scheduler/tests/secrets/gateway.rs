//! Connections and variables by HTTP: what is set, shown, taken away and sealed again, and what never comes out.

use serde_json::{Value, json};
use tidemill_scheduler::secrets::{KeyRing, open_connection, open_variable};

use crate::door::{Door, Said};
use crate::seal::{NEW, OLD, ring};

fn crm(more: &Value) -> Value {
    let mut body = json!({
        "by": "ada", "kind": "http",
        "fields": { "host": "crm.example" }, "secrets": { "password": "hunter2" },
    });
    for (key, value) in more.as_object().expect("it works") {
        body[key] = value.clone();
    }
    body
}

async fn put(door: &Door, body: &Value) -> Said {
    let said = door
        .ask(ring(&[OLD]), "PUT /api/v1/connections/crm", Some(body))
        .await;
    assert!(!said.text.contains("hunter2"), "{}", said.text);
    said
}

async fn get(door: &Door, path: &str) -> Said {
    door.ask(ring(&[OLD]), &format!("GET {path}"), None).await
}

/// The value of a secret that is kept.
async fn secret(door: &Door, name: &str) -> Option<String> {
    let row = door.store.connection("crm").await;
    let row = row.expect("the store reads").expect("it is there");
    let opened = open_connection(&ring(&[OLD, NEW]), &row).expect("it opens");
    let secret = opened.secrets.get(name)?;
    Some(secret.reveal().to_owned())
}

#[tokio::test]
async fn a_connection_is_shown_with_the_names_of_its_secrets_alone() {
    let door = Door::open().await;
    let said = put(&door, &crm(&json!({}))).await;
    assert_eq!(said.status, 200, "{}", said.text);
    let one = get(&door, "/api/v1/connections/crm").await.json();
    let touched = one["touched"].clone();
    assert_eq!(
        (&touched["by"], &touched["how"]),
        (&json!("ada"), &json!("set"))
    );
    assert_eq!(
        one,
        json!({
            "name": "crm", "kind": "http", "fields": { "host": "crm.example" }, "secrets": ["password"], "edits": 1,
            "touched": touched,
        })
    );
    let list = get(&door, "/api/v1/connections").await;
    assert_eq!(list.json(), json!([one]));
    assert_eq!(secret(&door, "password").await.as_deref(), Some("hunter2"));
    let audit = door.audit().await;
    assert!(audit[0].starts_with("ada connection.set crm"), "{audit:?}");
    assert!(!format!("{audit:?}").contains("hunter2"), "{audit:?}");
}

#[tokio::test]
async fn secrets_that_are_not_named_are_kept_unless_they_are_taken_away() {
    let door = Door::open().await;
    put(&door, &crm(&json!({}))).await;
    let said = put(
        &door,
        &crm(&json!({ "fields": {}, "secrets": { "token": "t" } })),
    )
    .await;
    assert_eq!(
        said.json()["changed"]["remarks"],
        json!(["kept the secret `password`"])
    );
    let shown = get(&door, "/api/v1/connections/crm").await.json();
    assert_eq!(shown["fields"], json!({}));
    assert_eq!(shown["secrets"], json!(["password", "token"]));
    assert_eq!(secret(&door, "password").await.as_deref(), Some("hunter2"));
    put(&door, &crm(&json!({ "secrets": { "password": null } }))).await;
    assert_eq!(secret(&door, "password").await, None);
    assert_eq!(secret(&door, "token").await.as_deref(), Some("t"));
    let body = crm(&json!({ "replace": true, "secrets": { "key": "k" } }));
    assert_eq!(put(&door, &body).await.status, 200);
    assert_eq!(secret(&door, "token").await, None);
    // What becomes a field is no secret beside it.
    let body = crm(&json!({ "fields": { "key": "seen" }, "secrets": {} }));
    assert_eq!(put(&door, &body).await.status, 200);
    assert_eq!(secret(&door, "key").await, None);
}

#[tokio::test]
async fn who_saw_an_older_one_is_refused_and_a_dry_run_changes_nothing() {
    let door = Door::open().await;
    put(&door, &crm(&json!({ "seen": 0 }))).await;
    for seen in [0, 2] {
        let said = put(&door, &crm(&json!({ "seen": seen, "by": "bob" }))).await;
        assert_eq!(said.status, 409);
        assert!(said.detail().contains("ada set it at"), "{}", said.text);
    }
    let dry = crm(&json!({ "dry_run": true, "secrets": { "password": "other" } }));
    assert_eq!(put(&door, &dry).await.status, 200);
    assert_eq!(secret(&door, "password").await.as_deref(), Some("hunter2"));
    let remove = |query: &str| format!("DELETE /api/v1/connections/crm?by=bob{query}");
    let stale = door.ask(ring(&[OLD]), &remove("&seen=7"), None).await;
    assert_eq!(stale.status, 409);
    let dry = door.ask(ring(&[OLD]), &remove("&dry_run=true"), None).await;
    assert_eq!(dry.status, 200, "{}", dry.text);
    let gone = door.ask(ring(&[OLD]), &remove("&seen=1"), None).await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    let said = get(&door, "/api/v1/connections/crm").await;
    assert_eq!(said.status, 404);
    put(&door, &crm(&json!({}))).await;
    let said = get(&door, "/api/v1/connections/crn").await;
    assert_eq!(
        said.detail(),
        "there is no connection `crn`; did you mean `crm`?"
    );
}

#[tokio::test]
async fn a_wrong_body_is_not_quoted() {
    let door = Door::open().await;
    let path = "PUT /api/v1/connections/crm";
    for body in [
        r#"{"by": "ada", "kind": "http", "secrets": {"pin": 31337}}"#,
        r#"{"by": "ada", "kind": "http", "secrets": "31337"}"#,
        r#"{"by": "ada", "kind": "http", "31337": 1}"#,
        r#"{"by": "ada", "secrets": {"pin": 31337"#,
        r#"{"by": "ada", "kind": "http", "fields": {"pin": "1"}, "secrets": {"pin": "31337"}}"#,
        r#"{"by": "ada", "kind": "", "secrets": {"pin": "31337"}}"#,
    ] {
        let said = door
            .say(ring(&[OLD]), path, Some("right"), body.to_owned())
            .await;
        assert!(matches!(said.status, 400 | 422), "{}", said.text);
        assert!(!said.text.contains("31337"), "{}", said.text);
    }
    let body = crm(&json!({})).to_string();
    for token in [None, Some("wrong")] {
        let said = door.say(ring(&[OLD]), path, token, body.clone()).await;
        assert_eq!(said.status, 401);
    }
    let odd = door
        .ask(
            ring(&[OLD]),
            "PUT /api/v1/connections/a%20b",
            Some(&crm(&json!({}))),
        )
        .await;
    assert_eq!(odd.status, 422, "{}", odd.text);
    assert!(door.store.connections().await.unwrap().is_empty());
}

#[tokio::test]
async fn without_keys_it_says_what_to_set_and_without_the_right_one_which() {
    let door = Door::open().await;
    let path = "PUT /api/v1/connections/crm";
    let said = door
        .ask(KeyRing::empty(), path, Some(&crm(&json!({}))))
        .await;
    assert_eq!(said.status, 503);
    assert!(said.detail().contains("set `keys`"), "{}", said.text);
    put(&door, &crm(&json!({}))).await;
    let said = door
        .ask(ring(&[NEW]), path, Some(&crm(&json!({ "secrets": {} }))))
        .await;
    assert_eq!(said.status, 503);
    assert!(said.detail().contains("the key `old`"), "{}", said.text);
    assert!(said.detail().contains("`replace`"), "{}", said.text);
    let shown = door
        .ask(ring(&[NEW]), "GET /api/v1/connections/crm", None)
        .await
        .json();
    assert_eq!(shown["fields"], json!({ "host": "crm.example" }));
    let problem = shown["problem"].as_str().unwrap();
    assert!(problem.contains("the key `old`"), "{problem}");
    let body = crm(&json!({ "replace": true }));
    let said = door.ask(ring(&[NEW]), path, Some(&body)).await;
    assert_eq!(said.status, 200, "{}", said.text);
    let row = door.store.connection("crm").await.unwrap().unwrap();
    assert!(open_connection(&ring(&[NEW]), &row).is_ok());
}

#[tokio::test]
async fn a_value_is_shown_to_who_asks_for_it_by_name_and_the_audit_log_says_so() {
    let door = Door::open().await;
    let keys = || ring(&[OLD]);
    let path = "/api/v1/variables/region";
    let body = json!({ "by": "ada", "value": "hunter2", "note": "where we are" });
    let said = door.ask(keys(), &format!("PUT {path}"), Some(&body)).await;
    assert_eq!(said.status, 200, "{}", said.text);
    // The note stays.
    let body = json!({ "by": "ada", "value": "hunter3", "seen": 1 });
    let said = door.ask(keys(), &format!("PUT {path}"), Some(&body)).await;
    assert_eq!(said.status, 200, "{}", said.text);
    for path in [path, "/api/v1/variables"] {
        let said = get(&door, path).await;
        assert!(said.text.contains("where we are") && said.text.contains("\"edits\":2"));
        assert!(!said.text.contains("hunter"), "{}", said.text);
    }
    let by = json!({ "by": "eve" });
    let shown = door
        .ask(keys(), &format!("POST {path}/reveal"), Some(&by))
        .await;
    assert_eq!(shown.json(), json!({ "value": "hunter3", "edits": 2 }));
    assert_eq!(shown.cache, "no-store");
    let audit = door.audit().await;
    assert!(
        audit[2].starts_with("eve variable.reveal region"),
        "{audit:?}"
    );
    assert!(!format!("{audit:?}").contains("hunter"), "{audit:?}");
    let none = door
        .ask(keys(), "POST /api/v1/variables/regoin/reveal", Some(&by))
        .await;
    assert_eq!(
        none.detail(),
        "there is no variable `regoin`; did you mean `region`?"
    );
    let gone = door
        .ask(keys(), &format!("DELETE {path}?by=ada"), None)
        .await;
    assert_eq!(gone.status, 200);
    assert_eq!(get(&door, path).await.status, 404);
}

#[tokio::test]
async fn everything_is_sealed_again_under_the_first_key() {
    let door = Door::open().await;
    put(&door, &crm(&json!({}))).await;
    let value = json!({ "by": "ada", "value": "eu" });
    door.ask(ring(&[OLD]), "PUT /api/v1/variables/region", Some(&value))
        .await;
    let again = |keys: KeyRing, dry: bool| {
        let body = json!({ "by": "bob", "dry_run": dry });
        let door = &door;
        async move { door.ask(keys, "POST /api/v1/reseal", Some(&body)).await }
    };
    let said = again(ring(&[NEW]), false).await;
    assert_eq!(said.status, 503);
    assert!(said.detail().contains("the key `old`"), "{}", said.text);
    for dry in [true, false] {
        let said = again(ring(&[NEW, OLD]), dry).await.json();
        assert_eq!(said["key"], "new");
        assert_eq!(said["connections"], json!(["crm"]));
        assert_eq!(said["variables"], json!(["region"]));
    }
    let said = again(ring(&[NEW, OLD]), false).await.json();
    assert_eq!(said["connections"], json!([]));
    let row = door.store.connection("crm").await.unwrap().unwrap();
    let opened = open_connection(&ring(&[NEW]), &row).unwrap();
    assert_eq!(opened.secret("password").unwrap().reveal(), "hunter2");
    assert_eq!((row.edits, row.touched.unwrap().by.as_ref()), (1, "ada"));
    let row = door.store.variable("region").await.unwrap().unwrap();
    assert_eq!(open_variable(&ring(&[NEW]), &row).unwrap(), "eu");
}
