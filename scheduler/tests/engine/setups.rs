//! Setups and teardowns: what waits for what, and that what was set up is torn down whatever happens between.

use tidemill_core::span::{minutes, seconds};
use tidemill_core::spec::{Moment, Role};
use tidemill_core::state::{RunState, TaskState, TriggerRule};
use tidemill_scheduler::engine::Command;

use super::drafts::{DagDraft as _, TaskDraft as _, dag, mapping, numbers, setup, task, teardown};
use super::kit::Kit;

/// `make`, two tasks of work after one another, `remove`.
fn scope() -> tidemill_core::spec::Definition {
    let tasks = [
        setup("make"),
        task("first").after(&["make"]),
        task("second").after(&["first"]),
        teardown("remove", &["make"]).after(&["second"]),
    ];
    dag("d", tasks)
}

#[test]
fn a_teardown_waits_for_its_whole_scope_and_not_only_for_what_is_directly_before_it() {
    let tasks = [
        setup("make"),
        task("slow").after(&["make"]),
        task("quick").after(&["make"]),
        task("join")
            .after(&["slow", "quick"])
            .rule(TriggerRule::OneSuccess),
        teardown("remove", &["make"]).after(&["join"]),
    ];
    let mut kit = Kit::of(dag("d", tasks));
    let run = kit.trigger("d");
    kit.finish(run, "make");
    kit.finish(run, "quick");
    kit.finish(run, "join");
    assert_eq!(
        kit.state(run, "remove"),
        TaskState::None,
        "slow still uses what was made"
    );
    kit.finish(run, "slow");
    assert_eq!(kit.state(run, "remove"), TaskState::Queued);
}

