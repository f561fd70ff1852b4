//! Queries, copies, extracts, checks and sensors.

use serde_json::json;
use tidemill::prelude::*;
use tidemill::testing::{TaskRun, valid};
use tidemill_operators::bigquery::{
    API, BigQuery, BigQueryDatabase, Checked, Copied, Extracted, QueryDone, TableSeen,
};
use tidemill_operators::checks::{CheckReport, CheckStatus, Query as _};
use tidemill_operators::http::{Clients, Machine};
use tidemill_operators::{
    BigQueryCheck, BigQueryCopy, BigQueryExtract, BigQueryQuery, BigQueryTableSensor, Checks,
    Partitioning,
};

use super::{INSERT, deaths, jobs, kit, launches, ran, ran_as, rows, sql};
use crate::kit::{Kit, Waits};

fn sales(kit: &Kit) {
    sql(
        kit,
        "CREATE TABLE crm.sales AS SELECT 1 AS id, 'a' AS shop, DATE '2025-01-31' AS day \
         UNION ALL SELECT 2, 'b', DATE '2025-01-31' UNION ALL SELECT 3, 'a', DATE '2025-02-01'",
    );
}

#[test]
fn a_query_returns_rows_and_takes_values_that_are_no_sql() {
    let kit = kit();
    sales(&kit);
    let query = BigQueryQuery::of(
        "SELECT id, shop, day FROM sales WHERE day = @day AND shop IN UNNEST(@shops) ORDER BY id",
    )
    .dataset("crm")
    .parameter("day", "DATE", "{ds}")
    .list("shops", "STRING", ["a", "b'; DROP TABLE crm.sales; --"])
    .returning(10);
    let done: QueryDone = ran(&kit, query).output();
    assert_eq!(
        done.returned,
        [json!({ "id": 1, "shop": "a", "day": "2025-01-31" })]
    );
    assert_eq!((done.rows, &*done.statement), (1, "SELECT"));
    assert!(
        done.link.unwrap().contains("bq:EU:t"),
        "the location is found"
    );
}

#[test]
fn rows_come_over_many_pages() {
    let kit = kit();
    let query = BigQueryQuery::of("SELECT x FROM UNNEST(GENERATE_ARRAY(1, 900)) AS x ORDER BY x")
        .location("EU")
        .returning(800);
    let done: QueryDone = ran(&kit, query).output();
    assert_eq!((done.rows, done.returned.len()), (900, 800));
    assert_eq!(done.returned[799], json!({ "x": 800 }));
    // More than a page of ten thousand, as checks read them; the second page is lost once.
    let clients = Clients::new(Machine::default());
    let client = clients.client(&kit.google(), &API, Waits::new()).unwrap();
    kit.fault_of(
        "bigquery",
        "bigquery.jobs.getQueryResults",
        (0, 1),
        json!("truncated"),
    );
    let sql = "SELECT x FROM UNNEST(GENERATE_ARRAY(1, 25000)) AS x ORDER BY x";
    let rows = kit.run(async {
        let database = BigQueryDatabase::new(BigQuery::of(client, None).await?);
        database.location("EU").rows(sql).await
    });
    let rows = rows.unwrap();
    assert_eq!(rows.len(), 25_000);
    assert!(
        rows.iter()
            .enumerate()
            .all(|(nth, row)| row[0] == Some((nth + 1).to_string()))
    );
    assert_eq!(kit.asked("bigquery.jobs.getQueryResults").len(), 4);
}

#[test]
fn a_statement_is_done_once_whatever_happens() {
    for fault in [json!("lost_before"), json!("lost_after"), json!("html")] {
        let over = deaths().find(|nth| {
            let kit = kit();
            sql(&kit, "CREATE TABLE crm.t (n INT64)");
            let insert = BigQueryQuery::of("INSERT INTO crm.t VALUES (1)");
            kit.fault_of("bigquery", "bigquery.*", (*nth, 100_000), fault.clone());
            let first = ran(&kit, insert.clone());
            kit.no_faults();
            let second: QueryDone = ran_as(&kit, insert, (2, 1)).output();
            assert_eq!(second.changed, 1);
            assert_eq!(
                rows(&kit, "SELECT n FROM crm.t"),
                "1",
                "{fault} after {nth}"
            );
            assert_eq!(launches(&kit), 1, "{fault} after {nth}");
            first.result.is_ok()
        });
        assert!(over.is_some_and(|steps| steps >= 3), "{fault}: {over:?}");
    }
}

