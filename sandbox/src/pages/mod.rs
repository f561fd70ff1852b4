//! The pages: what is in the sandbox, for people. They read what REST answers and what services show of themselves; what a
//! page changes is a request like any other, with its faults and its line in the journal.
//!
//! A page can be read and its forms be sent without scripts. Nobody signs in, so a page is only shown at an address that is
//! the sandbox's own, and a form is only taken from one of its pages ([`guard`]).

mod assets;
mod buckets;
mod faults;
mod form;
mod frame;
mod guard;
mod inner;
mod jobs;
mod journal;
mod messages;
mod object;
mod one_job;
mod oops;
mod overview;
mod received;
mod rows;
mod shown;
mod sql;
mod tables;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method as Verb, Response, StatusCode, header};

use crate::route::Routes;
use crate::state::State;
use assets::Assets;
pub use assets::Dress;
use form::Form;
use frame::Frame;
use guard::Hosts;
use oops::Oops;

/// What a page answers.
type Page = Result<Response<Body>, Oops>;

/// What all pages share.
pub(crate) struct Pages {
    assets: Assets,
    hosts: Hosts,
    routes: Arc<Routes>,
    tally: Mutex<overview::Tally>,
}

/// Paths that are pages for browsers and JSON for programs.
#[cfg(test)]
const BOTH: [&str; 3] = ["/sandbox/faults", "/sandbox/journal", "/sandbox/received"];

/// All other pages.
const PAGES: [&str; 13] = [
    "/sandbox/",
    "/sandbox/buckets",
    "/sandbox/object",
    "/sandbox/download",
    "/sandbox/datasets",
    "/sandbox/dataset",
    "/sandbox/table",
    "/sandbox/sql",
    "/sandbox/jobs",
    "/sandbox/job",
    "/sandbox/messages",
    "/sandbox/topic",
    "/sandbox/subscription",
];

/// Where forms are sent to.
const FORMS: [&str; 5] = [
    "/sandbox/sql",
    "/sandbox/job",
    "/sandbox/topic",
    "/sandbox/faults/add",
    "/sandbox/faults/remove",
];

/// Where style sheet and script are.
const STATIC: &str = "/sandbox/static/";

/// Whether a request is for a page, not for a service.
pub(crate) fn wants(head: &Parts) -> bool {
    let path = head.uri.path();
    match head.method {
        Verb::POST => FORMS.contains(&path),
        Verb::GET if PAGES.contains(&path) || path.starts_with(STATIC) => true,
        Verb::GET if path == "/" || path == "/sandbox" || path.starts_with("/sandbox/") => {
            is_for_people(&head.headers)
        }
        _ => false,
    }
}

fn is_for_people(headers: &HeaderMap) -> bool {
    let accepts = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accepts.is_some_and(|accepts| accepts.contains("text/html"))
}

impl Pages {
    pub(crate) fn new(
        dress: &Dress,
        (listen, public): (SocketAddr, &str),
        routes: Arc<Routes>,
    ) -> Self {
        Self {
            assets: Assets::new(dress),
            hosts: Hosts::new(listen, public),
            routes,
            tally: Mutex::default(),
        }
    }

    /// Answers a request that [`wants`] took.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        state: &Arc<State>,
        head: Parts,
        body: Body,
    ) -> Response<Body> {
        let frame = Frame::new(Arc::clone(self), Arc::clone(state), &head);
        let answered = if !self.hosts.know(&head.headers) {
            Err(Oops::foreign_host())
        } else if head.method == Verb::POST && !guard::is_same_origin(&head.headers) {
            Err(Oops::foreign_form())
        } else {
            frame.answer(&head, body).await
        };
        let mut response = match answered {
            Ok(response) => response,
            Err(oops) => oops.page(&frame),
        };
        put_headers(response.headers_mut());
        response
    }
}

impl Frame {
    async fn answer(&self, head: &Parts, body: Body) -> Page {
        let path = head.uri.path();
        if head.method == Verb::POST {
            let form = Form::read(body).await?;
            return match path {
                "/sandbox/sql" => sql::send(self, &form).await,
                "/sandbox/job" => one_job::cancel(self, &form).await,
                "/sandbox/topic" => messages::publish(self, &form).await,
                "/sandbox/faults/add" => faults::add(self, &form).await,
                _ => faults::remove(self, &form).await,
            };
        }
        if let Some(name) = path.strip_prefix(STATIC) {
            return self.pages.assets.answer(name);
        }
        match path {
            "/" | "/sandbox" => Ok(see("/sandbox/")),
            "/sandbox/" => overview::page(self).await,
            "/sandbox/buckets" => buckets::page(self).await,
            "/sandbox/object" => object::page(self).await,
            "/sandbox/download" => object::download(self).await,
            "/sandbox/datasets" => tables::datasets(self).await,
            "/sandbox/dataset" => tables::dataset(self).await,
            "/sandbox/table" => tables::table(self).await,
            "/sandbox/sql" => sql::page(self).await,
            "/sandbox/jobs" => jobs::page(self).await,
            "/sandbox/job" => one_job::page(self).await,
            "/sandbox/messages" => messages::page(self).await,
            "/sandbox/topic" => messages::topic(self).await,
            "/sandbox/subscription" => messages::subscription(self).await,
            "/sandbox/received" => received::page(self).await,
            "/sandbox/faults" => faults::page(self).await,
            "/sandbox/journal" => journal::page(self).await,
            _ => Err(Oops::missing("The sandbox has no such page")),
        }
    }
}

/// To another page, which is read.
fn see(to: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    // Addresses that we write have only characters that a header takes.
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}

fn put_headers(headers: &mut HeaderMap) {
    let always = [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        // With none at all, the browser would not say where a form comes from.
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        // The same address is JSON for programs.
        ("vary", "accept"),
    ];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_and_form_is_where_no_method_is() {
        let routes = Routes::new(crate::services::methods());
        let is_method = |verb: &Verb, path: &str| {
            matches!(
                routes.find(verb, path),
                crate::route::Found::Method(method, _) if method.id.starts_with("sandbox.")
            )
        };
        for path in PAGES {
            assert!(!is_method(&Verb::GET, path), "{path}");
        }
        for path in FORMS {
            assert!(!is_method(&Verb::POST, path), "{path}");
        }
        for path in BOTH {
            assert!(is_method(&Verb::GET, path), "{path}");
        }
    }
}
