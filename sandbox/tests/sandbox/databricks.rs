//! Databricks, as its clients see it.

use std::sync::Arc;

use serde_json::{Value, json};
use tidemill_sandbox::{ProgramRun, RunSql, SqlOutcome, Statement};

use crate::dataflow::{kit, programs};
use crate::kit::Kit;

fn task(key: &str, program: &str, needs: &[&str]) -> Value {
    let needs: Vec<Value> = needs
        .iter()
        .map(|need| json!({ "task_key": need }))
        .collect();
    json!({ "task_key": key, "depends_on": needs, "spark_python_task": { "python_file": format!("/Shared/{program}.py") } })
}

async fn submit(kit: &Kit, tasks: Value, token: &str) -> u64 {
    let body = json!({ "run_name": "r", "tasks": tasks, "idempotency_token": token });
    kit.good("POST", "/api/2.2/jobs/runs/submit", body).await["run_id"]
        .as_u64()
        .expect("it works")
}

async fn ended(kit: &Kit, run: u64) -> Value {
    kit.until(&format!("/api/2.1/jobs/runs/get?run_id={run}"), |run| {
        ["TERMINATED", "SKIPPED"]
            .contains(&run["state"]["life_cycle_state"].as_str().expect("it works"))
    })
    .await
}

#[tokio::test]
async fn a_token_gives_the_first_run_until_that_is_deleted() {
    let (kit, _) = kit().await;
    let tasks = json!([task("a", "breaks", &[])]);
    let run = submit(&kit, tasks.clone(), "k").await;
    assert_eq!(submit(&kit, tasks.clone(), "k").await, run);
    let failed = ended(&kit, run).await;
    assert_eq!(failed["state"]["result_state"], "FAILED");
    assert_eq!(
        failed["status"]["termination_details"]["code"],
        "RUN_EXECUTION_ERROR"
    );
    assert_eq!(submit(&kit, tasks.clone(), "k").await, run);
    assert_ne!(submit(&kit, tasks.clone(), "k2").await, run);
    kit.good(
        "POST",
        "/api/2.1/jobs/runs/delete",
        json!({ "run_id": run }),
    )
    .await;
    let body = json!({ "run_name": "r", "tasks": tasks, "idempotency_token": "k" });
    let (status, refused) = kit.ask("POST", "/api/2.1/jobs/runs/submit", body).await;
    assert_eq!(
        (status, &refused["error_code"]),
        (400, &json!("INVALID_PARAMETER_VALUE"))
    );
}

#[tokio::test]
async fn tasks_wait_for_each_other_and_a_repair_runs_what_failed() {
    let (kit, go) = kit().await;
    let tasks = json!([
        task("a", "count", &[]),
        task("b", "breaks", &["a"]),
        task("c", "count", &["b"])
    ]);
    let run = submit(&kit, tasks, "").await;
    let failed = ended(&kit, run).await;
    let results: Vec<_> = failed["tasks"]
        .as_array()
        .expect("it works")
        .iter()
        .map(|task| task["state"]["result_state"].as_str().expect("it works"))
        .collect();
    assert_eq!(results, ["SUCCESS", "FAILED", "UPSTREAM_FAILED"]);
    let output = format!(
        "/api/2.2/jobs/runs/get-output?run_id={}",
        failed["tasks"][1]["run_id"]
    );
    assert_eq!(
        kit.good("GET", &output, Value::Null).await["error"],
        "no such table"
    );
    assert_eq!(
        kit.ask(
            "GET",
            &format!("/api/2.2/jobs/runs/get-output?run_id={run}"),
            Value::Null
        )
        .await
        .0,
        400
    );
    let again = programs(&go).with("breaks", |_: ProgramRun| async { Ok(json!("fine now")) });
    let kit = Kit::with(kit.end().await, again).await;
    kit.good(
        "POST",
        "/api/2.1/jobs/runs/repair",
        json!({ "run_id": run, "rerun_all_failed_tasks": true }),
    )
    .await;
    let good = ended(&kit, run).await;
    assert_eq!(good["state"]["result_state"], "SUCCESS", "{good}");
    assert_eq!(
        kit.good("GET", &output, Value::Null).await["notebook_output"]["result"],
        "fine now"
    );
}

#[tokio::test]
async fn a_job_runs_as_often_at_once_as_it_may() {
    let (kit, go) = kit().await;
    let settings = json!({ "name": "nightly", "tasks": [task("a", "slow", &[])] });
    let job = kit.good("POST", "/api/2.2/jobs/create", settings).await["job_id"].clone();
    let run_now = json!({ "job_id": job });
    let first = kit
        .good("POST", "/api/2.2/jobs/run-now", run_now.clone())
        .await["run_id"]
        .as_u64()
        .expect("it works");
    let second = kit.good("POST", "/api/2.2/jobs/run-now", run_now).await["run_id"]
        .as_u64()
        .expect("it works");
    assert_eq!(
        ended(&kit, second).await["state"]["life_cycle_state"],
        "SKIPPED"
    );
    kit.good(
        "POST",
        "/api/2.1/jobs/runs/cancel",
        json!({ "run_id": first }),
    )
    .await;
    assert_eq!(
        ended(&kit, first).await["state"]["result_state"],
        "CANCELED"
    );
    let list = kit
        .good(
            "GET",
            &format!("/api/2.1/jobs/runs/list?job_id={job}&completed_only=true"),
            Value::Null,
        )
        .await;
    assert_eq!(list["runs"].as_array().expect("it works").len(), 2);
    drop(go);
}

