//! What people are told of what waits: in a pool, in a queue.

use tidemill_core::span::seconds;
use tidemill_scheduler::engine::Command;

use super::drafts::{dag, task};
use super::kit::{Kit, WORKER, config};

#[test]
fn a_pool_says_who_holds_it_and_how_many_wait() {
    let mut kit = Kit::with(config());
    kit.worker(WORKER, 2, &["default"]);
    kit.deploy(dag("d", (0..5).map(|nth| task(&format!("t{nth}")))));
    kit.trigger("d");
    let pools = kit.engine.pools();
    let pool = pools.iter().find(|pool| &*pool.name == "default").unwrap();
    let held: Vec<&str> = pool.holders.iter().map(|one| one.task.as_str()).collect();
    assert_eq!((held, pool.waiting), (vec!["t0", "t1"], 3));
}

#[test]
fn a_queue_says_since_when_the_oldest_of_it_waits_and_not_only_the_next() {
    let mut kit = Kit::with(config());
    kit.worker(WORKER, 1, &["default"]);
    kit.deploy(dag("d", [task("a")]));
    kit.trigger("d");
    let old = kit.trigger("d");
    kit.advance(seconds(1));
    let urgent = kit.trigger("d");
    let command = Command::Reprioritise {
        run: urgent,
        priority: 5,
        pool: None,
    };
    kit.ask(command).unwrap();
    let (old, urgent) = (kit.row(old, "a").since, kit.row(urgent, "a").since);
    assert!(old < urgent);
    let fleet = kit.engine.fleet();
    let line = &fleet.waiting[0];
    assert_eq!(
        (line.next_since, line.oldest_since),
        (Some(urgent), Some(old))
    );
}

#[test]
fn a_task_counts_once_however_often_its_run_got_another_priority_or_pool() {
    let mut kit = Kit::with(config());
    kit.deploy(dag("d", [task("a"), task("b")]));
    let (run, other) = (kit.trigger("d"), kit.trigger("d"));
    let waiting = |kit: &Kit| {
        let fleet = kit.engine.fleet();
        let tasks: usize = fleet.waiting.iter().map(|line| line.tasks).sum();
        let pools = kit.engine.pools();
        let of = |name| {
            let pool = pools.iter().find(|pool| &*pool.name == name);
            pool.map_or(0, |pool| pool.waiting)
        };
        (tasks, of("default"), of("other"))
    };
    assert_eq!(waiting(&kit), (4, 4, 0));
    let change = |priority, pool: Option<&str>| Command::Reprioritise {
        run,
        priority,
        pool: pool.map(Into::into),
    };
    kit.ask(change(5, None)).unwrap();
    kit.ask(change(-5, None)).unwrap();
    assert_eq!(waiting(&kit), (4, 4, 0));
    let pool = Command::SetPool {
        name: "other".into(),
        slots: Some(1),
        holds_deferred: false,
        note: None,
    };
    kit.ask(pool).unwrap();
    kit.ask(change(1, Some("other"))).unwrap();
    assert_eq!(waiting(&kit), (4, 2, 2));
    kit.ask(Command::CancelRun {
        run: other,
        note: None,
    })
    .unwrap();
    assert_eq!(waiting(&kit), (2, 0, 2));
}