#[test]
fn a_script_runs_as_one_job() {
    let kit = kit();
    let script = BigQueryQuery::of(
        "DECLARE n INT64 DEFAULT 3; CREATE TABLE crm.t AS SELECT n AS n; SELECT n FROM crm.t;",
    )
    .location("EU")
    .returning(1);
    let done: QueryDone = ran(&kit, script).output();
    assert_eq!(
        (&*done.statement, done.returned),
        ("SCRIPT", vec![json!({ "n": 3 })])
    );
    assert_eq!(launches(&kit), 1);
}

#[test]
fn rows_of_a_query_replace_a_partition_and_are_on_record() {
    let kit = kit();
    sales(&kit);
    let query = || {
        BigQueryQuery::of("SELECT id, day FROM crm.sales WHERE day = '{ds}'")
            .replacing_partition("crm.by_day", "{ds}")
            .partitioned_by(Partitioning::day("day"))
            .label("team", "sales")
    };
    let first = ran(&kit, query());
    assert_eq!(first.output::<QueryDone>().rows, 2);
    let load = &first.loads[0];
    assert_eq!(
        (&*load.destination, load.partition.as_deref()),
        ("shop.crm.by_day", Some("20250131"))
    );
    assert_eq!(
        (load.rows_before, load.rows_loaded, load.rows_after),
        (Some(0), 2, Some(2))
    );
    assert_eq!(load.sources, ["shop.crm.sales"]);
    let second = ran_as(&kit, query(), (1, 2));
    assert_eq!(
        (second.loads[0].rows_before, second.loads[0].rows_after),
        (Some(2), Some(2))
    );
}

#[test]
fn what_is_wrong_with_a_query_is_said_with_its_kind() {
    let kit = kit();
    sales(&kit);
    let mut epoch = 0;
    for (query, kind, why) in [
        (
            BigQueryQuery::of("SELEC 1"),
            ErrorKind::Permanent,
            "query job",
        ),
        (
            BigQueryQuery::of("SELECT * FROM crm.none"),
            ErrorKind::Permanent,
            "none",
        ),
        (
            BigQueryQuery::of("SELECT ERROR('stop') FROM crm.sales"),
            ErrorKind::Permanent,
            "stop",
        ),
        (
            BigQueryQuery::of("SELECT * FROM crm.sales").bill_at_most(1),
            ErrorKind::Permanent,
            "bytesBilledLimitExceeded",
        ),
        (
            BigQueryQuery::of("SELECT 1").replacing("t"),
            ErrorKind::Permanent,
            "names no table",
        ),
    ] {
        epoch += 1;
        let failed = ran_as(&kit, query.clone(), (1, epoch));
        assert_eq!(failed.error().kind, kind, "{query:?}: {}", failed.error());
        assert!(failed.error().message.contains(why), "{}", failed.error());
    }
}

#[test]
fn a_dry_run_reads_nothing_and_keeps_no_job() {
    let kit = kit();
    sales(&kit);
    let dry: QueryDone = ran(
        &kit,
        BigQueryQuery::of("SELECT id FROM crm.sales").dry_run(),
    )
    .output();
    assert_eq!((dry.bytes, dry.billed, dry.job), (24, 0, None));
    let wrong = ran(
        &kit,
        BigQueryQuery::of("SELECT no FROM crm.sales").dry_run(),
    );
    assert_eq!(wrong.error().kind, ErrorKind::Permanent);
    assert!(jobs(&kit).is_empty());
}

