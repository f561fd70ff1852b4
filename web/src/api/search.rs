//! Finding DAGs and runs by a text.

use axum::Json;
use serde::Deserialize;
use tidemill_store::record::RunHead;
use utoipa::IntoParams;

use super::given::Query;
use super::views::{RunHeadView, SearchView};
use crate::frame::Frame;
use crate::oops::Oops;

const FOUND_MAX: u32 = 50;
const CHARS_MAX: usize = 200;

/// What is looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchQuery {
    /// A part of the name of a DAG, or the beginning of the name of a run.
    text: String,
}

/// DAGs with a text in their name, and runs whose name begins with it; at most 50 of each.
pub(crate) async fn search(
    frame: Frame,
    Query(query): Query<SearchQuery>,
) -> Result<Json<SearchView>, Oops> {
    let text = query.text.trim();
    if text.is_empty() || text.chars().count() > CHARS_MAX {
        return Err(Oops::field("text", "write 1 to 200 characters"));
    }
    let among = frame.among().await?;
    let store = frame.web.store();
    let found = store.search(text, among.as_deref(), FOUND_MAX).await?;
    let dags = found.dags.into_iter().filter(|dag| frame.sees(dag));
    let runs = found.runs.into_iter().filter(|run| frame.sees(&run.dag));
    let head = |run: RunHead| RunHeadView {
        dag: run.dag.to_string(),
        name: run.name.to_string(),
        state: run.state.to_string(),
        start: run.start,
    };
    Ok(Json(SearchView {
        dags: dags.map(|dag| dag.to_string()).collect(),
        runs: runs.map(head).collect(),
    }))
}
