//! One attempt: its work, a look at what it waits for, or the release of that. As a worker does it.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde_json::Value;
use tidemill_core::operator::{AnyTask, Host as _, Outcome, TaskContext, TaskError, TaskResult};
use tidemill_core::protocol::{Duty, Report};
use tidemill_core::span;

use super::host::FakeHost;

/// How long work that was told to stop may take to stop by itself.
const STOP_GRACE: Duration = span::seconds(2);

/// How long to wait before releasing is tried again.
const RELEASE_AGAIN: Duration = span::seconds(1);

/// What came of it.
pub(super) enum Did {
    Report(Report),
    Waits {
        handle: Value,
        wait: Duration,
        why: String,
    },
    /// It could not be seen how what it waits for stands.
    Blind(TaskError),
}

/// A task that is ready to run.
pub(super) struct Ready {
    pub(super) task: Box<dyn AnyTask>,
    pub(super) ctx: TaskContext,
    pub(super) host: Arc<FakeHost>,
}

impl Ready {
    /// The work itself. A panic of the task is its failure.
    pub(super) async fn act(&self, handle: Option<Value>) -> TaskResult<Outcome> {
        let doing = async {
            match handle {
                Some(handle) => self.task.resume(&self.ctx, handle).await,
                None => self.task.run(&self.ctx).await,
            }
        };
        let mut doing = pin!(doing);
        let polled = |cx: &mut std::task::Context<'_>| {
            let polled = catch_unwind(AssertUnwindSafe(|| doing.as_mut().poll(cx)));
            polled.unwrap_or_else(|panic| Poll::Ready(Err(panicked(&*panic))))
        };
        poll_fn(polled).await
    }

    pub(super) async fn carry_out(self, duty: Duty, handle: Option<Value>) -> Did {
        if duty == Duty::Release {
            return self.let_go(handle).await;
        }
        let outcome = {
            let acting = self.act(handle.clone());
            self.until_stopped(acting).await
        };
        match outcome {
            Some(Err(error)) if duty == Duty::Watch && !self.host.is_cancelled() => {
                Did::Blind(error)
            }
            Some(outcome) if !self.host.is_cancelled() => self.did(outcome),
            Some(Ok(Outcome::Deferred { handle, .. })) => self.let_go(Some(handle)).await,
            _ => self.let_go(handle).await,
        }
    }

    /// What is told to stop has a moment to do so; after that it is dropped.
    async fn until_stopped(
        &self,
        acting: impl Future<Output = TaskResult<Outcome>>,
    ) -> Option<TaskResult<Outcome>> {
        let mut acting = pin!(acting);
        let mut grace = None;
        poll_fn(|cx| {
            if let Poll::Ready(outcome) = acting.as_mut().poll(cx) {
                return Poll::Ready(Some(outcome));
            }
            if !self.host.is_cancelled() {
                return Poll::Pending;
            }
            let grace = grace.get_or_insert_with(|| Box::pin(self.host.alarm(STOP_GRACE)));
            grace.as_mut().poll(cx).map(|()| None)
        })
        .await
    }

    /// Cancels what the handle stands for, however often it takes.
    async fn let_go(&self, handle: Option<Value>) -> Did {
        while let Err(error) = self.task.cancel(&self.ctx, handle.clone()).await {
            self.ctx
                .warn(format!("cannot cancel what it started: {error}"));
            self.host.alarm(RELEASE_AGAIN).await;
        }
        Did::Report(Report::Stopped)
    }

    fn did(&self, outcome: TaskResult<Outcome>) -> Did {
        let loads = || self.host.seen(|seen| std::mem::take(&mut seen.loads));
        let checks = || self.host.seen(|seen| std::mem::take(&mut seen.checks));
        let failed = |error, job_ended| Report::Failed {
            error: Box::new(error),
            job_ended,
            loads: loads(),
            checks: checks(),
        };
        Did::Report(match outcome {
            Ok(Outcome::Done(output)) => Report::Done {
                output: (!output.is_null()).then(|| output.to_string().into()),
                loads: loads(),
                checks: checks(),
            },
            Ok(Outcome::Skipped { why }) => Report::Skipped { why: why.into() },
            Ok(Outcome::Failed(error)) => failed(error, true),
            Ok(Outcome::Deferred { handle, wait, why }) => {
                return Did::Waits { handle, wait, why };
            }
            Err(error) => failed(error, false),
        })
    }
}

pub(super) fn panicked(panic: &(dyn Any + Send)) -> TaskError {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    TaskError::permanent(format!(
        "the task panicked: {}",
        text.unwrap_or_else(|| "without a message".to_owned())
    ))
}
