//! Runs for the past, runs by assets, and DAGs that go.

use serde_json::{Value, json};
use tidemill_core::params::ParamSpec;
use tidemill_core::protocol::RunNo;
use tidemill_core::span::hours;
use tidemill_core::spec::{Asset, AssetExpr, Cron};
use tidemill_core::state::{RunState, RunType, TaskState};
use tidemill_scheduler::engine::{Backfill, Command, Config, Pausable, Refusal};
use tidemill_store::record::{BackfillState, DateState, Reprocess};

use super::acceptance::pause;
use super::acceptance_dates::backfill;
use super::drafts::{DagDraft as _, TaskDraft as _, dag, dag_id, task};
use super::kit::{Kit, WORKER, config, trigger};

/// A daily DAG that has made no run yet: it begins tomorrow.
fn fresh() -> Kit {
    let daily = dag("d", [task("a")]).daily("2025-01-01").with(|dag| {
        dag.params = vec![ParamSpec::of::<u32>("n").default_value(1)];
    });
    Kit::of(daily)
}

fn december(from: u32, to: u32) -> Backfill {
    backfill(
        "d",
        &format!("2024-12-{from:02}"),
        &format!("2024-12-{to:02}"),
    )
}

fn fill(kit: &mut Kit, ask: Backfill) -> Vec<RunNo> {
    let before = kit.runs_of("d").len();
    kit.ask(Command::Backfill(ask)).expect("it can be made");
    kit.runs_of("d")[before..]
        .iter()
        .map(|run| run.id)
        .collect()
}

fn state(kit: &Kit) -> BackfillState {
    kit.mirror.backfills[&1].state
}

fn on(kit: &Kit) -> Vec<String> {
    let runs = kit
        .runs_of("d")
        .into_iter()
        .filter(|run| run.state == RunState::Running);
    runs.map(|run| run.start.date().format("%-d").to_string())
        .collect()
}

#[test]
fn a_backfill_has_a_limit_of_its_own_and_ends_with_its_last_run() {
    let mut kit = fresh();
    let ask = Backfill {
        active_runs_max: 2,
        params: json!({ "n": 7 }),
        ..december(1, 5)
    };
    let runs = fill(&mut kit, ask);
    assert_eq!(on(&kit), ["1", "2"]);
    assert!(runs.iter().all(|run| &*kit.run(*run).params == "{\"n\":7}"));
    kit.finish(runs[1], "a");
    assert_eq!(on(&kit), ["1", "3"]);
    kit.recover();
    assert_eq!(on(&kit), ["1", "3"]);
    kit.given.clear();
    for run in [0, 2, 3, 4] {
        assert_eq!(state(&kit), BackfillState::Active);
        kit.finish(runs[run], "a");
    }
    assert_eq!(state(&kit), BackfillState::Done);
}

#[test]
fn a_backfill_does_not_use_up_the_dags_own_runs() {
    let mut kit = Kit::of(dag("d", [task("a")]).daily("2025-01-01").active_runs(1));
    fill(&mut kit, december(1, 5));
    assert_eq!(on(&kit).len(), 5);
    let run = kit.trigger("d");
    assert_eq!(kit.run_state(run), RunState::Running);
}

#[test]
fn the_newest_date_may_come_first() {
    let mut kit = fresh();
    let ask = Backfill {
        backwards: true,
        active_runs_max: 1,
        ..december(1, 3)
    };
    let runs = fill(&mut kit, ask);
    let days: Vec<String> = runs
        .iter()
        .map(|run| kit.run(*run).start.date().format("%-d").to_string())
        .collect();
    assert_eq!(days, ["3", "2", "1"]);
}

