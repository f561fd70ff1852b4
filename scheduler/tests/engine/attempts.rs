//! One attempt after another: which failures are tried again, when, under which key.

use std::time::Duration;

use serde_json::json;
use tidemill_core::operator::{ErrorKind, LaunchKey, TaskError};
use tidemill_core::protocol::{CheckResult, Load, Report, RunNo, Verdict};
use tidemill_core::span::{hours, minutes, seconds};
use tidemill_core::spec::{Definition, Moment};
use tidemill_core::state::{RunState, TaskState};
use tidemill_scheduler::engine::{Command, Config, Input, Refusal};
use tidemill_store::record::AttemptEnd;

use super::drafts::{DagDraft as _, TaskDraft as _, approval, dag, sensor, task};
use super::kit::{Kit, WORKER, config, deferred, failed};

fn retried() -> Definition {
    dag("d", [task("a").retries(1, seconds(10))])
}

/// The key under which the last attempt that was given out launches.
fn key(kit: &mut Kit) -> LaunchKey {
    let given = kit.given.pop().expect("an attempt was given out");
    kit.given.clear();
    given.what.key
}

fn after_failing_with(error: TaskError) -> (Kit, RunNo) {
    let mut kit = Kit::of(retried());
    let run = kit.trigger("d");
    kit.start(run, "a");
    kit.fail_with(run, "a", error);
    (kit, run)
}

#[test]
fn the_kind_of_a_failure_decides_whether_it_is_tried_again() {
    let kinds = [
        (TaskError::transient("503"), TaskState::UpForRetry),
        (TaskError::quota("too much", None), TaskState::UpForRetry),
        (TaskError::ambiguous("no answer"), TaskState::UpForRetry),
        (TaskError::lost("gone"), TaskState::UpForRetry),
        (TaskError::data("not unique"), TaskState::Failed),
        (TaskError::permanent("403"), TaskState::Failed),
        (TaskError::cancelled("by ada"), TaskState::Failed),
        (TaskError::skip("no rows"), TaskState::Skipped),
    ];
    for (error, expected) in kinds {
        let kind = error.kind;
        let (kit, run) = after_failing_with(error);
        assert_eq!(kit.state(run, "a"), expected, "{kind}");
        let row = kit.mirror.attempts.values().next().unwrap();
        let end = match kind {
            ErrorKind::Skipped => AttemptEnd::Skipped,
            ErrorKind::Cancelled => AttemptEnd::Cancelled,
            _ => AttemptEnd::Failed,
        };
        assert_eq!(row.end, end);
        assert_eq!(row.retry_at.is_some(), expected == TaskState::UpForRetry);
        assert_eq!(row.error_kind, (kind != ErrorKind::Skipped).then_some(kind));
    }
}

#[test]
fn the_other_side_may_say_when_to_come_back_but_not_sooner_than_planned() {
    let (kit, run) = after_failing_with(TaskError::quota("later", Some(minutes(7))));
    assert_eq!(kit.row(run, "a").retry_at, Some(kit.now.after(minutes(7))));
    let (kit, run) = after_failing_with(TaskError::quota("soon", Some(seconds(1))));
    assert_eq!(kit.row(run, "a").retry_at, Some(kit.now.after(seconds(10))));
}

#[test]
fn what_the_platform_loses_is_counted_apart_from_the_authors_retries() {
    let (mut kit, run) = after_failing_with(TaskError::lost("gone"));
    let waits = [1, 2, 4];
    for wait in waits {
        let row = kit.row(run, "a");
        assert_eq!(row.tries, 0);
        assert_eq!(row.retry_at, Some(kit.now.after(seconds(wait))));
        kit.advance(seconds(wait));
        kit.start(run, "a");
        if wait < 4 {
            kit.fail_with(run, "a", TaskError::lost("gone"));
        }
    }
    kit.fail_with(run, "a", TaskError::transient("503"));
    assert_eq!(
        kit.state(run, "a"),
        TaskState::UpForRetry,
        "its own retry is still there"
    );
    assert_eq!((kit.row(run, "a").tries, kit.row(run, "a").losses), (1, 3));
    kit.advance(seconds(10));
    kit.fail_with(run, "a", TaskError::lost("gone"));
    assert_eq!(
        kit.state(run, "a"),
        TaskState::Failed,
        "three losses are enough"
    );
}

