//! The audit log is bound: what somebody changes in it by hand is found, and nothing else is.

use serde_json::json;
use tidemill_store::record::{AuditRow, Changes};
use tidemill_store::{Chain, CleanOptions, Found, Known, Store, Verified};

use crate::accesses::by;
use crate::place::Place;
use crate::round_trip::{lead, put};
use crate::sample::*;

/// Lines of the leader, written a second after each other.
fn lines(ids: impl IntoIterator<Item = i64>) -> Changes {
    let line = |id| AuditRow {
        at: at(id),
        ..audit_row(id)
    };
    Changes {
        audits: ids.into_iter().map(line).collect(),
        ..Changes::default()
    }
}

async fn access(store: &Store, seconds: i64) {
    let noted = store.note_access("login.refused", HOSTILE, json!({}), by(HOSTILE, seconds));
    noted.await.expect("it writes");
}

/// Five lines of the leader in three commits, and four about access.
async fn some(store: &Store) -> tidemill_store::Leader {
    let leader = lead(store).await;
    put(&leader, 1, &lines(1..=2)).await;
    put(&leader, 2, &Changes::default()).await;
    put(&leader, 3, &lines([3])).await;
    put(&leader, 4, &lines([5, 4])).await;
    for seconds in 1..=4 {
        access(store, seconds).await;
    }
    leader
}

async fn verified(store: &Store) -> [Verified; 2] {
    let all = store.verify_audit(&[], None).await.expect("it reads");
    all.try_into().expect("two chains")
}

/// How many lines of each chain fit, and that no other is there.
pub(crate) async fn fit(store: &Store) -> [u64; 2] {
    verified(store).await.map(|one| {
        assert_eq!(one.fault, None, "{:?}", one.chain);
        one.lines
    })
}

/// The first line that does not fit, of the leader's if one of those does not.
async fn misfit(store: &Store) -> Option<(i64, Found)> {
    let [leader, access] = verified(store).await;
    let misfit = |one: &Verified| one.fault.as_ref().map(|fault| (fault.line, fault.found));
    let (leader, access) = (misfit(&leader), misfit(&access));
    leader.or(access)
}

const BY_HAND: &[(&str, (i64, Found))] = &[
    (
        "UPDATE audit SET actor = 'eve' WHERE id = 3",
        (3, Found::Unfit),
    ),
    (
        "UPDATE audit SET action = 'task.cleas' WHERE id = 3",
        (3, Found::Unfit),
    ),
    (
        "UPDATE audit SET target = '' WHERE id = 3",
        (3, Found::Unfit),
    ),
    (
        "UPDATE audit SET dag = 'shop' WHERE id = 3",
        (3, Found::Unfit),
    ),
    (
        "UPDATE audit SET dag = NULL WHERE id = 3",
        (3, Found::Unfit),
    ),
    (
        "UPDATE audit SET run_id = 2 WHERE id = 3",
        (3, Found::Unfit),
    ),
    (
        "UPDATE audit SET run_id = NULL WHERE id = 3",
        (3, Found::Unfit),
    ),
    (
        "UPDATE audit SET details = '{ }' WHERE id = 3",
        (3, Found::Unfit),
    ),
    (
        "UPDATE audit SET done_at = (SELECT done_at FROM audit WHERE id = 2) WHERE id = 3",
        (3, Found::Unfit),
    ),
    ("UPDATE audit SET hash = '' WHERE id = 3", (3, Found::Unfit)),
    (
        "UPDATE audit SET hash = NULL WHERE id = 3",
        (3, Found::Unbound),
    ),
    (
        "UPDATE audit SET hash = NULL WHERE id = 1",
        (2, Found::Unfit),
    ),
    (
        "UPDATE audit SET actor = 'eve' WHERE id = -2",
        (-2, Found::Unfit),
    ),
    (
        "UPDATE audit SET details = '' WHERE id = -4",
        (-4, Found::Unfit),
    ),
    // Taken away: at the beginning, in the middle, at the end, everywhere.
    ("DELETE FROM audit WHERE id = 1", (2, Found::Unfit)),
    ("DELETE FROM audit WHERE id = 3", (4, Found::Unfit)),
    ("DELETE FROM audit WHERE id = 5", (5, Found::Gone)),
    ("DELETE FROM audit WHERE id > 0", (5, Found::Gone)),
    ("DELETE FROM audit WHERE id = -1", (-2, Found::Unfit)),
    ("DELETE FROM audit WHERE id = -4", (-4, Found::Gone)),
    (
        "DELETE FROM audit WHERE id = 5; UPDATE leader SET audit_max = 4",
        (4, Found::NotTheLast),
    ),
    // Moved.
    ("UPDATE audit SET id = 6 WHERE id = 3", (4, Found::Unfit)),
    (
        "UPDATE audit SET id = 6 WHERE id = 3; UPDATE audit SET id = 3 WHERE id = 2; UPDATE audit SET id = 2 WHERE id = 6",
        (2, Found::Unfit),
    ),
    ("UPDATE audit SET id = -5 WHERE id = 5", (5, Found::Gone)),
    // Added.
    (
        "INSERT INTO audit SELECT 6, done_at, actor, action, target, dag, run_id, details, hash FROM audit WHERE id = 5",
        (6, Found::Beyond),
    ),
    (
        "INSERT INTO audit SELECT 0, done_at, actor, action, target, dag, run_id, details, hash FROM audit WHERE id = 1",
        (0, Found::Early),
    ),
    (
        "INSERT INTO audit SELECT -5, done_at, actor, action, target, dag, run_id, details, hash FROM audit WHERE id = -4",
        (-5, Found::Beyond),
    ),
];

