//! Rows to write: each field has something in it, unless the test takes it out.

use std::sync::Arc;

use tidemill_core::author::Dag;
use tidemill_core::id::{DagId, TaskId};
use tidemill_core::operator::ErrorKind;
use tidemill_core::protocol::{
    AttemptNo, AttemptRef, CheckResult, InstanceRef, Load, NOT_MAPPED, RunNo, TaskNo,
};
use tidemill_core::spec::Severity;
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_store::record::{
    AssetEventRow, AttemptEnd, AttemptRow, AuditRow, BackfillDateRow, BackfillRow, BackfillState,
    CheckRow, CleanupRow, ConnectionRow, DagRow, DateState, LoadRow, OutboxRow, OutputRow, PoolRow,
    Reprocess, RunRow, Said, SecretHead, SkippedTickRow, TaskDetailRow, TaskNameRow, TaskRow,
    Touch, VariableRow, VersionRow, WaitingAssetRow,
};

/// Text that somebody may try: quotes, comments, escapes, other scripts, a JSON escape of NUL.
pub(crate) const HOSTILE: &str =
    "'; DROP TABLE run; -- \" \\ \u{1} \u{7f} ünï 日本 🦀 \\u0000 $1 ?1 %s {} \n\t\r end";

/// 2025-01-01 00:00, and so many seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_735_689_600_000_000 + seconds * 1_000_000)
}

pub(crate) fn day(n: i64) -> Timestamp {
    at(n * 86_400)
}

pub(crate) fn dag_id(name: &str) -> DagId {
    DagId::parse(name).expect("a name")
}

pub(crate) fn text(text: &str) -> Arc<str> {
    text.into()
}

pub(crate) fn touch() -> Option<Touch> {
    Some(Touch {
        by: text(HOSTILE),
        how: text("cleared"),
        at: at(77),
    })
}

pub(crate) fn instance(run: i64, task: u32) -> InstanceRef {
    InstanceRef {
        run: RunNo(run),
        task: TaskNo(task),
        map_index: NOT_MAPPED,
    }
}

pub(crate) fn version_row(dag: &str, doc: &str) -> VersionRow {
    let built = Dag::build(dag, |dag| {
        dag.doc(doc);
        dag.max_active_runs(u32::try_from(doc.len()).expect("a short text") + 1);
    });
    let spec = built.spec().clone();
    VersionRow {
        dag: dag_id(dag),
        version: spec.version(),
        spec: Arc::new(spec),
        deployed_at: at(1),
    }
}

pub(crate) fn dag_row(version: &VersionRow) -> DagRow {
    DagRow {
        id: version.dag.clone(),
        version: Some(version.version.clone()),
        paused: true,
        last_due: Some((day(0), day(1), day(1))),
        failures_in_row: 2,
        edits: 9,
        touched: touch(),
    }
}

pub(crate) fn task_name(dag: &str, task: u32) -> TaskNameRow {
    TaskNameRow {
        dag: dag_id(dag),
        task: TaskNo(task),
        name: TaskId::parse(&format!("task_{task}")).expect("a name"),
    }
}

