//! BigQuery: load, copy and extract jobs, and what becomes of jobs.

use serde_json::{Value, json};

use crate::bigquery::{BASE, dataset, reason, table};
use crate::kit::Kit;

pub(crate) async fn object(kit: &Kit, name: &str, content: &str) {
    let (bucket, name) = name.split_once('/').expect("it works");
    kit.ask("POST", "/storage/v1/b?project=p", json!({ "name": bucket }))
        .await;
    let reply = kit
        .client
        .post(format!(
            "{}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={}",
            kit.base,
            name.replace('/', "%2F")
        ))
        .body(content.to_owned())
        .send()
        .await
        .expect("it works");
    assert_eq!(reply.status(), 200);
}

async fn content(kit: &Kit, name: &str) -> String {
    let (bucket, name) = name.split_once('/').expect("it works");
    let path = format!("/storage/v1/b/{bucket}/o/{name}?alt=media");
    kit.get(&path).await.text().await.expect("it works")
}

pub(crate) fn job(id: &str, configuration: Value) -> Value {
    json!({ "jobReference": { "projectId": "p", "jobId": id }, "configuration": configuration })
}

fn load(id: &str, uri: &str) -> Value {
    job(
        id,
        json!({ "load": {
            "sourceUris": [uri], "sourceFormat": "CSV",
            "destinationTable": { "projectId": "p", "datasetId": "d", "tableId": "t" },
            "schema": { "fields": [{ "name": "n", "type": "INTEGER" }] },
        } }),
    )
}

pub(crate) async fn done(kit: &Kit, id: &str, location: &str) -> Value {
    kit.until(&format!("{BASE}/jobs/{id}?location={location}"), |job| {
        job["status"]["state"] == "DONE"
    })
    .await
}

async fn rows(kit: &Kit, name: &str) -> Value {
    kit.good(
        "GET",
        &format!("{BASE}/datasets/d/tables/{name}"),
        Value::Null,
    )
    .await["numRows"]
        .clone()
}

#[tokio::test]
async fn a_load_is_done_once_and_says_what_it_did() {
    let kit = Kit::new().await;
    dataset(&kit, "EU").await;
    object(&kit, "raw/a.csv", "1\n2\n").await;
    let started = kit
        .good(
            "POST",
            &format!("{BASE}/jobs"),
            load("one", "gs://raw/*.csv"),
        )
        .await;
    assert_eq!(
        started["jobReference"],
        json!({ "projectId": "p", "jobId": "one", "location": "EU" })
    );
    let found = done(&kit, "one", "EU").await;
    assert_eq!(
        found["statistics"]["load"],
        json!({
            "inputFiles": "1", "inputFileBytes": "4", "outputRows": "2", "outputBytes": "16",
            "badRecords": "0",
        })
    );
    assert_eq!(found["configuration"]["jobType"], "LOAD");
    assert_eq!(found["status"], json!({ "state": "DONE" }));
    let (status, reply) = kit
        .ask(
            "POST",
            &format!("{BASE}/jobs"),
            load("one", "gs://raw/*.csv"),
        )
        .await;
    assert_eq!(
        (status, reason(&reply)),
        (409, ("duplicate", "Already Exists: Job p:EU.one"))
    );
    assert_eq!(rows(&kit, "t").await, "2", "a repeat adds nothing");
}

#[tokio::test]
async fn a_failed_job_keeps_its_identifier() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    kit.good(
        "POST",
        &format!("{BASE}/jobs"),
        load("gone", "gs://raw/none*"),
    )
    .await;
    let found = done(&kit, "gone", "US").await;
    assert_eq!(
        found["status"]["errorResult"],
        json!({ "reason": "notFound", "message": "Not found: Uris gs://raw/none*" })
    );
    assert_eq!(found["status"]["errors"].as_array().unwrap().len(), 1);
    let (status, _) = kit
        .ask(
            "POST",
            &format!("{BASE}/jobs"),
            load("gone", "gs://raw/none*"),
        )
        .await;
    assert_eq!(status, 409);
    object(&kit, "raw/bad.csv", "x\n").await;
    kit.good(
        "POST",
        &format!("{BASE}/jobs"),
        load("bad", "gs://raw/bad.csv"),
    )
    .await;
    let found = done(&kit, "bad", "US").await;
    let errors = found["status"]["errors"].as_array().unwrap();
    assert!(
        errors[0]["message"]
            .as_str()
            .unwrap()
            .contains("too many errors, giving up"),
        "{errors:?}"
    );
    assert_eq!(errors[1]["location"], "gs://raw/bad.csv");
    assert!(
        errors[1]["message"].as_str().unwrap().starts_with(
            "Error while reading data, error message: Could not parse 'x' as INTEGER for field n"
        ),
        "{errors:?}"
    );
}

