//! BigQuery: datasets and tables.

use serde_json::{Value, json};

use crate::kit::{Kit, json as body};

pub(crate) const BASE: &str = "/bigquery/v2/projects/p";

pub(crate) async fn dataset(kit: &Kit, location: &str) {
    let body = json!({ "datasetReference": { "datasetId": "d" }, "location": location });
    kit.good("POST", &format!("{BASE}/datasets"), body).await;
}

/// A table of days, names and numbers, partitioned by day.
pub(crate) async fn table(kit: &Kit, name: &str) -> Value {
    let body = json!({
        "tableReference": { "projectId": "p", "datasetId": "d", "tableId": name },
        "schema": { "fields": [
            { "name": "day", "type": "DATE" },
            { "name": "name", "type": "STRING" },
            { "name": "n", "type": "INTEGER" },
        ] },
        "timePartitioning": { "type": "DAY", "field": "day" },
        "clustering": { "fields": ["name"] },
    });
    kit.good("POST", &format!("{BASE}/datasets/d/tables"), body)
        .await
}

pub(crate) fn reason(reply: &Value) -> (&str, &str) {
    (
        reply["error"]["errors"][0]["reason"].as_str().unwrap_or(""),
        reply["error"]["message"].as_str().unwrap_or(""),
    )
}

#[tokio::test]
async fn datasets_are_made_changed_and_deleted() {
    let kit = Kit::new().await;
    let all = format!("{BASE}/datasets");
    let one = format!("{BASE}/datasets/d");
    let asked = json!({
        "datasetReference": { "projectId": "p", "datasetId": "d" },
        "location": "eu", "description": "days", "labels": { "team": "ops" },
        "defaultTableExpirationMs": "3600000",
    });
    let made = kit.good("POST", &all, asked.clone()).await;
    assert_eq!(made["id"], "p:d");
    assert_eq!(made["location"], "EU");
    assert_eq!(made["defaultTableExpirationMs"], "3600000");
    let (status, reply) = kit.ask("POST", &all, asked).await;
    assert_eq!(
        (status, reason(&reply)),
        (409, ("duplicate", "Already Exists: Dataset p:d"))
    );
    let patch = json!({ "labels": { "team": null, "env": "dev" }, "description": null });
    let changed = kit.good("PATCH", &one, patch).await;
    assert_eq!(changed["labels"], json!({ "env": "dev" }));
    assert_eq!(changed["description"], Value::Null);
    assert_ne!(changed["etag"], made["etag"]);
    let stale = kit
        .client
        .patch(format!("{}{one}", kit.base))
        .header("if-match", made["etag"].as_str().unwrap())
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(stale.status(), 412);
    let listed = kit.good("GET", &all, Value::Null).await;
    assert_eq!(listed["datasets"][0]["datasetReference"]["datasetId"], "d");
    let filtered = kit
        .good("GET", &format!("{all}?filter=labels.env:prod"), Value::Null)
        .await;
    assert_eq!(filtered["datasets"], json!([]));
    table(&kit, "t").await;
    let (status, reply) = kit.ask("DELETE", &one, Value::Null).await;
    assert_eq!(
        (status, reason(&reply)),
        (400, ("resourceInUse", "Dataset p:d is still in use"))
    );
    let deleted = kit
        .client
        .delete(format!("{}{one}?deleteContents=true", kit.base))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.status(), 204);
    let (status, reply) = kit.ask("GET", &one, Value::Null).await;
    assert_eq!(
        (status, reason(&reply)),
        (404, ("notFound", "Not found: Dataset p:d"))
    );
}

