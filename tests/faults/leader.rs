//! A leader that dies or stands still.

use std::time::Duration;

use rustix::process::Signal;
use tidemill_tests::audit;
use tidemill_tests::fleet::{Fleet, Setup};
use tidemill_tests::witness::What;

use crate::{MINUTE, PLANT, lines, measured, next_begin, now, within};

/// What was on its way when the leader fell silent has begun by then.
const ON_ITS_WAY_MS: i64 = 1_000;

const MOST: Duration = Duration::from_secs(15);

#[test]
fn after_a_leader_is_killed_the_next_decides_within_fifteen_seconds() {
    measured(async {
        let mut fleet = Fleet::start(Setup::apart(&PLANT, 2)).await;
        let run = fleet.trigger("rows", "first").await;
        lines(&fleet, What::Ended, 20).await;
        let leader = fleet.led().await;
        let at = now();
        fleet.process(&leader).kill();
        let next = next_begin(&fleet, at + ON_ITS_WAY_MS).await;
        within(
            "after kill -9 of the leader the next task begins",
            next - at,
            MOST,
        );
        audit::ended(&fleet, &[run], MINUTE).await;
        let counts = audit::audit(&fleet, &[run]).await;
        assert_eq!(counts.lost, 0, "the workers went on all the time");
    });
}

#[test]
fn a_leader_that_stood_still_is_replaced_and_writes_nothing_any_more() {
    measured(async {
        let mut fleet = Fleet::start(Setup::apart(&PLANT, 2)).await;
        let run = fleet.trigger("rows", "first").await;
        lines(&fleet, What::Ended, 20).await;
        let leader = fleet.led().await;
        let before = fleet.store.holder().await.unwrap();
        let at = now();
        fleet.process(&leader).signal(Signal::STOP);
        let next = next_begin(&fleet, at + ON_ITS_WAY_MS).await;
        within(
            "after SIGSTOP of the leader the next task begins",
            next - at,
            MOST,
        );
        let other = fleet.led().await;
        assert_ne!(other, leader);
        let after = fleet.store.holder().await.unwrap();
        assert_eq!(after.term, before.term + 1);
        fleet.process(&leader).signal(Signal::CONT);
        while !fleet
            .process(&leader)
            .said()
            .contains("another scheduler leads now")
        {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        audit::ended(&fleet, &[run], MINUTE).await;
        let counts = audit::audit(&fleet, &[run]).await;
        assert_eq!(counts.lost, 0, "the workers went on all the time");
        let last = fleet.store.holder().await.unwrap();
        assert_eq!((last.term, last.name), (after.term, after.name));
    });
}
