//! What is wrong is named, before anything is loaded where that can be.

use serde_json::json;
use tidemill::prelude::*;
use tidemill_operators::BigQueryLoad;
use tidemill_operators::bigquery::{Column, LoadToBigQuery};

use super::{INSERT, jobs, kit, parquet, ran, ran_as, rows, sql};

#[test]
fn columns_that_differ_from_the_table_are_named_one_by_one() {
    let kit = kit();
    sql(
        &kit,
        "CREATE TABLE crm.t (id INT64 NOT NULL, amount NUMERIC)",
    );
    kit.put("a.csv", "1,2.5,x\n");
    let columns = [
        Column::required("id", "STRING"),
        Column::nullable("amount", "NUMERIC"),
        Column::nullable("note", "STRING"),
    ];
    let load = LoadToBigQuery::csv("gs://raw/a.csv")
        .into("crm.t")
        .append(Dedup::job_id())
        .columns(columns.clone());
    let failed = ran(&kit, load.clone());
    assert_eq!(failed.error().kind, ErrorKind::Data);
    let message = &failed.error().message;
    assert!(
        message.contains("`id`: STRING REQUIRED here, and INT64 REQUIRED in the table"),
        "{message}"
    );
    assert!(
        message.contains("`note`: STRING NULLABLE here, and the table does not have it"),
        "{message}"
    );
    assert!(!message.contains("amount"), "{message}");
    assert_eq!(failed.loads[0].status, "failed");
    assert_eq!(jobs(&kit), Vec::<String>::new(), "nothing was launched");
    let [_, amount, note] = columns;
    let right = load
        .columns([Column::required("id", "INTEGER"), amount, note])
        .allow_new_columns();
    let done: BigQueryLoad = ran(&kit, right).output();
    assert_eq!(done.rows, 1);
    assert_eq!(rows(&kit, "SELECT note FROM crm.t"), "x");
}

#[test]
fn columns_of_parquet_files_are_compared_before_the_load() {
    let kit = kit();
    sql(
        &kit,
        "CREATE TABLE crm.t (id INT64 NOT NULL, name STRING, seen TIMESTAMP, tags ARRAY<STRING>, amount NUMERIC)",
    );
    let query = "SELECT 1 AS id, 7 AS name, TIMESTAMP '2025-01-31 10:00:00+00' AS seen, ['a'] AS tags, NUMERIC '1.5' AS amount, DATE '2025-01-31' AS day";
    parquet(&kit, "p/a", query);
    let load = LoadToBigQuery::parquet("gs://raw/p/*.parquet")
        .into("crm.t")
        .append(Dedup::job_id())
        .lists_as_arrays();
    let failed = ran(&kit, load.clone().allow_nulls());
    assert_eq!(failed.error().kind, ErrorKind::Data, "{}", failed.error());
    let message = &failed.error().message;
    assert!(message.contains("gs://raw/p/a-"), "{message}");
    assert!(
        message.contains("`name`: INT64 NULLABLE here, and STRING NULLABLE in the table"),
        "{message}"
    );
    assert!(
        message.contains("`day`: DATE NULLABLE here, and the table does not have it"),
        "{message}"
    );
    for right in ["`id`", "`seen`", "`tags`", "`amount`"] {
        assert!(!message.contains(right), "{right}: {message}");
    }
    let strict = ran(&kit, load.clone());
    assert!(
        strict
            .error()
            .message
            .contains("`id`: INT64 NULLABLE here, and INT64 REQUIRED in the table"),
        "{}",
        strict.error()
    );
    assert_eq!(jobs(&kit), Vec::<String>::new(), "nothing was launched");
    parquet(&kit, "p/a", &query.replace("7 AS name", "'seven' AS name"));
    let done = ran(&kit, load.allow_nulls().allow_new_columns());
    assert_eq!(done.output::<BigQueryLoad>().rows, 1);
    assert_eq!(
        rows(&kit, "SELECT id, name, tags[0], amount, day FROM crm.t"),
        "1,seven,a,1.5,2025-01-31"
    );
}

#[test]
fn a_file_that_is_no_parquet_is_left_to_the_load() {
    let kit = kit();
    sql(&kit, "CREATE TABLE crm.t (id INT64)");
    kit.put("a.parquet", "PAR1 and then nothing of the kind");
    let load = LoadToBigQuery::parquet("gs://raw/a.parquet")
        .into("crm.t")
        .append(Dedup::job_id());
    let failed = ran(&kit, load);
    assert!(!failed.error().kind.is_retried(), "{}", failed.error());
    assert!(failed.logged("its columns cannot be read before the load"));
    assert_eq!(failed.loads[0].status, "failed");
}

