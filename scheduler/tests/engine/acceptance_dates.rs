//! The behaviours that users of Airflow rely on, by the numbers of the reference: setups, mapping, time, backfills.

use serde_json::{Value, json};
use tidemill_core::span::minutes;
use tidemill_core::spec::{Cron, Definition};
use tidemill_core::state::{RunState, RunType, TaskState, TriggerRule};
use tidemill_scheduler::engine::{Backfill, Command, Pausable, Refusal};
use tidemill_store::record::Reprocess;

use super::acceptance::{pause, set_pool};
use super::drafts::{
    DagDraft as _, TaskDraft as _, dag, dag_id, mapping, numbers, output_of, setup, task, teardown,
};
use super::kit::{Kit, at, config};

pub(crate) fn backfill(dag: &str, from: &str, to: &str) -> Backfill {
    Backfill {
        dag: dag_id(dag),
        from: at(from),
        to: at(to),
        reprocess: Reprocess::None,
        backwards: false,
        active_runs_max: Backfill::ACTIVE_RUNS_MAX_DEFAULT,
        params: Value::Null,
    }
}

/// `make`, inside its scope `before` and the `always` task after that, then `remove`.
fn scope() -> Kit {
    let tasks = [
        setup("make"),
        task("other"),
        task("before").after(&["make"]),
        task("inside")
            .after(&["before", "other"])
            .rule(TriggerRule::Always),
        teardown("remove", &["make"]).after(&["inside"]),
    ];
    Kit::of(dag("d", tasks))
}

#[test]
fn s30_an_always_task_inside_a_setups_scope_waits_for_the_setup() {
    let mut kit = scope();
    let run = kit.trigger("d");
    kit.finish(run, "other");
    assert_eq!(kit.state(run, "inside"), TaskState::None);
    kit.finish(run, "make");
    assert_eq!(
        kit.state(run, "inside"),
        TaskState::Queued,
        "and for nothing else"
    );
}

