//! Several requests in one: `multipart/mixed`, each part a request of its own.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method as Verb, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use url::form_urlencoded;

use super::multipart::boundary;
use crate::call::{Answer, Call, Refusal, Reply};
use crate::route::{Found, Routes};
use crate::serve;
use crate::services::Service;
use crate::state::State;

/// Cloud Storage's own limits.
const CALLS: usize = 100;
const SIZE: usize = 10 << 20;
const BOUNDARY: &str = "batch_of_the_sandbox";

/// A request inside of a batch.
#[derive(Debug, PartialEq, Eq)]
struct Inner {
    id: Option<String>,
    verb: String,
    /// Path and what follows it; the server is left out.
    target: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

pub(super) async fn batch(state: Arc<State>, mut call: Call) -> Answer {
    let boundary = boundary(call.header("content-type").unwrap_or(""))?;
    let body = call.bytes(SIZE).await?;
    let inner = split(&body, &boundary)?;
    if inner.is_empty() {
        return Err(Refusal::invalid("The batch has no requests."));
    }
    if inner.len() > CALLS {
        return Err(Refusal::invalid(format!(
            "The batch has {} requests; at most {CALLS} are taken.",
            inner.len()
        )));
    }
    let mut text = Vec::new();
    let mut effects = Vec::new();
    for (number, inner) in inner.into_iter().enumerate() {
        let id = inner.id.clone().unwrap_or_else(|| format!("<{number}>"));
        let mut reply = answer(&state, inner).await;
        effects.append(&mut reply.effects);
        append(&mut text, &id, reply).await;
    }
    text.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let mut reply = Reply::new(
        StatusCode::OK,
        "multipart/mixed; boundary=batch_of_the_sandbox",
        text,
    );
    reply.effects = effects;
    Ok(reply)
}

/// Answers one request with the faults that are set for its method.
async fn answer(state: &Arc<State>, inner: Inner) -> Reply {
    static ROUTES: OnceLock<Routes> = OnceLock::new();
    let routes = ROUTES.get_or_init(|| Routes::new(super::in_batches()));
    let refused = |refusal: &Refusal| Service::Storage.refuse(refusal);
    let (path, query) = inner.target.split_once('?').unwrap_or((&inner.target, ""));
    let verb: Verb = match inner.verb.parse() {
        Ok(verb) => verb,
        Err(_) => return refused(&Refusal::invalid(format!("no verb: {:?}", inner.verb))),
    };
    let found = match routes.find(&verb, path) {
        Found::Method(method, path) => Some((method, path)),
        _ => None,
    };
    let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let media = query
        .iter()
        .any(|(name, value)| name == "alt" && value == "media");
    let Some((method, parts)) = found.filter(|_| !media) else {
        return refused(&Refusal::invalid(format!(
            "{} {path} cannot be in a batch",
            inner.verb
        )));
    };
    let call = call_of(method.id, parts, query, inner);
    let faults = state.faults.of_request(Service::Storage, method.id);
    let done = serve::with_faults(state, method, call, &faults).await;
    let lost = || {
        let message = "a fault of the sandbox took this reply away";
        refused(&Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "backendError",
            message,
        ))
    };
    let mut reply = done.reply.unwrap_or_else(lost);
    reply.effects = done.effects;
    reply
}

fn call_of(
    method: &'static str,
    path: BTreeMap<&'static str, String>,
    query: Vec<(String, String)>,
    inner: Inner,
) -> Call {
    let mut headers = HeaderMap::new();
    for (name, value) in inner.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            headers.append(name, value);
        }
    }
    Call {
        method,
        path,
        query,
        headers,
        body: Body::from(inner.body),
    }
}

async fn append(text: &mut Vec<u8>, id: &str, reply: Reply) {
    let body = reply
        .body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let id = id.trim_start_matches('<');
    let mut head = format!(
        "--{BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: <response-{id}\r\n\r\nHTTP/1.1 {} {}\r\n",
        reply.status.as_u16(),
        reply.status.canonical_reason().unwrap_or("Unknown"),
    );
    for (name, value) in &reply.headers {
        let _ = write!(head, "{name}: {}\r\n", value.to_str().unwrap_or(""));
    }
    let _ = write!(head, "Content-Length: {}\r\n\r\n", body.len());
    text.extend_from_slice(head.as_bytes());
    text.extend_from_slice(&body);
    text.extend_from_slice(b"\r\n");
}

