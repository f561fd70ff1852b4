//! Whatever happens in whatever order: only legal moves, the same answers to the same questions, and another scheduler
//! that goes on from what is stored decides as the first would have.

use std::collections::BTreeMap;

use serde_json::Value;
use tidemill_core::operator::TaskError;
use tidemill_core::protocol::{AttemptRef, Duty, InstanceRef, Report, RunNo};
use tidemill_core::span::minutes;
use tidemill_core::state::{RunState, TaskState};
use tidemill_scheduler::engine::{Around, Command, Engine, Input, Pausable, may_follow};

use super::drafts::dag_id;
use super::kit::{Kit, clear, done, failed, trigger};
use super::mirror::has_ended;
use super::play::{DAGS, Play, lists, play, report_for, settings};

/// What another scheduler makes of what is stored.
fn successor(kit: &Kit) -> Kit {
    let (engine, problems) = Engine::recover(settings(), &kit.mirror.recovered(), kit.now);
    assert_eq!(problems, Vec::<String>::new());
    let mut next = Kit::with(settings());
    next.engine = engine;
    next.mirror = kit.mirror.clone();
    next.now = kit.now;
    next.workers.clone_from(&kit.workers);
    next.stops.clone_from(&kit.stops);
    next.given.clone_from(&kit.given);
    next.tell(Input::Tick);
    next
}

fn assert_same(kept: &str, recovered: &str) {
    let lost = kept
        .lines()
        .filter(|line| !recovered.lines().any(|other| other == *line));
    let new = recovered
        .lines()
        .filter(|line| !kept.lines().any(|other| other == *line));
    let differ: Vec<String> = lost
        .map(|line| format!("- {line}"))
        .chain(new.map(|line| format!("+ {line}")))
        .collect();
    assert!(
        kept == recovered,
        "kept (-), and made anew from what is stored (+):\n{}",
        differ.join("\n")
    );
}

#[test]
fn another_scheduler_that_starts_at_any_step_knows_all_that_the_first_did() {
    play(48, 60, |steps| {
        let mut play = Play::new();
        for step in steps {
            play.step(&step);
            play.kit.tell(Input::Tick);
            let next = successor(&play.kit);
            assert_same(&play.kit.engine.dump(), &next.engine.dump());
        }
    });
}

/// A number that is the same for the same task of the same run, however it came to run.
fn fate(of: InstanceRef) -> i64 {
    (of.run.0 * 31 + i64::from(of.task.0) * 17 + i64::from(of.map_index) * 7).rem_euclid(10)
}

/// Lets everything come to its end: what is asked is answered, what runs ends as its number says.
fn finish(kit: &mut Kit) {
    for worker in ["w1", "w2"] {
        kit.hello(worker);
    }
    for dag in DAGS {
        let what = Pausable::Dag(dag_id(dag));
        let _ = kit.ask(Command::Pause { what, pause: false });
    }
    let what = Pausable::Pool("small".into());
    let _ = kit.ask(Command::Pause { what, pause: false });
    let set = Command::SetPool {
        name: "small".into(),
        slots: Some(9),
        holds_deferred: false,
        note: None,
    };
    let _ = kit.ask(set);
    for _ in 0..400 {
        round(kit);
        // Days that wait for a day before them that failed wait for a person.
        let waits = |run: RunNo| {
            kit.mirror
                .instances(run)
                .all(|row| row.state.is_final() || row.state == TaskState::None)
        };
        if kit
            .mirror
            .runs
            .values()
            .all(|run| has_ended(run) || (run.dag == *"daily" && waits(run.id)))
        {
            kit.stop_all();
            return;
        }
    }
}

fn round(kit: &mut Kit) {
    let paused: Vec<RunNo> = kit
        .mirror
        .runs
        .values()
        .filter(|run| run.paused)
        .map(|run| run.id)
        .collect();
    for run in paused {
        let what = Pausable::Run(run);
        let _ = kit.ask(Command::Pause { what, pause: false });
    }
    kit.stop_all();
    kit.given.retain(|given| given.duty == Duty::Release);
    let asked: Vec<InstanceRef> = (kit.mirror.tasks.values())
        .filter(|row| row.name == *"ask" && row.state == TaskState::Deferred)
        .map(|row| row.of)
        .collect();
    for of in asked {
        let choice = "yes".into();
        let _ = kit.ask(Command::Answer { of, choice });
    }
    let live: BTreeMap<AttemptRef, &str> = ["w1", "w2"]
        .into_iter()
        .flat_map(|worker| {
            kit.held_by(worker)
                .into_iter()
                .map(move |attempt| (attempt, worker))
        })
        .collect();
    for (attempt, worker) in live {
        let name = kit.mirror.tasks[&attempt.of].name.to_string();
        let dag = &kit.run(attempt.of.run).dag;
        let report = match fate(attempt.of) {
            // The first failure of that one ends all that is on: who is first is a matter of turns.
            0 if *dag != *"gated" => failed(TaskError::permanent("403"), true),
            1 => Report::Skipped { why: "".into() },
            _ if name == "list" => report_for(&name, 47),
            _ if name == "choose" || name == "check" => report_for(&name, 15),
            _ => done(),
        };
        kit.report_as(worker, attempt, report);
    }
    for worker in ["w1", "w2"] {
        let worker = worker.into();
        kit.tell(Input::Beat { worker });
    }
    // Short enough for nothing to lie with its worker for too long.
    kit.advance(minutes(1));
}

