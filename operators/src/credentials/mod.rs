//! Who a connection is to the other side: keys, tokens that are made of them, and when they are made anew.
//!
//! A token is fetched in the worker when the first request needs it, kept as long as the connection stays as it is, and
//! renewed by one task while the others wait for it, five minutes before it ends. Nothing here shows a secret: what is sent
//! as a header is marked as one that is not printed.
//!
//! # Connections of kind `google`
//!
//! | Field or secret | |
//! | --- | --- |
//! | `credentials` | `application_default`, `key`, `token` or `anonymous`; if it is left out, what is there decides: the secret `key`, the field `key_file`, the secret `token`, else `anonymous` for an address on this machine and `application_default` for any other |
//! | `key` (secret), `key_file` | JSON of a service account's key, of a user's login, or of workload identity federation |
//! | `token` (secret) | a token that somebody else renews |
//! | `impersonate` | the service account to act as; several with commas: the last one is acted as, the others lend it on |
//! | `scopes` | with commas; `cloud-platform` if it is left out |
//! | `project`, `quota_project` | where things are, and who pays for requests |
//! | `endpoint`, `storage_endpoint`, … | another address of all services, or of one; `token_endpoint`, `iam_endpoint` and `metadata_endpoint` of those that give tokens |
//!
//! # Connections of kind `databricks`
//!
//! `host`, and the secret `token`; or `client_id` and the secret `client_secret` of a service principal.
//!
//! # Other connections
//!
//! `url`, and the secret `token` (with `token_scheme` if it is not `Bearer`), or `user` and the secret `password`, or the secret
//! `api_key` with the header's name in `api_key_header`.

mod databricks;
mod external;
mod google;
mod key;
mod plain;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use ring::digest::{Context, SHA256};
use serde::Deserialize;
use tidemill_core::operator::{Connection, Secret, TaskError, TaskResult};
use tokio::sync::Mutex;

use crate::http::{Kind, Line, Machine};
use databricks::ServicePrincipal;
use google::Google;

/// A token is renewed this long before it ends, or when half of its life is over if that is later.
const MARGIN: TimeDelta = TimeDelta::minutes(5);

/// What a connection consists of, as a hash: to see that it was changed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(crate) fn of(connection: &Connection) -> Self {
        let mut hash = Context::new(&SHA256);
        let mut part = |text: &str| {
            hash.update(&(text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        };
        part(&connection.name);
        part(&connection.kind);
        for (name, value) in &connection.fields {
            part(name);
            part(value);
        }
        part("secrets");
        for (name, value) in &connection.secrets {
            part(name);
            part(value.reveal());
        }
        let mut print = [0; 32];
        print.copy_from_slice(hash.finish().as_ref());
        Self(print)
    }
}

/// What lets a request in. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Access(Arc<Granted>);

/// What somebody granted.
#[derive(Debug, Default)]
struct Granted {
    /// Not printed: the value is marked as sensitive.
    header: Option<(HeaderName, HeaderValue)>,
    /// From when until when; for ever without it.
    lasts: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Whom it stands for, for people.
    who: String,
    project: Option<String>,
    quota_project: Option<String>,
}

impl Granted {
    /// A token, as it is sent in the header `Authorization`.
    fn with(scheme: &str, token: &Secret, who: impl Into<String>) -> TaskResult<Self> {
        let who = who.into();
        let value = HeaderValue::from_str(&format!("{scheme} {}", token.reveal().trim()));
        let mut value = value.map_err(|_| {
            TaskError::permanent(format!(
                "the token of {who} has signs in it that no header can hold"
            ))
            .help("it was perhaps pasted with a line's end in it; set it again")
        })?;
        value.set_sensitive(true);
        Ok(Self {
            header: Some((AUTHORIZATION, value)),
            who,
            ..Self::default()
        })
    }

    /// A token of OAuth 2, as its server answers.
    fn of(reply: &TokenReply, who: &str, now: DateTime<Utc>) -> TaskResult<Self> {
        let granted = Self::with("Bearer", &Secret::new(reply.access_token.as_str()), who)?;
        let life = TimeDelta::try_seconds(reply.expires_in).unwrap_or(MARGIN);
        Ok(Self {
            lasts: Some((now, now + life)),
            ..granted
        })
    }
}

impl Access {
    /// The header that is sent.
    pub(crate) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        self.0.header.clone()
    }

    /// Whom it stands for, for people.
    pub(crate) fn who(&self) -> &str {
        &self.0.who
    }

    /// The project that is to pay for requests, if it is another than that of the things.
    pub(crate) fn quota_project(&self) -> Option<&str> {
        self.0.quota_project.as_deref()
    }

    fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        self.0
            .lasts
            .is_none_or(|(from, ends)| now < ends - MARGIN.min((ends - from) / 2))
    }

    fn is_good(&self, now: DateTime<Utc>) -> bool {
        self.0.lasts.is_none_or(|(_, ends)| now < ends)
    }
}

/// What a server of tokens answers. It is never printed.
#[derive(Deserialize)]
struct TokenReply {
    access_token: String,
    #[serde(default = "an_hour")]
    expires_in: i64,
}

