//! BigQuery: statements that change tables, and scripts.

use serde_json::{Value, json};

use crate::bigquery::{BASE, dataset, reason};
use crate::bigquery_jobs::{done, job};
use crate::kit::Kit;

async fn kit() -> Kit {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    kit
}

fn query(text: &str) -> Value {
    json!({ "query": { "query": text, "useLegacySql": false } })
}

/// Runs a job to its end.
async fn ran(kit: &Kit, id: &str, text: &str) -> Value {
    kit.good("POST", &format!("{BASE}/jobs"), job(id, query(text)))
        .await;
    done(kit, id, "US").await
}

/// The rows of a query as text.
async fn rows(kit: &Kit, text: &str) -> Vec<String> {
    let body = json!({ "query": text, "useLegacySql": false });
    let reply = kit.good("POST", &format!("{BASE}/queries"), body).await;
    let rows = reply["rows"].as_array().cloned().unwrap_or_default();
    let cell = |cell: &Value| cell["v"].as_str().unwrap_or("NULL").to_owned();
    rows.iter()
        .map(|row| {
            let cells = row["f"].as_array().expect("it works");
            cells.iter().map(cell).collect::<Vec<_>>().join(",")
        })
        .collect()
}

#[tokio::test]
async fn a_table_is_made_of_a_query_and_shown() {
    let kit = kit().await;
    let text = "CREATE TABLE d.t PARTITION BY day CLUSTER BY name OPTIONS (description = 'x', labels = [('k', 'v')], partition_expiration_days = 1000000) AS SELECT DATE '2026-01-01' AS day, 'a' AS name, 1 AS n";
    let job = ran(&kit, "made", text).await;
    let statistics = &job["statistics"]["query"];
    assert_eq!(statistics["statementType"], "CREATE_TABLE_AS_SELECT");
    assert_eq!(statistics["ddlOperationPerformed"], "CREATE");
    assert_eq!(statistics["ddlTargetTable"]["tableId"], "t");
    let place = &job["configuration"]["query"]["destinationTable"];
    assert_eq!(place["tableId"], "t");
    let table = kit
        .good("GET", &format!("{BASE}/datasets/d/tables/t"), Value::Null)
        .await;
    assert_eq!(table["numRows"], "1");
    assert_eq!(table["timePartitioning"]["field"], "day");
    assert_eq!(table["clustering"]["fields"], json!(["name"]));
    assert_eq!(table["labels"]["k"], "v");
    assert_eq!(table["description"], "x");
    let again = kit
        .ask(
            "POST",
            &format!("{BASE}/queries"),
            json!({ "query": "CREATE TABLE d.t (x INT64)", "useLegacySql": false }),
        )
        .await;
    assert_eq!(again.0, 409, "{again:?}");
    assert_eq!(reason(&again.1).0, "duplicate");
}

#[tokio::test]
async fn a_statement_that_gives_no_rows_has_none() {
    let kit = kit().await;
    let body = json!({ "query": "CREATE TABLE d.t (x INT64)", "useLegacySql": false });
    let reply = kit.good("POST", &format!("{BASE}/queries"), body).await;
    assert_eq!(reply["jobComplete"], true);
    assert_eq!(reply["totalRows"], "0");
    assert!(reply.get("rows").is_none());
    let mut to_table = query("CREATE TABLE d.u (x INT64)");
    to_table["query"]["destinationTable"] =
        json!({ "projectId": "p", "datasetId": "d", "tableId": "v" });
    let (status, reply) = kit
        .ask("POST", &format!("{BASE}/jobs"), job("both", to_table))
        .await;
    assert_eq!(status, 400, "{reply}");
    let message = reply["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("Cannot set destination table in jobs with DDL statements"),
        "{message}"
    );
}

