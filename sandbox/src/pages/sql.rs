//! The console: a statement is a job of BigQuery's like any other.

use askama::Template;
use serde_json::{Value, json};

use super::form::Form;
use super::frame::{Frame, link};
use super::inner::segment;
use super::jobs::{self, Line};
use super::one_job::{self, facts, state};
use super::rows::Grid;
use super::shown::{Chip, bytes, number};
use super::{Page, see};
use crate::call::Refusal;
use crate::services::Service;

/// Rows of a page.
const ROWS: u64 = 50;
/// Statements that are listed.
const RECENT: usize = 10;
/// The project of who has none yet.
const PROJECT: &str = "sandbox";

/// What is wrong with a statement, and where.
struct Wrong {
    message: String,
    /// The line, and what leads up to the mark below it.
    place: Option<(String, String)>,
}

impl Wrong {
    fn new(message: &str, text: &str) -> Self {
        Self {
            place: position(message).and_then(|at| marked(text, at)),
            message: message.to_owned(),
        }
    }
}

/// The last `[line:column]` of a message.
fn position(message: &str) -> Option<(usize, usize)> {
    let (before, _) = message.rsplit_once(']')?;
    let (_, place) = before.rsplit_once('[')?;
    let (line, column) = place.split_once(':')?;
    Some((line.parse().ok()?, column.parse().ok()?))
}

fn marked(text: &str, (line, column): (usize, usize)) -> Option<(String, String)> {
    let line = text.lines().nth(line.checked_sub(1)?)?;
    let before = line.chars().take(column.checked_sub(1)?);
    let blank = before.map(|c| if c == '\t' { c } else { ' ' }).collect();
    Some((line.to_owned(), blank))
}

/// What came of a statement.
struct Outcome {
    state: Chip,
    active: bool,
    facts: Vec<(&'static str, String)>,
    href: String,
    wrong: Option<Wrong>,
    /// None: it gives no rows, or not yet.
    grid: Option<Grid>,
    from: String,
    to: String,
    total: String,
    earlier: Option<String>,
    later: Option<String>,
    hidden: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "sql.html")]
struct SqlPage<'a> {
    frame: &'a Frame,
    project: &'a str,
    dataset: &'a str,
    text: &'a str,
    projects: Vec<String>,
    datasets: Vec<String>,
    outcome: Option<Outcome>,
    /// It was refused, or only looked at.
    wrong: Option<Wrong>,
    dry: Option<String>,
    recent: Vec<Line>,
}

/// What stands in the fields.
struct Fields<'a> {
    project: &'a str,
    dataset: &'a str,
    text: &'a str,
}

