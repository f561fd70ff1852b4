//! Loads of Parquet, and what they do to the table.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use datafusion::arrow::array::{
    ArrayRef, Int32Array, ListArray, RecordBatch, StringArray, TimestampNanosecondArray,
};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::parquet::arrow::ArrowWriter;
use tidemill_warehouse::load::{
    Format, HiveMode, HiveOptions, Load, LoadError, Loaded, Source, WriteMode, load,
};
use tidemill_warehouse::tables::{Change, Partitioning, Unit};
use tidemill_warehouse::{Field, Kind, Mode, Schema};

use crate::kit::{Kit, batch, by_day, id, january};

const ALL: &str = "SELECT n FROM t ORDER BY n";

pub(crate) fn parquet(rows: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None).expect("it works");
    writer.write(rows).expect("it works");
    writer.close().expect("it works");
    bytes
}

pub(crate) fn of(uris: &[&str], format: Format) -> Load {
    let uris = uris.iter().map(|&uri| uri.to_owned()).collect();
    Load::new(Source::Uris(uris), format, id())
}

fn files(uris: &[&str]) -> Load {
    of(
        uris,
        Format::Parquet {
            list_inference: false,
        },
    )
}

pub(crate) fn run(kit: &Kit, job: &Load) -> Result<Loaded, LoadError> {
    load(&kit.warehouse, job, &AtomicBool::new(false), |_| Ok(()))
}

fn day(kit: &Kit, name: &str, rows: &[(i32, &str, i64)]) {
    kit.object(name, parquet(&batch(rows)));
}

#[test]
fn a_load_makes_its_table_and_says_what_it_did() {
    let kit = Kit::new();
    day(
        &kit,
        "raw/sales/a.parquet",
        &[(january(1), "a", 1), (january(2), "b", 2)],
    );
    day(&kit, "raw/sales/b.parquet", &[(january(2), "c", 3)]);
    day(&kit, "raw/other.parquet", &[(january(2), "c", 99)]);
    let mut job = files(&["gs://raw/sales/*.parquet"]);
    job.partitioning = by_day().partitioning;
    let done = run(&kit, &job).unwrap();
    let sizes = kit.content("raw/sales/a.parquet").len() + kit.content("raw/sales/b.parquet").len();
    assert_eq!(
        done,
        Loaded {
            input_files: 2,
            input_bytes: sizes as u64,
            output_rows: 3,
            output_bytes: 3 * 19,
            bad_records: 0,
            warnings: Vec::new(),
        }
    );
    assert_eq!(kit.rows(ALL).0, ["1", "2", "3"]);
    run(&kit, &job).unwrap();
    assert_eq!(kit.rows(ALL).0.len(), 6, "an append appends");
}

#[test]
fn dispositions_are_kept() {
    let kit = Kit::new();
    day(&kit, "raw/a.parquet", &[(january(1), "a", 1)]);
    let mut job = files(&["gs://raw/a.parquet"]);
    job.create = false;
    let error = run(&kit, &job).unwrap_err();
    assert_eq!(
        (error.reason, error.message.as_str()),
        ("notFound", "Not found: Table p:d.t")
    );
    job.create = true;
    job.write = WriteMode::Empty;
    run(&kit, &job).unwrap();
    let error = run(&kit, &job).unwrap_err();
    assert_eq!(
        (error.reason, error.message.as_str()),
        ("duplicate", "Already Exists: Table p:d.t")
    );
    job.write = WriteMode::Truncate;
    run(&kit, &job).unwrap();
    assert_eq!(kit.rows(ALL).0, ["1"]);
}

#[test]
fn what_is_not_there_is_named() {
    let kit = Kit::new();
    for (uri, message) in [
        (
            "gs://raw/none/*.parquet",
            "Not found: Uris gs://raw/none/*.parquet",
        ),
        (
            "gs://raw/none.parquet",
            "Not found: URI gs://raw/none.parquet",
        ),
    ] {
        let error = run(&kit, &files(&[uri])).unwrap_err();
        assert_eq!(
            (error.reason, error.message.as_str()),
            ("notFound", message)
        );
    }
    let error = run(&kit, &files(&["gs://raw/*/x/*"])).unwrap_err();
    assert_eq!(error.reason, "invalid");
    kit.object("raw/a.parquet", "no parquet");
    let error = run(&kit, &files(&["gs://raw/a.parquet"])).unwrap_err();
    assert!(
        error.message.starts_with(
            "Error while reading data, error message: Input file is not in Parquet format"
        ),
        "{}",
        error.message
    );
}

