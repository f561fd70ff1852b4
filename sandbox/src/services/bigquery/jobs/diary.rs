//! What a query job writes down so that each of its statements is done once, and its children.
//!
//! `bigquery/scripts/` has one file for each job that is under way and has changed something: what decided its way so far,
//! and what each statement will have done, which is written before it is done. A job that is run again reads it.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidemill_warehouse::Located;
use tidemill_warehouse::sql::{Child, Diary, Outcome, SqlError};

use super::record::{Done, Job, Kind, Phase, key};
use super::run::Work;
use super::select;

/// The diary of one job.
pub(super) struct Noted {
    work: Work,
    catalog: Located,
    path: PathBuf,
    /// As it was found.
    will: HashMap<String, Value>,
    /// The stamp that was written down last.
    last: Option<String>,
    notes: HashMap<usize, Vec<u8>>,
    /// What is to be written with the next change.
    waiting: Mutex<String>,
}

impl std::fmt::Debug for Noted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Noted").field("path", &self.path).finish()
    }
}

/// Where the diary of a job is.
fn file(folder: &Path, key: &str) -> PathBuf {
    folder.join(format!("{:016x}.jsonl", sum(key)))
}

fn sum(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The job is done: nobody reads its diary any more.
pub(super) fn forget(folder: &Path, key: &str) {
    let _ = fs::remove_file(file(folder, key));
}

impl Noted {
    /// Opens the diary of a job, with what it wrote before a kill.
    pub(super) fn open(work: Work, catalog: Located) -> io::Result<Self> {
        let path = file(&work.bigquery.scripts, &work.job.key());
        let mut noted = Self {
            work,
            catalog,
            path,
            will: HashMap::new(),
            last: None,
            notes: HashMap::new(),
            waiting: Mutex::default(),
        };
        let text = match fs::read_to_string(&noted.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(noted),
            Err(error) => return Err(error),
        };
        for line in text.lines() {
            // The last line may have been cut short; what it announces was not done then.
            let Ok(line) = serde_json::from_str::<Value>(line) else {
                break;
            };
            if let Some(stamp) = line["will"].as_str() {
                noted.will.insert(stamp.to_owned(), line["did"].clone());
                noted.last = Some(stamp.to_owned());
            } else if let (Some(number), Some(text)) =
                (line["note"].as_u64(), line["text"].as_str())
            {
                let number = usize::try_from(number).map_err(io::Error::other)?;
                let text = STANDARD.decode(text).map_err(io::Error::other)?;
                noted.notes.insert(number, text);
            }
        }
        Ok(noted)
    }

    fn waiting(&self) -> MutexGuard<'_, String> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends what waits and a line.
    fn write(&self, line: &Value) -> io::Result<()> {
        let mut waiting = self.waiting();
        let text = format!("{waiting}{line}\n");
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)?;
        file.write_all(text.as_bytes())?;
        waiting.clear();
        Ok(())
    }
}

impl Diary for Noted {
    fn will(&self, stamp: &str, outcome: &Outcome) -> Result<(), SqlError> {
        let line = json!({ "will": stamp, "did": outcome.to_note() });
        self.write(&line).map_err(|error| SqlError {
            reason: "backendError",
            message: format!("{}: {error}", self.path.display()),
        })?;
        if stamp == self.work.job.key() {
            self.work.prepare(Done {
                statistics: select::statistics(outcome, &self.catalog.tables(), false),
                bytes_processed: Some(outcome.bytes_processed),
                ..Done::default()
            });
        }
        Ok(())
    }

    fn did(&self, stamp: &str) -> Option<(Outcome, bool)> {
        let outcome = Outcome::of_note(self.will.get(stamp)?)?;
        Some((outcome, self.last.as_deref() != Some(stamp)))
    }

    fn note(&self, number: usize, text: Vec<u8>) -> Result<(), SqlError> {
        let line = json!({ "note": number, "text": STANDARD.encode(text) });
        let mut waiting = self.waiting();
        waiting.push_str(&line.to_string());
        waiting.push('\n');
        Ok(())
    }

    fn noted(&self, number: usize) -> Option<Vec<u8>> {
        self.notes.get(&number).cloned()
    }

    fn ran(&self, child: &Child) {
        let parent = &self.work.job;
        let mut done = Done::default();
        let mut errors = Vec::new();
        match &child.result {
            Err(error) => errors.push(select::failed(error.clone())),
            Ok(outcome) => {
                done.statistics = select::statistics(outcome, &self.catalog.tables(), false);
                done.bytes_processed = Some(outcome.bytes_processed);
                if outcome.statement_type == "SELECT" {
                    let kept = select::anonymous(&self.work.bigquery, parent)
                        .and_then(|id| select::kept(&self.work.bigquery, id, outcome));
                    match kept {
                        Ok(id) => done.result = Some(id),
                        Err(error) => tracing::warn!("the rows of a child are lost: {error}"),
                    }
                }
            }
        }
        let configuration = json!({ "query": { "query": child.text, "useLegacySql": false } });
        let job = Job {
            id: format!(
                "script_job_{:016x}_{}",
                sum(&parent.key()),
                child.number - 1
            ),
            kind: Kind::Query,
            configuration,
            phase: Phase::Done,
            created: child.started,
            started: Some(child.started),
            ended: Some(child.ended),
            failed: !errors.is_empty(),
            errors,
            done,
            prepared: None,
            fault: None,
            upload: None,
            request: None,
            version: 1,
            parent: Some(parent.id.clone()),
            frame: Some(frame(child)),
            children: 0,
            ..Job::clone(parent)
        };
        let name = key(&job.project, &job.location, &job.id);
        let jobs = &self.work.bigquery.jobs;
        if let Err(error) = jobs.shelf.put(&name, job) {
            tracing::warn!("the job {name} cannot be written: {error}");
        }
        let number = child.number as u64;
        jobs.update(&parent.key(), |parent| {
            parent.children = parent.children.max(number);
        });
    }
}

/// Where in the script a child stands.
fn frame(child: &Child) -> Value {
    let ((line, column), (end_line, end_column)) = child.place;
    json!({
        "evaluationKind": "STATEMENT",
        "stackFrames": [{
            "startLine": line,
            "startColumn": column,
            "endLine": end_line,
            "endColumn": end_column,
            "text": child.text,
        }],
    })
}

/// Bytes that the children of a script are billed.
pub(super) fn billed(children: &[Child]) -> u64 {
    children
        .iter()
        .filter_map(|child| child.result.as_ref().ok())
        .map(|outcome| select::billed(outcome.bytes_processed))
        .sum()
}
