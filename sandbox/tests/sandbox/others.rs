//! The smaller services, and what all answer to nonsense.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::dataflow::kit;
use crate::kit::Kit;

#[tokio::test]
async fn dbt_cloud_starts_a_second_run_for_a_second_trigger() {
    let (kit, _) = kit().await;
    let trigger = json!({ "cause": "key-1" });
    let path = "/api/v2/accounts/1/jobs/7/run/";
    let first = kit.good("POST", path, trigger.clone()).await["data"]["id"].clone();
    let second = kit.good("POST", path, trigger).await["data"]["id"].clone();
    assert_ne!(first, second);
    let list = kit
        .good(
            "GET",
            "/api/v2/accounts/1/runs/?order_by=-id&job_definition_id=7",
            Value::Null,
        )
        .await;
    assert_eq!(
        (&list["data"][0]["id"], &list["data"][1]["trigger"]["cause"]),
        (&second, &json!("key-1"))
    );
    let run = format!("/api/v2/accounts/1/runs/{first}/");
    let ended = kit
        .until(&run, |run| run["data"]["is_complete"] == true)
        .await;
    // Nobody registered the program.
    assert_eq!(ended["data"]["status"], 20);
    assert!(
        ended["data"]["status_message"]
            .as_str()
            .expect("it works")
            .contains("dbt_job_7.sandbox.sql")
    );
    let results = kit
        .good(
            "GET",
            &format!("{run}artifacts/run_results.json"),
            Value::Null,
        )
        .await;
    assert_eq!(results["results"][0]["status"], "error");
    assert_eq!(kit.ask("POST", path, json!({})).await.0, 400);
}

#[tokio::test]
async fn airbyte_and_cloud_sql_do_one_thing_at_a_time() {
    let (kit, go) = kit().await;
    let sync = json!({ "connectionId": "slow", "jobType": "sync" });
    let job = kit.good("POST", "/api/public/v1/jobs", sync.clone()).await;
    let (status, refused) = kit.ask("POST", "/api/public/v1/jobs", sync).await;
    assert_eq!(
        (status, &refused["title"]),
        (409, &json!("try-again-later"))
    );
    let path = format!("/api/public/v1/jobs/{}", job["jobId"]);
    kit.good("DELETE", &path, Value::Null).await;
    kit.until(&path, |job| job["status"] == "cancelled").await;

    let export = json!({ "exportContext": { "uri": "gs://raw/slow.csv", "fileType": "CSV", "databases": ["shop"] } });
    let path = "/v1/projects/p/instances/db/export";
    let operation = kit.good("POST", path, export.clone()).await["name"].clone();
    let (status, refused) = kit.ask("POST", path, export).await;
    assert_eq!(
        (status, &refused["error"]["errors"][0]["reason"]),
        (409, &json!("operationInProgress"))
    );
    go.notify_one();
    let path = format!(
        "/sql/v1beta4/projects/p/operations/{}",
        operation.as_str().expect("it works")
    );
    let done = kit
        .until(&path, |operation| operation["status"] == "DONE")
        .await;
    assert!(done.get("error").is_none(), "{done}");
}

#[tokio::test]
async fn cloud_run_functions_and_vertex_run_programs() {
    let (kit, _) = kit().await;
    let run = kit
        .good(
            "POST",
            "/v2/projects/p/locations/eu/jobs/count:run",
            json!({}),
        )
        .await;
    let operation = format!("/v2/{}", run["name"].as_str().expect("it works"));
    let done = kit
        .until(&operation, |operation| operation["done"] == true)
        .await;
    assert_eq!(done["response"]["succeededCount"], 1);
    let execution = format!(
        "/v2/{}",
        run["metadata"]["name"].as_str().expect("it works")
    );
    let shown = kit.good("GET", &execution, Value::Null).await;
    assert_eq!(shown["conditions"][0]["state"], "CONDITION_SUCCEEDED");

    let called = kit
        .good("POST", "/functions/p/eu/count", json!({ "date": "d" }))
        .await;
    assert_eq!(called, json!({ "rows": 3, "date": "d" }));
    let called = kit
        .good(
            "POST",
            "/v1/projects/p/locations/eu/functions/breaks:call",
            json!({ "data": "{}" }),
        )
        .await;
    assert_eq!(called["error"], "no such table");

    let path = "/v1/projects/p/locations/eu/pipelineJobs";
    let job = json!({ "displayName": "d", "templateUri": "gs://t/count.json", "runtimeConfig": { "parameterValues": { "n": 1 } } });
    kit.good("POST", &format!("{path}?pipelineJobId=j1"), job.clone())
        .await;
    assert_eq!(
        kit.ask("POST", &format!("{path}?pipelineJobId=j1"), job)
            .await
            .0,
        409
    );
    kit.until(&format!("{path}/j1"), |job| {
        job["state"] == "PIPELINE_STATE_SUCCEEDED"
    })
    .await;
}

