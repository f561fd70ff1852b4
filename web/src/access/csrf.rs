//! That a change was asked for on our own pages: the browser says where it comes from, and the form has a token that only a
//! page of this session could know.

use axum::http::{HeaderMap, Uri, header};
use ring::hmac;

/// What the token is made over; the key is the session's secret.
const MESSAGE: &[u8] = b"tidemill form";
/// The field of a form with the token.
const FIELD: &str = "csrf";
/// The header with it, for scripts.
const HEADER: &str = "x-csrf";

fn key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

/// The token of the forms of a session.
#[must_use]
pub(crate) fn token(secret: &str) -> String {
    crate::html::hex(hmac::sign(&key(secret), MESSAGE).as_ref())
}

/// Whether a change with a cookie may go on.
///
/// # Errors
/// What is wrong, for people.
pub(crate) fn guard(
    headers: &HeaderMap,
    secret: Option<&str>,
    body: &[u8],
) -> Result<(), &'static str> {
    same_origin(headers)?;
    let Some(secret) = secret else {
        return Ok(());
    };
    let given = match headers.get(HEADER).and_then(|value| value.to_str().ok()) {
        Some(given) => Some(given.to_owned()),
        None => in_form(headers, body),
    };
    let given = given.ok_or("the form has no token; load the page again and send it from there")?;
    let tag = crate::html::unhex(&given).unwrap_or_default();
    hmac::verify(&key(secret), MESSAGE, &tag)
        .map_err(|_| "the form is of another session; load the page again and send it from there")
}

/// Browsers say with every change where it comes from. Programs need not, but they have no cookies either.
fn same_origin(headers: &HeaderMap) -> Result<(), &'static str> {
    const ELSEWHERE: &str = "this was sent by a page of another site; nothing was changed";
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site")
        && !matches!(site, "same-origin" | "none")
    {
        return Err(ELSEWHERE);
    }
    if let Some(origin) = text(header::ORIGIN.as_str()) {
        let host = text(header::HOST.as_str());
        let from: Option<Uri> = origin.parse().ok();
        let from = from.and_then(|uri| uri.authority().map(ToString::to_string));
        if from.is_none() || from.as_deref() != host {
            return Err(ELSEWHERE);
        }
    }
    Ok(())
}

fn in_form(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return None;
    }
    let body = std::str::from_utf8(body).ok()?;
    let field = body.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name == FIELD).then_some(value)
    });
    field.map(ToOwned::to_owned)
}
