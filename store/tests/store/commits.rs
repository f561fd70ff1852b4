//! All of a commit or nothing, once, and only by the leader.

use std::time::Duration;

use tidemill_core::protocol::{AttemptNo, RunNo};
use tidemill_core::state::{RunType, TaskState};
use tidemill_core::time::Timestamp;
use tidemill_store::record::{Changes, RunRow, TaskRow};
use tidemill_store::{CommitOutcome, Constraint, Lead, Resolved, Settled, StoreError};

use crate::place::Place;
use crate::round_trip::{LEASE, everything, lead, put};
use crate::sample::*;

fn one_audit(id: i64) -> Changes {
    Changes {
        audits: vec![audit_row(id)],
        ..Changes::default()
    }
}

pub(crate) async fn a_second_run_for_a_date_undoes_the_whole_commit(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &everything()).await;
    let before = place.picture().await;
    let crm = version_row("crm", "x");
    let twin = RunRow {
        id: RunNo(77),
        name: text("another"),
        kind: RunType::Backfill,
        ..run_row(1, &crm)
    };
    let mut changes = one_audit(7);
    changes.new_tasks = vec![task_new(77, 0)];
    changes.new_runs = vec![twin.clone()];
    let error = leader
        .commit(2, &changes)
        .await
        .expect_err("a date has one run");
    assert!(error.broke(Constraint::RunDate), "{error:?}");
    assert!(!error.broke(Constraint::RunName) && !error.is_retryable());
    assert_eq!(place.picture().await, before);
    // By hand the same date is fine, the same name is not.
    changes.new_runs[0].kind = RunType::Manual;
    changes.new_runs[0].name = text("scheduled__1");
    let error = leader
        .commit(2, &changes)
        .await
        .expect_err("a name is one run's");
    assert!(error.broke(Constraint::RunName), "{error:?}");
    assert_eq!(place.picture().await, before);
    changes.new_runs[0].name = text("by hand");
    put(&leader, 2, &changes).await;
}

pub(crate) async fn a_row_that_is_not_there_undoes_the_whole_commit(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &everything()).await;
    let before = place.picture().await;
    let mut changes = one_audit(7);
    changes.tasks = vec![task_row(1, 0), task_row(1, 99)];
    let error = leader
        .commit(2, &changes)
        .await
        .expect_err("there is no task 99");
    assert!(
        matches!(&error, StoreError::Missing { what } if what.contains("2 rows")),
        "{error:?}"
    );
    let mut changes = one_audit(7);
    changes.runs = vec![run_row(99, &version_row("crm", "x"))];
    let error = leader
        .commit(2, &changes)
        .await
        .expect_err("there is no run 99");
    assert!(matches!(error, StoreError::Missing { .. }), "{error:?}");
    assert_eq!(place.picture().await, before);
}

pub(crate) async fn a_batch_that_comes_twice_is_written_once(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &everything()).await;
    let before = place.picture().await;
    put(&leader, 1, &everything()).await;
    assert_eq!(place.picture().await, before);
    assert_eq!(leader.resolve(1).await.expect("it answers"), Resolved::Done);
    assert_eq!(
        leader.resolve(2).await.expect("it answers"),
        Resolved::NotDone
    );
    for wrong in [0, 3, 9] {
        let error = leader
            .commit(wrong, &one_audit(9))
            .await
            .expect_err("not the next");
        assert!(
            matches!(error, StoreError::OutOfOrder { last: 1, .. }),
            "{error:?}"
        );
    }
    assert_eq!(place.picture().await, before);
    put(&leader, 2, &Changes::default()).await;
}

