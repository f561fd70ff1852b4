//! `loads` and `checks`, beside the database and by a web server: both say the same.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};
use tidemill::prelude::*;
use tidemill_core::protocol::{CheckResult, Load};

use crate::running::Running;
use crate::running_api::start;
use crate::running_web::get;

/// A load and a check on record.
#[task]
async fn records(ctx: &TaskContext) -> TaskResult {
    ctx.record_load(Load {
        sources: vec!["gs://shop/1.csv".to_owned()],
        destination: "shop.orders".to_owned(),
        mode: "append".to_owned(),
        rows_before: Some(7),
        rows_loaded: 5,
        rows_after: Some(12),
        ..Load::default()
    });
    ctx.record_check(CheckResult {
        name: "unique(id)".to_owned(),
        table: "shop.orders".to_owned(),
        status: "failed".to_owned(),
        cause: "2 of 12 rows have an id that is there twice".to_owned(),
        rows_failed: Some(2),
        rows_sql: Some("SELECT id FROM shop.orders".to_owned()),
        ..CheckResult::default()
    });
    Err(TaskError::data("2 rows are there twice"))
}

/// These, and one that loads and checks.
pub(crate) fn with(dags: Dags) -> Dags {
    dags.dag(loaded)
}

fn loaded() -> Dag {
    Dag::build("loaded", |dag| {
        dag.call("load", records, ());
    })
}

#[test]
fn loads_and_checks_are_listed_and_shown_here_and_from_afar() {
    let running = Running::start();
    let failed = running.run(&["runs", "trigger", "loaded", "--name", "one", "--wait"]);
    assert_eq!(failed.code, 1, "{}", failed.stderr);
    let loads = running.json(&["loads", "list", "loaded", "--json"]);
    let load = &loads[0];
    assert_eq!(
        (&load["run_name"], &load["task"]),
        (&json!("one"), &json!("load"))
    );
    assert_eq!(load["load"]["rows_loaded"], 5);
    let place = format!("{}.{}", load["attempt"], load["nth"]);
    let listed = running.run(&[
        "loads",
        "list",
        "--table",
        "shop.orders",
        "--status",
        "success",
    ]);
    let row = listed.stdout.lines().nth(1).unwrap_or_default();
    let cells: Vec<&str> = row.split_whitespace().take(8).collect();
    let wanted = ["loaded", "load", "shop.orders", "success", "7", "5", "12"];
    assert_eq!((cells[0], &cells[1..]), (&*place, &wanted[..]), "{row}");
    let none = running.json(&["loads", "list", "--from", "2100-01-01", "--json"]);
    assert_eq!(none, json!([]));
    let shown = running.run(&["loads", "show", "loaded", &place]).stdout;
    assert!(shown.contains("source     gs://shop/1.csv\n"), "{shown}");

    let checks = running.json(&["checks", "list", "--bad", "--json"]);
    assert_eq!(checks[0]["last"][0]["status"], "failed");
    let listed = running.run(&["checks", "list"]).stdout;
    let row = listed.lines().nth(1).unwrap_or_default();
    let cells: Vec<&str> = row.split_whitespace().take(6).collect();
    let wanted = ["loaded", "shop.orders", "unique(id)", "failed", "2"];
    assert_eq!((cells[0], &cells[1..]), (&*place, &wanted[..]), "{row}");
    assert!(row.ends_with("  f"), "{row}");
    let results = running.json(&["checks", "list", "--status", "failed", "--json"]);
    assert_eq!(results[0]["result"]["rows_failed"], 2);
    let shown = running.run(&["checks", "show", "loaded", &place]).stdout;
    assert!(
        shown.ends_with("-- the failing rows\nSELECT id FROM shop.orders\n"),
        "{shown}"
    );
    let gone = running.run(&["checks", "show", "fine", &place]);
    assert_eq!((gone.code, gone.stdout.as_str()), (3, ""));

    let server = start(&running);
    assert_eq!(server.json("loads list loaded"), loads);
    assert_eq!(server.json(&format!("loads show loaded {place}")), *load);
    assert_eq!(server.json("checks list --bad"), checks);
    assert_eq!(server.json("checks list --status failed"), results);
    assert_eq!(
        server.run(&format!("checks show loaded {place}")).stdout,
        shown
    );
}

/// Sends JSON to a sandbox, and gives what it answers.
fn post(port: u16, path: &str, body: &Value) -> String {
    let body = body.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it is there");
    let asked = format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(asked.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    answer
}

#[test]
fn the_ledger_is_compared_with_the_tables_that_are_there() {
    let running = Running::start();
    let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = free.local_addr().expect("it has an address").port();
    drop(free);
    let folder = tempfile::tempdir().expect("a folder");
    let (listen, data) = (format!("127.0.0.1:{port}"), folder.path().join("cloud"));
    let data = data.to_str().expect("it is text");
    running.beside(&[
        "sandbox",
        "--sandbox-listen",
        &listen,
        "--sandbox-mail",
        "127.0.0.1:0",
        "--sandbox-dir",
        data,
    ]);
    running
        .until(|_| get(port, "/healthz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
    let (endpoint, project) = (format!("endpoint=http://{listen}"), "project=crm");
    let connection = [
        "connections",
        "set",
        "google",
        "--kind",
        "google",
        "--field",
    ];
    let set = running.run(&[&connection[..], &[&endpoint, "--field", project]].concat());
    assert_eq!(set.code, 0, "{}", set.stderr);
    let failed = running.run(&["runs", "trigger", "loaded", "--name", "one", "--wait"]);
    assert_eq!(failed.code, 1, "{}", failed.stderr);

    let none = running.run(&["loads", "reconcile"]);
    assert_eq!(none.code, 1, "{} {}", none.stdout, none.stderr);
    assert!(
        none.stdout.contains("there is no such table"),
        "{}",
        none.stdout
    );
    let base = "/bigquery/v2/projects/crm";
    let dataset =
        json!({"datasetReference": {"projectId": "crm", "datasetId": "shop"}, "location": "EU"});
    post(port, &format!("{base}/datasets"), &dataset);
    let query = |sql: &str| {
        let query = json!({"query": sql, "useLegacySql": false});
        post(port, &format!("{base}/queries"), &query);
    };
    query("CREATE TABLE shop.orders AS SELECT id FROM UNNEST(GENERATE_ARRAY(1, 12)) AS id");
    let fits = running.run(&["loads", "reconcile", "loaded", "--table", "shop.orders"]);
    assert_eq!(fits.code, 0, "{} {}", fits.stdout, fits.stderr);
    query("INSERT INTO shop.orders (id) VALUES (13)");
    let differs = running.run(&["loads", "reconcile", "--json"]);
    assert_eq!(differs.code, 1);
    let differs: Value = serde_json::from_str(&differs.stdout).expect("JSON");
    let numbers = (
        &differs[0]["ledger"],
        &differs[0]["there"],
        &differs[0]["says"],
    );
    assert_eq!(numbers, (&json!(12), &json!(13), &json!("differs")));
}