pub(crate) async fn whatever_somebody_does_by_hand_is_found(place: &Place) {
    let leader = some(&place.store).await;
    assert_eq!(fit(&place.store).await, [5, 4]);
    place
        .by_hand("CREATE TABLE kept AS SELECT * FROM audit")
        .await;
    for (sql, expected) in BY_HAND {
        place.by_hand(sql).await;
        let found = misfit(&place.store).await;
        assert_eq!(found, Some(*expected), "{sql}");
        place
            .by_hand(
                "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; UPDATE leader SET audit_max = 5",
            )
            .await;
    }
    // And both go on.
    put(&leader, 5, &lines([6])).await;
    access(&place.store, 5).await;
    assert_eq!(fit(&place.store).await, [6, 5]);
}

pub(crate) async fn what_was_not_done_is_in_no_chain(place: &Place) {
    let leader = some(&place.store).await;
    let mut undone = lines([6]);
    undone.tasks = vec![task_row(1, 99)];
    leader.commit(5, &undone).await.expect_err("no such task");
    // Out of order, and once more what is on record.
    leader
        .commit(9, &lines([7]))
        .await
        .expect_err("not the next");
    put(&leader, 4, &lines([5, 4])).await;
    put(&leader, 5, &lines([6])).await;
    // A change about access that is refused.
    let missing = place.store.drop_grant("nobody", "crm_*", by("root", 9));
    assert!(!missing.await.expect("it writes"));
    access(&place.store, 9).await;
    assert_eq!(fit(&place.store).await, [6, 5]);
}

pub(crate) async fn whoever_takes_over_goes_on_with_the_chain(place: &Place) {
    for term in 0..3 {
        let leader = lead(&place.store).await;
        put(&leader, 1, &lines([term * 2 + 1])).await;
        put(&leader, 2, &lines([term * 2 + 2])).await;
        // It dies: it gives nothing back.
        drop(leader);
        place
            .by_hand("UPDATE leader SET lease_until = NULL, holder = NULL")
            .await;
        access(&place.reopened().await, term).await;
    }
    assert_eq!(fit(&place.store).await, [6, 3]);
}

pub(crate) async fn many_who_change_access_make_one_chain(place: &Place) {
    let others = [place.reopened().await, place.reopened().await];
    let tries = (0..20).map(|n| {
        let store = others[n % 2].clone();
        tokio::spawn(async move { access(&store, i64::try_from(n).expect("few")).await })
    });
    for one in tries.collect::<Vec<_>>() {
        one.await.expect("it ends");
    }
    assert_eq!(fit(&place.store).await, [0, 20]);
}

async fn clean(store: &Store, options: CleanOptions) -> u64 {
    let (mut cleaning, mut went) = (store.clean(options), 0);
    while let Some(step) = cleaning.next().await.expect("it writes") {
        went += step.of("audit");
    }
    went
}

