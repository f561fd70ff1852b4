//! `Dag::build`: a DAG and the settings it has as a whole.

use std::cell::{OnceCell, RefCell};
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use super::arg::{Arg, In};
use super::caught::caught;
use super::draft::{Draft, Shared};
use super::finish::{Finished, finish};
use super::scope::Scope;
use crate::check;
use crate::operator::Registry;
use crate::params::Params;
use crate::problem::{Problem, Rule};
use crate::spec::{Alert, AlertRule, DagSpec, IntoSchedule, Moment, Overlap, Retry, Source};

/// A DAG: its data, the code the data names, and what is wrong with it.
#[derive(Debug)]
pub struct Dag {
    spec: DagSpec,
    /// What went wrong while it was written.
    written: Vec<Problem>,
    /// That and what its definition gets wrong, found when somebody asks: a worker that only wants the code, and the
    /// second build that is only compared with the first, do not pay for it.
    problems: OnceCell<Vec<Problem>>,
    registry: Registry,
}

impl Dag {
    /// Builds a DAG. Nothing in it panics or stops at the first fault: what is wrong is in [`Self::problems`], and
    /// `dags validate` shows it.
    ///
    /// ```
    /// use tidemill_core::prelude::*;
    /// let dag = Dag::build("nightly", |dag| {
    ///     dag.schedule(Cron::daily_at("03:15").tz("Europe/Berlin")).start("2025-01-01");
    ///     let first = dag.empty("first");
    ///     dag.empty("second").after(&first);
    /// });
    /// assert_eq!(dag.problems(), []);
    /// ```
    #[track_caller]
    pub fn build<R>(id: &str, write: impl FnOnce(&DagBuilder) -> R) -> Self {
        let source = Source::caller();
        let draft: Shared = Rc::new(RefCell::new(Draft::new(id, source.clone())));
        let builder = DagBuilder {
            scope: Scope {
                draft: Rc::clone(&draft),
                group: None,
            },
        };
        let written = caught(|| drop(write(&builder)));
        if let Err(panic) = &written {
            let help =
                "a builder must not panic: it runs in CI, in every worker and at every deploy";
            let problem = Problem::new(
                Rule::Panicked,
                format!("its builder panicked: {}", panic.message),
                help,
            );
            draft
                .borrow_mut()
                .problems
                .push(problem.at(panic.source.clone().unwrap_or_else(|| source.clone())));
        }
        // Handles may outlive the builder; what they still say is nobody's business.
        let finished = finish(draft.replace(Draft::new(id, source)));
        Self::of(finished)
    }

    fn of(finished: Finished) -> Self {
        let Finished {
            spec,
            problems,
            registry,
        } = finished;
        Self {
            spec,
            written: problems,
            problems: OnceCell::new(),
            registry,
        }
    }

    /// The DAG as data.
    #[must_use]
    pub fn spec(&self) -> &DagSpec {
        &self.spec
    }

    /// What is wrong with it, seen by itself; what depends on the project is found by [`super::Dags::validate`].
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        self.problems.get_or_init(|| {
            let panics = |problem: &&Problem| problem.rule == Rule::Panicked;
            let panicked: Vec<Problem> = self.written.iter().filter(panics).cloned().collect();
            // What a half-written DAG lacks is the panic's fault.
            if !panicked.is_empty() {
                return panicked;
            }
            let found = check::definition(&self.spec.definition);
            let found = found.into_iter().map(|problem| problem.located(&self.spec));
            self.written.iter().cloned().chain(found).collect()
        })
    }

    /// The code that its tasks name.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(super) fn broken(id: &str, problem: Problem) -> Self {
        let source = problem.source.clone().unwrap_or_else(Source::caller);
        let finished = finish(Draft::new(id, source));
        Self::of(Finished {
            problems: vec![problem],
            ..finished
        })
    }
}

/// A DAG that is being written: a [`Scope`] with the settings of the DAG as a whole.
#[derive(Debug)]
pub struct DagBuilder {
    scope: Scope,
}

impl Deref for DagBuilder {
    type Target = Scope;

    fn deref(&self) -> &Scope {
        &self.scope
    }
}

impl DagBuilder {
    fn edit(&self, change: impl FnOnce(&mut Draft)) -> &Self {
        change(&mut self.scope.draft.borrow_mut());
        self
    }

    #[track_caller]
    fn wrong(&self, rule: Rule, message: String, help: &str) {
        let problem = Problem::new(rule, message, help).at(Source::caller());
        self.edit(|draft| draft.problems.push(problem));
    }

    /// When it runs: `Cron::daily_at("03:15").tz("Europe/Berlin")`, `Every::minutes(15)`, `"@hourly"`, assets.
    /// Without a schedule it runs only when somebody asks.
    #[track_caller]
    pub fn schedule(&self, schedule: impl IntoSchedule) -> &Self {
        match schedule.into_schedule() {
            Ok(schedule) => self.edit(|draft| draft.definition.schedule = schedule),
            Err(error) => {
                self.wrong(
                    Rule::Schedule,
                    error.to_string(),
                    "try it out with `cron next \"EXPRESSION\" --tz ZONE`",
                );
                self
            }
        }
    }

