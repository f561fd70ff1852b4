//! Dataflow, as its clients see it.

use std::sync::Arc;

use serde_json::{Value, json};
use tidemill_sandbox::{ProgramError, ProgramRun, Programs};
use tokio::sync::Notify;

use crate::kit::Kit;

const PLACE: &str = "/v1b3/projects/p/locations/eu/";

/// `count` gives a number; `slow` waits until it is let go; `stream` runs until it is drained.
pub(crate) fn programs(go: &Arc<Notify>) -> Programs {
    let go = Arc::clone(go);
    Programs::default()
        .with("count", |run: ProgramRun| async move {
            run.log("counting");
            Ok(json!({ "rows": 3, "date": run.parameters().get("date") }))
        })
        .with("breaks", |_: ProgramRun| async move {
            Err(ProgramError("no such table".into()))
        })
        .with("panics", |run: ProgramRun| async move {
            assert!(run.parameters().contains_key("never"), "as it should");
            Ok(Value::Null)
        })
        .with("slow", move |_: ProgramRun| {
            let go = Arc::clone(&go);
            async move {
                go.notified().await;
                Ok(json!({ "rows": 1 }))
            }
        })
        .with_streaming("stream", |mut run: ProgramRun| async move {
            run.drained().await;
            Ok(json!({ "moved": 9 }))
        })
}

pub(crate) async fn kit() -> (Kit, Arc<Notify>) {
    let go = Arc::new(Notify::new());
    let folder = Arc::new(tempfile::tempdir().expect("it works"));
    (Kit::with(folder, programs(&go)).await, go)
}

fn launch(name: &str, template: &str) -> Value {
    json!({ "launchParameter": { "jobName": name, "containerSpecGcsPath": format!("gs://t/{template}.json"),
        "parameters": { "date": "2026-01-01" }, "environment": { "additionalUserLabels": { "of_key": "k" } } } })
}

async fn ended(kit: &Kit, id: &str) -> Value {
    let state = |job: &Value| job["currentState"].as_str().expect("it works").to_owned();
    kit.until(&format!("{PLACE}jobs/{id}"), |job| {
        ["DONE", "FAILED", "CANCELLED", "DRAINED", "UPDATED"]
            .iter()
            .any(|end| state(job) == format!("JOB_STATE_{end}"))
    })
    .await
}

#[tokio::test]
async fn a_name_is_taken_while_its_job_is_active() {
    let (kit, go) = kit().await;
    let path = format!("{PLACE}flexTemplates:launch");
    let job = kit.good("POST", &path, launch("load", "slow")).await["job"].clone();
    assert_eq!(job["currentState"], "JOB_STATE_QUEUED");
    assert_eq!(job["labels"]["of_key"], "k");
    let (status, refused) = kit.ask("POST", &path, launch("load", "slow")).await;
    assert_eq!(
        (status, &refused["error"]["status"]),
        (409, &json!("ALREADY_EXISTS"))
    );
    assert!(
        refused["error"]["message"]
            .as_str()
            .expect("it works")
            .contains("already an active job named load")
    );
    go.notify_one();
    let id = job["id"].as_str().expect("it works");
    assert_eq!(ended(&kit, id).await["currentState"], "JOB_STATE_DONE");
    // The name of a job that has ended may be used again: a late retry makes a second job.
    go.notify_one();
    let second = kit.good("POST", &path, launch("load", "slow")).await["job"]["id"].clone();
    assert_ne!(second, job["id"]);
    ended(&kit, second.as_str().expect("it works")).await;
    let list = kit
        .good(
            "GET",
            &format!("{PLACE}jobs?filter=TERMINATED&name=load"),
            Value::Null,
        )
        .await;
    assert_eq!(list["jobs"].as_array().expect("it works").len(), 2);
    let all = kit
        .good(
            "GET",
            "/v1b3/projects/p/jobs:aggregated?filter=ALL",
            Value::Null,
        )
        .await;
    assert_eq!(all["jobs"].as_array().expect("it works").len(), 2);
}

#[tokio::test]
async fn classic_templates_run_their_program() {
    let (kit, _) = kit().await;
    let path = format!("{PLACE}templates:launch?gcsPath=gs://t/classic/count");
    let job = kit
        .good(
            "POST",
            &path,
            json!({ "jobName": "c", "parameters": { "date": "d" } }),
        )
        .await["job"]
        .clone();
    assert_eq!(job["currentState"], "JOB_STATE_PENDING");
    let id = job["id"].as_str().expect("it works");
    ended(&kit, id).await;
    let metrics = kit
        .good("GET", &format!("{PLACE}jobs/{id}/metrics"), Value::Null)
        .await;
    let rows = metrics["metrics"]
        .as_array()
        .expect("it works")
        .iter()
        .find(|one| one["name"]["name"] == "rows");
    assert_eq!(rows.expect("it works")["scalar"], 3);
    let messages = kit
        .good("GET", &format!("{PLACE}jobs/{id}/messages"), Value::Null)
        .await;
    assert!(messages.to_string().contains("counting"));
}

