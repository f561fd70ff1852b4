//! What went wrong, as a page.

use askama::Template;
use axum::body::Body;
use axum::http::{Response, StatusCode};

use super::frame::Frame;
use crate::call::Refusal;

/// Why there is no page.
#[derive(Debug)]
pub(super) struct Oops {
    status: StatusCode,
    title: &'static str,
    detail: String,
}

#[derive(Template)]
#[template(path = "oops.html")]
struct OopsPage<'a> {
    frame: &'a Frame,
    title: &'static str,
    detail: &'a str,
}

impl Oops {
    fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            title,
            detail: detail.into(),
        }
    }

    pub(super) fn missing(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not here", detail)
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Nothing was done", detail)
    }

    pub(super) fn foreign_host() -> Self {
        let detail = "This name is not the sandbox's: its pages are shown at the address it listens on, at localhost, and at \
            the setting sandbox_url";
        Self::new(StatusCode::FORBIDDEN, "Not shown here", detail)
    }

    pub(super) fn foreign_form() -> Self {
        let detail = "This was not sent by a page of the sandbox, or the browser does not say so; programs use the API";
        Self::new(StatusCode::FORBIDDEN, "Nothing was done", detail)
    }

    pub(super) fn page(&self, frame: &Frame) -> Response<Body> {
        let page = OopsPage {
            frame,
            title: self.title,
            detail: self.detail.trim_end_matches('.'),
        };
        let mut response = match page.render() {
            Ok(page) => Frame::html(page),
            Err(_) => Response::new(Body::from(self.detail.clone())),
        };
        *response.status_mut() = self.status;
        response
    }
}

impl From<Refusal> for Oops {
    fn from(refusal: Refusal) -> Self {
        let title = match refusal.status.as_u16() {
            404 => "Not here",
            500..=599 if refusal.status != StatusCode::NOT_IMPLEMENTED => "The sandbox failed",
            _ => "It was refused",
        };
        Self::new(refusal.status, title, refusal.message)
    }
}

impl From<askama::Error> for Oops {
    fn from(error: askama::Error) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "The sandbox failed", error.to_string())
    }
}
