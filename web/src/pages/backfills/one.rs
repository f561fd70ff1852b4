//! One backfill: how far it is, its dates with their runs, and stopping it.

use std::collections::HashMap;

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_scheduler::engine::{Command, Pausable};
use tidemill_store::history::DateRun;
use tidemill_store::record::{BackfillRow, BackfillState, DateState};

use super::{Far, chip, far, href};
use crate::frame::Frame;
use crate::html::{Chip, Tone, When};
use crate::input::{Asking, At, Sent};
use crate::oops::Oops;
use crate::pages::page;
use crate::pages::sure::{Listed, SurePage, counted};
use crate::paths;
use crate::said::Done;
use crate::shown::ask;

const ROWS: u32 = 100;
/// So many runs that would be cancelled are counted by a page of them; the rest is a number.
const SHOWN_MAX: usize = 100;

/// The backfill, if there is one and who asks may know of its DAG.
async fn find(frame: &Frame, id: i64) -> Result<BackfillRow, Oops> {
    let next = id.saturating_add(1);
    let found = frame.web.store().backfills(None, next, 1).await?;
    let found = found.into_iter().find(|row| row.id == id);
    let seen = found.filter(|row| frame.sees(&row.dag));
    seen.ok_or_else(|| Oops::not_found(format!("there is no backfill {id}, or you may not see it")))
}

