//! One job from its start to its end.

use std::fs;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::Value;
use tokio::sync::watch;

use super::engine::{Ask, Inner};
use super::job::{Job, Phase, RunIf, Task, Work};
use super::program::{Found, ProgramError, ProgramRun};
use crate::faults::FaultKind;
use crate::services::dataproc::driver;
use crate::services::streaming;

/// Of a job's time, this part goes by before it runs, in two steps, and before it has stopped.
const STEP: u32 = 10;

/// Puts a job that was under way when the sandbox ended at its beginning.
pub(super) fn again(job: &mut Job, now: DateTime<Utc>) {
    for task in &mut job.tasks {
        if !task.phase.ended() {
            task.phase = Phase::Queued;
            task.started = None;
        }
    }
    job.progress = 0.0;
    job.say(
        "the sandbox was started anew; what had not ended runs again from its beginning",
        false,
        now,
    );
}

/// Runs the job `key` until it has ended.
pub(super) async fn run(inner: Arc<Inner>, key: String, mut asked: watch::Receiver<Ask>) {
    let Some(job) = inner.shelf.get(&key) else {
        return;
    };
    let mut stopped = asked.clone();
    let cancelled = async {
        if job.phase != Phase::Stopping
            && stopped.wait_for(|ask| *ask == Ask::Cancel).await.is_err()
        {
            std::future::pending::<()>().await;
        }
    };
    let end = tokio::select! {
        biased;
        () = cancelled => {
            tokio::time::sleep(inner.time / STEP).await;
            (Phase::Cancelled, None)
        }
        end = to_its_end(&inner, &key, &job, &mut asked) => end,
    };
    log(&inner, &key, end.1.clone()).await;
    inner.update(&key, |job, now| {
        let (phase, message) = end;
        if let Some(message) = &message {
            job.say(message.clone(), true, now);
        }
        if phase == Phase::Succeeded {
            job.progress = 1.0;
        }
        if job.go(phase, now) {
            job.message = message;
        } else {
            // It was asked to stop in the very moment in which it ended.
            job.go(Phase::Cancelled, now);
        }
    });
    if job.streaming {
        inner.beside.streams.ended(&inner.beside.pubsub, &key);
    }
}

/// Writes the log where the service keeps it, before anybody sees that the job has ended.
async fn log(inner: &Arc<Inner>, key: &str, message: Option<String>) {
    if !driver::has_log(key) {
        return;
    }
    let (inner, key) = (Arc::clone(inner), key.to_owned());
    let written = tokio::task::spawn_blocking(move || {
        if let Some(job) = inner.shelf.get(&key) {
            let now = (inner.clock)();
            driver::write(&inner.beside, &key, message.as_deref(), &job, now);
        }
    });
    if let Err(error) = written.await {
        tracing::warn!("a job's log cannot be written: {error}");
    }
}

async fn to_its_end(
    inner: &Arc<Inner>,
    key: &str,
    job: &Job,
    asked: &mut watch::Receiver<Ask>,
) -> (Phase, Option<String>) {
    for phase in [Phase::Pending, Phase::Running] {
        tokio::time::sleep(inner.time / STEP).await;
        inner.update(key, |job, now| {
            job.go(phase, now);
        });
    }
    match &job.fault {
        Some(FaultKind::JobFails { message }) => {
            inner.update(key, |job, now| begin(job, message, now));
            tokio::time::sleep(inner.time / 2).await;
            return (Phase::Failed, Some(message.clone()));
        }
        Some(FaultKind::JobStuck) => std::future::pending().await,
        _ => {}
    }
    let rest = tokio::time::sleep(inner.time * (STEP - 2) / STEP);
    futures_util::future::join(rest, tasks(inner, key, asked)).await;
    let Some(job) = inner.shelf.get(key) else {
        return (Phase::Cancelled, None);
    };
    let (phase, message) = job.verdict();
    if !job.streaming || phase != Phase::Succeeded {
        return (phase, message);
    }
    if job.phase != Phase::Draining && asked.wait_for(|ask| *ask != Ask::Nothing).await.is_err() {
        std::future::pending::<()>().await;
    }
    (Phase::Drained, None)
}

