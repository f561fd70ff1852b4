//! Sending a request, again if that is safe and of use.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::Url;
use serde::de::IgnoredAny;
use tidemill_core::operator::{TaskError, TaskResult};
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, debug, debug_span};

use super::failure::{About, Again, Failure, causes};
use super::reply::{Download, Reply};
use super::request::{Body, Request, Wants};
use super::{retry, said};
use crate::credentials::Access;

/// What came of one try.
enum Seen {
    Reply(Reply),
    Content(Download),
    Failed(Failure),
    /// 401.
    Refused(Failure),
}

/// Sends a request and reads the reply.
pub(super) async fn reply(request: &Request) -> TaskResult<Reply> {
    match spanned(request).await? {
        Seen::Reply(reply) => Ok(reply),
        _ => Err(TaskError::permanent("content came for a reply")),
    }
}

/// Sends a request and gives the reply when its headers are there.
pub(super) async fn download(request: &Request) -> TaskResult<Download> {
    match spanned(request).await? {
        Seen::Content(download) => Ok(download),
        _ => Err(TaskError::permanent("a reply came for content")),
    }
}

async fn spanned(request: &Request) -> TaskResult<Seen> {
    // The path as it is in the API's description: names of objects and parameters may be anybody's secret.
    let span = debug_span!(
        "http.request.send",
        api = request.client.0.api,
        method = request.method.as_str(),
        path = request.path,
        connection = request.client.connection(),
    );
    // Fetching a token sends requests as well: a future that holds itself has to be boxed somewhere.
    Box::pin(sent(request)).instrument(span).await
}

async fn sent(request: &Request) -> TaskResult<Seen> {
    let url = request.url.clone()?;
    let inner = &request.client.0;
    let (line, tokens) = (&inner.line, inner.tokens.as_ref());
    let tokens = tokens.filter(|_| request.client.is_own(&url));
    let mut spent = Duration::ZERO;
    let mut renewed = false;
    let mut nth = 0;
    loop {
        let access = match tokens {
            Some(tokens) => tokens.get(line).await?,
            None => None,
        };
        let began = Instant::now();
        let seen = tried(request, &url, access.as_ref()).await;
        spent += began.elapsed();
        let failure = match seen {
            Seen::Reply(_) | Seen::Content(_) => {
                line.budget.earn();
                return Ok(seen);
            }
            Seen::Refused(failure) => {
                if let (Some(tokens), Some(access), false) = (tokens, &access, renewed) {
                    renewed = true;
                    if tokens.forget(access).await {
                        continue;
                    }
                }
                failure
            }
            Seen::Failed(failure) => failure,
        };
        let pause = pause(request, &failure, nth, spent);
        let Some(pause) = pause.filter(|_| line.budget.spend()) else {
            return Err(told(failure.error, nth, spent));
        };
        let seconds = pause.as_secs_f64();
        line.pace.warn(&format!(
            "{}; again in {seconds:.1} s",
            failure.error.message
        ));
        line.pace.sleep(pause).await;
        if line.pace.is_cancelled() {
            let doing = &request.doing;
            return Err(TaskError::cancelled(format!(
                "{doing}: cancelled before it was tried again"
            )));
        }
        spent += pause;
        nth += 1;
    }
}

/// How long to wait before the next try; none if there is to be none.
fn pause(request: &Request, failure: &Failure, nth: u32, spent: Duration) -> Option<Duration> {
    let again = match failure.again {
        Again::Never => false,
        Again::IfRepeatable => request.repeatable,
        Again::Always => true,
    };
    if !again {
        return None;
    }
    let asked = failure.error.retry_after;
    let pause = asked.unwrap_or_else(|| retry::backoff(nth, retry::lot()));
    (pause <= retry::PATIENCE && spent + pause < request.within).then_some(pause)
}

/// An error that says how often it was tried.
fn told(mut error: TaskError, nth: u32, spent: Duration) -> TaskError {
    if nth > 0 {
        let seconds = spent.as_secs();
        error.message = format!("{} (tried {} times in {seconds} s)", error.message, nth + 1);
    }
    error
}

