//! What is in the store of the site: DAGs, runs, tasks and how they ended.

use std::sync::Arc;

use tidemill_core::author::Dag;
use tidemill_core::id::{DagId, TaskId};
use tidemill_core::operator::ErrorKind;
use tidemill_core::protocol::{AttemptNo, InstanceRef, NOT_MAPPED, RunNo, TaskNo};
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_store::record::{
    AttemptEnd, AttemptRow, Changes, DagRow, RunRow, TaskNameRow, TaskRow, VersionRow,
};

use super::{HOSTILE, at, monitor, shared};

pub(crate) fn version(name: &str) -> VersionRow {
    let built = Dag::build(name, |dag| {
        dag.doc(HOSTILE);
        dag.owner(HOSTILE);
        dag.tag(HOSTILE);
        dag.schedule("0 2 * * *");
        dag.start("2025-01-01");
        let first = dag.empty("extract");
        let group = dag.group("load", |load| {
            load.empty("sales");
            load.empty("stock");
        });
        dag.edge(&first, &group);
    });
    let spec = built.spec().clone();
    VersionRow {
        dag: spec.id().clone(),
        version: spec.version(),
        spec: Arc::new(spec),
        deployed_at: at(0),
    }
}

pub(crate) fn run(id: i64, version: &VersionRow, state: RunState) -> RunRow {
    RunRow {
        id: RunNo(id),
        dag: version.dag.clone(),
        name: format!("run_{id}{HOSTILE}").into(),
        kind: RunType::Manual,
        state,
        version: version.version.clone(),
        start: at(id * 3_600),
        end: at(id * 3_600 + 1),
        due_at: at(id * 3_600),
        created_at: at(id * 3_600),
        started_at: Some(at(4 * 86_400 + id)),
        ended_at: (state != RunState::Running).then(|| at(4 * 86_400 + 600 + id)),
        params: "{}".into(),
        backfill: None,
        paused: false,
        priority: 0,
        pool: None,
        ending: None,
        quarantine: None,
        why: Some(HOSTILE.into()),
        note: Some(HOSTILE.into()),
        edits: 0,
        touched: None,
    }
}

pub(crate) fn task(run: i64, (no, name): (u32, &str), state: TaskState) -> TaskRow {
    TaskRow {
        of: InstanceRef {
            run: RunNo(run),
            task: TaskNo(no),
            map_index: NOT_MAPPED,
        },
        name: TaskId::parse(name).expect("it works"),
        state,
        attempt: AttemptNo(run * 1_000 + i64::from(no)),
        hand: 0,
        ended_attempt: AttemptNo(run * 1_000 + i64::from(no)),
        number: 1,
        tries: 1,
        losses: 0,
        requeues: 0,
        epoch: 1,
        edits: 1,
        worker: None,
        since: at(4 * 86_400 + 500),
        queued_at: Some(at(4 * 86_400)),
        started_at: Some(at(4 * 86_400)),
        retry_at: None,
        deadline: None,
        instances: None,
    }
}

pub(crate) fn attempt(run: i64, no: u32) -> AttemptRow {
    AttemptRow {
        id: AttemptNo(run * 1_000 + i64::from(no)),
        of: InstanceRef {
            run: RunNo(run),
            task: TaskNo(no),
            map_index: NOT_MAPPED,
        },
        number: 1,
        epoch: 1,
        end: AttemptEnd::Failed,
        worker: None,
        queued_at: at(4 * 86_400),
        started_at: Some(at(4 * 86_400)),
        ended_at: at(4 * 86_400 + 500),
        error_kind: Some(ErrorKind::Quota),
        message: Some(format!("clash in {run} files {HOSTILE}").into()),
        help: Some(HOSTILE.into()),
        retry_at: None,
        deferred_at: None,
    }
}

pub(crate) fn dag_row(version: &VersionRow) -> DagRow {
    DagRow {
        id: DagId::parse(version.dag.as_str()).expect("it works"),
        version: Some(version.version.clone()),
        paused: false,
        last_due: Some((at(0), at(86_400), at(86_400))),
        failures_in_row: 0,
        edits: 7,
        touched: None,
    }
}

pub(super) fn names(version: &VersionRow) -> Vec<TaskNameRow> {
    let names = ["extract", "load.sales", "load.stock"];
    let row = |(no, name)| TaskNameRow {
        dag: version.dag.clone(),
        task: TaskNo(no),
        name: TaskId::parse(name).expect("it works"),
    };
    (0..).zip(names).map(row).collect()
}

pub(crate) fn wide(tasks: u32, runs: i64) -> Changes {
    let built = Dag::build("wide_dag", |dag| {
        for task in 0..tasks {
            dag.empty(&format!("a_task_with_a_longer_name_{task}"));
        }
    });
    let spec = built.spec().clone();
    let version = VersionRow {
        dag: spec.id().clone(),
        version: spec.version(),
        spec: Arc::new(spec),
        deployed_at: at(0),
    };
    let tasks_of = |id: i64| {
        (0..tasks).map(move |no| {
            let name = format!("a_task_with_a_longer_name_{no}");
            task(id, (no, &name), TaskState::UpstreamFailed)
        })
    };
    Changes {
        dags: vec![dag_row(&version)],
        new_runs: (1..=runs)
            .map(|id| run(id, &version, RunState::Failed))
            .collect(),
        new_tasks: (1..=runs).flat_map(tasks_of).collect(),
        versions: vec![version],
        ..Changes::default()
    }
}

/// Runs 1 and 2 of `open_dag` failed for one reason, run 3 is on; run 4 of `secret_dag` failed, too.
pub(crate) fn history() -> Changes {
    let (open, secret) = (version("open_dag"), version("secret_dag"));
    let mut changes = Changes {
        versions: vec![open.clone(), secret.clone()],
        dags: vec![dag_row(&open), dag_row(&secret)],
        task_names: [&open, &secret].into_iter().flat_map(names).collect(),
        new_runs: vec![
            run(1, &open, RunState::Failed),
            run(2, &open, RunState::Failed),
            run(3, &open, RunState::Running),
            run(4, &secret, RunState::Failed),
        ],
        ..Changes::default()
    };
    for run in 1..=4 {
        let failed = if run == 3 {
            TaskState::Running
        } else {
            TaskState::Failed
        };
        changes.new_tasks.extend([
            task(run, (0, "extract"), TaskState::Success),
            task(run, (1, "load.sales"), failed),
            task(run, (2, "load.stock"), TaskState::UpstreamFailed),
        ]);
        if run != 3 {
            changes.attempts.push(attempt(run, 1));
        }
    }
    shared::put(&mut changes, [&open, &secret]);
    monitor::put(&mut changes, [&open, &secret]);
    changes
}
