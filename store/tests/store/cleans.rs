//! Old history goes, whole runs at a time; what is still needed stays.

use tidemill_core::protocol::RunNo;
use tidemill_core::state::{RunState, TaskState};
use tidemill_store::record::{BackfillDateRow, BackfillState, Changes, DateState, RunRow, TaskRow};
use tidemill_store::{CleanOptions, Cleaned, LogsLeft, Store};

use crate::place::Place;
use crate::round_trip::{lead, put};
use crate::sample::*;

/// Runs 1 to 20 of `crm` and 21 to 24 of `shop`, each ended on its day, with one row of everything. Run 4 is on, run 5 has a
/// cleanup, run 6 is of a backfill that goes on, run 7 is to be run again by it, run 8 is of one that is over.
fn history() -> Changes {
    let (crm, shop) = (version_row("crm", ""), version_row("shop", ""));
    let mut all = Changes {
        dags: vec![dag_row(&crm), dag_row(&shop)],
        versions: vec![crm.clone(), shop.clone()],
        ..Changes::default()
    };
    for id in 1..=24 {
        let version = if id > 20 { &shop } else { &crm };
        all.new_runs.push(RunRow {
            state: if id == 4 {
                RunState::Running
            } else {
                RunState::Success
            },
            ended_at: Some(day(id)),
            backfill: match id {
                6 => Some(3),
                8 => Some(4),
                _ => None,
            },
            ..run_row(id, version)
        });
        all.new_tasks.push(TaskRow {
            state: if id == 4 {
                TaskState::Running
            } else {
                TaskState::Success
            },
            attempt: tidemill_core::protocol::AttemptNo(id),
            ended_attempt: tidemill_core::protocol::AttemptNo(id),
            ..task_row(id, 0)
        });
        all.task_details.push(detail_row(id, 0));
        all.attempts.push(attempt_row(id, instance(id, 0)));
        all.outputs.push(output_row(id, instance(id, 0)));
        all.loads
            .push(load_row(id, 0, instance(id, 0), version.dag.as_str()));
        all.checks
            .push(check_row(id, 0, instance(id, 0), version.dag.as_str()));
    }
    all.cleanups = vec![cleanup_row(5, instance(5, 0))];
    let mut over = backfill_row(4, "crm");
    over.state = BackfillState::Done;
    all.backfills = vec![backfill_row(3, "crm"), over];
    let date = |backfill, run, state| BackfillDateRow {
        start: day(run),
        ..date_row(backfill, 1, state)
    };
    all.backfill_dates = vec![
        date(3, 6, DateState::Made(RunNo(6))),
        date(3, 7, DateState::Waiting(Some(RunNo(7)))),
        date(4, 8, DateState::Made(RunNo(8))),
    ];
    all.audits = (1..=3).map(audit_row).collect();
    all.asset_events = (1..=5).map(event_row).collect();
    let mut waiting = wait_row("shop", "crm.tickets");
    (waiting.first_event, waiting.last_event) = (4, 5);
    all.asset_waits = vec![waiting];
    all.outbox = vec![outbox_row(1, "a"), outbox_row(2, "b")];
    all.skipped_ticks = vec![skipped_row("crm", day(1)), skipped_row("shop", day(1))];
    all
}

async fn steps(store: &Store, options: CleanOptions) -> Vec<Cleaned> {
    let (mut cleaning, mut steps) = (store.clean(options), Vec::new());
    while let Some(step) = cleaning.next().await.expect("it writes") {
        steps.push(step);
    }
    steps
}

fn total(steps: &[Cleaned], table: &str) -> u64 {
    steps.iter().map(|step| step.of(table)).sum()
}

async fn count(place: &Place, table: &str) -> i64 {
    place.ask(&format!("SELECT count(*) FROM {table}")).await
}

const OF_RUNS: [&str; 7] = [
    "run",
    "task",
    "task_detail",
    "attempt",
    "output",
    "load",
    "check_result",
];

pub(crate) async fn whole_runs_go_and_those_still_needed_stay(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &history()).await;
    let mut options = CleanOptions::before(day(15));
    options.runs_per_step = 3;
    options.dag = Some(dag_id("crm"));
    let before = place.picture().await;
    options.dry_run = true;
    let dry = steps(&place.store, options.clone()).await;
    assert_eq!(place.picture().await, before);
    options.dry_run = false;
    let wet = steps(&place.store, options.clone()).await;
    // Runs 1 to 14 without 4 to 7.
    for table in OF_RUNS {
        assert_eq!(
            (total(&dry, table), total(&wet, table)),
            (10, 10),
            "{table}"
        );
        assert_eq!(count(place, table).await, 14, "{table}");
    }
    let small = |step: &&Cleaned| step.of("run") > 0;
    assert_eq!(wet.iter().filter(small).count(), 4);
    assert_eq!(place.ask("SELECT min(id) FROM run").await, 4);
    // Of the rest only what belongs to the DAG: a tick, and the backfill whose runs are gone.
    assert_eq!(
        (total(&wet, "skipped_tick"), total(&wet, "backfill")),
        (1, 1)
    );
    assert_eq!(count(place, "backfill_date").await, 2);
    assert_eq!(
        (
            count(place, "audit").await,
            count(place, "asset_event").await
        ),
        (3, 5)
    );
    assert_eq!(steps(&place.store, options).await, []);
    assert_eq!(place.store.check(at(0)).await.expect("it reads"), []);
    // Numbers stay given.
    let highest = place.store.recover().await.expect("it reads").highest;
    assert_eq!((highest.run, highest.attempt), (24, 24));
}

