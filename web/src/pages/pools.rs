//! Pools: how many slots there are, who has them, and what waits.

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tidemill_access::Action;
use tidemill_core::protocol::NOT_MAPPED;
use tidemill_scheduler::engine::{Command, Pausable, PoolView};

use super::page;
use super::sure::SurePage;
use crate::door::DoorError;
use crate::frame::Frame;
use crate::html::Chip;
use crate::input::{At, Sent};
use crate::oops::{Oops, finished};
use crate::paths;
use crate::said::Done;
use crate::shown::ask;

/// A pool in the list.
struct Line {
    name: String,
    href: String,
    slots: Option<u32>,
    used: Option<u32>,
    waiting: usize,
    paused: bool,
    holds_deferred: bool,
}

#[derive(Template)]
#[template(path = "pools.html")]
pub(crate) struct PoolsPage {
    frame: Frame,
    lines: Vec<Line>,
    /// Whether the scheduler said what is taken.
    is_known: bool,
    shares: bool,
    /// The form of a new one.
    name: String,
    slots: String,
    refused: Option<String>,
}

page!(PoolsPage);

fn href(name: &str) -> String {
    format!("/pools/{}", paths::part(name))
}

/// The pools as the scheduler knows them; without one, those that were set.
async fn pools(frame: &Frame) -> Result<(Vec<PoolView>, bool), Oops> {
    match frame.web.door().pools().await {
        Ok(pools) => return Ok((pools, true)),
        Err(DoorError::Away(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let rows = frame.web.store().pools().await?;
    let view = |row: tidemill_store::record::PoolRow| PoolView {
        name: row.name,
        slots: row.slots,
        used: None,
        holds_deferred: row.holds_deferred,
        paused: row.paused,
        edits: row.edits,
        note: row.note,
        holders: Vec::new(),
        waiting: 0,
    };
    Ok((rows.into_iter().map(view).collect(), false))
}

async fn list(frame: Frame, form: PoolForm, refused: Option<String>) -> Result<PoolsPage, Oops> {
    let (pools, is_known) = pools(&frame).await?;
    let line = |pool: PoolView| Line {
        href: href(&pool.name),
        name: pool.name.to_string(),
        slots: pool.slots,
        used: pool.used,
        waiting: pool.waiting,
        paused: pool.paused,
        holds_deferred: pool.holds_deferred,
    };
    Ok(PoolsPage {
        lines: pools.into_iter().map(line).collect(),
        is_known,
        shares: frame.may(Action::Share),
        name: form.name,
        slots: form.slots,
        refused,
        frame,
    })
}

pub(crate) async fn show(frame: Frame) -> Result<PoolsPage, Oops> {
    list(frame, PoolForm::default(), None).await
}

/// A pool as a form has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PoolForm {
    name: String,
    /// Empty for any number.
    slots: String,
    holds_deferred: Option<String>,
    /// What it is for; without it the note stays.
    note: Option<String>,
    seen: Option<u32>,
}

impl PoolForm {
    fn command(&self, name: &str) -> Result<Command, DoorError> {
        let slots = match self.slots.trim() {
            "" => None,
            slots => Some(slots.parse().map_err(|_| {
                let says = "slots are a whole number, or empty for any number";
                DoorError::Invalid(says.to_owned())
            })?),
        };
        Ok(Command::SetPool {
            name: name.into(),
            slots,
            holds_deferred: self.holds_deferred.is_some(),
            note: self.note.as_deref().map(|note| note.trim().into()),
        })
    }
}

async fn set(frame: &Frame, name: &str, form: &PoolForm) -> Result<(), DoorError> {
    ask(frame, (form.seen, false), form.command(name)?).await?;
    Ok(())
}

/// A new pool. One that is there already is not changed.
pub(crate) async fn make(frame: Frame, Sent(mut form): Sent<PoolForm>) -> Result<Response, Oops> {
    form.seen = Some(0);
    let name = form.name.trim().to_owned();
    match set(&frame, &name, &form).await {
        Ok(()) => Ok(Done::at("/pools", format!("The pool {name} is there.")).into_response()),
        Err(error @ (DoorError::Invalid(_) | DoorError::Stale(_))) => {
            let page = list(frame, form, Some(error.to_string())).await?;
            Ok(finished(error.into(), page.into_response()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Who has slots.
struct Holder {
    href: String,
    dag: String,
    run: String,
    task: String,
    chip: Chip,
    slots: u32,
}

#[derive(Template)]
#[template(path = "pool.html")]
pub(crate) struct PoolPage {
    frame: Frame,
    href: String,
    pool: PoolView,
    slots: String,
    holders: Vec<Holder>,
    /// Slots of tasks that are not named.
    others: u32,
    shares: bool,
    is_default: bool,
    refused: Option<String>,
}

page!(PoolPage);

async fn one(frame: Frame, name: &str, refused: Option<String>) -> Result<PoolPage, Oops> {
    let (pools, _) = pools(&frame).await?;
    let pool = pools.into_iter().find(|pool| *pool.name == *name);
    let pool = pool.ok_or_else(|| Oops::not_found("there is no pool of this name"))?;
    let seen = pool.holders.iter().filter(|one| frame.sees(&one.dag));
    let holders: Vec<Holder> = seen
        .map(|one| Holder {
            href: paths::task(&one.dag, &one.run, one.task.as_str(), one.index),
            dag: one.dag.to_string(),
            run: one.run.to_string(),
            task: match one.index {
                NOT_MAPPED => one.task.to_string(),
                index => format!("{}[{index}]", one.task),
            },
            chip: one.state.into(),
            slots: one.slots,
        })
        .collect();
    let named: u32 = holders.iter().map(|one| one.slots).sum();
    Ok(PoolPage {
        href: href(&pool.name),
        slots: pool
            .slots
            .map(|slots| slots.to_string())
            .unwrap_or_default(),
        others: pool.used.unwrap_or(0).saturating_sub(named),
        holders,
        shares: frame.may(Action::Share),
        is_default: &*pool.name == "default",
        refused,
        pool,
        frame,
    })
}

pub(crate) async fn show_one(frame: Frame, At(name): At<String>) -> Result<PoolPage, Oops> {
    one(frame, &name, None).await
}

async fn told(frame: Frame, name: &str, error: DoorError) -> Result<Response, Oops> {
    match error {
        error @ (DoorError::Invalid(_) | DoorError::Stale(_)) => {
            let page = one(frame, name, Some(error.to_string())).await?;
            Ok(finished(error.into(), page.into_response()))
        }
        error => Err(error.into()),
    }
}

pub(crate) async fn change(
    frame: Frame,
    At(name): At<String>,
    Sent(form): Sent<PoolForm>,
) -> Result<Response, Oops> {
    match set(&frame, &name, &form).await {
        Ok(()) => Ok(Done::at(&href(&name), format!("The pool {name} is set.")).into_response()),
        Err(error) => told(frame, &name, error).await,
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct PauseForm {
    pause: bool,
    seen: u32,
}

pub(crate) async fn pause(
    frame: Frame,
    At(name): At<String>,
    Sent(form): Sent<PauseForm>,
) -> Result<Response, Oops> {
    let command = Command::Pause {
        what: Pausable::Pool(name.as_str().into()),
        pause: form.pause,
    };
    let says = if form.pause {
        format!("The pool {name} is paused: nothing gets a slot.")
    } else {
        format!("The pool {name} gives slots again.")
    };
    match ask(&frame, (Some(form.seen), false), command).await {
        Ok(_) => Ok(Done::at(&href(&name), says).into_response()),
        Err(error) => told(frame, &name, error).await,
    }
}

/// Before a pool goes: which DAGs name it.
pub(crate) async fn ask_remove(frame: Frame, At(name): At<String>) -> Result<SurePage, Oops> {
    let (pools, _) = pools(&frame).await?;
    let pool = pools.into_iter().find(|pool| *pool.name == *name);
    let pool = pool.ok_or_else(|| Oops::not_found("there is no pool of this name"))?;
    let mut users = super::sure::Listed {
        head: "Tasks of these DAGs use it".to_owned(),
        lines: Vec::new(),
    };
    for known in super::rows::known(&frame).await? {
        let tasks = known.spec.definition.tasks.iter();
        let uses = tasks.filter(|task| task.placement.pool == name).count();
        if uses > 0 {
            let line = format!("{}: {uses} tasks", known.row.id);
            users.lines.push((line, Some(paths::dag(&known.row.id))));
        }
    }
    Ok(SurePage {
        crumbs: vec![
            ("Pools".to_owned(), "/pools".to_owned()),
            (name.clone(), href(&name)),
        ],
        means: vec![
            format!("The pool {name} goes. What runs in it goes on."),
            "Tasks that use it wait until a pool of this name is back.".to_owned(),
        ],
        lists: vec![users],
        action: format!("{}/remove", href(&name)),
        hidden: vec![("seen".to_owned(), pool.edits.to_string())],
        is_danger: true,
        ..SurePage::new(frame, format!("Remove the pool {name}"), href(&name))
    })
}

#[derive(Debug, Deserialize)]
pub(crate) struct RemoveForm {
    seen: u32,
}

pub(crate) async fn remove(
    frame: Frame,
    At(name): At<String>,
    Sent(form): Sent<RemoveForm>,
) -> Result<Response, Oops> {
    let command = Command::RemovePool {
        name: name.as_str().into(),
    };
    match ask(&frame, (Some(form.seen), false), command).await {
        Ok(_) => Ok(Done::at("/pools", format!("The pool {name} is removed.")).into_response()),
        Err(error @ (DoorError::Invalid(_) | DoorError::Stale(_))) => {
            let page = ask_remove(frame, At(name)).await?;
            Ok(page.refused(error))
        }
        Err(error) => Err(error.into()),
    }
}