#[test]
fn columns_may_be_in_a_file_or_be_guessed() {
    let kit = kit();
    kit.put("a.csv", "id,name\n1,a\n");
    kit.put("schema.json", r#"[{"name": "id", "type": "INTEGER", "mode": "REQUIRED"}, {"name": "name", "type": "STRING"}]"#);
    let load = |table: &str| {
        LoadToBigQuery::csv("gs://raw/a.csv")
            .into(table)
            .append(Dedup::job_id())
            .skip_rows(1)
    };
    let _: BigQueryLoad = ran(&kit, load("crm.a").columns_from("gs://raw/schema.json")).output();
    let _: BigQueryLoad = ran_as(&kit, load("crm.b").guess_columns(), (1, 2)).output();
    let kinds = "SELECT table_name, column_name, data_type FROM crm.INFORMATION_SCHEMA.COLUMNS ORDER BY 1, 2";
    assert_eq!(
        rows(&kit, kinds),
        "a,id,INT64 a,name,STRING b,id,INT64 b,name,STRING"
    );
    kit.put("schema.json", "no");
    let failed = ran_as(
        &kit,
        load("crm.c").columns_from("gs://raw/schema.json"),
        (1, 3),
    );
    assert!(
        failed
            .error()
            .message
            .contains("gs://raw/schema.json is no schema"),
        "{}",
        failed.error()
    );
}

#[test]
fn a_merge_adds_columns_only_where_it_may() {
    let kit = kit();
    sql(&kit, "CREATE TABLE crm.t AS SELECT 1 AS id");
    kit.put("a.json", "{\"id\": 1, \"note\": \"x\"}\n");
    let load = LoadToBigQuery::json("gs://raw/a.json")
        .into("crm.t")
        .merge(["id"])
        .guess_columns();
    let failed = ran(&kit, load.clone());
    assert_eq!(failed.error().kind, ErrorKind::Data);
    assert!(
        failed
            .error()
            .message
            .contains("columns that shop.crm.t does not: `note`"),
        "{}",
        failed.error()
    );
    let _: BigQueryLoad = ran_as(&kit, load.allow_new_columns(), (1, 2)).output();
    assert_eq!(rows(&kit, "SELECT id, note FROM crm.t"), "1,x");
}

#[test]
fn what_is_missing_or_forbidden_is_named() {
    let kit = kit();
    kit.put("a.csv", "1,a\n");
    let load = |files: &str, table: &str| {
        LoadToBigQuery::csv(files)
            .into(table)
            .append(Dedup::job_id())
            .columns([
                Column::nullable("id", "INT64"),
                Column::nullable("n", "STRING"),
            ])
    };
    for (files, table, why) in [
        ("gs://raw/a.csv", "cmr.t", "there is no dataset `shop.cmr`"),
        ("gs://rwa/a.csv", "crm.t", "there is no bucket `rwa`"),
        ("s3://raw/a.csv", "crm.t", "does not begin with `gs://`"),
        (
            "gs://raw/a.csv",
            "tickets",
            "`tickets` names no table of BigQuery",
        ),
    ] {
        let failed = ran(&kit, load(files, table));
        assert_eq!(
            failed.error().kind,
            ErrorKind::Permanent,
            "{}",
            failed.error()
        );
        assert!(failed.error().message.contains(why), "{}", failed.error());
        assert!(!failed.error().help.is_empty(), "{}", failed.error());
        assert_eq!(failed.loads[0].status, "failed", "{why}");
    }
    let failed = ran(&kit, load("gs://raw/a.csv", "crm.t").location("US"));
    assert_eq!(
        failed.error().kind,
        ErrorKind::Permanent,
        "{}",
        failed.error()
    );
    assert!(
        failed.error().help.contains("location"),
        "{}",
        failed.error().help
    );
    let forbidden = json!({ "forbidden": { "permission": "bigquery.jobs.create" } });
    kit.fault_of("bigquery", INSERT, (0, 1), forbidden);
    let failed = ran(&kit, load("gs://raw/a.csv", "crm.t"));
    assert_eq!(failed.error().kind, ErrorKind::Permanent);
    assert!(
        failed
            .error()
            .message
            .contains("lacks the permission `bigquery.jobs.create`"),
        "{}",
        failed.error()
    );
    kit.fault_of("bigquery", INSERT, (0, 1), json!("quota"));
    let failed = ran(&kit, load("gs://raw/a.csv", "crm.t"));
    assert_eq!(failed.error().kind, ErrorKind::Quota, "{}", failed.error());
    assert_eq!(jobs(&kit), Vec::<String>::new());
}
