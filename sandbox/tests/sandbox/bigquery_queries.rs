//! BigQuery: queries and their rows.

use serde_json::{Value, json};

use crate::bigquery::{BASE, dataset, reason, table};
use crate::bigquery_jobs::{done, job};
use crate::kit::Kit;

/// Two days with 500 rows each.
async fn filled(location: &str) -> Kit {
    let kit = Kit::new().await;
    dataset(&kit, location).await;
    table(&kit, "t").await;
    let rows: Vec<Value> = (0..1_000)
        .map(|n| json!({ "json": { "day": format!("2026-01-{:02}", 1 + n % 2), "name": "x", "n": n } }))
        .collect();
    let body = json!({ "rows": rows });
    kit.good(
        "POST",
        &format!("{BASE}/datasets/d/tables/t/insertAll"),
        body,
    )
    .await;
    kit
}

fn query(text: &str) -> Value {
    json!({ "query": { "query": text, "useLegacySql": false } })
}

#[tokio::test]
async fn rows_come_in_pages_and_their_order_stays() {
    let kit = filled("US").await;
    let text = "SELECT n FROM d.t WHERE n < 25 ORDER BY n DESC";
    kit.good("POST", &format!("{BASE}/jobs"), job("q", query(text)))
        .await;
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let page = kit
            .good(
                "GET",
                &format!("{BASE}/queries/q?maxResults=10&pageToken={token}"),
                Value::Null,
            )
            .await;
        assert_eq!(page["jobComplete"], true);
        assert_eq!(page["totalRows"], "25");
        assert_eq!(page["schema"]["fields"][0]["type"], "INTEGER");
        for row in page["rows"].as_array().unwrap() {
            found.push(row["f"][0]["v"].as_str().unwrap().parse::<u32>().unwrap());
        }
        match page["pageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(found, (0..25).rev().collect::<Vec<_>>());
    let job = done(&kit, "q", "US").await;
    assert_eq!(job["statistics"]["query"]["statementType"], "SELECT");
    assert_eq!(job["statistics"]["query"]["totalBytesProcessed"], "8000");
    assert_eq!(job["statistics"]["query"]["totalBytesBilled"], "10485760");
    assert_eq!(job["statistics"]["query"]["cacheHit"], false);
    // The rows are also a table, which no list shows.
    let kept = &job["configuration"]["query"]["destinationTable"];
    let path = format!(
        "{BASE}/datasets/{}/tables/{}/data",
        kept["datasetId"].as_str().unwrap(),
        kept["tableId"].as_str().unwrap()
    );
    assert_eq!(kit.good("GET", &path, Value::Null).await["totalRows"], "25");
    let listed = kit
        .good("GET", &format!("{BASE}/datasets"), Value::Null)
        .await;
    assert_eq!(listed["datasets"].as_array().unwrap().len(), 1);
    let kit = Kit::over(kit.end().await).await;
    let page = kit
        .good("GET", &format!("{BASE}/queries/q"), Value::Null)
        .await;
    assert_eq!(page["totalRows"], "25", "the rows survive a restart");
}

#[tokio::test]
async fn a_dry_run_says_what_a_query_would_read() {
    let kit = filled("US").await;
    for (text, bytes) in [
        ("SELECT * FROM d.t", "19000"),
        ("SELECT n FROM d.t WHERE day = '2026-01-01'", "8000"),
        ("SELECT COUNT(*) FROM d.t", "0"),
        ("SELECT 1", "0"),
    ] {
        let mut body = json!({ "configuration": query(text) });
        body["configuration"]["dryRun"] = json!(true);
        let found = kit.good("POST", &format!("{BASE}/jobs"), body).await;
        assert_eq!(found["statistics"]["totalBytesProcessed"], bytes, "{text}");
        assert_eq!(
            found["statistics"]["query"]["totalBytesProcessed"], bytes,
            "{text}"
        );
        assert_eq!(found["status"]["state"], "DONE");
    }
    let listed = kit.good("GET", &format!("{BASE}/jobs"), Value::Null).await;
    assert_eq!(listed["jobs"], json!([]), "a dry run is no job");
    let body = json!({ "query": "SELECT n FROM d.t", "useLegacySql": false, "dryRun": true });
    let found = kit.good("POST", &format!("{BASE}/queries"), body).await;
    assert_eq!(found["totalBytesProcessed"], "8000");
    assert_eq!(found["schema"]["fields"][0]["name"], "n");
}

#[tokio::test]
async fn a_query_is_answered_at_once_where_it_can_be() {
    let kit = filled("EU").await;
    let body = json!({
        "query": "SELECT name, SUM(n) AS sum, @at AS at FROM d.t WHERE n IN UNNEST(@some) GROUP BY name",
        "useLegacySql": false, "parameterMode": "NAMED", "requestId": "r1",
        "queryParameters": [
            { "name": "some", "parameterType": { "type": "ARRAY", "arrayType": { "type": "INT64" } },
              "parameterValue": { "arrayValues": [{ "value": "1" }, { "value": "2" }] } },
            { "name": "at", "parameterType": { "type": "TIMESTAMP" },
              "parameterValue": { "value": "2026-01-01 00:00:00+00" } },
        ],
        "formatOptions": { "useInt64Timestamp": true },
    });
    let found = kit
        .good("POST", &format!("{BASE}/queries"), body.clone())
        .await;
    assert_eq!(found["jobComplete"], true);
    assert_eq!(found["jobReference"]["location"], "EU");
    assert_eq!(
        found["rows"],
        json!([{ "f": [{ "v": "x" }, { "v": "3" }, { "v": "1767225600000000" }] }])
    );
    let again = kit.good("POST", &format!("{BASE}/queries"), body).await;
    assert_eq!(again["jobReference"], found["jobReference"]);
}

#[tokio::test]
async fn a_query_that_cannot_be_planned_is_told_at_once() {
    let kit = filled("EU").await;
    for (text, status, word, message) in [
        ("SELEC 1", 400, "invalidQuery", "Syntax error"),
        (
            "SELECT no FROM d.t",
            400,
            "invalidQuery",
            "Unrecognized name: no",
        ),
        (
            "SELECT 1 FROM d.none",
            404,
            "notFound",
            "Not found: Table p:d.none was not found in location EU",
        ),
        (
            "SELECT 1 FROM none.t",
            404,
            "notFound",
            "Not found: Dataset p:none was not found in location US",
        ),
    ] {
        let body = json!({ "configuration": query(text) });
        let (found, reply) = kit.ask("POST", &format!("{BASE}/jobs"), body).await;
        assert_eq!((found, reason(&reply).0), (status, word), "{text}");
        assert!(reason(&reply).1.starts_with(message), "{text}: {reply}");
        let body = json!({ "query": text, "useLegacySql": false });
        let (found, _) = kit.ask("POST", &format!("{BASE}/queries"), body).await;
        assert_eq!(found, status, "{text}");
    }
    // Its identifier is taken, as that of any job that failed.
    let mut body = job("bad", query("SELECT 1 FROM d.none"));
    body["jobReference"]["location"] = json!("EU");
    assert_eq!(
        kit.ask("POST", &format!("{BASE}/jobs"), body.clone())
            .await
            .0,
        404
    );
    assert_eq!(kit.ask("POST", &format!("{BASE}/jobs"), body).await.0, 409);
    let found = done(&kit, "bad", "EU").await;
    assert_eq!(found["status"]["errorResult"]["reason"], "notFound");
    let (status, _) = kit
        .ask(
            "GET",
            &format!("{BASE}/queries/bad?location=EU"),
            Value::Null,
        )
        .await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn bytes_that_may_be_billed_are_bounded() {
    let kit = filled("US").await;
    let mut bounded = job("q", query("SELECT n FROM d.t"));
    bounded["configuration"]["query"]["maximumBytesBilled"] = json!("1000000");
    let (status, reply) = kit.ask("POST", &format!("{BASE}/jobs"), bounded).await;
    assert_eq!(
        (status, reason(&reply)),
        (
            400,
            (
                "bytesBilledLimitExceeded",
                "Query exceeded limit for bytes billed: 1000000. 10485760 or higher required."
            )
        )
    );
    let mut bounded = job("r", query("SELECT n FROM d.t"));
    bounded["configuration"]["query"]["maximumBytesBilled"] = json!("10485760");
    kit.good("POST", &format!("{BASE}/jobs"), bounded).await;
}

#[tokio::test]
async fn rows_go_where_the_query_wants_them() {
    let kit = filled("US").await;
    let mut asked = query("SELECT day, n FROM d.t WHERE n < 10");
    asked["query"]["destinationTable"] =
        json!({ "projectId": "p", "datasetId": "d", "tableId": "u" });
    asked["query"]["timePartitioning"] = json!({ "type": "DAY", "field": "day" });
    kit.good("POST", &format!("{BASE}/jobs"), job("a", asked.clone()))
        .await;
    done(&kit, "a", "US").await;
    let made = kit
        .good("GET", &format!("{BASE}/datasets/d/tables/u"), Value::Null)
        .await;
    assert_eq!(
        (made["numRows"].as_str(), made["numPartitions"].as_str()),
        (Some("10"), Some("2"))
    );
    kit.good("POST", &format!("{BASE}/jobs"), job("b", asked.clone()))
        .await;
    let found = done(&kit, "b", "US").await;
    assert_eq!(
        found["status"]["errorResult"]["message"], "Already Exists: Table p:d.u",
        "WRITE_EMPTY is what a query does if nothing is said"
    );
    asked["query"]["writeDisposition"] = json!("WRITE_TRUNCATE");
    asked["query"]["destinationTable"]["tableId"] = json!("u$20260101");
    asked["query"]["query"] = json!("SELECT day, n FROM d.t WHERE n = 4");
    kit.good("POST", &format!("{BASE}/jobs"), job("c", asked))
        .await;
    let found = done(&kit, "c", "US").await;
    assert_eq!(found["status"], json!({ "state": "DONE" }));
    let made = kit
        .good("GET", &format!("{BASE}/datasets/d/tables/u"), Value::Null)
        .await;
    assert_eq!(made["numRows"], "6", "five rows of the other day, and one");
}

#[tokio::test]
async fn many_queries_run_at_once() {
    let kit = filled("US").await;
    let asked: Vec<_> = (0..50)
        .map(|n| {
            let text = format!("SELECT COUNT(*), SUM(n) FROM d.t WHERE n >= {n}");
            let body = json!({ "query": text, "useLegacySql": false, "timeoutMs": 100_000 });
            let (client, url) = (kit.client.clone(), format!("{}{BASE}/queries", kit.base));
            tokio::spawn(async move {
                let reply = client
                    .post(url)
                    .header("content-type", "application/json")
                    .body(body.to_string())
                    .send()
                    .await
                    .unwrap();
                let reply = crate::kit::json(reply).await;
                (n, reply["rows"][0]["f"][0]["v"].as_str().map(str::to_owned))
            })
        })
        .collect();
    for one in asked {
        let (n, count) = one.await.unwrap();
        assert_eq!(count, Some((1_000 - n).to_string()));
    }
}