fn ends(kit: &Kit) -> BTreeMap<InstanceRef, TaskState> {
    kit.mirror
        .tasks
        .values()
        .map(|row| (row.of, row.state))
        .collect()
}

#[test]
fn work_that_another_scheduler_takes_over_ends_as_it_would_have() {
    play(40, 40, |steps| {
        let mut play = Play::new();
        for step in &steps {
            play.step(step);
        }
        let mut next = successor(&play.kit);
        finish(&mut play.kit);
        finish(&mut next);
        assert_eq!(ends(&play.kit), ends(&next));
    });
}

#[test]
fn everything_ends_once_nothing_stands_in_its_way() {
    play(40, 60, |steps| {
        let mut play = Play::new();
        for step in &steps {
            play.step(step);
        }
        finish(&mut play.kit);
        for run in play.kit.mirror.runs.values().filter(|run| !has_ended(run)) {
            // Days that wait for a day before them that failed wait for a person; so do those behind them.
            assert_eq!(
                run.dag,
                *"daily",
                "{run:#?} {:#?}",
                play.kit.mirror.instances(run.id).collect::<Vec<_>>()
            );
        }
        for run in play.kit.mirror.runs.values().filter(|run| has_ended(run)) {
            let open = play
                .kit
                .mirror
                .instances(run.id)
                .find(|row| !row.state.is_final());
            assert_eq!(open, None, "of {}, which ended", run.name);
        }
        assert_eq!(play.kit.mirror.cleanups.len(), 0);
    });
}

#[test]
fn states_move_as_they_may_and_what_ended_stays_unless_a_person_says_otherwise() {
    play(48, 60, |steps| {
        let mut play = Play::new();
        for step in steps {
            let before = ends(&play.kit);
            let runs: BTreeMap<RunNo, RunState> = play
                .kit
                .mirror
                .runs
                .values()
                .map(|run| (run.id, run.state))
                .collect();
            if play.step(&step) {
                continue;
            }
            for (of, from) in before {
                let row = &play.kit.mirror.tasks[&of];
                let whole = row.instances.is_some();
                assert!(
                    row.state == from || whole || reachable(from, row.state),
                    "{} from {from} to {}",
                    row.name,
                    row.state
                );
            }
            for (run, from) in runs {
                let again = play.kit.mirror.runs[&run].backfill.is_some();
                let to = play.kit.run_state(run);
                assert!(
                    to == from || again || matches!(from, RunState::Queued | RunState::Running),
                    "{from} to {to}"
                );
            }
        }
    });
}

/// Whether states can follow one another without a person.
fn reachable(from: TaskState, to: TaskState) -> bool {
    if from.is_final() {
        return false;
    }
    let mut open = vec![from];
    let mut seen = Vec::new();
    while let Some(state) = open.pop() {
        if state == to {
            return true;
        }
        if seen.contains(&state) || state.is_final() {
            continue;
        }
        seen.push(state);
        let next = TaskState::ALL
            .iter()
            .copied()
            .filter(|next| *next != TaskState::None && may_follow(state, *next));
        open.extend(next);
    }
    false
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    play(24, 60, |steps| {
        let mut play = Play::new();
        let rows = play.kit.mirror.recovered();
        let again = || Engine::recover(settings(), &rows, super::kit::at("2025-01-01")).0;
        play.kit.engine = again();
        play.kit.records = true;
        for step in &steps {
            play.step(step);
        }
        let mut engine = again();
        let mut outputs = Vec::new();
        for input in std::mem::take(&mut play.kit.inputs) {
            match input {
                Some((input, at)) => engine.apply(input, at),
                None => outputs.push(format!("{:?}", engine.take())),
            }
        }
        assert_eq!(outputs.len(), play.kit.outputs.len());
        for (left, right) in play.kit.outputs.iter().zip(&outputs) {
            assert_eq!(left, right);
        }
    });
}

#[test]
fn commands_of_every_kind_are_refused_without_a_trace_where_they_make_no_sense() {
    let mut kit = Kit::of(lists(false));
    let before = (
        kit.mirror.runs.clone(),
        kit.mirror.tasks.clone(),
        kit.mirror.dags.clone(),
    );
    let stray = RunNo(77);
    let commands = [
        clear(stray, &[], Around::default()),
        Command::CancelRun {
            run: stray,
            note: None,
        },
        Command::Trigger(trigger("nothing", Value::Null)),
        Command::CancelBackfill { backfill: 5 },
        Command::RemoveDag {
            dag: dag_id("nothing"),
        },
        Command::RemovePool {
            name: "default".into(),
        },
    ];
    for command in commands {
        assert!(kit.ask(command.clone()).is_err(), "{command:?}");
    }
    assert_eq!(
        (
            kit.mirror.runs.clone(),
            kit.mirror.tasks.clone(),
            kit.mirror.dags.clone()
        ),
        before
    );
}