#[tokio::test]
async fn secrets_are_files_and_nothing_beside_them() {
    let folder = std::sync::Arc::new(tempfile::tempdir().expect("it works"));
    let place = folder.path().join("secrets/p/db");
    std::fs::create_dir_all(&place).expect("it works");
    std::fs::write(place.join("1"), "old").expect("it works");
    std::fs::write(place.join("2"), "new").expect("it works");
    let kit = Kit::over(folder).await;
    let path = "/v1/projects/p/secrets/db/versions";
    let latest = kit
        .good("GET", &format!("{path}/latest:access"), Value::Null)
        .await;
    assert_eq!(
        (&latest["payload"]["data"], &latest["name"]),
        (&json!("bmV3"), &json!("projects/p/secrets/db/versions/2"))
    );
    assert_eq!(
        kit.ask("GET", &format!("{path}/3:access"), Value::Null)
            .await
            .0,
        404
    );
    let out = "/v1/projects/p/secrets/..%2F..%2Fjobs/versions/latest:access";
    assert_eq!(kit.ask("GET", out, Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_token_that_a_fault_ended_is_refused_until_there_is_a_new_one() {
    let (kit, _) = kit().await;
    let list = "/v1b3/projects/p/jobs:aggregated";
    let token = async || {
        let reply = kit
            .client
            .post(format!("{}/token", kit.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=refresh_token&refresh_token=r")
            .send()
            .await
            .expect("it works");
        crate::kit::json(reply).await["access_token"]
            .as_str()
            .expect("it works")
            .to_owned()
    };
    let with = async |token: &str| {
        let request = kit.client.get(format!("{}{list}", kit.base));
        let reply = request
            .header("authorization", format!("Bearer {token}"))
            .send()
            .await
            .expect("it works");
        reply.status().as_u16()
    };
    let first = token().await;
    assert_eq!(with(&first).await, 200);
    kit.fault(&json!({ "service": "dataflow", "count": 1, "kind": "expired_token" }))
        .await;
    assert_eq!(with(&first).await, 401);
    assert_eq!(with(&first).await, 401);
    assert_eq!(with(&token().await).await, 200);
    // A fixed token of a client's own is refused only as often as the fault says.
    kit.fault(&json!({ "service": "dataflow", "count": 1, "kind": "expired_token" }))
        .await;
    assert_eq!(with("fixed").await, 401);
    assert_eq!(with("fixed").await, 200);
    assert_eq!(with("ya29.sandbox.1.0").await, 401);
}

const POSTS: &[&str] = &[
    "/v1b3/projects/p/locations/eu/templates:launch?gcsPath=gs://t/x",
    "/v1b3/projects/p/locations/eu/templates",
    "/v1b3/projects/p/locations/eu/flexTemplates:launch",
    "/v1/projects/p/regions/eu/clusters",
    "/v1/projects/p/regions/eu/jobs:submit",
    "/v1/projects/p/regions/eu/jobs/j:cancel",
    "/v1/projects/p/locations/eu/batches",
    "/api/2.1/jobs/create",
    "/api/2.2/jobs/run-now",
    "/api/2.2/jobs/runs/submit",
    "/api/2.1/jobs/runs/cancel",
    "/api/2.1/jobs/runs/repair",
    "/api/2.0/pipelines",
    "/api/2.0/pipelines/x/updates",
    "/api/2.0/sql/statements",
    "/oidc/v1/token",
    "/token",
    "/api/v2/accounts/1/jobs/2/run/",
    "/api/public/v1/jobs",
    "/v1/projects/p/instances/i/export",
    "/v2/projects/p/locations/eu/jobs/j:run",
    "/functions/p/eu/f",
    "/v1/projects/p/locations/eu/functions/f:call",
    "/v1/projects/p/locations/eu/pipelineJobs",
    "/v1/projects/p/serviceAccounts/a:generateAccessToken",
    "/v1/projects/p/topics/t:publish",
    "/v1/projects/p/subscriptions/s:pull",
    "/v1/projects/p/subscriptions/s:acknowledge",
];

#[test]
fn any_bytes_are_refused_in_the_format_of_the_service() {
    let runtime = tokio::runtime::Runtime::new().expect("it works");
    let (kit, _) = runtime.block_on(kit());
    let mut runner = TestRunner::new(Config {
        cases: 16,
        failure_persistence: None,
        ..Config::default()
    });
    let nonsense = prop_oneof![
        vec(any::<u8>(), 1..200),
        prop_oneof![
            Just("[]"),
            Just("7"),
            Just("\"x\""),
            Just("{\"a\":[{\"b\":null}]}"),
            Just("{")
        ]
        .prop_map(|text| text.as_bytes().to_vec()),
    ]
    .prop_filter("an empty body is an empty object", |bytes| {
        !bytes.iter().all(u8::is_ascii_whitespace)
    });
    runner
        .run(&nonsense, |bytes| {
            runtime.block_on(async {
                for path in POSTS {
                    let request = kit.client.post(format!("{}{path}", kit.base));
                    let reply = request.body(bytes.clone()).send().await.expect("it works");
                    let status = reply.status().as_u16();
                    let body = reply.text().await.expect("it works");
                    // Settings of a job may hold anything, as on the service.
                    let taken = *path == "/api/2.1/jobs/create" && bytes.starts_with(b"{\"a\"");
                    assert!(
                        taken || (400..500).contains(&status),
                        "{path} {status} {body}"
                    );
                    assert!(
                        serde_json::from_str::<Value>(&body)
                            .expect("it works")
                            .is_object(),
                        "{path} {body}"
                    );
                }
            });
            Ok(())
        })
        .expect("it works");
}
