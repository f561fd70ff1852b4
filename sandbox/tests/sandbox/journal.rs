//! The journal, as tests ask it.

use std::sync::Arc;

use serde_json::{Value, json};
use tidemill_sandbox::Programs;

use crate::dataflow::programs;
use crate::kit::Kit;

#[tokio::test]
async fn all_is_there_after_a_restart_and_the_end_of_a_job_is_an_effect() {
    let go = Arc::new(tokio::sync::Notify::new());
    let folder = Arc::new(tempfile::tempdir().expect("it works"));
    let kit = Kit::with(folder, programs(&go)).await;
    let body = json!({ "jobName": "c", "parameters": {} });
    let path = "/v1b3/projects/p/locations/eu/templates:launch?gcsPath=gs://t/breaks";
    let job = kit.good("POST", path, body).await["job"]["id"].clone();
    let key = format!(
        "dataflow/projects/p/locations/eu/jobs/{}",
        job.as_str().expect("it works")
    );
    let effects = "/sandbox/journal?service=dataflow&effects=true";
    let last = format!("job {key} is failed: no such table");
    let before = kit
        .until(effects, |journal| journal.to_string().contains(&last))
        .await;
    let lines = before["entries"].as_array().expect("it works");
    let shown: Vec<&str> = lines
        .iter()
        .map(|line| line["effects"][0].as_str().expect("it works"))
        .collect();
    assert!(shown[0].starts_with("dataflow job c"), "{shown:?}");
    let changes = kit
        .good("GET", "/sandbox/journal?method=dataflow.job", Value::Null)
        .await;
    let changes = changes["entries"].as_array().expect("it works");
    assert_eq!(changes.len(), 3);
    assert!(
        changes
            .iter()
            .all(|line| line["request"] == key.as_str() && line["status"] == Value::Null)
    );

    let kit = Kit::with(kit.end().await, Programs::default()).await;
    assert_eq!(
        kit.good("GET", effects, Value::Null).await["entries"],
        before["entries"]
    );
    kit.good("GET", "/storage/v1/b?project=p", Value::Null)
        .await;
    let page = kit
        .good("GET", "/sandbox/journal?limit=2&after=1", Value::Null)
        .await;
    assert_eq!(page["entries"][0]["number"], 2);
    assert_eq!(page["next"], 3);
    let all = kit.good("GET", "/sandbox/journal", Value::Null).await;
    let all = all["entries"].as_array().expect("it works").clone();
    assert_eq!(
        all.last().expect("it works")["method"],
        "storage.buckets.list"
    );
    for (at, line) in all.iter().enumerate() {
        assert_eq!(line["number"], at + 1);
    }
}