#[test]
fn a_paused_backfill_starts_nothing_and_goes_on_later() {
    let mut kit = fresh();
    let ask = Backfill {
        active_runs_max: 1,
        ..december(1, 3)
    };
    let runs = fill(&mut kit, ask);
    pause(&mut kit, Pausable::Backfill(1), true);
    assert_eq!(state(&kit), BackfillState::Paused);
    kit.finish(runs[0], "a");
    kit.recover();
    assert_eq!(on(&kit), Vec::<String>::new());
    let what = Pausable::Backfill(1);
    assert!(kit.ask(Command::Pause { what, pause: true }).is_err());
    pause(&mut kit, Pausable::Backfill(1), false);
    assert_eq!(on(&kit), ["2"]);
    kit.finish_all();
    assert_eq!(state(&kit), BackfillState::Done);
}

#[test]
fn a_cancelled_backfill_ends_its_runs_and_leaves_none_behind() {
    let mut kit = fresh();
    let ask = Backfill {
        active_runs_max: 1,
        ..december(1, 3)
    };
    let runs = fill(&mut kit, ask);
    kit.start(runs[0], "a");
    let changed = kit.ask(Command::CancelBackfill { backfill: 1 }).unwrap();
    assert_eq!(changed.runs, runs);
    assert!(
        runs.iter()
            .all(|run| kit.run_state(*run) == RunState::Cancelled)
    );
    assert_eq!(state(&kit), BackfillState::Cancelled);
    assert!(kit.ask(Command::CancelBackfill { backfill: 1 }).is_err());
    // What is cleared later runs like any other, and another backfill may be made.
    kit.stop_all();
    kit.clear(runs[0], &[]);
    assert_eq!(kit.run_state(runs[0]), RunState::Running);
    fill(&mut kit, december(8, 9));
}

#[test]
fn more_dates_than_are_made_at_once_are_made_as_runs_end() {
    let mut kit = fresh();
    let runs = fill(&mut kit, backfill("d", "2024-08-01", "2024-12-31"));
    assert!(runs.len() < 153 && !runs.is_empty());
    let waiting = kit
        .mirror
        .dates
        .values()
        .filter(|date| date.state == DateState::Waiting(None))
        .count();
    assert_eq!(waiting + runs.len(), 153);
    kit.finish_all();
    kit.recover();
    kit.finish_all();
    assert_eq!(kit.runs_of("d").len(), 153);
    assert_eq!(state(&kit), BackfillState::Done);
}

#[test]
fn the_timetable_leaves_dates_to_a_backfill_that_will_come_to_them() {
    // Two hundred missed days, one at a time; a backfill takes them all over.
    let slow = dag("d", [task("a")]).daily("2024-06-01").active_runs(1);
    let mut kit = Kit::of(slow);
    let first = kit.runs_of("d")[0].id;
    let ask = Backfill {
        active_runs_max: 1,
        ..backfill("d", "2024-06-02", "2024-12-31")
    };
    kit.ask(Command::Backfill(ask)).unwrap();
    kit.finish(first, "a");
    kit.recover();
    kit.finish_all();
    let runs = kit.runs_of("d");
    assert_eq!(runs.len(), 214);
    assert_eq!(
        runs.iter()
            .filter(|run| run.kind == RunType::Scheduled)
            .count(),
        1
    );
}

#[test]
fn a_backfill_sees_runs_that_ended_long_ago() {
    let mut kit = Kit::with(Config {
        ended_tasks_kept: 0,
        ..config()
    });
    kit.worker(WORKER, 9, &["default"]);
    kit.deploy(dag("d", [task("a")]).daily("2024-12-28"));
    kit.finish_all();
    let before = kit.runs_of("d").len();
    assert_eq!(before, 4);
    let made = kit.ask(Command::Backfill(december(27, 31))).unwrap();
    let left_out = made
        .dates
        .iter()
        .filter(|date| date.left_out.is_some())
        .count();
    assert_eq!(left_out, 4);
    kit.finish_all();

    let again = Backfill {
        reprocess: Reprocess::Completed,
        ..december(27, 31)
    };
    let made = kit.ask(Command::Backfill(again)).unwrap();
    assert!(made.dates.iter().all(|date| date.again.is_some()));
    kit.finish_all();
    assert_eq!(kit.runs_of("d").len(), 5);
    assert!(
        kit.mirror
            .tasks
            .values()
            .filter(|row| row.number == 2)
            .count()
            == 5
    );
}

