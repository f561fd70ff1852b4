//! Pub/Sub, as its clients see it.

use serde_json::{Value, json};

use crate::kit::Kit;

const TOPIC: &str = "/v1/projects/p/topics/orders";
const SUB: &str = "/v1/projects/p/subscriptions/orders-1";

async fn kit(more: Value) -> Kit {
    let kit = Kit::new().await;
    kit.good("PUT", TOPIC, json!({})).await;
    kit.good("PUT", "/v1/projects/p/topics/dead", json!({}))
        .await;
    let mut body = json!({ "topic": "projects/p/topics/orders" });
    body.as_object_mut()
        .expect("it works")
        .extend(more.as_object().expect("it works").clone());
    kit.good("PUT", SUB, body).await;
    kit
}

async fn publish(kit: &Kit, data: &[&str], ordering: &str) -> Vec<Value> {
    let messages: Vec<Value> = data
        .iter()
        .map(|data| json!({ "data": data, "orderingKey": ordering, "attributes": { "id": data } }))
        .collect();
    let ids = kit
        .good(
            "POST",
            &format!("{TOPIC}:publish"),
            json!({ "messages": messages }),
        )
        .await;
    ids["messageIds"].as_array().expect("it works").clone()
}

async fn pull(kit: &Kit, sub: &str) -> Vec<Value> {
    let body = json!({ "maxMessages": 10, "returnImmediately": true });
    let pulled = kit.good("POST", &format!("{sub}:pull"), body).await;
    pulled["receivedMessages"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

async fn deadline(kit: &Kit, ids: Value, seconds: u32) -> u16 {
    let body = json!({ "ackIds": ids, "ackDeadlineSeconds": seconds });
    kit.ask("POST", &format!("{SUB}:modifyAckDeadline"), body)
        .await
        .0
}

#[tokio::test]
async fn a_message_comes_again_until_it_is_acknowledged() {
    let kit = kit(json!({})).await;
    let ids = publish(&kit, &["YQ=="], "").await;
    // A publish that is repeated is another message.
    assert_ne!(publish(&kit, &["YQ=="], "").await, ids);
    let first = pull(&kit, SUB).await;
    assert_eq!(
        (first.len(), &first[0]["message"]["messageId"]),
        (2, &ids[0])
    );
    assert_eq!(first[0]["message"]["attributes"]["id"], "YQ==");
    assert!(pull(&kit, SUB).await.is_empty());
    let old: Vec<Value> = first.iter().map(|one| one["ackId"].clone()).collect();
    assert_eq!(deadline(&kit, json!(old), 0).await, 200);
    let second = pull(&kit, SUB).await;
    assert_eq!(second.len(), 2);
    // What was acknowledged with an old identifier is still out.
    kit.good(
        "POST",
        &format!("{SUB}:acknowledge"),
        json!({ "ackIds": old }),
    )
    .await;
    let new: Vec<Value> = second.iter().map(|one| one["ackId"].clone()).collect();
    assert_eq!(deadline(&kit, json!(new[..1]), 0).await, 200);
    let third = pull(&kit, SUB).await;
    assert_eq!(third.len(), 1);
    kit.good(
        "POST",
        &format!("{SUB}:acknowledge"),
        json!({ "ackIds": [third[0]["ackId"], new[1]] }),
    )
    .await;
    let kit = Kit::over(kit.end().await).await;
    assert!(pull(&kit, SUB).await.is_empty());
}

#[tokio::test]
async fn messages_survive_a_restart_and_ordered_ones_wait() {
    let kit = kit(json!({ "enableMessageOrdering": true })).await;
    publish(&kit, &["YQ==", "Yg=="], "k").await;
    let kit = Kit::over(kit.end().await).await;
    let both = pull(&kit, SUB).await;
    assert_eq!(both.len(), 2);
    publish(&kit, &["Yw=="], "k").await;
    publish(&kit, &["ZA=="], "other").await;
    let other = pull(&kit, SUB).await;
    assert_eq!(
        (other.len(), &other[0]["message"]["data"]),
        (1, &json!("ZA=="))
    );
    let ids: Vec<Value> = both.iter().map(|one| one["ackId"].clone()).collect();
    kit.good(
        "POST",
        &format!("{SUB}:acknowledge"),
        json!({ "ackIds": ids }),
    )
    .await;
    assert_eq!(pull(&kit, SUB).await[0]["message"]["data"], "Yw==");
}

#[tokio::test]
async fn what_nobody_can_handle_becomes_a_dead_letter() {
    let policy = json!({ "deadLetterTopic": "projects/p/topics/dead", "maxDeliveryAttempts": 5 });
    let kit = kit(json!({ "deadLetterPolicy": policy })).await;
    let dead = "/v1/projects/p/subscriptions/dead-1";
    kit.good("PUT", dead, json!({ "topic": "projects/p/topics/dead" }))
        .await;
    publish(&kit, &["YQ=="], "").await;
    for attempt in 1..=5 {
        let got = pull(&kit, SUB).await;
        assert_eq!(got[0]["deliveryAttempt"], attempt);
        assert_eq!(deadline(&kit, json!([got[0]["ackId"]]), 0).await, 200);
    }
    assert!(pull(&kit, SUB).await.is_empty());
    let letter = pull(&kit, dead).await;
    assert_eq!(
        letter[0]["message"]["attributes"]["CloudPubSubDeadLetterSourceSubscription"],
        "orders-1"
    );
}

#[tokio::test]
async fn what_the_sandbox_does_not_do_is_refused() {
    let kit = kit(json!({})).await;
    let push = json!({ "topic": "projects/p/topics/orders", "pushConfig": { "pushEndpoint": "http://x" } });
    assert_eq!(
        kit.ask("PUT", "/v1/projects/p/subscriptions/pushed", push)
            .await
            .0,
        501
    );
    let (status, refused) = kit.ask("PUT", TOPIC, json!({})).await;
    assert_eq!(
        (status, &refused["error"]["status"]),
        (409, &json!("ALREADY_EXISTS"))
    );
    assert_eq!(
        kit.ask(
            "POST",
            &format!("{TOPIC}:publish"),
            json!({ "messages": [{}] })
        )
        .await
        .0,
        400
    );
    assert_eq!(
        kit.ask(
            "POST",
            &format!("{TOPIC}:publish"),
            json!({ "messages": [{ "data": "?" }] })
        )
        .await
        .0,
        400
    );
    assert_eq!(deadline(&kit, json!(["nonsense"]), 10).await, 400);
}
