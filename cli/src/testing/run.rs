//! Running one task in a test.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tidemill_core::author::Dag;
use tidemill_core::operator::{
    AnyTask, Host as _, LaunchKey, LaunchPoint, Outcome, RunFacts, TaskContext, TaskError,
    TaskResult,
};
use tidemill_core::params;
use tidemill_core::protocol::{CheckResult, Load};
use tidemill_core::span;
use tidemill_core::spec::{TaskKind, TaskSpec};

use super::attempt::{Ready, panicked};
use super::clock::Clock;
use super::crew::Crew;
use super::given::{Given, settings, to_json};
use super::graph::ValidDag;
use super::host::{FakeHost, LogLine};

/// A task that takes longer than this does not come to an end.
const WAIT_MAX: Duration = span::days(366);
/// A task that is resumed more often than this does not come to an end.
const RESUMES_MAX: u32 = 100_000;

/// One run of one task, with everything it sees.
#[must_use = "a run does nothing until `.run()`"]
pub struct TaskRun<'a> {
    dag: &'a Dag,
    spec: &'a TaskSpec,
    given: Given,
    item: Option<Value>,
    attempt: u32,
    epoch: u32,
    outputs: Vec<(String, Value)>,
    cancel_after: Option<Duration>,
}

impl std::fmt::Debug for TaskRun<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskRun")
            .field("task", &self.spec.id)
            .finish_non_exhaustive()
    }
}

impl<'a> TaskRun<'a> {
    /// A run of this task.
    ///
    /// # Panics
    /// There is no task of this name: this is an assertion.
    #[track_caller]
    pub fn of(dag: &'a ValidDag, task: &str) -> Self {
        Self {
            dag,
            spec: dag.task(task),
            given: Given::new(dag),
            item: None,
            attempt: 1,
            epoch: 1,
            outputs: Vec::new(),
            cancel_after: None,
        }
    }

    settings!();

    /// What this instance of a mapped task is mapped over.
    #[track_caller]
    pub fn item(mut self, item: impl Serialize) -> Self {
        self.item = Some(to_json(item));
        self
    }

    /// What an upstream task returned.
    ///
    /// # Panics
    /// It is not directly upstream: this is an assertion.
    #[track_caller]
    pub fn output_of(mut self, task: &str, output: impl Serialize) -> Self {
        let known: Vec<&str> = self
            .spec
            .upstream
            .iter()
            .map(|up| up.task.as_str())
            .collect();
        assert!(
            known.contains(&task),
            "`{}` does not come after `{task}`, but after {}",
            self.spec.id,
            known.join(", ")
        );
        self.outputs.push((task.to_owned(), to_json(output)));
        self
    }

    /// Which attempt it is; the first if nothing is said.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// How many launches were decided before: another epoch has another launch key.
    pub fn epoch(mut self, epoch: u32) -> Self {
        self.epoch = epoch;
        self
    }

    /// The task is told to stop once so much virtual time has passed.
    pub fn cancel_after(mut self, span: Duration) -> Self {
        self.cancel_after = Some(span);
        self
    }

    /// Runs it to its end on a virtual clock: waits take no time, and a deferred task is resumed again and again.
    ///
    /// # Panics
    /// The params are wrong, or the task never comes to an end. A panic of the task itself is a failure of it.
    #[must_use]
    #[track_caller]
    pub fn run(self) -> Ran {
        let nothing = matches!(self.spec.kind, TaskKind::Empty | TaskKind::Approval { .. });
        assert!(
            !nothing,
            "`{}` runs nothing: the scheduler ends it by itself",
            self.spec.id
        );
        let clock = Clock::new(self.given.begin());
        let mut crew = Crew::new(Arc::clone(&clock));
        let facts = self.facts();
        let fakes = Arc::new(self.given.fakes);
        let number = crew.number();
        let host = FakeHost::new(&clock, number, &fakes).cancel_after(self.cancel_after);
        let host = Arc::new(host);
        let registry = self.dag.registry();
        let (outputs, variables) = (&self.outputs, fakes.variables());
        // Making a task runs code of its author, too.
        let make = || registry.make(self.spec, &facts, outputs, &variables);
        let made = catch_unwind(AssertUnwindSafe(make));
        let made = made.unwrap_or_else(|panic| Err(panicked(&*panic)));
        let blocking = registry.is_blocking(self.spec);
        let ctx = TaskContext::new(facts, Arc::clone(&host) as Arc<_>);
        let ready = |task: Box<dyn AnyTask>| Ready {
            task,
            ctx,
            host: Arc::clone(&host),
        };
        let (result, resumes) = match made.map(ready) {
            Err(error) => (Err(error), 0),
            Ok(ready) => {
                crew.add(number, Box::pin(to_the_end(ready)), blocking);
                done(&mut crew, &clock)
            }
        };
        let seen = host.seen(std::mem::take);
        Ran {
            result,
            log: seen.log,
            progress: seen.progress,
            loads: seen.loads,
            checks: seen.checks,
            took: clock.passed(),
            resumes,
        }
    }

