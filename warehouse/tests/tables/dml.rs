//! Statements that change rows.

use std::sync::Arc;

use tidemill_warehouse::sql::{Affected, Engine, Request};
use tidemill_warehouse::tables::{Partitioning, RangeBounds, TableId, TableMeta, Unit};
use tidemill_warehouse::{Digits, Field, Kind, Located, Mode, Schema};

use crate::kit::{Kit, by_day, january, noon};

/// Makes an empty table.
pub(crate) fn make(kit: &Kit, name: &str, meta: TableMeta) {
    kit.warehouse
        .create_table(&TableId::new("p", "d", name), meta, Vec::new())
        .expect("it works");
}

fn plain(fields: Vec<Field>) -> TableMeta {
    TableMeta::new(Schema { fields })
}

/// `k INT64, v STRING`.
pub(crate) fn pairs() -> TableMeta {
    plain(vec![
        Field::new("K", Kind::Int64),
        Field::new("v", Kind::String(None)),
    ])
}

pub(crate) fn changed(kit: &Kit, text: &str) -> (u64, u64, u64) {
    let outcome = kit.query(text).expect(text);
    let Affected {
        inserted,
        updated,
        deleted,
    } = outcome.affected.expect("it changes rows");
    (inserted, updated, deleted)
}

pub(crate) fn refused(kit: &Kit, text: &str) -> String {
    match kit.query(text) {
        Ok(_) => panic!("{text} is done"),
        Err(error) => error.message,
    }
}

pub(crate) fn rows(kit: &Kit, text: &str) -> Vec<String> {
    kit.rows(text).0
}

pub(crate) fn two() -> Kit {
    let kit = Kit::new();
    make(&kit, "t", pairs());
    make(&kit, "S", pairs());
    changed(
        &kit,
        "INSERT d.t (k, v) VALUES (1, 'a'), (2, 'b'), (3, 'c')",
    );
    changed(&kit, "INSERT INTO `d.S` VALUES (2, 'x'), (4, 'y')");
    kit
}

#[test]
fn inserted_rows_are_coerced_and_what_is_left_out_is_null() {
    let kit = Kit::new();
    let fields = vec![
        Field::new("n", Kind::Numeric(None)),
        Field::new("day", Kind::Date),
        Field::new("at", Kind::Timestamp),
        Field::new("tags", Kind::String(None)).mode(Mode::Repeated),
        Field::new(
            "who",
            Kind::Struct(vec![
                Field::new("name", Kind::String(None)),
                Field::new("age", Kind::Int64),
            ]),
        ),
        Field::new("doc", Kind::Json),
    ];
    make(&kit, "t", plain(fields));
    let all = "INSERT d.t VALUES (1, '2026-01-02', '2026-01-02 03:04:05+00', ['a', 'b'], ('Ada', 7), JSON '{\"a\": 1}'), \
               (2.5, DATE '2026-01-03', NULL, [], STRUCT('Bob', NULL), NULL)";
    assert_eq!(changed(&kit, all), (2, 0, 0));
    assert_eq!(changed(&kit, "INSERT d.t (n) SELECT 7"), (1, 0, 0));
    assert_eq!(
        rows(
            &kit,
            "SELECT CAST(n AS STRING), CAST(day AS STRING), ARRAY_LENGTH(tags), who.name, who.age, TO_JSON_STRING(doc) FROM d.t ORDER BY n"
        ),
        [
            "1,2026-01-02,2,Ada,7,{\"a\":1}",
            "2.5,2026-01-03,0,Bob,,null",
            "7,,0,,,null"
        ]
    );
}

