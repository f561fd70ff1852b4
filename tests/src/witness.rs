//! What tasks really did, written down beside the database: a journal of attempts, and jobs by the key they were launched
//! under. It stands for the world outside, which keeps what happened whatever becomes of the process that asked for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tidemill_core::operator::RunFacts;

/// What happened to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It began.
    Started,
    /// Its work is done.
    Ended,
    /// A job was accepted.
    Accepted,
    /// A job was asked for under a key that has one already.
    Refused,
    /// A job was cancelled.
    Cancelled,
}

/// One instance of a task, by names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Instance {
    /// The DAG.
    pub dag: String,
    /// The run's name.
    pub run: String,
    /// The task.
    pub task: String,
    /// Its index, or -1.
    pub index: i32,
}

/// A line of the journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// When, in milliseconds by the wall.
    pub at: i64,
    /// What.
    pub what: What,
    /// Whose.
    #[serde(flatten)]
    pub of: Instance,
    /// The number of the attempt.
    pub attempt: u32,
    /// Its launch key.
    pub key: String,
    /// The process.
    pub pid: u32,
}

/// A job, as it was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Whose.
    pub of: Instance,
    /// When, in milliseconds by the wall.
    pub at: i64,
    /// Whether it ends badly.
    pub bad: bool,
}

/// The place where it is all written down.
#[derive(Debug, Clone)]
pub struct Witness {
    dir: PathBuf,
}

impl Witness {
    /// At a folder, which is made if it is not there.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        fs::create_dir_all(dir.join("jobs")).expect("the witness has a folder");
        Self {
            dir: dir.to_owned(),
        }
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes a line, in one piece.
    pub fn tell(&self, what: What, facts: &RunFacts, at: i64) {
        let line = Line {
            at,
            what,
            of: instance(facts),
            attempt: facts.attempt,
            key: facts.key.as_str().to_owned(),
            pid: std::process::id(),
        };
        let mut text = serde_json::to_string(&line).expect("a line is JSON");
        text.push('\n');
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.dir.join("journal"))
            .expect("the journal opens");
        file.write_all(text.as_bytes())
            .expect("the journal is written");
    }

    /// All lines, in the order in which they were written.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let text = fs::read_to_string(self.dir.join("journal")).unwrap_or_default();
        // A process may die in the middle of its line.
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Accepts a job, unless there is one under this key. The first of an instance may be one that ends badly.
    pub fn accept(&self, facts: &RunFacts, at: i64, first_is_bad: bool) -> bool {
        let of = instance(facts);
        let bad = first_is_bad && !self.jobs().values().any(|job| job.of == of);
        let job = Job { of, at, bad };
        let path = self.dir.join("jobs").join(facts.key.as_str());
        let unfinished = path.with_extension(format!("{}", std::process::id()));
        let text = serde_json::to_string(&job).expect("a job is JSON");
        fs::write(&unfinished, text).expect("a job is written");
        // A link is made whole or not at all, and never over another one.
        let made = fs::hard_link(&unfinished, &path);
        let _ = fs::remove_file(&unfinished);
        match made {
            Ok(()) => self.tell(What::Accepted, facts, at),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.tell(What::Refused, facts, at);
                return false;
            }
            Err(error) => panic!("a job cannot be kept: {error}"),
        }
        true
    }

    /// The job of this key.
    #[must_use]
    pub fn job(&self, key: &str) -> Option<Job> {
        let text = fs::read_to_string(self.dir.join("jobs").join(key)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// All jobs, by key.
    #[must_use]
    pub fn jobs(&self) -> BTreeMap<String, Job> {
        let entries = fs::read_dir(self.dir.join("jobs")).expect("the jobs are there");
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let whole = names.filter(|name| !name.contains('.'));
        whole
            .filter_map(|name| self.job(&name).map(|job| (name, job)))
            .collect()
    }

    /// Puts a sign up that tasks look for.
    pub fn put(&self, sign: &str) {
        File::create(self.dir.join(sign)).expect("a sign is put up");
    }

    /// Takes it down.
    pub fn take(&self, sign: &str) {
        let _ = fs::remove_file(self.dir.join(sign));
    }

    /// Whether it is up.
    #[must_use]
    pub fn is_up(&self, sign: &str) -> bool {
        self.dir.join(sign).exists()
    }

    /// Forgets what was written so far.
    pub fn forget(&self) {
        let _ = fs::remove_file(self.dir.join("journal"));
        let _ = fs::remove_dir_all(self.dir.join("jobs"));
        fs::create_dir_all(self.dir.join("jobs")).expect("the witness has a folder");
    }

    /// The processes in which attempts have begun and not ended.
    #[must_use]
    pub fn busy(&self) -> BTreeSet<u32> {
        let lines = self.lines();
        let ended: BTreeSet<_> = lines
            .iter()
            .filter(|line| line.what == What::Ended)
            .map(|line| (line.of.clone(), line.attempt))
            .collect();
        lines
            .iter()
            .filter(|line| line.what == What::Started)
            .filter(|line| !ended.contains(&(line.of.clone(), line.attempt)))
            .map(|line| line.pid)
            .collect()
    }
}

fn instance(facts: &RunFacts) -> Instance {
    let index = facts
        .map_index
        .and_then(|index| i32::try_from(index).ok())
        .unwrap_or(-1);
    Instance {
        dag: facts.dag_id.clone(),
        run: facts.run_id.clone(),
        task: facts.task_id.clone(),
        index,
    }
}
