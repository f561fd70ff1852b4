//! When runs are made and begin: timetables, overlaps, deadlines, and what a run waits for of the one before it.

use serde_json::Value;
use tidemill_core::operator::TaskError;
use tidemill_core::protocol::RunNo;
use tidemill_core::span::{hours, minutes, seconds};
use tidemill_core::spec::{Cron, Definition, Every, Moment, Overlap, Schedule};
use tidemill_core::state::{RunState, TaskState};
use tidemill_scheduler::engine::{Command, Config, Pausable};

use super::acceptance::{pause, trigger_for};
use super::drafts::{DagDraft as _, TaskDraft as _, dag, dag_id, setup, task, teardown};
use super::kit::{Kit, config};

fn hourly(overlap: Overlap) -> Definition {
    dag("d", [task("a")])
        .every(Every::minutes(60), "2025-01-01")
        .active_runs(1)
        .with(|dag| dag.overlap = overlap)
}

fn run_states(kit: &Kit) -> Vec<RunState> {
    kit.runs_of("d").iter().map(|run| run.state).collect()
}

#[test]
fn ticks_that_come_while_a_run_is_on_wait_are_left_out_or_end_it() {
    let mut kit = Kit::of(hourly(Overlap::Queue));
    kit.advance(hours(3));
    assert_eq!(run_states(&kit), [RunState::Running]);
    kit.finish_all();
    assert_eq!(
        run_states(&kit),
        [RunState::Success; 3],
        "none was left out"
    );

    let mut kit = Kit::of(hourly(Overlap::Skip));
    kit.advance(hours(3));
    assert_eq!(run_states(&kit), [RunState::Running]);
    assert_eq!(kit.mirror.skipped_ticks.len(), 2);
    kit.finish_all();
    kit.advance(hours(1));
    assert_eq!(run_states(&kit), [RunState::Success, RunState::Running]);

    let mut kit = Kit::of(hourly(Overlap::CancelOld));
    kit.advance(hours(3));
    assert_eq!(
        run_states(&kit),
        [RunState::Cancelled, RunState::Cancelled, RunState::Running]
    );
    assert_eq!(kit.stops.len(), 2);
    let first = kit.runs_of("d")[0].id;
    assert!(
        kit.run(first)
            .why
            .as_deref()
            .is_some_and(|why| why.contains("next run"))
    );
}

#[test]
fn missed_ticks_are_made_up_for_only_if_the_dag_wants_that() {
    let daily = dag("d", [task("a")])
        .every(Cron::daily(), "2024-12-20")
        .active_runs(100);
    let mut kit = Kit::of(daily.clone());
    assert_eq!(kit.runs_of("d").len(), 12);
    kit.advance(hours(24));
    assert_eq!(kit.runs_of("d").len(), 13);

    let mut kit = Kit::of(daily.with(|dag| dag.catchup = false));
    assert_eq!(kit.starts("d"), ["2024-12-31"]);
    pause(&mut kit, Pausable::Dag(dag_id("d")), true);
    kit.advance(hours(24 * 5));
    assert_eq!(kit.runs_of("d").len(), 1);
    pause(&mut kit, Pausable::Dag(dag_id("d")), false);
    assert_eq!(kit.starts("d"), ["2024-12-31", "2025-01-05"]);
}

#[test]
fn a_dag_that_runs_once_or_for_ever_does_so() {
    let mut kit = Kit::of(dag("once", [task("a")]).when(Schedule::Once));
    kit.finish_all();
    kit.advance(hours(48));
    kit.recover();
    assert_eq!(kit.runs_of("once").len(), 1);

    let mut kit = Kit::of(
        dag("d", [task("a")])
            .when(Schedule::Continuous)
            .active_runs(1),
    );
    for made in 1..5 {
        assert_eq!(kit.runs_of("d").len(), made);
        kit.advance(minutes(7));
        let run = kit.runs_of("d")[made - 1].id;
        kit.finish(run, "a");
    }
    let runs = kit.runs_of("d");
    assert!(runs.iter().is_sorted_by_key(|run| run.start));
}

