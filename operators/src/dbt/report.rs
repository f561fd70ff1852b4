//! What became of each node, read from what dbt writes at its end.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::operator::TaskError;
use tidemill_core::protocol::CheckResult;

/// Nodes that a message names; the rest is counted.
const NAMED_MAX: usize = 10;

/// What came of a call of dbt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DbtReport {
    /// What was worked on, in the order in which it ended.
    pub nodes: Vec<DbtNode>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What came of a model, test, seed, snapshot or source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DbtNode {
    /// `model.shop.orders`
    pub id: String,
    /// `success`, `pass`, `warn`, `fail`, `error`, `skipped`, in dbt's words.
    pub status: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Rows that it wrote, if the database says so.
    pub rows: Option<i64>,
    /// Bytes that it read, if the database says so.
    pub bytes: Option<i64>,
    /// Rows that failed a test.
    pub failures: Option<i64>,
    /// What the database or the test says.
    pub message: String,
    /// The table or view, as the database names it.
    pub relation: Option<String>,
    /// What it is made of.
    pub parents: Vec<String>,
}

impl DbtNode {
    /// What it is: `model`, `test`, `seed`, `snapshot`, `source`, `unit_test`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.id.split('.').next().unwrap_or_default()
    }

    fn is_test(&self) -> bool {
        matches!(self.kind(), "test" | "unit_test" | "source")
    }

    fn is_bad(&self) -> bool {
        matches!(
            self.status.as_str(),
            "fail" | "error" | "runtime error" | "partial success"
        )
    }

    /// The data is wrong, and is so when it is asked again.
    fn is_wrong_data(&self) -> bool {
        match self.kind() {
            "source" => self.status == "error",
            _ => self.is_test() && self.status == "fail",
        }
    }
}

#[derive(Deserialize)]
struct Results {
    #[serde(default)]
    results: Vec<Found>,
    #[serde(default)]
    elapsed_time: f64,
}

#[derive(Deserialize)]
struct Found {
    unique_id: String,
    status: String,
    #[serde(default)]
    execution_time: f64,
    #[serde(default)]
    failures: Option<i64>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    relation_name: Option<String>,
    #[serde(default)]
    adapter_response: Value,
    #[serde(default)]
    max_loaded_at: Option<String>,
    #[serde(default)]
    compiled_code: Option<String>,
}

#[derive(Deserialize, Default)]
struct Manifest {
    #[serde(default)]
    parent_map: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    nodes: BTreeMap<String, Known>,
    #[serde(default)]
    sources: BTreeMap<String, Known>,
}

/// What the manifest knows of a node.
#[derive(Deserialize)]
struct Known {
    #[serde(default)]
    name: String,
    #[serde(default)]
    relation_name: Option<String>,
    #[serde(default)]
    column_name: Option<String>,
    /// Of a test: what it tests.
    #[serde(default)]
    attached_node: Option<String>,
    #[serde(default)]
    test_metadata: Option<Metadata>,
    #[serde(default)]
    config: Config,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Deserialize, Default)]
struct Config {
    #[serde(default)]
    severity: Option<String>,
}

impl Manifest {
    fn read(target: &Path) -> Self {
        std::fs::read(target.join("manifest.json"))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }

    fn known(&self, id: &str) -> Option<&Known> {
        self.nodes.get(id).or_else(|| self.sources.get(id))
    }

