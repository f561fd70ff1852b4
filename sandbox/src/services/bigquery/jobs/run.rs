//! The jobs that there are, and those that run.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidemill_warehouse::sql::JobRow;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::Bigquery;
use super::super::json::count;
use super::record::{Done, Job, JobError, Kind, Phase};
use super::{copy, extract, load, select};
use crate::call::Refusal;
use crate::faults::FaultKind;
use crate::shelf::Shelf;

/// All jobs.
pub(in super::super) struct Jobs {
    pub(super) shelf: Arc<Shelf<Job>>,
    running: Mutex<HashMap<String, Running>>,
    /// Changes whenever a job does.
    changes: watch::Sender<u64>,
    closing: AtomicBool,
}

/// A job that is under way.
struct Running {
    stop: Stop,
    task: JoinHandle<()>,
}

/// How a job is told to end.
#[derive(Clone)]
pub(super) struct Stop {
    /// For work that looks now and then.
    pub(super) flag: Arc<AtomicBool>,
    why: Arc<watch::Sender<Option<String>>>,
}

impl Stop {
    fn new() -> Self {
        Self {
            flag: Arc::default(),
            why: Arc::new(watch::Sender::new(None)),
        }
    }

    fn now(&self, why: &str) {
        self.why.send_if_modified(|before| {
            let first = before.is_none();
            if first {
                *before = Some(why.to_owned());
            }
            first
        });
        self.flag.store(true, Ordering::SeqCst);
    }

    /// Ends when it is told to; gives why.
    pub(super) async fn told(&self) -> String {
        let mut why = self.why.subscribe();
        let told = why
            .wait_for(Option::is_some)
            .await
            .ok()
            .map(|why| why.clone());
        match told {
            Some(why) => why.unwrap_or_default(),
            None => std::future::pending().await,
        }
    }

    fn reason(&self) -> Option<String> {
        self.why.borrow().clone()
    }
}

impl Jobs {
    pub(in super::super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            shelf: Arc::new(Shelf::open(path)?),
            running: Mutex::default(),
            changes: watch::Sender::new(0),
            closing: AtomicBool::new(false),
        })
    }

    /// Looks up jobs as `INFORMATION_SCHEMA` has them.
    pub(super) fn rows(&self) -> impl Fn(&str, &str) -> Vec<JobRow> + Send + Sync + 'static {
        let shelf = Arc::clone(&self.shelf);
        move |project, location| {
            shelf
                .under(&format!("{project}:{location}."))
                .iter()
                .filter(|(_, job)| !job.vanished())
                .map(|(_, job)| super::shown::row(job))
                .collect()
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a job down whose identifier is new.
    pub(super) fn add(&self, job: Job) -> Result<Arc<Job>, Refusal> {
        let key = job.key();
        let (written, ()) = self.shelf.change(&key, |old| match old {
            Some(_) => Err(Failure::There(key.clone())),
            None => Ok((Some(job), ())),
        })?;
        self.changes.send_modify(|count| *count += 1);
        written.ok_or_else(|| Refusal::internal(&"a job that was written is not there"))
    }

    /// Changes a job that is there.
    pub(super) fn update(&self, key: &str, change: impl FnOnce(&mut Job)) {
        let done = self.shelf.change(key, |job| {
            let changed = job.map(|job| {
                let mut job = Job::clone(job);
                change(&mut job);
                job.version += 1;
                job
            });
            Ok::<_, io::Error>((changed, ()))
        });
        if let Err(error) = done {
            tracing::warn!("the job {key} cannot be written: {error}");
        }
        self.changes.send_modify(|count| *count += 1);
    }

    /// Tells a job to end, if it runs.
    pub(super) fn cancel(&self, key: &str, why: &str) {
        if let Some(running) = self.running().get(key) {
            running.stop.now(why);
        }
    }

    /// Waits until a job is done, at most so long.
    pub(super) async fn wait(&self, key: &str, most: Duration) -> Option<Arc<Job>> {
        let until = Instant::now() + most;
        let mut changes = self.changes.subscribe();
        loop {
            let job = self.shelf.get(key)?;
            if job.phase == Phase::Done {
                return Some(job);
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return Some(job) },
                () = tokio::time::sleep_until(until) => return self.shelf.get(key),
            }
        }
    }

    pub(in super::super) async fn stop(&self) {
        self.closing.store(true, Ordering::SeqCst);
        let running: Vec<Running> = self.running().drain().map(|(_, one)| one).collect();
        for one in running {
            one.stop.now("the sandbox ends");
            let _ = one.task.await;
        }
    }
}

/// Why a job was not written down.
enum Failure {
    There(String),
    Disk(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::There(key) => {
                super::super::refusal::of_reason("duplicate", format!("Already Exists: Job {key}"))
            }
            Failure::Disk(error) => Refusal::internal(&error),
        }
    }
}

