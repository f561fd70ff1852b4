//! One attempt: its work, a look at what it waits for, or the release of that.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::Value;
use tidemill_core::crash;
use tidemill_core::operator::{
    AnyTask, Host as _, Level, Outcome, TaskContext, TaskError, TaskResult,
};
use tidemill_core::protocol::{AttemptRef, Duty, Report};
use tidemill_core::wire::{OUTPUT_BYTES_MAX, Order};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::Isolation;
use crate::host::{Stopping, WorkerHost};
use crate::order::{Ready, Unready, prepare};
use crate::project::Project;
use crate::session::Event;

/// Work that is over sooner does not say that it began: its end says so, and costs one commit less.
const SAY_STARTED_AFTER: Duration = Duration::from_millis(5);

/// How long work that was told to stop may take to stop by itself.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// How long to wait before releasing is tried again; doubled up to the last.
const RELEASE_AGAIN: Duration = Duration::from_secs(1);
const RELEASE_AGAIN_MAX: Duration = Duration::from_secs(300);

/// What an attempt is run with.
pub(crate) struct Run {
    pub(crate) order: Arc<Order>,
    pub(crate) project: Arc<Project>,
    pub(crate) host: Arc<WorkerHost>,
    pub(crate) stopping: Stopping,
    pub(crate) runtime: Handle,
    pub(crate) isolation: Arc<Isolation>,
}

/// What came of work that may wait for something outside.
enum Came {
    Report(Report),
    Waits {
        handle: Value,
        wait: Duration,
        why: String,
    },
    /// It could not be seen how what it waits for stands.
    Blind(TaskError),
}

impl Run {
    fn attempt(&self) -> AttemptRef {
        self.order.assignment.attempt
    }

    fn tell(&self, event: Event) {
        // The session ends only with its process.
        let _ = self.host.session.send(event);
    }

    fn report(&self, report: Report) {
        let attempt = self.attempt();
        self.tell(Event::Report { attempt, report });
    }

    async fn prepare(&self) -> Result<Ready, Unready> {
        let preparing = prepare(
            &self.project,
            &self.order,
            Arc::clone(&self.host),
            &self.isolation,
        );
        // Making a task runs code of its author, too.
        let prepared = AssertUnwindSafe(preparing).catch_unwind().await;
        prepared.unwrap_or_else(|panic| Err(Unready::Failed(panicked(&*panic))))
    }

    /// Runs the attempt, or goes on with what an earlier one of the same launch waited for.
    pub(crate) async fn work(self) {
        let ready = match self.prepare().await {
            Ok(ready) => ready,
            Err(unready) => return self.report(unready.report()),
        };
        let handle = self.order.assignment.handle.as_deref().and_then(parsed);
        let blocking = ready.blocking;
        let (task, ctx) = (Arc::<dyn AnyTask>::from(ready.task), ready.ctx);
        let doing = act(Arc::clone(&task), ctx.clone(), handle.clone());
        let mut doing = Box::pin(on_thread_if(blocking, &self.runtime, doing));
        let outcome = tokio::select! {
            biased;
            outcome = &mut doing => Some(outcome),
            () = sleep(SAY_STARTED_AFTER) => {
                self.report(Report::Started);
                tokio::select! {
                    biased;
                    outcome = &mut doing => Some(outcome),
                    () = self.stopping.clone().told() => None,
                }
            }
        };
        match outcome {
            Some(outcome) if !self.stopping.is_told() => {
                crash::here("worker_effect_done");
                self.came(came(outcome));
            }
            Some(outcome) => self.let_go(&*task, &ctx, left(outcome).or(handle)).await,
            None => {
                let ended = if blocking {
                    // A thread cannot be ended from outside: nothing is over before it is.
                    Some(doing.await)
                } else {
                    timeout(STOP_GRACE, &mut doing).await.ok()
                };
                let left = ended.and_then(left).or(handle);
                self.let_go(&*task, &ctx, left).await;
            }
        }
    }

    /// Looks how what it waits for stands.
    pub(crate) async fn look(self, handle: Arc<str>) {
        let ready = match self.prepare().await {
            Ok(ready) => ready,
            Err(Unready::Refused(why)) => {
                warn!(attempt = %self.attempt().attempt, "cannot look: {why}");
                return self.report(Report::HandedOver);
            }
            Err(Unready::Failed(error)) => return self.came(Came::Blind(error)),
        };
        let known = parsed(&handle);
        let (task, ctx) = (Arc::<dyn AnyTask>::from(ready.task), ready.ctx);
        let looking = act(
            Arc::clone(&task),
            ctx.clone(),
            Some(known.clone().unwrap_or(Value::Null)),
        );
        let looking = on_thread_if(ready.blocking, &self.runtime, looking);
        let outcome = tokio::select! {
            biased;
            () = self.stopping.clone().told() => None,
            outcome = looking => Some(outcome),
        };
        match outcome {
            Some(Err(error)) => self.came(Came::Blind(error)),
            Some(outcome) if !self.stopping.is_told() => self.came(came(outcome)),
            Some(outcome) => self.let_go(&*task, &ctx, left(outcome).or(known)).await,
            None => self.let_go(&*task, &ctx, known).await,
        }
    }

    /// Cancels what the attempt may have started outside.
    pub(crate) async fn release(self, handle: Option<Arc<str>>) {
        let mut pause = RELEASE_AGAIN;
        let ready = loop {
            match self.prepare().await {
                Ok(ready) => break ready,
                Err(Unready::Refused(why)) => {
                    return self.report(Report::Refused { why: why.into() });
                }
                Err(Unready::Failed(error)) => pause = self.stuck(&error, pause).await,
            }
        };
        let handle = handle.as_deref().and_then(parsed);
        self.let_go(&*ready.task, &ready.ctx, handle).await;
    }