#[tokio::test]
async fn tasks_that_make_no_sense_are_refused() {
    let (kit, _) = kit().await;
    for (tasks, says) in [
        (json!([]), "at least one"),
        (json!([task("a", "x", &["b"])]), "no task of this job"),
        (
            json!([task("a", "x", &["b"]), task("b", "x", &["a"])]),
            "in a circle",
        ),
        (json!([task("a", "x", &[]), task("a", "x", &[])]), "twice"),
    ] {
        let (status, refused) = kit
            .ask(
                "POST",
                "/api/2.1/jobs/runs/submit",
                json!({ "tasks": tasks }),
            )
            .await;
        assert_eq!(status, 400);
        assert!(
            refused["message"]
                .as_str()
                .expect("it works")
                .contains(says),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_pipeline_has_one_active_update() {
    let (kit, go) = kit().await;
    let pipeline = kit
        .good("POST", "/api/2.0/pipelines", json!({ "name": "slow" }))
        .await["pipeline_id"]
        .clone();
    let path = format!(
        "/api/2.0/pipelines/{}",
        pipeline.as_str().expect("it works")
    );
    let update = kit
        .good("POST", &format!("{path}/updates"), json!({}))
        .await["update_id"]
        .clone();
    let (status, refused) = kit.ask("POST", &format!("{path}/updates"), json!({})).await;
    assert_eq!(status, 409);
    assert!(
        refused["message"]
            .as_str()
            .expect("it works")
            .contains(update.as_str().expect("it works"))
    );
    go.notify_one();
    let one = format!("{path}/updates/{}", update.as_str().expect("it works"));
    kit.until(&one, |update| update["update"]["state"] == "COMPLETED")
        .await;
    kit.good("POST", &format!("{path}/updates"), json!({}))
        .await;
    kit.good("POST", &format!("{path}/stop"), json!({})).await;
    let shown = kit
        .until(&path, |pipeline| pipeline["state"] == "IDLE")
        .await;
    assert_eq!(shown["latest_updates"][0]["state"], "CANCELED");
}

struct Numbers;

impl RunSql for Numbers {
    fn run_sql(
        &self,
        statement: Statement,
    ) -> std::pin::Pin<
        Box<dyn Future<Output = Result<SqlOutcome, tidemill_sandbox::ProgramError>> + Send + '_>,
    > {
        Box::pin(async move {
            let rows = statement.parameters["rows"]
                .parse::<u32>()
                .expect("it works");
            Ok(SqlOutcome {
                columns: vec![("n".into(), "INT".into())],
                rows: (0..rows).map(|n| vec![Some(n.to_string())]).collect(),
                total: rows.into(),
                affected: None,
            })
        })
    }
}

#[tokio::test]
async fn a_statement_is_answered_in_pieces() {
    let (kit, go) = kit().await;
    let body = json!({ "statement": "SELECT", "warehouse_id": "w", "parameters": [{ "name": "rows", "value": "1500" }] });
    let path = "/api/2.0/sql/statements";
    let failed = kit.good("POST", path, body.clone()).await;
    assert!(
        failed["status"]["error"]["message"]
            .as_str()
            .expect("it works")
            .contains("Syntax error")
    );
    let programs = programs(&go);
    programs.run_sql_with(Arc::new(Numbers));
    let kit = Kit::with(kit.end().await, programs).await;
    let done = kit.good("POST", path, body).await;
    assert_eq!(
        (
            &done["status"]["state"],
            &done["manifest"]["total_row_count"]
        ),
        (&json!("SUCCEEDED"), &json!(1500))
    );
    let next = done["result"]["next_chunk_internal_link"]
        .as_str()
        .expect("it works");
    let rest = kit.good("GET", next, Value::Null).await;
    assert_eq!(
        (&rest["row_count"], &rest["data_array"][0][0]),
        (&json!(500), &json!("1000"))
    );
}

#[tokio::test]
async fn statements_are_in_the_history_of_their_warehouse() {
    let (kit, _) = kit().await;
    for (warehouse, text) in [
        ("w", "/* a */ SELECT 1"),
        ("w", "SELECT 2"),
        ("v", "SELECT 3"),
    ] {
        let body = json!({ "statement": text, "warehouse_id": warehouse });
        kit.good("POST", "/api/2.0/sql/statements", body).await;
    }
    let path = "/api/2.0/sql/history/queries?filter_by.warehouse_ids=w&max_results=1";
    let first = kit.good("GET", path, Value::Null).await;
    assert_eq!(first["res"][0]["query_text"], "SELECT 2");
    let token = first["next_page_token"].as_str().expect("there is more");
    let rest = kit
        .good("GET", &format!("{path}&page_token={token}"), Value::Null)
        .await;
    assert_eq!(rest["res"][0]["query_text"], "/* a */ SELECT 1");
    assert_eq!(rest["has_next_page"], false);
    let later = format!("{path}&filter_by.query_start_time_range.start_time_ms=99999999999999");
    let none = kit.good("GET", &later, Value::Null).await;
    assert_eq!(none["res"], json!([]));
}
