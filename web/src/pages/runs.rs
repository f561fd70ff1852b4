//! The list of runs. Its filters and its place are in the address.

use std::time::Duration;

use askama::Template;
use chrono::{NaiveDate, NaiveTime};
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_core::state::{RunState, RunType};
use tidemill_core::time::Timestamp;
use tidemill_store::history::{Cursor, RunFilter};

use super::page;
use super::rows::{RunLine, place, placed};
use crate::frame::Frame;
use crate::input::Asking;
use crate::oops::Oops;
use crate::paths;
use tidemill_access::Action;

pub(super) const ROWS: u32 = 50;
const DAY: Duration = Duration::from_secs(86_400);

/// What the list is narrowed to, and after which run it goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RunsQuery {
    pub(super) dag: String,
    pub(super) state: String,
    pub(super) kind: String,
    pub(super) name: String,
    /// The first day that a run covers, in UTC: `2025-01-31`.
    pub(super) from: String,
    /// The last one.
    pub(super) to: String,
    /// The start of the last run of the page before, in microseconds, and its number: `1735689600000000.77`.
    pub(super) after: String,
}

impl RunsQuery {
    /// Narrowed to a DAG, a state, a kind, the beginning of a name, and days.
    pub(super) fn of([dag, state, kind, name]: [&str; 4], [from, to]: [&str; 2]) -> Self {
        Self {
            dag: dag.to_owned(),
            state: state.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            after: String::new(),
        }
    }

    fn narrow(&self) -> [(&'static str, &String); 5] {
        [
            ("state", &self.state),
            ("kind", &self.kind),
            ("name", &self.name),
            ("from", &self.from),
            ("to", &self.to),
        ]
    }

    /// Whether the list is of less than one DAG.
    pub(super) fn is_narrow_in_dag(&self) -> bool {
        self.narrow().iter().any(|(_, value)| !value.is_empty())
    }

    fn is_narrow(&self) -> bool {
        !self.dag.is_empty() || self.is_narrow_in_dag()
    }

    /// Whether runs between those of the list are left out.
    pub(super) fn has_gaps(&self) -> bool {
        [&self.state, &self.kind, &self.name]
            .iter()
            .any(|part| !part.is_empty())
    }

    pub(super) fn filter(&self) -> Result<RunFilter, Oops> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let wrong = |what: &str, why: String| Oops::invalid(format!("{what}: {why}"));
        let dag = given(self.dag.trim()).map(|dag| DagId::parse(&dag));
        let state = given(&self.state).map(|state| state.parse::<RunState>());
        let kind = given(&self.kind).map(|kind| kind.parse::<RunType>());
        let mut filter = RunFilter {
            dag: dag
                .transpose()
                .map_err(|error| wrong("DAG", error.to_string()))?,
            state: state.transpose().map_err(|error| wrong("state", error))?,
            kind: kind.transpose().map_err(|error| wrong("kind", error))?,
            name: given(&self.name),
            ..RunFilter::default()
        };
        if let Some(from) = day("from", &self.from)? {
            filter.start.start = from;
        }
        if let Some(to) = day("to", &self.to)? {
            filter.start.end = to.after(DAY);
        }
        Ok(filter)
    }

    /// The address of the next page of a list.
    pub(super) fn older(&self, list: &str, last: Cursor) -> String {
        let mut href = format!("{list}?");
        let pairs = self.narrow();
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            href.push_str(&format!("{name}={}&", paths::part(value)));
        }
        href.push_str(&format!("after={}", placed(last)));
        href
    }
}

/// The beginning of a day in UTC; none if nothing was given.
pub(super) fn day(what: &str, text: &str) -> Result<Option<Timestamp>, Oops> {
    if text.is_empty() {
        return Ok(None);
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    let date = date.map_err(|_| {
        Oops::invalid(format!(
            "{what}: this is no day; write it as 2025-01-31, in UTC"
        ))
    })?;
    Ok(Some(date.and_time(NaiveTime::MIN).and_utc().into()))
}

/// The words of the states and kinds that a list can be narrowed to.
pub(super) fn choices() -> (Vec<&'static str>, Vec<&'static str>) {
    let states = RunState::ALL.iter().map(|state| state.word());
    let kinds = RunType::ALL.iter().map(|kind| kind.word());
    (states.collect(), kinds.collect())
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
    /// What can be done with all that match: the word, and where it is shown first.
    deeds: Vec<(&'static str, String)>,
}

page!(RunsPage);

pub(crate) async fn show(frame: Frame, Asking(query): Asking<RunsQuery>) -> Result<RunsPage, Oops> {
    let store = frame.web.store();
    let of = RunFilter {
        among: frame.among().await?,
        ..query.filter()?
    };
    let runs = store.runs(&of, place(&query.after)?, ROWS).await?;
    let older = runs
        .last()
        .filter(|_| runs.len() == ROWS as usize)
        .map(|last| match query.dag.trim() {
            "" => query.older("/runs", Cursor::from(last)),
            dag => query.older("/runs", Cursor::from(last)) + "&dag=" + &paths::part(dag),
        });
    let dags = store.dags().await?.into_iter();
    let (states, kinds) = choices();
    Ok(RunsPage {
        dags: dags
            .map(|row| row.id)
            .filter(|dag| frame.sees(dag))
            .collect(),
        states,
        kinds,
        rows: runs
            .iter()
            .filter(|run| frame.sees(&run.dag))
            .map(|run| RunLine::new(run, frame.now))
            .collect(),
        older,
        deeds: if frame.may(Action::Operate) {
            deeds(&query)
        } else {
            Vec::new()
        },
        query,
        frame,
    })
}

const DEEDS: [(&str, &str); 4] = [
    ("retry", "Retry what failed"),
    ("clear", "Run again"),
    ("cancel", "Cancel"),
    ("mark", "Mark success"),
];

fn deeds(query: &RunsQuery) -> Vec<(&'static str, String)> {
    let dag = query.dag.trim().to_owned();
    let pairs = [("dag", &dag)].into_iter().chain(query.narrow());
    let pairs = pairs.filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{name}={}", paths::part(value)))
        .collect();
    let pairs = pairs.join("&");
    let deed = |(word, says): &(&str, &'static str)| (*says, format!("/runs/all/{word}?{pairs}"));
    DEEDS.iter().map(deed).collect()
}