#[test]
fn s30_a_setup_that_failed_or_was_skipped_decides_about_all_in_its_scope() {
    let mut kit = scope();
    let run = kit.trigger("d");
    kit.finish(run, "other");
    kit.fail(run, "make");
    assert_eq!(
        kit.states(run, &["before", "inside"]),
        [TaskState::UpstreamFailed; 2]
    );
    assert_eq!(kit.state(run, "remove"), TaskState::UpstreamFailed);
    assert_eq!(kit.run_state(run), RunState::Failed);

    let run = kit.trigger("d");
    kit.finish(run, "other");
    kit.skip(run, "make");
    assert_eq!(
        kit.states(run, &["before", "inside", "remove"]),
        [TaskState::Skipped; 3]
    );
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn s31_instances_of_a_mapped_group_go_hand_in_hand() {
    let tasks = [
        task("t1").in_group("g"),
        task("t2").in_group("g").after(&["t1"]),
        task("t3").after(&["t2"]),
    ];
    let mut kit = Kit::of(dag("d", tasks).group("g", None, Some(mapping(&[numbers(2)]))));
    let run = kit.trigger("d");
    assert_eq!(kit.assigned(), ["t1[0]", "t1[1]"]);
    kit.start(run, "t1[1]");
    kit.finish(run, "t1[0]");
    assert_eq!(kit.assigned(), ["t2[0]"]);
    kit.finish(run, "t2[0]");
    assert_eq!(kit.assigned(), Vec::<String>::new());
    assert_eq!(
        kit.states(run, &["t1[1]", "t2[1]", "t3"]),
        [TaskState::Running, TaskState::None, TaskState::None]
    );
    kit.finish(run, "t1[1]");
    kit.finish(run, "t2[1]");
    assert_eq!(kit.assigned(), ["t2[1]", "t3"]);
}

fn over_a_list(most: u32) -> Kit {
    let mapped = task("each").after(&["list"]).mapped(&[output_of("list")]);
    let mapped = mapped.with(|spec| {
        if let Some(mapping) = &mut spec.mapping {
            mapping.instances_max = most;
        }
    });
    Kit::of(dag("d", [task("list"), mapped]))
}

#[test]
fn s34_nothing_to_map_over_is_skipped_and_a_failed_source_fails_what_follows() {
    let mut kit = over_a_list(1_024);
    let run = kit.trigger("d");
    kit.finish_with(run, "list", &json!([]));
    assert_eq!(kit.state(run, "each"), TaskState::Skipped);
    assert_eq!(
        kit.mirror.instances(run).count(),
        2,
        "one row for the task, none for instances"
    );
    assert_eq!(kit.run_state(run), RunState::Success);

    let run = kit.trigger("d");
    kit.fail(run, "list");
    assert_eq!(kit.state(run, "each"), TaskState::UpstreamFailed);
    assert_eq!(kit.mirror.instances(run).count(), 2);
}

#[test]
fn s34_two_lists_make_every_pair_and_too_many_instances_fail_the_mapped_task() {
    let pairs = task("each").mapped(&[numbers(2), numbers(3)]);
    let mut kit = Kit::of(dag("d", [pairs]));
    let run = kit.trigger("d");
    assert_eq!(kit.assigned().len(), 6);
    assert_eq!(kit.row(run, "each").instances, Some(6));

    // Airflow fails the producer, which did nothing wrong; here the task that cannot be expanded says why.
    let mut kit = over_a_list(1_024);
    let run = kit.trigger("d");
    kit.finish_with(run, "list", &json!((0..1_025).collect::<Vec<i32>>()));
    assert_eq!(
        kit.states(run, &["list", "each"]),
        [TaskState::Success, TaskState::Failed]
    );
    assert!(
        kit.why(run, "each").contains("1025"),
        "{}",
        kit.why(run, "each")
    );
    let run = kit.trigger("d");
    kit.finish_with(run, "list", &json!((0..1_024).collect::<Vec<i32>>()));
    assert_eq!(kit.row(run, "each").instances, Some(1_024));
}

/// When the runs of a timetable in Zurich begin, between two days.
fn zurich(cron: &str, from: &str, to: &str) -> Vec<String> {
    let mut kit = Kit::with(config());
    kit.now = at("2023-01-01");
    kit.engine = tidemill_scheduler::engine::Engine::new(config(), kit.now);
    let timetable = Cron::new(cron).tz("Europe/Zurich").ticks();
    kit.advance_to(from);
    kit.deploy(
        dag("d", [task("a")])
            .every(timetable, from)
            .active_runs(1_000),
    );
    kit.advance_to(to);
    kit.runs_of("d")
        .iter()
        .map(|run| {
            run.start
                .to_string()
                .replace(":00:00Z", "Z")
                .replace("2023-", "")
        })
        .collect()
}

#[test]
fn s36_clocks_that_change_move_runs_as_people_expect() {
    assert_eq!(
        zurich("0 3 * * *", "2023-03-25", "2023-03-27"),
        ["03-25T02Z", "03-26T01Z"]
    );
    assert_eq!(
        zurich("0 3 * * *", "2023-10-28", "2023-10-30"),
        ["10-28T01Z", "10-29T02Z"]
    );
    assert_eq!(
        zurich("0 2 * * *", "2023-03-26", "2023-03-27T12:00:00Z"),
        ["03-26T01Z", "03-27T00Z"]
    );
    assert_eq!(
        zurich("0 2 * * *", "2023-10-29", "2023-10-29T23:00:00Z"),
        ["10-29T01Z"]
    );
}

#[test]
fn s36_every_half_hour_is_every_half_hour_of_real_time() {
    for (from, to) in [
        ("2023-03-25T23:00:00Z", "2023-03-26T04:00:00Z"),
        ("2023-10-28T23:00:00Z", "2023-10-29T04:00:00Z"),
    ] {
        let starts = zurich("*/30 * * * *", from, to);
        assert_eq!(starts.len(), 11, "{starts:?}");
    }
}

/// The fifth of January succeeded, the sixth failed, the seventh is running; it is the tenth.
fn three_runs() -> Kit {
    let mut kit = Kit::since("2025-01-08");
    kit.deploy(dag("d", [task("a")]).daily("2025-01-05"));
    kit.deploy(dag("other", [task("a")]).daily("2025-01-05"));
    let runs: Vec<_> = kit.runs_of("d").iter().map(|run| run.id).collect();
    kit.finish(runs[0], "a");
    kit.fail(runs[1], "a");
    kit.start(runs[2], "a");
    pause(&mut kit, Pausable::Dag(dag_id("d")), true);
    pause(&mut kit, Pausable::Dag(dag_id("other")), true);
    kit.advance_to("2025-01-10");
    kit.deploy(dag("d", [task("a"), task("b")]).daily("2025-01-05"));
    kit
}

/// What becomes of each date from the third to the ninth.
fn fill(reprocess: Reprocess) -> (Kit, Vec<String>) {
    let mut kit = three_runs();
    let others: Vec<_> = kit.runs_of("other").into_iter().cloned().collect();
    let ask = Backfill {
        reprocess,
        ..backfill("d", "2025-01-03", "2025-01-09")
    };
    let preview = kit
        .dry_run(Command::Backfill(ask.clone()))
        .expect("it can be previewed");
    let made = kit.ask(Command::Backfill(ask)).expect("it can be made");
    assert_eq!(preview.dates, made.dates);
    assert_eq!(
        kit.runs_of("other")
            .into_iter()
            .cloned()
            .collect::<Vec<_>>(),
        others
    );
    let dates = made.dates.iter().map(|date| {
        let day = date.start.date().format("%-d");
        let what = match (&date.left_out, date.again) {
            (Some(why), _) => why.to_string(),
            (None, Some(_)) => "again".to_owned(),
            (None, None) => "made".to_owned(),
        };
        format!("{day} {what}")
    });
    let dates = dates.collect();
    (kit, dates)
}

fn check_backfilled(kit: &Kit, count: usize) {
    let runs = kit
        .runs_of("d")
        .into_iter()
        .filter(|run| run.kind == RunType::Backfill);
    let runs: Vec<_> = runs.collect();
    assert_eq!(runs.len(), count);
    let newest = kit.mirror.dags[&dag_id("d")].version.as_ref();
    for run in runs {
        assert_eq!(run.state, RunState::Queued, "{}", run.name);
        assert_eq!(Some(&run.version), newest, "{}", run.name);
    }
}

#[test]
fn s39_a_backfill_leaves_dates_alone_that_have_a_run() {
    let (kit, dates) = fill(Reprocess::None);
    let expected = [
        "3 made",
        "4 made",
        "5 already exists",
        "6 already exists",
        "7 in flight",
        "8 made",
        "9 made",
    ];
    assert_eq!(dates, expected);
    check_backfilled(&kit, 4);
}

#[test]
fn s39_a_backfill_runs_failed_dates_again_if_asked_to() {
    let (kit, dates) = fill(Reprocess::Failed);
    let expected = [
        "3 made",
        "4 made",
        "5 already exists",
        "6 again",
        "7 in flight",
        "8 made",
        "9 made",
    ];
    assert_eq!(dates, expected);
    check_backfilled(&kit, 5);
}

#[test]
fn s39_a_backfill_runs_all_dates_again_if_asked_to_but_what_is_running() {
    let (kit, dates) = fill(Reprocess::Completed);
    let expected = [
        "3 made",
        "4 made",
        "5 again",
        "6 again",
        "7 in flight",
        "8 made",
        "9 made",
    ];
    assert_eq!(dates, expected);
    check_backfilled(&kit, 6);
}

#[test]
fn s39_a_dag_has_one_backfill_at_a_time() {
    let (mut kit, _) = fill(Reprocess::None);
    let second = Command::Backfill(backfill("d", "2025-01-01", "2025-01-02"));
    let Err(Refusal::Invalid(why)) = kit.ask(second.clone()) else {
        panic!("a second one was allowed")
    };
    assert!(why[0].contains("not over yet"), "{why:?}");
    pause(&mut kit, Pausable::Dag(dag_id("d")), false);
    kit.finish_all();
    kit.ask(second).unwrap();
}

fn with_past() -> Definition {
    dag("d", [task("a").depends_on_past()]).daily("2025-01-05")
}

#[test]
fn s39_a_backfill_of_tasks_that_wait_for_their_past_goes_forwards_and_over_everything() {
    let mut kit = Kit::since("2025-01-08");
    kit.deploy(with_past());
    let runs: Vec<_> = kit.runs_of("d").iter().map(|run| run.id).collect();
    kit.fail(runs[0], "a");
    assert_eq!(kit.state(runs[1], "a"), TaskState::None);

    let ask = backfill("d", "2025-01-02", "2025-01-04");
    assert!(
        kit.ask(Command::Backfill(ask.clone())).is_err(),
        "reprocess none"
    );
    let backwards = Backfill {
        backwards: true,
        reprocess: Reprocess::Failed,
        ..ask.clone()
    };
    assert!(kit.ask(Command::Backfill(backwards)).is_err());

    kit.assigned();
    let forwards = Backfill {
        reprocess: Reprocess::Failed,
        ..ask
    };
    kit.ask(Command::Backfill(forwards)).unwrap();
    let filled: Vec<_> = kit.runs_of("d").iter().skip(3).map(|run| run.id).collect();
    assert_eq!(filled.len(), 3);
    assert_eq!(
        kit.assigned_runs(),
        [("a".to_owned(), filled[0])],
        "the first has nothing to wait for"
    );
    kit.finish(filled[0], "a");
    assert_eq!(kit.assigned_runs(), [("a".to_owned(), filled[1])]);
}

#[test]
fn s39_live_runs_go_first() {
    let mut kit = Kit::since("2025-01-08");
    set_pool(&mut kit, "p", Some(1));
    kit.deploy(dag("d", [task("a").pool("p", 1)]).with(|dag| {
        dag.schedule = tidemill_core::spec::Schedule::Timed(tidemill_core::spec::Timing::Cron {
            crons: vec![tidemill_core::timetable::CronExpr::parse("@daily").expect("it is one")],
            zone: "UTC".parse().expect("it is one"),
            kind: tidemill_core::spec::Kind::Interval,
        });
    }));
    let first = kit.runs_of("d")[0].id;
    kit.ask(Command::Backfill(backfill("d", "2025-01-01", "2025-01-03")))
        .unwrap();
    let by_hand = kit.trigger("d");
    kit.advance(minutes(1));
    kit.assigned();
    kit.finish(first, "a");
    assert_eq!(kit.assigned_runs(), [("a".to_owned(), by_hand)]);
    kit.finish(by_hand, "a");
    let [(_, next)] = kit.assigned_runs().try_into().unwrap();
    assert_eq!(kit.run(next).kind, RunType::Backfill);
}
