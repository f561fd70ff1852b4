//! The list of runs. Its filters and its place are in the address.

use askama::Template;
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_core::state::{RunState, RunType};
use tidemill_store::history::{Cursor, RunFilter};

use super::page;
use super::rows::{RunLine, place, placed};
use crate::frame::Frame;
use crate::input::Asking;
use crate::oops::Oops;
use crate::paths;

const ROWS: u32 = 50;

/// What the list is narrowed to, and after which run it goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RunsQuery {
    dag: String,
    state: String,
    kind: String,
    name: String,
    /// The start of the last run of the page before, in microseconds, and its number: `1735689600000000.77`.
    after: String,
}

impl RunsQuery {
    fn is_narrow(&self) -> bool {
        [&self.dag, &self.state, &self.kind, &self.name]
            .iter()
            .any(|part| !part.is_empty())
    }

    fn filter(&self) -> Result<RunFilter, Oops> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let wrong = |what: &str, why: String| Oops::invalid(format!("{what}: {why}"));
        let dag = given(self.dag.trim()).map(|dag| DagId::parse(&dag));
        let state = given(&self.state).map(|state| state.parse::<RunState>());
        let kind = given(&self.kind).map(|kind| kind.parse::<RunType>());
        Ok(RunFilter {
            dag: dag
                .transpose()
                .map_err(|error| wrong("DAG", error.to_string()))?,
            state: state.transpose().map_err(|error| wrong("state", error))?,
            kind: kind.transpose().map_err(|error| wrong("kind", error))?,
            name: given(&self.name),
            ..RunFilter::default()
        })
    }

    fn older(&self, last: Cursor) -> String {
        let mut href = "/runs?".to_owned();
        let pairs = [
            ("dag", &self.dag),
            ("state", &self.state),
            ("kind", &self.kind),
            ("name", &self.name),
        ];
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            href.push_str(&format!("{name}={}&", paths::part(value)));
        }
        href.push_str(&format!("after={}", placed(last)));
        href
    }
}

#[derive(Template)]
#[template(path = "runs.html")]
pub(crate) struct RunsPage {
    frame: Frame,
    query: RunsQuery,
    dags: Vec<DagId>,
    states: Vec<&'static str>,
    kinds: Vec<&'static str>,
    rows: Vec<RunLine>,
    older: Option<String>,
}

page!(RunsPage);

pub(crate) async fn show(frame: Frame, Asking(query): Asking<RunsQuery>) -> Result<RunsPage, Oops> {
    let store = frame.web.store();
    let runs = store
        .runs(&query.filter()?, place(&query.after)?, ROWS)
        .await?;
    let older = runs
        .last()
        .filter(|_| runs.len() == ROWS as usize)
        .map(|last| query.older(Cursor::from(last)));
    let dags = store.dags().await?.into_iter();
    Ok(RunsPage {
        dags: dags
            .map(|row| row.id)
            .filter(|dag| frame.sees(dag))
            .collect(),
        states: RunState::ALL.iter().map(|state| state.word()).collect(),
        kinds: RunType::ALL.iter().map(|kind| kind.word()).collect(),
        rows: runs
            .iter()
            .filter(|run| frame.sees(&run.dag))
            .map(|run| RunLine::new(run, frame.now))
            .collect(),
        older,
        query,
        frame,
    })
}
