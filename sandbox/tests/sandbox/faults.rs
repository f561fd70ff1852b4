//! Faults, as a client meets them.

use serde_json::json;

use crate::kit::{Kit, json};

#[tokio::test]
async fn an_unknown_path_and_verb_are_named() {
    let kit = Kit::new().await;
    let reply = kit.get("/nothing/of/this").await;
    assert_eq!(reply.status(), 404);
    assert!(
        json(reply).await["error"]["message"]
            .as_str()
            .unwrap()
            .contains("GET /nothing/of/this")
    );
    assert_eq!(kit.post("/healthz", &json!({})).await.status(), 405);
}

#[tokio::test]
async fn a_fault_is_used_up() {
    let kit = Kit::new().await;
    let fault = json!({ "service": "sandbox", "method": "sandbox.health", "count": 1, "kind": { "status": { "status": 503, "retry_after": 7 } } });
    kit.fault(&fault).await;
    let reply = kit.get("/healthz").await;
    assert_eq!(
        (
            reply.status().as_u16(),
            reply.headers()["retry-after"].to_str().unwrap()
        ),
        (503, "7")
    );
    assert_eq!(kit.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn a_lost_reply_closes_the_connection() {
    let kit = Kit::new().await;
    kit.fault(&json!({ "service": "sandbox", "method": "sandbox.health", "count": 1, "kind": "lost_after" })).await;
    assert!(
        kit.client
            .get(format!("{}/healthz", kit.base))
            .send()
            .await
            .is_err()
    );
    assert_eq!(kit.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn a_wrong_fault_says_what_there_is() {
    let kit = Kit::new().await;
    let reply = kit
        .post(
            "/sandbox/faults",
            &json!({ "service": "storage", "kind": "explodes" }),
        )
        .await;
    assert_eq!(reply.status(), 400);
    assert!(
        json(reply).await["error"]["message"]
            .as_str()
            .unwrap()
            .contains("lost_before")
    );
}
