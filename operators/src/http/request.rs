//! A request: what is sent, what it is for, how often and for how long it may be tried.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_core::operator::{TaskError, TaskResult};

use super::client::Client;
use super::reply::{Download, Reply};
use super::send;

/// How long a request may take with all its repetitions.
const WITHIN: Duration = Duration::from_secs(300);
/// How long one try may take.
const TRY_WITHIN: Duration = Duration::from_secs(60);
/// Longer replies are errors, unless a request says otherwise.
const BODY_MAX: usize = 8 << 20;

type Opens = dyn Fn() -> BoxStream<'static, std::io::Result<Bytes>> + Send + Sync;

/// What is sent.
#[derive(Clone, Default)]
pub(super) enum Body {
    #[default]
    Empty,
    Bytes(Bytes),
    /// Opened anew for each try.
    Stream(u64, Arc<Opens>),
}

/// What a reply has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// Anything but a web page.
    Reply,
    /// A JSON document.
    Json,
    /// Content, which may be anything and is not read here.
    Content,
}

/// A request. Nothing is sent before one of its `send`s.
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    pub(super) client: Client,
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) url: TaskResult<Url>,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    pub(super) repeatable: bool,
    pub(super) answers: Vec<u16>,
    pub(super) doing: String,
    pub(super) names: String,
    pub(super) needs: &'static str,
    /// Who asks, where no token says it.
    pub(super) who: String,
    pub(super) within: Duration,
    pub(super) try_within: Duration,
    pub(super) body_max: usize,
    pub(super) wants: Wants,
    wrong: Option<TaskError>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Request {
    pub(super) fn new(
        client: Client,
        method: Method,
        path: &'static str,
        url: TaskResult<Url>,
    ) -> Self {
        // What the methods of HTTP promise.
        let repeatable = method != Method::POST && method != Method::PATCH;
        Self {
            doing: format!("{method} {path}"),
            client,
            method,
            path,
            url,
            headers: HeaderMap::new(),
            body: Body::Empty,
            repeatable,
            answers: Vec::new(),
            names: String::new(),
            needs: "",
            who: "the caller".to_owned(),
            within: WITHIN,
            try_within: TRY_WITHIN,
            body_max: BODY_MAX,
            wants: Wants::Reply,
            wrong: None,
        }
    }

    /// With a parameter in the address.
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        if let Ok(url) = &mut self.url {
            url.query_pairs_mut().append_pair(name, &value.to_string());
        }
        self
    }

    /// With a parameter in the address, if there is a value.
    pub fn maybe(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// With a header. Never a token: that is the connection's affair.
    pub fn header(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        match HeaderValue::from_str(value.as_ref()) {
            Ok(value) => {
                self.headers.insert(HeaderName::from_static(name), value);
            }
            Err(_) => self.wrong("has signs in it that no header can hold", name),
        }
        self
    }

    /// With a header that nothing shows.
    pub(crate) fn secret_header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes());
        match (name, HeaderValue::from_str(value)) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                self.headers.insert(name, value);
            }
            _ => self.wrong("has signs in it that no header can hold", "a secret header"),
        }
        self
    }

    /// With a body of JSON.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.body("application/json", bytes),
            Err(error) => {
                self.wrong(&error.to_string(), "the body");
                self
            }
        }
    }

    /// With a form as its body.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.body("application/x-www-form-urlencoded", form.finish())
    }

    /// With these bytes as its body.
    pub fn body(mut self, content_type: &str, bytes: impl Into<Bytes>) -> Self {
        self.body = Body::Bytes(bytes.into());
        self.typed(content_type)
    }

    /// With a body of this length that is not held in memory; `open` is called for each try.
    pub fn stream(
        mut self,
        content_type: &str,
        length: u64,
        open: impl Fn() -> BoxStream<'static, std::io::Result<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        self.body = Body::Stream(length, Arc::new(open));
        self.typed(content_type)
    }

    fn typed(mut self, content_type: &str) -> Self {
        match HeaderValue::from_str(content_type) {
            Ok(value) => {
                self.headers.insert(CONTENT_TYPE, value);
            }
            Err(_) => self.wrong("has signs in it that no header can hold", "the type"),
        }
        self
    }

    fn wrong(&mut self, why: &str, what: &str) {
        let doing = &self.doing;
        self.wrong = Some(TaskError::permanent(format!("{doing}: {what} {why}")));
    }

    /// It may be sent twice without harm: it has a key, or a condition that holds only once.
    pub const fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// It must not be sent again if it may have been done, although its method would allow it.
    pub const fn once(mut self) -> Self {
        self.repeatable = false;
        self
    }

    /// These statuses are answers and no errors: 404 where something may be missing, 409 where it may be there.
    pub fn answers(mut self, statuses: &[u16]) -> Self {
        self.answers.extend_from_slice(statuses);
        self
    }

    /// A reply of success has to be JSON, else it is taken for lost.
    pub const fn expects_json(mut self) -> Self {
        self.wants = Wants::Json;
        self
    }

    /// What is being done, for people: `list gs://raw/sales`. Errors begin with it.
    pub fn doing(mut self, doing: impl Into<String>) -> Self {
        self.doing = doing.into();
        self
    }

    /// What it names, for the message that it is missing: "bucket `raw`".
    pub fn names(mut self, names: impl Into<String>) -> Self {
        self.names = names.into();
        self
    }

    /// The permission that it needs, for the message that it is missing.
    pub const fn needs(mut self, permission: &'static str) -> Self {
        self.needs = permission;
        self
    }

    /// Who asks, where no token says it.
    pub(crate) fn by(mut self, who: impl Into<String>) -> Self {
        self.who = who.into();
        self
    }

    /// How long it may take with all its repetitions; five minutes if nothing is said.
    pub const fn within(mut self, span: Duration) -> Self {
        self.within = span;
        self
    }

    /// How long one try may take; a minute if nothing is said. Of content that is downloaded: how long the next piece may
    /// take.
    pub const fn try_within(mut self, span: Duration) -> Self {
        self.try_within = span;
        self
    }

    /// The longest reply; 8 MiB if nothing is said.
    pub const fn body_max(mut self, bytes: usize) -> Self {
        self.body_max = bytes;
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// See [`failure`](super::failure).
    pub async fn send(mut self) -> TaskResult<Reply> {
        self.check()?;
        send::reply(&self).await
    }

    /// Sends it, and reads the reply as JSON. A reply that is no JSON is taken for lost.
    ///
    /// # Errors
    /// See [`failure`](super::failure).
    pub async fn send_json<T: DeserializeOwned>(mut self) -> TaskResult<T> {
        self.wants = Wants::Json;
        self.send().await?.json()
    }

    /// Sends it, and reads the reply as JSON; none if the service answers that there is no such thing.
    ///
    /// # Errors
    /// See [`failure`](super::failure).
    pub async fn find_json<T: DeserializeOwned>(mut self) -> TaskResult<Option<T>> {
        self.wants = Wants::Json;
        let reply = self.answers(&[404]).send().await?;
        if reply.status() == 404 {
            return Ok(None);
        }
        reply.json().map(Some)
    }

    /// Sends it, and gives the reply before its body has come: whatever its type, however long it is.
    ///
    /// # Errors
    /// See [`failure`](super::failure).
    pub async fn download(mut self) -> TaskResult<Download> {
        self.wants = Wants::Content;
        self.check()?;
        send::download(&self).await
    }

    fn check(&mut self) -> TaskResult<()> {
        match self.wrong.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}
