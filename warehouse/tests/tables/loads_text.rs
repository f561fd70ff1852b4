//! Loads of CSV and JSON.

use std::io::Write;

use proptest::prelude::*;
use tidemill_warehouse::load::{CsvOptions, Format, Load, LoadError, WriteMode};
use tidemill_warehouse::tables::{Snapshot, TableMeta};
use tidemill_warehouse::{Field, Kind, Mode, Schema};

use crate::kit::{Kit, id, schema};
use crate::loads::{of, run};

const ALL: &str = "SELECT day, name, n FROM t ORDER BY n";

fn csv(options: CsvOptions) -> Load {
    let mut job = of(&["gs://raw/a"], Format::Csv(options));
    job.schema = Some(schema());
    job.write = WriteMode::Truncate;
    job
}

fn json() -> Load {
    let mut job = of(&["gs://raw/a"], Format::Json);
    job.write = WriteMode::Truncate;
    job
}

fn columns(table: &Snapshot) -> Vec<String> {
    let fields = &table.meta.schema.fields;
    fields
        .iter()
        .map(|f| format!("{} {}", f.name, f.kind))
        .collect()
}

fn refused(kit: &Kit, job: &Load) -> LoadError {
    run(kit, job).expect_err("it is refused")
}

#[test]
fn csv_is_read_as_the_job_says() {
    let kit = Kit::new();
    kit.object(
        "raw/a",
        "day,name,n\n2026-01-01,\"a, \"\"b\"\"\",1\n2026-01-02,,\n",
    );
    let skip = CsvOptions {
        skip: Some(1),
        ..CsvOptions::default()
    };
    let done = run(&kit, &csv(skip.clone())).unwrap();
    assert_eq!((done.output_rows, done.bad_records), (2, 0));
    assert_eq!(kit.rows(ALL).0, ["2026-01-02,,", "2026-01-01,a, \"b\",1"]);
    assert_eq!(
        kit.rows("SELECT COUNT(*) FROM t WHERE name IS NULL").0,
        ["1"]
    );
    kit.object("raw/a", "2026/01/01\tx\t-\n");
    let other = CsvOptions {
        delimiter: '\t',
        null_marker: Some("-".to_owned()),
        ..CsvOptions::default()
    };
    run(&kit, &csv(other)).unwrap();
    assert_eq!(kit.rows(ALL).0, ["2026-01-01,x,"]);
    kit.object(
        "raw/a",
        "\u{feff}2026-01-01,\"two\nlines\",1\r\n\n2026-01-02,\"\",2",
    );
    let lines = CsvOptions {
        quoted_newlines: true,
        ..CsvOptions::default()
    };
    run(&kit, &csv(lines)).unwrap();
    assert_eq!(
        kit.rows("SELECT name FROM t ORDER BY n").0,
        ["two\nlines", ""]
    );
    kit.object("raw/a", b"2026-01-01,caf\xe9,1");
    let latin = CsvOptions {
        latin: true,
        ..CsvOptions::default()
    };
    run(&kit, &csv(latin)).unwrap();
    assert_eq!(kit.rows("SELECT name FROM t").0, ["café"]);
}

#[test]
fn rows_of_another_length_are_errors_unless_they_may_be() {
    let kit = Kit::new();
    kit.object("raw/a", "2026-01-01,x\n");
    let error = refused(&kit, &csv(CsvOptions::default()));
    assert_eq!(
        error.message,
        "Error while reading data, error message: CSV table encountered too many errors, giving up. Rows: 1; errors: 1. Please look into the errors[] collection for more details."
    );
    assert!(
        error.rows[0].message.starts_with(
            "CSV table references column position 2, but line contains only 2 columns.; line_number: 1"
        ),
        "{:?}",
        error.rows
    );
    assert_eq!(error.location.as_deref(), Some("gs://raw/a"));
    let jagged = CsvOptions {
        jagged_rows: true,
        ..CsvOptions::default()
    };
    run(&kit, &csv(jagged)).unwrap();
    kit.object("raw/a", "2026-01-01,x,1,more\n");
    let mut job = csv(CsvOptions::default());
    assert!(
        refused(&kit, &job).rows[0]
            .message
            .starts_with("Too many values in line. Found 4 column(s) while expected 3.")
    );
    job.ignore_unknown = true;
    run(&kit, &job).unwrap();
    assert_eq!(kit.rows(ALL).0, ["2026-01-01,x,1"]);
}

