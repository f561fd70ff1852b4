//! The outermost layer: every answer gets its headers, and everything that went wrong, wherever, becomes a page for people or
//! a problem for programs (RFC 9457). A panic is an answer, too.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use askama::Template as _;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Response};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::frame::Frame;
use crate::oops::{Detail, Finished, Oops, Told, Way};
use crate::pages::ErrorPage;
use crate::said::see;
use crate::seat::Seat;
use crate::web::Web;
use crate::{headers, said};
use url::form_urlencoded::byte_serialize;

/// Longer details of what the framework refused are cut.
const DETAIL_BYTES_MAX: usize = 1_000;

pub(crate) async fn dress(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let said = said::read(request.headers());
    let had_said = said.is_some();
    let seat = Seat::new(web.random(), (request.method(), request.uri()), said);
    request.extensions_mut().insert(Arc::clone(&seat));
    let for_programs = for_programs(&request);
    let browses = browses(&request);
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|panic| {
        let says = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Oops::broken(format!("a page panicked: {}", says.unwrap_or("no message"))).into_response()
    });
    let status = response.status();
    let finished = response.extensions().get::<Finished>().is_some() && !for_programs;
    if (status.is_client_error() || status.is_server_error()) && !finished {
        response = went_wrong(&web, &seat, (for_programs, browses), response).await;
    } else if had_said && is_page(response.headers()) {
        said::take(&mut response, web.config().https);
    }
    said::put(&mut response, web.config().https);
    headers::put(response.headers_mut(), &seat.nonce, web.config().https);
    response
}

fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// Whether the answer is for a program.
fn for_programs(request: &Request) -> bool {
    let accepts = request.headers().get(header::ACCEPT);
    let accepts = accepts.and_then(|value| value.to_str().ok()).unwrap_or("");
    request.uri().path().starts_with("/api/")
        || (accepts.contains("json") && !accepts.contains("text/html"))
}

/// Whether a person looks at a page: programs, and scripts of pages that read them again, are told their status and not led
/// anywhere.
fn browses(request: &Request) -> bool {
    let headers = request.headers();
    let accepts = headers.get(header::ACCEPT);
    let accepts = accepts.and_then(|value| value.to_str().ok()).unwrap_or("");
    let mode = headers.get("sec-fetch-mode");
    request.method() == Method::GET
        && accepts.contains("text/html")
        && mode.is_none_or(|mode| mode == "navigate")
        && !headers.contains_key(header::AUTHORIZATION)
}

async fn went_wrong(
    web: &Web,
    seat: &Arc<Seat>,
    (for_programs, browses): (bool, bool),
    response: Response,
) -> Response {
    let status = response.status();
    let (parts, body) = response.into_parts();
    let detail = match parts.extensions.get::<Detail>() {
        Some(Detail(detail)) => detail.clone(),
        // What axum itself refused says why in plain text.
        None => axum::body::to_bytes(body, DETAIL_BYTES_MAX)
            .await
            .ok()
            .and_then(|bytes| String::from_utf8(bytes.to_vec()).ok())
            .filter(|text| !text.is_empty() && status.is_client_error())
            .unwrap_or_else(|| usual(status).to_owned()),
    };
    let mut answer = if for_programs {
        problem(status, &detail, parts.extensions.get::<Told>())
    } else if let Some(page) = leads(web, seat, parts.extensions.get::<Way>().filter(|_| browses)) {
        page
    } else {
        let page = ErrorPage::new(Frame::new(web.clone(), Arc::clone(seat)), status, detail);
        match page.render() {
            Ok(page) => (status, Html(page)).into_response(),
            Err(_) => (status, usual(status)).into_response(),
        }
    };
    for name in [header::ALLOW, header::RETRY_AFTER, header::SET_COOKIE] {
        if let Some(value) = parts.headers.get(&name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer");
        answer
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    answer
}

/// Who looked at a page and has to do something first is led there, and back to it later.
fn leads(web: &Web, seat: &Seat, way: Option<&Way>) -> Option<Response> {
    let page = match way? {
        Way::SignIn if web.access().ways().page() => "/sign-in",
        Way::Password => "/account",
        Way::SignIn => return None,
    };
    let here = seat.uri.path_and_query().map_or("/", |here| here.as_str());
    let here: String = byte_serialize(here.as_bytes()).collect();
    Some(see(&format!("{page}?to={here}")))
}

fn problem(status: StatusCode, detail: &str, told: Option<&Told>) -> Response {
    let title = status.canonical_reason().unwrap_or("problem");
    let kind = format!("/api#{}", kind_of(status));
    let mut body =
        json!({"type": kind, "status": status.as_u16(), "title": title, "detail": detail});
    if let Some(told) = told.filter(|told| !told.errors.is_empty()) {
        body["errors"] = serde_json::to_value(&told.errors).unwrap_or(Value::Null);
    }
    if let Some((line, column)) = told.and_then(|told| told.at) {
        (body["line"], body["column"]) = (line.into(), column.into());
    }
    let kind = HeaderValue::from_static("application/problem+json");
    (status, [(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}

/// The kind of a problem, by which a program tells one from another. The page of the API explains each.
pub(crate) fn kind_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "malformed",
        StatusCode::UNAUTHORIZED => "sign-in",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not-found",
        StatusCode::METHOD_NOT_ALLOWED => "method",
        StatusCode::REQUEST_TIMEOUT => "slow",
        StatusCode::CONFLICT => "conflict",
        StatusCode::PRECONDITION_FAILED => "stale",
        StatusCode::PAYLOAD_TOO_LARGE => "too-large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "media-type",
        StatusCode::UNPROCESSABLE_ENTITY => "invalid",
        StatusCode::TOO_MANY_REQUESTS => "too-fast",
        StatusCode::SERVICE_UNAVAILABLE => "away",
        StatusCode::GATEWAY_TIMEOUT => "open",
        status if status.is_client_error() => "refused",
        _ => "broken",
    }
}

/// What is said of a status that nobody said more about.
const fn usual(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "there is nothing here",
        StatusCode::METHOD_NOT_ALLOWED => "this address does not take that method",
        StatusCode::PAYLOAD_TOO_LARGE => "this is too large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "this is not in a form that is understood here",
        StatusCode::REQUEST_TIMEOUT => "this took too long to arrive",
        _ => "this cannot be answered",
    }
}
