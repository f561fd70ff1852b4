//! What people ask for: exactly what changed, what would have, and why nothing did.

use serde_json::json;
use tidemill_core::operator::TaskError;
use tidemill_core::protocol::RunNo;
use tidemill_core::span::{hours, seconds};
use tidemill_core::spec::{Dedup, Definition, Table};
use tidemill_core::state::{RunState, TaskState};
use tidemill_scheduler::engine::{
    Around, BulkAction, Changed, Command, Config, Filter, Pausable, Refusal, Trigger,
};

use super::acceptance::trigger_for;
use super::drafts::{DagDraft as _, TaskDraft as _, dag, dag_id, task, task_id};
use super::kit::{Kit, WORKER, clear, config, select, trigger};

/// `a`, then `b`, then `c`; `x` stands alone.
pub(crate) fn chain() -> Definition {
    dag(
        "d",
        [
            task("a"),
            task("b").after(&["a"]),
            task("c").after(&["b"]),
            task("x"),
        ],
    )
}

fn names(changed: &Changed) -> Vec<String> {
    changed
        .tasks
        .iter()
        .map(|change| change.name.to_string())
        .collect()
}

pub(crate) fn ended(kit: &mut Kit) -> RunNo {
    let run = kit.trigger("d");
    kit.finish_all();
    run
}

pub(crate) const DOWN: Around = Around {
    upstream: false,
    downstream: true,
    past: false,
    future: false,
    only_failed: false,
};

fn clear_around(kit: &mut Kit, run: RunNo, tasks: &[&str], around: Around) -> Changed {
    let dry = kit
        .dry_run(clear(run, tasks, around))
        .expect("it can be shown");
    let done = kit
        .ask(clear(run, tasks, around))
        .expect("it can be cleared");
    assert_eq!(dry, done, "what was shown is what was done");
    done
}

#[test]
fn a_run_by_hand_says_what_it_made_and_has_the_name_it_was_given() {
    let mut kit = Kit::of(chain());
    let ask = Trigger {
        name: Some("my.run~1".into()),
        note: Some("because".into()),
        ..trigger("d", json!(null))
    };
    let shown = kit.dry_run(Command::Trigger(ask.clone())).unwrap();
    let made = kit.ask(Command::Trigger(ask.clone())).unwrap();
    assert_eq!(shown, made);
    let (no, name) = &made.runs_made[0];
    assert_eq!(
        (&**name, kit.run(*no).note.as_deref()),
        ("my.run~1", Some("because"))
    );
    assert!(
        kit.ask(Command::Trigger(ask))
            .unwrap_err()
            .to_string()
            .contains("already")
    );
    for bad in ["", ".hidden", "a b", "a/b", &"x".repeat(201)] {
        let ask = Trigger {
            name: Some(bad.into()),
            ..trigger("d", json!(null))
        };
        assert!(kit.ask(Command::Trigger(ask)).is_err(), "{bad}");
    }
    let ask = Trigger {
        covers: Some((kit.now, super::kit::at("2024-01-01"))),
        ..trigger("d", json!(null))
    };
    assert!(kit.ask(Command::Trigger(ask)).is_err());
    assert!(
        kit.ask(Command::Trigger(trigger("dd", json!(null))))
            .unwrap_err()
            .to_string()
            .contains("did you mean `d`?")
    );
    assert_eq!(
        kit.audited("run.trigger"),
        9,
        "what was refused is on record as well"
    );
}

#[test]
fn a_run_by_hand_covers_the_last_complete_interval_and_has_its_own_name() {
    let mut kit = Kit::of(dag("d", [task("a")]).daily("2025-01-01"));
    kit.advance(hours(60));
    let (one, two) = (kit.trigger("d"), kit.trigger("d"));
    assert_eq!(kit.run(one).start, super::kit::at("2025-01-02"));
    assert_eq!(kit.run(one).end, super::kit::at("2025-01-03"));
    assert_ne!(kit.run(one).name, kit.run(two).name);
}

