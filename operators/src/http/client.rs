//! An API through a connection.

use std::fmt;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, Url};
use tidemill_core::operator::{TaskError, TaskResult};

use super::Pace;
use super::request::Request;
use super::retry::Budget;
use crate::credentials::Tokens;

/// What stays as it is in a segment of a path.
const IN_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What requests to one API through one connection share. Cheap to clone.
#[derive(Clone)]
pub struct Client(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) api: &'static str,
    pub(super) base: Url,
    pub(super) connection: String,
    pub(super) project: Option<String>,
    pub(super) line: Line,
    pub(super) tokens: Option<Arc<Tokens>>,
}

/// How requests get out: connections that are kept open, a budget, a clock.
#[derive(Clone)]
pub(crate) struct Line {
    pub(super) http: reqwest::Client,
    pub(super) budget: Arc<Budget>,
    pub(super) pace: Arc<dyn Pace>,
}

impl Line {
    /// The clock.
    pub(crate) fn pace(&self) -> &Arc<dyn Pace> {
        &self.pace
    }

    /// A client without credentials, for those who give tokens.
    pub(crate) fn bare(&self, api: &'static str, base: Url, connection: &str) -> Client {
        Client(Arc::new(Inner {
            api,
            base,
            connection: connection.to_owned(),
            project: None,
            line: self.clone(),
            tokens: None,
        }))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("api", &self.0.api)
            .field("base", &self.0.base.as_str())
            .field("connection", &self.0.connection)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// The connection's name.
    #[must_use]
    pub fn connection(&self) -> &str {
        &self.0.connection
    }

    /// Where the API is, without a slash at its end.
    #[must_use]
    pub fn address(&self) -> &str {
        self.0.base.as_str().trim_end_matches('/')
    }

    /// Time, as requests of this client see it.
    #[must_use]
    pub fn pace(&self) -> &dyn Pace {
        &*self.0.line.pace
    }

    /// Whom requests are those of, for people; a token is fetched if there is none yet.
    ///
    /// # Errors
    /// The credentials cannot be read, or are not accepted.
    pub async fn who(&self) -> TaskResult<String> {
        let access = match &self.0.tokens {
            Some(tokens) => tokens.get(&self.0.line).await?,
            None => None,
        };
        Ok(access.map_or_else(|| "the caller".to_owned(), |access| access.who().to_owned()))
    }

    /// The Google Cloud project: the connection's field `project`, else that of its key or of the machine.
    ///
    /// # Errors
    /// Nobody names one, or the credentials that would cannot be read.
    pub async fn project(&self) -> TaskResult<String> {
        if let Some(project) = &self.0.project {
            return Ok(project.clone());
        }
        let tokens = self.0.tokens.as_ref();
        if let Some(tokens) = tokens
            && let Some(project) = tokens.project(&self.0.line).await?
        {
            return Ok(project);
        }
        let name = self.connection();
        Err(TaskError::permanent(format!(
            "connection `{name}` names no project, and neither do its credentials"
        ))
        .help(format!(
            "set it: `connections set {name} --field project=…`, or name the project in the operator"
        )))
    }

    /// A request. In `path` each `{}` stands for the next of `parts`, which may hold any characters:
    /// `client.get("/storage/v1/b/{}/o/{}", &[bucket, object])`.
    pub fn request(&self, method: Method, path: &'static str, parts: &[&str]) -> Request {
        Request::new(self.clone(), method, path, self.url(path, parts))
    }

    /// `GET`.
    pub fn get(&self, path: &'static str, parts: &[&str]) -> Request {
        self.request(Method::GET, path, parts)
    }

    /// `POST`. It is sent once, unless it is said to be repeatable.
    pub fn post(&self, path: &'static str, parts: &[&str]) -> Request {
        self.request(Method::POST, path, parts)
    }

    /// `PUT`.
    pub fn put(&self, path: &'static str, parts: &[&str]) -> Request {
        self.request(Method::PUT, path, parts)
    }

    /// `PATCH`. It is sent once, unless it is said to be repeatable.
    pub fn patch(&self, path: &'static str, parts: &[&str]) -> Request {
        self.request(Method::PATCH, path, parts)
    }

    /// `DELETE`.
    pub fn delete(&self, path: &'static str, parts: &[&str]) -> Request {
        self.request(Method::DELETE, path, parts)
    }

    /// A request to an address that the service itself gave, such as that of an upload session. The credentials go along
    /// only if it is on the same server.
    pub fn follow(&self, method: Method, address: &str) -> Request {
        let url = Url::parse(address).map_err(|error| {
            TaskError::permanent(format!("the service gave an address that is none: {error}"))
        });
        Request::new(self.clone(), method, "(an address of the service)", url)
    }

    fn url(&self, path: &str, parts: &[&str]) -> TaskResult<Url> {
        let mut filled = self.0.base.path().trim_end_matches('/').to_owned();
        let mut parts = parts.iter();
        for (nth, literal) in path.split("{}").enumerate() {
            if nth > 0 {
                let part = parts.next().copied().unwrap_or_default();
                // As a segment these mean another path, also when they are encoded.
                if part.is_empty() || matches!(part, "." | "..") {
                    return Err(TaskError::permanent(format!(
                        "`{part}` cannot stand in the address {path}"
                    ))
                    .help("a name is empty or consists of dots; check the operator's settings"));
                }
                filled.extend(utf8_percent_encode(part, IN_SEGMENT));
            }
            filled.push_str(literal);
        }
        let mut url = self.0.base.clone();
        url.set_path(&filled);
        Ok(url)
    }

    /// Whether credentials may go to this address.
    pub(super) fn is_own(&self, url: &Url) -> bool {
        let own = &self.0.base;
        (url.scheme(), url.host_str(), url.port_or_known_default())
            == (own.scheme(), own.host_str(), own.port_or_known_default())
    }
}