    /// No run covers a time before this date, `2025-01-01` or `2025-01-01T06:00:00Z`.
    #[track_caller]
    pub fn start(&self, date: &str) -> &Self {
        let source = Source::caller();
        self.edit(|draft| draft.dates.push((false, date.to_owned(), source)))
    }

    /// No run covers a time after this date.
    #[track_caller]
    pub fn end(&self, date: &str) -> &Self {
        let source = Source::caller();
        self.edit(|draft| draft.dates.push((true, date.to_owned(), source)))
    }

    /// The time zone of its dates and of `{ds}`; the schedule's if nothing is said, UTC if that has none.
    #[track_caller]
    pub fn zone(&self, name: &str) -> &Self {
        match crate::spec::parse_zone(name) {
            Ok(zone) => self.edit(|draft| draft.definition.zone = Some(zone)),
            Err(error) => {
                self.wrong(
                    Rule::Schedule,
                    error.to_string(),
                    "use a name such as Europe/Berlin or UTC",
                );
                self
            }
        }
    }

    /// Whether every missed interval is made up for, or only the newest. Only the newest if nothing is said.
    pub fn catchup(&self, every: bool) -> &Self {
        self.edit(|draft| draft.definition.catchup = every)
    }

    /// What can be given to a run; `{params.name}` in texts and `params.pick("name")` as arguments use it.
    pub fn params<P: Params>(&self) -> In<P> {
        self.edit(|draft| draft.definition.params = P::specs());
        In::new(Arg::Params(Vec::new()))
    }

    /// At most so many runs are active at once; 16 if nothing is said.
    pub fn max_active_runs(&self, runs: u32) -> &Self {
        self.edit(|draft| draft.definition.active_runs_max = runs)
    }

    /// At most so many tasks are active at once, over all runs.
    pub fn max_active_tasks(&self, tasks: u32) -> &Self {
        self.edit(|draft| draft.definition.active_tasks_max = Some(tasks))
    }

    /// At most so many tasks of one run are active at once.
    pub fn max_active_tasks_per_run(&self, tasks: u32) -> &Self {
        self.edit(|draft| draft.definition.active_tasks_per_run_max = Some(tasks))
    }

    /// What happens to a tick that comes while the last run is still on; it waits if nothing is said.
    pub fn overlap(&self, overlap: Overlap) -> &Self {
        self.edit(|draft| draft.definition.overlap = overlap)
    }

    /// The first failed task ends the run.
    pub fn fail_fast(&self) -> &Self {
        self.edit(|draft| draft.definition.fail_fast = true)
    }

    /// After so many failed runs in a row the DAG is paused.
    pub fn pause_after_failures(&self, runs: u32) -> &Self {
        self.edit(|draft| draft.definition.pause_after_failures = Some(runs))
    }

    /// A run that takes longer fails.
    pub fn run_timeout(&self, timeout: Duration) -> &Self {
        self.edit(|draft| draft.definition.run_timeout = Some(timeout))
    }

    /// A run is late when it is not done so long after it was due, also when it never started.
    pub fn deadline(&self, after_due: Duration) -> &Self {
        self.edit(|draft| draft.definition.deadline = Some(after_due))
    }

    fn alert(&self, on: Moment, alert: Alert) -> &Self {
        self.edit(|draft| draft.definition.alerts.push(AlertRule { on, alert }))
    }

    /// Who is told when a task has failed for good, or the run failed.
    pub fn on_failure(&self, alert: Alert) -> &Self {
        self.alert(Moment::Failure, alert)
    }

    /// Who is told when an attempt failed and another follows.
    pub fn on_retry(&self, alert: Alert) -> &Self {
        self.alert(Moment::Retry, alert)
    }

    /// Who is told when a run succeeded.
    pub fn on_success(&self, alert: Alert) -> &Self {
        self.alert(Moment::Success, alert)
    }

    /// Who is told when a deadline has passed.
    pub fn on_late(&self, alert: Alert) -> &Self {
        self.alert(Moment::Deadline, alert)
    }

    /// Its documentation, in Markdown.
    pub fn doc(&self, markdown: impl Into<String>) -> &Self {
        self.edit(|draft| draft.notes.doc = markdown.into())
    }

    /// Who answers for it.
    pub fn owner(&self, owner: impl Into<String>) -> &Self {
        self.edit(|draft| draft.notes.owner = owner.into())
    }

    /// A word to find it by.
    pub fn tag(&self, tag: impl Into<String>) -> &Self {
        self.edit(|draft| draft.notes.tags.push(tag.into()))
    }

    /// How often failed attempts are tried again, unless a task or group says otherwise.
    pub fn retry(&self, retry: Retry) -> &Self {
        self.scope.retry(retry);
        self
    }

    /// Attempts that take longer fail, unless a task or group says otherwise.
    pub fn timeout(&self, timeout: Duration) -> &Self {
        self.scope.timeout(timeout);
        self
    }

    /// The pool of tasks that name none.
    pub fn pool(&self, pool: impl Into<String>) -> &Self {
        self.scope.pool(pool);
        self
    }

    /// The priority of tasks that have none.
    pub fn priority(&self, priority: i32) -> &Self {
        self.scope.priority(priority);
        self
    }

    /// The queue of tasks that name none.
    pub fn queue(&self, queue: impl Into<String>) -> &Self {
        self.scope.queue(queue);
        self
    }
}
