//! The behaviours that users of Airflow rely on, by the numbers of the reference: attempts, and workers that fail them.

use std::time::Duration;

use tidemill_core::operator::TaskError;
use tidemill_core::protocol::{Report, RunNo, Verdict};
use tidemill_core::span::{minutes, seconds};
use tidemill_core::spec::{Definition, Moment, Retry, TaskSpec};
use tidemill_core::state::{RunState, TaskState};
use tidemill_scheduler::engine::Config;
use tidemill_store::record::AttemptEnd;

use super::drafts::{TaskDraft as _, dag, doubling, task};
use super::kit::{Kit, WORKER, config, done, failed};

/// A worker has two minutes to begin what it is given.
fn impatient(task: TaskSpec) -> Kit {
    let mut kit = Kit::with(Config {
        queued_max: minutes(2),
        ..config()
    });
    kit.worker(WORKER, 10, &["default"]);
    kit.deploy(dag("d", [task]));
    kit
}

fn let_it_lie(kit: &mut Kit, run: RunNo) {
    assert_eq!(kit.assigned(), ["a"]);
    kit.advance(kit.config.queued_max);
    assert_eq!(kit.stops.len(), 1, "whoever has it is told to forget it");
    assert_ne!(kit.state(run, "a"), TaskState::Queued);
    kit.stop_all();
    kit.advance(seconds(5));
}

#[test]
fn s19_a_task_that_is_not_begun_is_queued_anew_twice_and_then_fails() {
    let mut kit = impatient(task("a").alerts(&[Moment::Failure]));
    let run = kit.trigger("d");
    let_it_lie(&mut kit, run);
    let_it_lie(&mut kit, run);
    assert_eq!(kit.state(run, "a"), TaskState::Queued);
    let_it_lie(&mut kit, run);
    assert_eq!(kit.state(run, "a"), TaskState::Failed);
    assert_eq!(kit.alerts(), ["failure people"]);
    assert_eq!(kit.run_state(run), RunState::Failed);
}

#[test]
fn s19_a_start_in_between_counts_anew() {
    let mut kit = impatient(task("a").retries(1, seconds(1)));
    let run = kit.trigger("d");
    let_it_lie(&mut kit, run);
    let_it_lie(&mut kit, run);
    kit.start(run, "a");
    kit.fail_with(run, "a", TaskError::transient("503"));
    kit.advance(seconds(1));
    let_it_lie_after_start(&mut kit, run);
    let_it_lie(&mut kit, run);
    assert_eq!(kit.state(run, "a"), TaskState::Queued);
}

fn let_it_lie_after_start(kit: &mut Kit, run: RunNo) {
    // The attempt that was begun and the one after it.
    assert_eq!(kit.assigned(), ["a", "a"]);
    kit.advance(kit.config.queued_max);
    assert_ne!(kit.state(run, "a"), TaskState::Queued);
    kit.stop_all();
    kit.advance(seconds(5));
}

fn with_lease() -> Config {
    Config {
        lease: seconds(30),
        ..config()
    }
}

