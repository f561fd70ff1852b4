//! The worker of a test: it holds attempts, runs them at once, looks at what they wait for, and stops them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tidemill_core::author::Dag;
use tidemill_core::operator::{TaskContext, TaskError, TaskResult};
use tidemill_core::protocol::{Assignment, AttemptNo, AttemptRef, Duty, InstanceRef, Report};
use tidemill_core::span;
use tidemill_core::spec::{TaskKind, TaskSpec};

use super::attempt::{Did, Ready, panicked};
use super::clock::{Clock, Sleeper};
use super::crew::Crew;
use super::dag_run::Prepared;
use super::host::{FakeHost, Fakes, LogLine};
use super::play::named;

/// How often in a row a look may fail to see anything before the attempt has failed, and how long it waits between.
const BLIND_MAX: u32 = 10;
const BLIND_WAIT: Duration = span::seconds(5);

pub(super) struct Worker<'a> {
    dag: &'a Dag,
    clock: Arc<Clock>,
    crew: Crew<Did>,
    outputs: BTreeMap<String, Value>,
    fakes: Arc<Fakes>,
    held: BTreeMap<AttemptNo, Held>,
    /// What was written by every instance.
    pub(super) logs: BTreeMap<InstanceRef, Vec<LogLine>>,
}

/// An attempt.
struct Held {
    assignment: Assignment,
    inputs: Vec<(String, Value)>,
    stage: Stage,
    blind: u32,
}

enum Stage {
    Busy { duty: Duty, host: Arc<FakeHost> },
    Parked { due: Duration, handle: Value },
}

impl<'a> Worker<'a> {
    #[track_caller]
    pub(super) fn new(dag: &'a Dag, clock: &Arc<Clock>, prepared: &Prepared) -> Self {
        Self {
            dag,
            clock: Arc::clone(clock),
            crew: Crew::new(Arc::clone(clock)),
            outputs: prepared.outputs.clone(),
            fakes: Arc::clone(&prepared.fakes),
            held: BTreeMap::new(),
            logs: BTreeMap::new(),
        }
    }

    /// Whether anything runs, such as the release of what an attempt left.
    pub(super) fn is_busy(&self) -> bool {
        !self.crew.is_empty()
    }

    /// Takes something to do. What there is to be said about it at once.
    pub(super) fn take(
        &mut self,
        assignment: Assignment,
        inputs: Vec<(String, Value)>,
    ) -> Vec<Report> {
        let (duty, handle) = (assignment.duty, assignment.handle.clone());
        let name = named(assignment.task.as_str(), assignment.attempt.of.map_index);
        let instead = self.outputs.get(&name);
        let instead = instead.or_else(|| self.outputs.get(assignment.task.as_str()));
        if let (Some(output), Duty::Run) = (instead, duty) {
            let done = Report::Done {
                output: Some(output.to_string().into()),
                loads: Vec::new(),
                checks: Vec::new(),
            };
            return vec![Report::Started, done];
        }
        let handle = handle.and_then(|handle| serde_json::from_str(&handle).ok());
        let mut reports = Vec::new();
        if duty == Duty::Run {
            reports.push(Report::Started);
        }
        reports.extend(self.start((assignment, inputs), duty, handle, 0));
        reports
    }

    fn start(
        &mut self,
        (assignment, inputs): (Assignment, Vec<(String, Value)>),
        duty: Duty,
        handle: Option<Value>,
        blind: u32,
    ) -> Option<Report> {
        let number = self.crew.number();
        let host = Arc::new(FakeHost::new(&self.clock, number, &self.fakes));
        let dag = self.dag;
        let spec = dag.spec().definition.task(assignment.task.as_str());
        let ready = self.ready(spec, &assignment, &inputs, &host);
        let ready = match ready {
            Ok(ready) => ready,
            // What was never made has left nothing.
            Err(_) if duty == Duty::Release => return Some(Report::Stopped),
            Err(error) => return Some(Report::failed(error)),
        };
        let blocking = spec.is_some_and(|spec| dag.registry().is_blocking(spec));
        self.crew
            .add(number, Box::pin(ready.carry_out(duty, handle)), blocking);
        let held = Held {
            inputs,
            stage: Stage::Busy { duty, host },
            blind,
            assignment,
        };
        self.held.insert(held.assignment.attempt.attempt, held);
        None
    }

    fn ready(
        &self,
        spec: Option<&TaskSpec>,
        assignment: &Assignment,
        inputs: &[(String, Value)],
        host: &Arc<FakeHost>,
    ) -> TaskResult<Ready> {
        let spec = spec.ok_or_else(|| TaskError::permanent("there is no such task"))?;
        let facts = assignment.facts(self.dag.spec().definition.zone())?;
        let variables = self.fakes.variables();
        // Making a task runs code of its author, too.
        let make = || self.dag.registry().make(spec, &facts, inputs, &variables);
        let made = catch_unwind(AssertUnwindSafe(make));
        let task = made.unwrap_or_else(|panic| Err(panicked(&*panic)))?;
        Ok(Ready {
            task,
            ctx: TaskContext::new(facts, Arc::clone(host) as Arc<_>),
            host: Arc::clone(host),
        })
    }