#[test]
fn values_of_another_type_are_refused() {
    let kit = two();
    for (text, says) in [
        (
            "INSERT d.t VALUES ('1', 'a')",
            "Value has type STRING which cannot be inserted into column K, which has type INT64",
        ),
        (
            "INSERT d.t SELECT 1, 2",
            "Query column 2 has type INT64 which cannot be inserted into column v, which has type STRING",
        ),
        (
            "INSERT d.t (k) VALUES (1, 2)",
            "Inserted row has wrong column count; Has 2, expected 1",
        ),
        (
            "INSERT d.t SELECT 1",
            "Inserted row has wrong column count; Has 1, expected 2",
        ),
        (
            "INSERT d.t (nope) VALUES (1)",
            "Column nope is not present in table",
        ),
        (
            "INSERT d.t (k, K) VALUES (1, 1)",
            "INSERT has columns with duplicate name",
        ),
        (
            "UPDATE d.t SET k = 'x' WHERE TRUE",
            "Value of type STRING cannot be assigned to K, which has type INT64",
        ),
        ("UPDATE d.t SET k = 1", "UPDATE must have a WHERE clause"),
        ("DELETE FROM d.t", "DELETE must have a WHERE clause"),
        (
            "UPDATE d.t SET k = 1, k = 2 WHERE TRUE",
            "assigned more than once",
        ),
        ("DELETE d.nope WHERE TRUE", "Not found: Table p:d.nope"),
    ] {
        let found = refused(&kit, text);
        assert!(found.contains(says), "{text}: {found}");
    }
    assert_eq!(
        rows(&kit, "SELECT k, v FROM d.t ORDER BY k"),
        ["1,a", "2,b", "3,c"]
    );
}

#[test]
fn columns_that_are_required_and_bounds_hold() {
    let kit = Kit::new();
    let fields = vec![
        Field::new("id", Kind::Int64).mode(Mode::Required),
        Field::new("name", Kind::String(Some(3))),
        Field::new(
            "price",
            Kind::Numeric(Some(Digits {
                precision: 4,
                scale: 2,
            })),
        ),
    ];
    make(&kit, "t", plain(fields));
    assert_eq!(
        refused(&kit, "INSERT d.t (name) VALUES ('a')"),
        "Required field id cannot be null"
    );
    assert!(refused(&kit, "INSERT d.t (id, name) VALUES (1, 'abcd')").contains("maximum length 3"));
    assert!(refused(&kit, "INSERT d.t (id, price) VALUES (1, 100)").contains("out of range"));
    changed(&kit, "INSERT d.t (id, price) VALUES (1, 1.235)");
    assert_eq!(
        rows(&kit, "SELECT CAST(price AS STRING) FROM d.t"),
        ["1.24"]
    );
    assert_eq!(
        refused(&kit, "UPDATE d.t SET id = NULL WHERE TRUE"),
        "Required field id cannot be null"
    );
    assert_eq!(rows(&kit, "SELECT id FROM d.t"), ["1"]);
}

#[test]
fn columns_have_defaults() {
    let kit = Kit::new();
    let mut number = Field::new("n", Kind::Int64);
    number.default = Some("40 + 2".to_owned());
    make(
        &kit,
        "t",
        plain(vec![Field::new("id", Kind::Int64), number]),
    );
    changed(&kit, "INSERT d.t (id) VALUES (1)");
    changed(&kit, "INSERT d.t VALUES (2, DEFAULT), (3, NULL)");
    changed(&kit, "INSERT d.t (id) SELECT 4");
    changed(&kit, "UPDATE d.t SET n = DEFAULT WHERE id = 3");
    assert_eq!(
        rows(&kit, "SELECT id, n FROM d.t ORDER BY id"),
        ["1,42", "2,42", "3,42", "4,42"]
    );
}

#[test]
fn rows_are_updated_from_another_table_once_at_most() {
    let kit = two();
    assert_eq!(
        changed(
            &kit,
            "UPDATE d.t AS x SET v = s.v, x.k = x.k * 10 FROM d.S AS s WHERE x.k = s.k"
        ),
        (0, 1, 0)
    );
    assert_eq!(
        rows(&kit, "SELECT k, v FROM d.t ORDER BY k"),
        ["1,a", "3,c", "20,x"]
    );
    changed(&kit, "INSERT d.S VALUES (1, 'p'), (1, 'q')");
    let twice = "UPDATE d.t SET v = S.v FROM d.S WHERE t.k = S.k";
    assert_eq!(
        refused(&kit, twice),
        "UPDATE/MERGE must match at most one source row for each target row"
    );
    assert_eq!(
        rows(&kit, "SELECT k, v FROM d.t ORDER BY k"),
        ["1,a", "3,c", "20,x"]
    );
    assert_eq!(
        changed(
            &kit,
            "UPDATE d.t SET v = (SELECT MAX(v) FROM d.S) WHERE k = 20"
        ),
        (0, 1, 0)
    );
    assert_eq!(rows(&kit, "SELECT v FROM d.t WHERE k = 20"), ["y"]);
}

