//! Running a run again from a task on, or all of it, with other params or another version: a form, what it would change, and
//! then the button.

use std::sync::Arc;

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::NOT_MAPPED;
use tidemill_scheduler::engine::{Around, Changed, Command, RunVersion, Select, Selected};

use super::read::Of;
use crate::door::DoorError;
use crate::frame::Frame;
use crate::input::{Asking, At, Sent};
use crate::oops::{Oops, finished};
use crate::pages::field::{Field, Filled, Given, Input, fields, fill};
use crate::pages::page;
use crate::routes::ThisDag;
use crate::said::Done;
use crate::shown::{self, ask, fingerprint};

const LISTED_MAX: usize = 200;
const NOTE_CHARS_MAX: usize = 2_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RestartQuery {
    /// The task to begin with; the whole run if none.
    from: String,
}

/// What would change.
struct Preview {
    lines: Vec<String>,
    rest: usize,
    total: usize,
    writes: Vec<Arc<str>>,
    remarks: Vec<String>,
    seen: u32,
    shown: String,
    /// The form, as it was filled in.
    hidden: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "restart.html")]
pub(crate) struct RestartPage {
    frame: Frame,
    dag: DagId,
    run: String,
    href: String,
    tasks: Vec<String>,
    from: String,
    newest: bool,
    note: String,
    fields: Vec<Field>,
    wrong: Vec<String>,
    preview: Option<Preview>,
}

page!(RestartPage);

fn blank(frame: Frame, of: &Of, from: &str) -> RestartPage {
    let like: Option<Value> = serde_json::from_str(&of.run.params).ok();
    let definition = &of.spec.definition;
    let tasks = definition.tasks.iter().map(|task| task.id.to_string());
    RestartPage {
        dag: of.run.dag.clone(),
        run: of.run.name.to_string(),
        href: of.href(),
        tasks: tasks.collect(),
        from: from.to_owned(),
        newest: false,
        note: String::new(),
        fields: fields(&definition.params, like.as_ref()),
        wrong: Vec::new(),
        preview: None,
        frame,
    }
}

pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, run)): At<(String, String)>,
    Asking(query): Asking<RestartQuery>,
) -> Result<RestartPage, Oops> {
    let of = Of::load(&frame, &dag, &run).await?;
    Ok(blank(frame, &of, &query.from))
}

/// Shows the form again, what it would change, or does it: by its `step`.
pub(crate) async fn send(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, run)): At<(String, String)>,
    Sent(pairs): Sent<Vec<(String, String)>>,
) -> Result<Response, Oops> {
    let given: Given = pairs.iter().cloned().collect();
    let of = Of::load(&frame, &dag, &run).await?;
    let text = |name: &str| given.get(name).map_or("", |text| text.trim()).to_owned();
    let (mut page, asked) = read(blank(frame, &of, &text("from")), &of, &given);
    if text("step") == "form" {
        return Ok(page.into_response());
    }
    let Some(command) = asked else {
        let oops = Oops::invalid("some of what was sent cannot be taken; the form says what");
        return Ok(finished(oops, page.into_response()));
    };
    if text("step") != "do" {
        return match ask(&page.frame, (None, true), command).await {
            Ok(changed) => {
                page.preview = Some(preview(&of, changed, pairs));
                Ok(page.into_response())
            }
            Err(error) => told(page, error),
        };
    }
    let (Some(seen), Some(shown)) = (text("seen").parse().ok(), given.get("shown")) else {
        return Err(Oops::invalid(
            "this does not say what you were shown; send it from its own page",
        ));
    };
    match shown::carry_out(&page.frame, (Some(seen), shown), command).await {
        Ok(changed) => {
            let says = format!("{run} runs again: {} tasks changed.", changed.tasks.len());
            Ok(Done::at(&page.href, says).into_response())
        }
        Err(error) => told(page, error),
    }
}

/// What the form says, and the form with what is wrong with it: no command then.
fn read(mut page: RestartPage, of: &Of, given: &Given) -> (RestartPage, Option<Command>) {
    let text = |name: &str| given.get(name).map_or("", |text| text.trim());
    page.note = text("note").chars().take(NOTE_CHARS_MAX).collect();
    page.newest = text("version") == "newest";
    let mut params = None;
    if given.keys().any(|key| key.starts_with("p.")) {
        let filled: Filled = fill(&of.spec.definition.params, given);
        (page.fields, page.wrong) = (filled.fields, filled.wrong);
        if filled.params.is_none() && page.wrong.is_empty() {
            let says = "some params cannot be taken as they are";
            page.wrong.push(says.to_owned());
        }
        // Those that stay as they are are not given: then the run's own are not completed anew.
        let now: Option<Value> = serde_json::from_str(&of.run.params).ok();
        params = filled.params.filter(|params| now.as_ref() != Some(params));
    }
    let tasks = match page.from.as_str() {
        "" => Selected::All,
        task => match TaskId::parse(task) {
            Ok(task) => Selected::Tasks(vec![(task, None)]),
            Err(error) => {
                page.wrong.push(error.to_string());
                Selected::All
            }
        },
    };
    let command = page.wrong.is_empty().then(|| Command::Clear {
        select: Select {
            run: of.run.id,
            tasks,
        },
        around: Around {
            downstream: !page.from.is_empty(),
            ..Around::default()
        },
        params,
        version: if page.newest {
            RunVersion::Newest
        } else {
            RunVersion::Keep
        },
        note: (!page.note.is_empty()).then(|| page.note.as_str().into()),
    });
    (page, command)
}

fn told(mut page: RestartPage, error: DoorError) -> Result<Response, Oops> {
    match error {
        error @ (DoorError::Invalid(_) | DoorError::Stale(_) | DoorError::Unknown(_)) => {
            page.wrong.push(error.to_string());
            let error = match error {
                DoorError::Unknown(says) => DoorError::Invalid(says),
                error => error,
            };
            Ok(finished(error.into(), page.into_response()))
        }
        error => Err(error.into()),
    }
}

fn preview(of: &Of, changed: Changed, pairs: Vec<(String, String)>) -> Preview {
    let shown = fingerprint(&changed);
    let line = |change: &tidemill_scheduler::engine::TaskChange| {
        let index = match change.of.map_index {
            NOT_MAPPED => String::new(),
            index => format!("[{index}]"),
        };
        format!(
            "{}{index} is {}, becomes {}",
            change.name, change.from, change.to
        )
    };
    Preview {
        lines: changed.tasks.iter().take(LISTED_MAX).map(line).collect(),
        rest: changed.tasks.len().saturating_sub(LISTED_MAX),
        total: changed.tasks.len(),
        writes: changed.writes_again,
        remarks: changed.remarks,
        seen: of.run.edits,
        shown,
        hidden: pairs
            .into_iter()
            .filter(|(name, _)| !matches!(name.as_str(), "csrf" | "step" | "shown" | "seen"))
            .collect(),
    }
}
