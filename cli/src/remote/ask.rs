//! Sending what is asked for to whoever leads, and what comes back.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_scheduler::engine::{Changed, Command};
use tidemill_scheduler::gateway::{CommandBody, CommandReply, Problem};

use super::Remote;
use super::http::{self, HttpError, Request, Response};
use crate::config::Origin;
use crate::output::{INVALID, OPEN, Output, UNREACHABLE, USAGE};
use crate::serve::token;

/// How often another scheduler is tried because one says that it leads.
const HOPS_MAX: usize = 4;

/// Who asks, what they saw, and whether they mean it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asking {
    /// For the audit log.
    pub(crate) by: String,
    /// The `edits` that they saw.
    pub(crate) seen: Option<u32>,
    /// Whether only to say what would change.
    pub(crate) dry_run: bool,
}

impl Remote {
    /// Sends a command, and waits until what it changed is durable.
    ///
    /// # Errors
    /// What a command prints that changed nothing, or does not know whether it did.
    pub(crate) fn ask(&self, asking: &Asking, command: Command) -> Result<Changed, Output> {
        let body = CommandBody {
            by: asking.by.clone(),
            seen: asking.seen,
            dry_run: asking.dry_run,
            command,
        };
        let reply: CommandReply = self.post("/api/v1/commands", &body, !asking.dry_run)?;
        Ok(reply.changed)
    }

    /// Posts something; `changes` says whether it may have been done although nobody answered.
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        changes: bool,
    ) -> Result<T, Output> {
        let body = serde_json::to_string(body)
            .map_err(|error| Output::usage(format_args!("cannot be sent: {error}"), ""))?;
        let response = self.exchange(path, Some(&body), changes)?;
        read(response, changes)
    }

    /// Looks at something. None if it is not there.
    pub(crate) fn look<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Output> {
        let response = self.exchange(path, None, false)?;
        if response.status == 404 {
            return Ok(None);
        }
        read(response, false).map(Some)
    }

    fn exchange(&self, path: &str, body: Option<&str>, changes: bool) -> Result<Response, Output> {
        let mut servers = self.servers()?;
        let token = token::find(&self.loaded).map_err(|error| Output::failed(error, USAGE))?;
        let mut last = Output::failed("no scheduler is known", UNREACHABLE);
        let mut hops = 0;
        let mut at = 0;
        while let Some(server) = servers.get(at).cloned() {
            at += 1;
            let token = &token;
            match http::send(&server, Request { path, token, body }) {
                Ok(response) if response.status == 503 => {
                    let problem: Option<Problem> = serde_json::from_slice(&response.body).ok();
                    let leader = problem.as_ref().and_then(|problem| problem.leader.clone());
                    let detail = problem.map_or_else(|| "it is not ready".to_owned(), |p| p.detail);
                    last = nothing_done(format_args!("{server}: {detail}"), UNREACHABLE);
                    if let Some(leader) = leader.filter(|_| hops < HOPS_MAX) {
                        hops += 1;
                        servers.insert(at, leader);
                    }
                }
                Ok(response) => return Ok(response),
                Err(error @ HttpError::Connect { .. }) => last = nothing_done(error, UNREACHABLE),
                Err(error) if changes => return Err(open(error)),
                Err(error) => last = Output::failed(error, UNREACHABLE),
            }
        }
        Err(last)
    }

    /// Where the scheduler that leads may be: as the settings say, or else as it says itself in the database.
    fn servers(&self) -> Result<Vec<String>, Output> {
        if *self.loaded.origin("server") != Origin::Default {
            let given = self.loaded.settings.server.iter();
            return Ok(given.map(|server| server.as_str().to_owned()).collect());
        }
        let holder = self.read(self.store.holder())?;
        if holder.name.is_empty() || holder.rest.is_zero() {
            return Err(Output::failed(
                "no scheduler is running; start one with `standalone` or `scheduler`. Nothing was changed",
                UNREACHABLE,
            ));
        }
        // The name may stand before the address.
        let address = holder.name.rsplit(' ').next().unwrap_or_default();
        Ok(vec![address.to_owned()])
    }
}

fn nothing_done(why: impl std::fmt::Display, code: u8) -> Output {
    Output::failed(format_args!("{why}. Nothing was changed"), code)
}

fn open(why: impl std::fmt::Display) -> Output {
    let message =
        format_args!("{why}; whether it was carried out is open: look before you send it again");
    Output::failed(message, OPEN)
}

/// Makes of an answer what was hoped for, or what the command prints.
fn read<T: DeserializeOwned>(response: Response, changes: bool) -> Result<T, Output> {
    let Response { status, body } = response;
    if (200..300).contains(&status) {
        let body = if body.is_empty() {
            b"null"
        } else {
            body.as_slice()
        };
        return serde_json::from_slice(body).map_err(|error| {
            let message =
                format_args!("the scheduler speaks of things this release does not know: {error}");
            Output::failed(message, if changes { OPEN } else { UNREACHABLE })
        });
    }
    let problem: Option<Problem> = serde_json::from_slice(&body).ok();
    let detail = problem.map_or_else(
        || format!("the scheduler answered with status {status}"),
        |problem| problem.detail.replace('\n', " "),
    );
    Err(match status {
        401 | 403 => Output::usage(
            detail,
            "give `--token` or `--token-file` as the scheduler has it",
        ),
        409 => Output::failed(detail, INVALID),
        400..=499 => Output::usage(detail, ""),
        504 => Output::failed(detail, OPEN),
        _ if changes => open(detail),
        _ => Output::failed(detail, UNREACHABLE),
    })
}
