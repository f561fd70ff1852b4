//! What changed between two versions of a DAG, in words, and below it the data side by side.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use askama::Template;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::diff::{DagDiff, FieldChange, TableChange, TaskChange, plan};
use tidemill_core::id::{DagId, TaskId};
use tidemill_core::spec::{DagSpec, TaskSpec};
use tidemill_core::version::Version;
use tidemill_store::history::VersionUse;

use super::super::page;
use super::definition::{RUNS_COUNTED, find};
use super::head::{Head, View};
use super::words;
use crate::frame::Frame;
use crate::html::When;
use crate::input::Asking;
use crate::oops::Oops;
use crate::paths;
use crate::routes::ThisDag;

/// The same change of more tasks than this is said once.
const ALIKE_MIN: usize = 4;
/// So many lines are said, and of so many tasks the data are shown; the rest is counted.
const LINES_MAX: usize = 400;
const SIDES_MAX: usize = 30;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DiffQuery {
    pub(super) from: String,
    pub(super) to: String,
}

/// One of the two versions.
struct Side {
    short: String,
    href: String,
    deployed: Option<When>,
    runs: u32,
}

/// A change, and the tasks that have it where there are many.
struct Line {
    says: String,
    tasks: Vec<String>,
}

/// Lines about one thing.
struct Part {
    title: &'static str,
    lines: Vec<Line>,
    more: usize,
}

/// A line of data, and whether the other side has none like it.
struct Data {
    text: String,
    differs: bool,
}

/// The data of a task, or of the DAG without its tasks, in both versions.
struct Pair {
    title: String,
    before: Vec<Data>,
    after: Vec<Data>,
}

#[derive(Template)]
#[template(path = "dag_diff.html")]
pub(crate) struct DiffPage {
    frame: Frame,
    head: Head,
    /// All versions: digits, and what they are called.
    versions: Vec<(String, String)>,
    from: String,
    to: String,
    sides: Option<(Side, Side)>,
    /// Why there is nothing to compare.
    nothing: &'static str,
    parts: Vec<Part>,
    pairs: Vec<Pair>,
    pairs_more: usize,
}

page!(DiffPage);

/// The two versions: those that are asked for, or the one that new runs have and the one that came before it.
pub(super) fn pick<'a>(
    uses: &'a [VersionUse],
    query: &DiffQuery,
    now: &Version,
) -> Result<Option<(&'a Version, &'a Version)>, Oops> {
    let to = match query.to.as_str() {
        "" => find(uses, now.as_str())?,
        digits => find(uses, digits)?,
    };
    let from = match query.from.as_str() {
        "" => {
            let after = uses.iter().skip_while(|of| of.version != *to);
            after.map(|of| &of.version).nth(1)
        }
        digits => Some(find(uses, digits)?),
    };
    Ok(from.map(|from| (from, to)))
}

pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Asking(query): Asking<DiffQuery>,
) -> Result<DiffPage, Oops> {
    let (head, known) = Head::read(&frame, &dag, View::Definition).await?;
    let uses = frame.web.store().version_uses(&dag, RUNS_COUNTED).await?;
    let picked = pick(&uses, &query, &known.spec.version())?;
    let name = |of: &VersionUse| {
        let at = of.deployed_at.date().format("%-d %b %Y %H:%M UTC");
        (
            of.version.as_str().to_owned(),
            format!("{} of {at}", of.version.short()),
        )
    };
    let mut page = DiffPage {
        versions: uses.iter().map(name).collect(),
        from: picked
            .map(|(from, _)| from.as_str().to_owned())
            .unwrap_or_default(),
        to: picked
            .map(|(_, to)| to.as_str().to_owned())
            .unwrap_or_default(),
        sides: None,
        nothing: "This DAG has one version, so there is nothing to compare it with.",
        parts: Vec::new(),
        pairs: Vec::new(),
        pairs_more: 0,
        head,
        frame,
    };
    let Some((from, to)) = picked else {
        return Ok(page);
    };
    let (old, new) = (
        spec(&page.frame, &dag, from).await?,
        spec(&page.frame, &dag, to).await?,
    );
    page.sides = Some((side(&dag, &uses, from), side(&dag, &uses, to)));
    page.nothing = "These are the same version.";
    if let Some(diff) = plan([&*old], [&*new]).changed.first() {
        page.parts = parts(diff, (&old, &new));
        (page.pairs, page.pairs_more) = pairs(diff, (&old, &new));
    }
    Ok(page)
}

