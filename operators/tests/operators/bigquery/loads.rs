//! What loads leave behind, and what they put on record.

use tidemill::prelude::*;
use tidemill_operators::bigquery::{Column, LoadToBigQuery};
use tidemill_operators::{BigQueryLoad, IfNone, Partitioning};

use super::{jobs, kit, launches, parquet, ran, ran_as, rows, sql};

fn columns() -> [Column; 2] {
    [
        Column::required("id", "INT64"),
        Column::nullable("name", "STRING"),
    ]
}

#[test]
fn a_csv_is_appended_once_and_is_on_record() {
    let kit = kit();
    kit.put("in%2F2025-01-31%2Fa.csv", "id,name\n1,a\n2,b\n");
    kit.put("in%2F2025-01-31%2Fb.csv", "id,name\n3,c\n");
    let load = LoadToBigQuery::csv("gs://raw/in/{ds}/*.csv")
        .into("crm.tickets")
        .append(Dedup::job_id())
        .columns(columns())
        .skip_rows(1)
        .label("team", "Sales EU");
    let first = ran(&kit, load.clone());
    let output: BigQueryLoad = first.output();
    assert_eq!((output.rows, output.files, output.bytes), (3, 2, 28));
    assert_eq!((output.rows_before, output.rows_after), (Some(0), Some(3)));
    let [record] = &first.loads[..] else {
        panic!("one load is on record: {:?}", first.loads);
    };
    assert_eq!(record.status, "success");
    assert_eq!(record.destination, "shop.crm.tickets");
    assert_eq!(record.sources, ["gs://raw/in/2025-01-31/*.csv"]);
    assert_eq!(
        (record.files, record.bytes_read, record.rows_read),
        (2, 28, 3)
    );
    assert_eq!((record.rows_before, record.rows_after), (Some(0), Some(3)));
    assert_eq!((record.rows_loaded, record.rows_rejected), (3, 0));
    assert_eq!(record.mode, "append");
    assert!(record.started_at <= record.ended_at);
    let job = record.job_id.clone().expect("it has a job");
    assert!(job.starts_with("shop:EU.t"), "{job}");
    assert!(
        record
            .job_url
            .as_ref()
            .expect("it has a link")
            .contains("bq:EU:t")
    );
    assert!(first.resumes > 0, "it waits without holding a slot");
    // A second attempt of the same launch finds the job; another launch is another job.
    let again: BigQueryLoad = ran_as(&kit, load.clone(), (2, 1)).output();
    assert_eq!(
        again, output,
        "the same figures, also of what was there before"
    );
    assert_eq!(launches(&kit), 1);
    let cleared: BigQueryLoad = ran_as(&kit, load, (3, 2)).output();
    assert_eq!(
        (cleared.rows_before, cleared.rows_after),
        (Some(3), Some(6))
    );
    assert_eq!(launches(&kit), 2);
}

#[test]
fn a_partition_is_replaced_and_the_others_stay() {
    let kit = kit();
    parquet(
        &kit,
        "p/a",
        "SELECT 1 AS id, DATE '2025-01-31' AS day UNION ALL SELECT 2, DATE '2025-01-31'",
    );
    let load = LoadToBigQuery::parquet("gs://raw/p/*.parquet")
        .into("shop.crm.days")
        .append(Dedup::partition("{ds}"))
        .partitioned_by(Partitioning::day("day"))
        .clustered_by(["id"]);
    let output: BigQueryLoad = ran(&kit, load.clone()).output();
    assert_eq!(output.partition.as_deref(), Some("20250131"));
    sql(&kit, "INSERT INTO crm.days VALUES (9, DATE '2025-02-01')");
    let again: BigQueryLoad = ran_as(&kit, load, (1, 2)).output();
    assert_eq!(
        (again.rows_before, again.rows, again.rows_after),
        (Some(3), 2, Some(3))
    );
    assert_eq!(rows(&kit, "SELECT id FROM crm.days ORDER BY id"), "1 2 9");
    let table = kit.good(
        "GET",
        "/bigquery/v2/projects/shop/datasets/crm/tables/days",
        ().into(),
    );
    assert_eq!(table["timePartitioning"]["field"], "day");
    assert_eq!(table["clustering"]["fields"][0], "id");
}

#[test]
fn keys_are_merged_in_one_step_and_the_staging_table_goes() {
    let kit = kit();
    kit.put("m.csv", "1,a\n2,b\n");
    let load = || {
        LoadToBigQuery::csv("gs://raw/m.csv")
            .into("crm.people")
            .append(Dedup::key(["id"]))
            .columns(columns())
    };
    let first: BigQueryLoad = ran(&kit, load()).output();
    assert_eq!(
        (first.rows, first.rows_before, first.rows_after),
        (2, Some(0), Some(2))
    );
    kit.put("m.csv", "2,B\n3,c\n");
    let second = ran_as(&kit, load(), (1, 2));
    assert_eq!(second.loads[0].mode, "merge");
    assert_eq!(
        (second.loads[0].rows_read, second.loads[0].rows_loaded),
        (2, 2)
    );
    assert_eq!(
        (second.loads[0].rows_before, second.loads[0].rows_after),
        (Some(2), Some(3))
    );
    assert!(second.loads[0].bytes_billed.is_some());
    assert_eq!(
        rows(&kit, "SELECT id, name FROM crm.people ORDER BY id"),
        "1,a 2,B 3,c"
    );
    let left = rows(&kit, "SELECT table_name FROM crm.INFORMATION_SCHEMA.TABLES");
    assert_eq!(left, "people");
    assert_eq!((launches(&kit), jobs(&kit).len()), (2, 6));
}