fn shown<'a>(frame: &'a Frame, fields: &Fields<'a>) -> SqlPage<'a> {
    let datasets = frame.state.bigquery.datasets_seen();
    let recent = jobs::all(frame);
    let recent = recent
        .iter()
        .filter(|job| job.service == Service::Bigquery && job.is_query());
    SqlPage {
        frame,
        project: fields.project,
        dataset: fields.dataset,
        text: fields.text,
        projects: frame.state.bigquery.projects_seen(),
        datasets: datasets.into_iter().map(|one| one.name).collect(),
        outcome: None,
        wrong: None,
        dry: None,
        recent: recent
            .take(RECENT)
            .map(|job| Line::of(job, frame.now))
            .collect(),
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// `?project=…&dataset=…&text=…`, or `?project=…&location=…&job=…&from=…`
pub(super) async fn page(frame: &Frame) -> Page {
    let projects = frame.state.bigquery.projects_seen();
    let first = projects.first().map_or(PROJECT, String::as_str);
    let project = Some(frame.query("project")).filter(|name| !name.is_empty());
    let mut fields = Fields {
        project: project.unwrap_or(first),
        dataset: frame.query("dataset"),
        text: frame.query("text"),
    };
    if frame.query("job").is_empty() {
        return Frame::page(&shown(frame, &fields));
    }
    let job = one_job::found(frame).await?;
    fields.dataset = text(&job, "/configuration/query/defaultDataset/datasetId");
    fields.text = text(&job, "/configuration/query/query");
    let mut page = shown(frame, &fields);
    page.outcome = Some(outcome(frame, &job, fields.text).await?);
    Frame::page(&page)
}

async fn outcome(frame: &Frame, job: &Value, statement: &str) -> Result<Outcome, Refusal> {
    let place = [
        ("project", frame.query("project")),
        ("location", text(job, "/jobReference/location")),
        ("job", frame.query("job")),
    ];
    let error = job.pointer("/status/errorResult/message");
    let error = error.and_then(Value::as_str);
    let active = text(job, "/status/state") != "DONE";
    let mut outcome = Outcome {
        state: state(job),
        active,
        facts: facts(job, frame.now),
        href: link("/sandbox/job", &place),
        wrong: error.map(|message| Wrong::new(message, statement)),
        grid: None,
        from: String::new(),
        to: String::new(),
        total: String::new(),
        earlier: None,
        later: None,
        hidden: place.map(|(name, value)| (name, value.to_owned())).into(),
    };
    let query = text(job, "/configuration/jobType") == "QUERY";
    if active || error.is_some() || !query {
        return Ok(outcome);
    }
    let from: u64 = frame.number("from").unwrap_or(0);
    let path = format!(
        "/bigquery/v2/projects/{}/queries/{}",
        segment(place[0].1),
        segment(place[2].1)
    );
    let (most, start) = (ROWS.to_string(), from.to_string());
    let query = [
        ("location", place[1].1),
        ("maxResults", most.as_str()),
        ("startIndex", start.as_str()),
        ("timeoutMs", "0"),
        ("formatOptions.useInt64Timestamp", "true"),
    ];
    let found = match frame.get(&path, &query).await {
        Ok(found) => found,
        // The rows are kept for a day; the job is kept longer.
        Err(refusal) => {
            outcome.wrong = Some(Wrong::new(&refusal.message, ""));
            return Ok(outcome);
        }
    };
    let total: u64 = text(&found, "/totalRows").parse().unwrap_or(0);
    let grid = Grid::of(found.get("schema"), found.get("rows"));
    let to = from.saturating_add(grid.rows.len() as u64);
    outcome.from = number(from.saturating_add(1));
    outcome.to = number(to);
    outcome.total = number(total);
    let earlier = from.saturating_sub(ROWS).to_string();
    outcome.earlier = (from > 0).then(|| frame.here_with(&[("from", &earlier)]));
    let later = to.to_string();
    outcome.later = (to < total && to > from).then(|| frame.here_with(&[("from", &later)]));
    outcome.grid = Some(grid).filter(|grid| !grid.columns.is_empty());
    Ok(outcome)
}

/// Runs a statement, or only looks at what it would read.
pub(super) async fn send(frame: &Frame, form: &Form) -> Page {
    let fields = Fields {
        project: form.text("project").trim(),
        dataset: form.text("dataset").trim(),
        text: form.text("text"),
    };
    let dry = form.text("how") == "dry";
    let mut query = json!({ "query": fields.text, "useLegacySql": false });
    if !fields.dataset.is_empty() {
        query["defaultDataset"] =
            json!({ "projectId": fields.project, "datasetId": fields.dataset });
    }
    let body = json!({ "configuration": { "query": query, "dryRun": dry } });
    let path = format!("/bigquery/v2/projects/{}/jobs", segment(fields.project));
    match frame.post(&path, &body).await {
        Ok(job) if dry => {
            let size = text(&job, "/statistics/totalBytesProcessed").parse();
            let mut page = shown(frame, &fields);
            page.dry = Some(bytes(size.unwrap_or(0)));
            Frame::page(&page)
        }
        Ok(job) => {
            let place = [
                ("project", fields.project),
                ("location", text(&job, "/jobReference/location")),
                ("job", text(&job, "/jobReference/jobId")),
            ];
            Ok(see(&link("/sandbox/sql", &place)))
        }
        Err(refusal) => {
            let mut page = shown(frame, &fields);
            page.wrong = Some(Wrong::new(&refusal.message, fields.text));
            let mut response = Frame::page(&page)?;
            *response.status_mut() = refusal.status;
            Ok(response)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_an_error_is_marked() {
        let wrong = Wrong::new("Unrecognized name: x at [2:8]", "SELECT 1;\nSELECT x");
        assert_eq!(wrong.place, Some(("SELECT x".to_owned(), " ".repeat(7))));
        for message in ["", "[", "]", "[1]", "[9:9]", "[0:0]", "[:]", "at [1:0]"] {
            assert!(Wrong::new(message, "SELECT 1").place.is_none(), "{message}");
        }
    }
}