pub(crate) async fn a_leader_that_was_replaced_changes_nothing(place: &Place) {
    let old = lead(&place.store).await;
    put(&old, 1, &everything()).await;
    // Somebody takes over while the old one is paused.
    place
        .by_hand("UPDATE leader SET term = term + 1, batch = 0, holder = 'another'")
        .await;
    let before = place.picture().await;
    let mut changes = everything();
    changes.versions.push(version_row("new", "new"));
    (changes.runs, changes.tasks) = (changes.new_runs, changes.new_tasks);
    (changes.new_runs, changes.new_tasks) = (vec![], vec![task_new(9, 9)]);
    changes.task_details[0].note = None;
    for batch in [1, 2] {
        let outcome = old.commit(batch, &changes).await;
        assert!(matches!(outcome, Ok(CommitOutcome::Deposed)), "{outcome:?}");
    }
    let settled = old.commit_surely(2, &changes, LEASE).await;
    assert_eq!(settled.expect("it answers"), Settled::Deposed);
    assert_eq!(old.resolve(1).await.expect("it answers"), Resolved::Deposed);
    assert!(!old.renew().await.expect("it answers"));
    old.resign().await.expect("it is told");
    assert_eq!(place.picture().await, before);
}

pub(crate) async fn of_two_who_commit_the_same_batch_one_does(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &everything()).await;
    let (one, two) = (one_audit(7), one_audit(8));
    let (first, second) = tokio::join!(leader.commit(2, &one), leader.commit(2, &two));
    assert!(matches!(first, Ok(CommitOutcome::Done)), "{first:?}");
    assert!(matches!(second, Ok(CommitOutcome::Done)), "{second:?}");
    assert_eq!(place.ask("SELECT count(*) FROM audit").await, 2);
}

pub(crate) async fn a_huge_commit_is_one_commit(place: &Place) {
    const TASKS: u32 = 9_000;
    let leader = lead(&place.store).await;
    put(&leader, 1, &everything()).await;
    let mut changes = Changes {
        new_tasks: (10..TASKS).map(|task| task_new(1, task)).collect(),
        ..one_audit(7)
    };
    put(&leader, 2, &changes).await;
    assert_eq!(
        place.ask("SELECT count(*) FROM task").await,
        i64::from(TASKS) - 10 + 3
    );
    // The last of many rows is not there: all of it is undone.
    let before = place
        .ask("SELECT count(*) FROM task WHERE state = 'queued'")
        .await;
    changes = Changes {
        tasks: (10..=TASKS)
            .map(|task| TaskRow {
                state: TaskState::Queued,
                ..task_new(1, task)
            })
            .collect(),
        ..one_audit(8)
    };
    let error = leader
        .commit(3, &changes)
        .await
        .expect_err("one is missing");
    assert!(matches!(error, StoreError::Missing { .. }), "{error:?}");
    assert_eq!(
        place
            .ask("SELECT count(*) FROM task WHERE state = 'queued'")
            .await,
        before
    );
    changes.tasks.pop();
    put(&leader, 3, &changes).await;
    let now = place
        .ask("SELECT count(*) FROM task WHERE state = 'queued'")
        .await;
    assert_eq!(now, before + i64::from(TASKS) - 10);
}

pub(crate) async fn what_a_database_cannot_hold_is_made_fit_and_wedges_nobody(place: &Place) {
    let leader = lead(&place.store).await;
    let mut changes = everything();
    let long = "x".repeat(100_000);
    changes.new_runs[0].params = text("a\0b");
    changes.new_runs[0].start = Timestamp::from_micros(i64::MIN);
    changes.new_runs[0].end = Timestamp::from_micros(i64::MAX);
    changes.new_runs[0].name = text(&long);
    changes.task_details[0].why = Some(text("\0"));
    changes.pools = vec![pool_row("\0\0"), pool_row(&long)];
    changes.asset_waits = vec![wait_row("crm", &long)];
    changes.outbox = vec![outbox_row(1, &long), outbox_row(2, &format!("{long}2"))];
    changes.loads[0].load.destination = long.clone();
    changes.checks[0].result.table = long.clone();
    changes.checks[0].result.name = format!("{long}\0");
    put(&leader, 1, &changes).await;
    let found = place.store.recover().await.expect("it reads");
    assert_eq!(&*found.runs[0].params, "a\u{fffd}b");
    assert_eq!(found.runs[0].end, Timestamp::from_micros(i64::MAX));
    assert!(found.runs[0].start < day(-1_000_000));
    assert_eq!(found.task_details[0].why.as_deref(), Some("\u{fffd}"));
    assert_eq!(&*found.pools[1].name, "\u{fffd}\u{fffd}");
    assert_eq!(place.ask("SELECT count(*) FROM outbox").await, 2);
    let run = place
        .store
        .run_named(&dag_id("crm"), &long)
        .await
        .expect("it reads");
    assert_eq!(run.map(|run| run.id), Some(RunNo(1)));
}