    /// Cancels what the handle stands for, however often it takes, and says that nothing is left.
    async fn let_go(&self, task: &dyn AnyTask, ctx: &TaskContext, handle: Option<Value>) {
        let mut pause = RELEASE_AGAIN;
        loop {
            // Between being told and being ended there is a moment in which this could begin on another thread.
            if self.stopping.leaves() {
                return;
            }
            let cancelling = AssertUnwindSafe(task.cancel(ctx, handle.clone())).catch_unwind();
            match cancelling
                .await
                .unwrap_or_else(|panic| Err(panicked(&*panic)))
            {
                Ok(()) => return self.report(Report::Stopped),
                Err(error) => pause = self.stuck(&error, pause).await,
            }
        }
    }

    /// Says what stands in the way, to the scheduler and in the attempt's log, and waits until it is tried again. Returns
    /// how long to wait after that. There is no end to it: what runs outside may be alive, and nothing else of the
    /// instance may begin before it is known not to be.
    async fn stuck(&self, error: &TaskError, pause: Duration) -> Duration {
        let attempt = self.attempt();
        let again = pause.max(error.retry_after.unwrap_or_default());
        let seconds = again.as_secs();
        warn!(attempt = %attempt.attempt, "cannot cancel what it started: {error}; trying again in {seconds} s");
        let line = format!("cannot cancel what it started: {error}; trying again in {seconds} s");
        self.host.log(Level::Warn, &line);
        self.tell(Event::Stuck {
            attempt,
            why: error.to_string().into(),
            again,
        });
        sleep(again).await;
        (pause * 2).min(RELEASE_AGAIN_MAX)
    }

    fn came(&self, came: Came) {
        let attempt = self.attempt();
        self.tell(match came {
            Came::Report(mut report) => {
                if let Report::Failed { error, .. } = &report {
                    self.host.log(Level::Error, &error.to_string());
                }
                if let Report::Done { loads, checks, .. } | Report::Failed { loads, checks, .. } =
                    &mut report
                {
                    *loads = self.host.take_loads();
                    *checks = self.host.take_checks();
                }
                Event::Report { attempt, report }
            }
            Came::Waits { handle, wait, why } => Event::Waits {
                attempt,
                handle: handle.to_string().into(),
                wait,
                why: why.into(),
            },
            Came::Blind(error) => Event::Blind { attempt, error },
        });
    }
}

/// Starts what an order says.
pub(crate) async fn carry_out(run: Run) {
    match run.order.assignment.duty {
        Duty::Run => run.work().await,
        Duty::Watch => {
            let handle = run.order.assignment.handle.clone();
            run.look(handle.unwrap_or_else(|| "null".into())).await;
        }
        Duty::Release => {
            let handle = run.order.assignment.handle.clone();
            run.release(handle).await;
        }
    }
}

type Outcomes = TaskResult<Outcome>;

async fn act(task: Arc<dyn AnyTask>, ctx: TaskContext, handle: Option<Value>) -> Outcomes {
    let doing = async {
        match handle {
            Some(handle) => task.resume(&ctx, handle).await,
            None => task.run(&ctx).await,
        }
    };
    let outcome = AssertUnwindSafe(doing).catch_unwind().await;
    outcome.unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// What blocks its thread gets one of its own.
async fn on_thread_if(
    blocking: bool,
    runtime: &Handle,
    doing: impl Future<Output = Outcomes> + Send + 'static,
) -> Outcomes {
    if !blocking {
        return doing.await;
    }
    let (say, done) = oneshot::channel();
    let runtime = runtime.clone();
    let started = std::thread::Builder::new()
        .name("tidemill-task".to_owned())
        .spawn(move || {
            let _ = say.send(runtime.block_on(doing));
        });
    if let Err(error) = started {
        return Err(TaskError::transient(format!(
            "the system gives it no thread: {error}"
        )));
    }
    done.await
        .unwrap_or_else(|_| Err(TaskError::lost("its thread ended without a result")))
}

fn came(outcome: Outcomes) -> Came {
    Came::Report(match outcome {
        Ok(Outcome::Done(output)) => match written(&output) {
            Ok(output) => Report::Done {
                output,
                loads: Vec::new(),
                checks: Vec::new(),
            },
            Err(error) => Report::failed(error),
        },
        Ok(Outcome::Skipped { why }) => Report::Skipped { why: why.into() },
        Ok(Outcome::Failed(error)) => Report::Failed {
            error: Box::new(error),
            job_ended: true,
            loads: Vec::new(),
            checks: Vec::new(),
        },
        Ok(Outcome::Deferred { handle, wait, why }) => return Came::Waits { handle, wait, why },
        Err(error) => Report::failed(error),
    })
}

/// What is left outside after work that was told to stop.
fn left(outcome: Outcomes) -> Option<Value> {
    match outcome {
        Ok(Outcome::Deferred { handle, .. }) => Some(handle),
        _ => None,
    }
}

fn written(output: &Value) -> TaskResult<Option<Arc<str>>> {
    if output.is_null() {
        return Ok(None);
    }
    let text = output.to_string();
    if text.len() > OUTPUT_BYTES_MAX {
        let error = TaskError::permanent(format!(
            "it returned {} bytes; a task returns at most {OUTPUT_BYTES_MAX}",
            text.len()
        ));
        return Err(error.help("write large data to storage, and return where it is"));
    }
    Ok(Some(text.into()))
}

fn parsed(handle: &str) -> Option<Value> {
    serde_json::from_str(handle).ok()
}

pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> TaskError {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_else(|| "without a message".to_owned());
    TaskError::permanent(format!("the task panicked: {text}"))
}