async fn tried(request: &Request, url: &Url, access: Option<&Access>) -> Seen {
    let about = About {
        doing: &request.doing,
        names: &request.names,
        needs: request.needs,
        who: access.map_or(&request.who, Access::who),
        connection: request.client.connection(),
        repeatable: request.repeatable,
        now: request.client.pace().now(),
    };
    let built = built(request, url, access);
    let http = &request.client.0.line.http;
    let began = Instant::now();
    let seconds = request.try_within.as_secs();
    let response = match timeout(request.try_within, http.execute(built)).await {
        Err(_) => return Seen::Failed(about.lost(format_args!("nothing came for {seconds} s"))),
        Ok(Err(error)) if error.is_connect() => {
            let host = url.host_str().unwrap_or_default();
            return Seen::Failed(about.unreached(&error, host));
        }
        Ok(Err(error)) => return Seen::Failed(about.lost(causes(&error))),
        Ok(Ok(response)) => response,
    };
    let status = response.status();
    let took = began.elapsed();
    debug!(
        status = status.as_u16(),
        millis = took.as_millis() as u64,
        "answered"
    );
    let is_answer = status.is_success() || request.answers.contains(&status.as_u16());
    if is_answer && request.wants == Wants::Content {
        return Seen::Content(Download {
            response,
            idle: request.try_within,
            doing: request.doing.clone(),
        });
    }
    let left = request.try_within.saturating_sub(took);
    read(request, &about, response, (is_answer, left)).await
}

fn built(request: &Request, url: &Url, access: Option<&Access>) -> reqwest::Request {
    let mut built = reqwest::Request::new(request.method.clone(), url.clone());
    let headers = built.headers_mut();
    headers.clone_from(&request.headers);
    if let Some((name, value)) = access.and_then(Access::header) {
        headers.insert(name, value);
    }
    if let Some(project) = access.and_then(Access::quota_project)
        && let Ok(project) = project.parse()
    {
        headers.insert("x-goog-user-project", project);
    }
    let body = match &request.body {
        Body::Empty if request.method == reqwest::Method::GET => return built,
        // Servers want a length also where there is nothing.
        Body::Empty => reqwest::Body::from(Bytes::new()),
        Body::Bytes(bytes) => reqwest::Body::from(bytes.clone()),
        Body::Stream(length, open) => {
            let length = reqwest::header::HeaderValue::from(*length);
            built
                .headers_mut()
                .insert(reqwest::header::CONTENT_LENGTH, length);
            reqwest::Body::wrap_stream(open())
        }
    };
    *built.body_mut() = Some(body);
    built
}

/// Reads a reply to its end and judges it.
async fn read(
    request: &Request,
    about: &About<'_>,
    mut response: reqwest::Response,
    (is_answer, left): (bool, Duration),
) -> Seen {
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    let body = match timeout(left, whole(&mut response, request.body_max)).await {
        Ok(Ok(Some(body))) => body,
        Ok(Ok(None)) if is_answer => return Seen::Failed(about.too_long(request.body_max)),
        Ok(Err(error)) if is_answer => return Seen::Failed(about.lost(causes(&error))),
        Err(_) if is_answer => return Seen::Failed(about.lost("it did not come to its end")),
        // What matters of an error is its status.
        _ => Bytes::new(),
    };
    if !is_answer {
        let failure = about.status(status, &headers, &body);
        return if status == 401 {
            Seen::Refused(failure)
        } else {
            Seen::Failed(failure)
        };
    }
    let is_success = (200..300).contains(&status);
    if is_success && let Some(status) = said::status_within(&body) {
        return Seen::Failed(about.status(status, &headers, &body));
    }
    let is_page = || std::str::from_utf8(&body).is_ok_and(said::is_page);
    let is_json = || serde_json::from_slice::<IgnoredAny>(&body).is_ok();
    let is_readable = match request.wants {
        Wants::Json if is_success => is_json(),
        _ => !is_success || !is_page(),
    };
    if !is_readable {
        return Seen::Failed(about.unreadable(status, &body));
    }
    Seen::Reply(Reply {
        status,
        headers,
        body,
        doing: request.doing.clone(),
        repeatable: request.repeatable,
    })
}

/// The whole body; none if it is longer than it may be.
async fn whole(
    response: &mut reqwest::Response,
    most: usize,
) -> Result<Option<Bytes>, reqwest::Error> {
    let mut all = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if all.len() + chunk.len() > most {
            return Ok(None);
        }
        all.extend_from_slice(&chunk);
    }
    Ok(Some(all.freeze()))
}
