//! The way to the scheduler that leads: where the settings say, or else where it says itself in the database. It alone
//! changes anything, and it alone has the keys.

use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_access::secret::TOKEN_PREFIX;
use tidemill_scheduler::gateway::Problem;
use tidemill_store::{Schema, Store};
use tidemill_worker::explain;

use crate::config::{Loaded, Origin};
use crate::door;
use crate::output::{INVALID, OPEN, Output, UNREACHABLE, USAGE};
use crate::serve::token;
use crate::tls;

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long the peer may be silent. The gateway itself gives a command up after 60 seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(75);
/// How long an answer may be.
const BODY_BYTES_MAX: usize = 256 << 20;
/// How often another scheduler is tried because one says that it leads.
const HOPS_MAX: usize = 4;

/// A way to whoever leads.
pub(crate) struct Leader {
    loaded: Loaded,
    /// The database, if it is open already.
    store: Option<Store>,
    client: Client,
    /// Who answered last.
    last: Mutex<Option<String>>,
}

/// What is asked.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    /// Path and query.
    pub(crate) path: &'a str,
    /// Whether it may have been done although nobody answered.
    pub(crate) changes: bool,
    /// The exit code if what it is about is not there.
    pub(crate) missing: u8,
}

/// What was answered.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Silence {
    /// Nothing was sent.
    #[error("cannot reach the scheduler at {server}: {why}")]
    Connect { server: String, why: String },
    /// It was sent, and nobody knows what became of it.
    #[error("the scheduler at {server} did not answer: {why}")]
    Lost { server: String, why: String },
}

impl Leader {
    /// Prepares to ask. Nobody is asked yet.
    ///
    /// # Errors
    /// What a command prints if this machine cannot ask anybody.
    pub(crate) fn new(loaded: Loaded, store: Option<Store>) -> Result<Self, Output> {
        let trust = tls::trust(&loaded).map_err(|error| Output::failed(error, USAGE))?;
        // Secrets go to the scheduler, and to nobody that a variable of the shell or an answer may name. No connection is
        // used again: one that was closed meanwhile would leave open whether a command arrived.
        let client = Client::builder()
            .tls_backend_preconfigured(trust)
            .no_proxy()
            .redirect(Policy::none())
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_WITHIN)
            .read_timeout(ANSWER_WITHIN)
            .build()
            .map_err(|error| Output::failed(door::chain(&error), UNREACHABLE))?;
        Ok(Self {
            loaded,
            store,
            client,
            last: Mutex::default(),
        })
    }

    /// Prepares to ask a web server, with a user's token.
    ///
    /// # Errors
    /// What a command prints if no server is named.
    pub(crate) fn of_web(loaded: Loaded) -> Result<Self, Output> {
        if *loaded.origin("server") == Origin::Default {
            return Err(Output::usage(
                "the token is a user's, and no web server is named that takes it",
                "give `--server` with the address of the web UI",
            ));
        }
        Self::new(loaded, None)
    }

    /// Looks at something. None if it is not there.
    pub(crate) async fn look<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Output> {
        let request = Request {
            method: &Method::GET,
            path,
            changes: false,
            missing: INVALID,
        };
        let response = self.exchange(request, None).await?;
        if response.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        read(&response, request).map(Some)
    }

    /// Asks for something, with a body or without one.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        request: Request<'_>,
        body: Option<&impl Serialize>,
    ) -> Result<T, Output> {
        let body = body.map(serde_json::to_string).transpose();
        let body = body.map_err(|_| Output::usage("it cannot be written as JSON", ""))?;
        let response = self.exchange(request, body.as_deref()).await?;
        read(&response, request)
    }

    /// Asks whoever leads, whatever they answer.
    ///
    /// # Errors
    /// What a command prints if nobody answered.
    pub(crate) async fn exchange(
        &self,
        request: Request<'_>,
        body: Option<&str>,
    ) -> Result<Response, Output> {
        let mut servers = self.servers().await?;
        let token = token::find(&self.loaded).map_err(|error| Output::failed(error, USAGE))?;
        let mut last = Output::failed("no scheduler is known", UNREACHABLE);
        let (mut hops, mut at) = (0, 0);
        while let Some(server) = servers.get(at).cloned() {
            at += 1;
            match self.once(&server, &token, request, body).await {
                Ok(response) if response.status == StatusCode::SERVICE_UNAVAILABLE => {
                    let problem: Option<Problem> = serde_json::from_slice(&response.body).ok();
                    let leader = problem.as_ref().and_then(|problem| problem.leader.clone());
                    let detail = problem.map_or_else(|| "it is not ready".to_owned(), |p| p.detail);
                    last = nothing_done(format_args!("{server}: {detail}"));
                    if let Some(leader) = leader.filter(|_| hops < HOPS_MAX) {
                        hops += 1;
                        servers.insert(at, address(&leader));
                    }
                }
                Ok(response) => {
                    *self.last() = Some(server);
                    return Ok(response);
                }
                Err(silence @ Silence::Connect { .. }) => last = nothing_done(silence),
                Err(silence) if request.changes => return Err(open(silence)),
                Err(silence) => last = Output::failed(silence, UNREACHABLE),
            }
        }
        Err(last)
    }

    async fn once(
        &self,
        server: &str,
        token: &str,
        request: Request<'_>,
        body: Option<&str>,
    ) -> Result<Response, Silence> {
        let url = format!("{}{}", server.trim_end_matches('/'), request.path);
        let mut sent = self.client.request(request.method.clone(), url);
        sent = sent.bearer_auth(token);
        if let Some(body) = body {
            sent = sent.header("content-type", "application/json");
            sent = sent.body(body.to_owned());
        }
        let lost = |why| Silence::Lost {
            server: server.to_owned(),
            why,
        };
        let answer = sent.send().await;
        let mut answer = answer.map_err(|error| {
            let (server, why) = (server.to_owned(), cause(&error));
            if error.is_connect() || error.is_builder() {
                Silence::Connect { server, why }
            } else {
                Silence::Lost { server, why }
            }
        })?;
        let (status, mut body) = (answer.status(), Vec::new());
        while let Some(piece) = answer.chunk().await.map_err(|error| lost(cause(&error)))? {
            if body.len() + piece.len() > BODY_BYTES_MAX {
                return Err(lost("the answer is too long".to_owned()));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Response { status, body })
    }

    fn last(&self) -> MutexGuard<'_, Option<String>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the scheduler that leads may be: whoever answered last is asked first.
    async fn servers(&self) -> Result<Vec<String>, Output> {
        if *self.loaded.origin("server") != Origin::Default {
            let given = self.loaded.settings.server.iter();
            let given = given.map(|server| server.as_str().to_owned());
            let last = self.last().clone();
            let others = given.filter(|server| last.as_ref() != Some(server));
            let others: Vec<String> = others.collect();
            return Ok(last.into_iter().chain(others).collect());
        }
        let holder = match &self.store {
            Some(store) => store.holder().await,
            None => {
                let store = door::open(&self.loaded, Schema::Require).await?;
                let holder = store.holder().await;
                store.close().await;
                holder
            }
        };
        let holder = holder.map_err(|error| door::failed(&error))?;
        if holder.name.is_empty() || holder.rest.is_zero() {
            return Err(nothing_done(
                "no scheduler is running; start one with `standalone` or `scheduler`",
            ));
        }
        Ok(vec![address(&holder.name)])
    }
}

