//! BigQuery: rows of tables.

use serde_json::{Value, json};

use crate::bigquery::{BASE, dataset, reason, table};
use crate::kit::Kit;

const TABLE: &str = "/bigquery/v2/projects/p/datasets/d/tables/t";

async fn insert(kit: &Kit, rows: Value) -> (u16, Value) {
    kit.ask(
        "POST",
        &format!("{TABLE}/insertAll"),
        json!({ "rows": rows }),
    )
    .await
}

async fn all(kit: &Kit) -> Value {
    kit.good("GET", &format!("{TABLE}/data"), Value::Null).await
}

#[tokio::test]
async fn rows_that_are_added_are_there_once() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    table(&kit, "t").await;
    let rows = json!([
        { "insertId": "a", "json": { "day": "2026-01-01", "name": "x", "n": 1 } },
        { "insertId": "b", "json": { "day": "2026-01-02", "name": "y", "n": "2" } },
    ]);
    let (status, reply) = insert(&kit, rows.clone()).await;
    assert_eq!(status, 200);
    assert_eq!(
        reply,
        json!({ "kind": "bigquery#tableDataInsertAllResponse" })
    );
    insert(&kit, rows).await;
    let found = all(&kit).await;
    assert_eq!(found["totalRows"], "2", "the same insertId is the same row");
    assert_eq!(
        found["rows"][0],
        json!({ "f": [{ "v": "2026-01-01" }, { "v": "x" }, { "v": "1" }] })
    );
    let part = kit
        .good("GET", &format!("{TABLE}$20260102/data"), Value::Null)
        .await;
    assert_eq!(part["totalRows"], "1");
}

#[tokio::test]
async fn one_bad_row_stops_the_others_unless_it_is_skipped() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    table(&kit, "t").await;
    let rows = json!([
        { "json": { "n": "x" } },
        { "json": { "n": 1 } },
        { "json": { "no": 1 } },
    ]);
    let (_, reply) = insert(&kit, rows.clone()).await;
    assert_eq!(
        reply["insertErrors"],
        json!([
            { "index": 0, "errors": [{ "reason": "invalid", "location": "n", "debugInfo": "",
                "message": "Cannot convert value to integer (bad value): x" }] },
            { "index": 2, "errors": [{ "reason": "invalid", "location": "no", "debugInfo": "",
                "message": "no such field: no." }] },
            { "index": 1, "errors": [{ "reason": "stopped", "location": "", "debugInfo": "", "message": "" }] },
        ])
    );
    assert_eq!(all(&kit).await["totalRows"], "0");
    let body = json!({ "rows": rows, "skipInvalidRows": true, "ignoreUnknownValues": true });
    let (_, reply) = kit.ask("POST", &format!("{TABLE}/insertAll"), body).await;
    assert_eq!(reply["insertErrors"].as_array().unwrap().len(), 1);
    assert_eq!(all(&kit).await["totalRows"], "2");
    let (status, reply) = insert(&kit, json!([])).await;
    assert_eq!(
        (status, reason(&reply)),
        (400, ("invalid", "No rows present in the request."))
    );
}

