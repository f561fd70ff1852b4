//! Attempts that cannot be stopped: nothing else begins, whoever asks is told why, and a person may end the wait.

use tidemill_core::operator::TaskError;
use tidemill_core::protocol::{AttemptRef, Duty, Report, RunNo, Verdict};
use tidemill_core::span::{minutes, seconds};
use tidemill_core::state::{RunState, TaskState};
use tidemill_scheduler::engine::{Command, Config, Gate, Held, Input, Refusal, STOP_PATIENCE};

use super::drafts::{TaskDraft as _, dag, task};
use super::kit::{Kit, deferred, done, failed};

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

#[test]
fn what_a_lost_attempt_left_is_shown_with_the_worker_that_cancels_it() {
    let mut kit = Kit::new();
    kit.deploy(dag("d", [task("load").retries(1, minutes(5))]));
    let run = kit.trigger("d");
    kit.start(run, "load");
    let attempt = kit.attempt(run, "load");
    // It was started anew, and holds nothing any more.
    kit.hello_with("w1", Vec::new());
    assert_eq!(kit.state(run, "load"), TaskState::UpForRetry);
    kit.clear(run, &["load"]);
    let says = stopping(&kit, attempt).unwrap().says;
    assert_eq!(says, "its last attempt is being stopped by worker w1");
}

fn forget(attempt: AttemptRef) -> Command {
    Command::Forget {
        of: attempt.of,
        note: "deleted by hand".into(),
    }
}

#[test]
fn a_stop_that_is_forgotten_lets_the_task_go_on_with_a_job_of_its_own() {
    let (mut kit, run, attempt) = waiting();
    kit.clear(run, &["load"]);
    stuck(&mut kit, "w1", attempt, "the service answers 503");
    let before = (kit.mirror.tasks.clone(), kit.mirror.audits.len());
    let shown = kit.dry_run(forget(attempt)).unwrap();
    assert_eq!((kit.mirror.tasks.clone(), kit.mirror.audits.len()), before);
    kit.verdicts.clear();
    let changed = kit.ask(forget(attempt)).unwrap();
    assert_eq!(changed, shown);
    let remark = "of `load` to be stopped by worker w1; what it started, {\"job\":\"j-7\"}, may still run, here or outside";
    assert!(changed.remarks[0].ends_with(remark), "{changed:?}");

    // Whoever still tries drops it, and the next attempt is another launch.
    assert_eq!(kit.verdicts, [("w1".into(), attempt, Verdict::Superseded)]);
    assert_eq!(stopping(&kit, attempt), None);
    assert!(kit.mirror.cleanups.is_empty());
    let next = kit.given.pop().expect("it goes on");
    assert_eq!((next.duty, &next.what.handle), (Duty::Run, &None));
    assert_ne!(next.attempt, attempt);

    let row = kit.mirror.audits.values().next_back().unwrap();
    assert_eq!((&*row.action, row.run), ("task.forget", Some(run)));
    for part in ["\"note\":\"deleted by hand\"", "may still run", "`load`"] {
        assert!(row.details.contains(part), "{}", row.details);
    }
    let detail = kit.detail(run, "load").unwrap();
    assert_eq!(detail.note.as_deref(), Some("deleted by hand"));
}

#[test]
fn what_the_worker_says_after_its_stop_was_forgotten_changes_nothing() {
    let late = [
        Report::Stopped,
        done(),
        failed(TaskError::permanent("gone"), true),
        deferred("{\"job\":\"j-8\"}"),
        Report::HandedOver,
        Report::Refused { why: "no".into() },
    ];
    for report in late {
        let (mut kit, run, attempt) = waiting();
        kit.clear(run, &["load"]);
        kit.ask(forget(attempt)).unwrap();
        let next = kit.attempt(run, "load");
        let before = (kit.mirror.tasks.clone(), kit.mirror.details.clone());
        let _ = kit.report_as("w1", attempt, report);
        stuck(&mut kit, "w1", attempt, "too late");
        let after = (kit.mirror.tasks.clone(), kit.mirror.details.clone());
        assert_eq!(after, before);
        assert_eq!(stopping(&kit, attempt), None);
        assert_eq!(kit.attempt(run, "load"), next);
        kit.start(run, "load");
        kit.finish(run, "load");
        assert_eq!(kit.run_state(run), RunState::Success);
    }
}

