//! What came of one check: the verdict, failing rows, and how to see them again.

use askama::Template;
use tidemill_core::protocol::CheckResult;
use tidemill_store::history::{CheckFilter, CheckMark, Cursor, Named};
use tidemill_store::record::CheckRow;

use super::lines::{Link, address, check_chip, history, number, task_of};
use super::page;
use crate::api::monitor::place_of;
use crate::frame::Frame;
use crate::html::{Chip, Html, When, marks};
use crate::input::At;
use crate::oops::Oops;
use crate::paths;
use crate::routes::ThisDag;

/// How many results are drawn.
const LAST: u32 = 60;

#[derive(Template)]
#[template(path = "check.html")]
pub(crate) struct CheckPage {
    frame: Frame,
    result: CheckResult,
    chip: Chip,
    at: When,
    notes: &'static str,
    dag: String,
    dag_href: String,
    task: Option<Link>,
    run: Option<Link>,
    /// Where all checks of the table are.
    alike: String,
    facts: Vec<(&'static str, String)>,
    /// The names of the columns of the failing rows, and the rows.
    columns: Vec<String>,
    rows: Vec<Vec<Option<String>>>,
    drawn: Html,
}

page!(CheckPage);

pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, check)): At<(String, String)>,
) -> Result<CheckPage, Oops> {
    let gone =
        || Oops::not_found("there is no such result of a check; it may have been cleaned away");
    let (attempt, nth) = place_of(&check).ok_or_else(gone)?;
    let store = frame.web.store();
    let found = store.check_of(attempt, nth).await?;
    let found = found
        .filter(|check| check.row.dag == dag)
        .ok_or_else(gone)?;
    let of = CheckFilter {
        dag: Some(dag.clone()),
        table: Some(found.row.result.table.clone()),
        name: Some(found.row.result.name.clone()),
        ..CheckFilter::default()
    };
    let last = store.checks(&of, Cursor::START, LAST).await?;
    let last: Vec<CheckMark> = last.into_iter().map(mark).collect();
    let result = found.row.result.clone();
    let (columns, rows) = sample(&result);
    Ok(CheckPage {
        chip: check_chip(&result.status),
        at: When(result.at),
        notes: match (result.blocking, &*result.severity) {
            (true, _) => "its task fails with it",
            (false, "warn") => "it only warns",
            (false, _) => "its task does not fail with it",
        },
        dag_href: paths::dag(&dag),
        task: task_of(&found, &dag, found.row.of),
        run: found
            .run
            .as_ref()
            .map(|run| (run.clone(), paths::run(&dag, run))),
        alike: address("/checks", &[("table", &result.table)]),
        facts: facts(&result),
        columns,
        rows,
        drawn: marks(
            "What came of it lately, oldest first",
            &history(&dag, &last),
        ),
        dag: dag.to_string(),
        result,
        frame,
    })
}

fn mark(named: Named<CheckRow>) -> CheckMark {
    let row = named.row;
    CheckMark {
        kind: row.result.kind,
        severity: row.result.severity,
        blocking: row.result.blocking,
        at: row.result.at,
        attempt: row.attempt,
        nth: row.nth,
        status: row.result.status,
        rows_checked: row.result.rows_checked,
        rows_failed: row.result.rows_failed,
    }
}

fn facts(result: &CheckResult) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Failing rows", number(result.rows_failed)),
        ("Rows checked", number(result.rows_checked)),
        ("Rows", number(result.rows)),
    ];
    if !result.columns.is_empty() {
        facts.push(("Columns", result.columns.join(", ")));
    }
    facts.push(("Kind", result.kind.clone()));
    facts
}

/// The failing rows with all their columns; one that a row does not have is nothing there.
fn sample(result: &CheckResult) -> (Vec<String>, Vec<Vec<Option<String>>>) {
    let mut columns: Vec<String> = result
        .sample
        .iter()
        .flat_map(|row| row.keys().cloned())
        .collect();
    columns.sort();
    columns.dedup();
    let cells = |row: &std::collections::BTreeMap<String, Option<String>>| {
        columns
            .iter()
            .map(|name| row.get(name).cloned().flatten())
            .collect()
    };
    let rows = result.sample.iter().map(cells).collect();
    (columns, rows)
}