pub(crate) async fn a_clean_takes_the_beginning_and_nobody_takes_more(place: &Place) {
    let store = &place.store;
    let leader = some(store).await;
    // Line 7 is old and behind some that are not: it stays, as a chain can lose its beginning only.
    let mut late = lines([6, 7]);
    late.audits[1].at = at(1);
    put(&leader, 5, &late).await;
    let before = |seconds| CleanOptions {
        keep_audit: false,
        ..CleanOptions::before(at(seconds))
    };
    let of_dag = CleanOptions {
        dag: Some(dag_id("crm")),
        ..before(9)
    };
    assert_eq!(
        clean(store, of_dag).await,
        0,
        "no line goes from the middle"
    );
    let counted = CleanOptions {
        dry_run: true,
        ..before(3)
    };
    assert_eq!(clean(store, counted).await, 4);
    assert_eq!(clean(store, before(3)).await, 4);
    assert_eq!(clean(store, before(3)).await, 0);
    assert_eq!(fit(store).await, [5, 2]);
    place
        .by_hand("CREATE TABLE kept AS SELECT * FROM audit")
        .await;
    for (sql, expected) in [
        ("DELETE FROM audit WHERE id = 3", (4, Found::Unfit)),
        ("DELETE FROM audit WHERE id = -3", (-4, Found::Unfit)),
        (
            "INSERT INTO audit SELECT 1, done_at, actor, action, target, dag, run_id, details, hash FROM audit WHERE id = 3",
            (1, Found::Early),
        ),
        (
            "INSERT INTO audit SELECT 2, done_at, actor, action, target, dag, run_id, details, NULL FROM audit WHERE id = 3",
            (2, Found::Early),
        ),
    ] {
        place.by_hand(sql).await;
        assert_eq!(misfit(store).await, Some(expected), "{sql}");
        place
            .by_hand("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept")
            .await;
    }
    // All of it may go; the next lines fit the last that went.
    assert_eq!(clean(store, before(99)).await, 7);
    assert_eq!(fit(store).await, [0, 0]);
    put(&leader, 6, &lines([8])).await;
    access(store, 9).await;
    assert_eq!(fit(store).await, [1, 1]);
}

pub(crate) async fn lines_from_before_there_was_a_chain_are_left_alone(place: &Place) {
    let store = &place.store;
    drop(some(store).await);
    // As the step of the schema leaves it.
    place
        .by_hand(
            "UPDATE audit SET hash = NULL; UPDATE leader SET audit_hash = '', holder = NULL; UPDATE access_turn SET audit_hash = ''; \
             UPDATE audit_start SET line = CASE WHEN chain = 'leader' THEN 5 ELSE -4 END",
        )
        .await;
    let older = |all: [Verified; 2]| all.map(|one| (one.older, one.lines, one.fault));
    assert_eq!(older(verified(store).await), [(5, 0, None), (4, 0, None)]);
    let leader = lead(store).await;
    put(&leader, 1, &lines([6, 7])).await;
    access(store, 9).await;
    assert_eq!(older(verified(store).await), [(5, 2, None), (4, 1, None)]);
    // Some of them are cleaned away, and then some that have hashes.
    for (seconds, went, left) in [(3, 4, [(3, 2), (2, 1)]), (7, 6, [(0, 1), (0, 1)])] {
        let options = CleanOptions {
            keep_audit: false,
            ..CleanOptions::before(at(seconds))
        };
        assert_eq!(clean(store, options).await, went);
        let now = verified(store).await;
        assert_eq!(now.map(|one| (one.older, one.lines)), left);
    }
    assert_eq!(fit(store).await, [1, 1]);
    place.by_hand("DELETE FROM audit WHERE id = 7").await;
    assert_eq!(misfit(store).await, Some((7, Found::Gone)));
}

pub(crate) async fn what_was_noted_elsewhere_is_asked_for(place: &Place) {
    let store = &place.store;
    let leader = some(store).await;
    let noted = verified(store).await.map(|one| one.last);
    assert_eq!(noted.each_ref().map(|known| known.line), [5, -4]);
    put(&leader, 5, &lines([6])).await;
    let verify = async |known: &[Known], newest| {
        let all = store.verify_audit(known, newest).await.expect("it reads");
        let found = |one: &Verified| one.fault.as_ref().map(|fault| (fault.line, fault.found));
        (
            all.iter().find_map(found),
            all.iter().map(|one| one.lines).sum::<u64>(),
        )
    };
    assert_eq!(verify(&noted, None).await, (None, 10));
    let other = |line| Known {
        line,
        hash: noted[0].hash.clone(),
    };
    let wrong = Some((3, Found::NotTheKnown));
    assert_eq!(verify(&[other(3)], None).await.0, wrong);
    let gone = Some((-9, Found::Gone));
    assert_eq!(verify(&[other(-9)], None).await.0, gone);
    // The newest only: the line before them is taken as it is.
    place
        .by_hand("UPDATE audit SET actor = '' WHERE id IN (2, -1)")
        .await;
    assert_eq!(verify(&[], Some(3)).await, (None, 8));
    assert_eq!(verify(&[], Some(5)).await.0, Some((2, Found::Unfit)));
    let all = verified(store).await;
    let faults = all
        .each_ref()
        .map(|one| one.fault.as_ref().map(|fault| fault.line));
    assert_eq!(faults, [Some(2), Some(-1)]);
    assert_eq!(all.map(|one| one.chain), [Chain::Leader, Chain::Access]);
}
