//! Lets a run that has not ended go before others, or after them, or through another pool.

use std::sync::Arc;

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_scheduler::engine::Command;

use super::read::Of;
use crate::door::DoorError;
use crate::frame::Frame;
use crate::html::Chip;
use crate::input::{At, Sent};
use crate::oops::{Oops, finished};
use crate::pages::page;
use crate::routes::ThisDag;
use crate::said::Done;
use crate::shown::ask;

/// The form as it is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PriorityForm {
    priority: String,
    /// Empty for the pools of its tasks.
    pool: String,
    seen: Option<u32>,
}

#[derive(Template)]
#[template(path = "priority.html")]
pub(crate) struct PriorityPage {
    frame: Frame,
    dag: DagId,
    run: Arc<str>,
    href: String,
    chip: Chip,
    form: PriorityForm,
    pools: Vec<Arc<str>>,
    seen: u32,
    /// Why it was not done.
    refused: Option<String>,
    has_ended: bool,
}

page!(PriorityPage);

async fn page_of(
    frame: Frame,
    of: Of,
    form: PriorityForm,
    refused: Option<String>,
) -> Result<PriorityPage, Oops> {
    let pools = frame.web.store().pools().await?;
    Ok(PriorityPage {
        href: of.href(),
        chip: of.run.state.into(),
        seen: of.run.edits,
        has_ended: of.run.ended_at.is_some(),
        pools: pools.into_iter().map(|pool| pool.name).collect(),
        dag: of.run.dag,
        run: of.run.name,
        form,
        refused,
        frame,
    })
}

pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, run)): At<(String, String)>,
) -> Result<PriorityPage, Oops> {
    let of = Of::load(&frame, &dag, &run).await?;
    let form = PriorityForm {
        priority: of.run.priority.to_string(),
        pool: of.run.pool.as_deref().unwrap_or_default().to_owned(),
        seen: None,
    };
    page_of(frame, of, form, None).await
}

pub(crate) async fn send(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, run)): At<(String, String)>,
    Sent(form): Sent<PriorityForm>,
) -> Result<Response, Oops> {
    let of = Of::load(&frame, &dag, &run).await?;
    let done = match form.priority.trim().parse() {
        Err(_) => Err(DoorError::Invalid(
            "a priority is a whole number, such as 10 or -5".to_owned(),
        )),
        Ok(priority) => {
            let pool = form.pool.trim();
            let command = Command::Reprioritise {
                run: of.run.id,
                priority,
                pool: (!pool.is_empty()).then(|| pool.into()),
            };
            ask(&frame, (form.seen, false), command).await.map(drop)
        }
    };
    match done {
        Ok(()) => {
            let says = format!("Its priority is {} now.", form.priority.trim());
            Ok(Done::at(&of.href(), says).into_response())
        }
        Err(error @ (DoorError::Invalid(_) | DoorError::Stale(_))) => {
            let says = error.to_string();
            let page = page_of(frame, of, form, Some(says)).await?;
            Ok(finished(error.into(), page.into_response()))
        }
        Err(error) => Err(error.into()),
    }
}
