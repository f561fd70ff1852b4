//! Every rule against an oracle that was written from the table of rules alone: it asks about the states of upstream
//! tasks one by one, where the engine counts them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tidemill_core::protocol::{AttemptRef, Hello, Report, RunNo};
use tidemill_core::spec::{DagNotes, DagSpec, Definition};
use tidemill_core::state::{RunState, TaskState, TriggerRule};
use tidemill_scheduler::engine::{
    Command, Config, Counts, Effect, Engine, Input, Request, Seen, Verdict, verdict,
};

use super::drafts::{TaskDraft as _, dag, task};
use super::kit::{at, done, failed, trigger};

/// How an upstream task can stand, as far as rules can tell.
const STANDS: [TaskState; 6] = [
    TaskState::Running,
    TaskState::Success,
    TaskState::Skipped,
    TaskState::Failed,
    TaskState::UpstreamFailed,
    TaskState::Removed,
];

/// The table of rules.
fn oracle(rule: TriggerRule, up: &[TaskState]) -> Verdict {
    use TaskState::{Failed, Removed, Skipped, Success, UpstreamFailed};
    let any = |states: &[TaskState]| up.iter().any(|state| states.contains(state));
    let all = |states: &[TaskState]| up.iter().all(|state| states.contains(state));
    let done = up.iter().all(|state| state.is_final());
    let bad = any(&[Failed, UpstreamFailed]);
    if up.is_empty() {
        return Verdict::Pass;
    }
    let pass_if = |holds: bool| if holds { Verdict::Pass } else { Verdict::Wait };
    match rule {
        TriggerRule::Always => Verdict::Pass,
        TriggerRule::AllDone | TriggerRule::AllDoneSetupSuccess => pass_if(done),
        TriggerRule::AllSuccess | TriggerRule::NoneFailed if bad => Verdict::End(UpstreamFailed),
        TriggerRule::AllSuccess if any(&[Skipped]) => Verdict::End(Skipped),
        TriggerRule::AllSuccess => pass_if(all(&[Success, Removed])),
        TriggerRule::NoneFailed => pass_if(done),
        TriggerRule::AllFailed if any(&[Success, Skipped]) => Verdict::End(Skipped),
        TriggerRule::AllFailed => pass_if(done),
        TriggerRule::AllSkipped if bad || any(&[Success]) => Verdict::End(Skipped),
        TriggerRule::AllSkipped if all(&[Skipped]) => Verdict::Pass,
        // The table is silent about skipped and removed ones together; a run has to end all the same.
        TriggerRule::AllSkipped if done => Verdict::End(Skipped),
        TriggerRule::AllSkipped => Verdict::Wait,
        TriggerRule::OneSuccess if any(&[Success]) => Verdict::Pass,
        TriggerRule::OneSuccess if all(&[Skipped]) => Verdict::End(Skipped),
        TriggerRule::OneSuccess if done => Verdict::End(UpstreamFailed),
        TriggerRule::OneFailed if bad => Verdict::Pass,
        TriggerRule::OneDone if any(&[Success, Failed]) => Verdict::Pass,
        TriggerRule::OneFailed | TriggerRule::OneDone if done => Verdict::End(Skipped),
        TriggerRule::OneSuccess | TriggerRule::OneFailed | TriggerRule::OneDone => Verdict::Wait,
        TriggerRule::NoneFailedMinOneSuccess if bad => Verdict::End(UpstreamFailed),
        TriggerRule::NoneFailedMinOneSuccess if !done => Verdict::Wait,
        TriggerRule::NoneFailedMinOneSuccess if all(&[Skipped]) => Verdict::End(Skipped),
        TriggerRule::NoneSkipped | TriggerRule::AllDoneMinOneSuccess if any(&[Skipped]) => {
            Verdict::End(Skipped)
        }
        TriggerRule::NoneSkipped => pass_if(done),
        TriggerRule::AllDoneMinOneSuccess if !done => Verdict::Wait,
        TriggerRule::NoneFailedMinOneSuccess | TriggerRule::AllDoneMinOneSuccess => {
            if any(&[Success]) {
                Verdict::Pass
            } else {
                Verdict::End(UpstreamFailed)
            }
        }
    }
}

