//! Workers that come, go, fall silent and come back: who holds what, and whose word counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_core::operator::TaskError;
use tidemill_core::protocol::{AttemptRef, Duty, Report, RunNo, Verdict};
use tidemill_core::span::{minutes, seconds};
use tidemill_core::state::{RunState, TaskState};
use tidemill_scheduler::engine::{Command, Config, Input};
use tidemill_store::record::AttemptEnd;

use super::drafts::{TaskDraft as _, dag, task};
use super::kit::{Kit, WORKER, config, deferred, done, failed};

fn leased() -> Config {
    Config {
        lease: seconds(30),
        ..config()
    }
}

/// So many workers of ten slots, `w1` and so on, and a DAG of so many tasks `t0` and so on.
fn fleet(workers: u32, tasks: u32) -> Kit {
    let mut kit = Kit::with(leased());
    for nth in 1..=workers {
        kit.worker(&format!("w{nth}"), 10, &["default"]);
    }
    kit.deploy(dag(
        "d",
        (0..tasks).map(|nth| task(&format!("t{nth}")).retries(1, seconds(1))),
    ));
    kit
}

fn beat(kit: &mut Kit, worker: &str) {
    kit.tell(Input::Beat {
        worker: worker.into(),
    });
}

/// Time passes, and these workers beat meanwhile.
fn live_on(kit: &mut Kit, span: u64, workers: &[&str]) {
    for _ in 0..span / 5 {
        kit.advance(seconds(5));
        for worker in workers {
            beat(kit, worker);
        }
    }
}

fn worker_of(kit: &Kit, run: RunNo, name: &str) -> Arc<str> {
    kit.row(run, name).worker.clone().expect("somebody has it")
}

fn watches(kit: &mut Kit) -> Vec<(Arc<str>, AttemptRef)> {
    let given = kit.given.extract_if(.., |given| given.duty == Duty::Watch);
    given.map(|given| (given.worker, given.attempt)).collect()
}

#[test]
fn work_is_given_out_in_turns() {
    let mut kit = fleet(2, 4);
    let run = kit.trigger("d");
    let mut workers: Vec<Arc<str>> = (0..4)
        .map(|nth| worker_of(&kit, run, &format!("t{nth}")))
        .collect();
    workers.sort();
    assert_eq!(workers, ["w1", "w1", "w2", "w2"].map(Arc::from));
}

#[test]
fn no_worker_gets_more_than_it_has_slots_and_deferred_attempts_take_none() {
    let mut kit = Kit::with(leased());
    kit.worker(WORKER, 2, &["default"]);
    kit.deploy(dag("d", (0..4).map(|nth| task(&format!("t{nth}")))));
    let run = kit.trigger("d");
    assert_eq!(kit.assigned(), ["t0", "t1"]);
    kit.start(run, "t0");
    kit.defer(run, "t0");
    assert_eq!(kit.assigned(), ["t2"]);
    kit.finish(run, "t0");
    assert_eq!(kit.assigned(), Vec::<String>::new());
    kit.finish(run, "t1");
    assert_eq!(kit.assigned(), ["t3"]);
}

#[test]
fn a_repeated_report_gets_the_same_answer_and_changes_nothing() {
    for report in [
        done(),
        failed(TaskError::transient("503"), true),
        failed(TaskError::data("no"), true),
        Report::Skipped { why: "".into() },
    ] {
        let mut kit = fleet(1, 1);
        let run = kit.trigger("d");
        let attempt = kit.attempt(run, "t0");
        for early in [Report::Started, Report::Started] {
            assert_eq!(kit.report_as(WORKER, attempt, early), Verdict::Recorded);
        }
        assert_eq!(
            kit.report_as(WORKER, attempt, report.clone()),
            Verdict::Recorded
        );
        let before = kit.mirror.clone();
        assert_eq!(kit.report_as(WORKER, attempt, report), Verdict::Recorded);
        assert!(before == kit.mirror);
    }
}