/// The same, if they may also change it.
async fn find_to_change(frame: &Frame, id: i64) -> Result<BackfillRow, Oops> {
    let row = find(frame, id).await?;
    crate::pages::rows::must_operate(frame, &row.dag)?;
    Ok(row)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OneQuery {
    /// The place of the last date of the page before.
    after: Option<i64>,
}

struct DateLine {
    start: When,
    end: When,
    chip: Chip,
    run: Option<(String, String)>,
    why: Option<String>,
}

#[derive(Template)]
#[template(path = "backfill.html")]
pub(crate) struct BackfillPage {
    frame: Frame,
    id: i64,
    href: String,
    dag: DagId,
    dag_href: String,
    chip: Chip,
    facts: Vec<(&'static str, String)>,
    from: When,
    to: When,
    params: Option<String>,
    far: Far,
    dates: Vec<DateLine>,
    more: Option<String>,
    edits: u32,
    operates: bool,
    is_open: bool,
    is_paused: bool,
}

page!(BackfillPage);

pub(crate) async fn show(
    frame: Frame,
    At(id): At<i64>,
    Asking(query): Asking<OneQuery>,
) -> Result<BackfillPage, Oops> {
    let row = find(&frame, id).await?;
    let counts = far(&frame, std::slice::from_ref(&row)).await?;
    let counts: Vec<_> = counts.values().flatten().collect();
    let after = query.after.unwrap_or(-1);
    let store = frame.web.store();
    let dates = store.backfill_dates(id, after, ROWS).await?;
    let runs = store.backfill_runs(id, after, ROWS).await?;
    let runs: HashMap<u32, DateRun> = runs.into_iter().map(|run| (run.nth, run)).collect();
    let more = dates.last().filter(|_| dates.len() == ROWS as usize);
    let more = more.map(|last| format!("{}?after={}", href(id), last.nth));
    let line = |date: tidemill_store::record::BackfillDateRow| {
        let run = runs.get(&date.nth);
        let (chip, why) = match (&date.state, run) {
            (DateState::Made(_), Some(run)) => (run.state.into(), None),
            (DateState::Made(_), None) => (Chip::new(Tone::None, "Removed"), None),
            (DateState::Waiting(again), _) => (
                Chip::new(Tone::None, "Not made yet"),
                again.map(|_| "its run is run again".to_owned()),
            ),
            (DateState::LeftOut(why), _) => {
                (Chip::new(Tone::Skip, "Left out"), Some(why.to_string()))
            }
        };
        DateLine {
            start: When(date.start),
            end: When(date.end),
            chip,
            run: run.map(|run| (run.name.to_string(), paths::run(&row.dag, &run.name))),
            why,
        }
    };
    let dates: Vec<DateLine> = dates.into_iter().map(line).collect();
    let mut facts = vec![
        ("Active at once", row.active_runs_max.to_string()),
        ("Dates that have a run", again(&row).to_owned()),
    ];
    if let Some(touch) = &row.touched {
        let at = touch.at.date().format("%-d %b %H:%M UTC");
        facts.push((
            "Last changed",
            format!("{} {} it, {at}", touch.by, touch.how),
        ));
    }
    Ok(BackfillPage {
        id,
        href: href(id),
        dag_href: paths::dag(&row.dag),
        chip: chip(row.state),
        facts,
        from: When(row.from),
        to: When(row.to),
        params: match &*row.params {
            "null" | "{}" => None,
            params => Some(params.to_owned()),
        },
        far: Far::of(&counts),
        dates,
        more,
        edits: row.edits,
        operates: frame.operates(&row.dag),
        is_open: matches!(row.state, BackfillState::Active | BackfillState::Paused),
        is_paused: row.state == BackfillState::Paused,
        dag: row.dag,
        frame,
    })
}

const fn again(row: &BackfillRow) -> &'static str {
    use tidemill_store::record::Reprocess;
    match row.reprocess {
        Reprocess::None => "are left out",
        Reprocess::Failed => "run again if they failed",
        Reprocess::Completed => "run again",
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct PauseForm {
    pause: bool,
    seen: u32,
}

pub(crate) async fn pause(
    frame: Frame,
    At(id): At<i64>,
    Sent(form): Sent<PauseForm>,
) -> Result<Done, Oops> {
    find_to_change(&frame, id).await?;
    let command = Command::Pause {
        what: Pausable::Backfill(id),
        pause: form.pause,
    };
    ask(&frame, (Some(form.seen), false), command).await?;
    let says = if form.pause {
        format!("Backfill {id} is paused: it makes no runs, and nothing of its runs starts.")
    } else {
        format!("Backfill {id} goes on.")
    };
    Ok(Done::at(&href(id), says))
}

async fn sure(frame: Frame, row: &BackfillRow) -> Result<SurePage, Oops> {
    let id = row.id;
    let command = Command::CancelBackfill { backfill: id };
    let asked = ask(&frame, (None, true), command).await;
    let (runs, refused) = match asked {
        Ok(changed) => (changed.runs, None),
        Err(error) => match error {
            crate::door::DoorError::Unknown(_) => {
                (Vec::new(), Some("it is over already".to_owned()))
            }
            error => return Err(error.into()),
        },
    };
    let counts = far(&frame, std::slice::from_ref(row)).await?;
    let waiting: u64 = counts
        .values()
        .flatten()
        .filter(|one| !one.left_out && one.run.is_none())
        .map(|one| one.count)
        .sum();
    let lines = runs.iter().take(SHOWN_MAX).map(|run| format!("run {run}"));
    Ok(SurePage {
        crumbs: vec![
            ("Backfills".to_owned(), "/backfills".to_owned()),
            (format!("{id} of {}", row.dag), href(id)),
        ],
        means: vec![
            format!(
                "The backfill ends. Runs that are cancelled with it: {}. Dates that get no run: {waiting}.",
                runs.len()
            ),
            "Runs that have ended stay as they are. A backfill that was cancelled does not go on: make another one for the rest."
                .to_owned(),
        ],
        lists: vec![Listed::plain("Would be cancelled", lines)],
        action: format!("{}/cancel", href(id)),
        hidden: vec![("seen".to_owned(), row.edits.to_string())],
        is_danger: true,
        can: refused.is_none(),
        refused,
        ..SurePage::new(frame, format!("Cancel backfill {id}"), href(id))
    })
}

pub(crate) async fn ask_cancel(frame: Frame, At(id): At<i64>) -> Result<SurePage, Oops> {
    let row = find_to_change(&frame, id).await?;
    sure(frame, &row).await
}

#[derive(Debug, Deserialize)]
pub(crate) struct CancelForm {
    seen: u32,
}

pub(crate) async fn cancel(
    frame: Frame,
    At(id): At<i64>,
    Sent(form): Sent<CancelForm>,
) -> Result<Response, Oops> {
    let row = find_to_change(&frame, id).await?;
    let command = Command::CancelBackfill { backfill: id };
    match ask(&frame, (Some(form.seen), false), command).await {
        Ok(changed) => {
            let runs = counted(changed.runs.len(), "run", "runs");
            let says = format!("Backfill {id} is cancelled, and {runs} with it.");
            Ok(Done::at(&href(id), says).into_response())
        }
        Err(error @ crate::door::DoorError::Stale(_)) => {
            Ok(sure(frame, &row).await?.refused(error))
        }
        Err(error) => Err(error.into()),
    }
}
