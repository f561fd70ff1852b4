//! How these commands get at the scheduler that leads: where the settings say, or else where it says itself in the
//! database. It alone has the keys.

use std::time::Duration;

use clap::Args;
use reqwest::{Client, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_scheduler::gateway::Problem;
use tidemill_store::Schema;

use crate::config::flags::OfCommand;
use crate::config::{Environment, Flags, Loaded};
use crate::door;
use crate::output::{INVALID, OPEN, Output, UNREACHABLE, USAGE};
use crate::serve::token;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The gateway itself gives a command up after 60 seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(75);
/// How often another scheduler is tried because one says that it leads.
const HOPS_MAX: usize = 4;

/// What commands that only look have in common.
#[derive(Debug, Args)]
pub(crate) struct LookArgs {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

/// What commands that change something have in common.
#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    /// Change nothing, only say what would change.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Refuse with exit code 1 if somebody changed it since: the `edits` that you saw.
    #[arg(long, value_name = "EDITS")]
    pub(crate) seen: Option<u32>,
    #[command(flatten)]
    pub(crate) asks: ByArgs,
}

/// Who asks, and whom.
#[derive(Debug, Args)]
pub(crate) struct ByArgs {
    /// Who asks, for the audit log; without it the user's name.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    settings: Flags<OfCommand>,
}

impl LookArgs {
    pub(crate) fn open(&self, environment: &Environment) -> Result<Door, Output> {
        Door::open(&self.settings, environment)
    }
}

impl ByArgs {
    pub(crate) fn open(&self, environment: &Environment) -> Result<Door, Output> {
        Door::open(&self.settings, environment)
    }

    /// Who asks.
    pub(crate) fn by(&self, environment: &Environment) -> String {
        let user = || {
            let names = ["USER", "LOGNAME"].iter();
            let mut found = names.filter_map(|name| environment.variable(name));
            found.next().unwrap_or("command line").to_owned()
        };
        self.by.clone().unwrap_or_else(user)
    }
}

/// A way to whoever leads.
pub(crate) struct Door {
    loaded: Loaded,
    token: String,
    client: Client,
}

/// What is asked.
#[derive(Clone, Copy)]
struct Request<'a> {
    method: &'a Method,
    path: &'a str,
    body: Option<&'a str>,
    changes: bool,
}

impl Door {
    fn open(flags: &Flags<OfCommand>, environment: &Environment) -> Result<Self, Output> {
        let loaded = flags.load(environment)?;
        let token = token::find(&loaded).map_err(|error| Output::failed(error, USAGE))?;
        // Somebody may have installed it before us; there is only this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Secrets go to the scheduler, and to no proxy that a variable of the shell may name.
        let client = Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .build()
            .map_err(|error| Output::failed(door::chain(&error), UNREACHABLE))?;
        Ok(Self {
            loaded,
            token,
            client,
        })
    }

    /// Looks at something. None if it is not there.
    pub(crate) async fn look<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Output> {
        let request = Request {
            method: &Method::GET,
            path,
            body: None,
            changes: false,
        };
        let (status, body) = self.exchange(request).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        read(status, &body, false).map(Some)
    }

