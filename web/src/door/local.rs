//! The door to a scheduler of this process.

use std::time::Duration;

use axum::body::Body;
use futures_util::stream;
use tidemill_core::operator::BoxFuture;
use tidemill_core::protocol::{InstanceRef, LogPlace, RunNo};
use tidemill_logs::{Form, Found, LogError, Page, Search, Wanted};
use tidemill_scheduler::engine::{Changed, Fleet, Held, PoolView, Why};
use tidemill_scheduler::gateway::{
    ConnectionBody, ConnectionView, Gate, Problem, RevealReply, VariableBody, VariableView,
};
use tidemill_scheduler::lead::NotLeading;
use tokio::time::timeout;

use super::{Asked, Door, DoorError, Tail};

/// How long a command's answer is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// The door to a scheduler of this process.
#[derive(Debug, Clone)]
pub struct LocalDoor {
    gate: Gate,
}

impl LocalDoor {
    /// Through this gate.
    #[must_use]
    pub const fn new(gate: Gate) -> Self {
        Self { gate }
    }
}

fn away(_: NotLeading) -> DoorError {
    DoorError::Away(
        "the scheduler does not lead at the moment; try again in a few seconds".to_owned(),
    )
}

fn told(problem: Problem) -> DoorError {
    DoorError::of_status(problem.status, problem.detail)
}

fn unreadable(error: LogError) -> DoorError {
    let mut says = error.to_string();
    if let Some(cause) = std::error::Error::source(&error) {
        says = format!("{says}: {cause}");
    }
    DoorError::Away(says)
}

impl Door for LocalDoor {
    fn ask(&self, asked: Asked) -> BoxFuture<'_, Result<Changed, DoorError>> {
        Box::pin(async move {
            let process = self.gate.process();
            // Asked before, because later it is open whether anything was done.
            process.inbox().map_err(away)?;
            let Asked {
                by,
                seen,
                dry_run,
                command,
            } = asked;
            let open = |why: &str| {
                if dry_run {
                    return DoorError::Away(why.to_owned());
                }
                let rest = "whether this was carried out is open: look before you do it again";
                DoorError::Open(format!("{why}; {rest}"))
            };
            let answer = timeout(ANSWER_WITHIN, process.ask(&by, seen, dry_run, command));
            let answer = answer.await;
            let answer = answer.map_err(|_| open("the scheduler did not answer in time"))?;
            let answer = answer.map_err(|_| open("the scheduler ceased to lead"))?;
            answer.map_err(DoorError::from)
        })
    }

    fn why(&self, of: InstanceRef) -> BoxFuture<'_, Result<Option<Why>, DoorError>> {
        Box::pin(async move {
            let seen = self.gate.process().look(move |engine| engine.why(of));
            seen.await.map_err(away)
        })
    }

    fn why_run(&self, run: RunNo) -> BoxFuture<'_, Result<Option<Vec<Held>>, DoorError>> {
        Box::pin(async move {
            let seen = self.gate.process().look(move |engine| engine.why_run(run));
            seen.await.map_err(away)
        })
    }

    fn fleet(&self) -> BoxFuture<'_, Result<Fleet, DoorError>> {
        Box::pin(async move {
            let seen = self.gate.process().look(|engine| engine.fleet());
            seen.await.map_err(away)
        })
    }

    fn pools(&self) -> BoxFuture<'_, Result<Vec<PoolView>, DoorError>> {
        Box::pin(async move {
            let seen = self.gate.process().look(|engine| engine.pools());
            seen.await.map_err(away)
        })
    }

    fn variables(&self) -> BoxFuture<'_, Result<Vec<VariableView>, DoorError>> {
        Box::pin(async move { self.gate.variables().await.map_err(told) })
    }

    fn reveal<'a>(
        &'a self,
        name: &'a str,
        by: &'a str,
    ) -> BoxFuture<'a, Result<RevealReply, DoorError>> {
        Box::pin(async move { self.gate.reveal_variable(name, by).await.map_err(told) })
    }

    fn set_variable<'a>(
        &'a self,
        name: &'a str,
        body: VariableBody,
    ) -> BoxFuture<'a, Result<Changed, DoorError>> {
        Box::pin(async move { self.gate.set_variable(name, &body).await.map_err(told) })
    }

    fn connections(&self) -> BoxFuture<'_, Result<Vec<ConnectionView>, DoorError>> {
        Box::pin(async move { self.gate.connections().await.map_err(told) })
    }

    fn set_connection<'a>(
        &'a self,
        name: &'a str,
        body: ConnectionBody,
    ) -> BoxFuture<'a, Result<Changed, DoorError>> {
        Box::pin(async move { self.gate.set_connection(name, &body).await.map_err(told) })
    }

    fn log<'a>(
        &'a self,
        of: &'a LogPlace,
        wanted: Wanted,
    ) -> BoxFuture<'a, Result<Page, DoorError>> {
        Box::pin(async move { self.gate.logs().read(of, wanted).await.map_err(unreadable) })
    }

    fn search<'a>(
        &'a self,
        of: &'a LogPlace,
        search: Search,
    ) -> BoxFuture<'a, Result<Found, DoorError>> {
        Box::pin(async move {
            self.gate
                .logs()
                .search(of, search)
                .await
                .map_err(unreadable)
        })
    }

    fn download<'a>(&'a self, of: &'a LogPlace) -> BoxFuture<'a, Result<Body, DoorError>> {
        let body = Body::from_stream(self.gate.logs().download(of, Form::Text));
        Box::pin(async move { Ok(body) })
    }

    fn tail(&self, of: &LogPlace, after: u64) -> Tail {
        let tail = self.gate.logs().tail(of, after);
        Box::pin(stream::unfold(tail, |mut tail| async move {
            let next = tail.next().await.map_err(unreadable).transpose()?;
            Some((next, tail))
        }))
    }
}