    #[track_caller]
    fn facts(&self) -> RunFacts {
        let given = json!(self.given.params);
        let definition = &self.dag.spec().definition;
        let full = params::complete(&definition.params, &given);
        let interval = self.given.interval;
        let begin = interval
            .start
            .to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let run_id = format!("test__{begin}");
        let point = LaunchPoint {
            deployment: "test",
            dag: definition.id.as_str(),
            run: &run_id,
            task: self.spec.id.as_str(),
            map_index: self.item.as_ref().map(|_| 0),
            epoch: self.epoch,
        };
        RunFacts {
            dag_id: definition.id.to_string(),
            run_id: run_id.clone(),
            run_type: "manual".to_owned(),
            task_id: self.spec.id.to_string(),
            map_index: point.map_index,
            attempt: self.attempt,
            interval,
            zone: definition.zone(),
            params: match full {
                Ok(full) => full,
                Err(wrong) => panic!("the params are wrong: {}", wrong.join("; ")),
            },
            item: self.item.clone(),
            key: LaunchKey::of(&point),
        }
    }
}

/// Lets time pass until the task is done.
#[track_caller]
fn done(crew: &mut Crew<(TaskResult<Outcome>, u32)>, clock: &Clock) -> (TaskResult<Outcome>, u32) {
    loop {
        if let Some((_, done)) = crew.next_done() {
            return done;
        }
        if !crew.wait_outside() {
            match clock.next() {
                Some(next) if next <= WAIT_MAX => clock.advance(next),
                Some(_) => panic!("the task waits for ever: it is not done after a year"),
                None => panic!("the task waits for ever, and not for the clock"),
            }
        }
    }
}

/// How it ended, and how often it was resumed.
async fn to_the_end(ready: Ready) -> (TaskResult<Outcome>, u32) {
    let mut resumes = 0;
    let mut outcome = ready.act(None).await;
    while let Ok(Outcome::Deferred { handle, wait, why }) = outcome {
        resumes += 1;
        assert!(resumes <= RESUMES_MAX, "the task waits for ever: {why}");
        // Only what is recorded after the last wait goes out with the report of the end.
        ready.host.seen(|seen| {
            seen.loads.clear();
            seen.checks.clear();
        });
        ready.host.wait(wait).await;
        if ready.host.is_cancelled() {
            let cancelled = ready.task.cancel(&ready.ctx, Some(handle)).await;
            let error = TaskError::cancelled(format!("cancelled while it waited: {why}"));
            return (cancelled.and(Err(error)), resumes);
        }
        outcome = ready.act(Some(handle)).await;
    }
    let outcome = match outcome {
        Ok(Outcome::Failed(error)) => Err(error),
        ended => ended,
    };
    (outcome, resumes)
}

/// How a run of a task went.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub result: TaskResult<Outcome>,
    /// What it wrote to its log.
    pub log: Vec<LogLine>,
    /// How far it said it was.
    pub progress: Vec<(f64, String)>,
    /// What it put on record as loaded.
    pub loads: Vec<Load>,
    /// What it put on record of checks.
    pub checks: Vec<CheckResult>,
    /// How much virtual time it took.
    pub took: Duration,
    /// How often it was resumed after it was deferred.
    pub resumes: u32,
}

impl Ran {
    /// What it returned.
    ///
    /// # Panics
    /// It did not succeed, or returned something else: this is an assertion.
    #[must_use]
    #[track_caller]
    pub fn output<T: DeserializeOwned>(&self) -> T {
        match &self.result {
            Ok(Outcome::Done(output)) => {
                serde_json::from_value(output.clone()).unwrap_or_else(|error| {
                    panic!("the task returned {output}, which does not fit: {error}")
                })
            }
            other => panic!("the task did not succeed: {}", shown(other)),
        }
    }

    /// Why it failed.
    ///
    /// # Panics
    /// It did not fail: this is an assertion.
    #[must_use]
    #[track_caller]
    pub fn error(&self) -> &TaskError {
        match &self.result {
            Err(error) => error,
            other => panic!("the task did not fail: {}", shown(other)),
        }
    }

    /// The ways that a branch chose.
    #[must_use]
    #[track_caller]
    pub fn chosen(&self) -> Vec<String> {
        self.output()
    }

    /// Whether a line of its log has this text in it.
    #[must_use]
    pub fn logged(&self, text: &str) -> bool {
        self.log.iter().any(|line| line.text.contains(text))
    }
}

fn shown(result: &TaskResult<Outcome>) -> String {
    match result {
        Ok(outcome) => format!("{outcome:?}"),
        Err(error) => error.to_string(),
    }
}
