//! What is written is read back as it was.

use std::sync::Arc;
use std::time::Duration;

use tidemill_core::protocol::{AttemptNo, RunNo};
use tidemill_core::state::RunState;
use tidemill_store::record::{
    BackfillState, Changes, DateState, Highest, Recovered, RunRow, Said, SecretHead,
};
use tidemill_store::{CommitOutcome, Leader, Store};

use crate::place::Place;
use crate::sample::*;

pub(crate) const LEASE: Duration = Duration::from_secs(60);

pub(crate) async fn lead(store: &Store) -> Leader {
    store.lead("the test", LEASE).await.expect("the lead")
}

/// Commits, and expects no trouble.
pub(crate) async fn put(leader: &Leader, batch: i64, changes: &Changes) {
    let outcome = leader.commit(batch, changes).await;
    assert!(matches!(outcome, Ok(CommitOutcome::Done)), "{outcome:?}");
}

/// Every table has a row, and every row something in every field. Two DAGs; of the second there is only the run that has
/// ended and still has a cleanup.
pub(crate) fn everything() -> Changes {
    let (crm, old, shop) = (
        version_row("crm", "x"),
        version_row("crm", ""),
        version_row("shop", ""),
    );
    let ended = RunRow {
        state: RunState::Failed,
        ..run_row(2, &shop)
    };
    Changes {
        versions: vec![old.clone(), crm.clone(), shop.clone()],
        task_names: vec![task_name("crm", 0), task_name("crm", 1)],
        dags: vec![dag_row(&crm), dag_row(&shop)],
        pools: vec![pool_row("default"), pool_row(HOSTILE)],
        pools_gone: vec![],
        connections: vec![connection_row("crm"), connection_row(HOSTILE)],
        connections_gone: vec![],
        variables: vec![variable_row("region"), variable_row(HOSTILE)],
        variables_gone: vec![],
        backfills: vec![backfill_row(3, "crm")],
        new_runs: vec![run_row(1, &old), ended],
        runs: vec![],
        backfill_dates: vec![
            date_row(3, 0, DateState::Waiting(None)),
            date_row(3, 1, DateState::Waiting(Some(RunNo(8)))),
            date_row(3, 2, DateState::Made(RunNo(1))),
            date_row(3, 3, DateState::LeftOut(text(HOSTILE))),
        ],
        new_tasks: vec![task_row(1, 0), task_row(1, 1), task_row(2, 0)],
        tasks: vec![],
        task_details: vec![detail_row(1, 0), detail_row(2, 0)],
        attempts: vec![attempt_row(99, instance(1, 0))],
        outputs: vec![
            output_row(100, instance(1, 0)),
            output_row(99, instance(1, 0)),
        ],
        loads: vec![load_row(100, 0, instance(1, 0), "crm")],
        checks: vec![check_row(100, 0, instance(1, 0), "crm")],
        cleanups: vec![cleanup_row(200, instance(2, 0))],
        cleanups_done: vec![],
        asset_events: vec![event_row(2)],
        asset_waits: vec![wait_row("crm", "a"), wait_row("crm", "b")],
        asset_waits_used: vec![],
        outbox: vec![outbox_row(5, "key")],
        skipped_ticks: vec![skipped_row("crm", day(7))],
        audits: vec![audit_row(6)],
    }
}

fn heads<'a>(rows: impl Iterator<Item = (&'a Arc<str>, u32)>) -> Vec<SecretHead> {
    let mut heads: Vec<SecretHead> = rows.map(|(name, edits)| secret_head(name, edits)).collect();
    heads.sort_by(|a, b| a.name.cmp(&b.name));
    heads
}

/// What a start reads of [`everything`].
pub(crate) fn everything_active() -> Recovered {
    let all = everything();
    Recovered {
        versions: all.versions,
        task_names: all.task_names,
        dags: all.dags,
        pools: {
            let mut pools = all.pools;
            pools.sort_by(|a, b| a.name.cmp(&b.name));
            pools
        },
        connections: heads(all.connections.iter().map(|row| (&row.name, row.edits))),
        variables: heads(all.variables.iter().map(|row| (&row.name, row.edits))),
        backfills: all.backfills,
        backfill_dates: all.backfill_dates,
        runs: all.new_runs,
        tasks: all.new_tasks,
        task_details: all.task_details,
        // The other is of an attempt that does not count any more.
        outputs: vec![output_row(100, instance(1, 0))],
        cleanups: all.cleanups,
        asset_waits: all.asset_waits,
        dates_taken: vec![(dag_id("crm"), day(1)), (dag_id("shop"), day(2))],
        highest: Highest {
            run: 2,
            attempt: 200,
            backfill: 3,
            asset_event: 2,
            outbox: 5,
            audit: 6,
        },
    }
}