#[tokio::test]
async fn values_are_shown_as_clients_read_them() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    let fields = json!([
        { "name": "i", "type": "INT64" }, { "name": "f", "type": "FLOAT64" },
        { "name": "b", "type": "BOOL" }, { "name": "s", "type": "STRING" },
        { "name": "y", "type": "BYTES" }, { "name": "d", "type": "DATE" },
        { "name": "dt", "type": "DATETIME" }, { "name": "t", "type": "TIME" },
        { "name": "at", "type": "TIMESTAMP" }, { "name": "num", "type": "NUMERIC" },
        { "name": "big", "type": "BIGNUMERIC" }, { "name": "doc", "type": "JSON" },
        { "name": "tags", "type": "STRING", "mode": "REPEATED" },
        { "name": "who", "type": "RECORD", "mode": "REPEATED", "fields": [
            { "name": "name", "type": "STRING" }, { "name": "age", "type": "INT64" },
        ] },
    ]);
    let made = json!({
        "tableReference": { "projectId": "p", "datasetId": "d", "tableId": "t" },
        "schema": { "fields": fields },
    });
    kit.good("POST", &format!("{BASE}/datasets/d/tables"), made)
        .await;
    let row = json!({
        "i": "-7", "f": 1.5, "b": true, "s": "ä", "y": "YWJj", "d": "2026-01-31",
        "dt": "2026-01-31 10:00:00.5", "t": "10:00:00", "at": "2026-01-31T10:00:00+01:00",
        "num": "1.50", "big": "2", "doc": "{\"a\": [1]}", "tags": ["x", "y"],
        "who": [{ "name": "Ada", "age": 36 }, { "name": "Bob" }],
    });
    insert(&kit, json!([{ "json": row }, { "json": {} }])).await;
    let found = all(&kit).await;
    assert_eq!(
        found["rows"][0]["f"],
        json!([
            { "v": "-7" }, { "v": "1.5" }, { "v": "true" }, { "v": "ä" }, { "v": "YWJj" },
            { "v": "2026-01-31" }, { "v": "2026-01-31T10:00:00.500000" }, { "v": "10:00:00" },
            { "v": "1.76985E9" }, { "v": "1.5" }, { "v": "2" }, { "v": "{\"a\":[1]}" },
            { "v": [{ "v": "x" }, { "v": "y" }] },
            { "v": [
                { "v": { "f": [{ "v": "Ada" }, { "v": "36" }] } },
                { "v": { "f": [{ "v": "Bob" }, { "v": null }] } },
            ] },
        ])
    );
    assert_eq!(found["rows"][1]["f"][0], json!({ "v": null }));
    assert_eq!(found["rows"][1]["f"][12], json!({ "v": [] }));
    let part = kit
        .good(
            "GET",
            &format!("{TABLE}/data?selectedFields=at,who.age&formatOptions.useInt64Timestamp=true"),
            Value::Null,
        )
        .await;
    assert_eq!(
        part["rows"][0]["f"],
        json!([
            { "v": "1769850000000000" },
            { "v": [{ "v": { "f": [{ "v": "36" }] } }, { "v": { "f": [{ "v": null }] } }] },
        ])
    );
}

#[tokio::test]
async fn pages_go_from_the_first_row_to_the_last() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    table(&kit, "t").await;
    let rows: Vec<Value> = (0..25)
        .map(|n| json!({ "json": { "day": format!("2026-01-{:02}", 1 + n % 3), "n": n } }))
        .collect();
    insert(&kit, json!(rows)).await;
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let page = kit
            .good(
                "GET",
                &format!("{TABLE}/data?maxResults=10&pageToken={token}"),
                Value::Null,
            )
            .await;
        for row in page["rows"].as_array().unwrap() {
            found.push(row["f"][2]["v"].as_str().unwrap().parse::<u32>().unwrap());
        }
        match page["pageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    found.sort_unstable();
    assert_eq!(found, (0..25).collect::<Vec<_>>());
    let first = kit
        .good("GET", &format!("{TABLE}/data?maxResults=20"), Value::Null)
        .await;
    let token = first["pageToken"].as_str().unwrap();
    insert(&kit, json!([{ "json": { "day": "2026-01-01", "n": 99 } }])).await;
    let second = kit
        .good(
            "GET",
            &format!("{TABLE}/data?pageToken={token}"),
            Value::Null,
        )
        .await;
    assert_eq!(
        second["rows"].as_array().unwrap().len(),
        5,
        "pages are of one moment"
    );
    let rest = kit
        .good("GET", &format!("{TABLE}/data?startIndex=21"), Value::Null)
        .await;
    assert_eq!(rest["rows"].as_array().unwrap().len(), 5);
    let (status, _) = kit
        .ask("GET", &format!("{TABLE}/data?pageToken=x"), Value::Null)
        .await;
    assert_eq!(status, 400);
}
