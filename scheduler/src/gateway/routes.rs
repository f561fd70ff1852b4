//! What can be asked for by HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, Request, State, WebSocketUpgrade};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tidemill_core::protocol::{InstanceRef, MapIndex, NOT_MAPPED, RunNo, TaskNo};
use tidemill_core::spec::DagSpec;
use tidemill_core::wire::MESSAGE_BYTES_MAX;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::socket::carry;
use super::{Gate, Problem};
use crate::engine::{Changed, Command, Fleet, Held, PoolView, Why};
use crate::lead::{Answer, Bring, Standing, ToLead};

/// How long a body may be, but for those that bring DAGs.
const BODY_BYTES_MAX: usize = 2 << 20;

/// How long a command's answer is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A command, and what its author knew.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandBody {
    /// Who asks, for the audit log.
    pub by: String,
    /// The `edits` that they saw.
    #[serde(default)]
    pub seen: Option<u32>,
    /// Whether only to say what would change.
    #[serde(default)]
    pub dry_run: bool,
    /// What.
    pub command: Command,
}

/// What a command changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandReply {
    /// What.
    pub changed: Changed,
}

/// Which task, or run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WhyQuery {
    /// The run's number.
    pub run: i64,
    /// The task's number; the run itself if none.
    #[serde(default)]
    pub task: Option<u32>,
    /// The instance.
    #[serde(default)]
    pub index: Option<MapIndex>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum WhyReply {
    Task(Why),
    Run(Vec<Held>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeployBody {
    by: String,
    specs: Vec<Arc<DagSpec>>,
    #[serde(default)]
    pools: BTreeMap<String, Option<u32>>,
}

/// Everything that the gate answers.
pub fn router(gate: Gate) -> Router {
    let inside = Router::new()
        .route("/api/v1/worker", get(worker))
        .route("/api/v1/commands", post(command))
        .route("/api/v1/why", get(why))
        .route("/api/v1/fleet", get(fleet))
        .route("/api/v1/pools", get(pools))
        .route("/api/v1/queues/{queue}", get(super::queue::load))
        .route("/api/v1/logs", get(super::logs::page))
        .route("/api/v1/logs/search", get(super::logs::search))
        .route("/api/v1/logs/download", get(super::logs::download))
        .merge(super::connections::routes())
        .merge(super::variables::routes())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .merge(
            Router::new()
                .route("/api/v1/deploy", post(deploy))
                .layer(DefaultBodyLimit::max(MESSAGE_BYTES_MAX)),
        )
        .layer(from_fn_with_state(gate.clone(), admit));
    Router::new()
        .route("/health", get(|| async { "alive\n" }))
        .route("/ready", get(ready))
        .merge(inside)
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "there is nothing here") })
        .with_state(gate)
}

async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let header = request.headers().get(header::AUTHORIZATION);
    let token = header
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    match token {
        Some(token) if gate.admits(token) => next.run(request).await,
        Some(_) => wrong("the token is wrong"),
        None => wrong("a token is needed: send `Authorization: Bearer …`"),
    }
}

fn wrong(detail: &str) -> Response {
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, detail).into_response();
    let challenge = header::HeaderValue::from_static("Bearer");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, challenge);
    response
}

async fn ready(State(gate): State<Gate>) -> Response {
    match gate.process().standing() {
        Standing::Leading { term, .. } => format!("leading in term {term}\n").into_response(),
        other => Problem::not_leading(&other).into_response(),
    }
}

async fn worker(State(gate): State<Gate>, upgrade: WebSocketUpgrade) -> Response {
    if gate.process().inbox().is_err() {
        return Problem::not_leading(&gate.process().standing()).into_response();
    }
    upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .on_upgrade(move |socket| carry(gate, socket))
}

pub(super) type Reply<T> = Result<Json<T>, Problem>;

pub(super) fn not_leading(gate: &Gate) -> Problem {
    Problem::not_leading(&gate.process().standing())
}

async fn command(
    State(gate): State<Gate>,
    body: Result<Json<CommandBody>, JsonRejection>,
) -> Reply<CommandReply> {
    let Json(body) = body.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    let asking = Asking {
        by: &body.by,
        seen: body.seen,
        dry_run: body.dry_run,
    };
    replied(carry_out(&gate, asking, body.command).await?)
}

pub(super) fn replied(answer: Answer) -> Reply<CommandReply> {
    match answer {
        Ok(changed) => Ok(Json(CommandReply { changed })),
        Err(refusal) => Err(Problem::refused(&refusal)),
    }
}

/// Who asks, what they saw, and whether they mean it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) by: &'a str,
    pub(super) seen: Option<u32>,
    pub(super) dry_run: bool,
}

/// Has a command carried out, and waits until what it changed is durable.
pub(super) async fn carry_out(
    gate: &Gate,
    asking: Asking<'_>,
    command: Command,
) -> Result<Answer, Problem> {
    // Asked before, because later it is open whether anything was done.
    gate.process().inbox().map_err(|_| not_leading(gate))?;
    let Asking { by, seen, dry_run } = asking;
    let asked = gate.process().ask(by, seen, dry_run, command);
    let answer = timeout(ANSWER_WITHIN, asked).await.map_err(|_| {
        let detail = "the scheduler did not answer in time; whether the command was carried out is open: look before you \
            send it again";
        Problem::new(StatusCode::GATEWAY_TIMEOUT, detail)
    })?;
    answer.map_err(|_| {
        let detail = "the scheduler ceased to lead; whether the command was carried out is open: look before you send it again";
        Problem::new(StatusCode::GATEWAY_TIMEOUT, detail)
    })
}

async fn why(
    State(gate): State<Gate>,
    query: Result<Query<WhyQuery>, QueryRejection>,
) -> Reply<WhyReply> {
    let Query(query) = query.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    let run = RunNo(query.run);
    let seen = gate.process().look(move |engine| match query.task {
        Some(task) => {
            let of = InstanceRef {
                run,
                task: TaskNo(task),
                map_index: query.index.unwrap_or(NOT_MAPPED),
            };
            engine.why(of).map(WhyReply::Task)
        }
        None => engine.why_run(run).map(WhyReply::Run),
    });
    let nothing = || {
        let detail = "the scheduler does not hold this run: it has ended, or there is none";
        Problem::new(StatusCode::NOT_FOUND, detail)
    };
    let seen = seen.await.map_err(|_| not_leading(&gate))?;
    seen.map(Json).ok_or_else(nothing)
}

async fn fleet(State(gate): State<Gate>) -> Reply<Fleet> {
    let seen = gate.process().look(|engine| engine.fleet()).await;
    seen.map(Json).map_err(|_| not_leading(&gate))
}

async fn pools(State(gate): State<Gate>) -> Reply<Vec<PoolView>> {
    let seen = gate.process().look(|engine| engine.pools()).await;
    seen.map(Json).map_err(|_| not_leading(&gate))
}

async fn deploy(
    State(gate): State<Gate>,
    body: Result<Json<DeployBody>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(body) = body.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    let (done, durable) = oneshot::channel();
    let bring = Bring {
        specs: body.specs,
        pools: body.pools,
        by: body.by.into(),
        done: Some(done),
    };
    let inbox = gate.process().inbox().map_err(|_| not_leading(&gate))?;
    let sent = inbox.send(ToLead::Bring(bring)).await;
    sent.map_err(|_| not_leading(&gate))?;
    durable.await.map_err(|_| not_leading(&gate))?;
    Ok(StatusCode::NO_CONTENT)
}
