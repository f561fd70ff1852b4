//! The jobs of all services.

use askama::Template;
use chrono::{DateTime, Utc};

use super::Page;
use super::frame::{Frame, link};
use super::shown::{Chip, SERVICES, When, by_key, cut, key, phase, service, took};
use crate::jobs::Job;
use crate::services::Service;
use crate::services::bigquery::seen::JobSeen;

/// Jobs of a page.
const JOBS: usize = 50;
/// Characters of a message in a list.
const MESSAGE: usize = 240;

/// A job of any service.
pub(super) struct Seen {
    pub(super) service: Service,
    pub(super) href: String,
    pub(super) id: String,
    name: String,
    state: Chip,
    stage: Stage,
    progress: Option<f64>,
    created: DateTime<Utc>,
    started: Option<DateTime<Utc>>,
    ended: Option<DateTime<Utc>>,
    message: Option<String>,
}

/// How far a job is, as the filter has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Active,
    Failed,
    Done,
}

/// Words of the filter.
const STAGES: [(&str, &str, Stage); 3] = [
    ("active", "under way", Stage::Active),
    ("failed", "failed", Stage::Failed),
    ("done", "ended well or cancelled", Stage::Done),
];

impl Seen {
    pub(super) fn active(&self) -> bool {
        self.stage == Stage::Active
    }

    /// Whether it is a statement of SQL.
    pub(super) fn is_query(&self) -> bool {
        self.name.starts_with("query ")
    }

    fn of(job_key: &str, job: &Job) -> Self {
        let failed = job.phase == crate::jobs::Phase::Failed;
        Self {
            service: service_of(job_key),
            href: link("/sandbox/job", &[("key", job_key)]),
            id: job.id.clone(),
            name: job.name.clone(),
            state: phase(job.phase),
            stage: match (job.active(), failed) {
                (true, _) => Stage::Active,
                (_, true) => Stage::Failed,
                _ => Stage::Done,
            },
            progress: job.active().then_some(job.progress),
            created: job.created,
            started: job.started,
            ended: job.ended,
            message: job.message.clone(),
        }
    }

    fn of_bigquery(job: JobSeen) -> Self {
        let (stage, state) = match (job.phase, &job.error) {
            ("DONE", None) => (Stage::Done, Chip::new("ok", "Succeeded")),
            ("DONE", Some(_)) if job.stopped => (Stage::Done, Chip::new("skip", "Cancelled")),
            ("DONE", Some(_)) => (Stage::Failed, Chip::new("fail", "Failed")),
            ("RUNNING", _) => (Stage::Active, Chip::new("run", "Running")),
            _ => (Stage::Active, Chip::new("queue", "Pending")),
        };
        let place = [
            ("project", job.project.as_str()),
            ("location", &job.location),
            ("job", &job.id),
        ];
        Self {
            service: Service::Bigquery,
            href: link("/sandbox/job", &place),
            name: format!("{} {}", job.kind, job.about),
            id: job.id,
            state,
            stage,
            progress: None,
            created: job.created,
            started: job.started,
            ended: job.ended,
            message: job.error,
        }
    }
}

/// Whose job it is, by its key.
pub(super) fn service_of(job: &str) -> Service {
    let first = job.split('/').next().unwrap_or("");
    match first {
        "dbt" => Service::DbtCloud,
        "calls" => Service::CloudRun,
        first => by_key(first).unwrap_or(Service::Sandbox),
    }
}

/// All jobs, newest first.
pub(super) fn all(frame: &Frame) -> Vec<Seen> {
    let keyed = frame.state.jobs.keyed("");
    let bigquery = frame.state.bigquery.jobs_seen();
    let mut all: Vec<Seen> = keyed
        .iter()
        .map(|(job_key, job)| Seen::of(job_key, job))
        .chain(bigquery.into_iter().map(Seen::of_bigquery))
        .collect();
    all.sort_by(|a, b| (b.created, &b.href).cmp(&(a.created, &a.href)));
    all
}

/// A job, to be shown.
pub(super) struct Line {
    pub(super) service: &'static str,
    pub(super) href: String,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) state: Chip,
    pub(super) progress: Option<String>,
    pub(super) created: When,
    pub(super) took: String,
    pub(super) message: Option<String>,
}

impl Line {
    pub(super) fn of(job: &Seen, now: DateTime<Utc>) -> Self {
        let since = job.started.or(job.ended);
        Self {
            service: service(job.service),
            href: job.href.clone(),
            id: job.id.clone(),
            name: cut(&job.name, MESSAGE),
            state: job.state.clone(),
            progress: job.progress.map(|part| format!("{part:.2}")),
            created: When(job.created),
            took: since.map_or_else(String::new, |since| took(job.ended.unwrap_or(now) - since)),
            message: job.message.as_ref().map(|text| cut(text, MESSAGE)),
        }
    }
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage<'a> {
    frame: &'a Frame,
    lines: Vec<Line>,
    found: usize,
    total: usize,
    services: Vec<(String, &'static str)>,
    stages: Vec<(&'static str, &'static str)>,
    narrow: bool,
    first: Option<String>,
    more: Option<String>,
}

/// `?service=…&state=…&q=…&from=…`
pub(super) async fn page(frame: &Frame) -> Page {
    let all = all(frame);
    let total = all.len();
    let by = by_key(frame.query("service"));
    let wanted = frame.query("state");
    let stage = STAGES.iter().find(|(word, ..)| *word == wanted);
    let text = frame.query("q");
    let found: Vec<&Seen> = all
        .iter()
        .filter(|job| by.is_none_or(|service| job.service == service))
        .filter(|job| stage.is_none_or(|(.., stage)| job.stage == *stage))
        .filter(|job| job.id.contains(text) || job.name.contains(text))
        .collect();
    let from: usize = frame.number("from").unwrap_or(0);
    let next = from.saturating_add(JOBS);
    Frame::page(&JobsPage {
        frame,
        lines: found
            .iter()
            .skip(from)
            .take(JOBS)
            .map(|job| Line::of(job, frame.now))
            .collect(),
        found: found.len(),
        total,
        services: SERVICES
            .into_iter()
            .map(|one| (key(one), service(one)))
            .collect(),
        stages: STAGES
            .iter()
            .map(|(word, text, _)| (*word, *text))
            .collect(),
        narrow: by.is_some() || stage.is_some() || !text.is_empty(),
        first: (from > 0).then(|| frame.here_with(&[("from", "")])),
        more: (next < found.len()).then(|| frame.here_with(&[("from", &next.to_string())])),
    })
}
