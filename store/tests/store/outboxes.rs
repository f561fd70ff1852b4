//! The relay's side of the outbox.

use tidemill_core::protocol::RunNo;
use tidemill_store::access::By;
use tidemill_store::history::AuditOf;
use tidemill_store::outbox::{Due, Next, OUTBOX_LEASE, OutboxState};
use tidemill_store::record::{Changes, OutboxRow};
use tidemill_store::{Leader, Store};

use crate::place::Place;
use crate::round_trip::{lead, put};
use crate::sample::*;

async fn three_letters(place: &Place) -> (Leader, Changes) {
    let leader = lead(&place.store).await;
    let later = OutboxRow {
        at: at(500),
        ..outbox_row(3, "c")
    };
    let changes = Changes {
        outbox: vec![outbox_row(1, "a"), outbox_row(2, "b"), later],
        ..Changes::default()
    };
    put(&leader, 1, &changes).await;
    (leader, changes)
}

async fn due(store: &Store, seconds: i64, rows: u32) -> Vec<Due> {
    store
        .outbox_due(at(seconds), rows)
        .await
        .expect("it writes")
}

pub(crate) async fn what_is_due_is_taken_by_one_relay(place: &Place) {
    let (leader, changes) = three_letters(place).await;
    assert_eq!(due(&place.store, 69, 10).await, []);
    let (one, two) = (&place.store, &place.reopened().await);
    let (first, second) = tokio::join!(due(one, 100, 1), due(two, 100, 1));
    let mut both = [first, second].concat();
    both.sort_by_key(|due| due.row.id);
    let rows: Vec<_> = both.iter().map(|due| due.row.clone()).collect();
    assert_eq!(rows, changes.outbox[..2]);
    assert_eq!(due(one, 101, 10).await, []);
    // The same key again is the same thing.
    let again = Changes {
        outbox: vec![outbox_row(9, "a")],
        ..Changes::default()
    };
    put(&leader, 2, &again).await;
    assert_eq!(due(one, 101, 10).await, []);
}

pub(crate) async fn a_relay_that_was_too_slow_changes_nothing(place: &Place) {
    let (_leader, _) = three_letters(place).await;
    let store = &place.store;
    let slow = due(store, 100, 1).await;
    let lease = i64::try_from(OUTBOX_LEASE.as_secs()).expect("seconds");
    let quick = due(store, 101 + lease, 2).await;
    assert_eq!(
        quick.iter().map(|due| due.tries).collect::<Vec<_>>(),
        [2, 1]
    );
    assert_eq!(
        store.outbox_sent(&slow, at(200)).await.expect("it writes"),
        0
    );
    assert!(
        !store
            .outbox_failed(&slow[0], "late", Next::Dead)
            .await
            .expect("it writes")
    );
    assert_eq!(
        store.outbox_sent(&quick, at(201)).await.expect("it writes"),
        2
    );
    assert_eq!(
        store.outbox_sent(&quick, at(202)).await.expect("it writes"),
        0
    );
    let sent = store
        .letters(Some(OutboxState::Sent), None, i64::MAX, 10)
        .await
        .expect("it reads");
    assert_eq!(sent.len(), 2);
    assert_eq!((sent[0].due.row.id, sent[0].sent_at), (2, Some(at(201))));
}

pub(crate) async fn what_fails_is_tried_later_until_it_is_dead(place: &Place) {
    let (_leader, _) = three_letters(place).await;
    let store = &place.store;
    let first = due(store, 100, 1).await;
    let later = store
        .outbox_failed(&first[0], HOSTILE, Next::At(at(300)))
        .await;
    assert!(later.expect("it writes"));
    assert_eq!(due(store, 299, 1).await[0].row.id, 2);
    let second = due(store, 300, 1).await;
    assert_eq!((second[0].row.id, second[0].tries), (1, 2));
    assert!(
        store
            .outbox_failed(&second[0], "gone", Next::Dead)
            .await
            .expect("it writes")
    );
    let dead = store
        .letters(Some(OutboxState::Dead), None, i64::MAX, 10)
        .await
        .expect("it reads");
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].last_error.as_deref(), Some("gone"));
    let by = By {
        who: "ann",
        at: at(400),
    };
    let again = async |letter: &Due| store.outbox_again(letter, by).await.expect("it writes");
    let older = Due {
        tries: 1,
        ..dead[0].due.clone()
    };
    assert!(!again(&older).await, "it was tried once more meanwhile");
    assert!(again(&dead[0].due).await);
    assert!(!again(&dead[0].due).await);
    let log = store.audits(&AuditOf::All, i64::MAX, 9).await;
    let log = log.expect("it reads");
    let lines: Vec<_> = log
        .iter()
        .map(|line| (&*line.actor, &*line.action, &*line.target))
        .collect();
    assert_eq!(lines, [("ann", "alert.again", &*dead[0].due.row.key)]);
    assert_eq!(due(store, 400, 9).await[0].tries, 3);
    let of_run = store.letters_of_run(RunNo(1)).await.expect("it reads");
    assert_eq!(of_run.len(), 3);
    let page = store.letters(None, None, 3, 1).await.expect("it reads");
    assert_eq!(page[0].due.row.id, 2);
}

pub(crate) async fn letters_are_narrowed_to_dags_before_they_are_cut(place: &Place) {
    let leader = lead(&place.store).await;
    let about = |id, dag: Option<&str>| OutboxRow {
        dag: dag.map(dag_id),
        ..outbox_row(id, &format!("key {id}"))
    };
    let changes = Changes {
        outbox: vec![
            about(1, Some("crm")),
            about(2, Some("crm_b")),
            about(3, None),
            about(4, Some("shop")),
        ],
        ..Changes::default()
    };
    put(&leader, 1, &changes).await;
    let ids = async |among: Option<&[&str]>, rows| {
        let among = among.map(|among| among.iter().copied().map(dag_id).collect::<Vec<_>>());
        let found = place.store.letters(None, among.as_deref(), i64::MAX, rows);
        let found = found.await.expect("it reads");
        found.iter().map(|one| one.due.row.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, 9).await, [4, 3, 2, 1]);
    assert_eq!(ids(Some(&["crm"]), 1).await, [1]);
    assert_eq!(ids(Some(&["crm", "shop"]), 9).await, [4, 1]);
    assert!(ids(Some(&[]), 9).await.is_empty());
}
