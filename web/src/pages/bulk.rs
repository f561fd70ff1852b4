//! The same for all runs that the list's filter finds: shown first, then done some at a time, with how far it is.
//!
//! Which runs are meant is settled by what was shown: those that matched then, up to the highest number among them. They are
//! done in the order of their numbers, so that going on needs no more than the number of the last.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_core::protocol::RunNo;
use tidemill_core::state::{RunState, TaskState};
use tidemill_scheduler::engine::{BulkAction, Changed, Command, Filter};
use tidemill_store::history::{Cursor, PAGE_ROWS_MAX, RunFilter};

use super::page;
use super::runs::RunsQuery;
use super::sure::{Listed, SurePage, counted};
use crate::door::DoorError;
use crate::frame::Frame;
use crate::html::hex;
use crate::input::{Asking, At, Sent};
use crate::oops::Oops;
use crate::paths;
use crate::said::Done;
use crate::shown::ask;

/// Runs that one request changes.
const BATCH: usize = 200;
/// Runs that are looked through for a preview of what they would write.
const PREVIEWED: usize = 200;
/// More runs are not done at once: the list can be narrowed.
const RUNS_MAX: usize = 20_000;
/// So many pages of the list are looked through for them.
const PAGES_MAX: usize = 100;
const LINES_MAX: usize = 50;

/// What can be done with many runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Retry,
    Clear,
    Cancel,
    Mark(TaskState),
}

impl Deed {
    fn named(word: &str, to: &str) -> Result<Self, Oops> {
        Ok(match (word, to) {
            ("retry", _) => Self::Retry,
            ("clear", _) => Self::Clear,
            ("cancel", _) => Self::Cancel,
            ("mark", "" | "success") => Self::Mark(TaskState::Success),
            ("mark", "failed") => Self::Mark(TaskState::Failed),
            ("mark", "skipped") => Self::Mark(TaskState::Skipped),
            ("mark", _) => {
                return Err(Oops::invalid("tasks are marked success, failed or skipped"));
            }
            _ => {
                return Err(Oops::not_found(
                    "nothing of this name can be done with many runs",
                ));
            }
        })
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Clear => "clear",
            Self::Cancel => "cancel",
            Self::Mark(_) => "mark",
        }
    }

    const fn action(self) -> BulkAction {
        match self {
            Self::Retry => BulkAction::RetryFailed,
            Self::Clear => BulkAction::Clear,
            Self::Cancel => BulkAction::Cancel,
            Self::Mark(state) => BulkAction::Mark(state),
        }
    }

    /// Whether there is anything to do with a run like this.
    const fn concerns(self, state: RunState) -> bool {
        match self {
            Self::Retry => !matches!(state, RunState::Success | RunState::Queued),
            Self::Cancel => matches!(state, RunState::Queued | RunState::Running),
            Self::Clear | Self::Mark(_) => true,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Retry => "Retry what failed",
            Self::Clear => "Run all of them again",
            Self::Cancel => "Cancel them",
            Self::Mark(_) => "Mark their tasks",
        }
    }

    fn means(self) -> String {
        match self {
            Self::Retry => "In each of these runs the tasks that failed, and those that could not run because of them, run again.".to_owned(),
            Self::Clear => "Every task of these runs runs again, also those that succeeded.".to_owned(),
            Self::Cancel => "These runs end as cancelled; attempts that are on are stopped, with what they started outside.".to_owned(),
            Self::Mark(state) => format!("Every task of these runs counts as {state} from now on; attempts that are on are ended."),
        }
    }
}

/// The list's filter, what is to be done, and how far it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct BulkForm {
    dag: String,
    state: String,
    kind: String,
    name: String,
    from: String,
    to: String,
    /// What tasks are marked as.
    mark: String,
    note: String,
    /// What was shown, as a hash.
    shown: String,
    /// The number of the last run that was done, and of the last that is to be.
    after: i64,
    until: i64,
    /// How many were done, and how many there are with them.
    done: usize,
    #[serde(skip)]
    total: usize,
    /// How many of them could not be changed.
    refused: usize,
}

impl BulkForm {
    fn filter(&self) -> Result<RunFilter, Oops> {
        let filter = [&self.dag, &self.state, &self.kind, &self.name];
        RunsQuery::of(filter.map(String::as_str), [&self.from, &self.to]).filter()
    }

