//! A DAG that loads a table and checks it. No warehouse is needed: what is on record is what the pages show.

use std::collections::BTreeMap;
use std::path::Path;

use tidemill::prelude::*;
use tidemill_core::protocol::{CheckResult, Load};

/// Loads a table, says so.
#[task]
async fn load_tickets(ctx: &TaskContext) -> TaskResult<i64> {
    let run = ctx.facts().run_id.clone();
    ctx.record_load(Load {
        sources: vec![format!("gs://shop-crm/tickets/{run}.parquet")],
        files: 1,
        bytes_read: 3_400_000,
        rows_read: 4_012,
        destination: "shop.tickets".to_owned(),
        partition: Some(run),
        mode: "append".to_owned(),
        rows_before: Some(1_000),
        rows_loaded: 4_000,
        rows_after: Some(5_000),
        rows_rejected: 12,
        job_id: Some(ctx.launch_key().to_string()),
        ..Load::default()
    });
    Ok(4_000)
}

fn result(name: &str, status: &str) -> CheckResult {
    CheckResult {
        name: name.to_owned(),
        table: "shop.tickets".to_owned(),
        columns: vec!["opened_at".to_owned()],
        kind: name.split('(').next().unwrap_or_default().to_owned(),
        severity: "error".to_owned(),
        blocking: true,
        status: status.to_owned(),
        expected: "every row has an opened_at".to_owned(),
        rows: Some(4_000),
        rows_checked: Some(4_000),
        rows_failed: Some(0),
        ..CheckResult::default()
    }
}

/// Looks at what was loaded; a ticket has no time until somebody mended it.
#[task]
async fn check_tickets(ctx: &TaskContext) -> TaskResult {
    ctx.record_check(result("unique(ticket_id)", "passed"));
    let mended = format!("mended.{}", ctx.facts().run_id);
    if Path::new("signs").join(mended).exists() {
        ctx.record_check(result("not_null(opened_at)", "passed"));
        return Ok(());
    }
    let cause = "3 of 4,000 rows have no opened_at";
    let row = |ticket: &str| {
        BTreeMap::from([
            ("ticket_id".to_owned(), Some(ticket.to_owned())),
            ("opened_at".to_owned(), None),
            ("customer".to_owned(), Some("***".to_owned())),
        ])
    };
    ctx.record_check(CheckResult {
        cause: cause.to_owned(),
        rows_failed: Some(3),
        sample: vec![row("t-17"), row("t-18"), row("t-404")],
        sql: Some("SELECT COUNTIF(opened_at IS NULL) FROM shop.tickets".to_owned()),
        rows_sql: Some("SELECT *\nFROM shop.tickets\nWHERE opened_at IS NULL".to_owned()),
        ..result("not_null(opened_at)", "failed")
    });
    Err(TaskError::data(cause))
}

pub(crate) fn tickets() -> Dag {
    Dag::build("tickets_daily", |dag| {
        dag.owner("crm")
            .doc("Tickets of the CRM, loaded and checked.")
            .max_active_runs(50);
        let loaded = dag.call("load", load_tickets, ());
        dag.call("check", check_tickets, ()).after(&loaded);
    })
}