#[test]
fn some_rows_may_be_bad() {
    let kit = Kit::new();
    kit.object(
        "raw/a",
        "2026-01-01,x,1\nno day,y,2\n2026-01-03,z,three\n2026-01-04,w,4\n",
    );
    let mut job = csv(CsvOptions::default());
    job.max_bad_records = 1;
    let error = refused(&kit, &job);
    assert_eq!(error.rows.len(), 2);
    assert!(
        error.rows[1].message.starts_with(
            "Could not parse 'three' as INTEGER for field n (position 2) starting at location 26"
        ),
        "{:?}",
        error.rows
    );
    job.max_bad_records = 2;
    let done = run(&kit, &job).unwrap();
    assert_eq!(
        (done.output_rows, done.bad_records, done.warnings.len()),
        (2, 2, 2)
    );
    assert_eq!(kit.rows(ALL).0, ["2026-01-01,x,1", "2026-01-04,w,4"]);
}

#[test]
fn packed_files_are_unpacked() {
    let kit = Kit::new();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"2026-01-01,x,1\n").unwrap();
    kit.object("raw/a", packed.finish().unwrap());
    run(&kit, &csv(CsvOptions::default())).unwrap();
    assert_eq!(kit.rows(ALL).0, ["2026-01-01,x,1"]);
}

#[test]
fn columns_of_csv_are_found() {
    let kit = Kit::new();
    let mut job = csv(CsvOptions::default());
    job.schema = None;
    assert_eq!(refused(&kit, &job).message, "Not found: URI gs://raw/a");
    kit.object(
        "raw/a",
        "id,at,price,ok,first name\n1,2026-01-01 10:00:00,1.5,true,x\n2,2026-01-02,2,false,y\n",
    );
    assert_eq!(
        refused(&kit, &job).message,
        "No schema specified on job or table."
    );
    job.autodetect = true;
    run(&kit, &job).unwrap();
    let table = kit.warehouse.table(&id()).unwrap();
    assert_eq!(
        columns(&table),
        [
            "id INT64",
            "at TIMESTAMP",
            "price FLOAT64",
            "ok BOOL",
            "first_name STRING"
        ]
    );
    assert_eq!(kit.rows("SELECT id FROM t ORDER BY id").0, ["1", "2"]);
    kit.object("raw/a", "x,y\nz,w\n");
    run(&kit, &job).unwrap();
    let table = kit.warehouse.table(&id()).unwrap();
    assert_eq!(
        columns(&table),
        ["string_field_0 STRING", "string_field_1 STRING"]
    );
    assert_eq!(table.rows(), 2, "texts alone have no header");
    let Format::Csv(options) = &mut job.format else {
        panic!("it is CSV");
    };
    options.skip = Some(1);
    run(&kit, &job).unwrap();
    let table = kit.warehouse.table(&id()).unwrap();
    assert_eq!(
        (columns(&table), table.rows()),
        (vec!["x STRING".to_owned(), "y STRING".to_owned()], 1)
    );
}

