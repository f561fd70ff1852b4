//! A DAG: its runs as a grid or as a graph here, and what else there is to see of it in the files beside.

mod around;
pub(crate) mod calendar;
pub(crate) mod definition;
pub(crate) mod details;
pub(crate) mod diff;
pub(crate) mod durations;
mod head;
mod planned;
pub(crate) mod runs;
mod tasks;
pub(crate) mod told;
mod words;

use std::collections::HashMap;

use askama::Template;
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_core::protocol::{NOT_MAPPED, RunNo};
use tidemill_core::spec::DagSpec;
use tidemill_core::state::TaskState;
use tidemill_draw::{Mark, Picture, svg_in_page};
use tidemill_store::history::{Cursor, Grid};
use tidemill_store::record::RunRow;

use super::grid::{self, GridView};
use super::page;
use super::paused::{self, PausedPool};
use super::rows::{Known, RunLine, place, placed};
use crate::access::Policy;
use crate::frame::Frame;
use crate::html::{Chip, Html, Tone};
use crate::input::Asking;
use crate::oops::Oops;
use crate::paths;
use crate::routes::{Routes, ThisDag};
use around::Around;
pub(super) use head::known;
use head::{Head, View};
pub(super) use tasks::Spans;

/// A page of the grid has about so many squares: a wide DAG shows fewer runs.
const SQUARES_MAX: usize = 10_000;
/// And no more runs than that, because nobody looks at more at once.
const RUNS_MAX: usize = 50;
const RUNS_MIN: usize = 5;

/// The views of a DAG, and what is read for them.
pub(crate) fn routes(routes: Routes) -> Routes {
    let see = Policy::VIEW_DAG;
    routes
        .get("/dags/{dag}", see, grid)
        .get("/dags/{dag}/graph", see, graph)
        .get("/dags/{dag}/runs", see, runs::show)
        .get("/dags/{dag}/calendar", see, calendar::show)
        .get("/dags/{dag}/durations", see, durations::show)
        .get("/dags/{dag}/definition", see, definition::show)
        .get("/dags/{dag}/definition/raw", see, definition::raw)
        .get("/dags/{dag}/diff", see, diff::show)
        .get("/dags/{dag}/details", see, details::show)
}

/// Which run is looked at, and where the grid begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DagQuery {
    /// The name of the run.
    run: String,
    /// Where the page before ended.
    before: String,
    /// The task around which the grid is, and on which side of it: `upstream`, `downstream`, `both`.
    task: String,
    side: String,
}

#[derive(Template)]
#[template(path = "dag.html")]
pub(crate) struct DagPage {
    frame: Frame,
    head: Head,
    selected: Option<RunLine>,
    legend: Vec<Chip>,
    grid: Option<GridView>,
    around: Option<Around>,
    graph: Option<Html>,
    paused_pools: Vec<PausedPool>,
}

page!(DagPage);

struct Loaded {
    known: Known,
    selected: Option<RunRow>,
}

async fn load(frame: &Frame, dag: &DagId, query: &DagQuery) -> Result<Loaded, Oops> {
    let selected = match query.run.as_str() {
        "" => None,
        name => {
            let found = frame.web.store().run_named(dag, name).await?;
            Some(found.ok_or_else(|| Oops::not_found(format!("`{dag}` has no run of this name")))?)
        }
    };
    Ok(Loaded {
        known: head::known(frame, dag).await?,
        selected,
    })
}

async fn page(
    frame: Frame,
    loaded: &Loaded,
    (on, last): (View, Option<&RunRow>),
) -> Result<DagPage, Oops> {
    let selected = loaded.selected.as_ref();
    let query = selected.map(|run| format!("?run={}", paths::part(&run.name)));
    let at = (on, query.as_deref().unwrap_or_default());
    let needs = paused::of_dag(&loaded.known.spec);
    Ok(DagPage {
        head: Head::new(&frame, &loaded.known, at, last),
        selected: selected.map(|run| RunLine::new(run, frame.now)),
        legend: Vec::new(),
        grid: None,
        around: None,
        graph: None,
        paused_pools: paused::pools(&frame, Some(&needs)).await?,
        frame,
    })
}

