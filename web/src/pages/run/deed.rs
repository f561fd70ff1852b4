//! What people do with a run. Each deed has a page that says exactly what it would change: the same command, not carried out.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::{InstanceRef, MapIndex, NOT_MAPPED};
use tidemill_core::state::TaskState;
use tidemill_scheduler::engine::{
    Around, Changed, Command, Pausable, RunVersion, Select, Selected,
};
use tidemill_store::history::{TaskOfRun, Tasks};

use super::read::Of;
use crate::door::DoorError;
use crate::frame::Frame;
use crate::html::{Chip, When};
use crate::input::{Asking, At, Sent};
use crate::oops::{Oops, finished};
use crate::pages::page;
use crate::routes::ThisDag;
use crate::said::Done;
use crate::shown::{self, ask, fingerprint};

/// So many tasks are named; the rest is a number.
const NAMED_MAX: usize = 200;
const NOTE_CHARS_MAX: usize = 4_000;

/// What can be done with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Retry,
    Clear,
    Cancel,
    Pause,
    Resume,
    Note,
    Answer,
}

/// The words of a deed: in addresses, on its button, in the head of its page, and what it means.
struct Words {
    button: &'static str,
    head: &'static str,
    means: &'static str,
    done: &'static str,
}

impl Deed {
    fn named(word: &str) -> Result<Self, Oops> {
        Ok(match word {
            "retry" => Self::Retry,
            "clear" => Self::Clear,
            "cancel" => Self::Cancel,
            "pause" => Self::Pause,
            "resume" => Self::Resume,
            "note" => Self::Note,
            "answer" => Self::Answer,
            _ => {
                return Err(Oops::not_found(
                    "nothing of this name can be done with a run",
                ));
            }
        })
    }

    const fn words(self) -> Words {
        let (button, head, means, done) = match self {
            Self::Retry => (
                "Retry what failed",
                "Retry what failed",
                "Tasks that failed, and those that could not run because of them, run again.",
                "runs again where it failed",
            ),
            Self::Clear => (
                "Run all of it again",
                "Run all of it again",
                "Every task of the run runs again, also those that succeeded.",
                "runs again as a whole",
            ),
            Self::Cancel => (
                "Cancel the run",
                "Cancel",
                "The run ends as cancelled; attempts that are on are stopped, with what they started outside. Teardowns still run.",
                "is cancelled",
            ),
            Self::Pause => (
                "Pause the run",
                "Pause",
                "Nothing of the run starts any more. What runs goes on to its end.",
                "is paused: nothing of it starts",
            ),
            Self::Resume => (
                "Let it go on",
                "Resume",
                "Tasks of the run start again.",
                "goes on",
            ),
            Self::Note => (
                "Keep the note",
                "Note",
                "Everybody who sees the run sees its note. It takes the place of the one before.",
                "has the note",
            ),
            Self::Answer => (
                "Answer",
                "Answer",
                "The task ends with this answer, and what follows it goes on by it.",
                "is answered",
            ),
        };
        Words {
            button,
            head,
            means,
            done,
        }
    }
}

/// What is sent with a deed, when it is previewed and when it is carried out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DeedForm {
    /// The `edits` that were seen.
    seen: Option<u32>,
    /// What was shown of what would change, as a hash: only where tasks run again.
    shown: String,
    note: String,
    task: String,
    index: Option<MapIndex>,
    choice: String,
}

/// A task that would change.
struct Change {
    name: String,
    href: String,
    from: Chip,
    to: Chip,
}

#[derive(Template)]
#[template(path = "run_deed.html")]
pub(crate) struct DeedPage {
    frame: Frame,
    dag: DagId,
    run: String,
    href: String,
    /// Where the form goes.
    action: String,
    words: Words,
    chip: Chip,
    covers: When,
    seen: u32,
    shown: String,
    form: DeedForm,
    takes_note: bool,
    is_note: bool,
    question: Option<super::Question>,
    /// How many tasks change, by what they become.
    counts: Vec<(Chip, usize)>,
    changes: Vec<Change>,
    left_out: usize,
    writes: Vec<Arc<str>>,
    remarks: Vec<String>,
    /// Why it was not done.
    refused: Option<String>,
    can: bool,
}

page!(DeedPage);

