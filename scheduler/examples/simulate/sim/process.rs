//! What a scheduler does around its engine: leading, committing in order, and saying only what is durable.

mod compare;
mod effects;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::{Effect, Engine, Input, Output, Request, Wanted};
use tidemill_store::record::Changes;

use super::store::{LEASE_MICROS, Outcome};
use super::{Cut, Down, Event, Sim, Up};

/// How often a scheduler says that it leads, or asks whether it may.
const LEAD_EVERY: Duration = Duration::from_secs(3);

/// A commit that is not answered for this long is asked for again.
const COMMIT_AGAIN: Duration = Duration::from_millis(300);

/// An outage shorter than this is none.
const OUTAGE_MICROS: i64 = 4_000_000;

/// Commands are told once more so often when runs have to be read back for them.
const TRIES_MAX: u32 = 4;

#[derive(Debug, Default)]
pub(crate) struct Process {
    pub(crate) life: u64,
    pub(crate) up: bool,
    pub(crate) paused_until: Timestamp,
    /// How far its clock is off, in microseconds.
    pub(crate) skew: i64,
    pub(crate) leading: Option<Box<Leading>>,
}

/// A scheduler that leads.
#[derive(Debug)]
pub(crate) struct Leading {
    pub(crate) term: i64,
    /// Until when it may think so.
    pub(crate) trusted_until: Timestamp,
    pub(crate) engine: Engine,
    batch: i64,
    /// What was decided and is not committed, in order.
    pending: VecDeque<Pending>,
    /// Whether the first of them is on its way.
    busy: bool,
    /// How many outputs were taken.
    taken: u64,
    /// The connection of each worker by name.
    pub(crate) sessions: BTreeMap<Arc<str>, Session>,
    wake_at: Option<Timestamp>,
    failing_since: Option<Timestamp>,
    asks: BTreeMap<u64, (Request, u32)>,
}

#[derive(Debug)]
struct Pending {
    /// Which output it is.
    nth: u64,
    batch: i64,
    changes: Arc<Changes>,
    effects: Vec<Effect>,
}

/// A worker's connection, as the scheduler sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session {
    worker: usize,
    pub(crate) id: u64,
    /// Outputs up to this one were decided before it: what they have to say was for the connection before.
    after: u64,
    /// When the last message on it arrives; later ones do not overtake it.
    last: Timestamp,
}

impl Sim {
    pub(crate) fn clock(&self, who: usize) -> Timestamp {
        Timestamp::from_micros(self.now.micros() + self.processes[who].skew)
    }

    pub(crate) fn start_scheduler(&mut self, who: usize) {
        if self.processes[who].up {
            return;
        }
        // Half of them have a clock that is off, by five minutes at the most.
        let skew = if self.dice.percent(50) {
            self.history.cover("scheduler clock skewed");
            self.dice.below(600_000_000).cast_signed() - 300_000_000
        } else {
            0
        };
        let process = &mut self.processes[who];
        process.up = true;
        process.life += 1;
        process.skew = skew;
        process.paused_until = self.now;
        let life = process.life;
        self.say(format!(
            "scheduler {who} starts, its clock {}s off",
            skew / 1_000_000
        ));
        let wait = self.dice.millis(1, 2_000);
        self.event(wait, Event::Lead { who, life });
    }

    pub(crate) fn crash_scheduler(&mut self, who: usize) {
        let process = &mut self.processes[who];
        process.up = false;
        process.life += 1;
        process.leading = None;
        self.close_all(who);
    }

    /// Workers notice that their connections are gone.
    fn close_all(&mut self, who: usize) {
        for worker in 0..self.workers.len() {
            let session = self.workers[worker].session_with(who);
            if let Some(session) = session {
                let message = Down::Closed;
                let wait = self.dice.millis(1, 200);
                self.event(
                    wait,
                    Event::Down {
                        worker,
                        session,
                        message,
                    },
                );
            }
        }
    }

