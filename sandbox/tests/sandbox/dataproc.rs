//! Dataproc, as its clients see it.

use serde_json::{Value, json};

use crate::dataflow::kit;
use crate::kit::Kit;

const PLACE: &str = "/v1/projects/p/regions/eu/";

async fn cluster(kit: &Kit) {
    let body = json!({ "clusterName": "c1", "config": {} });
    let path = format!("{PLACE}clusters?requestId=r1");
    let first = kit.good("POST", &path, body.clone()).await;
    let again = kit.good("POST", &path, body.clone()).await;
    assert_eq!(first["name"], again["name"]);
    let (status, refused) = kit.ask("POST", &format!("{PLACE}clusters"), body).await;
    assert_eq!(
        (status, &refused["error"]["status"]),
        (409, &json!("ALREADY_EXISTS"))
    );
    let name = first["name"].as_str().expect("it works");
    let done = kit
        .until(&format!("/v1/{name}"), |operation| {
            operation["done"] == true
        })
        .await;
    assert_eq!(done["response"]["clusterName"], "c1");
    let cluster = kit
        .good("GET", &format!("{PLACE}clusters/c1"), Value::Null)
        .await;
    assert_eq!(cluster["status"]["state"], "RUNNING");
}

fn job(id: &str, main: &str, request: &str) -> Value {
    json!({ "requestId": request, "job": {
        "reference": { "jobId": id }, "placement": { "clusterName": "c1" },
        "pysparkJob": { "mainPythonFileUri": format!("gs://code/{main}.py"), "args": ["--date=2026-01-01"] } } })
}

#[tokio::test]
async fn a_request_id_gives_the_first_job_and_a_job_id_is_taken() {
    let (kit, _) = kit().await;
    let submit = format!("{PLACE}jobs:submit");
    assert_eq!(
        kit.ask("POST", &submit, job("j", "count", "k")).await.0,
        404
    );
    cluster(&kit).await;
    let first = kit.good("POST", &submit, job("j", "breaks", "k")).await;
    let path = format!("{PLACE}jobs/j");
    let ended = kit.until(&path, |job| job["done"] == true).await;
    assert_eq!(
        (&ended["status"]["state"], &ended["status"]["details"]),
        (&json!("ERROR"), &json!("no such table"))
    );
    // The same request gives the old, failed job; another one for the same id is refused until the job is deleted.
    let again = kit.good("POST", &submit, job("j", "count", "k")).await;
    assert_eq!(
        (&again["jobUuid"], &again["status"]["state"]),
        (&first["jobUuid"], &json!("ERROR"))
    );
    let (status, refused) = kit.ask("POST", &submit, job("j", "count", "k2")).await;
    assert_eq!(
        (status, &refused["error"]["status"]),
        (409, &json!("ALREADY_EXISTS"))
    );
    kit.good("DELETE", &path, Value::Null).await;
    kit.good("POST", &submit, job("j", "count", "k2")).await;
    let ended = kit.until(&path, |job| job["done"] == true).await;
    assert_eq!(ended["status"]["state"], "DONE");
    let states: Vec<_> = ended["statusHistory"]
        .as_array()
        .expect("it works")
        .iter()
        .map(|one| one["state"].as_str().expect("it works"))
        .collect();
    assert_eq!(states, ["PENDING", "SETUP_DONE", "RUNNING"]);
}

#[tokio::test]
async fn a_job_is_cancelled_once() {
    let (kit, _) = kit().await;
    cluster(&kit).await;
    kit.good("POST", &format!("{PLACE}jobs:submit"), job("j", "slow", ""))
        .await;
    let path = format!("{PLACE}jobs/j");
    assert_eq!(kit.ask("DELETE", &path, Value::Null).await.0, 400);
    kit.good("POST", &format!("{path}:cancel"), json!({})).await;
    kit.until(&path, |job| job["status"]["state"] == "CANCELLED")
        .await;
    assert_eq!(
        kit.ask("POST", &format!("{path}:cancel"), json!({}))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn a_stopped_cluster_takes_no_jobs() {
    let (kit, _) = kit().await;
    cluster(&kit).await;
    kit.good("POST", &format!("{PLACE}clusters/c1:stop"), json!({}))
        .await;
    let path = format!("{PLACE}clusters/c1");
    kit.until(&path, |cluster| cluster["status"]["state"] == "STOPPED")
        .await;
    assert_eq!(
        kit.ask(
            "POST",
            &format!("{PLACE}jobs:submit"),
            job("j", "count", "")
        )
        .await
        .0,
        400
    );
    let deleted = kit.good("DELETE", &path, Value::Null).await;
    let name = deleted["name"].as_str().expect("it works");
    kit.until(&format!("/v1/{name}"), |operation| {
        operation["done"] == true
    })
    .await;
    assert_eq!(kit.ask("GET", &path, Value::Null).await.0, 404);
}

#[tokio::test]
async fn batches_have_keys_of_their_own_and_are_cancelled_by_their_operation() {
    let (kit, go) = kit().await;
    let all = "/v1/projects/p/locations/eu/batches";
    let body = json!({ "pysparkBatch": { "mainPythonFileUri": "gs://code/slow.py" } });
    let first = kit
        .good(
            "POST",
            &format!("{all}?batchId=batch-1&requestId=r"),
            body.clone(),
        )
        .await;
    let again = kit
        .good(
            "POST",
            &format!("{all}?batchId=batch-1&requestId=r"),
            body.clone(),
        )
        .await;
    assert_eq!(first["name"], again["name"]);
    assert_eq!(
        kit.ask("POST", &format!("{all}?batchId=batch-1"), body.clone())
            .await
            .0,
        409
    );
    let operation = format!("/v1/{}", first["name"].as_str().expect("it works"));
    kit.good("POST", &format!("{operation}:cancel"), json!({}))
        .await;
    kit.until(&format!("{all}/batch-1"), |batch| {
        batch["state"] == "CANCELLED"
    })
    .await;
    let ended = kit.good("GET", &operation, Value::Null).await;
    assert_eq!(ended["error"]["code"], 1);
    kit.good("DELETE", &format!("{all}/batch-1"), Value::Null)
        .await;
    go.notify_one();
    kit.good("POST", &format!("{all}?batchId=batch-1"), body)
        .await;
    kit.until(&format!("{all}/batch-1"), |batch| {
        batch["state"] == "SUCCEEDED"
    })
    .await;
}
