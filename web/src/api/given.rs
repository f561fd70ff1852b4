//! What programs send, read strictly: what is not known is refused by its name, with what is known.

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::{Json, extract};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use tidemill_scheduler::engine::{Changed, Command};
use utoipa::IntoParams;

use super::views::ChangedView;
use crate::door::DoorError;
use crate::frame::Frame;
use crate::oops::{FieldError, Oops, Told};
use crate::shown;
use crate::web::Web;

/// Bodies were read before the handler, within this size.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A query. A field that is not known is refused.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Web> for Query<T> {
    type Rejection = Oops;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Oops> {
        match extract::Query::<T>::try_from_uri(&parts.uri) {
            Ok(extract::Query(query)) => Ok(Self(query)),
            Err(error) => {
                let says = error.body_text();
                let says = says.rsplit_once("query string: ").map(|(_, says)| says);
                Err(about_field(
                    says.unwrap_or("the query cannot be read"),
                    None,
                ))
            }
        }
    }
}

/// A JSON body; nothing at all is an empty object. A field that is not known is refused.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Web> for Body<T> {
    type Rejection = Oops;

    async fn from_request(request: Request, _: &Web) -> Result<Self, Oops> {
        let (parts, body) = request.into_parts();
        let bytes = to_bytes(body, BODY_BYTES_MAX).await;
        let bytes = bytes.map_err(|_| Oops::invalid("the body cannot be read"))?;
        if bytes.is_empty() {
            return read(b"{}").map(Self);
        }
        if !is_json(&parts.headers) {
            let says = "a body is JSON; send it with `Content-Type: application/json`";
            return Err(Oops::Says(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                says.to_owned(),
            ));
        }
        read(&bytes).map(Self)
    }
}

/// How deep a body may be nested.
const JSON_DEPTH_MAX: usize = 64;

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    kind.eq_ignore_ascii_case("application/json")
        || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Oops> {
    // No database keeps this character; written out it was refused before.
    if bytes.windows(6).any(|six| six == b"\\u0000") {
        return Err(Oops::invalid(
            "there is a character in what was sent that no text has",
        ));
    }
    if json_depth(bytes) > JSON_DEPTH_MAX {
        let says = format!("JSON is read to a depth of {JSON_DEPTH_MAX}, this is deeper");
        return Err(Oops::invalid(says));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let at = (error.line() > 0).then(|| (error.line(), error.column()));
        let says = error.to_string();
        if error.classify() == Category::Data {
            return about_field(&says, at);
        }
        Oops::Told(Box::new(Told {
            status: StatusCode::BAD_REQUEST,
            says: format!("this is not JSON: {says}"),
            errors: Vec::new(),
            at,
        }))
    })
}

/// How deep the lists and objects of a JSON text are nested; of what is no JSON, whatever comes out.
fn json_depth(bytes: &[u8]) -> usize {
    let (mut deepest, mut depth, mut in_text, mut escaped) = (0, 0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// What serde says, with the field that it names.
fn about_field(says: &str, at: Option<(usize, usize)>) -> Oops {
    let quoted = says
        .strip_prefix("unknown field `")
        .or_else(|| says.strip_prefix("missing field `"))
        .or_else(|| says.strip_prefix("duplicate field `"))
        .and_then(|rest| rest.split_once('`'));
    let field = match quoted {
        Some((field, _)) => Some(field),
        // A query's own errors begin with the name of the field.
        None => says
            .split_once(": ")
            .map(|(field, _)| field)
            .filter(|field| !field.is_empty() && !field.contains(' ')),
    };
    let errors = field.map(|field| FieldError {
        field: field.to_owned(),
        detail: says.to_owned(),
    });
    Oops::Told(Box::new(Told {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        says: says.to_owned(),
        errors: errors.into_iter().collect(),
        at,
    }))
}

/// What every change takes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChangeQuery {
    /// Change nothing, only say what would change.
    pub(crate) dry_run: Option<bool>,
}

/// The `edits` that `If-Match` names; none for whatever there is.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<u32>, Oops> {
    let Some(given) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let given = given.to_str().unwrap_or("?").trim();
    if given == "*" {
        return Ok(None);
    }
    let quoted = given
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let edits = quoted.and_then(|edits| edits.parse().ok());
    let wrong = || {
        let says = "this is no `ETag` of ours: send one as it came, such as `\"7\"`, or `*`";
        Oops::field("If-Match", says)
    };
    edits.map(Some).ok_or_else(wrong)
}

/// A change that is asked for: by whom, what they saw, and whether they mean it.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) frame: Frame,
    pub(crate) seen: Option<u32>,
    pub(crate) dry_run: bool,
}

impl Change {
    /// Has a command carried out, or worked out.
    pub(crate) async fn carry_out(&self, command: Command) -> Result<Changed, DoorError> {
        shown::ask(&self.frame, (self.seen, self.dry_run), command).await
    }

    /// The same, as an answer.
    pub(crate) async fn ask(&self, command: Command) -> Result<Json<ChangedView>, Oops> {
        let changed = self.carry_out(command).await;
        let changed = changed.map_err(|error| self.refused(error))?;
        Ok(Json(ChangedView::of(changed, self.dry_run)))
    }

    /// Why it was not done. Who said what they saw, and saw something older, is told so by its own status.
    pub(crate) fn refused(&self, error: DoorError) -> Oops {
        match error {
            DoorError::Stale(says) if self.seen.is_some() => {
                Oops::Says(StatusCode::PRECONDITION_FAILED, says)
            }
            error => error.into(),
        }
    }
}

impl FromRequestParts<Web> for Change {
    type Rejection = Oops;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Oops> {
        let Query(query) = Query::<ChangeQuery>::from_request_parts(parts, web).await?;
        Ok(Self {
            seen: if_match(&parts.headers)?,
            frame: Frame::from_request_parts(parts, web).await?,
            dry_run: query.dry_run.unwrap_or(false),
        })
    }
}

/// A note that is not too long.
pub(crate) fn note(text: Option<&str>) -> Result<Option<std::sync::Arc<str>>, Oops> {
    const CHARS_MAX: usize = 4_000;
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    if text.is_some_and(|text| text.chars().count() > CHARS_MAX) {
        return Err(Oops::field("note", "a note has at most 4,000 characters"));
    }
    Ok(text.map(Into::into))
}
