//! Real processes under real faults. What each must not do, and how long the rest may take.

mod cycles;
mod database;
mod leader;
mod rolling;
mod standalone;
mod worker;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tidemill_tests::fleet::Fleet;
use tidemill_tests::wall;
use tidemill_tests::witness::{Line, What};

/// The plant's binary.
const PLANT: [&str; 2] = [env!("CARGO_BIN_EXE_faults"), "plant"];

/// More than anything takes.
const MINUTE: Duration = Duration::from_secs(60);

/// Tests that measure something run one after the other.
static MEASURING: Mutex<()> = Mutex::new(());

/// Runs a test that measures something.
fn measured(test: impl Future<Output = ()>) {
    let _alone = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    free(test);
}

/// Runs a test beside which others may run.
fn free(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime starts").block_on(test);
}

/// The present, in the witness's milliseconds.
fn now() -> i64 {
    wall().micros() / 1_000
}

/// Says what was measured, and holds it against what is allowed.
#[expect(
    clippy::print_stdout,
    reason = "figures for whoever reads the tests' output"
)]
fn within(what: &str, ms: i64, most: Duration) {
    println!("{what}: {:.1} s, at most {most:?}", ms as f64 / 1_000.0);
    assert!(
        u128::try_from(ms).is_ok_and(|ms| ms <= most.as_millis()),
        "{what}: {ms} ms"
    );
}

/// The attempts that began after a moment.
fn began_after(fleet: &Fleet, moment: i64) -> Vec<Line> {
    let lines = fleet.witness.lines();
    let began = lines.into_iter().filter(|line| line.what == What::Started);
    began.filter(|line| line.at > moment).collect()
}

/// Waits until an attempt begins after a moment, and says when.
async fn next_begin(fleet: &Fleet, moment: i64) -> i64 {
    fleet
        .until("an attempt begins", MINUTE, async |fleet| {
            began_after(fleet, moment).iter().map(|line| line.at).min()
        })
        .await
}

/// Waits until there are so many lines of a kind.
async fn lines(fleet: &Fleet, what: What, count: usize) {
    fleet
        .until("tasks are under way", MINUTE, async |fleet| {
            let lines = fleet.witness.lines();
            let there = lines.iter().filter(|line| line.what == what).count();
            (there >= count).then_some(())
        })
        .await;
}
