//! The jobs that there are: starting, looking, stopping.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::job::{Job, Phase, Task};
use super::program::Programs;
use super::{Beside, JobSettings};
use super::{noted, run};
use crate::faults::FaultKind;
use crate::shelf::Shelf;
use crate::state::Clock;

/// What a running job is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Nothing,
    Drain,
    Cancel,
}

/// What the jobs that run share.
pub(super) struct Inner {
    pub(super) shelf: Shelf<Job>,
    pub(super) programs: Programs,
    pub(super) clock: Clock,
    pub(super) time: Duration,
    pub(super) beside: Arc<Beside>,
    /// Changes whenever a job does.
    changes: watch::Sender<u64>,
}

/// A job that is under way: how to ask it, and what to wait for.
type Running = (watch::Sender<Ask>, JoinHandle<()>);

/// All jobs of all services, by keys such as `dataproc/projects/p/regions/r/jobs/j`.
pub(crate) struct Jobs {
    inner: Arc<Inner>,
    /// Those that are under way.
    running: Mutex<HashMap<String, Running>>,
    next: Mutex<u64>,
    /// Held by a service that looks for a job before it starts one.
    alone: Mutex<()>,
}

/// What a service wants to have run.
pub(crate) struct NewJob {
    pub(crate) key: String,
    /// See [`Jobs::number`].
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tasks: Vec<Task>,
    pub(crate) body: Value,
    pub(crate) streaming: bool,
    pub(crate) fault: Option<FaultKind>,
}

impl NewJob {
    fn written(self, now: DateTime<Utc>) -> Job {
        Job {
            number: self.number,
            id: self.id,
            name: self.name,
            tasks: self.tasks,
            body: self.body,
            streaming: self.streaming,
            fault: self.fault,
            phase: Phase::Queued,
            created: now,
            started: None,
            ended: None,
            history: vec![(Phase::Queued, now)],
            progress: 0.0,
            log: Vec::new(),
            lines: 0,
            message: None,
        }
    }
}

impl Inner {
    /// Changes a job that is there.
    pub(super) fn update(&self, key: &str, change: impl FnOnce(&mut Job, DateTime<Utc>)) {
        let now = (self.clock)();
        let done = self.shelf.change(key, |job| {
            let before = job.map(|job| job.phase);
            let changed = job.map(|job| {
                let mut job = Job::clone(job);
                change(&mut job, now);
                job
            });
            Ok::<_, io::Error>((changed, before))
        });
        match done {
            Ok((Some(job), before)) if before != Some(job.phase) => noted::phase(self, key, &job),
            Ok(_) => {}
            Err(error) => tracing::warn!("the job {key} cannot be written: {error}"),
        }
        self.changes.send_modify(|count| *count += 1);
    }
}

impl Jobs {
    /// Opens the file, and runs what was under way again.
    pub(crate) fn open(
        path: &Path,
        settings: &JobSettings,
        clock: Clock,
        beside: Arc<Beside>,
    ) -> io::Result<Self> {
        let shelf = Shelf::<Job>::open(path)?;
        let all = shelf.under("");
        let last = all
            .iter()
            .map(|(_, job)| job.number + job.tasks.len() as u64);
        // Numbers of jobs that were deleted are not given again.
        let floor = u64::try_from(clock().timestamp_millis()).unwrap_or(0) * 1_000;
        let next = last.max().unwrap_or(0).max(floor) + 1;
        let jobs = Self {
            inner: Arc::new(Inner {
                shelf,
                programs: settings.programs.clone(),
                clock,
                time: settings.time,
                beside,
                changes: watch::Sender::new(0),
            }),
            running: Mutex::default(),
            next: Mutex::new(next),
            alone: Mutex::new(()),
        };
        for (key, job) in all {
            if job.active() {
                jobs.inner.update(&key, run::again);
                jobs.spawn(&key);
            }
        }
        Ok(jobs)
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.inner.programs
    }

    /// Keeps others from starting jobs while this is held.
    pub(crate) fn alone(&self) -> MutexGuard<'_, ()> {
        self.alone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that no job had, with `more` after it.
    pub(crate) fn number(&self, more: usize) -> u64 {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let number = *next;
        *next += 1 + more as u64;
        number
    }

    /// Writes a job down and starts it. One that was there under the key is replaced: look first.
    pub(crate) fn start(&self, new: NewJob) -> io::Result<Arc<Job>> {
        let key = new.key.clone();
        let vanishes = matches!(new.fault, Some(FaultKind::JobVanishes));
        let job = new.written((self.inner.clock)());
        // It is answered once, and nobody finds it again.
        if vanishes {
            return Ok(Arc::new(job));
        }
        let job = self.inner.shelf.put(&key, job)?;
        self.spawn(&key);
        Ok(job)
    }