/// Goes on with what was under way when the sandbox ended.
pub(in super::super) fn resume(bigquery: &Arc<Bigquery>) {
    for (key, job) in bigquery.jobs.shelf.under("") {
        if job.phase == Phase::Done || job.vanished() {
            continue;
        }
        let changed = !bigquery.warehouse.bearing(&key).is_empty();
        match (&job.prepared, changed) {
            (Some(done), true) => {
                let done = done.clone();
                finish(bigquery, &key, Ok(done));
            }
            _ => start(bigquery, &key),
        }
    }
}

/// Runs a job in the background.
pub(super) fn start(bigquery: &Arc<Bigquery>, key: &str) {
    let stop = Stop::new();
    let (jobs, name, told) = (Arc::clone(bigquery), key.to_owned(), stop.clone());
    let mut running = bigquery.jobs.running();
    let task = tokio::spawn(async move {
        let (inner, key) = (Arc::clone(&jobs), name.clone());
        // Whatever happens within, the job comes to an end.
        let result = tokio::spawn(async move { run(&inner, &key, &told).await })
            .await
            .unwrap_or_else(|error| {
                Err(vec![JobError::new("jobInternalError", error.to_string())])
            });
        // A job that ends with the sandbox begins anew with it.
        let closing = jobs.jobs.closing.load(Ordering::SeqCst);
        if !(closing && result.is_err()) {
            finish(&jobs, &name, result);
        }
        jobs.jobs.running().remove(&name);
    });
    running.insert(key.to_owned(), Running { stop, task });
}

/// Writes down how a job ended.
fn finish(bigquery: &Bigquery, key: &str, result: Result<Done, Vec<JobError>>) {
    let now = bigquery.now();
    let mut upload = None;
    bigquery.jobs.update(key, |job| {
        job.phase = Phase::Done;
        job.started.get_or_insert(now);
        job.ended = Some(now);
        job.prepared = None;
        upload = job.upload.take();
        match result {
            Ok(done) => {
                job.errors.clone_from(&done.warnings);
                job.done = done;
            }
            Err(errors) => {
                job.failed = true;
                job.errors = errors;
            }
        }
    });
    if let Some(path) = upload {
        let _ = std::fs::remove_file(path);
    }
    // A kill before this leaves what nobody sees, and temporary tables have an end of their own.
    if let Some(job) = bigquery.jobs.shelf.get(key)
        && job.kind == Kind::Query
    {
        select::forget(bigquery, &job);
    }
}

async fn run(bigquery: &Arc<Bigquery>, key: &str, stop: &Stop) -> Result<Done, Vec<JobError>> {
    let now = bigquery.now();
    bigquery.jobs.update(key, |job| {
        job.phase = Phase::Running;
        job.started = Some(now);
    });
    let Some(job) = bigquery.jobs.shelf.get(key) else {
        return Err(vec![JobError::new("notFound", "the job is gone")]);
    };
    let limit = count(&job.configuration, "jobTimeoutMs").ok().flatten();
    let timer = limit.filter(|limit| *limit > 0).map(|limit| {
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(limit)).await;
            stop.now(&format!("Job timed out after {limit} ms"));
        })
    });
    match &job.fault {
        Some(FaultKind::JobStuck) => {
            stop.told().await;
            return Err(vec![stopped(stop)]);
        }
        Some(FaultKind::JobFails { message }) => {
            return Err(vec![JobError::new("backendError", message)]);
        }
        _ => {}
    }
    let work = Work {
        bigquery: Arc::clone(bigquery),
        job,
        stop: stop.clone(),
    };
    let result = match work.job.kind {
        Kind::Load => load::run(work).await,
        Kind::Copy => copy::run(work).await,
        Kind::Extract => extract::run(work).await,
        Kind::Query => select::run(work).await,
    };
    if let Some(timer) = timer {
        timer.abort();
    }
    result.map_err(|mut errors| {
        if let Some(first) = errors.first_mut()
            && first.reason == "stopped"
        {
            *first = stopped(stop);
        }
        errors
    })
}

fn stopped(stop: &Stop) -> JobError {
    let why = stop.reason().unwrap_or_default();
    JobError::new("stopped", format!("Job execution was cancelled: {why}"))
}

/// A job and what it needs.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) bigquery: Arc<Bigquery>,
    pub(super) job: Arc<Job>,
    pub(super) stop: Stop,
}

impl Work {
    /// Writes down what will have been done, the moment before a table changes.
    pub(super) fn prepare(&self, done: Done) {
        self.bigquery
            .jobs
            .update(&self.job.key(), |job| job.prepared = Some(done));
    }

    /// Does what may wait for the disk.
    pub(super) async fn blocking<T: Send + 'static>(
        self,
        work: impl FnOnce(&Self) -> Result<T, Vec<JobError>> + Send + 'static,
    ) -> Result<T, Vec<JobError>> {
        tokio::task::spawn_blocking(move || work(&self))
            .await
            .unwrap_or_else(|error| Err(vec![JobError::new("jobInternalError", error.to_string())]))
    }
}

/// A refusal of a configuration that was taken before: it cannot be read any more.
pub(super) fn refused(refusal: Refusal) -> Vec<JobError> {
    vec![JobError {
        reason: refusal.reason,
        location: refusal.location,
        message: refusal.message,
    }]
}