#[test]
fn what_is_not_done_in_time_is_told_once() {
    let tasks = [
        task("a").deadline(minutes(30)).alerts(&[Moment::Deadline]),
        task("b").after(&["a"]),
    ];
    let late = dag("d", tasks)
        .with(|dag| dag.deadline = Some(hours(1)))
        .told(&[Moment::Deadline]);
    let mut kit = Kit::of(late);
    let run = kit.trigger("d");
    kit.advance(minutes(29));
    assert_eq!(kit.alerts(), Vec::<String>::new());
    kit.advance(minutes(1));
    assert_eq!(kit.alerts(), ["deadline people"]);
    kit.finish(run, "a");
    kit.recover();
    kit.advance(hours(2));
    kit.recover();
    kit.ask(Command::Note {
        run,
        task: None,
        text: "looking".into(),
    })
    .unwrap();
    pause(&mut kit, Pausable::Run(run), true);
    kit.recover();
    assert_eq!(kit.alerts(), ["deadline people", "deadline oncall"]);

    let run = kit.trigger("d");
    kit.finish(run, "a");
    pause(&mut kit, Pausable::Run(run), false);
    kit.finish(run, "b");
    kit.advance(hours(2));
    assert_eq!(kit.alerts().len(), 2, "it was done in time");
}

#[test]
fn what_is_made_up_for_long_after_it_was_due_is_not_late() {
    let late = dag("d", [task("a")])
        .every(Cron::daily(), "2024-12-20")
        .active_runs(100)
        .with(|dag| dag.deadline = Some(hours(1)))
        .told(&[Moment::Deadline]);
    let mut kit = Kit::of(late);
    assert_eq!(kit.runs_of("d").len(), 12);
    kit.advance(hours(2));
    assert_eq!(
        kit.alerts().len(),
        2,
        "the last run, and the one that was late by less than a day"
    );
}

#[test]
fn a_dag_is_paused_after_so_many_failures_in_a_row() {
    let careful = dag("d", [task("a")]).with(|dag| dag.pause_after_failures = Some(2));
    let mut kit = Kit::of(careful);
    for fails in [true, false, true, true] {
        let run = kit.trigger("d");
        if fails {
            kit.fail(run, "a");
        } else {
            kit.finish(run, "a");
        }
    }
    assert!(kit.mirror.dags[&dag_id("d")].paused);
    assert_eq!(kit.audited("dag.pause"), 1);
    let waiting = kit.trigger("d");
    assert_eq!(kit.run_state(waiting), RunState::Queued);
    pause(&mut kit, Pausable::Dag(dag_id("d")), false);
    kit.fail(waiting, "a");
    assert!(!kit.mirror.dags[&dag_id("d")].paused, "it counts anew");
}

#[test]
fn the_first_failure_ends_a_run_that_fails_fast() {
    let tasks = [
        setup("make"),
        task("a").after(&["make"]),
        task("b").after(&["make"]),
        task("c").after(&["b"]),
        task("r").after(&["make"]).retries(3, minutes(5)),
        teardown("remove", &["make"]).after(&["a", "c", "r"]),
    ];
    let mut kit = Kit::of(dag("d", tasks).with(|dag| dag.fail_fast = true));
    let run = kit.trigger("d");
    kit.finish(run, "make");
    kit.start(run, "b");
    kit.fail_with(run, "r", TaskError::transient("503"));
    kit.fail(run, "a");
    assert_eq!(
        kit.states(run, &["b", "c", "r", "remove"]),
        [
            TaskState::Failed,
            TaskState::Skipped,
            TaskState::Failed,
            TaskState::Queued
        ]
    );
    kit.finish(run, "remove");
    assert_eq!(kit.run_state(run), RunState::Failed);
    assert!(
        kit.run(run)
            .why
            .as_deref()
            .is_some_and(|why| why.contains("`a` failed"))
    );
}

#[test]
fn a_run_that_waits_to_begin_does_not_take_too_long() {
    let limited = dag("d", [task("a")])
        .active_runs(1)
        .with(|dag| dag.run_timeout = Some(minutes(10)));
    let mut kit = Kit::of(limited);
    let (first, second) = (kit.trigger("d"), kit.trigger("d"));
    kit.advance(minutes(9));
    kit.finish(first, "a");
    kit.recover();
    kit.advance(seconds(110));
    assert_eq!(
        kit.run_state(second),
        RunState::Running,
        "its time counts from its start"
    );
    kit.start(second, "a");
    kit.advance(minutes(9));
    assert_eq!(kit.run_state(second), RunState::Failed);
    assert_eq!(kit.state(second, "a"), TaskState::Failed);
}

