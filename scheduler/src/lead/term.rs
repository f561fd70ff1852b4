//! One time of leading: the loop around one engine.
//!
//! At any moment at most one thing is on its way to the database: a commit, or something that is read back for the engine.
//! Inputs go into the engine meanwhile, and become the next batch. That nothing is committed while something is read back
//! is what makes sure that what was read is as new as the engine.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::crash;
use tidemill_core::protocol::{AttemptNo, AttemptRef, Duty};
use tidemill_core::wire::{Order, ToWorker};
use tidemill_store::{Leader, Settled, Store, StoreError};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, warn};

use super::clock::Clock;
use super::desk::Desk;
use super::lookup::{ReadBack, read_back};
use super::mail::{Mail, Sessions};
use super::message::{Bring, Join, ToLead};
use super::outputs::{self, Outputs};
use super::process::{Hold, Settings, wait_for_stop};
use super::watchman::Watchman;
use crate::engine::{Command, Effect, Engine, Input, Request, Taken, Wanted};

/// How many messages are taken in before the loop looks round again.
const GULP: usize = 1_024;

/// The clock is set by the wall, and time is told to the engine, at least this often.
const TICK: Duration = Duration::from_millis(500);

/// A commit that took longer was an outage: nobody's silence until its end means anything.
const OUTAGE: Duration = Duration::from_secs(2);

/// How a time of leading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The process was told to stop.
    Stopped,
    /// Another one leads.
    Deposed,
}

/// What came back from the database.
enum Back {
    Committed(Result<Settled, StoreError>, Vec<Effect>, u64, Duration),
    Read(Result<ReadBack, StoreError>, Box<Wanted>, Option<u64>),
}

type Flight = Pin<Box<dyn Future<Output = Back> + Send>>;

/// What an order that had to wait for its outputs comes back with.
struct Fetched {
    worker: Arc<str>,
    take: u64,
    attempt: AttemptRef,
    duty: Duty,
    outputs: Result<Vec<(tidemill_core::id::TaskId, Arc<str>)>, StoreError>,
}

/// One time of leading.
pub(super) struct Term {
    store: Store,
    leader: Arc<Leader>,
    engine: Engine,
    clock: Clock,
    sessions: Sessions,
    desk: Desk,
    outputs: Outputs,
    /// What is to be read back, and the command that it is for.
    reads: VecDeque<(Box<Wanted>, Option<u64>)>,
    /// Told once what is decided by now is durable.
    durable: Vec<oneshot::Sender<()>>,
    watchman: Watchman,
    /// Wakes the relay up.
    news: Arc<Notify>,
    /// How often the engine's decisions were taken.
    taken: u64,
    batch: i64,
    /// Orders that wait for their outputs, and whether they are to be stopped right after they are given.
    fetching: HashMap<AttemptNo, bool>,
    fetched: (
        mpsc::UnboundedSender<Fetched>,
        mpsc::UnboundedReceiver<Fetched>,
    ),
}

impl Term {
    pub(super) fn new(
        store: Store,
        leader: Arc<Leader>,
        (engine, clock): (Engine, Clock),
        news: Arc<Notify>,
    ) -> Self {
        Self {
            news,
            watchman: Watchman::default(),
            store,
            leader,
            engine,
            clock,
            sessions: Sessions::default(),
            desk: Desk::default(),
            outputs: Outputs::new(),
            reads: VecDeque::new(),
            durable: Vec::new(),
            taken: 0,
            batch: 0,
            fetching: HashMap::new(),
            fetched: mpsc::unbounded_channel(),
        }
    }

