//! Backfills: how far they are, their runs, and making one.

mod make;
mod one;

use std::collections::HashMap;

use askama::Template;
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_core::state::RunState;
use tidemill_store::history::Progress;
use tidemill_store::record::{BackfillRow, BackfillState};

pub(crate) use make::{form, send};
pub(crate) use one::{ask_cancel, cancel, pause, show as show_one};

use super::page;
use crate::frame::Frame;
use crate::html::{Chip, Tone, When};
use crate::input::Asking;
use crate::oops::Oops;
use crate::paths;

const ROWS: u32 = 50;

/// How far a backfill is.
#[derive(Debug, Default)]
pub(super) struct Far {
    pub(super) total: u64,
    /// Dates whose run has ended, or that have none.
    pub(super) over: u64,
    /// What became of them, and of the others: `12 succeeded`.
    pub(super) says: Vec<(Chip, u64)>,
}

impl Far {
    pub(super) fn of(counts: &[&Progress]) -> Self {
        let count = |wanted: &dyn Fn(&Progress) -> bool| -> u64 {
            let like = counts.iter().filter(|one| wanted(one));
            like.map(|one| one.count).sum()
        };
        let state = |state| count(&|one: &Progress| one.run == Some(state));
        let ended = [RunState::Success, RunState::Failed, RunState::Cancelled];
        let left_out = count(&|one| one.left_out);
        let waiting = count(&|one| !one.left_out && one.run.is_none());
        let mut says: Vec<(Chip, u64)> = RunState::ALL
            .iter()
            .map(|one| (Chip::from(*one), state(*one)))
            .collect();
        says.push((Chip::new(Tone::None, "Not made yet"), waiting));
        says.push((Chip::new(Tone::Skip, "Left out"), left_out));
        says.retain(|(_, count)| *count > 0);
        says.sort_by_key(|(chip, _)| chip.tone);
        Self {
            total: counts.iter().map(|one| one.count).sum(),
            over: ended.into_iter().map(state).sum::<u64>() + left_out,
            says,
        }
    }
}

pub(super) fn chip(state: BackfillState) -> Chip {
    match state {
        BackfillState::Active => Chip::new(Tone::Run, "Active"),
        BackfillState::Paused => Chip::new(Tone::Queue, "Paused"),
        BackfillState::Done => Chip::new(Tone::Ok, "Done"),
        BackfillState::Cancelled => Chip::new(Tone::Skip, "Cancelled"),
    }
}

pub(super) fn href(id: i64) -> String {
    format!("/backfills/{id}")
}

/// How far backfills are, by their numbers.
pub(super) async fn far(
    frame: &Frame,
    rows: &[BackfillRow],
) -> Result<HashMap<i64, Vec<Progress>>, Oops> {
    let ids = || rows.iter().map(|row| row.id);
    let (Some(first), Some(last)) = (ids().min(), ids().max()) else {
        return Ok(HashMap::new());
    };
    let mut all: HashMap<i64, Vec<Progress>> = HashMap::new();
    for one in frame.web.store().backfill_progress((first, last)).await? {
        all.entry(one.backfill).or_default().push(one);
    }
    Ok(all)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListQuery {
    dag: String,
    /// The number of the last of the page before.
    before: Option<i64>,
}

struct Line {
    id: i64,
    href: String,
    dag: DagId,
    dag_href: String,
    chip: Chip,
    from: When,
    to: When,
    made: When,
    by: Option<String>,
    far: Far,
}

#[derive(Template)]
#[template(path = "backfills.html")]
pub(crate) struct BackfillsPage {
    frame: Frame,
    query: ListQuery,
    lines: Vec<Line>,
    older: Option<String>,
}

page!(BackfillsPage);

pub(crate) async fn show(
    frame: Frame,
    Asking(query): Asking<ListQuery>,
) -> Result<BackfillsPage, Oops> {
    let wrong = |error: tidemill_core::id::NameError| Oops::invalid(format!("DAG: {error}"));
    let dag = match query.dag.trim() {
        "" => None,
        dag => Some(DagId::parse(dag).map_err(wrong)?),
    };
    let before = query.before.unwrap_or(i64::MAX);
    let among = match dag {
        Some(dag) => Some(vec![dag]),
        None => frame.among().await?,
    };
    let store = frame.web.store();
    let rows = store.backfills(among.as_deref(), before, ROWS).await?;
    let far = far(&frame, &rows).await?;
    let older = rows.last().filter(|_| rows.len() == ROWS as usize);
    let older = older.map(|last| {
        let dag = paths::part(query.dag.trim());
        format!("/backfills?dag={dag}&before={}", last.id)
    });
    let line = |row: BackfillRow| Line {
        far: Far::of(&far.get(&row.id).into_iter().flatten().collect::<Vec<_>>()),
        id: row.id,
        href: href(row.id),
        dag_href: paths::dag(&row.dag),
        dag: row.dag,
        chip: chip(row.state),
        from: When(row.from),
        to: When(row.to),
        made: When(row.created_at),
        by: row
            .touched
            .map(|touch| format!("{} {} it", touch.by, touch.how)),
    };
    let seen = rows.into_iter().filter(|row| frame.sees(&row.dag));
    Ok(BackfillsPage {
        lines: seen.map(line).collect(),
        older,
        query,
        frame,
    })
}
