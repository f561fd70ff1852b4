//! A run: how it stands, its tasks as a list, a graph or over time, its params, and what happened to it.

mod asks;
mod beside;
mod deed;
mod events;
mod gantt;
mod list;
mod priority;
mod read;
mod restart;
mod roots;
pub(crate) mod told;
mod zoom;

use askama::Template;
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_core::protocol::NOT_MAPPED;
use tidemill_core::state::{RunState, TaskState};
use tidemill_core::version::Version;
use tidemill_store::history::Grid;
use tidemill_store::record::RunRow;

use super::dag::{draw, states_of};
use super::page;
use super::paused::{self, PausedPool};
use super::rows::time;
use super::usual::{LATE, Usual};
use crate::frame::Frame;
use crate::html::{Chip, Html, Tone, When};
use crate::input::{Asking, At};
use crate::oops::Oops;
use crate::paths;
use crate::routes::ThisDag;

pub(in crate::pages) use beside::Beside;
pub(crate) use deed::{carry_out, preview};
use events::Events;
use gantt::GanttView;
use list::{ListView, Question};
pub(crate) use priority::{send as set_priority, show as priority};
use read::{Of, Rows};
pub(crate) use restart::{send as send_restart, show as restart};
use roots::Roots;

/// What is looked at, and where in it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RunQuery {
    tab: String,
    /// Only tasks like this: `failed`, `active`, `waiting`, `done`.
    only: String,
    /// Which row of the list is the first.
    from: usize,
    /// The mapped task whose instances are shown.
    open: String,
    /// After which of them.
    at: Option<i32>,
    /// Before which line of the audit log.
    before: Option<i64>,
    /// Whether what was tried before the run's last start is drawn, too.
    all: bool,
    /// The part of the time that is drawn, in milliseconds from its beginning: `1000-2500`.
    zoom: String,
}

/// What a run is, on each of its tabs.
struct Head {
    dag: DagId,
    dag_href: String,
    name: String,
    href: String,
    chip: Chip,
    paused: bool,
    facts: Vec<(&'static str, Html)>,
    quarantine: Option<String>,
    why: Option<String>,
    note: Option<String>,
    /// Who changed it last.
    touched: Option<String>,
    /// How many tasks are in each state.
    counts: Vec<(Chip, u32)>,
    /// Whether it takes longer than usual.
    late: Option<Chip>,
    operates: bool,
    has_ended: bool,
    has_failed: bool,
}

/// A tab.
struct Tab {
    word: &'static str,
    href: String,
    on: bool,
}

const TABS: [(&str, &str); 5] = [
    ("tasks", "Tasks"),
    ("graph", "Graph"),
    ("gantt", "Gantt"),
    ("params", "Params"),
    ("events", "Events"),
];

#[derive(Template)]
#[template(path = "run.html")]
pub(crate) struct RunPage {
    frame: Frame,
    head: Head,
    tabs: Vec<Tab>,
    list: Option<ListView>,
    questions: Vec<Question>,
    roots: Option<Roots>,
    beside: Beside,
    graph: Option<Html>,
    gantt: Option<GanttView>,
    params: Option<Params>,
    events: Option<Events>,
    paused_pools: Vec<PausedPool>,
}

page!(RunPage);

impl RunPage {
    /// Another run of this DAG, at the same tab.
    fn other(&self, run: &str) -> String {
        let href = paths::run(&self.head.dag, run);
        let tab = self.tabs.iter().find(|tab| tab.on);
        let query = tab.and_then(|tab| Some(tab.href.split_once('?')?.1));
        query.map_or(href.clone(), |query| format!("{href}?{query}"))
    }

    /// The icon of the tab.
    fn icon(&self) -> &str {
        self.frame.icon(self.head.chip.tone)
    }
}

/// The params of a run.
struct Params {
    rows: Vec<Param>,
    json: String,
    /// Where the same can be asked for again.
    again: Option<String>,
}

struct Param {
    name: String,
    value: String,
    about: String,
    is_default: bool,
}

pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, name)): At<(String, String)>,
    Asking(query): Asking<RunQuery>,
) -> Result<RunPage, Oops> {
    let of = Of::load(&frame, &dag, &name).await?;
    let tab = match query.tab.as_str() {
        "" => "tasks",
        tab => tab,
    };
    if !TABS.iter().any(|(known, _)| *known == tab) {
        return Err(Oops::not_found("a run has no such view"));
    }
    let grid = of.grid(&frame).await?;
    let before = of.version_before(&frame).await?;
    let usual = match of.run.started_at {
        Some(_) if of.run.ended_at.is_none() => Usual::of_runs(&frame, &dag).await?,
        _ => None,
    };
    let needs = paused::of_run(&of.run, &of.spec, &grid);
    let paused_pools = paused::pools(&frame, Some(&needs)).await?;
    let mut page = RunPage {
        paused_pools,
        head: head(&frame, &of, (&grid, before.as_ref()), usual),
        beside: Beside::of(&frame, &of.run).await?,
        roots: None,
        tabs: tabs(&of, tab),
        list: None,
        questions: Vec::new(),
        graph: None,
        gantt: None,
        params: None,
        events: None,
        frame,
    };
    let frame = &page.frame;
    match tab {
        "graph" => {
            let href = |task: &str| Some(paths::task(&dag, &of.run.name, task, NOT_MAPPED));
            page.graph = Some(draw(&of.spec, &states_of(&grid), &href));
        }
        "gantt" => {
            let rows = Rows { grid };
            page.gantt = Some(gantt::view(frame, &of, &rows, (query.all, &query.zoom)).await?);
        }
        "params" => page.params = Some(params(frame, &of)),
        "events" => {
            page.events = Some(events::read(frame, &of, query.before.unwrap_or(i64::MAX)).await?);
        }
        _ => {
            let rows = Rows { grid };
            page.questions = list::questions(frame, &of, &rows).await?;
            page.roots = roots::read(frame, &of, &rows).await?;
            page.list = Some(list::view(frame, &of, &rows, &query).await?);
        }
    }
    Ok(page)
}