#[test]
fn a_scheduler_that_takes_over_knows_that_a_stop_was_forgotten() {
    let (mut kit, run, attempt) = waiting();
    kit.ask(Command::CancelRun { run, note: None }).unwrap();
    kit.ask(forget(attempt)).unwrap();
    kit.restart();
    assert!(kit.mirror.recovered().cleanups.is_empty());
    // The worker did not hear of it, and comes to the new one with the attempt.
    kit.verdicts.clear();
    kit.given.clear();
    kit.hello_with("w1", vec![attempt]);
    assert_eq!(kit.verdicts, [("w1".into(), attempt, Verdict::Superseded)]);
    kit.hello_with("w1", Vec::new());
    kit.tell(Input::Left {
        worker: "w1".into(),
    });
    assert!(kit.given.is_empty(), "{:?}", kit.given);
    assert_eq!(kit.run_state(run), RunState::Cancelled);
}

#[test]
fn a_stop_that_was_forgotten_holds_no_slot_and_no_worker_is_asked_where_none_has_it() {
    let mut kit = Kit::with(Config::default());
    kit.worker("w1", 1, &["default"]);
    kit.deploy(dag("d", [task("load")]));
    let run = kit.trigger("d");
    kit.start(run, "load");
    let attempt = kit.attempt(run, "load");
    kit.clear(run, &["load"]);
    kit.given.clear();
    kit.ask(forget(attempt)).unwrap();
    assert_eq!(kit.assigned(), ["load"], "its only slot is free again");
    // The next one is to be stopped as well, and its worker goes.
    kit.clear(run, &["load"]);
    let next = kit.mirror.cleanups.values().next().unwrap().of;
    kit.tell(Input::Left {
        worker: "w1".into(),
    });
    kit.verdicts.clear();
    let changed = kit.ask(forget(next)).unwrap();
    assert!(changed.remarks[0].contains("to be stopped; what it started"));
    assert_eq!(kit.verdicts, []);
    assert!(kit.mirror.cleanups.is_empty());
    assert_eq!(kit.state(run, "load"), TaskState::Scheduled);
}

#[test]
fn what_is_not_being_stopped_cannot_be_forgotten() {
    let (mut kit, run, attempt) = waiting();
    let refused = |kit: &mut Kit, command| match kit.ask(command) {
        Err(refusal @ Refusal::Invalid(_)) => refusal.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(&mut kit, forget(attempt)),
        "nothing of `load` is being stopped: it is deferred; cancel its attempt first"
    );
    kit.clear(run, &["load"]);
    let silent = Command::Forget {
        of: attempt.of,
        note: " ".into(),
    };
    assert!(refused(&mut kit, silent).contains("say in the note"));
    let seen = Some(kit.row(run, "load").edits);
    kit.report_as("w1", attempt, Report::Stopped);
    let says = refused(&mut kit, forget(attempt));
    assert!(says.starts_with("nothing of `load` is being stopped: it is queued"));
    kit.clear(run, &["load"]);
    assert!(matches!(
        kit.ask_as("bob", seen, forget(attempt)),
        Err(Refusal::Stale { .. })
    ));
    assert_eq!(kit.mirror.cleanups.len(), 1);
}

#[test]
fn a_stop_that_takes_too_long_says_how_to_end_the_wait_and_is_found() {
    let (mut kit, run, attempt) = waiting();
    kit.clear(run, &["load"]);
    stuck(&mut kit, "w1", attempt, "the service answers 503");
    kit.advance(STOP_PATIENCE - seconds(1));
    assert_eq!(kit.engine.stuck_stops(), []);
    assert!(
        !stopping(&kit, attempt)
            .unwrap()
            .says
            .contains("tasks forget")
    );
    kit.advance(seconds(1));
    let held = stopping(&kit, attempt).unwrap();
    let name = kit.run(run).name.clone();
    let words = format!("`tasks forget d {name} load --note TEXT` ends the wait");
    assert!(held.says.ends_with(&words), "{}", held.says);

    // Whoever takes over finds it as well, before the worker has said anything again.
    kit.restart();
    let found = kit.engine.stuck_stops();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (
            found[0].attempt,
            found[0].task.as_str(),
            found[0].worker.as_deref()
        ),
        (attempt, "load", Some("w1"))
    );
    kit.ask(forget(attempt)).unwrap();
    assert_eq!(kit.engine.stuck_stops(), []);
}

#[test]
fn what_no_worker_can_stop_is_found_after_the_same_time() {
    let (mut kit, run, attempt) = waiting();
    kit.clear(run, &["load"]);
    for worker in ["w1", "w2"] {
        kit.tell(Input::Left {
            worker: worker.into(),
        });
    }
    kit.advance(STOP_PATIENCE);
    let found = kit.engine.stuck_stops();
    assert_eq!((found.len(), &found[0].worker), (1, &None));
    let says = &found[0].says;
    assert!(says.contains("no worker can do that now"), "{says}");
    let held = stopping(&kit, attempt);
    assert_eq!(held.map(|held| held.says).as_ref(), Some(says));
}
