//! What queries see, and what they are billed.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, TimestampMicrosecondArray};
use tidemill_warehouse::tables::{
    Change, Partitioning, RangeBounds, TableMeta, Target, Unit, logical_bytes,
};
use tidemill_warehouse::{Field, Kind, Schema};

use crate::kit::{Kit, batch, by_day, id, january};

/// A day and a number in a row are 16 bytes, a name of one letter is 3.
fn three_days() -> Kit {
    let kit = Kit::new();
    kit.daily(&[
        (january(1), "a", 1),
        (january(2), "b", 2),
        (january(2), "c", 3),
        (january(3), "d", 4),
    ]);
    kit
}

#[test]
fn bytes_are_those_of_the_columns_and_partitions_that_are_read() {
    let kit = three_days();
    for (query, bytes) in [
        ("SELECT * FROM t", 4 * 19),
        ("SELECT n FROM t", 4 * 8),
        ("SELECT COUNT(*) FROM t", 0),
        ("SELECT name FROM t WHERE n > 1", 4 * 11),
        ("SELECT n FROM t WHERE day = '2026-01-02'", 2 * 16),
        (
            "SELECT n FROM t WHERE day = DATE '2026-01-02' AND name <> 'b'",
            2 * 19,
        ),
        ("SELECT n FROM t WHERE day >= '2026-01-02'", 3 * 16),
        (
            "SELECT n FROM t WHERE day BETWEEN '2026-01-01' AND '2026-01-02'",
            3 * 16,
        ),
        (
            "SELECT n FROM t WHERE day IN ('2026-01-01', '2026-01-03')",
            2 * 16,
        ),
        (
            "SELECT n FROM t WHERE day = DATE_ADD(DATE '2026-01-01', INTERVAL 1 DAY)",
            2 * 16,
        ),
        ("SELECT n FROM t WHERE EXTRACT(DAY FROM day) = 3", 16),
        ("SELECT n FROM t WHERE day IS NULL", 0),
        ("SELECT n FROM t WHERE day = '2030-01-01'", 0),
        (
            "SELECT n FROM (SELECT * FROM t) WHERE day = '2026-01-03'",
            16,
        ),
    ] {
        assert_eq!(kit.rows(query).1, bytes, "{query}");
    }
    assert_eq!(
        kit.rows("SELECT n FROM t WHERE day = '2026-01-02' ORDER BY n")
            .0,
        ["2", "3"]
    );
}

#[test]
fn a_filter_may_be_required() {
    let kit = three_days();
    let table = kit.warehouse.table(&id()).unwrap();
    let mut meta = (*table.meta).clone();
    meta.require_partition_filter = true;
    let change = Change::Meta(Box::new(meta));
    kit.warehouse.commit(&id(), table.version, change).unwrap();
    let error = kit.query("SELECT n FROM t WHERE n = 1").unwrap_err();
    assert_eq!(error.reason, "invalidQuery");
    assert!(
        error.message.contains(
            "Cannot query over table 'p.d.t' without a filter over column(s) 'day' that can be used for partition elimination"
        ),
        "{}",
        error.message
    );
    kit.query("SELECT n FROM t WHERE day > '2020-01-01'")
        .unwrap();
}

#[test]
fn instants_are_pruned_through_functions_of_them() {
    let kit = Kit::new();
    let mut meta = TableMeta::new(Schema {
        fields: vec![Field::new("at", Kind::Timestamp)],
    });
    meta.partitioning = Some(Partitioning::Time {
        unit: Unit::Day,
        field: Some("at".to_owned()),
        expiration_ms: None,
    });
    let hour = 3_600_000_000_i64;
    let day = |day: i32| i64::from(january(day)) * 24 * hour;
    let instants = vec![
        Some(day(1) + hour),
        Some(day(2) + hour),
        Some(day(2) + 23 * hour),
        Some(day(3)),
        None,
    ];
    let column = TimestampMicrosecondArray::from(instants).with_timezone("UTC");
    let rows =
        RecordBatch::try_new(Arc::new(meta.schema.to_arrow()), vec![Arc::new(column)]).unwrap();
    let mut writer = kit.warehouse.writer(&id(), &meta, Target::Rows).unwrap();
    writer.write(&rows).unwrap();
    let files = writer.finish().unwrap();
    let table = kit.warehouse.create_table(&id(), meta, files).unwrap();
    let names: Vec<_> = table
        .partitions()
        .into_iter()
        .map(|(name, ..)| name)
        .collect();
    assert_eq!(names, ["20260101", "20260102", "20260103", "__NULL__"]);
    for (condition, rows, bytes) in [
        ("DATE(at) = '2026-01-02'", 2, 16),
        ("TIMESTAMP_TRUNC(at, DAY) = TIMESTAMP '2026-01-02'", 2, 16),
        ("TIMESTAMP_TRUNC(at, MONTH) = TIMESTAMP '2026-01-01'", 4, 32),
        ("CAST(at AS DATE) IN ('2026-01-01', '2026-01-03')", 2, 16),
        ("at >= '2026-01-02 12:00:00' AND at < '2026-01-03'", 1, 16),
        ("DATE(at, 'America/New_York') = '2026-01-02'", 2, 24),
        ("at IS NULL", 1, 0),
    ] {
        let query = format!("SELECT at FROM t WHERE {condition}");
        let (found, billed) = kit.rows(&query);
        assert_eq!((found.len(), billed), (rows, bytes), "{condition}");
    }
}