    fn step_down(&mut self, who: usize, why: &str) {
        if self.processes[who].leading.take().is_some() {
            self.say(format!("scheduler {who} steps down: {why}"));
            self.close_all(who);
        }
    }

    /// Asks to lead, or to go on leading.
    pub(crate) fn lead(&mut self, who: usize) {
        let life = self.processes[who].life;
        self.event(LEAD_EVERY, Event::Lead { who, life });
        self.trusts(who);
        if self.cuts.contains(&Cut::Store(who)) {
            return;
        }
        let known = self.processes[who]
            .leading
            .as_ref()
            .map(|leading| leading.term);
        // It counts from before it asked, and a second less than it was given.
        let until = Timestamp::from_micros(self.now.micros() + LEASE_MICROS - 1_000_000);
        match (self.store.lead(who, known.unwrap_or(0), self.now), known) {
            (Some(term), Some(known)) if term == known => {
                if let Some(leading) = &mut self.processes[who].leading {
                    leading.trusted_until = until;
                }
            }
            (None, Some(_)) => self.step_down(who, "somebody else leads"),
            (None, None) => {}
            (Some(term), _) => self.begin_to_lead(who, term, until),
        }
    }

    fn begin_to_lead(&mut self, who: usize, term: i64, until: Timestamp) {
        self.history.cover("scheduler took over");
        let rows = self.store.rows.recovered();
        let now = self.clock(who);
        let (engine, problems) = Engine::recover(self.config.clone(), &rows, now);
        assert!(
            problems.is_empty(),
            "what is stored cannot be read: {problems:?}"
        );
        self.say(format!(
            "scheduler {who} leads, term {term}: {} runs, {} tasks, {} cleanups",
            rows.runs.len(),
            rows.tasks.len(),
            rows.cleanups.len()
        ));
        self.processes[who].leading = Some(Box::new(Leading {
            term,
            trusted_until: until,
            engine,
            batch: 0,
            pending: VecDeque::new(),
            busy: false,
            taken: 0,
            sessions: BTreeMap::new(),
            wake_at: None,
            failing_since: None,
            asks: BTreeMap::new(),
        }));
        self.tell(who, Input::Tick);
    }

    /// Whether it still leads for all it knows; it steps down if not.
    pub(crate) fn trusts(&mut self, who: usize) -> bool {
        let until = self.processes[who]
            .leading
            .as_ref()
            .map(|it| it.trusted_until);
        match until {
            Some(until) if until > self.now => true,
            Some(_) => {
                self.step_down(who, "it could not say for too long that it leads");
                false
            }
            None => false,
        }
    }

    pub(crate) fn wake(&mut self, who: usize) {
        if let Some(leading) = &mut self.processes[who].leading {
            leading.wake_at = None;
        }
        self.tell(who, Input::Tick);
    }

    /// Tells the engine something.
    pub(crate) fn tell(&mut self, who: usize, input: Input) {
        if !self.trusts(who) {
            return;
        }
        if matches!(input, Input::Hello(_)) {
            // So that it is known what was decided before this connection.
            self.take(who);
        }
        let now = self.clock(who);
        let at_once = self.dice.percent(60);
        if let Some(leading) = &mut self.processes[who].leading {
            leading.engine.apply(input, now);
        }
        if at_once {
            self.take(who);
        }
        self.pump(who);
        self.wake_later(who);
        self.compare_with_recovered(who);
    }

    /// A worker's new connection counts from here.
    fn greet(&mut self, who: usize, worker: usize, session: u64) {
        self.take(who);
        let name = Arc::clone(&self.workers[worker].name);
        let now = self.now;
        if let Some(leading) = &mut self.processes[who].leading {
            leading.sessions.insert(
                name,
                Session {
                    worker,
                    id: session,
                    after: leading.taken,
                    last: now,
                },
            );
        }
    }

