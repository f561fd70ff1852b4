//! The testing kit that ships to users: whole DAGs through the real engine, on a virtual clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tidemill::prelude::*;
use tidemill::testing::{DagRun, RunState, TaskState, ValidDag, valid};

/// Counts what reaches it from outside.
#[derive(Default)]
struct Doorbell(AtomicU32);

#[task]
async fn work(ctx: &TaskContext, minutes: u64) -> TaskResult<u64> {
    ctx.sleep(tidemill::prelude::minutes(minutes)).await;
    ctx.info(format!("worked until {}", ctx.now()));
    Ok(minutes)
}

#[task]
async fn third_time_lucky(ctx: &TaskContext) -> TaskResult<u32> {
    match ctx.facts().attempt {
        3 => Ok(3),
        nth => Err(TaskError::transient(format!("no luck, attempt {nth}"))),
    }
}

#[task]
fn break_down() -> TaskResult {
    Err(TaskError::data("row 7 has no id").help("mend the export"))
}

#[task]
fn fall_over() -> TaskResult {
    panic!("at {}", 3)
}

#[task]
async fn hang() -> TaskResult {
    std::future::pending().await
}

#[task]
fn list(count: u64) -> TaskResult<Vec<u64>> {
    Ok((0..count).collect())
}

#[task]
fn double(number: u64) -> TaskResult<u64> {
    match number {
        3 => Err(TaskError::data("three is too many")),
        number => Ok(number * 2),
    }
}

#[task]
fn sum(numbers: Vec<u64>) -> TaskResult<u64> {
    Ok(numbers.iter().sum())
}

#[derive(Choice)]
enum Way {
    Left,
    Right,
}

#[task]
fn choose(way: String) -> TaskResult<Way> {
    Ok(if way == "left" { Way::Left } else { Way::Right })
}

#[task]
async fn hours_have_passed(ctx: &TaskContext, hours: u64) -> TaskResult<Sense<String>> {
    let until = ctx.interval().end + tidemill::prelude::hours(hours);
    Ok(if ctx.now() < until {
        Sense::NotYet
    } else {
        Sense::Ready(ctx.now().to_string())
    })
}

#[task]
async fn load(ctx: &TaskContext, rows: i64) -> TaskResult {
    ctx.service::<Doorbell>()?.0.fetch_add(1, Ordering::Relaxed);
    ctx.record_load(Load {
        destination: "shop.orders".to_owned(),
        rows_loaded: rows,
        ..Load::default()
    });
    Ok(())
}

#[task]
async fn outside(ctx: &TaskContext) -> TaskResult<u64> {
    let spawned = tokio::spawn(async {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        7
    });
    let number = spawned.await?;
    ctx.sleep(minutes(1)).await;
    Ok(number)
}

fn dag<R>(write: impl FnOnce(&tidemill::author::DagBuilder) -> R) -> ValidDag {
    valid(Dag::build("kit", |dag| drop(write(dag))))
}

#[test]
fn what_runs_side_by_side_takes_as_long_as_the_longest() {
    let dag = dag(|dag| {
        let both = (dag.call("long", work, 10), dag.call("short", work, 5));
        dag.call("last", work, 1).after((&both.0, &both.1));
    });
    let ran = DagRun::of(&dag).run();
    ran.assert_success();
    assert_eq!(
        (ran.took(), ran.began("last")),
        (minutes(11), Some(minutes(10)))
    );
    assert_eq!(ran.order(), ["long", "short", "last"]);
    assert!(
        ran.logged("short", "2025-01-02 00:05:00 UTC"),
        "{:?}",
        ran.log("short")
    );
    // One slot in the pool, or in the worker: one after the other.
    assert_eq!(
        DagRun::of(&dag).pool("default", 1).run().took(),
        minutes(16)
    );
    assert_eq!(DagRun::of(&dag).slots(1).run().took(), minutes(16));
}

#[test]
fn retries_wait_on_the_virtual_clock_and_are_the_same_every_time() {
    let dag = dag(|dag| {
        dag.call("flaky", third_time_lucky, ())
            .retry(Retry::times(3).exponential(minutes(1)..=hours(1)));
        dag.call("broken", break_down, ()).retry(Retry::times(3));
    });
    let ran = DagRun::of(&dag).run();
    ran.assert_failed();
    assert_eq!((ran.attempts("flaky"), ran.attempts("broken")), (3, 1));
    assert_eq!(ran.output::<u32>("flaky"), 3);
    assert!(ran.took() >= minutes(3) && ran.took() < minutes(6));
    let error = ran.error("broken");
    assert_eq!(
        (error.kind, error.message.as_str(), error.help.as_str()),
        (ErrorKind::Data, "row 7 has no id", "mend the export")
    );
    assert_eq!(DagRun::of(&dag).run().picture(), ran.picture());
}

