//! A run through the engine: what it decides is carried out by a worker that exists only here, and told back to it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tidemill_core::author::Dag;
use tidemill_core::operator::Interval;
use tidemill_core::protocol::{AttemptNo, Hello, InstanceRef, RunNo};
use tidemill_core::span;
use tidemill_core::spec::{DagSpec, Schedule, TaskKind};
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::{
    Changed, Command, Config, Effect, Engine, Input, Refusal, Request, Trigger,
};

use super::clock::Clock;
use super::dag_run::Prepared;
use super::ran_dag::RanDag;
use super::rows::Rows;
use super::worker::Worker;

/// The one worker there is, and whoever asks for something.
pub(super) const WORKER: &str = "test";

/// The numbers of requests: what the test itself asks for, and what people answer.
const COMMAND: u64 = 0;
const ANSWER: u64 = 1;

/// A run that takes longer than this in virtual time does not come to an end.
const RUN_MAX: Duration = span::days(366);

/// Nothing that a worker may be silent or busy for ends anything in a test.
const NEVER: Duration = span::days(100 * 366);

/// One engine, and the time that passes for it.
pub(super) struct Play<'a> {
    dag: &'a Dag,
    spec: Arc<DagSpec>,
    prepared: Prepared,
    params: Value,
    clock: Arc<Clock>,
    engine: Engine,
    rows: Rows,
    worker: Worker<'a>,
    /// What the engine is to be told next.
    inbox: VecDeque<Input>,
    reply: Option<Result<Changed, Refusal>>,
    answered: BTreeMap<InstanceRef, AttemptNo>,
}

impl<'a> Play<'a> {
    #[track_caller]
    pub(super) fn new(
        dag: &'a Dag,
        prepared: Prepared,
        params: Value,
        begin: DateTime<Utc>,
    ) -> Self {
        let config = Config {
            deployment: "test".into(),
            lease: NEVER,
            queued_max: NEVER,
            ended_tasks_kept: usize::MAX,
            variables: prepared.fakes.variables.clone(),
            ..Config::default()
        };
        let spec = unscheduled(dag.spec());
        let clock = Clock::new(begin);
        let worker = Worker::new(dag, &clock, &prepared);
        let mut play = Self {
            dag,
            spec: Arc::clone(&spec),
            prepared,
            params,
            engine: Engine::new(config, begin.into()),
            clock,
            rows: Rows::default(),
            worker,
            inbox: VecDeque::new(),
            reply: None,
            answered: BTreeMap::new(),
        };
        play.tell(Input::Deploy {
            specs: vec![Arc::clone(&spec)],
            by: WORKER.into(),
        });
        play.tell(Input::Hello(play.hello()));
        play.set_pools();
        play
    }

    fn hello(&self) -> Hello {
        let tasks = self.spec.definition.tasks.iter();
        let mut queues: Vec<Arc<str>> = tasks
            .map(|task| task.placement.queue.as_str().into())
            .collect();
        queues.sort_unstable();
        queues.dedup();
        Hello {
            worker: WORKER.into(),
            build: WORKER.into(),
            slots: self.prepared.slots.unwrap_or(10_000),
            queues,
            labels: BTreeMap::new(),
            hears_drain: true,
            versions: vec![(self.spec.id().clone(), self.spec.version())],
            holds: Vec::new(),
        }
    }

    #[track_caller]
    fn set_pools(&mut self) {
        let tasks = self.spec.definition.tasks.iter();
        let mut pools: BTreeMap<String, Option<u32>> = tasks
            .map(|task| (task.placement.pool.clone(), None))
            .collect();
        let given = self.prepared.pools.iter();
        pools.extend(given.map(|(name, slots)| (name.clone(), Some(*slots))));
        for (name, slots) in pools {
            let set = self.ask(Command::SetPool {
                name: name.as_str().into(),
                slots,
                holds_deferred: false,
                note: None,
            });
            if let Err(refusal) = set {
                panic!("cannot make the pool `{name}`: {refusal}");
            }
        }
    }

    /// Lets time pass in which nothing happens.
    pub(super) fn pass_until(&mut self, at: DateTime<Utc>) {
        let at = self.clock.until(at);
        if at > self.clock.passed() {
            self.clock.advance(at);
        }
    }