#[test]
fn what_cannot_be_filled_is_refused() {
    let mut kit = fresh();
    kit.deploy(dag("by_hand", [task("a")]));
    let asks = [
        (
            "no timetable",
            backfill("by_hand", "2024-12-01", "2024-12-02"),
        ),
        ("future", backfill("d", "2024-12-01", "2025-02-01")),
        ("ends before", december(9, 3)),
        (
            "never begin",
            Backfill {
                active_runs_max: 0,
                ..december(1, 2)
            },
        ),
        (
            "`n`",
            Backfill {
                params: json!({ "n": "x" }),
                ..december(1, 2)
            },
        ),
        (
            "no date",
            backfill("d", "2024-12-01T03:00:00Z", "2024-12-01T04:00:00Z"),
        ),
        ("no DAG", backfill("nothing", "2024-12-01", "2024-12-02")),
    ];
    for (word, ask) in asks {
        let refusal = kit.dry_run(Command::Backfill(ask)).unwrap_err().to_string();
        assert!(refusal.contains(word), "{refusal}");
    }
    assert!(kit.mirror.backfills.is_empty());
}

// ---- assets

fn changed(kit: &mut Kit, asset: &str) {
    kit.ask(Command::AssetChanged {
        asset: asset.into(),
    })
    .expect("anybody may say so");
}

fn waiting_for(expr: AssetExpr) -> Kit {
    let consumer = dag("d", [task("a")]).when(expr).active_runs(1);
    let mut kit = Kit::of(consumer);
    kit.deploy(dag("maker", [task("m").outlet("x")]));
    kit
}

#[test]
fn a_dag_runs_when_all_or_any_of_its_assets_changed() {
    let both = [&Asset::new("x"), &Asset::new("y")];
    let mut kit = waiting_for(AssetExpr::all(both));
    let made = kit.trigger("maker");
    kit.finish(made, "m");
    assert_eq!(kit.runs_of("d").len(), 0);
    assert_eq!(kit.mirror.waits.len(), 1, "what has arrived is shown");
    kit.recover();
    changed(&mut kit, "y");
    let [run] = kit.runs_of("d").try_into().unwrap();
    assert_eq!((run.kind, run.state), (RunType::Asset, RunState::Running));
    assert_eq!(kit.mirror.waits.len(), 0);
    changed(&mut kit, "y");
    assert_eq!(kit.runs_of("d").len(), 1, "x has to change again as well");

    let mut kit = waiting_for(AssetExpr::any(both));
    changed(&mut kit, "y");
    assert_eq!(kit.runs_of("d").len(), 1);
    changed(&mut kit, "z");
    assert_eq!(kit.runs_of("d").len(), 1);
}

#[test]
fn a_task_that_failed_has_changed_nothing() {
    let mut kit = waiting_for(AssetExpr::from(&Asset::new("x")));
    let made = kit.trigger("maker");
    kit.fail(made, "m");
    assert_eq!(kit.runs_of("d").len(), 0);
    kit.clear(made, &["m"]);
    kit.finish(made, "m");
    assert_eq!(kit.runs_of("d").len(), 1);
    let by = kit
        .mirror
        .asset_events
        .values()
        .next()
        .and_then(|row| row.by);
    assert_eq!(by, Some(kit.row(made, "m").of));
}

#[test]
fn many_changes_while_a_run_is_on_make_one_more() {
    let mut kit = waiting_for(AssetExpr::from(&Asset::new("x")));
    for _ in 0..10 {
        changed(&mut kit, "x");
    }
    let runs = kit.runs_of("d").len();
    assert!(
        runs <= 2,
        "{runs} runs for changes that one could have used"
    );
    kit.finish_all();
    kit.advance(hours(1));
    assert_eq!(kit.mirror.waits.len(), 0, "and none was lost");
    assert!(kit.runs_of("d").len() <= 3);
    assert!(
        kit.runs_of("d")
            .iter()
            .all(|run| run.state == RunState::Success)
    );
}

