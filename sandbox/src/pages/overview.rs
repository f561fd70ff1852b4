//! What there is, what runs, and what happened last.

use std::collections::{BTreeMap, VecDeque};
use std::sync::PoisonError;

use askama::Template;

use super::Page;
use super::frame::Frame;
use super::jobs::{self, Line as JobLine};
use super::journal::{Line, of_service};
use super::shown::{SERVICES, bytes, count, fault, key, service, times};
use crate::journal::{Entry, Journal};
use crate::services::Service;

/// Lines of the journal on the overview.
const LAST: usize = 12;
/// Jobs on it.
const JOBS: usize = 8;

/// Requests since the sandbox was started, counted as they come.
#[derive(Default)]
pub(super) struct Tally {
    seen: u64,
    requests: BTreeMap<Service, u64>,
    last: VecDeque<Entry>,
}

impl Tally {
    fn read(&mut self, journal: &Journal) {
        for entry in journal.after(self.seen, |_| true) {
            self.seen = self.seen.max(entry.number);
            *self.requests.entry(entry.service).or_default() += 1;
            self.last.push_front(entry);
            self.last.truncate(LAST);
        }
    }
}

/// A service.
struct ServiceLine {
    name: &'static str,
    /// Where one sees more of it.
    href: Option<String>,
    here: String,
    requests: u64,
    journal: String,
    running: usize,
    faults: usize,
}

/// A fault.
struct FaultLine {
    service: &'static str,
    method: String,
    does: String,
    times: String,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    frame: &'a Frame,
    services: Vec<ServiceLine>,
    running: Vec<JobLine>,
    more_running: usize,
    faults: Vec<FaultLine>,
    last: Vec<Line>,
    folder: String,
    address: &'a str,
}

pub(super) async fn page(frame: &Frame) -> Page {
    let state = &frame.state;
    let (requests, last) = {
        let mut tally = frame
            .pages
            .tally
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        tally.read(&state.journal);
        let last: Vec<Line> = tally.last.iter().map(Line::of).collect();
        (tally.requests.clone(), last)
    };
    let all = jobs::all(frame);
    let faults = state.faults.all();
    let services = SERVICES.into_iter().map(|one| {
        let own: Vec<&jobs::Seen> = all.iter().filter(|job| job.service == one).collect();
        let name = key(one);
        let (href, here) = here(frame, one, own.len());
        ServiceLine {
            name: service(one),
            href,
            here,
            requests: requests.get(&one).copied().unwrap_or(0),
            journal: of_service(&name),
            running: own.iter().filter(|job| job.active()).count(),
            faults: faults.iter().filter(|fault| fault.service == one).count(),
        }
    });
    let services = services.collect();
    let running: Vec<&jobs::Seen> = all.iter().filter(|job| job.active()).collect();
    Frame::page(&Overview {
        frame,
        services,
        more_running: running.len().saturating_sub(JOBS),
        running: running
            .into_iter()
            .take(JOBS)
            .map(|job| JobLine::of(job, frame.now))
            .collect(),
        faults: faults
            .iter()
            .map(|one| FaultLine {
                service: service(one.service),
                method: one.method.clone().unwrap_or_default(),
                does: fault(&one.kind),
                times: times(one),
            })
            .collect(),
        last,
        folder: state.folder.display().to_string(),
        address: &state.public,
    })
}

/// What a service has, and where it is shown.
fn here(frame: &Frame, service: Service, jobs: usize) -> (Option<String>, String) {
    let state = &frame.state;
    let to = |href: &str| Some(href.to_owned());
    match service {
        Service::Storage => {
            let buckets = state.storage.seen();
            let objects = buckets.iter().map(|one| one.objects as u64).sum();
            let size = buckets.iter().map(|one| one.bytes).sum();
            let text = format!(
                "{}, {}, {}",
                count(buckets.len() as u64, "bucket"),
                count(objects, "object"),
                bytes(size)
            );
            (to("/sandbox/buckets"), text)
        }
        Service::Bigquery => {
            let datasets = state.bigquery.datasets_seen();
            let tables: usize = datasets.iter().map(|one| one.tables + one.views).sum();
            let text = format!(
                "{}, {}, {}",
                count(datasets.len() as u64, "dataset"),
                count(tables as u64, "table"),
                count(jobs as u64, "job")
            );
            (to("/sandbox/datasets"), text)
        }
        Service::Pubsub => {
            let topics = state.pubsub.topic_names().len() as u64;
            let all = state.pubsub.subscriptions_seen(None, frame.now);
            let waiting: usize = all.iter().map(|one| one.waiting + one.held).sum();
            let text = format!(
                "{}, {} in {}",
                count(topics, "topic"),
                count(waiting as u64, "message"),
                count(all.len() as u64, "subscription")
            );
            (to("/sandbox/messages"), text)
        }
        Service::Receivers => {
            let text = count(state.receivers.count() as u64, "message");
            (to("/sandbox/received"), text)
        }
        Service::Crm | Service::Tokens | Service::Secrets | Service::Sandbox => {
            (None, String::new())
        }
        _ => {
            let href = super::frame::link("/sandbox/jobs", &[("service", &key(service))]);
            (Some(href), count(jobs as u64, "job"))
        }
    }
}
