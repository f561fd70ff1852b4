//! Hints wake who listens; who hears nothing looks in time.

use tidemill_store::Hint;

use crate::place::Place;

pub(crate) async fn who_listens_is_told(place: &Place) {
    let mut listener = place.store.listen();
    // The first wait also opens the connection, so that no hint is lost below.
    assert_eq!(listener.next().await, Hint::Time);
    for _ in 0..3 {
        place.store.hint();
        assert_eq!(listener.next().await, Hint::Told);
    }
}

pub(crate) async fn many_hints_are_few(place: &Place) {
    let mut listener = place.store.listen();
    assert_eq!(listener.next().await, Hint::Time);
    for _ in 0..1_000 {
        place.store.hint();
    }
    let mut told = 0;
    while listener.next().await == Hint::Told {
        told += 1;
    }
    assert!((1..=3).contains(&told), "{told}");
}

pub(crate) async fn a_broken_line_only_costs_time(place: &Place) {
    let mut listener = place.store.listen();
    assert_eq!(listener.next().await, Hint::Time);
    if place.is_postgres() {
        place
            .by_hand(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .await;
        while listener.next().await != Hint::Time {}
    }
    // The sender's connection broke as well; the hint that finds it broken may be lost, those after it are not.
    let mut tries = 0;
    loop {
        place.store.hint();
        if listener.next().await == Hint::Told {
            return;
        }
        tries += 1;
        assert!(tries < 10, "no hint arrives any more");
    }
}
