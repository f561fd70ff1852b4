//! Texts that are no SQL: each is answered with an error, none with a panic or without an end.

use libtest_mimic::{Failed, Trial};
use proptest::prelude::{Just, Strategy, any, prop};
use proptest::test_runner::{Config, TestRunner};

use super::steps::Tables;

/// Texts to cut up.
const TEXTS: [&str; 8] = [
    "CREATE OR REPLACE TABLE t (a INT64 NOT NULL OPTIONS(description = 'x'), b ARRAY<STRUCT<c NUMERIC(5, 2)>>) PARTITION BY RANGE_BUCKET(a, GENERATE_ARRAY(0, 10, 2)) CLUSTER BY a OPTIONS(labels = [('k', 'v')]) AS SELECT 1 AS a",
    "DECLARE x, y INT64 DEFAULT 1; SET (x, y) = (SELECT AS STRUCT 1, 2); IF x = 1 THEN SELECT x; ELSEIF y = 2 THEN SELECT y; ELSE SELECT 3; END IF",
    "BEGIN DECLARE a ARRAY<STRING>; l: WHILE FALSE DO LEAVE l; END WHILE l; EXCEPTION WHEN ERROR THEN RAISE USING MESSAGE = @@error.message; END",
    "FOR r IN (SELECT 1 AS x UNION ALL SELECT 2) DO EXECUTE IMMEDIATE 'SELECT @a' USING r.x AS a; END FOR",
    "CASE 1 WHEN 1 THEN ASSERT TRUE AS 'm'; ELSE RETURN; END CASE; REPEAT BREAK; UNTIL TRUE END REPEAT",
    "ALTER TABLE IF EXISTS d.t ADD COLUMN IF NOT EXISTS c DATE, ALTER COLUMN a SET DATA TYPE NUMERIC, DROP COLUMN b; DROP SCHEMA IF EXISTS e CASCADE",
    "LOAD DATA OVERWRITE d.t (a INT64) PARTITION BY _PARTITIONDATE FROM FILES(format = 'CSV', uris = ['gs://b/*.csv'], skip_leading_rows = 1)",
    "EXPORT DATA OPTIONS(uri = 'gs://b/x-*.csv', format = 'CSV', overwrite = TRUE) AS SELECT t.* FROM d.INFORMATION_SCHEMA.TABLES AS t",
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("hostile: what is cut up is answered", cut_up),
        Trial::test("hostile: what is deep is refused", deep),
    ]
}

fn words(text: &str) -> Vec<String> {
    text.replace('(', " ( ")
        .replace(')', " ) ")
        .replace(';', " ; ")
        .replace(',', " , ")
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

/// One of the texts with some words left out, doubled or exchanged.
fn cut() -> impl Strategy<Value = String> {
    let change = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        0..3_u8,
    );
    let text = prop::sample::select(TEXTS.as_slice());
    (text, prop::collection::vec(change, 1..5)).prop_flat_map(|(text, changes)| {
        let mut words = words(text);
        for (at, other, what) in changes {
            if words.is_empty() {
                break;
            }
            let (at, other) = (at.index(words.len()), other.index(words.len()));
            match what {
                0 => drop(words.remove(at)),
                1 => words.insert(at, words[other].clone()),
                _ => words.swap(at, other),
            }
        }
        Just(words.join(" "))
    })
}

fn cut_up() -> Result<(), Failed> {
    let tables = Tables::new();
    let config = Config {
        cases: 400,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&cut(), |text| {
            // Loops that lost their end do not end, and there is no Cloud Storage here; all else is run.
            let loops = ["LOOP", "WHILE", "REPEAT", "EXPORT"];
            let dry = loops.iter().any(|word| text.contains(word));
            if let Err(error) = tables.answer(&text, dry) {
                assert!(!error.message.is_empty(), "{text}");
                assert_ne!(error.reason, "backendError", "{text}: {}", error.message);
            }
            Ok(())
        })
        .map_err(|error| Failed::from(error.to_string()))
}

fn deep() -> Result<(), Failed> {
    let tables = Tables::new();
    for (open, close) in [
        ("BEGIN ", "END; "),
        ("IF TRUE THEN ", "END IF; "),
        ("LOOP ", "END LOOP; "),
        ("CASE WHEN TRUE THEN ", "END CASE; "),
        ("SELECT (", ")"),
        ("SET x = (", ")"),
        ("FOR r IN (", ") DO SELECT 1; END FOR; "),
        ("CREATE TABLE t (x ARRAY<STRUCT<a ", ">>)"),
        ("CREATE TABLE t AS (", "SELECT 1 AS x)"),
    ] {
        let text = format!("{}{}", open.repeat(20_000), close.repeat(20_000));
        if tables.answer(&text, false).is_ok() {
            return Err(format!("{open} was taken").into());
        }
    }
    let bare = "(".repeat(50_000) + &")".repeat(50_000);
    for text in [
        format!("FOR r IN {bare} DO SELECT 1; END FOR"),
        format!("DECLARE x INT64; SET (x) = {bare}"),
        format!(
            "CREATE TABLE t (x {} INT64 {})",
            "ARRAY<".repeat(10_000),
            ">".repeat(10_000)
        ),
        format!("CREATE TABLE t (x {}", "STRUCT<a ".repeat(10_000)),
    ] {
        if tables.answer(&text, false).is_ok() {
            return Err("what is deep was taken".into());
        }
    }
    Ok(())
}
