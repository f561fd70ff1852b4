//! BigQuery: any bytes at any endpoint are answered in its format, and the server stays up.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::bigquery::{dataset, table};
use crate::kit::Kit;

const PATHS: [(&str, &str); 22] = [
    ("POST", "/bigquery/v2/projects/p/datasets"),
    ("PATCH", "/bigquery/v2/projects/p/datasets/d"),
    ("PUT", "/bigquery/v2/projects/p/datasets/d"),
    ("POST", "/bigquery/v2/projects/p/datasets/d/tables"),
    ("PATCH", "/bigquery/v2/projects/p/datasets/d/tables/t"),
    ("PUT", "/bigquery/v2/projects/p/datasets/d/tables/t"),
    (
        "POST",
        "/bigquery/v2/projects/p/datasets/d/tables/t/insertAll",
    ),
    ("POST", "/bigquery/v2/projects/p/jobs"),
    ("POST", "/bigquery/v2/projects/p/queries"),
    (
        "POST",
        "/upload/bigquery/v2/projects/p/jobs?uploadType=resumable",
    ),
    (
        "POST",
        "/upload/bigquery/v2/projects/p/jobs?uploadType=multipart",
    ),
    ("PUT", "/upload/bigquery/v2/projects/p/jobs?upload_id=x"),
    (
        "GET",
        "/bigquery/v2/projects/p/datasets/d/tables/t/data?maxResults=",
    ),
    (
        "GET",
        "/bigquery/v2/projects/p/datasets/d/tables/t/data?pageToken=",
    ),
    (
        "GET",
        "/bigquery/v2/projects/p/datasets/d/tables/t/data?selectedFields=",
    ),
    ("GET", "/bigquery/v2/projects/p/datasets?filter="),
    ("GET", "/bigquery/v2/projects/p/jobs?stateFilter="),
    ("GET", "/bigquery/v2/projects/p/jobs?minCreationTime="),
    ("GET", "/bigquery/v2/projects/p/queries/x?timeoutMs="),
    ("GET", "/bigquery/v2/projects/p/jobs/x?location="),
    ("GET", "/bigquery/v2/projects/p/datasets/d/tables/t$"),
    ("DELETE", "/bigquery/v2/projects/p/datasets/d/tables/u$"),
];

/// Names that the methods take.
const NAMES: &[&str] = &[
    "configuration",
    "load",
    "query",
    "copy",
    "extract",
    "jobReference",
    "jobId",
    "datasetReference",
    "datasetId",
    "tableReference",
    "tableId",
    "schema",
    "fields",
    "name",
    "type",
    "mode",
    "rows",
    "json",
    "insertId",
    "labels",
    "timePartitioning",
    "field",
    "destinationTable",
    "sourceUris",
    "sourceFormat",
    "useLegacySql",
    "queryParameters",
    "parameterType",
    "parameterValue",
    "maximumBytesBilled",
    "view",
    "clustering",
    "day",
    "n",
    "location",
    "dryRun",
    "expirationTime",
    "maxResults",
];

/// JSON that is like what the methods take, with wrong values in the places of right ones.
fn json() -> impl Strategy<Value = String> {
    let names = prop::sample::select(NAMES);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        Just("1e400".to_owned()),
        "[a-zA-Z0-9$*.:/ ()'`@-]{0,12}".prop_map(|text| Value::String(text).to_string()),
        prop::sample::select(vec![
            "PARQUET",
            "CSV",
            "INTEGER",
            "REPEATED",
            "DAY",
            "gs://raw/a*",
            "SELECT 1",
            "d",
            "t"
        ])
        .prop_map(|text| Value::String(text.to_owned()).to_string()),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((names.clone(), inner), 0..6).prop_map(|pairs| {
                let pairs: Vec<String> = pairs
                    .into_iter()
                    .map(|(name, value)| format!("\"{name}\":{value}"))
                    .collect();
                format!("{{{}}}", pairs.join(","))
            }),
        ]
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_request_is_answered() {
    let kit = Kit::new().await;
    dataset(&kit, "US").await;
    table(&kit, "t").await;
    let strategy = (
        0..PATHS.len(),
        prop_oneof![
            3 => json().prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 0..80),
        ],
        "[a-z0-9%$*.:, _-]{0,12}",
    );
    let mut runner = TestRunner::new(Config::with_cases(1));
    for _ in 0..600 {
        let (path, bytes, tail) = strategy.new_tree(&mut runner).expect("it works").current();
        let (verb, path) = PATHS[path];
        let tail = if verb == "GET" || path.ends_with('$') {
            tail.replace('%', "%25").replace(' ', "%20")
        } else {
            String::new()
        };
        let reply = kit
            .client
            .request(
                verb.parse().expect("it works"),
                format!("{}{path}{tail}", kit.base),
            )
            .header("content-type", "application/json")
            .body(bytes.clone())
            .send()
            .await
            .expect("the server stays up");
        let status = reply.status().as_u16();
        let text = reply.text().await.expect("it works");
        let asked = format!(
            "{verb} {path}{tail} {}: {status} {text}",
            String::from_utf8_lossy(&bytes)
        );
        assert!(status < 500 || status == 501, "{asked}");
        if status >= 400 {
            let error: Value = serde_json::from_str(&text).expect(&asked);
            assert_eq!(error["error"]["code"], status, "{asked}");
            assert!(error["error"]["errors"][0]["reason"].is_string(), "{asked}");
        }
    }
}
