//! The runs of a DAG, page after page, and where its version changed between them.

use askama::Template;
use tidemill_store::history::Cursor;
use tidemill_store::record::RunRow;

use super::super::page;
use super::super::rows::{RunLine, place};
use super::super::runs::{ROWS, RunsQuery, choices};
use super::head::{Head, View};
use crate::frame::Frame;
use crate::html::took;
use crate::input::Asking;
use crate::oops::Oops;
use crate::paths;
use crate::routes::ThisDag;

/// A run in the list.
struct Row {
    line: RunLine,
    waited: String,
    version: String,
    version_href: String,
    /// Where it is told what changed, if the run before had another version.
    changed: Option<String>,
}

#[derive(Template)]
#[template(path = "dag_runs.html")]
pub(crate) struct RunsPage {
    frame: Frame,
    head: Head,
    query: RunsQuery,
    states: Vec<&'static str>,
    kinds: Vec<&'static str>,
    rows: Vec<Row>,
    older: Option<String>,
}

page!(RunsPage);

/// How long a run waited before it began; none where what came between is not known.
pub(super) fn waited(run: &RunRow) -> Option<std::time::Duration> {
    // Somebody who ran it again began it anew, long after it was made.
    let began = run.started_at.filter(|_| run.touched.is_none())?;
    Some(began.since(run.due_at.max(run.created_at)))
}

pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    Asking(mut query): Asking<RunsQuery>,
) -> Result<RunsPage, Oops> {
    dag.as_str().clone_into(&mut query.dag);
    let (head, _) = Head::read(&frame, &dag, View::Runs).await?;
    let store = frame.web.store();
    // One more than is shown: it says whether there are more, and which version came before.
    let after = place(&query.after)?;
    let runs = store.runs(&query.filter()?, after, ROWS + 1).await?;
    let shown = &runs[..runs.len().min(ROWS as usize)];
    let list = format!("{}/runs", head.href);
    let more = runs.len() > shown.len();
    let older = shown.last().filter(|_| more);
    let rows = shown.iter().enumerate().map(|(at, run)| {
        let before = runs.get(at + 1).filter(|_| !query.has_gaps());
        let before = before.filter(|before| before.version != run.version);
        Row {
            waited: waited(run).map_or_else(|| "–".to_owned(), took),
            version: run.version.short().to_owned(),
            version_href: paths::version(&dag, &run.version),
            changed: before.map(|before| paths::diff(&dag, (&before.version, &run.version))),
            line: RunLine::new(run, frame.now),
        }
    });
    let rows = rows.collect();
    let (states, kinds) = choices();
    Ok(RunsPage {
        older: older.map(|last| query.older(&list, Cursor::from(last))),
        head,
        states,
        kinds,
        rows,
        query,
        frame,
    })
}
