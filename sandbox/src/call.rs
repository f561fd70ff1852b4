//! A request as a service sees it, and what it answers.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// More than this is no JSON that a client of these services sends.
const JSON_LIMIT: usize = 10 << 20;

/// One request, its path already taken apart.
pub(crate) struct Call {
    /// The identifier of the method, such as `storage.objects.get`.
    pub(crate) method: &'static str,
    /// What stands for the names in braces of the path, decoded.
    pub(crate) path: BTreeMap<&'static str, String>,
    /// Names and values behind the question mark, decoded, in their order; a name may come more than once.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

/// Why a request is refused; each service writes it in its own format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// The word that clients look at: `notFound`, `duplicate`, `ALREADY_EXISTS`, as the service has it.
    pub(crate) reason: String,
    pub(crate) message: String,
    /// What the error is about, such as the name of a parameter.
    pub(crate) location: Option<String>,
}

/// What a service answers: a response, or a refusal.
pub(crate) type Answer = Result<Reply, Refusal>;

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// What changed, for the journal: for example `object gs://raw/a.csv generation 3`.
    pub(crate) effects: Vec<String>,
}

impl Reply {
    /// 200 with JSON.
    pub(crate) fn json(value: &Value) -> Self {
        Self::new(
            StatusCode::OK,
            "application/json; charset=UTF-8",
            value.to_string(),
        )
    }

    /// A body of any type.
    pub(crate) fn new(
        status: StatusCode,
        content_type: &'static str,
        body: impl Into<Body>,
    ) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self {
            status,
            headers,
            body: body.into(),
            effects: Vec::new(),
        }
    }

    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Sets a header; a value that no header can hold is left out.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Notes what changed, for the journal.
    pub(crate) fn effect(mut self, effect: impl Into<String>) -> Self {
        self.effects.push(effect.into());
        self
    }
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, reason: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.to_owned(),
            message: message.into(),
            location: None,
        }
    }

    /// 400 for what cannot be read.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", message)
    }

    /// 501 for what the real service can do and the sandbox cannot. Never a wrong answer instead.
    pub(crate) fn unsupported(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "notImplemented",
            format!("the sandbox does not do this: {what}; sandbox/README.md says what it does"),
        )
    }

    /// A disk that fails and the like: the sandbox's own trouble.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "backendError",
            format!("the sandbox failed: {error}"),
        )
    }
}

impl Call {
    /// What stands in the path for `name`; empty if the path has no such name.
    pub(crate) fn part(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// The first value of `name` behind the question mark.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Reads `name` behind the question mark as a number or the like.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let Some(text) = self.query(name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            let mut refusal = Refusal::invalid(format!("invalid value for {name}: {text:?}"));
            refusal.location = Some(name.to_owned());
            refusal
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The whole body, at most `limit` bytes.
    pub(crate) async fn bytes(&mut self, limit: usize) -> Result<Bytes, Refusal> {
        let mut body = std::mem::take(&mut self.body);
        let mut all = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame
                .map_err(|error| Refusal::invalid(format!("the body ended early: {error}")))?;
            if let Ok(data) = frame.into_data() {
                if all.len() + data.len() > limit {
                    return Err(Refusal::new(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "uploadTooLarge",
                        format!("the body has more than {limit} bytes"),
                    ));
                }
                all.extend_from_slice(&data);
            }
        }
        Ok(all.freeze())
    }

    /// The body as JSON; an empty one is `{}`, as the services take it.
    pub(crate) async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Refusal> {
        let bytes = self.bytes(JSON_LIMIT).await?;
        let text: &[u8] = if bytes.iter().all(u8::is_ascii_whitespace) {
            b"{}"
        } else {
            &bytes
        };
        serde_json::from_slice(text)
            .map_err(|error| Refusal::invalid(format!("Invalid JSON payload received: {error}")))
    }
}
