//! The behaviours that users of Airflow rely on, by the numbers of the reference: admission, runs, faults. Where Tidemill
//! decides otherwise, the test says why.

use std::time::Duration;

use serde_json::Value;
use tidemill_core::protocol::RunNo;
use tidemill_core::spec::Moment;
use tidemill_core::state::{RunState, TaskState, TriggerRule};
use tidemill_scheduler::engine::{
    Around, BulkAction, Command, Engine, Filter, Input, Pausable, Trigger,
};

use super::drafts::{DagDraft as _, TaskDraft as _, dag, dag_id, empty, task};
use super::kit::{Kit, WORKER, at, clear, config, trigger};

pub(crate) fn set_pool(kit: &mut Kit, name: &str, slots: Option<u32>) {
    let command = Command::SetPool {
        name: name.into(),
        slots,
        holds_deferred: false,
        note: None,
    };
    kit.ask(command).expect("the pool can be set");
}

pub(crate) fn pause(kit: &mut Kit, what: Pausable, pause: bool) {
    kit.ask(Command::Pause { what, pause })
        .expect("it can be paused");
}

/// A run by hand that covers a day.
pub(crate) fn trigger_for(kit: &mut Kit, dag: &str, day: &str) -> RunNo {
    let covers = Some((at(day), at(day)));
    let command = Command::Trigger(Trigger {
        covers,
        ..trigger(dag, Value::Null)
    });
    let changed = kit.ask(command).expect("the run can be triggered");
    changed.runs_made[0].0
}

#[test]
fn s01_highest_weights_first_over_two_pools() {
    let mut kit = Kit::new();
    set_pool(&mut kit, "one", Some(10));
    set_pool(&mut kit, "two", Some(10));
    let tasks = [
        task("a").priority(1).pool("one", 1),
        task("b").priority(2).pool("two", 1),
        task("c").priority(3).pool("one", 1),
    ];
    kit.deploy(dag("d", tasks).with(|dag| dag.active_tasks_max = Some(2)));
    let run = kit.trigger("d");
    assert_eq!(kit.assigned(), ["c", "b"]);
    assert_eq!(kit.state(run, "a"), TaskState::Scheduled);
    kit.finish(run, "b");
    assert_eq!(kit.assigned(), ["a"]);
}

#[test]
fn s02_a_task_that_wants_more_slots_than_its_pool_has_waits_for_ever_and_others_pass() {
    let mut kit = Kit::new();
    set_pool(&mut kit, "small", Some(2));
    let tasks = [
        task("big").priority(9).pool("small", 4),
        task("one").pool("small", 1),
    ];
    kit.deploy(dag("d", tasks));
    let run = kit.trigger("d");
    assert_eq!(kit.assigned(), ["one"]);
    kit.finish(run, "one");
    kit.advance(Duration::from_secs(86_400));
    assert_eq!(kit.assigned(), Vec::<String>::new());
    assert_eq!(kit.state(run, "big"), TaskState::Scheduled);
    set_pool(&mut kit, "small", Some(4));
    assert_eq!(kit.assigned(), ["big"]);
}

#[test]
fn s04_a_pool_without_limit_takes_all_and_an_unknown_pool_none() {
    let mut kit = Kit::new();
    set_pool(&mut kit, "endless", None);
    let many = (0..500).map(|nth| task(&format!("t{nth:03}")).pool("endless", 7));
    kit.deploy(dag("d", many.chain([task("lost").pool("nowhere", 1)])));
    let run = kit.trigger("d");
    assert_eq!(kit.assigned().len(), 500);
    assert_eq!(kit.state(run, "lost"), TaskState::Scheduled);
    set_pool(&mut kit, "nowhere", Some(1));
    assert_eq!(kit.assigned(), ["lost"]);
}

#[test]
fn s05_the_limit_of_active_tasks_holds_for_each_run_alone() {
    let tasks = (0..8).map(|nth| task(&format!("t{nth}")));
    let mut kit = Kit::of(dag("d", tasks).with(|dag| dag.active_tasks_per_run_max = Some(4)));
    let (first, second) = (kit.trigger("d"), kit.trigger("d"));
    assert_eq!(kit.assigned().len(), 8);
    pause(&mut kit, Pausable::Pool("default".into()), true);
    kit.finish(first, "t0");
    for name in ["t0", "t1", "t2"] {
        kit.finish(second, name);
    }
    assert_eq!(kit.assigned(), Vec::<String>::new());
    pause(&mut kit, Pausable::Pool("default".into()), false);
    let given = kit.assigned_runs();
    let count = |run| given.iter().filter(|(_, of)| *of == run).count();
    assert_eq!((count(first), count(second)), (1, 3));
    kit.tell(Input::Tick);
    assert_eq!(kit.assigned(), Vec::<String>::new());
}

