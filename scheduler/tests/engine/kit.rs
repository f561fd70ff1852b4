//! An engine with a clock, workers and a store that exist only here: tests say what happens and look at what would be
//! stored.

mod make;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tidemill_core::id::DagId;
use tidemill_core::operator::TaskError;
use tidemill_core::protocol::{
    Assignment, AttemptRef, Duty, Hello, InstanceRef, Report, RunNo, Verdict,
};
use tidemill_core::spec::{DagNotes, DagSpec, Definition};
use tidemill_core::state::TaskState;
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;
use tidemill_scheduler::engine::{
    Around, Changed, Command, Config, Effect, Engine, Input, Refusal, Request, Wanted,
};

use super::mirror::Mirror;
pub(crate) use make::{clear, deferred, done, failed, select, trigger};

/// The worker that is there unless a test brings its own.
pub(crate) const WORKER: &str = "w1";

/// An instant, `2025-01-01` or `2025-01-01T06:00:00Z`.
pub(crate) fn at(text: &str) -> Timestamp {
    let text = if text.contains('T') {
        text.to_owned()
    } else {
        format!("{text}T00:00:00Z")
    };
    let date: DateTime<Utc> = text.parse().expect("tests write dates well");
    date.into()
}

/// The settings of tests: no worker is ever silent, or idle, for too long.
pub(crate) fn config() -> Config {
    Config {
        lease: Duration::from_secs(100 * 365 * 86_400),
        queued_max: Duration::from_secs(100 * 365 * 86_400),
        ended_kept_for: Duration::ZERO,
        ..Config::default()
    }
}

/// What a worker was given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Given {
    pub(crate) worker: Arc<str>,
    pub(crate) attempt: AttemptRef,
    pub(crate) duty: Duty,
    pub(crate) what: Box<Assignment>,
}

pub(crate) struct Kit {
    pub(crate) engine: Engine,
    pub(crate) config: Config,
    pub(crate) now: Timestamp,
    pub(crate) mirror: Mirror,
    /// Everything that was given to workers and not asked for by the test yet.
    pub(crate) given: Vec<Given>,
    /// Orders to stop that were not carried out yet.
    pub(crate) stops: Vec<(Arc<str>, AttemptRef)>,
    /// Workers that were sent to rest, or called back.
    pub(crate) drains: Vec<(Arc<str>, bool)>,
    pub(crate) verdicts: Vec<(Arc<str>, AttemptRef, Verdict)>,
    pub(crate) workers: BTreeMap<Arc<str>, Hello>,
    /// What was asked to be read back.
    pub(crate) loads: Vec<Wanted>,
    /// Every state that an instance had at the end of a commit.
    pub(crate) history: BTreeMap<InstanceRef, Vec<TaskState>>,
    /// Every input with its time, none where the output was taken, and every output as text: to be played again.
    pub(crate) inputs: Vec<Option<(Input, Timestamp)>>,
    pub(crate) outputs: Vec<String>,
    pub(crate) records: bool,
    replies: BTreeMap<u64, Result<Changed, Refusal>>,
    versions: Vec<(DagId, Version)>,
    requests: u64,
}

impl Kit {
    /// With one worker that takes everything.
    pub(crate) fn new() -> Self {
        let mut kit = Self::with(config());
        kit.worker(WORKER, 10_000, &["default"]);
        kit
    }

    /// Without workers.
    pub(crate) fn with(config: Config) -> Self {
        let now = at("2025-01-01");
        Self {
            engine: Engine::new(config.clone(), now),
            config,
            now,
            mirror: Mirror::default(),
            given: Vec::new(),
            stops: Vec::new(),
            drains: Vec::new(),
            verdicts: Vec::new(),
            workers: BTreeMap::new(),
            loads: Vec::new(),
            history: BTreeMap::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            records: false,
            replies: BTreeMap::new(),
            versions: Vec::new(),
            requests: 0,
        }
    }

    /// An engine that begins at this time.
    pub(crate) fn since(date: &str) -> Self {
        let mut kit = Self::with(config());
        kit.now = at(date);
        kit.engine = Engine::new(config(), kit.now);
        kit.worker(WORKER, 10_000, &["default"]);
        kit
    }

    /// With one worker and this DAG.
    pub(crate) fn of(definition: Definition) -> Self {
        let mut kit = Self::new();
        kit.deploy(definition);
        kit
    }

    // ---- what happens