/// Lets the first tasks look begun, for a job that a fault ends.
fn begin(job: &mut Job, message: &str, now: DateTime<Utc>) {
    for task in next(job, now) {
        if let Some(task) = job.tasks.iter_mut().find(|own| own.key == task.key) {
            task.message = Some(message.to_owned());
        }
    }
}

/// Runs the tasks of a job, each when those before it have ended.
async fn tasks(inner: &Arc<Inner>, key: &str, asked: &watch::Receiver<Ask>) {
    let mut under_way = FuturesUnordered::new();
    loop {
        let mut ready = Vec::new();
        inner.update(key, |job, now| ready = next(job, now));
        for task in ready {
            let run = ProgramRun {
                inner: Arc::clone(inner),
                job: key.to_owned(),
                task: task.key.clone(),
                program: String::new(),
                parameters: task.parameters.clone(),
                asked: asked.clone(),
            };
            under_way.push(one(run, task.work));
        }
        let Some((task, result)) = under_way.next().await else {
            return;
        };
        inner.update(key, |job, now| finish(job, &task, result, now));
    }
}

/// Marks the tasks whose turn it is, and those whose turn will never come.
fn next(job: &mut Job, now: DateTime<Utc>) -> Vec<Task> {
    let mut ready = Vec::new();
    loop {
        let phases: Vec<(String, Phase)> = job
            .tasks
            .iter()
            .map(|task| (task.key.clone(), task.phase))
            .collect();
        let mut skipped = false;
        for task in &mut job.tasks {
            let needs: Vec<Phase> = phases
                .iter()
                .filter(|(key, _)| task.needs.contains(key))
                .map(|(_, phase)| *phase)
                .collect();
            if task.phase != Phase::Queued || !needs.iter().all(|phase| phase.ended()) {
                continue;
            }
            if needs.is_empty() || holds(task.run_if, &needs) {
                task.phase = Phase::Running;
                task.started = Some(now);
                ready.push(task.clone());
            } else {
                task.phase = Phase::Skipped;
                task.ended = Some(now);
                skipped = true;
            }
        }
        if !skipped {
            return ready;
        }
    }
}

fn holds(rule: RunIf, needs: &[Phase]) -> bool {
    let good = |phase: &Phase| *phase == Phase::Succeeded;
    let bad = |phase: &Phase| *phase == Phase::Failed;
    match rule {
        RunIf::AllSuccess => needs.iter().all(good),
        RunIf::AllDone => true,
        RunIf::NoneFailed => !needs.iter().any(bad),
        RunIf::AtLeastOneSuccess => needs.iter().any(good),
        RunIf::AllFailed => needs.iter().all(bad),
        RunIf::AtLeastOneFailed => needs.iter().any(bad),
    }
}

fn finish(job: &mut Job, key: &str, result: Result<Value, ProgramError>, now: DateTime<Utc>) {
    let Some(task) = job.tasks.iter_mut().find(|task| task.key == key) else {
        return;
    };
    task.ended = Some(now);
    match result {
        Ok(value) => {
            task.phase = Phase::Succeeded;
            task.result = value;
        }
        Err(error) => {
            task.phase = Phase::Failed;
            task.message = Some(error.0);
        }
    }
    let ended = job.tasks.iter().filter(|task| task.phase.ended()).count();
    let part = ended as f64 / job.tasks.len() as f64;
    job.progress = job.progress.max(part);
}

async fn one(mut run: ProgramRun, work: Work) -> (String, Result<Value, ProgramError>) {
    let task = run.task.clone();
    let running = async move {
        match work {
            Work::Nothing => Ok(Value::Null),
            Work::Sql(text) => run.sql(text).await,
            Work::Program(name) => {
                let found = run.inner.programs.find(&name)?;
                run.program = name;
                match found {
                    Found::Code(program, _) => program.run(run).await,
                    Found::Stream(file) => streaming::run(run, file).await,
                    Found::File(path) => {
                        let text = fs::read_to_string(&path).map_err(|error| {
                            ProgramError(format!("{} cannot be read: {error}", path.display()))
                        })?;
                        run.sql(text).await
                    }
                }
            }
        }
    };
    let result = AssertUnwindSafe(running)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(ProgramError("the program panicked".into())));
    (task, result)
}
