//! The CRM, as a DAG pulls it.

use reqwest::Response;
use serde_json::json;

use crate::kit::{Kit, json as body_of};

async fn pull(kit: &Kit, path: &str) -> Response {
    let url = format!("{}{path}", kit.base);
    kit.client
        .get(url)
        .header("authorization", "Bearer crm-sandbox-token")
        .send()
        .await
        .expect("it works")
}

#[tokio::test]
async fn a_day_is_the_same_whenever_it_is_pulled() {
    let kit = Kit::new().await;
    let mut ids = Vec::new();
    let mut next = json!(1);
    while let Some(page) = next.as_u64() {
        let body = body_of(
            pull(
                &kit,
                &format!("/crm/v1/tickets?date=2026-01-31&page={page}"),
            )
            .await,
        )
        .await;
        ids.extend(
            body["tickets"]
                .as_array()
                .unwrap()
                .iter()
                .map(|ticket| ticket["ticket_id"].clone()),
        );
        next = body["next_page"].clone();
        assert_eq!(
            body["total"].as_u64().unwrap().div_ceil(100),
            body["pages"].as_u64().unwrap()
        );
    }
    assert!(ids.len() >= 180);
    let again =
        body_of(pull(&kit, "/crm/v1/tickets?date=2026-01-31&page=2&per_page=50").await).await;
    assert_eq!(again["tickets"][0]["ticket_id"], ids[50]);
}

#[tokio::test]
async fn who_pulls_wrongly_is_told_how() {
    let kit = Kit::new().await;
    let path = "/crm/v1/tickets?date=2026-01-31";
    assert_eq!(kit.get(path).await.status(), 401);
    for (path, status) in [
        ("/crm/v1/tickets", 400),
        ("/crm/v1/tickets?date=x", 400),
        ("/crm/v1/tickets?date=2026-01-31&page=99", 404),
    ] {
        assert_eq!(pull(&kit, path).await.status(), status, "{path}");
    }
    let mut statuses = Vec::new();
    for _ in 0..60 {
        statuses.push(pull(&kit, path).await);
    }
    let refused = statuses
        .iter()
        .find(|reply| reply.status() == 429)
        .expect("sixty more are too many");
    assert!(refused.headers().contains_key("retry-after"));
}