    /// What came of a test or of a source's age, for the ledger.
    fn check(&self, found: &Found) -> Option<CheckResult> {
        let status = match found.status.as_str() {
            "pass" => "passed",
            "warn" => "warned",
            "fail" => "failed",
            "error" if found.unique_id.starts_with("source.") => "failed",
            "error" | "runtime error" => "error",
            _ => return None,
        };
        let known = self.known(&found.unique_id)?;
        let parents = self.parent_map.get(&found.unique_id);
        let first = parents.and_then(|parents| parents.first());
        let tested = match known.attached_node.as_ref().or(first) {
            Some(id) => self.known(id),
            None => Some(known),
        };
        let table = tested.and_then(|known| known.relation_name.clone());
        let severity = known.config.severity.as_deref().unwrap_or("error");
        let kind = if found.unique_id.starts_with("source.") {
            "freshness"
        } else {
            let metadata = known.test_metadata.as_ref();
            metadata.map_or("dbt", |metadata| metadata.name.as_str())
        };
        Some(CheckResult {
            name: known.name.clone(),
            table: table.unwrap_or_default().replace(['`', '"'], ""),
            columns: known.column_name.clone().into_iter().collect(),
            kind: kind.to_owned(),
            blocking: !severity.eq_ignore_ascii_case("warn"),
            severity: severity.to_lowercase(),
            observed: found.max_loaded_at.clone().unwrap_or_default(),
            cause: match status {
                "passed" => String::new(),
                _ => found.message.clone().unwrap_or_default(),
            },
            status: status.to_owned(),
            rows_failed: found.failures,
            rows_sql: found.compiled_code.clone(),
            ..CheckResult::default()
        })
    }
}

impl DbtReport {
    /// Reads what dbt wrote, and what came of its tests; none if it wrote nothing that can be read.
    pub(super) fn read(target: &Path, file: &str) -> Option<(Self, Vec<CheckResult>)> {
        let text = std::fs::read(target.join(file)).ok()?;
        let results: Results = serde_json::from_slice(&text).ok()?;
        let manifest = Manifest::read(target);
        let tests = results.results.iter();
        let checks = tests.filter_map(|found| manifest.check(found)).collect();
        let number = |found: &Found, name: &str| found.adapter_response[name].as_i64();
        let nodes = results.results.into_iter().map(|found| {
            let known = manifest.known(&found.unique_id);
            let relation = found.relation_name.clone();
            let relation = relation.or_else(|| known?.relation_name.clone());
            DbtNode {
                // A test's own row is the one that counts.
                rows: number(&found, "rows_affected")
                    .filter(|rows| *rows >= 0 && found.failures.is_none()),
                bytes: number(&found, "bytes_processed"),
                parents: manifest
                    .parent_map
                    .get(&found.unique_id)
                    .cloned()
                    .unwrap_or_default(),
                message: found
                    .message
                    .or_else(|| found.max_loaded_at.map(|at| format!("newest row of {at}")))
                    .unwrap_or_default(),
                id: found.unique_id,
                status: found.status,
                seconds: found.execution_time,
                failures: found.failures,
                relation,
            }
        });
        let report = Self {
            nodes: nodes.collect(),
            seconds: results.elapsed_time,
        };
        Some((report, checks))
    }

    /// Whether another attempt has something to leave out.
    pub(super) fn is_partly_done(&self) -> bool {
        self.nodes.iter().any(DbtNode::is_bad) && !self.nodes.iter().all(DbtNode::is_bad)
    }

    /// What went wrong, if anything did.
    pub(super) fn error(&self) -> Option<TaskError> {
        let bad: Vec<&DbtNode> = self.nodes.iter().filter(|node| node.is_bad()).collect();
        let first = bad.first()?;
        let skipped = self
            .nodes
            .iter()
            .filter(|node| node.status == "skipped")
            .count();
        let mut message = match bad.len() {
            1 => format!("{} {}", first.id, words(first)),
            many => format!(
                "{many} of {} failed, first {} {}",
                self.nodes.len(),
                first.id,
                words(first)
            ),
        };
        if skipped > 0 {
            message.push_str(&format!("; {skipped} were left out because of it"));
        }
        for node in bad.iter().skip(1).take(NAMED_MAX) {
            message.push_str(&format!("\n{} {}", node.id, words(node)));
        }
        if bad.len() > NAMED_MAX + 1 {
            message.push_str(&format!("\nand {} more", bad.len() - NAMED_MAX - 1));
        }
        Some(if bad.iter().all(|node| node.is_wrong_data()) {
            TaskError::data(message).help("look at the rows that the test selects; its SQL is in `target/compiled` of the project")
        } else {
            TaskError::transient(message)
        })
    }
}

fn words(node: &DbtNode) -> String {
    let message = node.message.trim();
    match (node.failures, message) {
        (Some(rows), "") if rows > 0 => format!("({}): {rows} rows", node.status),
        (_, "") => format!("({})", node.status),
        _ => format!("({}): {message}", node.status),
    }
}
