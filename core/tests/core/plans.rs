//! `plan`: what a pull request is told about its DAGs. Snapshots: that they read back.

use tidemill_core::diff::{TaskChange, plan};
use tidemill_core::prelude::*;
use tidemill_core::snapshot::{Snapshot, SnapshotError};
use tidemill_core::spec::DagSpec;
use tidemill_macros::task;

#[task]
fn work() -> TaskResult<u64> {
    Ok(1)
}

fn orders(change: bool) -> DagSpec {
    let dag = Dag::build("orders", |dag| {
        dag.schedule(if change {
            Cron::daily_at("04:00")
        } else {
            Cron::daily_at("03:00")
        });
        let extract = dag.call("extract", work, ());
        let clean = dag
            .call("clean", work, ())
            .after(&extract)
            .timeout(minutes(if change { 20 } else { 10 }));
        let mode = if change {
            Table::named("shop.orders").truncate()
        } else {
            Table::named("shop.orders").append(Dedup::partition("{ds}"))
        };
        let load = dag.call("load", work, ()).after(&clean).writes(mode);
        if change {
            dag.call("check", work, ()).after(&load);
        } else {
            dag.call("legacy", work, ()).after(&extract);
        }
        dag.call("report", work, ())
            .after(&load)
            .writes(Table::named("shop.report").truncate());
    });
    assert_eq!(dag.problems(), []);
    dag.spec().clone()
}

fn other(id: &str) -> DagSpec {
    Dag::build(id, |dag| dag.empty("only")).spec().clone()
}

#[test]
fn a_plan_tells_tasks_schedules_tables_and_what_would_rerun() {
    let (before, after) = (
        [orders(false), other("same"), other("old")],
        [orders(true), other("same"), other("new")],
    );
    let plan = plan(&before, &after);
    assert_eq!(plan.unchanged, 1);
    assert_eq!(plan.added[0].dag, "new");
    assert_eq!(plan.removed[0].dag, "old");
    let [change] = plan.changed.as_slice() else {
        panic!("{plan:#?}")
    };
    assert_eq!(
        change.schedule,
        Some((
            "every day at 03:00, UTC".to_owned(),
            "every day at 04:00, UTC".to_owned()
        ))
    );
    let of = |task: &str| {
        change
            .tasks
            .iter()
            .find(|(id, _)| **id == task)
            .map(|(_, change)| change)
    };
    assert_eq!(of("check"), Some(&TaskChange::Added));
    assert_eq!(of("legacy"), Some(&TaskChange::Removed));
    assert_eq!(of("extract"), None);
    let Some(TaskChange::Changed(fields)) = of("clean") else {
        panic!("{:?}", of("clean"))
    };
    assert_eq!(fields[0].to_string(), "timeout: 10m → 20m");
    let tables: Vec<String> = change
        .tables
        .iter()
        .map(|table| {
            format!(
                "{} {:?} → {:?}",
                table.table,
                table.before.as_deref(),
                table.after.as_deref()
            )
        })
        .collect();
    assert_eq!(
        tables,
        [r#"shop.orders Some("append, replacing partition {ds}") → Some("truncate")"#]
    );
    let reruns: Vec<&str> = change.reruns.iter().map(|task| task.as_str()).collect();
    assert_eq!(reruns, ["check", "load", "report"]);
    let rewrites: Vec<&str> = change
        .rewrites
        .iter()
        .map(|table| table.table.as_str())
        .collect();
    assert_eq!(rewrites, ["shop.orders", "shop.report"]);
}

#[test]
fn the_first_that_a_task_declares_is_told_field_by_field() {
    let build = |more: bool| {
        let dag = Dag::build("orders", |dag| {
            let load = dag.call("load", work, ());
            if more {
                load.writes(Table::named("shop.orders").truncate())
                    .inlet(&Asset::new("gs://raw"))
                    .max_active(2)
                    .depends_on_past();
            }
        });
        dag.spec().clone()
    };
    let plan = plan(&[build(false)], &[build(true)]);
    let Some(TaskChange::Changed(fields)) = plan.changed[0].tasks.get("load") else {
        panic!("{plan:#?}")
    };
    let said: Vec<String> = fields.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "concurrency.active_max set to 2",
            "past.depends_on_past set to true",
            "touches.inlets set to [\"gs://raw\"]",
        ],
        "the table is told apart"
    );
    assert_eq!(plan.changed[0].tables.len(), 1);
}

#[test]
fn notes_are_no_change() {
    let mut noted = other("same");
    noted.notes.doc = "now documented".to_owned();
    assert!(plan(&[other("same")], &[noted]).is_empty());
}

#[test]
fn a_snapshot_reads_back_and_has_no_line_numbers() {
    let snapshot = Snapshot::of(&[orders(false), other("b")]);
    let json = snapshot.to_json();
    assert!(!json.contains("plans.rs"), "{json}");
    assert_eq!(Snapshot::parse(json.as_bytes()).unwrap(), snapshot);
    let dags = snapshot.dags.iter().map(|entry| &entry.dag);
    assert!(plan(dags, &[orders(false), other("b")]).is_empty());
}

#[test]
fn a_file_that_is_no_snapshot_says_so() {
    let wrong = |bytes: &str| Snapshot::parse(bytes.as_bytes()).unwrap_err();
    assert!(matches!(
        wrong(r#"{"tidemill_snapshot": 2, "dags": {}}"#),
        SnapshotError::Format { found: 2 }
    ));
    assert!(matches!(wrong("[]"), SnapshotError::Malformed(_)));
    assert!(matches!(wrong(""), SnapshotError::Malformed(_)));
}

#[test]
fn what_does_not_change_results_is_no_reason_to_run_history_again() {
    let dag = |retries, pool: &str, size: u32| {
        let dag = Dag::build("d", |dag| {
            dag.retry(Retry::times(retries))
                .pool(pool)
                .on_failure(Alert::to("oncall"));
            let first = dag.call("first", work, ());
            dag.empty("gate").after(&first);
            dag.map_group("g", vec![1_u64, 2], |group, _: In<u64>| {
                group.call("inner", work, ())
            })
            .out
            .at_most(size);
        });
        assert_eq!(dag.problems(), []);
        dag.spec().clone()
    };
    let reruns = |before: DagSpec, after: DagSpec| -> Vec<String> {
        let plan = plan(&[before], &[after]);
        plan.changed[0]
            .reruns
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    assert_eq!(reruns(dag(1, "a", 5), dag(2, "b", 5)), [""; 0]);
    assert_eq!(reruns(dag(1, "a", 5), dag(1, "a", 6)), ["g.inner"]);
}

#[test]
fn a_change_far_inside_a_long_text_is_shown() {
    let dag = |end: &str| {
        let sql = format!("SELECT {} FROM t WHERE {end}", "column, ".repeat(40));
        Dag::build("d", |dag| dag.call("query", take, sql))
            .spec()
            .clone()
    };
    let plan = plan(&[dag("a = 1")], &[dag("a = 2")]);
    let Some(TaskChange::Changed(fields)) = plan.changed[0].tasks.values().next() else {
        panic!("{plan:#?}")
    };
    let shown = fields[0].to_string();
    assert!(
        shown.contains("a = 1 → ") && shown.ends_with("a = 2"),
        "{shown}"
    );
}

#[task]
fn take(sql: String) -> TaskResult<u64> {
    Ok(sql.len() as u64)
}