#[test]
fn what_nobody_asked_for_changes_nothing_and_is_on_record() {
    let mut kit = fleet(2, 1);
    let run = kit.trigger("d");
    kit.start(run, "t0");
    let attempt = kit.attempt(run, "t0");
    let stray = |change: fn(&mut AttemptRef)| {
        let mut stray = attempt;
        change(&mut stray);
        stray
    };
    let strays = [
        stray(|it| it.attempt.0 += 1),
        stray(|it| it.attempt.0 = 0),
        stray(|it| it.hand += 1),
        stray(|it| it.of.run.0 = 99),
        stray(|it| it.of.task.0 = 99),
        stray(|it| it.of.map_index = 0),
    ];
    let before = kit.mirror.tasks.clone();
    for stray in strays {
        assert_eq!(
            kit.report_as(WORKER, stray, done()),
            Verdict::Superseded,
            "{stray:?}"
        );
    }
    let other = if &*worker_of(&kit, run, "t0") == "w1" {
        "w2"
    } else {
        "w1"
    };
    assert_eq!(
        kit.report_as(other, attempt, done()),
        Verdict::Superseded,
        "it is another's"
    );
    assert_eq!(kit.mirror.tasks, before);
    assert_eq!(kit.audited("report.superseded"), 7);
}

#[test]
fn what_a_silent_worker_ran_is_lost_and_its_late_word_does_not_count() {
    let mut kit = fleet(2, 1);
    let run = kit.trigger("d");
    kit.start(run, "t0");
    let (lost, attempt) = (worker_of(&kit, run, "t0"), kit.attempt(run, "t0"));
    let other = if &*lost == "w1" { "w2" } else { "w1" };
    live_on(&mut kit, 30, &[other]);
    assert_eq!(kit.state(run, "t0"), TaskState::UpForRetry);
    assert_eq!(kit.report_as(&lost, attempt, done()), Verdict::Superseded);
    assert_eq!(kit.state(run, "t0"), TaskState::UpForRetry);
    live_on(&mut kit, 5, &[other]);
    assert_eq!(&*worker_of(&kit, run, "t0"), other);
    assert_eq!(kit.report_as(&lost, attempt, done()), Verdict::Superseded);
    kit.verdicts.clear();
    kit.hello_with(&lost, vec![attempt]);
    assert_eq!(
        kit.verdicts,
        [(lost, attempt, Verdict::Superseded)],
        "it is to drop it"
    );
    kit.finish(run, "t0");
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn what_a_silent_worker_watched_goes_on_with_another() {
    let mut kit = fleet(2, 1);
    let run = kit.trigger("d");
    kit.start(run, "t0");
    kit.defer(run, "t0");
    let (lost, before) = (worker_of(&kit, run, "t0"), kit.attempt(run, "t0"));
    let other = if &*lost == "w1" { "w2" } else { "w1" };
    live_on(&mut kit, 30, &[other]);
    assert_eq!(kit.state(run, "t0"), TaskState::Deferred);
    let after = kit.attempt(run, "t0");
    assert_eq!(
        (after.attempt, after.hand),
        (before.attempt, before.hand + 1)
    );
    let handle = kit.given.last().and_then(|given| given.what.handle.clone());
    assert_eq!(handle.as_deref(), Some("\"job\""));
    assert_eq!(watches(&mut kit), [(other.into(), after)]);
    assert_eq!(kit.report_as(&lost, before, done()), Verdict::Superseded);
    assert_eq!(kit.state(run, "t0"), TaskState::Deferred);
    assert_eq!(kit.row(run, "t0").losses, 0);
    kit.finish(run, "t0");
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn what_nobody_can_watch_waits_for_a_worker_also_over_a_restart() {
    let mut kit = fleet(1, 1);
    let run = kit.trigger("d");
    kit.defer(run, "t0");
    let before = kit.attempt(run, "t0");
    kit.advance(seconds(60));
    assert_eq!(kit.state(run, "t0"), TaskState::Deferred);
    kit.restart();
    kit.advance(minutes(10));
    kit.given.clear();
    kit.hello_with(WORKER, vec![before]);
    let after = kit.attempt(run, "t0");
    assert!(after.hand > before.hand);
    assert_eq!(watches(&mut kit), [(WORKER.into(), after)]);
    kit.finish(run, "t0");
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn both_sides_compare_when_a_worker_comes_back() {
    let mut kit = fleet(1, 4);
    let run = kit.trigger("d");
    kit.start(run, "t1");
    kit.start(run, "t2");
    kit.defer(run, "t2");
    kit.start(run, "t3");
    let (waiting, kept) = (kit.attempt(run, "t0"), kit.attempt(run, "t3"));
    let watched = kit.attempt(run, "t2");
    let mut stranger = kept;
    stranger.attempt.0 += 1_000;
    kit.given.clear();
    kit.verdicts.clear();
    kit.hello_with(WORKER, vec![kept, stranger]);
    let given: Vec<_> = kit
        .given
        .iter()
        .map(|given| (given.duty, given.attempt))
        .collect();
    assert_eq!(
        given,
        [(Duty::Run, waiting), (Duty::Watch, watched)],
        "it never got the one, and forgot the other"
    );
    assert_eq!(
        kit.state(run, "t1"),
        TaskState::UpForRetry,
        "nobody runs it any more"
    );
    assert_eq!(kit.state(run, "t3"), TaskState::Running);
    assert_eq!(
        kit.verdicts,
        [(WORKER.into(), stranger, Verdict::Superseded)]
    );
    kit.advance(seconds(1));
    for name in ["t0", "t1", "t2", "t3"] {
        kit.finish(run, name);
    }
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn a_draining_worker_gets_nothing_new_and_hands_over_what_it_watches() {
    let mut kit = fleet(2, 4);
    let run = kit.trigger("d");
    let mine: Vec<String> = (0..4)
        .map(|nth| format!("t{nth}"))
        .filter(|name| &*worker_of(&kit, run, name) == "w1")
        .collect();
    let [first, second] = mine.as_slice() else {
        panic!("work is not given out in turns")
    };
    kit.defer(run, first);
    kit.start(run, second);
    kit.tell(Input::Draining {
        worker: "w1".into(),
    });
    let before = kit.attempt(run, first);
    assert_eq!(
        kit.report(run, first, Report::HandedOver),
        Verdict::Recorded
    );
    assert_eq!(&*worker_of(&kit, run, first), "w2");
    assert_eq!(kit.attempt(run, first).hand, before.hand + 1);
    let next = kit.trigger("d");
    assert!((0..4).all(|nth| &*worker_of(&kit, next, &format!("t{nth}")) == "w2"));
    kit.finish(run, second);
    kit.tell(Input::Left {
        worker: "w1".into(),
    });
    assert_eq!(kit.state(run, second), TaskState::Success);
    assert!(
        kit.mirror
            .attempts
            .values()
            .all(|row| row.end != AttemptEnd::Lost)
    );
}

#[test]
fn what_a_worker_had_when_it_left_is_lost_at_once() {
    let mut kit = fleet(2, 1);
    let run = kit.trigger("d");
    kit.start(run, "t0");
    let worker = worker_of(&kit, run, "t0");
    kit.tell(Input::Left { worker });
    assert_eq!(kit.state(run, "t0"), TaskState::UpForRetry);
    kit.advance(seconds(1));
    assert_eq!(kit.state(run, "t0"), TaskState::Queued);
}

#[test]
fn many_workers_silent_at_once_get_a_second_lease_and_one_does_not() {
    let mut kit = fleet(4, 4);
    let run = kit.trigger("d");
    let names = ["t0", "t1", "t2", "t3"];
    for name in names {
        kit.start(run, name);
    }
    live_on(&mut kit, 120, &["w1", "w2", "w3", "w4"]);
    // Nothing comes through any more.
    kit.advance(seconds(35));
    assert_eq!(kit.states(run, &names), [TaskState::Running; 4]);
    for worker in ["w1", "w2", "w3"] {
        beat(&mut kit, worker);
    }
    live_on(&mut kit, 30, &["w1", "w2", "w3"]);
    let lost = kit.mirror.count(TaskState::Running);
    assert_eq!(lost, 3, "only the one that stayed silent is gone");
}

#[test]
fn workers_that_stay_silent_are_gone_after_their_second_lease() {
    let mut kit = fleet(4, 4);
    let run = kit.trigger("d");
    kit.start(run, "t0");
    live_on(&mut kit, 120, &["w1", "w2", "w3", "w4"]);
    kit.advance(seconds(70));
    assert_ne!(kit.state(run, "t0"), TaskState::Running);
}

#[test]
fn silence_while_the_scheduler_could_not_commit_does_not_count() {
    let mut kit = fleet(1, 1);
    let run = kit.trigger("d");
    kit.start(run, "t0");
    kit.advance(seconds(25));
    kit.now = kit.now.after(seconds(4));
    kit.tell(Input::BackFromOutage);
    kit.advance(seconds(20));
    assert_eq!(kit.state(run, "t0"), TaskState::Running);
    beat(&mut kit, WORKER);
    kit.advance(seconds(25));
    assert_eq!(kit.state(run, "t0"), TaskState::Running);
    kit.advance(seconds(5));
    assert_eq!(kit.state(run, "t0"), TaskState::UpForRetry);
}

/// A running task that was cleared: its attempt, and the worker that is to stop it.
fn stopping() -> (Kit, RunNo, AttemptRef, Arc<str>) {
    let mut kit = fleet(2, 1);
    let run = kit.trigger("d");
    kit.start(run, "t0");
    let (attempt, worker) = (kit.attempt(run, "t0"), worker_of(&kit, run, "t0"));
    kit.given.clear();
    kit.clear(run, &["t0"]);
    assert_eq!(kit.stops, [(Arc::clone(&worker), attempt)]);
    (kit, run, attempt, worker)
}

#[test]
fn nothing_starts_before_the_last_attempt_is_known_to_be_over() {
    let (mut kit, run, attempt, worker) = stopping();
    live_on(&mut kit, 100, &["w1", "w2"]);
    assert_eq!(kit.state(run, "t0"), TaskState::Scheduled);
    assert_eq!(kit.given, []);
    kit.report_as(&worker, attempt, deferred("\"late\""));
    assert_eq!(kit.state(run, "t0"), TaskState::Scheduled);
    assert_eq!(
        kit.report_as(&worker, attempt, Report::Stopped),
        Verdict::Recorded
    );
    assert_eq!(kit.assigned(), ["t0"]);
    assert_eq!(
        kit.report_as(&worker, attempt, Report::Stopped),
        Verdict::Recorded,
        "said again"
    );
    assert_eq!(kit.assigned(), Vec::<String>::new());
}

#[test]
fn another_worker_cleans_up_if_the_one_that_should_have_is_gone() {
    let (mut kit, run, attempt, worker) = stopping();
    let other = if &*worker == "w1" { "w2" } else { "w1" };
    live_on(&mut kit, 30, &[other]);
    let [release] = kit.given.as_slice() else {
        panic!("{:?}", kit.given)
    };
    assert_eq!((release.duty, &*release.worker), (Duty::Release, other));
    assert_eq!(
        (release.attempt.attempt, release.attempt.hand),
        (attempt.attempt, attempt.hand + 1)
    );
    assert_eq!(kit.state(run, "t0"), TaskState::Scheduled);
    kit.stops.clear();
    kit.stop_all();
    assert_eq!(kit.assigned(), ["t0"]);
}

#[test]
fn a_worker_that_forgot_what_it_was_to_stop_is_not_asked_again() {
    let (mut kit, run, _, worker) = stopping();
    kit.stops.clear();
    kit.hello_with(&worker, Vec::new());
    assert_eq!(kit.given.len(), 1);
    assert_eq!(kit.given[0].duty, Duty::Release);
    kit.stop_all();
    assert_eq!(kit.state(run, "t0"), TaskState::Queued);
}

#[test]
fn a_worker_that_never_got_what_it_is_to_stop_hands_that_on() {
    let (mut kit, _, attempt, worker) = stopping();
    kit.stops.clear();
    let refused = Report::Refused {
        why: "the worker does not hold it".into(),
    };
    assert_eq!(kit.report_as(&worker, attempt, refused), Verdict::Recorded);
    // Whoever gets it gets the handle and the key with it, and cancels what an earlier attempt may have launched.
    assert_eq!(kit.given.len(), 1);
    assert_eq!(kit.given[0].duty, Duty::Release);
    kit.stop_all();
    assert_eq!(kit.assigned(), ["t0"]);
}

#[test]
fn an_order_to_stop_survives_a_restart_of_the_scheduler() {
    let (mut kit, run, attempt, worker) = stopping();
    kit.stops.clear();
    kit.restart();
    kit.hello_with(&worker, vec![attempt]);
    assert_eq!(kit.stops, [(worker, attempt)]);
    assert_eq!(kit.state(run, "t0"), TaskState::Scheduled);
    kit.stop_all();
    let other = if kit.workers.len() == 2 { "w2" } else { "w1" };
    kit.hello_with(other, Vec::new());
    assert_eq!(kit.state(run, "t0"), TaskState::Queued);
}

#[test]
fn an_order_to_stop_goes_to_another_if_its_worker_does_not_come_back_after_a_restart() {
    let (mut kit, run, _, worker) = stopping();
    kit.stops.clear();
    kit.restart();
    let other = if &*worker == "w1" { "w2" } else { "w1" };
    kit.hello_with(other, Vec::new());
    live_on(&mut kit, 40, &[other]);
    kit.stop_all();
    assert_eq!(kit.state(run, "t0"), TaskState::Queued);
}

#[test]
fn a_person_can_end_one_attempt() {
    let mut kit = fleet(1, 2);
    let run = kit.trigger("d");
    kit.start(run, "t0");
    let of = kit.row(run, "t0").of;
    let changed = kit.ask(Command::CancelAttempt { of }).unwrap();
    assert_eq!(
        (changed.tasks[0].from, changed.tasks[0].to),
        (TaskState::Running, TaskState::Failed)
    );
    assert_eq!(
        kit.state(run, "t0"),
        TaskState::Failed,
        "although it had a retry left"
    );
    assert_eq!(kit.stops.len(), 1);
    assert!(kit.ask(Command::CancelAttempt { of }).is_err());
    kit.finish(run, "t1");
    assert_eq!(kit.run_state(run), RunState::Failed);
}

#[test]
fn people_see_the_labels_that_a_worker_said_last() {
    let mut kit = fleet(1, 1);
    let labels = |kit: &Kit| kit.engine.fleet().workers[0].labels.clone();
    assert_eq!(labels(&kit), BTreeMap::new());
    let zone = BTreeMap::from([("zone".into(), "europe-west3".into())]);
    let hello = kit.workers.get_mut("w1").unwrap();
    hello.labels.clone_from(&zone);
    kit.hello("w1");
    assert_eq!(labels(&kit), zone);
}

#[test]
fn a_worker_gets_only_what_it_holds_and_serves() {
    let mut kit = Kit::new();
    let version = kit.bring(dag("d", [task("a"), task("b").queue("gpu")]));
    let run = kit.trigger("d");
    assert_eq!(
        kit.assigned(),
        Vec::<String>::new(),
        "no worker holds the version"
    );
    kit.worker("holds", 5, &["default"]);
    assert_eq!(kit.assigned(), ["a"]);
    assert_eq!(&*worker_of(&kit, run, "a"), "holds");
    assert_eq!(kit.state(run, "b"), TaskState::Scheduled);
    kit.worker("gpu", 5, &["gpu"]);
    assert_eq!(&*worker_of(&kit, run, "b"), "gpu");

    // Two versions at once: each run's tasks go to the workers that hold its own.
    kit.workers.remove(WORKER);
    let newer = kit.bring(dag("d", [task("a"), task("c")]));
    let next = kit.trigger("d");
    assert_eq!(
        (&kit.run(run).version, &kit.run(next).version),
        (&version, &newer)
    );
    assert_eq!(kit.assigned(), ["b"]);
    kit.worker("new", 5, &["default"]);
    assert_eq!(&*worker_of(&kit, next, "a"), "new");
    kit.clear(run, &["a"]);
    kit.stop_all();
    assert_eq!(&*worker_of(&kit, next, "c"), "new");
    assert!(matches!(&*worker_of(&kit, run, "a"), "holds" | "new"));
}

#[test]
fn a_worker_that_is_sent_to_rest_gets_nothing_until_it_says_that_it_is_back() {
    let mut kit = fleet(2, 2);
    let drain = |worker: &str, drain| Command::Drain {
        worker: worker.into(),
        drain,
    };
    kit.ask(drain("w1", true)).unwrap();
    assert_eq!(kit.drains, [("w1".into(), true)]);
    let run = kit.trigger("d");
    assert!((0..2).all(|nth| &*worker_of(&kit, run, &format!("t{nth}")) == "w2"));
    let again = kit.ask(drain("w1", true)).unwrap_err().to_string();
    assert!(again.contains("takes nothing new already"), "{again}");
    assert!(kit.ask(drain("w3", true)).is_err());
    kit.ask(drain("w1", false)).unwrap();
    let resting = |kit: &Kit| kit.engine.fleet().workers[0].draining;
    assert!(resting(&kit), "it has not said so yet");
    kit.tell(Input::Ready {
        worker: "w1".into(),
    });
    assert!(!resting(&kit));
}

#[test]
fn a_worker_of_an_older_build_is_not_told_what_it_does_not_know() {
    let mut kit = fleet(2, 2);
    let old = kit.workers.get_mut("w1").unwrap();
    old.hears_drain = false;
    kit.hello("w1");
    let drain = |worker: &str| Command::Drain {
        worker: worker.into(),
        drain: true,
    };
    let refused = kit.ask(drain("w1")).unwrap_err().to_string();
    assert!(refused.contains("older build"), "{refused}");
    assert_eq!(kit.drains, []);
    kit.ask(drain("w2")).unwrap();
    assert_eq!(kit.drains, [("w2".into(), true)]);
}
