//! Finding a DAG or a run by its name.

use askama::Template;
use serde::Deserialize;
use tidemill_core::id::DagId;

use super::page;
use super::rows::RunLine;
use crate::frame::Frame;
use crate::input::Asking;
use crate::oops::Oops;
use crate::paths;

const FOUND_MAX: u32 = 50;
const CHARS_MAX: usize = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SearchQuery {
    q: String,
}

#[derive(Template)]
#[template(path = "search.html")]
pub(crate) struct SearchPage {
    frame: Frame,
    q: String,
    dags: Vec<(DagId, String)>,
    runs: Vec<RunLine>,
}

page!(SearchPage);

pub(crate) async fn show(
    frame: Frame,
    Asking(query): Asking<SearchQuery>,
) -> Result<SearchPage, Oops> {
    let q: String = query.q.trim().chars().take(CHARS_MAX).collect();
    let found = if q.is_empty() {
        tidemill_store::history::Found::default()
    } else {
        let among = frame.among().await?;
        let store = frame.web.store();
        store.search(&q, among.as_deref(), FOUND_MAX).await?
    };
    let dags = found.dags.into_iter().filter(|dag| frame.sees(dag));
    let runs = found.runs.iter().filter(|run| frame.sees(&run.dag));
    Ok(SearchPage {
        dags: dags.map(|dag| (dag.clone(), paths::dag(&dag))).collect(),
        runs: runs.map(RunLine::of_head).collect(),
        q,
        frame,
    })
}
