//! Tables as files.

use std::sync::atomic::AtomicBool;

use tidemill_warehouse::extract::{Extract, ExtractError, ExtractFormat, Extracted, Pack, extract};
use tidemill_warehouse::load::{CsvOptions, Format, WriteMode};

use crate::kit::{Kit, id, january};
use crate::loads::{of, run};

fn job(uri: &str, format: ExtractFormat) -> Extract {
    Extract {
        uris: vec![uri.to_owned()],
        format,
        pack: Pack::None,
        partition: None,
    }
}

fn csv() -> ExtractFormat {
    ExtractFormat::Csv {
        delimiter: ",".to_owned(),
        header: true,
    }
}

fn extracted(kit: &Kit, job: &Extract) -> Result<Extracted, ExtractError> {
    std::fs::create_dir_all(kit.folder.path().join("storage")).expect("it works");
    let table = kit.warehouse.table(&id()).expect("it works");
    extract(&kit.warehouse, &table, job, &AtomicBool::new(false))
}

#[test]
fn rows_are_written_as_text() {
    let kit = Kit::new();
    kit.daily(&[(january(1), "a, \"b\"", 1), (january(2), "c", 2)]);
    let done = extracted(&kit, &job("gs://out/t-*.csv", csv())).unwrap();
    assert_eq!(done.objects, ["gs://out/t-000000000000.csv"]);
    assert_eq!(done.files, [1]);
    assert_eq!(
        String::from_utf8(kit.content("out/t-000000000000.csv")).unwrap(),
        "day,name,n\n2026-01-01,\"a, \"\"b\"\"\",1\n2026-01-02,c,2\n"
    );
    let mut one = job("gs://out/t.json", ExtractFormat::Json);
    one.partition = Some("20260102".to_owned());
    extracted(&kit, &one).unwrap();
    assert_eq!(
        String::from_utf8(kit.content("out/t.json")).unwrap(),
        "{\"day\":\"2026-01-02\",\"n\":\"2\",\"name\":\"c\"}\n"
    );
}

#[test]
fn what_was_extracted_can_be_loaded() {
    let kit = Kit::new();
    kit.daily(&[(january(1), "a, \"b\"", 1), (january(2), "c", 2)]);
    for (format, pack, back) in [
        (
            csv(),
            Pack::Gzip,
            Format::Csv(CsvOptions {
                skip: Some(1),
                ..CsvOptions::default()
            }),
        ),
        (ExtractFormat::Json, Pack::None, Format::Json),
        (
            ExtractFormat::Parquet,
            Pack::Zstd,
            Format::Parquet {
                list_inference: false,
            },
        ),
    ] {
        let mut out = job("gs://out/x", format);
        out.pack = pack;
        extracted(&kit, &out).unwrap();
        let mut job = of(&["gs://out/x"], back);
        job.write = WriteMode::Truncate;
        run(&kit, &job).unwrap();
        assert_eq!(
            kit.rows("SELECT name, n FROM t ORDER BY n").0,
            ["a, \"b\",1", "c,2"]
        );
    }
}

#[test]
fn an_empty_table_is_an_empty_file() {
    let kit = Kit::new();
    kit.daily(&[]);
    extracted(&kit, &job("gs://out/e-*", csv())).unwrap();
    assert_eq!(kit.content("out/e-000000000000"), b"day,name,n\n");
}