#[test]
fn depends_on_past_waits_for_the_same_task_of_the_run_before() {
    let chained =
        dag("d", [task("a").depends_on_past(), task("b").after(&["a"])]).daily("2024-12-29");
    let mut kit = Kit::of(chained);
    let runs: Vec<RunNo> = kit.runs_of("d").iter().map(|run| run.id).collect();
    let states = |kit: &Kit| {
        runs.iter()
            .map(|run| kit.state(*run, "a"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        states(&kit),
        [TaskState::Queued, TaskState::None, TaskState::None]
    );
    kit.finish(runs[0], "a");
    assert_eq!(
        states(&kit),
        [TaskState::Success, TaskState::Queued, TaskState::None]
    );
    kit.fail(runs[1], "a");
    assert_eq!(states(&kit)[2], TaskState::None);
    kit.recover();
    kit.clear(runs[1], &["a", "b"]);
    kit.skip(runs[1], "a");
    assert_eq!(states(&kit)[2], TaskState::Queued, "skipped is as good");
}

#[test]
fn depends_on_past_reads_back_a_run_that_ended_long_ago() {
    let config = Config {
        ended_tasks_kept: 0,
        ..config()
    };
    let mut kit = Kit::with(config);
    kit.worker(super::kit::WORKER, 9, &["default"]);
    kit.deploy(dag("d", [task("a").depends_on_past()]).daily("2024-12-31"));
    kit.finish_all();
    kit.advance(hours(24));
    let last = kit.runs_of("d").last().unwrap().id;
    assert_eq!(kit.state(last, "a"), TaskState::Queued);
    assert_eq!(kit.loads.len(), 2, "for each of the two");
    kit.fail(last, "a");
    kit.advance(hours(24));
    let next = kit.runs_of("d").last().unwrap().id;
    assert_eq!(kit.state(next, "a"), TaskState::None);
    kit.mark(last, &["a"], TaskState::Success);
    assert_eq!(kit.state(next, "a"), TaskState::Queued);
}

#[test]
fn a_newer_version_may_wait_for_the_past_of_one_that_did_not() {
    let mut kit = Kit::of(dag("d", [task("a")]).daily("2024-12-31"));
    let first = kit.runs_of("d")[0].id;
    kit.deploy(dag("d", [task("a").depends_on_past()]).daily("2024-12-31"));
    kit.advance(hours(24));
    let second = kit.runs_of("d")[1].id;
    assert_eq!(kit.state(second, "a"), TaskState::None);
    kit.finish(first, "a");
    assert_eq!(kit.state(second, "a"), TaskState::Queued);
}

#[test]
fn wait_for_downstream_also_waits_for_what_comes_directly_after() {
    let waits = task("a").with(|spec| spec.past.wait_for_downstream = true);
    let mut kit = Kit::of(dag("d", [waits, task("b").after(&["a"])]).daily("2024-12-30"));
    let runs: Vec<RunNo> = kit.runs_of("d").iter().map(|run| run.id).collect();
    kit.finish(runs[0], "a");
    assert_eq!(kit.state(runs[1], "a"), TaskState::None);
    kit.finish(runs[0], "b");
    assert_eq!(kit.state(runs[1], "a"), TaskState::Queued);
}

#[test]
fn a_skip_can_be_held_back_until_the_past_is_there() {
    let held = task("b").after(&["a"]).depends_on_past();
    let held = held.with(|spec| spec.past.wait_before_skipping = true);
    let mut kit = Kit::of(dag("d", [task("a"), held]));
    let first = trigger_for(&mut kit, "d", "2024-12-01");
    let second = trigger_for(&mut kit, "d", "2024-12-02");
    kit.skip(second, "a");
    assert_eq!(kit.state(second, "b"), TaskState::None);
    kit.finish(first, "a");
    kit.finish(first, "b");
    assert_eq!(kit.state(second, "b"), TaskState::Skipped);
}

#[test]
fn params_are_checked_when_a_run_is_made() {
    use tidemill_core::params::ParamSpec;
    let with = dag("d", [task("a")])
        .with(|dag| dag.params = vec![ParamSpec::of::<u32>("n").default_value(5)]);
    let mut kit = Kit::of(with);
    let run = kit.trigger("d");
    assert_eq!(&*kit.run(run).params, "{\"n\":5}");
    for wrong in [
        serde_json::json!({ "n": "five" }),
        serde_json::json!({ "m": 1 }),
        Value::from(3),
    ] {
        assert!(
            kit.ask(Command::Trigger(super::kit::trigger("d", wrong)))
                .is_err()
        );
    }
    assert_eq!(kit.runs_of("d").len(), 1);
}
