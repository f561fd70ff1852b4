//! What runs share, in the kit's store and behind its door: each with text in it that somebody may try.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::json;
use tidemill_core::id::{DagId, TaskId};
use tidemill_core::protocol::{NOT_MAPPED, RunNo};
use tidemill_core::spec::Severity;
use tidemill_core::state::TaskState;
use tidemill_scheduler::engine::{Fleet, PoolHolder, PoolView, Waiting, WorkerView};
use tidemill_scheduler::gateway::{
    ConnectionBody, ConnectionView, TouchView, VariableBody, VariableView,
};
use tidemill_store::record::{
    AuditRow, BackfillDateRow, BackfillRow, BackfillState, Changes, DateState, OutboxRow, PoolRow,
    Reprocess, Touch, VersionRow,
};

use super::{HOSTILE, at};

/// What only who asks for it sees.
pub(crate) const SECRET: &str = "s3cret-value";

/// What was to be sealed, and who asked for a value.
#[derive(Debug, Default)]
pub(crate) struct Sealed {
    pub(crate) variables: Mutex<Vec<(String, VariableBody)>>,
    pub(crate) connections: Mutex<Vec<(String, ConnectionBody)>>,
    pub(crate) revealed: Mutex<Vec<String>>,
}

fn touch() -> Touch {
    Touch {
        by: HOSTILE.into(),
        how: "set".into(),
        at: at(0),
    }
}

fn touched() -> Option<TouchView> {
    Some(TouchView {
        by: HOSTILE.to_owned(),
        how: "set".to_owned(),
        at: at(0),
    })
}

pub(super) fn pools() -> Vec<PoolView> {
    let holder = |dag: &str, run: i64| PoolHolder {
        dag: DagId::parse(dag).expect("a name"),
        run: format!("run_{run}{HOSTILE}").into(),
        task: TaskId::parse("extract").expect("a name"),
        index: NOT_MAPPED,
        slots: 2,
        state: TaskState::Running,
    };
    vec![PoolView {
        name: "bigquery".into(),
        slots: Some(8),
        used: Some(4),
        holds_deferred: true,
        paused: false,
        edits: 7,
        note: Some(HOSTILE.into()),
        holders: vec![holder("open_dag", 3), holder("secret_dag", 4)],
        waiting: 5,
    }]
}

/// The same pools, and one with each of these texts.
pub(super) fn pools_of(texts: &[String]) -> Vec<PoolView> {
    let mut all = pools();
    let first = all[0].clone();
    all.extend((1..).zip(texts).map(|(nth, text)| PoolView {
        name: format!("pool_{nth}").into(),
        note: Some(text.as_str().into()),
        ..first.clone()
    }));
    all
}

fn touched_by(text: &str) -> Option<TouchView> {
    Some(TouchView {
        by: text.to_owned(),
        how: text.to_owned(),
        at: at(0),
    })
}

/// A variable with each of these texts.
pub(super) fn variables_of(texts: &[String]) -> Vec<VariableView> {
    let each = |text: &String| VariableView {
        name: text.clone(),
        note: Some(text.clone()),
        edits: 3,
        touched: touched_by(text),
        problem: Some(text.clone()),
    };
    texts.iter().map(each).collect()
}

/// A connection with each of these texts.
pub(super) fn connections_of(texts: &[String]) -> Vec<ConnectionView> {
    let each = |text: &String| ConnectionView {
        name: text.clone(),
        kind: text.clone(),
        fields: [(text.clone(), text.clone())].into(),
        secrets: vec![text.clone()],
        edits: 3,
        touched: touched_by(text),
        problem: Some(text.clone()),
    };
    texts.iter().map(each).collect()
}

