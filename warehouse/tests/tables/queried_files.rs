//! Files of Cloud Storage in FROM.

use tidemill_warehouse::load::{Format, Load};
use tidemill_warehouse::sql::{Parameter, ParameterValue};
use tidemill_warehouse::{Field, Kind};

use crate::kit::{Kit, january};
use crate::loads::{of, run};

#[test]
fn csv_json_and_parquet_are_tables() {
    let kit = Kit::new();
    kit.object("raw/a/1.csv", "id,name,price\n1,x,1.5\n2,\"y, z\",2\n");
    kit.object("raw/a/2.csv", "id,name,price\n3,w,\n");
    let text = "SELECT id, name, price FROM read_csv('gs://raw/a/*.csv') ORDER BY id";
    assert_eq!(kit.rows(text).0, ["1,x,1.5", "2,y, z,2.0", "3,w,"]);

    // A column that only a late row has is one of them.
    let mut lines: String = (0..700).map(|n| format!("{{\"Id\": {n}}}\n")).collect();
    lines.push_str("{\"Id\": 700, \"late\": {\"x\": [1, 2]}}\n");
    kit.object("raw/b.json", lines);
    let text = "SELECT COUNT(*), COUNT(late), SUM(id) FROM read_json('gs://raw/b.json') AS j";
    assert_eq!(kit.rows(text).0, ["701,1,245350"]);
    let text =
        "SELECT ARRAY_LENGTH(late.x) FROM read_json('gs://raw/b.json') AS j WHERE late IS NOT NULL";
    assert_eq!(kit.rows(text).0, ["2"]);

    kit.daily(&[(january(1), "a", 1), (january(2), "b", 2)]);
    let mut extract = kit.files();
    extract.sort();
    for (at, path) in extract.iter().enumerate() {
        let content = std::fs::read(path).unwrap();
        kit.object(&format!("lake/dt=2026-01-0{}/x.parquet", at + 1), content);
    }
    let text = "SELECT dt, name, f.n FROM read_parquet('gs://lake/*.parquet', hive => 'gs://lake') AS f JOIN t USING (name) ORDER BY dt";
    assert_eq!(kit.rows(text).0, ["2026-01-01,a,1", "2026-01-02,b,2"]);
    let (rows, bytes) = kit.rows("SELECT SUM(n) FROM read_parquet('gs://lake/*')");
    assert_eq!(rows, ["3"]);
    let sizes: u64 = extract
        .iter()
        .map(|path| path.metadata().unwrap().len())
        .sum();
    assert_eq!(bytes, sizes);
}

#[test]
fn options_and_parameters_say_what_is_read() {
    let kit = Kit::new();
    kit.object("raw/x", "# made by hand\na;b\n1;-\n");
    let text = "SELECT a, b IS NULL AS gone FROM read_csv(['gs://raw/x'], delimiter => ';', skip => 2, null_marker => '-')";
    assert_eq!(kit.rows(text).0, ["1,true"]);
    let path = Parameter {
        name: Some("path".to_owned()),
        field: Field::new("", Kind::String(None)),
        value: ParameterValue::Text("gs://raw".to_owned()),
    };
    for text in [
        "SELECT * FROM read_csv(@path || '/x', skip => 2, delimiter => ';')",
        "WITH f AS (SELECT * FROM read_csv(CONCAT(@path, '/', 'x'), skip => 2, delimiter => ';')) SELECT * FROM f",
    ] {
        let outcome = kit.query_with(text, vec![path.clone()]).unwrap();
        assert_eq!(outcome.batches[0].num_rows(), 1, "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let kit = Kit::new();
    kit.object("raw/bad.json", "{\"a\": 1}\n{\"a\": \n");
    kit.object("raw/bad.csv", {
        let mut text = "a,b\n".to_owned();
        (0..600).for_each(|n| text.push_str(&format!("{n},x\n")));
        text + "oops,x\n"
    });
    for (text, reason, says) in [
        (
            "SELECT 1 FROM read_csv('gs://raw/none')",
            "notFound",
            "gs://raw/none",
        ),
        (
            "SELECT 1 FROM read_parquet('gs://raw/no/*')",
            "notFound",
            "gs://raw/no/*",
        ),
        (
            "SELECT 1 FROM read_parquet('gs://raw/bad.csv')",
            "invalidQuery",
            "gs://raw/bad.csv",
        ),
        (
            "SELECT a FROM read_json('gs://raw/bad.json')",
            "invalidQuery",
            "gs://raw/bad.json",
        ),
        (
            "SELECT a FROM read_csv('gs://raw/bad.csv')",
            "invalidQuery",
            "gs://raw/bad.csv",
        ),
        (
            "SELECT 1 FROM read_csv(1 + 1)",
            "invalidQuery",
            "read_csv takes an address",
        ),
        (
            "SELECT 1 FROM read_csv()",
            "invalidQuery",
            "read_csv takes an address",
        ),
        (
            "SELECT 1 FROM read_json('gs://raw/x', skip => 1)",
            "invalidQuery",
            "skip => 1",
        ),
        (
            "SELECT 1 FROM read_orc('gs://raw/x')",
            "invalidQuery",
            "read_orc",
        ),
    ] {
        let error = kit.query(text).unwrap_err();
        assert_eq!(error.reason, reason, "{text}: {}", error.message);
        assert!(error.message.contains(says), "{text}: {}", error.message);
    }
}

#[test]
fn a_limit_stops_the_reading() {
    let kit = Kit::new();
    let text: String = (0..200_000).map(|n| format!("{{\"n\": {n}}}\n")).collect();
    kit.object("raw/long.json", text);
    let (rows, _) = kit.rows("SELECT n FROM read_json('gs://raw/long.json') LIMIT 3");
    assert_eq!(rows.len(), 3);
    // The same rows as a load gives.
    let mut load: Load = of(&["gs://raw/long.json"], Format::Json);
    load.autodetect = true;
    run(&kit, &load).unwrap();
    let sum = "SELECT COUNT(*), SUM(n) FROM";
    assert_eq!(
        kit.rows(&format!("{sum} read_json('gs://raw/long.json')"))
            .0,
        kit.rows(&format!("{sum} t")).0
    );
}
