//! What is above every view of a DAG: how it stands, what can be done, and the way to its other views.

use tidemill_core::id::DagId;
use tidemill_store::history::{Cursor, RunFilter};
use tidemill_store::record::RunRow;

use super::super::rows::{self, Known};
use crate::frame::Frame;
use crate::html::{Chip, Html, Tone};
use crate::oops::Oops;
use crate::paths;

/// How much of a DAG's documentation stands above its views; all of it is among its details.
const DOC_CHARS_MAX: usize = 160;

/// A way to look at a DAG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Grid,
    Graph,
    Runs,
    Calendar,
    Durations,
    Definition,
    Details,
}

const VIEWS: [(View, &str, &str); 7] = [
    (View::Grid, "Grid", ""),
    (View::Graph, "Graph", "/graph"),
    (View::Runs, "Runs", "/runs"),
    (View::Calendar, "Calendar", "/calendar"),
    (View::Durations, "Durations", "/durations"),
    (View::Definition, "Definition", "/definition"),
    (View::Details, "Details", "/details"),
];

/// A tab.
pub(super) struct Tab {
    pub(super) word: &'static str,
    pub(super) href: String,
    pub(super) on: bool,
}

/// What all views of a DAG show.
pub(super) struct Head {
    pub(super) id: DagId,
    pub(super) href: String,
    pub(super) doc: String,
    pub(super) paused: bool,
    pub(super) removed: bool,
    pub(super) edits: u32,
    pub(super) last: Option<Chip>,
    pub(super) operates: bool,
    /// Whether a trigger asks for something.
    pub(super) asks: bool,
    pub(super) facts: Vec<(&'static str, Html)>,
    pub(super) tabs: Vec<Tab>,
}

/// A DAG as it is now; as it was last, if it was removed.
pub(in crate::pages) async fn known(frame: &Frame, dag: &DagId) -> Result<Known, Oops> {
    let store = frame.web.store();
    let gone = || Oops::not_found(format!("there is no DAG `{dag}`, or you may not see it"));
    let row = store.dags().await?.into_iter().find(|row| row.id == *dag);
    let row = row.ok_or_else(gone)?;
    let version = match &row.version {
        Some(version) => version.clone(),
        None => {
            let versions = store.version_uses(dag, 0).await?;
            versions.into_iter().next().ok_or_else(gone)?.version
        }
    };
    let spec = frame.web.specs().of(store, dag, &version).await?;
    Ok(Known {
        row,
        spec: spec.ok_or_else(gone)?,
    })
}

/// The run of a DAG that covers the newest time.
pub(super) async fn last_run(frame: &Frame, dag: &DagId) -> Result<Option<RunRow>, Oops> {
    let of = RunFilter {
        dag: Some(dag.clone()),
        ..RunFilter::default()
    };
    let runs = frame.web.store().runs(&of, Cursor::START, 1).await?;
    Ok(runs.into_iter().next())
}

impl Head {
    /// The icon of the tab: how its last run stands.
    pub(super) fn icon<'a>(&self, frame: &'a Frame) -> &'a str {
        match self.last {
            Some(last) => frame.icon(last.tone),
            None if self.paused => frame.icon(Tone::Skip),
            None => frame.asset("icon.svg"),
        }
    }

    /// Reads what is above a view.
    pub(super) async fn read(frame: &Frame, dag: &DagId, on: View) -> Result<(Self, Known), Oops> {
        let known = known(frame, dag).await?;
        let last = last_run(frame, dag).await?;
        Ok((Self::new(frame, &known, (on, ""), last.as_ref()), known))
    }

    /// `selected` is the query that the views of a run have.
    pub(super) fn new(
        frame: &Frame,
        known: &Known,
        (on, selected): (View, &str),
        last: Option<&RunRow>,
    ) -> Self {
        let dag = &known.row.id;
        let href = paths::dag(dag);
        let tabs = VIEWS.iter().map(|(view, word, path)| {
            let query = match view {
                View::Grid | View::Graph => selected,
                _ => "",
            };
            Tab {
                word,
                href: format!("{href}{path}{query}"),
                on: *view == on,
            }
        });
        let audit = Tab {
            word: "Audit",
            href: format!("{href}/audit"),
            on: false,
        };
        Self {
            tabs: tabs.chain([audit]).collect(),
            doc: first_words(&known.spec.notes.doc),
            paused: known.row.paused,
            removed: known.row.version.is_none(),
            edits: known.row.edits,
            last: last.map(|run| run.state.into()),
            operates: frame.operates(dag),
            asks: !known.spec.definition.params.is_empty(),
            facts: facts(frame, known),
            id: dag.clone(),
            href,
        }
    }
}

fn facts(frame: &Frame, known: &Known) -> Vec<(&'static str, Html)> {
    let (definition, notes) = (&known.spec.definition, &known.spec.notes);
    // A version is a hash of all of it, which of thousands of tasks takes a while.
    let version = match &known.row.version {
        Some(version) => version.short().to_owned(),
        None => known.spec.version().short().to_owned(),
    };
    let mut facts = vec![
        (
            "Schedule",
            Html::text(&rows::schedule(&definition.schedule)),
        ),
        ("Next", rows::next(known, frame.now)),
        ("Tasks", Html::text(&definition.tasks.len().to_string())),
        ("Version", Html::text(&version)),
    ];
    if !notes.owner.is_empty() {
        facts.push(("Owner", Html::text(&notes.owner)));
    }
    if !notes.tags.is_empty() {
        facts.push(("Tags", Html::text(&notes.tags.join(", "))));
    }
    if known.row.version.is_none() {
        facts.push(("Removed", Html::text("it makes no new runs")));
    }
    facts
}

/// The first paragraph, cut where it is long.
fn first_words(doc: &str) -> String {
    let lines = doc.trim_start_matches(['#', ' ', '\n', '\r']).lines();
    let first: Vec<&str> = lines.take_while(|line| !line.trim().is_empty()).collect();
    let first = first.join(" ");
    if first.chars().count() <= DOC_CHARS_MAX {
        return first;
    }
    let start: String = first.chars().take(DOC_CHARS_MAX).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_paragraph_of_a_documentation_stands_above_the_views() {
        assert_eq!(
            first_words("# Orders\nof the day\n\nMore."),
            "Orders of the day"
        );
        assert_eq!(first_words(&"é".repeat(500)).chars().count(), 161);
        assert_eq!(first_words(""), "");
    }
}
