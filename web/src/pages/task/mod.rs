//! A task in a run: why it stands as it does, what was tried, its log, and what can be done about it.

mod act;
mod alike;
mod cause;
mod compare;
mod data;
mod lines;
mod log;
mod mapped;
mod place;
mod tail;
pub(crate) mod told;
mod tries;
mod why;

pub(crate) use act::{clear, mark, preview_clear, preview_mark};
pub(crate) use alike::show as alike;
pub(crate) use compare::show as compare;
pub(crate) use log::{find, level, lines, raw, search};
pub(crate) use place::Place;
pub(crate) use tail::listen as listen_to_log;
pub(crate) use tries::Tries;

use askama::Template;
use serde::Deserialize;
use tidemill_core::protocol::{MapIndex, NOT_MAPPED};
use tidemill_core::state::TaskState;
use tidemill_store::history::Cursor;

use super::monitor::OfAttempt;
use super::page;
use super::paused::{self, PausedPool};
use super::run::Beside;
use super::usual::{LATE, Usual};
use crate::frame::Frame;
use crate::html::{Bar, Chip, Html, bars};
use crate::input::{Asking, At};
use crate::oops::Oops;
use crate::paths;
use crate::routes::ThisDag;
use cause::Cause;
use data::Data;
use log::LogView;
use mapped::Instances;
use why::WhyView;

/// Over how many runs the past of a task is shown.
const PAST_RUNS: u32 = 24;

/// Which instance, which attempt, and which part of its log.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TaskQuery {
    /// Which instance of a mapped task; else the task as a whole.
    index: Option<MapIndex>,
    /// The number of the attempt; the last if none.
    attempt: Option<u32>,
    /// The position at which the log begins.
    from: Option<u64>,
    /// A line, or lines from and to: `7`, `7-12`.
    line: String,
    /// Lines below this level are left out.
    level: String,
    /// A text to look for.
    find: String,
    /// After which line to go on looking.
    after: u64,
    /// After which instance the list goes on.
    past: Option<MapIndex>,
}

#[derive(Template)]
#[template(path = "task.html")]
pub(crate) struct TaskPage {
    frame: Frame,
    place: Place,
    chip: Chip,
    operates: bool,
    /// What a retry takes along: of a task that failed, what could not run because of it.
    retry_scope: &'static str,
    note: Option<String>,
    touched: Option<String>,
    cause: Option<Cause>,
    tries: Tries,
    /// What the attempt loaded and checked.
    left: OfAttempt,
    log: Option<LogView>,
    data: Data,
    why: Option<WhyView>,
    past: Option<Html>,
    /// The log of the newest other run in which this went well.
    last_success: Option<String>,
    /// Where the attempt is beside another one.
    compare: Option<String>,
    /// How long it usually takes.
    usual: Option<String>,
    /// That the attempt that is on takes longer.
    late: Option<Chip>,
    beside: Beside,
    instances: Option<Instances>,
    paused_pools: Vec<PausedPool>,
}

page!(TaskPage);

impl TaskPage {
    /// The same task in another run.
    fn in_run(&self, run: &str) -> String {
        let place = &self.place;
        paths::task(&place.dag, run, place.task.as_str(), place.index)
    }

    /// The icon of the tab.
    fn icon(&self) -> &str {
        self.frame.icon(self.chip.tone)
    }
}

pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, run, task)): At<(String, String, String)>,
    Asking(query): Asking<TaskQuery>,
) -> Result<TaskPage, Oops> {
    let index = query.index.unwrap_or(NOT_MAPPED);
    let place = Place::find(&frame, &dag, (&run, &task, index)).await?;
    let store = frame.web.store();
    let detail = match place.of() {
        Some(of) => store.task_detail(of).await?,
        None => None,
    };
    let tries = Tries::read(&frame, &place, query.attempt).await?;
    let log = match tries.selected() {
        Some(one) => Some(log::view(&frame, &place, one, &query).await?),
        None => None,
    };
    let Past {
        drawn: past,
        well: last_success,
        usual,
    } = past(&frame, &place).await?;
    let touched = detail.as_ref().and_then(|detail| detail.touched.as_ref());
    let touched = touched.map(|touch| format!("{} {} it at {}", touch.by, touch.how, touch.at));
    let spec = place.spec.definition.task(place.task.as_str());
    let waits = spec.filter(|_| paused::is_on(&place.run) && !place.state().is_final());
    let needs = waits.map(|task| paused::of_task(&place.run, task));
    let needs = needs.into_iter().collect();
    let attempt = tries.selected().map(|one| one.attempt);
    Ok(TaskPage {
        left: OfAttempt::read(&frame, attempt).await?,
        paused_pools: paused::pools(&frame, Some(&needs)).await?,
        chip: place.state().into(),
        operates: frame.operates(&dag),
        retry_scope: if place.state() == TaskState::Failed {
            "blocked"
        } else {
            "this"
        },
        note: detail
            .as_ref()
            .and_then(|detail| detail.note.as_deref().map(ToOwned::to_owned)),
        cause: cause::read(&frame, &place, (&tries, detail.as_ref())).await?,
        data: data::read(&frame, &place, (tries.selected(), detail.as_ref())).await?,
        why: why::read(&frame, &place).await?,
        past,
        compare: compare_href(&place, &tries, last_success.is_some()),
        last_success,
        usual: usual.map(|usual| usual.says()),
        late: usual
            .filter(|usual| is_late(&frame, &place, *usual))
            .map(|_| LATE),
        beside: Beside::of(&frame, &place.run).await?,
        instances: mapped::read(&frame, &place, query.past).await?,
        touched,
        tries,
        log,
        place,
        frame,
    })
}

/// Where the attempt is beside another one, if there is one.
fn compare_href(place: &Place, tries: &Tries, went_well: bool) -> Option<String> {
    let number = tries.selected()?.number;
    let joint = if place.is_instance() { '&' } else { '?' };
    let href = format!("{}{joint}attempt={number}", place.sub("compare"));
    (went_well || tries.all.len() > 1).then_some(href)
}

/// Whether the attempt that is on takes longer than usual.
fn is_late(frame: &Frame, place: &Place, usual: Usual) -> bool {
    let on = place.row.as_ref();
    let on = on.filter(|row| matches!(row.state, TaskState::Running | TaskState::Deferred));
    let began = on.and_then(|row| row.started_at);
    began.is_some_and(|began| usual.is_late(frame.now.since(began)))
}

/// This task in the last runs of its DAG.
#[derive(Default)]
struct Past {
    /// As bars.
    drawn: Option<Html>,
    /// Where the log of the last of them is that went well.
    well: Option<String>,
    usual: Option<Usual>,
}

async fn past(frame: &Frame, place: &Place) -> Result<Past, Oops> {
    let Some(of) = place.of() else {
        return Ok(Past::default());
    };
    let which = (of.task, of.map_index);
    let store = frame.web.store();
    let past = store.task_past(&place.dag, which, Cursor::START, PAST_RUNS);
    let past = past.await?;
    let others = || {
        let mut others = past.iter();
        std::iter::from_fn(move || {
            others.find(|past| past.task.state == TaskState::Success && past.run.id != place.run.id)
        })
    };
    let well = others().next().map(|past| {
        let name = past.task.name.as_str();
        let href = paths::task(&place.dag, &past.run.name, name, past.task.of.map_index);
        format!("{href}#log")
    });
    let spans = others().filter_map(|past| {
        let began = past.task.started_at?;
        Some(past.task.since.since(began))
    });
    let usual = Usual::of(spans);
    let past: Vec<Bar> = past
        .iter()
        .rev()
        .map(|past| {
            let (task, name) = (&past.task, &past.run.name);
            let end = if task.state.is_final() {
                task.since
            } else {
                frame.now
            };
            Bar {
                chip: task.state.into(),
                took: task.started_at.map(|started| end.since(started)),
                name: name.to_string(),
                href: paths::task(&place.dag, name, task.name.as_str(), task.of.map_index),
            }
        })
        .collect();
    Ok(Past {
        drawn: (past.len() > 1).then(|| bars(&past, (9, 12, 44))),
        well,
        usual,
    })
}