/// The run, and the task that an answer is for.
struct Before {
    of: Of,
    deed: Deed,
    asks: Option<TaskOfRun>,
}

impl Before {
    async fn load(
        frame: &Frame,
        dag: &DagId,
        (name, deed): (&str, &str),
        form: &DeedForm,
    ) -> Result<Self, Oops> {
        let deed = Deed::named(deed)?;
        let of = Of::load(frame, dag, name).await?;
        let asks = match deed {
            Deed::Answer => Some(asking(frame, &of, form).await?),
            _ => None,
        };
        Ok(Self { of, deed, asks })
    }

    /// What the leader compares: that of the task for an answer, else that of the run.
    fn edits(&self) -> u32 {
        self.asks
            .as_ref()
            .map_or(self.of.run.edits, |row| row.task.edits)
    }

    fn command(&self, form: &DeedForm) -> Result<Command, Oops> {
        let run = self.of.run.id;
        let text = form.note.trim();
        if text.chars().count() > NOTE_CHARS_MAX {
            return Err(Oops::invalid(format!(
                "a note has at most {NOTE_CHARS_MAX} characters"
            )));
        }
        let note = (!text.is_empty()).then(|| Arc::from(text));
        let clear = |only_failed| Command::Clear {
            select: Select {
                run,
                tasks: Selected::All,
            },
            around: Around {
                only_failed,
                ..Around::default()
            },
            params: None,
            version: RunVersion::Keep,
            note: note.clone(),
        };
        Ok(match self.deed {
            Deed::Retry => clear(true),
            Deed::Clear => clear(false),
            Deed::Cancel => Command::CancelRun { run, note },
            Deed::Pause | Deed::Resume => Command::Pause {
                what: Pausable::Run(run),
                pause: self.deed == Deed::Pause,
            },
            Deed::Note => Command::Note {
                run,
                task: None,
                text: text.into(),
            },
            Deed::Answer => Command::Answer {
                of: self.asks.as_ref().map_or(
                    InstanceRef {
                        run,
                        task: tidemill_core::protocol::TaskNo(0),
                        map_index: NOT_MAPPED,
                    },
                    |row| row.task.of,
                ),
                choice: form.choice.as_str().into(),
            },
        })
    }
}

/// The instance that an answer names.
async fn asking(frame: &Frame, of: &Of, form: &DeedForm) -> Result<TaskOfRun, Oops> {
    let gone = || Oops::not_found("the run has no such task that asks something");
    let name = TaskId::parse(&form.task).map_err(|_| gone())?;
    let store = frame.web.store();
    let found = store.task_named(of.run.id, (&of.run.dag, &name), NOT_MAPPED);
    let task = found.await?.ok_or_else(gone)?.of.task;
    let index = form.index.unwrap_or(NOT_MAPPED);
    if index == NOT_MAPPED {
        let whole = of.whole(frame, &[task]).await?;
        return whole.into_values().next().ok_or_else(gone);
    }
    let which = Tasks::Of(task, index.saturating_sub(1));
    let found = store.tasks_of_run(of.run.id, which, 1).await?;
    let found = found.into_iter().find(|row| row.task.of.map_index == index);
    found.ok_or_else(gone)
}

/// What a deed would change.
pub(crate) async fn preview(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, run, deed)): At<(String, String, String)>,
    Asking(mut form): Asking<DeedForm>,
) -> Result<DeedPage, Oops> {
    let before = Before::load(&frame, &dag, (&run, &deed), &form).await?;
    if before.deed == Deed::Note && form.note.is_empty() {
        form.note = before.of.run.note.as_deref().unwrap_or_default().to_owned();
    }
    show(frame, &before, form, None).await
}