    fn wake_later(&mut self, who: usize) {
        let skew = self.processes[who].skew;
        let life = self.processes[who].life;
        let Some(leading) = &mut self.processes[who].leading else {
            return;
        };
        let Some(wake) = leading.engine.next_wake() else {
            return;
        };
        // What it did not do at this time it would not do for being asked once more.
        let soonest = Timestamp::from_micros(self.now.micros() + 1_000);
        let at = Timestamp::from_micros(wake.micros() - skew).max(soonest);
        if leading.wake_at.is_none_or(|known| at < known) {
            leading.wake_at = Some(at);
            self.event_at(at, Event::Wake { who, life });
        }
    }

    /// Takes what the engine decided.
    fn take(&mut self, who: usize) {
        let Some(leading) = &mut self.processes[who].leading else {
            return;
        };
        let Output { changes, effects } = leading.engine.take();
        if changes == Changes::default() && effects.is_empty() {
            return;
        }
        leading.taken += 1;
        if changes != Changes::default() {
            leading.batch += 1;
        }
        leading.pending.push_back(Pending {
            nth: leading.taken,
            batch: leading.batch,
            changes: Arc::new(changes),
            effects,
        });
    }

    /// Commits what is next, unless a commit is on its way.
    fn pump(&mut self, who: usize) {
        while let Some(leading) = &mut self.processes[who].leading {
            if leading.busy {
                return;
            }
            if leading.pending.is_empty() {
                self.take(who);
            }
            let Some(leading) = &mut self.processes[who].leading else {
                return;
            };
            let Some(first) = leading.pending.front() else {
                return;
            };
            if *first.changes != Changes::default() {
                leading.busy = true;
                if self.broken.says_before_commit {
                    self.carry_out_first(who);
                }
                self.send_commit(who);
                return;
            }
            self.carry_out_first(who);
            if let Some(leading) = &mut self.processes[who].leading {
                leading.pending.pop_front();
            }
        }
    }

    fn send_commit(&mut self, who: usize) {
        let life = self.processes[who].life;
        let Some(leading) = &self.processes[who].leading else {
            return;
        };
        let Some(first) = leading.pending.front() else {
            return;
        };
        let (term, batch, changes) = (leading.term, first.batch, Arc::clone(&first.changes));
        let slow = self.healed.is_none() && self.dice.percent(2);
        let wait = if slow {
            self.history.cover("store slow");
            self.dice.millis(500, 8_000)
        } else {
            self.dice.millis(1, 12)
        };
        self.event(
            wait,
            Event::Commit {
                who,
                life,
                term,
                batch,
                changes,
            },
        );
    }

    /// A commit reaches the database, whatever became of who sent it.
    pub(crate) fn commit(
        &mut self,
        (who, life): (usize, u64),
        (term, batch): (i64, i64),
        changes: &Arc<Changes>,
    ) {
        let chance = if self.healed.is_none() {
            self.dice.below(100)
        } else {
            50
        };
        let outcome = if self.cuts.contains(&Cut::Store(who)) {
            self.history.cover("store cut off");
            None
        } else if chance < 5 {
            self.history.cover("store not executed");
            None
        } else {
            let new = self.store.is_new(term, batch);
            if new {
                self.before_commit(changes);
            }
            let outcome = self.store.commit(term, batch, changes);
            if outcome == Outcome::Fenced {
                self.history.cover("stale leader fenced");
            }
            if new {
                self.say(format!("commit {term}/{batch} by scheduler {who}"));
                self.after_commit(changes);
            }
            if (5..10).contains(&chance) {
                self.history.cover("store executed, answer lost");
                None
            } else {
                Some(outcome)
            }
        };
        let wait = self.dice.millis(1, 6);
        self.event(
            wait,
            Event::Committed {
                who,
                life,
                term,
                batch,
                outcome,
            },
        );
    }

