//! DAGs: which there are, what they are, and whether they are paused.

use axum::Json;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::id::DagId;
use tidemill_scheduler::engine::{Command, Pausable};
use tidemill_store::record::{DagRow, RunHead};
use utoipa::{IntoParams, ToSchema};

use super::find;
use super::given::{Body, Change, Query};
use super::paging::{self, Listed, Tagged};
use super::views::{ChangedView, DagView, VersionView};
use crate::frame::Frame;
use crate::oops::Oops;
use crate::pages::rows::{self, Known};
use crate::routes::ThisDag;

/// What the list is narrowed to.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DagsQuery {
    /// Only those with this text in their name.
    q: Option<String>,
    /// Only those with this tag.
    tag: Option<String>,
    /// Only those of this owner.
    owner: Option<String>,
    /// Only those whose last run is in this state.
    state: Option<String>,
    /// Only those that are paused, or only those that are not.
    paused: Option<bool>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many rows: 1 to 1,000, 50 if nobody says.
    limit: Option<u32>,
}

impl DagsQuery {
    fn takes(&self, known: &Known, last: Option<&RunHead>) -> bool {
        let notes = &known.spec.notes;
        let is = |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|w| w == has);
        let name = known.row.id.as_str().to_lowercase();
        self.q
            .as_ref()
            .is_none_or(|q| name.contains(&q.trim().to_lowercase()))
            && self.tag.as_ref().is_none_or(|tag| notes.tags.contains(tag))
            && is(&self.owner, &notes.owner)
            && (self.state.is_none() || last.is_some_and(|run| is(&self.state, run.state.word())))
            && self.paused.is_none_or(|paused| paused == known.row.paused)
    }
}

fn view(frame: &Frame, known: &Known, last: Option<&RunHead>) -> DagView {
    let (row, spec) = (&known.row, &known.spec);
    let params = spec.definition.params.iter();
    DagView {
        dag: row.id.clone(),
        version: row.version.clone(),
        paused: row.paused,
        owner: spec.notes.owner.clone(),
        tags: spec.notes.tags.clone(),
        doc: spec.notes.doc.clone(),
        schedule: rows::schedule(&spec.definition.schedule),
        next_due: row
            .version
            .is_some()
            .then(|| rows::next_due(known, frame.now))
            .flatten(),
        tasks: spec.definition.tasks.len(),
        params: params.map(|param| param.name.clone()).collect(),
        last_state: last.map(|run| run.state.to_string()),
        last_run: last.map(|run| run.name.to_string()),
        failures_in_row: row.failures_in_row,
        edits: row.edits,
        touched: row.touched.as_ref().map(Into::into),
    }
}

/// A page of the DAGs that are there.
pub(crate) async fn list(
    frame: Frame,
    Query(query): Query<DagsQuery>,
) -> Result<Listed<DagView>, Oops> {
    let limit = paging::rows(query.limit)? as usize;
    let after = paging::place("dags", query.cursor.as_deref())?;
    if let Some(state) = &query.state {
        let known: Result<tidemill_core::state::RunState, _> = state.parse();
        known.map_err(|error| Oops::field("state", error))?;
    }
    let known = rows::known(&frame).await?;
    let recent = rows::recent(&frame).await?;
    let last = |dag: &DagId| recent.get(dag).and_then(|runs| runs.first());
    let mut taken = known
        .iter()
        .filter(|known| {
            after
                .as_deref()
                .is_none_or(|after| known.row.id.as_str() > after)
        })
        .filter(|known| query.takes(known, last(&known.row.id)))
        .map(|known| view(&frame, known, last(&known.row.id)));
    let items: Vec<DagView> = taken.by_ref().take(limit).collect();
    let next = taken.next().and(items.last());
    let next = next.map(|last| paging::cursor("dags", &last.dag));
    Ok(Listed::new(&frame, items, next))
}

/// A DAG with the version that it has now, or had last.
async fn known(frame: &Frame, row: DagRow) -> Result<Known, Oops> {
    let store = frame.web.store();
    let gone = || Oops::not_found(format!("nothing is on record of the DAG `{}`", row.id));
    let version = match row.version.clone() {
        Some(version) => version,
        None => {
            let versions = store.versions(&row.id).await?;
            versions.into_iter().next().ok_or_else(gone)?.version
        }
    };
    let spec = frame.web.specs().of(store, &row.id, &version).await?;
    let spec = spec.ok_or_else(gone)?;
    Ok(Known { row, spec })
}

/// One DAG, also one that was removed.
pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Tagged<DagView>, Oops> {
    let known = known(&frame, find::dag(&frame, &dag).await?).await?;
    let of = tidemill_store::history::RunFilter {
        dag: Some(dag),
        ..Default::default()
    };
    let start = tidemill_store::history::Cursor::START;
    let last = frame
        .web
        .store()
        .runs(&of, start, 1)
        .await?
        .into_iter()
        .next();
    let mut view = view(&frame, &known, None);
    view.last_state = last.as_ref().map(|run| run.state.to_string());
    view.last_run = last.as_ref().map(|run| run.name.to_string());
    Ok(Tagged(view.edits, view))
}

/// A query without fields.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// What can be changed about a DAG.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct DagPatch {
    /// Whether nothing of it starts from now on.
    paused: bool,
}

/// Pauses a DAG, or lets it go on.
pub(crate) async fn change(
    change: Change,
    ThisDag(dag): ThisDag,
    Body(body): Body<DagPatch>,
) -> Result<Json<ChangedView>, Oops> {
    let what = Pausable::Dag(dag);
    let pause = body.paused;
    change.ask(Command::Pause { what, pause }).await
}

/// Where a list begins and how long a page of it is.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// `next` of the page before.
    pub(crate) cursor: Option<String>,
    /// How many rows: 1 to 1,000, 50 if nobody says.
    pub(crate) limit: Option<u32>,
}

/// The versions of a DAG, the newest first.
pub(crate) async fn versions(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Query(query): Query<PageQuery>,
) -> Result<Listed<VersionView>, Oops> {
    let limit = paging::rows(query.limit)? as usize;
    let from: usize = paging::number("versions", query.cursor.as_deref(), 0)?;
    find::dag(&frame, &dag).await?;
    let all = frame.web.store().versions(&dag).await?;
    let page = all.iter().skip(from).take(limit);
    let items: Vec<VersionView> = page.map(Into::into).collect();
    let end = from.saturating_add(items.len());
    let next = (end < all.len()).then(|| paging::cursor("versions", end));
    Ok(Listed::new(&frame, items, next))
}

/// Which version.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DefinitionQuery {
    /// The version, or as much of it as is not ambiguous; the newest if none.
    version: Option<String>,
}

/// What a DAG is, as data.
pub(crate) async fn definition(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Query(query): Query<DefinitionQuery>,
) -> Result<Json<Value>, Oops> {
    let row = find::dag(&frame, &dag).await?;
    let spec = match query.version {
        None => known(&frame, row).await?.spec,
        Some(text) => {
            let all = frame.web.store().versions(&dag).await?;
            let mut found = all
                .iter()
                .filter(|row| row.version.as_str().starts_with(&text));
            match (found.next(), found.next()) {
                (Some(one), None) => one.spec.clone(),
                (Some(_), Some(_)) => {
                    let says = "several versions begin like this; write more of it";
                    return Err(Oops::field("version", says));
                }
                (None, _) => return Err(Oops::not_found(format!("`{dag}` has no such version"))),
            }
        }
    };
    let spec = serde_json::to_value(&*spec);
    spec.map(Json)
        .map_err(|error| Oops::broken(format!("write a DAG as JSON: {error}")))
}
