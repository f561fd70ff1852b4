//! Faults: those that are set, and a form for another.

use askama::Template;

use super::form::Form;
use super::frame::Frame;
use super::shown::{SERVICES, by_key, fault, key, service, times};
use super::{Oops, Page, see};
use crate::faults::{Fault, FaultKind};

/// The kinds, and what people choose them by.
const KINDS: [(&str, &str); 12] = [
    ("status", "Answers an error"),
    ("latency", "The answer waits"),
    ("lost_before", "Nothing is done, and no reply"),
    ("lost_after", "It is done, and no reply"),
    ("truncated", "It is done; the body ends in its middle"),
    ("html", "It is done; the body is a page of HTML"),
    ("expired_token", "401: the token has expired"),
    ("forbidden", "403: a permission is missing"),
    ("quota", "The quota is spent"),
    ("job_fails", "Jobs fail"),
    ("job_stuck", "Jobs never end"),
    ("job_vanishes", "Jobs cannot be found any more"),
];

struct Line {
    id: u64,
    service: &'static str,
    method: String,
    does: String,
    times: String,
}

/// A service and its methods, as choices.
struct Group {
    key: String,
    word: &'static str,
    methods: Vec<&'static str>,
}

#[derive(Template)]
#[template(path = "faults.html")]
struct FaultsPage<'a> {
    frame: &'a Frame,
    lines: Vec<Line>,
    groups: Vec<Group>,
    kinds: &'static [(&'static str, &'static str)],
}

pub(super) async fn page(frame: &Frame) -> Page {
    let groups = SERVICES.into_iter().map(|one| {
        let own = frame.pages.routes.all();
        let own = own.filter(|method| method.service == one);
        let mut methods: Vec<&'static str> = own.map(|method| method.id).collect();
        methods.sort_unstable();
        methods.dedup();
        Group {
            key: key(one),
            word: service(one),
            methods,
        }
    });
    let all = frame.state.faults.all();
    Frame::page(&FaultsPage {
        frame,
        lines: all
            .iter()
            .map(|one| Line {
                id: one.id,
                service: service(one.service),
                method: one.method.clone().unwrap_or_default(),
                does: fault(&one.kind),
                times: times(one),
            })
            .collect(),
        groups: groups.collect(),
        kinds: &KINDS,
    })
}

/// Sets a fault.
pub(super) async fn add(frame: &Frame, form: &Form) -> Page {
    let (service, method) = match form.text("what").split_once(' ') {
        Some((service, method)) => (service, Some(method)),
        None => (form.text("what"), None),
    };
    let service = by_key(service).ok_or_else(|| Oops::invalid("Choose a service"))?;
    let known = |wanted: &str| {
        let mut all = frame.pages.routes.all();
        all.any(|one| one.service == service && one.id == wanted)
    };
    if let Some(method) = method
        && !known(method)
    {
        return Err(Oops::invalid("The service has no such method"));
    }
    frame.state.faults.add(Fault {
        id: 0,
        service,
        method: method.map(str::to_owned),
        count: match form.number("count")? {
            Some(0) => return Err(Oops::invalid("A fault happens once at least")),
            count => count,
        },
        after: form.number("after")?.unwrap_or(0),
        kind: kind(form)?,
    });
    Ok(see("/sandbox/faults?said=fault"))
}

fn kind(form: &Form) -> Result<FaultKind, Oops> {
    let text = |name: &str, else_: &str| {
        let text = form.text(name).trim();
        if text.is_empty() { else_ } else { text }.to_owned()
    };
    Ok(match form.text("kind") {
        "status" => FaultKind::Status {
            status: match form.number("status")?.unwrap_or(503) {
                status @ 400..=599 => status,
                _ => return Err(Oops::invalid("An error's status is from 400 to 599")),
            },
            retry_after: form.number("retry_after")?,
        },
        "latency" => FaultKind::Latency {
            ms: form.number("ms")?.unwrap_or(1_000),
        },
        "lost_before" => FaultKind::LostBefore,
        "lost_after" => FaultKind::LostAfter,
        "truncated" => FaultKind::Truncated,
        "html" => FaultKind::Html,
        "expired_token" => FaultKind::ExpiredToken,
        "forbidden" => FaultKind::Forbidden {
            permission: text("permission", "bigquery.jobs.create"),
        },
        "quota" => FaultKind::Quota,
        "job_fails" => FaultKind::JobFails {
            message: text("message", "a fault of the sandbox"),
        },
        "job_stuck" => FaultKind::JobStuck,
        "job_vanishes" => FaultKind::JobVanishes,
        _ => return Err(Oops::invalid("Choose what happens")),
    })
}

/// Takes a fault away, or all.
pub(super) async fn remove(frame: &Frame, form: &Form) -> Page {
    match form.text("id") {
        "all" => frame.state.faults.clear(None),
        id => {
            let id = id.parse();
            let id = id.map_err(|_| Oops::invalid("A fault has a number"))?;
            // It may have been used up meanwhile: gone is gone.
            frame.state.faults.clear(Some(id))
        }
    };
    Ok(see("/sandbox/faults?said=gone"))
}
