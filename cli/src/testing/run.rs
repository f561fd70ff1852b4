//! Running one task in a test.

use std::any::{Any, TypeId};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Days, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tidemill_core::author::Dag;
use tidemill_core::operator::{
    AnyTask, Connection, Interval, LaunchKey, LaunchPoint, Outcome, RunFacts, TaskContext,
    TaskError, TaskResult,
};
use tidemill_core::params;
use tidemill_core::protocol::Load;
use tidemill_core::span;
use tidemill_core::spec::{TaskKind, TaskSpec, parse_date};

use super::graph::ValidDag;
use super::host::{FakeHost, Fakes, LogLine};

/// A task that is deferred longer than this in all does not come to an end.
const WAIT_MAX: Duration = span::days(365);
/// A task that is resumed more often than this does not come to an end.
const RESUMES_MAX: u32 = 100_000;

/// One run of one task, with everything it sees.
#[must_use = "a run does nothing until `.run()`"]
pub struct TaskRun<'a> {
    dag: &'a Dag,
    spec: &'a TaskSpec,
    interval: Interval,
    now: Option<DateTime<Utc>>,
    params: Map<String, Value>,
    item: Option<Value>,
    attempt: u32,
    epoch: u32,
    outputs: Vec<(String, Value)>,
    fakes: Fakes,
    cancel_after: Option<Duration>,
}

impl std::fmt::Debug for TaskRun<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskRun")
            .field("task", &self.spec.id)
            .finish_non_exhaustive()
    }
}

/// A value as JSON; a test cannot go on without it.
#[track_caller]
fn to_json(value: impl Serialize) -> Value {
    serde_json::to_value(value)
        .unwrap_or_else(|error| panic!("the value cannot be written as JSON: {error}"))
}

impl<'a> TaskRun<'a> {
    /// A run of this task, for 1 January 2025 unless said otherwise.
    ///
    /// # Panics
    /// There is no task of this name: this is an assertion.
    #[track_caller]
    pub fn of(dag: &'a ValidDag, task: &str) -> Self {
        let start = DateTime::UNIX_EPOCH;
        let run = Self {
            dag,
            spec: dag.task(task),
            interval: Interval { start, end: start },
            now: None,
            params: Map::new(),
            item: None,
            attempt: 1,
            epoch: 1,
            outputs: Vec::new(),
            fakes: Fakes::default(),
            cancel_after: None,
        };
        run.day("2025-01-01")
    }

    /// The run covers this day, in the DAG's time zone.
    ///
    /// # Panics
    /// It is no date.
    #[track_caller]
    pub fn day(mut self, date: &str) -> Self {
        let zone = self.dag.spec().definition.zone();
        let start = match parse_date(date, zone) {
            Ok(start) => start,
            Err(error) => panic!("{error}"),
        };
        let next = start.with_timezone(&zone).date_naive() + Days::new(1);
        let end = tidemill_core::timetable::resolve(zone, next.and_time(chrono::NaiveTime::MIN));
        self.interval = Interval { start, end };
        self
    }

    /// The run covers this time.
    pub fn interval(mut self, start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        self.interval = Interval { start, end };
        self
    }

    /// The virtual clock begins here; at the end of the interval if nothing is said.
    pub fn at(mut self, now: DateTime<Utc>) -> Self {
        self.now = Some(now);
        self
    }

    /// A param of the run.
    #[track_caller]
    pub fn param(mut self, name: &str, value: impl Serialize) -> Self {
        self.params.insert(name.to_owned(), to_json(value));
        self
    }

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

    /// A connection that the task finds.
    pub fn connection(mut self, connection: Connection) -> Self {
        self.fakes
            .connections
            .insert(connection.name.clone(), connection);
        self
    }

    /// A variable that the task finds.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.fakes
            .variables
            .insert(name.to_owned(), value.to_owned());
        self
    }

    /// A fake service, found by its type.
    pub fn service<T: Any + Send + Sync>(mut self, service: Arc<T>) -> Self {
        self.fakes.services.insert(TypeId::of::<T>(), service);
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
        let outside = tokio::runtime::Handle::try_current().is_err();
        assert!(
            outside,
            "a task run starts a runtime of its own: use a plain #[test] instead of #[tokio::test]"
        );
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime =
            runtime.unwrap_or_else(|error| panic!("the test cannot start a runtime: {error}"));
        let facts = self.facts();
        let variables: Vec<(String, String)> = self
            .fakes
            .variables
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let made = self
            .dag
            .registry()
            .make(self.spec, &facts, &self.outputs, &variables);
        let host = Arc::new(FakeHost::new(
            self.now.unwrap_or(self.interval.end),
            self.fakes,
            self.cancel_after,
        ));
        let ctx = TaskContext::new(facts, Arc::clone(&host) as Arc<_>);
        let mut resumes = 0;
        let attempt = || runtime.block_on(to_the_end(&*made?, &ctx, &host, &mut resumes));
        let result =
            catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|panic| Err(panicked(&*panic)));
        let seen = host.seen(std::mem::take);
        Ran {
            result,
            log: seen.log,
            progress: seen.progress,
            loads: seen.loads,
            took: seen.took,
            resumes,
        }
    }

    #[track_caller]
    fn facts(&self) -> RunFacts {
        let given = Value::Object(self.params.clone());
        let definition = &self.dag.spec().definition;
        let full = params::complete(&definition.params, &given);
        let run_id = format!(
            "test__{}",
            self.interval
                .start
                .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
        );
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
            interval: self.interval,
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

async fn to_the_end(
    task: &dyn AnyTask,
    ctx: &TaskContext,
    host: &FakeHost,
    resumes: &mut u32,
) -> TaskResult<Outcome> {
    let mut outcome = task.run(ctx).await?;
    while let Outcome::Deferred { handle, wait, why } = outcome {
        *resumes += 1;
        host.pass(wait);
        let endless = *resumes > RESUMES_MAX || host.seen(|seen| seen.took) > WAIT_MAX;
        assert!(!endless, "the task waits for ever: {why}");
        if ctx.is_cancelled() {
            task.cancel(ctx, Some(handle)).await?;
            return Err(TaskError::cancelled(format!(
                "cancelled while it waited: {why}"
            )));
        }
        outcome = task.resume(ctx, handle).await?;
    }
    match outcome {
        Outcome::Failed(error) => Err(error),
        ended => Ok(ended),
    }
}

fn panicked(panic: &(dyn Any + Send)) -> TaskError {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    TaskError::permanent(format!(
        "the task panicked: {}",
        text.unwrap_or_else(|| "without a message".to_owned())
    ))
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
