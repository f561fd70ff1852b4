//! The tasks of a run as a list: in the order of their author, instances of mapped tasks counted and unfolded on request.

use std::collections::HashMap;

use tidemill_core::protocol::{NOT_MAPPED, TaskNo};
use tidemill_core::spec::{TaskKind, TaskSpec};
use tidemill_core::state::TaskState;
use tidemill_store::history::{GridCell, TaskOfRun};

use super::RunQuery;
use super::asks::filled;
use super::read::{Of, Reasons, Rows, is_whole, until};
use crate::frame::Frame;
use crate::html::{Chip, Html, Since, Tone, When, in_time, took};
use crate::oops::Oops;
use crate::pages::grid;
use crate::paths;

/// Rows of a page of the list.
const ROWS: usize = 100;
/// Instances that are shown of an unfolded task.
const INSTANCES: usize = 100;
/// Of so many waiting tasks of a page the leader is asked why.
const ASKED_MAX: usize = 25;

/// A task, or an instance of one, or the head of a group.
pub(super) struct Line {
    pub(super) label: String,
    pub(super) depth: usize,
    /// None for a group.
    pub(super) href: Option<String>,
    pub(super) chip: Option<Chip>,
    /// The instances of a mapped task.
    pub(super) counts: Vec<(Chip, u32)>,
    pub(super) attempt: u32,
    pub(super) started: Option<When>,
    pub(super) took: Html,
    pub(super) why: String,
    /// Shows or hides its instances.
    pub(super) fold: Option<(&'static str, String)>,
}

/// A page of the list.
pub(super) struct ListView {
    pub(super) lines: Vec<Line>,
    pub(super) filters: Vec<(&'static str, String, bool)>,
    pub(super) shown: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    /// Nothing to list, for this reason.
    pub(super) empty: &'static str,
}

/// What a task asks a person.
pub(super) struct Question {
    pub(super) label: String,
    pub(super) href: String,
    pub(super) text: String,
    pub(super) choices: Vec<Choice>,
    pub(super) only: String,
    pub(super) otherwise: Option<String>,
}

/// An answer.
pub(super) struct Choice {
    pub(super) word: String,
    pub(super) href: String,
    pub(super) rejects: bool,
}

const FILTERS: [(&str, &str); 5] = [
    ("", "All"),
    ("failed", "Failed"),
    ("active", "Active"),
    ("waiting", "Waiting"),
    ("done", "Done"),
];

fn is_like(only: &str, state: TaskState) -> bool {
    use TaskState as S;
    match only {
        "failed" => matches!(state, S::Failed | S::UpstreamFailed),
        "active" => matches!(state, S::Queued | S::Running | S::Deferred),
        "waiting" => matches!(
            state,
            S::None | S::Scheduled | S::Queued | S::Deferred | S::UpForRetry
        ),
        "done" => matches!(state, S::Success | S::Skipped | S::Removed),
        _ => true,
    }
}

/// A page of the list.
pub(super) async fn view(
    frame: &Frame,
    of: &Of,
    rows: &Rows,
    query: &RunQuery,
) -> Result<ListView, Oops> {
    if !FILTERS.iter().any(|(only, _)| *only == query.only) {
        return Err(Oops::invalid(
            "tasks can be failed, active, waiting or done",
        ));
    }
    let (cells, instances) = (rows.whole(), rows.instances());
    let counts = |task: &str| -> Vec<(TaskState, u32)> {
        let cells = instances.get(task).into_iter().flatten();
        cells.map(|cell| (cell.state, cell.count)).collect()
    };
    let listed = |row: &grid::Row| {
        let whole = cells.get(row.id.as_str());
        query.only.is_empty()
            || whole.is_some_and(|whole| is_like(&query.only, whole.state))
            || counts(&row.id)
                .iter()
                .any(|(state, _)| is_like(&query.only, *state))
    };
    let all = grid::rows(&of.spec, &rows.grid);
    // Of a narrowed list groups would be heads without a body.
    let listed: Vec<&grid::Row> = all
        .iter()
        .filter(|row| {
            if row.is_group {
                query.only.is_empty()
            } else {
                listed(row)
            }
        })
        .collect();
    let from = query.from.min(listed.len());
    let mut lines = Vec::new();
    let mut reasons = Reasons::at_most(ASKED_MAX);
    let to = (from + ROWS).min(listed.len());
    let shown = &listed[from..to];
    let whole = of.whole(frame, &numbers(shown, &cells)).await?;
    for row in shown {
        let Some(task) = whole.get(&row.id).filter(|_| !row.is_group) else {
            lines.push(bare(row, of));
            continue;
        };
        let mut line = line(frame, of, task, &mut reasons).await;
        line.depth = row.inside.len();
        line.label = if query.only.is_empty() {
            row.label.clone()
        } else {
            row.id.clone()
        };
        line.counts = chips(counts(&row.id));
        let is_open = query.open == row.id;
        if !line.counts.is_empty() {
            line.fold = Some(fold(of, query, &row.id, is_open));
        }
        let depth = line.depth;
        lines.push(line);
        if is_open {
            unfold(frame, of, (task, depth), query, &mut lines).await?;
        }
    }
    let place = |from: usize| address(of, query, &format!("&from={from}"));
    Ok(ListView {
        filters: filters(of, query),
        shown: format!("{} to {to} of {}", (from + 1).min(to), listed.len()),
        before: (from > 0).then(|| place(from.saturating_sub(ROWS))),
        after: (to < listed.len()).then(|| place(to)),
        empty: why_empty(listed.is_empty(), query.only.is_empty()),
        lines,
    })
}

/// The tasks among these rows of which the run has something.
fn numbers(rows: &[&grid::Row], cells: &HashMap<&str, &GridCell>) -> Vec<TaskNo> {
    let tasks = rows.iter().filter(|row| !row.is_group);
    let numbers = tasks.filter_map(|row| cells.get(row.id.as_str()));
    numbers.map(|cell| cell.task).collect()
}

const fn why_empty(is_empty: bool, is_all: bool) -> &'static str {
    match (is_empty, is_all) {
        (false, _) => "",
        (true, true) => "The run has no tasks yet.",
        (true, false) => "No task of this run is like this.",
    }
}

fn filters(of: &Of, query: &RunQuery) -> Vec<(&'static str, String, bool)> {
    let filter = |(only, word): &(&'static str, &'static str)| {
        let href = format!("{}?tab=tasks&only={only}", of.href());
        (*word, href, *only == query.only)
    };
    FILTERS.iter().map(filter).collect()
}

/// The list as it is, from somewhere else on.
fn address(of: &Of, query: &RunQuery, rest: &str) -> String {
    format!("{}?tab=tasks&only={}{rest}", of.href(), query.only)
}

fn fold(of: &Of, query: &RunQuery, task: &str, is_open: bool) -> (&'static str, String) {
    let from = format!("&from={}", query.from);
    if is_open {
        ("Fold", address(of, query, &from))
    } else {
        let open = format!("{from}&open={}", paths::part(task));
        ("Unfold", address(of, query, &open))
    }
}

/// The instances of a mapped task, below it.
async fn unfold(
    frame: &Frame,
    of: &Of,
    (whole, depth): (&TaskOfRun, usize),
    query: &RunQuery,
    lines: &mut Vec<Line>,
) -> Result<(), Oops> {
    let after = query.at.unwrap_or(NOT_MAPPED);
    let wanted = |state| is_like(&query.only, state);
    let from = (whole.task.of.task, after);
    let found = of.instances(frame, from, (&wanted, INSTANCES)).await?;
    // Of instances it would be too many questions.
    let mut reasons = Reasons::at_most(0);
    for row in &found {
        let mut line = line(frame, of, row, &mut reasons).await;
        line.depth = depth + 1;
        lines.push(line);
    }
    if let Some(last) = found.last().filter(|_| found.len() == INSTANCES) {
        let name = paths::part(whole.task.name.as_str());
        let index = last.task.of.map_index;
        let more = address(
            of,
            query,
            &format!("&from={}&open={name}&at={index}", query.from),
        );
        lines.push(Line {
            depth: depth + 1,
            fold: Some(("The next instances", more)),
            ..Line::empty()
        });
    }
    Ok(())
}

impl Line {
    fn empty() -> Self {
        Self {
            label: String::new(),
            depth: 0,
            href: None,
            chip: None,
            counts: Vec::new(),
            attempt: 0,
            started: None,
            took: Html::default(),
            why: String::new(),
            fold: None,
        }
    }
}

/// A group, or a task of which there is no row: it has not been considered yet.
fn bare(row: &grid::Row, of: &Of) -> Line {
    Line {
        label: row.label.clone(),
        depth: row.inside.len(),
        href: (!row.is_group).then(|| of.task_href(&row.id, NOT_MAPPED)),
        chip: (!row.is_group).then(|| TaskState::None.into()),
        ..Line::empty()
    }
}

fn chips(mut counts: Vec<(TaskState, u32)>) -> Vec<(Chip, u32)> {
    counts.sort_by_key(|(state, _)| Tone::from(*state));
    let chip = |(state, count): (TaskState, u32)| (Chip::from(state), count);
    counts.into_iter().map(chip).collect()
}

async fn line(frame: &Frame, of: &Of, row: &TaskOfRun, reasons: &mut Reasons) -> Line {
    let task = &row.task;
    let asked = reasons.of(frame, (task.of, task.state)).await;
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
    let again = task
        .retry_at
        .filter(|_| task.state == TaskState::UpForRetry);
    let again = again.map(|at| format!("tried again {}", in_time(frame.now, at)));
    let said = match task.state {
        TaskState::Success => None,
        _ => text(&row.message),
    };
    let deferred = (task.state == TaskState::Deferred)
        .then(|| format!("deferred for {}", took(frame.now.since(task.since))));
    let why = asked.or(again).or_else(|| text(&row.why)).or(said);
    let name = task.name.as_str();
    let index = task.of.map_index;
    Line {
        label: if is_whole(row) {
            name.to_owned()
        } else {
            format!("[{index}]")
        },
        href: Some(of.task_href(name, index)),
        chip: Some(task.state.into()),
        attempt: task.number,
        started: task.started_at.map(When),
        took: match task.started_at {
            None => Html::default(),
            Some(at) if until(row, frame.now) == frame.now => {
                Html::of_since(Since { now: frame.now, at })
            }
            Some(at) => Html::text(&took(until(row, frame.now).since(at))),
        },
        why: [deferred, why]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(": "),
        ..Line::empty()
    }
}

/// What tasks of a run ask people at the moment.
pub(super) async fn questions(frame: &Frame, of: &Of, rows: &Rows) -> Result<Vec<Question>, Oops> {
    let cells = rows.whole();
    let tasks = of.spec.definition.tasks.iter();
    let asking: Vec<(&TaskSpec, &GridCell)> = tasks
        .filter(|task| matches!(task.kind, TaskKind::Approval { .. }))
        .filter_map(|task| Some((task, *cells.get(task.id.as_str())?)))
        .collect();
    let numbers = asking.iter().map(|(_, cell)| cell.task);
    let whole = of.whole(frame, &numbers.collect::<Vec<_>>()).await?;
    let mut found = Vec::new();
    for (task, cell) in asking {
        let Some(whole) = whole.get(task.id.as_str()) else {
            continue;
        };
        let asks = |state| state == TaskState::Deferred;
        let instances;
        let waiting = if task.mapping.is_some() {
            let from = (cell.task, NOT_MAPPED);
            instances = of.instances(frame, from, (&asks, ROWS)).await?;
            instances.as_slice()
        } else {
            std::slice::from_ref(whole)
        };
        for row in waiting.iter().filter(|row| asks(row.task.state)) {
            found.extend(question(frame, (of, row), &task.kind).await?);
        }
    }
    Ok(found)
}

pub(super) async fn question(
    frame: &Frame,
    (of, row): (&Of, &TaskOfRun),
    kind: &TaskKind,
) -> Result<Option<Question>, Oops> {
    let TaskKind::Approval {
        question,
        choices,
        rejecting,
        assignees,
        default,
    } = kind
    else {
        return Ok(None);
    };
    let (name, index) = (row.task.name.as_str(), row.task.of.map_index);
    let href = |choice: &str| {
        let (task, choice) = (paths::part(name), paths::part(choice));
        format!(
            "{}/do/answer?task={task}&index={index}&choice={choice}",
            of.href()
        )
    };
    let choice = |word: &String| Choice {
        word: word.clone(),
        href: href(word),
        rejects: rejecting.contains(word),
    };
    Ok(Some(Question {
        label: if is_whole(row) {
            name.to_owned()
        } else {
            format!("{name}[{index}]")
        },
        href: of.task_href(name, index),
        text: filled(frame, of, row, question.as_str()).await?,
        choices: choices.iter().map(choice).collect(),
        only: assignees.join(", "),
        otherwise: default.clone(),
    }))
}
