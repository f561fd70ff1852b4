//! Many at once, and callers that go away.

use std::time::Duration;

use tidemill_core::time::Timestamp;
use tidemill_store::history::{Cursor, RunFilter};
use tidemill_store::outbox::Next;
use tidemill_store::record::{Changes, OutputRow};
use tidemill_store::{CommitOutcome, Options};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::place::{Place, open_with};
use crate::round_trip::{everything, lead, put};
use crate::sample::*;

/// So many at once, so often each.
const WRITERS: i64 = 32;
const WRITES: i64 = 60;

pub(crate) async fn nobody_is_turned_away_by_thirty_two_writers(place: &Place) {
    let leader = lead(&place.store).await;
    let letters = (1..=WRITERS).map(|id| outbox_row(id, &format!("key {id}")));
    let first = Changes {
        outbox: letters.collect(),
        ..everything()
    };
    put(&leader, 1, &first).await;
    let due = place
        .store
        .outbox_due(at(1_000), 1_000)
        .await
        .expect("it writes");
    assert_eq!(due.len(), usize::try_from(WRITERS).expect("a count"));
    // Two processes' worth of stores on one database, while the leader commits.
    let other = place.reopened().await;
    let mut writers = JoinSet::new();
    for due in due {
        let store = if due.row.id % 2 == 0 {
            &place.store
        } else {
            &other
        }
        .clone();
        writers.spawn(async move {
            for n in 0..WRITES {
                let kept = store.outbox_failed(&due, HOSTILE, Next::At(at(n))).await;
                assert!(kept.expect("nobody is turned away"));
            }
        });
    }
    let mut batch = 1;
    while !writers.is_empty() {
        batch += 1;
        put(
            &leader,
            batch,
            &Changes {
                audits: vec![audit_row(batch + 10)],
                ..Changes::default()
            },
        )
        .await;
        while let Some(done) = writers.try_join_next() {
            done.expect("it wrote");
        }
    }
    assert!(batch > 2);
}

/// So many callers go away in the middle of something.
const ABORTED: u64 = 10_000;

pub(crate) async fn callers_that_go_away_leave_nothing_open(place: &Place) {
    let options = Options {
        readers_max: 2,
        connect_within: Duration::from_secs(60),
        ..Options::default()
    };
    let store = open_with(&place.url, options).await;
    let leader = lead(&store).await;
    put(&leader, 1, &everything()).await;
    let (of, now) = (RunFilter::default(), at(0));
    for n in 0..ABORTED {
        // Some go before the database is asked, most while it is, some after.
        let patience = Duration::from_micros(n % 397);
        match n % 5 {
            0 => drop(timeout(patience, leader.renew()).await),
            1 => drop(timeout(patience, store.outbox_due(now, 1)).await),
            2 => drop(timeout(patience, leader.resolve(1)).await),
            3 if n % 100 == 3 => drop(timeout(patience, store.recover()).await),
            _ => drop(timeout(patience, store.runs(&of, Cursor::START, 10)).await),
        }
    }
    // One that goes away does not stop its commit, either.
    drop(timeout(Duration::ZERO, leader.commit(2, &Changes::default())).await);
    let outcome = leader.commit(2, &Changes::default()).await;
    assert!(matches!(outcome, Ok(CommitOutcome::Done)), "{outcome:?}");
    // What was asked for before these was answered before these.
    for _ in 0..8 {
        store.recover().await.expect("it reads");
        store.outbox_due(now, 1).await.expect("it writes");
    }
    if place.is_postgres() {
        const OPEN: &str = "SELECT count(*) FROM pg_stat_activity \
            WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
        // A connection on its way back into the pool may still be seen inside its last transaction.
        let mut tries = 0;
        while place.ask(OPEN).await > 0 {
            tries += 1;
            assert!(tries < 100, "a connection stays idle in a transaction");
        }
    }
    put(
        &leader,
        3,
        &Changes {
            audits: vec![audit_row(50)],
            ..Changes::default()
        },
    )
    .await;
    assert!(store.check(Timestamp::from_micros(0)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_beside_a_sqlite_database_stays_small() {
    const BYTES_MAX: u64 = 64 << 20;
    let place = Place::sqlite().await;
    let leader = lead(&place.store).await;
    put(&leader, 1, &everything()).await;
    let value = text(&format!("\"{}\"", "x".repeat(1 << 20)));
    for batch in 2..=40 {
        // Four megabytes each, 160 in all.
        let output = |n: i64| OutputRow {
            value: value.clone(),
            ..output_row(1_000 + batch * 10 + n, instance(1, 0))
        };
        let changes = Changes {
            outputs: (0..4).map(output).collect(),
            ..Changes::default()
        };
        put(&leader, batch, &changes).await;
    }
    let path = place.url.strip_prefix("sqlite://").expect("a path");
    let beside = std::fs::metadata(format!("{path}-wal")).expect("a file");
    assert!(beside.len() <= BYTES_MAX, "{} bytes", beside.len());
}