#[tokio::test]
async fn jobs_are_found_where_they_ran() {
    let kit = Kit::new().await;
    dataset(&kit, "EU").await;
    object(&kit, "raw/a.csv", "1\n").await;
    let path = format!("{BASE}/jobs");
    kit.good("POST", &path, load("one", "gs://raw/a.csv")).await;
    done(&kit, "one", "eu").await;
    let (status, reply) = kit.ask("GET", &format!("{path}/one"), Value::Null).await;
    assert_eq!(
        (status, reason(&reply)),
        (404, ("notFound", "Not found: Job p:one"))
    );
    let mut elsewhere = load("two", "gs://raw/a.csv");
    elsewhere["jobReference"]["location"] = json!("US");
    let (status, reply) = kit.ask("POST", &path, elsewhere).await;
    assert_eq!(
        (status, reason(&reply)),
        (
            404,
            (
                "notFound",
                "Not found: Dataset p:d was not found in location US"
            )
        )
    );
    assert_eq!(
        kit.ask("GET", &format!("{path}/two"), Value::Null).await.0,
        404,
        "a job that was not taken is not there"
    );
}

#[tokio::test]
async fn jobs_are_listed_the_newest_first() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    object(&kit, "raw/a.csv", "1\n").await;
    for id in ["a", "b", "c"] {
        kit.good("POST", &format!("{BASE}/jobs"), load(id, "gs://raw/a.csv"))
            .await;
        done(&kit, id, "US").await;
    }
    let first = kit
        .good(
            "GET",
            &format!("{BASE}/jobs?maxResults=2&stateFilter=done"),
            Value::Null,
        )
        .await;
    let names = |page: &Value| -> Vec<String> {
        let jobs = page["jobs"].as_array().unwrap();
        jobs.iter()
            .map(|job| job["jobReference"]["jobId"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&first), ["c", "b"]);
    assert_eq!(first["jobs"][0]["state"], "DONE");
    let token = first["nextPageToken"].as_str().unwrap();
    let rest = kit
        .good(
            "GET",
            &format!("{BASE}/jobs?maxResults=2&pageToken={token}"),
            Value::Null,
        )
        .await;
    assert_eq!(names(&rest), ["a"]);
    let running = kit
        .good(
            "GET",
            &format!("{BASE}/jobs?stateFilter=running"),
            Value::Null,
        )
        .await;
    assert_eq!(running["jobs"], json!([]));
}

#[tokio::test]
async fn faults_of_jobs_fail_stick_and_vanish() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    object(&kit, "raw/a.csv", "1\n").await;
    let path = format!("{BASE}/jobs");
    let fault = |kind: Value| json!({ "service": "bigquery", "method": "bigquery.jobs.insert", "count": 1, "kind": kind });
    kit.fault(&fault(json!({ "job_fails": { "message": "out of luck" } })))
        .await;
    kit.good("POST", &path, load("fails", "gs://raw/a.csv"))
        .await;
    let found = done(&kit, "fails", "US").await;
    assert_eq!(found["status"]["errorResult"]["message"], "out of luck");
    kit.fault(&fault(json!("job_vanishes"))).await;
    kit.good("POST", &path, load("vanishes", "gs://raw/a.csv"))
        .await;
    assert_eq!(
        kit.ask("GET", &format!("{path}/vanishes"), Value::Null)
            .await
            .0,
        404
    );
    kit.fault(&fault(json!("job_stuck"))).await;
    kit.good("POST", &path, load("stuck", "gs://raw/a.csv"))
        .await;
    kit.until(&format!("{path}/stuck"), |job| {
        job["status"]["state"] == "RUNNING"
    })
    .await;
    // It is stuck after a restart, too, until somebody cancels it.
    let kit = Kit::over(kit.end().await).await;
    kit.until(&format!("{path}/stuck"), |job| {
        job["status"]["state"] == "RUNNING"
    })
    .await;
    kit.good("POST", &format!("{path}/stuck/cancel"), Value::Null)
        .await;
    let found = done(&kit, "stuck", "US").await;
    assert_eq!(
        found["status"]["errorResult"],
        json!({ "reason": "stopped",
            "message": "Job execution was cancelled: User requested cancellation" })
    );
    assert_eq!(
        kit.ask("GET", &format!("{BASE}/datasets/d/tables/t"), Value::Null)
            .await
            .0,
        404,
        "none of them did anything"
    );
}

#[tokio::test]
async fn a_job_ends_with_its_time() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    object(&kit, "raw/a.csv", "1\n").await;
    kit.fault(&json!({ "service": "bigquery", "kind": "job_stuck", "count": 1 }))
        .await;
    let mut slow = load("slow", "gs://raw/a.csv");
    slow["configuration"]["jobTimeoutMs"] = json!("20");
    kit.good("POST", &format!("{BASE}/jobs"), slow).await;
    let found = done(&kit, "slow", "US").await;
    assert_eq!(found["status"]["errorResult"]["reason"], "stopped");
    assert_eq!(
        found["status"]["errorResult"]["message"],
        "Job execution was cancelled: Job timed out after 20 ms"
    );
}