    pub(crate) fn tell(&mut self, input: Input) {
        self.apply(input);
        self.take();
    }

    fn apply(&mut self, input: Input) {
        if self.records {
            self.inputs.push(Some((input.clone(), self.now)));
        }
        self.engine.apply(input, self.now);
    }

    /// Commits what the engine decided, carries its effects out as far as no worker is needed.
    pub(crate) fn take(&mut self) {
        loop {
            let output = self.engine.take();
            if self.records {
                self.inputs.push(None);
                self.outputs.push(format!("{output:?}"));
            }
            self.mirror.apply(&output.changes);
            for row in output.changes.new_tasks.iter().chain(&output.changes.tasks) {
                let states = self.history.entry(row.of).or_default();
                if states.last() != Some(&row.state) {
                    states.push(row.state);
                }
            }
            let mut wanted = Vec::new();
            for effect in output.effects {
                wanted.extend(self.carry_out(effect));
            }
            if wanted.is_empty() {
                return;
            }
            for wanted in wanted {
                self.load(wanted);
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Wanted> {
        match effect {
            Effect::Assign {
                worker,
                attempt,
                duty,
            } => {
                let what = self.engine.assignment(attempt, duty);
                let what = Box::new(what.expect("what was assigned is on"));
                assert_eq!((what.attempt, what.duty), (attempt, duty));
                self.given.push(Given {
                    worker,
                    attempt,
                    duty,
                    what,
                });
            }
            Effect::Stop { worker, attempt } => self.stops.push((worker, attempt)),
            Effect::Answer {
                worker,
                attempt,
                verdict,
            } => self.verdicts.push((worker, attempt, verdict)),
            Effect::Drain { worker, drain } => self.drains.push((worker, drain)),
            Effect::Reply { to, result } => {
                self.replies.insert(to, result);
            }
            Effect::Load(wanted) => return Some(wanted),
        }
        None
    }

    fn load(&mut self, asked: Wanted) {
        let (rows, beyond) = self.mirror.load(&asked);
        self.loads.push(asked.clone());
        self.apply(Input::Loaded {
            asked,
            rows: Box::new(rows),
            beyond,
        });
    }

    /// A worker that holds every version there is.
    pub(crate) fn worker(&mut self, name: &str, slots: u32, queues: &[&str]) {
        let versions = self.versions.clone();
        let hello = Hello {
            worker: name.into(),
            build: "test".into(),
            slots,
            queues: queues.iter().map(|queue| (*queue).into()).collect(),
            labels: BTreeMap::new(),
            hears_drain: true,
            versions,
            holds: Vec::new(),
        };
        self.workers.insert(name.into(), hello);
        self.hello(name);
    }

    /// A worker says again what it is, and what it holds.
    pub(crate) fn hello(&mut self, name: &str) {
        let holds = self.held_by(name);
        self.hello_with(name, holds);
    }

    pub(crate) fn hello_with(&mut self, name: &str, holds: Vec<AttemptRef>) {
        let hello = Hello {
            holds,
            ..self.workers[name].clone()
        };
        self.tell(Input::Hello(hello));
    }

    /// What a worker holds, as the rows say it.
    pub(crate) fn held_by(&self, name: &str) -> Vec<AttemptRef> {
        let live = [TaskState::Queued, TaskState::Running, TaskState::Deferred];
        let held = self
            .mirror
            .tasks
            .values()
            .filter(|row| row.worker.as_deref() == Some(name) && live.contains(&row.state));
        let held = held.map(|row| AttemptRef {
            of: row.of,
            attempt: row.attempt,
            hand: row.hand,
        });
        let stopping = self.stops.iter().filter(|(worker, _)| &**worker == name);
        let all: BTreeSet<AttemptRef> = held.chain(stopping.map(|(_, attempt)| *attempt)).collect();
        all.into_iter().collect()
    }

    /// Brings a DAG version; every worker holds it.
    pub(crate) fn deploy(&mut self, definition: Definition) -> Version {
        let version = self.bring(definition);
        for hello in self.workers.values_mut() {
            hello.versions.clone_from(&self.versions);
        }
        let names: Vec<Arc<str>> = self.workers.keys().cloned().collect();
        for name in names {
            self.hello(&name);
        }
        version
    }

    /// Brings a DAG version that no worker holds yet.
    pub(crate) fn bring(&mut self, definition: Definition) -> Version {
        let spec = Arc::new(DagSpec {
            definition,
            notes: DagNotes::default(),
        });
        let version = spec.version();
        self.versions.push((spec.id().clone(), version.clone()));
        self.tell(Input::Deploy {
            specs: vec![spec],
            by: "ci".into(),
        });
        version
    }

    /// Lets time pass; everything that is due meanwhile happens when it is due.
    pub(crate) fn advance(&mut self, span: Duration) {
        let until = self.now.after(span);
        while let Some(wake) = self.engine.next_wake().filter(|wake| *wake <= until) {
            let before = self.now;
            self.now = self.now.max(wake);
            self.tell(Input::Tick);
            let progress =
                self.now > before || self.engine.next_wake().is_none_or(|next| next > wake);
            assert!(progress, "the engine wants to be woken at {wake} for ever");
        }
        self.now = until;
        self.tell(Input::Tick);
    }

    pub(crate) fn advance_to(&mut self, date: &str) {
        self.advance(at(date).since(self.now));
    }

    /// The scheduler dies; another goes on with what is stored, and the workers come back to it.
    pub(crate) fn recover(&mut self) {
        self.restart();
        let names: Vec<Arc<str>> = self.workers.keys().cloned().collect();
        for name in names {
            self.hello(&name);
        }
    }

    /// The scheduler dies, and no worker has noticed yet.
    pub(crate) fn restart(&mut self) {
        let rows = self.mirror.recovered();
        let (engine, problems) = Engine::recover(self.config.clone(), &rows, self.now);
        assert_eq!(problems, Vec::<String>::new());
        self.engine = engine;
        self.tell(Input::Tick);
    }

    // ---- what workers say

    /// What the worker of this task says about its attempt that is on.
    pub(crate) fn report(&mut self, run: RunNo, name: &str, report: Report) -> Verdict {
        let attempt = self.attempt(run, name);
        let worker = self.row(run, name).worker.clone();
        let worker =
            worker.unwrap_or_else(|| panic!("nobody has {name}: it is {}", self.state(run, name)));
        self.report_as(&worker, attempt, report)
    }

    pub(crate) fn report_as(
        &mut self,
        worker: &str,
        attempt: AttemptRef,
        report: Report,
    ) -> Verdict {
        self.verdicts.clear();
        self.tell(Input::Report {
            worker: worker.into(),
            attempt,
            report,
        });
        let (_, about, verdict) = self.verdicts.last().expect("every report is answered");
        assert_eq!(*about, attempt);
        *verdict
    }

    pub(crate) fn start(&mut self, run: RunNo, name: &str) {
        assert_eq!(self.report(run, name, Report::Started), Verdict::Recorded);
        assert_eq!(self.state(run, name), TaskState::Running);
    }

    pub(crate) fn finish(&mut self, run: RunNo, name: &str) {
        assert_eq!(self.report(run, name, done()), Verdict::Recorded);
    }

    pub(crate) fn finish_with(&mut self, run: RunNo, name: &str, output: &Value) {
        let report = Report::Done {
            output: Some(output.to_string().into()),
            loads: Vec::new(),
            checks: Vec::new(),
        };
        assert_eq!(self.report(run, name, report), Verdict::Recorded);
    }

    /// It fails for good, whatever its retries.
    pub(crate) fn fail(&mut self, run: RunNo, name: &str) {
        self.fail_with(run, name, TaskError::permanent("broken"));
    }

    pub(crate) fn fail_with(&mut self, run: RunNo, name: &str, error: TaskError) {
        assert_eq!(
            self.report(run, name, failed(error, true)),
            Verdict::Recorded
        );
    }

    pub(crate) fn skip(&mut self, run: RunNo, name: &str) {
        let report = Report::Skipped {
            why: "nothing there".into(),
        };
        assert_eq!(self.report(run, name, report), Verdict::Recorded);
    }

    pub(crate) fn defer(&mut self, run: RunNo, name: &str) {
        assert_eq!(
            self.report(run, name, deferred("\"job\"")),
            Verdict::Recorded
        );
        assert_eq!(self.state(run, name), TaskState::Deferred);
    }

    /// Every order to stop or to release is carried out.
    pub(crate) fn stop_all(&mut self) {
        loop {
            let mut stops = std::mem::take(&mut self.stops);
            let released = self
                .given
                .extract_if(.., |given| given.duty == Duty::Release);
            stops.extend(released.map(|given| (given.worker, given.attempt)));
            if stops.is_empty() {
                return;
            }
            for (worker, attempt) in stops {
                assert_eq!(
                    self.report_as(&worker, attempt, Report::Stopped),
                    Verdict::Recorded
                );
            }
        }
    }

    /// The tasks that were given to workers to be run since this was last asked, in order.
    pub(crate) fn assigned(&mut self) -> Vec<String> {
        let given = self.given.extract_if(.., |given| given.duty == Duty::Run);
        given
            .map(|given| named(&given.what.task, given.attempt.of.map_index))
            .collect()
    }

    /// The same, with the numbers of their runs.
    pub(crate) fn assigned_runs(&mut self) -> Vec<(String, RunNo)> {
        let given = self.given.extract_if(.., |given| given.duty == Duty::Run);
        given
            .map(|given| {
                (
                    named(&given.what.task, given.attempt.of.map_index),
                    given.attempt.of.run,
                )
            })
            .collect()
    }

    /// Whatever is assigned succeeds, until nothing is assigned any more.
    pub(crate) fn finish_all(&mut self) {
        loop {
            let given: Vec<Given> = self
                .given
                .extract_if(.., |given| given.duty == Duty::Run)
                .collect();
            if given.is_empty() {
                return;
            }
            for given in given {
                self.report_as(&given.worker, given.attempt, done());
            }
        }
    }

    // ---- what people ask for

    pub(crate) fn ask(&mut self, command: Command) -> Result<Changed, Refusal> {
        self.ask_as("ada", None, command)
    }

    pub(crate) fn ask_as(
        &mut self,
        by: &str,
        seen: Option<u32>,
        command: Command,
    ) -> Result<Changed, Refusal> {
        let request = Request {
            id: 0,
            by: by.into(),
            seen,
            dry_run: false,
            command,
        };
        self.request(request)
    }

    /// What would change. That nothing does is checked here.
    pub(crate) fn dry_run(&mut self, command: Command) -> Result<Changed, Refusal> {
        let before = self.mirror.clone();
        let (given, stops) = (self.given.len(), self.stops.len());
        let request = Request {
            id: 0,
            by: "ada".into(),
            seen: None,
            dry_run: true,
            command,
        };
        let result = self.request(request);
        assert!(before == self.mirror, "a dry run changed something");
        assert_eq!((given, stops), (self.given.len(), self.stops.len()));
        result
    }

    fn request(&mut self, mut request: Request) -> Result<Changed, Refusal> {
        for _ in 0..5 {
            self.requests += 1;
            request.id = self.requests;
            self.tell(Input::Ask(request.clone()));
            match self
                .replies
                .remove(&request.id)
                .expect("every request is answered")
            {
                Err(Refusal::Load(wanted)) => self.load(*wanted),
                answer => return answer,
            }
        }
        panic!(
            "the engine asks for the same rows for ever: {:?}",
            self.loads.last()
        );
    }

    pub(crate) fn trigger(&mut self, dag: &str) -> RunNo {
        self.trigger_with(dag, Value::Null)
    }

    pub(crate) fn trigger_with(&mut self, dag: &str, params: Value) -> RunNo {
        let changed = self.ask(Command::Trigger(trigger(dag, params)));
        let changed = changed.unwrap_or_else(|refusal| panic!("cannot trigger {dag}: {refusal}"));
        changed.runs_made[0].0
    }

    pub(crate) fn clear(&mut self, run: RunNo, tasks: &[&str]) -> Changed {
        let cleared = self.ask(clear(run, tasks, Around::default()));
        cleared.unwrap_or_else(|refusal| panic!("cannot clear: {refusal}"))
    }

    pub(crate) fn mark(&mut self, run: RunNo, tasks: &[&str], state: TaskState) -> Changed {
        let marked = self.ask(Command::Mark {
            select: select(run, tasks),
            around: Around::default(),
            state,
            note: None,
        });
        marked.unwrap_or_else(|refusal| panic!("cannot mark: {refusal}"))
    }
}

fn named(task: &tidemill_core::id::TaskId, index: i32) -> String {
    if index < 0 {
        task.to_string()
    } else {
        format!("{task}[{index}]")
    }
}

/// `task` or `task[2]`.
fn parts(name: &str) -> (&str, i32) {
    match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some((task, index)) => (task, index.parse().expect("an index is a number")),
        None => (name, -1),
    }
}
