//! Schedulers, workers, a database, services and people, all made up, around the real engine: one seed is one history.
//!
//! Everything that happens is an [`Event`] at a time of its own, and all chance comes from one [`Dice`], so a seed plays
//! the same each time. `process` is what a scheduler does around its engine, `worker` what a worker does with attempts,
//! `faults` breaks things and `people` send commands; `heal` lets all of it end. `checks`, `limits` and `ends` say what
//! must never be so; they panic, and [`play`] makes a report of that.

mod checks;
mod dags;
mod dice;
mod ends;
mod faults;
mod history;
mod limits;
#[path = "../../../tests/engine/mirror.rs"]
mod mirror;
mod people;
mod process;
mod remote;
mod store;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::id::DagId;
use tidemill_core::protocol::{Assignment, AttemptRef, Hello, Report, Verdict};
use tidemill_core::spec::DagSpec;
use tidemill_core::time::Timestamp;
use tidemill_core::version::Version;
use tidemill_scheduler::engine::{Config, Defects, Request, Wanted};
use tidemill_store::record::Changes;

use checks::Truth;
use dice::Dice;
use history::History;
pub(crate) use history::{Coverage, FAULTS};
use people::People;
use process::Process;
use remote::Remote;
use store::{Outcome, Store};
use worker::Worker;

/// How long faults are made, at the least.
const FAULTS_LAST: Duration = Duration::from_secs(35 * 60);

/// How long everything may take to end once nothing is broken any more.
const END_WITHIN: Duration = Duration::from_secs(12 * 3_600);

/// More events than any history has.
const EVENTS_MAX: u64 = 2_000_000;

/// A deliberate fault, to prove that it is seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) engine: Defects,
    /// Nothing is broken, but recovery is compared after every step, to find where it first differs.
    pub(crate) compares_always: bool,
    /// The scheduler process says what is not committed yet.
    pub(crate) says_before_commit: bool,
}

/// What a seed came to.
#[derive(Debug)]
pub(crate) struct Played {
    /// What must not be so, if anything was.
    pub(crate) violation: Option<String>,
    /// The last of what happened.
    pub(crate) history: String,
    /// The same for two plays of the same seed.
    pub(crate) hash: u64,
    pub(crate) steps: u64,
    pub(crate) coverage: Coverage,
    /// How many task instances ended, and how many there were.
    pub(crate) tasks: (usize, usize),
    pub(crate) jobs: usize,
}

impl Played {
    /// A history in which little came to its end proves little.
    pub(crate) const fn counts(&self) -> bool {
        self.violation.is_some() || self.tasks.0 * 2 >= self.tasks.1
    }
}

/// Plays a seed.
pub(crate) fn play(seed: u64, broken: Broken) -> Played {
    let mut sim = Sim::new(seed, broken);
    let result = catch_unwind(AssertUnwindSafe(|| sim.run()));
    let violation = result.err().map(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "a panic without a text".to_owned())
    });
    Played {
        violation,
        history: sim.history.text(),
        hash: sim.history.hash(),
        steps: sim.history.steps,
        tasks: sim.tasks_ended(),
        jobs: sim.remote.count(),
        coverage: sim.history.coverage,
    }
}

/// What a worker says to a scheduler.
#[derive(Debug, Clone)]
enum Up {
    /// And when it was sent.
    Hello(Box<Hello>, Timestamp),
    Beat(Timestamp),
    Report(AttemptRef, Report),
    Draining,
    Left,
}

/// What a scheduler says to a worker.
#[derive(Debug, Clone)]
enum Down {
    /// It heard the beat that was sent then.
    Heard(Timestamp),
    Assign(Box<Assignment>),
    Stop(AttemptRef),
    Answer(AttemptRef, Verdict),
    Closed,
}

/// Something that happens. `life` numbers the lives of a process: what was meant for an earlier one is lost.
#[derive(Debug, Clone)]
enum Event {
    /// A scheduler tries to lead, or to go on leading.
    Lead {
        who: usize,
        life: u64,
    },
    /// A scheduler's engine wants to be told the time.
    Wake {
        who: usize,
        life: u64,
    },
    /// A commit reaches the database.
    Commit {
        who: usize,
        life: u64,
        term: i64,
        batch: i64,
        changes: Arc<Changes>,
    },
    /// What a scheduler hears of its commit; none if it is not known what became of it.
    Committed {
        who: usize,
        life: u64,
        term: i64,
        batch: i64,
        outcome: Option<Outcome>,
    },
    /// Runs are read back for an engine, and then a command is told once more.
    Read {
        who: usize,
        life: u64,
        wanted: Wanted,
        then: Option<Box<Request>>,
    },
    Up {
        worker: usize,
        who: usize,
        session: u64,
        message: Up,
    },
    Down {
        worker: usize,
        session: u64,
        message: Down,
    },
    /// A worker looks for a scheduler, beats, and looks whether it is heard.
    Beat {
        worker: usize,
        life: u64,
    },
    /// A worker goes on with an attempt.
    Work {
        worker: usize,
        life: u64,
        attempt: AttemptRef,
    },
    /// A dead process starts.
    StartScheduler(usize),
    StartWorker(usize),
    /// A worker that drains leaves.
    Leave {
        worker: usize,
        life: u64,
    },
    /// Something breaks.
    Fault,
    /// What is cut is joined again.
    Join(Cut),
    /// A person does something.
    Person,
    /// Nothing breaks any more.
    Heal,
    /// Whoever is on duty looks after what waits for people.
    Rounds,
}

/// Two that do not hear each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    Worker(usize, usize),
    Store(usize),
    Services(usize),
}