pub(super) async fn spec(
    frame: &Frame,
    dag: &DagId,
    version: &Version,
) -> Result<Arc<DagSpec>, Oops> {
    let spec = frame
        .web
        .specs()
        .of(frame.web.store(), dag, version)
        .await?;
    spec.ok_or_else(|| Oops::not_found("this DAG has no such version"))
}

fn side(dag: &DagId, uses: &[VersionUse], version: &Version) -> Side {
    let of = uses.iter().find(|of| of.version == *version);
    Side {
        short: version.short().to_owned(),
        href: paths::version(dag, version),
        deployed: of.map(|of| When(of.deployed_at)),
        runs: of.map_or(0, |of| of.runs),
    }
}

fn plain(says: String) -> Line {
    Line {
        says,
        tasks: Vec::new(),
    }
}

fn parts(diff: &DagDiff, (old, new): (&DagSpec, &DagSpec)) -> Vec<Part> {
    let reruns = diff.reruns.iter().map(|task| plain(format!("`{task}`")));
    let again = diff.rewrites.iter().map(|table| {
        let how = table.after.as_deref().unwrap_or_default();
        plain(format!(
            "a rerun of `{}` writes {} again ({how})",
            table.task, table.table
        ))
    });
    let parts = [
        ("The DAG", settings(diff)),
        ("Tasks", tasks(diff, (old, new))),
        ("Tables", diff.tables.iter().map(table).collect()),
        (
            "What would have to run again for history to match; nothing does by itself",
            reruns.chain(again).collect(),
        ),
    ];
    let part = |(title, mut lines): (&'static str, Vec<Line>)| {
        let more = lines.len().saturating_sub(LINES_MAX);
        lines.truncate(LINES_MAX);
        Part { title, lines, more }
    };
    let some = parts.into_iter().filter(|(_, lines)| !lines.is_empty());
    some.map(part).collect()
}

fn settings(diff: &DagDiff) -> Vec<Line> {
    let said = diff.schedule.as_ref();
    let said = said.filter(|(before, after)| before != after);
    let schedule = said.map(|(before, after)| plain(format!("schedule: {before} → {after}")));
    let told = |change: &&FieldChange| said.is_none() || !change.field.starts_with("schedule");
    let changes = diff.settings.iter().filter(told).map(|change| {
        let field = words::field(&change.field);
        plain(
            FieldChange {
                field,
                ..change.clone()
            }
            .to_string(),
        )
    });
    schedule.into_iter().chain(changes).collect()
}

/// What changed about the tasks: those that came and went, and then field by field. What is the same of many is one line.
fn tasks(diff: &DagDiff, (old, new): (&DagSpec, &DagSpec)) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut alike: BTreeMap<(String, String), Vec<(&TaskId, String)>> = BTreeMap::new();
    for (task, change) in &diff.tasks {
        match change {
            TaskChange::Added => lines.push(plain(format!("task `{task}` added"))),
            TaskChange::Removed => lines.push(plain(format!("task `{task}` removed"))),
            TaskChange::Changed(fields) => {
                let fields = fields.iter().filter(|change| !is_upstream(change));
                for change in fields {
                    let words = words::field(&change.field);
                    let of = |what: &str| {
                        let field = format!("{words} of {what}");
                        FieldChange {
                            field,
                            ..change.clone()
                        }
                        .to_string()
                    };
                    let one = of(&format!("`{task}`"));
                    alike
                        .entry((words.clone(), of("them")))
                        .or_default()
                        .push((task, one));
                }
                let name = task.as_str();
                let (old, new) = (old.definition.task(name), new.definition.task(name));
                lines.extend(old.zip(new).into_iter().flat_map(edges).map(plain));
            }
        }
    }
    let came_and_went = lines;
    let mut by_task: BTreeMap<&TaskId, Vec<String>> = BTreeMap::new();
    let mut many = Vec::new();
    for ((_, says), tasks) in alike {
        if tasks.len() > ALIKE_MIN {
            let says = says.replacen("of them", &format!("of {} tasks", tasks.len()), 1);
            let tasks = tasks.into_iter().map(|(task, _)| task.to_string());
            many.push(Line {
                says,
                tasks: tasks.collect(),
            });
        } else {
            for (task, says) in tasks {
                by_task.entry(task).or_default().push(says);
            }
        }
    }
    let each = by_task.into_values().flatten().map(plain);
    came_and_went.into_iter().chain(many).chain(each).collect()
}