    pub(crate) fn committed(
        &mut self,
        who: usize,
        (term, batch): (i64, i64),
        outcome: Option<Outcome>,
    ) {
        if !self.trusts(who) {
            return;
        }
        let now = self.now;
        let Some(leading) = &mut self.processes[who].leading else {
            return;
        };
        if leading
            .pending
            .front()
            .is_none_or(|first| first.batch != batch)
            // It may lead again already, and the answer be one to what it wrote before.
            || leading.term != term
            || !leading.busy
        {
            return;
        }
        match outcome {
            Some(Outcome::Fenced) => self.step_down(who, "its commit was refused"),
            None => {
                leading.failing_since.get_or_insert(now);
                let life = self.processes[who].life;
                // Whether it was executed or not: the same batch again says so.
                let again = Event::Wake { who, life };
                self.event(COMMIT_AGAIN, again);
                self.send_commit(who);
            }
            Some(Outcome::Done) => {
                leading.busy = false;
                let failing = leading.failing_since.take();
                if !self.broken.says_before_commit {
                    self.carry_out_first(who);
                }
                if let Some(leading) = &mut self.processes[who].leading {
                    leading.pending.pop_front();
                }
                let outage =
                    failing.is_some_and(|since| now.micros() - since.micros() > OUTAGE_MICROS);
                if outage {
                    self.history.cover("back from outage");
                    self.tell(who, Input::BackFromOutage);
                }
                self.pump(who);
            }
        }
    }

    pub(crate) fn read(&mut self, who: usize, wanted: Wanted, then: Option<Box<Request>>) {
        if !self.trusts(who) {
            return;
        }
        if self.cuts.contains(&Cut::Store(who)) {
            // It tries until it can.
            return self.read_later(who, wanted, then);
        }
        let (rows, beyond) = self.store.rows.load(&wanted);
        self.tell(
            who,
            Input::Loaded {
                asked: wanted,
                rows: Box::new(rows),
                beyond,
            },
        );
        if let Some(request) = then {
            self.tell(who, Input::Ask(*request));
        }
    }

    /// A worker says something.
    pub(crate) fn hear_worker(&mut self, worker: usize, who: usize, session: u64, message: Up) {
        if self.cuts.contains(&Cut::Worker(worker, who)) {
            // What comes after something that was lost is lost as well.
            self.broken_sessions.insert(session);
        }
        if self.broken_sessions.contains(&session) || !self.trusts(who) {
            return;
        }
        let name = Arc::clone(&self.workers[worker].name);
        if let Up::Hello(hello, sent) = message {
            self.greet(who, worker, session);
            self.say_to(who, &name, 0, Down::Heard(sent));
            return self.tell(who, Input::Hello(*hello));
        }
        let known = self.processes[who].leading.as_ref();
        let known = known.and_then(|leading| leading.sessions.get(&name));
        if known.is_none_or(|known| known.id != session) {
            return;
        }
        match message {
            Up::Beat(sent) => {
                self.tell(
                    who,
                    Input::Beat {
                        worker: Arc::clone(&name),
                    },
                );
                self.say_to(who, &name, 0, Down::Heard(sent));
            }
            Up::Report(attempt, report) => self.tell(
                who,
                Input::Report {
                    worker: name,
                    attempt,
                    report,
                },
            ),
            Up::Draining => self.tell(who, Input::Draining { worker: name }),
            Up::Left => self.tell(who, Input::Left { worker: name }),
            Up::Hello(..) => {}
        }
    }

    /// Tells a command to whoever leads. False if nobody does.
    pub(crate) fn ask(&mut self, request: Request) -> bool {
        let leads =
            |process: &Process| process.leading.is_some() && process.paused_until <= self.now;
        let Some(who) = self.processes.iter().position(leads) else {
            return false;
        };
        if let Some(leading) = &mut self.processes[who].leading {
            leading.asks.insert(request.id, (request.clone(), 0));
        }
        self.tell(who, Input::Ask(request));
        true
    }

    /// Whether a scheduler leads that has nothing to commit.
    pub(crate) fn is_idle(&self) -> bool {
        let leading = self.processes.iter().find_map(|it| it.leading.as_ref());
        leading.is_some_and(|it| it.pending.is_empty() && !it.busy && it.term == self.store.term)
    }
}