    /// The filter as an address has it.
    fn query(&self) -> String {
        let pairs = self.hidden().into_iter();
        let pairs = pairs.map(|(name, value)| format!("{name}={}", paths::part(&value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    fn hidden(&self) -> Vec<(String, String)> {
        let pairs = [
            ("dag", &self.dag),
            ("state", &self.state),
            ("kind", &self.kind),
            ("name", &self.name),
            ("from", &self.from),
            ("to", &self.to),
            ("mark", &self.mark),
        ];
        let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        pairs
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect()
    }
}

/// The runs that are meant, by number: those that match and that who asks may change.
struct Meant {
    runs: Vec<(RunNo, DagId, RunState)>,
    /// How many match that they may look at and not change.
    not_theirs: usize,
}

async fn meant(frame: &Frame, deed: Deed, filter: &RunFilter) -> Result<Meant, Oops> {
    let mut meant = Meant {
        runs: Vec::new(),
        not_theirs: 0,
    };
    let mut after = Cursor::START;
    for _ in 0..=PAGES_MAX {
        let page = frame.web.store().runs(filter, after, PAGE_ROWS_MAX).await?;
        let full = page.len() == PAGE_ROWS_MAX as usize;
        if let Some(last) = page.last() {
            after = Cursor::from(last);
        }
        for run in page.into_iter().filter(|run| deed.concerns(run.state)) {
            if frame.operates(&run.dag) {
                meant.runs.push((run.id, run.dag, run.state));
            } else if frame.sees(&run.dag) {
                meant.not_theirs += 1;
            }
        }
        if meant.runs.len() > RUNS_MAX {
            return Err(Oops::invalid(format!(
                "more than {RUNS_MAX} runs are like this; narrow the list to a DAG or a state first"
            )));
        }
        if !full {
            meant.runs.sort_unstable_by_key(|(run, ..)| *run);
            return Ok(meant);
        }
    }
    Err(Oops::invalid(
        "too many runs have to be looked through; narrow the list to a DAG, a state or some days first",
    ))
}

fn command(deed: Deed, runs: Vec<RunNo>, note: &str) -> Command {
    let note = note.trim();
    Command::Bulk {
        filter: Filter {
            runs_max: u32::try_from(runs.len()).unwrap_or(u32::MAX),
            runs,
            ..Filter::default()
        },
        action: deed.action(),
        note: (!note.is_empty()).then(|| note.into()),
    }
}

/// Which runs, and how each stands.
fn fingerprint(runs: &[(RunNo, DagId, RunState)]) -> String {
    let run = |(run, _, state): &(RunNo, DagId, RunState)| format!("{run} {state}\n");
    let text: String = runs.iter().map(run).collect();
    hex(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}

/// The runs of the next step. Those after them may change until it is their turn.
fn next(runs: &[(RunNo, DagId, RunState)]) -> &[(RunNo, DagId, RunState)] {
    &runs[..runs.len().min(BATCH)]
}

/// What the page says that was shown before a step, beside the preview of all of them.
fn step_print(runs: &[(RunNo, DagId, RunState)]) -> String {
    format!("next-{}", fingerprint(next(runs)))
}

pub(crate) async fn preview(
    frame: Frame,
    At(word): At<String>,
    Asking(form): Asking<BulkForm>,
) -> Result<SurePage, Oops> {
    let deed = Deed::named(&word, &form.mark)?;
    let meant = meant(&frame, deed, &form.filter()?).await?;
    sure(frame, deed, form, meant).await
}

async fn sure(frame: Frame, deed: Deed, form: BulkForm, meant: Meant) -> Result<SurePage, Oops> {
    let total = meant.runs.len();
    let first = meant.runs.iter().take(PREVIEWED);
    let first: Vec<RunNo> = first.map(|(run, ..)| *run).collect();
    let changed = if first.is_empty() {
        Changed::default()
    } else {
        ask(&frame, (None, true), command(deed, first, &form.note)).await?
    };
    let until = meant.runs.last().map_or(0, |(run, ..)| run.0);
    let mut hidden = form.hidden();
    for (name, value) in [
        ("shown", fingerprint(&meant.runs)),
        ("until", until.to_string()),
        ("after", form.after.to_string()),
        ("done", form.done.to_string()),
        ("refused", form.refused.to_string()),
    ] {
        hidden.push((name.to_owned(), value));
    }
    let list = format!("/runs?{}", form.query());
    Ok(SurePage {
        crumbs: vec![("Runs".to_owned(), list.clone())],
        button: format!("{}: {}", deed.title(), counted(total, "run", "runs")),
        means: means(deed, &meant, &changed),
        lists: lists(&meant, &changed),
        action: format!("/runs/all/{}", deed.word()),
        hidden,
        note: Some((form.note.clone(), matches!(deed, Deed::Mark(_)))),
        is_danger: deed == Deed::Cancel,
        can: total > 0,
        ..SurePage::new(frame, deed.title(), list)
    })
}

/// What it would do, sentence by sentence.
fn means(deed: Deed, meant: &Meant, changed: &Changed) -> Vec<String> {
    let total = meant.runs.len();
    if total == 0 {
        return vec!["No run is like this that it would change.".to_owned()];
    }
    let tasks = counted(changed.tasks.len(), "task", "tasks");
    let mut means = vec![deed.means()];
    means.push(if total > PREVIEWED {
        format!("What would change was looked up for the first {PREVIEWED} runs: {tasks}.")
    } else {
        format!("{tasks} would change.")
    });
    if meant.not_theirs > 0 {
        let runs = counted(meant.not_theirs, "run", "runs");
        means.push(format!(
            "Left alone, because you may not change them: {runs}."
        ));
    }
    means
}

/// The runs by DAG, what is written again, and what would be left as it is.
fn lists(meant: &Meant, changed: &Changed) -> Vec<Listed> {
    let mut by_dag: BTreeMap<&DagId, usize> = BTreeMap::new();
    for (_, dag, _) in &meant.runs {
        *by_dag.entry(dag).or_default() += 1;
    }
    let line = |(dag, runs): (&&DagId, &usize)| {
        let line = format!("{dag}: {}", counted(*runs, "run", "runs"));
        (line, Some(paths::dag(dag)))
    };
    let runs = counted(meant.runs.len(), "run", "runs");
    let dags = counted(by_dag.len(), "DAG", "DAGs");
    let tables = changed.writes_again.iter().map(ToString::to_string);
    let remarks = changed.remarks.iter().take(LINES_MAX).cloned();
    vec![
        Listed {
            head: format!("{runs} of {dags}"),
            lines: by_dag.iter().map(line).take(LINES_MAX).collect(),
        },
        Listed::plain("Written again", tables),
        Listed::plain("Would be left as they are", remarks),
    ]
}

/// How far it is, and the button to go on.
#[derive(Template)]
#[template(path = "bulk.html")]
pub(crate) struct FarPage {
    frame: Frame,
    title: &'static str,
    list: String,
    action: String,
    form: BulkForm,
    hidden: Vec<(String, String)>,
    remarks: Vec<String>,
}

page!(FarPage);

/// Does the next of them. The first time only if they are those that were shown.
pub(crate) async fn carry_out(
    frame: Frame,
    At(word): At<String>,
    Sent(mut form): Sent<BulkForm>,
) -> Result<Response, Oops> {
    let deed = Deed::named(&word, &form.mark)?;
    if form.until == 0 || form.shown.is_empty() {
        return Err(Oops::invalid(
            "this does not say which runs you saw; send it from its own page",
        ));
    }
    if matches!(deed, Deed::Mark(_)) && form.note.trim().is_empty() {
        return Err(Oops::invalid(
            "a note is missing: say why they are marked, for whoever looks later",
        ));
    }
    let mut meant = meant(&frame, deed, &form.filter()?).await?;
    let left = |run: &(RunNo, DagId, RunState)| run.0.0 > form.after && run.0.0 <= form.until;
    meant.runs.retain(left);
    let as_shown = if form.shown.starts_with("next-") {
        // A second click finds runs that stand otherwise already.
        form.shown == step_print(&meant.runs)
    } else {
        form.shown == fingerprint(&meant.runs)
    };
    if !as_shown {
        let says = "other runs are like this by now than you were shown, or they stand otherwise; nothing more was changed: \
            look at what it would change now";
        let page = sure(frame, deed, form, meant).await?;
        return Ok(page.refused(DoorError::Stale(says.to_owned())));
    }
    let batch: Vec<RunNo> = next(&meant.runs).iter().map(|(run, ..)| *run).collect();
    let Some(last) = batch.last().copied() else {
        return Ok(over(&form));
    };
    let count = batch.len();
    let rest = &meant.runs[count..];
    let changed = ask(&frame, (None, false), command(deed, batch, &form.note)).await?;
    form.after = last.0;
    form.done += count;
    form.refused += changed.remarks.len();
    if rest.is_empty() {
        return Ok(over(&form));
    }
    form.shown = step_print(rest);
    // What others changed meanwhile is not to be done any more.
    form.total = form.done + rest.len();
    let mut hidden = form.hidden();
    for (name, value) in [
        ("note", form.note.clone()),
        ("shown", form.shown.clone()),
        ("until", form.until.to_string()),
        ("after", form.after.to_string()),
        ("done", form.done.to_string()),
        ("refused", form.refused.to_string()),
    ] {
        hidden.push((name.to_owned(), value));
    }
    let page = FarPage {
        title: deed.title(),
        list: format!("/runs?{}", form.query()),
        action: format!("/runs/all/{}", deed.word()),
        remarks: changed.remarks.into_iter().take(LINES_MAX).collect(),
        hidden,
        form,
        frame,
    };
    Ok(page.into_response())
}

fn over(form: &BulkForm) -> Response {
    let done = form.done - form.refused.min(form.done);
    let mut says = format!("Done with {}.", counted(done, "run", "runs"));
    if form.refused > 0 {
        says.push_str(&format!(
            " Left as they were, because they stood otherwise by then: {}.",
            form.refused
        ));
    }
    Done::at(&format!("/runs?{}", form.query()), says).into_response()
}
