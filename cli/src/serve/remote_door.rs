//! The web's way to the leader from a process of its own: whichever scheduler leads, over the network.

use std::sync::Arc;

use axum::body::Body;
use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidemill_core::id::check_name;
use tidemill_core::operator::{BoxFuture, Level};
use tidemill_core::protocol::{InstanceRef, LogPlace, RunNo};
use tidemill_logs::{Found, Page, Search, Start, Wanted};
use tidemill_scheduler::engine::{Changed, Fleet, Held, PoolView, Why};
use tidemill_scheduler::gateway::{
    CommandBody, CommandReply, ConnectionBody, ConnectionView, LogsQuery, Problem, RevealBody,
    RevealReply, VariableBody, VariableView,
};
use tidemill_web::{Asked, Door, DoorError, Tail};

use crate::output::{OPEN, Output};
use crate::remote::leader::{Leader, Request, Response};

/// How many lines of a log are fetched at once for a download and for who follows.
const LINES: usize = 5_000;

/// How long the scheduler waits for the next line before it answers without one.
const WAIT_SECONDS: u64 = 20;

/// The door to whichever scheduler leads.
pub(super) struct RemoteDoor {
    leader: Arc<Leader>,
}

impl RemoteDoor {
    /// By this way.
    pub(super) fn new(leader: Leader) -> Self {
        let leader = Arc::new(leader);
        Self { leader }
    }
}

/// Nobody answered.
fn silence(output: &Output) -> DoorError {
    let says = output.stderr.trim();
    let says = says.strip_prefix("error: ").unwrap_or(says).to_owned();
    if output.code == OPEN {
        DoorError::Open(says)
    } else {
        DoorError::Away(says)
    }
}

fn read<T: DeserializeOwned>(response: &Response, changes: bool) -> Result<T, DoorError> {
    let Response { status, body } = response;
    if status.is_success() {
        let says =
            "the scheduler is of another release and speaks of things that this one does not know";
        return serde_json::from_slice(body).map_err(|_| {
            if changes {
                DoorError::Open(says.to_owned())
            } else {
                DoorError::Away(says.to_owned())
            }
        });
    }
    let problem: Option<Problem> = serde_json::from_slice(body).ok();
    let says = problem.map_or_else(
        || format!("the scheduler answered with status {}", status.as_u16()),
        |problem| problem.detail,
    );
    Err(match status.as_u16() {
        // The web process itself has the wrong token: whoever looks at the page cannot mend it.
        401 | 403 => DoorError::Away(format!("the web process is not let in: {says}")),
        500.. if changes => DoorError::Open(says),
        500.. => DoorError::Away(says),
        status => DoorError::of_status(status, says),
    })
}

/// A name that can stand in a path.
fn checked(name: &str) -> Result<&str, DoorError> {
    let wrong = |error: tidemill_core::id::NameError| DoorError::Invalid(error.to_string());
    check_name(name).map_err(wrong)?;
    Ok(name)
}

/// Sends something, with whether it changes anything.
async fn send<T: DeserializeOwned>(
    leader: &Leader,
    (method, path, changes): (&Method, &str, bool),
    body: &impl Serialize,
) -> Result<T, DoorError> {
    let request = Request {
        method,
        path,
        changes,
        missing: 1,
    };
    let body = serde_json::to_string(body)
        .map_err(|_| DoorError::Invalid("it cannot be written as JSON".to_owned()))?;
    let answer = leader.exchange(request, Some(&body)).await;
    read(&answer.map_err(|output| silence(&output))?, changes)
}

async fn look<T: DeserializeOwned>(leader: &Leader, path: &str) -> Result<T, DoorError> {
    let request = Request {
        method: &Method::GET,
        path,
        changes: false,
        missing: 1,
    };
    let answer = leader.exchange(request, None).await;
    read(&answer.map_err(|output| silence(&output))?, false)
}