pub(crate) async fn grid(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Asking(query): Asking<DagQuery>,
) -> Result<DagPage, Oops> {
    let loaded = load(&frame, &dag, &query).await?;
    let definition = &loaded.known.spec.definition;
    let around = Around::new(definition, &query.task, &query.side);
    let tasks = around.shown(definition.tasks.len()).max(1);
    let runs = (SQUARES_MAX / tasks).clamp(RUNS_MIN, RUNS_MAX);
    let after = place(&query.before)?;
    let runs = u32::try_from(runs).unwrap_or(u32::MAX);
    let store = frame.web.store();
    let read = store.grid(&dag, after, runs).await?;
    let ids: Vec<RunNo> = read.runs.iter().map(|run| run.id).collect();
    let noted = store.noted(&ids).await?;
    let older = read
        .runs
        .last()
        .filter(|_| read.runs.len() == runs as usize)
        .map(|last| {
            let at = Cursor {
                at: last.start,
                id: last.id.0,
                nth: 0,
            };
            let place = placed(at);
            format!("{}?before={place}{}", paths::dag(&dag), around.query())
        });
    let view = grid::view(
        &loaded.known.spec,
        (&read, &noted),
        &|task| around.shows(task),
        (loaded.selected.as_ref().map(|run| run.id), frame.now),
    );
    let mut page = page(frame, &loaded, (View::Grid, read.runs.first())).await?;
    page.around = Some(around);
    page.grid = Some(GridView { older, ..view });
    page.legend = TaskState::ALL
        .iter()
        .map(|state| Chip::from(*state))
        .collect();
    Ok(page)
}

pub(crate) async fn graph(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Asking(query): Asking<DagQuery>,
) -> Result<DagPage, Oops> {
    let mut loaded = load(&frame, &dag, &query).await?;
    let store = frame.web.store();
    let last = head::last_run(&frame, &dag).await?;
    if loaded.selected.is_none() {
        loaded.selected.clone_from(&last);
    }
    let mut states = HashMap::new();
    let mut spec = loaded.known.spec.clone();
    if let Some(run) = &loaded.selected {
        // A run is drawn as it was: by its own version.
        if let Some(own) = frame.web.specs().of(store, &dag, &run.version).await? {
            spec = own;
        }
        let at = Cursor {
            at: run.start,
            id: run.id.0.saturating_add(1),
            nth: 0,
        };
        let grid = store.grid(&dag, at, 1).await?;
        if grid.runs.first().is_some_and(|first| first.id == run.id) {
            states = states_of(&grid);
        }
    }
    let selected = loaded.selected.as_ref();
    let href = |task: &str| Some(paths::task(&dag, &selected?.name, task, NOT_MAPPED));
    let drawn = draw(&spec, &states, &href);
    let mut page = page(frame, &loaded, (View::Graph, last.as_ref())).await?;
    page.graph = Some(drawn);
    Ok(page)
}

/// Where each task stands; of a mapped task, as a whole.
pub(super) fn states_of(grid: &Grid) -> HashMap<String, TaskState> {
    let whole = grid.cells.iter().filter(|cell| !cell.instances);
    whole
        .map(|cell| (cell.name.to_string(), cell.state))
        .collect()
}

/// A DAG with where each task stands, and where a click on it leads.
pub(super) fn draw(
    spec: &DagSpec,
    states: &HashMap<String, TaskState>,
    href: &dyn Fn(&str) -> Option<String>,
) -> Html {
    let picture = Picture::of(spec);
    let mark = |ids: &[&str]| {
        let found = ids.iter().filter_map(|id| states.get(*id)).copied();
        let worst = found.min_by_key(|state| Tone::from(*state))?;
        let chip = Chip::from(worst);
        Some(Mark {
            class: chip.tone.class().to_owned(),
            word: chip.word().to_owned(),
            href: match ids {
                [id] => href(id),
                _ => None,
            },
        })
    };
    Html::drawing(svg_in_page(&picture, &mark))
}