fn counts(states: &[TaskState]) -> Counts {
    let of = |wanted| {
        u32::try_from(states.iter().filter(|state| **state == wanted).count()).expect("few")
    };
    Counts {
        success: of(TaskState::Success),
        skipped: of(TaskState::Skipped),
        failed: of(TaskState::Failed),
        upstream_failed: of(TaskState::UpstreamFailed),
        removed: of(TaskState::Removed),
    }
}

fn seen(up: &[TaskState]) -> Seen {
    Seen {
        ended: counts(up),
        total: u32::try_from(up.len()).expect("few"),
        ..Seen::default()
    }
}

/// Every list of so many states.
fn combinations(length: usize) -> Vec<Vec<TaskState>> {
    let mut lists = vec![Vec::new()];
    for _ in 0..length {
        let longer = lists.iter().flat_map(|list: &Vec<TaskState>| {
            STANDS.iter().map(move |state| {
                let mut longer = list.clone();
                longer.push(*state);
                longer
            })
        });
        lists = longer.collect();
    }
    lists
}

#[test]
fn every_rule_says_what_the_table_says_of_up_to_four_upstream_tasks() {
    for up in (0..=4).flat_map(combinations) {
        for rule in TriggerRule::ALL {
            assert_eq!(
                verdict(*rule, &seen(&up)),
                oracle(*rule, &up),
                "{rule} of {up:?}"
            );
        }
    }
}

#[test]
fn nothing_that_all_upstream_tasks_decide_is_left_undecided() {
    for up in (1..=4)
        .flat_map(combinations)
        .filter(|up| up.iter().all(|state| state.is_final()))
    {
        for rule in TriggerRule::ALL {
            assert_ne!(
                verdict(*rule, &seen(&up)),
                Verdict::Wait,
                "{rule} of {up:?}"
            );
        }
    }
}

#[test]
fn a_task_that_is_not_expanded_yet_waits_for_all_where_a_plain_one_would_not() {
    for up in (1..=3).flat_map(combinations) {
        let open = up.contains(&TaskState::Running);
        for rule in TriggerRule::ALL
            .iter()
            .filter(|rule| **rule != TriggerRule::Always)
        {
            let whole = Seen {
                whole: true,
                ..seen(&up)
            };
            let expected = match oracle(*rule, &up) {
                Verdict::Pass if open => Verdict::Wait,
                other => other,
            };
            assert_eq!(verdict(*rule, &whole), expected, "{rule} of {up:?}");
        }
    }
}

#[test]
fn an_instance_whose_partner_was_removed_is_removed() {
    let up = [TaskState::Success, TaskState::Success, TaskState::Removed];
    let of = |own_index| Seen {
        own_index: Some(own_index),
        ..seen(&up)
    };
    assert_eq!(verdict(TriggerRule::AllSuccess, &of(1)), Verdict::Pass);
    assert_eq!(
        verdict(TriggerRule::AllSuccess, &of(2)),
        Verdict::End(TaskState::Removed)
    );
    assert_eq!(verdict(TriggerRule::AllDone, &of(2)), Verdict::Pass);
}

#[test]
fn a_teardown_runs_when_any_of_its_setups_succeeded_and_everything_is_done() {
    for setups in (1..=3).flat_map(combinations) {
        for up in (0..=1).flat_map(combinations) {
            let all: Vec<TaskState> = up.iter().chain(&setups).copied().collect();
            let seen = Seen {
                setups: counts(&setups),
                setups_total: u32::try_from(setups.len()).expect("few"),
                ..seen(&all)
            };
            let expected = if !all.iter().all(|state| state.is_final()) {
                Verdict::Wait
            } else if setups.contains(&TaskState::Success) {
                Verdict::Pass
            } else if setups.iter().all(|state| *state == TaskState::Skipped) {
                Verdict::End(TaskState::Skipped)
            } else {
                Verdict::End(TaskState::UpstreamFailed)
            };
            let said = verdict(TriggerRule::AllDoneSetupSuccess, &seen);
            assert_eq!(said, expected, "{setups:?} and {up:?}");
        }
    }
}

// ---- whole runs

/// The names of tasks, in an order in which none comes before its upstream.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// A DAG of a few tasks by number: upstream tasks and rules.
#[derive(Debug, Clone)]
struct Shape {
    up: Vec<Vec<usize>>,
    rules: Vec<TriggerRule>,
}