#[test]
fn a_mapped_task_is_asserted_on_as_a_whole_and_one_by_one() {
    let dag = dag(|dag| {
        let numbers = dag.call("list", list, param::<u64>("count"));
        let doubled = dag.map("double", double, &numbers);
        dag.call("sum", sum, &doubled).rule(TriggerRule::AllDone);
        dag.params::<Count>();
    });
    let ran = DagRun::of(&dag).param("count", 3).run();
    ran.assert_success();
    assert_eq!(ran.outputs::<u64>("double"), [0, 2, 4]);
    assert_eq!(
        (ran.output::<u64>("double[2]"), ran.output::<u64>("sum")),
        (4, 6)
    );
    let ran = DagRun::of(&dag).param("count", 5).run();
    assert_eq!(ran.state("double"), TaskState::Failed);
    assert_eq!(ran.error("double[3]").message, "three is too many");
    assert_eq!(ran.output::<u64>("sum"), 14);
    // Instead of the list, and instead of the instance that would fail.
    let ran = DagRun::of(&dag)
        .output_of("list", [3, 4])
        .output_of("double[0]", 30)
        .run();
    assert_eq!(ran.outputs::<u64>("double"), [30, 8]);
}

#[params]
struct Count {
    #[param(default = 1, max = 9)]
    count: u64,
}

#[test]
#[should_panic(expected = "the most is 9")]
fn params_that_are_wrong_fail_the_test() {
    let dag = dag(|dag| {
        dag.params::<Count>();
        dag.call("list", list, param::<u64>("count"));
    });
    let _ = DagRun::of(&dag).param("count", 10).run();
}

#[test]
fn a_branch_leaves_the_other_way_out() {
    let dag = dag(|dag| {
        let (left, right) = (dag.call("left", work, 1), dag.call("right", work, 2));
        dag.branch("choose", choose, "left")
            .when(Way::Left, &left)
            .when(Way::Right, &right);
        dag.empty("joined")
            .after((&left, &right))
            .rule(TriggerRule::NoneFailedMinOneSuccess);
    });
    let ran = DagRun::of(&dag).run();
    ran.assert_success();
    assert_eq!(
        (ran.state("left"), ran.state("right")),
        (TaskState::Success, TaskState::Skipped)
    );
    assert_eq!(ran.order(), ["choose", "left", "joined"]);
    let ran = DagRun::of(&dag).output_of("choose", ["right"]).run();
    assert_eq!(
        (ran.state("left"), ran.took()),
        (TaskState::Skipped, minutes(2))
    );
}

#[test]
fn a_sensor_waits_without_a_slot_until_it_sees_something_or_its_time_is_over() {
    let dag = dag(|dag| {
        dag.sensor("soon", hours_have_passed, 3).every(minutes(20));
        dag.sensor("late", hours_have_passed, 30)
            .every(minutes(20))
            .timeout(hours(6))
            .skip_on_timeout();
        dag.call("beside", work, 1);
    });
    let ran = DagRun::of(&dag).slots(2).day("2025-01-31").run();
    ran.assert_success();
    assert_eq!(ran.output::<String>("soon"), "2025-02-01 03:00:00 UTC");
    assert_eq!(
        (ran.state("late"), ran.took()),
        (TaskState::Skipped, hours(6))
    );
    assert_eq!(ran.began("beside"), Some(seconds(0)));
}

#[test]
fn a_task_that_takes_too_long_or_falls_over_has_failed() {
    let dag = dag(|dag| {
        let slow = dag.call("slow", work, 60).timeout(minutes(10));
        dag.call("hanging", hang, ()).timeout(minutes(5));
        dag.call("fallen", fall_over, ());
        dag.call("after", work, 1).after(&slow);
    });
    let ran = DagRun::of(&dag).run();
    assert_eq!(ran.error("slow").message, "it took longer than 10m");
    assert_eq!(ran.error("hanging").message, "it took longer than 5m");
    assert_eq!(ran.error("fallen").message, "the task panicked: at 3");
    assert_eq!(ran.state("after"), TaskState::UpstreamFailed);
    assert_eq!((ran.state, ran.took()), (RunState::Failed, minutes(10)));
}

fn asking() -> ValidDag {
    dag(|dag| {
        let cost = dag.call("cost", work, 5);
        let approved = dag
            .approval(
                "approve",
                Approval::ask("Spend {out.cost}?").assigned_to(["ada"]),
            )
            .after(&cost);
        let urgent = Approval::ask("Now?")
            .choices(["now", "later"])
            .default_to("later");
        dag.approval("when", urgent).timeout(hours(2));
        dag.call("spend", work, 5).after(&approved);
    })
}

#[test]
fn people_answer_approvals_or_let_them_time_out() {
    let ran = DagRun::of(&asking()).answer("approve", "approve").run();
    ran.assert_success();
    assert_eq!(ran.output::<Answer>("approve").by, "ada");
    assert_eq!(ran.output::<Answer>("when").choice, "later");
    assert_eq!(
        (ran.began("spend"), ran.took()),
        (Some(minutes(5)), hours(2))
    );
    let ran = DagRun::of(&asking())
        .answer("approve", "reject")
        .answer("when", "now")
        .run();
    assert_eq!(
        (ran.state("approve"), ran.took()),
        (TaskState::Failed, minutes(5))
    );
    assert_eq!(ran.why("approve"), "ada answered reject");
}

