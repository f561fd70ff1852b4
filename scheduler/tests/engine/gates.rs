//! What holds a task or a run that could otherwise go on: pools, limits, pauses, and whose turn it is.

use tidemill_core::operator::TaskError;
use tidemill_core::protocol::RunNo;
use tidemill_core::span::{minutes, seconds};
use tidemill_core::spec::TaskSpec;
use tidemill_core::state::{RunState, TaskState};
use tidemill_scheduler::engine::{Command, Pausable};

use super::acceptance::{pause, set_pool};
use super::drafts::{DagDraft as _, TaskDraft as _, dag, numbers, task};
use super::kit::Kit;

/// Tasks `t0` and so on, each changed in the same way.
fn many(count: u32, change: impl Fn(TaskSpec) -> TaskSpec) -> Vec<TaskSpec> {
    (0..count)
        .map(|nth| change(task(&format!("t{nth}"))))
        .collect()
}

fn count(kit: &mut Kit) -> usize {
    kit.assigned().len()
}

#[test]
fn a_pool_gives_its_slots_and_takes_them_back() {
    let mut kit = Kit::new();
    set_pool(&mut kit, "p", Some(5));
    kit.deploy(dag("d", many(4, |task| task.pool("p", 2))));
    let run = kit.trigger("d");
    assert_eq!(count(&mut kit), 2);
    kit.finish(run, "t0");
    assert_eq!(count(&mut kit), 1);
    kit.fail(run, "t1");
    assert_eq!(count(&mut kit), 1);
    set_pool(&mut kit, "p", Some(1));
    kit.finish(run, "t2");
    kit.finish(run, "t3");
    assert_eq!(kit.run_state(run), RunState::Failed);
}

#[test]
fn deferred_tasks_keep_their_slots_only_where_the_pool_says_so() {
    for holds in [false, true] {
        let mut kit = Kit::new();
        set_pool(&mut kit, "p", Some(1));
        kit.deploy(dag("d", many(3, |task| task.pool("p", 1))));
        let run = kit.trigger("d");
        kit.ask(Command::SetPool {
            name: "p".into(),
            slots: Some(1),
            holds_deferred: holds,
            note: None,
        })
        .unwrap();
        kit.assigned();
        kit.defer(run, "t0");
        assert_eq!(count(&mut kit), usize::from(!holds));
        kit.recover();
        kit.finish(run, "t0");
        assert_eq!(count(&mut kit), usize::from(holds));
    }
}

#[test]
fn a_pool_can_begin_to_count_what_is_deferred_already() {
    let mut kit = Kit::new();
    set_pool(&mut kit, "p", Some(2));
    kit.deploy(dag("d", many(4, |task| task.pool("p", 1))));
    let run = kit.trigger("d");
    kit.defer(run, "t0");
    kit.defer(run, "t1");
    assert_eq!(kit.assigned(), ["t0", "t1", "t2", "t3"]);
    let holds = |holds_deferred| Command::SetPool {
        name: "p".into(),
        slots: Some(2),
        holds_deferred,
        note: None,
    };
    kit.ask(holds(true)).unwrap();
    let next = kit.trigger("d");
    kit.finish(run, "t2");
    kit.finish(run, "t3");
    assert_eq!(
        count(&mut kit),
        0,
        "both slots are taken by what is deferred"
    );
    kit.ask(holds(false)).unwrap();
    assert_eq!(count(&mut kit), 2);
    assert_eq!(kit.state(next, "t0"), TaskState::Queued);
}

#[test]
fn a_pool_that_is_paused_or_removed_gives_nothing() {
    let mut kit = Kit::new();
    set_pool(&mut kit, "p", Some(1));
    kit.deploy(dag("d", many(3, |task| task.pool("p", 1))));
    let run = kit.trigger("d");
    pause(&mut kit, Pausable::Pool("p".into()), true);
    assert_eq!(count(&mut kit), 1);
    kit.finish(run, "t0");
    assert_eq!(count(&mut kit), 0);
    kit.recover();
    assert_eq!(count(&mut kit), 0);
    pause(&mut kit, Pausable::Pool("p".into()), false);
    assert_eq!(count(&mut kit), 1);
    kit.ask(Command::RemovePool { name: "p".into() }).unwrap();
    kit.finish(run, "t1");
    assert_eq!(count(&mut kit), 0);
    assert!(!kit.mirror.pools.contains_key("p"));
    set_pool(&mut kit, "p", Some(1));
    assert_eq!(count(&mut kit), 1);
    assert!(
        kit.ask(Command::RemovePool {
            name: "default".into()
        })
        .is_err()
    );
}