#[test]
fn fields_of_records_are_updated() {
    let kit = Kit::new();
    let inner = Kind::Struct(vec![
        Field::new("x", Kind::Int64),
        Field::new("y", Kind::Int64),
    ]);
    let outer = Kind::Struct(vec![
        Field::new("b", inner),
        Field::new("c", Kind::String(None)),
    ]);
    make(
        &kit,
        "t",
        plain(vec![Field::new("id", Kind::Int64), Field::new("a", outer)]),
    );
    changed(&kit, "INSERT d.t VALUES (1, ((1, 2), 'c')), (2, NULL)");
    assert_eq!(
        changed(
            &kit,
            "UPDATE d.t SET a.b.x = a.b.y + 5, a.c = NULL WHERE id = 1"
        ),
        (0, 1, 0)
    );
    assert_eq!(
        rows(&kit, "SELECT a.b.x, a.b.y, a.c FROM d.t WHERE id = 1"),
        ["7,2,"]
    );
    assert!(refused(&kit, "UPDATE d.t SET a.c = 'x' WHERE TRUE").contains("NULL STRUCT"));
}

#[test]
fn files_without_a_changed_row_stay_as_they_are() {
    let kit = Kit::new();
    kit.daily(&[
        (january(1), "a", 1),
        (january(2), "b", 2),
        (january(2), "c", 3),
    ]);
    let before = kit.files();
    assert_eq!(changed(&kit, "DELETE d.t WHERE n = 3"), (0, 0, 1));
    let after = kit.files();
    assert_eq!(after.iter().filter(|file| before.contains(file)).count(), 1);
    assert_eq!(after.len(), 2);
    assert_eq!(
        changed(&kit, "DELETE d.t WHERE day = '2026-01-02'"),
        (0, 0, 1)
    );
    assert_eq!(kit.files().len(), 1);
    assert_eq!(
        changed(&kit, "UPDATE d.t SET day = DATE '2026-01-05' WHERE n = 1"),
        (0, 1, 0)
    );
    let table = kit.warehouse.table(&crate::kit::id()).expect("it is there");
    assert_eq!(table.partitions()[0].0, "20260105");
    drop(table);
    assert_eq!(changed(&kit, "TRUNCATE TABLE d.t"), (0, 0, 1));
    assert_eq!(kit.files().len(), 0);
}

#[test]
fn bytes_are_those_of_the_partitions_that_are_looked_at() {
    let kit = Kit::new();
    kit.daily(&[(january(1), "a", 1), (january(2), "b", 2)]);
    let bytes = |text: &str| {
        let mut request = Request::new(text, "p", noon());
        request.dry_run = true;
        let spill = kit.folder.path().join("spill");
        let catalog = Arc::new(Located::new(kit.warehouse.clone(), "EU"));
        let engine = Engine::new(catalog, &spill).expect("it works");
        block(engine.run(&request))
            .expect("it works")
            .bytes_processed
    };
    // The column of the condition, and all columns of the one partition.
    assert_eq!(bytes("DELETE d.t WHERE day = '2026-01-01'"), 8 + 8 + 3 + 8);
    assert_eq!(
        bytes("UPDATE d.t SET n = 5 WHERE day = '2026-01-01'"),
        8 + 8 + 3 + 8
    );
    assert_eq!(bytes("INSERT d.t (n) VALUES (1)"), 0);
    assert_eq!(bytes("INSERT d.t (n) SELECT n FROM d.t"), 16);
    assert_eq!(
        bytes(
            "MERGE d.t USING (SELECT 1 AS x) AS s ON FALSE WHEN NOT MATCHED BY SOURCE AND day = '2026-01-01' THEN DELETE WHEN NOT MATCHED THEN INSERT (n) VALUES (x)"
        ),
        8 + 8 + 3 + 8
    );
    assert_eq!(rows(&kit, "SELECT COUNT(*) FROM d.t"), ["2"]);
}

pub(crate) fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("it works")
        .block_on(future)
}

#[test]
fn a_filter_that_a_table_requires_is_required_of_changes() {
    let kit = Kit::new();
    let mut meta = by_day();
    meta.require_partition_filter = true;
    make(&kit, "t", meta);
    changed(&kit, "INSERT d.t VALUES ('2026-01-01', 'a', 1)");
    assert!(refused(&kit, "DELETE d.t WHERE n = 1").contains("without a filter"));
    assert_eq!(
        changed(&kit, "DELETE d.t WHERE n = 1 AND day = '2026-01-01'"),
        (0, 0, 1)
    );
}