#[test]
fn changes_while_a_dag_is_paused_are_used_once_it_goes_on() {
    // Airflow drops them; whoever pauses a DAG for an hour does not mean to miss what came in it.
    let mut kit = waiting_for(AssetExpr::from(&Asset::new("x")));
    pause(&mut kit, Pausable::Dag(dag_id("d")), true);
    changed(&mut kit, "x");
    changed(&mut kit, "x");
    kit.recover();
    assert_eq!(kit.runs_of("d").len(), 0);
    assert_eq!(
        kit.mirror
            .waits
            .values()
            .map(|wait| wait.count)
            .sum::<u32>(),
        2
    );
    pause(&mut kit, Pausable::Dag(dag_id("d")), false);
    assert_eq!(kit.runs_of("d").len(), 1);
}

#[test]
fn a_dag_may_run_by_assets_and_by_a_timetable() {
    let expr = AssetExpr::from(&Asset::new("x"));
    let both = dag("d", [task("a")])
        .when((expr, Cron::daily()))
        .active_runs(9);
    let mut kit = Kit::of(both);
    changed(&mut kit, "x");
    kit.advance(hours(24));
    let kinds: Vec<RunType> = kit.runs_of("d").iter().map(|run| run.kind).collect();
    assert_eq!(
        kinds,
        [RunType::Scheduled, RunType::Asset, RunType::Scheduled]
    );
}

// ---- DAGs that go

#[test]
fn a_removed_dag_makes_no_runs_and_those_that_are_on_go_on() {
    let mut kit = Kit::of(dag("d", [task("a")]).daily("2025-01-01").active_runs(1));
    let (running, waiting) = (kit.trigger("d"), kit.trigger("d"));
    let changed = kit.ask(Command::RemoveDag { dag: dag_id("d") }).unwrap();
    assert_eq!(changed.runs, [waiting]);
    assert_eq!(kit.run_state(waiting), RunState::Cancelled);
    kit.recover();
    kit.advance(hours(72));
    assert_eq!(kit.runs_of("d").len(), 2);
    let Err(Refusal::Invalid(why)) = kit.ask(Command::Trigger(trigger("d", Value::Null))) else {
        panic!("a removed DAG was triggered")
    };
    assert!(why[0].contains("removed"));
    kit.finish(running, "a");
    assert_eq!(kit.run_state(running), RunState::Success);

    kit.deploy(dag("d", [task("a")]).daily("2025-01-01").active_runs(1));
    assert_eq!(kit.runs_of("d").len(), 3, "it is back");
    assert_eq!(kit.state(kit.runs_of("d")[2].id, "a"), TaskState::Queued);
}

#[test]
fn a_removed_dag_no_longer_collects_changes_of_assets() {
    let expr = || AssetExpr::from(&Asset::new("x"));
    let mut kit = waiting_for(expr());
    kit.ask(Command::RemoveDag { dag: dag_id("d") }).unwrap();
    changed(&mut kit, "x");
    assert_eq!(kit.mirror.waits.len(), 0);
    kit.deploy(dag("d", [task("a")]).when(expr()).active_runs(1));
    assert_eq!(kit.runs_of("d").len(), 0);
    changed(&mut kit, "x");
    assert_eq!(kit.runs_of("d").len(), 1);
}

#[test]
fn params_over_64_kib_are_refused_before_anything_is_made() {
    let mut kit = fresh();
    let big = json!({ "n": "x".repeat(64 * 1024) });
    for command in [
        Command::Trigger(trigger("d", big.clone())),
        Command::Backfill(Backfill {
            params: big,
            ..december(1, 2)
        }),
    ] {
        let refusal = kit.ask(command).expect_err("it is too much").to_string();
        assert!(refusal.contains("the most allowed is 65536"), "{refusal}");
    }
    assert!(kit.runs_of("d").is_empty());
}