/// Whether the token that is given is a user's: such a one is for a web server, which knows who may do what.
pub(crate) fn is_of_user(loaded: &Loaded) -> bool {
    let token = loaded.settings.token.as_ref();
    token.is_some_and(|token| token.reveal().starts_with(TOKEN_PREFIX))
}

/// A leader's name may stand before its address.
fn address(holder: &str) -> String {
    holder.rsplit(' ').next().unwrap_or_default().to_owned()
}

/// What is behind an error of the client. The client's own words only wrap it.
fn cause(error: &reqwest::Error) -> String {
    if let Some(distrust) = explain(error) {
        return distrust.says;
    }
    let sources = std::iter::successors(error.source(), |&error| error.source());
    sources
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

fn nothing_done(why: impl std::fmt::Display) -> Output {
    Output::failed(format_args!("{why}. Nothing was changed"), UNREACHABLE)
}

fn open(why: impl std::fmt::Display) -> Output {
    let message =
        format_args!("{why}; whether it was carried out is open: look before you send it again");
    Output::failed(message, OPEN)
}

/// Makes of an answer what was hoped for, or what the command prints.
fn read<T: DeserializeOwned>(response: &Response, request: Request<'_>) -> Result<T, Output> {
    let Response { status, body } = response;
    let Request {
        changes, missing, ..
    } = request;
    if status.is_success() {
        let body = if body.is_empty() { b"null" } else { &**body };
        // The answer may hold a value that nobody should see: what is wrong with it is not quoted.
        return serde_json::from_slice(body).map_err(|_| {
            let message = "the scheduler speaks of things this release does not know";
            Output::failed(message, if changes { OPEN } else { UNREACHABLE })
        });
    }
    let problem: Option<Problem> = serde_json::from_slice(body).ok();
    let detail = problem.map_or_else(
        || format!("the scheduler answered with status {}", status.as_u16()),
        |problem| problem.detail.replace('\n', " "),
    );
    Err(match status.as_u16() {
        401 | 403 => Output::usage(
            detail,
            "give `--token` or `--token-file`: the scheduler's own, or a user's for the address of a web server",
        ),
        404 => Output::failed(detail, missing),
        409 => Output::failed(detail, INVALID),
        400..=499 => Output::usage(detail, ""),
        504 => Output::failed(detail, OPEN),
        _ if changes => open(detail),
        _ => Output::failed(detail, UNREACHABLE),
    })
}

#[cfg(test)]
mod tests;