fn is_upstream(change: &FieldChange) -> bool {
    change.field == "upstream" || change.field.starts_with("upstream.")
}

/// What a task comes after now, and what no more.
fn edges((old, new): (&TaskSpec, &TaskSpec)) -> Vec<String> {
    let names = |task: &TaskSpec| {
        let names = task.upstream.iter().map(|up| up.task.to_string());
        names.collect::<HashSet<String>>()
    };
    let (before, after) = (names(old), names(new));
    let list = |a: &HashSet<String>, b: &HashSet<String>| {
        let mut only: Vec<String> = a.difference(b).map(|name| format!("`{name}`")).collect();
        only.sort();
        words::names(only.iter().map(String::as_str))
    };
    let (gone, new_ones) = (list(&before, &after), list(&after, &before));
    let mut said = Vec::new();
    if !new_ones.is_empty() {
        said.push(format!("task `{}` comes after {new_ones} now", new.id));
    }
    if !gone.is_empty() {
        said.push(format!("task `{}` comes after {gone} no more", new.id));
    }
    if said.is_empty() && old.upstream != new.upstream {
        said.push(format!(
            "task `{}` uses what another returned, or no more",
            new.id
        ));
    }
    said
}

fn table(change: &TableChange) -> Line {
    let how = match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("{before} → {after}"),
        (None, Some(after)) => format!("written now ({after})"),
        (Some(before), None) => format!("no longer written (was {before})"),
        (None, None) => String::new(),
    };
    plain(format!(
        "table {} of `{}`: {how}",
        change.table, change.task
    ))
}

/// The data of what changed, and of how many more tasks it is left out.
fn pairs(diff: &DagDiff, (old, new): (&DagSpec, &DagSpec)) -> (Vec<Pair>, usize) {
    let mut all = Vec::new();
    if diff.schedule.is_some() || !diff.settings.is_empty() {
        all.push(pair(
            "The DAG without its tasks",
            (without_tasks(old), without_tasks(new)),
        ));
    }
    let value = |spec: &DagSpec, task: &TaskId| {
        let task = spec.definition.task(task.as_str());
        serde_json::to_value(task).unwrap_or_default()
    };
    let tasks = diff.tasks.keys().take(SIDES_MAX);
    all.extend(tasks.map(|task| pair(task.as_str(), (value(old, task), value(new, task)))));
    (all, diff.tasks.len().saturating_sub(SIDES_MAX))
}

fn without_tasks(spec: &DagSpec) -> Value {
    let mut value = serde_json::to_value(&spec.definition).unwrap_or_default();
    if let Some(map) = value.as_object_mut() {
        map.remove("tasks");
    }
    value
}

fn pair(title: &str, (before, after): (Value, Value)) -> Pair {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        value => serde_json::to_string_pretty(value).unwrap_or_default(),
    };
    let (before, after) = (text(&before), text(&after));
    let lines = |of: &str, other: &str| {
        let other: HashSet<&str> = other.lines().map(plain_line).collect();
        let data = |line: &str| Data {
            differs: !other.contains(plain_line(line)),
            text: line.to_owned(),
        };
        of.lines().map(data).collect()
    };
    Pair {
        title: title.to_owned(),
        before: lines(&before, &after),
        after: lines(&after, &before),
    }
}

/// A comma at its end makes no difference.
fn plain_line(line: &str) -> &str {
    line.trim_end_matches(',')
}