fn tabs(of: &Of, on: &str) -> Vec<Tab> {
    let tab = |(name, word): &(&'static str, &'static str)| Tab {
        word,
        href: format!("{}?tab={name}", of.href()),
        on: *name == on,
    };
    TABS.iter().map(tab).collect()
}

fn head(
    frame: &Frame,
    of: &Of,
    (grid, before): (&Grid, Option<&Version>),
    usual: Option<Usual>,
) -> Head {
    let run = &of.run;
    let expected = run.started_at.zip(usual);
    let late = expected.is_some_and(|(began, usual)| usual.is_late(frame.now.since(began)));
    let mut facts = facts(frame, of, before);
    if let Some((began, usual)) = expected {
        facts.push(("Usually takes", Html::text(&usual.says())));
        facts.push(("Expected to end", usual.expects(began, frame.now)));
    }
    let mut counts: Vec<(TaskState, u32)> = Vec::new();
    for cell in grid.cells.iter().filter(|cell| !cell.instances) {
        match counts.iter_mut().find(|(state, _)| *state == cell.state) {
            Some((_, count)) => *count += cell.count,
            None => counts.push((cell.state, cell.count)),
        }
    }
    counts.sort_by_key(|(state, _)| Tone::from(*state));
    let failed = |state: TaskState| matches!(state, TaskState::Failed | TaskState::UpstreamFailed);
    let words = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
    Head {
        dag: run.dag.clone(),
        dag_href: paths::dag(&run.dag),
        name: run.name.to_string(),
        href: of.href(),
        chip: run.state.into(),
        paused: run.paused,
        facts,
        late: late.then_some(LATE),
        quarantine: words(&run.quarantine),
        why: words(&run.why),
        note: words(&run.note),
        touched: run.touched.as_ref().map(|touch| {
            let at = touch.at.date().format("%-d %b %H:%M UTC");
            format!("{} {} it, {at}", touch.by, touch.how)
        }),
        operates: frame.operates(&run.dag),
        has_ended: !matches!(run.state, RunState::Queued | RunState::Running),
        has_failed: grid.cells.iter().any(|cell| failed(cell.state)),
        counts: counts
            .into_iter()
            .map(|(state, count)| (state.into(), count))
            .collect(),
    }
}

/// The version of a run, and a way to what changed if the run before had another.
fn version(run: &RunRow, before: Option<&Version>) -> Html {
    let link = Html::link(&paths::version(&run.dag, &run.version), run.version.short());
    match before.filter(|before| **before != run.version) {
        Some(before) => {
            let diff = paths::diff(&run.dag, (before, &run.version));
            link.and(&Html::text(", "))
                .and(&Html::link(&diff, "new: what changed"))
        }
        None => link,
    }
}

fn facts(frame: &Frame, of: &Of, before: Option<&Version>) -> Vec<(&'static str, Html)> {
    let run = &of.run;
    let when = |at| Html::of_when(When(at));
    let mut facts = vec![
        ("Covers from", when(run.start)),
        ("to", when(run.end)),
        ("Kind", Html::text(run.kind.word())),
        ("Version", version(run, before)),
        ("Due", when(run.due_at)),
    ];
    facts.extend(run.started_at.map(|at| ("Started", when(at))));
    facts.extend(run.ended_at.map(|at| ("Ended", when(at))));
    if run.started_at.is_some() {
        facts.push(("Took", time(run.started_at, run.ended_at, frame.now)));
    }
    if run.priority != 0 {
        facts.push(("Priority", Html::text(&run.priority.to_string())));
    }
    if let Some(pool) = &run.pool {
        facts.push(("Pool", Html::text(pool)));
    }
    if let Some(backfill) = run.backfill {
        let href = format!("/backfills/{backfill}");
        facts.push(("Backfill", Html::link(&href, &backfill.to_string())));
    }
    facts
}

fn params(frame: &Frame, of: &Of) -> Params {
    let value: serde_json::Value =
        serde_json::from_str(&of.run.params).unwrap_or(serde_json::Value::Null);
    let specs = &of.spec.definition.params;
    let given = value.as_object();
    let given = given.into_iter().flatten();
    let rows = given.map(|(name, value)| {
        let spec = specs.iter().find(|spec| spec.name == *name);
        Param {
            name: name.clone(),
            value: value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
            about: spec
                .map(|spec| spec.description.clone())
                .unwrap_or_default(),
            is_default: spec.is_some_and(|spec| spec.default.as_ref() == Some(value)),
        }
    });
    let dag = &of.run.dag;
    Params {
        rows: rows.collect(),
        json: serde_json::to_string_pretty(&value).unwrap_or_default(),
        again: frame.operates(dag).then(|| {
            let like = paths::part(&of.run.name);
            format!("{}/trigger?like={like}", paths::dag(dag))
        }),
    }
}