#[test]
fn two_tasks_that_failed_together_do_not_come_back_together() {
    let tasks =
        ["a", "b", "c"].map(|id| task(id).with(|spec| spec.retry = super::drafts::doubling()));
    let mut kit = Kit::of(dag("d", tasks));
    let run = kit.trigger("d");
    let mut times = std::collections::BTreeSet::new();
    for name in ["a", "b", "c"] {
        kit.fail_with(run, name, TaskError::transient("503"));
        times.insert(kit.row(run, name).retry_at);
    }
    assert_eq!(times.len(), 3);
}

#[test]
fn an_attempt_that_takes_too_long_is_stopped_and_tried_again_only_when_it_is_over() {
    let timed = dag("d", [task("a").retries(1, seconds(10)).timeout(minutes(1))]);
    let mut kit = Kit::of(timed);
    let run = kit.trigger("d");
    let first = key(&mut kit);
    kit.advance(seconds(50));
    kit.start(run, "a");
    assert_eq!(
        kit.row(run, "a").deadline,
        Some(kit.now.after(minutes(1))),
        "waiting for a worker does not count"
    );
    kit.advance(seconds(30));
    kit.defer(run, "a");
    kit.advance(seconds(30));
    assert_eq!(
        kit.state(run, "a"),
        TaskState::UpForRetry,
        "waiting for a job does count"
    );
    assert_eq!(
        kit.mirror.attempts.values().next().unwrap().end,
        AttemptEnd::TimedOut
    );
    kit.advance(minutes(5));
    assert_eq!(kit.state(run, "a"), TaskState::Scheduled);
    assert_eq!(kit.given, [], "the first may still run");
    assert_eq!(kit.mirror.cleanups.len(), 1);
    kit.stop_all();
    assert_eq!(kit.mirror.cleanups.len(), 0);
    assert_ne!(
        key(&mut kit),
        first,
        "its job is known to be over: the next is another launch"
    );
    kit.start(run, "a");
    assert_eq!(
        kit.detail(run, "a")
            .and_then(|detail| detail.handle.clone()),
        None
    );
    kit.advance(minutes(1));
    assert_eq!(kit.state(run, "a"), TaskState::Failed);
    assert!(kit.why(run, "a").contains("longer than 1m"));
}

#[test]
fn the_key_of_a_launch_changes_only_when_the_last_one_is_known_to_be_over() {
    let mut kit = Kit::of(dag("d", [task("a").retries(9, seconds(1))]));
    let run = kit.trigger("d");
    let first = key(&mut kit);

    let next = |kit: &mut Kit, report: Report| {
        kit.start(run, "a");
        kit.defer(run, "a");
        assert_eq!(kit.report(run, "a", report), Verdict::Recorded);
        kit.advance(seconds(5));
        let handle = kit.given.last().and_then(|given| given.what.handle.clone());
        (key(kit), handle)
    };
    let unclear = failed(TaskError::ambiguous("no answer"), false);
    let (after_unclear, handle) = next(&mut kit, unclear);
    assert_eq!(after_unclear, first);
    assert_eq!(
        handle.as_deref(),
        Some("\"job\""),
        "the next attempt goes on with its job"
    );

    let ended = failed(TaskError::transient("the job failed"), true);
    let (after_end, handle) = next(&mut kit, ended);
    assert_ne!(after_end, first);
    assert_eq!(handle, None);

    kit.clear(run, &["a"]);
    kit.stop_all();
    assert_ne!(
        key(&mut kit),
        after_end,
        "a person decided that it is launched again"
    );
}

