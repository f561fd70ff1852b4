//! What pages ask the services: the same methods that REST has, without a connection between.

use axum::body::Body;
use axum::http::{HeaderMap, Method as Verb, StatusCode};
use http_body_util::BodyExt as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::frame::Frame;
use crate::call::{Call, Refusal, Reply};
use crate::route::{Found, Method};
use crate::serve;

/// A segment of a path.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

impl Frame {
    /// Reads. No fault is used up by that, and the journal does not speak of it.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Refusal> {
        read(self.asked(path, query).await?).await
    }

    /// The same for what is no JSON.
    pub(super) async fn asked(&self, path: &str, query: &[(&str, &str)]) -> Result<Reply, Refusal> {
        let (method, mut call) = self.found(&Verb::GET, path)?;
        let given = query.iter().filter(|(_, value)| !value.is_empty());
        call.query = given
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        method.answer(self.state.clone(), call).await
    }

    /// Changes something: a request like any other, with the faults that are set for it, in the journal.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        let (method, mut call) = self.found(&Verb::POST, path)?;
        call.body = Body::from(body.to_string());
        let asked = format!("POST {path}");
        let reply = serve::noted(&self.state, method, call, asked).await;
        let lost = || {
            let words = "a fault took the reply away; whether it was done, the journal says";
            Refusal::new(StatusCode::BAD_GATEWAY, "lost", words)
        };
        read(reply.ok_or_else(lost)?).await
    }

    fn found(&self, verb: &Verb, path: &str) -> Result<(&Method, Call), Refusal> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        match self.pages.routes.find(verb, path) {
            Found::Method(method, parts) => {
                let call = Call {
                    method: method.id,
                    path: parts,
                    query: url::form_urlencoded::parse(query.as_bytes())
                        .into_owned()
                        .collect(),
                    headers: HeaderMap::new(),
                    body: Body::empty(),
                };
                Ok((method, call))
            }
            // A name is empty, or has a shape that no address can have.
            _ => Err(Refusal::not_found("There is no such thing")),
        }
    }
}

async fn read(reply: Reply) -> Result<Value, Refusal> {
    let status = reply.status;
    let bytes = reply.body.collect().await;
    let bytes = bytes.map_err(|error| Refusal::internal(&error))?.to_bytes();
    let value: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    if status.is_success() {
        return Ok(value);
    }
    let message = value.pointer("/error/message").and_then(Value::as_str);
    let message = message.map_or_else(|| format!("it was answered with {status}"), str::to_owned);
    let reason = value
        .pointer("/error/errors/0/reason")
        .and_then(Value::as_str);
    Err(Refusal::new(status, reason.unwrap_or("refused"), message))
}
