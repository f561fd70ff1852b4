//! Loading and exporting by statements.

use crate::kit::Kit;

#[test]
fn files_are_loaded_by_a_statement() {
    let kit = Kit::new();
    kit.object("raw/a.csv", "id;name\n1;Ada\n2;\n");
    kit.object("raw/b.csv", "id;name\n3;Bob\n");
    kit.query(
        "LOAD DATA INTO d.t (id INT64, name STRING) CLUSTER BY id OPTIONS(description = 'x') \
         FROM FILES(format = 'CSV', uris = ['gs://raw/*.csv'], skip_leading_rows = 1, field_delimiter = ';')",
    )
    .unwrap();
    let (rows, _) = kit.rows("SELECT id, name FROM t ORDER BY id");
    assert_eq!(rows, ["1,Ada", "2,", "3,Bob"]);
    let table = kit
        .warehouse
        .table(&tidemill_warehouse::tables::TableId::new("p", "d", "t"))
        .unwrap();
    assert_eq!(table.meta.clustering, ["id"]);
    assert_eq!(table.meta.description.as_deref(), Some("x"));
    kit.object("raw/c.json", "{\"id\": 9, \"name\": \"Cy\"}\n");
    kit.query("LOAD DATA OVERWRITE d.t FROM FILES(format = 'JSON', uris = ['gs://raw/c.json'])")
        .unwrap();
    assert_eq!(kit.rows("SELECT id, name FROM t").0, ["9,Cy"]);
    kit.query("LOAD DATA INTO d.t FROM FILES(format = 'JSON', uris = ['gs://raw/c.json'])")
        .unwrap();
    assert_eq!(kit.rows("SELECT COUNT(*) FROM t").0, ["2"]);
}

#[test]
fn a_load_that_fails_changes_nothing() {
    let kit = Kit::new();
    kit.object("raw/a.csv", "1\nx\n");
    for (text, part) in [
        (
            "LOAD DATA INTO d.t (id INT64) FROM FILES(format = 'CSV', uris = ['gs://raw/a.csv'])",
            "too many errors",
        ),
        (
            "LOAD DATA INTO d.t (id INT64) FROM FILES(format = 'CSV', uris = ['gs://raw/none.csv'])",
            "Not found",
        ),
        (
            "LOAD DATA INTO d.t FROM FILES(format = 'AVRO', uris = ['gs://raw/a.csv'])",
            "does not cover LOAD DATA of AVRO",
        ),
        (
            "LOAD DATA INTO d.t FROM FILES(format = 'CSV')",
            "needs the option uris",
        ),
        (
            "LOAD DATA INTO d.t FROM FILES(format = 'JSON', uris = ['gs://raw/a.csv'], quote = '')",
            "The option quote is for CSV alone",
        ),
        (
            "LOAD DATA INTO d.t FROM FILES(format = 'CSV', colour = 3, uris = ['gs://raw/a.csv'])",
            "Unknown option: colour at [1:47]",
        ),
        (
            "LOAD DATA INTO d.t OPTIONS(expiration_timestamp = NULL) FROM FILES(format = 'CSV', uris = ['gs://raw/a.csv'])",
            "does not cover the option expiration_timestamp of LOAD DATA",
        ),
        (
            "LOAD DATA d.t FROM FILES(format = 'CSV', uris = ['gs://raw/a.csv'])",
            "Syntax error: Expected INTO but got identifier \"d\" at [1:11]",
        ),
    ] {
        let error = kit.query(text).unwrap_err();
        assert!(error.message.contains(part), "{text}: {}", error.message);
        kit.query("SELECT * FROM d.t").unwrap_err();
    }
}

#[test]
fn rows_of_a_query_are_exported() {
    let kit = Kit::new();
    kit.object("raw/a.csv", "");
    let text = "EXPORT DATA OPTIONS(uri = 'gs://out/x-*.csv', format = 'CSV', overwrite = FALSE, header = TRUE) AS SELECT x, CONCAT('n', CAST(x AS STRING)) AS name FROM UNNEST([1, 2]) AS x ORDER BY x";
    kit.query(text).unwrap();
    let found = kit.content("out/x-000000000000.csv");
    assert_eq!(String::from_utf8(found).unwrap(), "x,name\n1,n1\n2,n2\n");
    let error = kit.query(text).unwrap_err();
    assert!(error.message.contains("is not empty"), "{}", error.message);
    kit.query(&text.replace("FALSE", "TRUE").replace("[1, 2]", "[3]"))
        .unwrap();
    let found = kit.content("out/x-000000000000.csv");
    assert_eq!(String::from_utf8(found).unwrap(), "x,name\n3,n3\n");
    for (text, part) in [
        (
            "EXPORT DATA OPTIONS(uri = 'gs://out/x.csv', format = 'CSV') AS SELECT 1 AS x",
            "single wildcard",
        ),
        (
            "EXPORT DATA OPTIONS(uri = 'gs://out/y-*.csv', format = 'CSV') AS SELECT [1] AS x",
            "nested schema",
        ),
        (
            "EXPORT DATA OPTIONS(uri = 'gs://out/y-*.avro', format = 'AVRO') AS SELECT 1 AS x",
            "does not cover EXPORT DATA of AVRO",
        ),
        (
            "EXPORT DATA OPTIONS(uri = 'gs://out/y-*.csv', format = 'CSV') SELECT 1 AS x",
            "Syntax error: Expected AS but got keyword SELECT",
        ),
    ] {
        let error = kit.query(text).unwrap_err();
        assert!(error.message.contains(part), "{text}: {}", error.message);
    }
    // Nothing of the rows stays in the warehouse.
    assert!(kit.files().is_empty());
}
