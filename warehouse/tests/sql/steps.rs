//! Statements one after another over tables in a folder.
//!
//! A line `== name` begins a test. A step is a text, on any number of lines, up to a line `=> …` that says what it gives:
//! `name TYPE, …: row; row` of a query, `STATEMENT_TYPE OPERATION` of one that changes tables, `STATEMENT_TYPE +inserted
//! ~updated -deleted` of one that changes rows, `error: part of the message`, and of a script what its last query gives.
//! `=> dry …` runs it dry, and `=> bytes n` says what it is billed. Unqualified names are in the dataset `d`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, TimeZone, Utc};
use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;
use tidemill_warehouse::Located;
use tidemill_warehouse::sql::{Engine, Outcome, Request, SqlError};
use tidemill_warehouse::tables::{DatasetId, DatasetMeta, NoObjects, Warehouse};

use super::shown;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2024, 5, 6, 20, 30, 0)
        .single()
        .expect("it works")
}

/// The tests of a file.
pub(crate) fn trials(file: &Path) -> Vec<Trial> {
    let area = file
        .file_stem()
        .expect("it works")
        .to_string_lossy()
        .into_owned();
    let text = std::fs::read_to_string(file).expect("it works");
    text.split("\n== ")
        .map(|block| block.trim_start_matches("== "))
        .filter_map(|block| block.split_once('\n'))
        .map(|(name, steps)| {
            let steps = steps.to_owned();
            Trial::test(format!("{area}: {name}"), move || run(&steps))
        })
        .collect()
}

pub(crate) struct Tables {
    folder: TempDir,
    warehouse: Warehouse,
    jobs: AtomicUsize,
}

impl Tables {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("it works");
        let root = folder.path().join("tables");
        let warehouse =
            Warehouse::open(&root, Arc::new(NoObjects), Arc::new(now)).expect("it works");
        let meta = DatasetMeta {
            location: "US".to_owned(),
            friendly_name: None,
            description: None,
            labels: std::collections::BTreeMap::new(),
            table_expiration_ms: None,
            partition_expiration_ms: None,
            access: None,
        };
        warehouse
            .create_dataset(&DatasetId::new("p", "d"), meta)
            .expect("it works");
        Self {
            folder,
            warehouse,
            jobs: AtomicUsize::new(0),
        }
    }

    pub(crate) fn answer(&self, text: &str, dry: bool) -> Result<Outcome, SqlError> {
        let catalog = Arc::new(Located::new(self.warehouse.clone(), "US"));
        let engine = Engine::new(catalog, &self.folder.path().join("spill"))?;
        let job = self.jobs.fetch_add(1, Ordering::SeqCst);
        let request = Request {
            default_dataset: Some("d".to_owned()),
            dry_run: dry,
            job: Some(format!("job{job}")),
            ..Request::new(text, "p", now())
        };
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("it works")
            .block_on(engine.run(&request))
    }
}

fn run(steps: &str) -> Result<(), Failed> {
    let tables = Tables::new();
    let mut text = String::new();
    for line in steps.lines() {
        let Some(expected) = line.strip_prefix("=> ") else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let (dry, expected) = match expected.strip_prefix("dry ") {
            Some(rest) => (true, rest),
            None => (false, expected),
        };
        let found = match tables.answer(text.trim(), dry) {
            Err(error) => format!("error: {}", error.message),
            Ok(outcome) if expected.starts_with("bytes ") => {
                format!("bytes {}", outcome.bytes_processed)
            }
            Ok(outcome) => said(&outcome),
        };
        let right = match expected.strip_prefix("error: ") {
            Some(part) => found.starts_with("error: ") && found.contains(part),
            None => found == expected,
        };
        if !right {
            return Err(format!("{text} expected {expected}\n found    {found}").into());
        }
        text.clear();
    }
    if !text.trim().is_empty() {
        return Err(format!("nothing is expected of: {text}").into());
    }
    Ok(())
}

fn said(outcome: &Outcome) -> String {
    if outcome.statement_type == "SELECT"
        || (outcome.statement_type == "SCRIPT" && !outcome.schema.fields.is_empty())
    {
        return shown::outcome(outcome, true);
    }
    let mut said = outcome.statement_type.to_owned();
    if let Some(target) = &outcome.target {
        said.push(' ');
        said.push_str(target.operation.name());
    }
    if let Some(rows) = outcome.affected {
        said.push_str(&format!(
            " +{} ~{} -{}",
            rows.inserted, rows.updated, rows.deleted
        ));
    }
    said
}
