//! What the simulator found and no other test had seen.

use std::time::Duration;

use serde_json::json;
use tidemill_core::operator::TaskError;
use tidemill_core::params::{Limits, ParamKind, ParamSpec};
use tidemill_core::protocol::{Duty, RunNo};
use tidemill_core::span::minutes;
use tidemill_core::spec::{Definition, Every, Schedule};
use tidemill_core::state::{RunState, TaskState};
use tidemill_scheduler::engine::{Around, Command, Effect, Input, Request, RunVersion};

use super::drafts::{
    DagDraft as _, TaskDraft as _, approval, dag, mapping, numbers, output_of, setup, task,
    teardown,
};
use super::kit::{Kit, WORKER, select};

fn shop(definition: Definition) -> Definition {
    definition.with(|dag| {
        dag.params = vec![ParamSpec {
            name: "shop".to_owned(),
            description: String::new(),
            kind: ParamKind::Text,
            optional: false,
            default: Some(json!("a")),
            limits: Limits::default(),
        }];
    })
}

fn restart(run: RunNo, tasks: &[&str], shop: Option<&str>, version: RunVersion) -> Command {
    Command::Clear {
        select: select(run, tasks),
        around: Around::default(),
        params: shop.map(|shop| json!({ "shop": shop })),
        version,
        note: None,
    }
}

#[test]
fn a_key_of_concurrency_follows_the_params_that_a_run_was_given_anew() {
    let keyed = task("t").with(|spec| {
        spec.concurrency.key = Some("shop {params.shop}".into());
        spec.concurrency.key_active_max = 1;
    });
    let mut kit = Kit::of(shop(dag("d", [keyed])));
    let first = kit.trigger_with("d", json!({ "shop": "a" }));
    kit.finish(first, "t");
    let second = kit.trigger_with("d", json!({ "shop": "b" }));
    let command = restart(first, &["t"], Some("b"), RunVersion::Keep);
    kit.ask(command).expect("nothing of it is on");
    assert_eq!(kit.state(second, "t"), TaskState::Queued);
    assert_eq!(kit.state(first, "t"), TaskState::Scheduled);
    kit.finish(second, "t");
    assert_eq!(kit.state(first, "t"), TaskState::Queued);
}

#[test]
fn params_do_not_change_under_attempts_that_are_on() {
    let mut kit = Kit::of(shop(dag("d", [task("a"), task("b")])));
    let run = kit.trigger("d");
    kit.finish(run, "a");
    let command = restart(run, &["a"], Some("b"), RunVersion::Keep);
    let refusal = kit.ask(command.clone()).expect_err("`b` is on");
    assert!(refusal.to_string().contains("other params"), "{refusal}");
    let same = restart(run, &["a"], Some("a"), RunVersion::Keep);
    kit.ask(same).expect("they are the ones that it has");
    kit.finish_all();
    kit.ask(command).expect("nothing is on");
}

#[test]
fn what_was_given_up_before_its_worker_had_it_is_given_under_its_own_key() {
    let mut kit = Kit::of(dag("d", [task("t")]));
    let run = kit.trigger("d");
    let before = kit.given.pop().expect("it was given out");
    let attempt = before.attempt;
    kit.engine.apply(
        Input::Ask(Request {
            id: 1_000,
            by: "ann".into(),
            seen: None,
            dry_run: false,
            command: restart(run, &["t"], None, RunVersion::Keep),
        }),
        kit.now,
    );
    let late = kit.engine.assignment(attempt, Duty::Run);
    let key = late.map(|late| late.key);
    assert_eq!(key, Some(before.what.key.clone()));
    let stops =
        |effect: &Effect| matches!(effect, Effect::Stop { attempt: of, .. } if *of == attempt);
    let output = kit.engine.take();
    assert!(output.effects.iter().any(stops));
}

#[test]
fn a_task_is_late_in_the_version_that_its_run_has_now() {
    let late = |id: &str| task(id).deadline(minutes(10));
    let mut kit = Kit::of(dag("d", [task("a"), late("b"), late("c")]));
    let run = kit.trigger("d");
    kit.finish_all();
    kit.deploy(dag("d", [task("a")]));
    kit.ask(restart(run, &["a"], None, RunVersion::Newest))
        .expect("nothing of it is on");
    kit.advance(minutes(60));
    assert_eq!(kit.state(run, "a"), TaskState::Queued);
}

#[test]
fn a_task_that_no_worker_runs_any_more_in_another_version_waits_for_none() {
    let mut kit = Kit::of(dag("d", [task("a"), task("b").pool("none", 1)]));
    let run = kit.trigger("d");
    kit.finish(run, "a");
    assert_eq!(kit.state(run, "b"), TaskState::Scheduled);
    kit.deploy(dag("d", [task("a"), approval("b", None)]));
    kit.ask(restart(run, &["a"], None, RunVersion::Newest))
        .expect("nothing of it is on");
    assert_eq!(kit.state(run, "b"), TaskState::Deferred);
    assert_eq!(kit.row(run, "b").worker, None);
}

#[test]
fn what_ended_with_another_that_was_lost_ends_once() {
    let tasks = [task("a"), task("b")];
    let mut kit = Kit::of(dag("d", tasks).with(|dag| dag.fail_fast = true));
    let run = kit.trigger("d");
    // Three times the platform loses them; then one fails, and ends the other with it.
    for _ in 0..4 {
        for name in ["a", "b"] {
            kit.start(run, name);
        }
        kit.hello_with(WORKER, Vec::new());
        kit.advance(minutes(1));
    }
    kit.stop_all();
    // That no attempt ends twice is held by what is stored.
    assert_eq!(kit.run_state(run), RunState::Failed);
}