#[test]
fn the_key_stays_when_a_worker_vanishes() {
    let mut kit = Kit::with(Config {
        lease: seconds(30),
        ..config()
    });
    kit.worker(WORKER, 5, &["default"]);
    kit.deploy(dag("d", [task("a")]));
    let run = kit.trigger("d");
    let first = key(&mut kit);
    kit.start(run, "a");
    kit.advance(seconds(40));
    kit.hello_with(WORKER, Vec::new());
    assert_eq!(key(&mut kit), first);
    assert_eq!(kit.row(run, "a").epoch, 1);
}

#[test]
fn every_launch_has_a_key_of_its_own() {
    let mut kit = Kit::of(dag(
        "d",
        [task("a"), task("b").mapped(&[super::drafts::numbers(2)])],
    ));
    kit.trigger("d");
    kit.trigger("d");
    let keys: std::collections::BTreeSet<String> = kit
        .given
        .iter()
        .map(|given| given.what.key.as_str().to_owned())
        .collect();
    assert_eq!(keys.len(), 6);
}

#[test]
fn a_sensor_waits_so_long_in_all_whatever_its_attempts() {
    let timed = sensor("a", false).retries(5, seconds(1)).timeout(hours(1));
    let mut kit = Kit::of(dag("d", [timed.alerts(&[Moment::Failure])]));
    let run = kit.trigger("d");
    kit.start(run, "a");
    let deadline = kit.row(run, "a").deadline;
    kit.defer(run, "a");
    kit.advance(minutes(20));
    kit.fail_with(run, "a", TaskError::transient("503"));
    kit.advance(seconds(1));
    kit.start(run, "a");
    assert_eq!(kit.row(run, "a").deadline, deadline);
    kit.defer(run, "a");
    kit.advance(minutes(39));
    assert_eq!(kit.state(run, "a"), TaskState::Deferred);
    kit.advance(minutes(1));
    assert_eq!(
        kit.state(run, "a"),
        TaskState::Failed,
        "and it is not tried again"
    );
    assert_eq!(kit.alerts(), ["failure people"]);
}

#[test]
fn a_sensor_may_be_skipped_when_its_time_is_over_and_waits_a_week_if_nobody_says() {
    let mut kit = Kit::of(dag("d", [sensor("a", true), task("b").after(&["a"])]));
    let run = kit.trigger("d");
    kit.start(run, "a");
    kit.defer(run, "a");
    kit.advance(hours(7 * 24 - 1));
    assert_eq!(kit.state(run, "a"), TaskState::Deferred);
    kit.advance(hours(1));
    assert_eq!(kit.states(run, &["a", "b"]), [TaskState::Skipped; 2]);
    assert_eq!(kit.run_state(run), RunState::Success);
    kit.stop_all();
    kit.clear(run, &["a"]);
    kit.start(run, "a");
    assert_eq!(
        kit.row(run, "a").deadline,
        Some(kit.now.after(hours(7 * 24))),
        "it waits anew"
    );
}

fn answer(kit: &mut Kit, run: RunNo, by: &str, choice: &str) -> Result<(), Refusal> {
    let of = kit.row(run, "a").of;
    let choice = choice.into();
    kit.ask_as(by, None, Command::Answer { of, choice })
        .map(drop)
}