#[tokio::test]
async fn an_unknown_program_and_one_that_breaks_fail_the_job() {
    let (kit, _) = kit().await;
    for (template, says) in [
        ("nobody_wrote_it", "nobody_wrote_it.sandbox.sql"),
        ("breaks", "no such table"),
        ("panics", "panicked"),
    ] {
        let path = format!("{PLACE}flexTemplates:launch");
        let job = kit.good("POST", &path, launch("x", template)).await;
        let id = job["job"]["id"].as_str().expect("it works");
        assert_eq!(ended(&kit, id).await["currentState"], "JOB_STATE_FAILED");
        let path = format!("{PLACE}jobs/{id}/messages?minimumImportance=JOB_MESSAGE_ERROR");
        let messages = kit.good("GET", &path, Value::Null).await;
        assert!(messages.to_string().contains(says), "{messages}");
    }
}

#[tokio::test]
async fn a_streaming_job_runs_until_it_is_drained_or_replaced() {
    let (kit, _) = kit().await;
    let path = format!("{PLACE}flexTemplates:launch");
    let first = kit.good("POST", &path, launch("s", "stream")).await["job"].clone();
    assert_eq!(first["type"], "JOB_TYPE_STREAMING");
    let first = format!("{PLACE}jobs/{}", first["id"].as_str().expect("it works"));
    kit.until(&first, |job| job["currentState"] == "JOB_STATE_RUNNING")
        .await;
    let mut update = launch("s", "stream");
    update["launchParameter"]["update"] = json!(true);
    let second = kit.good("POST", &path, update.clone()).await["job"].clone();
    let old = kit.good("GET", &first, Value::Null).await;
    assert_eq!(old["currentState"], "JOB_STATE_UPDATED");
    assert_eq!(
        (&old["replacedByJobId"], &second["replaceJobId"]),
        (&second["id"], &old["id"])
    );
    let second = format!("{PLACE}jobs/{}", second["id"].as_str().expect("it works"));
    kit.until(&second, |job| job["currentState"] == "JOB_STATE_RUNNING")
        .await;
    kit.good(
        "PUT",
        &second,
        json!({ "requestedState": "JOB_STATE_DRAINED" }),
    )
    .await;
    kit.until(&second, |job| job["currentState"] == "JOB_STATE_DRAINED")
        .await;
    let (status, _) = kit
        .ask(
            "PUT",
            &second,
            json!({ "requestedState": "JOB_STATE_CANCELLED" }),
        )
        .await;
    assert_eq!(status, 400);
    assert_eq!(kit.ask("POST", &path, update).await.0, 404);
}

#[tokio::test]
async fn a_job_is_cancelled_and_a_batch_job_is_not_drained() {
    let (kit, _) = kit().await;
    let job = kit
        .good(
            "POST",
            &format!("{PLACE}flexTemplates:launch"),
            launch("c", "slow"),
        )
        .await;
    let path = format!(
        "{PLACE}jobs/{}",
        job["job"]["id"].as_str().expect("it works")
    );
    let (status, _) = kit
        .ask(
            "PUT",
            &path,
            json!({ "requestedState": "JOB_STATE_DRAINED" }),
        )
        .await;
    assert_eq!(status, 400);
    kit.good(
        "PUT",
        &path,
        json!({ "requestedState": "JOB_STATE_CANCELLED" }),
    )
    .await;
    kit.until(&path, |job| job["currentState"] == "JOB_STATE_CANCELLED")
        .await;
}

#[tokio::test]
async fn faults_of_jobs_do_what_they_say() {
    let (kit, _) = kit().await;
    let path = format!("{PLACE}flexTemplates:launch");
    let fault = async |kind: Value| {
        kit.fault(&json!({ "service": "dataflow", "count": 1, "kind": kind }))
            .await;
    };
    fault(json!({ "job_fails": { "message": "worker lost" } })).await;
    let fails = kit.good("POST", &path, launch("a", "count")).await;
    assert_eq!(
        ended(&kit, fails["job"]["id"].as_str().expect("it works")).await["currentState"],
        "JOB_STATE_FAILED"
    );
    fault(json!("job_stuck")).await;
    let stuck = kit.good("POST", &path, launch("b", "count")).await;
    let stuck = format!(
        "{PLACE}jobs/{}",
        stuck["job"]["id"].as_str().expect("it works")
    );
    kit.until(&stuck, |job| job["currentState"] == "JOB_STATE_RUNNING")
        .await;
    fault(json!("job_vanishes")).await;
    let gone = kit.good("POST", &path, launch("c", "count")).await;
    let gone = format!(
        "{PLACE}jobs/{}",
        gone["job"]["id"].as_str().expect("it works")
    );
    assert_eq!(kit.ask("GET", &gone, Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_job_under_way_runs_again_after_a_restart() {
    let (kit, go) = kit().await;
    let job = kit
        .good(
            "POST",
            &format!("{PLACE}flexTemplates:launch"),
            launch("r", "slow"),
        )
        .await;
    let path = format!(
        "{PLACE}jobs/{}",
        job["job"]["id"].as_str().expect("it works")
    );
    kit.until(&path, |job| job["currentState"] == "JOB_STATE_RUNNING")
        .await;
    let kit = Kit::with(kit.end().await, programs(&go)).await;
    go.notify_one();
    kit.until(&path, |job| job["currentState"] == "JOB_STATE_DONE")
        .await;
    let messages = kit
        .good("GET", &format!("{path}/messages"), Value::Null)
        .await;
    assert!(
        messages
            .to_string()
            .contains("runs again from its beginning")
    );
}