pub(crate) async fn the_lead_goes_to_one_at_a_time(place: &Place) {
    let short = Duration::from_millis(300);
    let first = place.store.lead("one", short).await.expect("the lead");
    let other = place.reopened().await;
    if !place.is_postgres() {
        let refused = other.try_lead("two", short).await;
        assert!(
            matches!(refused, Err(StoreError::OtherEngine { .. })),
            "{refused:?}"
        );
        // Readers open beside it, and a dead engine's lease keeps nobody waiting.
        assert_eq!(other.holder().await.expect("it reads").name, "one");
        drop(first);
        let second = other.lead("two", LEASE).await.expect("the lead");
        assert_eq!(second.term(), 2);
        return;
    }
    let held = other.try_lead("two", LEASE).await.expect("it answers");
    assert!(
        matches!(&held, Lead::Held { by, rest } if by == "one" && *rest <= short),
        "{held:?}"
    );
    assert!(first.renew().await.expect("it answers"));
    // It waits until the lease has ended, by the clock of the database.
    let second = other.lead("two", LEASE).await.expect("the lead");
    assert_eq!((first.term(), second.term()), (1, 2));
    let outcome = first.commit(1, &one_audit(1)).await;
    assert!(matches!(outcome, Ok(CommitOutcome::Deposed)), "{outcome:?}");
    put(&second, 1, &one_audit(1)).await;
    second.resign().await.expect("it is told");
    let third = place
        .store
        .try_lead("one", LEASE)
        .await
        .expect("it answers");
    assert!(matches!(third, Lead::Taken(leader) if leader.term() == 3));
}

pub(crate) async fn racing_leaders_commit_one_after_the_other(place: &Place) {
    if !place.is_postgres() {
        return racing_engines_on_one_file(place).await;
    }
    // Each takes the lead from the other at once; whatever is committed was committed by whoever led.
    let (one, two) = (place.reopened().await, place.reopened().await);
    let race = |store: tidemill_store::Store, from: i64| async move {
        let mut done = 0;
        for n in 0..30 {
            let leader = store.lead("racer", Duration::ZERO).await.expect("the lead");
            let outcome = leader.commit(1, &one_audit(from + n)).await;
            done += match outcome.expect("an answer") {
                CommitOutcome::Done => 1,
                CommitOutcome::Deposed => 0,
                CommitOutcome::Unknown(why) => panic!("{why}"),
            };
        }
        done
    };
    let (first, second) = tokio::join!(race(one, 1_000), race(two, 2_000));
    assert_eq!(
        place.ask("SELECT count(*) FROM audit").await,
        first + second
    );
    assert_eq!(place.ask("SELECT term FROM leader").await, 60);
}

async fn racing_engines_on_one_file(place: &Place) {
    let (one, two) = (place.reopened().await, place.reopened().await);
    let (first, second) = tokio::join!(one.try_lead("one", LEASE), two.try_lead("two", LEASE));
    let led = [&first, &second].into_iter().filter(|lead| lead.is_ok());
    assert_eq!(led.count(), 1, "{first:?} {second:?}");
}

pub(crate) async fn numbers_that_were_given_are_never_forgotten(place: &Place) {
    let leader = lead(&place.store).await;
    put(&leader, 1, &everything()).await;
    let changes = Changes {
        tasks: vec![TaskRow {
            attempt: AttemptNo(5_000),
            ..task_row(1, 0)
        }],
        ..Changes::default()
    };
    put(&leader, 2, &changes).await;
    place
        .by_hand("DELETE FROM run; DELETE FROM task; DELETE FROM attempt; DELETE FROM outbox")
        .await;
    let highest = place.store.recover().await.expect("it reads").highest;
    assert_eq!(
        (highest.run, highest.attempt, highest.outbox),
        (2, 5_000, 5)
    );
}