#[test]
fn an_approval_takes_no_worker_and_one_answer() {
    let mut kit = Kit::of(dag("d", [approval("a", None), task("b").after(&["a"])]));
    let run = kit.trigger("d");
    assert_eq!(kit.state(run, "a"), TaskState::Deferred);
    assert_eq!(kit.assigned(), Vec::<String>::new());
    assert!(answer(&mut kit, run, "ada", "perhaps").is_err());
    answer(&mut kit, run, "ada", "yes").unwrap();
    assert_eq!(
        kit.states(run, &["a", "b"]),
        [TaskState::Success, TaskState::Queued]
    );
    let output = kit.mirror.outputs.values().next().unwrap();
    let said: serde_json::Value = serde_json::from_str(&output.value).unwrap();
    assert_eq!(
        (&said["choice"], &said["by"]),
        (&json!("yes"), &json!("ada"))
    );
    let Err(Refusal::Stale { touched, .. }) = answer(&mut kit, run, "bob", "no") else {
        panic!("a second answer was taken")
    };
    assert_eq!(
        touched.map(|touch| touch.by.to_string()).as_deref(),
        Some("ada")
    );
}

#[test]
fn an_approval_that_is_rejected_fails() {
    let mut kit = Kit::of(dag("d", [approval("a", None), task("b").after(&["a"])]));
    let run = kit.trigger("d");
    answer(&mut kit, run, "ada", "no").unwrap();
    assert_eq!(
        kit.states(run, &["a", "b"]),
        [TaskState::Failed, TaskState::UpstreamFailed]
    );
    assert!(kit.why(run, "a").contains("ada answered no"));
    kit.clear(run, &["a", "b"]);
    assert_eq!(
        kit.state(run, "a"),
        TaskState::Deferred,
        "it is asked again"
    );
    kit.recover();
    answer(&mut kit, run, "ada", "later").unwrap();
    assert_eq!(kit.state(run, "b"), TaskState::Queued);
}