const fn an_hour() -> i64 {
    3_600
}

/// Who gives tokens.
enum Source {
    /// Nobody: it is always the same.
    Fixed(Access),
    Google(Box<Google>),
    Databricks(ServicePrincipal),
}

/// The tokens of one connection.
pub(crate) struct Tokens {
    source: Source,
    kept: Mutex<Option<Access>>,
}

impl Tokens {
    /// Those of this connection; `local` says that requests stay on this machine.
    pub(crate) fn of(
        connection: &Connection,
        local: bool,
        machine: &Arc<Machine>,
    ) -> TaskResult<Self> {
        let source = match Kind::of(connection) {
            Kind::Google => google::source(connection, local, machine)?,
            Kind::Databricks => databricks::source(connection, local)?,
            Kind::Http => Source::Fixed(plain::access(connection)?),
        };
        Ok(Self {
            source,
            kept: Mutex::default(),
        })
    }

    /// A token that is good for a while. Whoever comes while one is fetched waits for that one.
    pub(crate) async fn get(&self, line: &Line) -> TaskResult<Option<Access>> {
        if let Source::Fixed(access) = &self.source {
            return Ok(Some(access.clone()));
        }
        let mut kept = self.kept.lock().await;
        let now = line.pace().now();
        if let Some(access) = kept.as_ref().filter(|access| access.is_fresh(now)) {
            return Ok(Some(access.clone()));
        }
        match self.fetch(line).await {
            Ok(granted) => {
                let access = Access(Arc::new(granted));
                *kept = Some(access.clone());
                Ok(Some(access))
            }
            Err(error) => match kept.as_ref().filter(|access| access.is_good(now)) {
                // It is good for minutes yet, and whoever gives tokens may be back by then.
                Some(access) if error.kind.is_retried() => {
                    line.pace()
                        .warn(&format!("the token cannot be renewed yet: {error}"));
                    Ok(Some(access.clone()))
                }
                _ => Err(error),
            },
        }
    }

    async fn fetch(&self, line: &Line) -> TaskResult<Granted> {
        match &self.source {
            Source::Fixed(_) => Err(TaskError::permanent("a fixed token is not fetched")),
            Source::Google(google) => google.fetch(line).await,
            Source::Databricks(principal) => principal.fetch(line).await,
        }
    }

    /// Drops a token that a service did not accept, unless another has come meanwhile. Says whether asking again can help.
    pub(crate) async fn forget(&self, refused: &Access) -> bool {
        if matches!(self.source, Source::Fixed(_)) {
            return false;
        }
        let mut kept = self.kept.lock().await;
        if kept
            .as_ref()
            .is_some_and(|access| Arc::ptr_eq(&access.0, &refused.0))
        {
            *kept = None;
        }
        true
    }

    /// The project that the credentials name.
    pub(crate) async fn project(&self, line: &Line) -> TaskResult<Option<String>> {
        let access = self.get(line).await?;
        Ok(access.and_then(|access| access.0.project.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lasting(seconds: i64) -> Access {
        let from = DateTime::UNIX_EPOCH;
        Access(Arc::new(Granted {
            lasts: Some((from, from + TimeDelta::seconds(seconds))),
            ..Granted::default()
        }))
    }

    #[test]
    fn a_token_is_renewed_five_minutes_before_its_end_or_after_half_of_a_short_life() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let hour = lasting(3_600);
        assert!(hour.is_fresh(at(3_299)) && !hour.is_fresh(at(3_300)));
        assert!(hour.is_good(at(3_599)) && !hour.is_good(at(3_600)));
        let short = lasting(60);
        assert!(short.is_fresh(at(29)) && !short.is_fresh(at(30)));
    }

    #[test]
    fn a_changed_connection_has_another_fingerprint() {
        let print = |connection: &Connection| Fingerprint::of(connection).0;
        let one = Connection::new("a", "google")
            .with("x", "1")
            .with_secret("key", "k");
        assert_eq!(print(&one), print(&one.clone()));
        let others = [
            Connection::new("a", "google")
                .with("x", "1")
                .with_secret("key", "l"),
            Connection::new("a", "google")
                .with("x", "2")
                .with_secret("key", "k"),
            Connection::new("a", "google")
                .with("x", "1")
                .with("key", "k"),
            Connection::new("a", "http")
                .with("x", "1")
                .with_secret("key", "k"),
        ];
        for other in others {
            assert_ne!(print(&other), print(&one), "{other:?}");
        }
    }

    #[test]
    fn a_token_is_not_printed() {
        let granted = Granted::with("Bearer", &Secret::new("ya29.secret"), "somebody").unwrap();
        let shown = format!("{:?}", Access(Arc::new(granted)));
        assert!(!shown.contains("ya29"), "{shown}");
        let broken = Granted::with("Bearer", &Secret::new("ya29.sec\nret"), "somebody");
        let error = broken.unwrap_err();
        assert!(!format!("{error:?}").contains("ya29"), "{error:?}");
    }
}