#[test]
fn s07_nothing_of_a_paused_dag_a_waiting_run_or_an_ended_run_is_queued() {
    let mut kit = Kit::of(dag("d", [task("a"), task("b").after(&["a"])]).active_runs(1));
    let run = kit.trigger("d");
    pause(&mut kit, Pausable::Dag(dag_id("d")), true);
    assert_eq!(kit.assigned(), ["a"]);
    kit.finish(run, "a");
    assert_eq!(kit.state(run, "b"), TaskState::Scheduled);
    assert_eq!(kit.assigned(), Vec::<String>::new());

    let waiting = kit.trigger("d");
    assert_eq!(kit.run_state(waiting), RunState::Queued);
    assert_eq!(kit.mirror.instances(waiting).count(), 0);

    // Airflow sets it back to none; here a run that has ended has nothing left that is open.
    kit.ask(Command::CancelRun { run, note: None }).unwrap();
    assert_eq!(kit.state(run, "b"), TaskState::Skipped);
    pause(&mut kit, Pausable::Dag(dag_id("d")), false);
    assert_eq!(kit.assigned_runs(), [("a".to_owned(), waiting)]);
}

#[test]
fn s08_of_equal_weights_earlier_dates_go_first() {
    let mut kit = Kit::new();
    set_pool(&mut kit, "p", Some(0));
    kit.deploy(dag("d", [task("a").pool("p", 1)]));
    let late = trigger_for(&mut kit, "d", "2024-12-05");
    let early = trigger_for(&mut kit, "d", "2024-12-02");
    set_pool(&mut kit, "p", Some(1));
    assert_eq!(kit.assigned_runs(), [("a".to_owned(), early)]);
    kit.finish(early, "a");
    assert_eq!(kit.assigned_runs(), [("a".to_owned(), late)]);
}

#[test]
fn s10_no_more_runs_than_allowed_are_made_and_no_date_is_left_out() {
    let mut kit = Kit::since("2025-02-01");
    kit.deploy(dag("d", [task("a")]).daily("2025-01-01").active_runs(10));
    let days: Vec<String> = (1..=31).map(|day| format!("2025-01-{day:02}")).collect();
    assert_eq!(kit.starts("d"), days[..10]);
    let by_hand = kit.trigger("d");
    assert_eq!(kit.run_state(by_hand), RunState::Queued);
    kit.assigned();
    for made in 11..=31 {
        let oldest = kit
            .runs_of("d")
            .iter()
            .find(|run| run.state == RunState::Running)
            .unwrap()
            .id;
        kit.finish(oldest, "a");
        let scheduled: Vec<_> = kit
            .starts("d")
            .into_iter()
            .enumerate()
            .filter(|(nth, _)| *nth != 10)
            .collect();
        assert_eq!(scheduled.len(), made);
        assert!(
            scheduled
                .iter()
                .zip(&days)
                .all(|((_, start), day)| start == day)
        );
        let on = kit
            .runs_of("d")
            .iter()
            .filter(|run| run.state == RunState::Running)
            .count();
        assert_eq!(on, 10);
    }
    // It covers the last complete day, so that no date before it has to wait for it.
    kit.finish_all();
    assert_eq!(kit.run_state(by_hand), RunState::Success);
    assert!(
        kit.runs_of("d")
            .iter()
            .all(|run| run.state == RunState::Success)
    );
}

