//! SARIF 2.1.0, as code scanning reads it.

use serde_json::{Value, json};
use tidemill_core::author::Project;
use tidemill_core::{Problem, Rule};

pub(super) fn report(project: &Project) -> String {
    let rules: Vec<Value> = Rule::ALL
        .iter()
        .map(|rule| json!({ "id": rule.word(), "name": rule.word() }))
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "tidemill", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "results": project.problems.iter().map(result).collect::<Vec<_>>(),
        }],
    });
    format!("{log:#}\n")
}

fn result(problem: &Problem) -> Value {
    let mut text = format!("{}: {}", problem.subject(), problem.message);
    if !problem.help.is_empty() {
        text = format!("{text}\n{}", problem.help);
    }
    let locations: Vec<Value> = problem
        .source
        .iter()
        .map(|source| {
            json!({ "physicalLocation": {
                "artifactLocation": { "uri": uri(&source.file) },
                "region": { "startLine": source.line },
            } })
        })
        .collect();
    json!({ "ruleId": problem.rule.word(), "level": "error", "message": { "text": text }, "locations": locations })
}

/// A path as a URI reference holds it.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
    let path = path.replace('\\', "/");
    path.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