#[test]
fn keys_that_would_double_rows_are_refused_before_anything_changes() {
    let kit = kit();
    for (name, content, why) in [
        (
            "twice.csv",
            "1,a\n1,b\n",
            "1 keys (`id`) are in the files more than once",
        ),
        ("empty.csv", "1,a\n,b\n", "1 rows of the files have no key"),
    ] {
        kit.put(name, content);
        let load = LoadToBigQuery::csv(format!("gs://raw/{name}"))
            .into("crm.people")
            .merge(["id"])
            .columns([
                Column::nullable("id", "INT64"),
                Column::nullable("name", "STRING"),
            ]);
        let failed = ran(&kit, load.clone());
        assert_eq!(failed.error().kind, ErrorKind::Data);
        assert!(failed.error().message.contains(why), "{}", failed.error());
        assert_eq!(failed.loads[0].status, "failed");
        assert_eq!(failed.loads[0].rows_read, 2);
        assert_eq!(failed.loads[0].rows_loaded, 0);
        let left = rows(&kit, "SELECT table_name FROM crm.INFORMATION_SCHEMA.TABLES");
        assert_eq!(left, "", "neither the table nor a staging table");
    }
    kit.put("twice.csv", "1,a\n1,b\n");
    let load = LoadToBigQuery::csv("gs://raw/twice.csv")
        .into("crm.people")
        .merge(["id"])
        .columns(columns())
        .latest_by("name");
    let load = load.matching_only("T.name != 'z'");
    let _: BigQueryLoad = ran_as(&kit, load.clone(), (1, 7)).output();
    let _: BigQueryLoad = ran_as(&kit, load, (1, 8)).output();
    assert_eq!(rows(&kit, "SELECT id, name FROM crm.people"), "1,b");
}

#[test]
fn a_table_is_replaced_whole() {
    let kit = kit();
    kit.put("a.json", "{\"id\": 1, \"name\": \"a\"}\n{\"id\": 2}\n");
    let load = || {
        LoadToBigQuery::json("gs://raw/a.json")
            .into("crm.t")
            .truncate()
            .columns(columns())
    };
    let _: BigQueryLoad = ran(&kit, load()).output();
    kit.put("a.json", "{\"id\": 3}\n");
    let second: BigQueryLoad = ran_as(&kit, load(), (1, 2)).output();
    assert_eq!((second.rows_before, second.rows_after), (Some(2), Some(1)));
    // Without rows the table stays, if that is wanted.
    kit.put("a.json", "");
    let empty = ran_as(&kit, load().if_no_rows(IfNone::Fail), (1, 3));
    assert_eq!(empty.error().kind, ErrorKind::Data);
    let skipped = ran_as(&kit, load().if_no_rows(IfNone::Skip), (1, 4));
    assert!(
        matches!(skipped.result, Ok(Outcome::Skipped { .. })),
        "{:?}",
        skipped.result
    );
    assert_eq!(rows(&kit, "SELECT id FROM crm.t"), "3");
    kit.put("a.json", "{\"id\": 4}\n");
    let staged: BigQueryLoad = ran_as(&kit, load().if_no_rows(IfNone::Fail), (1, 5)).output();
    assert_eq!(
        (staged.rows, staged.rows_before, staged.rows_after),
        (1, Some(1), Some(1))
    );
    assert_eq!(rows(&kit, "SELECT id FROM crm.t"), "4");
    let gone: BigQueryLoad = ran_as(&kit, load(), (1, 6)).output();
    assert_eq!(gone.rows, 1);
}

#[test]
fn what_to_do_without_files_is_the_authors_to_say() {
    let kit = kit();
    let load = || {
        LoadToBigQuery::parquet("gs://raw/none/{ds}/*.parquet")
            .into("crm.t")
            .append(Dedup::job_id())
    };
    let failed = ran(&kit, load());
    assert_eq!(failed.error().kind, ErrorKind::Data);
    assert!(
        failed
            .error()
            .message
            .contains("gs://raw/none/2025-01-31/*.parquet")
    );
    assert_eq!(failed.loads[0].status, "failed");
    let skipped = ran(&kit, load().if_no_files(IfNone::Skip));
    assert!(matches!(skipped.result, Ok(Outcome::Skipped { .. })));
    let fine = ran(&kit, load().if_no_files(IfNone::GoOn));
    assert_eq!(fine.output::<BigQueryLoad>().rows, 0);
    assert_eq!(
        (fine.loads[0].files, &*fine.loads[0].status),
        (0, "success")
    );
    assert_eq!(jobs(&kit), Vec::<String>::new());
}

#[test]
fn rows_that_cannot_be_read_are_counted_or_named() {
    let kit = kit();
    kit.put("bad.csv", "1,a\nx,b\n3,c\n");
    let load = || {
        LoadToBigQuery::csv("gs://raw/bad.csv")
            .into("crm.t")
            .append(Dedup::job_id())
            .columns(columns())
    };
    let failed = ran(&kit, load());
    assert_eq!(failed.error().kind, ErrorKind::Data, "{}", failed.error());
    assert!(
        failed.error().message.contains("load job shop:EU.t"),
        "{}",
        failed.error()
    );
    assert!(!failed.error().help.is_empty());
    let record = &failed.loads[0];
    assert_eq!(
        (&*record.status, record.rows_loaded, record.files),
        ("failed", 0, 1)
    );
    assert!(record.job_id.is_some() && record.error.is_some());
    let some: BigQueryLoad = ran_as(&kit, load().max_bad_records(1), (1, 2)).output();
    assert_eq!((some.rows, some.rejected), (2, 1));
}
