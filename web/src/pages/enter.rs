//! Coming in by a link, and going.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde::Deserialize;

use crate::input::Asking;
use crate::oops::Oops;
use crate::said::{see, signed_in};
use crate::web::Web;

#[derive(Debug, Deserialize)]
pub(crate) struct Enter {
    #[serde(default)]
    key: String,
}

/// A key has this many characters at the most; a longer one is not looked at.
const KEY_CHARS_MAX: usize = 128;

pub(crate) async fn enter(
    State(web): State<Web>,
    Asking(query): Asking<Enter>,
) -> Result<Response, Oops> {
    if query.key.len() > KEY_CHARS_MAX {
        return Err(Oops::SignIn);
    }
    let opened = web.access().redeem(&query.key, web.now()).await?;
    let session = opened.ok_or(Oops::SignIn)?;
    Ok(signed_in(web.cookie(), &session, "/"))
}

pub(crate) async fn leave(State(web): State<Web>, headers: HeaderMap) -> Result<Response, Oops> {
    if let Some(secret) = web.cookie().read(&headers) {
        web.access().end(secret, web.now()).await?;
    }
    let mut response = see("/");
    if let Some(cookie) = web.cookie().clear() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
