//! What the runs of the shop loaded, and what came of their checks.

use std::collections::BTreeMap;

use tidemill_core::protocol::{CheckResult, Load};
use tidemill_core::spec::DagSpec;
use tidemill_store::record::{AttemptEnd, AttemptRow, CheckRow, LoadRow};

/// Tasks that load a table: which one, and how many rows it has on a usual day.
const TABLES: [(&str, &str, &str, i64); 6] = [
    ("orders_daily", "load.orders_table", "shop.orders", 48_000),
    (
        "orders_daily",
        "load.revenue_table",
        "shop.revenue",
        1_200_000,
    ),
    ("catalog_eu", "publish", "catalog.products_eu", 310_000),
    ("stock_levels", "levels", "stock.levels", 92_000),
    ("marketing_spend", "load", "marketing.spend", 2_400),
    ("returns_daily", "load", "shop.returns", 5_100),
];

/// Tasks that check a table: which one, and the checks.
const CHECKS: [(&str, &str, &str, &[&str]); 5] = [
    (
        "orders_daily",
        "check.totals",
        "shop.orders",
        &["sum(total)", "row_count"],
    ),
    (
        "orders_daily",
        "check.duplicates",
        "shop.orders",
        &["unique(order_id)"],
    ),
    (
        "orders_daily",
        "check.late_rows",
        "shop.orders",
        &["fresh(ordered_at)", "not_null(customer_id)"],
    ),
    (
        "crm_sync",
        "compare_counts",
        "crm.contacts",
        &["same_count"],
    ),
    (
        "finance_close",
        "reconcile",
        "finance.payments",
        &["reference(order_id)", "sum(amount)"],
    ),
];

fn load(row: &AttemptRow, (dag, table, usual): (&DagSpec, &str, i64), day: i64) -> LoadRow {
    let well = row.end == AttemptEnd::Success;
    let loaded = usual + usual * ((day * 37 + usual) % 17 - 8) / 40;
    let rows = if well { loaded } else { 0 };
    let before = usual * (400 + day);
    LoadRow {
        attempt: row.id,
        nth: 0,
        of: row.of,
        dag: dag.id().clone(),
        load: Load {
            started_at: row.started_at.unwrap_or(row.queued_at),
            ended_at: row.ended_at,
            sources: (0..3)
                .map(|part| {
                    format!(
                        "gs://shop-lake/{}/{day}/part-{part}.parquet",
                        table.replace('.', "/")
                    )
                })
                .collect(),
            files: 3,
            bytes_read: loaded * 82,
            rows_read: loaded,
            destination: table.to_owned(),
            partition: Some(row.ended_at.date().format("%Y%m%d").to_string()),
            mode: "append".to_owned(),
            rows_before: Some(before),
            rows_loaded: rows,
            rows_after: Some(before + rows),
            rows_rejected: if day % 11 == 3 { 7 } else { 0 },
            job_id: Some(format!("tm_{}_{}", row.id, row.epoch)),
            job_url: Some(format!(
                "https://console.cloud.google.com/bigquery?j=tm_{}",
                row.id
            )),
            slot_ms: Some(loaded / 3),
            bytes_billed: Some(loaded * 90),
            status: if well { "success" } else { "failed" }.to_owned(),
            error: row.message.as_deref().map(str::to_owned),
        },
    }
}

fn check(row: &AttemptRow, (dag, table, name): (&DagSpec, &str, &str), nth: u32) -> CheckRow {
    let odd = (row.id.0 * 7 + i64::from(nth)) % 31;
    let status = match (row.end == AttemptEnd::Success, odd) {
        (false, _) => "failed",
        (true, 5) => "warned",
        (true, _) => "passed",
    };
    let (kind, rest) = name.split_once('(').unwrap_or((name, ")"));
    let column = rest.trim_end_matches(')');
    let bad = if status == "passed" { 0 } else { 12 + odd };
    let rows = [
        ("order_id", Some("A-4711")),
        (column, None),
        ("customer", Some("***")),
    ];
    let sample: BTreeMap<_, _> = rows
        .into_iter()
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
        .collect();
    CheckRow {
        attempt: row.id,
        nth,
        of: row.of,
        dag: dag.id().clone(),
        result: CheckResult {
            at: row.ended_at,
            name: name.to_owned(),
            table: table.to_owned(),
            columns: vec![column.to_owned()],
            kind: kind.to_owned(),
            severity: "error".to_owned(),
            blocking: kind != "fresh",
            status: status.to_owned(),
            expected: format!("{name} holds for every row"),
            observed: format!("{bad} rows for which it does not"),
            cause: if bad == 0 {
                String::new()
            } else {
                format!("{bad} of 48,000 rows of {table} break {name}")
            },
            rows: Some(48_000),
            rows_checked: Some(48_000),
            rows_failed: Some(bad),
            sample: if bad == 0 {
                Vec::new()
            } else {
                vec![sample; 3]
            },
            sql: Some(format!(
                "SELECT COUNT(*) AS rows,\n       COUNTIF({column} IS NULL) AS bad\nFROM `{table}`"
            )),
            rows_sql: Some(format!("SELECT *\nFROM `{table}`\nWHERE {column} IS NULL")),
        },
    }
}

/// What a run left behind, by its attempts.
pub(crate) fn left_by(
    dag: &DagSpec,
    attempts: &[AttemptRow],
    day: i64,
) -> (Vec<LoadRow>, Vec<CheckRow>) {
    let (mut loads, mut checks) = (Vec::new(), Vec::new());
    for row in attempts {
        let task = usize::try_from(row.of.task.0).ok();
        let task = task.and_then(|no| dag.definition.tasks.get(no));
        let name = task.map_or("", |task| task.id.as_str());
        for (of, task, table, usual) in TABLES {
            if (of, task) == (dag.id().as_str(), name) {
                loads.push(load(row, (dag, table, usual), day));
            }
        }
        for (of, task, table, names) in CHECKS {
            if (of, task) == (dag.id().as_str(), name) {
                let results = (0..).zip(names);
                checks.extend(results.map(|(nth, name)| check(row, (dag, table, name), nth)));
            }
        }
    }
    (loads, checks)
}