/// In which order tasks that run at the same time end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    FirstFirst,
    LastFirst,
}

impl Order {
    fn pick(self, running: impl Iterator<Item = usize>) -> Option<usize> {
        match self {
            Self::FirstFirst => running.min(),
            Self::LastFirst => running.max(),
        }
    }
}

const ENDS: [TaskState; 3] = [TaskState::Success, TaskState::Failed, TaskState::Skipped];

impl Shape {
    /// Every set of edges between so many tasks.
    fn all(count: usize) -> Vec<Vec<Vec<usize>>> {
        let pairs: Vec<(usize, usize)> = (0..count)
            .flat_map(|to| (0..to).map(move |from| (from, to)))
            .collect();
        let shape = |mask: usize| {
            let mut up = vec![Vec::new(); count];
            for (bit, (from, to)) in pairs.iter().enumerate() {
                if mask >> bit & 1 == 1 {
                    up[*to].push(*from);
                }
            }
            up
        };
        (0..1 << pairs.len()).map(shape).collect()
    }

    fn definition(&self) -> Definition {
        let tasks = self.up.iter().enumerate().map(|(nth, up)| {
            let up: Vec<&str> = up.iter().map(|from| NAMES[*from]).collect();
            task(NAMES[nth]).after(&up).rule(self.rules[nth])
        });
        dag("d", tasks).with_many_runs()
    }

    /// What becomes of every task, worked out without the engine: one task ends after the other, and each time every
    /// task whose rule now says something is decided.
    fn expected(&self, ends: &[TaskState], order: Order) -> Expected {
        let mut states = vec![TaskState::None; self.up.len()];
        let mut ran = vec![false; self.up.len()];
        loop {
            for nth in 0..states.len() {
                if states[nth] == TaskState::None {
                    let up: Vec<TaskState> =
                        self.up[nth].iter().map(|from| states[*from]).collect();
                    states[nth] = match oracle(self.rules[nth], &up) {
                        Verdict::Wait => TaskState::None,
                        Verdict::Pass => TaskState::Running,
                        Verdict::End(state) => state,
                    };
                }
            }
            let running = (0..states.len()).filter(|nth| states[*nth] == TaskState::Running);
            let Some(next) = order.pick(running) else {
                break;
            };
            states[next] = ends[next];
            ran[next] = true;
        }
        let leaf = |nth: &usize| !self.up.iter().any(|up| up.contains(nth));
        let bad = |nth: usize| matches!(states[nth], TaskState::Failed | TaskState::UpstreamFailed);
        let failed = (0..states.len()).filter(leaf).any(bad);
        let run = if failed {
            RunState::Failed
        } else {
            RunState::Success
        };
        Expected { states, run, ran }
    }
}

/// How a run ends, and which of its tasks were run.
struct Expected {
    states: Vec<TaskState>,
    run: RunState,
    ran: Vec<bool>,
}

trait ManyRuns {
    fn with_many_runs(self) -> Self;
}

impl ManyRuns for Definition {
    fn with_many_runs(mut self) -> Self {
        self.active_runs_max = u32::MAX;
        self
    }
}

/// An engine with as little around it as possible: a hundred thousand runs go through it.
struct Bare {
    engine: Engine,
    running: BTreeMap<usize, AttemptRef>,
    states: Vec<TaskState>,
    run: Option<(RunNo, RunState)>,
}

impl Bare {
    fn of(definition: Definition) -> Self {
        let now = at("2025-01-01");
        let config = Config {
            ended_tasks_kept: 0,
            ..Config::default()
        };
        let count = definition.tasks.len();
        let spec = Arc::new(DagSpec {
            definition,
            notes: DagNotes::default(),
        });
        let mut bare = Self {
            engine: Engine::new(config, now),
            running: BTreeMap::new(),
            states: vec![TaskState::None; count],
            run: None,
        };
        let hello = Hello {
            worker: "w".into(),
            build: "test".into(),
            slots: 10,
            queues: vec!["default".into()],
            labels: BTreeMap::new(),
            hears_drain: true,
            versions: vec![(spec.id().clone(), spec.version())],
            holds: Vec::new(),
        };
        let by = "ci".into();
        bare.tell(Input::Deploy {
            specs: vec![spec],
            by,
        });
        bare.tell(Input::Hello(hello));
        bare
    }