#[test]
fn a_copy_is_done_once_and_is_on_record() {
    let kit = kit();
    sales(&kit);
    let copy = BigQueryCopy::of("crm.sales").appending_to("crm.all");
    kit.fault_of("bigquery", INSERT, (0, 1), json!("lost_after"));
    let first = ran(&kit, copy.clone());
    let copied: Copied = first.output();
    assert_eq!(
        (copied.rows, copied.rows_before, copied.rows_after),
        (3, Some(0), Some(3))
    );
    assert_eq!(
        (first.loads[0].rows_loaded, &*first.loads[0].mode),
        (3, "append")
    );
    let again: Copied = ran_as(&kit, copy, (2, 1)).output();
    assert_eq!(again, copied);
    assert_eq!(launches(&kit), 1);
    let replaced = BigQueryCopy::of("crm.sales")
        .and("crm.all")
        .replacing("crm.all");
    let replaced: Copied = ran_as(&kit, replaced, (1, 2)).output();
    assert_eq!(
        (replaced.rows_before, replaced.rows_after),
        (Some(3), Some(6))
    );
    let refused = ran_as(
        &kit,
        BigQueryCopy::of("crm.sales").creating("crm.all"),
        (1, 3),
    );
    assert_eq!(
        refused.error().kind,
        ErrorKind::Permanent,
        "{}",
        refused.error()
    );
    assert_eq!(refused.loads[0].status, "failed");
}

#[test]
fn a_table_becomes_files() {
    let kit = kit();
    sales(&kit);
    let extract = BigQueryExtract::of("crm.sales").to_csv("gs://raw/out/{ds}.csv");
    let done: Extracted = ran(&kit, extract).output();
    assert_eq!((done.files, &*done.uri), (1, "gs://raw/out/2025-01-31.csv"));
    let content = kit.content("out%2F2025-01-31.csv").unwrap();
    assert_eq!(String::from_utf8(content).unwrap().lines().count(), 4);
}

#[test]
fn values_are_checked() {
    let kit = kit();
    sales(&kit);
    let count = || BigQueryCheck::of("SELECT COUNT(*) AS n FROM crm.sales");
    let seen: Checked = ran(&kit, count().equals("3")).output();
    assert_eq!(seen.values, [("n".to_owned(), Some("3".to_owned()))]);
    let wrong = ran_as(&kit, count().between(10, 20), (1, 2));
    assert_eq!(wrong.error().kind, ErrorKind::Data);
    assert_eq!(wrong.error().message, "`n` is 3, and 10 to 20 is wanted");
    let none = BigQueryCheck::of("SELECT 1 FROM crm.sales WHERE FALSE");
    assert_eq!(ran_as(&kit, none, (1, 3)).error().kind, ErrorKind::Data);
}

#[test]
fn checks_ask_bigquery_through_a_connection() {
    let kit = kit();
    sales(&kit);
    let report: CheckReport = ran(
        &kit,
        Checks::on("crm.sales")
            .connection("google")
            .unique("id")
            .not_null("day"),
    )
    .output();
    assert!(
        report
            .results
            .iter()
            .all(|check| check.status == CheckStatus::Passed),
        "{report:?}"
    );
    let failed = ran(
        &kit,
        Checks::on("crm.sales").connection("google").unique("shop"),
    );
    assert_eq!(failed.error().kind, ErrorKind::Data, "{}", failed.error());
}

#[test]
fn a_sensor_waits_for_a_partition_and_bills_nothing() {
    let kit = kit();
    sql(
        &kit,
        "CREATE TABLE crm.days (id INT64, day DATE) PARTITION BY day",
    );
    let sensor = BigQueryTableSensor::on("crm.days")
        .partition("{ds}")
        .every(minutes(5));
    let dag = valid(Dag::build("crm", |dag| {
        dag.schedule(Cron::daily());
        dag.add("task", sensor.clone());
    }));
    let waits = TaskRun::of(&dag, "task")
        .day("2025-01-31")
        .connection(kit.google());
    let waits = waits.cancel_after(hours(1)).run();
    assert!(
        waits
            .error()
            .message
            .contains("partition 20250131 of shop.crm.days has 0 of 1 rows"),
        "{}",
        waits.error()
    );
    sql(
        &kit,
        "INSERT INTO crm.days VALUES (1, DATE '2025-02-01'), (2, DATE '2025-01-31')",
    );
    let seen: TableSeen = ran(&kit, sensor).output();
    assert_eq!(
        (seen.rows, seen.partition.as_deref()),
        (1, Some("20250131"))
    );
    let table: TableSeen = ran(&kit, BigQueryTableSensor::on("crm.days").at_least(2)).output();
    assert_eq!(table.rows, 2);
    let never = ran(&kit, BigQueryTableSensor::on("cmr.days"));
    assert!(
        never.error().message.contains("there is no dataset"),
        "{}",
        never.error()
    );
    assert!(jobs(&kit).is_empty());
}
