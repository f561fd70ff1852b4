//! What people see when something went wrong: what, and what to do.

use askama::Template;
use axum::http::StatusCode;

use crate::frame::Frame;
use crate::paths;

/// Something went wrong.
#[derive(Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage {
    frame: Frame,
    title: String,
    detail: String,
    sign_in: bool,
    sign_in_at: Option<&'static str>,
    here: String,
    can_retry: bool,
}

impl ErrorPage {
    pub(crate) fn new(frame: Frame, status: StatusCode, detail: String) -> Self {
        let title = match status {
            StatusCode::UNAUTHORIZED => "Sign in first",
            StatusCode::FORBIDDEN => "You may not do this",
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::CONFLICT => "Somebody was faster",
            StatusCode::SERVICE_UNAVAILABLE => "Not at the moment",
            StatusCode::GATEWAY_TIMEOUT => "Not known whether it was done",
            status if status.is_server_error() => "Something went wrong",
            _ => "This cannot be done",
        };
        let mut detail = detail.trim_end_matches('.').to_owned();
        if let Some(first) = detail.get(..1) {
            let first = first.to_uppercase();
            detail.replace_range(..1, &first);
        }
        Self {
            sign_in: status == StatusCode::UNAUTHORIZED,
            sign_in_at: frame.web.access().ways().page().then_some("/sign-in"),
            here: paths::part(frame.here()),
            can_retry: status.is_server_error() && frame.looks(),
            title: title.to_owned(),
            detail,
            frame,
        }
    }
}