    fn tell(&mut self, input: Input) {
        self.engine.apply(input, at("2025-01-01"));
        let output = self.engine.take();
        for row in output.changes.new_tasks.iter().chain(&output.changes.tasks) {
            self.states[row.of.task.0 as usize] = row.state;
        }
        for row in output.changes.new_runs.iter().chain(&output.changes.runs) {
            self.run = Some((row.id, row.state));
        }
        for effect in output.effects {
            if let Effect::Assign { attempt, .. } = effect {
                self.running.insert(attempt.of.task.0 as usize, attempt);
            }
        }
    }

    fn run(&mut self, ends: &[TaskState], order: Order) -> (Vec<TaskState>, RunState) {
        self.states.fill(TaskState::None);
        self.tell(Input::Ask(Request {
            id: 0,
            by: "ada".into(),
            seen: None,
            dry_run: false,
            command: Command::Trigger(trigger("d", Value::Null)),
        }));
        while let Some(next) = order.pick(self.running.keys().copied()) {
            let attempt = self
                .running
                .remove(&next)
                .expect("it was picked from there");
            let report = match ends[next] {
                TaskState::Failed => {
                    failed(tidemill_core::operator::TaskError::permanent(""), true)
                }
                TaskState::Skipped => Report::Skipped { why: "".into() },
                _ => done(),
            };
            let worker = "w".into();
            self.tell(Input::Report {
                worker,
                attempt,
                report,
            });
        }
        let (_, state) = self.run.expect("the run was made");
        (self.states.clone(), state)
    }
}

/// Every way in which the tasks of a shape can end: what does not run has nothing to say.
fn each_way(shape: &Shape, order: Order, mut check: impl FnMut(&[TaskState], &Expected)) {
    let count = shape.up.len();
    for code in 0..ENDS.len().pow(u32::try_from(count).expect("few")) {
        let mut rest = code;
        let ends: Vec<TaskState> = (0..count)
            .map(|_| {
                let end = ENDS[rest % ENDS.len()];
                rest /= ENDS.len();
                end
            })
            .collect();
        let expected = shape.expected(&ends, order);
        // What a task would have said that was never run makes no difference.
        if (0..count).all(|nth| expected.ran[nth] || ends[nth] == ENDS[0]) {
            check(&ends, &expected);
        }
    }
}

fn check_shapes(count: usize, orders: &[Order]) {
    for (nth, up) in Shape::all(count).into_iter().enumerate() {
        for (which, last) in TriggerRule::ALL.iter().enumerate() {
            // The rules before the last differ from shape to shape; the plain one is there most often.
            let sampled = |at: usize| {
                let mixed = (nth * 31 + which * 7 + at * 17) % (2 * TriggerRule::ALL.len());
                TriggerRule::ALL
                    .get(mixed)
                    .copied()
                    .unwrap_or(TriggerRule::AllSuccess)
            };
            let mut rules: Vec<TriggerRule> = (0..count).map(sampled).collect();
            rules[count - 1] = *last;
            let shape = Shape {
                up: up.clone(),
                rules,
            };
            let mut engine = Bare::of(shape.definition());
            for order in orders {
                each_way(&shape, *order, |ends, expected| {
                    let (states, run) = engine.run(ends, *order);
                    assert_eq!(
                        states, expected.states,
                        "{shape:?} with {ends:?}, {order:?}"
                    );
                    assert_eq!(run, expected.run, "{shape:?} with {ends:?}, {order:?}");
                });
            }
        }
    }
}

#[test]
fn every_dag_of_up_to_three_tasks_ends_as_the_table_says() {
    for count in 1..=3 {
        check_shapes(count, &[Order::FirstFirst, Order::LastFirst]);
    }
}

#[test]
fn every_dag_of_four_tasks_ends_as_the_table_says_when_early_tasks_end_first() {
    check_shapes(4, &[Order::FirstFirst]);
}

#[test]
fn every_dag_of_four_tasks_ends_as_the_table_says_when_late_tasks_end_first() {
    check_shapes(4, &[Order::LastFirst]);
}