#[test]
fn a_dag_has_so_many_active_tasks_over_all_its_runs() {
    let limited = dag("d", many(3, |task| task)).with(|dag| dag.active_tasks_max = Some(4));
    let mut kit = Kit::of(limited);
    let (first, second) = (kit.trigger("d"), kit.trigger("d"));
    assert_eq!(count(&mut kit), 4);
    kit.defer(first, "t0");
    assert_eq!(count(&mut kit), 1, "what is deferred does not count");
    kit.recover();
    kit.finish(second, "t0");
    assert_eq!(count(&mut kit), 1);
}

#[test]
fn a_task_has_so_many_active_instances_over_all_runs_and_within_one() {
    let limited = task("a").mapped(&[numbers(3)]).with(|spec| {
        spec.concurrency.active_max = Some(3);
        spec.concurrency.active_per_run_max = Some(2);
    });
    let mut kit = Kit::of(dag("d", [limited]));
    let (first, second) = (kit.trigger("d"), kit.trigger("d"));
    let given = kit.assigned_runs();
    let of = |run: RunNo| given.iter().filter(|(_, of)| *of == run).count();
    assert_eq!((of(first), of(second)), (2, 1));
    kit.defer(first, "a[0]");
    assert_eq!(count(&mut kit), 0, "what is deferred counts");
    kit.recover();
    kit.finish(first, "a[1]");
    assert_eq!(count(&mut kit), 1);
}

#[test]
fn tasks_with_the_same_key_do_not_run_at_once_whatever_their_dags() {
    let keyed = |id: &str| {
        let task = task("a").mapped(&[numbers(2)]).with(|spec| {
            spec.concurrency.key = Some("table {item}".into());
            spec.concurrency.key_active_max = 1;
        });
        dag(id, [task])
    };
    let mut kit = Kit::of(keyed("one"));
    kit.deploy(keyed("two"));
    let one = kit.trigger("one");
    let two = kit.trigger("two");
    assert_eq!(
        kit.assigned_runs(),
        [("a[0]".to_owned(), one), ("a[1]".to_owned(), one)]
    );
    kit.recover();
    kit.finish(one, "a[1]");
    assert_eq!(kit.assigned_runs(), [("a[1]".to_owned(), two)]);
}

#[test]
fn a_key_that_cannot_be_filled_in_fails_its_task_and_says_why() {
    let keyed = task("a").with(|spec| spec.concurrency.key = Some("{params.nothing}".into()));
    let mut kit = Kit::of(dag("d", [keyed, task("b")]));
    let run = kit.trigger("d");
    assert_eq!(kit.state(run, "a"), TaskState::Failed);
    assert!(kit.why(run, "a").contains("key"), "{}", kit.why(run, "a"));
    kit.finish(run, "b");
    assert_eq!(kit.run_state(run), RunState::Failed);
}

#[test]
fn a_paused_run_starts_nothing_and_goes_on_where_it_was() {
    let mut kit = Kit::of(dag(
        "d",
        [
            task("a"),
            task("b").after(&["a"]),
            task("c").retries(1, seconds(1)),
        ],
    ));
    let run = kit.trigger("d");
    pause(&mut kit, Pausable::Run(run), true);
    kit.assigned();
    kit.finish(run, "a");
    kit.fail_with(run, "c", TaskError::transient("503"));
    kit.advance(minutes(1));
    kit.recover();
    assert_eq!(count(&mut kit), 0);
    assert_eq!(kit.states(run, &["b", "c"]), [TaskState::Scheduled; 2]);
    pause(&mut kit, Pausable::Run(run), false);
    assert_eq!(count(&mut kit), 2);
}

#[test]
fn a_run_that_waits_to_begin_can_be_paused() {
    let mut kit = Kit::of(dag("d", [task("a")]).active_runs(1));
    let runs = [kit.trigger("d"), kit.trigger("d"), kit.trigger("d")];
    pause(&mut kit, Pausable::Run(runs[1]), true);
    kit.finish(runs[0], "a");
    assert_eq!(kit.run_state(runs[1]), RunState::Queued);
    assert_eq!(kit.run_state(runs[2]), RunState::Running);
    pause(&mut kit, Pausable::Run(runs[1]), false);
    kit.finish(runs[2], "a");
    assert_eq!(kit.run_state(runs[1]), RunState::Running);
}

