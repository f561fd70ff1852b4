//! Whatever happens in whatever order: steps that are made by chance, and what they do to an engine.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use tidemill_core::id::DagId;
use tidemill_core::operator::TaskError;
use tidemill_core::protocol::{AttemptRef, InstanceRef, Report, RunNo};
use tidemill_core::span::{minutes, seconds};
use tidemill_core::spec::{Asset, AssetExpr, Definition, Mapping};
use tidemill_core::state::{TaskState, TriggerRule};
use tidemill_scheduler::engine::{
    Around, Backfill, BulkAction, Command, Config, Filter, Input, Pausable, RunVersion,
    SealedConnection, SealedVariable,
};
use tidemill_store::record::{BackfillState, Reprocess};

use super::drafts::{
    DagDraft as _, TaskDraft as _, approval, branch, dag, dag_id, doubling, empty, mapping,
    numbers, output_of, sensor, setup, short_circuit, task, teardown,
};
use super::kit::{Kit, clear, config, deferred, failed, select};
use super::mirror::has_ended;

pub(crate) const DAGS: [&str; 4] = ["lists", "scoped", "daily", "gated"];

pub(crate) fn lists(second: bool) -> Definition {
    let mut tasks = vec![
        task("list").retries(1, seconds(30)),
        task("each")
            .after(&["list"])
            .mapped(&[output_of("list")])
            .retries(1, seconds(5)),
        task("g.a").in_group("g").after(&["list"]),
        task("g.b")
            .in_group("g")
            .after(&["g.a"])
            .rule(TriggerRule::AllDone),
        task("total")
            .after(&["each", "g.b"])
            .rule(TriggerRule::NoneFailed),
        task("two").mapped(&[numbers(2)]),
    ];
    if second {
        tasks.retain(|task| task.id != *"two");
        tasks.push(task("after").after(&["total"]));
        tasks.push(task("before"));
    }
    let over: Mapping = mapping(&[output_of("list")]);
    dag("lists", tasks)
        .group("g", None, Some(over))
        .active_runs(3)
}

pub(crate) fn scoped() -> Definition {
    let tasks = [
        branch("choose", &[("left", &["left"]), ("right", &["right"])]),
        task("left").after(&["choose"]),
        task("right").after(&["choose"]),
        setup("make").after(&["left"]),
        task("work").after(&["make"]).timeout(minutes(20)),
        task("more")
            .after(&["work", "right"])
            .rule(TriggerRule::OneSuccess),
        teardown("remove", &["make"])
            .after(&["more"])
            .retries(1, seconds(5)),
        short_circuit("check", true).after(&["right"]),
        empty("last").after(&["check"]).rule(TriggerRule::AllDone),
    ];
    dag("scoped", tasks).active_runs(2).with(|dag| {
        dag.run_timeout = Some(minutes(600));
        dag.deadline = Some(minutes(30));
        dag.active_tasks_per_run_max = Some(2);
    })
}

pub(crate) fn daily() -> Definition {
    let tasks = [
        task("a")
            .depends_on_past()
            .with(|spec| spec.past.wait_for_downstream = true),
        task("b").after(&["a"]).with(|spec| spec.retry = doubling()),
    ];
    dag("daily", tasks)
        .daily("2024-12-28")
        .active_runs(2)
        .with(|dag| dag.pause_after_failures = Some(3))
}

pub(crate) fn gated() -> Definition {
    let keyed = |id: &str| {
        task(id).with(|spec| {
            spec.concurrency.key = Some("shop".into());
            spec.concurrency.key_active_max = 2;
        })
    };
    let tasks = [
        keyed("k1"),
        keyed("k2").pool("small", 2),
        task("p")
            .pool("small", 1)
            .with(|spec| spec.concurrency.active_max = Some(1)),
        sensor("wait", true).timeout(minutes(90)),
        approval("ask", Some("no"))
            .after(&["p"])
            .timeout(minutes(300)),
        task("end")
            .after(&["ask", "wait", "k1", "k2"])
            .rule(TriggerRule::AllDone),
    ];
    let assets = AssetExpr::any([&Asset::new("table"), &Asset::new("file")]);
    dag("gated", tasks)
        .when(assets)
        .active_runs(2)
        .with(|dag| dag.fail_fast = true)
}

/// One thing that happens; the numbers choose among what there is to choose from.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    what: u8,
    which: u16,
    how: u16,
}

pub(crate) struct Play {
    pub(crate) kit: Kit,
    /// Reports that were made, to be made again.
    pub(crate) said: Vec<(Arc<str>, AttemptRef, Report)>,
}

pub(crate) fn settings() -> Config {
    Config {
        lease: minutes(30),
        queued_max: minutes(2),
        ..config()
    }
}

impl Play {
    pub(crate) fn new() -> Self {
        let mut kit = Kit::with(settings());
        kit.worker("w1", 4, &["default"]);
        kit.worker("w2", 3, &["default"]);
        kit.ask(Command::SetPool {
            name: "small".into(),
            slots: Some(3),
            holds_deferred: false,
            note: None,
        })
        .expect("it can be set");
        for definition in [lists(false), scoped(), daily(), gated()] {
            kit.deploy(definition);
        }
        Self {
            kit,
            said: Vec::new(),
        }
    }

