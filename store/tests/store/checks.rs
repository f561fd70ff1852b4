//! Each check finds what it is there for, and nothing in a database that is as it should be.

use tidemill_core::protocol::{AttemptNo, RunNo};
use tidemill_core::state::TaskState;
use tidemill_store::record::{BackfillDateRow, BackfillState, Changes, DateState, RunRow, TaskRow};

use crate::accesses;
use crate::place::Place;
use crate::round_trip::{everything, lead, put};
use crate::sample::*;

/// A sound little history: run 1 is on, run 2 has ended and still has a cleanup.
fn sound() -> Changes {
    let mut all = everything();
    all.backfill_dates = vec![
        BackfillDateRow {
            start: day(1),
            ..date_row(3, 2, DateState::Made(RunNo(1)))
        },
        BackfillDateRow {
            start: day(8),
            ..date_row(3, 3, DateState::Waiting(None))
        },
    ];
    all.new_runs[1] = RunRow {
        backfill: None,
        ..all.new_runs[1].clone()
    };
    all.new_runs[0].quarantine = None;
    let task = |run, task, state| TaskRow {
        state,
        attempt: AttemptNo(100),
        ended_attempt: AttemptNo(99),
        ..task_row(run, task)
    };
    all.new_tasks = vec![
        task(1, 0, TaskState::Running),
        task(1, 1, TaskState::Success),
        task(2, 0, TaskState::Failed),
    ];
    all
}

/// What somebody does by hand, and the checks that see it.
const SPOILT: &[(&str, &[&str])] = &[
    (
        "UPDATE task SET attempt = 98, ended_attempt = 0 WHERE run_id = 1 AND task_no = 0",
        &["attempt_ahead"],
    ),
    (
        "UPDATE task SET ended_attempt = 101 WHERE run_id = 2",
        &["ended_ahead", "ended_unrecorded"],
    ),
    ("UPDATE attempt SET task_no = 77", &["attempt_without_task"]),
    (
        "UPDATE output SET map_index = 77 WHERE attempt = 100",
        &["output_without_task"],
    ),
    (
        "UPDATE task_detail SET task_no = 77 WHERE run_id = 2",
        &["task_detail_without_task"],
    ),
    ("UPDATE cleanup SET task_no = 77", &["cleanup_without_task"]),
    (
        "UPDATE task SET run_id = 3 WHERE run_id = 1 AND task_no = 1",
        &["task_without_run"],
    ),
    (
        "DELETE FROM task WHERE run_id = 2",
        &[
            "task_detail_without_task",
            "cleanup_without_task",
            "run_without_task",
        ],
    ),
    (
        "UPDATE run SET version = 'another' WHERE id = 2",
        &["run_without_version"],
    ),
    ("DELETE FROM dag WHERE id = 'shop'", &["run_without_dag"]),
    (
        "UPDATE dag SET version = 'another' WHERE id = 'shop'",
        &["dag_without_version"],
    ),
    (
        "DROP INDEX run_date_unique; UPDATE run SET dag = 'crm', interval_start = (SELECT interval_start FROM run WHERE id = 1), \
         version = (SELECT version FROM run WHERE id = 1)",
        &["date_twice"],
    ),
    (
        "UPDATE task SET state = 'queued' WHERE run_id = 2",
        &["ended_run_open_task"],
    ),
    (
        "UPDATE task SET state = 'success' WHERE run_id = 1",
        &["open_run_ended_tasks"],
    ),
    (
        "INSERT INTO task SELECT run_id, 9, 0, name, state, attempt, hand, ended_attempt, number, tries, losses, requeues, epoch, \
         edits, worker, since, queued_at, started_at, retry_at, deadline, instances FROM task WHERE run_id = 2",
        &["mapped_without_whole"],
    ),
    ("UPDATE outbox SET state = 'sent'", &["outbox_state"]),
    (
        "UPDATE backfill_date SET run_id = 2 WHERE state = 'made'",
        &["date_without_run"],
    ),
    (
        "UPDATE run SET backfill = 4 WHERE id = 2",
        &["run_without_date"],
    ),
    ("DELETE FROM leader", &["leader_row"]),
    ("UPDATE leader SET holder = NULL", &["leader_row"]),
    (
        "UPDATE leader SET attempt_max = 1",
        &["number_beyond", "number_beyond"],
    ),
    ("UPDATE leader SET audit_max = 1", &["number_beyond"]),
    ("DELETE FROM access_turn", &["access_turn_row"]),
    (
        "UPDATE access_turn SET audit_last = 0",
        &["access_turn_row"],
    ),
    (
        "UPDATE user_account SET role = 'king' WHERE name = 'ann'",
        &["access_role"],
    ),
    ("UPDATE dag_grant SET role = 'king'", &["access_role"]),
    (
        "UPDATE user_account SET role = 'viewer'",
        &["admin_missing"],
    ),
    (
        "UPDATE user_account SET disabled = true WHERE name = 'ann'",
        &["disabled_session"],
    ),
    (
        "UPDATE user_account SET password = 'geheim' WHERE name = 'ann'",
        &["secret_in_clear"],
    ),
    (
        "UPDATE session SET hash = 'the secret'",
        &["secret_in_clear"],
    ),
    (
        "UPDATE api_token SET hash = 'tm_secret'",
        &["secret_in_clear"],
    ),
];