#[test]
fn weights_count_what_comes_after() {
    let tasks = [
        task("lone"),
        task("head"),
        task("mid").after(&["head"]),
        task("tail").after(&["mid"]),
    ];
    let mut kit = Kit::new();
    set_pool(&mut kit, "default", Some(0));
    kit.deploy(dag("d", tasks));
    kit.trigger("d");
    set_pool(&mut kit, "default", Some(9));
    assert_eq!(kit.assigned(), ["head", "lone"]);
}

#[test]
fn a_run_can_be_given_another_priority_and_another_pool() {
    let mut kit = Kit::new();
    set_pool(&mut kit, "p", Some(1));
    set_pool(&mut kit, "q", Some(1));
    kit.deploy(dag("d", many(2, |task| task.pool("p", 1))));
    let runs = [kit.trigger("d"), kit.trigger("d"), kit.trigger("d")];
    assert_eq!(kit.assigned_runs(), [("t0".to_owned(), runs[0])]);
    let urgent = |run, priority, pool: Option<&str>| Command::Reprioritise {
        run,
        priority,
        pool: pool.map(Into::into),
    };
    kit.ask(urgent(runs[2], 5, None)).unwrap();
    kit.finish(runs[0], "t0");
    assert_eq!(kit.assigned_runs(), [("t0".to_owned(), runs[2])]);
    // It takes what it holds along: its old pool has room again.
    kit.ask(urgent(runs[2], 5, Some("q"))).unwrap();
    assert_eq!(kit.assigned_runs(), [("t1".to_owned(), runs[0])]);
    kit.recover();
    assert_eq!(count(&mut kit), 0);
    kit.finish(runs[2], "t0");
    assert_eq!(kit.assigned_runs(), [("t1".to_owned(), runs[2])]);
    assert!(kit.ask(urgent(runs[1], 0, Some("nowhere"))).is_err());
}

#[test]
fn two_dags_of_equal_priority_share_a_pool_although_one_was_there_first() {
    let mut kit = Kit::new();
    set_pool(&mut kit, "p", Some(10));
    let crowd = |id: &str| dag(id, many(1_000, |task| task.pool("p", 1)));
    kit.deploy(crowd("first"));
    kit.deploy(crowd("second"));
    let (first, second) = (kit.trigger("first"), kit.trigger("second"));
    assert_eq!(
        count(&mut kit),
        10,
        "all for the first: nobody else was there"
    );
    let mut shares = (0, 0);
    for _ in 0..100 {
        let live: Vec<_> = kit.held_by(super::kit::WORKER);
        let [one, ..] = live.as_slice() else {
            panic!("nothing runs")
        };
        kit.report_as(super::kit::WORKER, *one, super::kit::done());
        for (_, run) in kit.assigned_runs() {
            if run == first {
                shares.0 += 1;
            } else {
                assert_eq!(run, second);
                shares.1 += 1;
            }
        }
    }
    assert_eq!(shares.0 + shares.1, 100);
    assert!(shares.1 >= 50 && shares.0 >= 40, "{shares:?}");
}

#[test]
fn priority_comes_before_fairness() {
    let mut kit = Kit::new();
    set_pool(&mut kit, "p", Some(1));
    kit.deploy(dag("low", many(5, |task| task.pool("p", 1).priority(1))));
    kit.deploy(dag("high", many(5, |task| task.pool("p", 1).priority(2))));
    let low = kit.trigger("low");
    let high = kit.trigger("high");
    kit.finish(low, "t0");
    kit.assigned();
    for _ in 0..5 {
        let live = kit.held_by(super::kit::WORKER);
        assert_eq!(live[0].of.run, high);
        kit.report_as(super::kit::WORKER, live[0], super::kit::done());
    }
    assert_eq!(kit.run_state(high), RunState::Success);
    assert_eq!(kit.state(low, "t1"), TaskState::Queued);
}

#[test]
fn a_closed_gate_of_one_does_not_hold_others_of_the_same_pool() {
    let mut kit = Kit::new();
    set_pool(&mut kit, "p", Some(3));
    kit.deploy(
        dag("full", many(9, |task| task.pool("p", 1).priority(9)))
            .with(|dag| dag.active_tasks_max = Some(1)),
    );
    kit.deploy(dag("free", many(9, |task| task.pool("p", 1))));
    kit.trigger("full");
    kit.trigger("free");
    assert_eq!(count(&mut kit), 3);
}
