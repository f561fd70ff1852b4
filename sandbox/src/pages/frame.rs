//! What is around every page, and where its handler finds everything.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, header};
use chrono::{DateTime, Utc};
use url::form_urlencoded;

use super::{Page, Pages};
use crate::state::State;

/// A place in the navigation, and the pages that are in it.
pub(super) struct Section {
    pub(super) word: &'static str,
    pub(super) href: &'static str,
    more: &'static [&'static str],
}

const SECTIONS: [Section; 9] = [
    section("Overview", "/sandbox/", &[]),
    section("Buckets", "/sandbox/buckets", &["/sandbox/object"]),
    section(
        "Tables",
        "/sandbox/datasets",
        &["/sandbox/dataset", "/sandbox/table"],
    ),
    section("SQL", "/sandbox/sql", &[]),
    section("Jobs", "/sandbox/jobs", &["/sandbox/job"]),
    section(
        "Messages",
        "/sandbox/messages",
        &["/sandbox/topic", "/sandbox/subscription"],
    ),
    section("Received", "/sandbox/received", &[]),
    section("Faults", "/sandbox/faults", &[]),
    section("Journal", "/sandbox/journal", &[]),
];

const fn section(word: &'static str, href: &'static str, more: &'static [&'static str]) -> Section {
    Section { word, href, more }
}

/// What a form did, said on the page that follows. Only these words: what stands in an address says nothing here.
const SAID: [(&str, &str); 5] = [
    ("published", "The message was published."),
    ("stopping", "The job was asked to stop."),
    ("over", "The job had ended already."),
    ("fault", "The fault is set."),
    ("gone", "The fault is gone."),
];

/// What is around every page.
#[derive(Clone)]
pub(super) struct Frame {
    pub(super) pages: Arc<Pages>,
    pub(super) state: Arc<State>,
    pub(super) now: DateTime<Utc>,
    path: String,
    query: Vec<(String, String)>,
}

impl Frame {
    pub(super) fn new(pages: Arc<Pages>, state: Arc<State>, head: &Parts) -> Self {
        let query = head.uri.query().unwrap_or("");
        Self {
            pages,
            now: state.now(),
            state,
            path: head.uri.path().to_owned(),
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        }
    }

    /// The first value of a name in the address; empty if it is not there.
    pub(super) fn query(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// A number in the address. What is none is not there.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.query(name).parse().ok()
    }

    /// This page with other values in its address; an empty one goes.
    pub(super) fn here_with(&self, values: &[(&str, &str)]) -> String {
        let kept = self.query.iter().filter(|(name, _)| {
            name != "said" && !values.iter().any(|(changed, _)| changed == name)
        });
        let kept = kept.map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<(&str, &str)> = kept.chain(values.iter().copied()).collect();
        link(&self.path, &all)
    }

    pub(super) fn sections(&self) -> &'static [Section] {
        &SECTIONS
    }

    pub(super) fn is_in(&self, section: &Section) -> bool {
        let path = self.path.as_str();
        section.href == path || section.more.contains(&path)
    }

    pub(super) fn said(&self) -> Option<&'static str> {
        let said = self.query("said");
        let found = SAID.iter().find(|(word, _)| *word == said);
        found.map(|(_, text)| *text)
    }

    pub(super) fn clock(&self) -> String {
        self.now.format("%H:%M:%S").to_string()
    }

    pub(super) fn style(&self) -> &str {
        &self.pages.assets.style.href
    }

    pub(super) fn script(&self) -> &str {
        &self.pages.assets.script.href
    }

    pub(super) fn icon(&self) -> &str {
        &self.pages.assets.icon.href
    }

    /// A page as the answer.
    pub(super) fn page(template: &impl Template) -> Page {
        Ok(Self::html(template.render()?))
    }

    pub(super) fn html(text: String) -> Response<Body> {
        let mut response = Response::new(Body::from(text));
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, html);
        response
    }
}

/// An address with these values; empty ones are left out.
pub(super) fn link(path: &str, values: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(values.iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// A link to everything in the journal that speaks of something.
pub(super) fn journal_of(what: &str) -> String {
    link("/sandbox/journal", &[("q", what)])
}