/// The requests of a batch. Clients end lines with and without a carriage return, and both in one body.
fn split(body: &[u8], boundary: &str) -> Result<Vec<Inner>, Refusal> {
    let (open, close) = (format!("--{boundary}"), format!("--{boundary}--"));
    let mut requests = Vec::new();
    let mut part: Option<Vec<u8>> = None;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.trim_ascii_end();
        let closes = bare == close.as_bytes();
        if closes || bare == open.as_bytes() {
            if let Some(part) = part.take() {
                requests.push(request(&part)?);
            }
            if closes {
                return Ok(requests);
            }
            part = Some(Vec::new());
        } else if let Some(part) = &mut part {
            part.extend_from_slice(line);
        }
    }
    Err(Refusal::invalid(
        "Failed to parse batch request: the body ended before its last boundary",
    ))
}

/// The head of the part, then a request: its line, its headers, its body.
fn request(part: &[u8]) -> Result<Inner, Refusal> {
    let wrong = |what: &str| Refusal::invalid(format!("Failed to parse batch request: {what}"));
    let (head, rest) = head(part);
    let kind = value(&head, "content-type").unwrap_or("application/http");
    if !kind.to_ascii_lowercase().starts_with("application/http") {
        return Err(wrong(&format!("a part is {kind}, not application/http")));
    }
    let id = value(&head, "content-id").map(str::to_owned);
    let end = rest
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(rest.len(), |at| at + 1);
    let (first, rest) = rest.split_at(end);
    let first = std::str::from_utf8(first).map_err(|_| wrong("a request is no text"))?;
    let mut words = first.split_whitespace();
    let (Some(verb), Some(target)) = (words.next(), words.next()) else {
        return Err(wrong(&format!("{first:?} is no request line")));
    };
    let target = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let (headers, rest) = self::head(rest);
    let length = value(&headers, "content-length").and_then(|length| length.parse().ok());
    let body = match length {
        Some(length) => rest.get(..length).unwrap_or(rest),
        None => rest.trim_ascii_end(),
    };
    Ok(Inner {
        id,
        verb: verb.to_ascii_uppercase(),
        target: target.to_owned(),
        headers,
        body: Bytes::copy_from_slice(body),
    })
}

type Headers = Vec<(String, String)>;

/// Lines up to one that is empty, and what is behind it.
fn head(text: &[u8]) -> (Headers, &[u8]) {
    let mut headers = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        let line = line.trim_ascii();
        if line.is_empty() {
            break;
        }
        let line = String::from_utf8_lossy(line);
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    (headers, text.get(at..).unwrap_or_default())
}

fn value<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(one, _)| one == name);
    found.map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_line_ends_are_read() {
        let body = "--b\nContent-Type: application/http\nContent-ID: <x+1>\n\nDELETE http://h:1/storage/v1/b/a/o/x HTTP/1.1\r\n\r\n\n--b\r\nContent-Type: application/http\r\n\r\nPATCH /storage/v1/b/a/o/y?alt=json HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}\r\n--b--";
        let found = split(body.as_bytes(), "b").unwrap();
        assert_eq!(
            (found[0].verb.as_str(), found[0].target.as_str()),
            ("DELETE", "/storage/v1/b/a/o/x")
        );
        assert_eq!(found[0].id.as_deref(), Some("<x+1>"));
        assert_eq!(&found[1].body[..], b"{\"a\":1}");
        assert_eq!(found[1].target, "/storage/v1/b/a/o/y?alt=json");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in "(--b(--)?\n|\r\n|[a-c/:? ]{0,9}|GET /a|content-length: 9\n){0,12}") {
            let _ = split(body.as_bytes(), "b");
        }

        #[test]
        fn bytes_too(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = split(&body, "b");
            let _ = request(&body);
        }
    }
}
