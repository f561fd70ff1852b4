//! Attempts that cannot be stopped: nothing else begins, and whoever asks is told why.

use tidemill_core::protocol::{AttemptRef, Report, RunNo};
use tidemill_core::span::seconds;
use tidemill_core::state::{RunState, TaskState};
use tidemill_scheduler::engine::{Command, Gate, Held, Input};

use super::drafts::{TaskDraft as _, dag, task};
use super::kit::{Kit, deferred};

/// Two workers, and a task of the first that waits for a job.
fn waiting() -> (Kit, RunNo, AttemptRef) {
    let mut kit = Kit::new();
    kit.worker("w1", 10, &["default"]);
    kit.deploy(dag("d", [task("load").retries(1, seconds(1))]));
    let run = kit.trigger("d");
    kit.start(run, "load");
    let attempt = kit.attempt(run, "load");
    kit.report_as("w1", attempt, deferred("{\"job\":\"j-7\"}"));
    kit.worker("w2", 10, &["default"]);
    kit.given.clear();
    (kit, run, attempt)
}

fn stuck(kit: &mut Kit, worker: &str, attempt: AttemptRef, why: &str) {
    kit.tell(Input::Stuck {
        worker: worker.into(),
        attempt,
        why: why.into(),
        again: seconds(30),
    });
}

fn stopping(kit: &Kit, attempt: AttemptRef) -> Option<Held> {
    let why = kit.engine.why(attempt.of).expect("the run is at hand");
    why.gates
        .into_iter()
        .find(|held| held.gate == Gate::Stopping)
}

#[test]
fn what_stands_in_the_way_of_a_stop_is_shown_until_it_is_done() {
    let (mut kit, run, attempt) = waiting();
    kit.clear(run, &["load"]);
    let says = stopping(&kit, attempt).unwrap().says;
    assert_eq!(says, "its last attempt is being stopped by worker w1");
    stuck(&mut kit, "w1", attempt, "there is no connection `gcp`");
    let held = stopping(&kit, attempt).unwrap();
    assert!(!held.open);
    let words = "by worker w1, which cannot cancel what it started {\"job\":\"j-7\"}: there is no connection `gcp`; it \
        tries again at ";
    assert!(held.says.contains(words), "{}", held.says);
    assert_eq!(kit.state(run, "load"), TaskState::Scheduled);
    kit.report_as("w1", attempt, Report::Stopped);
    assert_eq!(stopping(&kit, attempt), None);
    assert_eq!(kit.assigned(), ["load"]);
}

#[test]
fn a_run_that_is_over_still_tells_what_cannot_be_stopped() {
    let (mut kit, run, attempt) = waiting();
    kit.ask(Command::CancelRun { run, note: None }).unwrap();
    stuck(&mut kit, "w1", attempt, "the service answers 503");
    assert_eq!(kit.run_state(run), RunState::Cancelled);
    let says = stopping(&kit, attempt).unwrap().says;
    assert!(says.contains("the service answers 503"), "{says}");
    kit.report_as("w1", attempt, Report::Stopped);
    assert_eq!(stopping(&kit, attempt), None);
}

#[test]
fn only_the_worker_that_has_the_order_says_what_stands_in_its_way() {
    let (mut kit, run, attempt) = waiting();
    stuck(&mut kit, "w1", attempt, "too early");
    kit.clear(run, &["load"]);
    stuck(&mut kit, "w2", attempt, "not its own");
    stuck(&mut kit, "w3", attempt, "nobody");
    let says = stopping(&kit, attempt).unwrap().says;
    assert_eq!(says, "its last attempt is being stopped by worker w1");
    stuck(&mut kit, "w1", attempt, "there is no connection `gcp`");
    // Another one gets the order: what stood in the way of the first may not stand in its.
    kit.tell(Input::Left {
        worker: "w1".into(),
    });
    let says = stopping(&kit, attempt).unwrap().says;
    assert_eq!(says, "its last attempt is being stopped by worker w2");
    stuck(&mut kit, "w1", attempt, "too late");
    let says = stopping(&kit, attempt).unwrap().says;
    assert_eq!(says, "its last attempt is being stopped by worker w2");
}