fn sorted(mut recovered: Recovered) -> Recovered {
    let key = |row: &tidemill_store::record::VersionRow| (row.dag.clone(), row.version.clone());
    recovered.versions.sort_by_key(key);
    recovered
}

pub(crate) async fn every_active_row_comes_back_as_it_was_written(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &everything()).await;
    let found = place.store.recover().await.expect("it reads");
    assert_eq!(sorted(found), sorted(everything_active()));
}

pub(crate) async fn a_row_that_is_replaced_has_nothing_of_the_old_one(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &everything()).await;
    let mut next = everything();
    next.versions.clear();
    next.task_names.clear();
    next.runs = std::mem::take(&mut next.new_runs);
    next.tasks = std::mem::take(&mut next.new_tasks);
    for run in &mut next.runs {
        run.started_at = None;
        run.ended_at = None;
        run.backfill = None;
        run.pool = None;
        run.ending = None;
        run.quarantine = None;
        run.why = None;
        run.note = None;
        run.touched = None;
        run.paused = false;
    }
    for task in &mut next.tasks {
        *task = task_new(task.of.run.0, task.of.task.0);
    }
    for detail in &mut next.task_details {
        *detail = tidemill_store::record::TaskDetailRow {
            of: detail.of,
            handle: None,
            why: None,
            item: None,
            said: Some(Said::Pass(false)),
            note: None,
            touched: None,
        };
    }
    for dag in &mut next.dags {
        dag.version = None;
        dag.last_due = None;
        dag.touched = None;
    }
    next.pools.truncate(1);
    next.pools[0].slots = None;
    next.pools[0].note = None;
    next.pools_gone = vec![text(HOSTILE), text("never there")];
    change_secrets(&mut next);
    next.backfills[0].state = BackfillState::Paused;
    next.backfill_dates = vec![date_row(3, 0, DateState::Made(RunNo(1)))];
    next.cleanups_done = vec![AttemptNo(200)];
    next.asset_waits = vec![wait_row("crm", "a"), wait_row("shop", "a")];
    next.asset_waits[0].last_event = 9;
    next.asset_waits_used = vec![(dag_id("crm"), text("a")), (dag_id("crm"), text("b"))];
    (next.attempts, next.outputs, next.loads) = (vec![], vec![], vec![]);
    next.checks = vec![];
    (next.asset_events, next.audits) = (vec![], vec![]);
    put(&leader, 2, &next).await;
    let found = place.store.recover().await.expect("it reads");
    assert_eq!(found.runs, next.runs[..1]);
    assert_eq!(found.tasks, next.tasks[..2]);
    assert_eq!(found.task_details, next.task_details[..1]);
    assert_eq!(found.dags, next.dags);
    assert_eq!(found.pools, next.pools);
    secrets_are(place, &found, &next).await;
    assert_eq!(found.backfills, next.backfills);
    assert_eq!(found.backfill_dates[0], next.backfill_dates[0]);
    assert_eq!(found.cleanups, vec![]);
    assert_eq!(found.asset_waits, next.asset_waits);
    assert_eq!(found.highest, everything_active().highest);
}

fn change_secrets(next: &mut Changes) {
    // Removed and set again in one commit: it is there.
    next.connections.truncate(1);
    next.connections[0].kind = text("google");
    next.connections_gone = vec![text("crm"), text(HOSTILE), text("never there")];
    next.variables.truncate(1);
    next.variables[0].note = None;
    next.variables_gone = vec![text("region"), text(HOSTILE)];
}

async fn secrets_are(place: &Place, found: &Recovered, next: &Changes) {
    assert_eq!(found.connections, vec![secret_head("crm", 3)]);
    assert_eq!(found.variables, vec![secret_head("region", 4)]);
    let store = &place.store;
    assert_eq!(
        store.connections().await.expect("it reads"),
        next.connections
    );
    assert_eq!(store.variables().await.expect("it reads"), next.variables);
    assert_eq!(store.connection_names().await.expect("it reads"), ["crm"]);
    assert_eq!(store.variable_names().await.expect("it reads"), ["region"]);
    let crm = store.connection("crm").await.expect("it reads");
    assert_eq!(crm.as_ref(), next.connections.first());
    let region = store.variable("region").await.expect("it reads");
    assert_eq!(region.as_ref(), next.variables.first());
    assert_eq!(store.connection("gone").await.expect("it reads"), None);
    assert_eq!(store.variable("gone").await.expect("it reads"), None);
}