    /// Stops an attempt. It says so later, unless there is nothing of it.
    pub(super) fn stop(&mut self, attempt: AttemptRef) -> Option<Report> {
        let held = self.held.get(&attempt.attempt);
        match held.map(|held| &held.stage) {
            None => Some(Report::Stopped),
            Some(Stage::Busy { host, .. }) => {
                host.stop();
                self.crew.rouse(host.number());
                None
            }
            Some(Stage::Parked { handle, .. }) => {
                let handle = handle.clone();
                let held = self.held.remove(&attempt.attempt)?;
                let order = (held.assignment, held.inputs);
                self.start(order, Duty::Release, Some(handle), 0)
            }
        }
    }

    /// Lets everything go on that can, until there is something to report.
    pub(super) fn next_report(&mut self) -> Option<(AttemptRef, Report)> {
        loop {
            let (number, did) = self.crew.next_done()?;
            let Some((attempt, duty)) = self.over(number) else {
                continue;
            };
            let report = match did {
                Did::Report(report) => {
                    self.held.remove(&attempt.attempt);
                    Some(report)
                }
                Did::Waits { handle, wait, why } => self.park(attempt, handle, wait, why),
                Did::Blind(error) => self.blind(attempt, duty, error),
            };
            if let Some(report) = report {
                return Some((attempt, report));
            }
        }
    }

    /// What a member of the crew worked on, whose log is put away.
    fn over(&mut self, number: Sleeper) -> Option<(AttemptRef, Duty)> {
        let found = self.held.values().find_map(|held| match &held.stage {
            Stage::Busy { duty, host } if host.number() == number => {
                Some((held.assignment.attempt, *duty, Arc::clone(host)))
            }
            _ => None,
        });
        let (attempt, duty, host) = found?;
        let lines = host.seen(|seen| std::mem::take(&mut seen.log));
        self.logs.entry(attempt.of).or_default().extend(lines);
        Some((attempt, duty))
    }

    fn park(
        &mut self,
        attempt: AttemptRef,
        handle: Value,
        wait: Duration,
        why: String,
    ) -> Option<Report> {
        let due = self.clock.passed().saturating_add(wait);
        let held = self.held.get_mut(&attempt.attempt)?;
        held.blind = 0;
        let report = Report::Deferred {
            handle: handle.to_string().into(),
            wait,
            why: why.into(),
        };
        held.stage = Stage::Parked { due, handle };
        Some(report)
    }

    /// A look could not see how things stand. That changes nothing, unless it lasts.
    fn blind(&mut self, attempt: AttemptRef, duty: Duty, error: TaskError) -> Option<Report> {
        let spec = &self.dag.spec().definition;
        let held = self.held.get_mut(&attempt.attempt)?;
        let task = spec.task(held.assignment.task.as_str());
        let sensor = task.is_some_and(|task| matches!(task.kind, TaskKind::Sensor { .. }));
        held.blind += 1;
        let handle = held.assignment.handle.as_deref();
        let handle = handle.and_then(|handle| serde_json::from_str(handle).ok());
        if sensor || duty != Duty::Watch || !error.kind.is_retried() || held.blind > BLIND_MAX {
            self.held.remove(&attempt.attempt);
            return Some(Report::failed(error));
        }
        let pause = BLIND_WAIT.max(error.retry_after.unwrap_or_default());
        held.stage = Stage::Parked {
            due: self.clock.passed().saturating_add(pause),
            handle: handle.unwrap_or_default(),
        };
        None
    }

    pub(super) fn wait_outside(&mut self) -> bool {
        self.crew.wait_outside()
    }

    /// When something that is parked is to be looked at.
    pub(super) fn next_look(&self) -> Option<Duration> {
        let due = |held: &Held| match &held.stage {
            Stage::Parked { due, .. } => Some(*due),
            Stage::Busy { .. } => None,
        };
        self.held.values().filter_map(due).min()
    }

    /// Looks at what is due.
    pub(super) fn look(&mut self) {
        let now = self.clock.passed();
        let is_due = |held: &Held| matches!(&held.stage, Stage::Parked { due, .. } if *due <= now);
        let due: Vec<Held> = self
            .held
            .extract_if(.., |_, held| is_due(held))
            .map(|(_, held)| held)
            .collect();
        for mut held in due {
            let Stage::Parked { handle, .. } = held.stage else {
                continue;
            };
            held.assignment.handle = Some(handle.to_string().into());
            let order = (held.assignment, held.inputs);
            // It was made before, from the same: it can be made again.
            let _ = self.start(order, Duty::Watch, Some(handle), held.blind);
        }
    }
}
