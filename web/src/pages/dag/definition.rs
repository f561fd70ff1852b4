//! What a DAG is: one of its versions as people read it, the versions there were, and the data itself.

use std::sync::Arc;

use askama::Template;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_core::params::ParamSpec;
use tidemill_core::spec::{DagSpec, TaskSpec};
use tidemill_core::version::Version;
use tidemill_store::history::VersionUse;

use super::super::{field, page};
use super::head::{Head, View};
use super::words;
use crate::frame::Frame;
use crate::html::When;
use crate::input::Asking;
use crate::oops::Oops;
use crate::paths;
use crate::routes::ThisDag;

/// So many of the DAG's last runs are counted by version.
pub(super) const RUNS_COUNTED: u32 = 10_000;
/// Tasks on a page.
const ROWS: usize = 100;
/// Versions in the list.
const VERSIONS_MAX: usize = 50;
/// A version is also found by so many of its first digits.
const DIGITS_MIN: usize = 6;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DefinitionQuery {
    version: String,
    /// A part of the name of a task.
    q: String,
    /// Which task of the list is the first.
    from: usize,
}

/// A version in the list.
struct VersionLine {
    short: String,
    href: String,
    deployed: When,
    runs: u32,
    last: Option<When>,
    current: bool,
    shown: bool,
    /// What is different from the version before.
    diff: Option<String>,
}

/// A task in the list.
struct TaskLine {
    name: String,
    what: String,
    before: String,
    retries: String,
    place: String,
    special: Vec<String>,
    writes: Vec<String>,
    json: String,
}

/// A param in the list.
struct ParamLine {
    name: String,
    takes: String,
    default: String,
    about: String,
}

#[derive(Template)]
#[template(path = "dag_definition.html")]
pub(crate) struct DefinitionPage {
    frame: Frame,
    head: Head,
    version: String,
    short: String,
    raw: String,
    q: String,
    settings: Vec<(&'static str, String)>,
    params: Vec<ParamLine>,
    tasks: Vec<TaskLine>,
    shown: String,
    before: Option<String>,
    after: Option<String>,
    versions: Vec<VersionLine>,
    versions_more: usize,
    /// Whether there were more runs than are counted.
    many_runs: bool,
}

page!(DefinitionPage);

/// A version by its digits, or by its first ones.
pub(super) fn find<'a>(uses: &'a [VersionUse], digits: &str) -> Result<&'a Version, Oops> {
    let begins = |of: &&VersionUse| {
        let known = of.version.as_str();
        known == digits || (digits.len() >= DIGITS_MIN && known.starts_with(digits))
    };
    let found = uses.iter().find(begins).map(|of| &of.version);
    found.ok_or_else(|| Oops::not_found("this DAG has no such version"))
}

/// The version that is asked for; the newest that there is, if none is.
async fn version(
    frame: &Frame,
    dag: &DagId,
    (uses, digits): (&[VersionUse], &str),
    now: &Arc<DagSpec>,
) -> Result<Arc<DagSpec>, Oops> {
    if digits.is_empty() {
        return Ok(Arc::clone(now));
    }
    let found = find(uses, digits)?;
    let spec = frame.web.specs().of(frame.web.store(), dag, found).await?;
    spec.ok_or_else(|| Oops::not_found("this DAG has no such version"))
}

pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Asking(query): Asking<DefinitionQuery>,
) -> Result<DefinitionPage, Oops> {
    let (head, known) = Head::read(&frame, &dag, View::Definition).await?;
    let uses = frame.web.store().version_uses(&dag, RUNS_COUNTED).await?;
    let spec = version(&frame, &dag, (&uses, &query.version), &known.spec).await?;
    let version = spec.version();
    let wanted = query.q.trim().to_lowercase();
    let tasks = spec.definition.tasks.iter();
    let tasks: Vec<&TaskSpec> = tasks
        .filter(|task| task.id.as_str().to_lowercase().contains(&wanted))
        .collect();
    let from = query.from.min(tasks.len());
    let to = tasks.len().min(from.saturating_add(ROWS));
    let at = |from: usize| {
        let q = paths::part(query.q.trim());
        format!("{}&q={q}&from={from}", paths::version(&dag, &version))
    };
    let mut settings = words::timetable(&spec.definition);
    settings.extend(words::limits(&spec.definition));
    let counted: u32 = uses.iter().map(|of| of.runs).sum();
    Ok(DefinitionPage {
        raw: format!(
            "{}/raw?version={version}",
            head.href.clone() + "/definition"
        ),
        short: version.short().to_owned(),
        settings,
        params: spec.definition.params.iter().map(param).collect(),
        tasks: tasks[from..to].iter().map(|task| line(task)).collect(),
        shown: match tasks.len() {
            0 => "no task is like this".to_owned(),
            many if many > ROWS => format!("{} to {to} of {many}", from + 1),
            many => many.to_string(),
        },
        before: (from > 0).then(|| at(from.saturating_sub(ROWS))),
        after: (to < tasks.len()).then(|| at(to)),
        versions: lines(&dag, &uses, (known.row.version.as_ref(), &version)),
        versions_more: uses.len().saturating_sub(VERSIONS_MAX),
        many_runs: counted >= RUNS_COUNTED,
        version: version.as_str().to_owned(),
        q: query.q,
        head,
        frame,
    })
}

fn lines(
    dag: &DagId,
    uses: &[VersionUse],
    (current, shown): (Option<&Version>, &Version),
) -> Vec<VersionLine> {
    let line = |(at, of): (usize, &VersionUse)| VersionLine {
        short: of.version.short().to_owned(),
        href: paths::version(dag, &of.version),
        deployed: When(of.deployed_at),
        runs: of.runs,
        last: of.last_start.map(When),
        current: current == Some(&of.version),
        shown: *shown == of.version,
        diff: uses
            .get(at + 1)
            .map(|before| paths::diff(dag, (&before.version, &of.version))),
    };
    uses.iter()
        .enumerate()
        .take(VERSIONS_MAX)
        .map(line)
        .collect()
}

fn param(spec: &ParamSpec) -> ParamLine {
    ParamLine {
        name: spec.name.clone(),
        takes: field::takes(spec),
        default: match (&spec.default, spec.optional) {
            (Some(value), _) => value.to_string(),
            (None, true) => "may be left out".to_owned(),
            (None, false) => "must be given".to_owned(),
        },
        about: spec.description.clone(),
    }
}

fn line(task: &TaskSpec) -> TaskLine {
    let writes = task.touches.writes.iter();
    TaskLine {
        name: task.id.to_string(),
        what: task.what().to_owned(),
        before: words::names(task.upstream.iter().map(|up| up.task.as_str())),
        retries: words::retries(&task.retry),
        place: words::place(&task.placement),
        special: words::special(task),
        writes: writes
            .map(|to| format!("{}: {}", to.table, to.mode))
            .collect(),
        json: serde_json::to_string_pretty(task).unwrap_or_default(),
    }
}

/// The whole version as data.
pub(crate) async fn raw(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Asking(query): Asking<DefinitionQuery>,
) -> Result<Response, Oops> {
    let known = super::head::known(&frame, &dag).await?;
    let uses = frame.web.store().version_uses(&dag, 0).await?;
    let spec = version(&frame, &dag, (&uses, &query.version), &known.spec).await?;
    let json = serde_json::to_string_pretty(&*spec)
        .map_err(|error| Oops::broken(format!("failed to write a definition: {error}")))?;
    // Names of DAGs and versions have nothing in them that a header could misread.
    let file = format!(
        "attachment; filename=\"{dag}.{}.json\"",
        spec.version().short()
    );
    let file = HeaderValue::from_str(&file);
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        (
            header::CONTENT_DISPOSITION,
            file.unwrap_or(HeaderValue::from_static("attachment")),
        ),
    ];
    Ok((headers, json).into_response())
}