#[test]
fn only_those_who_are_asked_may_answer() {
    let asked = approval("a", None).with(|spec| {
        if let tidemill_core::spec::TaskKind::Approval { assignees, .. } = &mut spec.kind {
            assignees.push("bob".to_owned());
        }
    });
    let mut kit = Kit::of(dag("d", [asked]));
    let run = kit.trigger("d");
    assert!(
        answer(&mut kit, run, "ada", "yes")
            .unwrap_err()
            .to_string()
            .contains("only bob")
    );
    answer(&mut kit, run, "bob", "yes").unwrap();
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn an_approval_that_nobody_answers_takes_its_default_or_fails() {
    for (default, expected) in [
        (Some("yes"), TaskState::Success),
        (Some("no"), TaskState::Failed),
        (None, TaskState::Failed),
    ] {
        let mut kit = Kit::of(dag("d", [approval("a", default).timeout(hours(1))]));
        let run = kit.trigger("d");
        kit.advance(minutes(30));
        kit.restart();
        kit.advance(minutes(29));
        assert_eq!(kit.state(run, "a"), TaskState::Deferred);
        kit.advance(minutes(1));
        assert_eq!(kit.state(run, "a"), expected);
        assert!(
            kit.why(run, "a").contains("nobody"),
            "{}",
            kit.why(run, "a")
        );
    }
}

#[test]
fn loads_and_checks_are_on_record_whether_the_attempt_succeeded_or_failed() {
    let mut kit = Kit::of(retried());
    let run = kit.trigger("d");
    let load = |rows| Load {
        destination: "shop.orders".to_owned(),
        rows_loaded: rows,
        ..Load::default()
    };
    let check = |name: &str| CheckResult {
        name: name.to_owned(),
        ..CheckResult::default()
    };
    let report = Report::Failed {
        error: Box::new(TaskError::transient("503")),
        job_ended: true,
        loads: vec![load(1)],
        checks: vec![check("a")],
    };
    kit.report(run, "a", report);
    kit.advance(seconds(10));
    let report = Report::Done {
        output: None,
        loads: vec![load(2), load(3)],
        checks: vec![check("a"), check("b")],
    };
    kit.report(run, "a", report);
    let rows: Vec<(u32, i64)> = kit
        .mirror
        .loads
        .values()
        .map(|row| (row.nth, row.load.rows_loaded))
        .collect();
    assert_eq!(rows, [(0, 1), (0, 2), (1, 3)]);
    let rows: Vec<(u32, &str)> = kit
        .mirror
        .checks
        .values()
        .map(|row| (row.nth, &*row.result.name))
        .collect();
    assert_eq!(rows, [(0, "a"), (0, "a"), (1, "b")]);
}

#[test]
fn a_worker_that_refuses_is_asked_to_forget_and_another_try_follows() {
    let mut kit = Kit::of(retried());
    let run = kit.trigger("d");
    let why = "no room".into();
    assert_eq!(
        kit.report(run, "a", Report::Refused { why }),
        Verdict::Recorded
    );
    assert_eq!(kit.state(run, "a"), TaskState::UpForRetry);
    assert_eq!(kit.why(run, "a"), "no room");
    kit.stop_all();
    kit.advance(seconds(1));
    assert_eq!(kit.state(run, "a"), TaskState::Queued);
    assert_eq!((kit.row(run, "a").tries, kit.row(run, "a").losses), (0, 0));
}

#[test]
fn a_job_that_is_looked_at_again_and_says_the_same_writes_nothing() {
    let mut kit = Kit::of(retried());
    let run = kit.trigger("d");
    kit.start(run, "a");
    kit.defer(run, "a");
    let before = kit.mirror.clone();
    kit.advance(minutes(1));
    assert_eq!(kit.report(run, "a", deferred("\"job\"")), Verdict::Recorded);
    assert!(before == kit.mirror);
    assert_eq!(
        kit.report(run, "a", deferred("\"job 2\"")),
        Verdict::Recorded
    );
    assert_eq!(
        kit.detail(run, "a")
            .and_then(|detail| detail.handle.as_deref()),
        Some("\"job 2\"")
    );
}

#[test]
fn an_attempt_can_defer_before_it_says_that_it_began() {
    let mut kit = Kit::of(retried());
    let run = kit.trigger("d");
    kit.defer(run, "a");
    assert_eq!(kit.row(run, "a").started_at, Some(kit.now));
    assert_eq!(
        kit.report(run, "a", Report::Started),
        Verdict::Recorded,
        "it came too late, and does no harm"
    );
    assert_eq!(kit.state(run, "a"), TaskState::Deferred);
    kit.finish(run, "a");
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn alerts_tell_of_the_last_failure_and_of_each_retry_once() {
    let told = retried().told(&[Moment::Failure, Moment::Retry, Moment::Success]);
    let mut kit = Kit::of(told);
    let run = kit.trigger("d");
    kit.fail_with(run, "a", TaskError::transient("503"));
    assert_eq!(kit.alerts(), ["retry oncall"]);
    kit.advance(seconds(10));
    kit.fail_with(run, "a", TaskError::transient("503"));
    assert_eq!(kit.alerts(), ["retry oncall", "failure oncall"]);
    kit.clear(run, &["a"]);
    kit.finish(run, "a");
    assert_eq!(
        kit.alerts(),
        ["retry oncall", "failure oncall", "success oncall"]
    );
    kit.advance(Duration::from_secs(3_600));
    kit.tell(Input::Tick);
    assert_eq!(kit.alerts().len(), 3);
}

#[test]
fn an_attempt_that_is_over_says_since_when_it_waited_for_something_outside() {
    let mut kit = Kit::of(dag("d", [task("a"), task("b")]));
    let run = kit.trigger("d");
    kit.start(run, "a");
    kit.advance(seconds(10));
    kit.defer(run, "a");
    let since = kit.row(run, "a").since;
    kit.advance(seconds(10));
    kit.recover();
    kit.finish(run, "a");
    kit.finish(run, "b");
    let attempts: Vec<_> = kit.mirror.attempts.values().collect();
    let [a, b] = attempts.as_slice() else {
        panic!("{attempts:?}");
    };
    assert_eq!((a.deferred_at, b.deferred_at), (Some(since), None));
    assert!(since < a.ended_at);
}
