//! Streaming jobs: messages into tables and files.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidemill_sandbox::Programs;

use crate::bigquery::{BASE, dataset, table};
use crate::kit::Kit;

const JOBS: &str = "/v1b3/projects/p/locations/eu/";
const TOPIC: &str = "/v1/projects/p/topics/events";
const SUB: &str = "/v1/projects/p/subscriptions/events-1";

async fn prepare(kit: &Kit) {
    dataset(kit, "US").await;
    table(kit, "t").await;
    kit.good("POST", "/storage/v1/b?project=p", json!({ "name": "lake" }))
        .await;
    kit.good("PUT", TOPIC, json!({})).await;
    kit.good("PUT", SUB, json!({ "topic": "projects/p/topics/events" }))
        .await;
}

async fn publish(kit: &Kit, messages: &[(&str, &str)]) {
    let messages: Vec<Value> = messages
        .iter()
        .map(|(data, kind)| json!({ "data": STANDARD.encode(data), "attributes": { "event_type": kind } }))
        .collect();
    let body = json!({ "messages": messages });
    kit.good("POST", &format!("{TOPIC}:publish"), body).await;
}

fn event(n: u64) -> String {
    json!({ "day": "2026-01-01", "name": "x", "n": n }).to_string()
}

async fn launch(kit: &Kit, template: &str, parameters: Value, update: bool) -> String {
    let body = json!({ "launchParameter": {
        "jobName": "stream", "containerSpecGcsPath": format!("gs://dataflow-templates-eu/latest/flex/{template}"),
        "parameters": parameters, "update": update,
    } });
    let job = kit
        .good("POST", &format!("{JOBS}flexTemplates:launch"), body)
        .await["job"]
        .clone();
    assert_eq!(job["type"], "JOB_TYPE_STREAMING");
    format!("{JOBS}jobs/{}", job["id"].as_str().expect("it works"))
}

async fn metric(kit: &Kit, job: &str, name: &str) -> Value {
    let metrics = kit
        .good("GET", &format!("{job}/metrics"), Value::Null)
        .await;
    let all = metrics["metrics"].as_array().expect("it works").clone();
    let one = all.into_iter().find(|one| one["name"]["name"] == name);
    one.map_or(Value::Null, |one| one["scalar"].clone())
}

/// The rows of a table as its first column's text, when there are so many.
async fn rows(kit: &Kit, table: &str, count: usize) -> Vec<Value> {
    let path = format!("{BASE}/datasets/d/tables/{table}/data");
    let total = json!(count.to_string());
    let data = kit.until(&path, |data| data["totalRows"] == total).await;
    data["rows"].as_array().cloned().unwrap_or_default()
}

async fn objects(kit: &Kit, prefix: &str) -> Vec<String> {
    let path = format!("/storage/v1/b/lake/o?prefix={prefix}");
    let list = kit.good("GET", &path, Value::Null).await;
    let items = list["items"].as_array().cloned().unwrap_or_default();
    items
        .iter()
        .map(|item| item["name"].as_str().expect("it works").to_owned())
        .collect()
}