struct Sim {
    dice: Dice,
    broken: Broken,
    config: Config,
    start: Timestamp,
    now: Timestamp,
    queue: BTreeMap<(Timestamp, u64), Event>,
    numbers: u64,
    healed: Option<Timestamp>,
    cuts: BTreeSet<Cut>,
    /// Connections on which something was lost.
    broken_sessions: BTreeSet<u64>,
    store: Store,
    remote: Remote,
    processes: Vec<Process>,
    workers: Vec<Worker>,
    people: People,
    truth: Truth,
    specs: BTreeMap<(DagId, Version), Arc<DagSpec>>,
    history: History,
}

impl Sim {
    fn new(seed: u64, broken: Broken) -> Self {
        let mut dice = Dice::new(dice::mixed(seed));
        let start = Timestamp::from_micros(1_735_689_600_000_000);
        let config = Config {
            default_pool_slots: Some(u32::try_from(dice.between(2, 12)).unwrap_or(2)),
            ended_tasks_kept: usize::try_from(dice.below(60)).unwrap_or_default(),
            catchup_batch: 5,
            queued_max: Duration::from_secs(60),
            defects: broken.engine,
            ..Config::default()
        };
        let mut sim = Self {
            broken,
            config,
            start,
            now: start,
            queue: BTreeMap::new(),
            numbers: 0,
            healed: None,
            cuts: BTreeSet::new(),
            broken_sessions: BTreeSet::new(),
            store: Store::default(),
            remote: Remote::default(),
            processes: Vec::new(),
            workers: Vec::new(),
            people: People::default(),
            truth: Truth::default(),
            specs: BTreeMap::new(),
            history: History::default(),
            dice,
        };
        sim.set_up();
        sim
    }

    fn set_up(&mut self) {
        for who in 0..self.dice.between(1, 3) {
            self.processes.push(Process::default());
            let who = usize::try_from(who).unwrap_or_default();
            self.event(Duration::from_millis(10), Event::StartScheduler(who));
        }
        for worker in 0..self.dice.between(2, 5) {
            let slots = u32::try_from(self.dice.between(1, 5)).unwrap_or(1);
            self.workers.push(Worker::new(worker, slots));
            let worker = usize::try_from(worker).unwrap_or_default();
            let wait = self.dice.millis(20, 3_000);
            self.event(wait, Event::StartWorker(worker));
        }
        for nth in 0..self.dice.between(2, 4) {
            let name = format!("dag{nth}");
            self.people.dags.push(name.clone());
            self.new_version(&name);
        }
        self.event(Duration::from_secs(2), Event::Person);
        self.event(Duration::from_secs(30), Event::Fault);
        let last = FAULTS_LAST + self.dice.secs(0, 600);
        self.event(last, Event::Heal);
    }

    /// Has something happen after this long.
    fn event(&mut self, wait: Duration, event: Event) {
        self.event_at(self.now.after(wait), event);
    }

    fn event_at(&mut self, at: Timestamp, event: Event) {
        let number = self.number();
        self.queue.insert((at.max(self.now), number), event);
    }

    const fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn say(&mut self, line: String) {
        self.history.say(self.now, line);
    }

    fn run(&mut self) {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            self.now = at;
            self.history.steps += 1;
            if let Some(until) = self.asleep(&event) {
                self.event_at(until, event);
                continue;
            }
            self.happen(event);
            if self.history.steps.is_multiple_of(16) && self.has_ended() {
                self.check_ends();
                return;
            }
            let over = self
                .healed
                .is_some_and(|healed| self.now > healed.after(END_WITHIN));
            assert!(
                !over && self.history.steps < EVENTS_MAX,
                "not everything came to its end after nothing was broken any more: {}",
                self.still_open()
            );
        }
    }

    /// Until when whoever this is for does nothing, if it is paused.
    fn asleep(&self, event: &Event) -> Option<Timestamp> {
        let until = match event {
            Event::Lead { who, .. }
            | Event::Wake { who, .. }
            | Event::Committed { who, .. }
            | Event::Read { who, .. }
            | Event::Up { who, .. } => self.processes[*who].paused_until,
            Event::Down { worker, .. }
            | Event::Beat { worker, .. }
            | Event::Work { worker, .. } => self.workers[*worker].paused_until,
            _ => return None,
        };
        Some(until).filter(|until| *until > self.now)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Lead { who, life } if self.processes[who].life == life => self.lead(who),
            Event::Wake { who, life } if self.processes[who].life == life => self.wake(who),
            Event::Commit {
                who,
                life,
                term,
                batch,
                changes,
            } => self.commit((who, life), (term, batch), &changes),
            Event::Committed {
                who,
                life,
                term,
                batch,
                outcome,
            } if self.processes[who].life == life => self.committed(who, (term, batch), outcome),
            Event::Read {
                who,
                life,
                wanted,
                then,
            } if self.processes[who].life == life => self.read(who, wanted, then),
            Event::Up {
                worker,
                who,
                session,
                message,
            } => self.hear_worker(worker, who, session, message),
            Event::Down {
                worker,
                session,
                message,
            } => self.hear_scheduler(worker, session, message),
            Event::Beat { worker, life } if self.workers[worker].life == life => self.beat(worker),
            Event::Work {
                worker,
                life,
                attempt,
            } if self.workers[worker].life == life => self.work(worker, attempt),
            Event::StartScheduler(who) => self.start_scheduler(who),
            Event::StartWorker(worker) => self.start_worker(worker),
            Event::Leave { worker, life } if self.workers[worker].life == life => {
                self.leave(worker)
            }
            Event::Fault => self.fault(),
            Event::Join(cut) => {
                self.cuts.remove(&cut);
            }
            Event::Person => self.person(),
            Event::Heal => self.heal(),
            Event::Rounds => self.rounds(),
            // It was meant for an earlier life.
            _ => {}
        }
    }
}