/// A worker, and what waits for it.
pub(crate) fn fleet() -> Fleet {
    let worker = WorkerView {
        name: format!("w1{HOSTILE}").into(),
        build: HOSTILE.into(),
        slots: 8,
        used: 3,
        holds: 4,
        draining: false,
        queues: vec![HOSTILE.into(), "spark".into()],
        labels: BTreeMap::new(),
        versions: 2,
        lease_until: at(0),
    };
    let waiting = |dag: &str| Waiting {
        dag: DagId::parse(dag).expect("a name"),
        version: serde_json::from_value(json!("0".repeat(64))).expect("a version"),
        queue: "spark".into(),
        tasks: 20,
        workers: 1,
        next_since: Some(at(5 * 86_400 - 120)),
        oldest_since: Some(at(5 * 86_400 - 7_200)),
    };
    Fleet {
        workers: vec![worker],
        waiting: vec![waiting("open_dag"), waiting("secret_dag")],
    }
}

pub(super) fn variable() -> VariableView {
    VariableView {
        name: "region".to_owned(),
        note: Some(HOSTILE.to_owned()),
        edits: 3,
        touched: touched(),
        problem: Some(HOSTILE.to_owned()),
    }
}

pub(super) fn connection() -> ConnectionView {
    let fields = [("host", HOSTILE), ("login", "ann")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ConnectionView {
        name: "crm".to_owned(),
        kind: HOSTILE.to_owned(),
        fields: fields.into(),
        secrets: vec!["password".to_owned()],
        edits: 3,
        touched: touched(),
        problem: None,
    }
}

fn backfill(id: i64, version: &VersionRow) -> BackfillRow {
    BackfillRow {
        id,
        dag: version.dag.clone(),
        from: at(0),
        to: at(86_400 * 3),
        reprocess: Reprocess::Failed,
        active_runs_max: 4,
        params: json!({ "text": HOSTILE }).to_string().into(),
        state: BackfillState::Active,
        created_at: at(0),
        edits: 7,
        touched: Some(touch()),
    }
}

/// Backfill 1 of the first DAG and 2 of the second, each with a date that was made, one that waits and one that is left out;
/// alerts and lines of the audit log of both; a pool.
pub(super) fn put(changes: &mut Changes, versions: [&VersionRow; 2]) {
    for (id, (version, run)) in (1..).zip(versions.into_iter().zip([1, 4])) {
        changes.backfills.push(backfill(id, version));
        let states = [
            DateState::Made(RunNo(run)),
            DateState::Waiting(None),
            DateState::LeftOut(HOSTILE.into()),
        ];
        let dates = (0..).zip(states).map(|(nth, state)| BackfillDateRow {
            backfill: id,
            nth,
            start: at(i64::from(nth) * 86_400),
            end: at(i64::from(nth + 1) * 86_400),
            state,
        });
        changes.backfill_dates.extend(dates);
        let body = json!({ "on": "failure", "dag": version.dag, "run": "one", "task": "extract", "why": HOSTILE });
        changes.outbox.push(OutboxRow {
            id,
            key: format!("{id}{HOSTILE}").into(),
            route: HOSTILE.into(),
            severity: Severity::Warning,
            run: Some(RunNo(run)),
            body: body.to_string().into(),
            at: at(0),
            dag: Some(version.dag.clone()),
        });
        for (nth, (actor, action)) in [("ann", "task.clear"), (HOSTILE, "run.cancel")]
            .into_iter()
            .enumerate()
        {
            changes.audits.push(AuditRow {
                id: id * 10 + i64::try_from(nth).expect("small"),
                at: at(id * 86_400 + i64::try_from(nth).expect("small")),
                actor: actor.into(),
                action: action.into(),
                target: format!("{} / {HOSTILE}", version.dag).into(),
                dag: Some(version.dag.clone()),
                run: Some(RunNo(run)),
                details: json!({
                    "tasks": 2, "refused_by": HOSTILE, "changed": [[run, "extract", -1, "failed", "none"]],
                })
                .to_string()
                .into(),
            });
        }
    }
    changes.pools.push(PoolRow {
        name: "bigquery".into(),
        slots: Some(8),
        holds_deferred: true,
        paused: false,
        edits: 7,
        note: Some(HOSTILE.into()),
        touched: Some(touch()),
    });
}