async fn found(place: &Place) -> Vec<&'static str> {
    let found = place.store.check(at(1_000_000)).await.expect("it reads");
    for violation in &found {
        assert!(!violation.sentence.is_empty() && !violation.subject.is_empty());
    }
    found.into_iter().map(|violation| violation.check).collect()
}

pub(crate) async fn each_check_finds_what_it_is_there_for(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &sound()).await;
    accesses::some(&place.store).await;
    assert_eq!(
        place.store.check(at(1_000_000)).await.expect("it reads"),
        []
    );
    for (spoilt, checks) in SPOILT {
        // Each on a copy, so that one finding does not hide another.
        let copy = place.copied().await;
        copy.by_hand(spoilt).await;
        assert_eq!(found(&copy).await, *checks, "{spoilt}");
    }
    if !place.is_postgres() {
        return;
    }
    let copy = place.copied().await;
    copy.by_hand("ALTER TABLE outbox DROP CONSTRAINT outbox_key_unique")
        .await;
    copy.by_hand(
        "INSERT INTO outbox (id, key, route, severity, body, decided_at, next_at) \
         SELECT 4, key, route, severity, body, decided_at, next_at FROM outbox",
    )
    .await;
    assert_eq!(found(&copy).await, ["outbox_twice"]);
}

pub(crate) async fn a_run_may_end_a_moment_after_its_last_task(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &sound()).await;
    place
        .by_hand("UPDATE task SET state = 'success' WHERE run_id = 1")
        .await;
    let soon = place.store.check(at(20 + 59)).await.expect("it reads");
    assert_eq!(soon, []);
    let late = place.store.check(at(20 + 61)).await.expect("it reads");
    assert_eq!(late.len(), 1);
    assert!(
        late[0].subject.contains("run 1 (crm / scheduled__1)"),
        "{late:?}"
    );
    // What waits for a person may wait.
    place
        .by_hand("UPDATE run SET quarantine = 'odd' WHERE id = 1")
        .await;
    assert_eq!(place.store.check(at(20 + 61)).await.expect("it reads"), []);
    let mut done = sound().backfills;
    done[0].state = BackfillState::Done;
    let changes = Changes {
        backfills: done,
        ..Changes::default()
    };
    put(&leader, 2, &changes).await;
    // The dates of a backfill that is over may outlive their runs.
    place
        .by_hand("UPDATE backfill_date SET run_id = 404 WHERE state = 'made'")
        .await;
    assert_eq!(place.store.check(at(20 + 61)).await.expect("it reads"), []);
}