    /// Leads until the process is told to stop or another one leads.
    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<ToLead>,
        mut hold: watch::Receiver<Hold>,
        settings: &Settings,
        stop: watch::Receiver<bool>,
    ) -> Result<Ended, StoreError> {
        let mut flight: Option<Flight> = None;
        let mut messages = Vec::with_capacity(GULP);
        let mut stopping = false;
        let stopped = wait_for_stop(stop);
        tokio::pin!(stopped);
        loop {
            if flight.is_none() {
                flight = self.depart(settings);
                if flight.is_none() && stopping {
                    return Ok(Ended::Stopped);
                }
            }
            let wake = self.wake();
            tokio::select! {
                biased;
                back = landed(&mut flight) => {
                    flight = None;
                    if let Some(ended) = self.arrive(back)? {
                        return Ok(ended);
                    }
                }
                changed = hold.changed() => {
                    if changed.is_err() || hold.borrow().lost {
                        return Ok(Ended::Deposed);
                    }
                }
                _ = inbox.recv_many(&mut messages, GULP), if !stopping => {
                    let leads = hold.borrow().is_sure(settings.lead_lease);
                    for message in messages.drain(..) {
                        self.hear(message, leads);
                    }
                }
                Some(fetched) = self.fetched.1.recv() => self.order_fetched(fetched),
                () = sleep_until(wake) => self.tick(),
                () = &mut stopped, if !stopping => stopping = true,
            }
        }
    }

    /// When time has to be told to the engine at the latest.
    fn wake(&self) -> Instant {
        let soon = Instant::now() + TICK;
        let wanted = self.engine.next_wake();
        wanted.map_or(soon, |at| self.clock.instant(at).min(soon))
    }

    fn tick(&mut self) {
        let jumped = self.clock.set();
        if jumped {
            warn!("the clock jumped; workers get a whole lease from now on");
        }
        let input = if jumped {
            Input::BackFromOutage
        } else {
            Input::Tick
        };
        self.apply(input);
        for notice in self.watchman.look(&self.engine, self.clock.now()) {
            self.apply(Input::Tell(notice));
        }
    }

    fn apply(&mut self, input: Input) {
        self.engine.apply(input, self.clock.now());
    }

    /// Takes what was decided and sends it off, or something that is to be read back. What needs no commit is done at once.
    fn depart(&mut self, settings: &Settings) -> Option<Flight> {
        if let Some((wanted, ask)) = self.reads.pop_front() {
            let store = self.store.clone();
            return Some(Box::pin(async move {
                let read = read_back(&store, &wanted).await;
                Back::Read(read, wanted, ask)
            }));
        }
        let output = self.engine.take();
        self.taken += 1;
        if output.changes.is_empty() {
            self.carry_out(output.effects, self.taken);
            for told in self.durable.drain(..) {
                let _ = told.send(());
            }
            // Something may have been asked for.
            return if self.reads.is_empty() {
                None
            } else {
                self.depart(settings)
            };
        }
        self.outputs.learn(&output.changes);
        self.batch += 1;
        let (leader, batch, taken) = (Arc::clone(&self.leader), self.batch, self.taken);
        let news = (!output.changes.outbox.is_empty()).then(|| Arc::clone(&self.news));
        let (within, durable) = (settings.commit_within, std::mem::take(&mut self.durable));
        let began = Instant::now();
        // In a task of its own, so that it is written out and sent while the engine goes on.
        let commit = tokio::spawn(async move {
            crash::here("scheduler_before_commit");
            let settled = leader.commit_surely(batch, &output.changes, within).await;
            crash::here("scheduler_after_commit");
            if matches!(settled, Ok(Settled::Done)) {
                for told in durable {
                    let _ = told.send(());
                }
                if let Some(news) = news {
                    news.notify_one();
                }
            }
            (settled, output.effects)
        });
        Some(Box::pin(async move {
            match commit.await {
                Ok((settled, effects)) => Back::Committed(settled, effects, taken, began.elapsed()),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }))
    }

    fn arrive(&mut self, back: Back) -> Result<Option<Ended>, StoreError> {
        match back {
            Back::Committed(settled, effects, taken, took) => match settled? {
                Settled::Deposed => return Ok(Some(Ended::Deposed)),
                Settled::Done => {
                    if took > OUTAGE {
                        warn!(seconds = took.as_secs(), "back after a slow commit");
                        self.apply(Input::BackFromOutage);
                    }
                    self.carry_out(effects, taken);
                    crash::here("scheduler_between_batches");
                }
            },
            Back::Read(Ok(read), asked, ask) => {
                self.apply(Input::Loaded {
                    asked: *asked,
                    rows: read.rows,
                    beyond: read.beyond,
                });
                if let Some(request) = ask.and_then(|id| self.desk.again(id)) {
                    self.apply(Input::Ask(request));
                }
            }
            Back::Read(Err(error), asked, Some(id)) => {
                debug!("cannot read {asked:?}: {error}");
                self.desk
                    .fail(id, format!("what it needs cannot be read: {error}"));
            }
            Back::Read(Err(error), asked, None) if error.is_retryable() => {
                warn!("cannot read {asked:?}: {error}; trying again");
                self.reads.push_back((asked, None));
            }
            Back::Read(Err(error), ..) => return Err(error),
        }
        Ok(None)
    }

    fn hear(&mut self, message: ToLead, leads: bool) {
        match message {
            ToLead::Join(join) => self.join(join),
            ToLead::Gone { worker, session } => {
                if self.sessions.gone(&worker, session) {
                    debug!(%worker, "its connection ended");
                }
            }
            ToLead::Reports { worker, reports } => {
                let now = self.clock.now();
                for (attempt, report) in reports {
                    let worker = Arc::clone(&worker);
                    self.engine.apply(
                        Input::Report {
                            worker,
                            attempt,
                            report,
                        },
                        now,
                    );
                }
            }
            ToLead::Beat {
                worker,
                session,
                nth,
            } => {
                if self.sessions.is(&worker, session) {
                    self.sessions.tell(&worker, ToWorker::Beaten { nth, leads });
                    self.apply(Input::Beat { worker });
                }
            }
            ToLead::Stuck {
                worker,
                attempt,
                why,
                again,
            } => self.apply(Input::Stuck {
                worker,
                attempt,
                why,
                again,
            }),
            ToLead::Draining(worker) => self.apply(Input::Draining { worker }),
            ToLead::Ready(worker) => self.apply(Input::Ready { worker }),
            ToLead::Left(worker) => self.apply(Input::Left { worker }),
            ToLead::Bring(bring) => self.bring(bring),
            ToLead::Ask(ask) => {
                let request = self.desk.take(ask);
                self.apply(Input::Ask(request));
            }
            ToLead::Look(at) => at(&self.engine),
        }
    }

    fn join(&mut self, join: Join) {
        // What was decided for its last connection, and is not said yet, is not said over this one.
        self.sessions.join(&join, self.taken);
        let lease = self.engine.lease();
        let welcome = ToWorker::Welcome {
            lease,
            hears_stuck: true,
        };
        self.sessions.tell(&join.hello.worker, welcome);
        self.apply(Input::Hello(join.hello));
    }

    fn bring(&mut self, bring: Bring) {
        for (name, slots) in bring.pools {
            if self.engine.has_pool(&name) {
                continue;
            }
            let request = Request {
                id: 0,
                by: Arc::clone(&bring.by),
                seen: None,
                dry_run: false,
                command: Command::SetPool {
                    name: name.as_str().into(),
                    slots,
                    holds_deferred: false,
                    note: None,
                },
            };
            self.apply(Input::Ask(request));
        }
        self.apply(Input::Deploy {
            specs: bring.specs,
            by: bring.by,
        });
        self.durable.extend(bring.done);
    }

    /// Does what was to be done once the take of this number is durable.
    fn carry_out(&mut self, effects: Vec<Effect>, take: u64) {
        let mut mail = Mail::default();
        for effect in effects {
            match effect {
                Effect::Assign {
                    worker,
                    attempt,
                    duty,
                } => self.order(&worker, attempt, duty, (take, &mut mail)),
                Effect::Stop { worker, attempt } => {
                    if let Some(stop) = self.fetching.get_mut(&attempt.attempt) {
                        // The worker gets the order first: it has all that is needed to cancel what may be outside.
                        *stop = true;
                    } else if self.sessions.takes(&worker, take) {
                        mail.add(&worker, ToWorker::Stop(attempt));
                    }
                }
                Effect::Answer {
                    worker,
                    attempt,
                    verdict,
                } => {
                    if self.sessions.takes(&worker, take) {
                        mail.add(&worker, ToWorker::Answer(attempt, verdict));
                    }
                }
                Effect::Drain { worker, drain } => {
                    if self.sessions.takes(&worker, take) {
                        mail.add(&worker, ToWorker::Drain { drain });
                    }
                }
                Effect::Reply { to, result } => {
                    if let Some(wanted) = self.desk.answer(to, result) {
                        self.reads.push_back((Box::new(wanted), Some(to)));
                    }
                }
                Effect::Load(wanted) => self.reads.push_back((Box::new(wanted), None)),
            }
        }
        self.sessions.send(mail);
    }

    /// Gives an attempt to a worker, with what its arguments are made of.
    fn order(
        &mut self,
        worker: &Arc<str>,
        attempt: AttemptRef,
        duty: Duty,
        (take, mail): (u64, &mut Mail),
    ) {
        if !self.sessions.takes(worker, take) {
            // It is given it again when it says hello, or somebody else is once its lease is over.
            return;
        }
        let taken = self.engine.inputs(attempt.of);
        if let Some(outputs) = self.outputs.find(attempt.of.run, &taken) {
            if let Some(assignment) = self.engine.assignment(attempt, duty) {
                let order = Order {
                    assignment,
                    outputs,
                };
                mail.add(worker, ToWorker::Assign(order));
            }
            return;
        }
        self.fetch(Arc::clone(worker), attempt, duty, (take, taken));
    }

    /// The same after a start of this scheduler, or for outputs that are long ago: they are read from the store.
    fn fetch(
        &mut self,
        worker: Arc<str>,
        attempt: AttemptRef,
        duty: Duty,
        (take, taken): (u64, Vec<Taken>),
    ) {
        self.fetching.entry(attempt.attempt).or_insert(false);
        let (store, to) = (self.store.clone(), self.fetched.0.clone());
        tokio::spawn(async move {
            let outputs = outputs::read(&store, &taken).await;
            // The term may have ended meanwhile.
            let _ = to.send(Fetched {
                worker,
                take,
                attempt,
                duty,
                outputs,
            });
        });
    }

    fn order_fetched(&mut self, fetched: Fetched) {
        let Fetched {
            worker,
            take,
            attempt,
            duty,
            outputs,
        } = fetched;
        let stop = self.fetching.remove(&attempt.attempt).unwrap_or(false);
        if !self.sessions.takes(&worker, take) {
            return;
        }
        match outputs {
            Ok(outputs) => {
                // Unless it ended meanwhile.
                if let Some(assignment) = self.engine.assignment(attempt, duty) {
                    let order = Order {
                        assignment,
                        outputs,
                    };
                    self.sessions.tell(&worker, ToWorker::Assign(order));
                }
                if stop {
                    self.sessions.tell(&worker, ToWorker::Stop(attempt));
                }
            }
            Err(error) => {
                error!("cannot read what {attempt:?} takes: {error}");
                if error.is_retryable() {
                    let taken = self.engine.inputs(attempt.of);
                    self.fetch(worker, attempt, duty, (take, taken));
                    self.fetching.insert(attempt.attempt, stop);
                }
                // Otherwise it is not begun in time, and given to somebody again.
            }
        }
    }
}

async fn landed(flight: &mut Option<Flight>) -> Back {
    match flight {
        Some(flight) => flight.await,
        None => std::future::pending().await,
    }
}