pub(crate) fn run_row(id: i64, version: &VersionRow) -> RunRow {
    RunRow {
        id: RunNo(id),
        dag: version.dag.clone(),
        name: text(&format!("scheduled__{id}")),
        kind: RunType::Scheduled,
        state: RunState::Running,
        version: version.version.clone(),
        start: day(id),
        end: day(id + 1),
        due_at: day(id + 1),
        created_at: at(5),
        started_at: Some(at(6)),
        ended_at: Some(at(7)),
        params: text(r#"{ "b": 1.0, "a": "\u0000", "a": [] }"#),
        backfill: Some(3),
        paused: true,
        priority: -7,
        pool: Some(text(HOSTILE)),
        ending: Some(RunState::Failed),
        quarantine: Some(text(HOSTILE)),
        why: Some(text("")),
        note: Some(text(HOSTILE)),
        edits: 12,
        touched: touch(),
    }
}

pub(crate) fn task_row(run: i64, task: u32) -> TaskRow {
    TaskRow {
        of: instance(run, task),
        name: TaskId::parse(&format!("group.task_{task}")).expect("a name"),
        state: TaskState::UpForRetry,
        attempt: AttemptNo(run * 100 + i64::from(task)),
        hand: 3,
        ended_attempt: AttemptNo(1),
        number: 4,
        tries: 5,
        losses: 6,
        requeues: 7,
        epoch: 8,
        edits: 9,
        worker: Some(text("worker-1")),
        since: at(20),
        queued_at: Some(at(21)),
        started_at: Some(at(22)),
        retry_at: Some(at(23)),
        deadline: Some(at(24)),
        instances: Some(25),
    }
}

/// As it was when its run began.
pub(crate) fn task_new(run: i64, task: u32) -> TaskRow {
    TaskRow {
        state: TaskState::None,
        attempt: AttemptNo(0),
        hand: 0,
        ended_attempt: AttemptNo(0),
        number: 0,
        tries: 0,
        losses: 0,
        requeues: 0,
        epoch: 0,
        edits: 0,
        worker: None,
        queued_at: None,
        started_at: None,
        retry_at: None,
        deadline: None,
        instances: None,
        ..task_row(run, task)
    }
}

pub(crate) fn detail_row(run: i64, task: u32) -> TaskDetailRow {
    TaskDetailRow {
        of: instance(run, task),
        handle: Some(text(r#"{"job":"tm-1"}"#)),
        why: Some(text(HOSTILE)),
        item: Some(text("[1, 2.50]")),
        said: Some(Said::Ways(text(r#"["a"]"#))),
        note: Some(text(HOSTILE)),
        touched: touch(),
    }
}

pub(crate) fn attempt_row(id: i64, of: InstanceRef) -> AttemptRow {
    AttemptRow {
        id: AttemptNo(id),
        of,
        number: 1,
        epoch: 2,
        end: AttemptEnd::Failed,
        worker: Some(text("worker-1")),
        queued_at: at(30),
        started_at: Some(at(31)),
        ended_at: at(32),
        error_kind: Some(ErrorKind::Quota),
        message: Some(text(HOSTILE)),
        help: Some(text(HOSTILE)),
        retry_at: Some(at(33)),
        deferred_at: Some(at(32)),
    }
}

pub(crate) fn output_row(attempt: i64, of: InstanceRef) -> OutputRow {
    OutputRow {
        attempt: AttemptNo(attempt),
        of,
        value: text(r#"[1, 2.0, "\ud83e\udd80", {"z":1,"a":2}]"#),
        listed: true,
    }
}

pub(crate) fn load_row(attempt: i64, nth: u32, of: InstanceRef, dag: &str) -> LoadRow {
    LoadRow {
        attempt: AttemptNo(attempt),
        nth,
        of,
        dag: dag_id(dag),
        load: Load {
            started_at: at(40),
            ended_at: at(41 + i64::from(nth)),
            sources: vec!["gs://a/*.parquet".to_owned(), HOSTILE.to_owned()],
            files: 3,
            bytes_read: i64::MAX,
            rows_read: 4,
            destination: "crm.tickets".to_owned(),
            partition: Some("20250101".to_owned()),
            mode: "append".to_owned(),
            rows_before: Some(1),
            rows_loaded: 2,
            rows_after: Some(3),
            rows_rejected: 4,
            job_id: Some("job".to_owned()),
            job_url: Some("https://example.org/job".to_owned()),
            slot_ms: Some(5),
            bytes_billed: Some(6),
            status: "success".to_owned(),
            error: Some(HOSTILE.to_owned()),
        },
    }
}

pub(crate) fn check_row(attempt: i64, nth: u32, of: InstanceRef, dag: &str) -> CheckRow {
    CheckRow {
        attempt: AttemptNo(attempt),
        nth,
        of,
        dag: dag_id(dag),
        result: CheckResult {
            at: at(41 + i64::from(nth)),
            name: "not_null(id)".to_owned(),
            table: "crm.tickets".to_owned(),
            columns: vec!["id".to_owned(), HOSTILE.to_owned()],
            kind: "not_null".to_owned(),
            severity: "error".to_owned(),
            blocking: true,
            status: "failed".to_owned(),
            expected: "every id is there".to_owned(),
            observed: HOSTILE.to_owned(),
            cause: "2 of 9 rows have no id".to_owned(),
            rows: Some(9),
            rows_checked: Some(8),
            rows_failed: Some(2),
            sample: vec![
                [
                    ("id".to_owned(), None),
                    ("b".to_owned(), Some(HOSTILE.to_owned())),
                ]
                .into(),
            ],
            sql: Some("SELECT 1".to_owned()),
            rows_sql: Some(HOSTILE.to_owned()),
        },
    }
}

pub(crate) fn cleanup_row(attempt: i64, of: InstanceRef) -> CleanupRow {
    CleanupRow {
        of: AttemptRef {
            of,
            attempt: AttemptNo(attempt),
            hand: 2,
        },
        number: 3,
        epoch: 4,
        handle: Some(text(r#"{"job":"tm-1"}"#)),
        worker: Some(text("worker-2")),
        since: at(50),
    }
}

pub(crate) fn event_row(id: i64) -> AssetEventRow {
    AssetEventRow {
        id,
        asset: text("crm.tickets"),
        by: Some(instance(1, 2)),
        at: at(60),
    }
}

pub(crate) fn wait_row(dag: &str, asset: &str) -> WaitingAssetRow {
    WaitingAssetRow {
        dag: dag_id(dag),
        asset: text(asset),
        first_event: 1,
        last_event: 2,
        count: 2,
    }
}

pub(crate) fn outbox_row(id: i64, key: &str) -> OutboxRow {
    OutboxRow {
        id,
        key: text(key),
        route: text("oncall"),
        severity: Severity::Critical,
        run: Some(RunNo(1)),
        body: text(r#"{"text":"it broke"}"#),
        at: at(70),
        dag: Some(dag_id("crm")),
    }
}

pub(crate) fn pool_row(name: &str) -> PoolRow {
    PoolRow {
        name: text(name),
        slots: Some(u32::MAX),
        holds_deferred: true,
        paused: true,
        edits: 1,
        touched: touch(),
        note: Some(text(HOSTILE)),
    }
}

pub(crate) fn connection_row(name: &str) -> ConnectionRow {
    ConnectionRow {
        name: text(name),
        kind: text("http"),
        fields: text(r#"{"host":"crm.example"}"#),
        sealed: text("tm1.k1.AAAA"),
        edits: 3,
        touched: touch(),
    }
}

pub(crate) fn variable_row(name: &str) -> VariableRow {
    VariableRow {
        name: text(name),
        sealed: text("tm1.k1.BBBB"),
        note: Some(text(HOSTILE)),
        edits: 4,
        touched: touch(),
    }
}

/// What the engine keeps in mind of either.
pub(crate) fn secret_head(name: &str, edits: u32) -> SecretHead {
    SecretHead {
        name: text(name),
        edits,
        touched: touch(),
    }
}

pub(crate) fn backfill_row(id: i64, dag: &str) -> BackfillRow {
    BackfillRow {
        id,
        dag: dag_id(dag),
        from: day(1),
        to: day(9),
        reprocess: Reprocess::Failed,
        active_runs_max: u32::MAX,
        params: text("{}"),
        state: BackfillState::Active,
        created_at: at(80),
        edits: 2,
        touched: touch(),
    }
}

pub(crate) fn date_row(backfill: i64, nth: u32, state: DateState) -> BackfillDateRow {
    BackfillDateRow {
        backfill,
        nth,
        start: day(nth.into()),
        end: day(i64::from(nth) + 1),
        state,
    }
}

pub(crate) fn skipped_row(dag: &str, start: Timestamp) -> SkippedTickRow {
    SkippedTickRow {
        dag: dag_id(dag),
        start,
        at: at(90),
        why: text("the last run is on"),
    }
}

pub(crate) fn audit_row(id: i64) -> AuditRow {
    AuditRow {
        id,
        at: at(100),
        actor: text(HOSTILE),
        action: text("task.clear"),
        target: text("crm / scheduled__1 / load"),
        dag: Some(dag_id("crm")),
        run: Some(RunNo(1)),
        details: text("{}"),
    }
}
