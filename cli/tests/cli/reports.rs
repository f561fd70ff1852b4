//! `dags validate` in every format, for a valid project and for one that is not.

use serde_json::Value;

use crate::project::{bad, good, run};
use tidemill::prelude::*;

fn validate(dags: &Dags, format: &str) -> tidemill::Output {
    run(dags, &["dags", "validate", "--format", format])
}

#[test]
fn the_exit_code_is_the_verdict_in_every_format() {
    for format in ["text", "json", "junit", "sarif", "github"] {
        assert_eq!(validate(&good(), format).code, 0, "{format}");
        assert_eq!(validate(&bad(), format).code, 1, "{format}");
    }
    assert_eq!(validate(&bad(), "xml").code, 2);
}

#[test]
fn text_says_what_where_and_how_to_mend() {
    assert_eq!(
        validate(&good(), "text").stdout,
        "2 DAGs with 3 tasks are valid\n"
    );
    let report = validate(&bad(), "text").stdout;
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(
        lines[0],
        "error[cycle] broken.a: tasks wait for each other in a circle: a → b → a"
    );
    assert!(
        lines[1].starts_with("  --> cli/tests/cli/project.rs:"),
        "{report}"
    );
    assert_eq!(lines[2], "  help: remove one of these edges");
    assert_eq!(
        lines[4],
        "error[unknown_pool] broken.b: there is no pool `bigqery`"
    );
    assert_eq!(lines.last(), Some(&"2 problems in 2 DAGs"));
}

#[test]
fn json_and_sarif_hold_the_same_problems() {
    let json: Value = serde_json::from_str(&validate(&bad(), "json").stdout).unwrap();
    assert_eq!(
        (&json["valid"], &json["problems"][1]["rule"]),
        (&Value::from(false), &Value::from("unknown_pool"))
    );
    let sarif: Value = serde_json::from_str(&validate(&bad(), "sarif").stdout).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "cli/tests/cli/project.rs");
    assert_eq!(
        place["region"]["startLine"],
        json["problems"][0]["source"]["line"]
    );
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .unwrap();
    assert!(
        results
            .iter()
            .all(|result| rules.iter().any(|rule| rule["id"] == result["ruleId"]))
    );
}

#[test]
fn github_annotates_the_line() {
    let report = validate(&bad(), "github");
    let first = report.stdout.lines().next().unwrap();
    assert!(
        first.starts_with("::error file=cli/tests/cli/project.rs,line="),
        "{first}"
    );
    assert!(first.ends_with("title=broken.a (cycle)::tasks wait for each other in a circle: a → b → a%0Ahelp: remove one of these edges"), "{first}");
    assert_eq!(report.stderr, "2 problems in 2 DAGs\n");
    assert_eq!(validate(&good(), "github").stdout, "");
}

#[test]
fn junit_has_a_case_for_every_dag_and_survives_any_text() {
    let report = validate(&good(), "junit").stdout;
    assert!(
        report.contains("tests=\"2\" failures=\"0\"") && report.contains("name=\"report\"/>"),
        "{report}"
    );
    let hostile = Dags::new().dag(|| panic!("<&\"'\u{0}\u{1b}[31m]]>\n%0A"));
    let report = validate(&hostile, "junit").stdout;
    assert!(
        report.contains("&lt;&amp;&quot;")
            && !report.contains('\u{1b}')
            && !report.contains('\u{0}'),
        "{report}"
    );
    assert!(report.contains("failures=\"1\""));
    let github = validate(&hostile, "github").stdout;
    assert_eq!(github.lines().count(), 1, "{github}");
    assert!(github.contains("%250A"));
}

#[test]
fn a_report_goes_into_a_file_and_the_verdict_to_the_terminal() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let written = run(
        &bad(),
        &[
            "dags",
            "validate",
            "-f",
            "junit",
            "-o",
            file.path().to_str().unwrap(),
        ],
    );
    assert_eq!((written.code, written.stdout.as_str()), (1, ""));
    assert!(written.stderr.contains("2 problems in 2 DAGs"));
    assert!(
        std::fs::read_to_string(file.path())
            .unwrap()
            .starts_with("<?xml")
    );
}