    /// Makes a run and lets time pass until it has ended.
    #[track_caller]
    pub(super) fn run(&mut self, covers: Interval) -> RanDag {
        let trigger = Trigger {
            dag: self.spec.id().clone(),
            name: None,
            covers: Some((covers.start.into(), covers.end.into())),
            params: self.params.clone(),
            version: None,
            note: None,
        };
        let run = match self.ask(Command::Trigger(trigger)) {
            Ok(changed) => changed.runs_made[0].0,
            Err(refusal) => panic!("the run cannot be made: {refusal}"),
        };
        let until = self.clock.passed().saturating_add(RUN_MAX);
        while !self.rows.has_ended(run) || self.worker.is_busy() {
            if let Some((attempt, report)) = self.worker.next_report() {
                self.tell(Input::Report {
                    worker: WORKER.into(),
                    attempt,
                    report,
                });
                continue;
            }
            if self.worker.wait_outside() {
                continue;
            }
            let timer = self.engine.next_wake();
            let timer = timer.map(|at| self.clock.until(at.date()));
            let next = [timer, self.clock.next(), self.worker.next_look()];
            match next.into_iter().flatten().min() {
                Some(next) if next <= until => self.clock.advance(next),
                _ => panic!("{}", self.stuck(run)),
            }
            self.worker.look();
            self.tell(Input::Tick);
        }
        RanDag::of(self.dag, &self.rows, run, &self.worker.logs)
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    /// Tells the engine something, and all that follows at once.
    fn tell(&mut self, input: Input) {
        self.inbox.push_back(input);
        loop {
            while let Some(input) = self.inbox.pop_front() {
                let now = self.now();
                self.engine.apply(input, now);
                let output = self.engine.take();
                self.rows.apply(output.changes);
                for effect in output.effects {
                    self.carry_out(effect);
                }
            }
            match self.answer() {
                Some(answer) => self.inbox.push_back(answer),
                None => return,
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Assign { attempt, duty, .. } => {
                let Some(assignment) = self.engine.assignment(attempt, duty) else {
                    return;
                };
                let inputs = self.rows.inputs(&self.engine.inputs(attempt.of));
                for report in self.worker.take(assignment, inputs) {
                    self.inbox.push_back(Input::Report {
                        worker: WORKER.into(),
                        attempt,
                        report,
                    });
                }
            }
            Effect::Stop { attempt, .. } => {
                if let Some(report) = self.worker.stop(attempt) {
                    self.inbox.push_back(Input::Report {
                        worker: WORKER.into(),
                        attempt,
                        report,
                    });
                }
            }
            Effect::Answer { .. } | Effect::Drain { .. } => {}
            Effect::Reply {
                to: COMMAND,
                result,
            } => self.reply = Some(result),
            Effect::Reply { result, .. } => {
                if let Err(refusal) = result {
                    panic!("a person cannot answer that: {refusal}");
                }
            }
            Effect::Load(asked) => {
                let rows = Box::new(self.rows.find(&asked));
                self.inbox.push_back(Input::Loaded {
                    asked,
                    rows,
                    beyond: Vec::new(),
                });
            }
        }
    }

    fn request(id: u64, by: &str, command: Command) -> Input {
        Input::Ask(Request {
            id,
            by: by.into(),
            seen: None,
            dry_run: false,
            command,
        })
    }

    fn ask(&mut self, command: Command) -> Result<Changed, Refusal> {
        self.tell(Self::request(COMMAND, WORKER, command));
        let none = || Refusal::Invalid(vec!["the engine did not answer".to_owned()]);
        self.reply.take().unwrap_or_else(|| Err(none()))
    }

    /// What a person answers now.
    fn answer(&mut self) -> Option<Input> {
        let waiting = self.rows.tasks.values().filter(|row| {
            row.state == TaskState::Deferred && self.answered.get(&row.of) != Some(&row.attempt)
        });
        let (row, choice) = waiting
            .filter_map(|row| {
                let answers = &self.prepared.answers;
                let one = answers.get(&named(row.name.as_str(), row.of.map_index));
                Some((row, one.or_else(|| answers.get(row.name.as_str()))?))
            })
            .next()?;
        let kind = &self.spec.definition.task(row.name.as_str())?.kind;
        let by = match kind {
            TaskKind::Approval { assignees, .. } => assignees.first().map(String::as_str),
            _ => None,
        };
        let command = Command::Answer {
            of: row.of,
            choice: Arc::clone(choice),
        };
        self.answered.insert(row.of, row.attempt);
        Some(Self::request(ANSWER, by.unwrap_or(WORKER), command))
    }

    /// Why the run does not end, for people.
    fn stuck(&self, run: RunNo) -> String {
        let mut lines = vec![format!(
            "the run of `{}` cannot end: after {} nothing more happens. It waits for:",
            self.spec.id(),
            span::text(self.clock.passed())
        )];
        for held in self.engine.why_run(run).iter().flatten() {
            if !held.open {
                lines.push(format!("  the run: {}", held.says));
            }
        }
        let open = self.rows.of_run(run).filter(|row| !row.state.is_final());
        for row in open {
            let name = named(row.name.as_str(), row.of.map_index);
            let why = self.engine.why(row.of);
            let says = why.as_ref().and_then(|why| Some(&why.first()?.says));
            let says = says
                .cloned()
                .unwrap_or_else(|| "it does not come to an end".into());
            let kind = self.spec.definition.task(row.name.as_str());
            let help = match kind.map(|task| &task.kind) {
                Some(TaskKind::Approval { choices, .. }) if row.state == TaskState::Deferred => {
                    format!(
                        "; have a person answer: `.answer(\"{name}\", …)` with one of {}",
                        choices.join(", ")
                    )
                }
                _ => String::new(),
            };
            lines.push(format!("  {name} is {}: {says}{help}", row.state));
        }
        lines.join("\n")
    }
}

/// The DAG without its schedule: only what the test asks for runs.
fn unscheduled(spec: &DagSpec) -> Arc<DagSpec> {
    let mut spec = spec.clone();
    let definition = &mut spec.definition;
    definition.zone = Some(definition.zone());
    definition.schedule = Schedule::Manual;
    (definition.start, definition.end) = (None, None);
    definition.catchup = false;
    Arc::new(spec)
}

/// `load`, or `load[2]`.
pub(super) fn named(task: &str, index: i32) -> String {
    if index < 0 {
        task.to_owned()
    } else {
        format!("{task}[{index}]")
    }
}
