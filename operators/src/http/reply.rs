//! What a service answered.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use tidemill_core::operator::{TaskError, TaskResult};
use tokio::time::timeout;

use super::failure::causes;

/// A reply that was read to its end.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) doing: String,
    pub(super) repeatable: bool,
}

impl Reply {
    /// Its status: a success, or one that the request takes for an answer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is one of success.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// A header, if it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Its body.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// What the service says went wrong, where the request takes an error for an answer.
    #[must_use]
    pub fn said(&self) -> super::Said {
        super::Said::read(&self.body)
    }

    /// Reads its body as JSON.
    ///
    /// # Errors
    /// It is another JSON than this build expects: ambiguous if the request may not be repeated, else permanent.
    pub fn json<T: DeserializeOwned>(&self) -> TaskResult<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let message = format!(
                "{}: the reply ({}) is not what was expected: {error}",
                self.doing, self.status
            );
            if self.repeatable {
                TaskError::permanent(message)
                    .help("another service may answer at this address; check the connection")
            } else {
                TaskError::ambiguous(message)
            }
        })
    }
}

/// A reply whose body is read piece by piece, however long it is.
pub struct Download {
    pub(super) response: reqwest::Response,
    /// How long to wait for the next piece.
    pub(super) idle: Duration,
    pub(super) doing: String,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl Download {
    /// Its status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// A header, if it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The headers of this name.
    pub fn headers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let all = self.response.headers().get_all(name).iter();
        all.filter_map(|value| value.to_str().ok())
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// Transient: the connection broke, or nothing came for a while. What came so far was right.
    pub async fn chunk(&mut self) -> TaskResult<Option<Bytes>> {
        let lost = |why: &str| TaskError::transient(format!("{}: {why}", self.doing));
        match timeout(self.idle, self.response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(lost(&format!("the content broke off: {}", causes(&error)))),
            Err(_) => Err(lost(&format!(
                "nothing more came for {} s",
                self.idle.as_secs()
            ))),
        }
    }
}
