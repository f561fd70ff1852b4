//! SQL that jobs run, and the folders that it is found in.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidemill_sandbox::Programs;

use crate::bigquery::{BASE, dataset, table};
use crate::kit::Kit;

const JOBS: &str = "/v1b3/projects/p/locations/eu/";

struct Place {
    kit: Kit,
    dags: TempDir,
}

impl Place {
    async fn new() -> Self {
        let dags = tempfile::tempdir().expect("it works");
        let kit = Kit::with(folder(), found(dags.path())).await;
        dataset(&kit, "US").await;
        Self { kit, dags }
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.dags.path().join(name);
        fs::create_dir_all(path.parent().expect("it works")).expect("it works");
        fs::write(path, text).expect("it works");
    }

    async fn object(&self, name: &str, text: &'static str) {
        let path = format!("/upload/storage/v1/b/raw/o?uploadType=media&name={name}");
        let url = format!("{}{path}", self.kit.base);
        let reply = self.kit.client.post(url).body(text).send().await;
        assert_eq!(reply.expect("it works").status(), 200);
    }

    /// Runs a template and gives the job with its messages.
    async fn run(&self, template: &str, parameters: Value) -> (Value, String) {
        let body = json!({ "jobName": "j", "parameters": parameters });
        let path = format!("{JOBS}templates:launch?gcsPath=gs://t/{template}");
        let job = self.kit.good("POST", &path, body).await["job"]["id"].clone();
        let path = format!("{JOBS}jobs/{}", job.as_str().expect("it works"));
        let ended = |job: &Value| {
            let state = job["currentState"].as_str().expect("it works");
            ["JOB_STATE_DONE", "JOB_STATE_FAILED"].contains(&state)
        };
        let job = self.kit.until(&path, ended).await;
        let messages = format!("{path}/messages");
        let messages = self.kit.good("GET", &messages, Value::Null).await;
        (job, messages.to_string())
    }
}

fn folder() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().expect("it works"))
}

fn found(dags: &Path) -> Programs {
    let programs = Programs::default();
    programs.add_folder(dags);
    programs
}

#[tokio::test]
async fn a_file_beside_the_dags_is_run_over_tables_and_files() {
    let place = Place::new().await;
    let kit = &place.kit;
    table(kit, "t").await;
    let rows = json!({ "rows": [{ "json": { "day": "2026-01-01", "name": "a", "n": 7 } }] });
    let path = format!("{BASE}/datasets/d/tables/t/insertAll");
    kit.good("POST", &path, rows).await;
    let bucket = json!({ "name": "raw" });
    kit.good("POST", "/storage/v1/b?project=p", bucket).await;
    place.object("in/a.csv", "name,price\na,1.5\nb,2\n").await;
    place.program(
        "shop/join.sandbox.sql",
        "SELECT t.n, f.price FROM d.t AS t JOIN read_csv(@root || '/*.csv') AS f USING (name) WHERE day = CAST(@run_date AS DATE)",
    );
    let given = json!({ "root": "gs://raw/in", "run-date": "2026-01-01" });
    let (job, messages) = place.run("join", given.clone()).await;
    assert_eq!(job["currentState"], "JOB_STATE_DONE", "{messages}");
    assert!(messages.contains("1 rows"), "{messages}");
    let path = format!(
        "{JOBS}jobs/{}/metrics",
        job["id"].as_str().expect("it works")
    );
    let metrics = kit.good("GET", &path, Value::Null).await;
    let all = metrics["metrics"].as_array().expect("it works");
    assert!(
        all.iter()
            .any(|one| one["name"]["name"] == "row_count" && one["scalar"] == 1),
        "{metrics}"
    );

    // A file is read when its job starts, and a new one is found.
    place.program("shop/join.sandbox.sql", "SELECT * FROM d.nothing");
    let (job, messages) = place.run("join", given).await;
    assert_eq!(job["currentState"], "JOB_STATE_FAILED");
    assert!(messages.contains("Table p:d.nothing"), "{messages}");
    place.program(
        "new/later.sandbox.sql",
        "SELECT 1 FROM read_json('gs://raw/none/*')",
    );
    let (_, messages) = place.run("later", json!({})).await;
    assert!(messages.contains("gs://raw/none/*"), "{messages}");
    place.program("old/later.sandbox.sql", "SELECT 1");
    let (_, messages) = place.run("later", json!({})).await;
    assert!(messages.contains("two files are the program"), "{messages}");
}

