//! One job: how it stands, its log, and what came of it.

use askama::Template;
use axum::http::Method as Verb;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::form::Form;
use super::frame::{Frame, journal_of, link};
use super::inner::segment;
use super::jobs::service_of;
use super::shown::{Chip, When, bytes, number, phase, pretty, service, took};
use super::{Oops, Page, see};
use crate::jobs::{Job, Work};
use crate::journal::Entry;

/// A task.
struct TaskLine {
    name: String,
    what: String,
    state: Chip,
    took: String,
    message: Option<String>,
    parameters: Vec<(String, String)>,
    result: Option<String>,
}

/// A line of the log.
struct LogLine {
    at: When,
    error: bool,
    text: String,
}

/// A job of any service, as one page shows them all.
#[derive(Template)]
#[template(path = "job.html")]
struct JobPage<'a> {
    frame: &'a Frame,
    service: &'static str,
    title: String,
    id: String,
    state: Chip,
    active: bool,
    progress: Option<String>,
    facts: Vec<(&'static str, String)>,
    created: Option<When>,
    errors: Vec<String>,
    query: Option<String>,
    tasks: Vec<TaskLine>,
    history: Vec<(Chip, When)>,
    log: Vec<LogLine>,
    links: Vec<(String, String)>,
    raw: String,
    /// What the form for cancelling says.
    hidden: Vec<(&'static str, String)>,
}

/// `?key=…` of the job services, `?project=…&location=…&job=…` of BigQuery.
pub(super) async fn page(frame: &Frame) -> Page {
    if frame.query("key").is_empty() {
        return of_bigquery(frame).await;
    }
    let name = frame.query("key");
    let missing =
        || Oops::missing("There is no such job; one that a fault made vanish is never shown");
    let job = frame.state.jobs.get(name).ok_or_else(missing)?;
    let lasted = job
        .started
        .map(|started| took(job.ended.unwrap_or(frame.now) - started));
    let mut facts = vec![("Lasted", lasted.unwrap_or_else(|| "not started".to_owned()))];
    if job.streaming {
        facts.push(("Kind", "streaming".to_owned()));
    }
    if let Some(fault) = &job.fault {
        facts.push(("Fault", super::shown::fault(fault)));
    }
    Frame::page(&JobPage {
        frame,
        service: service(service_of(name)),
        title: if job.name.is_empty() {
            job.id.clone()
        } else {
            job.name.clone()
        },
        id: job.id.clone(),
        state: phase(job.phase),
        active: job.active(),
        progress: job.active().then(|| format!("{:.2}", job.progress)),
        facts,
        created: Some(When(job.created)),
        errors: job.message.clone().into_iter().collect(),
        query: None,
        tasks: job.tasks.iter().map(|one| task(one, frame.now)).collect(),
        history: job
            .history
            .iter()
            .map(|(state, at)| (phase(*state), When(*at)))
            .collect(),
        log: log(&job),
        links: vec![("In the journal".to_owned(), journal_of(&job.id))],
        raw: pretty(&job.body),
        hidden: vec![("key", name.to_owned())],
    })
}

fn task(task: &crate::jobs::Task, now: DateTime<Utc>) -> TaskLine {
    TaskLine {
        name: task.key.clone(),
        what: match &task.work {
            Work::Nothing => "takes its time".to_owned(),
            Work::Program(name) => format!("program {name}"),
            Work::Sql(text) => text.clone(),
        },
        state: phase(task.phase),
        took: task.started.map_or_else(String::new, |started| {
            took(task.ended.unwrap_or(now) - started)
        }),
        message: task.message.clone(),
        parameters: task.parameters.clone().into_iter().collect(),
        result: (!task.result.is_null()).then(|| pretty(&task.result)),
    }
}

fn log(job: &Job) -> Vec<LogLine> {
    let lines = job.log.iter();
    lines
        .map(|line| LogLine {
            at: When(line.at),
            error: line.error,
            text: line.text.clone(),
        })
        .collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

fn moment(job: &Value, name: &str) -> Option<DateTime<Utc>> {
    let millis = text(job, &format!("/statistics/{name}"))?.parse().ok()?;
    DateTime::from_timestamp_millis(millis)
}

/// The state of a job of BigQuery's.
pub(super) fn state(job: &Value) -> Chip {
    let error = text(job, "/status/errorResult/reason");
    match (text(job, "/status/state"), error) {
        (Some("DONE"), None) => Chip::new("ok", "Succeeded"),
        (Some("DONE"), Some("stopped")) => Chip::new("skip", "Cancelled"),
        (Some("DONE"), Some(_)) => Chip::new("fail", "Failed"),
        (Some("RUNNING"), _) => Chip::new("run", "Running"),
        _ => Chip::new("queue", "Pending"),
    }
}

/// What a job of BigQuery's did, in numbers.
pub(super) fn facts(job: &Value, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(started) = moment(job, "startTime") {
        let ended = moment(job, "endTime").unwrap_or(now);
        facts.push(("Lasted", took(ended - started)));
    }
    let size: fn(u64) -> String = bytes;
    for (name, pointer, shown) in [
        ("Statement", "/statistics/query/statementType", None),
        (
            "Bytes processed",
            "/statistics/totalBytesProcessed",
            Some(size),
        ),
        (
            "Bytes billed",
            "/statistics/query/totalBytesBilled",
            Some(size),
        ),
        (
            "Rows changed",
            "/statistics/query/numDmlAffectedRows",
            Some(number),
        ),
        ("Files read", "/statistics/load/inputFiles", Some(number)),
        ("Bytes read", "/statistics/load/inputFileBytes", Some(size)),
        ("Rows written", "/statistics/load/outputRows", Some(number)),
        ("Rows copied", "/statistics/copy/copiedRows", Some(number)),
    ] {
        let Some(found) = text(job, pointer) else {
            continue;
        };
        let number = found.parse::<u64>().ok();
        let shown = shown
            .zip(number)
            .map_or_else(|| found.to_owned(), |(shown, number)| shown(number));
        facts.push((name, shown));
    }
    facts
}

/// The job of BigQuery's that an address names.
pub(super) async fn found(frame: &Frame) -> Result<Value, crate::call::Refusal> {
    let (project, id) = (frame.query("project"), frame.query("job"));
    let path = format!(
        "/bigquery/v2/projects/{}/jobs/{}",
        segment(project),
        segment(id)
    );
    let location = frame.query("location");
    frame.get(&path, &[("location", location)]).await
}

async fn of_bigquery(frame: &Frame) -> Page {
    let job = found(frame).await?;
    let id = frame.query("job");
    let place = [
        ("project", frame.query("project")),
        ("location", frame.query("location")),
        ("job", id),
    ];
    let kind = text(&job, "/configuration/jobType")
        .unwrap_or("")
        .to_lowercase();
    let mut links = vec![("In the journal".to_owned(), journal_of(id))];
    if kind == "query" {
        links.insert(
            0,
            (
                "Its rows, in the console".to_owned(),
                link("/sandbox/sql", &place),
            ),
        );
    }
    let table = job.pointer(&format!("/configuration/{kind}/destinationTable"));
    if let Some((name, href)) = table.and_then(table_link) {
        links.push((format!("Table {name}"), href));
    }
    let errors = job.pointer("/status/errors").and_then(Value::as_array);
    let errors = errors.map_or(&[][..], Vec::as_slice).iter();
    let active = text(&job, "/status/state") != Some("DONE");
    let location = text(&job, "/jobReference/location")
        .unwrap_or("")
        .to_owned();
    let mut facts = facts(&job, frame.now);
    facts.push(("Location", location));
    Frame::page(&JobPage {
        frame,
        service: "BigQuery",
        title: format!("{kind} {id}"),
        id: id.to_owned(),
        state: state(&job),
        active,
        progress: None,
        facts,
        created: moment(&job, "creationTime").map(When),
        errors: errors
            .filter_map(|error| text(error, "/message").map(str::to_owned))
            .collect(),
        query: text(&job, "/configuration/query/query").map(str::to_owned),
        tasks: Vec::new(),
        history: Vec::new(),
        log: Vec::new(),
        links,
        raw: pretty(&job),
        hidden: place.map(|(name, value)| (name, value.to_owned())).into(),
    })
}

/// A table that a job names, if it is none of those that only hold a result.
fn table_link(table: &Value) -> Option<(String, String)> {
    let (project, dataset, table) = (
        text(table, "/projectId")?,
        text(table, "/datasetId")?,
        text(table, "/tableId")?,
    );
    let plain = table.split('$').next().unwrap_or(table);
    let values = [("project", project), ("dataset", dataset), ("table", plain)];
    (!dataset.starts_with('_')).then(|| {
        (
            format!("{dataset}.{table}"),
            link("/sandbox/table", &values),
        )
    })
}

/// Asks a job to stop.
pub(super) async fn cancel(frame: &Frame, form: &Form) -> Page {
    let name = form.text("key");
    if name.is_empty() {
        let (project, job) = (form.text("project"), form.text("job"));
        let place = [
            ("project", project),
            ("location", form.text("location")),
            ("job", job),
            ("said", "stopping"),
        ];
        let query = link("", &[("location", form.text("location"))]);
        let path = format!(
            "/bigquery/v2/projects/{}/jobs/{}/cancel{query}",
            segment(project),
            segment(job)
        );
        frame.post(&path, &json!({})).await?;
        return Ok(see(&link("/sandbox/job", &place)));
    }
    let state = &frame.state;
    let job = state
        .jobs
        .get(name)
        .ok_or_else(|| Oops::missing("There is no such job"))?;
    let went = state.jobs.cancel(name);
    if went {
        // Each service has a method of its own for this; the page asks the job itself, and notes it in its name.
        state.journal.note(Entry {
            number: 0,
            at: state.now(),
            service: service_of(name),
            method: "sandbox.jobs.cancel".into(),
            request: format!("{} /sandbox/job", Verb::POST),
            status: Some(303),
            effects: vec![format!("job {} asked to end", job.id)],
            fault: None,
        });
    }
    let said = if went { "stopping" } else { "over" };
    Ok(see(&link("/sandbox/job", &[("key", name), ("said", said)])))
}
