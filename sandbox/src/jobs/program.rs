//! Programs: what a job runs, and the names under which they are found.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, RwLock};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::engine::{Ask, Inner};
use super::folders;
use super::{Beside, Job};
use crate::services::streaming;

/// How a file that is a program ends.
pub(super) const ENDING: &str = ".sandbox.sql";

pub(crate) type Running<'a, T> = Pin<Box<dyn Future<Output = Result<T, ProgramError>> + Send + 'a>>;

/// Why a program failed; the job says so in its own service's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProgramError(pub String);

/// What a job runs. It may be run again from its beginning after a restart: it has to overwrite, never to append.
/// A job that is cancelled drops the future.
pub trait Program: Send + Sync {
    /// Runs it; what it gives becomes the result of the job.
    fn run(&self, run: ProgramRun) -> Running<'static, Value>;
}

impl<F, R> Program for F
where
    F: Fn(ProgramRun) -> R + Send + Sync,
    R: Future<Output = Result<Value, ProgramError>> + Send + 'static,
{
    fn run(&self, run: ProgramRun) -> Running<'static, Value> {
        Box::pin(self(run))
    }
}

/// SQL with what it needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statement {
    /// One statement or a script.
    pub text: String,
    /// Values for `@name`, each a STRING.
    pub parameters: BTreeMap<String, String>,
    /// The project of names without one.
    pub project: String,
    /// The dataset of names without one.
    pub dataset: Option<String>,
}

/// What SQL gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SqlOutcome {
    /// Names and types of columns.
    pub columns: Vec<(String, String)>,
    /// Rows as text; none is NULL. Of many rows these are the first.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many rows there were.
    pub total: u64,
    /// How many rows it changed.
    pub affected: Option<u64>,
}

/// Runs SQL; the warehouse is one.
pub trait RunSql: Send + Sync {
    /// Runs one text.
    fn run_sql(&self, statement: Statement) -> Running<'_, SqlOutcome>;
}

/// A program that is being run.
pub struct ProgramRun {
    pub(super) inner: Arc<Inner>,
    pub(super) job: String,
    pub(super) task: String,
    pub(super) program: String,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) asked: watch::Receiver<Ask>,
}

impl ProgramRun {
    /// The name under which the program was found.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// What names the job in this sandbox.
    #[must_use]
    pub fn job(&self) -> &str {
        &self.job
    }

    /// What the job was given.
    #[must_use]
    pub fn parameters(&self) -> &BTreeMap<String, String> {
        &self.parameters
    }

    /// Adds a line to the job's log.
    pub fn log(&self, text: &str) {
        self.inner
            .update(&self.job, |job, now| job.say(text, false, now));
    }

    /// Adds a line about what is wrong to the job's log.
    pub(crate) fn complain(&self, text: &str) {
        self.inner
            .update(&self.job, |job, now| job.say(text, true, now));
    }

    /// How far it is, from 0 to 1.
    pub fn progress(&self, part: f64) {
        self.inner.update(&self.job, |job, _| {
            job.progress = part.clamp(job.progress, 1.0);
        });
    }

    /// Ends when a streaming job is asked to drain; the program then finishes what it has begun and returns.
    pub async fn drained(&mut self) {
        if self
            .asked
            .wait_for(|ask| *ask != Ask::Nothing)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }

    /// The project whose job this is: that of the request, the parameter `project`, or `sandbox`.
    #[must_use]
    pub fn project(&self) -> String {
        let job = self.inner.shelf.get(&self.job);
        let said = job.as_ref().and_then(|job| job.body["project"].as_str());
        let mut parts = self.job.split('/');
        let in_key = parts.find(|part| *part == "projects").and(parts.next());
        let given = self.parameters.get("project").map(String::as_str);
        said.or(in_key).or(given).unwrap_or("sandbox").to_owned()
    }

    pub(crate) async fn sql(&self, text: String) -> Result<Value, ProgramError> {
        let job = self.inner.shelf.get(&self.job);
        let dataset = job
            .as_ref()
            .and_then(|job| job.body["dataset"].as_str())
            .or_else(|| self.parameters.get("dataset").map(String::as_str));
        let statement = Statement {
            text,
            parameters: self.parameters.clone(),
            project: self.project(),
            dataset: dataset.map(str::to_owned),
        };
        let outcome = match self.inner.programs.engine() {
            Some(engine) => engine.run_sql(statement).await?,
            None => self.inner.beside.bigquery.run_sql(statement).await?,
        };
        match outcome.affected {
            Some(affected) => self.log(&format!("{affected} rows changed")),
            None => self.log(&format!("{} rows", outcome.total)),
        }
        let kept = outcome.rows.len() as u64;
        Ok(json!({
            "columns": outcome.columns, "rows": outcome.rows, "affected": outcome.affected,
            "row_count": outcome.total, "truncated": kept < outcome.total,
        }))
    }

    /// The services beside the jobs.
    pub(crate) fn beside(&self) -> &Arc<Beside> {
        &self.inner.beside
    }

    /// The job as it is now.
    pub(crate) fn now(&self) -> Option<Arc<Job>> {
        self.inner.shelf.get(&self.job)
    }
}

/// Programs by name.
#[derive(Clone, Default)]
pub struct Programs {
    inner: Arc<RwLock<Registered>>,
}

#[derive(Default)]
struct Registered {
    programs: BTreeMap<String, Found>,
    folders: Vec<PathBuf>,
    sql: Option<Arc<dyn RunSql>>,
}

#[derive(Clone)]
pub(super) enum Found {
    Code(Arc<dyn Program>, bool),
    File(PathBuf),
    /// What moves messages, and a file that says how.
    Stream(Option<PathBuf>),
}

