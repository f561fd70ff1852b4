//! What attempts of the kit's store loaded and checked: each with text in it that somebody may try.

use tidemill_core::protocol::{
    AttemptNo, CheckResult, InstanceRef, Load, NOT_MAPPED, RunNo, TaskNo,
};
use tidemill_store::record::{Changes, CheckRow, LoadRow, VersionRow};

use super::{HOSTILE, at};

fn of(run: i64) -> (AttemptNo, InstanceRef) {
    let of = InstanceRef {
        run: RunNo(run),
        task: TaskNo(1),
        map_index: NOT_MAPPED,
    };
    (AttemptNo(run * 1_000 + 1), of)
}

/// A load that failed, made of this text.
pub(crate) fn load(run: i64, version: &VersionRow, text: &str) -> LoadRow {
    let (attempt, of) = of(run);
    LoadRow {
        attempt,
        nth: 0,
        of,
        dag: version.dag.clone(),
        load: Load {
            started_at: at(5 * 86_400 - 90),
            ended_at: at(5 * 86_400),
            sources: vec!["gs://crm/1.parquet".to_owned(), text.to_owned()],
            files: 2,
            bytes_read: 3_400_000,
            rows_read: 4_012,
            destination: format!("shop.orders{text}"),
            partition: Some(text.to_owned()),
            mode: text.to_owned(),
            rows_before: Some(1_000),
            rows_loaded: 4_000,
            rows_after: Some(5_000),
            rows_rejected: 12,
            job_id: Some(text.to_owned()),
            job_url: Some(format!("https://jobs.example/{run}")),
            slot_ms: Some(70_000),
            bytes_billed: Some(10_000_000),
            status: "failed".to_owned(),
            error: Some(format!("it broke: {text}")),
        },
    }
}

/// A check that failed, made of this text.
pub(crate) fn check(run: i64, version: &VersionRow, text: &str) -> CheckRow {
    let (attempt, of) = of(run);
    CheckRow {
        attempt,
        nth: 0,
        of,
        dag: version.dag.clone(),
        result: CheckResult {
            at: at(5 * 86_400 - 60),
            name: format!("not_null(id){text}"),
            table: format!("shop.orders{text}"),
            columns: vec![text.to_owned()],
            kind: text.to_owned(),
            severity: "error".to_owned(),
            blocking: true,
            status: "failed".to_owned(),
            expected: text.to_owned(),
            observed: text.to_owned(),
            cause: format!("12 of 4,000 rows have no id {text}"),
            rows: Some(4_012),
            rows_checked: Some(4_000),
            rows_failed: Some(12),
            sample: vec![
                [
                    ("id".to_owned(), None),
                    ("words".to_owned(), Some(text.to_owned())),
                ]
                .into(),
            ],
            sql: Some(format!("SELECT count(*) /* {text} */")),
            rows_sql: Some(format!("SELECT * WHERE id IS NULL /* {text} */")),
        },
    }
}

/// Run 1 of `open_dag` and run 4 of `secret_dag` loaded and checked something.
pub(super) fn put(changes: &mut Changes, [open, secret]: [&VersionRow; 2]) {
    for (run, version) in [(1, open), (4, secret)] {
        changes.loads.push(load(run, version, HOSTILE));
        changes.checks.push(check(run, version, HOSTILE));
    }
}
