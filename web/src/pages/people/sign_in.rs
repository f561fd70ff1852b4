//! Signing in: with a password, with an account elsewhere, or through a proxy that says who somebody is.

use std::sync::Arc;

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::super::page;
use crate::access::sso::{Begun, Provider};
use crate::access::{Cookie, NotIn, Ways};
use crate::browser::Caller;
use crate::frame::Frame;
use crate::input::{Asking, Sent};
use crate::oops::{Oops, finished};
use crate::said::{own_path, see, signed_in};
use crate::web::Web;

/// Longer names and passwords than these are cut off by the form, too.
const FIELD_BYTES_MAX: usize = 4_096;
/// Who wanted a page with a longer address than this sees the start page.
const TO_BYTES_MAX: usize = 1_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SignInQuery {
    to: String,
}

#[derive(Deserialize)]
pub(crate) struct PasswordForm {
    name: String,
    password: String,
    #[serde(default)]
    to: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct BackQuery {
    code: String,
    state: String,
    error: String,
    error_description: String,
}

/// Where people sign in.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    frame: Frame,
    password: bool,
    single: Option<Arc<str>>,
    name: String,
    to: String,
    /// Its address, within another.
    to_part: String,
    wrong: Option<String>,
}

page!(SignInPage);

impl SignInPage {
    fn new(frame: Frame, to: &str) -> Self {
        let Ways {
            password, single, ..
        } = frame.web.access().ways();
        let to = own_path(to).to_owned();
        Self {
            to_part: crate::paths::part(&to),
            frame,
            password,
            single,
            name: String::new(),
            to,
            wrong: None,
        }
    }

    /// The page again, with what went wrong on it.
    fn not_in(mut self, why: NotIn) -> Result<Response, Oops> {
        let status = match &why {
            NotIn::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
            NotIn::Closed => StatusCode::NOT_FOUND,
            NotIn::Wrong => StatusCode::UNAUTHORIZED,
            NotIn::Wait(_) => StatusCode::TOO_MANY_REQUESTS,
            NotIn::Unknown(_) | NotIn::Disabled(_) | NotIn::Elsewhere(_) => StatusCode::FORBIDDEN,
        };
        let wait = match why {
            NotIn::Broken(error) => return Err(error.into()),
            NotIn::Wait(wait) => Some(wait.rest.as_secs().max(1)),
            _ => None,
        };
        let says = why.to_string();
        self.wrong = Some(says.clone());
        let mut answer = finished(Oops::Says(status, says), self.into_response());
        if let Some(wait) = wait {
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, wait.into());
        }
        Ok(answer)
    }
}

pub(crate) async fn show(
    frame: Frame,
    caller: Caller,
    headers: HeaderMap,
    Asking(query): Asking<SignInQuery>,
) -> Result<Response, Oops> {
    let web = frame.web.clone();
    let ways = web.access().ways();
    if frame.who().is_some() {
        return Ok(see(&query.to));
    }
    if !ways.page() {
        return Err(Oops::SignIn);
    }
    let page = SignInPage::new(frame, &query.to);
    if !ways.proxy {
        return Ok(page.into_response());
    }
    let known = match web.access().proxied(&headers, web.now()).await {
        Ok(Some(known)) => known,
        Ok(None) => {
            let says = "this Tidemill is behind a proxy that signs people in, and this request did not come through it";
            return page.not_in(NotIn::Elsewhere(says.to_owned()));
        }
        Err(why) => return page.not_in(why),
    };
    match web.access().open(&known, caller.browser(&web)).await {
        Ok(secret) => Ok(signed_in(web.cookie(), &secret, &query.to)),
        Err(why) => page.not_in(why),
    }
}

pub(crate) async fn password(
    frame: Frame,
    caller: Caller,
    Sent(form): Sent<PasswordForm>,
) -> Result<Response, Oops> {
    let web = frame.web.clone();
    if form.name.len() > FIELD_BYTES_MAX || form.password.len() > FIELD_BYTES_MAX {
        return Err(Oops::invalid(
            "a name and a password are not as long as this",
        ));
    }
    let given = (form.name.as_str(), form.password.as_str());
    match web.access().password(given, caller.browser(&web)).await {
        Ok(secret) => Ok(signed_in(web.cookie(), &secret, &form.to)),
        Err(why) => {
            let mut page = SignInPage::new(frame, &form.to);
            page.name = form.name;
            page.not_in(why)
        }
    }
}

fn provider(web: &Web) -> Result<&Provider, Oops> {
    let provider = web.access().single();
    provider.ok_or_else(|| Oops::not_found("nobody signs in with another account here"))
}

/// Sends somebody to where their account is.
pub(crate) async fn away(
    frame: Frame,
    Asking(query): Asking<SignInQuery>,
) -> Result<Response, Oops> {
    let web = frame.web.clone();
    // It comes back in a cookie, of which browsers keep no more than 4 KiB.
    let to = Some(own_path(&query.to)).filter(|to| to.len() <= TO_BYTES_MAX);
    let begun = provider(&web)?.begin(to.unwrap_or("/"), web.now()).await;
    let (to, begun) = match begun {
        Ok(begun) => begun,
        Err(why) => return SignInPage::new(frame, &query.to).not_in(why),
    };
    let broken =
        |error: &dyn std::fmt::Display| Oops::broken(format!("send somebody away: {error}"));
    let to = HeaderValue::from_str(&to).map_err(|error| broken(&error))?;
    let kept = serde_json::to_vec(&begun).map_err(|error| broken(&error))?;
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::LOCATION, to);
    if let Some(cookie) = on_the_way(&web).set(&crate::html::hex(&kept)) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The cookie of whoever is on their way.
fn on_the_way(web: &Web) -> Cookie {
    Cookie::away((web.config().https, web.config().port))
}

/// Somebody comes back from there.
pub(crate) async fn back(
    frame: Frame,
    caller: Caller,
    headers: HeaderMap,
    Asking(query): Asking<BackQuery>,
) -> Result<Response, Oops> {
    let web = frame.web.clone();
    let cookie = on_the_way(&web);
    let begun = cookie.read(&headers).and_then(crate::html::unhex);
    let begun: Option<Begun> = begun.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let to = begun.as_ref().map_or("/", |begun| begun.to.as_str());
    let page = SignInPage::new(frame, to);
    let provider = provider(&web)?;
    // Nobody is signed in by a link that somebody else has made, nor told anything by it.
    let mut answer = match begun.filter(|begun| begun.state == query.state) {
        None => {
            let says = "this did not begin in this browser, or too long ago; sign in again";
            page.not_in(NotIn::Elsewhere(says.to_owned()))?
        }
        Some(_) if !query.error.is_empty() => {
            let says = [query.error, query.error_description].join(" ");
            let says: String = says.trim().chars().take(300).collect();
            let says = format!("{} did not sign you in: {says}", provider.name());
            page.not_in(NotIn::Elsewhere(says))?
        }
        Some(begun) => match enter(&web, &caller, (&begun, &query.code)).await {
            Ok(secret) => signed_in(web.cookie(), &secret, &begun.to),
            Err(why) => page.not_in(why)?,
        },
    };
    if let Some(gone) = cookie.clear() {
        answer.headers_mut().append(header::SET_COOKIE, gone);
    }
    Ok(answer)
}

async fn enter(web: &Web, caller: &Caller, (begun, code): (&Begun, &str)) -> Result<String, NotIn> {
    let provider = web.access().single().ok_or(NotIn::Closed)?;
    let known = provider.finish(begun, code, web.now()).await?;
    web.access().open(&known, caller.browser(web)).await
}
