//! The simulator: that it sees what is broken on purpose, plays a seed the same each time, and finds nothing else.

#[path = "../../examples/simulate/sim/mod.rs"]
mod sim;

use sim::{Broken, Coverage, FAULTS, play};
use tidemill_scheduler::engine::Defects;

/// A defect has to be seen within so many seeds.
const SEEN_WITHIN: u64 = 500;

/// Seeds that are played with every change.
const SEEDS: std::ops::Range<u64> = 1..31;

/// Plays until something is found that must not be so.
fn seen(broken: Broken) -> (u64, String) {
    let mut seeds = 1..=SEEN_WITHIN;
    let found = seeds.find_map(|seed| Some((seed, play(seed, broken).violation?)));
    found.unwrap_or_else(|| panic!("{broken:?} is not seen in {SEEN_WITHIN} seeds"))
}

fn engine(defects: Defects) -> Broken {
    Broken {
        engine: defects,
        ..Broken::default()
    }
}

#[test]
fn a_report_that_counts_for_another_attempt_is_seen() {
    let (_, what) = seen(engine(Defects {
        no_fence: true,
        ..Defects::default()
    }));
    assert!(what.contains("attempt") || what.contains("job"), "{what}");
}

#[test]
fn a_second_run_for_a_date_is_seen() {
    let (_, what) = seen(engine(Defects {
        no_unique_date: true,
        ..Defects::default()
    }));
    assert!(what.contains("a second run"), "{what}");
}

#[test]
fn an_alert_that_is_not_written_is_seen() {
    let (_, what) = seen(engine(Defects {
        no_outbox: true,
        ..Defects::default()
    }));
    assert!(what.contains("nobody is told"), "{what}");
}

#[test]
fn slots_that_are_not_counted_are_seen() {
    let (_, what) = seen(engine(Defects {
        no_pool_count: true,
        ..Defects::default()
    }));
    assert!(what.contains("slots of the pool"), "{what}");
}

#[test]
fn what_is_said_before_it_is_stored_is_seen() {
    let (_, what) = seen(Broken {
        says_before_commit: true,
        ..Broken::default()
    });
    let told = ["before it was stored", "was told", "not on record"];
    assert!(told.iter().any(|told| what.contains(told)), "{what}");
}

#[test]
fn nothing_is_found_in_seeds_that_are_always_played() {
    let failed = include_str!("../../examples/simulate/seeds.txt").lines();
    let failed = failed.filter_map(|line| line.split_whitespace().next()?.parse().ok());
    let mut coverage = Coverage::default();
    let mut counted = 0;
    for seed in SEEDS.chain(failed) {
        let played = play(seed, Broken::default());
        if let Some(violation) = &played.violation {
            panic!("{}\nseed {seed}: {violation}", played.history);
        }
        counted += u64::from(played.counts());
        coverage.add(&played.coverage);
        assert!(played.steps > 0 && played.tasks.0 <= played.tasks.1);
    }
    assert!(counted * 10 >= (SEEDS.end - SEEDS.start) * 9, "{counted}");
    let seen = FAULTS.iter().filter(|what| coverage.count(what) > 0);
    let missing = coverage.missing();
    assert!(
        seen.count() + 3 >= FAULTS.len(),
        "never happened: {missing:?}"
    );
}

#[test]
fn a_seed_plays_the_same_each_time() {
    for seed in [3, 11] {
        let [one, other] = [(); 2].map(|()| play(seed, Broken::default()));
        assert_eq!(one.hash, other.hash);
        assert_eq!((one.jobs, one.tasks), (other.jobs, other.tasks));
    }
}
