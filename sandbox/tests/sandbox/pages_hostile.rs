//! The pages: any bytes in an address or a form are answered with a page, and the server stays up.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use crate::bigquery::{dataset, table};
use crate::kit::Kit;
use crate::pages::{Browser, HOSTILE};

const PAGES: [&str; 18] = [
    "/sandbox/",
    "/sandbox/buckets",
    "/sandbox/object",
    "/sandbox/download",
    "/sandbox/datasets",
    "/sandbox/dataset",
    "/sandbox/table",
    "/sandbox/sql",
    "/sandbox/jobs",
    "/sandbox/job",
    "/sandbox/messages",
    "/sandbox/topic",
    "/sandbox/subscription",
    "/sandbox/received",
    "/sandbox/faults",
    "/sandbox/journal",
    "/sandbox/static/x",
    "/sandbox/x",
];

const FORMS: [&str; 5] = [
    "/sandbox/sql",
    "/sandbox/job",
    "/sandbox/topic",
    "/sandbox/faults/add",
    "/sandbox/faults/remove",
];

const NAMES: &[&str] = &[
    "bucket",
    "prefix",
    "name",
    "generation",
    "page",
    "project",
    "dataset",
    "table",
    "partition",
    "from",
    "job",
    "location",
    "key",
    "service",
    "state",
    "q",
    "channel",
    "before",
    "method",
    "effects",
    "fault",
    "text",
    "how",
    "what",
    "kind",
    "status",
    "count",
    "after",
    "id",
    "data",
    "attributes",
    "ms",
    "said",
];

/// A value as it stands in an address: what there is, what could be, and any bytes.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec![
            "raw", "a.csv", "d", "t", "p", "v", "US", "storage", "bigquery", "dataflow", "projects/p/topics/orders",
            "projects/p/subscriptions/orders-1", "20260131", "__NULL__", "true", "run", "dry", "SELECT 1", "status", "quota",
            "storage%20storage.objects.get", "gs%3A%2F%2Fraw%2F", "..", "%2F", "%00", "%ff", "%24", "%", "*",
        ]).prop_map(str::to_owned),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => Just(u64::MAX.to_string()),
        1 => prop::collection::vec(any::<u8>(), 0..12)
            .prop_map(|bytes| bytes.iter().map(|byte| format!("%{byte:02x}")).collect()),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let pair = (prop::sample::select(NAMES), value());
    prop::collection::vec(pair, 0..6).prop_map(|pairs| {
        let pairs: Vec<String> = pairs
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("&")
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_request_is_answered_with_a_page() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    table(&kit, "t").await;
    let bucket = serde_json::json!({ "name": "raw" });
    kit.good("POST", "/storage/v1/b?project=p", bucket).await;
    kit.client
        .post(format!(
            "{}/upload/storage/v1/b/raw/o?uploadType=media&name=a.csv",
            kit.base
        ))
        .body(format!("a,b\n1,{HOSTILE}\n"))
        .send()
        .await
        .expect("it works");
    let nothing = serde_json::json!({});
    kit.good("PUT", "/v1/projects/p/topics/orders", nothing)
        .await;
    let topic = serde_json::json!({ "topic": "projects/p/topics/orders" });
    kit.good("PUT", "/v1/projects/p/subscriptions/orders-1", topic)
        .await;
    let browser = Browser::new(kit);
    let mut runner = TestRunner::new(Config::with_cases(1));
    let strategy = (0..PAGES.len() + FORMS.len(), query());
    let own = [("sec-fetch-site", "same-origin")];
    for _ in 0..500 {
        let (at, query) = strategy.new_tree(&mut runner).expect("it works").current();
        let (status, page, asked) = match PAGES.get(at) {
            Some(path) => {
                let asked = format!("{path}?{query}");
                let (status, page) = browser.get(&asked).await;
                (status, page, asked)
            }
            None => {
                let path = FORMS[at - PAGES.len()];
                let reply = browser.send_text(path, query.clone(), &own).await;
                let status = reply.status().as_u16();
                let page = reply.text().await.expect("it works");
                (status, page, format!("{path} {query}"))
            }
        };
        // A job that a fault of the form took away is answered as if a gateway had done it.
        assert!(
            status < 500 || status == 501 || status == 502,
            "{asked}: {status} {page}"
        );
        // A form that did something leads to a page.
        let page = if status == 303 {
            "<!doctype html></html>".to_owned()
        } else {
            page
        };
        let is_page = page.starts_with("<!doctype html>") && page.ends_with("</html>");
        assert!(is_page || asked.contains("/download?"), "{asked}: {page}");
        assert!(
            !page.contains("<img") || asked.contains("/download?"),
            "{asked}: {page}"
        );
    }
}