/// As [`look`], with none for what is not there.
async fn find<T: DeserializeOwned>(leader: &Leader, path: &str) -> Result<Option<T>, DoorError> {
    match look(leader, path).await {
        Ok(found) => Ok(Some(found)),
        Err(DoorError::Unknown(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The path of a log, with what is wanted of it.
fn log_path(end: &str, of: &LogPlace, wanted: LogsQuery) -> String {
    let query = LogsQuery {
        dag: of.dag.to_string(),
        run: of.run.to_string(),
        run_no: of.run_no.0,
        task: of.task.to_string(),
        index: Some(of.map_index),
        number: of.number,
        attempt: of.attempt.0,
        ..wanted
    };
    let fields = serde_json::to_value(query).unwrap_or_default();
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields.as_object().into_iter().flatten() {
        match value {
            Value::String(text) => form.append_pair(name, text),
            other => form.append_pair(name, &other.to_string()),
        };
    }
    format!("/api/v1/logs{end}?{}", form.finish())
}

fn page_path(of: &LogPlace, wanted: Wanted, wait: Option<u64>) -> String {
    let from = match wanted.start {
        Start::At(at) => at.to_string(),
        Start::Line(line) => format!("line-{line}"),
        Start::Trouble => "error".to_owned(),
    };
    let query = LogsQuery {
        from: Some(from),
        lines: Some(wanted.lines),
        level: Some(wanted.level),
        wait,
        ..LogsQuery::default()
    };
    log_path("", of, query)
}

/// The lines after one of them, some at a time; while the attempt is on, as they come if that is asked for.
fn follow(leader: Arc<Leader>, of: &LogPlace, after: u64, wait: bool) -> Tail {
    let of = of.clone();
    let state = Some(after);
    Box::pin(stream::unfold(
        (leader, of, state),
        move |(leader, of, state)| async move {
            let after = state?;
            let wanted = Wanted {
                start: Start::At(after),
                lines: LINES,
                level: Level::Debug,
            };
            loop {
                let path = page_path(&of, wanted, wait.then_some(WAIT_SECONDS));
                let page: Page = match look(&leader, &path).await {
                    Ok(page) => page,
                    Err(error) => return Some((Err(error), (leader, of, None))),
                };
                if let Some(last) = page.lines.last() {
                    let next = Some(last.number);
                    return Some((Ok(page.lines), (leader, of, next)));
                }
                if page.finished || !wait {
                    return None;
                }
            }
        },
    ))
}

impl Door for RemoteDoor {
    fn ask(&self, asked: Asked) -> BoxFuture<'_, Result<Changed, DoorError>> {
        Box::pin(async move {
            let changes = !asked.dry_run;
            let body = CommandBody {
                by: asked.by.to_string(),
                seen: asked.seen,
                dry_run: asked.dry_run,
                command: asked.command,
            };
            let how = (&Method::POST, "/api/v1/commands", changes);
            let reply: CommandReply = send(&self.leader, how, &body).await?;
            Ok(reply.changed)
        })
    }

    fn why(&self, of: InstanceRef) -> BoxFuture<'_, Result<Option<Why>, DoorError>> {
        Box::pin(async move {
            let InstanceRef {
                run,
                task,
                map_index,
            } = of;
            let path = format!("/api/v1/why?run={run}&task={task}&index={map_index}");
            find(&self.leader, &path).await
        })
    }

    fn why_run(&self, run: RunNo) -> BoxFuture<'_, Result<Option<Vec<Held>>, DoorError>> {
        Box::pin(async move { find(&self.leader, &format!("/api/v1/why?run={run}")).await })
    }

    fn fleet(&self) -> BoxFuture<'_, Result<Fleet, DoorError>> {
        Box::pin(async move { look(&self.leader, "/api/v1/fleet").await })
    }

    fn pools(&self) -> BoxFuture<'_, Result<Vec<PoolView>, DoorError>> {
        Box::pin(async move { look(&self.leader, "/api/v1/pools").await })
    }

    fn variables(&self) -> BoxFuture<'_, Result<Vec<VariableView>, DoorError>> {
        Box::pin(async move { look(&self.leader, "/api/v1/variables").await })
    }

    fn reveal<'a>(
        &'a self,
        name: &'a str,
        by: &'a str,
    ) -> BoxFuture<'a, Result<RevealReply, DoorError>> {
        Box::pin(async move {
            let path = format!("/api/v1/variables/{}/reveal", checked(name)?);
            let body = RevealBody { by: by.to_owned() };
            send(&self.leader, (&Method::POST, &path, false), &body).await
        })
    }

    fn set_variable<'a>(
        &'a self,
        name: &'a str,
        body: VariableBody,
    ) -> BoxFuture<'a, Result<Changed, DoorError>> {
        Box::pin(async move {
            let path = format!("/api/v1/variables/{}", checked(name)?);
            let how = (&Method::PUT, path.as_str(), !body.dry_run);
            let reply: CommandReply = send(&self.leader, how, &body).await?;
            Ok(reply.changed)
        })
    }

    fn connections(&self) -> BoxFuture<'_, Result<Vec<ConnectionView>, DoorError>> {
        Box::pin(async move { look(&self.leader, "/api/v1/connections").await })
    }

    fn set_connection<'a>(
        &'a self,
        name: &'a str,
        body: ConnectionBody,
    ) -> BoxFuture<'a, Result<Changed, DoorError>> {
        Box::pin(async move {
            let path = format!("/api/v1/connections/{}", checked(name)?);
            let how = (&Method::PUT, path.as_str(), !body.dry_run);
            let reply: CommandReply = send(&self.leader, how, &body).await?;
            Ok(reply.changed)
        })
    }

    fn log<'a>(
        &'a self,
        of: &'a LogPlace,
        wanted: Wanted,
    ) -> BoxFuture<'a, Result<Page, DoorError>> {
        Box::pin(async move { look(&self.leader, &page_path(of, wanted, None)).await })
    }

    fn search<'a>(
        &'a self,
        of: &'a LogPlace,
        search: Search,
    ) -> BoxFuture<'a, Result<Found, DoorError>> {
        let query = LogsQuery {
            from: Some(search.after.to_string()),
            lines: Some(search.hits),
            level: Some(search.level),
            text: Some(search.text),
            ..LogsQuery::default()
        };
        let path = log_path("/search", of, query);
        Box::pin(async move { look(&self.leader, &path).await })
    }

    fn download<'a>(&'a self, of: &'a LogPlace) -> BoxFuture<'a, Result<Body, DoorError>> {
        let pages = follow(Arc::clone(&self.leader), of, 0, false);
        let text = pages.map(|lines| {
            lines.map(|lines| {
                let lines = lines.iter().map(|line| line.line.for_people());
                lines.fold(String::new(), |all, line| all + &line + "\n")
            })
        });
        Box::pin(async move { Ok(Body::from_stream(text)) })
    }

    fn tail(&self, of: &LogPlace, after: u64) -> Tail {
        follow(Arc::clone(&self.leader), of, after, true)
    }
}