async fn show(
    frame: Frame,
    before: &Before,
    form: DeedForm,
    refused: Option<String>,
) -> Result<DeedPage, Oops> {
    // The run as it was read first: whatever changes it from now on makes the form stale.
    let seen = before.edits();
    let asked = ask(&frame, (None, true), before.command(&form)?).await;
    let (changed, refused) = match (asked, refused) {
        (Ok(changed), refused) => (Some(changed), refused),
        (Err(DoorError::Invalid(why) | DoorError::Stale(why)), None) => (None, Some(why)),
        (Err(DoorError::Invalid(_) | DoorError::Stale(_)), refused) => (None, refused),
        (Err(error), _) => return Err(error.into()),
    };
    let shown = changed.as_ref().map(fingerprint).unwrap_or_default();
    let can = changed.is_some();
    let changed = changed.unwrap_or_default();
    let (of, deed) = (&before.of, before.deed);
    let nothing = deed == Deed::Retry && changed.tasks.is_empty();
    let asks = before.asks.as_ref();
    let asks = asks.and_then(|row| Some((row, of.task(row.task.name.as_str())?)));
    let question = match asks {
        Some((row, task)) => super::list::question(&frame, (of, row), &task.kind).await?,
        None => None,
    };
    Ok(DeedPage {
        dag: of.run.dag.clone(),
        run: of.run.name.to_string(),
        href: of.href(),
        action: format!("{}/do/{}", of.href(), word(deed)),
        words: deed.words(),
        chip: of.run.state.into(),
        covers: When(of.run.start),
        seen,
        // To cancel must be possible while tasks end one after the other: then less is done than was shown.
        shown: if matches!(deed, Deed::Retry | Deed::Clear) {
            shown
        } else {
            String::new()
        },
        takes_note: matches!(deed, Deed::Retry | Deed::Clear | Deed::Cancel | Deed::Note),
        is_note: deed == Deed::Note,
        question,
        counts: counts(&changed),
        left_out: changed.tasks.len().saturating_sub(NAMED_MAX),
        changes: changes(of, &changed),
        writes: changed.writes_again,
        remarks: changed.remarks,
        refused: match refused {
            None if nothing => Some("nothing of this run failed".to_owned()),
            refused => refused,
        },
        can: can && !nothing,
        form,
        frame,
    })
}

const fn word(deed: Deed) -> &'static str {
    match deed {
        Deed::Retry => "retry",
        Deed::Clear => "clear",
        Deed::Cancel => "cancel",
        Deed::Pause => "pause",
        Deed::Resume => "resume",
        Deed::Note => "note",
        Deed::Answer => "answer",
    }
}

fn counts(changed: &Changed) -> Vec<(Chip, usize)> {
    let mut counts: BTreeMap<TaskState, usize> = BTreeMap::new();
    for change in &changed.tasks {
        *counts.entry(change.from).or_default() += 1;
    }
    let count = |(state, count): (TaskState, usize)| (Chip::from(state), count);
    counts.into_iter().map(count).collect()
}

fn changes(of: &Of, changed: &Changed) -> Vec<Change> {
    let named = changed.tasks.iter().take(NAMED_MAX);
    let change = |change: &tidemill_scheduler::engine::TaskChange| {
        let index = change.of.map_index;
        let name = change.name.as_str();
        Change {
            href: of.task_href(name, index),
            name: if index == NOT_MAPPED {
                name.to_owned()
            } else {
                format!("{name}[{index}]")
            },
            from: change.from.into(),
            to: change.to.into(),
        }
    };
    named.map(change).collect()
}

/// Does it. Whoever saw an older run is told who changed what, beside what it would change now.
pub(crate) async fn carry_out(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, run, deed)): At<(String, String, String)>,
    Sent(form): Sent<DeedForm>,
) -> Result<Response, Oops> {
    let before = Before::load(&frame, &dag, (&run, &deed), &form).await?;
    let seen = form.seen.ok_or_else(|| {
        Oops::invalid(
            "this does not say how the run stood when you looked; send it from its own page",
        )
    })?;
    let known = (Some(seen), form.shown.as_str());
    match shown::carry_out(&frame, known, before.command(&form)?).await {
        Ok(changed) => {
            let href = before.of.href();
            let count = match changed.tasks.len() {
                0 => String::new(),
                1 => " 1 task changed.".to_owned(),
                tasks => format!(" {tasks} tasks changed."),
            };
            let says = format!("{run} {}.{count}", before.deed.words().done);
            Ok(Done::at(&href, says).into_response())
        }
        Err(error @ (DoorError::Stale(_) | DoorError::Invalid(_))) => {
            let (says, oops) = (error.to_string(), Oops::from(error));
            let page = show(frame, &before, form, Some(says)).await?;
            Ok(finished(oops, page.into_response()))
        }
        Err(error) => Err(error.into()),
    }
}