#[tokio::test]
async fn a_template_fills_its_table_and_keeps_what_does_not_fit() {
    let kit = Kit::new().await;
    prepare(&kit).await;
    let given = json!({ "inputSubscription": "projects/p/subscriptions/events-1", "outputTableSpec": "p:d.t" });
    let job = launch(&kit, "PubSub_to_BigQuery_Flex", given, false).await;
    publish(
        &kit,
        &[
            (&event(1), "a"),
            ("no json", "a"),
            (r#"{"n": "x"}"#, "a"),
            (&event(2), "a"),
        ],
    )
    .await;
    publish(&kit, &[(r#"{"n": 3, "other": 1}"#, "b")]).await;
    rows(&kit, "t", 2).await;
    let bad = rows(&kit, "t_error_records", 3).await;
    let shown = json!(bad).to_string();
    for part in [
        "no json",
        "Failed to parse",
        "Cannot convert value",
        "no such field: other",
        "event_type",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    kit.until(&format!("{job}/metrics"), |metrics| {
        metrics
            .to_string()
            .contains(r#""name":"dead_letters","origin":"dataflow/v1b3"},"scalar":3"#)
    })
    .await;
    assert_eq!(metric(&kit, &job, "ElementCount").await, 5);
    assert_eq!(metric(&kit, &job, "rows_written").await, 2);
    assert_eq!(metric(&kit, &job, "backlog_elements").await, 0);
    assert_eq!(metric(&kit, &job, "data_watermark_age").await, 0.0);
}

#[tokio::test]
async fn a_file_of_ones_own_sends_each_kind_to_its_table_and_folder() {
    let dags = tempfile::tempdir().expect("it works");
    let stream = json!({
        "by": "event_type", "tables": { "order": "{project}:d.t", "user": "d.users" },
        "ignore_unknown": true,
        "parameters": {
            "inputTopic": "events", "outputDeadletterTable": "d.dead", "outputFilenameSuffix": ".json",
            "outputDirectory": "gs://{bucket}/{event_type}/YYYY/MM/DD/HH/mm/",
        },
    });
    std::fs::write(
        dags.path().join("realtime.sandbox.json"),
        stream.to_string(),
    )
    .expect("it works");
    let programs = Programs::default();
    programs.add_folder(dags.path());
    let kit = Kit::with(Arc::new(tempfile::tempdir().expect("it works")), programs).await;
    prepare(&kit).await;
    let job = launch(&kit, "realtime.json", json!({ "bucket": "lake" }), false).await;
    let sub = "/v1/projects/p/subscriptions/dataflow-stream-events";
    kit.until(&format!("{job}/messages"), |all| {
        all.to_string().contains("dataflow-stream-events")
    })
    .await;
    publish(
        &kit,
        &[
            (&event(1), "order"),
            (&event(2), "user"),
            (&event(3), "strange"),
        ],
    )
    .await;
    // A table that is not there yet holds its messages up, and loses none.
    kit.until(&format!("{job}/messages"), |all| {
        all.to_string().contains("p:d.users is not there")
    })
    .await;
    table(&kit, "users").await;
    rows(&kit, "t", 1).await;
    rows(&kit, "users", 1).await;
    let bad = json!(rows(&kit, "dead", 1).await).to_string();
    assert!(bad.contains("there is no table for event_type"), "{bad}");
    for kind in ["order", "user", "strange"] {
        let found = objects(&kit, &format!("{kind}/2")).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].split('/').count(), 7, "{found:?}");
        assert!(
            found[0].contains("-pane-") && found[0].ends_with(".json"),
            "{found:?}"
        );
    }
    // What was made for the job goes with it.
    kit.good(
        "PUT",
        &job,
        json!({ "requestedState": "JOB_STATE_DRAINED" }),
    )
    .await;
    kit.until(&job, |job| job["currentState"] == "JOB_STATE_DRAINED")
        .await;
    assert_eq!(kit.ask("GET", sub, Value::Null).await.0, 404);
}

#[tokio::test]
async fn restarts_and_replacements_lose_nothing_and_double_nothing() {
    let mut kit = Kit::new().await;
    prepare(&kit).await;
    let given = json!({
        "inputSubscription": "events-1", "outputTableSpec": "d.t", "outputDirectory": "gs://lake/all",
    });
    let mut job = launch(
        &kit,
        "PubSub_Subscription_to_BigQuery",
        given.clone(),
        false,
    )
    .await;
    let mut sent = 0;
    for round in 0..6 {
        for _ in 0..5 {
            let data: Vec<String> = (sent..sent + 20).map(event).collect();
            let messages: Vec<(&str, &str)> = data.iter().map(|one| (one.as_str(), "a")).collect();
            publish(&kit, &messages).await;
            sent += 20;
        }
        if round % 2 == 0 {
            job = launch(&kit, "PubSub_Subscription_to_BigQuery", given.clone(), true).await;
        } else {
            kit = Kit::over(kit.end().await).await;
        }
    }
    let all = rows(&kit, "t", usize::try_from(sent).expect("it works")).await;
    let mut numbers: Vec<u64> = all
        .iter()
        .map(|row| {
            row["f"][2]["v"]
                .as_str()
                .expect("it works")
                .parse()
                .expect("it works")
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..sent).collect::<Vec<_>>());
    kit.until(&format!("{job}/metrics"), |metrics| {
        metrics
            .to_string()
            .contains(r#""name":"backlog_elements","origin":"dataflow/v1b3"},"scalar":0"#)
    })
    .await;
    kit.good(
        "PUT",
        &job,
        json!({ "requestedState": "JOB_STATE_DRAINED" }),
    )
    .await;
    kit.until(&job, |job| job["currentState"] == "JOB_STATE_DRAINED")
        .await;
    let mut lines = 0;
    for name in objects(&kit, "all/").await {
        let path = format!(
            "/storage/v1/b/lake/o/{}?alt=media",
            name.replace('/', "%2F").replace(':', "%3A")
        );
        let text = kit.get(&path).await.text().await.expect("it works");
        lines += text.lines().count() as u64;
    }
    assert_eq!(lines, sent);
}

#[tokio::test]
async fn what_cannot_be_followed_fails_the_job() {
    let kit = Kit::new().await;
    prepare(&kit).await;
    for (given, says) in [
        (
            json!({ "outputTableSpec": "d.t" }),
            "inputSubscription or inputTopic",
        ),
        (
            json!({ "inputSubscription": "none", "outputTableSpec": "d.t" }),
            "subscriptions/none",
        ),
        (
            json!({ "inputTopic": "none", "outputTableSpec": "d.t" }),
            "topics/none",
        ),
        (
            json!({ "inputSubscription": "events-1", "outputTableSpec": "d.t", "javascriptTextTransformGcsPath": "gs://x" }),
            "javascriptTextTransform",
        ),
    ] {
        let job = launch(&kit, "PubSub_to_BigQuery_Flex", given, false).await;
        kit.until(&job, |job| job["currentState"] == "JOB_STATE_FAILED")
            .await;
        let messages = kit
            .good("GET", &format!("{job}/messages"), Value::Null)
            .await;
        assert!(messages.to_string().contains(says), "{messages}");
    }
}
