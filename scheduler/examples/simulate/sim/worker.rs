//! Workers: what they hold, whom they are connected to, and when they stop on their own.

mod work;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tidemill_core::id::DagId;
use tidemill_core::operator::TaskError;
use tidemill_core::protocol::{Assignment, AttemptRef, Duty, Hello, Load, Report, Verdict};
use tidemill_core::spec::TaskKind;
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;

use super::remote::{Fate, JobState};
use super::{Cut, Down, Event, Sim, Up};
use work::done;

/// How often a worker says that it is there.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// A connection on which nothing is heard for this long is given up.
const SILENCE_MICROS: i64 = 11_000_000;

/// A worker stops everything so long before its lease is over, counted from when it sent what was heard.
const FENCE_BEFORE_MICROS: i64 = 5_000_000;

/// How often a launch that failed is tried before the attempt fails.
const LAUNCHES_MAX: u32 = 3;

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) name: Arc<str>,
    pub(crate) life: u64,
    pub(crate) up: bool,
    pub(crate) paused_until: Timestamp,
    pub(crate) draining: bool,
    pub(crate) slots: u32,
    queues: Vec<Arc<str>>,
    pub(crate) versions: Vec<(DagId, Version)>,
    connection: Option<Connection>,
    /// When it sent the last of what is known to have been heard.
    heard: Timestamp,
    pub(crate) held: BTreeMap<AttemptRef, Held>,
    /// Reports that it made, to be made again.
    pub(crate) said: Vec<(AttemptRef, Report)>,
}

#[derive(Debug, Clone, Copy)]
struct Connection {
    who: usize,
    id: u64,
    /// When the last message on it arrives.
    last: Timestamp,
    since: Timestamp,
}

/// An attempt that a worker holds.
#[derive(Debug)]
pub(crate) struct Held {
    what: Box<Assignment>,
    phase: Phase,
    launches: u32,
    /// What was said and not answered, oldest first.
    unheard: VecDeque<Report>,
    stopping: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Fresh,
    /// It works here until then.
    Local(Timestamp),
    Launching,
    /// A job is on outside.
    Polling,
    /// A sensor waits until then.
    Waiting(Timestamp),
    /// It said how it ended.
    Over,
}

impl Held {
    /// Whether it does something in the worker now.
    pub(crate) fn is_at_work(&self) -> bool {
        !self.stopping && matches!(self.phase, Phase::Local(_) | Phase::Launching)
    }
}

impl Worker {
    pub(crate) fn new(nth: u64, slots: u32) -> Self {
        let queues: &[&str] = if nth == 1 {
            &["default"]
        } else {
            &["default", "other"]
        };
        Self {
            name: format!("w{nth}").into(),
            life: 0,
            up: false,
            paused_until: Timestamp::default(),
            draining: false,
            slots,
            queues: queues.iter().map(|queue| Arc::from(*queue)).collect(),
            versions: Vec::new(),
            connection: None,
            heard: Timestamp::default(),
            held: BTreeMap::new(),
            said: Vec::new(),
        }
    }

    /// Each report gets an answer, also one that is made again.
    pub(crate) fn says_again(&mut self, attempt: AttemptRef, report: &Report) {
        if let Some(held) = self.held.get_mut(&attempt) {
            held.unheard.push_back(report.clone());
        }
    }

    pub(crate) fn session_with(&self, who: usize) -> Option<u64> {
        let connection = self.connection.filter(|connection| connection.who == who)?;
        Some(connection.id)
    }

    /// Whether it must not do anything any more, as another may have been given what it holds.
    pub(crate) fn is_fenced(&self, now: Timestamp, lease: Duration) -> bool {
        let lease = i64::try_from(lease.as_micros()).unwrap_or(i64::MAX);
        now.micros() > self.heard.micros() + lease - FENCE_BEFORE_MICROS
    }
}

impl Sim {
    pub(crate) fn start_worker(&mut self, worker: usize) {
        if self.workers[worker].up {
            return;
        }
        let now = self.now;
        let of = &mut self.workers[worker];
        of.up = true;
        of.life += 1;
        of.draining = false;
        of.connection = None;
        of.held.clear();
        of.heard = Timestamp::default();
        of.paused_until = now;
        let life = of.life;
        let known: Vec<_> = self.specs.keys().cloned().collect();
        self.workers[worker].versions = known;
        self.say(format!("w{worker} starts"));
        let wait = self.dice.millis(1, 500);
        self.event(wait, Event::Beat { worker, life });
    }