#[test]
fn s11_of_three_runs_cleared_together_one_is_on_if_one_may_be() {
    let mut kit = Kit::of(dag("d", [task("a")]).active_runs(1));
    let runs: Vec<RunNo> = (0..3).map(|_| kit.trigger("d")).collect();
    kit.finish_all();
    assert!(
        runs.iter()
            .all(|run| kit.run_state(*run) == RunState::Success)
    );
    let filter = Filter {
        runs: runs.clone(),
        dag: None,
        states: Vec::new(),
        kinds: Vec::new(),
        from: None,
        to: None,
        tasks: Vec::new(),
        runs_max: 10,
    };
    let action = BulkAction::Clear;
    let changed = kit
        .ask(Command::Bulk {
            filter,
            action,
            note: None,
        })
        .unwrap();
    assert_eq!(changed.runs, runs);
    let states: Vec<RunState> = runs.iter().map(|run| kit.run_state(*run)).collect();
    assert_eq!(
        states,
        [RunState::Running, RunState::Queued, RunState::Queued]
    );
    kit.finish_all();
    assert!(
        runs.iter()
            .all(|run| kit.run_state(*run) == RunState::Success)
    );
}

#[test]
fn s12_a_dag_at_its_limit_does_not_hold_others() {
    let mut kit = Kit::of(dag("full", [task("a")]).active_runs(1));
    kit.deploy(dag("free", [task("a")]));
    for _ in 0..50 {
        kit.trigger("full");
    }
    let run = kit.trigger("free");
    assert_eq!(kit.run_state(run), RunState::Running);
    assert_eq!(kit.state(run, "a"), TaskState::Queued);
}

#[test]
fn s13_runs_by_hand_do_not_move_the_timetable_and_a_date_has_one_run() {
    let mut kit = Kit::since("2025-01-05");
    kit.deploy(dag("d", [task("a")]).daily("2025-01-01").active_runs(1));
    assert_eq!(kit.starts("d"), ["2025-01-01"]);
    let before = kit.mirror.dags[&dag_id("d")].last_due;
    let by_hand = kit.trigger("d");
    assert_eq!(kit.mirror.dags[&dag_id("d")].last_due, before);
    kit.ask(Command::CancelRun {
        run: by_hand,
        note: None,
    })
    .unwrap();

    let backfill = super::acceptance_dates::backfill("d", "2025-01-01", "2025-01-02");
    kit.ask(Command::Backfill(backfill)).unwrap();
    let made: Vec<String> = kit.starts("d").split_off(2);
    assert_eq!(made, ["2025-01-02"], "the first of January is in flight");
    kit.finish_all();
    let kinds: Vec<String> = kit
        .runs_of("d")
        .iter()
        .map(|run| format!("{} {}", run.kind, run.start))
        .collect();
    assert_eq!(
        kinds[2..],
        [
            "backfill 2025-01-02T00:00:00Z",
            "scheduled 2025-01-03T00:00:00Z",
            "scheduled 2025-01-04T00:00:00Z"
        ]
    );
}

#[test]
fn s15_what_cannot_be_loaded_or_evaluated_does_not_stop_the_others() {
    let mut kit = Kit::of(dag("good", [task("a")]));
    let circle = [task("a").after(&["b"]), task("b").after(&["a"])];
    kit.deploy(dag("circle", circle));
    assert_eq!(kit.audited("dag.refuse"), 1);
    assert!(
        kit.ask(Command::Trigger(trigger("circle", Value::Null)))
            .is_err()
    );

    let broken = kit.trigger("good");
    // A row that is not there: somebody edited the database.
    kit.mirror.tasks.retain(|of, _| of.run != broken);
    let fine = kit.trigger("good");
    kit.mirror.tasks.insert(
        tidemill_core::protocol::InstanceRef {
            map_index: 7,
            ..kit.row(fine, "a").of
        },
        kit.row(fine, "a").clone(),
    );
    let mut rows = kit.mirror.recovered();
    let stray = rows
        .tasks
        .iter()
        .find(|row| row.of.run == fine)
        .unwrap()
        .clone();
    rows.tasks.retain(|row| row.of.map_index == -1);
    rows.tasks.insert(0, {
        let mut stray = stray;
        stray.of.run = broken;
        stray.of.map_index = 0;
        stray
    });
    let (engine, problems) = Engine::recover(kit.config.clone(), &rows, kit.now);
    assert_eq!(problems, Vec::<String>::new());
    kit.engine = engine;
    kit.mirror.tasks.retain(|of, _| of.map_index == -1);
    kit.hello(WORKER);
    kit.finish(fine, "a");
    assert_eq!(kit.run_state(fine), RunState::Success);
    assert_eq!(kit.run_state(broken), RunState::Running);
    let next = kit.trigger("good");
    kit.finish(next, "a");
    assert_eq!(kit.run_state(next), RunState::Success);
}