    /// Asks for something; `changes` says whether it may have been done although nobody answered.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        changes: bool,
    ) -> Result<T, Output> {
        let text = body.map(serde_json::to_string).transpose();
        let text = text.map_err(|_| Output::usage("it cannot be written as JSON", ""))?;
        let request = Request {
            method: &method,
            path,
            body: text.as_deref(),
            changes,
        };
        let (status, body) = self.exchange(request).await?;
        read(status, &body, changes)
    }

    async fn exchange(&self, request: Request<'_>) -> Result<(StatusCode, Vec<u8>), Output> {
        let mut servers = self.servers().await?;
        let mut last = nothing_done("no scheduler is known");
        let (mut hops, mut at) = (0, 0);
        while let Some(server) = servers.get(at).cloned() {
            at += 1;
            match self.once(&server, request).await {
                Ok((StatusCode::SERVICE_UNAVAILABLE, body)) => {
                    let problem: Option<Problem> = serde_json::from_slice(&body).ok();
                    let leader = problem.as_ref().and_then(|problem| problem.leader.clone());
                    let detail = problem.map_or_else(|| "it is not ready".to_owned(), |p| p.detail);
                    last = nothing_done(format_args!("{server}: {detail}"));
                    if let Some(leader) = leader.filter(|_| hops < HOPS_MAX) {
                        hops += 1;
                        servers.insert(at, address(&leader));
                    }
                }
                Ok(answer) => return Ok(answer),
                Err(error) if error.is_connect() || error.is_builder() => {
                    last = nothing_done(format_args!(
                        "cannot reach the scheduler at {server}: {}",
                        door::chain(&error)
                    ));
                }
                Err(error) => {
                    let why = format!("{server} did not answer: {}", door::chain(&error));
                    if request.changes {
                        return Err(open(why));
                    }
                    last = Output::failed(why, UNREACHABLE);
                }
            }
        }
        Err(last)
    }

    async fn once(
        &self,
        server: &str,
        request: Request<'_>,
    ) -> Result<(StatusCode, Vec<u8>), reqwest::Error> {
        let url = format!("{}{}", server.trim_end_matches('/'), request.path);
        let mut sent = self.client.request(request.method.clone(), url);
        sent = sent.bearer_auth(&self.token);
        if let Some(body) = request.body {
            sent = sent.header("content-type", "application/json");
            sent = sent.body(body.to_owned());
        }
        let answer = sent.send().await.map_err(reqwest::Error::without_url)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(reqwest::Error::without_url)?;
        Ok((status, body.to_vec()))
    }

    async fn servers(&self) -> Result<Vec<String>, Output> {
        if self.loaded.origin("server").rank() > 0 {
            let given = self.loaded.settings.server.iter();
            return Ok(given.map(|server| server.as_str().to_owned()).collect());
        }
        let store = door::open(&self.loaded, Schema::Require).await?;
        let holder = store.holder().await;
        store.close().await;
        let holder = holder.map_err(|error| door::failed(&error))?;
        if holder.name.is_empty() || holder.rest.is_zero() {
            return Err(nothing_done(
                "no scheduler is running; start one with `standalone` or `scheduler`",
            ));
        }
        Ok(vec![address(&holder.name)])
    }
}

/// A leader's name may stand before its address.
fn address(holder: &str) -> String {
    holder.rsplit(' ').next().unwrap_or_default().to_owned()
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
fn read<T: DeserializeOwned>(status: StatusCode, body: &[u8], changes: bool) -> Result<T, Output> {
    if status.is_success() {
        // The answer may hold a value that nobody should see: what is wrong with it is not quoted.
        return serde_json::from_slice(body).map_err(|_| {
            let message = "the scheduler speaks of things this release does not know";
            Output::failed(message, if changes { OPEN } else { UNREACHABLE })
        });
    }
    let problem: Option<Problem> = serde_json::from_slice(body).ok();
    let detail = problem.map_or_else(
        || format!("the scheduler answered with status {status}"),
        |problem| problem.detail.replace('\n', " "),
    );
    Err(match status.as_u16() {
        401 | 403 => Output::usage(
            detail,
            "give `--token` or `--token-file` as the scheduler has it",
        ),
        404 | 409 => Output::failed(detail, INVALID),
        400..=499 => Output::usage(detail, ""),
        504 => Output::failed(detail, OPEN),
        _ if changes => open(detail),
        _ => Output::failed(detail, UNREACHABLE),
    })
}

/// The path of something that is taken away.
pub(crate) fn removal(path: &str, by: &str, change: &ChangeArgs) -> String {
    let nowhere = reqwest::Url::parse("http://scheduler").map(|mut url| {
        url.set_path(path);
        let mut query = url.query_pairs_mut();
        query.append_pair("by", by);
        query.append_pair("dry_run", if change.dry_run { "true" } else { "false" });
        if let Some(seen) = change.seen {
            query.append_pair("seen", &seen.to_string());
        }
        drop(query);
        url
    });
    nowhere.map_or_else(
        |_| path.to_owned(),
        |url| format!("{}?{}", url.path(), url.query().unwrap_or_default()),
    )
}