    pub(crate) fn crash_worker(&mut self, worker: usize) {
        let of = &mut self.workers[worker];
        of.up = false;
        of.life += 1;
        of.held.clear();
        of.connection = None;
    }

    /// Says that it is there, looks whether it is heard, and for a scheduler if it has none.
    pub(crate) fn beat(&mut self, worker: usize) {
        let life = self.workers[worker].life;
        self.fence_if_late(worker);
        let now = self.now;
        let of = &mut self.workers[worker];
        let silent = of.connection.is_some_and(|connection| {
            now.micros() > of.heard.max(connection.since).micros() + SILENCE_MICROS
        });
        if silent {
            of.connection = None;
        }
        let wait = if of.connection.is_some() {
            self.send(worker, Up::Beat(now));
            BEAT_EVERY
        } else {
            self.connect(worker);
            self.dice.millis(300, 1_500)
        };
        self.event(wait, Event::Beat { worker, life });
    }

    /// Stops everything if another may have been given it.
    fn fence_if_late(&mut self, worker: usize) {
        let lease = self.config.lease;
        let of = &mut self.workers[worker];
        if of.is_fenced(self.now, lease) && !of.held.is_empty() {
            of.held.clear();
            of.connection = None;
            self.history.cover("worker fenced itself");
            self.say(format!("w{worker} was not heard and drops everything"));
        }
    }

    fn connect(&mut self, worker: usize) {
        let who = self
            .dice
            .below(u64::try_from(self.processes.len()).unwrap_or(1));
        let who = usize::try_from(who).unwrap_or_default();
        let process = &self.processes[who];
        let leads = process.leading.is_some() && process.paused_until <= self.now;
        if !leads || self.cuts.contains(&Cut::Worker(worker, who)) || self.workers[worker].draining
        {
            return;
        }
        let id = self.number();
        let now = self.now;
        let of = &mut self.workers[worker];
        of.connection = Some(Connection {
            who,
            id,
            last: now,
            since: now,
        });
        let hello = Hello {
            worker: Arc::clone(&of.name),
            build: "sim".into(),
            slots: of.slots,
            queues: of.queues.clone(),
            labels: BTreeMap::new(),
            hears_drain: true,
            versions: of.versions.clone(),
            holds: of.held.keys().copied().collect(),
        };
        let unheard: Vec<(AttemptRef, Report)> = of
            .held
            .iter()
            .flat_map(|(attempt, held)| {
                held.unheard.iter().map(|report| (*attempt, report.clone()))
            })
            .collect();
        self.send(worker, Up::Hello(Box::new(hello), now));
        for (attempt, report) in unheard {
            self.history.cover("report repeated");
            self.send(worker, Up::Report(attempt, report));
        }
    }

    /// Says something on the connection that there is.
    pub(crate) fn send(&mut self, worker: usize, message: Up) {
        let wait = self.dice.millis(1, 40);
        let at = self.now.after(wait);
        let Some(connection) = &mut self.workers[worker].connection else {
            return;
        };
        let at = at.max(connection.last);
        connection.last = at;
        let (who, session) = (connection.who, connection.id);
        self.event_at(
            at,
            Event::Up {
                worker,
                who,
                session,
                message,
            },
        );
    }

    /// A worker with a version more connects anew to say so.
    pub(crate) fn learn_versions(&mut self, worker: usize) {
        self.workers[worker].versions = self.specs.keys().cloned().collect();
        self.workers[worker].connection = None;
    }

    fn report(&mut self, worker: usize, attempt: AttemptRef, report: Report) {
        self.truth.said(attempt.attempt, &report);
        let of = &mut self.workers[worker];
        let Some(held) = of.held.get_mut(&attempt) else {
            return;
        };
        held.unheard.push_back(report.clone());
        of.said.push((attempt, report.clone()));
        if self.healed.is_none() && self.dice.percent(2) {
            self.history.cover("report repeated");
            if let Some(held) = self.workers[worker].held.get_mut(&attempt) {
                held.unheard.push_back(report.clone());
            }
            self.send(worker, Up::Report(attempt, report.clone()));
        }
        self.send(worker, Up::Report(attempt, report));
    }