    pub(crate) fn runs(&self, open: bool) -> Vec<RunNo> {
        let runs = self
            .kit
            .mirror
            .runs
            .values()
            .filter(|run| !(open && has_ended(run)));
        runs.map(|run| run.id).collect()
    }

    /// Whether a person did it: then states may go anywhere.
    pub(crate) fn step(&mut self, step: &Step) -> bool {
        match step.what {
            0..=89 => self.report(step),
            90..=99 => self.repeat(step),
            100..=114 => self.pass_time(step),
            115..=129 => self.kit.stop_all(),
            130..=149 => self.fleet(step),
            150..=169 => {
                let dag = DAGS[usize::from(step.which) % DAGS.len()];
                // Names and params are fine; a removed DAG is not part of this play.
                self.kit.trigger(dag);
            }
            170..=200 => {
                self.edit_run(step);
                return true;
            }
            _ => {
                self.edit_world(step);
                return true;
            }
        }
        false
    }

    fn report(&mut self, step: &Step) {
        let live: Vec<(Arc<str>, AttemptRef)> = ["w1", "w2"]
            .iter()
            .flat_map(|worker| {
                self.kit
                    .held_by(worker)
                    .into_iter()
                    .map(|attempt| (Arc::from(*worker), attempt))
            })
            .collect();
        let Some((worker, attempt)) = pick(&live, step.which).cloned() else {
            return;
        };
        let name = self.kit.mirror.tasks[&attempt.of].name.to_string();
        let report = report_for(&name, step.how);
        self.said
            .push((Arc::clone(&worker), attempt, report.clone()));
        self.kit.report_as(&worker, attempt, report);
    }

    fn repeat(&mut self, step: &Step) {
        if let Some((worker, attempt, report)) = pick(&self.said, step.which).cloned() {
            self.kit.report_as(&worker, attempt, report);
        }
    }

    pub(crate) fn pass_time(&mut self, step: &Step) {
        for worker in ["w1", "w2"] {
            if !step.how.is_multiple_of(3) {
                self.kit.tell(Input::Beat {
                    worker: worker.into(),
                });
            }
        }
        let spans = [
            seconds(1),
            seconds(7),
            minutes(1),
            minutes(11),
            minutes(29),
            minutes(600),
        ];
        self.kit
            .advance(spans[usize::from(step.which) % spans.len()]);
    }

    fn fleet(&mut self, step: &Step) {
        let worker = ["w1", "w2"][usize::from(step.which) % 2];
        match step.how % 6 {
            0 => self.kit.tell(Input::Draining {
                worker: worker.into(),
            }),
            1 => {
                self.kit.stops.retain(|(of, _)| &**of != worker);
                self.kit.tell(Input::Left {
                    worker: worker.into(),
                });
            }
            2 => {
                self.kit.stops.retain(|(of, _)| &**of != worker);
                self.kit.hello_with(worker, Vec::new());
            }
            3 => self.kit.tell(Input::BackFromOutage),
            _ => self.kit.hello(worker),
        }
    }

    fn edit_run(&mut self, step: &Step) {
        let Some(run) = pick(&self.runs(false), step.which).copied() else {
            return;
        };
        let rows: Vec<_> = self
            .kit
            .mirror
            .instances(run)
            .map(|row| (row.name.to_string(), row.of))
            .collect();
        let one = pick(&rows, step.how / 7);
        let names: Vec<&str> = one.iter().map(|(name, _)| name.as_str()).collect();
        let names = if step.how.is_multiple_of(5) {
            Vec::new()
        } else {
            names
        };
        let around = Around {
            upstream: step.how.is_multiple_of(11),
            downstream: step.how.is_multiple_of(2),
            past: step.how.is_multiple_of(13),
            future: step.how.is_multiple_of(17),
            only_failed: step.how.is_multiple_of(3),
        };
        let command = match step.what % 8 {
            0..=2 => clear(run, &names, around),
            3 => Command::Mark {
                select: select(run, &names),
                around,
                state: [TaskState::Success, TaskState::Failed, TaskState::Skipped]
                    [usize::from(step.how) % 3],
                note: None,
            },
            4 => Command::CancelRun { run, note: None },
            5 => Command::Pause {
                what: Pausable::Run(run),
                pause: step.how.is_multiple_of(2),
            },
            6 => {
                let Command::Clear { select, around, .. } = clear(run, &names, around) else {
                    return;
                };
                Command::Clear {
                    select,
                    around,
                    params: None,
                    version: RunVersion::Newest,
                    note: None,
                }
            }
            _ => match one {
                Some((_, of)) if step.how.is_multiple_of(2) => Command::CancelAttempt { of: *of },
                Some((_, of)) if step.how.is_multiple_of(3) => Command::Forget {
                    of: self.stopped(run, step).unwrap_or(*of),
                    note: "gone".into(),
                },
                Some((_, of)) => Command::Answer {
                    of: *of,
                    choice: "yes".into(),
                },
                None => Command::Reprioritise {
                    run,
                    priority: 3,
                    pool: Some("small".into()),
                },
            },
        };
        // Much of this makes no sense; then nothing may change.
        let _ = self.kit.ask(command);
    }