#[test]
fn a_scope_that_was_cleared_and_ended_again_is_torn_down_again_once() {
    let mut kit = Kit::of(scope());
    let run = kit.trigger("d");
    kit.finish_all();
    assert_eq!(kit.run_state(run), RunState::Success);
    let changed = kit.clear(run, &["first"]);
    let cleared: Vec<&str> = changed
        .tasks
        .iter()
        .map(|change| change.name.as_str())
        .collect();
    // The work alone would find nothing to work on.
    assert_eq!(cleared, ["first", "make", "remove"]);
    assert_eq!(kit.assigned(), ["make"]);
    kit.finish(run, "make");
    assert_eq!(kit.assigned(), ["first"]);
    assert_eq!(kit.state(run, "remove"), TaskState::None);
    kit.finish(run, "first");
    assert_eq!(kit.assigned(), ["remove"]);
    kit.finish(run, "remove");
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn a_teardown_runs_when_the_work_failed_and_does_not_hide_that_it_did() {
    let mut kit = Kit::of(scope());
    let run = kit.trigger("d");
    kit.finish(run, "make");
    kit.fail(run, "first");
    assert_eq!(kit.state(run, "second"), TaskState::UpstreamFailed);
    kit.finish(run, "remove");
    assert_eq!(kit.run_state(run), RunState::Failed);
}

#[test]
fn a_teardown_that_fails_fails_its_run_only_if_it_is_meant_to() {
    let mut kit = Kit::of(scope());
    let run = kit.trigger("d");
    for name in ["make", "first", "second"] {
        kit.finish(run, name);
    }
    kit.fail(run, "remove");
    assert_eq!(kit.run_state(run), RunState::Success);

    let strict = scope().with(|dag| {
        for task in &mut dag.tasks {
            if let Role::Teardown { fails_run, .. } = &mut task.role {
                *fails_run = true;
            }
        }
    });
    let mut kit = Kit::of(strict);
    let run = kit.trigger("d");
    for name in ["make", "first", "second"] {
        kit.finish(run, name);
    }
    kit.fail(run, "remove");
    assert_eq!(kit.run_state(run), RunState::Failed);
}

#[test]
fn one_setup_that_succeeded_is_enough_to_tear_down() {
    let tasks = [
        setup("one"),
        setup("two"),
        task("work").after(&["one", "two"]),
        teardown("remove", &["one", "two"]).after(&["work"]),
    ];
    let mut kit = Kit::of(dag("d", tasks));
    let run = kit.trigger("d");
    kit.fail(run, "one");
    assert_eq!(kit.state(run, "remove"), TaskState::None);
    kit.finish(run, "two");
    assert_eq!(kit.state(run, "remove"), TaskState::Queued);

    let run = kit.trigger("d");
    kit.skip(run, "one");
    kit.skip(run, "two");
    assert_eq!(
        kit.states(run, &["work", "remove"]),
        [TaskState::Skipped; 2]
    );
    assert_eq!(kit.run_state(run), RunState::Success);

    let run = kit.trigger("d");
    kit.fail(run, "one");
    kit.skip(run, "two");
    assert_eq!(kit.state(run, "remove"), TaskState::UpstreamFailed);
    assert_eq!(kit.run_state(run), RunState::Failed);
}

#[test]
fn a_cancelled_run_tears_down_what_was_set_up_unless_it_is_cancelled_again() {
    let mut kit = Kit::of(scope());
    let run = kit.trigger("d");
    kit.finish(run, "make");
    kit.start(run, "first");
    kit.ask(Command::CancelRun { run, note: None }).unwrap();
    assert_eq!(
        kit.states(run, &["first", "second"]),
        [TaskState::Failed, TaskState::Skipped]
    );
    assert_eq!(kit.run_state(run), RunState::Running);
    assert_eq!(kit.run(run).ending, Some(RunState::Cancelled));
    kit.start(run, "remove");
    kit.ask(Command::CancelRun { run, note: None }).unwrap();
    assert_eq!(kit.state(run, "remove"), TaskState::Failed);
    assert_eq!(kit.run_state(run), RunState::Cancelled);
    kit.stop_all();
    assert!(kit.mirror.cleanups.is_empty());

    let run = kit.trigger("d");
    kit.ask(Command::CancelRun { run, note: None }).unwrap();
    assert_eq!(
        kit.state(run, "make"),
        TaskState::Failed,
        "it had been given to a worker"
    );
    assert!(kit.state(run, "remove").is_final(), "nothing was set up");
    assert_eq!(kit.run_state(run), RunState::Cancelled);
}

#[test]
fn a_run_that_takes_too_long_fails_and_is_torn_down() {
    let limited = scope().with(|dag| dag.run_timeout = Some(minutes(10)));
    let mut kit = Kit::of(limited.told(&[Moment::Failure]));
    let run = kit.trigger("d");
    kit.finish(run, "make");
    kit.start(run, "first");
    kit.advance(minutes(10));
    // Airflow skips what was on; here it failed, because that is what happened to it.
    assert_eq!(
        kit.states(run, &["first", "second"]),
        [TaskState::Failed; 2]
    );
    assert_eq!(kit.alerts(), ["failure oncall"]);
    assert!(
        kit.run(run)
            .why
            .as_deref()
            .is_some_and(|why| why.contains("10m"))
    );
    assert_eq!(kit.stops.len(), 1);
    kit.stop_all();
    assert_eq!(kit.run_state(run), RunState::Running);
    kit.finish(run, "remove");
    assert_eq!(kit.run_state(run), RunState::Failed);
    assert_eq!(kit.alerts(), ["failure oncall"], "nobody is told twice");
}

#[test]
fn a_cancelled_run_whose_teardown_takes_long_stays_cancelled() {
    let mut kit = Kit::of(scope().with(|dag| dag.run_timeout = Some(minutes(10))));
    let run = kit.trigger("d");
    kit.finish(run, "make");
    kit.ask(Command::CancelRun { run, note: None }).unwrap();
    kit.stop_all();
    kit.start(run, "remove");
    kit.advance(minutes(20));
    kit.finish(run, "remove");
    assert_eq!(kit.run_state(run), RunState::Cancelled);
}

#[test]
fn teardowns_are_tried_again_while_their_run_ends() {
    let tasks = [
        setup("make"),
        task("work").after(&["make"]).retries(5, seconds(1)),
        teardown("remove", &["make"])
            .after(&["work"])
            .retries(1, seconds(1)),
    ];
    let mut kit = Kit::of(dag("d", tasks));
    let run = kit.trigger("d");
    kit.finish(run, "make");
    kit.ask(Command::CancelRun { run, note: None }).unwrap();
    kit.stop_all();
    kit.fail_with(
        run,
        "remove",
        tidemill_core::operator::TaskError::transient("503"),
    );
    assert_eq!(kit.state(run, "remove"), TaskState::UpForRetry);
    kit.advance(seconds(1));
    kit.finish(run, "remove");
    assert_eq!(kit.run_state(run), RunState::Cancelled);
}

#[test]
fn a_path_that_ends_in_a_teardown_counts_by_what_comes_before_it() {
    let mut kit = Kit::of(dag("d", [setup("make"), teardown("remove", &["make"])]));
    let run = kit.trigger("d");
    kit.fail(run, "make");
    assert_eq!(kit.run_state(run), RunState::Failed);

    // A DAG of nothing but teardowns is judged by them.
    let alone = teardown("remove", &[]);
    let mut kit = Kit::of(dag("d", [alone]));
    let run = kit.trigger("d");
    kit.fail(run, "remove");
    assert_eq!(kit.run_state(run), RunState::Failed);
}

#[test]
fn each_instance_of_a_mapped_group_has_a_scope_of_its_own() {
    let tasks = [
        setup("g.make").in_group("g"),
        task("g.work").in_group("g").after(&["g.make"]),
        task("g.more").in_group("g").after(&["g.work"]),
        teardown("g.remove", &["g.make"])
            .in_group("g")
            .after(&["g.more"]),
        task("after").after(&["g.more"]),
    ];
    let mut kit = Kit::of(dag("d", tasks).group("g", None, Some(mapping(&[numbers(2)]))));
    let run = kit.trigger("d");
    kit.finish(run, "g.make[0]");
    kit.fail(run, "g.make[1]");
    assert_eq!(kit.state(run, "g.remove[1]"), TaskState::UpstreamFailed);
    assert_eq!(kit.state(run, "g.more[1]"), TaskState::UpstreamFailed);
    kit.finish(run, "g.work[0]");
    assert_eq!(kit.state(run, "g.remove[0]"), TaskState::None);
    kit.finish(run, "g.more[0]");
    assert_eq!(kit.state(run, "g.remove[0]"), TaskState::Queued);
    assert_eq!(kit.state(run, "after"), TaskState::UpstreamFailed);

    kit.finish(run, "g.remove[0]");
    kit.clear(run, &["g.work[0]"]);
    assert_eq!(kit.state(run, "g.make[0]"), TaskState::Queued);
    assert_eq!(
        kit.state(run, "g.make[1]"),
        TaskState::Failed,
        "the other scope is left alone"
    );
}

#[test]
fn a_failure_that_ends_its_run_at_once_leaves_the_teardown() {
    let fast = scope().with(|dag| {
        dag.fail_fast = true;
        dag.tasks.push(task("other"));
        dag.tasks.sort_by(|a, b| a.id.cmp(&b.id));
    });
    let mut kit = Kit::of(fast.told(&[Moment::Failure]));
    let run = kit.trigger("d");
    kit.finish(run, "make");
    kit.start(run, "other");
    kit.fail(run, "first");
    assert_eq!(
        kit.states(run, &["other", "second"]),
        [TaskState::Failed, TaskState::Skipped]
    );
    kit.stop_all();
    kit.finish(run, "remove");
    assert_eq!(kit.run_state(run), RunState::Failed);
    assert_eq!(kit.alerts(), ["failure oncall"]);
}