#[test]
fn ranges_of_numbers_are_pruned() {
    let kit = Kit::new();
    let mut meta = by_day();
    meta.partitioning = Some(Partitioning::Range {
        field: "n".to_owned(),
        range: RangeBounds {
            start: 0,
            end: 100,
            interval: 10,
        },
    });
    let files = kit.write(
        &meta,
        &batch(&[
            (january(1), "a", 5),
            (january(1), "b", 15),
            (january(1), "c", 500),
        ]),
    );
    let table = kit.warehouse.create_table(&id(), meta, files).unwrap();
    let names: Vec<_> = table
        .partitions()
        .into_iter()
        .map(|(name, ..)| name)
        .collect();
    assert_eq!(names, ["0", "10", "__UNPARTITIONED__"]);
    // What is in no range is always read.
    assert_eq!(
        kit.rows("SELECT n FROM t WHERE n = 5"),
        (vec!["5".to_owned()], 16)
    );
    assert_eq!(
        kit.rows("SELECT n FROM t WHERE n > 300"),
        (vec!["500".to_owned()], 8)
    );
}

#[test]
fn rows_of_a_table_by_ingestion_time_know_when_they_came() {
    let kit = Kit::new();
    let mut meta = by_day();
    let by = Partitioning::Time {
        unit: Unit::Day,
        field: None,
        expiration_ms: None,
    };
    meta.partitioning = Some(by.clone());
    let mut files = kit.write(&meta, &batch(&[(january(1), "a", 1)]));
    let earlier = tidemill_warehouse::tables::Partition::from_name("20260115", &by).unwrap();
    let mut writer = kit
        .warehouse
        .writer(&id(), &meta, Target::Only(earlier))
        .unwrap();
    writer.write(&batch(&[(january(1), "b", 2)])).unwrap();
    files.extend(writer.finish().unwrap());
    kit.warehouse.create_table(&id(), meta, files).unwrap();
    assert_eq!(
        kit.rows("SELECT n, _PARTITIONDATE FROM t ORDER BY n").0,
        ["1,2026-02-01", "2,2026-01-15"]
    );
    assert_eq!(
        kit.rows("SELECT n FROM t WHERE _PARTITIONTIME = TIMESTAMP '2026-01-15'"),
        (vec!["2".to_owned()], 8)
    );
    // They are columns only for who names them.
    for (query, row) in [
        ("SELECT * FROM t WHERE n = 1", "2026-01-01,a,1"),
        (
            "SELECT * FROM t WHERE _PARTITIONDATE = '2026-01-15'",
            "2026-01-01,b,2",
        ),
        (
            "SELECT x.* FROM t x JOIN t AS y USING (n) WHERE x._PARTITIONDATE > '2026-01-15'",
            "2026-01-01,a,1",
        ),
        (
            "SELECT * EXCEPT (name), _PARTITIONDATE AS pd FROM t WHERE n = 2",
            "2026-01-01,2,2026-01-15",
        ),
        (
            "SELECT * FROM (SELECT *, _PARTITIONDATE AS pd FROM t) WHERE n = 2",
            "2026-01-01,b,2,2026-01-15",
        ),
    ] {
        assert_eq!(kit.rows(query).0, [row], "{query}");
    }
}

#[test]
fn who_reads_sees_one_moment() {
    let kit = three_days();
    let old = kit.warehouse.table(&id()).unwrap();
    kit.warehouse.delete_table(&id()).unwrap();
    assert_eq!(old.rows(), 4);
    for file in &old.files {
        assert!(file.path.exists());
    }
    drop(old);
    assert_eq!(kit.files().len(), 0);
}

#[test]
fn values_have_the_sizes_of_bigquery() {
    use datafusion::arrow::array::{ListArray, StringArray};
    use datafusion::arrow::datatypes::Int64Type;
    let texts = StringArray::from(vec![Some("äb"), None, Some("")]);
    assert_eq!(logical_bytes(&texts), (2 + 3) + 2);
    assert_eq!(logical_bytes(&texts.slice(1, 2)), 2);
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![
        Some(vec![Some(1), Some(2), None]),
        None,
        Some(vec![Some(3)]),
    ]);
    assert_eq!(logical_bytes(&lists), 24);
}

#[test]
fn a_folder_may_be_named_from_where_the_process_is() {
    let kit = three_days().relative();
    let found = kit.query("SELECT n FROM t").unwrap();
    let rows: usize = found.batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, 4);
}