#[tokio::test]
async fn tables_are_copied_and_extracted() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    table(&kit, "t").await;
    let rows_of = json!({ "rows": [
        { "json": { "day": "2026-01-01", "name": "a", "n": 1 } },
        { "json": { "day": "2026-01-02", "name": "b", "n": 2 } },
    ] });
    kit.good(
        "POST",
        &format!("{BASE}/datasets/d/tables/t/insertAll"),
        rows_of,
    )
    .await;
    let table = |name: &str| json!({ "projectId": "p", "datasetId": "d", "tableId": name });
    let copy = json!({ "copy": { "sourceTable": table("t"), "destinationTable": table("u") } });
    kit.good("POST", &format!("{BASE}/jobs"), job("copy", copy.clone()))
        .await;
    let found = done(&kit, "copy", "US").await;
    assert_eq!(found["statistics"]["copy"]["copiedRows"], "2");
    assert_eq!(rows(&kit, "u").await, "2");
    kit.good("POST", &format!("{BASE}/jobs"), job("again", copy))
        .await;
    let found = done(&kit, "again", "US").await;
    assert_eq!(
        found["status"]["errorResult"],
        json!({ "reason": "duplicate", "message": "Already Exists: Table p:d.u" })
    );
    object(&kit, "out/x", "").await;
    let extract = json!({ "extract": {
        "sourceTable": table("t$20260102"), "destinationUris": ["gs://out/t-*.csv"],
    } });
    kit.good("POST", &format!("{BASE}/jobs"), job("extract", extract))
        .await;
    let found = done(&kit, "extract", "US").await;
    assert_eq!(
        found["statistics"]["extract"]["destinationUriFileCounts"],
        json!(["1"])
    );
    assert_eq!(
        content(&kit, "out/t-000000000000.csv").await,
        "day,name,n\n2026-01-02,b,2\n"
    );
}

#[tokio::test]
async fn what_is_no_job_is_refused() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    let avro = json!({ "load": {
        "sourceUris": ["gs://raw/a"], "sourceFormat": "AVRO",
        "destinationTable": { "projectId": "p", "datasetId": "d", "tableId": "t" },
    } });
    for (body, status, word) in [
        (json!({}), 400, "required"),
        (json!({ "configuration": {} }), 400, "required"),
        (job("a b", json!({ "copy": {} })), 400, "invalid"),
        (job("a", json!({ "copy": {} })), 400, "required"),
        (job("a", json!({ "copy": {}, "load": {} })), 400, "invalid"),
        (job("a", json!({ "load": { "word": 1 } })), 400, "invalid"),
        (job("a", avro), 501, "notImplemented"),
        (
            json!({ "configuration": { "query": { "query": "SELECT 1" } } }),
            501,
            "notImplemented",
        ),
    ] {
        let (found, reply) = kit.ask("POST", &format!("{BASE}/jobs"), body.clone()).await;
        assert_eq!((found, reason(&reply).0), (status, word), "{body}: {reply}");
    }
}

/// The file with the jobs without its last line: as it was before that was written.
fn forget_last(kit: &std::path::Path) {
    let path = kit.join("bigquery/jobs.jsonl");
    let text = std::fs::read_to_string(&path).expect("it works");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.pop();
    std::fs::write(path, lines.join("\n") + "\n").expect("it works");
}

#[tokio::test]
async fn a_kill_leaves_a_job_done_or_to_be_done() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    object(&kit, "raw/a.csv", "1\n2\n").await;
    kit.good(
        "POST",
        &format!("{BASE}/jobs"),
        load("one", "gs://raw/a.csv"),
    )
    .await;
    let before = done(&kit, "one", "US").await;
    // Killed when the table had changed and the job was not yet done.
    let folder = kit.end().await;
    forget_last(folder.path());
    let kit = Kit::over(folder).await;
    let after = done(&kit, "one", "US").await;
    assert_eq!(after["statistics"]["load"], before["statistics"]["load"]);
    assert_eq!(rows(&kit, "t").await, "2", "it was not done again");
    // Killed when the table had not changed.
    let folder = kit.end().await;
    std::fs::remove_dir_all(folder.path().join("bigquery/tables/p/d/t")).unwrap();
    let mut configuration = before["configuration"].clone();
    configuration.as_object_mut().unwrap().remove("jobType");
    let line = json!({ "k": "p:US.one", "v": {
        "project": "p", "id": "one", "location": "US", "kind": "load", "phase": "RUNNING",
        "configuration": configuration, "created": "2026-01-01T00:00:00Z",
        "started": null, "ended": null, "errors": [], "failed": false, "version": 2,
        "done": { "statistics": null, "bytes_processed": null, "result": null },
    } });
    std::fs::write(
        folder.path().join("bigquery/jobs.jsonl"),
        format!("{line}\n"),
    )
    .unwrap();
    let kit = Kit::over(folder).await;
    let after = done(&kit, "one", "US").await;
    assert_eq!(after["statistics"]["load"]["outputRows"], "2");
    assert_eq!(rows(&kit, "t").await, "2");
}