#[test]
fn s17_a_task_that_does_nothing_succeeds_at_once_without_a_worker() {
    // Airflow queues it if it has a callback; alerts and assets need no worker here, so that none is asked.
    let tasks = [
        empty("a").alerts(&[Moment::Success]).outlet("made"),
        empty("b").after(&["a"]),
        empty("c").rule(TriggerRule::AllFailed).after(&["b"]),
    ];
    let mut kit = Kit::with(config());
    kit.deploy(dag("d", tasks));
    let run = kit.trigger("d");
    assert_eq!(
        kit.states(run, &["a", "b", "c"]),
        [TaskState::Success, TaskState::Success, TaskState::Skipped]
    );
    assert_eq!(kit.run_state(run), RunState::Success);
    assert_eq!(kit.run(run).ended_at, Some(kit.now));
    assert_eq!(kit.alerts(), ["success people"]);
    assert_eq!(kit.mirror.asset_events.len(), 1);
    assert_eq!(kit.mirror.attempts.len(), 0);
}

#[test]
fn s18_a_paused_dags_run_still_comes_to_its_end() {
    let mut kit = Kit::of(dag("d", [task("a"), empty("b").after(&["a"])]));
    let run = kit.trigger("d");
    kit.start(run, "a");
    pause(&mut kit, Pausable::Dag(dag_id("d")), true);
    kit.finish(run, "a");
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn s25_the_leaves_decide_how_a_run_ended() {
    let tasks = [
        task("root"),
        task("middle").after(&["root"]),
        task("leaf").after(&["middle"]).rule(TriggerRule::AllDone),
    ];
    let mut kit = Kit::of(dag("d", tasks));
    let run = kit.trigger("d");
    kit.finish(run, "root");
    kit.fail(run, "middle");
    assert_eq!(kit.run_state(run), RunState::Running);
    kit.finish(run, "leaf");
    assert_eq!(
        kit.run_state(run),
        RunState::Success,
        "a failed middle does not fail the run"
    );

    let run = kit.trigger("d");
    kit.skip(run, "root");
    assert_eq!(kit.state(run, "middle"), TaskState::Skipped);
    kit.skip(run, "leaf");
    assert_eq!(
        kit.run_state(run),
        RunState::Success,
        "all skipped is a success"
    );

    let mut kit = Kit::of(dag("d", [task("a"), task("b"), task("c").after(&["a"])]));
    let run = kit.trigger("d");
    kit.fail(run, "a");
    assert_eq!(kit.state(run, "c"), TaskState::UpstreamFailed);
    assert_eq!(kit.run_state(run), RunState::Running, "b is still on");
    kit.finish(run, "b");
    assert_eq!(kit.run_state(run), RunState::Failed);
}

#[test]
fn s28_a_run_whose_tasks_were_all_removed_ends_and_gets_them_back_later() {
    let kept = dag("d", [task("a"), task("b").after(&["a"])]);
    let mut kit = Kit::of(kept.clone());
    let run = kit.trigger("d");
    kit.finish_all();
    let rows: Vec<_> = kit.mirror.instances(run).map(|row| row.of).collect();
    let restart = |run| {
        let Command::Clear { select, around, .. } = clear(run, &[], Around::default()) else {
            unreachable!("it is a clear")
        };
        Command::Clear {
            select,
            around,
            params: None,
            version: tidemill_scheduler::engine::RunVersion::Newest,
            note: None,
        }
    };
    kit.deploy(dag("d", []));
    kit.ask(restart(run)).unwrap();
    assert_eq!(kit.run_state(run), RunState::Success);
    assert_eq!(
        kit.states(run, &["a", "b"]),
        [TaskState::Removed, TaskState::Removed]
    );

    kit.deploy(kept);
    kit.ask(restart(run)).unwrap();
    assert_eq!(kit.run_state(run), RunState::Running);
    kit.finish_all();
    assert_eq!(
        kit.states(run, &["a", "b"]),
        [TaskState::Success, TaskState::Success]
    );
    assert_eq!(
        kit.mirror
            .instances(run)
            .map(|row| row.of)
            .collect::<Vec<_>>(),
        rows
    );
    assert_eq!(kit.row(run, "a").number, 2, "its history goes on");
}