#[test]
fn clearing_reaches_what_is_before_and_after() {
    let mut kit = Kit::of(chain());
    let run = ended(&mut kit);
    assert_eq!(
        names(&clear_around(&mut kit, run, &["b"], Around::default())),
        ["b"]
    );
    kit.finish_all();
    assert_eq!(
        names(&clear_around(&mut kit, run, &["b"], DOWN)),
        ["b", "c"]
    );
    kit.finish_all();
    let up = Around {
        upstream: true,
        ..Around::default()
    };
    assert_eq!(names(&clear_around(&mut kit, run, &["b"], up)), ["a", "b"]);
    assert_eq!(kit.run_state(run), RunState::Running);
    kit.finish_all();
    let changed = clear_around(&mut kit, run, &[], Around::default());
    assert_eq!(names(&changed), ["a", "b", "c", "x"]);
    assert!(
        changed
            .tasks
            .iter()
            .all(|change| change.from == TaskState::Success && change.to == TaskState::None)
    );
    assert_eq!(changed.runs, [run]);
    kit.finish_all();
    assert_eq!(kit.row(run, "b").number, 5);
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn only_what_failed_is_cleared_if_that_is_asked_for() {
    let mut kit = Kit::of(chain());
    let run = kit.trigger("d");
    kit.fail(run, "a");
    kit.finish(run, "x");
    assert_eq!(kit.run_state(run), RunState::Failed);
    let failed = Around {
        only_failed: true,
        ..Around::default()
    };
    assert_eq!(
        names(&clear_around(&mut kit, run, &[], failed)),
        ["a", "b", "c"]
    );
    kit.finish_all();
    assert_eq!(kit.run_state(run), RunState::Success);
    assert_eq!(kit.row(run, "x").number, 1);
}

#[test]
fn the_same_task_is_cleared_in_earlier_and_later_runs_also_in_those_that_are_not_at_hand() {
    for kept in [0, 50_000] {
        let mut kit = Kit::with(Config {
            ended_tasks_kept: kept,
            ..config()
        });
        kit.worker(WORKER, 9, &["default"]);
        kit.deploy(chain());
        let days = ["2024-12-01", "2024-12-02", "2024-12-03"];
        let runs = days.map(|day| trigger_for(&mut kit, "d", day));
        kit.finish_all();
        let mut around = Around {
            past: true,
            ..Around::default()
        };
        assert_eq!(
            clear_around(&mut kit, runs[1], &["b"], around).runs,
            runs[..2]
        );
        kit.finish_all();
        around = Around {
            future: true,
            ..Around::default()
        };
        assert_eq!(
            clear_around(&mut kit, runs[1], &["b"], around).runs,
            runs[1..]
        );
        assert_eq!(kit.run_state(runs[0]), RunState::Success);
        kit.finish_all();
        assert_eq!(runs.map(|run| kit.row(run, "b").number), [2, 3, 2]);
    }
}

#[test]
fn whoever_saw_something_older_is_told_who_changed_what() {
    let mut kit = Kit::of(chain());
    let run = kit.trigger("d");
    kit.finish(run, "x");
    kit.fail(run, "a");
    let seen = Some(kit.row(run, "a").edits);
    kit.ask_as("ada", seen, clear(run, &["a"], DOWN)).unwrap();
    let before = (kit.mirror.tasks.clone(), kit.mirror.runs.clone());
    let Err(Refusal::Stale {
        touched,
        stands,
        now,
    }) = kit.ask_as("bob", seen, clear(run, &["a"], DOWN))
    else {
        panic!("the second click counted")
    };
    assert_eq!(
        touched
            .map(|touch| format!("{} {}", touch.by, touch.how))
            .as_deref(),
        Some("ada cleared")
    );
    assert!(stands.contains("queued"), "{stands}");
    assert_eq!(now, kit.row(run, "a").edits);
    assert_eq!((kit.mirror.tasks.clone(), kit.mirror.runs.clone()), before);
    assert_eq!(
        kit.mirror
            .audits
            .values()
            .filter(|row| row.details.contains("refused"))
            .count(),
        1
    );

    // A run as a whole, a pool and a DAG are watched in the same way.
    let seen = Some(kit.run(run).edits);
    let pause = |what| Command::Pause { what, pause: true };
    kit.ask_as("ada", seen, pause(Pausable::Run(run))).unwrap();
    assert!(matches!(
        kit.ask_as("bob", seen, Command::CancelRun { run, note: None }),
        Err(Refusal::Stale { .. })
    ));
    kit.ask_as("ada", Some(0), pause(Pausable::Dag(dag_id("d"))))
        .unwrap();
    assert!(matches!(
        kit.ask_as("bob", Some(0), pause(Pausable::Dag(dag_id("d")))),
        Err(Refusal::Stale { .. })
    ));
    kit.ask_as("ada", Some(0), pause(Pausable::Pool("default".into())))
        .unwrap();
    assert!(matches!(
        kit.ask_as("bob", Some(0), pause(Pausable::Pool("default".into()))),
        Err(Refusal::Stale { .. })
    ));
}

#[test]
fn marking_a_failed_task_as_succeeded_releases_what_could_not_run() {
    let mut kit = Kit::of(chain());
    let run = kit.trigger("d");
    kit.finish(run, "x");
    kit.fail(run, "a");
    assert_eq!(kit.run_state(run), RunState::Failed);
    let mark = |state| Command::Mark {
        select: select(run, &["a"]),
        around: Around::default(),
        state,
        note: None,
    };
    let shown = kit.dry_run(mark(TaskState::Skipped)).unwrap();
    assert_eq!(names(&shown), ["a", "b", "c"]);
    let shown = kit.dry_run(mark(TaskState::Success)).unwrap();
    let changed = kit.mark(run, &["a"], TaskState::Success);
    assert_eq!(names(&changed), ["a", "b", "c"]);
    assert_eq!(shown, changed, "what was shown is what was done");
    assert_eq!(kit.run_state(run), RunState::Running);
    assert_eq!(kit.state(run, "a"), TaskState::Success);
    assert_eq!(kit.row(run, "a").number, 1, "it did not run again");
    kit.finish_all();
    assert_eq!(kit.run_state(run), RunState::Success);
}

#[test]
fn marking_what_is_running_stops_it_and_marking_leaves_decides_about_the_run() {
    let mut kit = Kit::of(chain());
    let run = kit.trigger("d");
    kit.start(run, "x");
    kit.mark(run, &["x"], TaskState::Skipped);
    assert_eq!(kit.stops.len(), 1);
    kit.stop_all();
    assert_eq!(kit.state(run, "x"), TaskState::Skipped);
    kit.finish_all();
    for name in ["a", "b", "c"] {
        if kit.row(run, name).worker.is_some() {
            kit.finish(run, name);
        }
    }
    assert_eq!(kit.run_state(run), RunState::Success);
    kit.mark(run, &["c"], TaskState::Failed);
    assert_eq!(kit.run_state(run), RunState::Failed);
    kit.mark(run, &["c"], TaskState::Success);
    assert_eq!(kit.run_state(run), RunState::Success);
    for state in [
        TaskState::Running,
        TaskState::None,
        TaskState::UpstreamFailed,
    ] {
        let command = Command::Mark {
            select: select(run, &["c"]),
            around: Around::default(),
            state,
            note: None,
        };
        assert!(kit.ask(command).is_err(), "{state}");
    }
}

#[test]
fn clearing_a_task_that_waits_to_be_tried_again_runs_it_now() {
    let mut kit = Kit::of(dag("d", [task("a").retries(1, hours(1))]));
    let run = kit.trigger("d");
    kit.fail_with(run, "a", TaskError::transient("503"));
    kit.clear(run, &["a"]);
    assert_eq!(kit.state(run, "a"), TaskState::Queued);
    kit.start(run, "a");
    kit.advance(hours(2));
    assert_eq!(
        kit.state(run, "a"),
        TaskState::Running,
        "the old wait is forgotten"
    );
}

#[test]
fn what_is_loaded_again_is_said_before_it_is() {
    let writes = task("load").with(|spec| {
        spec.touches
            .writes
            .push(Table::named("crm.tickets").append(Dedup::job_id()));
        spec.touches
            .writes
            .push(Table::named("crm.days").truncate());
    });
    let mut kit = Kit::of(dag("d", [writes, task("x")]));
    let run = kit.trigger("d");
    kit.fail(run, "load");
    kit.finish(run, "x");
    let shown = kit
        .dry_run(clear(run, &["load"], Around::default()))
        .unwrap();
    assert_eq!(shown.writes_again.len(), 0, "it has loaded nothing yet");
    kit.clear(run, &["load"]);
    kit.finish_all();
    let shown = kit
        .dry_run(clear(run, &["load"], Around::default()))
        .unwrap();
    let texts: Vec<&str> = shown.writes_again.iter().map(AsRef::as_ref).collect();
    assert_eq!(
        texts,
        ["append, one job a launch crm.tickets", "truncate crm.days"]
    );
}

#[test]
fn a_cancelled_run_leaves_nothing_open_wherever_it_was() {
    let mut kit = Kit::of(chain().active_runs(1));
    let (on, waiting) = (kit.trigger("d"), kit.trigger("d"));
    kit.start(on, "a");
    for run in [waiting, on] {
        kit.ask(Command::CancelRun {
            run,
            note: Some("wrong day".into()),
        })
        .unwrap();
        assert_eq!(kit.run_state(run), RunState::Cancelled);
        assert_eq!(kit.run(run).note.as_deref(), Some("wrong day"));
        assert_eq!(
            kit.run(run).touched.as_ref().map(|touch| &*touch.by),
            Some("ada")
        );
        assert!(kit.ask(Command::CancelRun { run, note: None }).is_err());
    }
    assert_eq!(
        kit.states(on, &["a", "b", "x"]),
        [TaskState::Failed, TaskState::Skipped, TaskState::Failed]
    );
    kit.stop_all();

    // One that waits to run once more is not left half open either.
    let busy = kit.trigger("d");
    kit.clear(on, &[]);
    assert_eq!(kit.run_state(on), RunState::Queued);
    kit.ask(Command::CancelRun {
        run: on,
        note: None,
    })
    .unwrap();
    assert_eq!(kit.run_state(on), RunState::Cancelled);
    assert!(kit.mirror.instances(on).all(|row| row.state.is_final()));
    kit.ask(Command::CancelRun {
        run: busy,
        note: None,
    })
    .unwrap();
    kit.stop_all();
    kit.clear(on, &[]);
    kit.finish_all();
    assert_eq!(kit.run_state(on), RunState::Success);
}

fn filter() -> Filter {
    Filter {
        runs: Vec::new(),
        dag: Some(dag_id("d")),
        states: Vec::new(),
        kinds: Vec::new(),
        from: None,
        to: None,
        tasks: Vec::new(),
        runs_max: 100,
    }
}

#[test]
fn many_runs_are_changed_at_once_within_a_limit() {
    for kept in [0, 50_000] {
        let mut kit = Kit::with(Config {
            ended_tasks_kept: kept,
            ..config()
        });
        kit.worker(WORKER, 99, &["default"]);
        kit.deploy(chain());
        let runs: Vec<RunNo> = (0..5).map(|_| kit.trigger("d")).collect();
        for run in &runs[..4] {
            kit.fail(*run, "a");
            kit.finish(*run, "x");
        }
        kit.assigned();
        let failed = Filter {
            states: vec![RunState::Failed],
            runs_max: 3,
            ..filter()
        };
        let retry = Command::Bulk {
            filter: failed,
            action: BulkAction::RetryFailed,
            note: None,
        };
        let shown = kit.dry_run(retry.clone()).unwrap();
        let done = kit.ask(retry.clone()).unwrap();
        assert_eq!(shown, done);
        assert_eq!((done.runs.len(), done.runs_left), (3, 1));
        assert_eq!(kit.assigned(), ["a", "a", "a"]);
        assert_eq!(kit.ask(retry).unwrap().runs_left, 0);
        let only = Filter {
            tasks: vec![task_id("x")],
            ..filter()
        };
        let mark = BulkAction::Mark(TaskState::Skipped);
        kit.ask(Command::Bulk {
            filter: only,
            action: mark,
            note: None,
        })
        .unwrap();
        assert!(
            runs.iter()
                .all(|run| kit.state(*run, "x") == TaskState::Skipped)
        );
        let done = kit.ask(Command::Bulk {
            filter: filter(),
            action: BulkAction::Cancel,
            note: None,
        });
        assert_eq!(done.unwrap().runs.len(), 5);
        assert!(
            runs.iter()
                .all(|run| kit.run_state(*run) == RunState::Cancelled)
        );
    }
}

#[test]
fn a_bulk_command_about_a_run_that_never_was_is_refused() {
    let mut kit = Kit::of(chain());
    let filter = Filter {
        runs: vec![RunNo(42)],
        ..filter()
    };
    let action = BulkAction::Clear;
    assert!(matches!(
        kit.ask(Command::Bulk {
            filter,
            action,
            note: None,
        }),
        Err(Refusal::Unknown { .. })
    ));
}

#[test]
fn runs_and_tasks_have_notes_and_changes_have_authors() {
    let mut kit = Kit::of(chain());
    let run = ended(&mut kit);
    let note = |task| Command::Note {
        run,
        task,
        text: "look at this".into(),
    };
    kit.ask(note(None)).unwrap();
    kit.ask(note(Some((task_id("b"), -1)))).unwrap();
    assert_eq!(kit.run(run).note.as_deref(), Some("look at this"));
    assert_eq!(
        kit.detail(run, "b")
            .and_then(|detail| detail.note.as_deref()),
        Some("look at this")
    );
    assert!(
        kit.ask(note(Some((task_id("bb"), -1))))
            .unwrap_err()
            .to_string()
            .contains("did you mean `b`?")
    );
    kit.clear(run, &["b"]);
    assert_eq!(
        kit.detail(run, "b")
            .and_then(|detail| detail.note.as_deref()),
        Some("look at this"),
        "it stays"
    );
    let row = kit
        .mirror
        .audits
        .values()
        .find(|row| &*row.action == "task.clear")
        .unwrap();
    assert_eq!(
        (
            &*row.actor,
            row.run,
            row.dag.as_ref().map(|dag| dag.as_str())
        ),
        ("ada", Some(run), Some("d"))
    );
    assert!(row.details.contains("\"b\""), "{}", row.details);
    assert!(row.target.starts_with("d / manual__"), "{}", row.target);
}

#[test]
fn a_run_that_was_let_go_of_is_read_back_when_somebody_asks_for_it() {
    let mut kit = Kit::with(Config {
        ended_tasks_kept: 0,
        ..config()
    });
    kit.worker(WORKER, 9, &["default"]);
    kit.deploy(chain());
    let run = ended(&mut kit);
    assert_eq!(kit.loads, []);
    let shown = kit.dry_run(clear(run, &["c"], Around::default())).unwrap();
    assert_eq!(names(&shown), ["c"]);
    assert_eq!(kit.loads.len(), 1);
    kit.clear(run, &["c"]);
    kit.finish_all();
    kit.advance(seconds(1));
    assert_eq!(
        (kit.run_state(run), kit.row(run, "c").number),
        (RunState::Success, 2)
    );
}