#[test]
#[should_panic(
    expected = "approve is deferred: it waits: waits for an answer; have a person answer: `.answer(\"approve\", …)` with one of approve, reject"
)]
fn a_question_that_nobody_answers_fails_the_test() {
    let _ = DagRun::of(&asking()).run();
}

#[test]
#[should_panic(
    expected = "a person cannot answer that: `maybe` is none of the answers: approve, reject"
)]
fn an_answer_that_is_no_choice_fails_the_test() {
    let _ = DagRun::of(&asking()).answer("approve", "maybe").run();
}

#[test]
#[should_panic(expected = "hanging is running")]
fn a_task_that_hangs_for_ever_fails_the_test() {
    let dag = dag(|dag| dag.call("hanging", hang, ()));
    let _ = DagRun::of(&dag).run();
}

#[test]
#[should_panic(expected = "it asks for 2 slots and the pool `small` has only 1: it will never run")]
fn a_task_that_gets_no_slot_fails_the_test_with_its_reason() {
    let dag = dag(|dag| dag.call("large", work, 1).pool("small").slots(2));
    let _ = DagRun::of(&dag).pool("small", 1).run();
}

#[test]
fn what_was_set_up_is_torn_down_although_the_work_failed() {
    let dag = dag(|dag| {
        let setup = dag.call("setup", work, 1).setup();
        let teardown = dag.call("teardown", work, 1).teardown(&setup);
        dag.between(&setup, &teardown, |dag| dag.call("broken", break_down, ()));
    });
    let ran = DagRun::of(&dag).run();
    ran.assert_failed();
    assert_eq!(ran.order(), ["setup", "broken", "teardown"]);
    assert_eq!(ran.state("teardown"), TaskState::Success);
}

#[test]
fn loads_alerts_and_assets_are_seen() {
    let orders = Asset::new("bigquery://shop/orders");
    let dag = dag(|dag| {
        dag.on_failure(Alert::to("oncall"));
        let lists = dag.map("load", load, [5_i64, 7]).outlet(&orders);
        dag.call("broken", break_down, ()).after(&lists);
    });
    let bell = Arc::new(Doorbell::default());
    let ran = DagRun::of(&dag).service(Arc::clone(&bell)).run();
    let loads: Vec<_> = ran
        .loads()
        .iter()
        .map(|loaded| (loaded.task.as_str(), loaded.load.rows_loaded))
        .collect();
    assert_eq!(loads, [("load[0]", 5), ("load[1]", 7)]);
    assert_eq!(bell.0.load(Ordering::Relaxed), 2);
    assert_eq!(ran.alerts(), ["failure of broken to oncall"]);
    assert!(ran.assets().iter().all(|asset| asset == orders.uri()) && !ran.assets().is_empty());
}

#[test]
fn days_run_one_after_the_other_and_look_back_at_each_other() {
    let dag = dag(|dag| {
        dag.schedule(Cron::daily().tz("Europe/Berlin"))
            .start("2025-01-01")
            .catchup(true);
        dag.call("first", work, 60 * 30).depends_on_past();
    });
    let ran = DagRun::of(&dag).run_days("2025-03-29", 3);
    let took: Vec<_> = ran.iter().map(|ran| ran.took()).collect();
    assert_eq!(took, [hours(30); 3]);
    let logs: Vec<_> = ran
        .iter()
        .map(|ran| ran.log("first")[0].text.as_str())
        .collect();
    // The second begins when the first has ended, 7 hours after the end of its day, which has 23.
    assert_eq!(
        logs,
        [
            "worked until 2025-03-31 05:00:00 UTC",
            "worked until 2025-04-01 11:00:00 UTC",
            "worked until 2025-04-02 17:00:00 UTC"
        ]
    );
}

#[test]
fn what_is_really_outside_is_waited_for_before_time_passes() {
    let dag = dag(|dag| {
        dag.call("outside", outside, ());
        dag.call("inside", work, 5);
    });
    let ran = DagRun::of(&dag).run();
    ran.assert_success();
    assert_eq!((ran.output::<u64>("outside"), ran.took()), (7, minutes(5)));
}

#[test]
fn the_picture_shows_every_instance() {
    let dag = dag(|dag| {
        let numbers = dag.call("list", list, 2);
        let doubled = dag.map("double", double, &numbers);
        let flaky = dag
            .call("flaky", third_time_lucky, ())
            .retry(Retry::times(2).every(minutes(5)));
        dag.call("broken", break_down, ()).after((&doubled, &flaky));
    });
    let expected = "\
TASK       STATE    TRIES  AFTER  TOOK  WHY
flaky      success  3      0s     10m
list       success  1      0s     0s
double     success  0
double[0]  success  1      0s     0s
double[1]  success  1      0s     0s
broken     failed   1      10m    0s    row 7 has no id
";
    assert_eq!(DagRun::of(&dag).run().picture(), expected);
}

#[test]
#[should_panic(expected = "broken: row 7 has no id (data)")]
fn a_run_that_should_have_succeeded_shows_what_failed() {
    let dag = dag(|dag| dag.call("broken", break_down, ()));
    DagRun::of(&dag).run().assert_success();
}