pub(crate) async fn what_is_of_no_run_goes_by_age(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &history()).await;
    let due = place.store.outbox_due(at(100), 1).await.expect("it writes");
    place
        .store
        .outbox_sent(&due, at(100))
        .await
        .expect("it writes");
    let mut options = CleanOptions::before(day(400));
    options.keep_loads = true;
    let went = steps(&place.store, options.clone()).await;
    assert_eq!((total(&went, "run"), count(place, "run").await), (20, 4));
    assert_eq!((total(&went, "load"), count(place, "load").await), (0, 24));
    assert_eq!(count(place, "check_result").await, 24);
    // What waits to be used, and what is not told yet, stays.
    assert_eq!(
        (
            total(&went, "asset_event"),
            count(place, "asset_event").await
        ),
        (3, 2)
    );
    assert_eq!(
        (total(&went, "outbox"), count(place, "outbox").await),
        (1, 1)
    );
    assert_eq!(
        (total(&went, "skipped_tick"), count(place, "audit").await),
        (2, 3)
    );
    options.keep_audit = false;
    let went = steps(&place.store, options).await;
    assert_eq!((total(&went, "audit"), count(place, "audit").await), (3, 0));
}

pub(crate) async fn whoever_stops_after_a_step_leaves_whole_runs(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &history()).await;
    let mut options = CleanOptions::before(day(15));
    options.runs_per_step = 1;
    let mut cleaning = place.store.clean(options);
    let step = cleaning.next().await.expect("it writes").expect("a step");
    assert_eq!((step.of("run"), step.of("attempt")), (1, 1));
    assert_eq!(place.store.check(at(0)).await.expect("it reads"), []);
    assert_eq!(
        (count(place, "run").await, count(place, "task").await),
        (23, 23)
    );
}

pub(crate) async fn a_run_that_somebody_clears_meanwhile_stays_whole(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &history()).await;
    let mut options = CleanOptions::before(day(15));
    options.runs_per_step = 2;
    let mut cleaning = place.store.clean(options);
    cleaning.next().await.expect("it writes").expect("a step");
    let again = RunRow {
        state: RunState::Running,
        ..run_row(9, &version_row("crm", ""))
    };
    let changes = Changes {
        runs: vec![RunRow {
            backfill: None,
            ..again
        }],
        tasks: vec![task_new(9, 0)],
        ..Changes::default()
    };
    put(&leader, 2, &changes).await;
    while cleaning.next().await.expect("it writes").is_some() {}
    assert_eq!(place.ask("SELECT count(*) FROM run WHERE id = 9").await, 1);
    assert_eq!(
        place
            .ask("SELECT count(*) FROM attempt WHERE run_id = 9")
            .await,
        1
    );
    assert_eq!(
        place
            .ask("SELECT count(*) FROM run WHERE id IN (8, 10)")
            .await,
        0
    );
}

pub(crate) async fn runs_that_went_are_known_until_their_logs_went(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &history()).await;
    let mut options = CleanOptions::before(day(3));
    options.dry_run = true;
    steps(&place.store, options.clone()).await;
    assert_eq!(place.store.logs_left(9).await.expect("it reads"), []);
    options.dry_run = false;
    steps(&place.store, options).await;
    let name = |id| run_row(id, &version_row("crm", "")).name.to_string();
    let left = |id| LogsLeft {
        dag: "crm".to_owned(),
        run: format!("{}.{id}", name(id)),
    };
    let ask = || async { place.store.logs_left(9).await.expect("it reads") };
    assert_eq!(ask().await, [left(1), left(2)]);
    assert_eq!(place.store.logs_left(1).await.expect("it reads").len(), 1);
    // A run of the name of one that went is made, under a new number: its logs are its own.
    let again = RunRow {
        name: name(1).into(),
        ..run_row(30, &version_row("crm", ""))
    };
    let changes = Changes {
        new_runs: vec![again],
        ..Changes::default()
    };
    put(&leader, 2, &changes).await;
    assert_eq!(ask().await, [left(1), left(2)]);
    place
        .store
        .logs_went(&ask().await)
        .await
        .expect("it writes");
    assert_eq!(ask().await, []);
}