#[test]
fn json_is_read_with_its_records_and_lists() {
    let kit = Kit::new();
    kit.object(
        "raw/a",
        concat!(
            "{\"id\": 1, \"tags\": [\"a\", \"b\"], \"who\": {\"name\": \"Ada\", \"born\": \"1815-12-10\"}, \"doc\": null}\n",
            "\n",
            "{\"id\": 2.5, \"tags\": [], \"who\": {\"name\": \"Bob\", \"age\": 7}}\n",
        ),
    );
    let mut job = json();
    job.autodetect = true;
    run(&kit, &job).unwrap();
    let table = kit.warehouse.table(&id()).unwrap();
    let fields = &table.meta.schema.fields;
    let found: Vec<(&str, String, Mode)> = fields
        .iter()
        .map(|f| (f.name.as_str(), f.kind.to_string(), f.mode))
        .collect();
    // Names of an object are in no order of their own.
    for (name, kind, mode) in [
        ("id", "FLOAT64", Mode::Nullable),
        ("tags", "STRING", Mode::Repeated),
        (
            "who",
            "STRUCT<born DATE, name STRING, age INT64>",
            Mode::Nullable,
        ),
        ("doc", "STRING", Mode::Nullable),
    ] {
        assert!(
            found.contains(&(name, kind.to_owned(), mode)),
            "{name}: {found:?}"
        );
    }
    assert_eq!(
        kit.rows("SELECT id, tags[SAFE_OFFSET(1)], who.name, who.age FROM t ORDER BY id")
            .0,
        ["1.0,b,Ada,", "2.5,,Bob,7"]
    );
}

#[test]
fn json_that_does_not_fit_is_refused() {
    let kit = Kit::new();
    let mut job = json();
    job.schema = Some(Schema {
        fields: vec![
            Field::new("id", Kind::Int64).mode(Mode::Required),
            Field::new("doc", Kind::Json),
        ],
    });
    for (line, message) in [
        (
            "{\"id\": \"x\"}",
            "Could not convert value to integer. Field: id; Value: x",
        ),
        ("{}", "Missing required field: id."),
        ("{\"id\": 1, \"no\": 2}", "No such field: no."),
        ("[1]", "Start of object expected."),
        ("{\"id\": 1", "Parser terminated before end of string"),
    ] {
        kit.object("raw/a", line);
        let error = refused(&kit, &job);
        let expected = format!("JSON parsing error in row starting at position 0: {message}");
        assert!(
            error.rows[0].message.starts_with(&expected),
            "{line}: {:?}",
            error.rows
        );
    }
    kit.object("raw/a", "{\"id\": 1, \"no\": 2, \"doc\": {\"b\": [1, {}]}}");
    job.ignore_unknown = true;
    run(&kit, &job).unwrap();
    assert_eq!(kit.rows("SELECT JSON_VALUE(doc, '$.b[0]') FROM t").0, ["1"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any bytes are loaded or refused, and a load that was refused left nothing.
    #[test]
    fn any_file_is_loaded_or_refused(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "[\\[\\]{}\",:0-9a-z\n]{0,120}".prop_map(String::into_bytes),
        ],
        kind in 0_u8..4,
        autodetect in any::<bool>(),
    ) {
        let kit = Kit::new();
        kit.object("raw/a", &bytes);
        let format = match kind {
            0 => Format::Parquet { list_inference: true },
            1 => Format::Json,
            2 => Format::Csv(CsvOptions::default()),
            _ => Format::Csv(CsvOptions { quoted_newlines: true, jagged_rows: true, ..CsvOptions::default() }),
        };
        let mut job = of(&["gs://raw/a"], format);
        job.autodetect = autodetect;
        if !autodetect {
            kit.warehouse.create_table(&id(), TableMeta::new(schema()), Vec::new()).unwrap();
        }
        match run(&kit, &job) {
            Ok(done) => {
                let rows = kit.warehouse.table(&id()).unwrap().rows();
                prop_assert_eq!(rows, done.output_rows);
            }
            Err(error) => {
                prop_assert!(["invalid", "notFound"].contains(&error.reason), "{:?}", error);
                prop_assert_eq!(kit.files().len(), 0);
            }
        }
    }
}
