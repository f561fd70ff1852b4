//! `loads reconcile`: the ledger against the tables.

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use tidemill_core::id::DagId;
use tidemill_core::operator::TaskError;
use tidemill_operators::count::{BigQueryCounts, Compared, compare};
use tidemill_operators::http::Clients;
use tidemill_store::Schema;
use tidemill_store::history::{Cursor, LoadFilter};
use tidemill_store::record::LoadRow;

use super::into;
use crate::config::flags::OfSealed;
use crate::config::{Environment, Flags};
use crate::connections::probe::{Now, find};
use crate::door::{self, failed};
use crate::output::{INVALID, OK, Output};
use crate::serve;
use crate::table::table;

/// How many loads are read at once, and how often: older ones are not looked at.
const ROWS: u32 = 1_000;
const READS: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct ReconcileArgs {
    /// Only tables that this DAG loads.
    #[arg(value_parser = DagId::parse)]
    dag: Option<DagId>,
    /// Only this table.
    #[arg(long)]
    table: Option<String>,
    /// The connection that BigQuery is asked by.
    #[arg(long, value_name = "NAME", default_value = "google")]
    connection: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Flags<OfSealed>,
}

/// A load, and what came of the comparison.
struct Line {
    row: LoadRow,
    found: Result<Compared, TaskError>,
}

pub(super) fn reconcile(args: &ReconcileArgs, environment: &Environment) -> Output {
    door::run(async {
        let lines = read(args, environment).await;
        lines.map_or_else(|wrong| wrong, |lines| told(args, &lines))
    })
}

fn told(args: &ReconcileArgs, lines: &[Line]) -> Output {
    let fits = lines
        .iter()
        .all(|line| matches!(line.found, Ok(Compared::Fits(_) | Compared::Unsaid)));
    let code = if fits { OK } else { INVALID };
    if args.json {
        let all: Vec<Value> = lines.iter().map(as_json).collect();
        return Output::data(format!("{:#}\n", json!(all))).code(code);
    }
    let rows: Vec<Vec<String>> = lines.iter().map(cells).collect();
    let head = ["TABLE", "LOAD", "DAG", "LEDGER", "THERE", "SAYS"];
    Output::data(table(&head, &rows)).code(code)
}

async fn read(args: &ReconcileArgs, environment: &Environment) -> Result<Vec<Line>, Output> {
    let loads = last_loads(args, environment).await?;
    if loads.is_empty() {
        return Ok(Vec::new());
    }
    let connection = find(&args.connection, &args.settings, environment).await?;
    let clients = Clients::new(serve::machine::of(environment));
    let pace = Arc::new(Now(environment.says()));
    let counts = BigQueryCounts::new(&clients, &connection, pace);
    let counts = counts.map_err(|error| Output::failed(error, INVALID))?;
    let mut lines = Vec::new();
    for row in loads {
        let found = compare(&row.load, &counts).await;
        lines.push(Line { row, found });
    }
    Ok(lines)
}

/// The last load that went well into each table.
async fn last_loads(
    args: &ReconcileArgs,
    environment: &Environment,
) -> Result<Vec<LoadRow>, Output> {
    let loaded = args.settings.load(environment)?;
    let store = door::open(&loaded, Schema::Require).await?;
    let of = LoadFilter {
        dag: args.dag.clone(),
        destination: args.table.clone(),
        status: Some("success".to_owned()),
        ..LoadFilter::default()
    };
    let (mut last, mut seen, mut at) = (Vec::new(), BTreeSet::new(), Cursor::START);
    for _ in 0..READS {
        let page = store.loads(&of, at, ROWS).await;
        let page = page.map_err(|error| failed(&error))?;
        let is_last = page.len() < ROWS as usize;
        for row in page {
            at = Cursor::from(&row);
            // What came before the last load into a table says nothing of what is there now.
            if seen.insert(row.load.destination.clone()) {
                last.push(row);
            }
        }
        if is_last {
            break;
        }
    }
    store.close().await;
    last.sort_by(|one, other| one.load.destination.cmp(&other.load.destination));
    Ok(last)
}

/// Ledger, table, and a word for it.
fn said(line: &Line) -> (Option<i64>, Option<i64>, String) {
    let ledger = line.row.load.rows_after;
    match &line.found {
        Ok(Compared::Fits(rows)) => (ledger, Some(*rows), "fits".to_owned()),
        Ok(Compared::Differs { there, .. }) => (ledger, Some(*there), "differs".to_owned()),
        Ok(Compared::Gone) => (ledger, None, "there is no such table".to_owned()),
        Ok(Compared::Unsaid) => (None, None, "the load does not say".to_owned()),
        Err(error) => (
            ledger,
            None,
            error.message.lines().next().unwrap_or_default().to_owned(),
        ),
    }
}

fn cells(line: &Line) -> Vec<String> {
    let (ledger, there, says) = said(line);
    let row = &line.row;
    vec![
        into(&row.load),
        format!("{}.{}", row.attempt, row.nth),
        row.dag.to_string(),
        super::number(ledger),
        super::number(there),
        says,
    ]
}

fn as_json(line: &Line) -> Value {
    let (ledger, there, says) = said(line);
    let row = &line.row;
    json!({
        "table": row.load.destination, "partition": row.load.partition, "dag": row.dag, "attempt": row.attempt,
        "nth": row.nth, "ledger": ledger, "there": there, "says": says,
    })
}
