//! Each check once, with what came of it lately. Its filters and its place are in the address.

use askama::Template;
use serde::Deserialize;
use tidemill_core::id::DagId;
use tidemill_store::history::{CheckHead, HeadFilter};

use super::lines::{address, check_chip, check_href, dag_of, dags, failing, history};
use super::page;
use crate::frame::Frame;
use crate::html::{Chip, Html, When, marks};
use crate::input::Asking;
use crate::oops::Oops;
use crate::paths;

const ROWS: u32 = 50;
/// How many results of each are drawn.
const LAST: u32 = 20;

/// What the list is narrowed to, and after which check it goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ChecksQuery {
    dag: String,
    table: String,
    bad: bool,
    /// The DAG, table and name of the last check of the page before.
    after_dag: String,
    after_table: String,
    after_name: String,
}

impl ChecksQuery {
    fn narrow(&self) -> [(&'static str, &str); 3] {
        let bad = if self.bad { "true" } else { "" };
        [
            ("dag", self.dag.trim()),
            ("table", self.table.trim()),
            ("bad", bad),
        ]
    }

    fn is_narrow(&self) -> bool {
        self.narrow().iter().any(|(_, value)| !value.is_empty())
    }
}

/// A check.
struct Line {
    href: String,
    name: String,
    kind: String,
    notes: &'static str,
    table: String,
    of_table: String,
    dag: DagId,
    dag_href: String,
    chip: Chip,
    failing: String,
    at: When,
    drawn: Html,
}

#[derive(Template)]
#[template(path = "checks.html")]
pub(crate) struct ChecksPage {
    frame: Frame,
    query: ChecksQuery,
    dags: Vec<DagId>,
    lines: Vec<Line>,
    more: Option<String>,
}

page!(ChecksPage);

pub(crate) async fn show(
    frame: Frame,
    Asking(query): Asking<ChecksQuery>,
) -> Result<ChecksPage, Oops> {
    let table = query.table.trim();
    let of = HeadFilter {
        dag: dag_of(&query.dag)?,
        among: frame.among().await?,
        table: (!table.is_empty()).then(|| table.to_owned()),
        bad: query.bad,
    };
    let after = dag_of(&query.after_dag)?;
    let after = after
        .as_ref()
        .map(|dag| (dag, &*query.after_table, &*query.after_name));
    let heads = frame
        .web
        .store()
        .check_heads(&of, after, (ROWS, LAST))
        .await?;
    let last = heads.last().filter(|_| heads.len() == ROWS as usize);
    let more = last.map(|last| {
        let place = [
            ("after_dag", last.dag.as_str()),
            ("after_table", &last.table),
            ("after_name", &last.name),
        ];
        address("/checks", &[&query.narrow()[..], &place].concat())
    });
    Ok(ChecksPage {
        dags: dags(&frame).await?,
        lines: heads
            .iter()
            .filter(|head| frame.sees(&head.dag))
            .filter_map(line)
            .collect(),
        more,
        query,
        frame,
    })
}

fn line(head: &CheckHead) -> Option<Line> {
    let last = head.last.first()?;
    Some(Line {
        href: check_href(&head.dag, last.attempt, last.nth),
        name: head.name.clone(),
        kind: last.kind.clone(),
        notes: match (last.blocking, &*last.severity) {
            (true, _) => "blocking",
            (false, "warn") => "warns",
            (false, _) => "not blocking",
        },
        table: head.table.clone(),
        of_table: address("/checks", &[("table", &head.table)]),
        dag: head.dag.clone(),
        dag_href: paths::dag(&head.dag),
        chip: check_chip(&last.status),
        failing: failing(last.rows_failed, last.rows_checked),
        at: When(last.at),
        drawn: marks(
            "What came of it lately, oldest first",
            &history(&head.dag, &head.last),
        ),
    })
}