#[tokio::test]
async fn tables_are_what_was_asked_for() {
    let kit = Kit::new().await;
    dataset(&kit, "EU").await;
    let made = table(&kit, "t").await;
    assert_eq!(made["id"], "p:d.t");
    assert_eq!(made["type"], "TABLE");
    assert_eq!(made["location"], "EU");
    assert_eq!(
        made["timePartitioning"],
        json!({ "type": "DAY", "field": "day" })
    );
    assert_eq!(made["clustering"], json!({ "fields": ["name"] }));
    assert_eq!(made["numRows"], "0");
    assert_eq!(
        made["schema"]["fields"][2],
        json!({ "name": "n", "type": "INTEGER", "mode": "NULLABLE" })
    );
    let one = format!("{BASE}/datasets/d/tables/t");
    let mut schema = made["schema"].clone();
    schema["fields"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "name": "extra", "type": "JSON" }));
    let patch = json!({
        "schema": schema, "description": "days", "labels": { "team": "ops" },
        "requirePartitionFilter": true,
    });
    let changed = kit.good("PATCH", &one, patch).await;
    assert_eq!(changed["schema"]["fields"][3]["type"], "JSON");
    assert_eq!(changed["requirePartitionFilter"], true);
    let less = json!({ "schema": { "fields": [{ "name": "day", "type": "DATE" }] } });
    let (status, reply) = kit.ask("PATCH", &one, less).await;
    assert_eq!(
        (status, reason(&reply)),
        (
            400,
            (
                "invalid",
                "Provided Schema does not match Table p:d.t. Field name is missing in new schema"
            )
        )
    );
    let listed = kit
        .good("GET", &format!("{BASE}/datasets/d/tables"), Value::Null)
        .await;
    assert_eq!(listed["totalItems"], 1);
    assert_eq!(listed["tables"][0]["id"], "p:d.t");
    let (status, reply) = kit.ask("GET", &format!("{one}x"), Value::Null).await;
    assert_eq!(
        (status, reason(&reply)),
        (404, ("notFound", "Not found: Table p:d.tx"))
    );
    let (status, _) = kit
        .ask(
            "POST",
            &format!("{BASE}/datasets/d/tables"),
            json!({
                "tableReference": { "projectId": "p", "datasetId": "d", "tableId": "x" },
                "externalDataConfiguration": { "sourceFormat": "CSV" },
            }),
        )
        .await;
    assert_eq!(status, 501);
    let folder = kit.end().await;
    let kit = Kit::over(folder).await;
    let kept = kit.good("GET", &one, Value::Null).await;
    assert_eq!(
        kept["etag"], changed["etag"],
        "all of it survives a restart"
    );
    assert_eq!(kept, kit.good("GET", &one, Value::Null).await);
}

#[tokio::test]
async fn views_have_the_columns_of_their_query() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    table(&kit, "t").await;
    let all = format!("{BASE}/datasets/d/tables");
    let view = |query: &str| {
        json!({
            "tableReference": { "projectId": "p", "datasetId": "d", "tableId": "v" },
            "view": { "query": query, "useLegacySql": false },
        })
    };
    let (status, reply) = kit.ask("POST", &all, view("SELECT no FROM `p.d.t`")).await;
    assert_eq!((status, reason(&reply).0), (400, "invalidQuery"));
    let made = kit
        .good(
            "POST",
            &all,
            view("SELECT name, n + 1 AS more FROM `p.d.t`"),
        )
        .await;
    assert_eq!(made["type"], "VIEW");
    assert_eq!(made["schema"]["fields"][1]["name"], "more");
    assert_eq!(made["schema"]["fields"][1]["type"], "INTEGER");
    let (status, reply) = kit.ask("GET", &format!("{all}/v/data"), Value::Null).await;
    assert_eq!(
        (status, reason(&reply).1),
        (400, "Cannot list a table of type VIEW.")
    );
    let legacy = json!({
        "tableReference": { "projectId": "p", "datasetId": "d", "tableId": "w" },
        "view": { "query": "SELECT 1" },
    });
    assert_eq!(kit.ask("POST", &all, legacy).await.0, 501);
}

#[tokio::test]
async fn what_there_is_none_of_is_an_empty_list_or_refused() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    let found = kit
        .good("GET", &format!("{BASE}/datasets/d/routines"), Value::Null)
        .await;
    assert_eq!(found, json!({ "routines": [] }));
    let projects = kit.good("GET", "/bigquery/v2/projects", Value::Null).await;
    assert_eq!(projects["projects"][0]["id"], "p");
    let (status, reply) = kit
        .ask("POST", &format!("{BASE}/datasets/d/routines"), json!({}))
        .await;
    assert_eq!((status, reason(&reply).0), (501, "notImplemented"));
    let reply = kit.get("/bigquery/v2/nowhere").await;
    assert_eq!(reply.status(), 404);
    assert_eq!(reason(&body(reply).await).0, "notFound");
}