#[test]
fn rows_of_a_table_by_ingestion_time_stay_in_their_partition() {
    let kit = Kit::new();
    let mut meta = pairs();
    meta.partitioning = Some(Partitioning::Time {
        unit: Unit::Day,
        field: None,
        expiration_ms: None,
    });
    make(&kit, "t", meta);
    changed(
        &kit,
        "INSERT d.t (_PARTITIONTIME, k) VALUES (TIMESTAMP '2026-01-05', 1), (TIMESTAMP '2026-01-06', 2)",
    );
    changed(&kit, "INSERT d.t (k) VALUES (3)");
    changed(
        &kit,
        "UPDATE d.t SET v = 'x' WHERE _PARTITIONTIME = TIMESTAMP '2026-01-05'",
    );
    changed(
        &kit,
        "UPDATE d.t SET _PARTITIONTIME = TIMESTAMP '2026-01-07' WHERE k = 2",
    );
    assert_eq!(
        rows(
            &kit,
            "SELECT k, v, CAST(_PARTITIONDATE AS STRING) FROM d.t ORDER BY k"
        ),
        ["1,x,2026-01-05", "2,,2026-01-07", "3,,2026-02-01"]
    );
}

#[test]
fn ranges_of_numbers_are_partitions_of_changes_too() {
    let kit = Kit::new();
    let mut meta = pairs();
    meta.partitioning = Some(Partitioning::Range {
        field: "K".to_owned(),
        range: RangeBounds {
            start: 0,
            end: 100,
            interval: 10,
        },
    });
    make(&kit, "t", meta);
    changed(
        &kit,
        "INSERT d.t VALUES (1, 'a'), (11, 'b'), (12, 'c'), (NULL, 'n')",
    );
    assert_eq!(
        changed(&kit, "UPDATE d.t SET k = k + 10 WHERE k = 1 OR k IS NULL"),
        (0, 2, 0)
    );
    assert_eq!(
        rows(&kit, "SELECT k, v FROM d.t ORDER BY k, v"),
        [",n", "11,a", "11,b", "12,c"]
    );
}

#[test]
fn the_first_clause_of_a_merge_that_applies_counts() {
    let kit = two();
    let merge = "MERGE INTO d.t AS T USING d.S AS S ON T.k = S.k \
         WHEN MATCHED AND S.v = 'none' THEN DELETE \
         WHEN MATCHED THEN UPDATE SET v = CONCAT(T.v, S.v) \
         WHEN NOT MATCHED AND S.k > 100 THEN INSERT (k) VALUES (0) \
         WHEN NOT MATCHED BY TARGET THEN INSERT ROW \
         WHEN NOT MATCHED BY SOURCE AND T.k = 1 THEN DELETE \
         WHEN NOT MATCHED BY SOURCE THEN UPDATE SET v = 'alone'";
    assert_eq!(changed(&kit, merge), (1, 2, 1));
    assert_eq!(
        rows(&kit, "SELECT k, v FROM d.t ORDER BY k"),
        ["2,bx", "3,alone", "4,y"]
    );
}

#[test]
fn merges_have_their_short_forms() {
    let kit = two();
    assert_eq!(
        changed(
            &kit,
            "MERGE d.t USING (SELECT 9 AS k, 'z' AS v) ON FALSE WHEN NOT MATCHED BY SOURCE THEN DELETE WHEN NOT MATCHED THEN INSERT (k, v) VALUES (k, v)"
        ),
        (1, 0, 3)
    );
    assert_eq!(rows(&kit, "SELECT k, v FROM d.t"), ["9,z"]);
    assert_eq!(
        changed(
            &kit,
            "MERGE d.t USING UNNEST([8, 9]) AS x ON t.k = x WHEN NOT MATCHED THEN INSERT (k) VALUES (x)"
        ),
        (1, 0, 0)
    );
    assert_eq!(
        changed(
            &kit,
            "MERGE d.t USING d.S ON t.k = S.k WHEN MATCHED THEN DELETE"
        ),
        (0, 0, 0)
    );
    assert_eq!(
        refused(
            &kit,
            "MERGE d.t USING (SELECT 9 AS k UNION ALL SELECT 9) AS s ON t.k = s.k WHEN MATCHED THEN DELETE"
        ),
        "UPDATE/MERGE must match at most one source row for each target row"
    );
    assert_eq!(rows(&kit, "SELECT k FROM d.t ORDER BY k"), ["8", "9"]);
}