#[tokio::test]
async fn a_dry_run_makes_nothing() {
    let kit = kit().await;
    let mut configuration = query("CREATE TABLE d.t AS SELECT 1 AS x");
    configuration["dryRun"] = json!(true);
    let reply = kit
        .good("POST", &format!("{BASE}/jobs"), job("dry", configuration))
        .await;
    let statistics = &reply["statistics"]["query"];
    assert_eq!(statistics["statementType"], "CREATE_TABLE_AS_SELECT");
    assert_eq!(statistics["schema"]["fields"][0]["name"], "x");
    let (status, _) = kit
        .ask("GET", &format!("{BASE}/datasets/d/tables/t"), Value::Null)
        .await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_script_has_children_and_the_rows_of_its_last_query() {
    let kit = kit().await;
    let text = "DECLARE n INT64 DEFAULT 2;\nCREATE TEMP TABLE t AS SELECT n AS x;\nINSERT INTO t VALUES (3), (4);\nSELECT SUM(x) AS s, @@row_count AS r FROM t;\nDROP TABLE t";
    let job = ran(&kit, "script", text).await;
    assert_eq!(job["status"]["errorResult"], Value::Null, "{job}");
    assert_eq!(job["statistics"]["query"]["statementType"], "SCRIPT");
    assert_eq!(job["statistics"]["numChildJobs"], "4");
    let reply = kit
        .good("GET", &format!("{BASE}/queries/script"), Value::Null)
        .await;
    assert_eq!(
        reply["rows"],
        json!([{ "f": [{ "v": "9" }, { "v": "2" }] }])
    );
    let listed = kit
        .good(
            "GET",
            &format!("{BASE}/jobs?parentJobId=script&projection=full"),
            Value::Null,
        )
        .await;
    let mut kinds: Vec<(String, String)> = Vec::new();
    for child in listed["jobs"].as_array().unwrap() {
        assert_eq!(child["statistics"]["parentJobId"], "script");
        let frame = &child["statistics"]["scriptStatistics"]["stackFrames"][0];
        kinds.push((
            frame["startLine"].to_string(),
            child["statistics"]["query"]["statementType"]
                .as_str()
                .unwrap()
                .to_owned(),
        ));
    }
    kinds.sort();
    let expected = [
        ("2", "CREATE_TABLE_AS_SELECT"),
        ("3", "INSERT"),
        ("4", "SELECT"),
        ("5", "DROP_TABLE"),
    ];
    let expected: Vec<(String, String)> = expected
        .map(|(line, kind)| (line.to_owned(), kind.to_owned()))
        .to_vec();
    assert_eq!(kinds, expected);
    let others = kit.good("GET", &format!("{BASE}/jobs"), Value::Null).await;
    assert_eq!(others["jobs"].as_array().unwrap().len(), 1);
    let datasets = kit
        .good("GET", &format!("{BASE}/datasets?all=true"), Value::Null)
        .await;
    let names = datasets.to_string();
    assert!(
        !names.contains("_script_"),
        "temporary tables stay: {names}"
    );
}

#[tokio::test]
async fn a_script_that_fails_says_where_and_keeps_what_was_done() {
    let kit = kit().await;
    let job = ran(
        &kit,
        "bad",
        "CREATE TABLE d.t AS SELECT 1 AS x;\nSELECT ERROR('no');\nCREATE TABLE d.u AS SELECT 1 AS x;",
    )
    .await;
    let error = &job["status"]["errorResult"];
    assert_eq!(error["reason"], "invalidQuery");
    assert_eq!(error["message"], "no at [2:1]");
    assert_eq!(job["statistics"]["numChildJobs"], "2");
    assert_eq!(rows(&kit, "SELECT x FROM d.t").await, ["1"]);
    let (status, _) = kit
        .ask("GET", &format!("{BASE}/datasets/d/tables/u"), Value::Null)
        .await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_script_that_the_sandbox_ended_within_goes_on_where_it_was() {
    let kit = kit().await;
    ran(&kit, "zero", "CREATE TABLE d.t AS SELECT 1 AS x").await;
    ran(&kit, "one", "CREATE TABLE d.go (x INT64)").await;
    let text = "DECLARE n INT64 DEFAULT (SELECT COUNT(*) FROM d.t);\nINSERT INTO d.t VALUES (2);\nCREATE TEMP TABLE o AS SELECT n AS x;\nDROP TABLE d.t;\nCREATE TABLE d.t AS SELECT x + 10 AS x FROM o;\nWHILE (SELECT COUNT(*) FROM d.go) = 0 DO SET n = n; END WHILE;\nIF n = 1 THEN INSERT INTO d.t SELECT x + 20 FROM o; END IF;\nSELECT x FROM d.t ORDER BY x;";
    kit.good("POST", &format!("{BASE}/jobs"), job("script", query(text)))
        .await;
    // It waits when all of these are done.
    let children = format!("{BASE}/jobs?parentJobId=script");
    kit.until(&children, |list| {
        list["jobs"].as_array().is_some_and(|jobs| jobs.len() == 4)
    })
    .await;
    let kit = Kit::over(kit.end().await).await;
    ran(&kit, "go", "INSERT INTO d.go VALUES (1)").await;
    let job = done(&kit, "script", "US").await;
    assert_eq!(job["status"]["errorResult"], Value::Null, "{job}");
    assert_eq!(job["statistics"]["numChildJobs"], "6");
    assert_eq!(
        rows(&kit, "SELECT x FROM d.t ORDER BY x").await,
        ["11", "21"]
    );
    let folder = kit.end().await;
    let left = std::fs::read_dir(folder.path().join("bigquery/scripts")).unwrap();
    assert_eq!(left.count(), 0, "diaries go with their jobs");
}

#[tokio::test]
async fn jobs_can_be_asked_for_by_sql() {
    let kit = kit().await;
    ran(&kit, "one", "CREATE TABLE d.t AS SELECT 1 AS x").await;
    let (status, _) = kit
        .ask(
            "POST",
            &format!("{BASE}/jobs"),
            job("bad", query("SELECT nope")),
        )
        .await;
    assert_eq!(status, 400);
    let text = "SELECT job_id, statement_type, state, error_result.reason FROM `region-us`.INFORMATION_SCHEMA.JOBS_BY_PROJECT WHERE job_id IN ('one', 'bad') ORDER BY job_id";
    assert_eq!(
        rows(&kit, text).await,
        [
            "bad,NULL,DONE,invalidQuery",
            "one,CREATE_TABLE_AS_SELECT,DONE,NULL"
        ]
    );
}