#[test]
fn s20_another_scheduler_goes_on_with_what_a_dead_one_had_begun() {
    let mut kit = Kit::with(with_lease());
    kit.worker(WORKER, 10, &["default"]);
    kit.deploy(dag("d", [task("a"), task("b"), task("c")]));
    let run = kit.trigger("d");
    kit.start(run, "a");
    kit.start(run, "b");
    kit.defer(run, "b");
    let before: Vec<_> = kit.mirror.instances(run).cloned().collect();
    kit.given.clear();
    kit.recover();
    let after: Vec<_> = kit.mirror.instances(run).cloned().collect();
    assert_eq!(before, after, "nothing that is on was touched");
    assert_eq!(kit.given, [], "and nothing was given out a second time");
    for name in ["a", "b", "c"] {
        kit.finish(run, name);
    }
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn s20_what_a_worker_that_does_not_come_back_had_is_lost_after_its_lease() {
    let mut kit = Kit::with(with_lease());
    kit.worker(WORKER, 10, &["default"]);
    kit.deploy(dag("d", [task("a")]));
    let run = kit.trigger("d");
    kit.start(run, "a");
    kit.restart();
    kit.advance(seconds(29));
    assert_eq!(kit.state(run, "a"), TaskState::Running);
    kit.advance(seconds(1));
    assert_eq!(kit.state(run, "a"), TaskState::UpForRetry);
}

#[test]
fn s21_a_silent_worker_loses_its_tasks_and_people_are_told_once_it_is_for_good() {
    let mut kit = Kit::with(Config {
        losses_max: 1,
        ..with_lease()
    });
    let alerts = [Moment::Retry, Moment::Failure];
    kit.worker(WORKER, 10, &["default"]);
    kit.deploy(dag("d", [task("a").alerts(&alerts)]));
    let run = kit.trigger("d");
    kit.start(run, "a");
    let attempt = kit.attempt(run, "a");
    kit.advance(seconds(30));
    // What the platform loses does not use up the author's retries: it has none.
    assert_eq!(kit.state(run, "a"), TaskState::UpForRetry);
    assert_eq!(kit.alerts(), ["retry people"]);
    assert_eq!(kit.mirror.attempts[&attempt.attempt].end, AttemptEnd::Lost);
    kit.hello_with(WORKER, Vec::new());
    kit.advance(seconds(5));
    kit.start(run, "a");
    kit.advance(seconds(40));
    assert_eq!(kit.state(run, "a"), TaskState::Failed);
    assert_eq!(kit.alerts(), ["retry people", "failure people"]);
}

#[test]
fn s23_a_running_task_that_is_cleared_is_stopped_and_runs_again_with_all_its_retries() {
    let mut kit = Kit::of(dag("d", [task("a").retries(1, seconds(1))]));
    let run = kit.trigger("d");
    kit.start(run, "a");
    kit.fail_with(run, "a", TaskError::transient("503"));
    kit.advance(seconds(1));
    kit.start(run, "a");
    let old = kit.attempt(run, "a");
    kit.clear(run, &["a"]);
    // There is no state `restarting`: it is ready to run again and held until its last attempt is known to be over.
    assert_eq!(kit.state(run, "a"), TaskState::Scheduled);
    assert_eq!(kit.stops, [(WORKER.into(), old)]);
    kit.assigned();
    kit.advance(minutes(10));
    assert_eq!(kit.assigned(), Vec::<String>::new());
    kit.stop_all();
    assert_eq!(kit.assigned(), ["a"]);
    let row = kit.row(run, "a");
    assert_eq!((row.tries, row.number), (0, 3));
    kit.start(run, "a");
    kit.fail_with(run, "a", TaskError::transient("503"));
    assert_eq!(kit.state(run, "a"), TaskState::UpForRetry);
    kit.advance(seconds(1));
    kit.fail_with(run, "a", TaskError::transient("503"));
    assert_eq!(kit.state(run, "a"), TaskState::Failed);
}

fn waits(retry: Retry) -> Vec<Duration> {
    let definition: Definition = dag("d", [task("a").with(|spec| spec.retry = retry)]);
    let mut kit = Kit::of(definition);
    let run = kit.trigger("d");
    let mut waits = Vec::new();
    loop {
        kit.start(run, "a");
        kit.fail_with(run, "a", TaskError::transient("503"));
        let Some(retry_at) = kit.row(run, "a").retry_at else {
            return waits;
        };
        waits.push(retry_at.since(kit.now));
        kit.advance(waits[waits.len() - 1]);
    }
}

#[test]
fn s24_waits_double_within_bounds_and_are_never_under_a_second_or_over_the_cap() {
    let found = waits(doubling());
    assert_eq!(found.len(), 3);
    for (wait, low) in found.iter().zip([30, 60, 120]) {
        assert!(
            *wait >= seconds(low) && *wait < seconds(2 * low),
            "{found:?}"
        );
    }
    for wait in waits(Retry::times(8).exponential(seconds(30)..=seconds(200))) {
        assert!(wait >= seconds(30) && wait <= seconds(200));
    }
    for base in [Duration::ZERO, Duration::from_millis(500), seconds(1)] {
        let found = waits(Retry::times(3).exponential(base..=minutes(60)));
        assert!(found.iter().all(|wait| *wait >= seconds(1)), "{found:?}");
    }
}

#[test]
fn s24_waiting_for_a_job_keeps_the_attempt_and_clearing_forgets_the_job() {
    let mut kit = Kit::of(dag("d", [task("a")]));
    let run = kit.trigger("d");
    kit.start(run, "a");
    let before = kit.row(run, "a").clone();
    kit.advance(minutes(5));
    kit.defer(run, "a");
    kit.advance(minutes(5));
    let row = kit.row(run, "a");
    assert_eq!(
        (row.number, row.attempt, row.started_at),
        (1, before.attempt, before.started_at)
    );
    assert_eq!(
        kit.detail(run, "a")
            .and_then(|detail| detail.handle.as_deref()),
        Some("\"job\"")
    );
    kit.clear(run, &["a"]);
    kit.stop_all();
    assert_eq!(
        kit.detail(run, "a")
            .and_then(|detail| detail.handle.as_deref()),
        None
    );
    assert_eq!(kit.row(run, "a").number, 2);
}

#[test]
fn late_reports_of_a_first_try_do_not_reach_a_later_one() {
    let mut kit = Kit::of(dag("d", [task("a").retries(2, seconds(1))]));
    let run = kit.trigger("d");
    let first = kit.attempt(run, "a");
    let report = failed(TaskError::transient("503"), true);
    assert_eq!(kit.report(run, "a", report.clone()), Verdict::Recorded);
    kit.advance(seconds(1));
    assert_eq!(
        kit.report_as(WORKER, first, report.clone()),
        Verdict::Recorded,
        "it is repeated"
    );
    kit.fail_with(run, "a", TaskError::transient("503"));
    kit.advance(seconds(1));
    kit.start(run, "a");
    let before = kit.mirror.tasks.clone();
    for late in [report, done(), Report::Started] {
        assert_eq!(kit.report_as(WORKER, first, late), Verdict::Superseded);
    }
    assert_eq!(kit.mirror.tasks, before);
    assert_eq!(kit.audited("report.superseded"), 3);
}