#[test]
fn a_decorator_touches_its_partition_alone() {
    let kit = Kit::new();
    kit.daily(&[(january(1), "a", 1), (january(2), "b", 2)]);
    day(
        &kit,
        "raw/a.parquet",
        &[(january(2), "x", 20), (january(2), "y", 21)],
    );
    let mut job = files(&["gs://raw/a.parquet"]);
    job.partition = Some("20260102".to_owned());
    job.write = WriteMode::Truncate;
    run(&kit, &job).unwrap();
    assert_eq!(kit.rows(ALL).0, ["1", "20", "21"]);
    run(&kit, &job).unwrap();
    assert_eq!(kit.rows(ALL).0, ["1", "20", "21"]);
    job.write = WriteMode::Empty;
    assert_eq!(run(&kit, &job).unwrap_err().reason, "duplicate");
    job.partition = Some("20260105".to_owned());
    assert_eq!(
        run(&kit, &job).unwrap_err().message,
        "Some rows belong to different partitions rather than destination partition 20260105"
    );
    job.partition = Some("2026".to_owned());
    assert_eq!(
        run(&kit, &job).unwrap_err().message,
        "Invalid partition decorator $2026 for table p:d.t"
    );
    assert_eq!(kit.rows(ALL).0, ["1", "20", "21"]);
}

#[test]
fn schemas_change_only_when_the_job_says_so() {
    let kit = Kit::new();
    kit.daily(&[(january(1), "a", 1)]);
    let mut more = batch(&[(january(2), "b", 2)]);
    let extra: ArrayRef = Arc::new(StringArray::from(vec!["new"]));
    let mut fields = more.schema().fields().to_vec();
    fields.push(Arc::new(datafusion::arrow::datatypes::Field::new(
        "extra",
        extra.data_type().clone(),
        false,
    )));
    let mut columns = more.columns().to_vec();
    columns.push(extra);
    more = RecordBatch::try_new(
        Arc::new(datafusion::arrow::datatypes::Schema::new(fields)),
        columns,
    )
    .unwrap();
    kit.object("raw/a.parquet", parquet(&more));
    let mut job = files(&["gs://raw/a.parquet"]);
    assert_eq!(
        run(&kit, &job).unwrap_err().message,
        "Provided Schema does not match Table p:d.t. Cannot add fields (field: extra)"
    );
    job.allow_addition = true;
    run(&kit, &job).unwrap();
    assert_eq!(
        kit.rows("SELECT n, extra FROM t ORDER BY n").0,
        ["1,", "2,new"]
    );
    let typed: ArrayRef = Arc::new(StringArray::from(vec!["two"]));
    let other = RecordBatch::try_from_iter([("n", typed)]).unwrap();
    kit.object("raw/b.parquet", parquet(&other));
    assert_eq!(
        run(&kit, &files(&["gs://raw/b.parquet"]))
            .unwrap_err()
            .message,
        "Provided Schema does not match Table p:d.t. Field n has changed type from INTEGER to STRING"
    );
    assert_eq!(kit.rows(ALL).0, ["1", "2"]);
}

#[test]
fn partitioning_of_a_table_stays() {
    let kit = Kit::new();
    kit.daily(&[(january(1), "a", 1)]);
    day(&kit, "raw/a.parquet", &[(january(3), "x", 3)]);
    let mut job = files(&["gs://raw/a.parquet"]);
    job.write = WriteMode::Truncate;
    run(&kit, &job).unwrap();
    let table = kit.warehouse.table(&id()).unwrap();
    assert_eq!(table.partitions().len(), 1);
    assert_eq!(table.meta.partitioning, by_day().partitioning);
    job.partitioning = Some(Partitioning::Time {
        unit: Unit::Month,
        field: Some("day".to_owned()),
        expiration_ms: None,
    });
    assert_eq!(
        run(&kit, &job).unwrap_err().message,
        "Incompatible table partitioning specification. Expects partitioning specification interval(type:day,field:day), but input partitioning specification is interval(type:month,field:day)"
    );
}

