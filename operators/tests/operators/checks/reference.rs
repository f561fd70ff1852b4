//! What real Great Expectations said of the same tables: `tests/reference/record.py` made the verdicts.

use std::path::Path;

use serde_json::{Value, json};
use tidemill_operators::checks::{CheckResult, CheckStatus, Query, gx};

use super::kit::{Both, Table};

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/reference")
        .join(file);
    std::fs::read_to_string(path).expect("it is there")
}

fn tables() -> Vec<Table> {
    let text = read("data.txt");
    let mut tables = Vec::new();
    for part in text.split("\ntable ").skip(1) {
        let (name, rows) = part.split_once('\n').expect("a name");
        tables.push(Table::new(name, rows));
    }
    tables
}

/// Where they mean something else, and why.
fn differs(table: &str, kind: &str, kwargs: &Value) -> bool {
    // pandas sums nothing to 0; in SQL it is null, which fails.
    (kind == "expect_column_sum_to_be_between" && table != "mixed")
        // SQLite's LIKE takes `b7` for `B%`.
        || (table == "mixed" && kwargs["like_pattern_list"] == json!(["A%", "B%"]))
}

/// What Great Expectations said, as far as it said it.
fn same(result: &CheckResult, said: &[&str; 5]) -> bool {
    let [success, rows, missing, unexpected, observed] = said;
    let passed = match result.status {
        CheckStatus::Passed => "true",
        CheckStatus::Failed => "false",
        _ => "error",
    };
    let counts = |ours: Option<i64>, theirs: &str| {
        let ours = ours.map(|count| count.to_string());
        theirs.is_empty() || theirs == "None" || ours.is_none_or(|ours| ours == theirs)
    };
    let theirs = observed.parse::<f64>().ok();
    let ours = result.observed.replace(',', "").parse::<f64>().ok();
    let near = theirs
        .zip(ours)
        .is_none_or(|(theirs, ours)| (theirs - ours).abs() <= theirs.abs() * 1e-6 + 1e-6);
    passed == *success
        && counts(result.rows, rows)
        && counts(result.missing, missing)
        && counts(result.unexpected, unexpected)
        && near
}

#[test]
fn verdicts_and_counts_are_those_of_great_expectations() {
    let both = Both::new(&tables());
    let (mut compared, mut wrong) = (0, Vec::new());
    for line in read("verdicts.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let cells: Vec<&str> = line.split('\t').collect();
        let [
            table,
            engine,
            text,
            success,
            rows,
            missing,
            unexpected,
            observed,
        ] = cells.as_slice()
        else {
            panic!("{line}");
        };
        if *engine == "-" {
            continue;
        }
        let mut expectation: Value = serde_json::from_str(text).expect("JSON");
        let kind = expectation["type"].as_str().expect("a type").to_owned();
        if differs(table, &kind, &expectation["kwargs"]) {
            continue;
        }
        if kind.ends_with("creasing") {
            expectation["kwargs"]["sort_column"] = json!("id");
        }
        if kind == "expect_table_row_count_to_equal_other_table" {
            expectation["kwargs"]["other_table_name"] = json!("shop.mixed");
        }
        let suite = json!({"expectations": [expectation]}).to_string();
        let checks = gx::suite(&suite, format!("shop.{table}"))
            .expect("it is known")
            .sample_rows(0);
        let databases: [&dyn Query; 2] = [both.farm.as_ref(), both.postgres.as_ref()];
        for database in databases {
            let report = both.on(database, &checks);
            let result = &report.results[0];
            compared += 1;
            if !same(result, &[success, rows, missing, unexpected, observed]) {
                wrong.push(format!(
                    "{:?} {table} {text}\n  GX ({engine}): {success} {rows} {missing} {unexpected} {observed}\n  ours: {result:?}",
                    database.dialect()
                ));
            }
        }
    }
    assert!(compared > 700, "{compared}");
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