#[test]
fn a_dag_that_runs_continuously_and_fails_at_once_leaves_some_time_between_its_runs() {
    let empty = super::drafts::empty("nothing");
    let mut kit = Kit::new();
    let start = kit.now.date();
    kit.deploy(dag("d", [empty]).with(|dag| {
        dag.schedule = Schedule::Continuous;
        dag.start = Some(start);
        dag.active_runs_max = 1;
    }));
    kit.advance(minutes(1));
    let runs = kit.mirror.runs.len();
    assert!((10..=13).contains(&runs), "{runs} runs in a minute");
}

#[test]
fn a_timetable_that_changes_from_ticks_to_intervals_goes_on() {
    let every = |period: u64| Every::new(Duration::from_secs(period));
    let mut kit = Kit::since("2025-01-01T00:10:00Z");
    let start = "2025-01-01";
    let make = |timetable: Every| {
        dag("d", [super::drafts::empty("t")])
            .every(timetable, start)
            .with(|dag| dag.catchup = false)
    };
    kit.deploy(make(every(420).ticks()));
    kit.advance_to("2025-01-01T00:22:00Z");
    kit.deploy(make(every(600)));
    let before = kit.mirror.runs.len();
    kit.advance_to("2025-01-01T01:00:00Z");
    assert!(
        kit.mirror.runs.len() >= before + 3,
        "{}",
        kit.mirror.runs.len()
    );
}

#[test]
fn a_pool_that_was_removed_counts_no_deferred_tasks_and_nor_does_a_new_engine() {
    let mut kit = Kit::of(dag("d", [task("t").pool("p", 1), task("u").pool("p", 1)]));
    let set = |holds_deferred| Command::SetPool {
        name: "p".into(),
        slots: Some(1),
        holds_deferred,
        note: None,
    };
    kit.ask(set(true)).expect("it can be set");
    let run = kit.trigger("d");
    kit.start(run, "t");
    kit.defer(run, "t");
    assert_eq!(kit.state(run, "u"), TaskState::Scheduled);
    let name = "p".into();
    kit.ask(Command::RemovePool { name }).expect("it is there");
    kit.ask(set(false)).expect("it can be set again");
    assert_eq!(kit.state(run, "u"), TaskState::Queued);
}

#[test]
fn a_teardown_of_a_folded_group_waits_for_as_much_after_a_recovery() {
    let grouped = |spec: tidemill_core::spec::TaskSpec| spec.in_group("g");
    let tasks = [
        task("list"),
        grouped(setup("g.make").after(&["list"])),
        grouped(task("g.work").after(&["g.make"])),
        grouped(task("g.more").after(&["g.work"])),
        grouped(teardown("g.remove", &["g.make"]).after(&["g.more"])),
    ];
    let over = super::drafts::mapping(&[super::drafts::output_of("list")]);
    let mut kit = Kit::of(dag("d", tasks).group("g", None, Some(over)));
    let run = kit.trigger("d");
    kit.finish_with(run, "list", &json!([1]));
    kit.recover();
    kit.clear(run, &[]);
    kit.stop_all();
    let before = kit.engine.dump();
    kit.restart();
    let waits = |dump: &str| {
        let lines = dump
            .lines()
            .filter(|line| line.trim_start().starts_with("waits"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(waits(&before), waits(&kit.engine.dump()));
}

#[test]
fn an_instance_that_comes_back_with_a_version_is_launched_anew() {
    let mapped = || {
        let each = task("each").retries(1, minutes(1)).mapped(&[numbers(2)]);
        dag("d", [each])
    };
    let mut kit = Kit::of(mapped());
    let run = kit.trigger("d");
    kit.fail_with(run, "each[0]", TaskError::transient("503"));
    kit.advance(minutes(5));
    kit.finish_all();
    assert_eq!(kit.row(run, "each[0]").tries, 1);
    assert_eq!(kit.run_state(run), RunState::Success);
    let before = kit.row(run, "each[0]").epoch;
    // The next version does not map the task, the one after that does again.
    for definition in [dag("d", [task("each")]), mapped()] {
        kit.deploy(definition);
        kit.ask(restart(run, &["each"], None, RunVersion::Newest))
            .expect("nothing of it is on");
        kit.finish_all();
        assert_eq!(kit.run_state(run), RunState::Success);
    }
    let after = kit.row(run, "each[0]");
    // It may be mapped over something else now: what it launched before is not its work.
    assert!(after.epoch > before, "under epoch {} again", after.epoch);
    assert_eq!(after.tries, 0, "it starts over");
}

#[test]
fn a_task_of_a_mapped_group_that_is_expanded_after_the_others_sees_what_they_did() {
    let mut kit = Kit::of(
        dag(
            "d",
            [
                task("list"),
                task("g.a").after(&["list"]).in_group("g"),
                task("g.b").after(&["g.a"]).in_group("g"),
            ],
        )
        .group("g", None, Some(mapping(&[output_of("list")]))),
    );
    let run = kit.trigger("d");
    kit.finish_with(run, "list", &json!([]));
    assert_eq!(kit.state(run, "g.b"), TaskState::Skipped);
    // The first of the group alone runs over a list that has something in it now.
    kit.clear(run, &["list", "g.a"]);
    kit.finish_with(run, "list", &json!([1]));
    kit.finish(run, "g.a[0]");
    kit.clear(run, &["g.b"]);
    assert_eq!(kit.state(run, "g.b[0]"), TaskState::Queued);
    kit.finish(run, "g.b[0]");
    assert_eq!(kit.run_state(run), RunState::Success);
}