#[tokio::test]
async fn other_services_show_the_rows_of_their_sql() {
    let place = Place::new().await;
    place.program(
        "numbers.sandbox.sql",
        "SELECT n, 'x' AS s FROM UNNEST([1, 2, 3]) AS n",
    );
    let kit = &place.kit;
    let run = json!({ "tasks": [{ "task_key": "a", "notebook_task": { "notebook_path": "/S/numbers" } }] });
    let run = kit.good("POST", "/api/2.1/jobs/runs/submit", run).await["run_id"].clone();
    let path = format!("/api/2.1/jobs/runs/get?run_id={run}");
    let shown = kit
        .until(&path, |run| {
            run["state"]["life_cycle_state"] == "TERMINATED"
        })
        .await;
    assert_eq!(shown["state"]["result_state"], "SUCCESS", "{shown}");
    let path = format!("/api/2.1/jobs/runs/get-output?run_id={run}");
    let output = kit.good("GET", &path, Value::Null).await;
    let result = output["notebook_output"]["result"]
        .as_str()
        .expect("it works");
    let result: Value = serde_json::from_str(result).expect("it works");
    assert_eq!(result["row_count"], 3);

    let statement = json!({
        "statement": "SELECT n, n / 2 AS half, [n] AS l FROM UNNEST([1, 2]) AS n ORDER BY n DESC",
        "warehouse_id": "w", "catalog": "p", "schema": "d",
    });
    let done = kit.good("POST", "/api/2.0/sql/statements", statement).await;
    assert_eq!(done["status"]["state"], "SUCCEEDED", "{done}");
    let kinds: Vec<&Value> = done["manifest"]["schema"]["columns"]
        .as_array()
        .expect("it works")
        .iter()
        .map(|column| &column["type_name"])
        .collect();
    assert_eq!(kinds, ["LONG", "DOUBLE", "ARRAY"]);
    assert_eq!(
        done["result"]["data_array"][0],
        json!(["2", "1.0", "[\"2\"]"])
    );

    let sync = json!({ "connectionId": "numbers", "jobType": "sync" });
    let job = kit.good("POST", "/v1/jobs", sync).await["jobId"].clone();
    let synced = kit
        .until(&format!("/v1/jobs/{job}"), |job| {
            job["status"] == "succeeded"
        })
        .await;
    assert_eq!(synced["rowsSynced"], 3);
}

#[tokio::test]
async fn the_drivers_log_is_in_cloud_storage_when_a_job_has_ended() {
    let place = Place::new().await;
    let kit = &place.kit;
    let at = "/v1/projects/p/regions/eu/";
    let body = json!({ "clusterName": "c1", "config": {} });
    let made = kit.good("POST", &format!("{at}clusters"), body).await["name"].clone();
    let made = format!("/v1/{}", made.as_str().expect("it works"));
    kit.until(&made, |operation| operation["done"] == true)
        .await;
    for (id, query, state, says) in [
        ("good", "SELECT 'x' AS a, 2 AS b", "DONE", "x\t2\n"),
        ("bad", "SELECT * FROM d.none", "ERROR", "Table p:d.none"),
    ] {
        let job = json!({ "job": {
            "reference": { "jobId": id }, "placement": { "clusterName": "c1" },
            "sparkSqlJob": { "queryList": { "queries": [query] } },
        } });
        kit.good("POST", &format!("{at}jobs:submit"), job).await;
        let job = kit
            .until(&format!("{at}jobs/{id}"), |job| job["done"] == true)
            .await;
        assert_eq!(job["status"]["state"], state, "{job}");
        let uri = job["driverOutputResourceUri"].as_str().expect("it works");
        let (bucket, name) = uri[5..].split_once('/').expect("it works");
        let name = format!("{name}.000000000").replace('/', "%2F");
        let log = kit
            .get(&format!("/storage/v1/b/{bucket}/o/{name}?alt=media"))
            .await;
        let log = log.text().await.expect("it works");
        assert!(log.contains(says), "{log}");
    }
}

#[tokio::test]
async fn files_are_no_tables_for_queries_of_bigquery() {
    let kit = Kit::new().await;
    let body = json!({ "query": "SELECT * FROM read_csv('gs://raw/a')", "useLegacySql": false });
    let (status, reply) = kit.ask("POST", &format!("{BASE}/queries"), body).await;
    assert_eq!(status, 400);
    assert!(
        reply.to_string().contains("programs of jobs alone"),
        "{reply}"
    );
}

#[tokio::test]
async fn clients_of_databricks_find_the_login_server() {
    let kit = Kit::new().await;
    let config = kit
        .good("GET", "/.well-known/databricks-config", Value::Null)
        .await;
    let place = config["oidc_endpoint"].as_str().expect("it works");
    let path = place.strip_prefix(&kit.base).expect("it works");
    let path = format!("{path}/.well-known/oauth-authorization-server");
    let server = kit.good("GET", &path, Value::Null).await;
    assert_eq!(
        server["token_endpoint"],
        format!("{}/oidc/v1/token", kit.base)
    );
}
