//! What was asked and what it did.

use std::cell::RefCell;
use std::collections::VecDeque;

use askama::Template;

use super::Page;
use super::frame::{Frame, link};
use super::shown::{Chip, SERVICES, When, by_key, cut, key, service, status};
use crate::journal::{Entry, Journal};

/// Lines of a page.
const LINES: usize = 100;
/// Characters of a request that are shown.
const REQUEST: usize = 300;

/// A line, to be shown.
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) at: When,
    pub(super) service: &'static str,
    pub(super) method: String,
    pub(super) status: Chip,
    pub(super) request: String,
    pub(super) effects: Vec<String>,
    pub(super) fault: Option<String>,
}

impl Line {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            number: entry.number,
            at: When(entry.at),
            service: service(entry.service),
            method: entry.method.to_string(),
            status: status(entry.status),
            request: cut(&entry.request, REQUEST),
            effects: entry
                .effects
                .iter()
                .map(|text| cut(text, REQUEST))
                .collect(),
            fault: entry.fault.clone(),
        }
    }
}

/// The newest lines before a number that are wanted, newest first. Only so many are copied.
fn newest(
    journal: &Journal,
    before: u64,
    most: usize,
    wanted: impl Fn(&Entry) -> bool,
) -> Vec<Entry> {
    let wanted = |entry: &Entry| entry.number < before && wanted(entry);
    let numbers = RefCell::new(VecDeque::new());
    journal.after(0, |entry| {
        if wanted(entry) {
            let mut numbers = numbers.borrow_mut();
            numbers.push_back(entry.number);
            if numbers.len() > most {
                numbers.pop_front();
            }
        }
        false
    });
    let Some(first) = numbers.into_inner().pop_front() else {
        return Vec::new();
    };
    let mut lines = journal.after(first.saturating_sub(1), wanted);
    lines.truncate(most);
    lines.reverse();
    lines
}

#[derive(Template)]
#[template(path = "journal.html")]
struct JournalPage<'a> {
    frame: &'a Frame,
    lines: Vec<Line>,
    services: Vec<(String, &'static str)>,
    methods: Vec<&'static str>,
    narrow: bool,
    newest: Option<String>,
    older: Option<String>,
}

/// `?service=…&method=…&effects=true&fault=true&q=…&before=number`
pub(super) async fn page(frame: &Frame) -> Page {
    let by = by_key(frame.query("service"));
    let (method, text) = (frame.query("method"), frame.query("q"));
    let (effects, fault) = (frame.query("effects"), frame.query("fault"));
    let fits = |wanted: &str, method: &str| match wanted.strip_suffix('*') {
        Some(beginning) => method.starts_with(beginning),
        None => wanted.is_empty() || wanted == method,
    };
    let wanted = |entry: &Entry| {
        by.is_none_or(|service| entry.service == service)
            && fits(method, &entry.method)
            && (effects.is_empty() || !entry.effects.is_empty())
            && (fault.is_empty() || entry.fault.is_some())
            && (text.is_empty()
                || entry.request.contains(text)
                || entry.effects.iter().any(|effect| effect.contains(text)))
    };
    let before: Option<u64> = frame.number("before");
    let journal = &frame.state.journal;
    let mut found = newest(journal, before.unwrap_or(u64::MAX), LINES + 1, wanted);
    let more = found.len() > LINES;
    found.truncate(LINES);
    let lines: Vec<Line> = found.iter().map(Line::of).collect();
    let last = lines.last().map(|line| line.number.to_string());
    let mut methods: Vec<&'static str> = frame.pages.routes.all().map(|method| method.id).collect();
    methods.sort_unstable();
    methods.dedup();
    Frame::page(&JournalPage {
        frame,
        services: SERVICES
            .into_iter()
            .map(|one| (key(one), service(one)))
            .collect(),
        methods,
        narrow: ["service", "method", "effects", "fault", "q"]
            .iter()
            .any(|name| !frame.query(name).is_empty()),
        newest: before.map(|_| frame.here_with(&[("before", "")])),
        older: last
            .filter(|_| more)
            .map(|last| frame.here_with(&[("before", &last)])),
        lines,
    })
}

/// The lines of one service.
pub(super) fn of_service(name: &str) -> String {
    link("/sandbox/journal", &[("service", name)])
}