impl Programs {
    fn write(&self, change: impl FnOnce(&mut Registered)) {
        change(
            &mut self
                .inner
                .write()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
    }

    fn read<T>(&self, look: impl FnOnce(&Registered) -> T) -> T {
        look(
            &self
                .inner
                .read()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }

    /// Registers Rust code.
    #[must_use]
    pub fn with(self, name: &str, program: impl Program + 'static) -> Self {
        self.write(|inner| {
            let program = Found::Code(Arc::new(program), false);
            inner.programs.insert(name.to_owned(), program);
        });
        self
    }

    /// Registers Rust code that runs until it is drained; a Dataflow job with it is a streaming job.
    #[must_use]
    pub fn with_streaming(self, name: &str, program: impl Program + 'static) -> Self {
        self.write(|inner| {
            let program = Found::Code(Arc::new(program), true);
            inner.programs.insert(name.to_owned(), program);
        });
        self
    }

    /// Every file `X.sandbox.sql` or `X.sandbox.json` in `folder` and below is the program `X`. The folder is looked into
    /// whenever a job starts, so that files may come and change.
    pub fn add_folder(&self, folder: &Path) {
        self.write(|inner| inner.folders.push(folder.to_owned()));
    }

    /// Sets what runs SQL.
    pub fn run_sql_with(&self, engine: Arc<dyn RunSql>) {
        self.write(|inner| inner.sql = Some(engine));
    }

    /// The names that are registered, and those of files that are in the folders now.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.read(|inner| inner.programs.keys().cloned().collect());
        for folder in self.folders() {
            names.extend(folders::names(&folder));
        }
        names.sort();
        names.dedup();
        names
    }

    fn folders(&self) -> Vec<PathBuf> {
        self.read(|inner| inner.folders.clone())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.look(name).is_ok_and(|found| found.is_some())
    }

    pub(crate) fn streams(&self, name: &str) -> bool {
        matches!(
            self.look(name),
            Ok(Some(Found::Code(_, true) | Found::Stream(_)))
        )
    }

    fn look(&self, name: &str) -> Result<Option<Found>, ProgramError> {
        if let Some(found) = self.read(|inner| inner.programs.get(name).cloned()) {
            return Ok(Some(found));
        }
        let mut files = Vec::new();
        for folder in self.folders() {
            files.extend(folders::find(&folder, name));
        }
        files.dedup();
        match files.as_slice() {
            [] if streaming::known(name) => Ok(Some(Found::Stream(None))),
            [] => Ok(None),
            [one] if folders::is_sql(one) => Ok(Some(Found::File(one.clone()))),
            [one] => Ok(Some(Found::Stream(Some(one.clone())))),
            [one, other, ..] => Err(ProgramError(format!(
                "two files are the program {name:?}: {} and {}; give one of them another name",
                one.display(),
                other.display()
            ))),
        }
    }

    pub(super) fn find(&self, name: &str) -> Result<Found, ProgramError> {
        self.look(name)?.ok_or_else(|| {
            ProgramError(format!(
                "the sandbox has no program {name:?}: put a file {name}{ENDING} beside the DAGs, or register it in code"
            ))
        })
    }

    fn engine(&self) -> Option<Arc<dyn RunSql>> {
        self.read(|inner| inner.sql.clone())
    }
}

/// The name of the program that `what` stands for: `gs://code/jobs/load_orders.py` and `/Shared/load_orders` are `load_orders`.
pub(crate) fn stem(what: &str) -> &str {
    let what = what.trim_end_matches('/');
    let last = what.rsplit('/').next().unwrap_or(what);
    let last = last.strip_suffix(".gz").unwrap_or(last);
    if let Some(name) = last.strip_suffix(ENDING) {
        return name;
    }
    let file = what.contains('/');
    match last.rsplit_once('.') {
        Some((name, ending))
            if !name.is_empty()
                && (file || matches!(ending, "py" | "json" | "jar" | "sql" | "ipynb" | "R")) =>
        {
            name
        }
        // A class: `com.acme.LoadOrders`.
        Some((_, name)) if !name.is_empty() => name,
        _ => last,
    }
}

/// Arguments of a command line as parameters: `--date=2026-01-01` and `--date 2026-01-01` are `date`, others are
/// numbered from 0.
pub(crate) fn arguments(words: &[String]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut at = 0;
    let mut numbered = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        let Some(name) = word.strip_prefix("--") else {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) if !name.is_empty() => (name.to_owned(), value.to_owned()),
                _ => {
                    numbered += 1;
                    ((numbered - 1).to_string(), word.clone())
                }
            };
            all.insert(name, value);
            continue;
        };
        match (name.split_once('='), words.get(at)) {
            (Some((name, value)), _) => all.insert(name.to_owned(), value.to_owned()),
            (None, Some(value)) if !value.starts_with("--") => {
                at += 1;
                all.insert(name.to_owned(), value.clone())
            }
            (None, _) => all.insert(name.to_owned(), "true".to_owned()),
        };
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_a_path_ends_in() {
        for (what, name) in [
            ("gs://code/jobs/load_orders.py", "load_orders"),
            ("gs://t/flex/load_orders.json", "load_orders"),
            ("/Workspace/Shared/load_orders", "load_orders"),
            ("com.acme.LoadOrders", "LoadOrders"),
            ("gs://code/load.sandbox.sql", "load"),
            ("gs://raw/orders.csv.gz", "orders"),
            ("", ""),
        ] {
            assert_eq!(stem(what), name);
        }
    }

    #[test]
    fn arguments_are_read_as_pairs() {
        let words = ["--a=1", "--b", "2", "--c", "x", "d=4", "--e"].map(str::to_owned);
        let all = arguments(&words);
        let shown: Vec<_> = all.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(shown, ["a=1", "b=2", "c=x", "d=4", "e=true"]);
    }
}