    pub(crate) fn hear_scheduler(&mut self, worker: usize, session: u64, message: Down) {
        let of = &mut self.workers[worker];
        let Some(connection) = of.connection.filter(|connection| connection.id == session) else {
            return;
        };
        if self.cuts.contains(&Cut::Worker(worker, connection.who)) {
            self.broken_sessions.insert(session);
        }
        if self.broken_sessions.contains(&session) || !of.up {
            return;
        }
        if let Down::Heard(sent) = message {
            of.heard = of.heard.max(sent);
            return;
        }
        self.fence_if_late(worker);
        match message {
            Down::Assign(what) => self.given(worker, what),
            Down::Stop(attempt) => self.told_to_stop(worker, attempt),
            Down::Answer(attempt, verdict) => self.verdict(worker, attempt, verdict),
            Down::Closed => self.workers[worker].connection = None,
            Down::Heard(_) => {}
        }
    }

    fn given(&mut self, worker: usize, what: Box<Assignment>) {
        let attempt = what.attempt;
        self.check_given(&what);
        let refuses = what.duty == Duty::Run
            && (self.workers[worker].draining || (self.healed.is_none() && self.dice.percent(1)));
        let of = &mut self.workers[worker];
        if of.held.contains_key(&attempt) {
            return;
        }
        let mut held = Held {
            phase: Phase::Fresh,
            launches: 0,
            unheard: VecDeque::new(),
            stopping: what.duty == Duty::Release,
            what,
        };
        match held.what.duty {
            Duty::Watch => {
                held.phase = Phase::Polling;
                self.history.cover("attempt watched by another");
            }
            Duty::Release => self.history.cover("job released by another"),
            Duty::Run => {}
        }
        if refuses {
            held.phase = Phase::Over;
        }
        self.workers[worker].held.insert(attempt, held);
        if refuses {
            self.history.cover("assignment refused");
            let why = "no room".into();
            return self.report(worker, attempt, Report::Refused { why });
        }
        let wait = self.dice.millis(1, 300);
        self.work_on(worker, attempt, wait);
    }

    fn work_on(&mut self, worker: usize, attempt: AttemptRef, wait: Duration) {
        let life = self.workers[worker].life;
        self.event(
            wait,
            Event::Work {
                worker,
                life,
                attempt,
            },
        );
    }

    fn told_to_stop(&mut self, worker: usize, attempt: AttemptRef) {
        match self.workers[worker].held.get_mut(&attempt) {
            Some(held) => {
                held.stopping = true;
                let wait = self.dice.millis(1, 2_000);
                self.work_on(worker, attempt, wait);
            }
            // It never came, so nothing was begun.
            None => self.send(worker, Up::Report(attempt, Report::Stopped)),
        }
    }

    fn verdict(&mut self, worker: usize, attempt: AttemptRef, verdict: Verdict) {
        let Some(held) = self.workers[worker].held.get_mut(&attempt) else {
            return;
        };
        if verdict == Verdict::Superseded {
            // Its remote job is another's now; what is to be stopped is stopped all the same.
            held.unheard.pop_front();
            if !held.stopping {
                self.workers[worker].held.remove(&attempt);
            }
            return;
        }
        let report = held.unheard.pop_front();
        let over = held.phase == Phase::Over && held.unheard.is_empty() && !held.stopping;
        if let Some(report) = &report {
            self.check_recorded(attempt, report);
        }
        if over && report.is_some() {
            self.workers[worker].held.remove(&attempt);
        }
    }

    /// Goes on with an attempt.
    pub(crate) fn work(&mut self, worker: usize, attempt: AttemptRef) {
        self.fence_if_late(worker);
        let Some(held) = self.workers[worker].held.get(&attempt) else {
            return;
        };
        if held.stopping {
            return self.stop(worker, attempt);
        }
        match held.phase {
            Phase::Fresh => self.begin(worker, attempt),
            Phase::Local(until) if until > self.now => {}
            Phase::Local(_) => self.end_local(worker, attempt),
            Phase::Launching => self.launch(worker, attempt),
            Phase::Polling => self.poll(worker, attempt),
            Phase::Waiting(until) if until > self.now => {
                let wait = self.dice.secs(5, 20);
                self.work_on(worker, attempt, wait);
            }
            Phase::Waiting(_) => self.end(worker, attempt, done(None)),
            Phase::Over => {}
        }
    }

    /// A worker leaves in order: what waits is handed over, what runs is given up.
    pub(crate) fn drain(&mut self, worker: usize) {
        self.history.cover("worker drained");
        self.workers[worker].draining = true;
        self.send(worker, Up::Draining);
        let held: Vec<AttemptRef> = self.workers[worker].held.keys().copied().collect();
        for attempt in held {
            let over = |held: &Held| held.stopping || held.phase == Phase::Over;
            if !self.workers[worker].held.get(&attempt).is_none_or(over) {
                self.history.cover("attempt handed over");
                self.end(worker, attempt, Report::HandedOver);
            }
        }
    }
}