    /// An instance of the run whose last attempt is being stopped.
    fn stopped(&self, run: RunNo, step: &Step) -> Option<InstanceRef> {
        let cleanups = self.kit.mirror.cleanups.values();
        let of_run = cleanups.map(|row| row.of.of).filter(|of| of.run == run);
        pick(&of_run.collect::<Vec<_>>(), step.which).copied()
    }

    fn edit_world(&mut self, step: &Step) {
        let pause = step.how.is_multiple_of(2);
        let dag: DagId = dag_id(DAGS[usize::from(step.which) % DAGS.len()]);
        let command = match step.what % 11 {
            10 => secret(step),
            0 => Command::Pause {
                what: Pausable::Dag(dag),
                pause,
            },
            1 => Command::Pause {
                what: Pausable::Pool("small".into()),
                pause,
            },
            2 => Command::SetPool {
                name: "small".into(),
                slots: Some(u32::from(step.how % 4)),
                holds_deferred: pause,
                note: None,
            },
            3 | 4 => Command::AssetChanged {
                asset: ["table", "file"][usize::from(step.how) % 2].into(),
            },
            5 | 6 => Command::Backfill(backfill(step)),
            7 => {
                let backfill = self
                    .kit
                    .mirror
                    .backfills
                    .keys()
                    .last()
                    .copied()
                    .unwrap_or_default();
                if pause {
                    Command::CancelBackfill { backfill }
                } else {
                    let open = self.kit.mirror.backfills.get(&backfill);
                    let pause = open.is_some_and(|row| row.state == BackfillState::Active);
                    let what = Pausable::Backfill(backfill);
                    Command::Pause { what, pause }
                }
            }
            8 => {
                self.kit.deploy(lists(pause));
                return;
            }
            _ => Command::Bulk {
                filter: Filter {
                    runs: Vec::new(),
                    dag: Some(dag),
                    states: Vec::new(),
                    kinds: Vec::new(),
                    from: None,
                    to: None,
                    tasks: Vec::new(),
                    runs_max: 2,
                },
                action: if pause {
                    BulkAction::RetryFailed
                } else {
                    BulkAction::Cancel
                },
                note: None,
            },
        };
        let _ = self.kit.ask(command);
    }
}

fn backfill(step: &Step) -> Backfill {
    let ask = super::acceptance_dates::backfill("daily", "2024-12-24", "2024-12-31");
    Backfill {
        reprocess: [Reprocess::None, Reprocess::Failed, Reprocess::Completed]
            [usize::from(step.how) % 3],
        active_runs_max: 2,
        ..ask
    }
}

pub(crate) fn pick<T>(from: &[T], which: u16) -> Option<&T> {
    from.get(usize::from(which) % from.len().max(1))
}

pub(crate) fn report_for(task: &str, how: u16) -> Report {
    let output = match task {
        "list" => json!((0..how / 16 % 4).collect::<Vec<u16>>()),
        "choose" => json!([["left"], ["right"]][usize::from(how / 16 % 2)]),
        "check" => json!((how / 16).is_multiple_of(2)),
        _ => Value::Null,
    };
    match how % 16 {
        0..=3 => Report::Started,
        4 | 5 => deferred(&format!("{}", how / 16)),
        6 => failed(TaskError::transient("503"), how.is_multiple_of(32)),
        7 => failed(TaskError::permanent("403"), true),
        8 => failed(TaskError::lost("gone"), false),
        9 => Report::Skipped { why: "".into() },
        10 if how > 30_000 => Report::HandedOver,
        10 => Report::Refused { why: "full".into() },
        _ => Report::Done {
            output: (!output.is_null()).then(|| output.to_string().into()),
            loads: Vec::new(),
            checks: Vec::new(),
        },
    }
}

pub(crate) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (any::<u8>(), any::<u16>(), any::<u16>()).prop_map(|(what, which, how)| Step {
        what,
        which,
        how,
    });
    prop::collection::vec(step, 1..most)
}

/// So many plays; the same ones each time, so that nobody's change fails by another's bad luck.
pub(crate) fn play(cases: u32, most: usize, mut check: impl FnMut(Vec<Step>)) {
    let config = Cases {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Cases::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let check = std::cell::RefCell::new(&mut check);
    let result = runner.run(&steps(most), |steps| {
        (check.borrow_mut())(steps);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// Connections and variables come, change and go.
fn secret(step: &Step) -> Command {
    let name: Arc<str> = ["crm", "shop"][usize::from(step.which) % 2].into();
    let sealed: Arc<str> = format!("sealed {}", step.how).into();
    match step.how % 4 {
        0 => Command::RemoveConnection { name },
        1 => Command::RemoveVariable { name },
        2 => Command::SetVariable(SealedVariable {
            name,
            sealed,
            note: None,
        }),
        _ => Command::SetConnection(SealedConnection {
            name,
            kind: "http".into(),
            fields: "{}".into(),
            sealed,
        }),
    }
}