#[test]
fn folders_can_be_columns() {
    let kit = Kit::new();
    let rows = |n: i32| {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![n]));
        parquet(&RecordBatch::try_from_iter([("n", column)]).unwrap())
    };
    kit.object("raw/t/day=2026-01-01/shop=7/a.parquet", rows(1));
    kit.object(
        "raw/t/day=2026-01-02/shop=__HIVE_DEFAULT_PARTITION__/a.parquet",
        rows(2),
    );
    let mut job = files(&["gs://raw/t/*"]);
    job.write = WriteMode::Truncate;
    let mut kinds = |mode: HiveMode, prefix: &str| {
        job.hive = Some(HiveOptions {
            mode,
            prefix: prefix.to_owned(),
        });
        run(&kit, &job).unwrap();
        let table = kit.warehouse.table(&id()).unwrap();
        table
            .meta
            .schema
            .fields
            .iter()
            .map(|f| format!("{} {}", f.name, f.kind))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        kinds(HiveMode::Auto, "gs://raw/t"),
        ["n INT64", "day DATE", "shop INT64"]
    );
    assert_eq!(
        kit.rows("SELECT n, day, shop FROM t ORDER BY n").0,
        ["1,2026-01-01,7", "2,2026-01-02,"]
    );
    assert_eq!(
        kinds(HiveMode::Strings, "gs://raw/t/"),
        ["n INT64", "day STRING", "shop STRING"]
    );
    assert_eq!(
        kinds(HiveMode::Custom, "gs://raw/t/{day:DATE}/{shop:STRING}"),
        ["n INT64", "day DATE", "shop STRING"]
    );
    // Without the options the folders mean nothing.
    job.hive = None;
    run(&kit, &job).unwrap();
    assert_eq!(kit.rows(ALL).0, ["1", "2"]);
    kit.object("raw/t/day=2026-01-03/a.parquet", rows(3));
    job.hive = Some(HiveOptions {
        mode: HiveMode::Auto,
        prefix: "gs://raw/t".to_owned(),
    });
    assert!(
        run(&kit, &job)
            .unwrap_err()
            .message
            .starts_with("Incompatible partition schemas.")
    );
}

#[test]
fn types_of_other_sizes_are_taken() {
    let kit = Kit::new();
    let at: ArrayRef = Arc::new(
        TimestampNanosecondArray::from(vec![1_700_000_000_123_456_789]).with_timezone("+02:00"),
    );
    let n: ArrayRef = Arc::new(Int32Array::from(vec![7]));
    let tags: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(vec![
        Some(vec![Some(1), Some(2)]),
    ]));
    let rows = RecordBatch::try_from_iter([("at", at), ("n", n), ("tags", tags)]).unwrap();
    kit.object("raw/a.parquet", parquet(&rows));
    run(&kit, &files(&["gs://raw/a.parquet"])).unwrap();
    assert_eq!(
        kit.rows("SELECT n, at, tags.list[OFFSET(1)].element FROM t")
            .0,
        ["7,2023-11-14T22:13:20.123456Z,2"],
        "a list is a record unless the job says otherwise"
    );
    let mut job = of(
        &["gs://raw/a.parquet"],
        Format::Parquet {
            list_inference: true,
        },
    );
    job.write = WriteMode::Truncate;
    run(&kit, &job).unwrap();
    assert_eq!(kit.rows("SELECT tags[OFFSET(0)] FROM t").0, ["1"]);
    job.schema = Some(Schema {
        fields: vec![
            Field::new("at", Kind::Datetime),
            Field::new("n", Kind::Float64),
            Field::new("tags", Kind::Int64).mode(Mode::Repeated),
        ],
    });
    run(&kit, &job).unwrap();
    assert_eq!(kit.rows("SELECT n FROM t").0, ["7.0"]);
}

#[test]
fn a_job_that_is_stopped_changes_nothing() {
    let kit = Kit::new();
    kit.daily(&[(january(1), "a", 1)]);
    day(&kit, "raw/a.parquet", &[(january(2), "x", 2)]);
    let job = files(&["gs://raw/a.parquet"]);
    let stopped = load(&kit.warehouse, &job, &AtomicBool::new(true), |_| Ok(()));
    assert_eq!(stopped.unwrap_err().reason, "stopped");
    assert_eq!(kit.rows(ALL).0, ["1"]);
    assert_eq!(kit.files().len(), 1);
}

#[test]
fn a_change_in_between_is_a_conflict_for_who_replaces() {
    let kit = Kit::new();
    kit.daily(&[(january(1), "a", 1)]);
    day(&kit, "raw/a.parquet", &[(january(2), "x", 2)]);
    let mut job = files(&["gs://raw/a.parquet"]);
    let race = |job: &Load| {
        load(&kit.warehouse, job, &AtomicBool::new(false), |_| {
            let table = kit.warehouse.table(&id()).unwrap();
            let files = kit.write(&table.meta, &batch(&[(january(5), "y", 5)]));
            let change = Change::Append(files);
            kit.warehouse.commit(&id(), table.version, change).unwrap();
            Ok(())
        })
    };
    race(&job).unwrap();
    assert_eq!(kit.rows(ALL).0, ["1", "2", "5"]);
    job.write = WriteMode::Truncate;
    assert!(
        race(&job)
            .unwrap_err()
            .message
            .contains("concurrent update")
    );
}