    /// Writes down a job that will not run.
    pub(crate) fn skip(&self, new: NewJob, why: &str) -> io::Result<Arc<Job>> {
        let now = (self.inner.clock)();
        let key = new.key.clone();
        let mut job = new.written(now);
        job.message = Some(why.to_owned());
        job.go(Phase::Skipped, now);
        self.inner.shelf.put(&key, job)
    }

    fn spawn(&self, key: &str) {
        let drains = self
            .get(key)
            .is_some_and(|job| job.phase == Phase::Draining);
        let (ask, asked) = watch::channel(if drains { Ask::Drain } else { Ask::Nothing });
        let task = tokio::spawn(run::run(Arc::clone(&self.inner), key.to_owned(), asked));
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, (_, task)| !task.is_finished());
        if let Some((_, old)) = running.insert(key.to_owned(), (ask, task)) {
            old.abort();
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Arc<Job>> {
        self.inner.shelf.get(key)
    }

    /// Jobs whose keys begin with `prefix`.
    pub(crate) fn under(&self, prefix: &str) -> Vec<Arc<Job>> {
        self.keyed(prefix).into_iter().map(|(_, job)| job).collect()
    }

    /// The same with their keys.
    pub(crate) fn keyed(&self, prefix: &str) -> Vec<(String, Arc<Job>)> {
        self.inner.shelf.under(prefix)
    }

    /// Changes what the service keeps with a job.
    pub(crate) fn edit(&self, key: &str, change: impl FnOnce(&mut Job)) -> Option<Arc<Job>> {
        self.inner.update(key, |job, _| change(job));
        self.get(key)
    }

    /// Asks a job to stop at once. False: it has ended.
    pub(crate) fn cancel(&self, key: &str) -> bool {
        self.ask(key, Phase::Stopping, Ask::Cancel)
    }

    /// Asks a job to finish what it has begun. False: it has ended or is ending.
    pub(crate) fn drain(&self, key: &str) -> bool {
        self.ask(key, Phase::Draining, Ask::Drain)
    }

    fn ask(&self, key: &str, phase: Phase, what: Ask) -> bool {
        let mut went = false;
        self.inner.update(key, |job, now| went = job.go(phase, now));
        if went {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((ask, _)) = running.get(key) {
                ask.send_replace(what);
            }
        }
        went
    }

    /// Ends a job because another took its place.
    pub(crate) fn replace(&self, key: &str) {
        self.inner.update(key, |job, now| {
            job.go(Phase::Replaced, now);
        });
        self.end(key);
    }

    /// Forgets a job, and stops it if it runs.
    pub(crate) fn remove(&self, key: &str) -> io::Result<()> {
        self.end(key);
        self.inner.beside.streams.forget(key);
        self.inner.shelf.remove(key)
    }

    fn end(&self, key: &str) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, task)) = running.remove(key) {
            task.abort();
        }
    }

    /// Runs these tasks of a job that has ended once more, and those that depend on them.
    pub(crate) fn rerun(&self, key: &str, wanted: &BTreeSet<String>) {
        self.inner.update(key, |job, now| {
            let mut wanted = wanted.clone();
            loop {
                let more: Vec<String> = job
                    .tasks
                    .iter()
                    .filter(|task| !wanted.contains(&task.key))
                    .filter(|task| task.needs.iter().any(|need| wanted.contains(need)))
                    .map(|task| task.key.clone())
                    .collect();
                if more.is_empty() {
                    break;
                }
                wanted.extend(more);
            }
            for task in &mut job.tasks {
                if wanted.contains(&task.key) {
                    task.phase = Phase::Queued;
                    (task.started, task.ended, task.message) = (None, None, None);
                    task.result = Value::Null;
                }
            }
            // A job that ended leads nowhere; this is a new life of it.
            job.phase = Phase::Queued;
            job.history.push((Phase::Queued, now));
            (job.ended, job.message, job.fault, job.progress) = (None, None, None, 0.0);
        });
        self.spawn(key);
    }

    /// Waits until a job has ended, at most so long, and gives it.
    pub(crate) async fn ended(&self, key: &str, within: Duration) -> Option<Arc<Job>> {
        let mut changes = self.inner.changes.subscribe();
        let ended = async {
            loop {
                changes.mark_unchanged();
                if self.get(key).is_none_or(|job| !job.active()) || changes.changed().await.is_err()
                {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(within, ended).await;
        self.get(key)
    }

    /// Stops everything without a word in the jobs: they run again when the folder is opened.
    pub(crate) async fn stop(&self) {
        let running =
            std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        for (_, (_, task)) in running {
            task.abort();
            let _ = task.await;
        }
        self.inner.beside.streams.idle().await;
    }

    /// The services that jobs work with.
    pub(crate) fn beside(&self) -> &Beside {
        &self.inner.beside
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        let running = self
            .running
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        for (_, task) in running.values() {
            task.abort();
        }
    }
}
