//! The list of DAGs.

use std::collections::BTreeSet;

use askama::Template;
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_core::state::RunState;

use super::page;
use super::rows::{self, Known};
use crate::frame::Frame;
use crate::html::{Chip, Html};
use crate::input::Asking;
use crate::oops::Oops;
use crate::paths;

/// So many DAGs are a page: each is a drawing of its runs, which makes a page of hundreds heavy.
const ROWS: usize = 100;

/// What the list is narrowed to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DagsQuery {
    q: String,
    tag: String,
    owner: String,
    state: String,
    /// Whether DAGs are chosen: `some` begins with none, `all` with all that are shown.
    choose: String,
    /// After which DAG the page begins.
    after: String,
}

impl DagsQuery {
    /// The address of the list, narrowed as it is.
    fn with(&self, choose: &str, after: &str) -> String {
        let pairs = [
            ("q", self.q.as_str()),
            ("tag", &self.tag),
            ("owner", &self.owner),
            ("state", &self.state),
            ("choose", choose),
            ("after", after),
        ];
        let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
        let pairs = pairs.map(|(name, value)| format!("{name}={}", paths::part(value)));
        format!("/dags?{}", pairs.collect::<Vec<_>>().join("&"))
    }

    /// The address of the list with this choice.
    fn choosing(&self, choose: &str) -> String {
        self.with(choose, &self.after)
    }

    /// The page after this DAG.
    fn later(&self, last: &DagId) -> String {
        self.with(&self.choose, last.as_str())
    }

    fn is_narrow(&self) -> bool {
        [&self.q, &self.tag, &self.owner, &self.state]
            .iter()
            .any(|part| !part.is_empty())
    }

    fn takes(&self, known: &Known, last: Option<RunState>) -> bool {
        let notes = &known.spec.notes;
        let name = known.row.id.as_str().to_lowercase();
        let state = match self.state.as_str() {
            "" => true,
            "paused" => known.row.paused,
            word => last.is_some_and(|last| last.word() == word),
        };
        state
            && name.contains(&self.q.trim().to_lowercase())
            && (self.tag.is_empty() || notes.tags.contains(&self.tag))
            && (self.owner.is_empty() || notes.owner == self.owner)
    }
}

struct Tag {
    name: String,
    href: String,
}

struct DagLine {
    id: DagId,
    href: String,
    owner: String,
    tags: Vec<Tag>,
    paused: bool,
    edits: u32,
    last: Option<Chip>,
    bars: Html,
    schedule: String,
    next: Html,
    operates: bool,
    /// Whether a trigger asks for something.
    asks: bool,
}

#[derive(Template)]
#[template(path = "dags.html")]
pub(crate) struct DagsPage {
    frame: Frame,
    query: DagsQuery,
    total: usize,
    /// How many are like what was asked for.
    found: usize,
    tags: BTreeSet<String>,
    owners: BTreeSet<String>,
    states: [&'static str; 6],
    /// Whether there is a row that can be chosen.
    can_choose: bool,
    rows: Vec<DagLine>,
    later: Option<String>,
}

page!(DagsPage);

pub(crate) async fn show(frame: Frame, Asking(query): Asking<DagsQuery>) -> Result<DagsPage, Oops> {
    let known = rows::known(&frame).await?;
    let recent = rows::recent(&frame).await?;
    let tags = known.iter().flat_map(|dag| dag.spec.notes.tags.clone());
    let owners = known.iter().map(|dag| dag.spec.notes.owner.clone());
    let mut page = DagsPage {
        total: known.len(),
        tags: tags.collect(),
        owners: owners.filter(|owner| !owner.is_empty()).collect(),
        states: [
            "failed",
            "running",
            "queued",
            "success",
            "cancelled",
            "paused",
        ],
        can_choose: known.iter().any(|dag| frame.operates(&dag.row.id)),
        found: 0,
        rows: Vec::new(),
        later: None,
        query,
        frame,
    };
    for dag in known {
        let runs = recent.get(&dag.row.id).map(Vec::as_slice);
        let runs = runs.unwrap_or_default();
        let last = runs.first().map(|run| run.state);
        if !page.query.takes(&dag, last) {
            continue;
        }
        page.found += 1;
        if dag.row.id.as_str() <= page.query.after.as_str() {
            continue;
        }
        if page.rows.len() == ROWS {
            let last = page.rows.last();
            page.later = last.map(|last| page.query.later(&last.id));
            continue;
        }
        let tags = dag.spec.notes.tags.iter().map(|tag| Tag {
            name: tag.clone(),
            href: paths::part(tag),
        });
        page.rows.push(DagLine {
            href: paths::dag(&dag.row.id),
            owner: dag.spec.notes.owner.clone(),
            tags: tags.collect(),
            paused: dag.row.paused,
            edits: dag.row.edits,
            last: last.map(Chip::from),
            bars: rows::recent_bars(runs, page.frame.now),
            schedule: rows::schedule(&dag.spec.definition.schedule),
            next: rows::next(&dag, page.frame.now),
            operates: page.frame.operates(&dag.row.id),
            asks: !dag.spec.definition.params.is_empty(),
            id: dag.row.id,
        });
    }
    Ok(page)
}
